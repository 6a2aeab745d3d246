"""Exercises of chapter 2: reference, random cases and the mistakes that check names."""

import numpy as np

from shared.course.exercises import function, number, setting
from shared.descent import run
from shared.optimizers import SGD
from shared.optimizers.schedules import Cosine, InverseTime, Join, Warmup
from shared.problems import Noisy, quadratic

# 1. derive: the best fixed rate on a quadratic
best_rate = number("02.best_rate", np.array([0.1, 0.8]))
best_rate.mistake("the rate 1/L", "At 1/L the flattest direction is slow. Let it shrink as fast as the steepest.",
                  np.array([1 / 18, 8 / 9]))  # fmt: skip
best_rate.mistake("the limit 2/L", "At 2/L the steepest direction bounces for ever: the limit, not the best rate.",
                  np.array([1 / 9, 1.0]))  # fmt: skip
best_rate.mistake("the pair is swapped", "Give the rate first, then the factor.", np.array([0.8, 0.1]))


# 2. implement: the gradient of a mini-batch
def _regression(rng):
    n, d, B = int(rng.integers(3, 6)), int(rng.integers(1, 3)), int(rng.integers(1, 4))
    return dict(A=rng.integers(-3, 4, (n, d)).astype(float), y=rng.integers(-3, 4, n).astype(float),
                x=rng.integers(-3, 4, d).astype(float), rows=rng.integers(0, n, B))  # fmt: skip


@function("02.minibatch_gradient", cases=_regression)
def minibatch_gradient(A, y, x, rows):
    return (A[rows] @ x - y[rows]) @ A[rows] / len(rows)


@minibatch_gradient.mistake("the sum instead of the mean", "Divide by the batch size: the rate should not depend on B.")
def _(A, y, x, rows):
    return (A[rows] @ x - y[rows]) @ A[rows]


@minibatch_gradient.mistake(
    "divided by n", "Divide by the B examples you looked at, not by all n: else the estimate is biased."
)
def _(A, y, x, rows):
    return (A[rows] @ x - y[rows]) @ A[rows] / len(y)


@minibatch_gradient.mistake("the full gradient", "You used every example. Take only the rows of the batch.")
def _(A, y, x, rows):
    return (A @ x - y) @ A / len(y)


@minibatch_gradient.mistake("the targets are missing", "The residual is a·x − y: subtract the targets.")
def _(A, y, x, rows):
    return (A[rows] @ x) @ A[rows] / len(rows)


# 3. derive: rate and batch size for a noise floor
floor = number("02.floor", 0.08)
floor.mistake("the batch size is forgotten", "A batch of 32 has a 32nd of the noise: the floor is η tr C / 4B.", 0.0025)
floor.mistake("root of the batch size", "The floor follows the variance of the noise: 1/B.", 0.0025 * 32**0.5)
floor.mistake("the floor stays as it was", "That rate keeps η/B, and so the old floor. You want a quarter of it.", 0.32)
floor.mistake("the batch size upside down", "More examples mean less noise, which allows a larger rate.", 0.0025 / 32)


# 4. implement: warm-up, then cosine
def _moment(rng):
    warmup, rest = int(rng.integers(1, 6)), int(rng.integers(2, 9))
    k, lr = int(rng.integers(0, warmup + rest + 3)), rng.integers(1, 9) / 4
    return dict(k=k, lr=lr, warmup=warmup, steps=warmup + rest)


@function("02.warmup_cosine", cases=_moment)
def warmup_cosine(k, lr, warmup, steps):
    return Join((Warmup(lr, warmup), Cosine(lr, steps - warmup)), (warmup,))(k)


def _rise_and_fall(rise, u, k, lr, warmup):
    return lr * rise if k < warmup else lr * (1 + np.cos(np.pi * u)) / 2


@warmup_cosine.mistake("the cosine starts too early", "Measure it from the end of the warm-up: (k − w)/(T − w).")
def _(k, lr, warmup, steps):
    return _rise_and_fall((k + 1) / warmup, min(k / steps, 1), k, lr, warmup)


@warmup_cosine.mistake("the cosine ends too late", "It has T − w steps, not T: it must reach zero at step T.")
def _(k, lr, warmup, steps):
    return _rise_and_fall((k + 1) / warmup, min((k - warmup) / steps, 1), k, lr, warmup)


@warmup_cosine.mistake("the first step does not move", "At k = 0 the warm-up is already at η/w: use k + 1.")
def _(k, lr, warmup, steps):
    return _rise_and_fall(k / warmup, min((k - warmup) / (steps - warmup), 1), k, lr, warmup)


@warmup_cosine.mistake("it climbs again after the end", "After step T the rate stays at zero: keep u at most 1.")
def _(k, lr, warmup, steps):
    return _rise_and_fall((k + 1) / warmup, (k - warmup) / (steps - warmup), k, lr, warmup)


# 5. experiment: decay just enough
def excess_loss(δ):
    """The mean excess loss of 200 runs after 1,000 noisy steps at η = 0.1 / (1 + δ k)."""
    bowl = quadratic(kappa=10)
    xs = run(SGD(lr=InverseTime(0.1, float(δ))), Noisy(bowl, seed=0), np.full((200, 2), [2.0, 1.0]), 1000, every=1000)
    return float(bowl(xs[-1]).mean())


decay = setting("02.decay", solution=0.08, goal="a mean excess loss below 0.001", measure=excess_loss,
                accept=lambda loss: loss < 0.001)  # fmt: skip
decay.mistake("the decay is too slow", "The runs arrived long ago and only shake: the last rates are too high.", 0.001,
              when=lambda δ, loss: δ < 0.08)  # fmt: skip
decay.mistake("the decay is too fast", "The rates add up to too little: the runs stop before they arrive.", 1.0,
              when=lambda δ, loss: δ > 0.08)  # fmt: skip
