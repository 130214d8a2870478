"""An experiment as its author writes it, the grid of runs it stands for, and what those runs left behind.

Knows nothing of training or of what results mean.
"""
