"""Chapter 5: its explorers over every control, what they draw against independent answers, and its least squares."""

import numpy as np
import pytest

from shared.course.exercises import exercise
from shared.explorers import newton, quasi_newton, spectrum
from shared.figures.live import strict, sweep
from shared.optimizers import SaddleFreeNewton
from shared.problems import LANDSCAPES, Residuals, himmelblau, quadratic


@pytest.fixture(autouse=True)
def every_error_is_raised():
    with strict():
        yield


@pytest.mark.parametrize("module", [newton, quasi_newton, spectrum], ids=lambda m: m.__name__.split(".")[-1])
def test_every_control_over_its_range(module):
    sweep(module.explorer())


@pytest.fixture(scope="module")
def drawn():
    return newton.explorer()


@pytest.mark.parametrize("landscape", newton.OFFERED)
@pytest.mark.parametrize("method", newton.METHODS)
def test_the_newton_explorer_has_something_to_show_everywhere(drawn, landscape, method):
    (x0, x1), (y0, y1) = LANDSCAPES[landscape]().bounds
    drawn.set(landscape=landscape, method=method)
    for point in [(x0, y0), (x1, y1), (0.0, 0.0), (x0, y1)]:
        drawn.set(point=point, damping=1e-2)
        assert not drawn.error
        assert np.isfinite(drawn.data["path"][0]).all()


def test_the_drawn_model_touches_the_loss_and_its_minimiser_is_the_step():
    data = newton.compute("Himmelblau", "Newton", 1.0, (2.6, 2.4))
    at, along = np.abs(data["s"]).argmin(), data["s"]
    assert data["loss"][at] == pytest.approx(data["modelled"][at])
    slope = np.gradient(data["loss"] - data["modelled"], along)
    assert abs(slope[at]) < 0.02 * np.abs(np.gradient(data["loss"], along)[at])
    assert along[data["modelled"].argmin()] == pytest.approx(1.0, abs=0.02)
    f = himmelblau()
    x = np.array([2.6, 2.4])
    np.testing.assert_allclose(data["path"][1], x - np.linalg.solve(f.hess(x), f.grad(x)))


def test_an_ellipse_is_a_level_set():
    H = quadratic(kappa=9, angle=0.7).hess(np.zeros(2))
    points = quasi_newton.ellipse(H, 0.5)
    values = np.einsum("ni,ij,nj->n", points, H, points)
    np.testing.assert_allclose(values, values[0])
    assert np.linalg.norm(points, axis=-1).max() == pytest.approx(0.5, rel=1e-2)
    assert np.isnan(quasi_newton.ellipse(np.diag([1.0, -1.0]), 0.5)).all()


@pytest.mark.parametrize("landscape", quasi_newton.OFFERED)
def test_bfgs_has_learnt_the_curvature_at_the_end(landscape):
    data = quasi_newton.compute(landscape, "BFGS", 10.0, 1.0, tuple(quasi_newton.terrain(landscape).start))
    assert data["gradient"].min() < 1e-3 * data["gradient"][0]
    assert data["error"].min() < 0.1 * data["error"].max()


def test_the_spectrum_explorer_against_the_exact_eigenvalues():
    few, many = (spectrum.compute("after 30 steps", k, 0.02) for k in (2, spectrum.MOST))
    np.testing.assert_allclose(many["ritz"], many["top"], rtol=1e-3)
    assert np.abs(few["ritz"][0] - few["top"][0]) > 1e-3
    f, xs = spectrum.network()
    np.testing.assert_allclose(many["eigenvalues"], np.linalg.eigvalsh(f.hess(xs[2])), atol=1e-12)
    assert np.trapezoid(many["true"], many["grid"]) == pytest.approx(1.0, abs=0.02)


def test_saddle_free_newton_divides_by_the_size_of_the_curvature():
    f, x = himmelblau(), np.array([0.2, -1.0])
    λ, Q = np.linalg.eigh(f.hess(x))
    assert λ[0] < 0
    new, _ = SaddleFreeNewton().step(f, x, (), 1)
    np.testing.assert_allclose(new, x - Q @ ((Q.T @ f.grad(x)) / np.abs(λ)))


def test_residuals_have_the_right_derivatives():
    u = np.linspace(0, 1, 7)
    f = Residuals(lambda x: np.exp(x[..., :1] * u) + x[..., 1:] - u,
                  lambda x: np.stack([u * np.exp(x[..., :1] * u), np.ones_like(x[..., :1] * u)], -1))
    x, e = np.array([[0.3, -0.4], [1.0, 0.5]]), 1e-6 * np.eye(2)
    differences = np.stack([(f(x + d) - f(x - d)) / 2e-6 for d in e], -1)
    np.testing.assert_allclose(f.grad(x), differences, rtol=1e-7)
    np.testing.assert_allclose(f.gauss_newton(x)[1], f.J(x[1]).T @ f.J(x[1]))


def test_the_damping_is_judged_by_the_loss_itself_and_not_by_three_digits_of_it():
    damping = exercise("05.damping")
    measured = damping.measure(damping.solution)
    assert damping.accept(measured | {"loss": 9.999e-7}) and not damping.accept(measured | {"loss": 1.0001e-6})
    assert "gives {loss = " in damping.check(damping.solution).message


@pytest.mark.parametrize("λ, accepted, said", [
    (0, False, "not enough"), (20, False, "not enough"), (35, False, "not enough"), (44, False, "not enough"),
    (46, True, ""), (60, True, ""), (100, True, ""), (150, False, "too much"), (1e4, False, "too much"),
])  # fmt: skip
def test_a_damping_that_arrives_by_luck_is_not_enough(λ, accepted, said):
    """20 and 35 arrive at a minimum, but H + λI is indefinite on the way."""
    result = exercise("05.damping").check(λ)
    assert bool(result) is accepted and said in result.message
