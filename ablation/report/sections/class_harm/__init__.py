"""Whom does an augmentation help, and whom does it harm? Recall of each class, and photographs that flip."""
