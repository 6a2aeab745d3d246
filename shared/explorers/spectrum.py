"""Spectrum: all eigenvalues of a network's Hessian while it trains, and what a few products H v see of them."""

from functools import lru_cache

import numpy as np

from shared import chance
from shared.figures import theme
from shared.figures.live import Choice, LiveFigure, Slider
from shared.problems.curvature import lanczos, smooth_density

TIMES = (0, 10, 30, 100, 300)
MOST, PROBES, TOP, LOW, HIGH = 60, 4, 9, -0.5, 0.7


@lru_cache(maxsize=1)
def network():
    """A small classifier of digits (226 parameters) and its parameters after TIMES steps of Adam."""
    import torch
    from torch.nn.functional import cross_entropy

    from shared import data
    from shared.descent import run
    from shared.models.mlp import mlp
    from shared.optimizers import Adam
    from shared.problems.networks import NetworkOracle

    d = data.digits()
    small = d.x_train[:400].reshape(400, 4, 2, 4, 2).mean((2, 4)).reshape(400, 16)
    small = (small - small.mean(0)) / np.maximum(small.std(0), 0.05)
    f = NetworkOracle(mlp(16, 8, 10, activation="tanh", dtype=torch.float64), cross_entropy, small, d.y_train[:400])
    return f, run(Adam(0.03), f, f.start, TIMES[-1])[list(TIMES)]


@lru_cache(maxsize=len(TIMES))
def spectra(i):
    """Of the network at TIMES[i]: the loss, all eigenvalues (d,) ascending, and PROBES Lanczos matrices."""
    f, xs = network()
    H = f.hess(xs[i])
    rng = chance.rng(0)
    Ts = [lanczos(lambda v: H @ v, rng.standard_normal(f.dim), MOST)[0] for _ in range(PROBES)]
    return float(f(xs[i])), np.linalg.eigvalsh(H), np.stack(Ts)


def compute(time, products, width):
    """Densities of the true and the estimated spectrum on a grid, and the largest eigenvalues of both.

    The first k rows and columns of a Lanczos matrix are the Lanczos matrix after k products.
    """
    loss, λ, Ts = spectra([f"after {t} steps" for t in TIMES].index(time))
    k = int(products)
    nodes, Q = np.linalg.eigh(Ts[:, :k, :k])
    grid = np.linspace(LOW, HIGH, 400)
    return {"grid": grid, "loss": loss, "eigenvalues": λ, "ritz": nodes[0][::-1][:TOP], "top": λ[::-1][:TOP],
            "true": smooth_density(grid, λ, np.full(len(λ), 1 / len(λ)), width),
            "seen": smooth_density(grid, nodes.ravel(), (Q[:, 0] ** 2).ravel() / PROBES, width)}


def explorer(**initial):
    """The Spectrum explorer."""
    fig, (left, right) = theme.figure(9.6, 4.2, cols=2, width_ratios=(1.35, 1))
    (true,) = left.plot([], [], color=theme.INK, label="all 226 eigenvalues")
    (seen,) = left.plot([], [], color=theme.ACCENT, ls="--", label=f"Lanczos, {PROBES} random starts")
    (rug,) = left.plot([], [], "|", color=theme.MUTED, ms=9)
    left.set(yscale="log", xlim=(LOW, HIGH), ylim=(1e-3, 300), xlabel="eigenvalue λ of the Hessian", ylabel="density")
    left.legend(loc="upper right")
    (top,) = right.plot([], [], "o", color=theme.INK, ms=9, mfc="none", mew=1.6, label="exact")
    (ritz,) = right.plot([], [], "X", color=theme.ACCENT, ms=7, label="from one start")
    right.set(xlim=(0.4, TOP + 0.6), ylim=(-0.05, HIGH), xlabel="rank", xticks=range(1, TOP + 1), ylabel="eigenvalue",
              title="the largest eigenvalues")
    right.legend(loc="upper right")

    def draw(data, time, products):
        λ = data["eigenvalues"]
        left.set_title(f"loss {data['loss']:.3f}: {(λ < -1e-3).sum()} negative, {(abs(λ) <= 1e-3).sum()} near zero")
        true.set_data(data["grid"], np.maximum(data["true"], 1e-9))
        seen.set_data(data["grid"], np.maximum(data["seen"], 1e-9))
        rug.set_data(λ, np.full(len(λ), 1.6e-3))
        top.set_data(np.arange(1, TOP + 1), data["top"])
        ritz.set_data(np.arange(1, len(data["ritz"]) + 1), data["ritz"])

    times = [f"after {t} steps" for t in TIMES]
    controls = [
        Choice("time", times, initial.pop("time", times[2]), label="training"),
        Slider("products", 1, MOST, initial.pop("products", 12), step=1, label="Hessian-vector products per start"),
        Slider("width", 0.003, 0.1, initial.pop("width", 0.012), log=True, label="smoothing"),
    ]
    return LiveFigure(fig, [true, seen, rug, top, ritz], controls, compute, draw,
                      alt="Left: the density of the eigenvalues of a network's Hessian, exact and by Lanczos. "
                          "Right: its largest eigenvalues, exact and estimated.")
