"""Batch-norm landscape: the loss of the same network, plain and normalised, around its starting point."""

from functools import lru_cache

import numpy as np
from matplotlib.colors import LogNorm
from torch.nn.functional import cross_entropy

from shared import chance, data
from shared.figures import theme
from shared.figures.live import LiveFigure, Slider
from shared.models.deep import deep
from shared.problems.networks import NetworkOracle

SIDE, REACH, LOW, HIGH = 11, 3.0, 0.5, 100.0  # cells a side, longest step η, losses that have a colour
ETAS = np.geomspace(0.01, REACH, 25)
NETS = {"none": "without batch norm", "batch": "with batch norm"}
WIDTH = 24


@lru_cache(maxsize=64)
def oracle(norm, depth, examples):
    """The loss of a network on the first digits, as a function of its parameters."""
    digits = data.digits(standardize=True)
    net = deep(64, WIDTH, depth, 10, activation="relu", init="he", norm=norm)
    return NetworkOracle(net, cross_entropy, digits.x_train[:examples], digits.y_train[:examples])


def compute(depth, gain, examples):
    """For each network: "line" (len(ETAS),) the loss at x − η g; "map" (SIDE, SIDE) the loss at x − a g + b u.

    a and b run over [−REACH, REACH]; u is a random direction as long as g. `gain` multiplies the weights at the start.
    """
    found = {}
    steps = np.linspace(-REACH, REACH, SIDE)
    for norm in NETS:
        f = oracle(norm, depth, examples)
        scale = np.concatenate([np.full(np.prod(s), gain if len(s) > 1 else 1.0) for s in f.shapes.values()])
        x = f.start * scale
        g = f.grad(x)
        u = chance.rng(0).standard_normal(f.dim)
        u *= np.linalg.norm(g) / np.linalg.norm(u)
        plane = x - steps[None, :, None] * g + steps[:, None, None] * u
        losses = f(np.concatenate([x - ETAS[:, None] * g, plane.reshape(-1, f.dim)]))
        found[norm] = {"line": losses[: len(ETAS)], "map": losses[len(ETAS) :].reshape(SIDE, SIDE), "start": f(x)}
    return found


def explorer(depth=6, gain=1.3, examples=52, lr=0.5):
    """Slide depth, gain and batch size; η is the step that would be taken."""
    fig, axes = theme.figure(10, 3.9, cols=3, width_ratios=(1, 1, 1.15))
    reach, images, dots = (-REACH, REACH), {}, {}
    for ax, (norm, title) in zip(axes, NETS.items()):
        images[norm] = ax.imshow(np.ones((SIDE, SIDE)), origin="lower", extent=(*reach, *reach), cmap=theme.CMAP,
                                 norm=LogNorm(LOW, HIGH), aspect="auto", interpolation="bilinear")  # fmt: skip
        ax.plot(0, 0, "o", color="white", ms=7, mec=theme.INK)
        (dots[norm],) = ax.plot([], [], "-o", color="white", ms=7, mec=theme.INK, lw=2, markevery=[1])
        ax.set(title=title, xlabel="along $-g$ (η)")
        ax.grid(False)
    axes[0].set_ylabel("along a random direction")
    fig.colorbar(images["batch"], ax=axes[1], label="loss", pad=0.02)
    right = axes[2]
    right.set(xlim=(ETAS[0], REACH), ylim=(LOW, HIGH), xscale="log", yscale="log", xlabel="rate η")
    right.set_title("loss after one step of η")
    lines = {norm: right.plot([], [], color=colour, label=NETS[norm])[0]
             for norm, colour in zip(NETS, (theme.BAD, theme.GOOD))}  # fmt: skip
    (now,) = right.plot([], [], "--", color=theme.MUTED, lw=1.2)
    right.legend(loc="upper left")

    def draw(data, lr):
        for norm, part in data.items():
            images[norm].set_data(np.clip(np.nan_to_num(part["map"], nan=HIGH, posinf=HIGH), LOW, HIGH))
            lines[norm].set_data(ETAS, np.clip(np.nan_to_num(part["line"], nan=10 * HIGH), LOW / 2, 10 * HIGH))
            dots[norm].set_data([0, lr], [0, 0])
        now.set_data([lr, lr], [LOW, HIGH])

    controls = [
        Slider("lr", 0.01, REACH, lr, log=True, label="learning rate η"),
        Slider("depth", 1, 10, depth, step=1, label="hidden layers"),
        Slider("gain", 0.5, 3.0, gain, log=True, label="weights ×"),
        Slider("examples", 4, 100, examples, step=4, label="batch size"),
    ]
    return LiveFigure(fig, [*images.values(), *dots.values(), *lines.values(), now], controls, compute, draw,
                      alt="The loss around the start of a network without and with batch norm, and along the gradient.")
