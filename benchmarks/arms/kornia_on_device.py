"""Arm D: augmentation of whole batches on the device by kornia, in a plain loop, for one run.

    python kornia_on_device.py SETTINGS.json

The workers decode, resize to a square somewhat larger than the network takes, and batch; crop, flip, brightness,
contrast and normalisation are kornia's, on the batch, with parameters of its own for each image. The crop is taken by
slicing, the faster of kornia's two ways.
"""

from __future__ import annotations

import kornia.augmentation as augmentation
import pipeline
import torch
from torch import Tensor, nn
from torchvision import transforms


def augmenter(settings: dict) -> nn.Module:
    """The chain on a batch (B, 3, H, W) in [0, 1]."""
    side, brightness, contrast = settings["side"], settings["brightness"], settings["contrast"]
    return augmentation.AugmentationSequential(
        augmentation.RandomResizedCrop((side, side), scale=tuple(settings["scale"]), cropping_mode="slice"),
        augmentation.RandomHorizontalFlip(p=0.5),
        augmentation.RandomBrightness((1 - brightness, 1 + brightness), p=1.0),
        augmentation.RandomContrast((1 - contrast, 1 + contrast), p=1.0),
        augmentation.Normalize(torch.tensor(pipeline.MEAN), torch.tensor(pipeline.STD)),
    )


def main() -> None:
    settings, _ = pipeline.arguments()
    torch.manual_seed(settings["seed"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    square = settings["side"] * 8 // 7
    decoded = transforms.Compose([transforms.Resize((square, square)), transforms.ToTensor()])
    clean = pipeline.tested_transform(settings)
    train = pipeline.loader(settings, "train", decoded)
    val, test = pipeline.loader(settings, "val", clean), pipeline.loader(settings, "test", clean)
    model, augment = pipeline.network(settings).to(device), augmenter(settings).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings["lr"], momentum=0.9)
    criterion, count = nn.CrossEntropyLoss(), pipeline.Count()

    def autocast() -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")

    def right(images: Tensor, labels: Tensor) -> int:
        with torch.inference_mode(), autocast():
            logits = model(images.to(device, non_blocking=True))
            criterion(logits, labels.to(device)).item()
            return int((logits.argmax(1) == labels.to(device)).sum())

    for _ in range(settings["epochs"]):
        model.train()
        for images, labels in train:
            count.step(images)
            with torch.no_grad():
                augmented = augment(images.to(device, non_blocking=True))
            optimizer.zero_grad()
            with autocast():
                loss = criterion(model(augmented), labels.to(device, non_blocking=True))
            loss.backward()
            optimizer.step()
            loss.item()
        model.eval()
        for images, labels in val:
            right(images, labels)
            count.validated += len(images)
    for images, labels in test:
        count.right += right(images, labels)
        count.tested += len(images)
    count.tell()


if __name__ == "__main__":
    main()
