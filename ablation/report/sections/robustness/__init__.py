"""What changes of the image does it make the network robust to? Test images under brightness, crop, rotation, noise."""
