"""Local SGD: four workers walk alone and meet every H steps. How much does it save, and where does it end?"""

import numpy as np

from shared import chance
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Slider, head, trail
from shared.problems import quadratic

STEPS, WORKERS = 60, 4
LOW, HIGH = 1e-6, 1e2  # errors are drawn within these limits
EVERY = (1, 2, 5, 10, 20, 30, 60)
START = np.array([-2.2, 1.8])
COLOURS = theme.SEQUENCE[1:5]


def workers(heterogeneity):
    """Each worker's bowl ½(x − c)ᵀA(x − c): the matrices A (4, 2, 2), the minima c (4, 2), and the minimum of the mean.

    At 0 all have the same bowl; at 1 their minima lie on a circle and their long axes point to all sides.
    """
    angle = np.pi / 4 + heterogeneity * np.pi / 4 * np.arange(WORKERS)
    A = np.array([quadratic(6, angle=a).hess(np.zeros(2)) for a in angle]) / 6
    around = 2 * np.pi * np.arange(WORKERS) / WORKERS + 0.4
    c = 1.5 * heterogeneity * np.stack([np.cos(around), np.sin(around)], -1)
    best = np.linalg.solve(A.sum(0), np.einsum("wij,wj->i", A, c))
    return A, c, best


def compute(every, lr, heterogeneity, noise):
    """Run local SGD: "xs" (T+1, 4, 2) of the workers, their "mean" (T+1, 2), and squared distance to the best point.

    "error" (rounds + 1,) at the meetings, "always" (T+1,) if they met at every step; "best" (2,).
    """
    A, c, best = workers(heterogeneity)
    kicks = noise * chance.rng(0).normal(size=(STEPS, WORKERS, 2))
    run = {}
    for H in {every, 1}:
        x = np.broadcast_to(START, (WORKERS, 2))
        xs = [x]
        for t in range(STEPS):
            x = x - lr * (np.einsum("wij,wj->wi", A, x - c) + kicks[t])
            if (t + 1) % H == 0:
                x = np.broadcast_to(x.mean(0), x.shape)
            xs.append(x)
        run[H] = np.array(xs)
    distance = {H: ((xs.mean(1) - best) ** 2).sum(-1) for H, xs in run.items()}
    return {"xs": run[every], "mean": run[every].mean(1), "best": best, "minima": c,
            "error": distance[every][::every], "always": distance[1]}  # fmt: skip


def explorer(every=10, lr=0.3, heterogeneity=0.3, noise=0.3):
    """Choose how rarely the workers meet, make their data differ, and play."""
    fig, (plane, errors) = theme.figure(10, 4.1, cols=2, gridspec_kw={"width_ratios": [1.1, 1]})
    plane.set(xlim=(-3, 3), ylim=(-2.4, 2.4), xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    plane.grid(False)
    paths = [plane.plot([], [], color=colour, lw=1.1, alpha=0.8)[0] for colour in COLOURS]
    (dots,) = plane.plot([], [], "o", color=theme.INK, ms=6, mec="white")
    (own,) = plane.plot([], [], "x", color=theme.MUTED, ms=8, label="best for one worker")
    (goal,) = plane.plot([], [], "*", color=theme.INK, ms=13, mec="white", label="best for all")
    plane.legend(loc="lower left", ncols=2)
    errors.set(xlim=(0, STEPS), ylim=(LOW, HIGH), yscale="log", xlabel="communications", ylabel="squared distance to ★")
    plots.curve(errors, [], "met at every step", [], theme.MUTED, lw=1.2)
    plots.curve(errors, [], "", [], theme.ACCENT, marker="o", ms=4)
    always, curve = errors.lines
    said = errors.text(0.97, 0.96, "", transform=errors.transAxes, ha="right", va="top")

    def draw(data, every):
        for path, xs in zip(paths, np.moveaxis(data["xs"], 1, 0)):
            path.set_data(*np.clip(xs, -50, 50).T)
        dots.set_data(*np.clip(data["xs"].reshape(-1, 2), -50, 50).T)
        own.set_data(*data["minima"].T)
        goal.set_data(*data["best"][:, None])
        cut = lambda e: np.clip(e, LOW / 10, 10 * HIGH)
        always.set_data(np.arange(STEPS + 1), cut(data["always"]))
        curve.set_data(np.arange(len(data["error"])), cut(data["error"]))
        end = data["error"][-1]
        said.set_text(f"blue: met every {every} steps\ngrey: met every step" if every > 1 else "H = 1: data parallel")
        plane.set_title(f"four workers, {STEPS} steps, {STEPS // every} communications", fontsize=10.5)
        errors.set_title("diverged" if end > HIGH else f"H = {every}: ends at {end:.1e}", fontsize=10.5)

    live = [*map(trail, paths), head(dots, each=WORKERS), own, goal, always, curve, said]
    return LiveFigure(fig, live, compute=compute, draw=draw, controls=[
        Choice("every", EVERY, every, label="meet every H steps"),
        Slider("heterogeneity", 0.0, 1.0, heterogeneity, step=0.05, label="how different the data are"),
        Slider("lr", 0.02, 2.2, lr, log=True, label="learning rate η"),
        Slider("noise", 0.0, 2.0, noise, step=0.1, label="gradient noise"),
        Play("step", STEPS),
    ], alt="Four workers of local SGD on their own quadratics, meeting every H steps, and the error of their average "
           "against the number of communications.")  # fmt: skip
