"""MACs against torchvision's published ones, thop's and torch's own counter; kept bytes against a real forward pass."""

from functools import cache

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model_weights, list_models

from ablation.models.names import model_names
from ablation.models.networks import build
from ablation.training.cost.counts import ModelConfig, network
from ablation.training.cost.macs import Kept, Layer, kept, layers

ONE_A_KIND = ["alexnet", "mobilenet_v3_small", "resnext50_32x4d", "shufflenet_v2_x1_0", "swin_t", "vit_b_16"]
"""Large kernels, depthwise and grouped convolutions, shuffling, windows, attention; `slow` tries every network."""


def total(found: tuple[Layer, ...], name: str) -> int:
    return sum(getattr(layer, name) for layer in found)


@cache
def counted(name: str, size: int) -> tuple[Layer, ...]:
    return layers(network(ModelConfig(name, 1000, size)), size)


@pytest.mark.parametrize(
    ("name", "size", "parameters", "gmac"),
    [
        ("resnet50", 224, 25_557_032, 4.089),
        ("resnet101", 224, 44_549_160, 7.801),
        pytest.param("resnet152", 224, 60_192_808, 11.514, marks=pytest.mark.slow),
        ("resnet50", 196, 25_557_032, 3.471),
    ],
)
def test_resnets_cost_what_is_published(name, size, parameters, gmac):
    found = counted(name, size)
    assert total(found, "parameters") == parameters
    assert total(found, "macs") / 1e9 == pytest.approx(gmac, abs=0.0005)


def published_agree(name: str) -> None:
    """Every weight entry of torchvision: `_ops` is in GMAC, rounded to three decimals, at the size of its crop."""
    known = {}
    for entry in get_model_weights(name):
        (size,) = set(entry.transforms().crop_size)
        known[size] = known.get(size) or counted(name, size)
        assert total(known[size], "parameters") == entry.meta["num_params"] + OURS.get(name, 0)
        assert total(known[size], "macs") / 1e9 == pytest.approx(entry.meta["_ops"], rel=0.01, abs=0.0005)


OURS = {"inception_v3": -3_326_696}
"""Inception v3 is published with its second head, which is used in training only and which ours has not."""


def test_inceptions_second_head_is_what_ours_lacks():
    theirs = torchvision.models.inception_v3(init_weights=False)
    assert sum(parameter.numel() for parameter in theirs.AuxLogits.parameters()) == -OURS["inception_v3"]


@pytest.mark.parametrize("name", ONE_A_KIND)
def test_a_network_costs_what_torchvision_publishes(name):
    if name == "vit_b_16":  # its other weights are for images of 384 pixels
        found, entry = counted(name, 224), get_model_weights(name)["IMAGENET1K_V1"]
        assert total(found, "parameters") == entry.meta["num_params"]
        assert total(found, "macs") / 1e9 == pytest.approx(entry.meta["_ops"], rel=0.01)
    else:
        published_agree(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in list_models(module=torchvision.models) if name in model_names()])
def test_every_network_costs_what_torchvision_publishes(name):
    published_agree(name)


@pytest.mark.parametrize(
    ("name", "size", "operations"),
    [
        ("resnet50", 196, 3_506_562_304),
        ("resnet18", 224, 1_824_033_792),
        ("mobilenet_v3_small", 224, 62_477_944),
        pytest.param("googlenet", 224, 1_511_332_032, marks=pytest.mark.slow),
        pytest.param("convnext_tiny", 224, 4_464_149_760, marks=pytest.mark.slow),
        ("vit_b_16", 224, 11_286_254_592),
        ("swin_t", 224, 2_978_099_712),
        ("alexnet", 224, 714_206_912),
    ],
)
def test_as_thop_counts(name, size, operations):
    """thop 0.1.1.post2209072238, `profile(torchvision's network, 1 image)`, to the last operation."""
    assert total(counted(name, size), "thop") == operations


def test_pooling_is_no_product():
    """AlexNet's adaptive mean is computed as products with averaging matrices, which are not counted as such."""
    assert {layer.type for layer in counted("alexnet", 256) if layer.macs} == {"Conv2d", "Linear"}


@pytest.mark.parametrize("name", ["resnet18", "shallow_cnn"])
def test_forward_and_backward_are_what_torch_counts_over_a_real_step(name):
    """torch counts every matrix product of the real backward pass (right where no convolution has groups)."""
    model, images = build(name, classes=5, dropout=0.0, seed=0), torch.zeros(2, 3, 64, 64)
    with FlopCounterMode(display=False) as counter:
        model(images).sum().backward()
    assert total(layers(model, 64), "training_macs") == counter.get_total_flops() / 4


def test_frozen_layers_need_no_backward_pass():
    model = build("resnet18", classes=5, dropout=0.0, seed=0)
    model.backbone.requires_grad_(False)
    found = layers(model, 64)
    head = 512 * 5
    assert total(found, "training_macs") == total(found, "macs") + head  # the head's weights: its input needs none
    assert total(found, "trainable") == head + 5
    assert kept(model, 64, "float32").per_image == 4 * (512 + 5 + 0) + 8  # features, log-probabilities, the label


def really_kept(model: nn.Module, images: torch.Tensor) -> int:
    """Bytes that a real forward pass and loss keep, each piece of memory once, without parameters and buffers."""
    pieces = {}

    def pack(saved: torch.Tensor) -> torch.Tensor:
        pieces[saved.untyped_storage().data_ptr()] = saved.untyped_storage().nbytes(), saved
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        logits = model(images)
        loss = functional.cross_entropy(
            logits.float(), torch.zeros(len(images), dtype=torch.long, device=images.device)
        )
    held = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    assert loss.requires_grad
    return sum(size for place, (size, _) in pieces.items() if place not in held)


def expected(found: Kept, batch: int) -> int:
    return found.per_step + batch * found.per_image


@pytest.mark.parametrize(("name", "size"), [("shallow_cnn", 16), ("resnet18", 64), ("mobilenet_v3_small", 64)])
def test_what_is_kept_is_what_a_real_pass_keeps(name, size):
    model = build(name, classes=5, dropout=0.0, seed=0).train()
    for batch in (2, 5):
        images = torch.linspace(-1, 1, batch * 3 * size * size).view(batch, 3, size, size)
        assert expected(kept(model, size, "float32"), batch) == really_kept(model, images)


def test_attention_on_a_cpu_keeps_no_matrix_of_tokens():
    model = build("vit_b_16", classes=5, dropout=0.0, seed=0).train()
    assert expected(kept(model, 224, "float32"), 2) == really_kept(model, torch.zeros(2, 3, 224, 224))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["resnet18", "convnext_tiny", "vit_b_16", "swin_t"])
def test_what_a_gpu_keeps_under_autocast_is_foretold(name):
    model = build(name, classes=5, dropout=0.0, seed=0).cuda().to(memory_format=torch.channels_last)
    images = torch.zeros(4, 3, 224, 224, device="cuda").contiguous(memory_format=torch.channels_last)
    with torch.autocast("cuda", torch.bfloat16):
        real = really_kept(model.train(), images)
    assert expected(kept(model, 224, "bfloat16"), 4) == pytest.approx(real, rel=0.02)


def test_bfloat16_keeps_half_and_copies_of_the_weights():
    """By hand: convolution and ReLU keep their input and output in bfloat16, and the weights' copies."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 4, bias=False))
    pixels, maps, logits = 3 * 8 * 8, 8 * 6 * 6, 4
    single, half = kept(model, 8, "float32"), kept(model, 8, "bfloat16")
    assert single == Kept(4 * (pixels + maps + logits) + 8, 4)  # with the label, and the mean's own weight
    assert half.per_image == 2 * (pixels + maps) + 4 * logits + 8
    assert half.per_step == 2 * (3 * 8 * 9 + maps * 4) + 4


def test_counting_changes_neither_the_network_nor_autocast():
    model = build("shallow_cnn", classes=5, dropout=0.0, seed=0).eval()
    before = {key: weight.clone() for key, weight in model.state_dict().items()}
    attention = functional.scaled_dot_product_attention
    layers(model, 16), kept(model, 16, "bfloat16")
    assert all(torch.equal(weight, before[key]) for key, weight in model.state_dict().items())
    assert not model._forward_hooks
    assert not torch.is_autocast_enabled("cuda")
    assert functional.scaled_dot_product_attention is attention
