"""Wrapped problems, finite sums and line searches against finite differences, torch and SciPy."""

from itertools import islice, product

import numpy as np
import pytest
import scipy.optimize
import torch
from problems import LOGISTIC, ROSENBROCK

from shared import chance
from shared.descent import iterates, loss_at, run
from shared.optimizers import SGD
from shared.optimizers.linesearch import backtracking, strong_wolfe
from shared.problems import (
    Clipped,
    Counted,
    LeastSquares,
    Logistic,
    MiniBatch,
    Noisy,
    Remembered,
    Ridge,
    Rotated,
    Softmax,
    beale,
    booth,
    himmelblau,
    quadratic,
    rosenbrock,
)

RNG = np.random.default_rng(5)
X = RNG.standard_normal((20, 3))
LABELS = np.r_[RNG.integers(0, 4, 19), 3]
SUMS = [LeastSquares(X, LABELS * 1.0, 0.1), Logistic(X, np.sign(LABELS - 1.5), 0.1), Softmax(X, LABELS, 0.1)]


def differences(function, x, h=1e-5):
    """The derivative of `function` at x (..., d) by central differences, on a new last axis."""
    steps = h * np.eye(x.shape[-1])
    return np.stack([(function(x + e) - function(x - e)) / (2 * h) for e in steps], -1)


DERIVED = [*SUMS, Ridge(beale(), 0.3), Rotated(beale(), 0.7), LOGISTIC]


@pytest.mark.parametrize("f", DERIVED, ids=lambda f: type(f).__name__)
def test_gradient_and_hessian_are_the_derivatives(f):
    x = RNG.standard_normal((4, getattr(f, "dim", 2)))
    np.testing.assert_allclose(f.grad(x), differences(f, x), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(f.hess(x), differences(f.grad, x), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("f", SUMS, ids=lambda f: type(f).__name__)
def test_a_finite_sum_is_the_mean_of_its_terms(f):
    x = RNG.standard_normal((4, f.dim))
    np.testing.assert_allclose(f.losses(x).mean(-1) + 0.05 * (x * x).sum(-1), f(x))
    np.testing.assert_allclose(f.grads(x).mean(-2), f.grad(x))
    np.testing.assert_allclose(f.subset([3, 4]).grad(x), f.grads(x)[:, 3:5].mean(-2))


def test_softmax_and_logistic_are_torchs_losses():
    w = RNG.standard_normal(12)
    logits = torch.tensor(X @ w.reshape(3, 4))
    theirs = torch.nn.functional.cross_entropy(logits, torch.tensor(LABELS))
    np.testing.assert_allclose(Softmax(X, LABELS)(w), theirs.item())
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], torch.tensor((LABELS > 1.5) * 1.0))
    np.testing.assert_allclose(Logistic(X, np.sign(LABELS - 1.5))(w.reshape(3, 4)[:, 0]), theirs.item())


def test_losses_of_huge_parameters_are_finite():
    for f in SUMS:
        assert np.isfinite(f(np.full(f.dim, 1e6))) and np.isfinite(f.grad(np.full(f.dim, -1e6))).all()


def test_clipping_keeps_the_direction_and_bounds_the_norm():
    x = RNG.uniform(-2, 2, (50, 3))
    g, clipped = ROSENBROCK.grad(x), Clipped(ROSENBROCK, max_norm=1.5).grad(x)
    norms = np.linalg.norm(clipped, axis=-1)
    assert norms.max() <= 1.5 + 1e-12 and np.isclose(norms, 1.5).any()
    p = [torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))]
    for ours, raw in zip(clipped, g, strict=True):
        p[0].grad = torch.tensor(raw)
        torch.nn.utils.clip_grad_norm_(p, 1.5)
        np.testing.assert_allclose(ours, p[0].grad.numpy(), rtol=1e-5)
    np.testing.assert_array_equal(Clipped(ROSENBROCK, max_value=0.5).grad(x), np.clip(g, -0.5, 0.5))


def test_noise_is_a_pure_function_of_seed_and_step_with_the_stated_spread():
    f = Noisy(quadratic(), sigma=0.3, seed=1)
    x = np.zeros((20_000, 2))
    a, again, later = f.at(1).grad(x), f.at(1).grad(x), f.at(2).grad(x)
    np.testing.assert_array_equal(a, again)
    assert abs(np.corrcoef(a.ravel(), later.ravel())[0, 1]) < 0.03
    assert abs(a.std() - 0.3) < 0.01 and abs(a.mean()) < 0.01
    assert not np.array_equal(a, Noisy(quadratic(), 0.3, seed=2).at(1).grad(x))


def test_batches_without_replacement_visit_every_term_once_an_epoch():
    batches = MiniBatch(SUMS[0], batch_size=6, seed=4)
    assert batches.steps_per_epoch == 3
    for epoch in range(3):
        seen = np.concatenate([batches.indices(3 * epoch + i) for i in (1, 2, 3)])
        assert len(set(seen)) == 18
    assert set(batches.indices(1)) != set(batches.indices(4))


def test_the_mean_of_an_epochs_batch_gradients_is_the_full_gradient():
    batches, x = MiniBatch(SUMS[0], batch_size=5, seed=0), np.array([0.3, -1.0, 2.0])
    np.testing.assert_allclose(np.mean([batches.at(t).grad(x) for t in (1, 2, 3, 4)], 0), SUMS[0].grad(x))
    np.testing.assert_array_equal(batches.at(7).grad(x), batches.at(7).grad(x))


@pytest.mark.parametrize("size", [0, 21])
def test_an_impossible_batch_size_is_named(size):
    with pytest.raises(ValueError, match=rf"batch_size must lie in \[1, 20\], got {size}"):
        MiniBatch(SUMS[0], batch_size=size)


def test_mismatched_data_is_named():
    with pytest.raises(ValueError, match=r"Logistic: X must be \(n, p\) and y \(n,\), got X \(20, 3\) and y \(5,\)"):
        Logistic(X, np.ones(5))


def test_counted_counts_points():
    f = Counted(rosenbrock())
    run(SGD(1e-4), f, np.ones((7, 2)), 10)
    assert f.calls == {"f": 0, "grad": 70, "hess": 0}


# ---- Wrappers around wrappers ----------------------------------------------------------------------------------------

T, R = 3, np.array([[np.cos(0.7), np.sin(0.7), 0], [-np.sin(0.7), np.cos(0.7), 0], [0, 0, 1]])
ROWS = MiniBatch(SUMS[0], batch_size=5, seed=2).indices(T)
WRAPPERS = {
    "Ridge": lambda f: Ridge(f, 10.0), "Clipped": lambda f: Clipped(f, max_norm=1e-3),
    "Rotated": lambda f: Rotated(f, 0.7), "Noisy": lambda f: Noisy(f, 0.5, seed=3),
    "MiniBatch": lambda f: MiniBatch(f, 5, seed=2), "Counted": Counted, "Remembered": Remembered,
}  # fmt: skip
BY_HAND = {  # the same changes as plain functions: (f, ∇f) -> (f, ∇f) at step T
    "Ridge": lambda f, g: (lambda x: f(x) + 5 * x @ x, lambda x: g(x) + 10 * x),
    "Clipped": lambda f, g: (f, lambda x: g(x) * min(1, 1e-3 / np.linalg.norm(g(x)))),
    "Noisy": lambda f, g: (f, lambda x: g(x) + 0.5 * chance.rng((3, T)).standard_normal(3)),
    "Rotated": lambda f, g: (lambda x: f(R @ x), lambda x: R.T @ g(R @ x)),
}
PAIRS = [pair for pair in product(WRAPPERS, WRAPPERS) if pair != ("MiniBatch", "MiniBatch")]


@pytest.mark.parametrize("outer, inner", PAIRS)
def test_two_wrappers_are_their_composition_and_a_batch_is_of_the_terms_in_either_order(outer, inner):
    x, f = np.array([0.3, -1.0, 2.0]), SUMS[1]
    wrapped = WRAPPERS[outer](WRAPPERS[inner](f))
    terms = f.subset(ROWS) if "MiniBatch" in (outer, inner) else f
    value, grad = terms, terms.grad
    for name in (inner, outer):
        value, grad = BY_HAND.get(name, lambda f, g: (f, g))(value, grad)
    for _ in range(2):  # asking changes no answer
        np.testing.assert_allclose(loss_at(wrapped, T)(x), value(x), rtol=1e-12)
        np.testing.assert_allclose(loss_at(wrapped, T).grad(x), grad(x), rtol=1e-12)


@pytest.mark.parametrize("outer, inner", PAIRS)
def test_a_part_of_a_wrapped_sum_is_the_wrapped_part(outer, inner):
    x, part = np.array([0.3, -1.0, 2.0]), np.arange(7, 20)
    wrap = lambda f: WRAPPERS[outer](WRAPPERS[inner](f))
    ours, theirs = wrap(SUMS[1]).subset(part).at(T), wrap(SUMS[1].subset(part)).at(T)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-12)
    np.testing.assert_allclose(ours.grad(x), theirs.grad(x), rtol=1e-12)


class Bowl:
    """A loss as a reader writes it: f(x) and f.grad(x), nothing else."""

    def __call__(self, x):
        return (x * x).sum(-1) / 2

    def grad(self, x):
        return x


@pytest.mark.parametrize("wrap", [wrap for name, wrap in WRAPPERS.items() if name != "MiniBatch"] + [lambda f: f])
def test_a_loss_is_anything_with_a_value_and_a_gradient(wrap):
    x0 = np.array([0.3, -1.0, 2.0])
    np.testing.assert_array_equal(run(SGD(0.1), wrap(Bowl()), x0, 5), run(SGD(0.1), wrap(quadratic(1, d=3)), x0, 5))


@pytest.mark.parametrize("f, name", [(lambda x: x @ x, "<lambda>"), (Ridge(np.sum), "sum"), (3.0, "float")])
def test_a_loss_without_a_gradient_is_named_in_one_line(f, name):
    for walk in (lambda: run(SGD(0.1), f, [1.0], 5), lambda: list(islice(iterates(SGD(0.1), f, [1.0]), 2))):
        with pytest.raises(TypeError, match=f"^a loss answers f.x. and f.grad.x.: {name} has no grad$"):
            walk()


@pytest.mark.parametrize("outer, inner", [(a, b) for a, b in PAIRS if "Counted" in (a, b)])
def test_counting_goes_on_inside_and_outside_other_wrappers(outer, inner):
    counted = Counted(SUMS[1])
    wrapped = WRAPPERS[outer](counted) if inner == "Counted" else (counted := Counted(WRAPPERS[inner](SUMS[1])))
    loss_at(wrapped, T).grad(np.ones((4, 3)))
    assert counted.calls["grad"] == 4


@pytest.mark.parametrize("f", [booth(), himmelblau()], ids=lambda f: f.name)
@pytest.mark.parametrize("outer, inner", [pair for pair in PAIRS if "MiniBatch" not in pair])
def test_what_a_wrapped_landscape_says_of_itself_is_true(outer, inner, f):
    wrapped = WRAPPERS[outer](WRAPPERS[inner](f))
    assert wrapped.dim == 2 and len(wrapped.start) == 2
    around = RNG.uniform(-8, 8, (2000, 2))
    if hasattr(wrapped, "f_min"):
        assert wrapped.f_min <= wrapped(around).min()
    if hasattr(wrapped, "minima"):
        assert (wrapped(wrapped.minima)[:, None] <= wrapped(wrapped.minima[:, None] + 0.01 * around[:50])).all()
        assert np.allclose(wrapped(wrapped.minima), wrapped.f_min)
        assert np.allclose(wrapped.eigenvalues, np.linalg.eigvalsh(wrapped.hess(wrapped.minima[0])))
    assert hasattr(wrapped, "minima") == ("Ridge" not in (outer, inner))


@pytest.mark.parametrize("outer, inner", PAIRS)
def test_what_a_wrapped_sum_says_of_its_terms_is_true(outer, inner):
    wrapped, x = WRAPPERS[outer](WRAPPERS[inner](LeastSquares(X, LABELS))), np.array([0.3, -1.0, 2.0])
    assert getattr(wrapped, "n", 20) == 20 and wrapped.dim == 3
    if hasattr(wrapped, "losses"):
        np.testing.assert_allclose(wrapped.losses(x).mean(), wrapped(x))
    if hasattr(wrapped, "grads"):
        np.testing.assert_allclose(wrapped.grads(x).mean(0), wrapped.grad(x))


def test_a_turned_landscape_starts_where_its_path_is_the_turned_path():
    f, turned = beale(), Rotated(beale(), 0.7)
    np.testing.assert_allclose(turned(turned.start), f(f.start))
    np.testing.assert_allclose(turned.grad(turned.minima), 0, atol=1e-9)


def test_what_a_wrapper_cannot_keep_is_refused_in_one_line():
    with pytest.raises(AttributeError, match="Ridge has no 'minima': of what it wraps it keeps dim, n, start,"):
        Ridge(booth()).minima  # noqa: B018
    for f in (booth(), Ridge(booth()), MiniBatch(SUMS[0], 5)):
        with pytest.raises(TypeError, match=f"MiniBatch: {type(f).__name__} is not a sum: it has no n terms"):
            MiniBatch(f, 5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("f", [beale(), rosenbrock(d=4), LOGISTIC], ids=["beale", "rosenbrock", "logistic"])
def test_strong_wolfe_conditions_hold_and_scipy_agrees(f, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.5, 1.5, f.dim)
    p = -f.grad(x) * rng.uniform(0.01, 3)
    found = strong_wolfe(f, x, p)
    slope = f.grad(x) @ p
    assert found.ok
    assert f(x + found.alpha * p) <= f(x) + 1e-4 * found.alpha * slope
    assert abs(f.grad(x + found.alpha * p) @ p) <= 0.9 * abs(slope)
    np.testing.assert_allclose(found.grad, f.grad(x + found.alpha * p))
    theirs = scipy.optimize.line_search(f, f.grad, x, p, c1=1e-4, c2=0.9)
    assert found.evaluations <= theirs[1] + 6


def test_backtracking_satisfies_armijo_and_says_when_it_cannot():
    f, x = rosenbrock(), np.array([-1.2, 1.0])
    p = -f.grad(x)
    found = backtracking(f, x, p)
    assert found.ok and f(x + found.alpha * p) <= f(x) + 1e-4 * found.alpha * (f.grad(x) @ p)
    assert f(x + 2 * found.alpha * p) > f(x) + 1e-4 * 2 * found.alpha * (f.grad(x) @ p)


@pytest.mark.parametrize("search", [backtracking, strong_wolfe])
def test_an_uphill_direction_is_refused_in_one_line(search):
    f, x = rosenbrock(), np.array([-1.2, 1.0])
    with pytest.raises(ValueError, match="p must be a descent direction"):
        search(f, x, f.grad(x))
