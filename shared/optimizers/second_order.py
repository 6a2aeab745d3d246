"""Methods that look at the curvature: Newton and what makes it safe, then methods that learn H from gradients alone."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .base import Array, Rule
from .fields import hyper
from .linesearch import wolfe_steps


def dot(a, b):
    """a·b over the last axis, kept as an axis of length one: (..., d), (..., d) -> (..., 1)."""
    return (a * b).sum(-1, keepdims=True)


def outer(a, b):
    """a bᵀ: (..., d), (..., d) -> (..., d, d)."""
    return a[..., :, None] * b[..., None, :]


def apply(A, v):
    """A v for a batch of matrices A (..., d, d) and vectors v (..., d)."""
    return (A @ v[..., None])[..., 0]


def solve(H, g):
    """H⁻¹ g for a batch of symmetric matrices H (..., d, d) and vectors g (..., d).

    A singular H takes the pseudo-inverse and a non-finite one gives NaN, so that one bad start never stops the batch.
    """
    try:
        with np.errstate(all="ignore"):
            return np.linalg.solve(H, g[..., None])[..., 0]
    except np.linalg.LinAlgError:
        finite = np.isfinite(H).all((-2, -1), keepdims=True)
        p = np.linalg.pinv(np.where(finite, H, 0.0), hermitian=True) @ g[..., None]
        return np.where(finite[..., 0], p[..., 0], np.nan)


def eigen(H):
    """Eigenvalues (..., d), ascending, and eigenvectors (..., d, d) of symmetric H; NaN where H is not finite."""
    finite = np.isfinite(H).all((-2, -1), keepdims=True)
    λ, Q = np.linalg.eigh(np.where(finite, H, 0.0))
    return np.where(finite[..., 0], λ, np.nan), Q


# ---- Newton, and three ways to make it safe ----------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Newton(Rule):
    """Jump to the minimiser of the local quadratic model (Newton 1669, Simpson 1740); λ > 0 damps the jump.

        g ← ∇f(x),  H ← ∇²f(x)
        x ← x − η (H + λ I)⁻¹ g

    Symbols: η lr (1 is the pure method), λ damping (Levenberg 1944): large λ turns it into short gradient steps.
    """

    lr: float = hyper(1.0, "η", slider=(0.01, 2.0))
    damping: float = hyper(0.0, "λ", slider=(1e-3, 1e3), log=True)

    def curvature(self, f, x):
        """The matrix (..., d, d) that stands for the curvature."""
        return f.hess(x)

    def step(self, f, x, s, t):
        H = self.curvature(f, x) + np.asarray(self.damping)[..., None] * np.eye(x.shape[-1])
        return x - self.lr * solve(H, f.grad(x)), s


@dataclass(frozen=True, repr=False)
class SaddleFreeNewton(Newton):
    """Newton with every eigenvalue made positive, so that saddles repel (Dauphin et al. 2014, here with the exact |H|).

        H = Q Λ Qᵀ,  |H| ← Q |Λ| Qᵀ
        x ← x − η (|H| + λ I)⁻¹ g

    Symbols: η lr, λ damping. Where H is positive definite it is Newton's method.
    """

    def curvature(self, f, x):
        λ, Q = eigen(f.hess(x))
        return (Q * np.abs(λ)[..., None, :]) @ np.swapaxes(Q, -1, -2)


@dataclass(frozen=True, repr=False)
class TrustRegion(Rule):
    """Newton's model, believed only within a radius Δ that is earned (Nocedal & Wright 2006, Algorithm 4.1).

        p ← argmin m(p) = f + g·p + ½ p·H p   subject to ‖p‖ ≤ Δ
        ρ ← (f(x) − f(x + p)) / (m(0) − m(p))               what was gained over what was promised
        Δ ← Δ/4 if ρ < ¼;   2 Δ if ρ > ¾ and ‖p‖ = Δ
        x ← x + p if ρ > 0.1, else x stays

    The model is minimised exactly: p = −(H + λ I)⁻¹ g with the λ ≥ 0 that makes H + λ I positive semi-definite and
    ‖p‖ ≤ Δ (Moré & Sorensen 1983). Symbols: Δ radius (at the start), max_radius its ceiling, η lr scales p.
    """

    lr: float = hyper(1.0, "η", slider=(0.01, 1.0))
    radius: float = hyper(1.0, "Δ", "(0, inf)", slider=(0.01, 10.0), log=True)
    max_radius: float = hyper(100.0, "Δmax", "(0, inf)")

    class State(NamedTuple):
        radius: Array = 0.0

    def step(self, f, x, s, t):
        Δ = self.radius + 0 * x[..., :1] if t == 1 else s.radius
        fx, g, H = f(x)[..., None], f.grad(x), f.hess(x)
        p = self.lr * smallest_in_ball(H, g, Δ)
        new = x + p
        promised = -dot(g, p) - dot(p, apply(H, p)) / 2
        with np.errstate(all="ignore"):
            ρ = (fx - f(new)[..., None]) / promised
        edge = np.linalg.norm(p, axis=-1, keepdims=True) > 0.99 * Δ * self.lr
        Δ = np.where(ρ > 0.75, np.where(edge, np.minimum(2 * Δ, self.max_radius), Δ), np.where(ρ > 0.25, Δ, Δ / 4))
        return np.where(ρ > 0.1, new, x), self.State(Δ)


@np.errstate(all="ignore")  # a zero eigenvalue makes p infinite: longer than any radius
def smallest_in_ball(H, g, radius):
    """argmin g·p + ½ p·H p over ‖p‖ ≤ radius, exactly: H (..., d, d), g (..., d), radius (..., 1) -> (..., d)."""
    λ, Q = eigen(H)
    c = apply(np.swapaxes(Q, -1, -2), g)

    def p(shift):
        return np.nan_to_num(-c / (λ + shift), nan=0.0, posinf=1e300, neginf=-1e300)

    def size(shift):
        return np.linalg.norm(p(shift), axis=-1, keepdims=True)

    low = np.maximum(0.0, -λ[..., :1])
    high = low + np.linalg.norm(g, axis=-1, keepdims=True) / radius
    inside = size(low) <= radius
    for _ in range(80):  # ‖p‖ falls as the shift grows: halve the interval
        middle = (low + high) / 2
        long = ~inside & (size(middle) > radius)
        low, high = np.where(long, middle, low), np.where(long | inside, high, middle)
    q = p(np.where(inside, low, high))
    missing = np.sqrt(np.maximum(radius**2 - dot(q, q), 0.0))
    q[..., :1] += np.where(inside & (λ[..., :1] < 0), missing, 0.0)  # the "hard case": go down the bottom eigenvector
    return apply(Q, q)


# ---- Curvature without second derivatives ------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class GaussNewton(Newton):
    """Newton for f = ½ ‖r(x)‖² with the residuals' curvature left out (Gauss 1809).

        J ← ∂r/∂x,  G ← JᵀJ                       G is never indefinite
        x ← x − η (G + λ I)⁻¹ g                 g = Jᵀr

    Symbols: η lr, λ damping. Asks the oracle for f.gauss_newton(x).
    """

    def curvature(self, f, x):
        return f.gauss_newton(x)


@dataclass(frozen=True, repr=False)
class LevenbergMarquardt(Rule):
    """Gauss-Newton with a damping that adapts: trust the model more after each success (Marquardt 1963).

        G ← JᵀJ,  p ← −(G + λ diag G)⁻¹ g
        if f(x + η p) < f(x):  x ← x + η p,  λ ← λ/10
        else:                  x stays,      λ ← 10 λ

    Symbols: λ damping (at the start), η lr. Asks the oracle for f.gauss_newton(x).
    """

    lr: float = hyper(1.0, "η", slider=(0.01, 2.0))
    damping: float = hyper(1e-2, "λ", "(0, inf)", slider=(1e-6, 1e3), log=True)

    class State(NamedTuple):
        damping: Array = 0.0

    def step(self, f, x, s, t):
        λ = self.damping + 0 * x[..., :1] if t == 1 else s.damping
        G = f.gauss_newton(x)
        D = np.eye(x.shape[-1]) * np.maximum(G.diagonal(axis1=-2, axis2=-1), 1e-300)[..., None, :]
        new = x - self.lr * solve(G + λ[..., None] * D, f.grad(x))
        better = (f(new) < f(x))[..., None]
        return np.where(better, new, x), self.State(np.clip(np.where(better, λ / 10, 10 * λ), 1e-12, 1e12))


@dataclass(frozen=True, repr=False)
class NaturalGradient(Newton):
    """The steepest direction when distance is measured between distributions, not parameters (Amari 1998).

        F ← E[∇log p ∇log pᵀ]                   the Fisher information at x
        x ← x − η (F + λ I)⁻¹ g

    Symbols: η lr, λ damping. Asks the oracle for f.fisher(x).
    """

    def curvature(self, f, x):
        return f.fisher(x)


# ---- Curvature learnt from gradients -----------------------------------------------------------------------------


class Searching(Rule):
    """What methods with a line search share: the first trial is short, and rows of a batch search on their own."""

    def __post_init__(self):
        super().__post_init__()
        if self.line_search_fn not in (None, "strong_wolfe"):
            said = f"line_search_fn must be None or 'strong_wolfe', got {self.line_search_fn!r}"
            raise ValueError(f"{type(self).__name__}: {said}")

    def length(self, f, x, p, g, t, c2=0.9, trial=1.0):
        """How far to go along p: η · trial, at the first step η min(1, 1/‖g‖₁); searched from there on if so asked."""
        α = self.lr * (np.minimum(1.0, 1 / np.maximum(np.abs(g).sum(-1, keepdims=True), 1e-300)) if t == 1 else trial)
        return α if self.line_search_fn is None else wolfe_steps(f, x, p, g, α, c2)


@dataclass(frozen=True, repr=False)
class BFGS(Searching):
    """Newton with an H⁻¹ learnt from gradients (Broyden, Fletcher, Goldfarb, Shanno 1970; N&W 2006, Algorithm 6.1).

        s ← x − x₋,  y ← g − g₋,  ρ = 1/(y·s)               first pair: B ← max(1, y·s / y·y) I
        B ← (I − ρ s yᵀ) B (I − ρ y sᵀ) + ρ s sᵀ             only if y·s > 0
        p ← −B g
        x ← x + α p                                         α from a strong Wolfe search that starts at
                                                            η min(1, 2.02 (f − f₋) / g·p): the gain of the last step

    B estimates H⁻¹ and satisfies the secant equation B y = s. The first B is never smaller than I (N&W 6.20: y·s / y·y,
    near 1/λmax). Where B is too large the search sees it at once; where it is too small it stays so for long.
    Symbols: η lr, c₂ of the search; line_search_fn=None takes α = η.
    """

    lr: float = hyper(1.0, "η", slider=(0.01, 2.0))
    line_search_fn: str | None = "strong_wolfe"
    c2: float = hyper(0.9, "c₂", "(0, 1)")

    class State(NamedTuple):
        x: Array = 0.0
        g: Array = 0.0
        B: Array = 0.0
        f: Array = 0.0

    def update(self, B, s, y, ys):
        """B (..., d, d) made to satisfy B y = s; ys = y·s (..., 1)."""
        V = np.eye(s.shape[-1]) - outer(s, y) / ys[..., None]
        return V @ B @ np.swapaxes(V, -1, -2) + outer(s, s) / ys[..., None]

    def inverse(self, x, g, s, t):
        """B at x, from the last B and the step that led here."""
        I = np.broadcast_to(np.eye(x.shape[-1]), (*x.shape, x.shape[-1]))
        if t == 1:
            return I
        Δx, y = x - s.x, g - s.g
        ys, yy = dot(y, Δx), dot(y, y)
        with np.errstate(all="ignore"):
            B = np.maximum(1.0, ys / yy)[..., None] * I if t == 2 else s.B
            new = self.update(B, Δx, y, ys)
        curved = ys > 1e-12 * np.sqrt(yy * dot(Δx, Δx))  # the curvature condition, with room for rounding
        return np.where(curved[..., None], new, s.B if t > 2 else I)

    def step(self, f, x, s, t):
        g = f.grad(x)
        B = self.inverse(x, g, s, t)
        p, trial, fx = -apply(B, g), 1.0, 0.0
        if self.line_search_fn:
            fx = f(x)[..., None]
            with np.errstate(all="ignore"):
                again = 2.02 * (fx - s.f) / dot(g, p)
            trial = np.where(again > 0, np.minimum(again, 1.0), 1.0)
        return x + self.length(f, x, p, g, t, self.c2, trial) * p, self.State(x, g, B, fx)


@dataclass(frozen=True, repr=False)
class DFP(BFGS):
    """BFGS with the roles of s and y exchanged: the first quasi-Newton method (Davidon 1959, Fletcher & Powell 1963).

        B ← B − (B y)(B y)ᵀ / (y·B y) + s sᵀ / (y·s)         the rest as in BFGS

    It satisfies B y = s as well, but recovers slowly from a bad estimate.
    """

    def update(self, B, s, y, ys):
        By = apply(B, y)
        return B - outer(By, By) / dot(y, By)[..., None] + outer(s, s) / ys[..., None]


@dataclass(frozen=True, repr=False)
class LBFGS(Searching):
    """BFGS that keeps the last m pairs instead of a matrix (Nocedal 1980, Liu & Nocedal 1989; N&W Algorithms 7.4, 7.5).

        s ← x − x₋,  y ← g − g₋         kept if y·s > 10⁻¹⁰;  γ ← y·s / y·y
        q ← g
        newest to oldest pair:   aᵢ ← sᵢ·q / (yᵢ·sᵢ);   q ← q − aᵢ yᵢ
        q ← γ q
        oldest to newest pair:   b ← yᵢ·q / (yᵢ·sᵢ);    q ← q + (aᵢ − b) sᵢ
        x ← x − α q                      α = η, or from a strong Wolfe search that starts there

    Symbols: η lr, m history_size. `consistent` takes both gradients of y on one mini-batch, the one after the move
    (Schraudolph, Yu & Günter 2007 take the one before). Equal to torch.optim.LBFGS(max_iter=1) without line search.
    """

    lr: float = hyper(1.0, "η", slider=(0.01, 2.0))
    history_size: int = hyper(10, "m", "[1, inf)")
    line_search_fn: str | None = None
    consistent: bool = False

    class State(NamedTuple):
        step: Array = 0.0
        g: Array = 0.0
        S: Array = 0.0
        Y: Array = 0.0
        γ: Array = 1.0

    def pairs(self, f, x, g, s, t):
        """The last m pairs S, Y (m, ..., d), newest first, and γ (..., 1); pairs not yet filled are zero."""
        if t == 1:
            nothing = np.zeros((int(self.history_size), *x.shape))
            return nothing, nothing, np.ones_like(x[..., :1])
        Δx, y = s.step, g - (f.grad(x - s.step) if self.consistent else s.g)
        ys, yy = dot(y, Δx), dot(y, y)
        keep = ys > (1e-10 if self.line_search_fn is None else 2e-16 * yy)  # a Wolfe step has y·s > 0 anyway
        with np.errstate(all="ignore"):
            γ = np.where(keep, ys / yy, s.γ)
        S, Y = (np.where(keep, np.concatenate([new[None], old[:-1]]), old) for new, old in ((Δx, s.S), (y, s.Y)))
        return S, Y, γ

    def step(self, f, x, s, t):
        g = f.grad(x)
        S, Y, γ = self.pairs(f, x, g, s, t)
        p = -two_loops(g, S, Y, γ)
        step = self.length(f, x, p, g, t) * p
        return x + step, self.State(step, g, S, Y, γ)


def two_loops(g, S, Y, γ):
    """B g without B, from the pairs S, Y (m, ..., d), newest first: 4 m d multiplications. Zero pairs do nothing."""
    ys = dot(Y, S)
    ρ = np.divide(1.0, ys, out=np.zeros_like(ys), where=ys != 0)
    q, a = g, []
    for s, y, r in zip(S, Y, ρ, strict=True):
        a.append(r * dot(s, q))
        q = q - a[-1] * y
    q = γ * q
    for s, y, r, ai in zip(S[::-1], Y[::-1], ρ[::-1], a[::-1], strict=True):
        q = q + (ai - r * dot(y, q)) * s
    return q


@dataclass(frozen=True, repr=False)
class ConjugateGradient(Searching):
    """Gradient descent whose directions do not undo one another (Polak & Ribière 1969; N&W 2006, section 5.2).

        β ← max(0, g·(g − g₋) / g₋·g₋)          PR+: β = 0 is a restart
        p ← −g + β p
        x ← x + α p                             α from a strong Wolfe search with c₂ = 0.1

    One vector of memory. On a quadratic with exact searches it ends after d steps. Symbols: η lr, the first trial.
    """

    lr: float = hyper(1.0, "η", slider=(0.01, 2.0))
    line_search_fn: str | None = "strong_wolfe"

    class State(NamedTuple):
        g: Array = 0.0
        p: Array = 0.0
        α: Array = 0.0

    def step(self, f, x, s, t):
        g = f.grad(x)
        p, trial = -g, 1.0
        if t > 1:
            β = np.maximum(0.0, dot(g, g - s.g) / np.maximum(dot(s.g, s.g), 1e-300))
            p = np.where(dot(g, β * s.p - g) < 0, β * s.p - g, -g)
            if self.line_search_fn:  # expect the same gain as last time
                trial = np.clip(s.α * dot(s.g, s.p) / np.minimum(dot(g, p), -1e-300), 1e-10, 1e10)
        α = self.length(f, x, p, g, t, 0.1, trial)
        return x + α * p, self.State(g, p, α + 0 * x[..., :1])
