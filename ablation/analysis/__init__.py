"""Statistics and metrics: arrays in, frozen numbers out. Knows no experiment, no torch and no MLflow."""
