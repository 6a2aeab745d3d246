"""Gradient descent, and its memory of one vector."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .base import Array, Rule
from .fields import hyper


@dataclass(frozen=True, repr=False)
class SGD(Rule):
    """Gradient descent (Cauchy 1847), with momentum (Polyak 1964), or Nesterov's as torch writes it.

        g ← ∇f(x) + λ x
        v ← β v + (1 − τ) g                     v = g at the first step
        x ← x − η v                             nesterov:  x ← x − η (g + β v)

    On a batch of the data the same rule is *stochastic* gradient descent: the oracle decides, not the rule.
    Symbols: η lr, β momentum, τ dampening, λ weight_decay. Equal to torch.optim.SGD.
    """

    lr: float = hyper(1e-3, "η", slider=(1e-6, 10.0), log=True)
    momentum: float = hyper(0.0, "β", "[0, inf)", slider=(0.01, 0.99))
    dampening: float = hyper(0.0, "τ", "(-inf, inf)")
    weight_decay: float = hyper(0.0, "λ")
    nesterov: bool = False

    class State(NamedTuple):
        v: Array = 0.0

    def __post_init__(self):
        super().__post_init__()
        plain = not callable(self.momentum) and not np.any(self.momentum)
        if self.nesterov and (plain or np.any(self.dampening)):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening = 0")
        if plain and not callable(self.dampening) and np.any(self.dampening):
            raise ValueError("SGD: dampening needs momentum > 0")

    def step(self, f, x, s, t):
        β = self.momentum
        g = f.grad(x) + self.weight_decay * x
        v = g if t == 1 else β * s.v + (1 - self.dampening) * g
        return x - self.lr * (g + β * v if self.nesterov else v), self.State(v)

    @property
    def method(self):
        if self.nesterov:
            return "Nesterov"
        return "Momentum" if callable(self.momentum) or np.any(self.momentum) else "SGD"
