"""Methods for which a layer's weights are a matrix, not a list of numbers."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .base import Array, Rule, xp
from .fields import hyper
from .momentum import QHM

QUINTIC = (3.4445, -4.7750, 2.0315)  # a, b, c: steep at zero, and within about 0.3 of one from 0.05 upwards


def orthogonalise(M, steps=5, coefficients=QUINTIC, eps=1e-7):
    """Push all singular values of M (..., p, q) towards one, with matrix products only (Newton-Schulz).

        X ← M / ‖M‖_F                           so that every singular value is at most 1
        X ← a X + (b X Xᵀ + c (X Xᵀ)²) X        σ ← a σ + b σ³ + c σ⁵, `steps` times

    The singular vectors stay: the result approximates U Vᵀ of M = U Σ Vᵀ (Jordan et al. 2024).
    """
    a, b, c = coefficients
    tall = M.shape[-2] > M.shape[-1]
    X = M.swapaxes(-1, -2) if tall else M  # X Xᵀ then has the shorter side
    X = X / xp(X).clip((X * X).sum((-2, -1))[..., None, None] ** 0.5, eps, None)
    for _ in range(steps):
        A = X @ X.swapaxes(-1, -2)
        X = a * X + (b * A + c * A @ A) @ X
    return X.swapaxes(-1, -2) if tall else X


def as_matrix(x, shape=None, rule="this rule"):
    """x as matrices (..., p, q): NumPy's flat (..., d) in the given shape, or as rows; a tensor is one already.

    Raises ValueError for a tensor that is no matrix, or a shape that does not fit.
    """
    if isinstance(x, np.ndarray):
        p, q = shape or (1, x.shape[-1])
        if p * q != x.shape[-1]:
            raise ValueError(f"{rule}: shape {(p, q)} needs {p * q} coordinates, got {x.shape[-1]}")
        return x.reshape(*x.shape[:-1], p, q)
    if x.ndim != 2:
        raise ValueError(f"{rule}: needs matrices, got a tensor of shape {tuple(x.shape)}; give that one to AdamW")
    return x


@dataclass(frozen=True, repr=False)
class Muon(Rule):
    """Nesterov's momentum whose update is replaced by the nearest (semi-)orthogonal matrix (Jordan et al. 2024).

        m ← β m + (1 − β) ∇f(x)
        O ← orthogonalise((1 − β) ∇f(x) + β m)  nesterov=False: orthogonalise(m)
        x ← (1 − η λ) x − η r O                 r = √max(1, p/q) for x of shape (p, q), or 0.2 √max(p, q)

    That is QHM with ν = β, then singular values made equal: all directions that the gradient has seen are walked alike.
    Symbols: η lr, λ weight_decay, β momentum; r by adjust_lr_fn, "original" or "match_rms_adamw". Equal to
    torch.optim.Muon but for its bfloat16. `shape` (p, q) makes a matrix of a flat NumPy vector.
    """

    lr: float = hyper(1e-3, "η", slider=(1e-4, 1.0), log=True)
    weight_decay: float = hyper(0.1, "λ")
    momentum: float = hyper(0.95, "β", "[0, 1)", slider=(0.0, 0.99))
    nesterov: bool = True
    ns_coefficients: tuple = QUINTIC
    eps: float = hyper(1e-7, "ε")
    ns_steps: int = hyper(5, "N", "[0, 100)")
    adjust_lr_fn: str = "original"
    shape: tuple = None

    State = QHM.State

    def __post_init__(self):
        super().__post_init__()
        if self.adjust_lr_fn not in ("original", "match_rms_adamw"):
            said = f"Muon: adjust_lr_fn must be 'original' or 'match_rms_adamw', got {self.adjust_lr_fn!r}"
            raise ValueError(said)

    def step(self, f, x, s, t):
        β, g = self.momentum, f.grad(x)
        m = β * s.m + (1 - β) * g
        M = as_matrix((1 - β) * g + β * m if self.nesterov else m, self.shape, "Muon")
        p, q = M.shape[-2:]
        r = max(1, p / q) ** 0.5 if self.adjust_lr_fn == "original" else 0.2 * max(p, q) ** 0.5
        O = orthogonalise(M, self.ns_steps, self.ns_coefficients, self.eps).reshape(x.shape)
        return (1 - self.lr * self.weight_decay) * x - self.lr * r * O, self.State(m)


def inverse_root(A, power, eps):
    """(A + ε I)^(−1/power) of symmetric, positive semi-definite matrices A (..., p, p); NaN where A is not finite."""
    finite = xp(A).isfinite(A).all(-1).all(-1)[..., None, None]
    λ, Q = xp(A).linalg.eigh(xp(A).where(finite, A, 0.0 * xp(A).ones_like(A)))
    root = (Q * ((xp(A).clip(λ, 0.0, None) + eps) ** (-1 / power))[..., None, :]) @ Q.swapaxes(-1, -2)
    return xp(A).where(finite, root, float("nan"))


@dataclass(frozen=True, repr=False)
class Shampoo(Rule):
    """Adagrad with a full matrix for the rows and one for the columns (Gupta, Koren & Singer 2018, Algorithm 1).

        L ← L + G Gᵀ,  R ← R + Gᵀ G             G = ∇f(X), a matrix; L and R start at ε I
        X ← X − η L^(−1/4) G R^(−1/4)           a vector g: x ← x − η (ε I + Σ g gᵀ)^(−1/2) g

    Symbols: η lr, ε eps. `shape` (p, q) makes a matrix of a flat NumPy vector; a network's tensor is one already.
    """

    lr: float = hyper(0.1, "η", slider=(1e-3, 1.0), log=True)
    eps: float = hyper(1e-4, "ε", "(0, inf)")
    shape: tuple = None

    class State(NamedTuple):
        L: Array = 0.0
        R: Array = 0.0

    def step(self, f, x, s, t):
        g = f.grad(x)
        vector = not isinstance(x, np.ndarray) and x.ndim == 1
        G = g[:, None] if vector else as_matrix(g, self.shape, "Shampoo")
        L = s.L + G @ G.swapaxes(-1, -2)
        if vector:
            return x - self.lr * (inverse_root(L, 2, self.eps) @ G)[:, 0], self.State(L)
        R = s.R + G.swapaxes(-1, -2) @ G
        U = inverse_root(L, 4, self.eps) @ G @ inverse_root(R, 4, self.eps)
        return x - self.lr * U.reshape(x.shape), self.State(L, R)


@dataclass(frozen=True, repr=False)
class KFAC(Rule):
    """Natural gradient with a Fisher matrix that is Kronecker-factored layer by layer (Martens & Grosse 2015).

        A ← ρ A + (1 − ρ) E[a aᵀ]               a: the layer's inputs, with a 1 for the bias
        S ← ρ S + (1 − ρ) E[δ δᵀ]               δ: gradients at its outputs, for labels drawn from the model
        W ← W − η (S + √λ/π I)⁻¹ ∇W (A + π √λ I)⁻¹          π² = (tr A / dim A) / (tr S / dim S)

    since A ⊗ S approximates the layer's block of F, and (A ⊗ S)⁻¹ vec ∇W = vec(S⁻¹ ∇W A⁻¹). Symbols: η lr, λ damping,
    ρ decay. Asks the oracle for f.kronecker(x): see curvature.Curved. One flat x (d,) at a time.
    """

    lr: float = hyper(0.1, "η", slider=(1e-3, 1.0), log=True)
    damping: float = hyper(1e-2, "λ", "(0, inf)", slider=(1e-5, 1.0), log=True)
    decay: float = hyper(0.95, "ρ", "[0, 1)")

    class State(NamedTuple):
        A: tuple = ()
        S: tuple = ()

    def step(self, f, x, s, t):
        ρ, g, new = self.decay, f.grad(x), x.copy()
        factors = f.kronecker(x)
        A, S = (tuple(now if t == 1 else ρ * old + (1 - ρ) * now for now, old in zip(parts, last or parts, strict=True))
                for parts, last in zip(zip(*factors, strict=True), s, strict=True))
        at = 0
        for a, δ in zip(A, S, strict=True):  # a layer's weights (q, p), then its bias (q,)
            q, p = len(δ), len(a) - 1
            W = np.c_[g[at : at + q * p].reshape(q, p), g[at + q * p : at + q * p + q]]
            π = (np.trace(a) / len(a) / max(np.trace(δ) / q, 1e-300)) ** 0.5
            root = self.damping**0.5
            U = np.linalg.solve(δ + root / π * np.eye(q), W) @ np.linalg.inv(a + root * π * np.eye(p + 1))
            new[at : at + q * (p + 1)] -= self.lr * np.r_[U[:, :-1].ravel(), U[:, -1]]
            at += q * (p + 1)
        return new, self.State(A, S)
