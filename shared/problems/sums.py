"""Losses on real data as oracles: finite sums f(x) = 1/n Σ fᵢ(x) that can be seen in batches (oracles.MiniBatch).

Each has `n` terms, `subset(indices)`, and an analytic f, gradient and Hessian for x of shape (..., d).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


def cross_entropy(z, y):
    """The terms −log softmax(z)[y] of logits z (..., n, c) for classes y (..., n) or (n,), and their gradients in z.

    Returns (..., n), and softmax(z) − one-hot(y): (..., n, c).
    """
    z = z - z.max(-1, keepdims=True)
    p = np.exp(z)
    total = p.sum(-1, keepdims=True)
    hot = np.arange(z.shape[-1]) == y[..., None]
    return np.log(total[..., 0]) - np.where(hot, z, 0).sum(-1), p / total - hot


@dataclass(frozen=True, eq=False)
class FiniteSum:
    """Features `X` (n, p), targets `y` (n,) and an optional L2 penalty λ/2 ‖x‖² with λ = `l2`."""

    X: np.ndarray
    y: np.ndarray
    l2: float = 0.0

    def __post_init__(self):
        if np.ndim(self.X) != 2 or np.shape(self.X)[:1] != np.shape(self.y):
            shapes = f"X {np.shape(self.X)} and y {np.shape(self.y)}"
            raise ValueError(f"{type(self).__name__}: X must be (n, p) and y (n,), got {shapes}")

    @property
    def n(self):
        """The number of terms."""
        return len(self.y)

    @property
    def dim(self):
        """The number d of parameters."""
        return self.X.shape[1]

    def subset(self, indices):
        """The same loss over these terms only."""
        return replace(self, X=self.X[indices], y=self.y[indices])

    def _penalty(self, x):
        return self.l2 / 2 * (x * x).sum(-1)

    def __call__(self, x):
        return self.losses(x).mean(-1) + self._penalty(x)


class LeastSquares(FiniteSum):
    """½ (aᵢ·x − yᵢ)²: linear regression."""

    def losses(self, x):
        """The terms fᵢ(x): (..., n)."""
        return (x @ self.X.T - self.y) ** 2 / 2

    def grad(self, x):
        return (x @ self.X.T - self.y) @ self.X / self.n + self.l2 * x

    def grads(self, x):
        """The gradient of every term: (..., n, d)."""
        return (x @ self.X.T - self.y)[..., None] * self.X + self.l2 * x[..., None, :]

    def hess(self, x):
        H = self.X.T @ self.X / self.n + self.l2 * np.eye(self.dim)
        return np.broadcast_to(H, (*x.shape[:-1], *H.shape))


class Logistic(FiniteSum):
    """log(1 + exp(−yᵢ aᵢ·x)), yᵢ = ±1: logistic regression."""

    def losses(self, x):
        """The terms fᵢ(x): (..., n)."""
        return np.logaddexp(0.0, -self.y * (x @ self.X.T))

    def _wrong(self, x):
        """The probability given to the wrong label: (..., n)."""
        return 0.5 * (1 + np.tanh(-0.5 * self.y * (x @ self.X.T)))  # a sigmoid that cannot overflow

    def grad(self, x):
        return (-self.y * self._wrong(x)) @ self.X / self.n + self.l2 * x

    def grads(self, x):
        """The gradient of every term: (..., n, d)."""
        return (-self.y * self._wrong(x))[..., None] * self.X + self.l2 * x[..., None, :]

    def hess(self, x):
        q = self._wrong(x)
        return np.swapaxes((q * (1 - q))[..., None] * self.X, -1, -2) @ self.X / self.n + self.l2 * np.eye(self.dim)

    def accuracy(self, x, X, y):
        """The share of rows of X with the sign of y: (...)."""
        return (np.sign(x @ X.T) == y).mean(-1)


class Softmax(FiniteSum):
    """−log softmax(W aᵢ)[yᵢ], yᵢ = 0 ... c − 1: softmax regression; x is W (p, c) flattened, d = p c."""

    @cached_property
    def classes(self):
        """The number c of classes. `subset` keeps it, so that a batch without some class has the same parameters."""
        return int(self.y.max()) + 1

    def subset(self, indices):
        part = super().subset(indices)
        object.__setattr__(part, "classes", self.classes)
        return part

    @property
    def dim(self):
        return self.X.shape[1] * self.classes

    def logits(self, x, X=None):
        """W aᵢ for every row of X: (..., n, c)."""
        X = self.X if X is None else X
        return X @ x.reshape(*x.shape[:-1], X.shape[-1], self.classes)

    def losses(self, x):
        """The terms fᵢ(x): (..., n)."""
        return cross_entropy(self.logits(x), self.y)[0]

    def _residual(self, x):
        """softmax − one-hot: (..., n, c)."""
        return cross_entropy(self.logits(x), self.y)[1]

    def grad(self, x):
        return (self.X.T @ self._residual(x) / self.n).reshape(x.shape) + self.l2 * x

    def grads(self, x):
        """The gradient of every term: (..., n, d)."""
        g = self.X[:, :, None] * self._residual(x)[..., None, :]
        return g.reshape(*x.shape[:-1], self.n, self.dim) + self.l2 * x[..., None, :]

    def hess(self, x):
        p = self._residual(x)
        p[..., np.arange(self.n), self.y] += 1
        blocks = p[..., :, None] * np.eye(self.classes) - p[..., :, None] * p[..., None, :]  # (..., n, c, c)
        H = np.einsum("ni,...nab,nj->...iajb", self.X, blocks, self.X, optimize=True) / self.n
        return H.reshape(*x.shape[:-1], self.dim, self.dim) + self.l2 * np.eye(self.dim)

    def accuracy(self, x, X, y):
        """The share of rows of X whose largest logit is y: (...)."""
        return (self.logits(x, X).argmax(-1) == y).mean(-1)


@dataclass(frozen=True, eq=False)
class Residuals:
    """½ ‖r(x)‖² from the residuals r: (..., d) -> (..., n) and their Jacobian J: (..., d) -> (..., n, d)."""

    r: Callable
    J: Callable

    def __call__(self, x):
        return (self.r(x) ** 2).sum(-1) / 2

    def grad(self, x):
        return (self.r(x)[..., None] * self.J(x)).sum(-2)

    def gauss_newton(self, x):
        """JᵀJ: the Hessian without the curvature of r itself."""
        J = self.J(x)
        return np.swapaxes(J, -1, -2) @ J
