"""How cost grows: with starts, steps, dimension, depth, processes; the exponent of each, fitted in one run.

An exponent of 1 means twice the size, twice the time; near 0, that the vectorised work is still lost in the overhead.
"""

import time

import numpy as np
import torch
from bench_core import seconds

from shared.descent import run
from shared.distributed import launch
from shared.models.deep import deep
from shared.optimizers import Adam
from shared.problems import quadratic, rosenbrock
from shared.problems.training import train


def growth(what, sizes, make, measure=seconds):
    """A line: the times at each size, and the exponent of the last three, where overhead matters least."""
    times = np.array([measure(make(size)) for size in sizes])
    upper = slice(-3, None)
    exponent = np.polyfit(np.log(sizes[upper]), np.log(times[upper]), 1)[0]
    said = "   ".join(f"{size}: {1e3 * t:.3g} ms" for size, t in zip(sizes, times, strict=True))
    return f"{what:50} time ~ size^{exponent:.2f}   {said}"


def adam_on_starts(n):
    x0 = np.random.default_rng(0).uniform(-2, 2, (n, 2))
    return lambda: run(Adam(0.01), rosenbrock(), x0, 50)


def adam_in_dimensions(d):
    f = quadratic(kappa=100, angle=0.3, d=d)
    return lambda: run(Adam(0.01), f, np.ones((8, d)), 50)


def training(depth):
    net = deep(64, 64, depth, 10)
    x, y = np.random.default_rng(0).standard_normal((50, 64)), np.arange(50) % 10
    return lambda: train(net, x, y, torch.optim.SGD(net.parameters(), 0.01), 10)


def starting(processes):
    """Wall seconds: the processor's are in other processes."""
    begun = time.perf_counter()
    launch.launch("unequal", processes=processes)
    return time.perf_counter() - begun


def bench():
    """Lines of text; nothing here has a ratio to reach."""
    torch.set_num_threads(1)
    yield growth("starts x 50 Adam steps on Rosenbrock", [10, 100, 1000, 10_000, 100_000], adam_on_starts)
    yield growth("Adam steps from one start", [10, 100, 1000, 10_000],
                 lambda n: lambda: run(Adam(0.01), rosenbrock(), [0.0, 0.0], n))  # fmt: skip
    yield growth("dimensions x 50 Adam steps on a quadratic", [4, 16, 64, 256, 1024], adam_in_dimensions)
    yield growth("depth of an MLP of width 64, 10 training steps", [2, 4, 8, 16, 32], training)
    yield growth("processes of a launch", [1, 2, 4], lambda n: n, starting)
