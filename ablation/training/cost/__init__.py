"""What a run takes: parameters and operations of a network, seconds and memory, before and after training."""
