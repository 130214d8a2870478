"""What does it cost? Time and GPU memory of a run beside its accuracy."""
