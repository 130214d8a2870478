"""Many cells: what a grid takes grows with the number of its cells, and not with its square."""

import time

from ablation import SGD, Brightness, Digits, Experiment
from ablation.experiment.preregistration import preregistration_of
from ablation.experiment.runs import runs_of


def planned(seeds: int, tmp_path) -> tuple[int, float]:
    """How many runs 10 recipes x 10 optimizers x `seeds` are, and the processor seconds that planning them takes."""
    experiment = Experiment(
        name="many",
        data=Digits(),
        recipes={"none": ()} | {f"brightness {step}": (Brightness(step / 10),) for step in range(1, 10)},
        optimizers={f"sgd {step}": SGD(lr=step / 100) for step in range(1, 11)},
        baseline="none",
        model="lenet",
        seeds=seeds,
    )
    started = time.process_time()
    cells = experiment.cells("0123456789abcdef")
    runs = runs_of(cells, tmp_path)
    preregistration_of(experiment, cells)
    return len(runs), time.process_time() - started


def test_ten_thousand_cells_take_ten_times_as_long_as_a_thousand(tmp_path):
    few, many = ([planned(seeds, tmp_path) for _ in range(3)] for seeds in (10, 100))
    assert (few[0][0], many[0][0]) == (1_000, 10_000)
    assert min(many)[1] < 16 * min(few)[1]  # a hundred times, were each cell held against all others
