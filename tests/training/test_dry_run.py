"""Before a sweep trains anything, what cannot work is reported: all of it, once each, and nothing is written."""

from dataclasses import replace

import pytest
import torch

from ablation import SGD, DataError, Execution, InputError, sweep
from ablation.optim import Muon


@pytest.fixture
def nothing(tmp_path, cache):
    """A function that asks for a sweep which must be refused; the problems reported, after a look for files."""

    def refused(experiment, error=InputError, **options):
        with pytest.raises(error) as raised:
            sweep(experiment, tmp_path / "runs", cache, device="cpu", **options)
        assert not (tmp_path / "runs").exists()
        return [problem.message for problem in raised.value.problems]

    return refused


def test_everything_wrong_is_reported_once_and_nothing_is_written(nothing, tiny):
    messages = nothing(
        replace(
            tiny,
            vary={"model": ("shallow_cnn", "alexnet", "resnet18"), "freeze": (0, 99)},
            exclude=({"model": "alexnet", "freeze": "99"}, {"model": "resnet18", "optimizer": "sgd"}),
            optimizers={"adam": tiny.optimizers["adam"], "sgd": SGD(0.1), "muon": Muon()},
        )
    )
    assert len(messages) == 5, messages
    assert sum("Muon steps matrices" in message for message in messages) == 2, "two kinds of backbone"
    assert sum("freeze = 99" in message for message in messages) == 2
    (small,) = [message for message in messages if "alexnet cannot be trained on images of 8 x 8 pixels" in message]
    assert small.endswith("; give image_size 63 or more")


def test_weights_that_do_not_fit_are_reported_with_what_does_not(nothing, tiny, tmp_path):
    torch.save({"fc.weight": torch.zeros(10, 3)}, tmp_path / "weights.pt")
    (message,) = nothing(replace(tiny, weights=str(tmp_path / "weights.pt")))
    assert "do not fit shallow_cnn" in message
    assert "missing" in message


def test_weights_that_cannot_be_fetched_are_reported_with_what_to_do(nothing, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing answers there
    (message,) = nothing(replace(tiny, model="resnet18", image_size=32, weights="IMAGENET1K_V1"), DataError)
    assert "could not be fetched" in message
    assert "weights=PATH" in message


def test_a_missing_file_of_weights_is_an_error_in_the_data(nothing, tiny, tmp_path):
    (message,) = nothing(replace(tiny, weights=str(tmp_path / "none.pt")), DataError)
    assert "cannot be read" in message


TOKENS = """
from torch import nn

class Tokens(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(8, classes)

    def forward(self, images):
        return self.head(images.mean(dim=1))
"""


def test_logits_of_another_shape_are_reported(nothing, tiny, tmp_path, monkeypatch):
    (tmp_path / "tokens.py").write_text(TOKENS)
    monkeypatch.chdir(tmp_path)
    (message,) = nothing(replace(tiny, model="tokens:Tokens"))
    assert "2 x 8 x 10" in message


VIEWS = """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(144, classes)

    def forward(self, images):
        return self.head(self.conv(images).view(len(images), 144))
"""


def test_a_network_that_cannot_take_the_memory_format_is_reported(nothing, tiny, tmp_path, monkeypatch):
    """Chosen for it, that is: by itself it is contiguous (`test_own_modules`)."""
    (tmp_path / "views.py").write_text(VIEWS)
    monkeypatch.chdir(tmp_path)
    (message,) = nothing(replace(tiny, model="views:Net"), execution=Execution(memory_format="channels_last"))
    assert "views:Net cannot be trained on images of 8 x 8 pixels: RuntimeError: view size is not compatible" in message


def test_source_that_changed_after_planning_is_not_trained(trained, tiny, tmp_path, monkeypatch):
    source = tmp_path / "changing.py"
    source.write_text(
        "from torch import nn\n\ndef net(classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, classes))\n"
    )
    monkeypatch.chdir(tmp_path)
    experiment = replace(tiny, model="changing:net")
    monkeypatch.setattr("ablation.experiment.experiment.source_digest", lambda model, inside: "0" * 64)
    with pytest.raises(InputError, match="has changed since the run was planned"):
        trained(experiment)
