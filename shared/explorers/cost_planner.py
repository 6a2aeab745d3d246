"""Cost planner: step time, memory and efficiency of a large model on many devices, by strategy, from the cost model."""

import numpy as np

from shared.distributed.cost import STRATEGIES, Link, Plan
from shared.figures import theme
from shared.figures.live import Choice, LiveFigure, Slider

RANKS = [2**k for k in range(13)]
COLOURS = dict(zip(STRATEGIES, theme.SEQUENCE))
PARTS = {"compute": theme.MUTED, "communication": theme.SEQUENCE[5], "bubble": theme.SEQUENCE[6]}
DEVICE = 80e9  # bytes of a large accelerator
WIDEST = 4.0  # times the pure computation; longer bars are cut


def compute(parameters, ranks, bandwidth, latency, tokens):
    """One step of a model of `parameters` billions on `tokens` millions of tokens; GB/s and µs.

    Returns for each strategy "parts" (3,) in seconds, "bytes" on a device, and the "efficiency" (13,) over RANKS: pure
    computation over step time. A pipeline of more stages than layers is nan.
    """
    link, found = Link(latency * 1e-6, bandwidth * 1e9), {"parts": {}, "bytes": {}, "efficiency": {}}
    plans = {p: Plan(parameters * 1e9, p, link, tokens * 1e6) for p in RANKS}
    for name in STRATEGIES:
        parts = {p: np.array(getattr(plan, name)()) for p, plan in plans.items()}
        if name == "pipeline":
            parts = {p: v if p <= plans[p].layers else np.full(3, np.nan) for p, v in parts.items()}
        found["parts"][name] = parts[ranks]
        found["bytes"][name] = float(plans[ranks].bytes(name))
        found["efficiency"][name] = np.array([v[0] / v.sum() for v in parts.values()])
    return found


def size(n):
    """Bytes for people."""
    return f"{n / 1e12:.3g} TB" if n >= 1e12 else f"{n / 1e9:.3g} GB" if n >= 1e9 else f"{n / 1e6:.3g} MB"


def explorer(parameters=7.0, ranks=16, bandwidth=25.0, latency=20.0, tokens=1.0):
    """Slide the model, the network and the batch; choose how many devices."""
    fig, (time, memory, scaling) = theme.figure(10.4, 4.0, cols=3, gridspec_kw={"width_ratios": [1.35, 1, 1.1]})
    rows = np.arange(len(STRATEGIES))
    time.set(xlim=(0, WIDEST + 1.2), ylim=(len(rows) - 0.5, -0.9), xticks=range(5))
    time.set_xlabel("step time / pure computation")
    time.set_yticks(rows, [name.replace(" / ", " /\n").replace(" par", "\npar") for name in STRATEGIES.values()])
    for label, colour in zip(time.get_yticklabels(), COLOURS.values()):
        label.set_color(colour)  # the colours of the lines on the right
    bars = {part: time.barh(rows, 0 * rows, height=0.55, color=colour, label=part) for part, colour in PARTS.items()}
    time.legend(loc="upper center", ncols=3, handlelength=0.8, columnspacing=0.8, fontsize=8.5)
    said = [time.text(0, y, "", va="center", fontsize=9.5) for y in rows]
    memory.set(xscale="log", xlim=(1e7, 3e14), ylim=time.get_ylim(), xlabel="bytes on one device")
    memory.set_yticks(rows, [])
    boxes = memory.barh(rows, 0 * rows + 1, left=1e7, height=0.55, color=theme.SEQUENCE[0])
    memory.axvline(DEVICE, color=theme.BAD, ls="--", lw=1.2)
    memory.text(DEVICE * 1.3, -0.6, "80 GB", color=theme.BAD, fontsize=9.5)
    needs = [memory.text(1.4e7, y, "", va="center", color=theme.PAPER, fontsize=9.5) for y in rows]
    scaling.set(xscale="log", xlim=(1, RANKS[-1]), ylim=(0, 1.05), xlabel="devices", ylabel="efficiency")
    scaling.set_xticks([1, 16, 256, 4096], ["1", "16", "256", "4096"])
    scaling.minorticks_off()
    lines = {name: scaling.plot([], [], color=COLOURS[name], label=label)[0] for name, label in STRATEGIES.items()}
    (here,) = scaling.plot([], [], color=theme.MUTED, lw=1)

    def draw(data, ranks, tokens):
        parts = np.array([data["parts"][name] for name in STRATEGIES])  # (strategies, 3)
        left = np.zeros(len(rows))
        for boxes_, seconds in zip(bars.values(), parts.T):
            width = np.clip(np.nan_to_num(seconds / parts[:, 0]), 0, WIDEST - left)
            for box, x, w in zip(boxes_, left, width):
                box.set_x(x)
                box.set_width(w)
            left = left + width
        for y, (text, row, x) in enumerate(zip(said, parts, left)):
            text.set_position((x + 0.1, y))
            text.set_text("more stages than layers" if np.isnan(row).any() else f"{row.sum():.3g} s")
        for box, text, name in zip(boxes, needs, STRATEGIES):
            box.set_width(data["bytes"][name] - 1e7)
            box.set_color(theme.SEQUENCE[0] if data["bytes"][name] <= DEVICE else theme.BAD)
            text.set_text(size(data["bytes"][name]))
        for name, line in lines.items():
            line.set_data(RANKS, data["efficiency"][name])
        here.set_data([ranks] * 2, [0, 1.05])
        time.set_title(f"{ranks} device{'s' * (ranks > 1)}, {tokens:.2g} M tokens a step", fontsize=10.5)
        memory.set_title("memory, without activations", fontsize=10.5)
        scaling.set_title("what is left of the speed", fontsize=10.5)

    live = [*bars.values(), *said, boxes, *needs, *lines.values(), here]
    return LiveFigure(fig, live, compute=compute, draw=draw, controls=[
        Slider("parameters", 0.1, 1000.0, parameters, log=True, label="parameters, billions"),
        Choice("ranks", RANKS, ranks, label="devices"),
        Slider("bandwidth", 0.1, 1000.0, bandwidth, log=True, label="bandwidth, GB/s"),
        Slider("latency", 1.0, 1000.0, latency, log=True, label="latency, µs"),
        Slider("tokens", 0.1, 100.0, tokens, log=True, label="tokens a step, millions"),
    ], alt="Step time, memory of a device and efficiency of four ways to train a large model on many devices.")
