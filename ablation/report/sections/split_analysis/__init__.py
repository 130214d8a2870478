"""Did it reduce overfitting? Every metric on the training, validation and test part, and the generalization gap."""
