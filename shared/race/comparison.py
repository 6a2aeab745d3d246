"""Tune every method in independent draws, and report each draw with a seed of its own."""

import numpy as np

from .methods import Method, Outcome
from .report import Comparison, Tuned
from .settings import settings_rng


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
    D, ranges, rng = len(method.knobs), list(method.knobs.values()), settings_rng(seeds[0], i)
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


def _best(tune):
    """The index of the lowest value, the middle one of equals."""
    equal = np.flatnonzero(tune == tune.min())
    return equal[len(equal) // 2]


def _end(u, best, r, grid):
    """-1 or 1 if the best of the shares u (n,) lies at an end of a doubted range: outermost, or in the outer tenth."""
    low, high = (best == 0, best == len(u) - 1) if grid else (u[best] < 0.1, u[best] > 0.9)
    side = int(high) - int(low)
    return side if side and r.doubted(side) else 0
