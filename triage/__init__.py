"""From text to a decision: pure, without network or database, in training as at run time."""
