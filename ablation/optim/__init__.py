"""Optimizers and learning-rate schedules: the values that an experiment names, and what is built from them.

`optimizers` and `schedules` hold values and know no torch, and every class of theirs is a name here too; `build` turns
an optimizer's value into an object that steps a network; `steps` holds what torch has not.
"""

from ablation.optim.build import build_optimizer as build_optimizer
from ablation.optim.build import describe_groups as describe_groups
from ablation.optim.build import set_lr as set_lr
from ablation.optim.optimizers import *  # noqa: F403
from ablation.optim.optimizers import Optimizer as Optimizer
from ablation.optim.optimizers import with_values as with_values
from ablation.optim.schedules import *  # noqa: F403
from ablation.optim.schedules import Schedule as Schedule
from ablation.optim.schedules import learning_rate as learning_rate
from ablation.optim.schedules import shortened as shortened
