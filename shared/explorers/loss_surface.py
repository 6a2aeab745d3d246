"""Loss surface: a deep convolutional network without and with shortcuts, on a plane through its trained weights."""

from functools import lru_cache

import numpy as np
from matplotlib.colors import LogNorm
from torch.nn.functional import cross_entropy

from shared import data
from shared.descent import run
from shared.figures import theme
from shared.figures.live import LiveFigure, Play, Point, Slider, head, trail
from shared.models.vision import ConvStack
from shared.optimizers import Adam
from shared.problems import MiniBatch
from shared.problems.curvature import filter_normalised, surface
from shared.problems.networks import NetworkOracle

DEPTH, CHANNELS, EXAMPLES = 16, 4, 40
SIDE, SPAN, ROLL = 15, 1.0, 40  # cells a side, reach in units of the weights, steps of the ball
NETS = {"plain": False, "shortcuts": True}
TRAINING = {"plain": (2e-3, 300), "shortcuts": (1e-2, 60)}  # Adam's rate and steps to about the same accuracy
COLOURS = {"plain": theme.BAD, "shortcuts": theme.GOOD}
LOW, HIGH = 0.3, 1e4


@lru_cache
def oracle(net, seed=0, scale=None):
    """The training loss of a network as it starts, over its parameters; `scale` as ConvStack has it."""
    model, digits = ConvStack(DEPTH, CHANNELS, NETS[net], seed, scale), data.digits()
    return NetworkOracle(model, cross_entropy, digits.x_train, digits.y_train)


@lru_cache
def trained(net, seeds=(0, 1, 2), scale=None, training=None):
    """Parameters (len(seeds), d) after `training` (rate, steps), by default TRAINING's, all seeds in one batch."""
    (lr, steps), starts = training or TRAINING[net], np.stack([oracle(net, s, scale).start for s in seeds])
    return run(Adam(lr), MiniBatch(oracle(net), 32, seed=0), starts, steps, every=steps)[-1]


@lru_cache
def around(net):
    """Offsets a (SIDE,) and losses (SIDE, SIDE) on two filter-normalised directions through the trained network."""
    f, x = oracle(net).subset(np.arange(EXAMPLES)), trained(net)[0]
    return surface(f, x, *(filter_normalised(f, x, seed) for seed in (0, 1)), SPAN, SIDE, rows=4)


@lru_cache
def relief(net):
    """The logarithm of the losses and its slopes along both directions: (3, SIDE, SIDE)."""
    z = np.log(around(net)[1])
    return np.stack([z, *np.gradient(z, 2 * SPAN / (SIDE - 1))[::-1]])


def between(z, x, y):
    """Maps z (..., SIDE, SIDE) at the points (x, y) within ±SPAN, linear between the cells."""
    u, v = ((np.clip(p, -SPAN, SPAN) + SPAN) / (2 * SPAN) * (SIDE - 1) for p in (x, y))
    i, j = (np.minimum(p.astype(int), SIDE - 2) for p in (u, v))
    s, t = u - i, v - j
    low = (1 - s) * z[..., j, i] + s * z[..., j, i + 1]
    return (1 - t) * low + t * ((1 - s) * z[..., j + 1, i] + s * z[..., j + 1, i + 1])


def roll(maps, start, length=0.06):
    """A ball's path (ROLL + 1, 2): steps of `length` down the slope, halved wherever a step would lead uphill."""
    path, (height, *g) = [np.array(start, dtype=float)], between(maps, *np.array(start))
    for _ in range(ROLL):
        p = np.clip(path[-1] - length * np.array(g) / max(np.hypot(*g), 1e-12), -SPAN, SPAN)
        new, *slope = between(maps, *p)
        if new < height:
            height, g = new, slope
        else:
            p, length = path[-1], length / 2
        path.append(p)
    return np.array(path)


def compute(angle, start):
    """For each network: "line" (101,), its loss along the angle (degrees); a ball's "path", its loss at the "end"."""
    t = np.linspace(-SPAN, SPAN, 101)
    x, y = t * np.cos(np.radians(angle)), t * np.sin(np.radians(angle))
    found = {"t": t, "x": x, "y": y}
    for net in NETS:
        path = roll(relief(net), start)
        found[net] = {"line": np.exp(between(relief(net)[0], x, y)), "path": path,
                      "end": float(np.exp(between(relief(net)[0], *path[-1])))}  # fmt: skip
    return found


def explorer(angle=140, start=(-0.7, 0.6)):
    """Turn the cut, drag the ball."""
    fig, axes = theme.figure(10.2, 3.9, cols=3, width_ratios=(1, 1, 1.15))
    balls, paths, cuts, lines = {}, {}, {}, {}
    right = axes[2]
    right.set(xlim=(-SPAN, SPAN), ylim=(LOW, HIGH), yscale="log", xlabel="along the cut", title="loss along the cut")
    for ax, net in zip(axes, NETS):
        image = ax.imshow(np.clip(around(net)[1], LOW, HIGH), origin="lower", extent=(-SPAN, SPAN) * 2, cmap=theme.CMAP,
                          norm=LogNorm(LOW, HIGH), aspect="auto", interpolation="bilinear")  # fmt: skip
        ax.plot(0, 0, "*", color="white", ms=13, mec=theme.INK)
        (cuts[net],) = ax.plot([], [], "--", color="white", lw=1.2)
        (paths[net],) = ax.plot([], [], color="white", lw=2)
        (balls[net],) = ax.plot([], [], "o", color="white", ms=9, mec=theme.INK)
        (lines[net],) = right.plot([], [], color=COLOURS[net], label=net)
        ax.set(xlabel="direction 1 (in weights)", xlim=(-SPAN, SPAN), ylim=(-SPAN, SPAN))
        ax.grid(False)
    axes[0].set_ylabel("direction 2")
    fig.colorbar(image, ax=list(axes[:2]), label="loss", pad=0.02)
    right.legend(loc="upper center")

    def draw(data):
        for ax, net in zip(axes, NETS):
            part = data[net]
            cuts[net].set_data(data["x"], data["y"])
            lines[net].set_data(data["t"], np.clip(part["line"], LOW, HIGH))
            for artist in (paths[net], balls[net]):
                artist.set_data(*part["path"].T)
            ax.set_title(f"{net}: ball ends at {part['end']:.2f}", color=COLOURS[net])

    live = [*cuts.values(), *(trail(p) for p in paths.values()), *(head(b) for b in balls.values()), *lines.values()]
    controls = [Slider("angle", 0, 180, angle, step=5, label="angle of the cut"),
                Point("start", start, axes[0], label="ball"), Play("step", ROLL)]  # fmt: skip
    return LiveFigure(fig, live, controls, compute, draw,
                      alt="Loss of a deep network without and with shortcuts on a plane through its trained weights, a "
                          "cut through both, and a ball that rolls downhill on each.")  # fmt: skip
