"""Rotation: an adaptive method helps along the axes; turn the valley and see what is left of the help."""

from functools import lru_cache

import numpy as np

from shared.descent import run
from shared.figures import theme
from shared.figures.live import Choice, Choices, LiveFigure, Play, Slider, head, trail
from shared.optimizers import SGD, Adagrad, Adam, RMSprop
from shared.problems import quadratic

STEPS = 200
ANGLES = np.arange(0.0, 91.0, 7.5)  # degrees
STARTS = np.array([[1.9, 0.6], [-1.2, 1.6], [0.5, -1.9]])  # in the valley's own axes: they turn with it
RATES = np.geomspace(1e-3, 3.0, 29)
METHODS = {
    "SGD": SGD, "Momentum": lambda lr: SGD(lr, momentum=0.9), "Adagrad": Adagrad,
    "RMSprop": lambda lr: RMSprop(lr, alpha=0.9), "Adam": lambda lr: Adam(lr, betas=(0.9, 0.99)),
}  # fmt: skip
LOWEST = 1e-10
NAMED_AT = {"SGD": 1, "Momentum": 5, "Adagrad": 9, "RMSprop": 3, "Adam": 7}  # index of an angle: labels


class Turned:
    """½ xᵀ A x with eigenvalues 1 and κ, turned by each of the angles (K,) in degrees; points are (K, ..., 2)."""

    def __init__(self, kappa, angles):
        self.axes = np.stack([quadratic(kappa, np.radians(a)).hess(np.zeros(2)) for a in angles])

    def grad(self, x):
        return (x.reshape(len(x), -1, 2) @ self.axes).reshape(x.shape)

    def __call__(self, x):
        K = len(self.axes)
        return ((x.reshape(-1, K, *x.shape[1:-1], 2) if x.shape[0] != K else x) * self.grad(x)).sum(-1) / 2


def turn(x, degrees):
    """The points x (..., 2) turned counter-clockwise."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.stack([c * x[..., 0] - s * x[..., 1], s * x[..., 0] + c * x[..., 1]], -1)


@lru_cache(maxsize=32)
def by_angle(kappa, method, angles=tuple(ANGLES)):
    """The loss after STEPS steps at the best rate, relative to the start's, and that rate; both (K,) for K angles.

    The best rate is the one with the lowest logarithm of the loss, averaged over STARTS. All angles, rates and starts
    run in one batch.
    """
    f = Turned(kappa, angles)
    starts = np.stack([turn(STARTS, a) for a in angles])[:, None]  # (K, 1, starts, 2)
    rule = METHODS[method](lr=np.broadcast_to(RATES[:, None], (len(angles), len(RATES), 1)))
    xs = run(rule, f, np.broadcast_to(starts, (len(angles), len(RATES), len(STARTS), 2)), STEPS, every=STEPS)
    with np.errstate(all="ignore"):
        ratio = np.nan_to_num(f(xs[-1]) / f(xs[0]), nan=np.inf)
        score = np.log(np.clip(ratio, LOWEST**2, 1e12)).mean(-1)
    best = score.argmin(1)
    return np.exp(score[np.arange(len(best)), best]), RATES[best]


def compute(kappa, angle, methods):
    """{"xs": {method: (T+1, 2)}, "curves": {method: (K,)}, "here": {method: loss ratio at this angle}}."""
    κ = float(kappa)
    f, start = quadratic(κ, np.radians(angle)), turn(STARTS[0], angle)
    xs, here, curves = {}, {}, {}
    for m in methods:
        loss, rate = by_angle(κ, m, (float(angle),))
        xs[m], here[m], curves[m] = run(METHODS[m](rate[0]), f, start, STEPS), loss[0], by_angle(κ, m)[0]
    return {"xs": xs, "here": here, "curves": curves}


def explorer(angle=0.0, kappa="1000", methods=("SGD", "Momentum", "Adagrad", "Adam")):
    """Turn the valley: every method runs at its best rate for this very angle, so what changes is not its tuning."""
    fig, (left, right) = theme.figure(9.6, 4.3, cols=2, width_ratios=(1, 1.1))
    right.set(xlim=(0, 90), ylim=(LOWEST, 3), yscale="log", xlabel="angle of the valley (degrees)")
    right.set_xticks(range(0, 91, 15))
    right.set_title(f"loss left after {STEPS} steps, best rate")
    left.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal")
    rings = [left.plot([], [], color="#9AA0A6", lw=0.8)[0] for _ in range(6)]
    left.plot(0, 0, "*", color=theme.INK, ms=11, mec="white", zorder=5)
    paths = {m: left.plot([], [], "-o", color=theme.color(m), lw=1.4, ms=2.6)[0] for m in METHODS}
    dots = {m: left.plot([], [], "o", color=theme.color(m), ms=9, mec="white")[0] for m in METHODS}
    curves = {m: right.plot([], [], color=theme.color(m))[0] for m in METHODS}
    here = {m: right.plot([], [], "o", color=theme.color(m), ms=8, mec="white")[0] for m in METHODS}
    style = dict(ha="center", va="bottom", fontsize=9.5)
    names = {m: right.text(ANGLES[NAMED_AT[m]], 1, m, color=theme.color(m), **style) for m in METHODS}
    (marker,) = right.plot([], [], "--", color=theme.MUTED, lw=1)
    circle = np.stack([np.cos(u := np.linspace(0, 2 * np.pi, 120)), np.sin(u)], -1)

    def draw(data, kappa, angle):
        left.set_title(f"κ = {kappa}, turned by {angle:g}°")
        for r, ring in zip(np.geomspace(0.15, 4, len(rings)), rings):
            ring.set_data(*turn(circle * r / np.sqrt([1.0, float(kappa)]) * np.sqrt(float(kappa)) ** 0.5, angle).T)
        marker.set_data([angle, angle], [LOWEST, 3])
        nothing = np.empty((0, 2))
        for m in METHODS:
            xs = data["xs"].get(m, nothing)
            paths[m].set_data(*xs.T)
            dots[m].set_data(*xs.T)
            shown = m in data["xs"]
            curves[m].set_data(ANGLES if shown else [], np.maximum(data["curves"][m], LOWEST) if shown else [])
            names[m].set_text(m if shown else "")
            names[m].set_y(1.3 * max(data["curves"][m][NAMED_AT[m]], LOWEST) if shown else 1)
            level = [max(data["here"][m], LOWEST)] if shown else []
            here[m].set_data([angle] if shown else [], level)

    controls = [
        Slider("angle", 0.0, 90.0, angle, step=1.5, label="angle"),
        Choice("kappa", ["10", "100", "1000"], kappa, label="κ"),
        Choices("methods", list(METHODS), tuple(methods), colors={m: theme.color(m) for m in METHODS}),
        Play("step", STEPS),
    ]
    moving = [*map(trail, paths.values()), *map(head, dots.values())]
    live = [*rings, *moving, *curves.values(), *here.values(), *names.values(), marker]
    return LiveFigure(fig, live, controls, compute, draw,
                      alt="Paths in a turned valley, and the loss left at the best rate against the valley's angle.")
