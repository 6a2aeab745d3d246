"""Exercises of chapter 1: reference, random cases and the mistakes that check names."""

import numpy as np

from shared.course.exercises import function, number, setting

# 1. derive: how blind is a random direction?
cosine = number("01.cosine", 1e-2)
cosine.mistake("the mean square", "You have the mean of cos². The question asks for its root.", 1e-4)
cosine.mistake("the mean", "Up and down cancel: the mean is 0. You are asked for the root of the mean square.", 0.0)
cosine.mistake("d upside down", "More directions make agreement rarer, so the answer must fall as d grows.", 100.0)


# 2. implement: the gradient by finite differences
def _gradient_case(rng):
    d = int(rng.integers(1, 4))
    a, b = rng.integers(-3, 4, (2, d)).astype(float)
    return dict(f=lambda x: float(a @ x**3 + b @ x + x.prod()), x=rng.integers(-2, 3, d).astype(float), h=0.1)


def _differences(f, x, forward, backward):
    """(f(x + forward eᵢ) − f(x − backward eᵢ)) / (forward + backward) for every i."""
    E = np.eye(len(x))
    return np.array([(f(x + forward * e) - f(x - backward * e)) / (forward + backward) for e in E])


@function("01.differences", cases=_gradient_case)
def differences(f, x, h):
    return _differences(f, x, h, h)


@differences.mistake("forward difference", "You step to one side only. Divide f(x + h eᵢ) − f(x − h eᵢ) by 2h.")
def _(f, x, h):
    return _differences(f, x, h, 0.0)


@differences.mistake("backward difference", "You step to one side only. Divide f(x + h eᵢ) − f(x − h eᵢ) by 2h.")
def _(f, x, h):
    return _differences(f, x, 0.0, h)


@differences.mistake("all coordinates moved at once", "x + h moves them all. Move coordinate i alone: x + h eᵢ.")
def _(f, x, h):
    return np.full(len(x), (f(x + h) - f(x - h)) / (2 * h))


# 3. derive: how many steps does a contraction need?
steps = number("01.steps", 132)
steps.mistake("one step short", "After 131 steps the error is still a little above 10⁻⁶. Round up.", 131)
steps.mistake("logarithm of the wrong base", "Use the same logarithm in numerator and denominator.",
              np.ceil(np.log10(1e-6) / np.log(0.9)))  # fmt: skip
steps.mistake("subtracting instead of multiplying", "Each step removes a tenth of what is left.", 10)


# 4. implement: early stopping
def _losses(rng):
    n = int(rng.integers(4, 12))
    return dict(losses=rng.integers(0, 8, n) / 10, patience=int(rng.integers(1, 4)))  # ties: "strictly lower" matters


def _early_stop(losses, patience, keep_last=False, against_previous=False, ties=False, slack=0):
    best, waited, record = 0, 0, losses[0]
    for k in range(1, len(losses)):
        if losses[k] < record or (ties and losses[k] == record):
            best, waited = k, 0
        else:
            waited += 1
        record = losses[k] if against_previous else min(record, losses[k])
        if waited >= patience + slack:
            break
    else:
        k = len(losses) - 1
    return (k, k) if keep_last else (k, best)


@function("01.early_stop", cases=_losses)
def early_stop(losses, patience):
    return _early_stop(losses, patience)


@early_stop.mistake("keeps the last parameters", "Go back: the second number is the epoch with the lowest loss.")
def _(losses, patience):
    return _early_stop(losses, patience, keep_last=True)


@early_stop.mistake("compares with the previous epoch", "Compare with the best so far: a zigzag upwards must stop.")
def _(losses, patience):
    return _early_stop(losses, patience, against_previous=True)


@early_stop.mistake("a tie counts as a new best", "An equal loss is no progress: wait for a strictly lower one.")
def _(losses, patience):
    return _early_stop(losses, patience, ties=True)


@early_stop.mistake("one epoch too patient", "Stop as soon as `patience` epochs in a row have brought no new best.")
def _(losses, patience):
    return _early_stop(losses, patience, slack=1)


# 5. experiment: leave the basin
HOME = 2  # the lower left minimum, where every small rate leads


def settles(lr):
    """The minimum of Himmelblau's function that gradient descent reaches from (−0.5, −1) in 1,000 steps."""
    from shared.descent import basin
    from shared.optimizers import SGD
    from shared.problems import himmelblau

    return int(basin(SGD(lr), himmelblau(), np.array([-0.5, -1.0]), 1000, radius=0.05))


leave = setting("01.leave", solution=0.023, goal="a minimum other than number 2",
                measure=settles, accept=lambda which: which >= 0 and which != HOME)  # fmt: skip
leave.mistake("too small a rate", "Up to 2/λ of minimum 2 every rate stays there. Go above it.",
              0.01, when=lambda lr, which: which == HOME)  # fmt: skip
leave.mistake("diverged", "The steps grew without limit. Go lower.", 0.05, when=lambda lr, which: which == -2)
leave.mistake("no rest", "It bounces for ever without settling. Most rates do: try just below the largest 2/λ of the "
              "table, in steps of 0.0002.", 0.018, when=lambda lr, which: which == -1)  # fmt: skip
