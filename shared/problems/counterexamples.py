"""A small convex problem on which Adam converges to the worst point (chapter 3)."""

from dataclasses import dataclass, replace

import numpy as np

from shared.descent import loss_at


@dataclass(frozen=True)
class Reddi:
    """f_t(x) = `rare` x at every `period`-th step and `usual` x at the others, on [−1, 1] (Reddi, Kale & Kumar 2018).

    The mean slope is positive, so −1 is best: (1010 − 100 · 10)/101 > 0.
    """

    rare: float = 1010.0
    usual: float = -10.0
    period: int = 101
    t: int = 1

    def at(self, t):
        return replace(self, t=t)

    def __call__(self, x):
        return (self.rare if self.t % self.period == 1 else self.usual) * x[..., 0]

    def grad(self, x):
        return np.full_like(x, self.rare if self.t % self.period == 1 else self.usual)


def projected(rule, f, x0, steps, low=-1.0, high=1.0):
    """The iterates (steps + 1, ..., d) of a rule whose every step ends in the box [low, high]."""
    x, s = np.asarray(x0, dtype=float), rule.State()
    xs = [x]
    for t in range(1, steps + 1):
        x, s = rule.at(t).step(loss_at(f, t), x, s, t)
        x = np.clip(x, low, high)
        xs.append(x)
    return np.stack(xs)
