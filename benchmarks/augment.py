"""How fast are the same augmentations in Pillow, torchvision, kornia and here? One table, measured side by side.

    python benchmarks/augment.py                          # CPU, 1 and 2 threads; about six minutes
    python benchmarks/augment.py --chains A --threads 1   # one of the chains; --without leaves arms out
    python benchmarks/augment.py --device cuda            # kornia and ours on the GPU

Chain A: crop, flip, brightness, contrast. B: the same with rotation, hue and erasing. C: resize, then TrivialAugment.
A batch of 128 pictures, which lie decoded in memory as each library takes them, goes through the chain to float32 in
[0, 1]: Pillow images and uint8 tensors one at a time, a uint8 batch in kornia and here. Ours includes the share of a
picture in drawing an epoch of 2,048. kornia's TrivialAugment gives one operation to the whole batch, which is less work
than one to each picture; where kornia is not installed, it is left out. The arms take turns, so that a machine that
slows down does so for all; medians of the rounds, and the ratio to ours within each round. The table's numbers go to
benchmarks/results/ as JSON.

Memory is what a batch needs at its peak beyond input and output, in sizes of the output.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from weakref import finalize

import numpy as np

ROOM = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
"""Tells glibc to keep memory that was freed: otherwise every arm measures how the kernel hands out pages, too."""

if __name__ == "__main__" and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ROOM)

sys.path.insert(0, str(Path(__file__).parent))  # where this file is loaded as a module

import measure
import torch
from measure import Measurement, number, reach
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import v2

import ablation
from ablation.augment.apply import apply
from ablation.augment.chain import chain
from ablation.augment.draws import draw

BATCH, ROUNDS = 128, 7
TORCHVISION, KORNIA, OURS_ARM = "torchvision, per image", "kornia, batched", "ours"
EPOCH = 16 * BATCH
SIZES = ((256, 196), (96, 64))
SCALE = (0.35, 1.0)

OURS = {
    "A": (
        ablation.RandomResizedCrop(SCALE), ablation.RandomHorizontalFlip(),
        ablation.Brightness(0.4), ablation.Contrast(0.4),
    ),
    "B": (
        ablation.RandomResizedCrop(SCALE), ablation.RandomHorizontalFlip(), ablation.RandomRotation(30),
        ablation.Brightness(0.4), ablation.Contrast(0.4), ablation.Hue(0.1), ablation.RandomErasing(p=1),
    ),
    "C": (ablation.TrivialAugmentWide(),),
}  # fmt: skip


def torchvision_chain(name: str, size: int, to_tensor: list[v2.Transform]) -> v2.Transform:
    """The chain in torchvision's transforms; `to_tensor` ends it, erasing comes after."""
    bilinear = v2.InterpolationMode.BILINEAR
    if name == "C":
        return v2.Compose([v2.Resize((size, size)), v2.TrivialAugmentWide(interpolation=bilinear), *to_tensor])
    geometry = [v2.RandomResizedCrop(size, scale=SCALE), v2.RandomHorizontalFlip()]
    color = [v2.ColorJitter(brightness=0.4), v2.ColorJitter(contrast=0.4)]
    if name == "A":
        return v2.Compose([*geometry, *color, *to_tensor])
    turned = [*geometry, v2.RandomRotation(30, interpolation=bilinear), *color, v2.ColorJitter(hue=0.1)]
    return v2.Compose([*turned, *to_tensor, v2.RandomErasing(p=1)])


def kornia_chain(name: str, size: int) -> Callable[[Tensor], Tensor]:
    """The chain in kornia's augmentations."""
    import kornia.augmentation as K

    if name == "C":
        from kornia.augmentation.auto import TrivialAugment

        return torch.nn.Sequential(K.Resize((size, size)), TrivialAugment())
    geometry = [K.RandomResizedCrop((size, size), scale=SCALE, cropping_mode="slice"), K.RandomHorizontalFlip()]
    color = [K.RandomBrightness((0.6, 1.4), p=1.0), K.RandomContrast((0.6, 1.4), p=1.0)]
    if name == "A":
        return K.AugmentationSequential(*geometry, *color)
    return K.AugmentationSequential(
        *geometry, K.RandomRotation(30, p=1.0), *color, K.RandomHue((-0.1, 0.1), p=1.0), K.RandomErasing(p=1.0)
    )


def arms(name: str, source: int, size: int, device: torch.device) -> dict[str, Callable[[], Tensor]]:
    """A function for each library, from pictures in memory to the augmented batch."""
    pixels = np.random.Generator(np.random.Philox(0)).integers(0, 256, (BATCH, 3, source, source), dtype=np.uint8)
    batch = torch.from_numpy(pixels).to(device)
    aspect = np.ones(EPOCH, np.float32)
    steps = chain(draw(OURS[name], 0, 0, aspect, size))
    place = itertools.count()

    def ours() -> Tensor:
        rows = np.arange(BATCH) + next(place) * BATCH % EPOCH
        return apply(steps, batch, rows, size)

    found = {}
    if find_spec("kornia"):
        augment = kornia_chain(name, size)
        found[KORNIA] = lambda: augment(batch.float() / 255)
    found[OURS_ARM] = ours
    if device.type == "cuda":
        return found
    as_float = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    pictures, tensors = [Image.fromarray(one.transpose(1, 2, 0)) for one in pixels], list(batch)
    on_pictures, on_tensors = torchvision_chain(name, size, as_float), torchvision_chain(name, size, as_float[1:])
    return {
        "Pillow, per image": lambda: torch.stack([on_pictures(one) for one in pictures]),
        TORCHVISION: lambda: torch.stack([on_tensors(one) for one in tensors]),
        **found,
    }


def turn(run: Callable[[], Tensor], device: torch.device, share: Callable[[], float]) -> measure.Arm:
    """An arm that measures what one call takes for one picture of the batch, beside a share of something else."""

    def timed() -> dict[str, float]:
        def whole() -> None:
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()

        return {"ms_an_image": measure.timed(whole) * 1000 / BATCH + share()}

    return timed


def drawing(name: str, size: int) -> Callable[[], float]:
    """What our draws take, in milliseconds for one picture: they are made for an epoch at once, on the host."""
    epoch, aspect = itertools.count(), np.ones(EPOCH, np.float32)
    return lambda: measure.timed(lambda: chain(draw(OURS[name], 0, next(epoch), aspect, size))) * 1000 / EPOCH


class Live(TorchDispatchMode):
    """Counts the bytes of tensors that are alive, and the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() not in self.seen:
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        self.seen.add(place)
        self.now += size
        self.most = max(self.most, self.now)
        finalize(storage, self._forget, place, size)

    def _forget(self, place: int, size: int) -> None:
        self.seen.discard(place)
        self.now -= size


def extra_memory(run: Callable[[], Tensor], size: int, device: torch.device) -> float:
    """The peak beyond input and output, in sizes of the output."""
    output = BATCH * 3 * size * size * 4
    if device.type == "cuda":
        run()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before - output) / output
    with Live() as live:
        run()
    return (live.most - output) / output


def compared(measurement: Measurement, name: str, threads: int, options: argparse.Namespace) -> list[list[str]]:
    """Measure the arms of a chain at each size: a row each, with how many times faster than it ours is."""
    device, rows = torch.device(options.device), []
    for source, size in SIZES if device.type == "cpu" else ((256, 224),):
        case = f"{name}, {source} > {size}, {threads} thread{'s' * (threads > 1)}"
        runs = {arm: run for arm, run in arms(name, source, size, device).items() if arm not in options.without}
        draws = drawing(name, size)
        turns = {arm: turn(run, device, draws if arm == OURS_ARM else lambda: 0.0) for arm, run in runs.items()}
        measure.take_turns(measurement, case, turns, options.rounds, options.minutes, warm_up=True)
        for arm, run in runs.items():
            memory = None if "per image" in arm else extra_memory(run, size, device)
            if memory is not None:
                measurement.facts.setdefault(case, {})[arm] = {"memory_in_outputs": measure.significant(memory)}
            taken = measurement.median(case, arm, "ms_an_image")
            ratio = None if arm == OURS_ARM else measurement.compare(case, arm, OURS_ARM, "ms_an_image")
            faster = number(ratio["median"]) if ratio else ""
            cells = [f"{taken:.3f}", faster, reach(ratio) if ratio else "", "" if memory is None else f"{memory:.2f}"]
            rows.append([f"{name} {source} > {size}, {arm}", *cells])
    return rows


def main() -> None:
    parser = measure.parser(__doc__, rounds=ROUNDS)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--chains", nargs="+", choices=list(OURS), default=list(OURS))
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="ARM", help='arms to leave out: "Pillow, per image"'
    )
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    on_cpu = torch.device(options.device).type == "cpu"
    settings = {"batch": BATCH, "device": options.device if on_cpu else torch.cuda.get_device_name(options.device)}
    measurement = Measurement("augment" if on_cpu else "augment-gpu", options, settings)
    print(measure.heading(measurement))
    if not find_spec("kornia"):
        measurement.note("kornia is not installed: its arm is left out")
    for threads in options.threads if on_cpu else options.threads[:1]:
        torch.set_num_threads(threads)
        rows = [row for name in options.chains for row in compared(measurement, name, threads, options)]
        print(f"\n{threads} thread{'s' * (threads > 1)}")
        print(measure.table(["chain, pixels, arm", "ms/image", "ours is x", "min-max", "memory"], rows), flush=True)
    measurement.write()
    print(f"written: {measurement.path.name}")


if __name__ == "__main__":
    main()
