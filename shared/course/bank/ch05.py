"""Exercises of chapter 5: reference, random cases and the mistakes that check names."""

import numpy as np

from shared.course.exercises import function, number, setting

# 1. derive: Newton's rate at a flat minimum
flat = number("05.flat", 0.8, rtol=1e-3)
flat.mistake("one over p", "The step is f'/f'' = u/(p - 1), not u/p: two derivatives bring down p (p - 1).", 5 / 6)
flat.mistake("the quartic's rate", "That is p = 4, solved above. Here p = 6.", 2 / 3)
flat.mistake("the step instead of what is left", "1/(p - 1) is the part of u the step removes. What part is left?", 0.2)


# 2. implement: one damped Newton step
def _bowl(rng):
    A = rng.integers(-2, 3, (2, 2)).astype(float)
    H, λ = A @ A.T + np.eye(2), float(rng.choice([0.5, 1.0, 2.0]))
    return dict(x=rng.integers(-3, 4, 2).astype(float), g=rng.integers(-3, 4, 2).astype(float), H=H, damping=λ)


@function("05.newton_step", cases=_bowl)
def newton_step(x, g, H, damping):
    return x - np.linalg.solve(H + damping * np.eye(len(x)), g)


@newton_step.mistake("inverse entry by entry",
                     "1/H inverts every entry, not the matrix. Let np.linalg.solve solve (H + λI) p = g.")
def _(x, g, H, damping):
    A = H + damping * np.eye(len(x))
    return x - np.divide(1.0, A, out=np.zeros_like(A), where=A != 0) @ g


@newton_step.mistake("H instead of its inverse", "You multiply by H + λI. The step solves (H + λI) p = g.")
def _(x, g, H, damping):
    return x - (H + damping * np.eye(len(x))) @ g


@newton_step.mistake("damping added to every entry", "H + λ adds λ everywhere. Only the diagonal: H + λ np.eye(d).")
def _(x, g, H, damping):
    A = H + damping
    return x - np.linalg.solve(A, g) if abs(np.linalg.det(A)) > 1e-9 else x * np.nan


@newton_step.mistake("no damping", "λ is not used: add λ times the identity to H before solving.")
def _(x, g, H, damping):
    return x - np.linalg.solve(H, g)


@newton_step.mistake("only the diagonal of H",
                     "Dividing by the diagonal forgets how coordinates act together. Solve with the whole matrix.")
def _(x, g, H, damping):
    return x - g / (np.diag(H) + damping)


# 3. implement: the BFGS update, with its condition
def _pair(rng):
    A = rng.integers(-1, 2, (2, 2)).astype(float)
    s, y = rng.integers(-2, 3, (2, 2)).astype(float)
    y = y if y @ s != 0 else s + 0.5
    y = y if y @ s != 0 else np.ones(2)
    s = s if s.any() else np.ones(2)
    return dict(B=A @ A.T + np.eye(2), s=s, y=y)


def _updated(B, s, y):
    V = np.eye(len(s)) - np.outer(s, y) / (y @ s)
    return V @ B @ V.T + np.outer(s, s) / (y @ s)


@function("05.bfgs_update", cases=_pair)
def bfgs_update(B, s, y):
    return _updated(B, s, y) if y @ s > 0 else B


@bfgs_update.mistake("curvature condition ignored",
                     "When y·s ≤ 0 no positive definite B satisfies B y = s. Return B unchanged.")
def _(B, s, y):
    return _updated(B, s, y)


@bfgs_update.mistake("s and y exchanged",
                     "You built the update of H with H s = y. Here B estimates the inverse: B y = s.")
def _(B, s, y):
    return _updated(B, y, s) if y @ s > 0 else B


@bfgs_update.mistake("transpose forgotten",
                     "The right factor is the transpose of the left one: (I − ρ s yᵀ) B (I − ρ y sᵀ).")
def _(B, s, y):
    if y @ s <= 0:
        return B
    V = np.eye(len(s)) - np.outer(s, y) / (y @ s)
    return V @ B @ V + np.outer(s, s) / (y @ s)


@bfgs_update.mistake("last term missing", "Without ρ s sᵀ the new B has B y = 0. Add it.")
def _(B, s, y):
    if y @ s <= 0:
        return B
    V = np.eye(len(s)) - np.outer(s, y) / (y @ s)
    return V @ B @ V.T


# 4. implement: the two loops
def _history(rng):
    m, d = int(rng.integers(2, 4)), 3
    S = rng.integers(-2, 3, (m, d)).astype(float)
    S[(S == 0).all(-1)] = 1.0
    Y = S * rng.choice([1.0, 2.0, 4.0], d) + 0.25 * S[:, ::-1]
    return dict(g=rng.integers(-3, 4, d).astype(float), S=S, Y=Y)


def _two_loops(g, S, Y, first, second, γ=True, back=lambda a, b: a - b):
    ρ, a, q = 1 / (S * Y).sum(-1), np.zeros(len(S)), g
    for i in first(range(len(S))):
        a[i] = ρ[i] * (S[i] @ q)
        q = q - a[i] * Y[i]
    q = q * (S[-1] @ Y[-1]) / (Y[-1] @ Y[-1]) if γ else q
    for i in second(range(len(S))):
        q = q + back(a[i], ρ[i] * (Y[i] @ q)) * S[i]
    return q


@function("05.two_loops", cases=_history)
def two_loops(g, S, Y):
    return _two_loops(g, S, Y, reversed, list)


@two_loops.mistake("order of the two loops",
                   "First from the newest pair to the oldest, then from oldest to newest. You go the other way.")
def _(g, S, Y):
    return _two_loops(g, S, Y, list, reversed)


@two_loops.mistake("both loops newest first", "The second loop runs the other way: from the oldest pair to the newest.")
def _(g, S, Y):
    return _two_loops(g, S, Y, reversed, reversed)


@two_loops.mistake("both loops oldest first", "The first loop runs from the newest pair back to the oldest.")
def _(g, S, Y):
    return _two_loops(g, S, Y, list, list)


@two_loops.mistake("scale between the loops missing",
                   "Between the loops, multiply q by γ = y·s / y·y of the newest pair.")
def _(g, S, Y):
    return _two_loops(g, S, Y, reversed, list, γ=False)


@two_loops.mistake("a forgotten in the second loop", "The second loop adds (a − b) s, with the a of the first loop.")
def _(g, S, Y):
    return _two_loops(g, S, Y, reversed, list, back=lambda a, b: -b)


# 5. implement: H v from two gradients; the answer holds how many gradients it asked for
class _Cubic:
    """The gradient of Σ aᵢ xᵢ³ + (b·x)²/2; it counts how often it is asked."""

    def __init__(self, a, b):
        self.a, self.b, self.calls = a, b, 0

    def __call__(self, x):
        self.calls += 1
        return 3 * self.a * x**2 + (self.b @ x) * self.b

    def __repr__(self):
        return "a function x -> ∇f(x)"


def _gradient(rng):
    d = int(rng.integers(3, 6))
    a, b, x, v = rng.integers(-2, 3, (4, d)).astype(float)
    return dict(grad=_Cubic(a, b), x=x, v=v if v.any() else np.ones(d), h=0.01)


def _counted(answer, grad, x, v, h):
    return np.r_[answer(grad, x, v, h), grad.calls]


@function("05.hvp", cases=_gradient, rtol=1e-6, atol=1e-6, call=_counted)
def hvp(grad, x, v, h):
    return (grad(x + h * v) - grad(x - h * v)) / (2 * h)


@hvp.mistake("H materialised",
             "Right product, but you built all of H: 2 d gradients. Step along v itself: two are enough.")
def _(grad, x, v, h):
    return np.stack([(grad(x + h * e) - grad(x - h * e)) / (2 * h) for e in np.eye(len(x))]) @ v


@hvp.mistake("H materialised by forward differences",
             "You built all of H. Step along v itself: two gradients are enough.")
def _(grad, x, v, h):
    return np.stack([(grad(x + h * e) - grad(x)) / h for e in np.eye(len(x))]) @ v


@hvp.mistake("forward difference", "You step to one side: the error is O(h). Step to both sides of x.")
def _(grad, x, v, h):
    return (grad(x + h * v) - grad(x)) / h


@hvp.mistake("half the distance", "The two points are 2h apart: divide by 2h.")
def _(grad, x, v, h):
    return (grad(x + h * v) - grad(x - h * v)) / h


# 6. experiment: damping that walks from a hilltop to a minimum
LOWEST = "lowest eigenvalue of H + λI on the way"


def _after_damping(damping):
    """The loss after 40 damped Newton steps from near Himmelblau's hilltop, and the lowest λ + curvature on the way."""
    from shared.descent import run
    from shared.optimizers import Newton
    from shared.problems import himmelblau

    f, λ = himmelblau(), float(damping)
    xs = run(Newton(damping=λ), f, [-0.3, -0.8], 40)
    lowest = λ + np.linalg.eigvalsh(np.nan_to_num(f.hess(xs))).min()
    return {"loss": float(f(xs[-1])), LOWEST: float(lowest)}


damping = setting("05.damping", solution=60.0, measure=_after_damping,
                  goal="H + λI positive definite all the way, and a loss below 1e-6 after 40 steps",
                  accept=lambda found: found["loss"] < 1e-6 and found[LOWEST] > 0)
damping.mistake("not enough damping",
                "H + λI is not positive definite all the way, so a step may go uphill, and where it arrives is luck. "
                "λ must exceed the size of the most negative curvature it meets.",
                0.0, when=lambda λ, found: found[LOWEST] <= 0)
damping.mistake("too much damping",
                "Tiny steps: with λ far above the curvature this is gradient descent at rate 1/λ.", 1e4,
                when=lambda λ, found: λ > 100)
