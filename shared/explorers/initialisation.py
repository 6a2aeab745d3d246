"""Initialisation: how much of the gradient arrives over depth and gain, the critical line, and one cell measured."""

from functools import lru_cache

import numpy as np
from torch.nn.functional import cross_entropy

from shared import theory
from shared.figures import theme
from shared.figures.live import Choice, LiveFigure, Point
from shared.models.deep import deep
from shared.problems.flow import flow

from .gradient_flow import batch

DEPTHS, GAINS = np.arange(2, 51), np.geomspace(0.3, 12, 80)
SPAN = 6.0  # powers of ten that have a colour
SEEDS, WIDTH = 3, 64
critical_gain = lru_cache(theory.critical_gain)


@lru_cache
def arriving(activation):
    """log₁₀ of δ₁/δ_L by mean-field theory, within ±SPAN: (len(GAINS), len(DEPTHS))."""
    χ = theory.mean_field(activation, GAINS, DEPTHS[-1], GAINS**2)[1]
    whole = np.cumsum(np.log10(np.maximum(χ, 1e-300)), -1) / 2  # δ₁ ... δ_L: the layers 1 ... L − 1
    return np.clip(whole[:, DEPTHS - 2], -SPAN, SPAN)


def compute(activation, cell):
    """"map" as `arriving`; "deltas" (SEEDS, depth) of networks at the cell (depth, log₁₀ gain), "theory" (depth,)."""
    depth = int(np.clip(round(cell[0]), DEPTHS[0], DEPTHS[-1]))
    gain = float(np.clip(10 ** cell[1], GAINS[0], GAINS[-1]))
    x, y = batch()
    nets = (deep(64, WIDTH, depth, 10, activation=activation, init="lecun", gain=gain, seed=s) for s in range(SEEDS))
    deltas = np.stack([flow(net, cross_entropy, x, y).deltas for net in nets])
    with np.errstate(all="ignore"):
        deltas = deltas / deltas[:, -1:]
    χ = theory.mean_field(activation, gain, depth, gain**2 * (x**2).mean())[1]
    predicted = np.sqrt(np.append(np.cumprod(χ[: depth - 1][::-1])[::-1], 1.0))
    return {"map": arriving(activation), "deltas": deltas, "theory": predicted, "depth": depth, "gain": gain}


def explorer(activation="tanh", depth=30, gain=2.0):
    """Pick an activation, then click or drag over the map."""
    fig, (left, right) = theme.figure(9.6, 4.2, cols=2)
    low, high = np.log10(GAINS[[0, -1]])
    image = left.imshow(arriving(activation), cmap="RdBu_r", vmin=-SPAN, vmax=SPAN, origin="lower", aspect="auto",
                        extent=(DEPTHS[0], DEPTHS[-1], low, high), interpolation="nearest")  # fmt: skip
    fig.colorbar(image, ax=left, label=r"$\log_{10}$ of first over last delta", pad=0.02)
    left.set(xlabel="depth", ylabel="gain σ")
    left.set_yticks(np.log10([0.3, 1, 3, 10]), ["0.3", "1", "3", "10"])
    left.grid(False)
    (line,) = left.plot([], [], "--", color=theme.INK, lw=1.6)
    right.set(xlim=(1, 50), ylim=(1e-12, 1e12), yscale="log", xlabel="layer", ylabel="delta / delta of the last layer")
    dots = [right.plot([], [], "o", ms=3.5, color=theme.SEQUENCE[1], label=None if s else "three real networks")[0]
            for s in range(SEEDS)]  # fmt: skip
    (curve,) = right.plot([], [], color=theme.INK, label="mean-field theory")
    right.legend(loc="upper right")

    def draw(data, activation):
        image.set_data(data["map"])
        critical = critical_gain(activation)
        line.set_data([2, 50], [np.log10(critical)] * 2)
        left.set_title(f"blue vanishes, red explodes; critical σ = {critical:.3g}", fontsize=10.5)
        layers = np.arange(1, data["depth"] + 1)
        for dot, y in zip(dots, data["deltas"], strict=True):
            dot.set_data(layers, np.clip(np.nan_to_num(y, nan=1e13), 1e-13, 1e13))
        curve.set_data(layers, np.clip(data["theory"], 1e-13, 1e13))
        right.set_title(f"depth {data['depth']}, gain {data['gain']:.3g}")

    controls = [Choice("activation", list(theory.NONLINEARITIES), activation),
                Point("cell", (depth, float(np.log10(gain))), left, label="depth and gain")]  # fmt: skip
    return LiveFigure(fig, [image, line, *dots, curve], controls, compute, draw,
                      alt="Map over depth and gain of how much of the gradient arrives, and the deltas of one network.")
