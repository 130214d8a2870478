"""Optimizers and learning-rate schedules: the values that an experiment names, and what is built from them.

`optimizers` and `schedules` hold values and know no torch; `build` turns an optimizer's value into an object that
steps a network; `steps` holds what torch has not; `averaging` is the moving average of weights.
"""

from ablation.optim.averaging import averaged as averaged
from ablation.optim.build import build_optimizer as build_optimizer
from ablation.optim.build import describe_groups as describe_groups
from ablation.optim.build import set_lr as set_lr
from ablation.optim.optimizers import ASGD as ASGD
from ablation.optim.optimizers import SAM as SAM
from ablation.optim.optimizers import SGD as SGD
from ablation.optim.optimizers import Adadelta as Adadelta
from ablation.optim.optimizers import Adafactor as Adafactor
from ablation.optim.optimizers import Adagrad as Adagrad
from ablation.optim.optimizers import Adam as Adam
from ablation.optim.optimizers import Adamax as Adamax
from ablation.optim.optimizers import AdamW as AdamW
from ablation.optim.optimizers import Lookahead as Lookahead
from ablation.optim.optimizers import Muon as Muon
from ablation.optim.optimizers import NAdam as NAdam
from ablation.optim.optimizers import Optimizer as Optimizer
from ablation.optim.optimizers import RAdam as RAdam
from ablation.optim.optimizers import RMSprop as RMSprop
from ablation.optim.optimizers import Rprop as Rprop
from ablation.optim.optimizers import with_values as with_values
from ablation.optim.schedules import Constant as Constant
from ablation.optim.schedules import Cosine as Cosine
from ablation.optim.schedules import Exponential as Exponential
from ablation.optim.schedules import MultiStep as MultiStep
from ablation.optim.schedules import OneCycle as OneCycle
from ablation.optim.schedules import Plateau as Plateau
from ablation.optim.schedules import Polynomial as Polynomial
from ablation.optim.schedules import Schedule as Schedule
from ablation.optim.schedules import Step as Step
from ablation.optim.schedules import learning_rate as learning_rate
from ablation.optim.schedules import shortened as shortened
