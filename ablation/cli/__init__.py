"""The commands, a file each, and the console that they print on."""
