"""Test functions whose value, gradient, Hessian and minima are known exactly: the terrain of chapters 1 to 6.

Every factory returns a `Landscape`. Arrays are float64 of shape (..., d); value, gradient and Hessian have shapes
(...), (..., d) and (..., d, d), so ten thousand points are one call. Far away a value overflows to inf without a
warning: divergence is a result.

    >>> f = rosenbrock()
    >>> float(f([1.0, 1.0])), f.grad([0.0, 0.0]).tolist()
    (0.0, [-2.0, 0.0])
"""
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps

import numpy as np

Array = np.ndarray
π = np.pi


@dataclass(frozen=True, eq=False, repr=False)
class Landscape:
    """A function of d variables with its derivatives, and what to know before walking on it."""
    name: str
    f: Callable                                       # (..., d) -> (...)
    grad: Callable                                    # (..., d) -> (..., d)
    hess: Callable                                    # (..., d) -> (..., d, d)
    minima: Array                                     # (k, d): all global minima, k = 0 if unbounded below
    f_min: float                                      # the value there, -inf if unbounded below
    bounds: tuple                                     # ((x_lo, x_hi), (y_lo, y_hi)) worth plotting
    start: Array                                      # (d,): a start with an instructive trajectory
    formula: str = field(default="")                  # LaTeX without dollar signs
    note: str = field(default="")                     # what the landscape teaches, in one line

    def __post_init__(self):
        keep = lambda name, value: object.__setattr__(self, name, value)
        keep("start", _frozen(self.start))
        keep("minima", _frozen(np.reshape(self.minima, (-1, self.dim))))
        for name in ("f", "grad", "hess"):
            keep(name, self._checked(getattr(self, name)))

    def _checked(self, function):
        """`function` on float arrays whose last axis is d, silent when numbers overflow."""
        @wraps(function)
        def checked(x):
            x = np.asarray(x, dtype=float)
            if x.ndim == 0 or x.shape[-1] != self.dim:
                raise ValueError(f"{self.name}: the last axis must hold {self.dim} coordinates, got shape {x.shape}")
            with np.errstate(all="ignore"):
                return function(x)
        return checked

    def __call__(self, x):
        return self.f(x)

    def __repr__(self):
        return f"Landscape({self.name!r}, dim={self.dim})"

    @property
    def dim(self) -> int:
        return len(self.start)

    @property
    def eigenvalues(self) -> Array:
        """(d,): curvatures at the first minimum, ascending; for a quadratic these are mu, ..., L."""
        return np.linalg.eigvalsh(self.hess(self.minima[0]))


# ---- Three shapes of definition: separable, planar, general ------------------------------------------------------

def _separable(name, f, df, ddf, **about) -> Landscape:
    """sum_i f(x_i), from f and its first two derivatives in one variable."""
    return Landscape(name, lambda x: f(x).sum(-1), df, lambda x: _diagonal(ddf(x)), **about)


def _planar(name, f, grad, hess, **about) -> Landscape:
    """f(x, y), from its value, (f_x, f_y) and (f_xx, f_xy, f_yy)."""
    def hessian(p):
        xx, xy, yy = hess(*_coordinates(p))
        H = _stack(xx, xy, xy, yy)
        return H.reshape(*H.shape[:-1], 2, 2)
    return Landscape(name, lambda p: f(*_coordinates(p)), lambda p: _stack(*grad(*_coordinates(p))), hessian, **about)


def _coordinates(p):
    return p[..., 0], p[..., 1]


def _stack(*parts):
    """The parts, broadcast, along a new last axis. Filled in place: every gradient of every step passes here."""
    stacked = np.empty((*np.broadcast(*parts).shape, len(parts)))
    for i, part in enumerate(parts):
        stacked[..., i] = part
    return stacked


def _diagonal(v):
    """(..., d) -> (..., d, d) with v on the diagonal and exact zeros elsewhere, also where v is infinite."""
    return np.where(np.eye(v.shape[-1], dtype=bool), v[..., None], 0.0)


def _outer(u, v):
    return u[..., :, None] * v[..., None, :]


def _frozen(values):
    array = np.array(values, dtype=float)
    array.setflags(write=False)
    return array


def _dimension(d, least=1):
    if not isinstance(d, (int, np.integer)) or d < least:
        raise ValueError(f"d must be an integer >= {least}, got {d!r}")
    return int(d)


def _square(half):
    return (-half, half), (-half, half)


# ---- Bowls: one minimum, no traps --------------------------------------------------------------------------------

def quadratic(kappa=10.0, angle=0.0, d=2) -> Landscape:
    """x'Ax/2, the eigenvalues of A log-spaced from mu = 1 to L = kappa.

    The axes are turned by `angle` (radians) in each plane (i, i + 1).
    """
    d = _dimension(d)
    if not 1 <= kappa < np.inf:
        raise ValueError(f"kappa = L/mu must be finite and at least 1, got {kappa!r}")
    Q = np.eye(d)
    for i in range(d - 1):
        G = np.eye(d)
        G[i:i + 2, i:i + 2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        Q = Q @ G
    λ = np.geomspace(1.0, kappa, d)
    A = (Q * λ) @ Q.T
    A = (A + A.T) / 2
    return Landscape(
        "Quadratic", lambda x: (λ * (x @ Q) ** 2).sum(-1) / 2, lambda x: x @ A,
        lambda x: np.broadcast_to(A, (*x.shape, d)).copy(),
        minima=np.zeros(d), f_min=0.0, bounds=_square(3), start=Q @ np.linspace(2.5, 1.0, d),
        formula=r"\tfrac12\, x^\top A x,\quad \lambda(A) \in [1, \kappa]",
        note="The condition number alone decides how fast gradient descent is.")


def booth() -> Landscape:
    """(x + 2y − 7)² + (2x + y − 5)²: a quadratic with its minimum at (1, 3), of Jamil & Yang's survey (2013)."""
    return _planar(
        "Booth", lambda x, y: (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2,
        lambda x, y: (10 * x + 8 * y - 34, 8 * x + 10 * y - 38),
        lambda x, y: (10 + 0 * x, 8 + 0 * x, 10 + 0 * x),
        minima=(1, 3), f_min=0.0, bounds=_square(10), start=(-8, -5),
        formula=r"(x + 2y - 7)^2 + (2x + y - 5)^2",
        note="A tilted quadratic with condition number 9, and its minimum away from the origin.")


def quartic_valley() -> Landscape:
    """x² + y⁴: a parabola across a valley that is flatter than any parabola along it."""
    return _planar(
        "Quartic valley", lambda x, y: x ** 2 + y ** 4,
        lambda x, y: (2 * x, 4 * y ** 3),
        lambda x, y: (2 + 0 * x, 0 * x, 12 * y ** 2),
        minima=(0, 0), f_min=0.0, bounds=_square(2), start=(1.5, 1.5),
        formula=r"x^2 + y^4",
        note="No single learning rate suits both coordinates: the curvature of y vanishes at the minimum.")


def lessard() -> Landscape:
    """A convex function of one variable on which a well-tuned heavy ball goes round for ever (chapter 4).

    f' = 25 x below 1, x + 24 from 1 to 2, 25 x - 24 above: curvature 25, 1, 25 (Lessard, Recht & Packard 2016).
    """
    return _separable(
        "Lessard",
        lambda x: np.select([x < 1, x < 2], [12.5 * x ** 2, x ** 2 / 2 + 24 * x - 12], 12.5 * x ** 2 - 24 * x + 36),
        lambda x: np.where(x < 1, 25 * x, np.where(x < 2, x + 24, 25 * x - 24)),
        lambda x: np.where((x < 1) | (x >= 2), 25.0, 1.0),
        minima=[0.0], f_min=0.0, bounds=_square(4), start=[3.3],
        formula=r"f'(x) = 25x,\; x + 24,\; 25x - 24 \text{ below 1, below 2, above}",
        note="Strongly convex and smooth, yet its curvature jumps: inertia tuned for the ends falls into a cycle.")


def power(p=4.0, d=2) -> Landscape:
    """sum |x_i|^p, p >= 1. For p < 2 the curvature at zero is infinite; at p = 1 the gradient is the sign, 0 at 0."""
    d = _dimension(d)
    if not 1 <= p < np.inf:
        raise ValueError(f"the exponent p must be finite and at least 1, got {p!r}")
    return _separable(
        "Power", lambda x: np.abs(x) ** p, lambda x: p * np.sign(x) * np.abs(x) ** (p - 1),
        lambda x: p * (p - 1) * np.abs(x) ** (p - 2) if p > 1 else 0 * x,
        minima=np.zeros(d), f_min=0.0, bounds=_square(1.5), start=np.linspace(1.2, 0.8, d),
        formula=rf"\textstyle\sum_i |x_i|^{{{p:g}}}",
        note="Convex but not strongly convex for p > 2: convergence is a power of t, not a geometric rate.")


# ---- Valleys: one minimum, badly scaled --------------------------------------------------------------------------

def rosenbrock(d=2) -> Landscape:
    """Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)², the banana valley (Rosenbrock 1960), in d >= 2 dimensions."""
    d = _dimension(d, least=2)

    def f(x):
        a, b = x[..., :-1], x[..., 1:]
        return (100 * (b - a * a) ** 2 + (1 - a) ** 2).sum(-1)

    def grad(x):
        a, b = x[..., :-1], x[..., 1:]
        g = np.zeros_like(x)
        g[..., :-1] = -400 * a * (b - a * a) - 2 * (1 - a)
        g[..., 1:] += 200 * (b - a * a)
        return g

    def hess(x):
        a, b = x[..., :-1], x[..., 1:]
        H, i = np.zeros((*x.shape, d)), np.arange(d - 1)
        H[..., i, i] = 1200 * a * a - 400 * b + 2
        H[..., i + 1, i + 1] += 200
        H[..., i, i + 1] = H[..., i + 1, i] = -400 * a
        return H

    return Landscape(
        "Rosenbrock", f, grad, hess,
        minima=np.ones(d), f_min=0.0, bounds=((-2, 2), (-1, 3)), start=np.resize((-1.2, 1.0), d),
        formula=r"\textstyle\sum_i 100\,(x_{i+1} - x_i^2)^2 + (1 - x_i)^2",
        note="Finding the curved valley is easy; following its floor to the minimum is slow.")


def beale() -> Landscape:
    """Σ (cᵢ − x + x yⁱ)² with c = 1.5, 2.25, 2.625 (Beale 1958)."""
    terms = ((1.5, 1), (2.25, 2), (2.625, 3))
    r = lambda x, y, c, i: c - x + x * y ** i

    def grad(x, y):
        return (sum(2 * r(x, y, c, i) * (y ** i - 1) for c, i in terms),
                sum(2 * r(x, y, c, i) * i * x * y ** (i - 1) for c, i in terms))

    def hess(x, y):
        slope = lambda i: i * x * y ** (i - 1)
        return (sum(2 * (y ** i - 1) ** 2 for c, i in terms),
                sum(2 * ((y ** i - 1) * slope(i) + r(x, y, c, i) * i * y ** (i - 1)) for c, i in terms),
                sum(2 * (slope(i) ** 2 + r(x, y, c, i) * i * (i - 1) * x * y ** max(i - 2, 0)) for c, i in terms))

    return _planar(
        "Beale", lambda x, y: sum(r(x, y, c, i) ** 2 for c, i in terms), grad, hess,
        minima=(3, 0.5), f_min=0.0, bounds=_square(4.5), start=(1.0, 1.5),
        formula=r"(1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2",
        note="Nearly flat in the middle, thousands high in the corners: one rate does not suit both.")


def river_valley(wall=20.0, slope=0.1) -> Landscape:
    """wall (y - sin x)^2 / 2 + slope x^2 / 2: curvature `wall` across the river, `slope` along it.

    The picture behind warm-up-stable-decay (Wen et al. 2024, "a river valley loss landscape perspective").
    """
    if not 0 < slope <= wall < np.inf:
        raise ValueError(f"need 0 < slope <= wall, got slope = {slope!r} and wall = {wall!r}")
    r = lambda x, y: y - np.sin(x)
    return _planar(
        "River valley", lambda x, y: wall / 2 * r(x, y) ** 2 + slope / 2 * x ** 2,
        lambda x, y: (slope * x - wall * r(x, y) * np.cos(x), wall * r(x, y)),
        lambda x, y: (slope + wall * (np.cos(x) ** 2 + r(x, y) * np.sin(x)), -wall * np.cos(x), wall + 0 * x),
        minima=(0, 0), f_min=0.0, bounds=((-6, 2), (-2.5, 2.5)), start=(-5, -0.5),
        formula=rf"\tfrac{{{wall:g}}}{{2}}\,(y - \sin x)^2 + \tfrac{{{slope:g}}}{{2}}\,x^2",
        note="A large rate travels far while it bounces between the walls; decay settles onto the floor.")


# ---- Many minima -------------------------------------------------------------------------------------------------

def himmelblau() -> Landscape:
    """(x² + y − 11)² + (x + y² − 7)²: four minima of the same depth (Himmelblau 1972)."""
    u, v = lambda x, y: x ** 2 + y - 11, lambda x, y: x + y ** 2 - 7
    return _planar(
        "Himmelblau", lambda x, y: u(x, y) ** 2 + v(x, y) ** 2,
        lambda x, y: (4 * x * u(x, y) + 2 * v(x, y), 2 * u(x, y) + 4 * y * v(x, y)),
        lambda x, y: (12 * x ** 2 + 4 * y - 42, 4 * (x + y), 12 * y ** 2 + 4 * x - 26),
        minima=HIMMELBLAU, f_min=0.0, bounds=_square(6), start=(-0.5, -1.0),
        formula=r"(x^2 + y - 11)^2 + (x + y^2 - 7)^2",
        note="Four equally good minima: the start decides, and the basins have intricate borders.")


def styblinski_tang(d=2) -> Landscape:
    """Σ (xᵢ⁴ − 16 xᵢ² + 5 xᵢ) / 2: two wells for each coordinate (Styblinski & Tang 1990)."""
    d, lowest = _dimension(d), -2.903534027771177
    f = lambda x: (x ** 2 * (x ** 2 - 16) + 5 * x) / 2
    return _separable(
        "Styblinski-Tang", f, lambda x: 2 * x ** 3 - 16 * x + 2.5, lambda x: 6 * x ** 2 - 16,
        minima=np.full(d, lowest), f_min=d * f(lowest), bounds=_square(5), start=np.resize((0.0, 4.0), d),
        formula=r"\textstyle\tfrac12 \sum_i \left(x_i^4 - 16 x_i^2 + 5 x_i\right)",
        note="Two wells per coordinate, 2^d in all, and only one is the lowest.")


def rastrigin(d=2) -> Landscape:
    """Σ xᵢ² − 10 cos 2π xᵢ + 10: a bowl with a lattice of minima (Rastrigin 1974)."""
    d = _dimension(d)
    return _separable(
        "Rastrigin", lambda x: x ** 2 + 20 * np.sin(π * x) ** 2,
        lambda x: 2 * x + 20 * π * np.sin(2 * π * x), lambda x: 2 + 40 * π ** 2 * np.cos(2 * π * x),
        minima=np.zeros(d), f_min=0.0, bounds=_square(5.12), start=np.resize((3.4, -2.6), d),
        formula=r"\textstyle\sum_i x_i^2 - 10 \cos(2\pi x_i) + 10",
        note="A bowl seen from afar, a lattice of local minima from near: descent stops in the first one.")


def ackley(d=2) -> Landscape:
    """Ackley's function; its minimum is a cone's tip, where gradient and curvature of the cone are set to 0."""
    d = _dimension(d)
    radius = lambda x: np.sqrt((x * x).mean(-1, keepdims=True))
    ripple = lambda x: np.cos(2 * π * x).mean(-1, keepdims=True)
    direction = lambda x: _ratio(x, d * radius(x))                         # gradient of the radius

    def f(x):
        return (-20 * np.expm1(-0.2 * radius(x)) - np.e * np.expm1(ripple(x) - 1))[..., 0]

    def grad(x):
        return 4 * np.exp(-0.2 * radius(x)) * direction(x) + 2 * π / d * np.exp(ripple(x)) * np.sin(2 * π * x)

    def hess(x):
        ρ, u, s = radius(x)[..., None], direction(x), 2 * π / d * np.sin(2 * π * x)
        cone = _ratio(np.eye(d) / d - _outer(u, u), ρ) - 0.2 * _outer(u, u)
        waves = _diagonal(4 * π ** 2 / d * np.cos(2 * π * x)) - _outer(s, s)
        return 4 * np.exp(-0.2 * ρ) * cone + np.exp(ripple(x))[..., None] * waves

    return Landscape(
        "Ackley", f, grad, hess,
        minima=np.zeros(d), f_min=0.0, bounds=_square(5), start=np.resize((3.4, 2.6), d),
        formula=r"-20\, e^{-0.2 \sqrt{\frac1d \sum_i x_i^2}} - e^{\frac1d \sum_i \cos 2\pi x_i} + 20 + e",
        note="Ripples on a plain around one deep hole: without noise or momentum the nearest ripple holds you.")


def _ratio(a, b):
    """a / b, and 0 where b is 0."""
    return np.where(b == 0, 0.0, a / np.where(b == 0, 1.0, b))


def three_hump_camel() -> Landscape:
    """2x² − 1.05 x⁴ + x⁶/6 + x y + y²: three basins, of Jamil & Yang's survey (2013)."""
    return _planar(
        "Three-hump camel", lambda x, y: x ** 2 * (2 + x ** 2 * (x ** 2 / 6 - 1.05)) + y * (x + y),
        lambda x, y: (x * (4 + x ** 2 * (x ** 2 - 4.2)) + y, x + 2 * y),
        lambda x, y: (4 + x ** 2 * (5 * x ** 2 - 12.6), 1 + 0 * x, 2 + 0 * x),
        minima=(0, 0), f_min=0.0, bounds=((-2.5, 2.5), (-2, 2)), start=(-2.2, 1.5),
        formula=r"2x^2 - 1.05 x^4 + \tfrac{x^6}{6} + xy + y^2",
        note="Three basins, the middle one deepest: momentum may carry you over the hump that stops plain descent.")


def six_hump_camel() -> Landscape:
    """(4 − 2.1 x² + x⁴/3) x² + x y + (4y² − 4) y²: six minima (Dixon & Szegő 1978)."""
    f = lambda x, y: x ** 2 * (4 + x ** 2 * (x ** 2 / 3 - 2.1)) + x * y + 4 * y ** 2 * (y ** 2 - 1)
    x, y = 0.08984201310031806, -0.7126564030207396
    return _planar(
        "Six-hump camel", f,
        lambda x, y: (x * (8 + x ** 2 * (2 * x ** 2 - 8.4)) + y, x + 8 * y * (2 * y ** 2 - 1)),
        lambda x, y: (8 + x ** 2 * (10 * x ** 2 - 25.2), 1 + 0 * x, 48 * y ** 2 - 8),
        minima=((x, y), (-x, -y)), f_min=f(x, y), bounds=((-2.1, 2.1), (-1.2, 1.2)), start=(0.9, 0.1),
        formula=r"\left(4 - 2.1 x^2 + \tfrac{x^4}{3}\right) x^2 + xy + (4y^2 - 4)\, y^2",
        note="Six minima in three symmetric pairs, two of them global; nearby starts part ways.")


def goldstein_price() -> Landscape:
    """A product of two quartics, A(s) of s = x + y and B(r) of r = 2x - 3y, which keeps the derivatives short."""
    A = (lambda s: 1 + (s + 1) ** 2 * (19 + s * (3 * s - 14)),
         lambda s: 12 * (s + 1) * (s - 1) * (s - 2),
         lambda s: 12 * (s * (3 * s - 4) - 1))
    B = (lambda r: 30 + r ** 2 * (18 + r * (3 * r - 16)),
         lambda r: 12 * r * (r - 1) * (r - 3),
         lambda r: 12 * (r * (3 * r - 8) + 3))

    def grad(x, y):
        (a, a1, _), (b, b1, _) = ([h(z) for h in H] for H, z in ((A, x + y), (B, 2 * x - 3 * y)))
        return a1 * b + 2 * a * b1, a1 * b - 3 * a * b1

    def hess(x, y):
        (a, a1, a2), (b, b1, b2) = ([h(z) for h in H] for H, z in ((A, x + y), (B, 2 * x - 3 * y)))
        return (a2 * b + 4 * a1 * b1 + 4 * a * b2,
                a2 * b - a1 * b1 - 6 * a * b2,
                a2 * b - 6 * a1 * b1 + 9 * a * b2)

    return _planar(
        "Goldstein-Price", lambda x, y: A[0](x + y) * B[0](2 * x - 3 * y), grad, hess,
        minima=(0, -1), f_min=3.0, bounds=((-2, 2), (-3, 1)), start=(-1.5, -1.5),
        formula=r"\left[1 + (s+1)^2 (3s^2 - 14s + 19)\right] \left[30 + r^2 (3r^2 - 16r + 18)\right],"
                r"\quad s = x + y,\; r = 2x - 3y",
        note="Values from 3 to a million: a fixed rate that is safe on the slopes is hopeless on the floor.")


# ---- Saddles, plateaus, cliffs -----------------------------------------------------------------------------------

def saddle() -> Landscape:
    """(x² − y²) / 2: the simplest point where the gradient vanishes and no minimum is."""
    return _planar(
        "Saddle", lambda x, y: (x - y) * (x + y) / 2,
        lambda x, y: (x, -y), lambda x, y: (1 + 0 * x, 0 * x, -1 + 0 * x),
        minima=(), f_min=-np.inf, bounds=_square(2), start=(-1.8, 0.01),
        formula=r"\tfrac12 (x^2 - y^2)",
        note="The gradient vanishes without a minimum: descent is drawn in, lingers, and leaves along y.")


def monkey_saddle() -> Landscape:
    """x³ − 3 x y²: a saddle with a place for the tail; its Hessian vanishes too."""
    return _planar(
        "Monkey saddle", lambda x, y: x * (x * x - 3 * y * y),
        lambda x, y: (3 * (x - y) * (x + y), -6 * x * y),
        lambda x, y: (6 * x, -6 * y, -6 * x),
        minima=(), f_min=-np.inf, bounds=_square(1.5), start=(1.2, 0.02),
        formula=r"x^3 - 3xy^2",
        note="Even the Hessian vanishes at the origin: second-order information alone does not show the way out.")


def plateau() -> Landscape:
    """q / (1 + q) with q = x^2 + 4 y^2: far away the gradient falls off like 1/|x|^3."""
    w = lambda x, y: 1 / (1 + x ** 2 + 4 * y ** 2)
    return _planar(
        "Plateau", lambda x, y: 1 - w(x, y),
        lambda x, y: (2 * x * w(x, y) ** 2, 8 * y * w(x, y) ** 2),
        lambda x, y: (2 * w(x, y) ** 2 - 8 * (x * w(x, y)) ** 2 * w(x, y),
                      -32 * (x * w(x, y)) * (y * w(x, y)) * w(x, y),
                      8 * w(x, y) ** 2 - 128 * (y * w(x, y)) ** 2 * w(x, y)),
        minima=(0, 0), f_min=0.0, bounds=_square(4), start=(-3.0, 1.5),
        formula=r"\frac{x^2 + 4y^2}{1 + x^2 + 4y^2}",
        note="Almost flat away from the bowl: a small gradient does not mean that a minimum is near.")


def cliff(height=3.0, steepness=20.0) -> Landscape:
    """((x - 1)^2 + y^2) / 8 + height sigmoid(steepness x): a gentle slope that leads to the foot of a wall.

    The global minimum lies at the foot, found here by Newton's method. The wall's gradient reaches
    height * steepness / 4, so one step on it throws the iterate back over the plain (Pascanu et al. 2013).
    """
    if not (1 <= height < np.inf and 4 <= steepness < np.inf):
        raise ValueError(f"need a finite height >= 1 and steepness >= 4, got {height!r} and {steepness!r}")
    σ = lambda x: (1 + np.tanh(steepness * x / 2)) / 2
    wall = lambda x: (height * σ(x), height * steepness * σ(x) * σ(-x),
                      height * steepness ** 2 * σ(x) * σ(-x) * (σ(-x) - σ(x)))
    foot = -1.317 / steepness                         # the slope's inflection, from where Newton descends monotonically
    for _ in range(50):
        foot -= ((foot - 1) / 4 + wall(foot)[1]) / (1 / 4 + wall(foot)[2])
    f = lambda x, y: ((x - 1) ** 2 + y ** 2) / 8 + wall(x)[0]
    return _planar(
        "Cliff", f,
        lambda x, y: ((x - 1) / 4 + wall(x)[1], y / 4),
        lambda x, y: (1 / 4 + wall(x)[2], 0 * x, 1 / 4 + 0 * x),
        minima=(foot, 0), f_min=f(foot, 0.0), bounds=((-8, 2), (-3, 3)), start=(-5, 2.5),
        formula=rf"\tfrac18 \left[(x - 1)^2 + y^2\right] + \frac{{{height:g}}}{{1 + e^{{-{steepness:g}\,x}}}}",
        note="A gentle slope leads to a wall: one unclipped gradient throws you back over the plain.")


HIMMELBLAU = ((3.0, 2.0), (-2.805118086952745, 3.131312518250573),
              (-3.779310253377747, -3.283185991286170), (3.584428340330492, -1.848126526964404))

LANDSCAPES: dict[str, Callable] = {
    "Quadratic": quadratic, "Booth": booth, "Quartic valley": quartic_valley, "Power": power,
    "Rosenbrock": rosenbrock, "Beale": beale, "River valley": river_valley,
    "Himmelblau": himmelblau, "Styblinski-Tang": styblinski_tang, "Rastrigin": rastrigin, "Ackley": ackley,
    "Three-hump camel": three_hump_camel, "Six-hump camel": six_hump_camel, "Goldstein-Price": goldstein_price,
    "Saddle": saddle, "Monkey saddle": monkey_saddle, "Plateau": plateau, "Cliff": cliff,
}
