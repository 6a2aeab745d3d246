"""What each library means by an optimizer's name: its convention, as a rule of the course.

`convention("Keras", "Adam", lr=1e-3, eps=1e-7)` is a `Rule` in NumPy that walks as keras.optimizers.Adam does; the
tests compare each of them with the real library, step by step in float64. Most conventions are rules the course has
already, some with a schedule for ε; the others stand here. Options have the course's names. Pure: nothing is imported
but `shared.optimizers`.
"""

from dataclasses import dataclass
from typing import NamedTuple

from shared.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    HeavyBall,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
)
from shared.optimizers.base import Array, xp
from shared.optimizers.fields import hyper


@dataclass(frozen=True, repr=False)
class NesterovInside(HeavyBall):
    """Nesterov's method with the rate kept inside the buffer: Keras.

        v ← β v − η g
        x ← x + β v − η g

    With a constant η equal to SGD(nesterov=True); when η changes, v still holds the old one.
    """

    def step(self, f, x, s, t):
        g = f.grad(x)
        v = self.momentum * s.v - self.lr * g
        return x + self.momentum * v - self.lr * g, self.State(v)


@dataclass(frozen=True, repr=False)
class AdagradInside(Adagrad):
    """Adagrad with ε inside the root: x ← x − η g / √(v + ε), v = v₀ before the first step. Keras and Optax."""

    initial_accumulator_value: float = hyper(0.1, "v₀")

    def step(self, f, x, s, t):
        g = f.grad(x)
        v = (self.initial_accumulator_value if t == 1 else s.v) + g * g
        return x - self.lr * g / (v + self.eps) ** 0.5, self.State(v)


@dataclass(frozen=True, repr=False)
class RMSpropInside(RMSprop):
    """RMSprop with ε inside the root and the rate inside the momentum: Keras, Optax and, with v₀ = 1, TensorFlow.

        v ← α v + (1 − α) g²                    v = v₀ before the first step
        u ← μ u + η g / √(v + ε)                centered: √(v − m² + ε), m the mean of g
        x ← x − u
    """

    initial: float = hyper(0.0, "v₀")

    def step(self, f, x, s, t):
        α, g = self.alpha, f.grad(x)
        v = α * (self.initial if t == 1 else s.v) + (1 - α) * g * g
        m = α * s.m + (1 - α) * g if self.centered else 0.0
        u = self.momentum * s.u + self.lr * g / (v - m * m + self.eps) ** 0.5
        return x - u, self.State(v, m, u)


@dataclass(frozen=True, repr=False)
class AMSGradCorrected(Adam):
    """AMSGrad whose maximum is taken of the corrected v̂: w ← max(w, v̂), x ← x − η m̂ / (√w + ε). Optax.

    v̂ is a single squared gradient at first, and w never forgets it; torch's v starts near zero.
    """

    amsgrad: bool = True

    def direction(self, g, s, t):
        β1, β2 = self.betas
        m = β1 * s.m + (1 - β1) * g
        v = β2 * s.v + (1 - β2) * g * g
        w = xp(v).maximum(s.w, v / (1 - β2**t))
        return (m / (1 - β1**t)) / (w**0.5 + self.eps), self.State(m, v, w)


@dataclass(frozen=True, repr=False)
class AdamaxOutside(Adamax):
    """Adamax with ε outside the maximum: u ← max(β₂ u, |g|), x ← x − η m̂ / (u + ε). Keras."""

    def step(self, f, x, s, t):
        β1, β2 = self.betas
        g = f.grad(x)
        m = β1 * s.m + (1 - β1) * g
        u = xp(g).maximum(β2 * s.u, abs(g))
        return x - self.lr * (m / (1 - β1**t)) / (u + self.eps), self.State(m, u)


@dataclass(frozen=True, repr=False)
class RpropLate(Rprop):
    """Rprop that walks, at each step, what the gradient before asked for: Optax up to 0.2.8. The first step is zero."""

    class State(NamedTuple):
        g: Array = 0.0
        η: Array = 0.0
        u: Array = 0.0  # the step that waits

    def step(self, f, x, s, t):
        ahead, new = super().step(f, x, s, t)
        turned = f.grad(x) * s.g < 0
        return x - xp(x).where(turned, 0.0, s.u), new._replace(u=x - ahead)


def over(schedule, factor):
    """A hyperparameter (a number or a schedule) times factor(k)."""
    return lambda k: (schedule(k) if callable(schedule) else schedule) * factor(k)


def _hat(rule):
    """ε added to √v before its bias is corrected, as in "epsilon hat": for √v̂ it is ε / √(1 − β₂ᵗ)."""

    def make(eps=1e-7, betas=(0.9, 0.999), **options):
        return rule(eps=over(eps, lambda k: (1 - betas[1] ** (k + 1)) ** -0.5), betas=betas, **options)

    return make


def _with(rule, **fixed):
    return lambda **options: rule(**fixed, **options)


def _keras_adam(weight_decay=0.0, **options):
    return _hat(AdamW)(weight_decay=weight_decay, **options)  # λ is decoupled, whatever the class is called


def _optax_radam(eps=1e-8, betas=(0.9, 0.999), **options):
    return RAdam(eps=over(eps, lambda k: (1 - betas[1] ** (k + 1)) ** 0.5), betas=betas, **options)


def _no_eps(eps=0.0, **options):
    return Adagrad(eps=0.0, **options)


CONVENTIONS = {
    "PyTorch": {
        "SGD": SGD, "Momentum": SGD, "Nesterov": _with(SGD, nesterov=True), "Adagrad": Adagrad, "RMSprop": RMSprop,
        "Adadelta": Adadelta, "Adam": Adam, "AdamW": AdamW, "AMSGrad": _with(Adam, amsgrad=True), "Adamax": Adamax,
        "NAdam": NAdam, "RAdam": RAdam, "Rprop": Rprop,
    },
    "TensorFlow": {
        "SGD": SGD, "Momentum": SGD, "Nesterov": _with(SGD, nesterov=True), "Adagrad": _no_eps,
        "RMSprop": _with(RMSpropInside, initial=1.0), "Adadelta": Adadelta, "Adam": _hat(Adam),
    },
    "Keras": {
        "SGD": SGD, "Momentum": HeavyBall, "Nesterov": NesterovInside, "Adagrad": AdagradInside,
        "RMSprop": RMSpropInside, "Adadelta": Adadelta, "Adam": _keras_adam, "AdamW": _hat(AdamW),
        "AMSGrad": _hat(_with(Adam, amsgrad=True)), "Adamax": AdamaxOutside, "NAdam": _with(NAdam, momentum_decay=1.0),
        "Lion": Lion,
    },
    "Optax": {
        "SGD": SGD, "Momentum": SGD, "Nesterov": _with(SGD, nesterov=True), "Adagrad": AdagradInside,
        "RMSprop": RMSpropInside, "Adadelta": Adadelta, "Adam": Adam, "AdamW": AdamW, "AMSGrad": AMSGradCorrected,
        "Adamax": Adamax, "NAdam": _with(NAdam, momentum_decay=1e9), "RAdam": _optax_radam, "Rprop": RpropLate,
        "Lion": Lion,
    },
}  # fmt: skip


HAT = {("TensorFlow", "Adam"), ("Keras", "Adam"), ("Keras", "AdamW"), ("Keras", "AMSGrad")}  # ε is added to √v
WARM = {"Keras": 1.0, "Optax": 1e9}  # NAdam: the momentum_decay that makes PyTorch's the other's
TINY = 1e-15


def matched(pair, optimizer, **options):
    """The two rules of a pair, corrected as in frameworks.parity.CASES; None if nothing makes them equal."""
    if optimizer == "Rprop" or optimizer == "NAdam" and "PyTorch" not in pair:
        return None
    return tuple(_corrected(library, optimizer, pair, **options) for library in pair)


def _corrected(library, optimizer, pair, **options):
    """The convention of a library with its correction: what frameworks.parity adds to the same numbers."""
    root = lambda k: (1 - options.get("betas", (0.9, 0.999))[1] ** (k + 1)) ** 0.5
    if (library, optimizer) in HAT:
        options["eps"] = over(options["eps"], root)
    elif (library, optimizer) == ("Optax", "RAdam"):
        options["eps"] = over(options["eps"], lambda k: 1 / root(k))
    elif optimizer in ("Adagrad", "RMSprop", "Adamax"):
        inside = optimizer != "Adamax" and library != "PyTorch"
        options["eps"] = TINY**2 if inside else TINY
    elif (library, optimizer) == ("PyTorch", "NAdam"):
        options["momentum_decay"] = next((WARM[other] for other in pair if other in WARM), 4e-3)
    if optimizer == "Adam" and options.get("weight_decay"):
        return CONVENTIONS[library]["AdamW"](**options)  # PyTorch: decoupled_weight_decay=True
    if library == "Keras" and optimizer in ("Momentum", "Nesterov"):
        return SGD(nesterov=optimizer == "Nesterov", **options)  # the buffer rescaled with the rate
    if (library, optimizer) == ("Optax", "AMSGrad"):
        return Adam(amsgrad=True, **options)  # bias_correction_nu=False, η and ε times √(1 − β₂ᵗ)
    if (library, optimizer) == ("TensorFlow", "RMSprop"):
        return RMSpropInside(**options)  # the slot set to zero
    return convention(library, optimizer, **options)


def convention(library, optimizer, **options):
    """The rule that walks as `optimizer` of `library` does. Raises ValueError where the library has none."""
    if library not in CONVENTIONS:
        raise ValueError(f"no conventions of {library!r}; choose from {', '.join(CONVENTIONS)}")
    if optimizer not in CONVENTIONS[library]:
        raise ValueError(f"{library} has no {optimizer!r}; it has {', '.join(CONVENTIONS[library])}")
    return CONVENTIONS[library][optimizer](**options)
