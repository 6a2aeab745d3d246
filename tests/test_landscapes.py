"""Landscapes against differences of themselves, against SciPy, and against what they claim about their minima."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize

from shared.problems import LANDSCAPES, Landscape

VARIANTS = [(name, {}) for name in LANDSCAPES] + [
    ("Quadratic", {"kappa": 1000, "angle": 0.7}), ("Quadratic", {"kappa": 50, "angle": 0.4, "d": 5}),
    ("Quadratic", {"d": 1}),
    ("Rosenbrock", {"d": 3}), ("Rosenbrock", {"d": 7}), ("Ackley", {"d": 1}), ("Ackley", {"d": 4}),
    ("Rastrigin", {"d": 3}), ("Styblinski-Tang", {"d": 3}), ("Power", {"p": 1}), ("Power", {"p": 1.5}),
    ("Power", {"p": 3, "d": 4}), ("River valley", {"wall": 100, "slope": 0.01}),
    ("Cliff", {"height": 2, "steepness": 30}),
]
SEEDS = range(3)


@pytest.fixture(params=VARIANTS, ids=lambda v: " ".join([v[0], *(f"{k}={x}" for k, x in v[1].items())]))
def f(request) -> Landscape:
    name, params = request.param
    return LANDSCAPES[name](**params)


def points(f, seed, shape=(40,)):
    """Random points inside the bounds, at least 0.01 away from the axes, where some landscapes have a kink."""
    x = np.random.default_rng(seed).uniform(*np.repeat(f.bounds, [1, f.dim - 1], axis=0).T[:, :f.dim], (*shape, f.dim))
    return np.where(np.abs(x) < 0.01, 0.01, x)


def differences(function, x, h=1e-5):
    """Central differences of `function` along every coordinate, on a new last axis."""
    return np.stack([(function(x + h * e) - function(x - h * e)) / (2 * h) for e in np.eye(x.shape[-1])], axis=-1)


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_is_the_slope_of_the_value(f, seed):
    x = points(f, seed)
    expected = differences(f, x)
    assert_allclose(f.grad(x), expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_hessian_is_the_slope_of_the_gradient(f, seed):
    x = points(f, seed)
    expected = differences(f.grad, x)
    assert_allclose(f.hess(x), expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max() + 1e-8)
    assert_array_equal(f.hess(x), np.swapaxes(f.hess(x), -1, -2))


def test_a_batch_equals_a_loop(f):
    x = points(f, 0, shape=(2, 5))
    for function, tail in ((f, ()), (f.grad, (f.dim,)), (f.hess, (f.dim, f.dim))):
        batch = function(x)
        assert batch.shape == (2, 5, *tail) and batch.dtype == float
        loop = np.array([[function(point) for point in row] for row in x])
        assert_allclose(batch, loop, rtol=1e-13, atol=1e-13 * np.abs(loop).max())


def test_the_stated_minima_are_minima(f):
    assert f.minima.shape == (len(f.minima), f.dim) and f.start.shape == (f.dim,)
    if not len(f.minima):
        return
    assert_allclose(f(f.minima), f.f_min, rtol=1e-14, atol=1e-14)
    scale = np.abs(f.hess(f.minima)[np.isfinite(f.hess(f.minima))]).max(initial=1.0)
    assert_allclose(f.grad(f.minima), 0, atol=1e-14 * scale)
    if not np.isinf(f.hess(f.minima)).any():
        assert np.linalg.eigvalsh(f.hess(f.minima)).min() >= -1e-12 * scale


def test_nothing_nearby_or_sampled_is_lower(f):
    x = np.concatenate([points(f, seed, (20_000,)) for seed in SEEDS])
    near = f.minima[:, None] + 1e-3 * np.random.default_rng(0).standard_normal((500, f.dim))
    assert f(x).min() >= f.f_min and (f(near) >= f.f_min).all()


@pytest.mark.parametrize("name", [name for name in LANDSCAPES if len(LANDSCAPES[name]().minima)])
def test_all_global_minima_are_listed(name):
    """The lowest cells of a fine grid, polished by SciPy, lead to every stated minimum and to no other point."""
    f = LANDSCAPES[name]()
    grid = np.stack(np.meshgrid(*(np.linspace(*b, 201) for b in f.bounds)), axis=-1).reshape(-1, 2)
    found = [optimize.minimize(f, x, jac=f.grad, method="BFGS", options={"gtol": 1e-10, "maxiter": 60}).x
             for x in grid[np.argsort(f(grid))[:16]]]
    distance = np.linalg.norm(np.array(found)[:, None] - f.minima, axis=-1)
    lowest = f(np.array(found)) < f.f_min + 1e-9
    flat = 0.02 if name in ("Power", "Quartic valley") else 1e-5
    assert distance.min(axis=0).max() < flat and distance[lowest].min(axis=1).max() < flat


@pytest.mark.parametrize("d", [2, 3, 6])
def test_rosenbrock_equals_scipys(d):
    f, x = LANDSCAPES["Rosenbrock"](d=d), np.random.default_rng(d).uniform(-3, 3, (50, d))
    assert_allclose(f(x), [optimize.rosen(p) for p in x], rtol=1e-12)
    assert_allclose(f.grad(x), [optimize.rosen_der(p) for p in x], rtol=1e-11, atol=1e-9)
    assert_allclose(f.hess(x), [optimize.rosen_hess(p) for p in x], rtol=1e-12)


PUBLISHED = {                                         # f at a point, worked out by hand from the published formula
    "Booth": ((0, 0), 74), "Beale": ((0, 0), 1.5**2 + 2.25**2 + 2.625**2), "Himmelblau": ((0, 0), 170),
    "Styblinski-Tang": ((1, 1), -10), "Rastrigin": ((0.5, 0.5), 40.5), "Three-hump camel": ((1, 1), 2 - 1.05 + 1/6 + 2),
    "Six-hump camel": ((1, 1), 4 - 2.1 + 1/3 + 1), "Goldstein-Price": ((1, 1), 1876), "Monkey saddle": ((1, 1), -2),
    "Saddle": ((2, 1), 1.5), "Quartic valley": ((2, 2), 20), "Power": ((1, -2), 17), "Plateau": ((1, 1), 5 / 6),
    "Ackley": ((1, 1), 20 * (1 - np.exp(-0.2))), "Cliff": ((0, 2), 5 / 8 + 3 / 2), "River valley": ((0, 1), 10),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_values_worked_out_by_hand(name):
    x, expected = PUBLISHED[name]
    assert LANDSCAPES[name]()(x) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("kappa, angle, d", [(1, 0.3, 2), (10, 0, 2), (1000, 1.1, 2), (100, 0.5, 6)])
def test_quadratic_has_the_eigenvalues_it_promises(kappa, angle, d):
    f = LANDSCAPES["Quadratic"](kappa=kappa, angle=angle, d=d)
    assert_allclose(f.eigenvalues, np.geomspace(1, kappa, d), rtol=1e-11)
    direction = np.array([np.cos(angle), np.sin(angle)])              # the slow axis of the plane is turned by `angle`
    if d == 2:
        assert_allclose(f.hess([0, 0]) @ direction, direction, rtol=1e-11, atol=1e-11)


def test_far_away_values_are_finite_and_beyond_that_infinite_without_a_warning(f):
    corners = 1e3 * np.array(np.meshgrid(*[(-1, 0.3, 1)] * min(f.dim, 3))).reshape(min(f.dim, 3), -1).T
    x = np.resize(corners.T, (f.dim, len(corners))).T
    for function in (f, f.grad, f.hess):
        assert np.isfinite(function(x)).all()
    for huge in (1e60, 1e160, 1e300, np.inf, np.nan):                 # warnings are errors: none may escape
        for function in (f, f.grad, f.hess):
            function(np.full(f.dim, huge))
    if len(f.minima):
        assert f(1e160 * np.linspace(1, 2, f.dim)) > f.f_min          # never -inf or nan on the way out


def test_the_description_is_complete(f):
    (x_lo, x_hi), (y_lo, y_hi) = f.bounds
    assert x_lo < x_hi and y_lo < y_hi
    assert x_lo <= f.start[0] <= x_hi and np.linalg.norm(f.grad(f.start)) > 1e-3
    assert f.formula and "$" not in f.formula and f.note.endswith(".") and "\n" not in f.note
    assert repr(f) == f"Landscape({f.name!r}, dim={f.dim})" and f.name in LANDSCAPES
    for array in (f.minima, f.start):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_results_are_fresh_arrays(f):
    """Writing into a result must not change the landscape."""
    x = points(f, 1)
    for function in (f.grad, f.hess):
        before = function(x).copy()
        function(x)[...] = 7
        assert_array_equal(function(x), before)


@pytest.mark.parametrize("call, message", [
    (lambda: LANDSCAPES["Quadratic"](kappa=0.5), r"kappa = L/mu must be finite and at least 1, got 0\.5"),
    (lambda: LANDSCAPES["Power"](p=0.5), r"exponent p must be finite and at least 1, got 0\.5"),
    (lambda: LANDSCAPES["Rosenbrock"](d=1), "d must be an integer >= 2, got 1"),
    (lambda: LANDSCAPES["Ackley"](d=2.0), r"d must be an integer >= 1, got 2\.0"),
    (lambda: LANDSCAPES["River valley"](wall=1, slope=2), "need 0 < slope <= wall, got slope = 2 and wall = 1"),
    (lambda: LANDSCAPES["Cliff"](height=np.nan), "need a finite height >= 1 and steepness >= 4, got nan and"),
    (lambda: LANDSCAPES["Booth"]()([1, 2, 3]), r"Booth: the last axis must hold 2 coordinates, got shape \(3,\)"),
    (lambda: LANDSCAPES["Booth"]().grad(1.0), r"got shape \(\)"),
])
def test_bad_input_gives_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
