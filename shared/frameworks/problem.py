"""The problem of this chapter: a small network on digits whose gradient is plain NumPy, the same for every library."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from shared import chance, data
from shared.descent import loss_at
from shared.problems import cross_entropy


@dataclass(frozen=True, eq=False)
class TinyNetwork:
    """A network 64 -> hidden (tanh) -> 10 on digits, cross-entropy; the batch of step t is the same for everyone.

    start: [W1 (64, h), W2 (h, 10)] or [W1, b1 (h,), W2, b2 (10,)], inputs along the rows as in Keras and Optax; or
    [x (d,)], all of them in one vector, for rules that treat every coordinate alike.
    """

    start: list
    X: np.ndarray  # (n, 64)
    y: np.ndarray  # (n,)
    batches: np.ndarray  # (steps, B): whose examples step t takes
    shapes: tuple  # of the tensors, when start is [all of them in one vector (d,)]

    def batch(self, t):
        """The inputs (B, 64) and labels (B,) of step t = 1, 2, ..."""
        rows = self.batches[(t - 1) % len(self.batches)]
        return self.X[rows], self.y[rows]

    def outputs(self, tensors, X):
        """The hidden units (..., n, h) and logits (n, 10) for inputs X (n, 64)."""
        W1, b1, W2, b2 = tensors if len(tensors) == 4 else (tensors[0], 0, tensors[1], 0)
        h = np.tanh(X.astype(W1.dtype) @ W1 + b1)
        return h, h @ W2 + b2

    def grads(self, tensors, t):
        """The gradients of the batch's mean cross-entropy: backpropagation, by hand."""
        if len(tensors) == 1:
            return [np.concatenate([g.ravel() for g in self.grads(self.unflatten(tensors[0]), t)])]
        X, y = self.batch(t)
        h, z = self.outputs(tensors, X)
        δ = cross_entropy(z, y)[1] / len(y)
        back = (δ @ tensors[-2 if len(tensors) == 4 else -1].T) * (1 - h * h)
        weights, biases = [X.T.astype(h.dtype) @ back, h.T @ δ], [back.sum(0), δ.sum(0)]
        return weights if len(tensors) == 2 else [weights[0], biases[0], weights[1], biases[1]]

    def loss(self, tensors, X=None, y=None):
        """The mean cross-entropy over all training data, or over X and y."""
        X, y = (self.X, self.y) if X is None else (X, y)
        _, z = self.outputs(tensors, X)
        return float(cross_entropy(z, y)[0].mean())

    def unflatten(self, flat):
        """The tensors of a flat vector (d,)."""
        cuts = np.cumsum([math.prod(s) for s in self.shapes])[:-1]
        return [part.reshape(s) for part, s in zip(np.split(flat, cuts), self.shapes)]


@lru_cache
def tiny_network(hidden=16, batch=32, steps=100, seed=0, biases=True, flat=False):
    """The network, its weights drawn with `seed` (Xavier), and the order of its batches."""
    digits, rng = data.digits(), chance.rng(seed)
    n = len(digits.y_train)
    start = [rng.normal(0, (2 / sum(s)) ** 0.5, s) for s in ((64, hidden), (hidden, 10))]
    if biases:
        start = [start[0], np.zeros(hidden), start[1], np.zeros(10)]
    batches = np.stack([rng.choice(n, batch, replace=False) for _ in range(steps)])
    shapes = tuple(x.shape for x in start)
    if flat:
        start = [np.concatenate([x.ravel() for x in start])]
    return TinyNetwork(start, digits.x_train, digits.y_train, batches, shapes)


@dataclass(frozen=True, eq=False)
class OnLandscape:
    """Any oracle of the course, f.grad(x) for x (d,), as a problem for `Recipe`."""

    f: object
    x0: np.ndarray

    @property
    def start(self):
        return [self.x0]

    def grads(self, tensors, t):
        return [loss_at(self.f, t).grad(tensors[0].astype(float)).astype(tensors[0].dtype)]
