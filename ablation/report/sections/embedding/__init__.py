"""Are the classes better separated? Six measures in feature space over all runs, and t-SNE maps of one run a recipe."""
