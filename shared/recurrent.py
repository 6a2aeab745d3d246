"""Recurrent networks by hand: RNN, LSTM and GRU, forward and backward through time, in NumPy (chapter 7).

Sequences x are (T, n, d): time first, n sequences. A cell of m units keeps a state s, a tuple of arrays (n, m) whose
first is the output h. Its parameters are those of torch's cells, `gates` blocks of m rows each:

    zx = W x + b        zh = U h + c        with W (gates·m, d), U (gates·m, m), b and c (gates·m,)

Several networks run at once: leading axes of the parameters, (..., gates·m, d), with x (T, ..., n, d) or (T, n, d).
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import chance
from .problems import cross_entropy

Array = np.ndarray


class Weights(NamedTuple):
    """The parameters of a cell, or their gradients."""

    W: Array
    U: Array
    b: Array
    c: Array


def sigmoid(z):
    """1 / (1 + e⁻ᶻ), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


class RNN:
    """The plain recurrent network (Elman 1990).

        h ← tanh(zx + zh)
    """

    gates, states = 1, 1

    @staticmethod
    def step(zx, zh, s):
        """One step forward: the new state, and what the way back needs (the tape)."""
        h = np.tanh(zx + zh)
        return (h,), h

    @staticmethod
    def back(ds, h):
        """One step back: ∂f/∂zx, ∂f/∂zh, and what reaches the old state directly, not through zh."""
        (dh,) = ds
        dz = dh * (1 - h**2)
        return dz, dz, (0.0,)


class LSTM:
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000).

        i, f, o = σ(z),  g = tanh(z)          blocks of z = zx + zh, in the order i, f, g, o
        c ← f ⊙ c + i ⊙ g
        h ← o ⊙ tanh(c)
    """

    gates, states = 4, 2

    @staticmethod
    def step(zx, zh, s):
        i, f, g, o = np.split(zx + zh, 4, -1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * s[1] + i * g
        y = np.tanh(c)
        return (o * y, c), (i, f, g, o, y, s[1])

    @staticmethod
    def back(ds, tape):
        i, f, g, o, y, c_old = tape
        dh, dc = ds
        dc = dc + dh * o * (1 - y**2)
        dz = np.concatenate([dc * g * i * (1 - i), dc * c_old * f * (1 - f), dc * i * (1 - g**2),
                             dh * y * o * (1 - o)], -1)  # fmt: skip
        return dz, dz, (0.0, dc * f)


class GRU:
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product, as torch and cuDNN have it.

        r, u = σ(zx + zh)                     first two blocks: reset, update
        n = tanh(zx + r ⊙ zh)                 third block
        h ← (1 − u) ⊙ n + u ⊙ h
    """

    gates, states = 3, 1

    @staticmethod
    def step(zx, zh, s):
        (xr, xu, xn), (hr, hu, hn) = np.split(zx, 3, -1), np.split(zh, 3, -1)
        r, u = sigmoid(xr + hr), sigmoid(xu + hu)
        n = np.tanh(xn + r * hn)
        return ((1 - u) * n + u * s[0],), (r, u, n, hn, s[0])

    @staticmethod
    def back(ds, tape):
        r, u, n, hn, h_old = tape
        (dh,) = ds
        dn = dh * (1 - u) * (1 - n**2)
        dr, du = dn * hn * r * (1 - r), dh * (h_old - n) * u * (1 - u)
        return np.concatenate([dr, du, dn], -1), np.concatenate([dr, du, dn * r], -1), (dh * u,)


CELLS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


def forward(cell, θ, x, s=None):
    """Run a cell over x (T, n, d) from the state s (zeros by default): outputs (T, n, m), last state, tape."""
    W, U, b, c = θ
    zx, U, c = x @ W.mT + b[..., None, :], U.mT, c[..., None, :]
    s = s or (np.zeros((*zx.shape[1:-1], U.shape[-2]), zx.dtype),) * cell.states
    hs, tapes = [s[0]], []
    for z in zx:
        s, tape = cell.step(z, hs[-1] @ U + c, s)
        hs.append(s[0])
        tapes.append(tape)
    return np.stack(hs[1:]), s, (x, hs, tapes)


def backward(cell, θ, tape, dhs, every=None):
    """Backpropagation through time: from dhs = ∂f/∂h_t, as the loss sees them, (T, n, m), to all gradients.

        for t = T ... 1:    ds ← ds + dh_t;    dz, ds ← one step back;    ds ← ds + Uᵀ dz
        ∂f/∂W = Σ_t dz_t x_tᵀ,    ∂f/∂U = Σ_t dz_t h_{t−1}ᵀ

    Returns the gradients of the weights, a Weights; ∂f/∂x (T, n, d); and δ (T, n, m), the whole ∂f/∂h_t. `every`
    truncates: ds is forgotten between chunks of so many steps, counted from the end; the states go on through all.
    """
    x, hs, tapes = tape
    ds, dzx, dzh, δ = (0.0,) * cell.states, [], [], []
    for t in reversed(range(len(x))):
        ds = (ds[0] + dhs[t], *ds[1:])
        δ.append(ds[0])
        dx, dh, ds = cell.back(ds, tapes[t])
        dzx.append(dx)
        dzh.append(dh)
        ds = (ds[0] + dh @ θ.U, *ds[1:])
        if every and (len(x) - t) % every == 0:
            ds = (0.0,) * cell.states
    dzx, dzh, δ = (np.stack(values[::-1]) for values in (dzx, dzh, δ))
    grads = Weights((dzx.mT @ x).sum(0), (dzh.mT @ np.stack(hs[:-1])).sum(0), dzx.sum((0, -2)), dzh.sum((0, -2)))
    return grads, dzx @ θ.W, δ


# ---- Tasks: a sequence comes in, an answer is due at its end -----------------------------------------------------


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
