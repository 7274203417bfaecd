"""From text to a decision: pure, without network or database, the same in training and at run time."""
