"""Clipping on a cliff: the same descent with and without a bound on the gradient."""

import numpy as np

from shared.descent import run
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Point, Slider, head, trail
from shared.optimizers import SGD
from shared.problems import Clipped, cliff

STEPS = 80
F = cliff()
FAR = 60.0  # paths are drawn up to here
COLOURS = {"plain": theme.BAD, "clipped": theme.GOOD}


def compute(lr, bound, kind, start):
    """Paths "xs", losses above the minimum "loss" and gradient norms "norm" of the plain and the clipped descent."""
    limited = Clipped(F, **{"max_norm" if kind == "norm" else "max_value": bound})
    xs = {"plain": run(SGD(lr), F, start, STEPS), "clipped": run(SGD(lr), limited, start, STEPS)}
    return {"xs": xs, "loss": {k: F(x) - F.f_min for k, x in xs.items()},
            "norm": {k: np.linalg.norm(F.grad(x), axis=-1) for k, x in xs.items()}}  # fmt: skip


def explorer(lr=1.0, bound=0.5, kind="norm", start=(-5.0, 2.5)):
    """Slide the rate and the bound, drag the start, play."""
    fig, (plane, right) = theme.figure(9.8, 4.0, cols=2, width_ratios=(1.25, 1))
    plots.contours(plane, F)
    plane.axvline(0, color=theme.MUTED, lw=1, ls=":")
    plane.annotate("the wall", (0, 1), (4, -4), xycoords=("data", "axes fraction"), va="top", color=theme.MUTED,
                   textcoords="offset points")  # fmt: skip
    right.set(xlim=(0, STEPS), ylim=(1e-6, 1e3), yscale="log", xlabel="step", ylabel="$f(x) - f^*$")
    lines = {}
    for name, colour in COLOURS.items():
        (path,) = plane.plot([], [], "-o", color=colour, lw=1.3, ms=3)
        (dot,) = plane.plot([], [], "o", color=colour, ms=9, mec="white")
        (loss,) = right.plot([], [], color=colour, label=name)
        lines[name] = path, dot, loss
    right.legend(loc="upper right")

    def draw(data, bound, kind):
        for name, (path, dot, loss) in lines.items():
            xs = np.clip(data["xs"][name], -FAR, FAR)
            path.set_data(*xs.T)
            dot.set_data(*xs.T)
            loss.set_data(np.arange(STEPS + 1), np.clip(data["loss"][name], 1e-7, 1e4))
        steep = {name: norm.max() for name, norm in data["norm"].items()}
        plane.set_title(f"steepest gradient met: plain {steep['plain']:.3g}, clipped {steep['clipped']:.3g}")
        touched = (data["norm"]["clipped"] > bound).mean() if kind == "norm" else np.nan
        right.set_title(f"{touched:.0%} of the steps are clipped" if kind == "norm" else "each coordinate is clipped")

    controls = [
        Slider("lr", 0.01, 4.0, lr, log=True, label="learning rate η"),
        Slider("bound", 0.01, 20.0, bound, log=True, label="clip at c"),
        Choice("kind", ["norm", "value"], kind, label="clip by"),
        Point("start", start, plane),
        Play("step", STEPS),
    ]
    live = [a for path, dot, loss in lines.values() for a in (trail(path), head(dot), trail(loss))]
    return LiveFigure(fig, live, controls, compute, draw,
                      alt="Two descents towards a cliff: the plain one is thrown back, the clipped one is not.")
