"""Made-up luck that sums to nothing over five seeds, so that means are known to the last digit that is shown."""

from ablation.experiment.experiment import Cell


def luck(cell: Cell, size: float = 0.002) -> float:
    """-2 to 2 times `size`, each once over the seeds 0 to 4, in an order of its own for each arm."""
    name = sum(map(ord, "".join(cell.factors.values())))
    return size * ((cell.seed * (1 + name // 5 % 4) + name) % 5 - 2)
