"""The operations, a file a family, a class an operation. See `ablation.augment.operation` for what one is."""
