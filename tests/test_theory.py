"""Predictions against simulations and against algebra done another way."""

import numpy as np
import pytest

from shared import theory
from shared.descent import run
from shared.optimizers import SGD
from shared.problems import Noisy, power, quadratic


@pytest.mark.parametrize("kappa", [10, 100, 1000])
def test_contraction_of_the_quadratic(kappa):
    f, lr = quadratic(kappa=kappa, angle=0.3), None
    eigenvalues = np.linalg.eigvalsh(f.hess(np.zeros(2)))
    lr = theory.best_lr(*eigenvalues)
    xs = run(SGD(lr), f, eigenvalues @ np.ones((2, 2)) + [1.0, 0.3], 30)
    measured = np.linalg.norm(xs[30] - f.minima[0]) / np.linalg.norm(xs[28] - f.minima[0])
    assert measured**0.5 == pytest.approx(theory.best_contraction(kappa), rel=1e-3)
    assert theory.contraction(lr, eigenvalues) == pytest.approx(theory.best_contraction(kappa))


def test_best_lr_is_the_best():
    eigenvalues = np.array([0.3, 2.0, 7.0])
    rates = np.linspace(0.01, 2 / 7, 5001)
    assert rates[theory.contraction(rates, eigenvalues).argmin()] == pytest.approx(theory.best_lr(0.3, 7.0), abs=1e-4)


@pytest.mark.parametrize("p", [4, 6])
def test_power_slope(p):
    f = power(p=p, d=1)
    losses = f(run(SGD(0.01), f, [1.0], 40_000))
    k = np.array([10_000, 40_000])
    slope = np.diff(np.log(losses[k])) / np.diff(np.log(k))
    assert slope[0] == pytest.approx(theory.power_slope(p), rel=0.02)


def test_convex_bound_holds_and_is_not_empty():
    f, L = power(p=4, d=2), 12.0  # the curvature 12 x² on |x| ≤ 1
    xs = run(SGD(1 / L), f, [1.0, 0.5], 500)
    k = np.arange(1, 501)
    bound = theory.convex_bound(L, np.linalg.norm(xs[0]), k)
    assert (f(xs)[1:] <= bound).all() and f(xs)[1] > bound[0] / 1e3


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lr", [0.02, 0.15])
def test_noise_floor(lr, seed):
    f = quadratic(kappa=10)
    xs = run(SGD(lr), Noisy(f, sigma=0.5, seed=seed), np.zeros((4000, 2)), 400, every=400)
    predicted = theory.noise_floor(lr, np.linalg.eigvalsh(f.hess(np.zeros(2))), 0.25)
    assert f(xs[-1]).mean() - f.f_min == pytest.approx(predicted, rel=0.1)


def test_batch_variance_with_and_without_replacement():
    rng, n, B = np.random.default_rng(0), 40, 10
    terms = rng.standard_normal(n)
    means = np.array([rng.permutation(terms)[:B].mean() for _ in range(20_000)])
    assert means.var() == pytest.approx(theory.batch_variance(terms.var(), B, n), rel=0.05)
    means = rng.choice(terms, (20_000, B)).mean(-1)
    assert means.var() == pytest.approx(theory.batch_variance(terms.var(), B), rel=0.05)


def test_noise_ball_is_the_covariance_of_long_runs():
    f, lr = quadratic(kappa=6, angle=0.4), 0.2
    H, C = f.hess(np.zeros(2)), np.array([[0.5, 0.2], [0.2, 0.3]])
    rng, A, x = np.random.default_rng(0), np.linalg.cholesky(C), np.zeros((20_000, 2))
    for _ in range(120):
        x = x - lr * (x @ H + rng.standard_normal(x.shape) @ A.T)
    ball = theory.noise_ball(lr, H, C)
    assert np.cov(x.T) == pytest.approx(ball, rel=0.05)
    λ, Q = np.linalg.eigh(H)
    assert np.trace(H @ ball) / 2 == pytest.approx(theory.noise_floor(lr, λ, np.diag(Q.T @ C @ Q)))
    assert theory.noise_ball(0.34, H, C) is None  # beyond 2/6


def test_critical_batch_recovers_its_own_law():
    B = 2.0 ** np.arange(10)
    assert theory.critical_batch(B, 7 * (1 + 90 / B)) == pytest.approx((7, 90))


def test_noise_scale_is_where_noise_and_gradient_weigh_the_same():
    grads = np.random.default_rng(0).standard_normal((500, 3)) + [0.3, 0.0, -0.2]
    g, B = grads.mean(0), theory.noise_scale(grads)
    assert theory.batch_variance(grads.var(0).sum(), B) == pytest.approx(g @ g)
