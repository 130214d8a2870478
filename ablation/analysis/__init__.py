"""What the runs mean: statistics and geometry of features. Arrays in, frozen results out; no torch, no MLflow."""
