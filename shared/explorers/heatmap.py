"""Heat map: two hyperparameters, a thousand runs in one batch; click a cell and see its run."""

from functools import lru_cache

import numpy as np

from shared.descent import run
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Point, Slider, head, trail
from shared.optimizers import SGD, Adam, RMSprop
from shared.problems import LANDSCAPES

RATES = np.linspace(-4, 1, 51)  # log10 η
MEMORY = np.linspace(0, 3, 31)  # −log10(1 − β): 0 is β = 0, 1 is β = 0.9, 2 is β = 0.99
OFFERED = ("Quadratic", "Rosenbrock", "Quartic valley", "Beale", "River valley")
FAMILIES = {  # what is on the axes -> the rule made of both
    "Momentum: η, β": lambda lr, β: SGD(lr, momentum=np.maximum(β, 1e-12)),
    "Adam: η, β₁": lambda lr, β: Adam(lr, betas=(β, 0.99)),
    "Adam: η, β₂": lambda lr, β: Adam(lr, betas=(0.9, β)),
    "RMSprop: η, α": lambda lr, β: RMSprop(lr, alpha=β),
}
DECADES = (-8, 1)  # of the loss relative to its start, on the colour scale
LONGEST = 200


@lru_cache(maxsize=32)
def losses(landscape, family, steps, rates=tuple(RATES), memory=tuple(MEMORY)):
    """log10 of the loss after `steps` steps relative to the start's: (rates, memory), NaN where the run diverged.

    Every cell is one trajectory of a single batched run.
    """
    f = LANDSCAPES[landscape]()
    η, β = np.meshgrid(10.0 ** np.array(rates), 1 - 10.0 ** -np.array(memory), indexing="ij")
    xs = run(FAMILIES[family](η, β), f, f.start, steps, every=steps)
    with np.errstate(all="ignore"):
        ratio = np.log10(np.maximum((f(xs[-1]) - f.f_min) / (f(xs[0]) - f.f_min), 1e-30))
    return np.where(np.isfinite(ratio) & (ratio < 3), ratio, np.nan)


def nearest(cell):
    """The centre of the cell at the point (log10 η, −log10(1 − β))."""
    return tuple(axis[np.abs(axis - c).argmin()] for axis, c in zip((RATES, MEMORY), cell))


def compute(landscape, family, steps, cell):
    """{"map": (rates, memory), "xs": (T+1, 2) of the chosen cell, "loss": (T+1,), "cell": its centre, "value"}."""
    a, b = nearest(cell)
    f, table = LANDSCAPES[landscape](), losses(landscape, family, int(steps))
    xs = run(FAMILIES[family](10.0**a, 1 - 10.0**-b), f, f.start, LONGEST)
    value = table[np.abs(RATES - a).argmin(), np.abs(MEMORY - b).argmin()]
    with np.errstate(all="ignore"):
        loss = (f(xs) - f.f_min) / (f(xs[0]) - f.f_min)
    return {"map": table, "xs": xs, "loss": loss, "cell": (a, b), "value": value}


def explorer(landscape="Quadratic", family="Momentum: η, β", cell=(-1.3, 1.0)):
    """A heat map of 1,581 runs, the path of the chosen cell, and its loss."""
    fig, (left, middle, right) = theme.figure(9.8, 4.2, cols=3, width_ratios=(1.15, 1, 0.75))
    half = (RATES[1] - RATES[0]) / 2, (MEMORY[1] - MEMORY[0]) / 2
    extent = (RATES[0] - half[0], RATES[-1] + half[0], MEMORY[0] - half[1], MEMORY[-1] + half[1])
    left.set_facecolor(theme.FAINT)
    image = left.imshow(np.zeros((31, 51)), extent=extent, origin="lower", aspect="auto", cmap=theme.CMAP + "_r",
                        vmin=DECADES[0], vmax=DECADES[1])  # fmt: skip
    left.set(xlabel="learning rate η", ylabel="memory", xticks=range(-4, 2), yticks=range(4))
    left.set_xticklabels([f"$10^{{{k}}}$" for k in range(-4, 2)])
    left.set_yticklabels(["0", "0.9", "0.99", "0.999"])
    left.grid(False)
    bar = fig.colorbar(image, ax=left, location="top", pad=0.02, aspect=40)
    bar.set_label("loss left, log₁₀ (grey: diverged)", fontsize=9.5)
    (box,) = left.plot([], [], "s", mfc="none", mec="white", mew=2, ms=9)
    (best,) = left.plot([], [], "*", color="white", mec=theme.INK, ms=13)
    (path,) = middle.plot([], [], "-o", color=theme.ACCENT, lw=1.3, ms=2.6)
    (dot,) = middle.plot([], [], "o", color=theme.ACCENT, ms=9, mec="white")
    right.set(xlim=(0, LONGEST), ylim=(10.0 ** DECADES[0], 10.0 ** DECADES[1]), yscale="log", xlabel="step")
    right.set_title("its loss")
    (curve,) = right.plot([], [], color=theme.ACCENT)
    (when,) = right.plot([], [], "--", color=theme.MUTED, lw=1)
    note = middle.text(0.03, 0.03, "", transform=middle.transAxes, fontsize=9.5,
                       bbox=dict(fc="white", ec="none", alpha=0.8, pad=2))  # fmt: skip
    drawn = {}

    def draw(data, landscape, family, steps):
        if drawn.get("name") != landscape:
            for old in [*middle.collections, *drawn.get("stars", [])]:
                old.remove()
            drawn.update(name=landscape, stars=plots.contours(middle, LANDSCAPES[landscape]()))
            middle.set(title=landscape)
        symbol = family.split(", ")[1]
        left.set_ylabel(f"memory {symbol}")
        table = data["map"]
        image.set_data(np.ma.masked_invalid(np.clip(table, *DECADES)).T)
        i, j = np.unravel_index(np.argmin(np.nan_to_num(table, nan=np.inf)), table.shape)
        best.set_data([RATES[i]], [MEMORY[j]])
        box.set_data([data["cell"][0]], [data["cell"][1]])
        bad = ~(np.abs(data["xs"]) < 1e6).all(-1)
        bad = np.maximum.accumulate(bad)
        xs = np.where(bad[:, None], np.nan, data["xs"])
        path.set_data(*xs.T)
        dot.set_data(*xs.T)
        curve.set_data(np.arange(LONGEST + 1), np.where(bad, np.nan, np.clip(data["loss"], 1e-12, 1e3)))
        when.set_data([steps, steps], [10.0 ** DECADES[0], 10.0 ** DECADES[1]])
        a, b = data["cell"]
        said = "diverged" if np.isnan(data["value"]) else f"loss left: {10.0 ** data['value']:.1e}"
        note.set_text(f"η = {10.0**a:.2g}, {symbol} = {1 - 10.0**-b:.3g}\n{said}")

    controls = [
        Choice("family", list(FAMILIES), family, label="axes"),
        Choice("landscape", list(OFFERED), landscape),
        Slider("steps", 10, LONGEST, 100, step=10, label="steps in the map"),
        Point("cell", cell, left, handle=False),
        Play("step", LONGEST),
    ]
    live = [image, box, best, trail(path), head(dot), trail(curve), when, note]
    return LiveFigure(fig, live, controls, compute, draw,
                      alt="A heat map of the final loss over two hyperparameters, and the run of the chosen cell.")
