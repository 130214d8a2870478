"""A project as a user has it: a folder with one small experiment."""

from pathlib import Path

SMALL_EXPERIMENT = '''
"""Does cropping help?"""
from ablation import Adam, Digits, Experiment, Fixed, RandomResizedCrop, SGD
experiment = Experiment(
    name="small", data={data}, model="shallow_cnn", image_size=8, cache_size=8, epochs={epochs}, batch_size=32,
    recipes={{"none": (), "crop": (RandomResizedCrop(scale=(0.5, 1.0)),)}},
    optimizers={{"sgd": SGD(lr=0.05)}}, split=Fixed(train=0.2, val=0.2, test=0.4), seeds=3, baseline="none",
)
'''


def write_experiment(folder: Path, data: str = "Digits()", epochs: int = 2) -> Path:
    """Write experiments/small.py in a project's folder: two recipes, one optimizer, three seeds."""
    (folder / "experiments").mkdir(parents=True, exist_ok=True)
    file = folder / "experiments" / "small.py"
    file.write_text(SMALL_EXPERIMENT.format(data=data, epochs=epochs))
    return file
