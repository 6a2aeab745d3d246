"""Momentum: methods that remember where they came from, and wrappers that change what any rule walks on or reports.

`gradient.SGD` has torch's form of momentum. Here are the forms of the papers, in order of increasing complexity: each
is the last one plus an idea. A wrapper holds another rule and is a rule itself: SAM(Lookahead(Adam(0.1))) is fine.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from .base import Array, Rule
from .fields import hyper
from .gradient import SGD


@dataclass(frozen=True, repr=False)
class HeavyBall(Rule):
    """Gradient descent with inertia: the last displacement, shortened, is walked again (Polyak 1964).

        v ← β v − η ∇f(x)                       v = 0 before the first step
        x ← x + v

    Symbols: η lr, β momentum. With a constant η equal to torch.optim.SGD(momentum=β), which multiplies by η outside v.
    """

    lr: float = hyper(1e-2, "η", slider=(1e-4, 1.0), log=True)
    momentum: float = hyper(0.9, "β", slider=(0.0, 0.99))

    class State(NamedTuple):
        v: Array = 0.0  # the last displacement

    def step(self, f, x, s, t):
        v = self.momentum * s.v - self.lr * f.grad(x)
        return x + v, self.State(v)

    @property
    def method(self):
        return "Momentum"


@dataclass(frozen=True, repr=False)
class Nesterov(HeavyBall):
    """The heavy ball that looks before it brakes (Nesterov 1983; in this form Sutskever et al. 2013).

        v ← β v − η ∇f(x + β v)                 v = 0 before the first step
        x ← x + v

    Symbols: η lr, β momentum; β = (k − 1)/(k + 2) after k steps needs no condition number. torch's form, for constant
    η and β, walks on the points y = x + β v at which this one asks for gradients (Bengio et al. 2013).
    """

    def step(self, f, x, s, t):
        βv = self.momentum * s.v
        v = βv - self.lr * f.grad(x + βv)
        return x + v, self.State(v)

    @property
    def method(self):
        return "Nesterov"


@dataclass(frozen=True, repr=False)
class QHM(Rule):
    """A weighted mean of plain gradient and momentum: quasi-hyperbolic momentum (Ma & Yarats 2019).

        m ← β m + (1 − β) ∇f(x)                 m = 0 before the first step
        x ← x − η ((1 − ν) ∇f(x) + ν m)

    Symbols: η lr, β momentum, ν nu. ν = 0 is SGD, ν = 1 momentum as an average, ν = β is Nesterov's method; the sum of
    torch.optim.SGD is the average divided by 1 − β, so it takes the rate η (1 − β).
    """

    lr: float = hyper(1e-1, "η", slider=(1e-3, 10.0), log=True)
    momentum: float = hyper(0.9, "β", "[0, 1)", slider=(0.0, 0.999))
    nu: float = hyper(0.7, "ν", "[0, 1]", slider=(0.0, 1.0))

    class State(NamedTuple):
        m: Array = 0.0

    def step(self, f, x, s, t):
        β, ν, g = self.momentum, self.nu, f.grad(x)
        m = β * s.m + (1 - β) * g
        return x - self.lr * ((1 - ν) * g + ν * m), self.State(m)


# ---- Averages instead of schedules -------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class ScheduleFreeSGD(Rule):
    """SGD without a schedule: gradients between the walker z and the mean x of its path (Defazio et al. 2024).

        y ← (1 − β) z + β x                     z = x before the first step
        z ← z − η (∇f(y) + λ y)
        c ← η² / Σ η²                           1/t for a constant rate
        x ← (1 − c) x + c z

    Symbols: η lr, β momentum, λ weight_decay. The rule's iterate is x, the point to evaluate. Equal to
    optax.contrib.schedule_free(optax.sgd(η)).
    """

    lr: float = hyper(1e-1, "η", slider=(1e-3, 10.0), log=True)
    momentum: float = hyper(0.9, "β", "[0, 1]", slider=(0.0, 0.99))
    weight_decay: float = hyper(0.0, "λ")

    class State(NamedTuple):
        z: Array = 0.0
        weight: Array = 0.0  # Σ η²
        v: Array = 0.0  # ScheduleFreeAdamW only

    def precondition(self, g, s, t):
        """What z walks along, for the gradient g, and the new v."""
        return g, s.v

    def step(self, f, x, s, t):
        β, η = self.momentum, self.lr
        z = x if t == 1 else s.z
        y = x if t == 1 else (1 - β) * z + β * x
        u, v = self.precondition(f.grad(y), s, t)
        z = z - η * (u + self.weight_decay * y)
        total = s.weight + η * η
        c = η * η / (total + (total == 0))  # a rate of zero moves nothing
        return (1 - c) * x + c * z, self.State(z, total, v)


@dataclass(frozen=True, repr=False)
class ScheduleFreeAdamW(ScheduleFreeSGD):
    """ScheduleFreeSGD whose z walks as AdamW does, without AdamW's first moment (Defazio et al. 2024, Algorithm 1).

        y ← (1 − β₁) z + β₁ x                   z = x before the first step
        g ← ∇f(y)
        v ← β₂ v + (1 − β₂) g²                  v̂ = v / (1 − β₂ᵗ)
        z ← z − η (g / (√v̂ + ε) + λ y)
        x ← (1 − c) x + c z                     c = η² / Σ η²

    Symbols: η lr, β₁ momentum, β₂ beta2, ε eps, λ weight_decay. The paper moves the root of 1 − β₂ᵗ into η; its
    published code and optax.contrib.schedule_free_adamw, to which this is equal, do not.
    """

    lr: float = hyper(1e-2, "η", slider=(1e-4, 1.0), log=True)
    beta2: float = hyper(0.999, "β₂", "[0, 1)", slider=(0.0, 0.999))
    eps: float = hyper(1e-8, "ε")

    def precondition(self, g, s, t):
        v = self.beta2 * s.v + (1 - self.beta2) * g * g
        return g / ((v / (1 - self.beta2**t)) ** 0.5 + self.eps), v


# ---- Wrappers: a rule around a rule ------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Wrapper(Rule):
    """A rule around the rule `rule`; what a subclass does not change is the inner rule's."""

    rule: Rule = SGD(1e-2)

    class State(NamedTuple):
        inner: Any = ()
        x: Array = 0.0  # a second point: slow weights, fast weights

    def inner(self, s):
        return s.inner or self.rule.State()


@dataclass(frozen=True, repr=False)
class SAM(Wrapper):
    """Any rule, with the gradient of the worst neighbour within ρ: sharpness-aware minimisation (Foret et al. 2021).

        g ← ∇f(x)
        x ← rule(x) with the gradient ∇f(x + ρ g / ‖g‖)

    Symbols: ρ rho. Every step costs two gradients. On a batch of data both are gradients of the same batch.
    """

    rho: float = hyper(0.05, "ρ", slider=(0.0, 1.0))

    def step(self, f, x, s, t):
        x, inner = self.rule.step(_Uphill(f, self.rho), x, self.inner(s), t)
        return x, self.State(inner)


class _Uphill:
    """The oracle f whose gradient is taken at distance ρ up the slope."""

    def __init__(self, f, rho):
        self.f, self.rho, self.hess = f, rho, getattr(f, "hess", None)

    def __call__(self, x):
        return self.f(x)

    def grad(self, x):
        g = self.f.grad(x)
        norm = (g * g).sum(-1)[..., None] ** 0.5
        return self.f.grad(x + self.rho * g / (norm + 1e-12))


@dataclass(frozen=True, repr=False)
class Lookahead(Wrapper):
    """Any rule, pulled back every k steps to a slow point that follows it (Zhang et al. 2019, Algorithm 1).

        x ← rule(x)
        every k steps:   φ ← φ + α (x − φ),   x ← φ          φ = x before the first step

    Symbols: k steps, α alpha. "k steps forward, one step back."
    """

    steps: int = hyper(5, "k", "[1, inf)")
    alpha: float = hyper(0.5, "α", "[0, 1]", slider=(0.0, 1.0))

    def step(self, f, x, s, t):
        slow = x if t == 1 else s.x
        x, inner = self.rule.step(f, x, self.inner(s), t)
        if t % self.steps == 0:
            x = slow = slow + self.alpha * (x - slow)
        return x, self.State(inner, slow)


@dataclass(frozen=True, repr=False)
class EMA(Wrapper):
    """Any rule, reported at the running average of its path (Polyak & Juditsky 1992; Izmailov et al. 2018).

        w ← rule(w)                             w = x before the first step
        x ← β x + (1 − β) w

    Symbols: β decay. The walk w is the inner rule's own and never sees x. A schedule makes other averages:
    decay=uniform() is the mean of all iterates, decay=uniform(start) that of the iterates after `start` (SWA).
    """

    decay: float = hyper(0.99, "β", "[0, 1]", slider=(0.0, 0.999))

    def step(self, f, x, s, t):
        w, inner = self.rule.step(f, x if t == 1 else s.x, self.inner(s), t)
        return self.decay * x + (1 - self.decay) * w, self.State(inner, w)


def uniform(start=0):
    """The decay k -> β that makes EMA the plain mean of the iterates after the first `start` steps (before: the last).

    >>> [uniform(2)(k) for k in range(5)]
    [0.0, 0.0, 0.0, 0.5, 0.6666666666666666]
    """
    return lambda k: max(k - start, 0) / (max(k - start, 0) + 1)
