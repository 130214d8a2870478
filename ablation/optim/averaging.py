"""The average of a network's weights over its training: torch's own `AveragedModel`, set up once for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from torch.optim.swa_utils import AveragedModel


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of `model`, in `.module`, that follows it as the exponential moving average of its parameters.

    Call `update_parameters(model)` after each step: the first call copies, each later one makes
    average = decay x average + (1 - decay) x parameter. That remembers some 1 / (1 - decay) steps, so a training needs
    several times as many, or the average is still near where it began. `state_dict` holds the average and the number of
    updates. The copy is not trained: it is in evaluation mode and asks for no gradients.

    The running statistics of batch norm are averaged alike: those of the model itself belong to other weights, and with
    them an average can fall to the accuracy of chance. Whole numbers (counts of batches, tables of indices) are copied.
    """
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    moving_average = get_ema_multi_avg_fn(decay)

    def follow(averages: Any, currents: Any, updates: Any) -> None:
        """torch calls this for the tensors of each kind of number; its own function rounds whole numbers down."""
        if averages[0].is_floating_point():
            moving_average(averages, currents, updates)
        else:
            for average, current in zip(averages, currents, strict=True):
                average.copy_(current)

    return AveragedModel(model, multi_avg_fn=follow, use_buffers=True).requires_grad_(False).eval()
