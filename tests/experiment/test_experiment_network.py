"""What an experiment asks of networks and optimizers: what is refused, and what counts as another run."""

from dataclasses import replace

import pytest

from ablation.core.errors import DataError, InputError
from ablation.data import Digits
from ablation.data.normalization import IMAGENET
from ablation.experiment.experiment import Experiment
from ablation.optim import SAM, SGD, Adam, Cosine, OneCycle, Rprop

DATA = "0123456789abcdef"


@pytest.fixture
def experiment() -> Experiment:
    """3 recipes x 2 optimizers x 2 seeds."""
    return Experiment(
        name="grid",
        data=Digits(),
        recipes={"none": (), "again": (), "more": ()},
        optimizers={"adam": Adam(), "sgd": SGD(lr=0.1)},
        baseline="none",
        seeds=2,
    )


def ids(experiment: Experiment) -> dict[tuple, str]:
    return {(*cell.factors.values(), cell.seed): cell.spec.id for cell in experiment.cells(DATA)}


def test_lr_and_weight_decay_stand_in_the_optimizer(experiment):
    """So a run is the same whichever way they were written."""
    given = replace(experiment, vary={"lr": (None, 0.01)}, weight_decay=0.1)
    specs = [cell.spec for cell in given.cells(DATA) if cell.seed == 0 and cell.factors["recipe"] == "none"]
    assert [spec.optimizer for spec in specs] == [
        Adam(weight_decay=0.1),
        Adam(0.01, weight_decay=0.1),
        SGD(0.1, weight_decay=0.1),
        SGD(0.01, weight_decay=0.1),
    ]
    written = replace(experiment, optimizers={"adam": Adam(0.01, weight_decay=0.1)})
    assert written.cells(DATA)[0].spec.id == specs[1].id
    inside = replace(experiment, optimizers={"sam": SAM(SGD(0.1))}, lr=0.2)
    assert inside.cells(DATA)[0].spec.optimizer == SAM(SGD(0.2))


NETWORKS = {
    "a stem": ({"model": "vgg11", "stem": "small"}, "stem = 'small': vgg11 has none"),
    "weights": ({"model": "resnet18", "weights": "IMAGENET1K_V3"}, "'IMAGENET1K_V3' is unknown for resnet18; did"),
    "depth": ({"model": "vgg11", "stochastic_depth": 0.1}, "stochastic_depth = 0.1: vgg11 cannot have it"),
    "varied": (
        {"vary": {"model": ("resnet18", "alexnet"), "stem": ("torchvision", "small")}},
        "stem = 'small': alexnet has none",
    ),
    "a field": ({"optimizers": {"r": Rprop()}, "weight_decay": 0.1}, "optimizers['r']: Rprop has no weight_decay"),
    "a module": ({"model": "no_such_module:network"}, "no module 'no_such_module'"),
    "frozen": ({"freeze": "head"}, "freeze = 'head': expected 'backbone' or a whole number"),
    "normalization": ({"normalization": "imagnet"}, "expected 'data' or 'imagenet' or Normalization"),
    "clip": ({"clip_norm": 0}, "clip_norm = 0: must be above 0"),
    "average": ({"ema": 1}, "ema = 1: must be above 0 and below 1"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), NETWORKS.values(), ids=NETWORKS)
def test_what_a_network_or_an_optimizer_cannot_take_is_refused(experiment, change, message):
    with pytest.raises(InputError) as raised:
        replace(experiment, **change)
    assert message in str(raised.value)
    assert len(raised.value.problems) == 1


def test_what_exclude_leaves_is_what_a_network_must_take(experiment):
    grid = {"model": ("resnet18", "alexnet"), "stem": ("torchvision", "small")}
    varied = replace(experiment, vary=grid, exclude=({"model": "alexnet", "stem": "small"},))
    assert len(varied.cells(DATA)) == 3 * 2 * 2 * 3


def test_weights_count_by_their_bytes(experiment, tmp_path):
    one, copy, other = (tmp_path / name for name in ("one.pt", "copy.pt", "other.pt"))
    for file, content in ((one, b"weights"), (copy, b"weights"), (other, b"other weights")):
        file.write_bytes(content)
    first, same, third = (ids(replace(experiment, weights=str(path))) for path in (one, copy, other))
    assert first == same
    assert not set(first.values()) & (set(third.values()) | set(ids(experiment).values()))
    with pytest.raises(DataError, match="cannot be read"):
        replace(experiment, weights=str(tmp_path / "none.pt")).cells(DATA)


def test_a_network_of_ones_own_counts_by_its_source(experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "my_networks.py"
    source.write_text("def tiny(classes): ...\n")
    mine = replace(experiment, model="my_networks:tiny")
    first = ids(mine)
    source.write_text("def tiny(classes): pass\n")
    assert not set(first.values()) & set(ids(mine).values())


def test_what_changes_nothing_is_no_other_run(experiment):
    assert ids(replace(experiment, frozen_batch_norm="train")) == ids(experiment)
    assert ids(replace(experiment, normalization=IMAGENET)) == ids(replace(experiment, normalization="imagenet"))
    frozen = replace(experiment, freeze="backbone")
    assert not set(ids(replace(frozen, frozen_batch_norm="train")).values()) & set(ids(frozen).values())


def test_no_decay_is_what_an_optimizer_without_it_has(experiment):
    without = replace(experiment, optimizers={"r": Rprop()})
    assert ids(replace(without, weight_decay=0.0)) == ids(without)


def test_a_warm_up_without_end_is_refused(experiment):
    with pytest.raises(InputError, match=r"Cosine\(warmup=5\) with epochs = 5: warm-up takes all epochs"):
        replace(experiment, schedule=Cosine(warmup=5), vary={"epochs": (5, 6)})
    assert replace(experiment, schedule=Cosine(warmup=5), epochs=6).cells(DATA)


def test_the_smoke_version_leaves_its_warm_up(experiment):
    varied = replace(experiment, epochs=9, vary={"schedule": {"cosine": Cosine(warmup=5), "one": OneCycle()}})
    assert {cell.spec.schedule for cell in varied.smoke().cells(DATA)} == {Cosine(), OneCycle()}
    assert replace(experiment, epochs=9, schedule=Cosine(warmup=5)).smoke().schedule == Cosine()


@pytest.mark.parametrize(("model", "size"), [("resnet50", 64), ("inception_v3", 299), ("maxvit_t", 299)])
def test_the_smoke_version_keeps_the_size_that_a_network_needs(experiment, model, size):
    assert replace(experiment, model=model, image_size=299).smoke().image_size == size
