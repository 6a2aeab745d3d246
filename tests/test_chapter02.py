"""Chapter 2: its explorers over their whole range, and what they compute against the course's own runs and torch."""

import numpy as np
import pytest
import torch

from shared import theory
from shared.descent import run
from shared.explorers import batch, designer, stability
from shared.figures.live import Slider, strict, sweep
from shared.optimizers import SGD
from shared.optimizers.schedules import Constant, Cosine, Join, Warmup
from shared.problems import quadratic

EXPLORERS = {module.__name__.rsplit(".", 1)[1]: module for module in (batch, designer, stability)}


@pytest.fixture(scope="module", params=EXPLORERS.values(), ids=EXPLORERS)
def explorer(request):
    with strict():
        yield request.param.explorer()


def test_every_control_over_its_whole_range(explorer):
    sweep(explorer, points=3)


def test_extremes_together_leave_the_axes_alone(explorer):
    """Every slider at its low and at its high end at once: the worst divergence a reader can make."""
    first, limits = explorer.values, [ax.viewLim.extents.copy() for ax in explorer.fig.axes]
    with strict():
        for end in (0, -1):
            explorer.set(**{name: c.span(3)[end] for name, c in explorer.controls.items() if isinstance(c, Slider)})
            for ax, before in zip(explorer.fig.axes, limits, strict=True):
                np.testing.assert_array_equal(ax.viewLim.extents, before)
        explorer.set(**first)


def drawn(explorer, *shape):
    """The vertices of every line of the figure that has this many of them."""
    lines = [np.column_stack(line.get_data()) for ax in explorer.fig.axes for line in ax.lines]
    return [xy for xy in lines if xy.shape == shape]


# ---- stability -------------------------------------------------------------------------------------------------------

def test_stability_draws_its_iterates_and_torch_walks_the_same():
    with strict():
        explorer = stability.explorer(fraction=0.8, kappa=20.0)
    xs = explorer.data["xs"]
    assert any(np.array_equal(xy, xs) for xy in drawn(explorer, *xs.shape))
    p = torch.tensor(explorer.start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=explorer.data["lr"])
    for x in xs[1:]:
        optimizer.zero_grad()
        ((p**2 * torch.tensor([1.0, 20.0], dtype=torch.float64)).sum() / 2).backward()
        optimizer.step()
        np.testing.assert_allclose(p.detach(), x, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("fraction", "grows"), [(0.99, False), (1.01, True)])
def test_stability_turns_at_the_limit(fraction, grows):
    data = stability.compute(fraction, 10.0, (2.0, 1.0))
    assert (abs(data["xs"][-1, 1]) > abs(data["xs"][0, 1])) == grows
    np.testing.assert_allclose(np.abs(data["xs"]), data["predicted"], rtol=1e-6, atol=1e-12)


# ---- schedules -------------------------------------------------------------------------------------------------------

class SameKicks:
    """The designer's bowl with the designer's noise, as an oracle."""

    def __init__(self, sigma, t=0):
        self.sigma, self.t = sigma, t

    def at(self, t):
        return SameKicks(self.sigma, t)

    def grad(self, x):
        return designer.BOWL.grad(x) + self.sigma * designer.kicks()[self.t - 1]


def test_designer_computes_what_sgd_does():
    with strict():
        explorer = designer.explorer(shape="cosine", lr=0.1)
        explorer.set(warmup=20, noise=0.7)
    rule = SGD(lr=Join((Warmup(0.1, 20), Cosine(0.1, designer.STEPS - 20)), (20,)))
    start = np.broadcast_to(designer.BOWL.start, (designer.RUNS, 2))
    for i, lr in enumerate((rule.lr, Constant(0.1))):
        xs = run(SGD(lr=lr), SameKicks(0.7), start, designer.STEPS)
        np.testing.assert_allclose(explorer.data["xs"][:, i], xs[:, 0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(explorer.data["loss"][:, i], designer.BOWL(xs).mean(-1), rtol=1e-9)
    rates = np.column_stack([np.arange(designer.STEPS + 1), explorer.data["rates"]])
    assert any(np.array_equal(xy, rates) for xy in drawn(explorer, *rates.shape))


def test_designer_shows_every_shape_and_the_constant_floor():
    for shape in designer.SHAPES:
        values = {s.name: s.value for several in designer.PARAMETERS.values() for _, s in several}
        data = designer.compute(shape=shape, lr=0.1, warmup=0, noise=1.0, **values)
        assert np.isfinite(data["loss"]).all(), shape
        assert data["loss"][100:, 1].mean() == pytest.approx(data["floor"], rel=0.15)


# ---- batch size ------------------------------------------------------------------------------------------------------

def test_full_draws_of_many_examples_follow_gradient_descent():
    f, *_ = batch.problem()
    cloud = batch.compute(256, 0.2, (-1.0, 1.2), False)["xs"].mean(1)
    exact = run(SGD(lr=0.2), f, [-1.0, 1.2], batch.STEPS)
    np.testing.assert_allclose(cloud, exact, atol=0.02)


@pytest.mark.parametrize(("size", "lr"), [(1, 0.05), (8, 0.3)])
def test_the_cloud_fills_the_predicted_ellipse(size, lr):
    f, w, H, C = batch.problem()
    data = batch.compute(size, lr, tuple(w), False)
    ball = theory.noise_ball(lr, H, C / size)
    late = data["xs"][60:].reshape(-1, 2) - w
    inside = (late @ np.linalg.inv(ball) * late).sum(-1) < 5.99
    assert 0.88 < inside.mean() < 0.99
    on_the_ring = ((data["ellipse"] - w) @ np.linalg.inv(ball) * (data["ellipse"] - w)).sum(-1)
    np.testing.assert_allclose(on_the_ring, 5.99, rtol=1e-6)


def test_the_rate_grows_with_the_batch_when_asked():
    assert batch.compute(4, 0.1, (0.0, 0.0), True)["lr"] == pytest.approx(0.4)
    assert batch.compute(64, 0.3, (0.0, 0.0), True)["floor"] is None  # 19 is far beyond 2/L: no ball


def test_batch_draws_its_runs():
    with strict():
        explorer = batch.explorer(batch=4)
    xs = explorer.data["xs"]
    paths = drawn(explorer, len(xs), 2)
    assert all(any(np.array_equal(xy, xs[:, i]) for xy in paths) for i in range(batch.SHOWN))


def test_bowl_of_the_designer_is_the_courses():
    assert designer.LIMIT == pytest.approx(2 / quadratic(kappa=10).eigenvalues[-1])
