"""Where hyperparameters are searched, and what is searched there."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shared import chance


@dataclass(frozen=True)
class Range:
    """Where to search for a hyperparameter: uniformly from `low` to `high`, or in equal ratios with `log`.

    A log range is a guess, and `compare` doubts it: it looks beyond, and says when the best lies at an end. With
    `capped` there is nothing above `high` (1 − β ≤ 1); a range without `log` is taken as it is.
    """

    low: float
    high: float
    log: bool = False
    capped: bool = False

    def __post_init__(self):
        if not (self.low < self.high and np.isfinite([self.low, self.high]).all() and (self.low > 0 or not self.log)):
            raise ValueError(f"a range needs low < high, and low > 0 if log, got low={self.low}, high={self.high}")

    def value(self, u):
        """The value with the share `u` of the range below it: inside for u in [0, 1], beyond its ends otherwise."""
        return self.low * (self.high / self.low) ** u if self.log else self.low + (self.high - self.low) * u

    def doubted(self, side):
        """Whether something better could lie beyond the low end (side = -1) or the high end (side = 1)."""
        return self.log and (side < 0 or not self.capped)


@dataclass(frozen=True)
class Entry:
    """A competitor: `make(**hyperparameters)` gives its rule, `space` says where each hyperparameter is searched."""

    make: Callable
    space: dict

    def settings(self, trials, rng=None):
        """Hyperparameters to try, name -> (trials,): random with `rng`, else a grid of the same distribution.

        The grid has k values in each of the D ranges, the centres of k equally probable cells, k = ⌊trials^(1/D)⌋.
        """
        D = len(self.space)
        if rng is not None:
            u = rng.uniform(size=(D, trials))
        else:
            k = int(trials ** (1 / D) + 1e-9)
            u = np.reshape(np.meshgrid(*[(np.arange(k) + 0.5) / k] * D, indexing="ij"), (D, -1))
        return {name: r.value(part) for (name, r), part in zip(self.space.items(), u)}


def settings_rng(seed, i):
    """Where the settings of method i come from: a stream that no training with a plain seed uses."""
    return chance.rng((seed, i, 1))
