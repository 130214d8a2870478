"""What a network costs, remembered: the same again without torch, and errors that say what is wrong."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from ablation.errors import InputError
from ablation.models.counts import Asked, _factored, count, counted, look_at, network

SMALL = Asked("shallow_cnn", 10, 16)


def test_what_was_counted_is_remembered_and_read_without_torch(tmp_path, environment):
    made = counted(SMALL, tmp_path)
    assert made == count(SMALL)
    script = (
        "import sys; from pathlib import Path; from ablation.models.counts import Asked, _factored, counted\n"
        f"print(counted({SMALL!r}, Path({str(tmp_path)!r})), 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == f"{made} False"


def test_every_field_that_can_change_the_cost_has_counts_of_its_own():
    others = [
        replace(SMALL, **change)
        for change in ({"model": "resnet18"}, {"classes": 11}, {"image_size": 17}, {"stem": "small"}, {"freeze": 1})
    ]
    assert len({asked.key for asked in [SMALL, *others]}) == 6


def test_several_networks_lie_beside_each_other_and_damage_is_mended(tmp_path):
    first, second = counted(SMALL, tmp_path), counted(replace(SMALL, image_size=24), tmp_path)
    assert first.parameters == second.parameters
    assert first.macs < second.macs
    path = tmp_path / "counts.json"
    assert len(json.loads(path.read_text())) == 2
    path.write_text(path.read_text()[:50])
    assert counted(SMALL, tmp_path) == first
    assert len(json.loads(path.read_text())) == 1


def test_numbers_are_those_of_the_network_itself():
    model, layers, counts = look_at(Asked("resnet18", 7, 64))
    assert counts.parameters == counts.trainable == sum(weight.numel() for weight in model.parameters())
    assert counts.buffers == sum(buffer.numel() for buffer in model.buffers())
    assert counts.macs == sum(layer.macs for layer in layers)
    assert counts.flops == 2 * counts.macs
    assert all(weight.is_meta for weight in model.parameters())


def test_a_frozen_backbone_is_cheaper_to_train():
    free, frozen = count(Asked("resnet18", 7, 64)), count(Asked("resnet18", 7, 64, freeze="backbone"))
    assert frozen.trainable == 512 * 7 + 7
    assert frozen.macs == free.macs
    assert frozen.training_macs < free.training_macs / 2.9
    assert frozen.kept_bfloat16 < free.kept_bfloat16 / 100


def test_what_adafactor_and_muon_take():
    """Adafactor's numbers by torch's own optimizer after a real step; Muon's are the backbone's matrices."""
    asked = Asked("vit_b_16", 5, 224)
    model = network(asked)
    named = dict(model.named_parameters())
    matrices = sum(weight.numel() for name, weight in named.items() if weight.ndim == 2 and "head" not in name)
    counts = count(asked)
    assert counts.matrices == matrices
    small = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4, 2))
    optimizer = torch.optim.Adafactor(small.parameters())
    small(torch.ones(2, 3, 3, 3)).sum().backward()
    optimizer.step()
    held = sum(tensor.numel() for state in optimizer.state.values() for name, tensor in state.items() if name != "step")
    assert sum(_factored(tuple(weight.shape)) for weight in small.parameters()) == held


def test_an_unknown_network_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'resnet50'"):
        count(Asked("resnet5O", 10, 64))


def test_images_that_are_too_small_are_told():
    with pytest.raises(InputError, match="inception_v3 does not take images of 32 x 32 pixels"):
        count(Asked("inception_v3", 10, 32))
    with pytest.raises(InputError, match="image_size = 65: vit_b_16 cannot be built for it"):
        count(Asked("vit_b_16", 10, 65))
