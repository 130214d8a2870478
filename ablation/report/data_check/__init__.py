"""The page of `ablation check`: what a data set holds, with its photographs."""
