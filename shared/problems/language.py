"""Real text as data: words and their numbers, the bigram model, bags of words (chapter 3).

Words have a heavy-tailed distribution: a few are everywhere, most are rare. That is what adaptive methods thrive on.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shared.data import text


def words(source=None):
    """The words and signs of a text, in order and in lower case; of the course's text when none is given."""
    return re.findall(r"[a-z_]+|[^\sa-z_]", (text() if source is None else source).lower())


def encode(tokens, size):
    """Every token as its rank in frequency, 0 the most common; all beyond `size` − 1 share the last number: (n,)."""
    if size < 2:
        raise ValueError(f"a vocabulary needs at least 2 words, got size={size}")
    rank = {word: i for i, (word, _) in enumerate(Counter(tokens).most_common(size - 1))}
    return np.array([rank.get(word, size - 1) for word in tokens])


def sentences(ids, length):
    """Overlapping windows of a text: what a language model reads, and what it must guess, (n, length) each."""
    windows = np.lib.stride_tricks.sliding_window_view(ids, length + 1)
    return windows[:, :-1], windows[:, 1:]


def bags(ids, length, size):
    """Passages of `length` words as bags: which of the `size` words occur, 0 or 1, (n, size), in order."""
    passages = ids[: len(ids) // length * length].reshape(-1, length)
    bag = np.zeros((len(passages), size))
    np.put_along_axis(bag, passages, 1.0, axis=1)
    return bag


@dataclass(frozen=True, eq=False)
class Bigram:
    """The loss of guessing the next word from the last one: softmax regression on all pairs at once.

    `P` (V, V) holds the share of every pair (last, next); x (..., V²) the logits, a row for every last word. Convex,
    and its lowest value is known: `floor`, the entropy of the next word given the last.
    """

    P: np.ndarray

    @classmethod
    def of(cls, ids, size, level=""):
        """From a text in numbers; pairs with a number of `size` or more are left out.

        `level` weights the pairs so that all words are equally frequent as the "next", as the "last", or, as far as the
        pairs allow, as "both" (Sinkhorn's iteration, which ends with the last words).
        """
        if level not in ("", "next", "last", "both"):
            raise ValueError(f"level must be '', 'next', 'last' or 'both', got {level!r}")
        P, pairs = np.zeros((size, size)), np.stack([ids[:-1], ids[1:]])
        np.add.at(P, tuple(pairs[:, (pairs < size).all(0)]), 1.0)
        for _ in range(100 if level == "both" else 1):
            if level in ("next", "both"):
                P = P / np.maximum(P.sum(0), np.finfo(float).tiny)
            if level in ("last", "both"):
                P = P / np.maximum(P.sum(1, keepdims=True), np.finfo(float).tiny)
        return cls(P / P.sum())

    @property
    def dim(self):
        return self.P.size

    @cached_property
    def last(self):
        """How often each word is the last one: (V, 1)."""
        return self.P.sum(1, keepdims=True)

    @cached_property
    def floor(self):
        """−Σ P log(P / last), the least possible loss."""
        ratio = np.divide(self.P, self.last, out=np.ones_like(self.P), where=self.P > 0)
        return float(-(self.P * np.log(ratio)).sum())

    def _logits(self, x):
        z = x.reshape(*x.shape[:-1], *self.P.shape)
        return z - z.max(-1, keepdims=True)

    def losses(self, x):
        """The share of the loss that each next word causes: (..., V). They sum to f(x)."""
        z = self._logits(x)
        return -(self.P * (z - np.log(np.exp(z).sum(-1, keepdims=True)))).sum(-2)

    def __call__(self, x):
        return self.losses(x).sum(-1)

    def grad(self, x):
        p = np.exp(self._logits(x))
        p *= self.last / p.sum(-1, keepdims=True)
        p -= self.P
        return p.reshape(x.shape)
