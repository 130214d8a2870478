"""SAM and Lookahead against their papers, written out plainly."""

import pytest
import torch
from stepped import closure_of, network, stepped
from torch import nn

from ablation.optim import SAM, SGD, AdamW, Lookahead, Muon, build_optimizer

RHO = 0.3
INNER = SGD(0.1, momentum=0.9)  # Adam would make a step of the rounding error of a bias that batch norm undoes


def flat(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def slope_at(weights: torch.Tensor, step: int) -> torch.Tensor:
    """The gradient of the loss of `step` at these weights: of a network made for the purpose."""
    model = network()
    nn.utils.vector_to_parameters(weights, model.parameters())
    closure_of(model, step)()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("adaptive", [False, True])
def test_sam_is_the_papers_equation_two(adaptive):
    """w <- w - lr (g(w + e) + wd w), e = rho g / |g|; adaptive: e = rho w^2 g / | |w| g |."""
    model = network()
    weights, lr, decay = flat(model), 0.1, 0.01
    optimizer = build_optimizer(SAM(SGD(lr, weight_decay=decay, decay_norm_and_bias=True), RHO, adaptive), model)
    for step in range(20):
        slope = slope_at(weights, step)
        up = weights**2 * slope / (weights.abs() * slope).norm() if adaptive else slope / slope.norm()
        weights = weights - lr * (slope_at(weights + RHO * up, step) + decay * weights)
        stepped(model, optimizer, step, step + 1)
    torch.testing.assert_close(flat(model), weights, rtol=1e-4, atol=1e-5)
    plain = network()
    stepped(plain, build_optimizer(SGD(lr, weight_decay=decay, decay_norm_and_bias=True), plain))
    assert (flat(model) - flat(plain)).abs().max() > 0.01


def test_sam_returns_the_loss_of_the_weights_it_found_and_keeps_the_running_statistics_of_that_pass():
    model, once = network(), network()
    loss = build_optimizer(SAM(SGD(0.1), RHO), model).step(closure_of(model))
    assert float(loss) == float(closure_of(once)())
    assert torch.equal(model.backbone[1].running_mean, once.backbone[1].running_mean)
    assert int(model.backbone[1].num_batches_tracked) == 1


def test_sam_steps_from_where_it_began_to_the_last_bit():
    """Steps too small to move a weight leave each where it was (a bias of 0 beside it): the way up leaves no trace."""
    model = network()
    stepped(model, build_optimizer(SAM(SGD(1e-30), RHO), model))
    torch.testing.assert_close(flat(model), flat(network()), rtol=0, atol=1e-25)


@pytest.mark.parametrize(("k", "alpha"), [(5, 0.5), (3, 0.8), (1, 1.0)])
def test_lookahead_is_the_papers_algorithm_one(k, alpha):
    model, fast = network(), network()
    stepped(model, build_optimizer(Lookahead(INNER, k, alpha), model))
    within, slow = build_optimizer(INNER, fast), flat(network())
    for step in range(20):
        stepped(fast, within, step, step + 1)
        if step % k == k - 1:
            slow = slow + alpha * (flat(fast) - slow)
            nn.utils.vector_to_parameters(slow.clone(), fast.parameters())
    torch.testing.assert_close(flat(model), flat(fast), rtol=0, atol=1e-6)
    plain = network()
    stepped(plain, build_optimizer(INNER, plain))
    assert torch.allclose(flat(model), flat(plain), atol=1e-4) == (alpha == 1.0)


def test_a_closure_is_called_once_and_by_sam_twice():
    for optimizer, calls in [(SGD(0.1), 1), (Lookahead(SGD(0.1)), 1), (Muon(), 1), (SAM(Muon()), 2)]:
        model, losses = network(), []
        closure = closure_of(model)
        stepper = build_optimizer(optimizer, model)
        first = stepper.step(lambda closure=closure, losses=losses: losses.append(closure()) or losses[-1])
        assert len(losses) == calls
        assert first is losses[0]


@pytest.mark.parametrize("optimizer", [SAM(Muon()), Lookahead(SGD(0.1))])
def test_gradients_are_zeroed_through_all_layers(optimizer):
    model = network()
    stepper = build_optimizer(optimizer, model)
    closure_of(model)()
    stepper.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("optimizer", [SAM(SGD(0.1)), Lookahead(AdamW(0.01)), Muon()])
def test_steps_on_a_gpu_are_those_on_a_cpu(optimizer):
    """And what a checkpoint holds on the CPU is put back on the device."""
    here, there = network(), network().cuda()
    ours, theirs = build_optimizer(optimizer, here), build_optimizer(optimizer, there)
    images, labels = torch.linspace(-1, 1, 8 * 3 * 16).sin().view(8, 3, 4, 4), torch.arange(8) % 3

    def closure(model, device):
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(images.to(device)), labels.to(device))
        loss.backward()
        return loss

    for _ in range(6):
        ours.step(lambda: closure(here, "cpu"))
        theirs.step(lambda: closure(there, "cuda"))
        theirs.load_state_dict(ours.state_dict())
        there.load_state_dict(here.state_dict())
    ours.step(lambda: closure(here, "cpu"))
    theirs.step(lambda: closure(there, "cuda"))
    torch.testing.assert_close(flat(there).cpu(), flat(here), rtol=1e-2, atol=1e-2)
