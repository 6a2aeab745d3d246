"""What a comparison found: ratios with their intervals, tables."""

from dataclasses import dataclass
from math import comb, floor, log10
from typing import NamedTuple

import numpy as np

from .methods import Outcome


class Tuned(NamedTuple):
    """A method after all draws: of the chosen setting [:, 0] and of the next best one [:, 1]."""

    knobs: dict  # name -> (draws, 2)
    outcome: Outcome  # of arrays (draws, 2), from the reporting seed
    trials: np.ndarray  # (draws,) settings tried
    ends: dict  # name -> (draws,): -1 or 1 where the best lies at the low or high end of a doubted range, else 0
    tried: list  # per draw ({name: (trials,)}, tune (trials,)), a grid in order: the valley that the draw saw


@dataclass(frozen=True)
class Ratio:
    """A factor between two methods, by draw: its median, an interval, and what could be said against it.

    `low` and `high` are the k-th smallest and the k-th largest ratio of n draws. They enclose the true median with
    probability `coverage` = 1 − 2 P(fewer than k heads in n tosses), whatever the distribution; k is the largest that
    gives 0.9, or else 1: with 5 draws smallest and largest, and 1 − 2⁻⁴; fewer draws give less (3: 0.75).
    `flips`: with the next-best setting of either method, or of both, the median is on the other side of 1.
    `edge`: the best setting of a method lies at an end of its range (`Comparison.edge`), so there may be better ones.
    """

    median: float
    low: float
    high: float
    flips: bool
    edge: bool
    draws: int
    coverage: float

    def __format__(self, spec):
        median, low, high = (format(v, spec) if spec else _short(v) for v in (self.median, self.low, self.high))
        return f"{median} ({low} to {high}, {self.draws} draw{'s' * (self.draws != 1)})"

    __str__ = lambda self: format(self)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found: name -> Tuned. Ask for `ratio`, `values`, `chosen`; print it for a table."""

    tuned: dict

    def _method(self, name):
        if name not in self.tuned:
            raise ValueError(f"no method {name!r} was compared; there are {', '.join(self.tuned)}")
        return self.tuned[name]

    def _of(self, name, of):
        """The array (draws, 2) of a quantity: chosen and next-best setting."""
        if of not in Outcome._fields:
            raise ValueError(f"of must be one of {', '.join(Outcome._fields)}, got {of!r}")
        values = getattr(self._method(name).outcome, of)
        if np.isnan(values).any():
            raise ValueError(f"train of {name!r} gives no {of}")
        return values

    def values(self, name, of="final"):
        """A quantity of Outcome in every draw, from the reporting seed: (draws,)."""
        return self._of(name, of)[:, 0]

    def chosen(self, name):
        """The setting that tuning chose in every draw: knob -> (draws,)."""
        return {knob: values[:, 0] for knob, values in self._method(name).knobs.items()}

    def trials(self, name):
        """How many settings were tried in every draw: (draws,)."""
        return self._method(name).trials

    def edge(self, name):
        """The knobs whose best lies at an end of its range, ("lr high", ...): empty is good.

        A grid counts if it was still so after it had grown, in any draw; a random search if the best lies in the same
        outer tenth in most draws (by luck alone: once in a hundred with 5 draws).
        """
        ends, draws = self._method(name).ends, len(self.trials(name))
        most = 0 if len(ends) == 1 else draws / 2
        sides = {-1: "low", 1: "high"}
        return tuple(f"{knob} {sides[s]}" for knob, e in ends.items() for s in sides if (e == s).sum() > most)

    def ratio(self, a, b, of="final"):
        """a's quantity divided by b's, paired by draw: a Ratio. 0.5 says that a has half of it."""
        A, B = self._of(a, of), self._of(b, of)
        if (A < 0).any() or (B < 0).any():
            raise ValueError(f"a ratio of {of} needs values >= 0, got {min(A.min(), B.min()):.3g}")
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = [np.sign(np.log(_middle(A[:, i] / B[:, j]))) for i in (0, 1) for j in (0, 1)]
            r = np.sort(A[:, 0] / B[:, 0])
        k, coverage = order_statistics(len(r))
        edge, flips = bool(self.edge(a) + self.edge(b)), any(s != sides[0] for s in sides)
        return Ratio(_middle(r), float(r[k]), float(r[-1 - k]), flips, edge, len(r), coverage)

    def ranking(self, of="final"):
        """The methods from best to worst by their median."""
        return sorted(self.tuned, key=lambda name: np.median(self.values(name, of)))

    def rows(self):
        """The table: a head, then a row of strings per method, from best to worst."""
        outcomes = [t.outcome for t in self.tuned.values()]
        costs = [c for c in ("gradients", "seconds") if not any(np.isnan(getattr(o, c)).any() for o in outcomes)]
        yield ["method", "chosen", "final", "next best", *costs, "trials", "edge"]
        for name in self.ranking():
            final, trials = self._of(name, "final"), self.trials(name)
            yield [
                name,
                ", ".join(f"{knob} {_spread(v)}" for knob, v in self.chosen(name).items()) or "-",
                _spread(final[:, 0]),
                _short(np.median(final[:, 1])),
                *(_short(np.median(self.values(name, c))) for c in costs),
                str(trials[0]) if np.ptp(trials) == 0 else f"{trials.min()} to {trials.max()}",
                ", ".join(self.edge(name)) or "-",
            ]

    def __str__(self):
        rows = list(self.rows())
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def _repr_markdown_(self):
        head, *rows = self.rows()
        return "\n".join("| " + " | ".join(row) + " |" for row in (head, [":--"] * len(head), *rows))


def order_statistics(n, level=0.9):
    """(k, coverage): of n sorted draws, those at k and −1 − k enclose the median with probability `coverage`.

    The largest k whose coverage reaches `level`, else 0: exact for any continuous distribution.

    >>> order_statistics(5), order_statistics(8)
    ((0, 0.9375), (1, 0.9296875))
    """
    covers = [1 - 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n for k in range((n + 1) // 2)]
    k = max((k for k, c in enumerate(covers) if c >= level), default=0)
    return k, covers[k]


def _middle(r):
    """The median of ratios, the geometric mean of the two middle ones: inverting all of them inverts it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.exp(np.median(np.log(r))))


def _short(v):
    """A number with two digits that count: 0.31, 12, 1,200, 3.1e-07."""
    if not np.isfinite(v) or v == 0:
        return f"{v:.0f}"
    digits = 1 - floor(log10(abs(v)))
    return f"{v:.1e}" if digits > 4 or digits < -4 else f"{round(v, digits):,.{max(digits, 0)}f}"


def _spread(v):
    """Median and extremes of v (draws,)."""
    return f"{_short(np.median(v))} ({_short(v.min())} to {_short(v.max())})"
