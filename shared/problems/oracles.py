"""An oracle answers f(x), f.grad(x) and f.hess(x); a change of the problem wraps it.

Wrappers are functions of functions: Clipped(Ridge(f)) clips the penalty's gradient too, Ridge(Clipped(f)) does not. A
batch is drawn from the terms of the sum wherever MiniBatch stands.

An oracle that changes from step to step has f.at(t), the oracle of step t; `loss_at(f, t)` is it for any oracle. A
stochastic oracle is a pure function of (seed, t): whoever asks twice within one step sees the same noise or the same
batch, and a run can be repeated exactly.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from shared import chance
from shared.descent import loss_at

PLACE = ("dim", "n", "start", "bounds")  # what an oracle says of where it lives: any change of its answers keeps it
VALUES = ("minima", "f_min", "eigenvalues")  # what it says of its values: a change of the gradient alone keeps it


@dataclass(frozen=True)
class Wrapper:
    """An oracle around the oracle `f`, with f's answers where a subclass gives no others.

    Of what else f says of itself, only what is named in `keeps` is passed on: a subclass adds what stays true.
    """

    f: object
    keeps = PLACE

    def __call__(self, x):
        return self.f(x)

    def grad(self, x):
        return self.f.grad(x)

    def hess(self, x):
        return self.f.hess(x)

    def around(self, f):
        """The same change of another oracle."""
        return self if f is self.f else replace(self, f=f)

    def at(self, t):
        return self.around(loss_at(self.f, t))

    def subset(self, indices):
        """The same change of these terms of a sum."""
        return self.around(self.f.subset(indices))

    def __getattr__(self, name):
        if name not in self.keeps:
            kept = ", ".join(self.keeps)
            raise AttributeError(f"{type(self).__name__} has no {name!r}: of what it wraps it keeps {kept} only")
        return getattr(self.f, name)


@dataclass(frozen=True)
class Observer(Wrapper):
    """A wrapper that changes no answer: whatever f says of itself stays true."""

    def __getattr__(self, name):
        if name.startswith("__") or name == "f":
            raise AttributeError(name)
        return getattr(self.f, name)


@dataclass(frozen=True)
class Ridge(Wrapper):
    """f(x) + λ/2 ‖x‖²: the L2 penalty. Adam on Ridge *is* "Adam with L2"; AdamW is something else."""

    lam: float = 1e-2

    def __call__(self, x):
        return self.f(x) + self.lam / 2 * (x * x).sum(-1)

    def grad(self, x):
        return self.f.grad(x) + self.lam * x

    def hess(self, x):
        return self.f.hess(x) + self.lam * np.eye(x.shape[-1])


@dataclass(frozen=True)
class Clipped(Wrapper):
    """The gradient shortened to at most `max_norm` (Pascanu, Mikolov & Bengio 2013), or each part to ±`max_value`."""

    max_norm: float = np.inf
    max_value: float = np.inf
    keeps = PLACE + VALUES

    def grad(self, x):
        g = np.clip(self.f.grad(x), -self.max_value, self.max_value)
        norm = np.linalg.norm(g, axis=-1, keepdims=True)
        return g * np.minimum(1.0, self.max_norm / np.maximum(norm, np.finfo(float).tiny))


@dataclass(frozen=True)
class Noisy(Wrapper):
    """The gradient plus σ ξ with ξ standard normal, drawn anew at every step, independent for every trajectory."""

    sigma: float = 1.0
    seed: int = 0
    t: int = 0
    keeps = PLACE + VALUES

    def at(self, t):
        return replace(self, f=loss_at(self.f, t), t=t)

    def grad(self, x):
        noise = chance.rng((self.seed, self.t)).standard_normal(np.shape(x))
        return self.f.grad(x) + self.sigma * noise


@dataclass(frozen=True)
class Rotated(Wrapper):
    """f(R x): the same landscape, turned about the origin by `angle` (radians) in the plane of the first two axes."""

    angle: float = 0.0
    keeps = ("dim", "n", "f_min", "eigenvalues")

    @property
    def minima(self):
        return self.f.minima @ self._matrix(self.dim)

    @property
    def start(self):
        return self.f.start @ self._matrix(self.dim)

    def _matrix(self, d):
        R = np.eye(d)
        c, s = np.cos(self.angle), np.sin(self.angle)
        R[:2, :2] = [[c, s], [-s, c]]
        return R

    def __call__(self, x):
        return self.f(x @ self._matrix(x.shape[-1]).T)

    def grad(self, x):
        R = self._matrix(x.shape[-1])
        return self.f.grad(x @ R.T) @ R

    def hess(self, x):
        R = self._matrix(x.shape[-1])
        return R.T @ self.f.hess(x @ R.T) @ R


@dataclass(frozen=True)
class Counted(Observer):
    """Counts what is asked: `calls` maps "f", "grad" and "hess" to the number of points asked (shared by copies)."""

    calls: dict = field(default_factory=lambda: dict.fromkeys(("f", "grad", "hess"), 0))

    def _count(self, what, x):
        self.calls[what] += int(np.prod(np.shape(x)[:-1]))

    def __call__(self, x):
        self._count("f", x)
        return self.f(x)

    def grad(self, x):
        self._count("grad", x)
        return self.f.grad(x)

    def hess(self, x):
        self._count("hess", x)
        return self.f.hess(x)


@dataclass(frozen=True)
class Remembered(Observer):
    """Answers known questions from memory: f and ∇f of the last points cost nothing when asked again.

    A rule stays a pure function of its state and asks anew; who counts evaluations, as SciPy does, counts new points:
    Remembered(Counted(f)).
    """

    known: dict = field(default_factory=dict)
    size: int = 256

    def around(self, f):
        return self if f is self.f else replace(self, f=f, known={})

    def _recall(self, ask, what, x):
        key = what, np.shape(x), np.asarray(x).tobytes()
        if key not in self.known:
            if len(self.known) >= self.size:
                self.known.pop(next(iter(self.known)))
            self.known[key] = ask(x)
        return self.known[key]

    def __call__(self, x):
        return self._recall(self.f, "f", x)

    def grad(self, x):
        return self._recall(self.f.grad, "grad", x)


@lru_cache(maxsize=64)
def _shuffled(n, seed, epoch):
    order = chance.rng((seed, epoch)).permutation(n)
    order.flags.writeable = False
    return order


@dataclass(frozen=True)
class MiniBatch(Wrapper):
    """A finite sum seen through batches: step t's oracle is the mean over `batch_size` of its n terms.

    `f` must offer `n` and `subset(indices)` (shared.problems). Without replacement, every epoch is a fresh shuffle and
    a last batch that is not full is dropped, as torch's DataLoader(drop_last=True) does.
    """

    batch_size: int = 32
    seed: int = 0
    replacement: bool = False
    keeps = ("dim", "start", "bounds", *VALUES)

    def __post_init__(self):
        if not hasattr(self.f, "n"):
            raise TypeError(f"MiniBatch: {type(self.f).__name__} is not a sum: it has no n terms to draw from")
        if not 1 <= self.batch_size <= self.f.n:
            raise ValueError(f"MiniBatch: batch_size must lie in [1, {self.f.n}], got {self.batch_size}")

    @property
    def steps_per_epoch(self):
        return self.f.n // self.batch_size

    def indices(self, t):
        """The terms of step t = 1, 2, ...: integer array (batch_size,)."""
        if self.replacement:
            return chance.rng((self.seed, t)).integers(self.f.n, size=self.batch_size)
        epoch, i = divmod(t - 1, self.steps_per_epoch)
        return _shuffled(self.f.n, self.seed, epoch)[i * self.batch_size : (i + 1) * self.batch_size]

    def at(self, t):
        return loss_at(self.f, t).subset(self.indices(t))
