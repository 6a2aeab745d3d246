"""Tuning: the loss curves of training runs, one learning rate at a time, and the rate that is best for a budget."""

import numpy as np

from shared.figures import theme
from shared.figures.live import LiveFigure, Slider

LOW, HIGH = 0.03, 30.0  # losses are drawn within these limits


def compute(rates, steps, train, validation, lr, budget):
    """What the measured losses say about one rate and one budget.

    rates (R,), steps (K,), train and validation (seeds, K, R) -> {"train", "validation": (seeds, K) at the rate nearest
    to `lr`, "final": (R,) median validation loss once `budget` steps are spent, "rate", "spent", "best": numbers}.
    """
    i = int(np.abs(np.log(rates / lr)).argmin())
    k = int(np.abs(steps - budget).argmin())
    final = np.median(validation[:, k], 0)
    return {"train": train[..., i], "validation": validation[..., i], "final": final, "index": i,
            "rate": rates[i], "spent": steps[k], "best": rates[np.nan_to_num(final, nan=np.inf).argmin()]}  # fmt: skip


def explorer(rates, steps, train, validation, lr=0.05):
    """Explore measured losses: see `compute` for the shapes."""
    rates, steps = np.asarray(rates), np.asarray(steps)
    seen = {name: np.clip(np.nan_to_num(y, nan=HIGH), LOW, HIGH)
            for name, y in (("train", train), ("validation", validation))}  # fmt: skip
    fig, (left, right) = theme.figure(9.6, 4.1, cols=2, sharey=True)
    left.set(xlim=(0, steps[-1]), ylim=(LOW, HIGH), yscale="log", xlabel="step", ylabel="loss")
    right.set(xlim=(rates[0], rates[-1]), xscale="log", xlabel="learning rate η")
    right.set_title("validation loss for your budget")
    lines = {name: [left.plot([], [], color=colour, lw=1.4, alpha=0.8, label=name if not seed else None)[0]
                    for seed in range(len(seen[name]))]
             for name, colour in (("train", theme.SEQUENCE[0]), ("validation", theme.SEQUENCE[1]))}  # fmt: skip
    left.legend(loc="upper right")
    (spent,) = left.plot([], [], "--", color=theme.MUTED, lw=1.2)
    (curve,) = right.plot([], [], "-o", color=theme.SEQUENCE[1], ms=3.5)
    (dot,) = right.plot([], [], "o", color=theme.ACCENT, ms=11, mec="white")
    (star,) = right.plot([], [], "*", color=theme.INK, ms=15, mec="white")
    note = right.text(0.03, 0.97, "", transform=right.transAxes, va="top", linespacing=1.5)

    def study(lr, budget):
        return compute(rates, steps, seen["train"], seen["validation"], lr, budget)

    def draw(data):
        for name, several in lines.items():
            for line, y in zip(several, data[name], strict=True):
                line.set_data(steps, y)
        spent.set_data([data["spent"]] * 2, [LOW, HIGH])
        curve.set_data(rates, data["final"])
        dot.set_data([data["rate"]], [data["final"][data["index"]]])
        star.set_data([data["best"]], [data["final"].min()])
        left.set_title(f"η = {data['rate']:.2g}, {len(data['train'])} seeds")
        note.set_text(f"★ best after {data['spent']:.0f} steps: η = {data['best']:.2g}")

    controls = [
        Slider("lr", float(rates[0]), float(rates[-1]), lr, log=True, label="learning rate η"),
        Slider("budget", int(steps[1]), int(steps[-1]), int(steps[-1]), step=int(steps[1]), label="budget (steps)"),
    ]
    live = [*lines["train"], *lines["validation"], spent, curve, dot, star, note]
    alt = "Loss curves of a network for one learning rate, and validation loss against the rate."
    return LiveFigure(fig, live, controls, study, draw, alt=alt)
