"""The moving average of weights is the sum that it says it is, and a network that can be evaluated."""

import pytest
import torch
from stepped import Small, network, same, stepped, through_a_file

from ablation.optim import SGD, build_optimizer
from ablation.optim.steps import averaged

DECAY = 0.8


def trained(steps: int, first: int = 0, saved: dict | None = None):
    """The model, its average and the optimizer after these steps, and the model's state on the way."""
    model = network()
    model.register_buffer("index", torch.arange(1000))
    optimizer, average = build_optimizer(SGD(0.1), model), averaged(model, DECAY)
    if saved:
        for part, state in zip((model, optimizer, average), saved["parts"], strict=True):
            part.load_state_dict(state)
    passed = []
    for step in range(first, steps):
        stepped(model, optimizer, step, step + 1)
        average.update_parameters(model)
        passed.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
    return model, average, optimizer, passed


def test_it_is_the_weighted_sum_of_weights_and_running_statistics_so_far():
    """W_n = d^(n-1) w_1 + (1 - d) sum over i > 1 of d^(n-i) w_i, in double precision."""
    _, average, _, passed = trained(10)
    shares = [DECAY**9, *((1 - DECAY) * DECAY ** (10 - i) for i in range(2, 11))]
    assert sum(shares) == pytest.approx(1.0)
    found = {name: tensor for name, tensor in average.module.state_dict().items() if tensor.is_floating_point()}
    assert {"head.weight", "backbone.1.running_var"} < set(found)
    for name, tensor in found.items():
        expected = sum(share * state[name].double() for share, state in zip(shares, passed, strict=True))
        torch.testing.assert_close(tensor.double(), expected, rtol=1e-5, atol=1e-6)
    assert not torch.equal(found["head.weight"], passed[-1]["head.weight"])


def test_whole_numbers_are_the_models_own():
    _, average, _, _ = trained(10)
    assert torch.equal(average.module.index, torch.arange(1000))
    assert int(average.module.backbone[1].num_batches_tracked) == 10


def test_it_leaves_the_model_alone_and_is_itself_for_evaluation():
    model, average, _, _ = trained(10)
    alone = network()
    stepped(alone, build_optimizer(SGD(0.1), alone), last=10)
    alone.register_buffer("index", torch.arange(1000))
    assert same(model, alone)
    assert isinstance(average.module, Small)
    assert not average.module.training
    assert model.training
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_training_that_goes_on_from_a_file_ends_with_the_same_bits():
    straight = trained(10)[1]
    model, average, optimizer, _ = trained(4)
    saved = through_a_file({"parts": [part.state_dict() for part in (model, optimizer, average)]})
    assert same(trained(10, first=4, saved=saved)[1], straight)
