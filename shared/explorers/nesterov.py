"""Nesterov against the heavy ball: the same inertia, the gradient asked before or after it has acted."""

import numpy as np
from matplotlib.collections import LineCollection

from shared.descent import run
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Point, Slider, head, trail
from shared.optimizers import HeavyBall, Nesterov
from shared.problems import LANDSCAPES, quadratic

STEPS = 80
RULES = {"Momentum": HeavyBall, "Nesterov": Nesterov}
NAMES = {"Momentum": "heavy ball", "Nesterov": "Nesterov"}
PLACES = {
    "Narrow valley": quadratic(kappa=30, angle=0.4),
    "Round bowl": quadratic(kappa=3, angle=0.4),
    **{name: LANDSCAPES[name]() for name in ("Rosenbrock", "Himmelblau", "Beale")},
}
LOW, HIGH = 1e-10, 1e4


def compute(landscape, rate, momentum, start):
    """Both methods for STEPS steps at η = rate / L, with L the largest curvature at the minimum.

    "xs" and "ahead": {method: (T+1, 2)}, the iterates and the points x + β v to which inertia alone would lead;
    "loss": {method: (T+1,)}, above the minimum.
    """
    f = PLACES[landscape]
    lr = rate / f.eigenvalues[-1]
    out = {"xs": {}, "ahead": {}, "loss": {}}
    for name, rule in RULES.items():
        xs = run(rule(lr, momentum), f, start, STEPS)
        with np.errstate(all="ignore"):
            v = np.diff(xs, axis=0, prepend=xs[:1])
            out["xs"][name], out["ahead"][name], out["loss"][name] = xs, xs + momentum * v, f(xs) - f.f_min
    return out


def visible(xs, bounds):
    """The points xs, with NaN from the first one far outside the plot."""
    low, high = np.transpose(bounds)
    far = ~((xs > 3 * low - 2 * high) & (xs < 3 * high - 2 * low)).all(-1)
    return np.where(np.maximum.accumulate(far)[:, None], np.nan, xs)


def explorer(landscape="Narrow valley", rate=1.0, momentum=0.9, start=None):
    """Play step by step: dashed, where inertia leads; black, the gradient's correction, asked at its dot."""
    start = tuple(PLACES[landscape].start) if start is None else start
    fig, (plane, losses) = theme.figure(10.0, 4.4, cols=2, width_ratios=(1.1, 1))
    losses.set(xlim=(0, STEPS), ylim=(LOW, HIGH), yscale="log", xlabel="step", title="loss above the minimum")
    drawn, parts = {"place": None}, {}
    for name in RULES:
        colour = theme.color(name)
        (path,) = plane.plot([], [], "-o", color=colour, lw=1.2, ms=2.6, alpha=0.75)
        (dot,) = plane.plot([], [], "o", color=colour, ms=9, mec="white", zorder=6)
        inertia = plane.add_collection(LineCollection([], colors=colour, linewidths=2.2, linestyles="--", zorder=5))
        pull = plane.add_collection(LineCollection([], colors=theme.INK, linewidths=2.0, zorder=5))
        (asked,) = plane.plot([], [], "o", color=theme.INK, ms=4.5, zorder=7)
        (loss,) = losses.plot([], [], color=colour)
        (at,) = losses.plot([], [], "o", color=colour, ms=7, mec="white")
        parts[name] = path, dot, inertia, pull, asked, loss, at
    notes = [losses.text(0.98, 0.95 - 0.07 * i, "", transform=losses.transAxes, ha="right", va="top", fontsize=10,
                         color=theme.color(name)) for i, name in enumerate(RULES)]  # fmt: skip

    def scenery(landscape):
        """Contours: drawn when the landscape changes."""
        for old in [*plane.collections, *drawn.get("stars", [])]:
            if old not in [part for group in parts.values() for part in group]:
                old.remove()
        drawn["stars"] = plots.contours(plane, PLACES[landscape])
        drawn["place"] = landscape

    def draw(data, landscape):
        if drawn["place"] != landscape:
            scenery(landscape)
        bounds = PLACES[landscape].bounds
        for (name, group), note in zip(parts.items(), notes, strict=True):
            path, dot, inertia, pull, asked, loss, at = group
            xs, ahead = visible(data["xs"][name], bounds), visible(data["ahead"][name], bounds)
            after = np.vstack([xs[1:], xs[-1:]])
            path.set_data(*xs.T)
            dot.set_data(*xs.T)
            inertia.set_segments(np.stack([xs, ahead], 1))
            pull.set_segments(np.stack([ahead, after], 1))
            asked.set_data(*(ahead if name == "Nesterov" else xs).T)
            height = np.nan_to_num(data["loss"][name], nan=np.inf)
            for line in (loss, at):
                line.set_data(np.arange(STEPS + 1), np.clip(height, LOW / 10, HIGH * 10))
            lost = np.isnan(xs).any()
            said = "diverged" if lost else f"ends at {max(height[-1], 0):.1e}"
            note.set_text(f"{NAMES[name]}: {said}")
        plane.set_title(landscape)

    def adjust(changed, values):
        return {"start": tuple(PLACES[values["landscape"]].start)} if "landscape" in changed else {}

    live = [item for path, dot, inertia, pull, asked, loss, at in parts.values() for item in (
        trail(path), head(inertia), head(pull), head(asked), head(dot), loss, head(at))]  # fmt: skip
    return LiveFigure(fig, [*live, *notes], compute=compute, draw=draw, adjust=adjust, controls=[
        Choice("landscape", list(PLACES), landscape),
        Slider("rate", 0.02, 3.0, rate, log=True, label="learning rate, η L"),
        Slider("momentum", 0.0, 0.99, momentum, label="momentum β"),
        Point("start", start, plane),
        Play("step", STEPS, value=5, fps=6),
    ], alt="Trajectories of the heavy ball and of Nesterov's method, with the two parts of each step, inertia and "
           "gradient, and the loss of both against the step.")  # fmt: skip
