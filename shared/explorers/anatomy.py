"""Adaptive anatomy: what a method remembers of each coordinate, and the learning rate it makes of it."""

import numpy as np

from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Point, Slider, Toggle, head, trail
from shared.optimizers import Adagrad, Adam, RMSprop
from shared.problems import LANDSCAPES

STEPS = 150
OFFERED = ("Quartic valley", "Quadratic", "Rosenbrock", "Beale", "Himmelblau")
METHODS = {"Adagrad": 0.5, "RMSprop": 0.05, "Adam": 0.1}  # and a rate to begin with
COORDINATES = theme.SEQUENCE[:2]
SMALLEST, LARGEST = 1e-4, 1e4


def anatomy(rule, f, x0, steps):
    """Run Adagrad, RMSprop or Adam and open it: arrays (steps, 2) of "g", "m" (what is followed: g, or m̂), "root"
    (√v̂, what it is divided by) and "rate" (η / (√v̂ + ε)); "xs" is (steps + 1, 2). Always x ← x − rate · m."""
    x, s, rows = np.asarray(x0, dtype=float), rule.State(), []
    xs = [x]
    with np.errstate(all="ignore"):
        for t in range(1, steps + 1):
            g = f.grad(x)
            x, s = rule.step(f, x, s, t)
            β1, β2 = getattr(rule, "betas", (0.0, 0.0))
            v = s.w if getattr(rule, "amsgrad", False) else s.v
            root = (v / (1 - β2**t)) ** 0.5
            rows.append((g, s.m / (1 - β1**t) if isinstance(rule, Adam) else g, root, rule.lr / (root + rule.eps)))
            xs.append(x)
    return dict(zip(("g", "m", "root", "rate"), map(np.stack, zip(*rows)))) | {"xs": np.stack(xs)}


def compute(landscape, method, lr, alpha, beta1, beta2, amsgrad, start):
    """The anatomy of one run: see `anatomy`."""
    rule = {"Adagrad": Adagrad(lr), "RMSprop": RMSprop(lr, alpha), "Adam": Adam(lr, (beta1, beta2), amsgrad=amsgrad)}
    return anatomy(rule[method], LANDSCAPES[landscape](), start, STEPS)


def explorer(landscape="Quartic valley", method="Adam", **initial):
    """The anatomy explorer: path on the left; gradient and mean, root, and rate of each coordinate on the right."""
    fig, panels = theme.figure(9.6, 4.6, 3, 2, width_ratios=(1, 1.05))
    for ax in panels[:, 0]:
        ax.remove()
    plane, axes = fig.add_subplot(panels[0, 0].get_gridspec()[:, 0]), panels[:, 1]
    titles = ("gradient g (thin) and what is followed (thick)", "divided by: root √v of the mean square",
              "= a learning rate for each coordinate")  # fmt: skip
    for ax, title in zip(axes, titles):
        ax.set(xlim=(0, STEPS))
        ax.set_title(title, fontsize=10)
    for ax in axes[:2]:
        ax.tick_params(labelbottom=False)
    axes[0].set_yscale("symlog", linthresh=0.01)
    axes[0].set(ylim=(-500, 500), yticks=[-100, -1, 0, 1, 100])
    axes[1].set(yscale="log", ylim=(1e-3, 1e3))
    axes[2].set(yscale="log", ylim=(1e-4, 1e3), xlabel="step")
    (path,) = plane.plot([], [], "-o", color=theme.INK, lw=1.3, ms=2.8)
    (dot,) = plane.plot([], [], "o", color=theme.INK, ms=9, mec="white")
    thin = [axes[0].plot([], [], color=c, lw=0.8, alpha=0.6)[0] for c in COORDINATES]
    followed = [axes[0].plot([], [], color=c, lw=2)[0] for c in COORDINATES]
    roots = [axes[1].plot([], [], color=c, lw=2)[0] for c in COORDINATES]
    rates = [axes[2].plot([], [], color=c, lw=2)[0] for c in COORDINATES]
    heads = [ax.plot([], [], "o", color=c, ms=6, mec="white")[0] for ax in axes for c in COORDINATES]
    for i, c in enumerate(COORDINATES):
        axes[0].text(0.82 + 0.1 * i, 0.86, f"$x_{i + 1}$", color=c, transform=axes[0].transAxes, weight="bold")
    note = plane.text(0.97, 0.03, "", transform=plane.transAxes, ha="right", color=theme.BAD)
    drawn = {}

    def draw(data, landscape, method, amsgrad):
        if drawn.get("name") != landscape:
            for old in [*plane.collections, *drawn.get("stars", [])]:
                old.remove()
            drawn.update(name=landscape, stars=plots.contours(plane, LANDSCAPES[landscape]()))
        plane.set_title(f"{'AMSGrad' if amsgrad and method == 'Adam' else method} on {landscape}")
        bad = ~(np.abs(data["xs"]) < 1e6).all(-1)
        note.set_text(f"diverged at step {bad.argmax()}" if bad.any() else "")
        xs = np.where(bad[:, None], np.nan, data["xs"])
        path.set_data(*xs.T)
        dot.set_data(*xs.T)
        k = np.arange(STEPS)
        positive = {n: np.clip(np.nan_to_num(data[n], nan=LARGEST), SMALLEST, LARGEST) for n in ("root", "rate")}
        signed = {name: np.clip(np.nan_to_num(data[name]), -LARGEST, LARGEST) for name in ("g", "m")}
        for i in range(2):
            for line, y in ((thin[i], signed["g"]), (followed[i], signed["m"]), (roots[i], positive["root"]),
                            (rates[i], positive["rate"])):  # fmt: skip
                line.set_data(k, y[:, i])
            for line, y in zip(heads[i::2], (signed["m"], positive["root"], positive["rate"])):
                line.set_data(k, y[:, i])

    def adjust(changed, values):
        new = {}
        if "landscape" in changed:
            new["start"] = tuple(LANDSCAPES[values["landscape"]]().start)
        if "method" in changed:
            new["lr"] = METHODS[values["method"]]
        return new

    controls = [
        Choice("method", list(METHODS), method),
        Choice("landscape", list(OFFERED), landscape),
        Slider("lr", 1e-3, 2.0, METHODS[method], log=True, label="η"),
        Slider("alpha", 0.0, 0.999, 0.9, label="α").only(method="RMSprop"),
        Slider("beta1", 0.0, 0.99, 0.9, label="β₁").only(method="Adam"),
        Slider("beta2", 0.0, 0.999, 0.99, label="β₂").only(method="Adam"),
        Toggle("amsgrad", label="AMSGrad").only(method="Adam"),
        Point("start", tuple(LANDSCAPES[landscape]().start), plane),
        Play("step", STEPS - 1),
    ]
    live = [*map(trail, (path, *thin, *followed, *roots, *rates)), *map(head, (dot, *heads)), note]
    figure = LiveFigure(fig, live, controls, compute, draw, adjust=adjust,
                        alt="The path of an adaptive method, and what it remembers of each coordinate, step by step.")
    figure.set(**initial)
    return figure
