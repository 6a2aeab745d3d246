"""Quasi-Newton: the curvature that BFGS has learnt, against the true Hessian, step by step."""

from functools import lru_cache

import numpy as np

from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Point, Slider, head, trail
from shared.optimizers import BFGS, DFP
from shared.problems import LANDSCAPES, quadratic

OFFERED = ("Quadratic", "Rosenbrock", "Beale", "Himmelblau")
METHODS = {"BFGS": BFGS, "DFP": DFP}
STEPS, CORNERS = 45, 60


@lru_cache(maxsize=256)
def terrain(name, kappa=10.0):
    """The landscape of this name; the quadratic is turned, with condition number `kappa`."""
    return quadratic(kappa, angle=0.5) if name == "Quadratic" else LANDSCAPES[name]()


def ellipse(H, length):
    """The curve p·H p = constant (CORNERS, 2), as long as `length`, axes cut at a ratio of 40; NaN if H is no bowl."""
    λ, Q = np.linalg.eigh(np.where(np.isfinite(H), H, 0.0))
    if not (np.isfinite(H).all() and λ[0] > 0):
        return np.full((CORNERS, 2), np.nan)
    axes = length * np.maximum(np.sqrt(λ[0] / λ), 1 / 40)
    θ = np.linspace(0, 2 * np.pi, CORNERS)
    return (np.stack([np.cos(θ), np.sin(θ)], -1) * axes) @ Q.T


def compute(landscape, method, kappa, lr, point):
    """Along STEPS steps: iterates (T, 2), both ellipses (T, CORNERS, 2), error of B and gradient norm (T,)."""
    f, rule = terrain(landscape, kappa), METHODS[method](lr)
    (x0, x1), _ = f.bounds
    x, s = np.array(point, dtype=float), rule.State()
    xs, learnt, true, error = [], [], [], []
    with np.errstate(all="ignore"):
        for t in range(1, STEPS + 2):
            new, s = rule.step(f, x, s, t)
            H = f.hess(x)
            λ, Q = np.linalg.eigh(s.B)
            xs.append(x)
            learnt.append(x + ellipse((Q / λ) @ Q.T, 0.13 * (x1 - x0)))
            true.append(x + ellipse(H, 0.13 * (x1 - x0)))
            error.append(np.linalg.norm(s.B @ H - np.eye(2)))
            x = new
        xs = np.stack(xs)
        return {"xs": xs, "learnt": np.stack(learnt), "true": np.stack(true), "error": np.array(error),
                "gradient": np.linalg.norm(f.grad(xs), axis=-1)}


def explorer(landscape="Quadratic", method="BFGS", **initial):
    """The Quasi-Newton explorer."""
    fig, (left, right) = theme.figure(9.6, 4.3, cols=2, width_ratios=(1.15, 1))
    (path,) = left.plot([], [], "-o", color=theme.MUTED, lw=1.2, ms=3)
    (dot,) = left.plot([], [], "o", color=theme.INK, ms=7)
    (true,) = left.plot([], [], color=theme.INK, lw=1.6, ls="--")
    (learnt,) = left.plot([], [], color=theme.color("BFGS"), lw=2.2)
    (error,) = right.plot([], [], color=theme.color("BFGS"), label="error of the learnt inverse, ‖B H − I‖")
    (norm,) = right.plot([], [], color=theme.ACCENT, label="gradient norm")
    (now,) = right.plot([], [], "o", color=theme.color("BFGS"), ms=7)
    right.set(yscale="log", xlim=(0, STEPS), ylim=(1e-9, 1e4), xlabel="step")
    right.legend(loc="lower left")
    drawn = {}

    def draw(data, landscape, method, kappa):
        key = landscape, kappa if landscape == "Quadratic" else None
        if drawn.get("key") != key:
            for old in [*left.collections, *drawn.get("stars", [])]:
                old.remove()
            drawn["key"], drawn["stars"] = key, plots.contours(left, terrain(landscape, kappa), n=100)
        left.set_title(f"{landscape}: learnt (solid), true (dashed)")
        right.set_title(f"{method}: what it knows about H")
        path.set_data(*data["xs"].T)
        dot.set_data(*data["xs"].T)
        true.set_data(*data["true"].reshape(-1, 2).T)
        learnt.set_data(*data["learnt"].reshape(-1, 2).T)
        steps = np.arange(STEPS + 1)
        error.set_data(steps, np.clip(data["error"], 1e-12, 1e12))
        now.set_data(steps, np.clip(data["error"], 1e-12, 1e12))
        norm.set_data(steps, np.clip(data["gradient"], 1e-12, 1e12))

    def adjust(changed, values):
        return {"point": tuple(terrain(values["landscape"], 10.0).start)} if "landscape" in changed else {}

    start = initial.pop("point", tuple(terrain(landscape, 10.0).start))
    controls = [
        Choice("landscape", list(OFFERED), landscape),
        Choice("method", list(METHODS), method),
        Slider("kappa", 1.0, 200.0, initial.pop("kappa", 10.0), log=True, label="condition number κ").only(
            landscape="Quadratic"),
        Slider("lr", 0.05, 2.0, initial.pop("lr", 1.0), log=True, label="first trial η"),
        Point("point", start, left),
        Play("step", STEPS, value=initial.pop("step", 2), fps=4),
    ]
    live = [trail(path), head(dot), head(true, each=CORNERS), head(learnt, each=CORNERS), trail(error), trail(norm),
            head(now)]
    return LiveFigure(fig, live, controls, compute, draw, adjust=adjust,
                      alt="Left: the path of a quasi-Newton method with the ellipse of the curvature it has learnt and "
                          "that of the true Hessian. Right: the error of the learnt inverse and the gradient norm.")
