"""Chapter 1: its explorers and the helpers behind its figures."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from shared.course import outline
from shared.descent import DIVERGED, TRAVELLING, basin
from shared.explorers import basins, tuning
from shared.figures import raster
from shared.figures.live import sweep
from shared.optimizers import SGD, Newton
from shared.problems import himmelblau

F = himmelblau()
RATES, STEPS = np.geomspace(1e-3, 10, 9), np.arange(0, 201, 10)


def runs(seeds=3):
    """Made-up losses (seeds, len(STEPS), len(RATES)): the best rate falls as the budget grows, the largest diverges."""
    k = STEPS[:, None] + 1
    y = np.exp(-RATES * k / 100) + 0.1 * RATES
    y[:, -1] = np.where(STEPS > 50, np.inf, 5.0)
    y[-1, -1] = np.nan
    return y * (1 + 0.1 * np.arange(seeds))[:, None, None]


def test_basins_of_a_tiny_rate_are_those_of_the_gradient_flow():
    """ẋ = −∇f(x) solved by SciPy ends in the minimum that gradient descent with short steps reaches."""
    starts = np.random.default_rng(0).uniform(-5, 5, (12, 2))
    reached = basin(SGD(1e-3), F, starts, 3000)
    for x0, which in zip(starts, reached):
        end = solve_ivp(lambda t, x: -F.grad(x), (0, 20), x0, rtol=1e-9, atol=1e-9).y[:, -1]
        assert np.linalg.norm(end - F.minima, axis=-1).argmin() == which


def test_a_start_that_reaches_no_minimum_is_travelling_or_diverged():
    starts = np.array([[3.0, 2.0], [-0.5, -1.0], [5.0, 5.0]])
    assert basin(SGD(0.0), F, starts, 5).tolist() == [0, TRAVELLING, TRAVELLING]
    assert basin(SGD(1.0), F, starts + 0.1, 20).tolist() == [DIVERGED] * 3
    at_the_maximum = basin(Newton(1.0), F, np.array([-0.25, -0.9]), 15)
    assert at_the_maximum == TRAVELLING


def test_the_sharpest_minimum_lets_go_at_two_over_its_curvature():
    limit = 2 / np.linalg.eigvalsh(F.hess(F.minima[2])).max()
    near = F.minima[2] + 0.01
    assert basin(SGD(0.99 * limit), F, near, 2000, radius=1e-3) == 2
    assert basin(SGD(1.01 * limit), F, near, 2000, radius=1e-3) != 2


@pytest.mark.parametrize("method", basins.STEPS)
def test_what_the_basin_explorer_draws_is_what_it_computed(method):
    explorer = basins.explorer(method=method, lr=0.02, start=(1.0, -3.0))
    image = next(im for im in explorer.fig.axes[0].images)
    np.testing.assert_array_equal(image.get_array(), basins.compute(method, 0.02, (1.0, -3.0))["which"])


def test_the_basin_explorer_holds_over_every_range():
    sweep(basins.explorer())


def test_tuning_finds_the_best_rate_of_the_budget():
    y, found = runs(), []
    for budget, k in ((200, -1), (20, 2)):
        data = tuning.compute(RATES, STEPS, np.zeros_like(y), y, 0.1, budget)
        assert data["best"] == RATES[np.nanargmin(np.median(y[:, k], 0))]
        assert data["spent"] == STEPS[k]
        found.append(data["best"])
    assert found[0] < found[1]  # a longer run prefers a smaller rate
    assert tuning.compute(RATES, STEPS, y, y, 1.1e-3, 200)["rate"] == RATES[0]


def test_the_tuning_explorer_holds_over_every_range_and_with_diverged_runs():
    sweep(tuning.explorer(RATES, STEPS, runs(), 1.2 * runs()))


def test_the_map_names_every_chapter():
    drawn = {text.get_text() for text in outline.loop_map().axes[0].texts}
    assert {str(c.number) for c in outline.CHAPTERS} <= drawn
    assert outline.contents().count("\n") == len(outline.CHAPTERS) + 1


def test_the_map_is_a_picture():
    assert raster.png(outline.loop_map()).startswith(b"\x89PNG")
