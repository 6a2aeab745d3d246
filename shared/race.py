"""A fair comparison of methods: the same tuning budget for everyone, fresh luck in every draw, an honest interval.

What a method "achieves" depends on how long its hyperparameters were searched, and on luck. Two instruments:

`compare` answers "by what factor is A better than B, once both are tuned?". It repeats the whole procedure in `draws`
independent draws. In each, every method gets `trials` settings that no other draw has seen; the one with the lowest
`tune` is trained again, with a seed it was not tuned on, and reports its `final`. A ratio is paired by draw.

    methods = rules({"SGD": Entry(SGD, {"lr": wide}), "Adam": Entry(Adam, {"lr": wide})}, problem, score, steps=100)
    r = compare(methods).ratio("Adam", "SGD")
    claim(f"Adam ends at {r} of SGD's loss", r.high < 0.8 and not r.flips and not r.edge)

`race` answers "after how many trials?": what tuning gives with 1, 2, 4, ... of them.

May import: chance, descent, problems.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from math import comb, floor, log10
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shared import chance
from shared.descent import iterates
from shared.problems import Counted


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


# ---- Two methods compared ------------------------------------------------------------------------------------------
class Outcome(NamedTuple):
    """What a training gives; lower is better, and what failed is inf or NaN.

    `tune` chooses the setting, and `final` is what is reported: another quantity than `tune` (test loss, not
    validation loss), or the same one, which is then reported from another seed. `gradients` and `seconds` are costs,
    if they matter: gradients (or evaluations) asked, seconds taken.
    """

    tune: float
    final: float
    gradients: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Method:
    """A competitor of any kind: `train(seed, **knobs) -> Outcome`, and `knobs`: name -> Range (none: nothing to tune).

    All chance of a training comes from its seed. Networks and costs are as good as rules:

        def train(seed, lr):                                 # a training loop
            ...
            return Outcome(tune=validation_loss, final=test_loss, gradients=steps, seconds=taken)

        def train(seed, lr):                                 # evaluations to a target, inf if it is not reached
            n = next((n for n, x in enumerate(islice(iterates(SGD(lr), f, start(seed)), 10_000)) if small(x)), np.inf)
            return Outcome(n, n)

    With `batched`, train takes an array (n,) per knob and returns arrays (n,) or numbers: all settings in one call.
    """

    train: Callable
    knobs: dict
    batched: bool = False

    def __post_init__(self):
        for name, r in self.knobs.items():
            if not isinstance(r, Range):
                raise TypeError(f"knob {name!r} needs a Range, got {r!r}")

    def outcomes(self, seed, u):
        """The Outcome, of arrays (n,), of the settings whose shares of their ranges are u (n, knobs)."""
        settings = {name: r.value(part) for (name, r), part in zip(self.knobs.items(), u.T)}
        if self.batched:
            rows = self.train(seed, **settings)
        else:
            each = [self.train(seed, **{k: float(v[i]) for k, v in settings.items()}) for i in range(len(u))]
            rows = next((o for o in each if not isinstance(o, Outcome)), None) or Outcome(*zip(*each))
        if not isinstance(rows, Outcome):
            raise TypeError(f"train must return an Outcome, got {rows!r}")
        arrays = {of: np.asarray(row, dtype=float) for of, row in rows._asdict().items()}  # None becomes NaN
        for of, array in arrays.items():
            if array.shape not in ((), (len(u),)):
                raise ValueError(f"train must give one {of} per setting, {len(u)} of them, got shape {array.shape}")
        full = [np.broadcast_to(array, len(u)) for array in arrays.values()]
        return Outcome(*(np.where(np.isnan(row), np.inf, row) for row in full[:2]), *full[2:])


def rules(entries, problem, score=None, steps=100, report=None):
    """Methods from rules, name -> Method, every setting of a draw in one batch; name -> Entry is what `race` takes too.

    problem(seed) -> (oracle, start (d,));  score(x (..., d)) -> (...) is `tune`, without it the problem's own loss;
    report(x) is `final`, by default the same score.  What diverges scores as its start: it has learnt nothing.
    """

    def method(entry):
        def train(seed, **knobs):
            f, x0 = problem(seed)
            counted = Counted(f)
            x = final(entry.make(**knobs), counted, x0, steps)
            asked = counted.calls["grad"] / max(1, x[..., 0].size)
            return Outcome(*(_score(s, x, x0) for s in (score or f, report or score or f)), gradients=asked)

        return Method(train, entry.space, batched=True)

    return {name: method(entry) for name, entry in entries.items()}


class Tuned(NamedTuple):
    """A method after all draws: of the chosen setting [:, 0] and of the next best one [:, 1]."""

    knobs: dict  # name -> (draws, 2)
    outcome: Outcome  # of arrays (draws, 2), from the reporting seed
    trials: np.ndarray  # (draws,) settings tried
    ends: dict  # name -> (draws,): -1 or 1 where the best lies at the low or high end of a doubted range, else 0
    tried: list  # per draw ({name: (trials,)}, tune (trials,)), a grid in order: the valley that the draw saw


def compare(methods, draws=5, trials=9, repeats=1, seed=0):
    """Tune every method `draws` times, name -> Method, and report each draw with a seed of its own: a Comparison.

    A draw tunes with `repeats` seeds, by the mean over them, and reports with the next one: draw d begins at seed
    seed + (repeats + 1) d, for all methods alike. (With one, the best rate is now and then one that diverges with the
    reporting seed. That is what happens to whoever tunes so.) Settings are fresh for every draw and method:

    - one knob: a grid of `trials` values, equally spaced and shifted at random. While the best of a log range is the
      outermost, the grid goes on beyond it, one value at a time, at most `trials` of them;
    - several knobs: `trials` random settings;
    - no knob: nothing to tune.

    Of equally good settings the middle one is chosen. So the budget is the same, but for what repairs a range that was
    guessed wrongly; `Comparison.trials` counts both.

    A draw does not depend on the others: compare(..., draws=1) from where draw d begins is draw d.
    """
    if not methods or not all(isinstance(m, Method) for m in methods.values()):
        raise TypeError(f"compare needs name -> Method, got {methods!r}")
    if draws < 1 or trials < 3 or repeats < 1:
        said = f"got draws={draws}, trials={trials}, repeats={repeats}"
        raise ValueError(f"compare needs draws >= 1, trials >= 3 and repeats >= 1, {said}")
    out, begins = {}, [seed + (repeats + 1) * d for d in range(draws)]
    for i, (name, method) in enumerate(methods.items()):
        rows = [_draw(method, trials, range(begin, begin + repeats), i) for begin in begins]
        u, outcomes, counts, ends, tried = zip(*rows)
        knobs = {k: r.value(np.stack(u)[..., j]) for j, (k, r) in enumerate(method.knobs.items())}
        ends = {k: np.array([e[j] for e in ends]) for j, k in enumerate(method.knobs)}
        out[name] = Tuned(knobs, Outcome(*map(np.stack, zip(*outcomes))), np.array(counts), ends, list(tried))
    return Comparison(out)


def _draw(method, trials, seeds, i):
    """One draw of method i: shares (2, knobs) of the chosen and the next one, their outcome, trials, ends, tried."""
    D, ranges, rng = len(method.knobs), list(method.knobs.values()), _settings_rng(seeds[0], i)
    if D == 1:
        u = (np.arange(trials)[:, None] + rng.uniform()) / trials
    else:
        u = rng.uniform(size=(trials if D else 1, D))
    tried_with = lambda u: np.mean([method.outcomes(seed, u).tune for seed in seeds], axis=0)
    tune = tried_with(u)
    while True:
        best = _best(tune)
        ends = [_end(u[:, j], best, r, D == 1) for j, r in enumerate(ranges)]
        if D != 1 or not ends[0] or len(u) == 2 * trials:
            break
        new = u[:1] - 1 / trials if ends[0] < 0 else u[-1:] + 1 / trials
        u, tune = np.concatenate([u, new]), np.concatenate([tune, tried_with(new)])
        order = u[:, 0].argsort()
        u, tune = u[order], tune[order]
    rest = np.argsort(tune, kind="stable")
    pair = u[[best, *rest[rest != best][:1], best][:2]]
    tried = {name: r.value(part) for (name, r), part in zip(method.knobs.items(), u.T)}, tune
    return pair, method.outcomes(seeds[-1] + 1, pair), len(u), ends, tried


def _settings_rng(seed, i):
    """Where the settings of method i come from: a stream that no training with a plain seed uses."""
    return chance.rng((seed, i, 1))


def _best(tune):
    """The index of the lowest value, the middle one of equals."""
    equal = np.flatnonzero(tune == tune.min())
    return equal[len(equal) // 2]


def _end(u, best, r, grid):
    """-1 or 1 if the best of the shares u (n,) lies at an end of a doubted range: outermost, or in the outer tenth."""
    low, high = (best == 0, best == len(u) - 1) if grid else (u[best] < 0.1, u[best] > 0.9)
    side = int(high) - int(low)
    return side if side and r.doubted(side) else 0


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


# ---- Comparisons too dear for a notebook ---------------------------------------------------------------------------
TABLES = Path(__file__).parent / "data" / "tables"


def table(name, make, **settings):
    """The Comparison make(**settings) as it was committed; `python3 run.py tables 05` makes those of chapter 5 anew.

    settings: what the table depends on, numbers, strings and lists of them. Raises ValueError where the table was made
    with others, FileNotFoundError where there is none. Its draws are those of world 0 whatever COURSE_SEED says; a
    claim can run one of them again (see `compare`).
    """
    path, settings = TABLES / f"{name}.json", json.loads(json.dumps(settings))
    if os.environ.get("COURSE_TABLES") == "make":
        path.parent.mkdir(exist_ok=True)
        made = {"settings": settings, "world": chance.world(), "tuned": make(**settings).tuned}
        path.write_text(json.dumps(made, default=np.ndarray.tolist), encoding="utf-8")
    if not path.exists():
        raise FileNotFoundError(f"there is no table {name!r} in shared/data/tables: python3 run.py tables makes it")
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["settings"] != settings:
        raise ValueError(f"table {name!r} was made with {kept['settings']}, not with {settings}: see run.py tables")
    return Comparison({name: _tuned(*parts) for name, parts in kept["tuned"].items()})


def _tuned(knobs, outcome, trials, ends, tried):
    """A Tuned from what JSON keeps of it: arrays from lists."""
    arrays = lambda lists: {name: np.array(values) for name, values in lists.items()}
    tried = [(arrays(values), np.array(tune)) for values, tune in tried]
    return Tuned(arrays(knobs), Outcome(*map(np.array, outcome)), np.array(trials), arrays(ends), tried)


# ---- One method under every budget ---------------------------------------------------------------------------------
def final(rule, f, x0, steps):
    """The last iterate of a run, (..., d), without keeping the others."""
    return next(islice(iterates(rule, f, x0), steps, None))


def _score(score, x, x0):
    """The scores (...) of iterates x (..., d); diverged, or worse than the start x0 (d,), scores as it."""
    with np.errstate(all="ignore"):
        s, nothing = np.asarray(score(x)), score(np.asarray(x0))
    return np.where(np.isfinite(s), np.minimum(s, nothing), nothing)


def scores(entry, settings, problem, score, steps, seeds):
    """The score of every setting and seed: (trials, seeds). What diverged gets the score of its start."""
    starts = [problem(seed) for seed in seeds]
    return np.stack([_score(score, final(entry.make(**settings), f, x0, steps), x0) for f, x0 in starts], -1)


@dataclass(frozen=True)
class Race:
    """Settings, name -> {hyperparameter: (draws, trials)}, and scores, name -> (draws, trials, 2): tuned, reported."""

    settings: dict
    scores: dict

    def after(self, budget):
        """What tuning with `budget` trials gives, name -> (draws · ⌊trials / budget⌋,): lower is better.

        Every value has its own `budget` settings, shared with no other: the best of them by the tuning score is
        reported by the other. So their spread is the luck of whoever tunes once.
        """
        out = {}
        for name, table in self.scores.items():
            trials = table.shape[1]
            if not 1 <= budget <= trials:
                raise ValueError(f"after needs 1 <= budget <= {trials} trials, got {budget}")
            parts = table[:, : trials // budget * budget].reshape(-1, budget, 2)
            out[name] = parts[np.arange(len(parts)), parts[..., 0].argmin(1), 1]
        return out

    def curves(self, budgets, quantiles=(0.25, 0.5, 0.75)):
        """Quantiles of `after` for several budgets: name -> (quantiles, budgets)."""
        each = [self.after(b) for b in budgets]
        return {name: np.stack([np.quantile(e[name], quantiles) for e in each], -1) for name in self.scores}

    def ranking(self, budget):
        """The methods from best to worst by their median after tuning with `budget` trials."""
        medians = {name: np.median(values) for name, values in self.after(budget).items()}
        return sorted(medians, key=medians.get)


def race(entries, problem, score, steps, trials=16, draws=12, seeds=(0, 1, 2, 3), seed=0):
    """Run every entry with draws · trials random settings, each with two of the seeds: a Race.

    entries: name -> Entry;  problem(seed) -> (oracle, start (d,));  score(x (..., d)) -> (...), lower is better, on
    data that the oracle does not see;  the settings are drawn with `seed`, fresh ones for every draw and entry.
    Draw d is tuned with seeds[d] and reported with the next one, both modulo their number: one batch per seed.
    """
    if draws < 1 or trials < 1 or len(seeds) < 2:
        said = f"got draws={draws}, trials={trials} and {len(seeds)} seeds"
        raise ValueError(f"race needs draws >= 1, trials >= 1 and at least 2 seeds, {said}")
    settings, table = {}, {}
    used = (np.arange(draws)[:, None] + [0, 1]) % len(seeds)  # (draws, 2): which seed tunes, which reports
    for i, (name, entry) in enumerate(entries.items()):
        flat = entry.settings(draws * trials, _settings_rng(seed, i))
        settings[name] = {knob: values.reshape(draws, trials) for knob, values in flat.items()}
        table[name] = np.empty((draws, trials, 2))
        for s, training in enumerate(seeds):
            draw, role = np.nonzero(used == s)
            part = {knob: values[draw].ravel() for knob, values in settings[name].items()}
            found = scores(entry, part, problem, score, steps, (training,))
            table[name][draw, :, role] = found.reshape(-1, trials)
    return Race(settings, table)
