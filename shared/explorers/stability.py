"""Step-size stability: gradient descent on a bowl, its two modes, and the learning rate at which it blows up."""

import numpy as np
from matplotlib.collections import LineCollection

from shared import theory
from shared.descent import run
from shared.figures import plots, theme
from shared.figures.live import LiveFigure, Play, Point, Slider, head, trail
from shared.optimizers import SGD
from shared.problems import quadratic

STEPS = 60
LOW, HIGH = 1e-6, 1e6  # errors are drawn within these limits
MODES = {"flat direction": theme.SEQUENCE[1], "steep direction": theme.SEQUENCE[0]}
LEVELS = np.geomspace(0.03, 200, 12)


def compute(fraction, kappa, start):
    """Gradient descent on ½(x₁² + κ x₂²) at η = fraction · 2/L, with L = κ.

    Returns the iterates "xs" (T+1, 2); the two curvatures "eigenvalues"; the "factors" 1 − ηλ of the modes; the
    "predicted" errors |x₀| |1 − ηλ|^k (T+1, 2); "lr".
    """
    f = quadratic(kappa)
    λ = f.eigenvalues
    lr = fraction * theory.stability_limit(λ[-1])
    xs = run(SGD(lr), f, start, STEPS)
    factors = 1 - lr * λ
    predicted = np.abs(start) * np.abs(factors) ** np.arange(STEPS + 1)[:, None]
    return {"xs": xs, "eigenvalues": λ, "factors": factors, "predicted": predicted, "lr": lr}


def verdict(fraction):
    """What the steep direction does at this share of 2/L, in words."""
    if fraction > 1:
        return "diverged: every step is longer than the last", theme.BAD
    if fraction == 1:
        return "at the limit: it bounces for ever", theme.BAD
    return ("it bounces, and settles", theme.GOOD) if fraction > 0.5 else ("it glides, without a bounce", theme.GOOD)


def explorer(fraction=0.9, kappa=10.0):
    """Slide the rate across the limit 2/L, change the condition number, drag the start, play the steps."""
    fig, (plane, errors, stable) = theme.figure(10.2, 4.0, cols=3, gridspec_kw={"width_ratios": [1.1, 1, 1]})
    plane.set(xlim=(-3, 3), ylim=(-3, 3), xlabel="$x_1$ (flat)", ylabel="$x_2$ (steep)")
    plane.grid(False)
    levels = plane.add_collection(LineCollection([], colors="#9AA0A6", linewidths=0.7))
    plane.plot(0, 0, "*", color=theme.INK, ms=11, mec="white")
    (path,) = plane.plot([], [], "-o", color=theme.color("SGD"), lw=1.2, ms=3.5)
    (dot,) = plane.plot([], [], "o", color=theme.color("SGD"), ms=9, mec="white")

    errors.set(xlim=(0, STEPS), ylim=(LOW, HIGH), yscale="log", xlabel="step $k$", title="error of each mode")
    stable.set(xlim=(0, 1.25), ylim=(0, 1.5), xlabel="rate η, in units of 2/L", title="factor |1 − ηλ| per step")
    stable.axhline(1, color=theme.BAD, ls="--", lw=1.2)
    stable.text(0.02, 1.03, "above 1: grows", color=theme.BAD, fontsize=9.5)
    shares = np.linspace(0, 1.25, 251)
    drawn = {}
    for name, colour in MODES.items():
        (points,) = errors.plot([], [], "o", color=colour, ms=3)
        (line,) = errors.plot([], [], color=colour, lw=1, alpha=0.6)
        (vee,) = stable.plot([], [], color=colour, label=name)
        (at,) = stable.plot([], [], "o", color=colour, ms=9)
        drawn[name] = points, line, vee, at
    errors.plot([], [], "o", color=theme.MUTED, ms=3, label="measured")
    errors.plot([], [], color=theme.MUTED, lw=1, label="predicted, |1 − ηλ|ᵏ")
    errors.legend(loc="upper left", handlelength=1.2, borderpad=0.1)
    stable.legend(loc="upper left", handlelength=1.2, borderpad=0.1)
    (here,) = stable.plot([], [], color=theme.MUTED, lw=1)

    def draw(data, fraction, kappa):
        radii = np.sqrt(2 * LEVELS[:, None] / data["eigenvalues"])  # of the ellipse f = level, along each axis
        levels.set_segments(radii[:, None, :] * plots.CIRCLE)
        path.set_data(*data["xs"].T)
        dot.set_data(*data["xs"].T)
        k, size = np.arange(STEPS + 1), np.clip(np.abs(data["xs"]), LOW / 10, 10 * HIGH)
        for i, (points, line, vee, at) in enumerate(drawn.values()):
            points.set_data(k, size[:, i])
            line.set_data(k, np.clip(data["predicted"][:, i], LOW / 10, 10 * HIGH))
            vee.set_data(shares, np.abs(1 - shares * 2 / kappa * data["eigenvalues"][i]))
            at.set_data([fraction], [abs(data["factors"][i])])
        here.set_data([fraction] * 2, [0, 1.5])
        text, colour = verdict(fraction)
        plane.set_title(f"η = {data['lr']:.3g}, L = {kappa:.3g}\n{text}", color=colour, fontsize=10.5)

    live = [levels, trail(path), head(dot), *(trail(d[0]) for d in drawn.values()),
            *(artist for d in drawn.values() for artist in d[1:]), here]
    return LiveFigure(fig, live, compute=compute, draw=draw, controls=[
        Slider("fraction", 0.02, 1.2, fraction, step=0.01, label="rate η, in units of 2/L"),
        Slider("kappa", 1.0, 100.0, kappa, log=True, label="condition number κ"),
        Point("start", (2.5, 1.0), plane, label="start"),
        Play("step", STEPS),
    ], alt="Gradient descent on a quadratic, the error along its flat and its steep direction, and the factor "
           "|1 − ηλ| by which one step multiplies each of them.")  # fmt: skip
