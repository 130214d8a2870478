"""`python -m ablation.cli` is the command `ablation`."""

from ablation.cli.main import main

main()
