"""A draft: the text of an experiment file for data that is at hand, with the reason for each choice beside it.

From what the data holds (numbers, sizes, balance) to fields of `Experiment`, and from these to text that a person reads
and changes. The rules are rules of thumb; they are here, in one place, and the file says them.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ablation.core.errors import DataError
from ablation.core.safe import one_line
from ablation.core.text import counted, listing
from ablation.core.values import label
from ablation.data import Fixed, Given, KFold, Listing, Redrawn, Source, Split
from ablation.data.check import UNBALANCED
from ablation.data.split import own_parts
from ablation.models.names import SMALL_STEM
from ablation.models.own import is_own

WIDTH = 88
"""Columns of the file, those of ruff and black as they come."""

SIDES = (64, 96, 128)
"""Sides of images that networks are trained on here, and up to how many training photographs in `MANY`."""

MANY = (1_000, 10_000)

LARGE_SIDE = 64
"""From this side on images may be cropped to half and flipped; smaller ones are digits and the like, as a rule."""

SMALL_STEM_SIDE = 40
"""Up to this side ResNets get a stem for small images, which takes sixteen times the work at any size."""

STEPS = 1_000
"""Of a training, where some tens of epochs give that."""

FEW_OF_CLASS = 30
"""Training photographs of a class that `Redrawn` must leave for each seed."""

FEW = 1_000
"""Photographs below which all are tested in turn."""


@dataclass(frozen=True)
class Draft:
    """What was chosen for the data."""

    name: str
    source: Source
    data: Listing
    model: str
    image_size: int
    split: Split
    seeds: int

    @property
    def train(self) -> int:
        """Photographs that a run is trained on."""
        return len(self.split.draw(self.data, 0).train)

    @property
    def tested(self) -> int:
        """Photographs that are tested, all seeds together."""
        return len(np.unique(np.concatenate([self.split.draw(self.data, seed).test for seed in range(self.seeds)])))

    @property
    def counts(self) -> Sequence[int]:
        """Photographs of each class."""
        return list(map(int, np.bincount(self.data.labels, minlength=len(self.data.classes))))

    @property
    def is_unbalanced(self) -> bool:
        return max(self.counts) > UNBALANCED * min(self.counts)

    @property
    def batch_size(self) -> int:
        """A power of two from 8 to 64, so that an epoch has some eight steps or more."""
        return int(2 ** np.clip(np.floor(np.log2(self.train / 8)), 3, 6))

    @property
    def epochs(self) -> int:
        """From 20 to 60, in tens: as many as give `STEPS`, or the nearest to it."""
        steps = max(1, round(self.train / self.batch_size))
        return int(np.clip(round(STEPS / steps, -1), 20, 60))

    @property
    def margin(self) -> float:
        return 0.01 if self.tested >= 400 else 0.02 if self.tested >= 150 else 0.05

    @property
    def stem(self) -> str:
        small = self.image_size <= SMALL_STEM_SIDE and self.model.startswith(SMALL_STEM) and not is_own(self.model)
        return "small" if small else "torchvision"

    @property
    def recipes(self) -> dict[str, tuple[str, ...]]:
        """Name -> the operations as they are written."""
        crop = f"RandomResizedCrop(scale=({'0.5' if self._is_large else '0.8'}, 1.0))"
        flip = {"flip": ("RandomHorizontalFlip()",)} if self._is_large else {}
        return {"none": (), "crop": (crop,), **flip, "brightness": ("Brightness(0.4)",), "contrast": ("Contrast(0.4)",)}

    @property
    def _is_large(self) -> bool:
        return self.image_size >= LARGE_SIDE


def drafted(
    name: str, source: Source, data: Listing, model: str | None = None, seeds: int = 5, smallest: int = 0
) -> Draft:
    """What is chosen for the data. model: instead of one by rule; smallest: the side that its images must have.

    Raises DataError where no split leaves every class a photograph in every part.
    """
    split = _split(data, seeds)
    train = len(split.draw(data, 0).train)
    side = int(np.median(np.minimum(data.traits["width"], data.traits["height"])))
    wanted = SIDES[sum(train >= many for many in MANY)]
    image_size = max(wanted if side >= wanted else max(16, side // 2 * 2), smallest)
    chosen = "resnet18" if train >= FEW and image_size >= 32 else "shallow_cnn"
    return Draft(name, source, data, model or chosen, image_size, split, seeds)


def _split(data: Listing, seeds: int) -> Split:
    """The data's own parts; else the first of some that can be made of it."""
    if own := own_parts(data):
        return own
    if 0 in data.parts and data.parts.max() > 0:  # parts that no run could be trained on: the error says why
        return Given() if 2 in data.parts else Given(test="val")
    smallest = int(np.bincount(data.labels).min())
    redrawn, folds, fixed = Redrawn(), KFold(), Fixed(0.6, 0.2, 0.2)
    enough = redrawn.train * smallest >= FEW_OF_CLASS
    wanted: list[Split] = [redrawn, fixed] if enough else [folds, fixed] if len(data.labels) < FEW else [fixed]
    for split in wanted[:-1]:
        if _can_be_drawn(split, data, seeds):
            return split
    wanted[-1].draw(data, 0)  # or says why not
    return wanted[-1]


def _can_be_drawn(split: Split, data: Listing, seeds: int) -> bool:
    try:
        for seed in range(seeds):
            split.draw(data, seed)
    except DataError:
        return False
    return True


# --- the text


def text_of(draft: Draft) -> str:
    """The experiment file: whole, formatted as ruff does, with a reason for each choice."""
    experiment = [line for comment, code in _fields(draft) for line in (*_comment(comment), f"    {code},")]
    return "\n".join(
        [f'"""{_docstring(draft)}"""', "", *_imports(draft), "", "experiment = Experiment(", *experiment, ")", ""]
    )


def _docstring(draft: Draft) -> str:
    runs = f"{len(draft.recipes)} recipes x {counted(draft.seeds, 'seed')}"
    size = f"{len(draft.data.labels):,} photographs of {len(draft.data.classes)} classes"
    lines = {
        f"ablation plan {draft.name}": "what it trains, how long, what it could show",
        f"ablation run {draft.name} --smoke": "the same made small: does all of it work?",
        f"ablation run {draft.name}": f"{len(draft.recipes) * draft.seeds} runs: {runs}",
        f"ablation report {draft.name}": f"the answer: reports/{draft.name}/report.html",
    }
    wide = max(map(len, lines))
    commands = [f"    {command:{wide}}  # {about}" for command, about in lines.items()]
    about = (
        "Written by `ablation new` from what the data holds; the reason for each choice is beside it. Change what you "
        "know better: a changed value is another run, and only what is missing is trained."
    )
    question = textwrap.fill(f"Which augmentation helps on {size}?", WIDTH)
    return "\n".join([question, "", *commands, "", textwrap.fill(about, WIDTH), ""])


def _imports(draft: Draft) -> Iterator[str]:
    operations = {text.split("(")[0] for recipe in draft.recipes.values() for text in recipe}
    classes = {"Adam", "Cosine", "Experiment", type(draft.split).__name__, *operations, *_classes_in(draft.source)}
    yield "from ablation import ("
    yield from (f"    {name}," for name in sorted(classes))
    yield ")"


def _classes_in(item: Any) -> Iterator[str]:
    """The classes of a value and of those within it."""
    if hasattr(item, "__dataclass_fields__"):
        yield type(item).__name__
        for name in item.__dataclass_fields__:
            yield from _classes_in(getattr(item, name))


def _comment(text: str) -> list[str]:
    return [f"    # {line}" for line in textwrap.wrap(text, WIDTH - 6, break_on_hyphens=False, break_long_words=False)]


def _fields(draft: Draft) -> Iterator[tuple[str, str]]:
    """Each field as it is written, with its comment ('' where the one before is for it, too)."""
    yield "The name of the folder of its runs.", f"name={_quoted(draft.name)}"
    yield _about_data(draft), f"data={_written(draft.source)}"
    yield from _network(draft)
    yield _about_split(draft), f"split={SPELT.get(label(draft.split), label(draft.split))}"
    yield from _training(draft)
    yield (
        "What is compared, one change at a time. Their names are yours; `ablation preview "
        f"{draft.name}` draws what each makes of a photograph." + _about_flip(draft),
        _recipes(draft),
    )
    yield (
        'A second one shows whether the answer depends on it: "sgd": SGD(lr=0.05, momentum=0.9), and SGD among the '
        "imports. It doubles the runs.",
        'optimizers={"adam": Adam(lr=0.001)}',
    )
    yield (
        "How often each recipe is trained, each time from other weights and in another order. With fewer than three "
        "there is no verdict; `ablation plan` says what difference these could show.",
        f"seeds={draft.seeds}",
    )
    yield "The recipe that the others are compared with.", 'baseline="none"'
    yield from _judging(draft)


SPELT = {
    "Fixed()": "Fixed(train=0.6, val=0.2, test=0.2)",
    "KFold()": "KFold(k=5)",
    "Given(test='val')": 'Given(test="val")',
    "Given(duplicates='drop')": 'Given(duplicates="drop")',
    "Given(duplicates='drop', test='val')": 'Given(test="val", duplicates="drop")',
}
"""What a person reads of a split rather than only what is not as it comes; in double quotes."""


def _about_data(draft: Draft) -> str:
    classes, counts = draft.data.classes, draft.counts
    shown = [one_line(name) for name in classes[:3]]
    names = listing([*shown, counted(len(classes) - 3, "more class", "more classes")] if len(classes) > 3 else shown)
    each = f"{counts[0]:,} of each" if len(set(counts)) == 1 else f"{min(counts):,} to {max(counts):,} of each"
    width, height = (int(np.median(draft.data.traits[side])) for side in ("width", "height"))
    about = f"{len(draft.data.labels):,} photographs, {each} ({names}); the usual size is {width} x {height} pixels."
    if bad := len(draft.data.left_out):
        about += f" {counted(bad, 'file')} that cannot be used {'is' if bad == 1 else 'are'} left out (SkipBad)."
    return about


def _network(draft: Draft) -> Iterator[tuple[str, str]]:
    few = f"With {draft.train:,} photographs to train on"
    if draft.model == "shallow_cnn":
        yield (
            f'{few} a small network will do, and trains quickly on a CPU. "resnet18" is the next larger one.',
            ('model="shallow_cnn"'),
        )
    elif draft.model == "resnet18":
        yield (
            f'{few} a small ResNet will do; "resnet50" has twice its parameters. Both begin untrained.',
            ('model="resnet18"'),
        )
    else:
        yield "Any classifier of torchvision's, by its name there.", f"model={_quoted(draft.model)}"
    if draft.stem == "small":
        yield "For images this small: without the two layers that would make them four times smaller.", 'stem="small"'
    yield (
        "The side of the square that is trained on. Larger ones show more detail; the time of a run grows with the "
        "square of it.",
        f"image_size={draft.image_size}",
    )


def _about_split(draft: Draft) -> str:
    number = f"{draft.train:,} to train on"
    match draft.split:
        case Given(test=test):
            validated = ": val is tested on, and some of train is looked at during training" if test == "val" else ""
            return f"The parts that the data has{validated}.{_about_dropped(draft)}"
        case Redrawn():
            return (
                f"{number} for each seed, of which no two seeds share one, so that a verdict holds for other "
                "photographs too; all are tested on the same ones."
            )
        case KFold():
            return (
                f"Cross-validation, as there are few photographs: each seed is tested on another fifth, {number}; "
                "five seeds test every photograph once. What it costs: the training parts share photographs, so that "
                "even with 100 seeds an interval is more than half as wide as with five; more photographs narrow it. "
                f"{_fixed_instead(draft)}"
            )
    return f"{number} in every run. A verdict holds for this one split; Redrawn() trains each seed on others."


def _fixed_instead(draft: Draft) -> str:
    """What the other split for few photographs would be, and what it would cost."""
    return (
        "With Fixed(train=0.6, val=0.2, test=0.2) seeds narrow it further, down to what "
        f"{round(0.2 * len(draft.data.labels)):,} photographs to test on can show, and a verdict holds for one split."
    )


def _about_dropped(draft: Draft) -> str:
    """Why photographs of the data's own parts are left out, and how many; '' where none is."""
    if not isinstance(draft.split, Given) or draft.split.duplicates != "drop":
        return ""
    kept = replace(draft.split, duplicates="keep").draw(draft.data, 0)
    dropped = len(kept.train) + len(kept.val) - draft.train - len(draft.split.draw(draft.data, 0).val)
    what = f"{counted(dropped, 'photograph')} that {'belongs' if dropped == 1 else 'belong'} together with one"
    return (
        f" {what} in another part, as near-duplicates or as the data says, {'is' if dropped == 1 else 'are'} left out "
        "of training: else what is tested would have been trained on."
    )


def _training(draft: Draft) -> Iterator[tuple[str, str]]:
    steps = max(1, round(draft.train / draft.batch_size))
    yield (
        f"About {steps:,} steps an epoch and {steps * draft.epochs:,} in all. The report's learning curves show "
        "whether more epochs would help.",
        f"batch_size={draft.batch_size}",
    )
    yield "", f"epochs={draft.epochs}"
    yield (
        "Up in the first epochs, then down to zero: a common choice.",
        (f"schedule=Cosine(warmup={max(1, draft.epochs // 20)})"),
    )


def _about_flip(draft: Draft) -> str:
    return " Leave flip out where left and right mean something, as in letters." if "flip" in draft.recipes else ""


def _recipes(draft: Draft) -> str:
    rows = [
        f"        {_quoted(name)}: ({', '.join(texts)}{',' * (len(texts) == 1)}),"
        for name, texts in draft.recipes.items()
    ]
    return "\n".join(["recipes={", *rows, "    }"])


def _judging(draft: Draft) -> Iterator[tuple[str, str]]:
    if draft.is_unbalanced:
        ratio = max(draft.counts) / min(draft.counts)
        yield (
            f"The largest class has {ratio:.1f} times the photographs of the smallest. Accuracy would follow the large "
            "ones; the mean over classes counts each alike. To have each count alike in the training too, add "
            'class_weights="balanced" or sampling="balanced".',
            'metric="balanced_accuracy"',
        )
    yield (
        f"Recipes that differ by less count as equal. One of the {draft.tested:,} photographs that are tested is "
        f"{100 / draft.tested:.2g} points of accuracy.",
        f"margin={draft.margin}",
    )


def _quoted(text: str) -> str:
    """A text as ruff writes it: in double quotes, unless that takes more escapes."""
    if '"' in text and "'" not in text:
        return repr(text)
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _written(item: Any) -> str:
    """A source as a person writes it: ImageFolder("photos")."""
    if not hasattr(item, "__dataclass_fields__"):
        return _quoted(item) if isinstance(item, str) else repr(item)
    fields = item.__dataclass_fields__.values()
    given = {field.name: getattr(item, field.name) for field in fields if getattr(item, field.name) != field.default}
    first = next(iter(item.__dataclass_fields__), None)
    parts = [_written(one) if name == first else f"{name}={_written(one)}" for name, one in given.items()]
    return f"{type(item).__name__}({', '.join(parts)})"
