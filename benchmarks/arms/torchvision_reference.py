"""Arms A and B: a training script in the style of torchvision's references/classification, for one run.

    python torchvision_reference.py SETTINGS.json [channels_last]

Automatic mixed precision where people have it: bfloat16 autocast on a CUDA device, float32 on a CPU. Without the
checkpoint that the reference script writes after each epoch, which costs it nothing here.
"""

from __future__ import annotations

import pipeline
import torch
from torch import nn
from torch.utils.data import DataLoader


def main() -> None:
    settings, words = pipeline.arguments()
    layout = torch.channels_last if "channels_last" in words else torch.contiguous_format
    torch.manual_seed(settings["seed"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    clean = pipeline.tested_transform(settings)
    train = pipeline.loader(settings, "train", pipeline.trained_transform(settings))
    val, test = pipeline.loader(settings, "val", clean), pipeline.loader(settings, "test", clean)
    model = pipeline.network(settings).to(device, memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings["lr"], momentum=0.9)
    criterion, count = nn.CrossEntropyLoss(), pipeline.Count()

    def autocast() -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")

    def right(batches: DataLoader) -> tuple[int, int]:
        model.eval()
        answers = images_seen = 0
        with torch.inference_mode(), autocast():
            for images, labels in batches:
                images = images.to(device, non_blocking=True, memory_format=layout)
                logits = model(images)
                criterion(logits, labels.to(device)).item()
                answers += (logits.argmax(1) == labels.to(device)).sum().item()
                images_seen += len(images)
        return answers, images_seen

    for _ in range(settings["epochs"]):
        model.train()
        for images, labels in train:
            count.step(images)
            images = images.to(device, non_blocking=True, memory_format=layout)
            labels = labels.to(device, non_blocking=True)
            optimizer.zero_grad()
            with autocast():
                loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            loss.item()
        count.validated += right(val)[1]
    count.right, count.tested = right(test)
    count.tell()


if __name__ == "__main__":
    main()
