"""What a network costs, remembered: the same again without torch, and errors that say what is wrong."""

import json
import logging
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from ablation.core.errors import InputError
from ablation.optim import Muon, build_optimizer
from ablation.optim.build import describe_groups
from ablation.training.cost.counts import ModelConfig, _factored, count, counted, inspect_model, network

SMALL = ModelConfig("shallow_cnn", 10, 16)


def test_what_was_counted_is_remembered_and_read_without_torch(tmp_path, environment):
    made = counted(SMALL, tmp_path)
    assert made == count(SMALL)
    script = (
        "import sys; from pathlib import Path; from ablation.training.cost.counts import ModelConfig, counted\n"
        f"print(counted({SMALL!r}, Path({str(tmp_path)!r})), 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == f"{made} False"


def test_every_field_that_can_change_the_cost_has_counts_of_its_own():
    others = [
        replace(SMALL, **change)
        for change in ({"model": "resnet18"}, {"classes": 11}, {"image_size": 17}, {"stem": "small"}, {"freeze": 1})
    ]
    assert len({config.key for config in [SMALL, *others]}) == 6


def test_several_networks_lie_beside_each_other_and_damage_is_mended(tmp_path):
    first, second = counted(SMALL, tmp_path), counted(replace(SMALL, image_size=24), tmp_path)
    assert first.parameters == second.parameters
    assert first.macs < second.macs
    path = tmp_path / "counts.json"
    assert len(json.loads(path.read_text())) == 2
    path.write_text(path.read_text()[:50])
    assert counted(SMALL, tmp_path) == first
    assert len(json.loads(path.read_text())) == 1


def test_an_entry_that_lacks_a_number_is_counted_anew(tmp_path):
    made, path = counted(SMALL, tmp_path), tmp_path / "counts.json"
    whole = json.loads(path.read_text())
    ((key, form),) = whole.items()
    short = {name: number for name, number in form.items() if name != "thop"}
    for wrong in (short, {**form, "thop": "many"}, {**form, "more": 1}, None, [1]):
        path.write_text(json.dumps({key: wrong}))
        assert counted(SMALL, tmp_path) == made
        assert json.loads(path.read_text()) == whole


def test_numbers_are_those_of_the_network_itself():
    model, layers, counts = inspect_model(ModelConfig("resnet18", 7, 64))
    assert counts.parameters == counts.trainable == sum(weight.numel() for weight in model.parameters())
    assert counts.buffers == sum(buffer.numel() for buffer in model.buffers())
    assert counts.macs == sum(layer.macs for layer in layers)
    assert counts.flops == 2 * counts.macs
    assert all(weight.is_meta for weight in model.parameters())


def test_a_frozen_backbone_is_cheaper_to_train():
    free, frozen = count(ModelConfig("resnet18", 7, 64)), count(ModelConfig("resnet18", 7, 64, freeze="backbone"))
    assert frozen.trainable == 512 * 7 + 7
    assert frozen.macs == free.macs
    assert frozen.training_macs < free.training_macs / 2.9
    assert frozen.kept_bfloat16 < free.kept_bfloat16 / 100


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="needs a torch with Muon")
@pytest.mark.parametrize(("name", "size"), [("vit_b_16", 224), ("swin_t", 64)])
def test_what_muon_takes(name, size):
    """As many numbers as its first group holds; the tables of position biases in a Swin have two axes, and are none."""
    config = ModelConfig(name, 5, size)
    muon = describe_groups(build_optimizer(Muon(), network(config)))[0]
    assert count(config).matrices == muon["parameters"]


def test_what_adafactor_takes():
    """By torch's own optimizer after a real step."""
    small = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4, 2))
    optimizer = torch.optim.Adafactor(small.parameters())
    small(torch.ones(2, 3, 3, 3)).sum().backward()
    optimizer.step()
    held = sum(tensor.numel() for state in optimizer.state.values() for name, tensor in state.items() if name != "step")
    assert sum(_factored(tuple(weight.shape)) for weight in small.parameters()) == held


def test_an_unknown_network_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'resnet50'"):
        count(ModelConfig("resnet5O", 10, 64))


def test_images_that_are_too_small_are_told():
    with pytest.raises(InputError, match="inception_v3 does not take images of 32 x 32 pixels"):
        count(ModelConfig("inception_v3", 10, 32))
    with pytest.raises(InputError, match="image_size = 65: vit_b_16 cannot be built for it"):
        count(ModelConfig("vit_b_16", 10, 65))


OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, kind):
        super().__init__()
        self.kind, self.stem, self.head = kind, nn.Conv2d(3, 8, 3), nn.Linear(8, classes)
        self.lstm = nn.LSTM(36, 8, batch_first=True)

    def forward(self, images):
        if self.kind == "recurrent":
            return self.head(self.lstm(images.flatten(1).unflatten(1, (-1, 36)))[0][:, -1])
        maps = self.stem(images)
        if self.kind == "asks" and maps.mean().item() > 1e9:
            maps = 2 * maps
        if self.kind == "mistake":
            maps = self.stemm(images)
        if self.kind == "key":
            maps = {}["maps"]
        if self.kind == "flat":
            return self.head(maps.flatten(1))
        return self.head(maps.mean((2, 3)))

def flat(classes): return Net(classes, "flat")
def plain(classes): return Net(classes, "plain")
def asks(classes): return Net(classes, "asks")
def recurrent(classes): return Net(classes, "recurrent")
def mistake(classes): return Net(classes, "mistake")
def key(classes): return Net(classes, "key")
"""


@pytest.fixture
def counted_nets(tmp_path, monkeypatch):
    """The working folder, with a module of the user's own; as it was before, afterwards."""
    (tmp_path / "counted_nets.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("counted_nets", None)


@pytest.mark.usefixtures("counted_nets")
def test_a_network_that_asks_for_numbers_is_counted_by_a_real_pass():
    before = torch.random.get_rng_state()
    asks, plain = (count(ModelConfig(f"counted_nets:{name}", 5, 12)) for name in ("asks", "plain"))
    assert asks.macs == plain.macs == 3 * 3 * 3 * 8 * 10 * 10 + 8 * 5
    assert (asks.parameters, asks.kept_float32) == (plain.parameters, plain.kept_float32)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.usefixtures("counted_nets")
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there to answer")
def test_what_a_gpu_alone_can_tell_is_told_as_on_a_cpu():
    model, _, counts = inspect_model(ModelConfig("counted_nets:recurrent", 5, 12))
    assert all(weight.is_meta for weight in model.parameters())  # nothing was computed
    assert counts.kept_float32 == counts.kept_bfloat16 > 4 * 3 * 12 * 12


@pytest.mark.usefixtures("counted_nets")
@pytest.mark.parametrize(("name", "line", "reason"), [("mistake", 17, "no attribute 'stemm'"), ("key", 19, "KeyError")])
def test_a_mistake_in_an_own_network_is_told_with_its_line(name, line, reason):
    with pytest.raises(
        InputError, match=rf"does not take images of 12 x 12 pixels: .*{reason}.*counted_nets.py:{line}\)"
    ):
        count(ModelConfig(f"counted_nets:{name}", 5, 12))


@pytest.mark.usefixtures("counted_nets")
def test_what_torch_logs_of_fake_tensors_is_kept_from_the_user(caplog):
    log = logging.getLogger("torch._subclasses.fake_tensor")
    log.addHandler(caplog.handler)
    try:
        with pytest.raises(InputError, match="does not take images of 12 x 12 pixels"):
            count(ModelConfig("counted_nets:flat", 5, 12))
        assert caplog.text == ""
        assert not log.disabled
    finally:
        log.removeHandler(caplog.handler)
