"""Sequence tasks, and the loss of a recurrent cell that reads them, as an oracle (chapter 7).

Sequences x are (T, ..., n, d): time first. A sequence comes in, an answer is due at its end.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from shared import chance
from shared.models.cells import Array, Weights, backward, forward

from .sums import cross_entropy


def squared(z, y):
    """The mean squared error of answers z (..., n, 1) to y (..., n), and its gradient in z."""
    e = z[..., 0] - y
    return (e**2).mean(-1), (2 / e.shape[-1] * e)[..., None]


def mean_cross_entropy(z, y):
    """The mean cross-entropy of logits z (..., n, c) for classes y (..., n), and its gradient in z."""
    losses, grads = cross_entropy(z, y)
    return losses.mean(-1), grads / z.shape[-2]


@dataclass(frozen=True)
class Adding:
    """The adding problem (Hochreiter & Schmidhuber 1997): T random numbers, two of them marked; answer with their sum.

    One mark falls into each half. Answering 1 always has a mean squared error of 1/6.
    """

    T: int
    inputs, outputs, loss = 2, 1, staticmethod(squared)

    def sample(self, rng, shape):
        """Sequences (T, *shape, 2) and answers (*shape)."""
        value, half = rng.random((self.T, *shape)), self.T // 2
        marks = rng.integers(half, size=shape), rng.integers(half, self.T, size=shape)
        t = np.arange(self.T).reshape(-1, *[1] * len(shape))
        marked = (t == marks[0]) | (t == marks[1])
        return np.stack([value, marked], -1), (value * marked).sum(0)


@dataclass(frozen=True)
class FirstSymbol:
    """Recall: a first symbol out of `symbols`, then T − 1 random others; at the end, say which came first."""

    T: int
    symbols: int = 4
    loss = staticmethod(mean_cross_entropy)

    @property
    def inputs(self):
        return 2 * self.symbols

    @property
    def outputs(self):
        return self.symbols

    def sample(self, rng, shape):
        """One-hot sequences (T, *shape, 2 symbols) and classes (*shape). Distractors are symbols of their own."""
        said = rng.integers(self.symbols, size=(self.T, *shape))
        code = said + self.symbols * (np.arange(self.T) > 0).reshape(-1, *[1] * len(shape))
        return np.eye(self.inputs)[code], said[0]


@dataclass(frozen=True, eq=False)
class Forecast:
    """A stretch of T values of a series; answer with the one that follows."""

    series: Array
    T: int
    inputs, outputs, loss = 1, 1, staticmethod(squared)

    def windows(self):
        """Every stretch (T, n, 1) and what followed it (n,)."""
        stretches = sliding_window_view(self.series, self.T + 1)
        return stretches[:, :-1].T[..., None], stretches[:, -1]

    def sample(self, rng, shape):
        x, y = self.windows()
        rows = rng.integers(len(y), size=shape)
        return x[:, rows], y[rows]


# ---- A recurrent network is a landscape, too ---------------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """The loss of a cell that reads a task's sequences, over the flat vector of its parameters: an oracle.

    Answers are V h_T + a. Step t draws a new batch, a pure function of (seed, t) and different for each network. x is
    (..., dim): networks in one batch. `every` truncates backpropagation. Arithmetic in `dtype`.
    """

    cell: type
    task: object
    units: int = 16
    batch_size: int = 20
    every: int | None = None
    seed: int = 0
    t: int = 0
    dtype: type = np.float32

    @property
    def shapes(self):
        """Of every parameter: those of Weights, then V and a."""
        G, m, d, k = self.cell.gates * self.units, self.units, self.task.inputs, self.task.outputs
        return (G, d), (G, m), (G,), (G,), (k, m), (k,)

    @property
    def dim(self):
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def at(self, t):
        return replace(self, t=t)

    def start(self, seeds, gate=None, bias=0.0, radius=1.0):
        """Where to begin, for each seed: (len(seeds), dim). W and V have variance 1/fan-in, each gate's block of U is
        `radius` times an orthogonal matrix, biases are 0, but those of one `gate` (by number) are `bias`."""
        G, m, d = self.cell.gates, self.units, self.task.inputs
        x = np.zeros((len(seeds), self.dim))
        W, U, b, _, V, _ = self.tensors(x)
        for i, seed in enumerate(seeds):
            rng = chance.rng(seed)
            W[i], V[i] = rng.standard_normal(W[i].shape) / d**0.5, rng.standard_normal(V[i].shape) / m**0.5
            U[i] = radius * np.linalg.qr(rng.standard_normal((G, m, m)))[0].reshape(G * m, m)
        if gate is not None:
            b[:, gate * m : (gate + 1) * m] = bias
        return x

    def tensors(self, x):
        """The flat parameters (..., dim) as arrays (views)."""
        ends = np.cumsum([np.prod(shape) for shape in self.shapes])[:-1]
        return [part.reshape(*x.shape[:-1], *shape) for part, shape in zip(np.split(x, ends, -1), self.shapes)]

    def answers(self, x, inputs):
        """What networks x (..., dim) answer to inputs (T, ..., n, d), and what the way back needs of them."""
        *θ, V, a = self.tensors(np.asarray(x).astype(self.dtype))
        hs, _, tape = forward(self.cell, Weights(*θ), inputs.astype(self.dtype))
        return hs[-1] @ V.mT + a[..., None, :], (Weights(*θ), V, hs, tape)

    def batch(self, x):
        rng = chance.rng((self.seed, self.t))
        return self.task.sample(rng, (*np.shape(x)[:-1], self.batch_size))

    def __call__(self, x):
        inputs, y = self.batch(x)
        return self.task.loss(self.answers(x, inputs)[0].astype(float), y)[0]

    def grad(self, x):
        inputs, y = self.batch(x)
        z, (θ, V, hs, tape) = self.answers(x, inputs)
        δ = self.task.loss(z, y)[1].astype(self.dtype)
        dhs = np.zeros_like(hs)
        dhs[-1] = δ @ V
        grads, _, _ = backward(self.cell, θ, tape, dhs, self.every)
        parts = *grads, δ.mT @ hs[-1], δ.sum(-2)
        return np.concatenate([g.reshape(*np.shape(x)[:-1], -1) for g in parts], -1).astype(float)


def gradient_by_lag(f, x):
    """Norms of ∂f/∂h and ∂f/∂(input) at lag 0, 1, ..., T − 1 for a unit gradient at the end: two arrays (..., T).

    Means over the batch of the Reader f, for its networks x (..., dim).
    """
    θ = Weights(*f.tensors(x)[:4])
    hs, _, tape = forward(f.cell, θ, f.batch(x)[0])
    dhs = np.zeros_like(hs)
    u = chance.rng(0).standard_normal(dhs[-1].shape)
    dhs[-1] = u / np.linalg.norm(u, axis=-1, keepdims=True)
    _, dx, δ = backward(f.cell, θ, tape, dhs)
    arrives, inputs = (np.moveaxis(np.linalg.norm(v, axis=-1).mean(-1)[::-1], 0, -1) for v in (δ, dx))
    return arrives, inputs
