"""Are the classes better separated? t-SNE, and separability measured in feature space."""
