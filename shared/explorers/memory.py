"""Memory: how much of the gradient arrives through time, for each cell, measured anew at every move of a control."""

import numpy as np

from shared.figures import theme
from shared.figures.live import Choice, LiveFigure, Slider
from shared.models.cells import CELLS, sigmoid
from shared.problems.sequences import Adding, Reader, gradient_by_lag

LONGEST, UNITS, SEQUENCES, SEEDS = 80, 24, 6, 3
LOW, HIGH = 1e-20, 1e10  # drawn within these limits
COLOURS = dict(zip(CELLS, theme.SEQUENCE))


def compute(cell, T, radius, forget, update):
    """What arrives at the start of training, three seeds.

    "arrives" (SEEDS, T): ‖∂f/∂h‖ at lag 0, 1, ... for a unit gradient at the end. "share" (SEEDS, T): the share of the
    inputs' gradients (their norms) that falls on the last 1, 2, ... steps. "rule" (T,): radius^lag, or σ(bias)^lag with
    the bias of the gate that keeps the old state: `forget` of the LSTM, `update` of the GRU (gate number 1 of both).
    """
    bias = {"LSTM": forget, "GRU": update}.get(cell)
    f = Reader(CELLS[cell], Adding(int(T)), UNITS, SEQUENCES, dtype=np.float64)
    x = f.start(range(SEEDS), None if bias is None else 1, bias, radius)
    arrives, inputs = gradient_by_lag(f, x)
    share = np.cumsum(inputs, -1) / inputs.sum(-1, keepdims=True)
    return {"arrives": arrives, "share": share, "rule": (radius if bias is None else sigmoid(bias)) ** np.arange(T)}


def explorer(cell="RNN", T=60, radius=1.0, forget=1.0, update=0.0):
    """Choose a cell, lengthen the sequence, and turn the knob that its memory hangs on."""
    fig, (left, right) = theme.figure(9.6, 3.9, cols=2)
    left.set(xlim=(0, LONGEST), ylim=(LOW, HIGH), yscale="log", xlabel="lag (steps back from the end)",
             ylabel="‖∂f/∂h‖, 1 at the end")  # fmt: skip
    right.set(xlim=(0, LONGEST), ylim=(0, 1.02), xlabel="the last ... steps", ylabel="share of the inputs' gradient")
    arriving = [left.plot([], [], lw=1.6)[0] for _ in range(SEEDS)]
    left.plot([], [], lw=1.6, color=theme.MUTED, label="three networks")
    (rule,) = left.plot([], [], "--", color=theme.INK, lw=1.2, label="radius or gate, to the power of the lag")
    shares = [right.plot([], [], lw=1.6)[0] for _ in range(SEEDS)]
    (half,) = right.plot([], [], "o", color=theme.INK, ms=7)
    left.legend(loc="lower left")

    def draw(data, cell, T):
        lag = np.arange(int(T))
        for i in range(SEEDS):
            arriving[i].set_data(lag, np.clip(data["arrives"][i], LOW / 10, HIGH * 10))
            shares[i].set_data(lag + 1, data["share"][i])
            arriving[i].set_color(COLOURS[cell])
            shares[i].set_color(COLOURS[cell])
        rule.set_data(lag, np.clip(data["rule"], LOW / 10, HIGH * 10))
        last = np.median(data["arrives"][:, -1])
        word = "vanished" if last < 1e-3 else "exploded" if last > 1e3 else "arrives"
        left.set_title(f"lag {int(T) - 1}: {last:.1e}, {word}", color=theme.GOOD if word == "arrives" else theme.BAD)
        k = int(np.argmax(np.median(data["share"], 0) >= 0.5)) + 1
        half.set_data([k], [np.median(data["share"], 0)[k - 1]])
        right.set_title(f"half of it: the last {k} of {int(T)} steps")

    controls = [
        Choice("cell", list(CELLS), cell),
        Slider("T", 5, LONGEST, T, step=1, label="length T"),
        Slider("radius", 0.3, 2.0, radius, step=0.05, label="spectral radius of U"),
        Slider("forget", -2.0, 5.0, forget, step=0.25, label="bias of the forget gate").only(cell="LSTM"),
        Slider("update", -2.0, 5.0, update, step=0.25, label="bias of the update gate").only(cell="GRU"),
    ]
    return LiveFigure(fig, [*arriving, rule, *shares, half], controls, compute, draw,
                      alt="Norm of the gradient against the lag for a recurrent cell, and the share of the gradient "
                          "that falls on the last steps.")  # fmt: skip
