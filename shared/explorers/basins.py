"""Basins: which minimum of Himmelblau's function every start ends in, for a method and a learning rate."""

from dataclasses import replace

import numpy as np
from matplotlib.colors import ListedColormap, to_rgb

from shared.descent import DIVERGED, TRAVELLING, basin, run
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Point, Slider, head, trail
from shared.problems import himmelblau

from .rules import methods

STEPS = {"SGD": 80, "Momentum": 80, "Adam": 80, "Newton": 15}
SIDE = 60  # starts along each side of the map
PATH = 200  # steps of the one start whose path is drawn
BASIN = theme.SEQUENCE[:4]
TINTS = ListedColormap(["#3A3A3A", "#FFFFFF", *(0.45 + 0.55 * np.array(to_rgb(c)) for c in BASIN)])


def starts(f, n):
    """A grid of n x n starts over the bounds of a landscape: (n, n, 2), rows upwards."""
    return np.stack(plots.mesh(f, n=n)[:2], -1)


def paint(ax, f, which):
    """Draw a map of basins (n, n), contours and the numbered minima; returns the image and all that lies over it."""
    (x0, x1), (y0, y1) = f.bounds
    image = ax.imshow(which, origin="lower", extent=(x0, x1, y0, y1), cmap=TINTS, vmin=DIVERGED, vmax=3,
                      interpolation="nearest", aspect="auto")  # fmt: skip
    X, Y, Z = plots.mesh(f, n=80)
    contours = ax.contour(X, Y, np.log1p(Z), levels=10, colors="white", linewidths=0.5, alpha=0.7)
    stars = ax.plot(*f.minima.T, "*", color=theme.INK, ms=12, mec="white", ls="none")
    names = [ax.annotate(str(k), at, (7, 4), textcoords="offset points", weight="bold")
             for k, at in enumerate(f.minima)]  # fmt: skip
    ax.set(xlim=(x0, x1), ylim=(y0, y1), xlabel="$x_1$", ylabel="$x_2$")
    ax.grid(False)
    return image, [contours, *stars, *names]


def compute(method, lr, start):
    """{"which": (SIDE, SIDE) numbers of minima, "xs": (PATH + 1, 2), "loss": (PATH + 1,)}."""
    f, rule = himmelblau(), replace(methods()[method], lr=lr)
    xs = run(rule, f, start, PATH)
    with np.errstate(all="ignore"):
        return {"which": basin(rule, f, starts(f, SIDE), STEPS[method]), "xs": xs, "loss": f(xs)}


def explorer(method="SGD", lr=0.01, start=(-0.5, -1.0)):
    """The basin explorer."""
    f = himmelblau()
    fig, (left, right) = theme.figure(9.6, 4.3, cols=2, width_ratios=(1.1, 1))
    image, over = paint(left, f, np.zeros((SIDE, SIDE)))
    left.set_title("which minimum each start reaches")
    right.set(xlim=(0, PATH), ylim=(1e-8, 1e7), yscale="log", xlabel="step", title="loss from the marked start")
    (path,) = left.plot([], [], "-o", color=theme.INK, lw=1.4, ms=3)
    (dot,) = left.plot([], [], "o", color=theme.INK, ms=9, mec="white", mew=1.2)
    (loss,) = right.plot([], [], color=theme.INK)
    note = right.text(0.98, 0.96, "", transform=right.transAxes, ha="right", va="top", linespacing=1.5)

    def draw(data, method, lr):
        which, xs = data["which"], data["xs"].copy()
        with np.errstate(all="ignore"):
            xs[~(np.abs(xs).max(-1) < 1e3)] = np.nan
        image.set_data(which)
        path.set_data(*xs.T)
        dot.set_data(*xs.T)
        loss.set_data(np.arange(len(xs)), np.where(np.isnan(xs[:, 0]), np.nan, np.maximum(data["loss"], 1e-9)))
        on_way, gone = (which == TRAVELLING).mean(), (which == DIVERGED).mean()
        said = [f"map: after {STEPS[method]} steps"]
        said += [f"white: {on_way:.0%} at no minimum (yet)", f"black: {gone:.0%} diverged"]
        note.set_text("\n".join(said + ["this start diverged"] * bool(np.isnan(xs).any())))

    controls = [
        Choice("method", list(STEPS), method),
        Slider("lr", 1e-3, 1.0, lr, log=True, label="learning rate η"),
        Point("start", start, left),
        Play("step", PATH),
    ]
    alt = "Map of the starts on Himmelblau's function, coloured by the minimum they reach."
    live = [image, *over, trail(path), head(dot), trail(loss), note]  # what lies over a live image is live
    return LiveFigure(fig, live, controls, compute, draw, alt=alt)
