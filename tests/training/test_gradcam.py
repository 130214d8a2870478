"""Grad-CAM: by hand on a network of three numbers, beside an independent program, and for every kind of network."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18, vgg11

from ablation.augment.apply import as_pixels
from ablation.core.seeds import torch_stream
from ablation.models.classifier import Classifier
from ablation.models.networks import build
from ablation.training import gradcam
from ablation.training.gradcam import GradCam, last_map
from ablation.training.view import View, predict


def grad_cam(model: Classifier, module: nn.Module, images: Tensor) -> Tensor:
    """The maps, with answers that are those the network gives without, bit for bit."""
    logits, features, maps = gradcam.grad_cam(model, module, images)
    assert torch.is_grad_enabled()
    assert not logits.requires_grad
    with torch.no_grad():
        assert all(map(torch.equal, (logits, features), model.logits_and_features(images)))
    return maps


def maps_of(model: Classifier, view: View, batch_size: int, images: int, chosen: list[int]) -> np.ndarray | None:
    """As `finish` gets them, of these rows."""
    rows, by_the_way = np.arange(images), GradCam(model, np.array(chosen, np.int64))
    answers = predict(model, view, rows, batch_size, nullcontext, None, by_the_way.logits_and_features)
    for got, plain in zip(answers, predict(model, view, rows, batch_size, nullcontext), strict=True):
        np.testing.assert_array_equal(got, plain)
    kept = by_the_way.maps()
    if kept is None:
        return None
    assert kept[0].tolist() == sorted(chosen)
    return kept[1]


class Mean(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(2, 3))


def by_hand() -> Classifier:
    """Two channels, the red and the green one as they are; class 0 counts red less half of green, class 1 green."""
    conv = nn.Conv2d(3, 2, 1, bias=False)
    conv.weight.data = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).view(2, 3, 1, 1)
    model = Classifier(nn.Sequential(conv, nn.ReLU(), Mean()), 2, 2, 0.0)
    model.head.weight.data = torch.tensor([[1.0, -0.5], [0.0, 1.0]])
    model.head.bias.data = torch.zeros(2)
    return model.eval()


IMAGES = torch.tensor(
    [
        [[[4.0, 0.0], [2.0, -8.0]], [[0.0, 4.0], [2.0, 0.0]], [[9.0, 9.0], [9.0, 9.0]]],
        [[[1.0, 0.0], [0.0, 0.0]], [[0.0, 3.0], [-5.0, 1.0]], [[9.0, 9.0], [9.0, 9.0]]],
    ]
)
"""Means after the ReLU, of red and green: 1.5 and 1.5 of the first, so that the logits are 0.75 and 1.5; 0.25 and 1."""


def test_it_is_what_a_person_computes():
    """d logit / d map is the weight / 4 at each of four positions, so is its mean: map = relu(w . channels / 4)."""
    model = by_hand()
    chosen = last_map(model, IMAGES[:1])
    assert chosen is model.backbone[1]
    maps = grad_cam(model, chosen, IMAGES)
    np.testing.assert_allclose(maps[0], [[0.0, 1.0], [0.5, 0.0]], atol=1e-7)
    np.testing.assert_allclose(maps[1], [[0.0, 0.75], [0.0, 0.25]], atol=1e-7)
    model.head.weight.data[0] *= 10  # now the first image is of class 0: 10 red - 5 green, each / 4, at least 0
    np.testing.assert_allclose(grad_cam(model, chosen, IMAGES)[0], [[10.0, 0.0], [2.5, 0.0]], atol=1e-6)


def shown(images: Tensor) -> View:
    """A view of these pictures as they are."""
    rows = np.zeros(3), np.ones(3)
    pixels = (images * 255).round().byte()
    return View(lambda which: pixels[torch.from_numpy(which)], (), images.shape[-1], *rows)


def test_maps_are_scaled_each_by_its_own_most_and_nothing_stays_nothing():
    images = IMAGES.clamp(0, 9) / 9
    images = torch.cat([images, torch.zeros(1, 3, 2, 2)])
    maps = maps_of(by_hand(), shown(images), 2, 3, [0, 1, 2])
    assert (maps.dtype, maps.shape) == (np.uint8, (3, 2, 2))
    assert maps[0].tolist() == [[0, 255], [round(255 * 57 / 113), 0]], "as 8-bit pictures hold 2 / 9 and 4 / 9"
    assert maps[1].max() == 255
    assert maps[2].max() == 0


@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
def test_maps_are_of_the_images_that_are_chosen(last, one_thread):
    pictures = torch.rand(7, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    view = replace(shown(pictures), channels_last=last)
    model = build("shallow_cnn", 3, 0.0, 0).eval()
    model = model.to(memory_format=torch.channels_last) if last else model
    every = maps_of(model, view, 3, 7, [0, 1, 2, 3, 4, 5, 6])
    assert every.shape == (7, 8, 8)
    np.testing.assert_array_equal(maps_of(model, view, 3, 7, [3, 5, 6]), every[[3, 5, 6]])
    assert maps_of(model, view, 3, 7, []) is None


class Fussy(nn.Module):
    """Fails where gradients are computed."""

    def forward(self, maps: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise ZeroDivisionError("no gradients, please")
        return maps.mean(dim=(2, 3))


def test_what_fails_under_a_gradient_costs_no_answer():
    model = by_hand()
    model.backbone[2] = Fussy()
    by_the_way, view = GradCam(model, np.arange(2)), shown(IMAGES.clamp(0, 9) / 9)
    answers = predict(model, view, np.arange(2), 1, nullcontext, None, by_the_way.logits_and_features)
    for got, plain in zip(answers, predict(model, view, np.arange(2), 1, nullcontext), strict=True):
        np.testing.assert_array_equal(got, plain)
    assert by_the_way.error.__traceback__ is None, "which would hold all that was computed"
    with pytest.raises(ZeroDivisionError, match="no gradients"):
        by_the_way.maps()


def plain_grad_cam(network: nn.Module, layer: nn.Module, images: Tensor) -> Tensor:
    """Another way: forward and backward hooks on torchvision's network, an image at a time."""
    maps = []
    for image in images:
        kept = {}
        hooks = [
            layer.register_forward_hook(lambda _, __, output, kept=kept: kept.update(a=output)),
            layer.register_full_backward_hook(lambda _, __, grads, kept=kept: kept.update(g=grads[0])),
        ]
        scores = network(image[None])[0]
        network.zero_grad()
        scores[scores.argmax()].backward()
        for hook in hooks:
            hook.remove()
        gradient, feature_map = kept["g"][0], kept["a"][0].detach()
        together = torch.zeros(feature_map.shape[1:])
        for channel in range(len(feature_map)):
            together += gradient[channel].mean() * feature_map[channel]
        maps.append(functional.relu(together))
    return torch.stack(maps)


@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_it_is_that_of_an_independent_program(name, one_thread):
    """torchvision's own network with the same weights; vgg11's map is written to in place by the ReLU after it."""
    model = build(name, 4, 0.0, 0, image_size=64).eval()
    theirs = {"resnet18": resnet18, "vgg11": vgg11}[name](num_classes=4).eval()
    own = {"fc" if name == "resnet18" else "classifier.6": model.head}
    weights = dict(model.backbone.state_dict())
    for path, head in own.items():
        weights |= {f"{path}.weight": head.weight, f"{path}.bias": head.bias}
    theirs.load_state_dict(weights)
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(model(images), theirs(images))
    if name == "vgg11":
        for module in theirs.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False  # else their backward hook fails
    layer = theirs.layer4 if name == "resnet18" else theirs.features[19]
    chosen = last_map(model, images[:1])
    assert chosen is not None
    torch.testing.assert_close(
        grad_cam(model, chosen, images), plain_grad_cam(theirs, layer, images), rtol=1e-4, atol=1e-7
    )


SIDES = {
    "resnet18": 2, "vgg11": 4, "densenet121": 2, "inception_v3": 3, "mobilenet_v3_small": 2, "efficientnet_b0": 2,
    "convnext_tiny": 2, "swin_t": 2, "maxvit_t": 7, "googlenet": 2, "alexnet": 3,
    "shallow_cnn": 16, "lenet": 32,
}  # fmt: skip
"""The side of the last map before pooling of a picture of 64 x 64 (inception 139, maxvit 224)."""
SIZES = {"inception_v3": 139, "maxvit_t": 224}


@pytest.mark.parametrize("name", SIDES)
def test_every_kind_of_network_has_a_map(name, one_thread):
    size = SIZES.get(name, 64)
    model = build(name, 3, 0.0, 0, image_size=size).eval()
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    chosen = last_map(model, images[:1])
    assert chosen is not None
    maps = grad_cam(model, chosen, images)
    assert torch.isfinite(maps).all()
    assert maps.shape[0] == 2
    assert maps.shape[1] == maps.shape[2] > 1
    assert maps.shape[1] == SIDES[name]


def test_a_vision_transformer_has_none(one_thread):
    model = build("vit_b_16", 3, 0.0, 0, image_size=32).eval()
    assert last_map(model, torch.zeros(1, 3, 32, 32)) is None
    assert maps_of(model, shown(torch.zeros(1, 3, 32, 32)), 1, 1, [0]) is None


class Flat(nn.Module):
    """A network of one's own without any map."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * 16, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1)).relu()


def test_a_network_without_a_map_has_none():
    model = Classifier(Flat(), 5, 2, 0.0)
    assert last_map(model, torch.zeros(1, 3, 4, 4)) is None
    assert maps_of(model, shown(torch.zeros(1, 3, 4, 4)), 1, 1, [0]) is None


class Twice(nn.Module):
    """The last map is written to in place by what comes after it, and its ReLU is used twice."""

    def __init__(self, careful: bool) -> None:
        super().__init__()
        self.conv, self.other, self.relu = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.ReLU()
        self.careful = careful

    def forward(self, images: Tensor) -> Tensor:
        maps = self.relu(self.other(self.relu(self.conv(images))))
        maps = maps * 2 if self.careful else maps.mul_(2)
        return maps.mean(dim=(2, 3))


def test_what_writes_to_the_map_in_place_changes_nothing():
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch_stream(2, "init"):
        models = [Classifier(Twice(careful), 4, 3, 0.0).eval() for careful in (True, False)]
    models[1].load_state_dict(models[0].state_dict())
    careful, careless = (grad_cam(model, last_map(model, images[:1]), images) for model in models)
    assert careful.max() > 0
    torch.testing.assert_close(careful, careless)


def test_the_network_is_left_as_it_was(one_thread):
    model = build("resnet18", 3, 0.0, 0, image_size=32)
    model.backbone.conv1.weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    flags = [parameter.requires_grad for parameter in model.parameters()]
    view = shown(as_pixels(torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))))
    assert maps_of(model, view, 2, 4, [0, 1, 2, 3]) is not None
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_hooks_go_where_the_network_fails():
    model = by_hand()
    with pytest.raises(RuntimeError):
        last_map(model, torch.zeros(1, 5, 2, 2))
    with pytest.raises(RuntimeError):
        grad_cam(model, model.backbone[1], torch.zeros(1, 5, 2, 2))
    assert not any(module._forward_hooks for module in model.modules())
