"""A network of the user's own: found without shadowing, known by its source, and every mistake told with what to do."""

import subprocess
import sys

import pytest
import torch

from ablation.core.errors import InputError
from ablation.core.own_modules import importing
from ablation.core.seeds import torch_stream
from ablation.models.names import wrong_model
from ablation.models.networks import build
from ablation.models.own import is_own, source_digest

NET = """
import torch
from torch import nn

def make(classes):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.3), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, classes),
    )

def no_bias(classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes, bias=False))

def no_head(classes):
    return nn.Conv2d(3, classes, 3)

def other_head(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 7))

def lazy(classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))

def a_class(classes):
    return nn.Linear

def broken(classes):
    return nn.Linear(classes, "ten")

class Masked(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.register_buffer("mask", torch.tensor([0.0, float("-inf"), 0.0]))
        self.head = nn.Linear(3, classes)

    def forward(self, images):
        return self.head((images.mean(dim=(2, 3)) + self.mask).softmax(1))

made = nn.Linear(2, 2)
number = 3
"""

ENDINGS = """
import torch
from torch import nn
from torch.nn import functional

class Pooled(nn.AdaptiveAvgPool2d):
    def __init__(self):
        super().__init__(1)
        self.power = nn.Parameter(torch.tensor(3.0))

    def forward(self, maps):
        return super().forward(maps.clamp(min=1e-3) ** self.power) ** (1 / self.power)

class Net(nn.Module):
    def __init__(self, classes, ending="", pool=None, start=None):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, classes, 3), pool or nn.AdaptiveAvgPool2d(1)
        self.ending = ending
        self.fc = nn.Linear(classes, classes)
        if start is not None:
            nn.init.constant_(self.fc.weight, start)
        if ending == "gate":
            self.gate = nn.Linear(classes, classes)
        if ending == "scale":
            self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        images.sub_(0.1)  # their own tensor is not to be changed for who comes after
        features = self.pool(self.conv(images)).flatten(1)
        if self.ending == "gate":
            return self.fc(features * self.gate(features).sigmoid())
        logits = self.fc(features)
        if self.ending == "softmax":
            return logits.log_softmax(1)
        if self.ending == "map":
            return self.conv(images)
        if self.ending == "dict":
            return {"logits": logits}
        return logits * self.scale if self.ending == "scale" else logits

def gate(classes): return Net(classes, "gate")
def softmax(classes): return Net(classes, "softmax")
def scale(classes): return Net(classes, "scale", start=0.0)
def a_map(classes): return Net(classes, "map")
def a_dict(classes): return Net(classes, "dict")
def pooled(classes): return Net(classes, pool=Pooled())
def zeros(classes): return Net(classes, start=0.0)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a package of networks in it; as it was before, afterwards."""
    modules, path = set(sys.modules), list(sys.path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "nets.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in [name for name in sys.modules if name not in modules and name.partition(".")[0] in ("mine", "alone")]:
        del sys.modules[name]


def test_it_is_a_classifier_like_any_other(folder):
    network = build("mine.nets:make", 5, dropout=0.2, seed=1)
    pictures = torch.ones(2, 3, 9, 9)
    with torch.no_grad():
        logits, features = network.eval().logits_and_features(pictures)
    assert (logits.shape, features.shape) == ((2, 5), (2, 16))
    assert torch.equal(network.head(features), logits)
    assert [module.p for module in network.modules() if isinstance(module, torch.nn.Dropout)] == [0.3, 0.2]
    assert not [module for module in network.modules() if isinstance(module, torch.nn.AdaptiveAvgPool2d)]


def test_its_weights_are_the_seeds(folder):
    before = torch.get_rng_state()
    first, again, other = (build("mine.nets:make", 5, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["backbone.0.weight"], other["backbone.0.weight"])
    assert torch.equal(before, torch.get_rng_state()), "its module draws a layer when it is imported"


def test_it_begins_with_a_file_of_its_own_weights(folder):
    first = build("mine.nets:make", 5, seed=1)
    torch.save(first.state_dict(), "ours.pt")
    with importing():
        from mine.nets import make

    theirs = make(5)
    torch.save(theirs.state_dict(), "theirs.pt")
    assert torch.equal(build("mine.nets:make", 5, seed=2, weights="ours.pt").head.weight, first.head.weight)
    assert torch.equal(build("mine.nets:make", 5, weights="theirs.pt").head.weight, theirs[8].weight)
    assert build("mine.nets:make", 4, weights="theirs.pt").loaded.left_out == ("8 (5 x 16; here 4 x 16)",)


def test_its_masks_may_hold_infinity(folder):
    torch.save(build("mine.nets:Masked", 5).state_dict(), "w.pt")
    assert build("mine.nets:Masked", 5, weights="w.pt").loaded.head


def test_a_head_without_a_bias_stays_without(folder):
    first = build("mine.nets:no_bias", 5, seed=1)
    assert first.state_dict().keys() == {"head.weight"}
    torch.save({"2.weight": first.head.weight.detach()}, "w.pt")
    again = build("mine.nets:no_bias", 5, seed=2, weights="w.pt")
    assert again.loaded.head
    assert torch.equal(again.head.weight, first.head.weight)
    torch.save({"2.weight": torch.ones(4, 3), "2.bias": torch.ones(4)}, "w.pt")
    assert build("mine.nets:no_bias", 5, weights="w.pt").loaded.left_out == ("2 (4 x 3; here 5 x 3)",)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("gate", "its last nn.Linear (gate) is not its last operation; write it as the last"),
        ("softmax", "its last nn.Linear (fc) is not its last operation; write it as the last"),
        ("scale", "its last nn.Linear (fc) is not its last operation; write it as the last"),
        ("a_map", "it answers 2 images with 2 x 5 x 30 x 30; return logits, 2 x 5"),
        ("a_dict", "it answers 2 images with dict; return logits, 2 x 5"),
    ],
)
def test_what_does_not_end_in_its_head_is_refused(folder, factory, message):
    (folder / "mine" / "ends.py").write_text(ENDINGS)
    with pytest.raises(InputError) as raised:
        build(f"mine.ends:{factory}", 5)
    assert str(raised.value).startswith(f"model = 'mine.ends:{factory}': {message}")


@pytest.mark.parametrize("factory", ["pooled", "zeros"])
def test_it_answers_as_its_author_wrote_it(folder, factory):
    """Its own pooling, and its head with the weights that it was given."""
    (folder / "mine" / "ends.py").write_text(ENDINGS)
    network = build(f"mine.ends:{factory}", 5, seed=1, image_size=12)
    with importing():
        from mine import ends

    with torch_stream(1, "init"):
        theirs = getattr(ends, factory)(5)
    assert network.training
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), theirs.parameters(), strict=True))
    with torch.no_grad():
        torch.testing.assert_close(network(torch.ones(2, 3, 12, 12)), theirs(torch.ones(2, 3, 12, 12)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("mine.nets", "model = 'mine.nets' is unknown"),
        ("mine.nets:", "write your own network as package.module:factory"),
        ("mine nets:make", "write your own network as package.module:factory"),
        ("yours.nets:make", "no module 'yours.nets' on Python's path or in "),
        ("mine.net:make", "no module 'mine.net' on Python's path or in "),
        ("mine.nets:maker", "nets.py has no 'maker'; did you mean 'make'?"),
        ("mine.nets:number", "is int; make it a function of `classes`"),
        ("mine.nets:a_class", "a_class(5) returned type; return an nn.Module"),
        ("mine.nets:no_head", "it has no nn.Linear; end it in one, from its features to the classes"),
        (
            "mine.nets:other_head",
            "its last nn.Linear (1) maps 48 numbers to 7; it must map the features to the 5 classes",
        ),
        ("mine.nets:lazy", "its last nn.Linear (1) maps 0 numbers to 5"),
        ("mine.nets:broken", "broken(5) failed: TypeError: "),
        ("mine.half:make", "importing mine.half failed: ZeroDivisionError: division by zero ("),
        ("mine.half:make", "half.py:2)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_a_mistake_says_what_to_do(folder, model, message):
    (folder / "mine" / "half.py").write_text("\n1 / 0\n")
    with pytest.raises(InputError) as raised:
        build(model, 5)
    assert message in str(raised.value)
    assert "5 classes" in message or str(raised.value).startswith(f"model = {model!r}")


def test_a_file_of_the_users_shadows_nothing(folder):
    path, queue = list(sys.path), sys.modules["queue"]
    (folder / "queue.py").write_text("raise SystemExit('not the queue that was meant')")
    with pytest.raises(InputError, match=r"queue.py has no 'make'"):
        build("queue:make", 2)
    build("mine.nets:make", 2)
    assert sys.path == path
    assert sys.modules["queue"] is queue
    assert not [name for name in sys.modules if name.startswith("mine")]


def test_it_is_known_without_importing_anything(folder, environment):
    (folder / "mine" / "nets.py").write_text("raise SystemExit('imported')")
    assert wrong_model("mine.nets:make") == ""
    assert is_own("mine.nets:make")
    assert not is_own("resnet18")
    script = (
        "import sys; from ablation.models.own import source_digest, missing_module\n"
        "print(source_digest('mine.nets:make'), missing_module('mine.nets:make'), 'torch' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [source_digest("mine.nets:make"), "False"]


def test_the_digest_is_of_the_source_and_not_of_its_place(folder, tmp_path, monkeypatch):
    digest = source_digest("mine.nets:make")
    assert len(digest) == 64
    assert source_digest("mine.nets:other") == digest  # both stand in the same source
    (folder / "mine" / "notes.txt").write_text("not source")
    (folder / "mine" / "nets.py").touch()
    assert source_digest("mine.nets:make") == digest
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (folder / "mine").rename(moved / "mine")
    monkeypatch.chdir(moved)
    assert source_digest("mine.nets:make") == digest
    (moved / "mine" / "blocks.py").write_text("width = 8")
    changed = source_digest("mine.nets:make")
    assert changed != digest
    (moved / "mine" / "blocks.py").rename(moved / "mine" / "block.py")
    assert source_digest("mine.nets:make") not in (digest, changed)


def test_the_digest_of_a_single_file_is_of_that_file(folder):
    (folder / "alone.py").write_text(NET)
    digest = source_digest("alone:make")
    (folder / "beside.py").write_text("")
    assert source_digest("alone:make") == digest
    (folder / "alone.py").write_text(NET + "# more")
    assert source_digest("alone:make") != digest


def test_no_digest_without_a_module(folder):
    with pytest.raises(InputError, match="no module 'yours'"):
        source_digest("yours:make")
