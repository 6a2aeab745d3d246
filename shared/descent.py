"""Run a rule: trajectories, and whole grids of hyperparameters in one batch.

May import: nothing.
"""

from itertools import islice

import numpy as np

TRAVELLING, DIVERGED = -1, -2  # what a start is when it reached no minimum: see basin


def iterates(rule, f, x0):
    """Yield x₀, x₁, x₂, ... for ever: the loop of chapter 1.

    x0 (..., d) is broadcast against the rule's array hyperparameters, so one pass serves every start and every setting.
    Overflow and NaN are results here, not warnings: see `diverged`.
    """
    x, s = start(rule, x0), rule.State()
    frozen = None if rule.scheduled else rule.at(1)
    yield x
    for t in range(1, 10**12):
        with np.errstate(all="ignore"):
            x, s = (frozen or rule.at(t)).step(loss_at(f, t), x, s, t)
        yield x


def loss_at(f, t):
    """The loss of step t: f.at(t) where f changes from step to step, else f itself. Raises TypeError without `grad`."""
    f = f.at(t) if hasattr(f, "at") else f
    if not hasattr(f, "grad"):
        raise TypeError(f"a loss answers f(x) and f.grad(x): {getattr(f, '__name__', type(f).__name__)} has no grad")
    return f


def start(rule, x0):
    """x0 (..., d) as a float array, repeated over the rule's batch shape. Raises ValueError if they do not match."""
    x0 = np.asarray(x0, dtype=float)
    if x0.ndim == 0:
        raise ValueError(f"a start must be a vector of coordinates, got the number {x0}")
    try:
        shape = np.broadcast_shapes(x0.shape[:-1], rule.batch_shape)
    except ValueError:
        said = f"starts of shape {x0.shape} do not broadcast with hyperparameters of shape {rule.batch_shape}"
        raise ValueError(f"{said}: the last axis of the starts holds the coordinates") from None
    return np.broadcast_to(x0, (*shape, x0.shape[-1])).copy()


def run(rule, f, x0, steps, every=1):
    """The iterates x₀ ... x_T of `rule` on the oracle `f` from `x0`: array (steps // every + 1, ..., d)."""
    if steps < 0 or every < 1:
        raise ValueError(f"run needs steps >= 0 and every >= 1, got steps={steps}, every={every}")
    return np.stack(list(islice(iterates(rule, f, x0), 0, steps + 1, every)))


def diverged(xs, limit=1e12):
    """Which of the trajectories xs (T+1, ..., d) ended non-finite or beyond `limit`: boolean array (...)."""
    return ~(np.abs(xs[-1]) < limit).all(-1)


def grid(**axes):
    """Every combination of the given values: a dict of arrays for one batched run.

    >>> {k: v.shape for k, v in grid(lr=[0.1, 0.2, 0.3], momentum=[0.0, 0.9]).items()}
    {'lr': (3, 2), 'momentum': (3, 2)}
    """
    return dict(zip(axes, np.meshgrid(*axes.values(), indexing="ij"), strict=True))


def basin(rule, f, starts, steps, radius=0.1):
    """The number of the minimum that each start (..., d) is within `radius` of after `steps` steps: integers (...).

    TRAVELLING (-1) marks a start that is near none, DIVERGED (-2) one that left for infinity.
    """
    end = run(rule, f, starts, steps, every=max(steps, 1))[-1]
    distance = np.linalg.norm(np.nan_to_num(end, nan=np.inf)[..., None, :] - f.minima, axis=-1)
    nearest = np.where(distance.min(-1) < radius, distance.argmin(-1), TRAVELLING)
    return np.where(distance.min(-1) < 1e3, nearest, DIVERGED)
