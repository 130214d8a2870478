"""What the reference arms share: the photographs of a list, torchvision's transforms, networks, and what is counted.

Written as torchvision's own guides have it: a dataset that opens a file with Pillow and applies a chain of transforms,
and a DataLoader whose workers do so side by side and stay from epoch to epoch. Knows nothing of this project: it is
what people use instead of it. An arm is a program of its own, started anew for each run, that reads a file of settings:

    {"network": "resnet50", "classes": 12, "side": 64, "batch": 64, "epochs": 2, "seed": 0, "workers": 2, "lr": 0.05,
     "scale": [0.35, 1.0], "brightness": 0.4, "contrast": 0.4, "lists": {"train": FILE, "val": FILE, "test": FILE}}

The lists have a line `path<TAB>label` an image. The arm's last line of output is what it counted, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import models, transforms

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Photographs(Dataset):
    """The images of a list, as torchvision's ImageFolder gives them."""

    def __init__(self, file: str, transform: Any):
        lines = Path(file).read_text("utf-8").splitlines()
        self.samples = [(path, int(label)) for path, label in (line.rsplit("\t", 1) for line in lines)]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.samples[index]
        with Image.open(path) as image:
            return self.transform(image.convert("RGB")), label


def trained_transform(settings: dict[str, Any]) -> transforms.Compose:
    """Crop, flip, brightness, contrast and normalisation of one image."""
    jitter = transforms.ColorJitter(brightness=settings["brightness"], contrast=settings["contrast"])
    crop = transforms.RandomResizedCrop(settings["side"], scale=tuple(settings["scale"]))
    steps = [crop, transforms.RandomHorizontalFlip(), jitter, transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    return transforms.Compose(steps)


def tested_transform(settings: dict[str, Any]) -> transforms.Compose:
    """Resize, centre crop and normalisation of one image."""
    resized = transforms.Resize(settings["side"] * 8 // 7)
    steps = [resized, transforms.CenterCrop(settings["side"]), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    return transforms.Compose(steps)


def loader(settings: dict[str, Any], part: str, transform: Any) -> DataLoader:
    """The batches of a part; those of the training part in another order each epoch."""
    workers = settings["workers"]
    return DataLoader(
        Photographs(settings["lists"][part], transform),
        batch_size=settings["batch"],
        shuffle=part == "train",
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def network(settings: dict[str, Any]) -> nn.Module:
    """torchvision's network without weights, or three convolutions for small images."""
    if settings["network"] != "shallow_cnn":
        return models.get_model(settings["network"], weights=None, num_classes=settings["classes"])
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, settings["classes"]))


class Count:
    """Steps, images, right answers for the test part, and when the first step began."""

    def __init__(self) -> None:
        self.steps = self.trained = self.validated = self.tested = self.right = 0
        self.first_step_at = 0.0

    def step(self, images: Tensor) -> None:
        """Called as a step begins."""
        self.first_step_at = self.first_step_at or time.time()
        self.steps += 1
        self.trained += len(images)

    def tell(self) -> None:
        """Print what was counted, as JSON."""
        counted = {name: getattr(self, name) for name in ("steps", "trained", "validated", "tested", "first_step_at")}
        print(json.dumps(counted | {"accuracy": self.right / max(1, self.tested)}))


def settings_of(argument: str) -> dict[str, Any]:
    """The settings in a file."""
    return json.loads(Path(argument).read_text("utf-8"))


def arguments() -> tuple[dict[str, Any], list[str]]:
    """The settings in the file that the command line names first, and its other words."""
    return settings_of(sys.argv[1]), sys.argv[2:]
