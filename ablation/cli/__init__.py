"""The commands, a file each (`ablation.cli.main.COMMANDS` is the table), and the console that they print on."""
