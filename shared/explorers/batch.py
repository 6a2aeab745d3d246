"""Batch size: a cloud of SGD runs on real data, the ball of noise in which they end, and the predicted one."""

from functools import lru_cache

import numpy as np

from shared import chance, data, theory
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Point, Slider, Toggle, head, trail
from shared.problems import LeastSquares

STEPS, RUNS, SHOWN = 80, 60, 6
LOW, HIGH = 1e-5, 10.0  # losses are drawn within these limits
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@lru_cache
def problem():
    """Linear regression of the diabetes data on two measurements; its minimiser, Hessian, and one example's noise C."""
    d = data.diabetes()
    f = LeastSquares(d.x_train[:, [d.names.index("bmi"), d.names.index("s5")]], d.y_train)
    w = np.linalg.solve(f.hess(np.zeros(2)), -f.grad(np.zeros(2)))
    G = f.grads(w)
    return f, w, f.hess(w), G.T @ G / f.n


def compute(batch, lr, start, scale):
    """RUNS runs of SGD with batches drawn with replacement; with `scale` the rate is η B.

    Returns the cloud "xs" (T+1, RUNS, 2), the mean excess "loss" (T+1,), its predicted "floor" and the "ellipse" that
    should hold 95 % of the points (both None where the rate is unstable), "lr".
    """
    f, w, H, C = problem()
    rate = lr * batch if scale else lr
    draws, x = chance.rng(0), np.broadcast_to(start, (RUNS, 2))
    xs = [x]
    for _ in range(STEPS):
        rows = draws.integers(f.n, size=(RUNS, batch))
        A, y = f.X[rows], f.y[rows]  # (RUNS, batch, 2), (RUNS, batch)
        g = np.matmul((np.matmul(A, x[..., None])[..., 0] - y)[:, None], A)[:, 0] / batch
        with np.errstate(over="ignore", invalid="ignore"):
            x = np.clip(x - rate * g, -1e9, 1e9)
        xs.append(x)
    xs = np.array(xs)
    loss = np.clip(f(xs).mean(-1) - f(w), LOW / 10, 10 * HIGH)
    ball, floor = theory.noise_ball(rate, H, C / batch), None
    if ball is not None:
        floor, λ = np.trace(H @ ball) / 2, np.linalg.cholesky(ball)
    ellipse = None if ball is None else w + np.sqrt(5.99) * plots.CIRCLE @ λ.T  # χ² with 2 degrees of freedom, 95 %
    return {"xs": xs, "loss": loss, "floor": floor, "ellipse": ellipse, "lr": rate}


def explorer(batch=1, lr=0.1):
    """Choose the batch size and the rate, drag the start, play: where does the cloud end, and how wide is it?"""
    f, w, *_ = problem()
    fig, (plane, losses) = theme.figure(9.8, 4.1, cols=2, gridspec_kw={"width_ratios": [1.15, 1]})
    plots.contours(plane, f, bounds=((-1.2, 1.6), (-1.0, 1.4)))
    plane.plot(*w, "*", color=theme.INK, ms=11, mec="white", zorder=7)
    plane.set(xlabel="weight of body mass index", ylabel="weight of blood test s5")
    blue, red = theme.color("SGD"), theme.SEQUENCE[1]
    paths = [plane.plot([], [], color=blue, lw=0.8, alpha=0.5)[0] for _ in range(SHOWN)]
    (cloud,) = plane.plot([], [], "o", color=blue, ms=4, mec="white", mew=0.4, zorder=6)
    (ring,) = plane.plot([], [], color=red, lw=2, label="predicted: 95 % end in here")
    plane.legend(loc="lower left")
    losses.set(xlim=(0, STEPS), ylim=(LOW, HIGH), yscale="log", xlabel="step $k$", title="excess loss $f(x) - f^*$")
    (curve,) = losses.plot([], [], color=blue, label=f"mean of {RUNS} runs")
    (ground,) = losses.plot([], [], "--", color=red, label="predicted floor")
    losses.legend(loc="upper right")
    said = losses.text(0.03, 0.03, "", transform=losses.transAxes)

    def draw(data, batch):
        xs = data["xs"]
        for i, path in enumerate(paths):
            path.set_data(*xs[:, i].T)
        cloud.set_data(*xs.reshape(-1, 2).T)
        ring.set_data(*([[], []] if data["ellipse"] is None else data["ellipse"].T))
        curve.set_data(np.arange(STEPS + 1), data["loss"])
        ground.set_data([0, STEPS], [np.nan if data["floor"] is None else data["floor"]] * 2)
        plane.set_title(f"B = {batch}, η = {data['lr']:.3g}, {RUNS} runs from one start")
        said.set_text("diverged" if data["loss"][-1] > HIGH else f"examples seen by each run: {batch * STEPS:,}")

    live = [*map(trail, paths), head(cloud, each=RUNS), ring, trail(curve), ground, said]
    return LiveFigure(fig, live, compute=compute, draw=draw, controls=[
        Choice("batch", BATCHES, batch, label="batch size B"),
        Slider("lr", 0.003, 1.6, lr, log=True, label="learning rate η"),
        Toggle("scale", False, label="multiply the rate by B"),
        Point("start", (-1.0, 1.2), plane, label="start"),
        Play("step", STEPS),
    ], alt="Sixty runs of stochastic gradient descent on a linear regression, the ellipse that theory predicts for "
           "their end points, and their mean excess loss.")  # fmt: skip
