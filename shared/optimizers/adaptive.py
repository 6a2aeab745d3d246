"""Methods that give every coordinate a step size of its own. Read top to bottom: each is the last one plus an idea."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .base import Array, Rule, xp
from .fields import hyper, inside


@dataclass(frozen=True, repr=False)
class Adagrad(Rule):
    """Gradient descent with each coordinate divided by the root of its summed squares (Duchi, Hazan & Singer 2011).

        g ← ∇f(x) + λ x
        v ← v + g²                              v = v₀ before the first step
        x ← x − η / (1 + (t − 1) δ) · g / (√v + ε)

    Symbols: η lr, δ lr_decay, λ weight_decay, v₀ initial_accumulator_value, ε eps. Equal to torch.optim.Adagrad.
    """

    lr: float = hyper(1e-2, "η", slider=(1e-3, 10.0), log=True)
    lr_decay: float = hyper(0.0, "δ")
    weight_decay: float = hyper(0.0, "λ")
    initial_accumulator_value: float = hyper(0.0, "v₀")
    eps: float = hyper(1e-10, "ε")

    class State(NamedTuple):
        v: Array = 0.0

    def step(self, f, x, s, t):
        g = f.grad(x) + self.weight_decay * x
        v = (self.initial_accumulator_value if t == 1 else s.v) + g * g
        η = self.lr / (1 + (t - 1) * self.lr_decay)
        return x - η * g / (v**0.5 + self.eps), self.State(v)


@dataclass(frozen=True, repr=False)
class Rprop(Rule):
    """The sign of the gradient, with a step per coordinate that grows while the sign stays (Riedmiller & Braun 1993).

        g ← ∇f(x)
        η ← η η₊  where g keeps its sign;   η ← η η₋  and  g ← 0  where it changes;   clipped to [η_min, η_max]
        x ← x − η sign(g)

    Symbols: η lr at the first step, (η₋, η₊) etas, (η_min, η_max) step_sizes. The variant without backtracking of
    Igel & Hüsken (2003), equal to torch.optim.Rprop. For full gradients only: noise that turns the sign stops it.
    """

    lr: float = hyper(1e-2, "η", slider=(1e-4, 1.0), log=True)
    etas: tuple = hyper((0.5, 1.2), "η±", "(0, inf)")
    step_sizes: tuple = hyper((1e-6, 50.0), "η range", "[0, inf)")

    class State(NamedTuple):
        g: Array = 0.0
        η: Array = 0.0

    def __post_init__(self):
        super().__post_init__()
        down, up = self.etas
        if not (inside(0.5 if callable(down) else down, "(0, 1)") and inside(2.0 if callable(up) else up, "(1, inf)")):
            raise ValueError(f"Rprop: etas must be a factor below 1 and a factor above 1, got {self.etas}")

    def step(self, f, x, s, t):
        (η_down, η_up), g = self.etas, f.grad(x)
        lib = xp(g)
        same = lib.sign(g * s.g)
        kept, turned = lib.clip(same, 0, 1), lib.clip(same, -1, 0)
        η = (self.lr if t == 1 else s.η) * (1 + (η_up - 1) * kept + (1 - η_down) * turned)
        g, η = g * (1 + turned), lib.clip(η, *self.step_sizes)
        return x - η * lib.sign(g), self.State(g, η)


@dataclass(frozen=True, repr=False)
class RMSprop(Rule):
    """Adagrad with a fading memory: a running mean of squares instead of their sum (Hinton 2012, lecture 6e).

        g ← ∇f(x) + λ x
        v ← α v + (1 − α) g²
        m ← α m + (1 − α) g                     centered only: v − m² estimates the variance (Graves 2013)
        u ← β u + g / (√v + ε)                  centered: √(v − m²)
        x ← x − η u

    Symbols: η lr, α alpha, ε eps, λ weight_decay, β momentum. Equal to torch.optim.RMSprop.
    """

    lr: float = hyper(1e-2, "η", slider=(1e-4, 1.0), log=True)
    alpha: float = hyper(0.99, "α", "[0, 1]", slider=(0.5, 0.999))
    eps: float = hyper(1e-8, "ε")
    weight_decay: float = hyper(0.0, "λ")
    momentum: float = hyper(0.0, "β", slider=(0.0, 0.99))
    centered: bool = False

    class State(NamedTuple):
        v: Array = 0.0
        m: Array = 0.0
        u: Array = 0.0

    def step(self, f, x, s, t):
        α, g = self.alpha, f.grad(x) + self.weight_decay * x
        v = α * s.v + (1 - α) * g * g
        m = α * s.m + (1 - α) * g if self.centered else 0.0
        u = self.momentum * s.u + g / ((v - m * m) ** 0.5 + self.eps)
        return x - self.lr * u, self.State(v, m, u)


@dataclass(frozen=True, repr=False)
class Adadelta(Rule):
    """RMSprop with the rate replaced by the root mean square of the steps it took (Zeiler 2012, Algorithm 1).

        g ← ∇f(x) + λ x
        v ← ρ v + (1 − ρ) g²
        Δ ← √(u + ε) / √(v + ε) · g             in units of x, as Newton's step is: no rate to choose
        u ← ρ u + (1 − ρ) Δ²
        x ← x − η Δ

    Symbols: η lr (1 in the paper), ρ rho, ε eps (all that starts it), λ weight_decay. Equal to torch.optim.Adadelta.
    """

    lr: float = hyper(1.0, "η", slider=(1e-2, 1e3), log=True)
    rho: float = hyper(0.9, "ρ", "[0, 1]", slider=(0.5, 0.999))
    eps: float = hyper(1e-6, "ε", slider=(1e-10, 1e-1), log=True)
    weight_decay: float = hyper(0.0, "λ")

    class State(NamedTuple):
        v: Array = 0.0
        u: Array = 0.0

    def step(self, f, x, s, t):
        ρ, g = self.rho, f.grad(x) + self.weight_decay * x
        v = ρ * s.v + (1 - ρ) * g * g
        Δ = (s.u + self.eps) ** 0.5 / (v + self.eps) ** 0.5 * g
        return x - self.lr * Δ, self.State(v, ρ * s.u + (1 - ρ) * Δ * Δ)


@dataclass(frozen=True, repr=False)
class Adam(Rule):
    """RMSprop with momentum inside, both averages corrected for their start at zero (Kingma & Ba 2015, Algorithm 1).

        g ← ∇f(x) + λ x
        m ← β₁ m + (1 − β₁) g                   m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²                  v̂ = v / (1 − β₂ᵗ)
        w ← max(w, v)                           amsgrad only: v̂ = w / (1 − β₂ᵗ) (Reddi, Kale & Kumar 2018, Algorithm 2)
        x ← x − η m̂ / (√v̂ + ε)

    Symbols: η lr, (β₁, β₂) betas, ε eps, λ weight_decay (here an L2 penalty, see AdamW). Equal to torch.optim.Adam.
    """

    lr: float = hyper(1e-3, "η", slider=(1e-4, 1.0), log=True)
    betas: tuple = hyper((0.9, 0.999), "β", "[0, 1)", slider=(0.0, 0.999))
    eps: float = hyper(1e-8, "ε")
    weight_decay: float = hyper(0.0, "λ")
    amsgrad: bool = False

    class State(NamedTuple):
        m: Array = 0.0
        v: Array = 0.0
        w: Array = 0.0

    def direction(self, g, s, t):
        """m̂ / (√v̂ + ε) and the new state, for the gradient g: the core that Adam's relatives share."""
        β1, β2 = self.betas
        m = β1 * s.m + (1 - β1) * g
        v = β2 * s.v + (1 - β2) * g * g
        w = 0.0 if not self.amsgrad else v if t == 1 else xp(v).maximum(s.w, v)
        root = ((w if self.amsgrad else v) / (1 - β2**t)) ** 0.5
        return (m / (1 - β1**t)) / (root + self.eps), self.State(m, v, w)

    def step(self, f, x, s, t):
        u, s = self.direction(f.grad(x) + self.weight_decay * x, s, t)
        return x - self.lr * u, s

    @property
    def method(self):
        return "AMSGrad" if self.amsgrad and type(self) is Adam else type(self).__name__


@dataclass(frozen=True, repr=False)
class AdamW(Adam):
    """Adam with the weight decay taken out of the gradient (Loshchilov & Hutter 2019, Algorithm 2).

        g ← ∇f(x)
        m ← β₁ m + (1 − β₁) g                   m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²                  v̂ = v / (1 − β₂ᵗ)
        x ← x − η (m̂ / (√v̂ + ε) + λ x)

    Symbols and amsgrad as in Adam; λ weight_decay is multiplied by η as in torch.optim.AdamW, to which this is equal.
    """

    weight_decay: float = hyper(1e-2, "λ")

    def step(self, f, x, s, t):
        u, s = self.direction(f.grad(x), s, t)
        return x - self.lr * (u + self.weight_decay * x), s


@dataclass(frozen=True, repr=False)
class Adamax(Rule):
    """Adam with the largest recent gradient in place of the root mean square (Kingma & Ba 2015, Algorithm 2).

        g ← ∇f(x) + λ x
        m ← β₁ m + (1 − β₁) g                   m̂ = m / (1 − β₁ᵗ)
        u ← max(β₂ u, |g| + ε)                  no correction: a maximum has no bias towards zero
        x ← x − η m̂ / u

    Symbols: η lr, (β₁, β₂) betas, ε eps, λ weight_decay (an L2 penalty). Equal to torch.optim.Adamax.
    """

    lr: float = hyper(2e-3, "η", slider=(1e-4, 1.0), log=True)
    betas: tuple = hyper((0.9, 0.999), "β", "[0, 1)", slider=(0.0, 0.999))
    eps: float = hyper(1e-8, "ε")
    weight_decay: float = hyper(0.0, "λ")

    class State(NamedTuple):
        m: Array = 0.0
        u: Array = 0.0

    def step(self, f, x, s, t):
        β1, β2 = self.betas
        g = f.grad(x) + self.weight_decay * x
        m = β1 * s.m + (1 - β1) * g
        size = abs(g) + self.eps
        u = size if t == 1 else xp(g).maximum(β2 * s.u, size)
        return x - self.lr * (m / (1 - β1**t)) / u, self.State(m, u)


@dataclass(frozen=True, repr=False)
class NAdam(Rule):
    """Adam with Nesterov's look-ahead in the first average (Dozat 2016), and a momentum that warms up.

        g ← ∇f(x) + λ x                         decoupled_weight_decay:  x ← x − η λ x  instead
        μ = β₁ (1 − ½ 0.96^(t ψ)),  μ⁺ = β₁ (1 − ½ 0.96^((t + 1) ψ)),   P ← P μ,  P = 1 at the start
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²                  v̂ = v / (1 − β₂ᵗ)
        x ← x − η ((1 − μ) g / (1 − P) + μ⁺ m / (1 − P μ⁺)) / (√v̂ + ε)

    Symbols: η lr, (β₁, β₂) betas, ε eps, λ weight_decay, ψ momentum_decay. Equal to torch.optim.NAdam.
    """

    lr: float = hyper(2e-3, "η", slider=(1e-4, 1.0), log=True)
    betas: tuple = hyper((0.9, 0.999), "β", "[0, 1)", slider=(0.0, 0.999))
    eps: float = hyper(1e-8, "ε")
    weight_decay: float = hyper(0.0, "λ")
    momentum_decay: float = hyper(4e-3, "ψ")
    decoupled_weight_decay: bool = False

    class State(NamedTuple):
        m: Array = 0.0
        v: Array = 0.0
        P: Array = 1.0

    def step(self, f, x, s, t):
        β1, β2 = self.betas
        g, x = _decayed(self, f, x)
        μ, μ_next = (β1 * (1 - 0.5 * 0.96 ** (k * self.momentum_decay)) for k in (t, t + 1))
        P = s.P * μ
        m = β1 * s.m + (1 - β1) * g
        v = β2 * s.v + (1 - β2) * g * g
        ahead = g * ((1 - μ) / (1 - P)) + m * (μ_next / (1 - P * μ_next))
        return x - self.lr * ahead / ((v / (1 - β2**t)) ** 0.5 + self.eps), self.State(m, v, P)


def _decayed(rule, f, x):
    """The gradient and the point after weight decay: into the gradient, or decoupled from it as in AdamW."""
    g, λ = f.grad(x), rule.weight_decay
    return (g, x - rule.lr * λ * x) if rule.decoupled_weight_decay else (g + λ * x, x)


@dataclass(frozen=True, repr=False)
class RAdam(Rule):
    """Adam that takes plain momentum steps until v rests on enough samples (Liu et al. 2020, Algorithm 2).

        g ← ∇f(x) + λ x                         decoupled_weight_decay:  x ← x − η λ x  instead
        m ← β₁ m + (1 − β₁) g                   m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²
        ρ∞ = 2 / (1 − β₂) − 1,  ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)         how many samples v is worth
        ρ > 5:  x ← x − η r m̂ √(1 − β₂ᵗ) / (√v + ε),   r² = (ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ)
        else:   x ← x − η m̂

    Symbols: η lr, (β₁, β₂) betas, ε eps, λ weight_decay. r is a warm-up. Equal to torch.optim.RAdam; in the
    paper ρ > 4.
    """

    lr: float = hyper(1e-3, "η", slider=(1e-4, 1.0), log=True)
    betas: tuple = hyper((0.9, 0.999), "β", "[0, 1)", slider=(0.0, 0.999))
    eps: float = hyper(1e-8, "ε")
    weight_decay: float = hyper(0.0, "λ")
    decoupled_weight_decay: bool = False

    class State(NamedTuple):
        m: Array = 0.0
        v: Array = 0.0

    def step(self, f, x, s, t):
        β1, β2 = self.betas
        g, x = _decayed(self, f, x)
        m = β1 * s.m + (1 - β1) * g
        v = β2 * s.v + (1 - β2) * g * g
        r, plain = rectification(β2, t)
        scale = r * (1 - β2**t) ** 0.5 / (v**0.5 + self.eps) + plain
        return x - self.lr * (m / (1 - β1**t)) * scale, self.State(m, v)


def rectification(β2, t):
    """RAdam's factor r of step t, 0 while v rests on too few samples; and 1 in those steps, else 0. β2: (...)."""
    ρ_end = 2 / (1 - β2) - 1
    ρ = ρ_end - 2 * t * β2**t / (1 - β2**t)
    enough = np.asarray(ρ > 5)
    numerator = np.where(enough, (ρ - 4) * (ρ - 2) * ρ_end, 0.0)
    r = (numerator / np.where(enough, (ρ_end - 4) * (ρ_end - 2) * ρ, 1.0)) ** 0.5
    return (r, 1.0 - enough) if r.ndim else (float(r), float(not enough))


@dataclass(frozen=True, repr=False)
class Lion(Rule):
    """Only the sign of a momentum: no v to keep, every coordinate moves by η (Chen et al. 2023, Algorithm 2).

        g ← ∇f(x)
        u = sign(β₁ m + (1 − β₁) g)             the step gives the new gradient a weight of its own ...
        m ← β₂ m + (1 − β₂) g                   ... and the memory another
        x ← x − η (u + λ x)

    Symbols: η lr (3 to 10 times smaller than Adam's), (β₁, β₂) betas, λ weight_decay. Equal to optax.lion and
    keras.optimizers.Lion, whose default λ differ (1e-3 and none).
    """

    lr: float = hyper(1e-4, "η", slider=(1e-5, 1e-1), log=True)
    betas: tuple = hyper((0.9, 0.99), "β", "[0, 1)", slider=(0.0, 0.999))
    weight_decay: float = hyper(0.0, "λ")

    class State(NamedTuple):
        m: Array = 0.0

    def step(self, f, x, s, t):
        (β1, β2), g = self.betas, f.grad(x)
        u = xp(g).sign(β1 * s.m + (1 - β1) * g)
        return x - self.lr * (u + self.weight_decay * x), self.State(β2 * s.m + (1 - β2) * g)


@dataclass(frozen=True, repr=False)
class Adafactor(Rule):
    """RMSprop for matrices, v stored as row and column means (Shazeer & Stern 2018, Algorithms 4 to 6).

        G ← ∇f(X),   β₂ = 1 − t^τ               a memory that grows with t: it needs no bias correction
        r ← β₂ r + (1 − β₂) row means of G²     c ← β₂ c + (1 − β₂) column means of G²
        V = r cᵀ / mean(r)                      n + m numbers for n m; for a vector V ← β₂ V + (1 − β₂) G²
        U = G / √V,   U ← U / max(1, RMS(U)/d)  a step that is too long is shortened
        X ← X − η λ X − max(ε₂, RMS(X)) min(η, 1/√t) U

    Symbols: η lr, τ beta2_decay, (ε₁, ε₂) eps (√V ≥ ε₁, mean(r) ≥ ε₁; None: the smallest of x's precision), d d,
    λ weight_decay. `shape` (n, m) says which matrix a flat x holds; tensors know. Equal to torch.optim.Adafactor.
    """

    lr: float = hyper(1e-2, "η", slider=(1e-4, 1.0), log=True)
    beta2_decay: float = hyper(-0.8, "τ", "(-inf, 0]", slider=(-1.0, -0.1))
    eps: tuple = (None, 1e-3)
    d: float = hyper(1.0, "d", "[1, inf)")
    weight_decay: float = hyper(0.0, "λ")
    shape: tuple = None

    class State(NamedTuple):
        r: Array = 0.0
        c: Array = 0.0
        v: Array = 0.0

    def __post_init__(self):
        super().__post_init__()
        if len(self.eps) != 2 or not all(e is None or inside(e, "[0, inf)") for e in self.eps) or self.eps[1] is None:
            raise ValueError(f"Adafactor: eps must be a pair (None or a number >= 0, a number >= 0), got {self.eps}")

    def step(self, f, x, s, t):
        g, lib = f.grad(x), xp(x)
        ε1, ε2 = lib.finfo(x.dtype).eps if self.eps[0] is None else self.eps[0], self.eps[1]
        V, s = self.second_moment(g, s, t ** self.beta2_decay, ε1)
        U = g / lib.clip(V, ε1 * ε1, None) ** 0.5
        U = U / lib.clip(_rms(U) / self.d, 1.0, None)
        α = lib.clip(_rms(x), ε2, None) * np.minimum(self.lr, t**-0.5)
        return x - self.lr * self.weight_decay * x - α * U, s

    def second_moment(self, g, s, new, ε1):
        """The estimate V of E g², in the shape of g, and the new state; `new` is the weight 1 − β₂ of this gradient."""
        G = g.reshape(*g.shape[:-1], *self.shape) if self.shape else g
        if self.shape is None and (xp(g) is np or g.ndim < 2):
            v = s.v + new * (g * g - s.v)
            return v, self.State(v=v)
        new = new[..., None] if np.ndim(new) else new
        r = s.r + new * ((G * G).mean(-1, keepdims=True) - s.r)
        c = s.c + new * ((G * G).mean(-2, keepdims=True) - s.c)
        V = r @ c / xp(g).clip(r.mean(-2, keepdims=True), ε1, None)
        return V.reshape(g.shape), self.State(r, c)


def _rms(x):
    """The root mean square of every vector of a batch (..., d) -> (..., 1), or of a whole tensor."""
    return (x * x).mean(-1, keepdims=True) ** 0.5 if xp(x) is np else (x * x).mean() ** 0.5
