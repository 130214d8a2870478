"""Networks: their names (no torch needed) in `names`, and how they are built in `networks`."""
