"""Newton step: the local quadratic model, its minimiser, and what four methods make of it."""


import numpy as np
from contourpy import contour_generator

from shared.descent import run
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Point, Slider
from shared.optimizers import Newton, SaddleFreeNewton, TrustRegion
from shared.problems import LANDSCAPES

OFFERED = ("Himmelblau", "Rosenbrock", "Quadratic", "Saddle", "Beale", "Three-hump camel")
METHODS = ("Newton", "damped Newton", "saddle-free Newton", "trust region")
STEPS = 15


def rule_of(method, damping, f):
    """The rule behind a name: λ damps the second and third, and 1/λ is the first radius of the last."""
    return {"Newton": Newton(), "damped Newton": Newton(damping=damping),
            "saddle-free Newton": SaddleFreeNewton(damping=damping),
            "trust region": TrustRegion(radius=float(np.clip(10 / damping, 1e-2, 10)))}[method]


def compute(landscape, method, damping, point):
    """The path (STEPS + 1, 2), the model's level sets (N, 2) with NaN between them, and both losses along the step."""
    f, x = LANDSCAPES[landscape](), np.array(point, dtype=float)
    path = run(rule_of(method, damping, f), f, x, STEPS)
    p = path[1] - x
    g, H = f.grad(x), f.hess(x)

    def model(q):
        return f(x) + q @ g + np.einsum("...i,ij,...j", q, H, q) / 2

    (x0, x1), (y0, y1) = f.bounds
    X, Y = np.meshgrid(np.linspace(x0, x1, 61), np.linspace(y0, y1, 61))
    M = model(np.stack([X, Y], -1) - x)
    sets = contour_generator(X, Y, M)
    depth = np.abs(M - f(x))
    levels = f(x) + np.concatenate([[0], *[[-c, c] for c in np.quantile(depth, (0.04, 0.15, 0.35))]])
    gap = np.full((1, 2), np.nan)
    lines = [part for level in levels for line in sets.lines(level) for part in (line, gap)] or [gap]
    s = np.linspace(-0.4, 1.6, 101)
    return {"path": path, "model": np.concatenate(lines), "s": s, "loss": f(x + s[:, None] * p),
            "modelled": model(s[:, None] * p), "eigenvalues": np.linalg.eigvalsh(H), "gradient": g @ p}


def explorer(landscape="Himmelblau", method="Newton", **initial):
    """The Newton step explorer."""
    fig, (left, right) = theme.figure(9.6, 4.3, cols=2, width_ratios=(1.15, 1))
    (model,) = left.plot([], [], color=theme.ACCENT, lw=1.0, alpha=0.75)
    (path,) = left.plot([], [], "-o", color=theme.MUTED, lw=1.2, ms=3)
    (step,) = left.plot([], [], "-", color=theme.BAD, lw=2.6)
    (target,) = left.plot([], [], "X", color=theme.BAD, ms=10, mec="white", mew=1.0)
    (loss,) = right.plot([], [], color=theme.INK, label="the loss")
    (modelled,) = right.plot([], [], "--", color=theme.ACCENT, label="the model")
    (here,) = right.plot([], [], "o", color=theme.ACCENT, ms=8)
    (there,) = right.plot([], [], "X", color=theme.BAD, ms=10, mec="white")
    right.set(xlabel="fraction of the step", xlim=(-0.4, 1.6), ylim=(-0.1, 1.1), yticks=[],
              ylabel="loss (scaled to the panel)")
    right.legend(loc="upper center", ncols=2)
    said = right.text(0.5, 0.02, "", transform=right.transAxes, ha="center", va="bottom", color=theme.BAD, fontsize=9.5)
    drawn = {}

    def draw(data, landscape, method, point):
        if drawn.get("name") != landscape:
            for old in [*left.collections, *drawn.get("stars", [])]:
                old.remove()
            drawn["name"], drawn["stars"] = landscape, plots.contours(left, LANDSCAPES[landscape]())
            left.set_title(landscape)
        xs = np.where(np.abs(data["path"]) < 1e6, data["path"], np.nan)
        model.set_data(*data["model"].T)
        path.set_data(*xs.T)
        step.set_data(*xs[:2].T)
        target.set_data(*xs[1:2].T)
        both = np.stack([data["loss"], data["modelled"]])
        both = np.where(np.abs(both) < 1e12, both, np.nan)
        at = [float(np.interp(a, data["s"], both[0])) for a in (0, 1)]
        around = both[:, np.abs(data["s"] - 0.5) <= 0.75] if np.isfinite(both).any() else np.zeros((2, 1))
        low, high = np.nanmin(around), np.nanmax(around)
        scale = lambda v: (np.asarray(v) - low) / max(high - low, 1e-300)
        loss.set_data(data["s"], scale(both[0]))
        modelled.set_data(data["s"], scale(both[1]))
        here.set_data([0], [scale(at[0])])
        there.set_data([1], [scale(at[1])])
        a, b = data["eigenvalues"]
        kind = "a bowl" if a > 0 else "a dome" if b < 0 else "a saddle"
        right.set_title(f"curvatures {a:.3g} and {b:.3g}: {kind}")
        uphill = data["gradient"] > 0
        moved = np.linalg.norm(xs[1] - xs[0])
        said.set_text("the step points UPHILL" if uphill else "the step was refused: x stays" if moved == 0 else "")

    controls = [
        Choice("landscape", list(OFFERED), landscape),
        Choice("method", list(METHODS), method),
        Slider("damping", 1e-2, 1e3, initial.pop("damping", 10.0), log=True, label="damping λ (radius 10/λ)"),
        Point("point", initial.pop("point", (0.9, 0.6)), left),
    ]

    def adjust(changed, values):
        return {"point": tuple(LANDSCAPES[values["landscape"]]().start)} if "landscape" in changed else {}

    return LiveFigure(fig, [model, path, step, target, loss, modelled, here, there, said], controls, compute, draw,
                      adjust=adjust, alt="Left: a landscape, the quadratic model at a point and the step to the "
                      "lowest point of the model. Right: the loss and the model along that step.")
