"""Many workers in one process: what does not need processes to be true, over seeds and settings at once. NumPy only.

Workers are an axis. Problems are finite sums (shared.problems) or anything with grad(x) for x of shape (..., d).
"""

from collections import deque

import numpy as np

from shared import chance
from shared.descent import run
from shared.problems import MiniBatch, cross_entropy

from .compression import power_sgd, with_feedback


def slowest(workers, sigma, steps=2000, drop=0.0, seed=0):
    """Seconds of synchronous steps whose workers need lognormal times with median 1 and spread `sigma`: (steps,).

    With `drop`, that share of the workers, the slowest of the step, is not waited for (backup workers).
    """
    times = np.sort(chance.rng(seed).lognormal(0, sigma, (steps, workers)), -1)
    return times[:, workers - 1 - int(drop * workers)]


def shards(y, workers, mixed, seed=0):
    """Row numbers (workers, n // workers): `mixed` at random, or sorted by label: each worker sees few classes."""
    order = chance.rng(seed).permutation(len(y))
    if not mixed:
        order = order[np.argsort(y[order], kind="stable")]
    return order[: len(y) // workers * workers].reshape(workers, -1)


def local_sgd(f, rows, every, steps, lr, batch=16, seeds=3, x0=None):
    """Local SGD on a softmax regression f: each of W workers steps on its rows, and every `every` steps all average.

    All seeds at once. Returns the averages after each round: (rounds + 1, seeds, d).
    """
    W, d = len(rows), f.dim
    draws = chance.rng(0)
    x = np.zeros((seeds, 1, d)) if x0 is None else x0
    xs = [x[:, 0]]
    for _ in range(steps // every):
        y = np.broadcast_to(x, (seeds, W, d))
        for _ in range(every):
            own = np.arange(W)[:, None], draws.integers(rows.shape[1], size=(seeds, W, batch))
            y = y - lr * softmax_grads(f, y, rows[own])
        x = y.mean(1, keepdims=True)
        xs.append(x[:, 0])
    return np.array(xs)


def softmax_grads(f, x, chosen):
    """The gradient of a softmax regression at x (..., d), each with its own rows `chosen` (..., B): (..., d)."""
    A = f.X[chosen]
    _, δ = cross_entropy(f.logits(x, A), f.y[chosen])
    return (np.swapaxes(A, -1, -2) @ δ).reshape(x.shape) / chosen.shape[-1]


def compressed(f, rows, codec, feedback, steps, lr, batch=16, seeds=3, rank=None):
    """Data-parallel SGD on a softmax regression f with compressed gradients: the last x (seeds, d).

    `codec` as in compression; `rank` instead of a codec: PowerSGD of that rank, always with feedback.
    """
    W, d, shape = len(rows), f.dim, (f.X.shape[1], f.classes)
    draws = chance.rng(0)
    x, e, Q = np.zeros((seeds, 1, d)), np.zeros((seeds, W, d)), None
    for _ in range(steps):
        own = np.arange(W)[:, None], draws.integers(rows.shape[1], size=(seeds, W, batch))
        g = softmax_grads(f, np.broadcast_to(x, (seeds, W, d)), rows[own])
        if rank:
            Q = chance.rng(0).normal(size=(shape[1], rank)) if Q is None else Q
            M = (g + e).reshape(seeds, W, *shape)
            mean, Q = power_sgd(M, Q, lambda a: a.mean(1, keepdims=True))
            mean = mean.reshape(seeds, 1, d)
            e = g + e - mean
        else:
            _, sent, lost = with_feedback(codec, g, e)
            e, mean = lost * feedback, sent.mean(1, keepdims=True)
        x = x - lr * mean
    return x[:, 0]


def delayed(f, x0, lr, delay, steps):
    """Gradient descent with old gradients: x ← x − η ∇f(x of `delay` steps ago). Returns (T+1, ..., d)."""
    past, xs = deque([x0] * (int(delay) + 1), int(delay) + 1), [x0]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            xs.append(xs[-1] - np.asarray(lr)[..., None] * f.grad(past[0]))
            past.append(xs[-1])
    return np.array(xs)


def delay_limit(delay):
    """The largest stable ηλ with gradients that are `delay` steps old: 2 sin(π/(4τ+2)); 2 without delay."""
    return 2 * np.sin(np.pi / (4 * np.asarray(delay) + 2))


def steps_to(f, rule, rates, batch, target, steps, seeds=3, every=5):
    """Steps that mini-batch training needs to bring a probe of f below `target`: (seeds, rates), inf if it never did.

    `rule(rates)` is an optimizer; all rates run at once.
    """
    probe, found = f.subset(np.arange(0, f.n, 4)), []
    for seed in range(seeds):
        xs = run(rule(rates), MiniBatch(f, batch, seed=seed), np.zeros((len(rates), f.dim)), steps, every=every)
        with np.errstate(over="ignore", invalid="ignore"):
            below = np.array([probe(x) < target for x in xs])
        found.append(np.where(below.any(0), every * below.argmax(0), np.inf))
    return np.array(found)
