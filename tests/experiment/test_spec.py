"""The id of a run: pinned, the same in every process, and changed by every field of the spec."""

import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from typing import get_args

import pytest

from ablation.augment import Brightness, Contrast, Operation, RandomHorizontalFlip, RandomResizedCrop
from ablation.core.errors import InputError
from ablation.data.normalization import Normalization
from ablation.data.split import Fixed, PerSeed, Split, TrainSize
from ablation.experiment.spec import CLASSES, RunSpec
from ablation.optim import (
    SAM,
    SGD,
    Adafactor,
    AdamW,
    Constant,
    Cosine,
    Lookahead,
    NAdam,
    OneCycle,
    Optimizer,
    Schedule,
    Step,
)

SPEC = RunSpec(
    data="0123456789abcdef", split=Fixed(train=200, val=0.2, test=0.3), train_size=None, image_size=196, cache_size=224,
    normalization="data",
    recipe=(RandomResizedCrop((0.35, 1.0)), RandomHorizontalFlip(), Brightness(0.4), Contrast((0.5, 1.5))),
    model="resnet50", model_source="", stem="torchvision", weights=None, freeze=0, frozen_batch_norm="eval",
    dropout=0.0, stochastic_depth=0.0,
    optimizer=SGD(lr=0.1, momentum=0.9), head_lr_factor=1.0, schedule=Cosine(warmup=5),
    epochs=60, batch_size=64, label_smoothing=0.0, clip_norm=None, ema=None, seed=3,
)  # fmt: skip
ID = "9e0606c7f9932065"


def test_an_id_is_pinned():
    """Were it to change, every run of every user would count as missing: not by accident, please."""
    assert SPEC.id == ID


def test_an_id_is_the_same_in_other_processes_whatever_they_made_before(environment):
    """Whole numbers, floats and truths that are equal were made before, and text hashes otherwise."""
    script = (
        "import json, sys; from ablation.experiment.spec import RunSpec; from ablation.core.values import plain; "
        "[plain(x) for x in (True, 0, False, 1, 0.0, 1.0, 60.0, 3.0)]; "
        "print(RunSpec.from_plain(json.loads(sys.argv[1])).id)"
    )
    form = json.dumps(SPEC.to_plain())
    for hash_seed in ("0", "12345"):
        settings = {**environment, "PYTHONHASHSEED": hash_seed}
        told = subprocess.run(
            [sys.executable, "-c", script, form], env=settings, capture_output=True, text=True, check=True
        )
        assert told.stdout.strip() == ID


VARIANTS = [
    replace(SPEC, split=PerSeed(train=100), schedule=Step(3), recipe=()),
    replace(SPEC, optimizer=AdamW(betas=(0.8, 0.99)), schedule=OneCycle(), dropout=0.3),
    replace(SPEC, optimizer=NAdam(), schedule=Constant(), seed=0, epochs=1),
    replace(SPEC, class_weights=(1.0, 2.0), sampling="balanced", patience=3),
    replace(SPEC, class_weights=(("cat", 1.5), ("dog", 1.0))),
    replace(SPEC, optimizer=Lookahead(SAM(Adafactor())), normalization=Normalization((0, 0, 0), (1, 1, 1)), freeze=7),
]


@pytest.mark.parametrize("spec", [SPEC, *VARIANTS], ids=lambda spec: spec.id)
def test_a_spec_comes_back_from_its_plain_form_with_its_id(spec):
    restored = RunSpec.from_plain(json.loads(json.dumps(spec.to_plain())))
    assert restored == spec
    assert restored.id == spec.id


def test_an_id_is_16_hexadecimal_digits_and_other_for_other_specs():
    ids = {spec.id for spec in (SPEC, *VARIANTS)}
    assert len(ids) == 7
    assert all(re.fullmatch("[0-9a-f]{16}", id_) for id_ in ids)


OTHER = {
    "data": "fedcba9876543210", "split": PerSeed(200, 0.2, 0.3), "train_size": TrainSize(10), "image_size": 197,
    "cache_size": 232, "normalization": "imagenet",
    "recipe": SPEC.recipe[:3], "model": "resnet18", "model_source": "fedc", "stem": "small", "weights": "DEFAULT",
    "freeze": "backbone", "frozen_batch_norm": "train", "dropout": 0.1, "stochastic_depth": 0.1,
    "optimizer": SGD(lr=0.1), "head_lr_factor": 2.0, "schedule": Cosine(warmup=4), "epochs": 61, "batch_size": 65,
    "label_smoothing": 0.1, "clip_norm": 1.0, "ema": 0.99, "seed": 4,
    "class_weights": "balanced", "sampling": "balanced", "patience": 3,
}  # fmt: skip
assert list(OTHER) == [field.name for field in fields(RunSpec)], "every field needs another value here"


@pytest.mark.parametrize("name", OTHER)
def test_every_field_is_part_of_the_id(name):
    """Whatever a spec holds can change the result: no field may be left out of the hash."""
    assert replace(SPEC, **{name: OTHER[name]}).id != SPEC.id


def test_a_zero_has_one_id_whatever_its_sign(tiny):
    signs = [
        replace(tiny, dropout=zero, weight_decay=zero, optimizers={"sgd": SGD(lr=0.1, momentum=zero)})
        for zero in (0.0, -0.0, 0)
    ]
    assert len({tuple(cell.spec.id for cell in one.cells("0" * 16)) for one in signs}) == 1
    with pytest.raises(InputError, match="a value is given twice"):
        replace(tiny, vary={"dropout": (0.0, -0.0)})


def test_what_came_later_is_in_the_form_of_a_spec_only_where_it_is_chosen():
    """So the ids of before are those of today, and files of before are read."""
    assert not {"class_weights", "sampling", "patience"} & SPEC.to_plain().keys()
    assert replace(SPEC, patience=3).to_plain() == SPEC.to_plain() | {"patience": 3}


def test_every_class_of_a_spec_can_be_restored():
    members = {member for union in (Operation, Optimizer, Schedule, Split) for member in get_args(union)}
    assert set(CLASSES.values()) == {*members, TrainSize, Normalization}
    assert all(name == member.__name__ for name, member in CLASSES.items())
