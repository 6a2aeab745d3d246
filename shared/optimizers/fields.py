"""Fields of rules and schedules: a hyperparameter's symbol, the values it accepts, and the range of its slider."""

from dataclasses import field
from numbers import Real

import numpy as np


def hyper(default, symbol, interval="[0, inf)", slider=None, log=False):
    """Declare a hyperparameter: its symbol in the box, the interval it must lie in, and its slider's range."""
    return field(default=default, metadata=dict(symbol=symbol, interval=interval, slider=slider, log=log))


def choice(default, *accepted):
    """Declare a hyperparameter that takes one of a few values."""
    return field(default=default, metadata=dict(choices=accepted))


def inside(value, interval):
    """Whether every element of `value` lies in `interval`, written as in "[0, 1)". NaN never does."""
    low, high = map(float, interval[1:-1].split(","))
    v = value if isinstance(value, Real) else np.asarray(value, dtype=float)
    above = v >= low if interval[0] == "[" else v > low
    below = v <= high if interval[-1] == "]" else v < high
    return bool(np.all(above & below))
