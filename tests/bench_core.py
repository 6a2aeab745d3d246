"""Speed of the core, as ratios to the alternative measured in the same run. Rows for `python run.py bench`."""

import time

import numpy as np
import torch

from shared.descent import grid, run
from shared.models.mlp import mlp
from shared.optimizers import SGD, Adam
from shared.optimizers.torch_rule import TorchRule
from shared.problems import quadratic, rosenbrock


def seconds(work, repeats=3):
    """The fastest of a few runs of `work`: the one that the rest of the machine disturbed least."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def torch_adam(f, x0, steps, together=True):
    """torch.optim.Adam on starts x0 (n, d) with the landscape's gradient: one tensor, or one parameter per start."""
    rows = [torch.tensor(x0)] if together else [torch.tensor(x) for x in x0]
    parameters = [torch.nn.Parameter(row) for row in rows]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(steps):
        x = parameters[0].detach().numpy() if together else torch.stack([p.detach() for p in parameters]).numpy()
        g = torch.from_numpy(f.grad(x))
        for p, row in zip(parameters, [g] if together else g, strict=True):
            p.grad = row
        optimizer.step()
    return np.array([p.detach().numpy() for p in parameters]).reshape(x0.shape)


def starts():
    """10,000 starts x 500 Adam steps. torch's loop of 10,000 single runs is timed on a part of it and scaled up."""
    f, x0 = rosenbrock(), np.random.default_rng(0).uniform(-2, 2, (10_000, 2))
    ours = seconds(lambda: run(Adam(0.01), f, x0, 500))
    many = seconds(lambda: torch_adam(f, x0, 25, together=False), 1) * 500 / 25
    single = seconds(lambda: [torch_adam(f, x[None], 500) for x in x0[:5]], 1) * 10_000 / 5
    tensor = seconds(lambda: torch_adam(f, x0, 500))
    yield "10,000 starts x 500 Adam steps", ours, "torch.optim, a run per start", single, 12
    yield "10,000 starts x 500 Adam steps", ours, "torch.optim, a parameter per start", many, 12
    yield "10,000 starts x 500 Adam steps", ours, "torch.optim, all starts in one tensor", tensor, None


def settings():
    """A 100 x 100 grid of (lr, momentum) x 200 steps against a loop of single runs, timed on a part and scaled up."""
    f = quadratic(kappa=10)
    cells = grid(lr=np.geomspace(1e-3, 0.2, 100), momentum=np.linspace(0, 0.99, 100))
    ours = seconds(lambda: run(SGD(**cells), f, [1.0, 1.0], 200))
    pairs = np.stack([cells["lr"].ravel(), cells["momentum"].ravel()], -1)[::200]
    loop = seconds(lambda: [run(SGD(lr, momentum=m), f, [1.0, 1.0], 200) for lr, m in pairs], 1) * 10_000 / len(pairs)
    yield "100 x 100 grid of (lr, momentum) x 200 steps", ours, "a loop of single runs", loop, 50


def network():
    """A training step of an MLP with our rule and with torch.optim (single tensor), interleaved."""
    torch.manual_seed(0)
    x, y = torch.randn(128, 784), torch.randint(0, 10, (128,))

    def trainer(wrap):
        model = mlp(784, 128, 128, 10, dtype=torch.float32)
        optimizer = wrap(model.parameters())

        def step():
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        return step

    sgd = dict(lr=0.01, momentum=0.9)
    pairs = [("Adam", Adam(1e-3), lambda p: torch.optim.Adam(p, lr=1e-3, foreach=False)),
             ("SGD with momentum", SGD(**sgd), lambda p: torch.optim.SGD(p, **sgd, foreach=False))]
    for name, rule, make in pairs:
        ours, theirs = trainer(lambda p, rule=rule: TorchRule(p, rule)), trainer(make)
        times = np.array([[seconds(ours, 1), seconds(theirs, 1)] for _ in range(150)][30:])
        a, b = np.median(times, 0)
        yield f"training step, MLP 784-128-128-10, {name}", a, "torch.optim (single tensor)", b, 1 / 1.5


def bench():
    """Rows (what, our seconds, the alternative, its seconds, the ratio to reach or None)."""
    torch.set_num_threads(1)
    return [*starts(), *settings(), *network()]
