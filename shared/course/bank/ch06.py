"""Exercises of chapter 6: reference, random cases and the mistakes that check names."""

import numpy as np

from shared.course.exercises import function, number, setting

# 1. derive: He's standard deviation for a layer from 512 to 128 units
he = number("06.he", (2 / 512) ** 0.5)
he.mistake("fan-out instead of fan-in", "The sum in z runs over the inputs. Count those: 512.", (2 / 128) ** 0.5)
he.mistake("variance instead of standard deviation", "That is the variance. Take the root.", 2 / 512)
he.mistake("no correction for ReLU", "ReLU halves the mean square: make up for it.", (1 / 512) ** 0.5)
he.mistake("Xavier", "That is the compromise of fan-in and fan-out, for tanh.", (2 / 640) ** 0.5)


# 2. implement: clipping by the global norm
def _gradients(rng):
    sizes = rng.integers(1, 4, int(rng.integers(2, 4)))
    return dict(grads=[rng.integers(-4, 5, n).astype(float) for n in sizes], c=float(rng.choice([0.5, 2.0, 20.0])))


def _stacked(clip, grads, c):
    return np.concatenate([np.asarray(g, dtype=float).ravel() for g in clip(grads, c)])


def _norm(grads):
    return max(np.sqrt(sum((g**2).sum() for g in grads)), 1e-300)


@function("06.clip", cases=_gradients, call=_stacked)
def clip(grads, c):
    return [g * min(1, c / _norm(grads)) for g in grads]


@clip.mistake("each tensor by its own norm", "One norm for all: the direction of the whole gradient must not change.")
def _(grads, c):
    return [g * min(1, c / _norm([g])) for g in grads]


@clip.mistake("clipped by value", "You bound every number. Shorten the whole gradient by one factor.")
def _(grads, c):
    return [np.clip(g, -c, c) for g in grads]


@clip.mistake("short gradients are stretched", "Never multiply by more than 1: clipping only shortens.")
def _(grads, c):
    return [g * c / _norm(grads) for g in grads]


@clip.mistake("squared norm", "Take the root of the sum of squares.")
def _(grads, c):
    return [g * min(1, c / _norm(grads) ** 2) for g in grads]


@clip.mistake("sum of the norms", "The norm of the whole gradient is the root of the sum of all squares.")
def _(grads, c):
    return [g * min(1, c / max(sum(_norm([g]) for g in grads), 1e-300)) for g in grads]


# 3. implement: batch normalisation, forward
def _batch(rng):
    n, d = rng.integers(3, 6, 2)
    return dict(z=rng.integers(-5, 6, (n, d + 3)).astype(float), gamma=rng.integers(1, 4, d + 3).astype(float),
                beta=rng.integers(-2, 3, d + 3).astype(float), eps=0.1)  # fmt: skip


def _normalise(z, gamma, beta, eps, axis=0, ddof=0):
    return gamma * (z - z.mean(axis, keepdims=True)) / np.sqrt(z.var(axis, ddof=ddof, keepdims=True) + eps) + beta


@function("06.batch_norm", cases=_batch)
def batch_norm(z, gamma, beta, eps):
    return _normalise(z, gamma, beta, eps)


@batch_norm.mistake("the wrong axis", "That is layer norm. Average over the examples, axis 0.")
def _(z, gamma, beta, eps):
    return _normalise(z, gamma, beta, eps, axis=1)


@batch_norm.mistake("one mean for everything", "Every unit has its own mean and variance: axis 0.")
def _(z, gamma, beta, eps):
    return _normalise(z, gamma, beta, eps, axis=None)


@batch_norm.mistake("variance with n − 1", "Divide by the number of examples: var without ddof.")
def _(z, gamma, beta, eps):
    return _normalise(z, gamma, beta, eps, ddof=1)


@batch_norm.mistake("epsilon outside the root", "Add ε to the variance, inside the root.")
def _(z, gamma, beta, eps):
    return gamma * (z - z.mean(0)) / (z.std(0) + eps) + beta


@batch_norm.mistake("divided by the variance", "Divide by the standard deviation: take the root.")
def _(z, gamma, beta, eps):
    return gamma * (z - z.mean(0)) / (z.var(0) + eps) + beta


@batch_norm.mistake("scale and shift forgotten", "After normalising, multiply by γ and add β.")
def _(z, gamma, beta, eps):
    return _normalise(z, 1.0, 0.0, eps)


# 4. implement: dropout
def _units(rng):
    h = rng.integers(1, 9, 5).astype(float)
    return dict(h=h, keep=(np.arange(5) != rng.integers(5)).astype(float), p=float(rng.choice([0.2, 0.25, 0.75])))


@function("06.dropout", cases=_units)
def dropout(h, keep, p):
    return h * keep / (1 - p)


@dropout.mistake("not rescaled", "The next layer now receives less on average. Divide what is left by 1 − p.")
def _(h, keep, p):
    return h * keep


@dropout.mistake("divided by p", "p is the share that is dropped. A unit survives with probability 1 − p.")
def _(h, keep, p):
    return h * keep / p


@dropout.mistake("multiplied by 1 − p", "Survivors must grow to make up for the dropped: divide.")
def _(h, keep, p):
    return h * keep * (1 - p)


@dropout.mistake("the kept are dropped", "keep is 1 for the units that stay.")
def _(h, keep, p):
    return h * (1 - keep) / (1 - p)


# 5. implement: which parameters to decay
_KINDS = {"linear.weight": 2, "linear.bias": 1, "norm.weight": 1, "norm.bias": 1}


def _parameters(rng):
    names = [f"{i}.{kind}" for i in range(int(rng.integers(1, 4))) for kind in _KINDS]
    return dict(shapes={name: tuple(rng.integers(1, 9, _KINDS[name.split(".", 1)[1]]).tolist()) for name in names})


def _marked(decayed, shapes):
    chosen = set(decayed(shapes))
    return np.array([name in chosen for name in shapes], dtype=float)


@function("06.decayed", cases=_parameters, call=_marked)
def decayed(shapes):
    return [name for name, shape in shapes.items() if len(shape) > 1]


@decayed.mistake("decay on batch-norm parameters", "norm.weight is a scale: pulling γ to 0 shuts units off.")
def _(shapes):
    return [name for name in shapes if name.endswith("weight")]


@decayed.mistake("everything decays", "Biases and norms fit an offset or a scale, they do not overfit. Leave them out.")
def _(shapes):
    return list(shapes)


@decayed.mistake("biases decay", "A bias is an offset: leave it free.")
def _(shapes):
    return [name for name in shapes if "norm" not in name]


@decayed.mistake("the wrong half", "You chose those that should not decay.")
def _(shapes):
    return [name for name, shape in shapes.items() if len(shape) < 2]


# 6. experiment: the gain that carries a gradient through 40 layers of ReLU
def arriving(gain):
    """δ₁/δ₄₀ of a ReLU network of 40 layers, 128 wide: the median over three seeds."""
    from torch.nn.functional import cross_entropy

    from shared import data
    from shared.models.deep import deep
    from shared.problems.flow import flow

    nets = (deep(64, 128, 40, 10, activation="relu", init="lecun", gain=gain, seed=s) for s in range(3))
    digits = data.digits(standardize=True)
    deltas = [flow(net, cross_entropy, digits.x_train[:32], digits.y_train[:32]).deltas for net in nets]
    return float(np.median([d[0] / d[-1] for d in deltas]))


gain = setting("06.gain", solution=2**0.5, goal="a ratio of first to last delta between 1/3 and 3",
               measure=arriving, accept=lambda ratio: 1 / 3 < ratio < 3)  # fmt: skip
gain.mistake("vanishing", "Every layer halves the mean square, and σ² must undo that. Go higher.",
             1.0, when=lambda σ, ratio: ratio <= 1 / 3)  # fmt: skip
gain.mistake("exploding", "Each layer multiplies by more than 1. Go lower.", 2.0, when=lambda σ, ratio: not ratio < 3)
