"""What an experiment may choose beside its recipes: each choice acts, and a run with any of them can be resumed."""

import inspect
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

import ablation.optim
from ablation import SGD, Adam, Cosine, Experiment, Fixed, ImageFolder, InputError
from ablation.optim import SAM, Lookahead, Muon, Optimizer, Plateau

pytestmark = pytest.mark.usefixtures("settled")

EVERY = [kind for kind in get_args(Optimizer) if kind not in (SGD, SAM, Lookahead, Muon)]
OPTIMIZERS = {
    **{kind.__name__: kind() for kind in EVERY},
    "SGD": SGD(0.05, momentum=0.9, weight_decay=1e-3),
    "SAM": SAM(SGD(0.05, momentum=0.9)),
    "Lookahead": Lookahead(Adam(), k=3),
    "both": Lookahead(SAM(Adam())),
}  # fmt: skip


def test_every_optimizer_is_resumed_below():
    values = [
        thing for thing in vars(ablation.optim).values() if inspect.isclass(thing) and thing in get_args(Optimizer)
    ]
    assert {type(optimizer) for optimizer in OPTIMIZERS.values()} | {Muon} == set(values) == set(get_args(Optimizer))


FEW = Fixed(train=40, val=20, test=40)


def stopped_and_resumed(experiment, trained, folder):
    """The record's digest, of a run that is stopped in its last epoch but one and taken up again."""
    last = experiment.epochs

    def stop(event):
        if event["epoch"] == last - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(experiment, folder, report=stop)
    events = []
    _, record, arrays = trained(experiment, folder, report=events.append)
    assert [event["epoch"] for event in events] == [last - 1, last]
    return record.digest(arrays)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_run_with_any_optimizer_goes_on_with_the_same_bits(optimizer, small, trained, tmp_path):
    experiment = replace(small, optimizers={"o": optimizer}, split=FEW, batch_size=10)
    _, record, arrays = trained(experiment)
    assert record.outcome == "finished"
    assert stopped_and_resumed(experiment, trained, tmp_path / "stopped") == record.digest(arrays)


CHOICES = {
    "average": {"ema": 0.9},
    "clipping": {"clip_norm": 0.5},
    "plateau": {"schedule": Plateau(patience=0, threshold=0.5)},
    "head": {"head_lr_factor": 10.0},
    "frozen": {"freeze": 2},
    "frozen, norms in training": {"freeze": 2, "frozen_batch_norm": "train"},
    "imagenet": {"normalization": "imagenet"},
    "decay": {"weight_decay": 0.5},
    "lr": {"lr": 0.01},
    "small stem and depth": {  # without momentum: checkpoints of 45 MB are enough
        "model": "resnet18", "stem": "small", "stochastic_depth": 0.5, "optimizers": {"sgd": SGD(0.05)},
    },
    "all at once": {"ema": 0.9, "clip_norm": 1.0, "freeze": 1, "schedule": Plateau(patience=0), "dropout": 0.2},
}  # fmt: skip


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_every_choice_acts_and_a_run_with_it_goes_on_with_the_same_bits(choice, small, trained, trained_once, tmp_path):
    given = {name: choice[name] for name in ("model", "optimizers") if name in choice}
    plain = replace(small, epochs=3, batch_size=20, split=FEW, **given)
    (_, _, arrays), (_, record, others) = trained_once(plain), trained(replace(plain, **choice))
    assert record.outcome == "finished"
    assert not np.array_equal(arrays.logits, others.logits)
    resumed = stopped_and_resumed(replace(plain, **choice), trained, tmp_path / "stopped")
    assert resumed == record.digest(others)


def test_the_average_is_what_is_tested_and_kept(small, trained):
    """With a decay of next to 1 it is the network after the first step, which knows nothing yet."""
    experiment = replace(small, epochs=12, optimizers={"adam": Adam(3e-3)})
    (_, record, _), (run, averaged, _) = (
        trained(replace(experiment, ema=ema), keep_weights=True) for ema in (None, 0.999999)
    )
    assert record.history[-1]["train_loss"] == averaged.history[-1]["train_loss"], "training is the same"
    assert record.metrics["accuracy"] > averaged.metrics["accuracy"] + 0.2
    assert all(map(torch.is_tensor, torch.load(run.weights, weights_only=True).values()))


def test_clipping_bounds_the_step(small, trained):
    """Plain SGD for one epoch of one batch: the weights move by at most lr x norm."""
    once = replace(small, epochs=1, batch_size=100, optimizers={"sgd": SGD(lr=1.0)}, clip_norm=1e-3)
    (run, _, _), (before, _, _) = (
        trained(replace(once, **change), keep_weights=True) for change in ({}, {"clip_norm": 1e-12})
    )
    weights, others = (torch.load(one.weights, weights_only=True) for one in (run, before))
    learned = [name for name in weights if "running" not in name and "num_batches" not in name]
    moved = torch.cat([(weights[name] - others[name]).flatten() for name in learned])
    assert 0.9e-3 < float(moved.norm()) < 1.1e-3


def test_a_frozen_backbone_does_not_move_and_the_record_says_so(small, trained):
    (first, record, _), (second, _, _) = (
        trained(replace(small, freeze="backbone", epochs=epochs), keep_weights=True) for epochs in (1, 2)
    )
    one, two = (torch.load(run.weights, weights_only=True) for run in (first, second))
    same = {name for name in one if torch.equal(one[name], two[name])}
    assert same == set(one) - {"head.weight", "head.bias"}
    assert record.evidence["trained_parameters"] == 128 * 10 + 10
    assert record.evidence["parameters"] == 94_762


def test_the_record_states_what_is_spared_of_decay(small, trained):
    _, record, _ = trained(replace(small, weight_decay=0.1, head_lr_factor=2.0))
    groups = [tuple(group.values()) for group in record.evidence["parameter_groups"]]
    convolutions = 27 * 32 + 9 * 32 * 64 + 9 * 64 * 128
    assert groups == [(convolutions, 0.1, 1.0), (448, 0.0, 1.0), (1280, 0.1, 2.0), (10, 0.0, 2.0)]


def test_the_record_holds_the_moments_that_pictures_were_normalised_by(small, trained):
    _, record, _ = trained(replace(small, normalization="imagenet"))
    assert record.evidence["mean"] == [0.485, 0.456, 0.406]


def test_muon_needs_a_network_with_matrices(small, trained):
    with pytest.raises(InputError, match="Muon steps matrices"):
        trained(replace(small, optimizers={"muon": Muon()}))


class Attentive(nn.Module):
    """Small enough for a test, with matrices for Muon: patches of 4 x 4 through a linear layer and a perceptron."""

    def __init__(self, classes: int):
        super().__init__()
        self.embed, self.mixed, self.head = nn.Linear(48, 32), nn.Linear(32, 32), nn.Linear(32, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        patches = nn.functional.unfold(images, 4, stride=4).transpose(1, 2)
        return self.head(nn.functional.gelu(self.mixed(nn.functional.gelu(self.embed(patches)))).mean(dim=1))


def test_a_network_of_ones_own_trains_and_muon_resumes(small, trained, tmp_path):
    mine = replace(small, model="test_loop_choices:Attentive", optimizers={"muon": Muon(lr=0.02)}, epochs=4)
    _, record, arrays = trained(mine)
    assert arrays.features.shape == (202, 32)
    assert record.history[-1]["train_loss"] < record.history[0]["train_loss"]
    assert stopped_and_resumed(mine, trained, tmp_path / "stopped") == record.digest(arrays)


def photographs(folder, rows, numbers):
    """Some of the digits as files, a folder a class."""
    digits = load_digits()
    for row in rows:
        if digits.target[row] in numbers:
            (folder / str(digits.target[row])).mkdir(parents=True, exist_ok=True)
            pixels = (digits.images[row] * 15.9).astype(np.uint8)
            Image.fromarray(pixels).save(folder / str(digits.target[row]) / f"{row}.png")
    return ImageFolder(str(folder))


def test_transfer_from_a_saved_network_beats_training_from_scratch(trained, tmp_path):
    """A network that has seen 800 digits is shown 18 images of nine classes that it never saw: with its weights, and
    without. Its own head is for ten classes, so it is left out."""
    teacher = Experiment(
        name="teacher", data=photographs(tmp_path / "first", range(1000), range(10)), model="shallow_cnn",
        image_size=8, cache_size=8, epochs=10, batch_size=50, split=Fixed(train=800, val=50, test=100),
        schedule=Cosine(), recipes={"none": ()}, optimizers={"adam": Adam(3e-3)}, seeds=1, baseline="none",
    )  # fmt: skip
    run, taught, _ = trained(teacher, keep_weights=True)
    assert taught.metrics["accuracy"] > 0.95
    pupil = replace(
        teacher, name="pupil", data=photographs(tmp_path / "second", range(1000, 1797), range(9)), epochs=15,
        batch_size=18, split=Fixed(train=18, val=100, test=500),
    )  # fmt: skip
    scratch = [trained(replace(pupil, seeds=(seed,)))[1].metrics["accuracy"] for seed in range(3)]
    begun = replace(pupil, weights=str(run.weights))
    transfers = [trained(replace(begun, seeds=(seed,)))[1] for seed in range(3)]
    assert transfers[0].evidence["weights"]["left_out"] == ("head (10 x 128; here 9 x 128)",)
    assert min(record.metrics["accuracy"] for record in transfers) > max(scratch) + 0.05


ON_CUDA = {
    "average and clipping": {"ema": 0.9, "clip_norm": 1.0, "schedule": Plateau(patience=0)},
    "small stem and depth": {"model": "resnet18", "stem": "small", "stochastic_depth": 0.5},
    "frozen": {"model": "resnet18", "freeze": 5, "head_lr_factor": 10.0},
    "ascent": {"optimizers": {"o": OPTIMIZERS["both"]}},
    "factored": {"optimizers": {"o": OPTIMIZERS["Adafactor"]}},
    "matrices": {"optimizers": {"o": Muon()}, "model": "vit_b_16", "batch_size": 50},
    "depthwise": {"model": "mobilenet_v3_small", "image_size": 32},
    "shifted windows": {"model": "swin_t", "image_size": 32, "stochastic_depth": 0.1},
}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("choice", ON_CUDA.values(), ids=ON_CUDA)
def test_every_choice_repeats_its_bits_on_cuda(choice, small, trained, tmp_path):
    experiment = replace(small, **({"image_size": 16, "epochs": 2} | choice))
    (_, record, arrays), (_, again, others) = (trained(experiment, device="cuda") for _ in range(2))
    assert record.outcome == "finished"
    assert record.digest(arrays) == again.digest(others)
