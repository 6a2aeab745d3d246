"""Recurrent networks by hand: RNN, LSTM and GRU, forward and backward through time, in NumPy (chapter 7).

Sequences x are (T, n, d): time first, n sequences. A cell of m units keeps a state s, a tuple of arrays (n, m) whose
first is the output h. Its parameters are those of torch's cells, `gates` blocks of m rows each:

    zx = W x + b        zh = U h + c        with W (gates·m, d), U (gates·m, m), b and c (gates·m,)

Several networks run at once: leading axes of the parameters, (..., gates·m, d), with x (T, ..., n, d) or (T, n, d).
"""

from typing import NamedTuple

import numpy as np

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
