"""A fair race between optimizers: the same tuning budget for everyone, several seeds, and an honest account of luck.

What a method "achieves" depends on how long you searched for its hyperparameters. So the race first runs every method
with many random settings and several seeds (all settings in one batch), and then asks: had you tried only `budget` of
these settings, with one seed each, and kept the best, what would you have got when training again with another seed?
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from . import chance
from .descent import iterates


@dataclass(frozen=True)
class Range:
    """Where to search for a hyperparameter: uniformly from `low` to `high`, or in equal ratios with `log`."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self):
        if not (self.low < self.high and np.isfinite([self.low, self.high]).all() and (self.low > 0 or not self.log)):
            raise ValueError(f"a range needs low < high, and low > 0 if log, got low={self.low}, high={self.high}")

    def value(self, u):
        """The value with the share `u` in [0, 1] of the range below it."""
        return self.low * (self.high / self.low) ** u if self.log else self.low + (self.high - self.low) * u


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


def final(rule, f, x0, steps):
    """The last iterate of a run, (..., d), without keeping the others."""
    return next(islice(iterates(rule, f, x0), steps, None))


def scores(entry, settings, problem, score, steps, seeds):
    """The score of every setting and seed: (trials, seeds). What diverged gets the score of its start."""
    table = []
    for seed in seeds:
        f, x0 = problem(seed)
        with np.errstate(all="ignore"):
            s, nothing = score(final(entry.make(**settings), f, x0, steps)), score(np.asarray(x0))
        table.append(np.where(np.isfinite(s), np.minimum(s, nothing), nothing))
    return np.stack(table, -1)


@dataclass(frozen=True)
class Race:
    """Every method's settings, name -> {hyperparameter: (trials,)}, and their scores, name -> (trials, seeds)."""

    settings: dict
    scores: dict

    def after(self, budget, draws=400, seed=0):
        """What tuning with `budget` trials gives, name -> (draws,): lower is better.

        Each draw tries `budget` random settings with one seed, keeps the best, and reports it with another seed.
        """
        out, rng = {}, chance.rng(seed)
        for name, table in self.scores.items():
            trials, seeds = table.shape
            if not 1 <= budget <= trials or seeds < 2:
                said = f"got {budget} and {seeds} seeds"
                raise ValueError(f"after needs 1 <= budget <= {trials} trials and at least 2 seeds, {said}")
            tried = rng.permuted(np.tile(np.arange(trials), (draws, 1)), axis=1)[:, :budget]
            first = rng.integers(seeds, size=draws)
            other = (first + rng.integers(1, seeds, size=draws)) % seeds
            kept = np.take_along_axis(tried, table[tried, first[:, None]].argmin(1)[:, None], 1)[:, 0]
            out[name] = table[kept, other]
        return out

    def curves(self, budgets, draws=400, seed=0):
        """`after` for several budgets: name -> (draws, budgets)."""
        each = [self.after(b, draws, seed) for b in budgets]
        return {name: np.stack([e[name] for e in each], -1) for name in self.scores}

    def ranking(self, budget, draws=400, seed=0):
        """The methods from best to worst by their median after tuning with `budget` trials."""
        medians = {name: np.median(values) for name, values in self.after(budget, draws, seed).items()}
        return sorted(medians, key=medians.get)


def race(entries, problem, score, steps, trials=16, seeds=(0, 1, 2), seed=0):
    """Run every entry with `trials` random settings and every seed.

    entries: name -> Entry;  problem(seed) -> (oracle, start (d,));  score(x (..., d)) -> (...), lower is better, on
    data that the oracle does not see;  the settings are drawn with `seed`, and all run in one batch per training seed.
    """
    settings, table = {}, {}
    for name, entry in entries.items():
        settings[name] = entry.settings(trials, chance.rng(seed))
        table[name] = scores(entry, settings[name], problem, score, steps, seeds)
    return Race(settings, table)
