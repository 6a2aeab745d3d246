"""The algorithm boxes. Read the files in this order: gradient, momentum, adaptive, second_order, matrix.

May import: nothing.
"""

from .adaptive import Adadelta, Adafactor, Adagrad, Adam, Adamax, AdamW, Lion, NAdam, RAdam, RMSprop, Rprop
from .base import Rule
from .gradient import SGD
from .matrix import KFAC, Muon, Shampoo
from .momentum import EMA, QHM, SAM, HeavyBall, Lookahead, Nesterov, ScheduleFreeAdamW, ScheduleFreeSGD
from .second_order import (
    BFGS,
    DFP,
    LBFGS,
    ConjugateGradient,
    GaussNewton,
    LevenbergMarquardt,
    NaturalGradient,
    Newton,
    SaddleFreeNewton,
    TrustRegion,
)

RULES = {rule.__name__: rule for rule in (
    SGD, HeavyBall, Nesterov, QHM, ScheduleFreeSGD,
    Adagrad, Rprop, RMSprop, Adadelta, Adam, AdamW, Adamax, NAdam, RAdam, Lion, Adafactor, ScheduleFreeAdamW,
    Newton, SaddleFreeNewton, TrustRegion, ConjugateGradient, DFP, BFGS, LBFGS, Muon, Shampoo,
)}  # fmt: skip
WRAPPERS = {rule.__name__: rule for rule in (SAM, Lookahead, EMA)}  # a rule around a rule
STRUCTURED = {rule.__name__: rule for rule in (  # rules that ask the oracle for more than f, f.grad and f.hess
    GaussNewton, LevenbergMarquardt, NaturalGradient, KFAC,
)}  # fmt: skip

__all__ = ["RULES", "STRUCTURED", "WRAPPERS", "Rule", *RULES, *STRUCTURED, *WRAPPERS]
