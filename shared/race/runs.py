"""The end of a run of a rule, and its score."""

from itertools import islice

import numpy as np

from shared.descent import iterates


def final(rule, f, x0, steps):
    """The last iterate of a run, (..., d), without keeping the others."""
    return next(islice(iterates(rule, f, x0), steps, None))


def scored(score, x, x0):
    """The scores (...) of iterates x (..., d); diverged, or worse than the start x0 (d,), scores as it."""
    with np.errstate(all="ignore"):
        s, nothing = np.asarray(score(x)), score(np.asarray(x0))
    return np.where(np.isfinite(s), np.minimum(s, nothing), nothing)


def scores(entry, settings, problem, score, steps, seeds):
    """The score of every setting and seed: (trials, seeds). What diverged gets the score of its start."""
    starts = [problem(seed) for seed in seeds]
    return np.stack([scored(score, final(entry.make(**settings), f, x0, steps), x0) for f, x0 in starts], -1)
