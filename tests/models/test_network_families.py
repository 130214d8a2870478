"""One network of each family: it builds, trains a step and gives features, on images as small as it takes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ablation.core.errors import InputError
from ablation.core.seeds import stream
from ablation.models.names import model_names
from ablation.models.networks import build, make_deterministic
from ablation.training.cost.macs import Unfilled
from ablation.training.cost.smallest_size import smallest_size

FAMILIES = {  # the smallest member of each family: the side of its images, its features
    "alexnet": (63, 4096),
    "convnext_tiny": (32, 768),
    "densenet121": (32, 1024),
    "efficientnet_b0": (32, 1280),
    "efficientnet_v2_s": (32, 1280),
    "googlenet": (32, 1024),
    "inception_v3": (75, 2048),
    "mnasnet0_5": (32, 1280),
    "mobilenet_v2": (32, 1280),
    "mobilenet_v3_small": (32, 1024),
    "regnet_x_400mf": (64, 400),
    "regnet_y_400mf": (64, 440),
    "resnet18": (32, 512),
    "resnext50_32x4d": (32, 2048),
    "shallow_cnn": (8, 128),
    "shufflenet_v2_x0_5": (32, 1024),
    "swin_t": (32, 768),
    "vit_b_16": (32, 768),
}
LARGER = {
    "maxvit_t": (224, 512),
    "resnet34": (32, 512),
    "resnet50": (32, 2048),
    "resnet101": (32, 2048),
    "resnet152": (32, 2048),
    "swin_v2_t": (32, 768),
    "vgg11_bn": (32, 4096),
    "vgg16": (32, 4096),
    "wide_resnet50_2": (32, 2048),
}
"""Those that take longer, and the depths that are compared most."""


def images(side: int) -> torch.Tensor:
    """Four, unlike each other: batch norm makes little of two values at the end of a network."""
    return torch.from_numpy(stream(0, "images").standard_normal((4, 3, side, side), np.float32))


def check(name: str, side: int, features: int) -> None:
    network = build(name, 3, 0.1, 1, image_size=side).train()
    before = [parameter.sum().item() for parameter in network.parameters()]
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    with torch.random.fork_rng(devices=[]):
        loss = functional.cross_entropy(network(images(side)), torch.tensor([0, 2, 1, 2]))
    loss.backward()
    assert all(parameter.grad is not None for parameter in network.parameters()), "part of it is not on the way"
    optimizer.step()
    moved = [parameter.sum().item() for parameter in network.parameters()]
    assert loss.isfinite()
    assert sum(was != now for was, now in zip(before, moved, strict=True)) > len(moved) / 2
    with torch.no_grad():
        logits, found = network.eval().logits_and_features(images(side))
    assert found.shape == (4, features)
    assert logits.shape == (4, 3)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_builds_trains_and_gives_features(name):
    check(name, *FAMILIES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGER)
def test_larger_members_too(name):
    check(name, *LARGER[name])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", FAMILIES | LARGER)
def test_on_a_gpu_training_repeats_to_the_last_bit(name, monkeypatch):
    """With deterministic kernels alone: a network with a layer that has none raises an error here."""
    side, _ = (FAMILIES | LARGER)[name]
    device = torch.device("cuda", 0)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as workers have it

    def trained() -> dict[str, torch.Tensor]:
        network = build(name, 3, seed=1, image_size=side).to(device, memory_format=torch.channels_last).train()
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
        for _ in range(3):
            with torch.autocast("cuda", torch.bfloat16):
                logits = network(images(side).to(device))
            optimizer.zero_grad()
            functional.cross_entropy(logits.float(), torch.tensor([0, 2, 1, 2], device=device)).backward()
            optimizer.step()
        return network.state_dict()

    try:
        make_deterministic(device)
        first, again = trained(), trained()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.slow
@pytest.mark.parametrize("name", model_names())
def test_every_network_can_be_built_and_asked(name):
    """On the device "meta", where shapes cost nothing."""
    with Unfilled():
        network = build(name, 5, 0.1, 0).to("meta").eval()
    side = 299 if name == "inception_v3" else 224
    with torch.device("meta"):
        logits, features = network.logits_and_features(torch.zeros(2, 3, side, side))
    assert logits.shape == (2, 5)
    assert features.shape == (2, network.head.in_features)


@pytest.mark.parametrize(
    ("name", "stem", "side"),
    [
        ("alexnet", "torchvision", 63),
        ("vgg11", "torchvision", 32),
        ("resnet18", "small", 1),
        ("vit_b_16", "small", 224),
    ],
)
def test_the_smallest_images_are_found(name, stem, side):
    if name.startswith("vit"):
        assert smallest_size(name) == side
        return
    assert smallest_size(name, stem=stem) == side
    if side > 1:
        with Unfilled():
            network = build(name, 2).to("meta")
        with pytest.raises(RuntimeError), torch.device("meta"):
            network(torch.zeros(2, 3, side - 1, side - 1))


def test_what_is_made_for_one_size_takes_the_one_that_is_asked():
    assert build("vit_b_16", 2, image_size=32).backbone.encoder.pos_embedding.shape == (1, 5, 768)
    with pytest.raises(InputError, match="image_size = 40: vit_b_16 cannot be built for it"):
        build("vit_b_16", 2, image_size=40)


def test_a_head_has_a_bias_where_torchvisions_has_one():
    with Unfilled():
        assert build("maxvit_t", 3).head.bias is None
        assert build("resnet18", 3).head.bias is not None


def test_whatever_a_network_drops_by_itself_is_switched_off():
    for name in ("efficientnet_b0", "convnext_tiny", "swin_t"):
        with Unfilled():
            network = build(name, 2, dropout=0.2)
        rates = [module.p for module in network.modules() if hasattr(module, "p")]
        assert len(rates) > 10
        assert [rate for rate in rates if rate] == [0.2]
        assert not [module for module in network.modules() if isinstance(module, nn.AdaptiveAvgPool2d)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": "resnet5O"},
            "model = 'resnet5O' is unknown; did you mean 'resnet50'? "
            "(any torchvision classifier, shallow_cnn, lenet, or your own as package.module:factory)",
        ),
        (
            {"model": "vgg11", "stem": "small"},
            "stem = 'small': vgg11 has none; the networks of resnet, resnext, wide_resnet do",
        ),
        (
            {"model": "resnet18", "stem": "smal"},
            "stem = 'smal': expected 'torchvision' or 'small'; did you mean 'small'?",
        ),
        (
            {"model": "vit_b_16", "stochastic_depth": 0.1},
            "stochastic_depth = 0.1: vit_b_16 cannot have it; the networks of resnet, resnext, wide_resnet, convnext, "
            "efficientnet, maxvit, swin can",
        ),
        ({"model": "resnet18", "stochastic_depth": 1.0}, "stochastic_depth = 1.0: must be at least 0 and below 1"),
        (
            {"model": "resnet18", "weights": "IMAGENET1K_V2"},
            "weights = 'IMAGENET1K_V2' is unknown for resnet18; did you mean 'IMAGENET1K_V1'? "
            "(IMAGENET1K_V1, DEFAULT, or the path of a file)",
        ),
        (
            {"model": "shallow_cnn", "weights": "DEFAULT"},
            "weights = 'DEFAULT': torchvision publishes none for shallow_cnn; give the path of a file, or None",
        ),
        (
            {"model": "resnet18", "weights": "DEFAULT", "stem": "small"},
            "weights = 'DEFAULT' have torchvision's first convolution, stem = 'small' another; leave one out",
        ),
    ],
)
def test_what_a_network_cannot_have_is_said(options, message):
    with pytest.raises(InputError) as raised:
        build(classes=2, **options)
    assert str(raised.value) == message


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(InputError) as raised:
        build("vgg11", 2, stem="small", stochastic_depth=0.2)
    assert len(raised.value.problems) == 2
