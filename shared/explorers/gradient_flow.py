"""Gradient flow: what every layer of a real network receives and sends back, measured at every move of a control."""

from functools import lru_cache

import numpy as np
from torch import nn
from torch.nn.functional import cross_entropy

from shared import data, theory
from shared.figures import theme
from shared.figures.live import Choice, LiveFigure, Slider, Toggle
from shared.models.deep import deep, initialise
from shared.problems.flow import flow, per_layer

DEEPEST, EXAMPLES, HEAD = 50, 32, 7  # HEAD: the seed of the output layer, the same at every depth
LOW, HIGH = 1e-12, 1e12  # drawn within these limits
PANELS = {"activations": "activations $h$", "deltas": "deltas δ", "weight_grads": "weight gradients"}  # and titles


@lru_cache
def batch():
    """Some real digits, pixels standardised: (EXAMPLES, 64), (EXAMPLES,)."""
    digits = data.digits(standardize=True)
    return digits.x_train[:EXAMPLES], digits.y_train[:EXAMPLES]


@lru_cache(maxsize=16)
def built(width, activation, norm, residual):
    """The deepest network, of gain 1; shallower ones use its first layers and its output layer."""
    model = deep(64, width, DEEPEST, 10, activation=activation, norm=norm, residual=residual, init="lecun", seed=0)
    initialise(nn.Sequential(model[-1]), "lecun", seed=HEAD)
    return model


def compute(depth, width, activation, gain, norm, residual):
    """One forward and one backward pass of the real network: see flow.Flow, arrays (depth,).

    "predicted" deltas and activations are mean-field theory's, None where it does not apply (norms, shortcuts). Weights
    have variance gain²/fan-in. Activations and deltas of theory start from what the first and the last layer show.
    """
    x, y = batch()
    *hidden, head = built(width, activation, norm, residual)
    weights = {f"{i}.linear.weight": gain * layer.linear.weight for i, layer in enumerate(hidden[:depth])}
    found = flow(nn.Sequential(*hidden[:depth], head), cross_entropy, x, y, weights)
    predicted = {"activations": None, "deltas": None}
    if norm == "none" and not residual and activation in theory.NONLINEARITIES:
        q, χ = theory.mean_field(activation, gain, depth + 1, gain**2 * (x**2).mean())
        predicted["activations"] = np.sqrt(q[1:]) / gain
        back = np.cumprod(np.append(1.0, χ[depth - 1 : 0 : -1]))[::-1]  # from layer l + 1 to l: χ_l
        predicted["deltas"] = found.deltas[-1] * np.sqrt(back * χ[:depth] / χ[depth - 1])
        predicted["deltas"][-1] = found.deltas[-1]
    return {**found._asdict(), "predicted": predicted, "factor": float(1 / per_layer(found.deltas))}


def verdict(deltas):
    """What the deltas do on their way back, in words."""
    with np.errstate(all="ignore"):
        ratio = deltas[0] / deltas[-1]
    if not np.isfinite(deltas).all() or ratio > 1e3:
        return "gradients explode", theme.BAD
    return ("gradients vanish", theme.BAD) if not ratio >= 1e-3 else ("gradients arrive", theme.GOOD)


def explorer(depth=20, width=64, activation="sigmoid", gain=1.0, norm="none", residual=False):
    """Slide depth and gain, change the activation, add a norm or shortcuts: every bar is measured anew."""
    fig, axes = theme.figure(10, 4.0, cols=3, sharex=True)
    layers = np.arange(1, DEEPEST + 1)
    bars, lines = {}, {}
    for ax, (name, title) in zip(axes, PANELS.items()):
        colour = theme.SEQUENCE[len(bars)]
        ax.set(xlim=(0, DEEPEST + 1), ylim=(LOW, HIGH), yscale="log", xlabel="layer (1: next to the input)")
        ax.set(title=title, ylabel=f"{title.split()[0]}, root mean square" if name == "activations" else title)
        bars[name] = ax.bar(layers, 0 * layers, bottom=LOW, width=0.8, color=colour)
        if name != "weight_grads":
            (lines[name],) = ax.plot([], [], color=theme.INK, lw=1.6, label="theory")
            ax.legend(loc="upper right")

    def draw(data):
        for name, boxes in bars.items():
            seen = np.clip(np.nan_to_num(data[name], nan=HIGH), LOW, HIGH)
            for box, height in zip(boxes, np.append(seen, np.full(DEEPEST - len(seen), LOW))):
                box.set_height(height - LOW)
        for name, line in lines.items():
            y = data["predicted"][name]
            line.set_data(([], []) if y is None else (layers[: len(y)], np.clip(y, LOW / 10, 10 * HIGH)))
        text, colour = verdict(data["deltas"])
        factor = data["factor"]
        axes[1].set_title("deltas" if not np.isfinite(factor) else f"deltas: × {factor:.3g} a layer")
        axes[2].set_title(text, color=colour)

    controls = [
        Slider("depth", 2, DEEPEST, depth, step=1, label="depth (layers)"),
        Slider("gain", 0.1, 10.0, gain, log=True, label="gain σ"),
        Slider("width", 16, 128, width, step=16),
        Choice("activation", ["sigmoid", "tanh", "relu", "gelu", "linear"], activation),
        Choice("norm", ["none", "batch", "layer"], norm, label="normalisation"),
        Toggle("residual", residual, label="shortcuts"),
    ]
    live = [*bars.values(), *lines.values()]
    return LiveFigure(fig, live, controls, compute, draw,
                      alt="Activations, deltas and weight gradients of every layer of a deep network, and theory.")
