"""What does the network look at? Grad-CAM of the same test photographs under the baseline and each recipe."""
