"""Passes that are recorded once and replayed, here by a capture that calls the recorded function again."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ablation import SAM, SGD, Adam, Execution, Lookahead, MixUp
from ablation.core.seeds import torch_stream
from ablation.models.classifier import Classifier
from ablation.models.networks import build
from ablation.optim import build_optimizer
from ablation.training import step
from ablation.training.step import Passes, passes_of

pytestmark = pytest.mark.usefixtures("one_thread")

BATCH, CLASSES = 8, 4
NOT_RECORDED = "the steps ran eagerly: they cannot be recorded as a graph ({})"
OTHER_BITS = "the steps ran eagerly: replayed as a graph, the first did not have the bits of the eager ones"


def network(seed=0, model="shallow_cnn", **options):
    return build(model, CLASSES, 0.5, seed, **options).train()


def batches(*sizes):
    with torch_stream(5, "batches"):
        return [(torch.randn(size, 3, 8, 8), torch.randint(CLASSES, (size,))) for size in sizes]


def calling(model, spoil=lambda gradients: None):
    """A capture that computes the recorded function again at each replay, into the tensors of the first time."""
    captures = []

    def capture(work):
        parameters = [one for one in model.parameters() if one.requires_grad]
        answer = work()
        gradients = [one.grad for one in parameters]
        captures.append(answer)

        def replay():
            again = work()
            for kept, new in zip([*answer, *gradients], [*again, *(one.grad for one in parameters)], strict=True):
                kept.copy_(new)
            with torch.no_grad():
                spoil(gradients)

        return answer, replay

    return capture, captures


def passes(model, capture=None, **options):
    return Passes(model, nullcontext, BATCH, capture=capture, **options)


MOMENTUM = SGD(lr=0.1, momentum=0.9)


def trained(own, data, optimizer=MOMENTUM):
    """What a training leaves: losses and first logits, parameters, buffers, gradients, and the generator."""
    stepper, left = build_optimizer(optimizer, own.model), []
    with torch_stream(0, "dropout"):
        for images, targets in data:
            answers = []

            def closure(images=images, targets=targets, answers=answers):
                loss, logits = own(images, targets)
                answers.append(logits)
                return loss

            left += [stepper.step(closure), answers[0]]
        left.append(torch.get_rng_state())
    gradients = [one.grad for one in own.model.parameters()]
    return [one.clone() for one in (*left, *own.model.parameters(), *own.model.buffers(), *gradients)]


def same(one, other):
    return len(one) == len(other) and all(map(torch.equal, one, other))


@pytest.mark.parametrize("optimizer", [MOMENTUM, SAM(SGD(lr=0.1), rho=0.05)], ids=["sgd", "sam"])
@pytest.mark.parametrize(
    "options", [{}, {"model": "resnet18", "stem": "small", "stochastic_depth": 0.5}], ids=["cnn", "resnet"]
)
def test_replayed_passes_train_as_eager_ones_do(options, optimizer):
    data = batches(BATCH, BATCH, 3, BATCH)
    capture, captures = calling(model := network(**options))
    own = passes(model, capture)
    replayed = trained(own, data, optimizer)
    assert same(replayed, trained(passes(network(**options)), data, optimizer))
    assert (len(captures), own.notes) == (1, [])


def test_replayed_passes_weigh_mixed_labels_by_the_weights_of_their_run():
    """A graph reads them where they were when it was recorded."""
    data = [(images, torch.rand(len(images), CLASSES).softmax(dim=1)) for images, _ in batches(BATCH, BATCH)]
    weights = [torch.tensor([0.5, 3.0, 1.0, 2.0]), torch.tensor([4.0, 0.1, 1.0, 0.3])]
    capture, captures = calling(model := network())
    own = passes(model, capture, weight=weights[0].clone())
    at = own.weight.data_ptr()
    for weight in weights:
        own.weigh(weight)
        own.begin(network())
        assert own.weight.data_ptr() == at
        assert same(trained(own, data), trained(passes(network(), weight=weight), data))
    assert (len(captures), own.notes) == (1, [])


def test_gradients_are_those_of_one_pass_in_the_same_memory():
    (first, second, few) = batches(BATCH, BATCH, 3)
    own = passes(model := network(), calling(model)[0])
    weight = model.head.weight
    own(*first)
    at, was = weight.grad.data_ptr(), weight.grad.clone()
    own(*few)
    assert weight.grad.data_ptr() != at
    own(*second)
    assert weight.grad.data_ptr() == at
    assert not torch.equal(weight.grad, was)


def test_labels_and_probabilities_are_recorded_apart():
    (_, labels), (others, _) = batches(BATCH, BATCH)
    capture, captures = calling(model := network())
    own, eager = passes(model, capture, label_smoothing=0.1), passes(network(), label_smoothing=0.1)
    for targets in (labels, torch.full((BATCH, CLASSES), 1 / CLASSES), labels):
        with torch_stream(0, "dropout"):
            got = own(others, targets)
        with torch_stream(0, "dropout"):
            assert same(got, eager(others, targets))
    assert len(captures) == 2


def test_what_cannot_be_recorded_runs_eagerly_and_says_so_once():
    def refuses(work):
        work()
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    data = batches(BATCH, BATCH)
    own = passes(network(), refuses)
    assert same(trained(own, data), trained(passes(network()), data))
    assert own.notes == [NOT_RECORDED.format("RuntimeError: operation not permitted when stream is capturing")]


def test_a_pass_that_fails_by_itself_is_no_matter_of_the_recording():
    own = passes(model := network(), calling(model)[0])
    with pytest.raises(IndexError):
        own(batches(BATCH)[0][0], torch.full((BATCH,), CLASSES))


@pytest.mark.parametrize("what", ["a gradient", "a buffer", "the generator"])
def test_a_replay_with_other_bits_is_not_used(what):
    model = network()
    spoils = {
        "a gradient": lambda gradients: gradients[-1].mul_(1 + 2**-20),
        "a buffer": lambda _: next(model.buffers()).mul_(1 + 2**-20),
        "the generator": lambda _: torch.empty(1).bernoulli_(),
    }
    own, data = passes(model, calling(model, spoils[what])[0]), batches(BATCH, BATCH)
    assert same(trained(own, data), trained(passes(network()), data))
    assert own.notes == [
        "the steps ran eagerly: replayed as a graph, the first did not have the bits of the eager ones"
    ]


class Counting(nn.Module):
    """Answers otherwise at each call, by a count that no graph has."""

    def __init__(self):
        super().__init__()
        self.calls, self.flat, self.layer = 0, nn.Flatten(), nn.Linear(192, CLASSES)

    def forward(self, images):
        self.calls += 1
        return self.layer(self.flat(images)) * (1 if self.calls < 3 else 2)


def test_a_network_that_counts_its_calls_is_not_replayed():
    """As a graph would: what a replay writes is what was recorded."""
    body = Counting()
    model = Classifier(body, CLASSES, CLASSES, 0.0)

    def capture(work):
        at = body.calls
        inner, _ = calling(model)
        answer, replay = inner(work)

        def frozen():
            now, body.calls = body.calls, at
            replay()
            body.calls = now

        return answer, frozen

    own = passes(model, capture)
    own(*batches(BATCH)[0])
    assert own.notes == [OTHER_BITS]


def test_a_network_of_the_same_shape_is_trained_in_the_same_memory(monkeypatch):
    monkeypatch.setattr(step, "_KEPT", {})
    data, made = batches(BATCH, 3), []

    def make(fresh):
        capture, captures = calling(fresh)
        made.append(captures)
        return passes(fresh, capture)

    ends = []
    for seed in (0, 1, 0):
        own = passes_of(network(seed), ("cnn", BATCH), make)
        AveragedModel(own.model)  # which copies it, gradients and all
        assert all(one.grad is None for one in own.model.parameters())
        ends.append(trained(own, data))
        assert same(ends[-1], trained(passes(network(seed)), data))
        assert own.notes == []
    assert [len(captures) for captures in made] == [1]
    assert same(ends[0], ends[2])
    assert not same(ends[0], ends[1])


def test_another_shape_is_made_anew_and_few_are_kept(monkeypatch):
    monkeypatch.setattr(step, "_KEPT", {})
    for number in range(step.KEPT + 2):
        fresh = network()
        assert passes_of(fresh, number, passes).model is fresh
        assert len(step._KEPT) <= step.KEPT
    assert passes_of(network(), number, passes).model is fresh
    assert passes_of(fresh, None, passes).model is passes_of(fresh, None, passes).model is fresh
    assert None not in step._KEPT


def test_after_a_failed_recording_the_others_are_made_anew(monkeypatch):
    """They are bound to a state of the generator that is given up."""
    monkeypatch.setattr(step, "_KEPT", {})
    capture, captures = calling(model := network())
    good = passes_of(model, "good", lambda fresh: passes(fresh, capture))
    data = batches(BATCH)
    good(*data[0])
    bad = passes_of(network(), "bad", lambda fresh: passes(fresh, lambda work: 1 / 0))
    bad(*data[0])
    bad(*data[0])
    assert bad.notes == [
        "the steps ran eagerly: they cannot be recorded as a graph (ZeroDivisionError: division by zero)"
    ]
    good(*data[0])
    assert len(captures) == 2


def recalling(device):
    """In place of `cuda_graphs`: the network is that of the passes which are about to be recorded."""

    def capture(work):
        (own,) = (cell.cell_contents for cell in work.__closure__ if isinstance(cell.cell_contents, Passes))
        recorded.append(own)
        return calling(own.model)[0](work)

    recorded = recalling.recorded = []
    return capture


@pytest.mark.parametrize(
    "choice",
    [
        {"dropout": 0.5, "ema": 0.9, "clip_norm": 0.5},
        {"dropout": 0.5, "optimizers": {"o": SAM(SGD(lr=0.05, momentum=0.9))}},
        {"recipes": {"none": (MixUp(),)}, "label_smoothing": 0.1, "optimizers": {"o": Lookahead(Adam())}},
    ],
    ids=["average and clipping", "ascent", "mixed targets and slow weights"],
)
def test_whole_runs_have_the_bits_of_eager_ones(choice, small, trained_once, trained, settled, monkeypatch):
    """As on a GPU, where a graph is what steps are by default. The last of the batches of 32 among 100 is smaller."""
    experiment = replace(small, **choice)
    _, eager, arrays = trained_once(experiment)
    monkeypatch.setattr(step, "_KEPT", {})
    monkeypatch.setattr("ablation.training.setup.cuda_graphs", recalling)
    monkeypatch.setattr(Execution, "on", lambda self, device, model: Execution("graph", "channels_last"))
    for _ in range(2):  # the second one in the memory of the first
        _, record, others = trained(experiment)
        assert record.digest(others) == eager.digest(arrays)
        assert (record.notes, record.environment) == (eager.notes, eager.environment)
        assert len(recalling.recorded) == 1


@pytest.mark.slow
def test_compiled_passes_train_and_repeat(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(step, "_KEPT", {})
    data, ends = batches(BATCH, BATCH, 3), []
    for seed in (0, 1, 0):
        own = passes_of(network(seed), "cnn", lambda fresh: passes(fresh, compiled=True))
        ends.append(trained(own, data))
    assert same(ends[0], ends[2]), "the same network again, by the same kernels"
    eager = trained(passes(network()), data[:1])
    compiled = trained(passes(network(), compiled=True), data[:1])
    assert torch.allclose(eager[0], compiled[0], rtol=0.2), "dropout draws otherwise"
    assert replace(own, compiled=False).forward is own.model
