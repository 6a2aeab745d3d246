"""Every product and every estimate of curvature against the explicit matrix of a small network."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

from shared.descent import run
from shared.models.mlp import mlp
from shared.optimizers import KFAC, Adam, GaussNewton, NaturalGradient
from shared.problems import MiniBatch, curvature
from shared.problems.networks import NetworkOracle

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((60, 6)), RNG.integers(0, 4, 60)


@pytest.fixture(scope="module")
def f():
    return NetworkOracle(mlp(6, 7, 4, activation="tanh"), cross_entropy, X, Y)


@pytest.fixture(scope="module")
def trained(f):
    return run(Adam(0.05), f, f.start, 150)[-1]


@pytest.fixture(scope="module")
def H(f, trained):
    return f.hess(trained)


def test_hvp_is_exact(f, trained, H):
    v = RNG.standard_normal(f.dim)
    np.testing.assert_allclose(curvature.hvp(f, trained, v), H @ v, rtol=0, atol=1e-12)


@pytest.mark.parametrize("differences, h, error", [
    (curvature.hessian_by_differences, 2e-4, 3e-6), (curvature.gradient_differences, 1e-5, 1e-8)])  # fmt: skip
def test_differences_have_a_best_step(f, trained, H, differences, h, error):
    def worst(h):
        return np.abs(differences(f, trained, h) - H).max()

    assert worst(h) < error
    assert worst(h * 300) > 20 * worst(h) and worst(h / 3000) > 20 * worst(h)


def test_gauss_newton_by_definition(f, trained, H):
    G = curvature.gauss_newton(f, trained)
    assert np.linalg.eigvalsh(G).min() > -1e-12
    linear = NetworkOracle(mlp(6, 4), cross_entropy, X, Y)  # no curvature of the outputs: G is the Hessian
    np.testing.assert_allclose(curvature.gauss_newton(linear, linear.start), linear.hess(linear.start), atol=1e-13)


def test_the_fisher_matrix_is_gauss_newton_but_the_empirical_one_is_not(f, trained):
    F = curvature.fisher(f, trained)
    np.testing.assert_allclose(F, curvature.gauss_newton(f, trained), atol=1e-13)
    E = curvature.empirical_fisher(f, trained)
    one = f.subset([3])
    np.testing.assert_allclose(curvature.empirical_fisher(one, trained), np.outer(*[one.grad(trained)] * 2), atol=1e-13)
    assert np.linalg.norm(E - F) > 0.1 * np.linalg.norm(F)


def test_gauss_newton_of_a_mean_squared_error(f, trained):
    g = NetworkOracle(f.model, mse_loss, X, np.eye(4)[Y])
    J = torch.func.jacrev(g.outputs)(g.tensor(trained)).reshape(-1, g.dim).numpy()
    np.testing.assert_allclose(curvature.gauss_newton(g, trained), 2 * J.T @ J / J.shape[0], atol=1e-12)


def test_lanczos_finds_the_ends_of_the_spectrum(f, trained, H):
    λ = np.linalg.eigvalsh(H)
    found, vectors = curvature.top_eigenvalues(lambda v: curvature.hvp(f, trained, v), f.dim, k=5, steps=50)
    np.testing.assert_allclose(found, λ[::-1][:5], rtol=1e-8)
    np.testing.assert_allclose(H @ vectors, vectors * found, atol=1e-6)
    T, V = curvature.lanczos(lambda v: H @ v, RNG.standard_normal(f.dim), f.dim)
    nearest = np.abs(np.linalg.eigvalsh(T)[:, None] - λ).min(1)  # the null space is seen once: an invariant subspace
    assert len(T) >= 60 and nearest.max() < 1e-9
    np.testing.assert_allclose(V.T @ V, np.eye(V.shape[1]), atol=1e-12)


def test_lanczos_stops_in_an_invariant_subspace():
    A = np.diag([1.0, 2.0, 3.0, 4.0])
    T, _ = curvature.lanczos(lambda v: A @ v, np.array([1.0, 1.0, 0.0, 0.0]), 4)
    np.testing.assert_allclose(np.linalg.eigvalsh(T), [1.0, 2.0], atol=1e-12)


@pytest.mark.parametrize("estimate", [curvature.power_iteration, curvature.largest_eigenvalue])
def test_a_largest_eigenvalue_is_one_or_an_error(estimate):
    """Against eigvalsh on random symmetric matrices, within a budget that does not always suffice."""
    rng, refused = np.random.default_rng(1), 0
    for d in (1, 2, 3, 8, 30) * 12:
        A = rng.standard_normal((d, d))
        A, v = A + A.T, rng.standard_normal(d)
        λ = np.linalg.eigvalsh(A)
        try:
            found, q = estimate(A.__matmul__, v, tol=1e-4, max_iter=25)
        except curvature.NotConverged:
            refused += 1
            continue
        assert np.abs(λ - found).min() <= 1e-4 * abs(found) and np.linalg.norm(q) == pytest.approx(1)
        assert np.linalg.norm(A @ q - found * q) <= 1e-4 * abs(found) + 1e-9
        if estimate is curvature.largest_eigenvalue:
            assert found == pytest.approx(λ[-1], abs=1e-3 * np.abs(λ).max())
    assert refused < 45


def test_two_eigenvalues_of_one_magnitude_have_no_winner():
    def swing(v):
        return np.array([1.0, -1.0]) * v

    with pytest.raises(curvature.NotConverged, match="no eigenvalue to within 0.001 of itself after 100 products"):
        curvature.power_iteration(swing, np.array([1.0, 0.9]))
    assert curvature.largest_eigenvalue(swing, np.array([1.0, 0.9]))[0] == pytest.approx(1)


class Bowl:
    """½ xᵀ A x as `sharpness` asks."""

    dim, A = 3, torch.diag(torch.tensor([2.0, -5.0, 1.0], dtype=torch.float64))

    def tensor(self, x): return torch.as_tensor(np.asarray(x), dtype=torch.float64)
    def value(self, x): return x @ self.A @ x / 2


def test_sharpness_is_the_largest_curvature_not_the_largest_magnitude():
    λ, v = curvature.sharpness(Bowl(), np.ones(3))
    assert λ == pytest.approx(2) and abs(v[0]) == pytest.approx(1, abs=1e-3)
    assert curvature.sharpness(Bowl(), np.ones(3), v=np.array([0.0, 0.0, 1.0]))[0] == pytest.approx(2)  # warm, and off
    assert np.isnan(curvature.sharpness(Bowl(), np.ones(3), v=np.full(3, np.nan))[0])


def test_too_few_products_are_said(f, trained):
    def product(v):
        return curvature.hvp(f, trained, v)

    with pytest.raises(curvature.NotConverged, match="not known to within 0.001 of itself after 2 products"):
        curvature.sharpness(f, trained, max_iter=2)
    with pytest.raises(curvature.NotConverged, match="5 eigenvalues are not known to within 0.001 after 6 products"):
        curvature.top_eigenvalues(product, f.dim, k=5, steps=6)


def test_kronecker_factors_are_exact_for_one_layer_and_one_example():
    """One linear layer: F = E[a aᵀ ⊗ δ δᵀ] is exact for one example; δ is averaged over draws."""
    f = NetworkOracle(mlp(3, 4), cross_entropy, X[:1, :3], Y[:1])
    draws = [curvature.Curved(f, seed=s).kronecker(f.start)[0] for s in range(600)]
    A, S = draws[0][0], np.mean([S for _, S in draws], 0)
    F = curvature.fisher(f, f.start)
    weights = F[:12, :12].reshape(4, 3, 4, 3)
    np.testing.assert_allclose(np.einsum("ik,jl->ijkl", S, A[:3, :3]), weights, atol=0.12 * np.abs(weights).max())


def test_structured_rules_descend(f):
    curved = curvature.Curved(f)
    for rule in (GaussNewton(damping=0.1), NaturalGradient(damping=0.1)):
        assert f(run(rule, curved, f.start, 8)[-1]) < 0.8 * f(f.start)
    xs = run(KFAC(0.3), curvature.Curved(MiniBatch(f, 20)), f.start, 30)
    assert f(xs[-1]) < 0.8 * f(f.start)
    np.testing.assert_array_equal(xs, run(KFAC(0.3), curvature.Curved(MiniBatch(f, 20)), f.start, 30))


def test_one_kfac_step_solves_with_the_damped_kronecker_product(f):
    curved, λ = curvature.Curved(f), 0.04
    (A, S), _ = curved.at(1).kronecker(f.start)
    π = np.sqrt(np.trace(A) / len(A) / (np.trace(S) / len(S)))
    damped = np.kron(S + np.sqrt(λ) / π * np.eye(len(S)), A + π * np.sqrt(λ) * np.eye(len(A)))
    g, moved = f.grad(f.start), f.start - run(KFAC(1.0, damping=λ), curved, f.start, 1)[-1]
    W = np.c_[g[:42].reshape(7, 6), g[42:49]]
    U = np.linalg.solve(damped, W.ravel()).reshape(7, 7)
    np.testing.assert_allclose(moved[:49], np.r_[U[:, :6].ravel(), U[:, 6]], rtol=1e-9, atol=1e-12)


def test_filter_normalised_directions_and_surfaces(f, trained):
    d = curvature.filter_normalised(f, trained, seed=3)
    parts, own = f.tensors(f.tensor(d)), f.tensors(f.tensor(trained))
    for name, part in parts.items():
        length = own[name].norm(dim=1) if part.ndim > 1 else 0 * own[name]
        np.testing.assert_allclose(part.norm(dim=1) if part.ndim > 1 else part, length, atol=1e-12)
    e = curvature.filter_normalised(f, trained, seed=4)
    a, Z = curvature.surface(f, trained, d, e, span=0.5, n=5)
    assert Z[1, 3] == pytest.approx(f(trained + a[3] * d + a[1] * e), rel=1e-12)
    assert Z[2, 2] == pytest.approx(f(trained), rel=1e-12)
    np.testing.assert_allclose(curvature.surface(f, trained, d, e, span=0.5, n=5, rows=2)[1], Z, rtol=1e-12)


def test_a_layer_without_kronecker_factors_is_named(f):
    model = torch.nn.Sequential(torch.nn.Linear(6, 4, bias=False, dtype=torch.float64))
    with pytest.raises(ValueError, match="every parameter must belong to a Linear layer with a bias"):
        curvature.Curved(NetworkOracle(model, cross_entropy, X, Y)).kronecker(np.zeros(24))
