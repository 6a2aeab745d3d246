"""Chapter 4: the theory of momentum against eigenvalues and runs, its counterexample, and its explorers."""

import numpy as np
import pytest

from shared import theory
from shared.descent import run
from shared.explorers import damping, nesterov
from shared.figures.live import sweep
from shared.optimizers import HeavyBall, Nesterov
from shared.problems import Noisy, lessard, quadratic

RULES = {False: HeavyBall, True: Nesterov}
BOTH = pytest.mark.parametrize("nesterov_form", [False, True], ids=["heavy ball", "nesterov"])


@BOTH
def test_the_spectral_radius_is_the_largest_eigenvalue_of_the_matrix(nesterov_form):
    rng = np.random.default_rng(0)
    lr, β, λ = rng.uniform(0, 1, 200), rng.uniform(0, 0.99, 200), np.array([0.1, 1.0, 3.0])
    closed = theory.spectral_radius(lr, β, λ, nesterov_form)
    M = theory.momentum_matrix(lr[:, None], β[:, None], λ, nesterov_form)
    np.testing.assert_allclose(closed, np.abs(np.linalg.eigvals(M)).max((-1, -2)), atol=1e-7)


@BOTH
def test_powers_of_the_matrix_are_the_run(nesterov_form):
    xs = run(RULES[nesterov_form](0.3, 0.7), quadratic(kappa=2), [0.0, 1.5], 20)[:, 1]
    M = theory.momentum_matrix(0.3, 0.7, 2.0, nesterov_form)
    powers = [(np.linalg.matrix_power(M, t) @ [1.5, 1.5])[0] for t in range(21)]
    np.testing.assert_allclose(xs, powers, rtol=1e-9, atol=1e-14)


@BOTH
@pytest.mark.parametrize("kappa", [2.0, 30.0, 1000.0])
def test_no_pair_of_a_grid_beats_the_best(nesterov_form, kappa):
    lr, β, rate = (theory.best_nesterov if nesterov_form else theory.best_heavy_ball)(1.0, kappa)
    assert theory.spectral_radius(lr, β, [1.0, kappa], nesterov_form) == pytest.approx(rate, abs=1e-6)
    grid = np.meshgrid(np.linspace(0.01, 4, 150) / kappa, np.linspace(0, 0.999, 150), indexing="ij")
    assert theory.spectral_radius(*grid, [1.0, kappa], nesterov_form).min() >= rate - 1e-6


@pytest.mark.parametrize("kappa", [4.0, 100.0])
def test_nesterovs_own_setting_has_its_exact_rate(kappa):
    lr, β, rate = theory.nesterov_setting(2.0, 2 * kappa)
    assert rate == pytest.approx(1 - kappa**-0.5)
    assert theory.spectral_radius(lr, β, [2.0, 2 * kappa], nesterov=True) == pytest.approx(rate, abs=1e-6)


@BOTH
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_stability_limit(nesterov_form, beta):
    limit = theory.stability_limit(3.0, beta, nesterov_form)
    radius = theory.spectral_radius(limit * np.array([0.999, 1.001]), np.full(2, beta), [3.0], nesterov_form)
    assert radius[0] < 1 < radius[1]


def test_accelerated_bound_holds_and_is_tighter_than_descents():
    f, L, k = quadratic(kappa=1e5, d=40), 1e5, np.arange(1, 501)
    losses = f(run(Nesterov(1 / L, lambda k: max(k - 1, 0) / (k + 2)), f, np.full(40, 0.3), 500))[1:]
    bound = theory.accelerated_bound(L, 0.3 * 40**0.5, k)
    assert (losses <= bound).all()
    assert bound[-1] < theory.convex_bound(L, 0.3 * 40**0.5, 500) / 10


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_noise_floor_with_momentum(beta):
    f = quadratic(kappa=10)
    xs = run(HeavyBall(0.02, beta), Noisy(f, sigma=0.5, seed=1), np.zeros((4000, 2)), 400, every=400)
    predicted = theory.noise_floor(0.02, f.eigenvalues, 0.25, beta)
    assert f(xs[-1]).mean() == pytest.approx(predicted, rel=0.1)
    assert theory.noise_floor(0.02, f.eigenvalues, 0.25, 0.0) == theory.noise_floor(0.02, f.eigenvalues, 0.25)


def test_lessards_function_is_continuous_convex_and_traps_the_heavy_ball():
    f, x = lessard(), np.linspace(-3, 4, 7001)[:, None]
    slope = np.diff(f(x)) / np.diff(x[:, 0])
    middle = f.grad((x[1:] + x[:-1]) / 2)[:, 0]
    np.testing.assert_allclose(slope, middle, atol=0.02)
    assert (np.diff(middle) > 0).all()
    tail = run(HeavyBall(1 / 9, 4 / 9), f, f.start, 300)[-3:, 0]
    np.testing.assert_allclose(np.sort(tail), [-1.8024, 0.6465, 2.1159], atol=1e-3)


# ---- Explorers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", damping.METHODS)
def test_the_measured_plane_is_the_predicted_one(method):
    predicted, measured = damping.plane(method, 10.0)
    good = predicted < 0.97
    assert np.quantile(np.abs(measured - predicted)[good], 0.95) < 0.02
    assert ((measured > 1) == (predicted > 1))[np.abs(predicted - 1) > 0.02].all()


@pytest.mark.parametrize("method", damping.METHODS)
def test_along_the_critical_curve_the_roots_are_double(method):
    x, β = damping.critical(method, 0.1)
    for ηλ, b in zip(0.1 * x[20:180:20], β[20:180:20], strict=True):
        z = np.linalg.eigvals(theory.momentum_matrix(ηλ, b, 1.0, method == "Nesterov"))
        assert abs(z[0] - z[1]) < 1e-5


def test_a_click_moves_to_the_centre_of_a_cell_and_shows_its_rates():
    explorer = damping.explorer(kappa=50.0)
    explorer.set(pick=(0.97, 0.31))
    data = explorer.data
    assert data["cell"] == (1.0, pytest.approx(0.3))
    predicted = theory.spectral_radius(data["cell"][0] / 50, data["cell"][1], [1.0, 50.0])
    assert data["rates"][0] == pytest.approx(predicted)
    assert f"theory {predicted:.3f}" in explorer.fig.axes[2].get_title(loc="left") + "".join(
        ax.get_title(loc="left") for ax in explorer.fig.axes)


def test_the_damping_plane_holds_over_every_range():
    sweep(damping.explorer())


def test_nesterov_asks_at_the_look_ahead_point():
    values = dict(landscape="Rosenbrock", rate=0.5, momentum=0.9, start=(-1.0, 1.0))
    data, f = nesterov.compute(**values), nesterov.PLACES["Rosenbrock"]
    lr, xs, ahead = 0.5 / f.eigenvalues[-1], data["xs"]["Nesterov"], data["ahead"]["Nesterov"]
    np.testing.assert_allclose(xs[1:], ahead[:-1] - lr * f.grad(ahead[:-1]), rtol=1e-9)
    ball, beyond = data["xs"]["Momentum"], data["ahead"]["Momentum"]
    np.testing.assert_allclose(ball[1:], beyond[:-1] - lr * f.grad(ball[:-1]), rtol=1e-9)


def test_the_nesterov_explorer_holds_over_every_range_and_says_diverged():
    explorer = nesterov.explorer()
    sweep(explorer)
    explorer.set(rate=3.0)
    assert "Nesterov: diverged" in [text.get_text() for text in explorer.fig.axes[1].texts]
