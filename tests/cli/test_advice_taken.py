"""What a message says to do is done here, and works: each mistake with its advice, and with the advice taken.

A mistake in data is beside its subject (`tests/data`), as is one that takes a training to make (`tests/cli`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from commands import ablation as command
from PIL import Image
from torch import nn

from ablation import (
    Adam,
    AdamW,
    Brightness,
    CorrectedResampled,
    Crossed,
    Digits,
    Experiment,
    ImageFolder,
    ImageFunction,
    Muon,
    OneOf,
    Paired,
    PerSeed,
    RandomCrop,
    RandomResizedCrop,
    Redrawn,
    SkipBad,
    TorchvisionTransform,
    Welch,
    dose,
)
from ablation.cli.run import Seconds
from ablation.core.errors import AblationError
from ablation.data import Subset, listing
from ablation.experiment.files import read
from ablation.models.freezing import freeze
from ablation.models.networks import build
from ablation.models.weights_file import resolved
from ablation.optim import build_optimizer
from ablation.training.cost.counts import ModelConfig, count

NETS = """
from PIL import Image
from torch import nn

class Scaled(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.fc = nn.Linear(192, classes)

    def forward(self, images):
        return self.fc(images.flatten(1)).softmax(1)

def headless(classes): return nn.Sequential(nn.Flatten(), nn.Conv1d(192, classes, 1))
def good(classes): return nn.Sequential(nn.Flatten(), nn.Linear(192, classes))
def softmax(classes): return Scaled(classes)
def noise(picture, rng): return picture
number = 3
"""
FILE = """from ablation import Adam, Digits, Experiment{more}
{before}
experiment = Experiment(
    "x", Digits(), {{"none": (), "light": ({recipe},)}}, {{"adam": Adam()}}, baseline="none", model="lenet", seeds=2
)
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """A project with networks and a function of its own."""
    (tmp_path / "advised_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)


def question(**fields: Any) -> Experiment:
    given = {"recipes": {"none": (), "light": (Brightness(0.4),)}, "optimizers": {"adam": Adam()}, "seeds": 3}
    return Experiment("x", Digits(), **{**given, "baseline": "none", "model": "lenet", **fields})


def recipes(**named: Any) -> Experiment:
    return question(recipes={"none": (), **named})


def built(model: str, classes: int = 3, **options: Any) -> nn.Module:
    """The network, after it has seen two images."""
    network = build(model, classes, image_size=8, **options).eval()
    network(torch.zeros(2, 3, 8, 8))
    return network


def saved(model: str, whole: bool = False) -> str:
    """A file of its weights; or of something that is no state dict."""
    torch.save({"epoch": 3} if whole else build(model, 3, image_size=8).state_dict(), "w.pt")
    return "w.pt"


def pictures() -> ImageFolder:
    """Two classes of twenty photographs."""
    for number in range(40):
        Path("photos", "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (6 * number, 0, 0)).save(f"photos/{'ab'[number % 2]}/{number}.png")
    return ImageFolder("photos")


def from_file(recipe: str = "Brightness(0.4)", more: str = "", before: str = "") -> Experiment:
    Path("x.py").write_text(FILE.format(recipe=recipe, more=more, before=before))
    return read(Path("x.py")).experiment


@dataclass(frozen=True)
class Case:
    """A mistake, the advice in its message, and what is done where it is taken: each way that it names."""

    mistake: Callable[[], object]
    advice: str
    taken: tuple[Callable[[], object], ...]


def case(mistake: Callable[[], object], advice: str, *taken: Callable[[], object]) -> Case:
    return Case(mistake, advice, taken)


CASES = {
    "a recipe without a comma": case(
        lambda: recipes(light=(Brightness(0.4))),
        "a recipe of one operation needs a comma: (operation,)",
        lambda: recipes(light=(Brightness(0.4),)),
    ),
    "no recipes": case(lambda: question(recipes={}), "recipes is empty; name at least one", recipes),
    "no seeds": case(lambda: question(seeds=()), "name at least one seed, and each once", lambda: question(seeds=(0,))),
    "a seed twice": case(
        lambda: question(seeds=(1, 1)), "name at least one seed, and each once", lambda: question(seeds=(1,))
    ),
    "a sign that does not show": case(
        lambda: recipes(**{"li\x07ght": (Brightness(0.4),)}),
        "U+0007, which cannot be read; leave it out",
        lambda: recipes(light=(Brightness(0.4),)),
    ),
    "names that look alike": case(
        lambda: recipes(**{"so light": (), "so  light": ()}),
        "look alike; use another one",
        lambda: recipes(light=(), dim=()),
    ),
    "a change called clean": case(
        lambda: question(corrupt={"clean": (Brightness(0.4),)}),
        "'clean' is what unchanged test images are called; use another name",
        lambda: question(corrupt={"bright": (Brightness(0.4),)}),
    ),
    "a class instead of a value": case(
        lambda: question(optimizers={"adam": Adam}),
        "write Adam(...), with its fields",
        lambda: question(optimizers={"adam": Adam(lr=0.1)}),
    ),
    "a function in a recipe": case(
        lambda: recipes(own=(lambda picture, rng: picture,)),
        "name a function of your own as ImageFunction('file.py:function')",
        lambda: recipes(own=(ImageFunction("advised_nets.py:noise"),)),
    ),
    "a function that is not there": case(
        lambda: ImageFunction("noise"),
        "write 'file.py:name' or 'package.module:name'",
        lambda: ImageFunction("advised_nets.py:noise"),
        lambda: ImageFunction("advised_nets:noise"),
    ),
    "arguments that JSON does not hold": case(
        lambda: TorchvisionTransform("JPEG", {"quality": {50}}),
        "use numbers, text, lists and dicts",
        lambda: TorchvisionTransform("JPEG", {"quality": 50}),
        lambda: TorchvisionTransform("JPEG", {"quality": [50, 60]}),
    ),
    "a choice of nothing": case(
        lambda: OneOf(()), "operations is empty; name at least one", lambda: OneOf((Brightness(0.4),))
    ),
    "a crop without padding made stronger": case(
        lambda: dose(RandomCrop()),
        "it has no padding to scale; give it padding, or use RandomResizedCrop",
        lambda: dose(RandomResizedCrop()),
        lambda: dose(RandomCrop(padding=4)),
    ),
    "a test that knows nothing of shared photographs": case(
        lambda: question(split=PerSeed(), test=Welch()),
        "leave `test` out, or give CorrectedResampled()",
        lambda: question(split=PerSeed()),
        lambda: question(split=PerSeed(), test=CorrectedResampled()),
    ),
    "a test that is not of pairs": case(
        lambda: question(split=Redrawn(), test=Welch()),
        "leave `test` out, or give Crossed() or Paired()",
        lambda: question(split=Redrawn()),
        lambda: question(split=Redrawn(), test=Crossed()),
        lambda: question(split=Redrawn(), test=Paired()),
    ),
    "a metric that has no formula": case(
        lambda: question(test=Crossed(), metric="auroc"),
        "leave `test` out, or give Paired()",
        lambda: question(metric="auroc"),
        lambda: question(test=Paired(), metric="auroc"),
    ),
    "a network that ends in a convolution": case(
        lambda: question(model="squeezenet1_0"),
        "so it has no features before a linear layer; take another",
        lambda: question(model="resnet18"),
    ),
    "weights and a stem": case(
        lambda: question(model="resnet18", weights="IMAGENET1K_V1", stem="small"),
        "leave one out",
        lambda: question(model="resnet18", stem="small"),
        lambda: question(model="resnet18", weights="IMAGENET1K_V1"),
    ),
    "weights that nobody publishes": case(
        lambda: question(weights="IMAGENET1K_V1"),
        "give the path of a file, or None",
        lambda: question(weights="weights.pt"),
        lambda: question(weights=None),
    ),
    "a network without a function": case(
        lambda: question(model="advised_nets:"),
        "write your own network as package.module:factory",
        lambda: question(model="advised_nets:good"),
    ),
    "a network without a linear layer": case(
        lambda: built("advised_nets:headless"),
        "end it in one, from its features to the classes",
        lambda: built("advised_nets:good"),
    ),
    "a network that ends in a softmax": case(
        lambda: built("advised_nets:softmax"),
        "write it as the last of the network's layers, and return what it gives (no softmax",
        lambda: built("advised_nets:good"),
    ),
    "a number instead of a network": case(
        lambda: built("advised_nets:number"), "make it a function of `classes`", lambda: built("advised_nets:good")
    ),
    "more frozen than there is": case(
        lambda: freeze(built("shallow_cnn"), 99, "eval"),
        "give 0 to 3, or 'backbone'",
        *(lambda layers=layers: freeze(built("shallow_cnn"), layers, "eval") for layers in (0, 3, "backbone")),
    ),
    "matrices of a network that has none": case(
        lambda: build_optimizer(Muon(), built("shallow_cnn")),
        "use another here, as AdamW",
        lambda: build_optimizer(AdamW(), built("shallow_cnn")),
    ),
    "images that are too small": case(
        lambda: count(ModelConfig("alexnet", 3, 8)),
        "; give image_size 63 or more",
        lambda: count(ModelConfig("alexnet", 3, 63)),
    ),
    "weights of another shape of name": case(
        lambda: resolved("sha256:12", "lenet"),
        "write sha256: and the 64 hexadecimal digits of a file's digest, or give its path",
        lambda: built("lenet", weights=saved("lenet")),
    ),
    "weights that are no state dict": case(
        lambda: built("lenet", weights=saved("lenet", whole=True)),
        "save a network's state_dict() with torch.save, and give that file",
        lambda: built("lenet", weights=saved("lenet")),
    ),
    "subset and bad files the wrong way round": case(
        lambda: listing(SkipBad(Subset(pictures(), 3)), Path("cache")),
        "write Subset(SkipBad(...), per_class=...)",
        lambda: listing(Subset(SkipBad(pictures()), per_class=3), Path("cache")),
    ),
    "a name that was not imported": case(
        from_file, "add it to `from ablation import ...`", lambda: from_file(more=", Brightness")
    ),
    "a module that is none": case(
        lambda: from_file(more=", Brightness", before="from ablation.recipes import dose"),
        "write `from ablation import dose`",
        lambda: from_file(more=", Brightness", before="from ablation import dose"),
    ),
    "a time without a unit": case(
        lambda: Seconds().convert("soon", None, None),
        "give it as 90s, 30m, 2h or 1h30m",
        *(lambda time=time: Seconds().convert(time, None, None) for time in ("90s", "30m", "2h", "1h30m")),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_advice_in_a_message_works(case):
    with pytest.raises((AblationError, click.UsageError)) as raised:
        case.mistake()
    assert case.advice in " ".join(str(getattr(raised.value, "message", None) or raised.value).split())
    for take in case.taken:
        take()


COMMANDS = {
    "the start folder": (("list",), "start in the project's folder", ("list",), 0),
    "an unknown name": (("status", "y"), "start in the project's folder", ("status", "x"), 0),
    "what to remove": (("cache", "rm"), "name what is to be removed (see `ablation cache ls`)", ("cache", "ls"), 0),
    "or all": (("cache", "rm"), "or --all", ("cache", "rm", "--all"), 0),
    "which runs": (("sync",), "name the experiment", ("sync", "x", "--tracking-uri", "sqlite:///m.db"), 0),
    "a script's name": (
        ("new", "a/b.py", "--data", "photos"),
        "give the name alone",
        ("new", "b", "--data", "photos"),
        0,
    ),
}


@pytest.mark.parametrize(("wrong", "advice", "right", "status"), COMMANDS.values(), ids=COMMANDS)
def test_the_advice_of_a_command_works(wrong, advice, right, status, tmp_path):
    code, out, err = command(tmp_path, *wrong)
    assert advice in " ".join((out + err).split())
    assert "Traceback" not in err
    pictures()
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "x.py").write_text(
        FILE.format(recipe="Brightness(0.4)", more=", Brightness", before="")
    )
    code, out, err = command(tmp_path, *right)
    assert code == status, out + err
