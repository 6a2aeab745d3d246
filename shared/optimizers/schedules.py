"""Learning-rate schedules: plain callables k -> rate, where k = 0, 1, 2, ... counts the steps taken so far (chapter 2).

A schedule is a frozen dataclass of numbers, so it can be printed, compared, varied with `dataclasses.replace`, and its
sliders read from its fields. It goes wherever a rule takes a number: `Adam(lr=Cosine(lr=1e-3, steps=500))`. At step k
it equals `torch.optim.lr_scheduler` after k calls of `scheduler.step()`; once over, it holds its last value.

Symbols throughout: η the rate `lr`, η₀ its lowest value `lr_min`, T the length `steps`, γ a factor, k the step.

    >>> warm = Join((Warmup(lr=0.1, steps=5), Cosine(lr=0.1, steps=95)), boundaries=(5,))
    >>> [round(warm(k), 3) for k in (0, 4, 5, 100)]
    [0.02, 0.1, 0.1, 0.0]
"""
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from numbers import Real

from .fields import choice, hyper, inside


def _rate(default, symbol, low=1e-4):
    return hyper(default, symbol, slider=(low, 1.0), log=True)


def _count(default, symbol, slider=(100, 200)):
    return hyper(default, symbol, "[0, inf)" if slider[0] == 0 else "[1, inf)", slider=slider)


@dataclass(frozen=True)
class Schedule:
    """A rate for every step k >= 0. Subclasses define `rate(k)`; fields outside their interval raise ValueError."""

    def __post_init__(self):
        for f in fields(self):
            value, says = getattr(self, f.name), f.metadata
            if "choices" in says and value not in says["choices"]:
                self._reject(f.name, value, "one of " + ", ".join(map(repr, says["choices"])))
            if "interval" in says and not _accepted(value, says["interval"], whole=f.type is int):
                self._reject(f.name, value, ("an integer" if f.type is int else "a number") + f" in {says['interval']}")

    def _reject(self, name, value, accepted):
        raise ValueError(f"{type(self).__name__}: {name} must be {accepted}, got {value!r}")

    def __call__(self, k) -> float:
        if not k >= 0:
            raise ValueError(f"{type(self).__name__}: the step k must be at least 0, got {k!r}")
        return float(self.rate(k.item() if hasattr(k, "item") else k))  # NumPy's powers may differ in the last bit

    def rate(self, k):
        raise NotImplementedError


def _accepted(value, interval, whole):
    """Whether a field's value is a number, whole if it must be, in its interval."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and not (whole and value % 1) and inside(value, interval)


def _cosine(start, end, u):
    """From start at u = 0 to end at u = 1 along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * u)) / 2


def _line(start, end, u):
    return start + (end - start) * u


# ---- Decays ------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Constant(Schedule):
    """η. Fast at first, then a noise floor proportional to η."""
    lr: float = _rate(0.1, "η")

    def rate(self, k):
        return self.lr


@dataclass(frozen=True)
class Step(Schedule):
    """η γ^⌊k / every⌋: divide the rate at regular intervals. Equal to torch's StepLR."""
    lr: float = _rate(0.1, "η")
    every: int = _count(30, "s", slider=(5, 100))
    gamma: float = hyper(0.1, "γ", "(0, 1]", slider=(0.05, 1.0))

    def rate(self, k):
        return self.lr * self.gamma ** (k // self.every)


@dataclass(frozen=True)
class MultiStep(Schedule):
    """η γ^(number of milestones <= k): divide the rate at chosen steps (He et al. 2016). Equals torch's MultiStepLR."""
    lr: float = _rate(0.1, "η")
    milestones: tuple = (50, 75)
    gamma: float = hyper(0.1, "γ", "(0, 1]", slider=(0.05, 1.0))

    def __post_init__(self):
        super().__post_init__()
        _check_increasing(self, "milestones", self.milestones)

    def rate(self, k):
        return self.lr * self.gamma ** sum(k >= m for m in self.milestones)


@dataclass(frozen=True)
class Exponential(Schedule):
    """η γ^k. The rates add up to η / (1 - γ): it may stop short of the minimum. Equal to torch's ExponentialLR."""
    lr: float = _rate(0.1, "η")
    gamma: float = hyper(0.97, "γ", "(0, 1]", slider=(0.9, 1.0))

    def rate(self, k):
        return self.lr * self.gamma ** k


@dataclass(frozen=True)
class InverseTime(Schedule):
    """η / (1 + δ k): steps that add up to infinity while their squares do not (Robbins & Monro 1951). δ is `decay`."""
    lr: float = _rate(0.1, "η")
    decay: float = hyper(0.1, "δ", slider=(1e-3, 1.0), log=True)

    def rate(self, k):
        return self.lr / (1 + self.decay * k)


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    """η / √(1 + δ k): the rate of the O(1/√T) theorem for convex SGD (Nemirovski et al. 2009). δ is `decay`."""
    lr: float = _rate(0.1, "η")
    decay: float = hyper(0.1, "δ", slider=(1e-3, 1.0), log=True)

    def rate(self, k):
        return self.lr / math.sqrt(1 + self.decay * k)


@dataclass(frozen=True)
class Linear(Schedule):
    """start + (end - start) min(k / T, 1). Equal to torch's LinearLR; up or down."""
    start: float = _rate(0.1, "a")
    end: float = hyper(0.0, "b", slider=(0.0, 1.0))
    steps: int = _count(100, "T")

    def rate(self, k):
        return _line(self.start, self.end, min(k / self.steps, 1))


@dataclass(frozen=True)
class Polynomial(Schedule):
    """η₀ + (η - η₀) (1 - min(k / T, 1))^p. Equal to torch's PolynomialLR for η₀ = 0; p = 1 is a line."""
    lr: float = _rate(0.1, "η")
    steps: int = _count(100, "T")
    power: float = hyper(2.0, "p", "(0, inf)", slider=(0.25, 4.0))
    lr_min: float = hyper(0.0, "η₀", slider=(0.0, 0.1))

    def rate(self, k):
        return _line(self.lr_min, self.lr, (1 - min(k / self.steps, 1)) ** self.power)


@dataclass(frozen=True)
class Cosine(Schedule):
    """η₀ + (η - η₀) (1 + cos(π k / T)) / 2 (Loshchilov & Hutter 2017). Equal to torch's CosineAnnealingLR up to k = T.

    After T it holds η₀, where torch's would climb again.
    """
    lr: float = _rate(0.1, "η")
    steps: int = _count(100, "T")
    lr_min: float = hyper(0.0, "η₀", slider=(0.0, 0.1))

    def rate(self, k):
        return _cosine(self.lr, self.lr_min, min(k / self.steps, 1))


# ---- Rising and cyclic -------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """SGDR: a cosine over `period` steps, then again, each period `mult` times longer (Loshchilov & Hutter 2017).

    η₀ + (η - η₀) (1 + cos(π k' / T')) / 2 with k' steps since the last restart and T' = period · mult^restarts.
    Equal to torch's CosineAnnealingWarmRestarts.
    """
    lr: float = _rate(0.1, "η")
    period: int = _count(20, "T₀", slider=(5, 100))
    mult: int = hyper(2, "m", "[1, inf)", slider=(1, 4))
    lr_min: float = hyper(0.0, "η₀", slider=(0.0, 0.1))

    def rate(self, k):
        period = self.period
        while self.mult > 1 and k >= period:
            k, period = k - period, period * self.mult
        return _cosine(self.lr, self.lr_min, k % period / period)


@dataclass(frozen=True)
class Triangular(Schedule):
    """Up from η₀ to η in `up` steps and back in `down` (0: as many as up), for ever (Smith 2017).

    `shrink` multiplies the height after each cycle: 1 is torch's CyclicLR "triangular", 0.5 its "triangular2".
    """
    lr: float = _rate(0.1, "η")
    lr_min: float = hyper(0.001, "η₀", slider=(0.0, 0.1))
    up: int = _count(20, "u", slider=(5, 50))
    down: int = _count(0, "d", slider=(0, 50))
    shrink: float = hyper(1.0, "c", "(0, 1]", slider=(0.1, 1.0))

    def rate(self, k):
        down = self.down or self.up
        cycle, j = divmod(k, self.up + down)
        height = j / self.up if j <= self.up else 1 - (j - self.up) / down
        return self.lr_min + (self.lr - self.lr_min) * height * self.shrink ** cycle


@dataclass(frozen=True)
class Warmup(Schedule):
    """η min((k + 1) / T, 1): small steps while nothing is known yet (Goyal et al. 2017). Join it to what follows.

    The first step already moves, by η / T. Equal to torch's LinearLR(start_factor=1/T, total_iters=T-1).
    """
    lr: float = _rate(0.1, "η")
    steps: int = _count(10, "T", slider=(1, 50))

    def rate(self, k):
        return self.lr * min((k + 1) / self.steps, 1)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """One cycle: from η / div_factor up to η, then down to η / (div_factor · final_div_factor) (Smith & Topin 2018).

    The rise takes the share `pct_start` of the T steps. With `three_phase` a descent to the initial rate mirrors it,
    and the remaining steps annihilate the rate. Equal to torch's OneCycleLR; `anneal` is its anneal_strategy.
    """
    lr: float = _rate(0.1, "η")
    steps: int = _count(100, "T")
    pct_start: float = hyper(0.3, "p", "(0, 1)", slider=(0.05, 0.45))
    div_factor: float = hyper(25.0, "D", "[1, inf)", slider=(1.0, 100.0), log=True)
    final_div_factor: float = hyper(1e4, "F", "[1, inf)", slider=(1.0, 1e4), log=True)
    anneal: str = choice("cos", "cos", "linear")
    three_phase: bool = choice(False, False, True)

    def __post_init__(self):
        super().__post_init__()
        ends = [k for k, _ in self._corners]
        if any(a >= b for a, b in pairwise(ends)):
            raise ValueError(f"OneCycle: pct_start={self.pct_start!r} leaves an empty phase in {self.steps} steps")

    @property
    def _corners(self):
        """(step, rate) where the phases meet. The cycle's last step is T - 1."""
        rise, low = float(self.pct_start * self.steps), self.lr / self.div_factor
        middle = [(rise - 1, self.lr), (2 * rise - 2, low)] if self.three_phase else [(rise - 1, self.lr)]
        return [(0.0, low), *middle, (self.steps - 1, low / self.final_div_factor)]

    def rate(self, k):
        corners = self._corners
        (a, start), (b, end) = next((p, q) for p, q in pairwise(corners) if k <= q[0] or q is corners[-1])
        return {"cos": _cosine, "linear": _line}[self.anneal](start, end, min((k - a) / (b - a), 1))


@dataclass(frozen=True)
class WarmupStableDecay(Schedule):
    """Warm up, stay at η, decay to η₀ at the end (Hu et al. 2024): you may extend the stable part, or branch off it.

        k < w:           η (k + 1) / w
        k < T - d:       η
        else:            η₀ + (η - η₀) (1 - s(u)),   u = min((k - T + d) / d, 1)

    with w, d the numbers of steps `warmup`, `decay`, and s(u) = u ("linear"), (1 - cos πu) / 2 ("cosine") or
    √u ("1-sqrt", Hägele et al. 2024).
    """
    lr: float = _rate(0.1, "η")
    steps: int = _count(100, "T")
    warmup: int = _count(10, "w", slider=(0, 40))
    decay: int = _count(20, "d", slider=(0, 60))
    shape: str = choice("linear", "linear", "cosine", "1-sqrt")
    lr_min: float = hyper(0.0, "η₀", slider=(0.0, 0.1))

    def __post_init__(self):
        super().__post_init__()
        if self.warmup + self.decay > self.steps:
            raise ValueError(f"WarmupStableDecay: warmup + decay must be at most steps = {self.steps}, "
                             f"got {self.warmup} + {self.decay}")

    def rate(self, k):
        if k < self.warmup:
            return self.lr * (k + 1) / self.warmup
        if k < self.steps - self.decay or not self.decay:
            return self.lr
        u = min((k - self.steps + self.decay) / self.decay, 1)
        s = {"linear": u, "cosine": (1 - math.cos(math.pi * u)) / 2, "1-sqrt": math.sqrt(u)}[self.shape]
        return _line(self.lr, self.lr_min, s)


# ---- Composition -------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Join(Schedule):
    """parts[0] until step boundaries[0], then parts[1] from its own step 0, and so on. Like torch's SequentialLR."""
    parts: tuple
    boundaries: tuple

    def __post_init__(self):
        for part in self.parts:
            if not callable(part):
                self._reject("every part", part, "a schedule (a callable k -> rate)")
        if len(self.parts) != len(self.boundaries) + 1:
            raise ValueError(f"Join: {len(self.parts)} parts need {len(self.parts) - 1} boundaries, "
                             f"got {len(self.boundaries)}")
        _check_increasing(self, "boundaries", self.boundaries)

    def rate(self, k):
        i = sum(k >= boundary for boundary in self.boundaries)
        return self.parts[i](k - (0, *self.boundaries)[i])


def _check_increasing(schedule, name, steps):
    if not all(_accepted(a, "[1, inf)", whole=True) for a in steps) or list(steps) != sorted(set(steps)):
        schedule._reject(name, steps, "increasing integers >= 1")


SCHEDULES: dict[str, Callable] = {
    "constant": Constant, "step": Step, "multistep": MultiStep, "exponential": Exponential,
    "inverse time": InverseTime, "inverse sqrt": InverseSqrt, "linear": Linear, "polynomial": Polynomial,
    "cosine": Cosine, "cosine restarts": CosineRestarts, "triangular": Triangular, "warm-up": Warmup,
    "one cycle": OneCycle, "warm-up stable decay": WarmupStableDecay,
}
