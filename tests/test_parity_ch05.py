"""L-BFGS against torch step by step; line-search methods against SciPy by evaluations and by what they find."""

import numpy as np
import pytest
import scipy.optimize
import torch
from parity import assert_same_path
from problems import LOGISTIC, PROBLEMS, QUADRATIC

from shared import data
from shared.descent import iterates, run
from shared.optimizers import BFGS, DFP, LBFGS, ConjugateGradient, LevenbergMarquardt, Shampoo, TrustRegion
from shared.optimizers.second_order import smallest_in_ball, two_loops
from shared.problems import Counted, Logistic, Remembered, beale, rosenbrock

OPTIONS = [dict(lr=0.5, history_size=3), dict(lr=0.1, history_size=100), dict(lr=0.02, history_size=10)]


def torch_lbfgs(max_iter=1, **options):
    return lambda p: torch.optim.LBFGS(p, max_iter=max_iter, tolerance_grad=0, tolerance_change=0, **options)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_lbfgs_walks_torchs_path(options, problem):
    assert_same_path(LBFGS(**options), torch_lbfgs(**options), *PROBLEMS[problem])


def test_full_steps_walk_torchs_path_where_they_converge():
    for problem in ("quadratic", "logistic"):
        assert_same_path(LBFGS(1.0), torch_lbfgs(lr=1.0, history_size=10), *PROBLEMS[problem])


def test_twenty_inner_iterations_of_torch_are_twenty_steps():
    p = torch.nn.Parameter(torch.tensor(PROBLEMS["logistic"][1]))

    def closure():
        p.grad = torch.tensor(LOGISTIC.grad(p.detach().numpy()))
        return torch.tensor(float(LOGISTIC(p.detach().numpy())))

    torch_lbfgs(max_iter=20, lr=0.3, history_size=7)([p]).step(closure)
    ours = run(LBFGS(0.3, history_size=7), LOGISTIC, PROBLEMS["logistic"][1], 20)[-1]
    np.testing.assert_allclose(ours, p.detach().numpy(), rtol=1e-9)


def test_two_loops_multiply_by_the_matrix_that_bfgs_would_have():
    rng = np.random.default_rng(1)
    S, Y, g = rng.standard_normal((4, 6)), rng.standard_normal((4, 6)), rng.standard_normal(6)
    Y *= np.sign((S * Y).sum(-1, keepdims=True))
    B = 0.7 * np.eye(6)
    for s, y in zip(S[::-1], Y[::-1]):  # newest first in the arguments, oldest first in the updates
        B = BFGS().update(B, s, y, (y * s).sum(keepdims=True))
    np.testing.assert_allclose(two_loops(g, S, Y, 0.7), B @ g, rtol=1e-10)


@pytest.mark.parametrize("rule", [BFGS(), DFP()], ids=repr)
def test_updates_satisfy_the_secant_equation_and_stay_positive_definite(rule):
    f, states = rosenbrock(d=3), []
    x, s = np.array([-0.5, 0.6, 0.2]), rule.State()
    for t in range(1, 30):
        x, s = rule.step(f, x, s, t)
        states.append(s)
    for a, b in zip(states, states[1:]):
        np.testing.assert_allclose(b.B @ (b.g - a.g), b.x - a.x, rtol=1e-6, atol=1e-10)
        assert np.linalg.eigvalsh(b.B).min() > 0


def breast_cancer(l2=1e-2):
    d = data.breast_cancer()
    return Logistic(np.c_[d.x_train, np.ones(len(d.x_train))], 2.0 * d.y_train - 1, l2)


def evaluations(rule, f, x0, tol=1e-8):
    """How many new points `rule` asked before it reached |g| < tol, and where it stopped."""
    counted = Counted(f)
    for x in iterates(rule, Remembered(counted), x0):
        if np.linalg.norm(f.grad(x)) < tol:
            return counted.calls["grad"], x
        assert counted.calls["grad"] < 5000, f"{rule} does not arrive"


def scipys(method, f, x0, tol=1e-8):
    """The same for scipy.optimize.minimize: points asked until one with |g| < tol is seen."""
    norms = []

    def both(x):
        g = f.grad(x)
        norms.append(np.linalg.norm(g))
        return float(f(x)), g

    tight = dict(gtol=tol, norm=2) if method == "BFGS" else dict(gtol=tol / 10, ftol=0.0, maxfun=10_000)
    scipy.optimize.minimize(both, x0, jac=True, method=method, options=tight | dict(maxiter=5000))
    return 1 + int(np.flatnonzero(np.array(norms) < tol)[0])


SMOOTH = {
    "Rosenbrock 2": (rosenbrock(), np.array([-1.2, 1.0])),
    "Rosenbrock 20": (rosenbrock(d=20), np.zeros(20)),  # from (-1.2, 1, ...) luck chooses between two minima
    "Beale": (beale(), np.array([1.0, 1.0])),
    "breast cancer": (breast_cancer(), np.zeros(31)),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("rule, method", [(BFGS(), "BFGS"), (LBFGS(line_search_fn="strong_wolfe"), "L-BFGS-B")])
def test_evaluations_against_scipy(rule, method, name):
    f, x0 = SMOOTH[name]
    ours, x = evaluations(rule, f, x0)
    assert ours <= 1.3 * scipys(method, f, x0)
    np.testing.assert_allclose(x, scipy.optimize.minimize(f, x0, jac=f.grad, method="BFGS", tol=1e-9).x, atol=1e-5)


@pytest.mark.parametrize("spread", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_bfgs_asks_no_more_than_scipys_on_columns_of_different_scale(spread, seed):
    """Columns in units from 1 to 10**spread. A first B of 1/λmax (N&W 6.20) asked 1.4 to 2.3 times as often."""
    f = breast_cancer()
    units = 10 ** np.random.default_rng(seed).uniform(-spread / 2, spread / 2, 31)
    f = Logistic(f.X * units, f.y, f.l2)
    ours, _ = evaluations(BFGS(), f, np.zeros(31), tol=1e-6)
    assert ours <= 1.2 * scipys("BFGS", f, np.zeros(31), tol=1e-6)


@pytest.mark.parametrize("factor", [1e-2, 1e2, 1e4])
def test_bfgs_finds_the_minimum_of_a_loss_in_other_units(factor):
    f = breast_cancer()
    g = Logistic(f.X * factor**0.5, f.y, f.l2 * factor)  # curvatures times the factor
    ours, _ = evaluations(BFGS(), g, np.zeros(31), tol=1e-8 * factor**0.5)
    assert ours <= 200


def test_conjugate_gradients_end_after_d_steps_on_a_quadratic():
    """With searches that are exact, which on a parabola the first interpolation is; ours are nearly so."""
    xs = run(ConjugateGradient(), QUADRATIC, [1.3, -0.7], 12)
    assert QUADRATIC(xs[-1]) < 1e-12 * QUADRATIC(xs[0])


def test_trust_region_steps_are_the_constrained_minimisers():
    rng = np.random.default_rng(2)
    A = rng.standard_normal((200, 2, 2))
    H, g, radius = A + np.swapaxes(A, -1, -2), rng.standard_normal((200, 2)), rng.uniform(0.1, 2, (200, 1))
    p = smallest_in_ball(H, g, radius)

    def model(p):
        return (g * p).sum(-1) + np.einsum("...i,...ij,...j", p, H, p) / 2

    assert (np.linalg.norm(p, axis=-1) <= radius[:, 0] * (1 + 1e-9)).all()
    angle, length = np.meshgrid(np.linspace(0, 2 * np.pi, 361), np.linspace(0, 1, 21))
    ball = np.stack([length * np.cos(angle), length * np.sin(angle)], -1).reshape(-1, 1, 2) * radius
    assert (model(p) <= model(ball).min(0) + 1e-9).all()


def test_the_hard_case_of_the_trust_region_goes_down_the_bottom_eigenvector():
    p = smallest_in_ball(np.diag([-1.0, 2.0]), np.array([0.0, 0.5]), np.array([1.0]))  # no gradient along x₁
    np.testing.assert_allclose(np.abs(p), [np.sqrt(1 - (0.5 / 3) ** 2), 0.5 / 3], atol=1e-9)
    xs = run(TrustRegion(), PROBLEMS["rosenbrock"][0], PROBLEMS["rosenbrock"][1], 60)
    np.testing.assert_allclose(xs[-1], 1.0, atol=1e-8)


class Exponential:
    """y = a exp(b u) + c, fitted by least squares: residuals, as SciPy wants them, and the oracle as the rule does."""

    u = np.linspace(0, 2, 30)
    y = 1.5 * np.exp(0.9 * u) - 0.4 + 0.05 * np.sin(40 * u)

    def r(self, x): return x[..., :1] * np.exp(x[..., 1:2] * self.u) + x[..., 2:] - self.y
    def J(self, x):
        e = np.exp(x[..., 1:2] * self.u)
        return np.stack([e, x[..., :1] * self.u * e, np.ones_like(e)], -1)
    def __call__(self, x): return (self.r(x) ** 2).sum(-1) / 2
    def grad(self, x): return np.einsum("...ni,...n->...i", self.J(x), self.r(x))
    def gauss_newton(self, x): return np.swapaxes(self.J(x), -1, -2) @ self.J(x)


def test_levenberg_marquardt_finds_what_scipys_does():
    f, x0 = Exponential(), np.array([1.0, 0.1, 0.0])
    theirs = scipy.optimize.least_squares(f.r, x0, f.J, method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    np.testing.assert_allclose(run(LevenbergMarquardt(), f, x0, 40)[-1], theirs, rtol=1e-7)


def test_shampoo_of_a_tensor_is_shampoo_of_the_flat_vector():
    from shared.optimizers.torch_rule import TorchRule

    rng, W = np.random.default_rng(0), torch.nn.Parameter(torch.ones(3, 4, dtype=torch.float64))
    T = rng.standard_normal((3, 4))

    class Distance:
        def grad(self, x): return (x - T.ravel()) * np.arange(1, 13)

    optimizer = TorchRule([W], Shampoo(0.3))
    for _ in range(20):
        W.grad = torch.tensor(Distance().grad(W.detach().numpy().ravel()).reshape(3, 4))
        optimizer.step()
    np.testing.assert_allclose(run(Shampoo(0.3, shape=(3, 4)), Distance(), np.ones(12), 20)[-1],
                               W.detach().numpy().ravel(), rtol=1e-10)


def test_one_step_of_shampoo_by_its_definition():
    from scipy.linalg import fractional_matrix_power as power

    G, ε = np.random.default_rng(0).standard_normal((3, 4)), 1e-4

    class Constant:
        def grad(self, x): return G.ravel()

    step = -run(Shampoo(1.0, shape=(3, 4)), Constant(), np.zeros(12), 1)[-1].reshape(3, 4)
    expected = power(G @ G.T + ε * np.eye(3), -0.25) @ G @ power(G.T @ G + ε * np.eye(4), -0.25)
    np.testing.assert_allclose(step, expected, rtol=1e-8)


@pytest.mark.parametrize("bad, said", [
    (lambda: LBFGS(history_size=0), r"LBFGS: history_size must lie in \[1, inf\), got 0"),
    (lambda: BFGS(line_search_fn="armijo"), "line_search_fn must be None or 'strong_wolfe', got 'armijo'"),
    (lambda: TrustRegion(radius=0.0), r"TrustRegion: radius must lie in \(0, inf\), got 0"),
])  # fmt: skip
def test_bad_hyperparameters_are_named(bad, said):
    with pytest.raises(ValueError, match=said):
        bad()
