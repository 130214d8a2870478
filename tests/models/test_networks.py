"""Networks: torchvision's own but for the head, the same weights for the same seed, features before the last layer."""

import pytest
import torch
import torchvision
from torch import nn

from ablation.models.networks import AdaptiveMean, build, count_parameters, make_deterministic

FAMILIES = ["shallow_cnn", "resnet18", "mobilenet_v3_small", "convnext_tiny"]
QUICK = ["shallow_cnn", "resnet18", "mobilenet_v3_small"]


def images(count: int = 2, size: int = 64) -> torch.Tensor:
    return torch.linspace(-2, 2, count * 3 * size * size).sin().view(count, 3, size, size)


@pytest.fixture(scope="module", params=FAMILIES)
def network(request):
    """The network in evaluation, for 5 classes, and the images that it takes."""
    model = build(request.param, classes=5, dropout=0.5, seed=1).eval()
    return model, images()


def test_logits_are_the_head_of_the_features(network):
    model, batch = network
    with torch.no_grad():
        logits, features = model.logits_and_features(batch)
        assert logits.shape == (2, 5)
        assert features.shape == (2, model.head.in_features)
        assert torch.equal(model.head(features), logits)
        assert torch.equal(model(batch), logits)  # in evaluation dropout is idle
    assert not torch.equal(features[0], features[1])


def test_the_last_linear_layer_is_ours_alone(network):
    model, _ = network
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert linear[-1] is model.head
    assert all(module.out_features != 1000 for module in linear)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_the_backbone_is_torchvisions(name):
    """Given torchvision's weights, the network gives torchvision's logits: nothing is lost or added but a mean."""
    theirs = torchvision.models.get_model(name, weights=None).eval()
    ours = build(name, classes=1000, dropout=0.0, seed=0).eval()
    weights = iter(theirs.state_dict().values())
    ours.load_state_dict({key: next(weights) for key in ours.state_dict()})
    assert next(weights, None) is None
    with torch.no_grad():
        torch.testing.assert_close(ours(images()), theirs(images()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("resnet50", 25_557_032), ("resnet18", 11_689_512), ("alexnet", 61_100_840), ("mobilenet_v3_small", 2_542_856)],
)
def test_parameters_are_as_many_as_torchvision_publishes(name, parameters):
    with torch.device("meta"):
        assert count_parameters(build(name, classes=1000, dropout=0.0, seed=0)) == parameters


def test_only_what_is_learned_is_counted():
    model = build("shallow_cnn", classes=10, dropout=0.0, seed=0)
    total = sum(parameter.numel() for parameter in model.parameters())
    assert count_parameters(model) == total
    model.head.requires_grad_(False)
    assert count_parameters(model) == total - (128 * 10 + 10)


@pytest.mark.parametrize("name", QUICK)
def test_equal_seeds_give_equal_weights_and_others_others(name):
    first, again, other = (build(name, 3, 0.0, seed).state_dict() for seed in (4, 4, 5))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    convolution = next(key for key, weight in first.items() if weight.ndim == 4)
    assert not torch.equal(first[convolution], other[convolution])


def test_dropout_and_the_global_generator_change_no_initial_weight():
    first = build("shallow_cnn", 3, 0.0, 4).state_dict()
    torch.rand(10)
    assert all(torch.equal(weight, first[key]) for key, weight in build("shallow_cnn", 3, 0.5, 4).state_dict().items())


def test_building_leaves_torchs_generator_as_it_was():
    before = torch.get_rng_state()
    build("resnet18", 3, 0.0, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_dropout_acts_on_the_features_in_training():
    model = build("shallow_cnn", 3, 0.5, 0)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        first, second = model.train()(images()), model(images())
        assert not torch.equal(first, second)
        model.dropout.p = 0.0
        assert torch.equal(model(images()), model(images()))


def test_a_mean_over_space_is_adaptive_pooling_to_one():
    maps = images(4, 9)
    torch.testing.assert_close(AdaptiveMean(1)(maps), nn.AdaptiveAvgPool2d(1)(maps), rtol=1e-6, atol=1e-6)
    assert AdaptiveMean(1)(maps).shape == (4, 3, 1, 1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_of_a_mean_is_in_the_memory_format_of_the_maps(layout):
    """Else whatever comes before it is slow."""
    maps = images(4, 9).contiguous(memory_format=layout).requires_grad_()
    came: list[torch.Tensor] = []
    before = maps.clone()  # not a leaf: the gradient of a leaf is copied
    before.register_hook(came.append)
    AdaptiveMean(1)(before).sum().backward()
    assert came[0].is_contiguous(memory_format=layout)
    torch.testing.assert_close(came[0], torch.full_like(maps, 1 / 81))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("name", "size"), [("shallow_cnn", 32), ("lenet", 12)])
def test_rectified_behind_a_maximum_is_rectified_before_it(name, size, layout):
    """To the last bit, forward and backward."""
    one, other = (build(name, 5).to(memory_format=layout).train() for _ in range(2))
    layers, swapped = other.backbone, 0
    for at in [row for row, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]:
        if isinstance(layers[at + 1], nn.ReLU):
            layers[at], layers[at + 1], swapped = layers[at + 1], layers[at], swapped + 1
    assert swapped
    pictures = images(8, size).contiguous(memory_format=layout)
    answers = [model(pictures) for model in (one, other)]
    assert torch.equal(*answers)
    for answer in answers:
        answer.square().sum().backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(("source", "size"), [(7, 7), (6, 7), (13, 6), (2, 7), (5, 1)])
def test_adaptive_mean_is_torchs_adaptive_pooling(source, size):
    maps = images(3, source)
    ours, theirs = AdaptiveMean((size, None)), nn.AdaptiveAvgPool2d((size, None))
    torch.testing.assert_close(ours(maps), theirs(maps), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", QUICK)
def test_no_pooling_without_a_deterministic_backward_is_left(name):
    for module in build(name, 3, 0.0, 0).modules():
        assert not isinstance(module, nn.AdaptiveAvgPool2d)


def test_an_experiments_dropout_is_all_there_is():
    model = build("alexnet", 3, 0.25, 0)
    assert [module.p for module in model.modules() if isinstance(module, nn.Dropout)] == [0.0, 0.0, 0.25]


def test_settling_makes_what_follows_deterministic():
    threads = torch.get_num_threads()
    try:
        make_deterministic(torch.device("cpu"))
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 1
        assert not torch.backends.cudnn.benchmark
        assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)
