"""Curvature of networks, with and without forming a matrix; loss surfaces.

`f` is a NetworkOracle of d parameters; x and v are NumPy vectors (d,). Products cost a few gradients, explicit
matrices (d, d) are for small networks. The Fisher matrices are those of a classifier with the cross-entropy loss.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.func import grad, jacrev, vmap

from shared import chance
from shared.descent import loss_at

from .oracles import Observer

# ---- The Hessian -------------------------------------------------------------------------------------------------


def hvp(f, x, v):
    """The Hessian-vector product ∇²f(x) v of a networks.NetworkOracle, x and v (d,), by differentiating ∇f·v.

    Costs a few gradients, never d² numbers (Pearlmutter 1994).
    """
    flat = f.tensor(x).requires_grad_()
    g = torch.autograd.grad(f.value(flat), flat, create_graph=True)[0]
    return _numpy(torch.autograd.grad(g @ f.tensor(v), flat)[0])


def hessian_by_differences(f, x, h):
    """∇²f(x) from 4 d² values of f alone: error O(h²) from the formula, O(ε/h²) from rounding."""
    E = h * np.eye(len(x))
    i, j = E[:, None], E[None, :]
    return (f(x + i + j) - f(x + i - j) - f(x - i + j) + f(x - i - j)) / (4 * h * h)


def gradient_differences(f, x, h):
    """∇²f(x) from 2 d gradients: error O(h²) from the formula, O(ε/h) from rounding."""
    E = h * np.eye(len(x))
    H = (f.grad(x + E) - f.grad(x - E)) / (2 * h)
    return (H + H.T) / 2


# ---- Gauss-Newton and Fisher -------------------------------------------------------------------------------------


def gauss_newton(f, x):
    """G (d, d), explicitly."""
    flat = f.tensor(x)
    z, J = f.outputs(flat), jacrev(f.outputs)(flat).reshape(-1, f.dim)
    H = jacrev(grad(lambda z: f.loss(z, f.targets)))(z).reshape(len(J), len(J))
    return _numpy(J.T @ H @ J)


def fisher(f, x):
    """F (d, d) by its definition: the score of every label of every example, weighted with its probability."""
    flat = f.tensor(x)
    scores = jacrev(lambda flat: f.outputs(flat).log_softmax(-1))(flat)  # (n, c, d)
    p = f.outputs(flat).softmax(-1)
    return _numpy(torch.einsum("nc,nci,ncj->ij", p, scores, scores) / f.n)


def empirical_fisher(f, x):
    """1/n Σᵢ gᵢ gᵢᵀ (d, d), gᵢ from the given labels: NOT the Fisher matrix (Kunstner, Hennig & Balles 2019)."""
    def loss(flat, a, y):
        return f.loss(f.outputs(flat, a[None]), y[None])

    g = vmap(grad(loss), (None, 0, 0))(f.tensor(x), f.inputs, f.targets)
    return _numpy(g.T @ g / f.n)


@dataclass(frozen=True)
class Curved(Observer):
    """A network's oracle that answers for its Gauss-Newton and Fisher matrices too, as GaussNewton, NaturalGradient and
    KFAC ask. Around a MiniBatch, all answers are about the batch: Curved(MiniBatch(f, 256))."""

    seed: int = 0
    t: int = 0

    def at(self, t):
        return replace(self, f=loss_at(self.f, t), t=t)

    def gauss_newton(self, x):
        return gauss_newton(self.f, x)

    def fisher(self, x):
        return fisher(self.f, x)

    def kronecker(self, x):
        """[(E[a aᵀ], E[δ δᵀ]), ...] for every linear layer, labels drawn from the model (Martens & Grosse 2015)."""
        f, seen = self.f, []
        layers = [m for m in f.model.modules() if isinstance(m, nn.Linear)]
        if f.dim != sum(m.weight.numel() + m.out_features for m in layers):
            raise ValueError("kronecker: every parameter must belong to a Linear layer with a bias")
        hooks = [m.register_forward_hook(lambda m, a, z: seen.append((a[0], z))) for m in layers]
        try:
            z = f.outputs(f.tensor(x).requires_grad_())
        finally:
            for hook in hooks:
                hook.remove()
        draw = chance.generator(1_000_003 * self.seed + self.t)
        labels = torch.multinomial(z.detach().softmax(-1), 1, generator=draw)[:, 0]
        loss = nn.functional.cross_entropy(z, labels, reduction="sum")
        gradients = torch.autograd.grad(loss, [out for _, out in seen])
        ones = torch.ones(f.n, 1, dtype=f.dtype)
        inputs = [torch.cat([a.detach(), ones], 1) for a, _ in seen]
        return [(_numpy(a.T @ a / f.n), _numpy(δ.T @ δ / f.n)) for a, δ in zip(inputs, gradients, strict=True)]


# ---- Eigenvalues from products -----------------------------------------------------------------------------------


class NotConverged(ArithmeticError):
    """An iteration ended with a residual that is not small: what it holds is no eigenvalue."""


def power_iteration(product, v, tol=1e-3, max_iter=100):
    """The eigenvalue λ of largest magnitude of a symmetric `product` v -> A v, and its unit eigenvector.

    Stops when ‖A v − λ v‖ <= tol |λ|: an eigenvalue then lies within tol |λ| of λ. Raises NotConverged after max_iter
    products, as for diag(1, −1): of two eigenvalues of one magnitude neither wins, and v swings for ever.
    """
    v = v / np.linalg.norm(v)
    for _ in range(max_iter):
        w = product(v)
        λ = float(v @ w)  # Rayleigh quotient
        if not np.isfinite(λ) or np.linalg.norm(w - λ * v) <= tol * abs(λ):
            return λ, v
        v = w / np.linalg.norm(w)
    raise NotConverged(f"power_iteration: no eigenvalue to within {tol:g} of itself after {max_iter} products")


def lanczos(product, v, steps, tol=0.0):
    """The tridiagonal matrix T (k, k) = Vᵀ A V of a symmetric `product` v -> A v, and V (d, k) (Lanczos 1950).

    T's extreme eigenvalues approach A's long before k = d. Every new vector is made orthogonal to all the old ones:
    without that, rounding brings converged eigenvalues back as ghosts. Stops before `steps` where nothing new is to be
    learnt, and with `tol` once the largest eigenvalue θ is known: (θ, q) of T has ‖A Vq − θ Vq‖ = β |q's last entry|.
    """
    V, α, β = [v / np.linalg.norm(v)], [], []
    for k in range(min(steps, len(v))):
        w = product(V[k])
        α.append(float(V[k] @ w))
        Q = np.stack(V)
        for _ in range(2):  # twice is enough (Parlett 1980)
            w = w - Q.T @ (Q @ w)
        T = np.diag(α) + np.diag(β, 1) + np.diag(β, -1)
        β.append(float(np.linalg.norm(w)))
        if not β[-1] > 1e-12 * max(map(abs, α)):  # an invariant subspace
            break
        if tol:
            θ, q = np.linalg.eigh(T)
            if β[-1] * abs(q[-1, -1]) <= tol * abs(θ[-1]):
                break
        V.append(w / β[-1])
    return T, np.stack(V[: len(α)], 1)


def largest_eigenvalue(product, v, tol=1e-3, max_iter=100):
    """The largest eigenvalue λ (not the largest magnitude) of a symmetric `product` v -> A v, and its unit eigenvector.

    Lanczos from v, and one product more to see that ‖A q − λ q‖ <= tol |λ|; raises NotConverged if it is not. A v
    without a part along the eigenvector cannot find it: begin at a random one. NaN where a product is not finite.
    """
    T, V = lanczos(product, v, max_iter, tol / 2)
    if not np.isfinite(T).all():
        return np.nan, V[:, 0]
    θ, Q = np.linalg.eigh(T)
    λ, q = float(θ[-1]), V @ Q[:, -1]
    if np.linalg.norm(product(q) - λ * q) > max(tol * abs(λ), 1e-10 * abs(θ).max()):
        raise NotConverged(f"largest_eigenvalue: not known to within {tol:g} of itself after {max_iter} products")
    return λ, q


def sharpness(f, x, v=None, tol=1e-3, max_iter=100):
    """The largest eigenvalue of the Hessian at x and its eigenvector; pass the last eigenvector as v to follow it.

    A tenth of a random vector is added to v: if another eigenvalue has become the largest, it is found.
    """
    random = chance.rng(0).standard_normal(f.dim)
    start = random if v is None else v / np.linalg.norm(v) + 0.1 * random / np.linalg.norm(random)
    return largest_eigenvalue(lambda u: hvp(f, x, u), start, tol, max_iter)


def top_eigenvalues(product, d, k=5, steps=80, seed=0, tol=1e-3):
    """The k largest eigenvalues, descending, and their unit eigenvectors (d, k), from `steps` products.

    k products more check that ‖A q − λ q‖ <= tol ‖A‖ for each of them; raises NotConverged if not.
    """
    T, V = lanczos(product, chance.rng(seed).standard_normal(d), steps)
    θ, Q = np.linalg.eigh(T)
    λ, vectors = θ[::-1][:k], V @ Q[:, ::-1][:, :k]
    residual = max(np.linalg.norm(product(q) - e * q) for e, q in zip(λ, vectors.T))
    if not residual <= tol * abs(θ).max():
        raise NotConverged(f"top_eigenvalues: {k} eigenvalues are not known to within {tol:g} after {steps} products")
    return λ, vectors


def smooth_density(grid, nodes, weights, width):
    """Nodes and weights as a density on the grid: a sum of Gaussian bumps; `width` is a number or one per node."""
    z = (np.asarray(grid)[:, None] - nodes) / width
    return (weights * np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * width)).sum(-1)


# ---- Loss surfaces -----------------------------------------------------------------------------------------------


def filter_normalised(f, x, seed=0):
    """A random direction (d,) in which every filter is as long as the network's own (Li et al. 2018).

    Rescaling a layer up and the next one down changes no output of a ReLU network, but would change what a plain random
    direction shows. A filter is a row of a layer's weights; biases and other vectors do not move.
    """
    draw = chance.generator(seed)
    parts = []
    for θ in f.tensors(f.tensor(x)).values():
        if θ.ndim < 2:
            parts.append(torch.zeros_like(θ).ravel())
            continue
        u = torch.randn(θ.shape, generator=draw, dtype=θ.dtype).flatten(1)
        parts.append((u / u.norm(dim=1, keepdim=True) * θ.flatten(1).norm(dim=1, keepdim=True)).ravel())
    return _numpy(torch.cat(parts))


def surface(f, x, right, up, span=1.0, n=25, rows=None):
    """The loss on the plane through x: offsets a (n,) and losses Z (n, n), Z[j, i] = f(x + aᵢ right + aⱼ up).

    One vmap over `rows` rows of the grid at a time (all of them by default; fewer take less memory).
    """
    a = np.linspace(-span, span, n)
    xs = x + a[None, :, None] * right + a[:, None, None] * up
    return a, np.concatenate([f(block) for block in np.array_split(xs, -(-n // (rows or n)))])


def _numpy(tensor):
    return tensor.detach().numpy().astype(float)
