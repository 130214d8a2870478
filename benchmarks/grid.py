"""How fast is a whole grid, from the command line to the last record, beside what people would use instead?

    python benchmarks/grid.py shallow PHOTOS                 # 8 runs of shallow_cnn, 32 pixels, 10 epochs
    python benchmarks/grid.py shallow PHOTOS --runs 50       # 50 of them
    python benchmarks/grid.py resnet50 PHOTOS                # 8 runs of ResNet-50, 64 pixels, 2 epochs
    python benchmarks/grid.py shallow PHOTOS --reference-runs 1 --rounds 3 --minutes 10

PHOTOS is a folder of the classes' folders, a folder with train_list.txt and classes.txt, or a list. Each arm is given
the same runs: the same photographs to train on (redrawn for each seed), crop, flip, brightness and contrast at the
strengths of its recipe, the same batches, epochs and optimizer; the validation part after each epoch, the test part at
the end. Counted are images trained on (images x epochs x runs) in a second of wall clock, start-up included.

  A  torchvision reference: files decoded by Pillow, its transforms, a DataLoader with two workers; a process a run
  B  the same with channels_last
  C  the same in Lightning
  D  the same with kornia's augmentation of whole batches on the device
  E  `ablation run`, without MLflow, with nothing in its cache
     (and: F with --memory-format contiguous; W with the photographs cached before)

Automatic mixed precision as people have it: on a CUDA device, not on a CPU. Processes of A to D follow each other, as
each uses all cores. They write no checkpoint and no log. E does more: it reads and measures all files of PHOTOS, writes
checkpoints and sealed records, tests by the way what a record keeps (training part, Grad-CAM), and prints verdicts.

--reference-runs N measures only N of the runs of A to D in each round. Each is a process of its own, so that images/s
do not depend on how many there are; those of E do, so E is always measured whole. Each arm proves that it took all its
steps.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import journals
import measure
from measure import Failed, Measurement, number, reach

from ablation.data import Listing, build, listing
from ablation.data.batches import steps
from ablation.data.guess import source_at
from ablation.experiment.experiment import Experiment
from ablation.experiment.files import read
from ablation.experiment.runs import Run, folder_of, runs_of

ARMS = Path(__file__).parent / "arms"
REFERENCES: dict[str, tuple[str, list[str], tuple[str, ...]]] = {
    "A": ("torchvision reference", ["torchvision_reference.py"], ()),
    "B": ("A, channels_last", ["torchvision_reference.py", "channels_last"], ()),
    "C": ("Lightning", ["lightning_module.py"], ("lightning",)),
    "D": ("kornia on the device", ["kornia_on_device.py"], ("kornia",)),
}
"""Letter -> name, program and its words, what it needs."""
OURS = {
    "E": ("ours, cold cache", []),
    "F": ("ours, contiguous", ["--memory-format", "contiguous"]),
    "W": ("ours, warm cache", []),
}
"""Letter -> name, options of `ablation run`."""
CASES = {
    "resnet50": {"model": "resnet50", "image_size": 64, "epochs": 2},
    "shallow": {"model": "shallow_cnn", "image_size": 32, "epochs": 10},
}
FILE = '''"""Which strength of crop, flip, brightness and contrast is best?"""

from ablation import (
    SGD, Brightness, Contrast, CsvFile, Experiment, ImageFolder, ListFile, RandomHorizontalFlip, RandomResizedCrop,
    Redrawn,
)


def recipe(strength):
    crop = RandomResizedCrop(scale=(1 - 1.5 * strength, 1.0))
    return (crop, RandomHorizontalFlip(), Brightness(strength), Contrast(strength))


experiment = Experiment(
    name="grid", data={data!r}, model={model!r}, image_size={image_size}, epochs={epochs}, batch_size={batch},
    split=Redrawn(train={train}, val={val}, test={test}),
    recipes={{f"{{percent}} %": recipe(percent / 100) for percent in {percents}}},
    optimizers={{"sgd": SGD(lr=0.05, momentum=0.9)}}, seeds={seeds}, baseline="{percents[0]} %",
)
'''


@dataclass(frozen=True)
class Grid:
    """The experiment as its file says it, its runs, and where everything lies."""

    file: Path
    photos: str
    experiment: Experiment
    runs: tuple[Run, ...]
    data: Listing
    work: Path

    @property
    def warm(self) -> Path:
        """An image cache that has the photographs."""
        return self.work / "warm"

    def expected(self, run: Run) -> dict[str, int]:
        """What each arm must count for this run."""
        parts, spec = run.spec.parts(self.data), run.spec
        return {
            "steps": spec.epochs * steps(len(parts.train), spec.batch_size),
            "trained": spec.epochs * len(parts.train),
            "validated": spec.epochs * len(parts.val),
            "tested": len(parts.test),
        }


def source(photos: str) -> tuple[Any, str]:
    """The source that the argument names, and what `--data` is then given."""
    inner = Path(photos).expanduser() / "train_list.txt"
    named = str(inner if inner.is_file() else Path(photos).expanduser())
    return source_at(str(Path(named).resolve())), str(Path(named).resolve())


def prepared(options: argparse.Namespace, work: Path) -> Grid:
    """Write the experiment's file, and list and cache the photographs for the arms that are given them."""
    data, photos = source(options.photos)
    recipes = next(count for count in (5, 4, 2, 1) if options.runs % count == 0 and options.runs > count)
    percents = tuple(range(20, 20 + 5 * recipes, 5))
    case = CASES[options.case] | {"epochs": options.epochs or CASES[options.case]["epochs"]}
    sizes = {name: getattr(options, name) for name in ("batch", "train", "val", "test")}
    file = work / "grid.py"
    text = FILE.format(data=data, percents=percents, seeds=options.runs // recipes, **case, **sizes)
    file.write_text(text, "utf-8")
    experiment = read(file).experiment
    listed = listing(experiment.data, work / "warm")
    runs = runs_of(experiment.cells(listed.digest), folder_of(experiment, work / "runs"))
    for run in runs:
        trained = len(run.spec.parts(listed).train)
        if (
            trained % options.batch == 1
        ):  # a batch of one image: ours adds it to the one before it, a DataLoader does not
            sys.exit(
                f"{trained} images to train on leave one over from batches of {options.batch}: use another --train"
            )
    return Grid(file, photos, experiment, runs, listed, work)


# --- the arms


def settings_file(grid: Grid, run: Run) -> Path:
    """The settings of this run for a reference arm, with the lists of its photographs."""
    spec, parts = run.spec, run.spec.parts(grid.data)
    folder = grid.work / "lists" / spec.id
    folder.mkdir(parents=True, exist_ok=True)
    lists = {}
    for part, rows in parts._asdict().items():
        lines = [f"{grid.data.origins[row]}\t{grid.data.labels[row]}\n" for row in rows]
        lists[part] = str(folder / f"{part}.txt")
        Path(lists[part]).write_text("".join(lines), "utf-8")
    crop, _, brightness, contrast = (operation.__dict__ for operation in spec.recipe)
    settings = {
        "network": spec.model, "classes": len(grid.data.classes), "side": spec.image_size, "batch": spec.batch_size,
        "epochs": spec.epochs, "seed": spec.seed, "workers": 2, "lr": spec.optimizer.lr, "scale": crop["scale"],
        "brightness": brightness["brightness"], "contrast": contrast["contrast"], "lists": lists,
    }  # fmt: skip
    file = folder / "settings.json"
    file.write_text(json.dumps(settings), "utf-8")
    return file


def reference(grid: Grid, words: list[str], count: int) -> dict[str, float]:
    """Train the first `count` runs, one after the other, each in a process of its own."""
    program, *others = words
    seconds = processor = images = 0.0
    waits = []
    for run in grid.runs[:count]:
        file = settings_file(grid, run)
        ended = measure.ran([sys.executable, ARMS / program, file, *others])
        counted = json.loads(ended.output.strip().splitlines()[-1])
        check(program, counted, grid.expected(run))
        seconds, processor, images = (
            seconds + ended.seconds, processor + ended.processor_seconds, images + counted["trained"],
        )  # fmt: skip
        waits.append(counted["first_step_at"] - ended.began)
    return {
        "images_per_second": images / seconds,
        "seconds": seconds,
        "processor_seconds": processor,
        "first_step_seconds": waits[0],
    }


def ours(grid: Grid, options: list[str], warm: bool) -> dict[str, float]:
    """`ablation run` on the whole grid, with new folders, and with what its journals say."""
    runs, cache = measure.emptied(grid.work / "runs"), grid.warm if warm else measure.emptied(grid.work / "cold")
    where = ["--runs", runs, "--cache", cache, "--data", grid.photos]
    ended = measure.ran(measure.ablation("run", grid.file, "--no-tracking", *where, *options))
    images = 0
    for run in grid.runs:
        record, expected = run.record(), grid.expected(run)
        if record is None:
            raise Failed(f"the run {run.spec.id} has no record")
        trained = len(record.history) * record.evidence["train_images"]
        validated = len(record.history) * record.evidence["val_images"]
        counted = {"trained": trained, "validated": validated, "tested": record.evidence["test_images"]}
        check("ours", counted, expected)
        images += trained
    root = folder_of(grid.experiment, runs)
    return {
        "images_per_second": images / ended.seconds,
        "seconds": ended.seconds,
        "processor_seconds": ended.processor_seconds,
        "first_step_seconds": journals.first_step(root) - ended.began,
        **{f"{phase}_seconds": taken for phase, taken in journals.phases(root, ended.began, ended.ended).items()},
    }


def check(arm: str, counted: Mapping[str, Any], expected: Mapping[str, int]) -> None:
    """Raises Failed where an arm did other work than the others."""
    wrong = [
        f"{name} {counted[name]}, not {value}" for name, value in expected.items() if counted.get(name, value) != value
    ]
    if wrong:
        raise Failed(f"{arm} did other work than it should: {'; '.join(wrong)}")


def chosen(grid: Grid, options: argparse.Namespace, note: measure.Note) -> dict[str, measure.Arm]:
    """The arms that were asked for and that this machine can run, by letter; a note says which it cannot."""
    arms: dict[str, measure.Arm] = {}
    count = min(options.reference_runs or options.runs, options.runs)
    help_ = measure.ran(measure.ablation("run", "--help")).output
    for letter in options.arms:
        if letter in REFERENCES:
            name, words, needed = REFERENCES[letter]
            missing = [package for package in needed if find_spec(package) is None]
            if missing:
                note(f"{letter} ({name}) is left out: {', '.join(missing)} is not installed")
                continue
            arms[letter] = partial(reference, grid, words, count)
        else:
            name, words = OURS[letter]
            if any(word.startswith("--") and word not in help_ for word in words):
                note(f"{letter} ({name}) is left out: `ablation run` has no {words[0]}")
                continue
            if letter == "W":
                build(grid.data, grid.runs[0].spec.cache_size, grid.warm)
            arms[letter] = partial(ours, grid, words, letter == "W")
    return arms


# --- the table


def table(measurement: Measurement, case: str, letters: list[str]) -> str:
    """A line an arm, and how many times as fast as each reference ours is."""
    mine = [letter for letter in letters if letter in OURS]
    columns = ["arm", "images/s", "min-max", "1st step s", *(f"{letter} is" for letter in mine)]
    rows = []
    for letter in letters:
        spread = measurement.content()["results"].get(case, {}).get(letter)
        if spread is None:
            continue
        rate, first = spread["images_per_second"], spread["first_step_seconds"]
        row = [
            f"{letter} {(REFERENCES | OURS)[letter][0]}",
            number(rate["median"]),
            reach(rate),
            number(first["median"]),
        ]
        for other in mine:
            ratio = measurement.compare(case, other, letter, "images_per_second") if other != letter else None
            row.append(f"{number(ratio['median'])} x" if ratio else "")
        rows.append(row)
    return measure.table(columns, rows)


def main() -> None:
    """Measure, print the table."""
    parser = measure.parser(__doc__, rounds=5)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("photos", help="the folder of the photographs, or their list")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--reference-runs", type=int, help="how many of them A to D are measured on, by default all")
    parser.add_argument("--arms", nargs="+", choices=[*REFERENCES, *OURS], default=["A", "B", "C", "D", "E", "F"])
    parser.add_argument("--warm", action="store_true", help="W as well: ours with the photographs in its cache")
    parser.add_argument("--epochs", type=int, help="2 of resnet50, 10 of shallow")
    for name, size in {"train": 516, "val": 120, "test": 240, "batch": 64}.items():
        parser.add_argument(f"--{name}", type=int, default=size, help="images (%(default)s)")
    options = parser.parse_args()
    options.arms += ["W"] if options.warm and "W" not in options.arms else []
    case = f"{options.case}, {options.runs} runs"
    settings = {name: getattr(options, name) for name in ("runs", "reference_runs", "train", "val", "test", "batch")}
    settings |= CASES[options.case] | ({"epochs": options.epochs} if options.epochs else {})
    measurement = Measurement(f"grid-{options.case}-{options.runs}", options, settings)
    print(measure.heading(measurement))
    with measure.scratch() as work:
        grid = prepared(options, work)
        arms = chosen(grid, options, measurement.note)
        if options.reference_runs and options.reference_runs < options.runs:
            measurement.note(f"A to D: {options.reference_runs} of the {options.runs} runs measured in each round")
        measure.take_turns(measurement, case, arms, options.rounds, options.minutes)
    print(f"\n{case}, {settings['epochs']} epochs of {options.train} images, rounds: {options.rounds}")
    print(table(measurement, case, list(arms)))
    sys.exit(0 if all(measurement.rounds(case, letter, "seconds") for letter in arms) else 1)


if __name__ == "__main__":
    main()
