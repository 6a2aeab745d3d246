"""How far to go along a direction p: find a step α for φ(α) = f(x + α p) that is good enough.

Nocedal & Wright, Numerical Optimization (2nd ed. 2006), chapter 3. Both searches raise ValueError when p does not point
downhill, and return the best step seen when no acceptable one exists (at the limit of floating point, say).
"""

from typing import NamedTuple

import numpy as np


class Found(NamedTuple):
    """The step α with f and ∇f at x + α p, the number of points asked, and whether the conditions hold there."""

    alpha: float
    f: float
    grad: np.ndarray
    evaluations: int
    ok: bool


class Trial(NamedTuple):
    """A step α that was tried: φ(α) = f(x + α p), its slope φ'(α) = ∇f(x + α p)·p, and the gradient ∇f(x + α p)."""

    alpha: float
    f: float
    slope: float
    grad: np.ndarray


def _slope(g, p):
    slope = float(g @ p)
    if not slope < 0:
        raise ValueError(f"line search: p must be a descent direction (∇f·p < 0), got ∇f·p = {slope:.3g}")
    return slope


def backtracking(f, x, p, alpha=1.0, shrink=0.5, c1=1e-4, max_evaluations=60):
    """Halve α until the loss falls enough (Armijo 1966): f(x + α p) ≤ f(x) + c₁ α ∇f(x)·p. x and p have shape (d,)."""
    slope, f0 = _slope(f.grad(x), p), float(f(x))
    for n in range(1, max_evaluations + 1):
        fa = float(f(x + alpha * p))
        if fa <= f0 + c1 * alpha * slope:
            return Found(alpha, fa, f.grad(x + alpha * p), n, True)
        alpha *= shrink
    return Found(0.0, f0, f.grad(x), n, False)


def cubic_minimum(a, b):
    """The minimiser of the cubic with the values and slopes of two trials: N&W equation 3.59; NaN if there is none."""
    with np.errstate(all="ignore"):
        d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.alpha - b.alpha)
        d2 = np.sign(b.alpha - a.alpha) * np.sqrt(d1 * d1 - a.slope * b.slope)
        return float(b.alpha - (b.alpha - a.alpha) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))


def strong_wolfe(f, x, p, alpha=1.0, c1=1e-4, c2=0.9, max_evaluations=25, f0=None, g0=None):
    """A step that obeys the strong Wolfe conditions, N&W Algorithms 3.5 (bracket) and 3.6 (zoom). x, p: (d,).

        f(x + α p) ≤ f(x) + c₁ α ∇f(x)·p        enough decrease
        |∇f(x + α p)·p| ≤ c₂ |∇f(x)·p|          and the slope has flattened, so that y·s > 0 for BFGS

    f0 and g0 are f(x) and ∇f(x) where the caller has them already; `evaluations` counts pairs of (f, ∇f).
    """
    f0 = float(f(x)) if f0 is None else f0
    g0 = f.grad(x) if g0 is None else g0
    slope = _slope(g0, p)
    asked = 0

    def tried(α):
        nonlocal asked
        asked += 1
        with np.errstate(all="ignore"):
            g = f.grad(x + α * p)
            return Trial(α, float(f(x + α * p)), float(g @ p), g)

    def low_enough(trial):
        return trial.f <= f0 + c1 * trial.alpha * slope

    def flat_enough(trial):
        return abs(trial.slope) <= -c2 * slope

    def found(trial, ok):
        return Found(trial.alpha, trial.f, trial.grad, asked, ok)

    last, lo, hi = Trial(0.0, f0, slope, g0), None, None
    while asked < max_evaluations:  # bracket: grow α until an acceptable step lies between the last two points
        trial = tried(alpha)
        if not low_enough(trial) or (trial.f >= last.f and last.alpha > 0):
            lo, hi = last, trial
            break
        if flat_enough(trial):
            return found(trial, True)
        if trial.slope >= 0:
            lo, hi = trial, last
            break
        grown = cubic_minimum(last, trial)
        last, step = trial, trial.alpha - last.alpha
        alpha = float(np.clip(grown, alpha + 1.1 * step, alpha + 9 * step)) if np.isfinite(grown) else alpha + 4 * step
    while lo is not None and asked < max_evaluations:  # zoom: lo is the best trial so far, its slope points towards hi
        alpha = cubic_minimum(lo, hi)
        near, far = sorted((lo.alpha, hi.alpha))
        if not far - near > 1e-15 * max(1.0, far):
            break
        margin = 0.1 * (far - near)  # a point too close to either end teaches nothing
        alpha = float(np.clip(alpha, near + margin, far - margin)) if np.isfinite(alpha) else (near + far) / 2
        trial = tried(alpha)
        if not low_enough(trial) or trial.f >= lo.f:
            hi = trial
            continue
        if flat_enough(trial):
            return found(trial, True)
        if trial.slope * (hi.alpha - lo.alpha) >= 0:
            hi = lo
        lo = trial
    return found(lo or last, False)


def wolfe_steps(f, x, p, g, alpha, c2=0.9):
    """The strong Wolfe step of every row of a batch: x, p and g = ∇f(x) (..., d), first trials alpha -> α (..., 1).

    0 for a row whose p does not point downhill or is not finite: it stays where it is.
    """
    f0, α = f(x), np.zeros((*x.shape[:-1], 1))
    first = np.broadcast_to(alpha, α.shape)
    for i in np.ndindex(x.shape[:-1]):
        if np.isfinite(f0[i]) and -np.inf < g[i] @ p[i] < 0:
            α[i] = strong_wolfe(f, x[i], p[i], float(first[i][0]), c2=c2, f0=float(f0[i]), g0=g[i]).alpha
    return α
