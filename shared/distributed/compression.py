"""Gradients as short messages: codecs over the last axis, error feedback, and PowerSGD. NumPy only.

A codec has `encode(g) -> message` (a tuple of arrays, g of shape (..., d)) and `decode(message, d) -> (..., d)`.
`adds` says whether the sum of messages is the message of the sum. Only those can be all-reduced; others are gathered:
see `travels` for what the network carries.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Full:
    """Everything, in float32."""

    adds = True

    def encode(self, g):
        return (g.astype(np.float32),)

    def decode(self, message, d):
        return message[0].astype(float)


@dataclass(frozen=True)
class TopK:
    """The `share` of entries that are largest in size, with their places: (values, int32 indices)."""

    adds = False
    share: float = 0.01

    def __post_init__(self):
        if not 0 < self.share <= 1:
            raise ValueError(f"TopK: share must lie in (0, 1], got {self.share!r}")

    def encode(self, g):
        k = max(1, round(self.share * g.shape[-1]))
        places = np.argpartition(-np.abs(g), k - 1, axis=-1)[..., :k]
        return np.take_along_axis(g, places, -1).astype(np.float32), places.astype(np.int32)

    def decode(self, message, d):
        values, places = message
        g = np.zeros((*values.shape[:-1], d))
        np.put_along_axis(g, places.astype(int), values, -1)
        return g


@dataclass(frozen=True)
class Sign:
    """One bit an entry, and one scale: mean |g| times the sign (Karimireddy et al. 2019)."""

    adds = False

    def encode(self, g):
        return np.packbits(g >= 0, axis=-1), np.abs(g).mean(-1, keepdims=True).astype(np.float32)

    def decode(self, message, d):
        bits, scale = message
        return scale * (2.0 * np.unpackbits(bits, axis=-1, count=d) - 1)


@dataclass(frozen=True)
class Int8:
    """One byte an entry, and one scale: g in steps of max |g| / 127, rounded to the nearest."""

    adds = False

    def encode(self, g):
        scale = np.abs(g).max(-1, keepdims=True) / 127
        return np.round(g / np.where(scale == 0, 1, scale)).astype(np.int8), scale.astype(np.float32)

    def decode(self, message, d):
        return message[0] * message[1].astype(float)


def nbytes(message, leading=0):
    """Bytes of one message, of arrays that hold many over `leading` axes."""
    return sum(part.nbytes // int(np.prod(part.shape[:leading])) for part in message)


def travels(n, p, adds):
    """Bytes that each of p ranks sends so that all have the mean of messages of n bytes.

    Messages that add up meet in a ring all-reduce: 2(p−1)/p n. Others must go around whole, an all-gather: (p−1) n.
    """
    return (2 * (p - 1) / p if adds else p - 1) * n


def with_feedback(codec, g, e):
    """One round of error feedback (Seide et al. 2014): add what was never sent, send, keep what was lost.

        c = encode(g + e)            sent: c            e ← g + e − decode(c)

    Returns the message, what the others will decode, and the new e.
    """
    message = codec.encode(g + e)
    sent = codec.decode(message, g.shape[-1])
    return message, sent, g + e - sent


def power_sgd(M, Q, mean):
    """PowerSGD (Vogels, Karimireddy & Jaggi 2019, Algorithm 1): the mean of the ranks' matrices M, at a low rank.

        P ← mean(M Q)        P ← orthonormal columns of P        Q ← mean(Mᵀ P)        mean(M) ≈ P Qᵀ

    M (..., rows, cols), Q (..., cols, r) from the last step; `mean` averages over the ranks: an all-reduce. Only P and
    Q travel. Returns the approximation and the next Q.
    """
    P = np.linalg.qr(mean(M @ Q))[0]
    Q = mean(np.swapaxes(M, -1, -2) @ P)
    return P @ np.swapaxes(Q, -1, -2), Q
