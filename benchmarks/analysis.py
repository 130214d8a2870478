"""How long does `ablation compare` take over a large experiment, and how much memory? A table, a line a metric.

    python benchmarks/analysis.py                      # writes 2 GB of records into a temporary folder; ten minutes
    python benchmarks/analysis.py --records FOLDER     # keeps them there, for another measurement
    python benchmarks/analysis.py --seeds 2            # a fifth of the runs

1,000 runs (20 recipes x 5 optimizers x 10 seeds), each with the answers to 5,000 test images of 100 classes. Nothing is
trained: logits are drawn at random, the metrics computed from them, and both are written as a worker writes its record,
so that every byte from the file to the verdict goes through the product. Features have 2 columns here instead of some
thousand; `compare` does not read them. Each measurement is the command in a process of its own: wall time, processor
time, and the most memory that it held. The records have just been written, so reading them is helped by the system's
own cache.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import measure
import numpy as np
from measure import Measurement, number, reach
from PIL import Image

from ablation.analysis.metrics import classification_metrics
from ablation.core.seeds import stream
from ablation.data import listing
from ablation.experiment.files import read
from ablation.experiment.record import Arrays, RunRecord, write_record
from ablation.experiment.runs import Run, folder_of, runs_of

IMAGES, CLASSES = 5000, 100
SECONDS, GIB = 60.0, 4.0
"""What a measurement may take at most."""
METRICS = ("accuracy", "log_loss", "macro_f1", "balanced_accuracy")
FILE = '''"""Which of twenty strengths of brightness is best?"""

from ablation import SGD, Brightness, Experiment, ImageFolder

experiment = Experiment(
    name="analysis", data=ImageFolder({photos!r}), baseline="none", seeds={seeds}, metric="{metric}",
    recipes={{"none": ()}} | {{f"brightness {{step:02}}": (Brightness(step / 20),) for step in range(1, 20)}},
    optimizers={{f"sgd {{step}}": SGD(lr=0.01 * step) for step in range(1, 6)}},
)
'''


def write_file(folder: Path, metric: str, seeds: int) -> Path:
    path = folder / f"analysis_{metric}.py"
    path.write_text(FILE.format(metric=metric, seeds=seeds, photos=str(folder / "photos")), "utf-8")
    return path


def write_photos(folder: Path) -> None:
    """As many files as the records have images: noise of 8 x 8 pixels, no two alike."""
    random = stream(0, "photos")
    for image in range(IMAGES if not folder.exists() else 0):
        file = folder / f"{image % CLASSES:03}" / f"{image:05}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(file)


def answers(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """(T,) labels and (T, C) logits: right for about 80 % of the images, the same ones being easy for all runs."""
    labels = np.arange(IMAGES) % CLASSES
    ease = stream(0, "ease").normal(4.0, 1.5, IMAGES)
    random = stream(run.spec.seed, "answers", run.spec.id)
    logits = random.standard_normal((IMAGES, CLASSES), np.float32)
    logits[np.arange(IMAGES), labels] += (ease + random.normal(0, 0.1)).astype(np.float32)
    return labels, logits


def write_run(run: Run) -> None:
    """A finished run as a worker leaves it behind, without a journal."""
    if run.status() == "finished":
        return
    labels, logits = answers(run)
    epochs = tuple({"epoch": epoch, "lr": 0.1, "train_loss": 1.0, "val_accuracy": 0.7} for epoch in range(1, 31))
    evidence = {"first_test_batch": "t", "split": "s", "train_images": 20_000, "test_images": IMAGES, "changes": []}
    evidence |= {"diverged_step": None, "parameters": 1}
    where = {"device": "cpu", "precision": "float32", "torch": "2.11", "torchvision": "0.26", "numpy": np.__version__}
    record = RunRecord(
        run.spec.id, "finished", epochs, classification_metrics(logits, labels), evidence, {"seconds": 1.0}, where
    )
    picture = np.zeros((8, 8, 3), np.uint8)
    features = np.zeros((IMAGES, 2), np.float32)
    run.prepare()
    write_record(run.folder, record, Arrays(np.arange(IMAGES), labels, logits, features, picture, picture[None]))


def write_all(folder: Path, seeds: int) -> int:
    """Every run of the experiment that is not there yet; how many it has."""
    write_photos(folder / "photos")
    experiment = read(write_file(folder, METRICS[0], seeds)).experiment
    data = listing(experiment.data, folder / "cache")
    runs = runs_of(experiment.cells(data.digest), folder_of(experiment, folder / "runs"))
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(write_run, runs, chunksize=10):
            pass
    return len(runs)


def compare(folder: Path, metric: str, seeds: int) -> dict[str, float]:
    """Wall seconds, processor seconds and GiB at the peak of `ablation compare`, in a process of its own."""
    file = write_file(folder, metric, seeds)
    words = ["compare", file, "--runs", folder / "runs", "--cache", folder / "cache"]
    ended = measure.ran(measure.ablation(*words))
    return {"seconds": ended.seconds, "processor_seconds": ended.processor_seconds, "peak_gib": ended.peak_gib}


def measured(folder: Path, options: argparse.Namespace) -> bool:
    """Print the table; whether every measurement kept the bounds."""
    count = write_all(folder, options.seeds)
    size = sum(file.stat().st_size for file in (folder / "runs").rglob("*.npz")) / 2**30
    settings = {"runs": count, "images": IMAGES, "classes": CLASSES, "records_gib": measure.significant(size)}
    measurement = Measurement("analysis", options, settings)
    print(measure.heading(measurement))
    print(f"{count:,} runs x {IMAGES:,} images x {CLASSES} classes, {size:.2f} GiB on disk")
    arms = {metric: partial(compare, folder, metric, options.seeds) for metric in options.metrics}
    measure.take_turns(measurement, "compare", arms, options.rounds, options.minutes)
    rows, kept = [], True
    for metric, one in measurement.content()["results"].get("compare", {}).items():
        fits = one["seconds"]["max"] <= SECONDS and one["peak_gib"]["max"] <= GIB
        kept = kept and fits
        cells = [number(one[name]["median"]) for name in ("seconds", "processor_seconds", "peak_gib")]
        rows.append([metric, cells[0], reach(one["seconds"]), *cells[1:], "kept" if fits else "NOT kept"])
    bounds = f"{SECONDS:.0f} s, {GIB:.0f} GiB"
    print(measure.table(["metric", "seconds", "min-max", "processor", "GiB", bounds], rows))
    return kept and all(measurement.rounds("compare", metric, "seconds") for metric in arms)


def main() -> None:
    parser = measure.parser(__doc__, rounds=1)
    parser.add_argument("--records", type=Path, help="keep the records in this folder, and use those that are there")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--metrics", nargs="+", choices=METRICS, default=["accuracy", "macro_f1"])
    options = parser.parse_args()
    if options.records:
        options.records.mkdir(parents=True, exist_ok=True)
        kept = measured(options.records, options)
    else:
        with measure.scratch() as folder:
            kept = measured(folder, options)
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
