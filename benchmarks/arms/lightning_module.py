"""Arm C: the same pipeline and network in Lightning, for one run.

    python lightning_module.py SETTINGS.json

A LightningModule with a step for each part and a Trainer, as Lightning's guide has it, without what would only cost it
time here: no logger, no checkpoint, no progress bar, no model summary, no sanity check of the validation part.
"""

from __future__ import annotations

import logging
import warnings

import lightning
import pipeline
import torch
from torch import Tensor, nn


class Classifier(lightning.LightningModule):
    """The network with its steps and its optimizer."""

    def __init__(self, settings: dict, count: pipeline.Count):
        super().__init__()
        self.model, self.settings, self.count = pipeline.network(settings), settings, count
        self.criterion = nn.CrossEntropyLoss()

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        images, labels = batch
        self.count.step(images)
        loss = self.criterion(self.model(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        images, labels = batch
        logits = self.model(images)
        self.log("val_loss", self.criterion(logits, labels))
        self.log("val_accuracy", (logits.argmax(1) == labels).float().mean())
        self.count.validated += len(images)

    def test_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        images, labels = batch
        self.count.right += int((self.model(images).argmax(1) == labels).sum())
        self.count.tested += len(images)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.settings["lr"], momentum=0.9)


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    settings, _ = pipeline.arguments()
    lightning.seed_everything(settings["seed"], workers=True)
    clean, count = pipeline.tested_transform(settings), pipeline.Count()
    train = pipeline.loader(settings, "train", pipeline.trained_transform(settings))
    val, test = pipeline.loader(settings, "val", clean), pipeline.loader(settings, "test", clean)
    trainer = lightning.Trainer(
        max_epochs=settings["epochs"],
        accelerator="auto",
        devices=1,
        precision="bf16-mixed" if torch.cuda.is_available() else "32-true",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    module = Classifier(settings, count)
    trainer.fit(module, train, val)
    trainer.test(module, test, verbose=False)
    count.tell()


if __name__ == "__main__":
    main()
