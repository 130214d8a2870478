"""Training: one run (`loop`), one worker process (`worker`), all runs of an experiment (`sweep`)."""
