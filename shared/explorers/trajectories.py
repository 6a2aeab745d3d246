"""Descent: any landscape, any set of methods, every hyperparameter, from any start."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from shared.descent import run
from shared.figures import plots, theme
from shared.figures.live import Choice, Choices, LiveFigure, Play, Point, Slider, head, trail
from shared.problems import LANDSCAPES, Noisy

from .rules import control_name, slider_range, sliders, with_values
from .rules import methods as all_methods

STEPS = 200
OFFERED = ("SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam", "AdamW", "Newton")
FAR = 1e6  # a loss this many times the start's is divergence


def height(f, xs):
    """The loss above the minimum, so that a logarithmic axis shows the rate; the loss itself where there is none."""
    return f(xs) - f.f_min if np.isfinite(f.f_min) else f(xs)


@lru_cache(maxsize=512)
def tuned_rate(name, method):
    """The rate that suits a method on a landscape from the landscape's own start: every method plays at its best.

    It has the lowest logarithm of the loss averaged over STEPS steps, so that wild first jumps count against it. Where
    the loss falls for ever (a saddle) that would only reward size: there, the run leaves the plot three quarters
    through. A method whose rate is 1 by nature (Newton) keeps it.
    """
    f, rule = LANDSCAPES[name](), all_methods()[method]
    if rule.lr == 1:
        return 1.0
    low, high = slider_range(rule, "lr")
    rates = np.geomspace(low, high, round(10 * np.log10(high / low)) + 1)  # ten a decade
    xs = run(replace(rule, lr=rates), f, f.start, STEPS)
    if np.isfinite(f.f_min):
        h = height(f, xs)
        with np.errstate(all="ignore"):
            score = np.log(np.clip(np.nan_to_num(h, nan=np.inf), 1e-8 * h[0], FAR * h[0])).mean(0)
        return float(rates[score.argmin()])
    (x0, x1), (y0, y1) = f.bounds
    outside = ~((xs >= [x0, y0]) & (xs <= [x1, y1])).all(-1)
    leaves = np.where(outside.any(0), outside.argmax(0), STEPS + 1)
    return float(rates[np.abs(leaves - 0.75 * STEPS).argmin()])


def compute(landscape, methods, start, scale, noise, **values):
    """{"xs": {method: (T+1, 2)}, "loss": {method: (T+1,)}}: runs of STEPS steps; `scale` multiplies every rate."""
    f, rules = LANDSCAPES[landscape](), all_methods()
    oracle = Noisy(f, sigma=noise, seed=0) if noise else f
    xs = {}
    for method in methods:
        rule = with_values(method, rules[method], values)
        xs[method] = run(replace(rule, lr=rule.lr * scale), oracle, start, STEPS)
    with np.errstate(all="ignore"):
        return {"xs": xs, "loss": {method: height(f, path) for method, path in xs.items()}}


def diverged_at(losses):
    """The first step at which a loss is not finite or far above its start; None if there is none."""
    with np.errstate(all="ignore"):
        bad = ~(np.abs(losses) <= FAR * max(1.0, abs(losses[0])))
    return int(bad.argmax()) if bad.any() else None


def explorer(landscape="Rosenbrock", methods=("SGD", "Momentum", "Adam"), offered=OFFERED, **initial):
    """The Descent explorer; `offered` are the methods that have a chip, `methods` those that run at the beginning."""
    offered = tuple(dict.fromkeys((*offered, *methods)))
    rules = {name: all_methods()[name] for name in offered}
    fig, (left, right) = theme.figure(9.6, 4.3, cols=2, width_ratios=(1.12, 1))
    right.set(xlim=(0, STEPS), xlabel="step")
    paths, dots, losses = {}, {}, {}
    for name in offered:
        colour = theme.color(name)
        (paths[name],) = left.plot([], [], "-o", color=colour, lw=1.5, ms=2.6)
        (dots[name],) = left.plot([], [], "o", color=colour, ms=9, mec="white", mew=1.2)
        (losses[name],) = right.plot([], [], color=colour)
    note = right.text(0.98, 0.97, "", transform=right.transAxes, ha="right", va="top", color=theme.BAD, fontsize=9.5)
    fig.get_layout_engine().set(rect=(0, 0, 1, 0.94))
    caption = fig.text(0.012, 0.955, "", color=theme.MUTED)
    drawn = {}

    def scenery(name):
        """Contours and axes of a landscape: drawn when it changes."""
        f = LANDSCAPES[name]()
        for old in [*left.collections, *drawn.get("stars", [])]:
            old.remove()
        drawn["stars"] = plots.contours(left, f)
        left.set(title=name)
        caption.set_text(f.note)
        first_order = [replace(rules[m], lr=tuned_rate(name, m)) for m in offered if rules[m].lr != 1]
        best = [height(f, run(rule, f, f.start, STEPS)) for rule in first_order]
        if np.isfinite(f.f_min):
            lowest = min((np.nanmin(np.where(loss > 0, loss, np.nan)) for loss in best), default=1e-10)
            top = float(height(f, np.array([left.get_xlim(), left.get_ylim()]).T).max())
            right.set(yscale="log", ylim=(max(lowest / 3, 1e-10), 3 * max(top, float(height(f, f.start)))))
            right.set(title="loss above the minimum", ylabel="$f(x) - f^*$")
        else:
            z = f(np.stack(plots.mesh(f, n=40)[:2], -1))
            right.set(yscale="linear", ylim=(float(z.min()), float(z.max())), title="loss", ylabel="$f(x)$")
        drawn["name"] = name

    def draw(data, landscape, **values):
        if drawn.get("name") != landscape:
            scenery(landscape)
        said = []
        for name in offered:
            xs = data["xs"].get(name, np.empty((0, 2)))
            loss = data["loss"].get(name, np.empty(0))
            k = diverged_at(loss) if len(loss) else None
            if k is not None:
                said.append(f"{name} diverged at step {k}")
                xs, loss = xs.copy(), loss.copy()
                xs[k:], loss[k:] = np.nan, np.nan
            paths[name].set_data(*xs.T)
            dots[name].set_data(*xs.T)
            floor = 1e-300 if right.get_yscale() == "log" else -np.inf  # a loss of zero has no logarithm
            losses[name].set_data(np.arange(len(loss)), np.maximum(loss, floor))
        note.set_text("\n".join(said))

    def adjust(changed, values):
        """A new landscape brings its own start and the rates that suit it; a method that is tuned is also shown."""
        if "tune" in changed:
            return {"methods": (*values["methods"], values["tune"])}
        if "landscape" not in changed:
            return {}
        name = values["landscape"]
        rates = {control_name(m, "lr"): tuned_rate(name, m) for m in offered}
        return {"start": tuple(LANDSCAPES[name]().start), **rates}

    start = initial.pop("start", tuple(LANDSCAPES[landscape]().start))
    tuned = {name: replace(rule, lr=tuned_rate(landscape, name)) for name, rule in rules.items()}
    first = next(iter(methods), offered[0])
    controls = [
        Choice("landscape", list(LANDSCAPES), landscape),
        Slider("scale", 0.1, 10.0, initial.pop("scale", 1.0), log=True, label="all rates ×"),
        Slider("noise", 0.0, 5.0, initial.pop("noise", 0.0), label="gradient noise σ"),
        Choices("methods", list(offered), tuple(methods), colors={m: theme.color(m) for m in offered}),
        Choice("tune", list(offered), first, label="fine-tune"),
        *(s.only(tune=m) for m, rule in tuned.items() for s in sliders(m, rule)),
        Point("start", start, left),
        Play("step", STEPS),
    ]
    live = [*(trail(p) for p in paths.values()), *(trail(p) for p in losses.values()), *map(head, dots.values()), note]
    figure = LiveFigure(fig, live, controls, compute, draw, adjust=adjust,
                        alt="Paths of optimization methods on a landscape from a common start, and their losses.")
    figure.set(**initial)
    return figure
