"""What did the network see? One photograph as each recipe draws it."""
