"""Making and judging classifiers: data set, training, calibration, evaluation, versions."""
