"""What communication costs: times, bytes and memory from a few numbers, before anything is bought. NumPy only.

Sizes in bytes, times in seconds, bandwidth in bytes per second. A message of n bytes takes α + n/β: a latency α, and
n over the bandwidth β. Everything broadcasts.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Link:
    """One rank's connection: `latency` α in seconds and `bandwidth` β in bytes per second, each way."""

    latency: float
    bandwidth: float

    def __post_init__(self):
        if not (np.all(np.asarray(self.latency) >= 0) and np.all(np.asarray(self.bandwidth) > 0)):
            raise ValueError(f"Link: needs latency >= 0 and bandwidth > 0, got {self.latency!r}, {self.bandwidth!r}")

    def __call__(self, n):
        """Seconds of one message of n bytes."""
        return self.latency + n / self.bandwidth


# ---- All-reduce of n bytes over p ranks: messages one after the other, and bytes on the busiest link, each way ---


def ring(n, p):
    """2(p−1) messages of n/p bytes: (messages, bytes)."""
    return 2 * (p - 1), 2 * (p - 1) / p * n


def tree(n, p):
    """2⌈log₂ p⌉ messages of n bytes: (messages, bytes)."""
    depth = np.ceil(np.log2(p))
    return 2 * depth, 2 * depth * n


def server(n, p):
    """The server's link carries p−1 messages of n bytes in, and as many out: (messages, bytes)."""
    return 2 * (p - 1), 2 * (p - 1) * n


ALGORITHMS = {"ring": ring, "tree": tree, "server": server}


def all_reduce(algorithm, n, p, link):
    """Seconds of an all-reduce of n bytes over p ranks by "ring", "tree" or "server"."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown all-reduce {algorithm!r}; choose from {', '.join(ALGORITHMS)}")
    messages, carried = ALGORITHMS[algorithm](np.asarray(n, dtype=float), np.asarray(p, dtype=float))
    return messages * link.latency + carried / link.bandwidth


def fit(algorithm, sizes, p, seconds):
    """The Link that explains measured seconds of all-reduces with the least squared relative error (α, 1/β >= 0)."""
    messages, carried = ALGORITHMS[algorithm](np.asarray(sizes, dtype=float), np.asarray(p, dtype=float))
    A = np.stack(np.broadcast_arrays(messages, carried), -1).astype(float)
    t = np.broadcast_to(np.asarray(seconds, dtype=float), A.shape[:-1])
    A, ones = A / t[..., None], np.ones(t.size)
    scale = A.max(0)
    candidates = [np.linalg.lstsq(A / scale, ones, rcond=None)[0] / scale]
    if (candidates[0] < 0).any():  # then one of the two is zero
        candidates = [np.eye(2)[i] * (A[:, i].sum() / (A[:, i] ** 2).sum()) for i in range(2)]
    α, per_byte = min(candidates, key=lambda c: ((A @ c - 1) ** 2).sum())
    return Link(float(α), float(1 / max(per_byte, 1e-15)))


# ---- Steps -------------------------------------------------------------------------------------------------------


def exposed(backward, communication, buckets=1):
    """Communication that is not hidden behind the backward pass, when gradients leave in equal buckets as they appear.

    Bucket i is ready after backward · i/buckets, and is sent after the one before it. With one bucket nothing hides.
    """
    return np.maximum(communication / buckets, communication - backward * (1 - 1 / buckets))


def bubble(stages, micro):
    """The share of a pipeline step in which a stage is idle: (p−1)/(m+p−1)."""
    return (stages - 1) / (micro + stages - 1)


def memory(parameters, ranks=1, stage=0, weights=2, gradient=2, optimizer=12):
    """Bytes a rank needs of (parameters, gradient, optimizer) by ZeRO stage 0 ... 3; activations come on top.

    The defaults are those of mixed precision with Adam (Rajbhandari et al. 2020): two bytes for a weight and for its
    gradient; a copy of the weight in float32 and two moments make twelve.
    """
    if stage not in (0, 1, 2, 3):
        raise ValueError(f"ZeRO stage must be 0, 1, 2 or 3, got {stage!r}")
    whole = np.array([weights, gradient, optimizer], dtype=float)
    sliced = np.array([stage >= 3, stage >= 2, stage >= 1])
    share = np.where(sliced, 1 / np.asarray(ranks, dtype=float)[..., None], 1.0)
    return np.asarray(parameters, dtype=float)[..., None] * whole * share


@dataclass(frozen=True)
class Plan:
    """One step of a transformer of `parameters` numbers on `tokens` tokens in all, over `ranks` devices.

    `flops` per second and device that are reached; gradients and activations in `width` bytes; `layers` and `hidden`
    give the activations that tensor and pipeline parallel send. Compute is 6 flops a parameter and token, a third of it
    forward (Kaplan et al. 2020).
    """

    parameters: float
    ranks: int
    link: Link
    tokens: float = 2**20
    flops: float = 2e14
    layers: int = 48
    width: int = 2
    micro: int = 32
    buckets: int = 32

    @property
    def hidden(self):
        """The width of the layers, from 12 layers·hidden² parameters."""
        return (self.parameters / (12 * self.layers)) ** 0.5

    @property
    def compute(self):
        """Seconds of arithmetic of one device, if all is shared equally."""
        return 6 * self.parameters * self.tokens / (self.flops * self.ranks)

    def data(self):
        """Data parallel: seconds of (compute, exposed communication, bubble); the ring hides behind the backward."""
        t = all_reduce("ring", self.width * self.parameters, self.ranks, self.link)
        return self.compute, exposed(2 / 3 * self.compute, t, self.buckets), 0.0

    def zero3(self):
        """ZeRO-3: parameters are gathered twice and gradients scattered once, layer by layer: 1.5 times a ring."""
        t = 1.5 * all_reduce("ring", self.width * self.parameters / self.layers, self.ranks, self.link) * self.layers
        return self.compute, exposed(self.compute, t, self.layers), 0.0

    def tensor(self):
        """Tensor parallel: four all-reduces of a layer's activations, on the way of the computation: none hides."""
        n = self.width * self.tokens * self.hidden
        return self.compute, 4 * self.layers * all_reduce("ring", n, self.ranks, self.link), 0.0

    def pipeline(self):
        """Pipeline: a stage a rank, `micro` micro-batches; activations go to the neighbour, gradients come back."""
        p, idle = self.ranks, bubble(self.ranks, self.micro)
        n = self.width * self.tokens / self.micro * self.hidden
        messages = 2 * (self.micro + p - 2) * (p > 1)
        return self.compute, messages * self.link(n), self.compute * idle / (1 - idle)

    def bytes(self, strategy):
        """Bytes of parameters, gradient and optimizer on one device."""
        stage = {"data": 0, "zero3": 3}.get(strategy)
        if stage is None:  # layers or matrices are split, with all that belongs to them
            return memory(self.parameters / self.ranks).sum(-1)
        return memory(self.parameters, self.ranks, stage).sum(-1)


STRATEGIES = {"data": "data parallel", "zero3": "ZeRO-3 / FSDP", "tensor": "tensor parallel", "pipeline": "pipeline"}


def schedule(algorithm, p):
    """Who sends what to whom: a list of steps, each a list of (from, to, chunk) with chunks 0 ... p−1 of the message.

    In the first half of the steps the receiver adds, in the second half it keeps. See collectives for the same as code
    of one rank.
    """
    if algorithm == "ring":
        halves = [[[(r, (r + 1) % p, (r + first - s) % p) for r in range(p)] for s in range(p - 1)] for first in (0, 1)]
        return halves[0] + halves[1]
    if algorithm == "server":
        up = [[(r, 0)] for r in range(1, p)]
    else:
        strides = [2**k for k in range((p - 1).bit_length())]
        up = [[(r, r - s) for r in range(s, p, 2 * s)] for s in strides]
    down = [[(b, a) for a, b in step] for step in (up if algorithm == "server" else reversed(up))]
    return [[(a, b, c) for a, b in step for c in range(p)] for step in up + down]
