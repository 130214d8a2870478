"""What the runs mean: statistics and geometry of features. numpy, scipy and scikit-learn only; arrays in, frozen results out."""
