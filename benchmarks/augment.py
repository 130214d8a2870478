"""How fast are the same augmentations in Pillow, torchvision, kornia and here? One table, measured side by side.

    python benchmarks/augment.py                    # CPU, 1 and 2 threads; about six minutes, needs kornia
    python benchmarks/augment.py --device cuda      # kornia and ours on the GPU

Chain A: crop, flip, brightness, contrast. B: the same with rotation, hue and erasing. C: resize, then TrivialAugment.
A batch of 128 pictures, which lie decoded in memory as each library takes them, goes through the chain to float32 in
[0, 1]: Pillow images and uint8 tensors one at a time, a uint8 batch in kornia and here. Ours includes the share of a
picture in drawing an epoch of 2,048. kornia's TrivialAugment gives one operation to the whole batch, which is less work
than one to each picture. The arms take turns, so that a machine that slows down does so for all; medians of the rounds.

Memory is what a batch needs at its peak beyond input and output, in sizes of the output.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from weakref import finalize

import numpy as np

ROOM = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
"""Tells glibc to keep memory that was freed: otherwise every arm measures how the kernel hands out pages, too."""

if __name__ == "__main__" and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ROOM)

import torch
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import v2

import ablation
from ablation.augment.apply import apply
from ablation.augment.chain import chain
from ablation.augment.draws import draw

BATCH, ROUNDS = 128, 7
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
    augment = kornia_chain(name, size)
    steps = chain(draw(OURS[name], 0, 0, aspect, size))
    place = itertools.count()

    def ours() -> Tensor:
        rows = np.arange(BATCH) + next(place) * BATCH % EPOCH
        return apply(steps, batch, rows, size)

    found = {"kornia, batched": lambda: augment(batch.float() / 255), "ours": ours}
    if device.type == "cuda":
        return found
    as_float = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    pictures, tensors = [Image.fromarray(one.transpose(1, 2, 0)) for one in pixels], list(batch)
    on_pictures, on_tensors = torchvision_chain(name, size, as_float), torchvision_chain(name, size, as_float[1:])
    return {
        "Pillow, per image": lambda: torch.stack([on_pictures(one) for one in pictures]),
        "torchvision, per image": lambda: torch.stack([on_tensors(one) for one in tensors]),
        **found,
    }


def milliseconds(run: Callable[[], Tensor], device: torch.device) -> float:
    """What one call takes, for one picture of the batch."""
    started = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) * 1000 / BATCH


def drawing(name: str, epoch: int, size: int) -> float:
    """What our draws take, for one picture: they are made for an epoch at once, on the host."""
    started = time.perf_counter()
    chain(draw(OURS[name], 0, epoch, np.ones(EPOCH, np.float32), size))
    return (time.perf_counter() - started) * 1000 / EPOCH


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


def measure(device: torch.device, threads: int, rounds: int) -> None:
    """Print a table of milliseconds an image, and how many times faster than each other arm ours is."""
    torch.set_num_threads(threads)
    print(f"\n{'chain':6}{'pixels':>11}  {'arm':24}{'ms/image':>10}{'images/s':>11}{'ours is':>10}{'memory':>9}")
    for name in OURS:
        for source, size in SIZES if device.type == "cpu" else ((256, 224),):
            runs = arms(name, source, size, device)
            for run in runs.values():
                run()
            taken = {arm: [] for arm in runs}
            for turn in range(rounds):
                for arm, run in runs.items():
                    taken[arm].append(milliseconds(run, device))
                taken["ours"][-1] += drawing(name, turn, size)
            median = {arm: statistics.median(times) for arm, times in taken.items()}
            for arm, time_each in median.items():
                memory = f"{extra_memory(runs[arm], size, device):.2f}" if "per image" not in arm else ""
                faster = "" if arm == "ours" else f"{time_each / median['ours']:.2f} x"
                shown = f"{name:6}{f'{source} > {size}':>11}  {arm:24}{time_each:10.3f}{1000 / time_each:11,.0f}"
                print(f"{shown}{faster:>10}{memory:>9}", flush=True)


def processor() -> str:
    """What the CPU calls itself."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    device = torch.device(options.device)
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    print(f"{machine}; torch {torch.__version__}; batch of {BATCH}, median of {options.rounds}")
    for threads in options.threads if device.type == "cpu" else options.threads[:1]:
        print(f"\n{threads} thread{'s' * (threads > 1)}")
        measure(device, threads, options.rounds)


if __name__ == "__main__":
    main()
