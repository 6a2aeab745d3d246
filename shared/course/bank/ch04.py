"""Exercises of chapter 4: reference, random cases and the mistakes that check names."""

import numpy as np

from shared import theory
from shared.course.exercises import function, number, setting
from shared.descent import run
from shared.optimizers import HeavyBall
from shared.problems import quadratic

# ---- 1. One step of the heavy ball -------------------------------------------------------------------------------


def step_cases(rng):
    """A slope that bends, a point in motion, a rate and a momentum, all round numbers."""
    a, b = rng.integers(1, 5), rng.integers(1, 3)
    x, v = rng.integers(-4, 5, 2) / 2, rng.integers(1, 5, 2) / 2 * rng.choice([-1, 1])
    return dict(grad=lambda x: a * x + b * x**3, x=x, v=v, lr=rng.choice([0.1, 0.2]), beta=rng.choice([0.5, 0.8, 0.9]))


@function("04.heavy_ball", cases=step_cases)
def heavy_ball(grad, x, v, lr, beta):
    v = beta * v - lr * grad(x)
    return x + v, v


@heavy_ball.mistake("the velocity is updated after the step", "x must move by the new v. Compute v first, then x + v.")
def _(grad, x, v, lr, beta):
    return x + v, beta * v - lr * grad(x)


@heavy_ball.mistake("a mean instead of a sum", "The heavy ball adds the whole gradient: no factor 1 - beta before it.")
def _(grad, x, v, lr, beta):
    v = beta * v - (1 - beta) * lr * grad(x)
    return x + v, v


@heavy_ball.mistake("the sign of the gradient",
    "v is a displacement: the gradient enters it with a minus, and x + v adds it.")
def _(grad, x, v, lr, beta):
    v = beta * v + lr * grad(x)
    return x + v, v


@heavy_ball.mistake("the sign of the velocity", "v already points downhill here: x + v, not x - v.")
def _(grad, x, v, lr, beta):
    v = beta * v - lr * grad(x)
    return x - v, v


@heavy_ball.mistake("the gradient at the look-ahead point",
    "That is Nesterov's method. The heavy ball asks at x itself.")
def _(grad, x, v, lr, beta):
    v = beta * v - lr * grad(x + beta * v)
    return x + v, v


# ---- 2. Nesterov -------------------------------------------------------------------------------------------------


@function("04.nesterov", cases=step_cases)
def nesterov(grad, x, v, lr, beta):
    v = beta * v - lr * grad(x + beta * v)
    return x + v, v


@nesterov.mistake("the gradient at the wrong point",
    "You ask at x: that is the heavy ball. Ask where inertia leads, at x + beta v.")
def _(grad, x, v, lr, beta):
    v = beta * v - lr * grad(x)
    return x + v, v


@nesterov.mistake("the look-ahead without beta",
    "Inertia leads to x + beta v: the velocity is shortened before it acts.")
def _(grad, x, v, lr, beta):
    v = beta * v - lr * grad(x + v)
    return x + v, v


@nesterov.mistake("the look-ahead backwards", "Look ahead, to x + beta v, not behind.")
def _(grad, x, v, lr, beta):
    v = beta * v - lr * grad(x - beta * v)
    return x + v, v


@nesterov.mistake("the inertia is walked twice",
    "x + v already contains beta v: start from x, not from the look-ahead point.")
def _(grad, x, v, lr, beta):
    ahead = x + beta * v
    v = beta * v - lr * grad(ahead)
    return ahead + v, v


@nesterov.mistake("the velocity is updated after the step", "x must move by the new v. Compute v first, then x + v.")
def _(grad, x, v, lr, beta):
    return x + v, beta * v - lr * grad(x + beta * v)


# ---- 3. The spectral radius --------------------------------------------------------------------------------------


def radius_cases(rng):
    beta = rng.choice([0.0, 0.25, 0.64, 0.81])
    return dict(lr=rng.choice([0.05, 0.1, 0.3, 0.5]), beta=beta, lam=float(rng.integers(1, 10)))


@function("04.radius", cases=radius_cases)
def radius(lr, beta, lam):
    return float(theory.spectral_radius(lr, beta, [lam]))


def _roots(lr, beta, lam):
    return np.roots([1, -(1 + beta - lr * lam), beta])


@radius.mistake("the real part of a complex root",
    "The size of a complex root is its modulus: np.abs, not its real part.")
def _(lr, beta, lam):
    return float(np.abs(_roots(lr, beta, lam).real).max())


@radius.mistake("the largest root without its modulus",
    "A root of -0.9 shrinks as slowly as one of 0.9: take np.abs before max.")
def _(lr, beta, lam):
    return float(_roots(lr, beta, lam).real.max())


@radius.mistake("beta instead of its square root",
    "The product of the two roots is beta, so each has modulus sqrt(beta).")
def _(lr, beta, lam):
    z = _roots(lr, beta, lam)
    return float(beta if np.iscomplex(z).any() else np.abs(z).max())


@radius.mistake("the sign of the trace", "The trace is 1 + beta - lr lam: the gradient is subtracted.")
def _(lr, beta, lam):
    return float(np.abs(np.roots([1, -(1 + beta + lr * lam), beta])).max())


# ---- 4. and 5. Two numbers ---------------------------------------------------------------------------------------

best_beta = number("04.best_beta", (9 / 11) ** 2, rtol=2e-3)
best_beta.mistake("the rate, not the momentum",
    "(sqrt(k) - 1)/(sqrt(k) + 1) is the rate sqrt(beta). Square it.", 9 / 11)
best_beta.mistake("kappa without its root",
    "It is the root of the condition number that enters: sqrt(100) = 10.", (99 / 101) ** 2)

mean_rate = number("04.mean_rate", 1.0)
mean_rate.mistake("the same rate",
    "Ten steady gradients g sum up to 10 g, but their mean is g. Which factor makes up for it?", 0.1)
mean_rate.mistake("divided the wrong way", "The mean is the smaller one, so its rate must be the larger one.", 0.01)

# ---- 6. An experiment --------------------------------------------------------------------------------------------


def error_after_120(pair):
    """The distance from the minimum after 120 steps of the heavy ball on a quadratic, λ = 1 and 100, from (1, 1)."""
    lr, beta = pair
    return float(np.linalg.norm(run(HeavyBall(lr, beta), quadratic(kappa=100), [1.0, 1.0], 120)[-1]))


pair = setting("04.pair", solution=(0.033, 0.67), goal="an error below 1e-7 after 120 steps",
               measure=error_after_120, accept=lambda error: error < 1e-7)  # fmt: skip
pair.mistake("it diverges",
    "The steepest direction, lambda = 100, limits the rate: lr < 2 (1 + beta)/100.", (0.05, 0.3),
             when=lambda pair, error: not error < 1e3)  # fmt: skip
pair.mistake("too much momentum", "The error rings for long: no direction can shrink faster than sqrt(beta) per step.",
             (0.02, 0.95), when=lambda pair, error: np.sqrt(pair[1]) ** 120 > 1e-6)  # fmt: skip
pair.mistake("too little momentum or rate",
    "The flat direction, lambda = 1, crawls. Move towards the star of the damping plane.",
             (0.01, 0.3), when=lambda pair, error: error > 1e-7)  # fmt: skip
