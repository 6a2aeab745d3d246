"""The damping plane: how fast each pair of rate and momentum is on a quadratic, in theory and as measured."""

from functools import lru_cache
from itertools import islice

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm

from shared import theory
from shared.descent import iterates, run
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Point, Slider, head, trail
from shared.optimizers import HeavyBall, Nesterov
from shared.problems import quadratic

STEPS = 100
METHODS = {"Heavy ball": HeavyBall, "Nesterov": Nesterov}
RATES = np.linspace(0.0625, 4.0, 64)  # η L
MOMENTA = np.linspace(0.0, 0.975, 40)
DIGIT = LogNorm(3, 150)  # steps for one more correct digit
LOW, HIGH = 1e-8, 1e4
SCALES = np.geomspace(0.02, 4, 9)


def digit(rate):
    """How many steps one more correct digit takes at this rate per step; NaN where the error grows."""
    with np.errstate(all="ignore"):
        return np.where(rate < 1, -1 / np.log10(np.maximum(rate, 1e-9)), np.nan)


def measured_rate(method, lr, momentum, kappa, steps=240):
    """The factor per step by which the error shrinks, over the last half of a run: lr and momentum (...) -> (...).

    An error that oscillates passes through zero, so what is compared are the mean logarithms of two stretches.
    """
    far, near, quarter = 0.0, 0.0, steps // 4
    for t, x in enumerate(islice(iterates(METHODS[method](lr, momentum), quadratic(kappa), [1.0, 1.0]), steps + 1)):
        if t > steps - 2 * quarter:
            size = np.log(np.maximum(np.abs(x).max(-1), 1e-300))
            far, near = (far + size, near) if t <= steps - quarter else (far, near + size)
    return np.exp((near - far) / quarter**2)


@lru_cache(maxsize=64)
def plane(method, kappa):
    """The two heat maps: rates per step (64, 40), predicted and measured, over RATES and MOMENTA; L = κ."""
    lr, momentum = np.meshgrid(RATES / kappa, MOMENTA, indexing="ij")
    predicted = theory.spectral_radius(lr, momentum, [1.0, kappa], nesterov=method == "Nesterov")
    return predicted, measured_rate(method, lr, momentum, kappa)


def compute(method, kappa, pick):
    """The maps of the plane, and one cell: its path "xs" (T+1, 2) from (2, 2), error "size", and both rates.

    pick is (η L, β), moved to the centre of the nearest cell.
    """
    predicted, measured = plane(method, kappa)
    i, j = np.abs(RATES - pick[0]).argmin(), np.abs(MOMENTA - pick[1]).argmin()
    xs = run(METHODS[method](RATES[i] / kappa, MOMENTA[j]), quadratic(kappa), [2.0, 2.0], STEPS)
    return {
        "predicted": predicted, "measured": measured, "cell": (RATES[i], MOMENTA[j]), "xs": xs,
        "size": np.abs(xs).max(-1), "rates": (predicted[i, j], measured[i, j]), "best": best(method, kappa),
    }  # fmt: skip


def best(method, kappa):
    """(η L, β, rate) at the theory's optimum."""
    lr, β, rate = (theory.best_heavy_ball if method == "Heavy ball" else theory.best_nesterov)(1.0, kappa)
    return lr * kappa, β, rate


def critical(method, curvature):
    """Where the roots of one direction become complex: (η L, β) along the curve, for λ = curvature · L."""
    β = np.linspace(0, 1, 200)
    ηλ = (1 - np.sqrt(β)) ** 2 if method == "Heavy ball" else ((1 - β) / (1 + β)) ** 2
    return ηλ / curvature, β


def explorer(method="Heavy ball", kappa=20.0, pick=(1.5, 0.6)):
    """Click a cell of the plane (η L, β): its trajectory plays, and the two rates are compared."""
    fig, _ = theme.figure(10.4, 4.5)
    fig.clear()
    ax = fig.subplot_mosaic("tmp;tme", width_ratios=(1, 1.16, 0.95))
    theory_ax, measured_ax, path_ax, error_ax = (ax[name] for name in "tmpe")
    images, curves, stars, marks = [], [], [], []
    for a, title in ((theory_ax, "theory: spectral radius"), (measured_ax, "measured, every cell run")):
        a.set(title=title, xlabel="learning rate, η L", xlim=(0.025, 4.025), ylim=(-0.01, 0.99))
        a.grid(False)
        a.set_facecolor(theme.FAINT)
        images.append(a.pcolormesh(RATES, MOMENTA, np.ones((len(MOMENTA), len(RATES))), norm=DIGIT, cmap="cividis_r"))
        curves += [a.plot([], [], color="white", lw=1.2, ls=ls)[0] for ls in ("-", ":")]
        stars += a.plot([], [], "*", color=theme.BAD, ms=12, mec="white")
        marks += a.plot([], [], "o", color=theme.ACCENT, ms=9, mec="white", mew=1.5)
        a.text(2.9, 0.04, "diverges", color=theme.MUTED, fontsize=9.5)
    theory_ax.set_ylabel("momentum β")
    measured_ax.set_yticklabels([])
    fig.colorbar(images[1], ax=measured_ax, label="steps for one more digit", pad=0.02, ticks=[3, 10, 30, 100],
                 format="%g")  # fmt: skip
    path_ax.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xticks=[], yticks=[])
    path_ax.grid(False)
    levels = path_ax.add_collection(LineCollection([], colors="#9AA0A6", linewidths=0.7))
    path_ax.plot(0, 0, "*", color=theme.INK, ms=10, mec="white")
    (path,) = path_ax.plot([], [], "-o", lw=1.2, ms=3)
    (dot,) = path_ax.plot([], [], "o", ms=8, mec="white")
    error_ax.set(xlim=(0, STEPS), ylim=(LOW, HIGH), yscale="log", xlabel="step", title="error (dashed: theory)")
    (slope,) = error_ax.plot([], [], color=theme.MUTED, ls="--", lw=1.4)
    (error,) = error_ax.plot([], [])

    def draw(data, method, kappa):
        colour = theme.color("Momentum" if method == "Heavy ball" else "Nesterov")
        for image, rate in zip(images, (data["predicted"], data["measured"]), strict=True):
            image.set_array(np.ma.masked_invalid(digit(rate)).T)
        for i, curve in enumerate(curves):
            curve.set_data(*critical(method, (1 / kappa, 1.0)[i % 2]))
        for star, mark in zip(stars, marks, strict=True):
            star.set_data([data["best"][0]], [data["best"][1]])
            mark.set_data([data["cell"][0]], [data["cell"][1]])
        k, size = np.arange(STEPS + 1), np.clip(np.nan_to_num(data["size"], nan=np.inf), LOW / 10, HIGH * 10)
        for line in (path, dot, error):
            line.set_color(colour)
        levels.set_segments(2.4 / np.sqrt(SCALES[:, None] * [1.0, kappa])[:, None] * plots.CIRCLE)
        path.set_data(*data["xs"].T.clip(-50, 50))
        dot.set_data(*data["xs"].T.clip(-50, 50))
        error.set_data(k, size)
        predicted, measured = data["rates"]
        with np.errstate(over="ignore"):
            slope.set_data(k, np.clip(2.0 * predicted**k, LOW / 10, HIGH * 10))
        grows = predicted > 1
        said = f"per step: theory {predicted:.3f}\nmeasured {measured:.3f}" + (", diverges" if grows else "")
        path_ax.set_title(said, color=theme.BAD if grows else theme.INK)

    live = [levels, *curves, *stars, *marks, trail(path), head(dot), slope, trail(error)]
    return LiveFigure(fig, live, compute=compute, draw=draw, controls=[
        Choice("method", list(METHODS), method),
        Slider("kappa", 1.5, 200.0, kappa, log=True, label="condition number κ"),
        Point("pick", pick, theory_ax, label="cell (η L, β)", handle=False),
        Play("step", STEPS),
    ], alt="Two heat maps over learning rate and momentum, the speed predicted by the spectral radius and the speed "
           "measured, alike in every cell; beside them the trajectory and the error of one cell.")  # fmt: skip
