"""Learning-rate schedule designer: a schedule, and what it does to SGD on a noisy bowl beside a constant rate."""

from dataclasses import fields
from functools import lru_cache

import numpy as np

from shared import chance, theory
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Slider, head, trail
from shared.optimizers.schedules import SCHEDULES, Constant, Join, Warmup
from shared.problems import quadratic

STEPS, RUNS = 200, 40
BOWL = quadratic(kappa=10.0)
LIMIT = float(theory.stability_limit(BOWL.eigenvalues[-1]))
LOW, HIGH = 1e-4, 1e2  # losses are drawn within these limits
SHAPES = ("constant", "step", "exponential", "inverse time", "inverse sqrt", "polynomial", "cosine", "cosine restarts",
          "triangular", "one cycle", "warm-up stable decay")  # fmt: skip
FIXED = ("lr", "steps", "lr_min", "warmup", "final_div_factor", "down")  # set by the designer, or too small to see
START = {"decay": 0.05, "every": 60, "period": 30, "up": 25}  # first values, where the field's own suits other lengths


def design(shape, lr, warmup, **parameters):
    """The schedule of this shape, STEPS long: first `warmup` linear steps, then the shape itself from `lr`."""
    kind, length = SCHEDULES[shape], STEPS - warmup
    known = {f.name for f in fields(kind)}
    given = {"lr": lr, "steps": length, "warmup": 0, "lr_min": 0.0} | parameters
    if shape == "warm-up stable decay":
        given["decay"] = min(given["decay"], length)
    main = kind(**{name: value for name, value in given.items() if name in known})
    return Join((Warmup(lr, warmup), main), (warmup,)) if warmup else main


def sliders(shape):
    """The parameters of a shape as sliders, read from the schedule's own fields: a list of (field, Slider)."""
    found = []
    for f in fields(SCHEDULES[shape]):
        if f.name in FIXED or not f.metadata.get("slider"):
            continue
        low, high = f.metadata["slider"]
        whole = isinstance(f.default, int)
        value = 40 if shape == "warm-up stable decay" else START.get(f.name, f.default)
        label = f"{f.name.replace('_', ' ')} {f.metadata['symbol']}"
        found.append((f.name, Slider(f"{shape.replace(' ', '_').replace('-', '_')}_{f.name}", low, high, value,
                                     log=f.metadata["log"], step=1 if whole else None, label=label).only(shape=shape)))
    return found


PARAMETERS = {shape: sliders(shape) for shape in SHAPES}


@lru_cache
def kicks():
    """The noise of every step and run: (T, RUNS, 2), standard normal."""
    return chance.rng(1).standard_normal((STEPS, RUNS, 2))


def compute(shape, lr, warmup, noise, **values):
    """RUNS runs of SGD with the designed schedule and as many at the constant rate, on the same noise.

    Returns "rates" (T+1,); one trajectory of each, "xs" (T+1, 2, 2); mean losses "loss" (T+1, 2); the predicted "floor"
    of the constant rate (None above the stability limit).
    """
    parameters = {name: values[slider.name] for name, slider in PARAMETERS[shape]}
    scheduled, constant = design(shape, lr, warmup, **parameters), Constant(lr)
    rates = np.array([(scheduled(k), constant(k)) for k in range(STEPS + 1)])
    x = np.broadcast_to(BOWL.start, (2, RUNS, 2))
    xs = [x]
    for η, ξ in zip(rates[:-1, :, None, None], noise * kicks(), strict=True):  # as `run` does, eight times as fast
        x = x - η * (BOWL.grad(x) + ξ)
        xs.append(x)
    xs = np.array(xs)
    loss = np.clip(BOWL(xs).mean(-1), LOW / 10, 10 * HIGH)
    floor = theory.noise_floor(lr, BOWL.eigenvalues, noise**2) if lr < LIMIT else None
    return {"rates": rates[:, 0], "xs": xs[:, :, 0], "loss": loss, "floor": floor}


def explorer(shape="cosine", lr=0.12, noise=1.0):
    """Choose a shape, tune its parameters, and compare with the constant rate on a noisy quadratic."""
    fig, (rate, plane, losses) = theme.figure(10.2, 4.0, cols=3)
    k = np.arange(STEPS + 1)
    ours, theirs = theme.ACCENT, theme.SEQUENCE[1]
    rate.set(xlim=(0, 1.02 * STEPS), ylim=(-0.006, 0.3), xlabel="step $k$", ylabel="rate η", title="the schedule")
    plots.limit(rate, LIMIT, "unstable above 2/L", axis="y")
    (level,) = rate.plot([], [], "--", color=theirs, lw=1.3)
    (line,) = rate.plot([], [], color=ours, lw=2.2)
    (now,) = rate.plot([], [], "o", color=ours, ms=8, mec="white")
    plots.contours(plane, BOWL, bounds=((-1.5, 3), (-1.5, 2)))
    plane.set(title="one run of each")
    paths = [plane.plot([], [], color=colour, lw=1, alpha=0.85)[0] for colour in (ours, theirs)]
    dots = [plane.plot([], [], "o", color=colour, ms=8, mec="white", zorder=6)[0] for colour in (ours, theirs)]
    losses.set(xlim=(0, STEPS), ylim=(LOW, HIGH), yscale="log", xlabel="step $k$", title=f"loss, mean of {RUNS} runs")
    curves = [losses.plot([], [], color=colour, lw=1.8, label=label)[0]
              for colour, label in ((ours, "scheduled"), (theirs, "constant"))]  # fmt: skip
    (ground,) = losses.plot([], [], ":", color=theirs, lw=1.6, label="predicted floor")
    losses.legend(loc="upper right")
    said = losses.text(0.03, 0.03, "", transform=losses.transAxes)

    def draw(data, lr):
        level.set_data([0, STEPS], [lr, lr])
        line.set_data(k, data["rates"])
        now.set_data(k, data["rates"])
        for i, (path, dot, curve) in enumerate(zip(paths, dots, curves, strict=True)):
            path.set_data(*data["xs"][:, i].T)
            dot.set_data(*data["xs"][:, i].T)
            curve.set_data(k, data["loss"][:, i])
        ground.set_data([0, STEPS], [np.nan if data["floor"] is None else max(data["floor"], LOW / 10)] * 2)
        last = data["loss"][-1]
        text = "constant: diverged" if last[1] > HIGH else f"constant / scheduled: {last[1] / last[0]:.3g}"
        said.set_text("both diverged" if last.min() > HIGH else text)

    lines = [*paths[::-1], *curves[::-1]]  # ours in front
    live = [level, trail(line), head(now), *map(trail, lines), *map(head, dots[::-1]), ground, said]
    own = [slider for several in PARAMETERS.values() for _, slider in several]
    return LiveFigure(fig, live, compute=compute, draw=draw, controls=[
        Choice("shape", SHAPES, shape, label="schedule"),
        Slider("lr", 0.01, 0.28, lr, log=True, label="highest rate η"),
        Slider("warmup", 0, 100, 0, step=1, label="warm-up steps"),
        *own,
        Slider("noise", 0.0, 4.0, noise, step=0.1, label="gradient noise σ"),
        Play("step", STEPS),
    ], alt="A learning-rate schedule, one run of SGD with it and one at a constant rate on a noisy quadratic, and both "
           "losses against the step.")  # fmt: skip
