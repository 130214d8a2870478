"""What makes the step of a small network faster on a CPU? Each lever alone, beside the step as it is.

    python benchmarks/levers.py                       # lenet, 12 pixels, batches of 25; shallow_cnn, 32 pixels, of 64
    python benchmarks/levers.py --no-compile          # without torch.compile, which takes a minute first

A step is forward, loss, backward and SGD with momentum on a batch that is there, in this process, with one thread,
torch's deterministic algorithms and channels last in memory, as a worker has it. Counted are milliseconds a step of one
network: of K seeds that take their steps at once, a K-th. The levers:

  foreach, fused      the optimizer's own switches
  unfilled            torch.utils.deterministic.fill_uninitialized_memory off
  contiguous          the other memory format of network and images
  compile             torch.compile of the network; the seconds that it takes at first are printed beside it
  K seeds by vmap     torch.func.stack_module_state, vmap over forward and gradient, one optimizer for all

Batch norm's running means are kept by none of the seeds at once (vmap cannot write to them), which is in their favour.
A column has how far the weights are, after twenty steps, from those of the step as it is: 0 means the same bits.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from functools import partial

import measure
import torch
from measure import Measurement, number, reach
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional

from ablation.models.networks import build, make_deterministic

CASES = {"lenet": (12, 25), "shallow_cnn": (32, 64)}
"""Network -> pixels of a side, images of a batch."""
PLAIN = "as it is"
COLUMNS = ("ms a step", "faster", "min-max", "differs", "first s")
CLASSES, COMPARED = 10, 20

Step = Callable[[], object]


class Lever:
    """A network with what takes its steps. seeds: networks that take theirs at once."""

    def __init__(
        self,
        model: nn.Module,
        step: Step,
        seeds: int = 1,
        around: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ):
        self.model, self.step, self.seeds, self.around = model, step, seeds, around

    def turn(self, steps: int) -> dict[str, float]:
        """Take so many steps: milliseconds of wall clock and of the processor, for one step of one network."""
        with self.around():
            started, processor = time.perf_counter(), time.process_time()
            for _ in range(steps):
                self.step()
            wall, busy = time.perf_counter() - started, time.process_time() - processor
        share = 1000 / (steps * self.seeds)
        return {"ms_a_step": wall * share, "processor_ms_a_step": busy * share}


def batch(network: str) -> tuple[Tensor, Tensor]:
    """Random images and targets, the same each time."""
    side, images = CASES[network]
    random = torch.Generator().manual_seed(0)
    targets = torch.randint(CLASSES, (images,), generator=random)
    return torch.randn(images, 3, side, side, generator=random), targets


def optimizer_of(parameters: Iterator[Tensor] | list[Tensor], **switches: bool) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, **switches)


def single(
    network: str, layout: torch.memory_format = torch.channels_last, compiled: bool = False, **switches: bool
) -> Lever:
    """One network, with the optimizer's switches."""
    model = build(network, CLASSES).to(memory_format=layout)
    images, targets = batch(network)
    images = images.contiguous(memory_format=layout)
    optimizer = optimizer_of(model.parameters(), **switches)
    called = torch.compile(model) if compiled else model
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(called(images), targets).backward()
        optimizer.step()

    return Lever(model, step)


@contextlib.contextmanager
def unfilled() -> Iterator[None]:
    """New tensors are not filled before their first write."""
    before = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = before


def several(network: str, seeds: int) -> Lever:
    """As many networks as seeds, each on the images of its own, by vmap."""
    models = [without_running_means(build(network, CLASSES, seed=seed)).train() for seed in range(seeds)]
    weights, buffers = stack_module_state(models)
    base = copy.deepcopy(models[0]).to("meta")
    one_batch = batch(network)
    images, targets = (tensor.unsqueeze(0).repeat(seeds, *[1] * tensor.ndim) for tensor in one_batch)
    optimizer = optimizer_of(list(weights.values()))

    def loss(own: dict[str, Tensor], kept: dict[str, Tensor], image: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(base, (own, kept), (image,)), target)

    gradients = vmap(grad_and_value(loss), randomness="different")

    def step() -> None:
        found, _ = gradients({name: one.detach() for name, one in weights.items()}, buffers, images, targets)
        for name, one in weights.items():
            one.grad = found[name]
        optimizer.step()

    return Lever(Stacked(weights, base), step, seeds)


class Stacked(nn.Module):
    """The first of several networks, as its parameters stand in the stack of all."""

    def __init__(self, weights: dict[str, Tensor], base: nn.Module):
        super().__init__()
        self.order = [name for name, _ in base.named_parameters()]
        self.weights = weights

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Those of the first network."""
        return (nn.Parameter(self.weights[name][0].detach()) for name in self.order)


def without_running_means(model: nn.Module) -> nn.Module:
    """Batch norm that normalises by the batch and remembers nothing."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
    return model


def distance(one: Lever, other: Lever) -> float:
    """The largest difference of any weight after some steps of both."""
    for lever in (one, other):
        with lever.around():
            for _ in range(COMPARED):
                lever.step()
    pairs = zip(one.model.parameters(), other.model.parameters(), strict=True)
    return max(float((mine - theirs).detach().abs().max()) for mine, theirs in pairs)


def levers(network: str, compiled: bool) -> dict[str, Callable[[], Lever]]:
    """What makes each lever anew."""
    found: dict[str, Callable[[], Lever]] = {
        PLAIN: partial(single, network),
        "foreach": partial(single, network, foreach=True),
        "fused": partial(single, network, fused=True),
        "contiguous": partial(single, network, torch.contiguous_format),
        "4 seeds by vmap": partial(several, network, 4),
        "8 seeds by vmap": partial(several, network, 8),
    }
    if compiled:
        found["compile"] = partial(single, network, compiled=True)

    def without_filling() -> Lever:
        lever = single(network)
        lever.around = unfilled
        return lever

    return found | {"unfilled": without_filling}


def ready(
    name: str, make: Callable[[], Lever], case: str, plain: Callable[[], Lever], measurement: Measurement
) -> Lever | None:
    """The lever after its first steps, with what these took and how its weights differ; None where it cannot be had."""
    facts = measurement.facts.setdefault(case, {}).setdefault(name, {})
    try:
        facts["first_step_seconds"] = round(measure.timed(lambda: make().turn(1)), 3)
        facts["largest_difference_of_a_weight"] = distance(make(), plain())
        return make()
    except Exception as error:  # whatever a compiler or a transform of torch's raises: the others are measured
        measurement.note(
            f"{case}: {name} is left out: {type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"
        )
        return None


def main() -> None:
    """Measure, print the table."""
    parser = measure.parser(__doc__, rounds=11)
    parser.add_argument("--networks", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--steps", type=int, default=40, help="of a turn (%(default)s)")
    parser.add_argument("--no-compile", action="store_true")
    options = parser.parse_args()
    make_deterministic(torch.device("cpu"))
    settings = {
        "networks": options.networks,
        "cases": CASES,
        "steps": options.steps,
        "threads": torch.get_num_threads(),
    }
    measurement = Measurement("levers", options, settings)
    print(measure.heading(measurement))
    tables = []
    for network in options.networks:
        case = f"{network}, {CASES[network][0]} px, batch {CASES[network][1]}"
        makers = levers(network, not options.no_compile)
        made = {name: ready(name, make, case, makers[PLAIN], measurement) for name, make in makers.items()}
        arms = {name: partial(lever.turn, options.steps) for name, lever in made.items() if lever is not None}
        limit = options.minutes / len(options.networks) if options.minutes else None
        measure.take_turns(measurement, case, arms, options.rounds, limit, warm_up=True)
        tables.append(measure.table([case, *COLUMNS], lines(measurement, case, arms)))
    print("\n\n".join(tables))


def lines(measurement: Measurement, case: str, arms: dict[str, measure.Arm]) -> list[list[str]]:
    """A line a lever. The ratio is that of the step as it is to the lever's, so that more is faster."""
    rows = []
    for name in arms:
        faster = measurement.compare(case, PLAIN, name, "ms_a_step")
        measurement.compare(case, PLAIN, name, "processor_ms_a_step")
        facts, taken = measurement.facts[case][name], measurement.median(case, name, "ms_a_step")
        ratio = f"{number(faster['median'])} x" if faster else "-"
        differs = facts["largest_difference_of_a_weight"]
        shown = [number(taken), ratio, reach(faster), f"{differs:.1g}", number(facts["first_step_seconds"])]
        rows.append([name, *shown])
    return rows


if __name__ == "__main__":
    main()
