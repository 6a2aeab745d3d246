"""What every optimization rule has in common: hyperparameters, their ranges, schedules, and the pure step.

A rule is a frozen dataclass of hyperparameters with one method, `step`. It keeps nothing between steps: the state goes
in and comes out, so a trajectory can be replayed, branched and batched. Because the step receives the *oracle* `f`
(`f(x)`, `f.grad(x)`, `f.hess(x)`) rather than a gradient, look-ahead methods, Newton and line searches are rules too.
"""

import sys
from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from .fields import inside

Array = Any  # np.ndarray of shape (..., d); torch.Tensor under torch_rule.TorchRule


def xp(x):
    """The array library of `x`: torch for a tensor, NumPy for the rest. (torch is never imported from here.)"""
    return sys.modules["torch"] if type(x).__module__.startswith("torch") else np


@dataclass(frozen=True, repr=False)
class Rule(ABC):
    """An optimization rule.

    Every numeric hyperparameter may be a number; an array, which is broadcast against the leading axes of x; or a
    schedule, a callable k -> value of the number k = t - 1 of steps already taken.

    Raises ValueError for a hyperparameter outside its interval, when the rule is built or when its schedule says so.
    """

    class State(NamedTuple):
        """What the rule remembers between steps; the defaults are the state before the first step."""

    @abstractmethod
    def step(self, f, x, s, t):
        """One step: oracle f, point x (..., d), state s, step number t = 1, 2, ... -> (new x, new state)."""

    # ---- everything below serves all rules -----------------------------------------------------------------------

    def __post_init__(self):
        for h in fields(self):
            self._check(h)

    def _check(self, h):
        """Raise ValueError unless the values of the field h lie in its interval."""
        if "interval" not in h.metadata:
            return
        accepted = h.metadata["interval"]
        for v in self._parts(h.name):
            try:
                ok = isinstance(v, Rule) or callable(v) or inside(v, accepted)
            except (TypeError, ValueError):
                ok = False
            if not ok:
                raise ValueError(f"{type(self).__name__}: {h.name} must lie in {accepted}, got {_short(v)}")

    def _parts(self, name):
        """The values of one field: the elements of a pair such as betas, else the value alone."""
        value = getattr(self, name)
        return value if isinstance(value, tuple) else (value,)

    def at(self, t):
        """The rule of step t: schedules evaluated at k = t - 1, arrays given an axis for the coordinates of x."""

        def freeze(v):
            if isinstance(v, Rule):
                return v.at(t)
            if callable(v):
                v = v(t - 1)
            return np.asarray(v)[..., None] if np.ndim(v) else v

        frozen = copy(self)
        for h in fields(self):
            old = self._parts(h.name)
            new = tuple(map(freeze, old))
            if any(a is not b for a, b in zip(old, new, strict=True)):
                frozen.__dict__[h.name] = new if isinstance(getattr(self, h.name), tuple) else new[0]
                try:
                    frozen._check(h)  # only what changed: this runs at every step of a schedule
                except ValueError as error:
                    raise ValueError(f"{error}, at step {t}") from None
        return frozen

    @property
    def scheduled(self):
        """Whether any hyperparameter changes with the step."""
        parts = [v for h in fields(self) for v in self._parts(h.name)]
        return any(v.scheduled if isinstance(v, Rule) else callable(v) for v in parts)

    @property
    def batch_shape(self):
        """The shape that the array hyperparameters broadcast to: () for a rule with numbers only."""
        parts = [v for h in fields(self) for v in self._parts(h.name)]
        shapes = [v.batch_shape if isinstance(v, Rule) else () if callable(v) else np.shape(v) for v in parts]
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            raise ValueError(f"{type(self).__name__}: hyperparameters of shapes {shapes} do not broadcast") from None

    @property
    def method(self):
        """The method's name in figures; it chooses the colour (theme.color)."""
        return type(self).__name__

    def __repr__(self):
        said = (f"{h.name}={_short(getattr(self, h.name))}" for h in fields(self)
                if h.init and not _same(getattr(self, h.name), h.default))
        return f"{type(self).__name__}({', '.join(said)})"


def _same(a, b):
    return a is b or (np.ndim(a) == 0 and not callable(a) and a == b) or (isinstance(a, tuple) and a == b)


def _short(v):
    """A value in one short line, whatever it is."""
    if isinstance(v, tuple):
        return "(" + ", ".join(map(_short, v)) + ")"
    if isinstance(v, np.ndarray) and v.ndim:
        bad = v[~np.isfinite(v)]
        return f"array{v.shape} from {v.min():.4g} to {v.max():.4g}" if not bad.size else f"an array with {bad[0]}"
    if isinstance(v, float):
        return f"{v:.6g}"
    return repr(v)
