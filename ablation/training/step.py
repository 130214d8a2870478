"""One pass forward and backward: as it is written, compiled, or replayed as a CUDA graph.

A network of a few hundred operations keeps the host busier than the GPU. A graph is recorded once and then started with
one call; what it computes is what was recorded, so its bits are those of the eager pass. That is held to at the first
batch: where one bit of the loss, the logits, a gradient, a buffer or a generator is another, or where a network cannot
be recorded, its passes run eagerly, and a note says why. Knows nothing of optimizers: they read `.grad` as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ablation.core.errors import reason_of
from ablation.models.classifier import Classifier

Answer = tuple[Tensor, Tensor]
"""The loss () and the logits (B, C), without history."""

Work = Callable[[], Answer]
Capture = Callable[[Work], tuple[Answer, Callable[[], None]]]
"""Records `work`: what it answers, and a function that computes it anew, into the same tensors and gradients."""

WARM_UP = 3
"""Passes before a recording, in which libraries choose their kernels and get their workspaces."""

KEPT = 3
"""Networks of which a worker keeps what was recorded or compiled: a graph keeps the activations of a batch."""


@dataclass(eq=False)
class Passes:
    """Passes of one network; the gradients are left in `.grad`, of this pass alone.

    compiled: by torch.compile. batch_size: of the batches that are compiled and recorded; smaller ones run eagerly.
    capture: None where nothing is recorded.
    """

    model: Classifier
    precision: Callable[[], AbstractContextManager[Any]]
    batch_size: int
    label_smoothing: float = 0.0
    compiled: bool = False
    capture: Capture | None = None
    weight: Tensor | None = None
    """(C,) of the classes in the loss; None: all alike."""
    notes: list[str] = field(default_factory=list)
    """Why passes were not replayed, for the run's record."""
    recorded: dict[Hashable, Recorded | str] = field(default_factory=dict)
    """By the kind of a batch; a sentence where it cannot be recorded."""

    def __post_init__(self) -> None:
        self.trained = tuple(one for one in self.model.parameters() if one.requires_grad)
        self.forward: Callable[[Tensor], Tensor] = (
            torch.compile(self.model, dynamic=False) if self.compiled else self.model
        )

    def __call__(self, images: Tensor, targets: Tensor) -> Answer:
        """The answer to images (B, 3, S, S), normalised; targets: labels (B,) or probabilities (B, C)."""
        if len(images) != self.batch_size:
            return self._compute(self.model, images, targets)
        if self.capture is None:
            return self._compute(self.forward, images, targets)
        kind = (images.shape, images.stride(), targets.shape, targets.dtype)
        if kind not in self.recorded:
            self.recorded[kind] = self._record(self.capture, images, targets)
        recorded = self.recorded[kind]
        if isinstance(recorded, Recorded):
            return recorded(images, targets)
        if recorded not in self.notes:
            self.notes.append(recorded)
        return self._compute(self.forward, images, targets)

    def _compute(self, forward: Callable[[Tensor], Tensor], images: Tensor, targets: Tensor) -> Answer:
        for parameter in self.trained:
            parameter.grad = None
        with self.precision():
            logits = forward(images)
            loss = cross_entropy(logits.float(), targets, self.weight, self.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), logits.detach()

    def _record(self, capture: Capture, images: Tensor, targets: Tensor) -> Recorded | str:
        """Record a pass and hold it to the eager one; afterwards network and generators are as they were."""
        inputs = images.clone(), targets.clone()
        expected = self._left_by(lambda: self._compute(self.forward, images, targets))
        try:
            with self._put_back():
                answer, replay = capture(lambda: self._compute(self.forward, *inputs))
                gradients = tuple((one, one.grad) for one in self.trained)
            recorded = Recorded(*inputs, *answer, gradients, replay)
            got = self._left_by(lambda: recorded(images, targets))
        except Exception as error:  # whatever a network does that cannot be recorded; the eager passes have just worked
            _forget(self, images.device)
            return f"the steps ran eagerly: they cannot be recorded as a graph ({reason_of(error)})"
        if len(got) == len(expected) and all(map(_same_bits, got, expected)):
            return recorded
        return "the steps ran eagerly: replayed as a graph, the first did not have the bits of the eager ones"

    def _left_by(self, work: Work) -> list[Tensor]:
        """What two passes leave: answers, gradients, buffers, states of generators. Two, as a network may count."""
        left: list[Tensor] = []
        with self._put_back() as devices:
            for _ in range(2):
                answer = work()
                gradients = [one.new_empty(0) if one.grad is None else one.grad for one in self.trained]
                left += [one.detach().clone() for one in (*answer, *gradients, *self.model.buffers())]
                left += [torch.get_rng_state(), *map(torch.cuda.get_rng_state, devices)]
        return left

    @contextmanager
    def _put_back(self) -> Iterator[list[torch.device]]:
        """The network and the generators are as before after this block; yields the devices, other than the CPU."""
        states = [*self.model.parameters(), *self.model.buffers()]
        before = [state.detach().clone() for state in states]
        devices = [states[0].device] if states[0].device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices=devices):
                yield devices
        finally:
            with torch.no_grad():
                for state, was in zip(states, before, strict=True):
                    state.copy_(was)

    def weigh(self, weight: Tensor | None) -> None:
        """Give the classes these weights (C,) in the loss: in place, where recordings read them."""
        if self.weight is None or weight is None:
            self.weight = weight
        else:
            self.weight.copy_(weight)

    def begin(self, fresh: Classifier) -> None:
        """Make the network what `fresh`, of the same shape, is: in place, where recordings and kernels expect it."""
        mine, others = _tensors(self.model), _tensors(fresh)
        with torch.no_grad():
            for name, tensor in others.items():
                mine[name].copy_(tensor)
        for parameter in self.model.parameters():
            parameter.grad = None
        self.model.loaded, self.notes = fresh.loaded, []


def cross_entropy(logits: Tensor, targets: Tensor, weight: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """() torch's cross-entropy of logits (B, C), averaged over a batch by the weights (C,) of the classes.

    targets: labels (B,), or probabilities (B, C) as MixUp and CutMix make them. With weights w both are the sum over
    images i and classes c of w[c] q[i, c] (-log softmax(logits)[i, c]), over the sum of w[c] p[i, c]: p are the targets
    as probabilities, and q = (1 - smoothing) p + smoothing / C. That is what torch computes for labels. For
    probabilities it divides by B instead, and the scale of the loss would be another with mixing than without.
    """
    if weight is None or not targets.is_floating_point():
        return functional.cross_entropy(logits, targets, weight, label_smoothing=smoothing)
    total = functional.cross_entropy(logits, targets, weight, reduction="sum", label_smoothing=smoothing)
    return total / (targets * weight).sum()  # no `@`, which autocast would round to bfloat16


@dataclass(frozen=True)
class Recorded:
    """A recorded pass: it reads `images` and `targets`, and writes all else, always in the same memory."""

    images: Tensor
    targets: Tensor
    loss: Tensor
    logits: Tensor
    gradients: tuple[tuple[nn.Parameter, Tensor | None], ...]
    replay: Callable[[], None]

    def __call__(self, images: Tensor, targets: Tensor) -> Answer:
        self.images.copy_(images)
        self.targets.copy_(targets)
        self.replay()
        for parameter, gradient in self.gradients:
            if parameter.grad is not gradient:  # an eager pass has left its own
                parameter.grad = gradient
        return self.loss.clone(), self.logits.clone()  # the next replay, as of SAM, writes over them


_KEPT: dict[Hashable, Passes] = {}


def passes_of(fresh: Classifier, key: Hashable, make: Callable[[Classifier], Passes]) -> Passes:
    """Passes for the network `fresh`: those that were made for one of the same `key`, or new ones.

    The network of passes that were made before is overwritten: its run is over. key: None where none are kept.
    """
    passes = _KEPT.pop(key, None)
    if passes is None:
        passes = make(fresh)
    else:
        passes.begin(fresh)
    if key is not None:
        if len(_KEPT) >= KEPT:
            if any(one.compiled for one in _KEPT.values()):
                torch.compiler.reset()  # it compiles a function a few times only, and then calls it as it is
            _KEPT.clear()
        _KEPT[key] = passes
    return passes


def cuda_graphs(device: torch.device) -> Capture:
    """What records passes on `device` as CUDA graphs, which share one pool of memory, as one runs at a time."""
    pool = torch.cuda.graph_pool_handle()

    def capture(work: Work) -> tuple[Answer, Callable[[], None]]:
        here = torch.cuda.current_stream(device)
        with torch.cuda.device(device), torch.cuda.stream(here):  # which is current again, should recording fail
            graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(here)
            with torch.cuda.stream(side):
                for _ in range(WARM_UP):
                    work()
            here.wait_stream(side)
            try:
                with torch.cuda.graph(graph, pool=pool, stream=side, capture_error_mode="thread_local"):
                    answer = work()
            except Exception:
                _FAILED.append(graph)
                with suppress(Exception):  # where torch itself has ended it
                    torch._C._cuda_endAllocateToPool(torch.cuda.current_device(), pool)
                raise
        return answer, graph.replay

    return capture


_FAILED: list[torch.cuda.CUDAGraph] = []
"""Graphs whose recording failed. Torch's allocator may still look at them, so they are not freed."""


def _forget(failed: Passes, device: torch.device) -> None:
    """After a recording that failed: torch's generator may still think that it is recorded, so it gets another state.

    Graphs are bound to the state that it had: they are recorded anew where they are needed again.
    """
    for passes in (failed, *_KEPT.values()):
        passes.recorded = {kind: one for kind, one in passes.recorded.items() if isinstance(one, str)}
    if device.type == "cuda":
        generator = torch.cuda.default_generators[device.index or 0]
        generator.graphsafe_set_state(generator.clone_state())


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, also those that are not in `state_dict`."""
    named: Iterable[tuple[str, Tensor]] = (*model.named_parameters(), *model.named_buffers())
    return dict(named)


def _same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same to the last bit; NaN is NaN."""
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    return torch.equal(one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8))
