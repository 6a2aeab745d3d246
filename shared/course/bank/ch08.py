"""Exercises of chapter 8: reference, random cases and the mistakes that check names."""

import numpy as np

from shared.course.exercises import function, number, setting


# 1. implement: the gradient of the whole batch from the means of unequal shards
def _shards(rng):
    ranks = int(rng.integers(2, 5))
    return dict(means=rng.integers(-5, 6, (ranks, 3)).astype(float), counts=rng.permutation(np.arange(1, 8))[:ranks])


@function("08.average", cases=_shards)
def average(means, counts):
    return counts @ means / counts.sum()


@average.mistake("mean of unequal shards", "A shard with few examples must weigh less: multiply by its count.")
def _(means, counts):
    return means.mean(0)


@average.mistake("the sum is not divided", "You have the sum over all examples. Divide by their number.")
def _(means, counts):
    return counts @ means


@average.mistake("divided by the ranks", "Divide by the number of examples, not of ranks.")
def _(means, counts):
    return counts @ means / len(counts)


# 2. implement: the chunk that a rank sends in the reduce-scatter of a ring
def _place(rng):
    p = int(rng.integers(3, 9))
    return dict(rank=int(rng.integers(p)), step=int(rng.integers(p - 1)), p=p)


@function("08.chunk", cases=_place)
def chunk(rank, step, p):
    return (rank - step) % p


@chunk.mistake("off by one", "That is the chunk it receives. At step 0 a rank sends the chunk of its own number.")
def _(rank, step, p):
    return (rank - step - 1) % p


@chunk.mistake("off by one the other way", "That belongs to the all-gather. At step 0 a rank sends chunk number rank.")
def _(rank, step, p):
    return (rank - step + 1) % p


@chunk.mistake("the wrong direction", "You send on what just came from rank − 1: the numbers go down.")
def _(rank, step, p):
    return (rank + step) % p


@chunk.mistake("no modulo", "It is a ring: below 0 it goes on at p − 1.")
def _(rank, step, p):
    return rank - step


@chunk.mistake("always the same chunk", "After the first step pass on the sum that you have just received.")
def _(rank, step, p):
    return rank


# 3. implement: error feedback around the sign
def _gradient(rng):
    return dict(g=rng.integers(-5, 6, 4) + 0.5, e=rng.integers(-5, 6, 4) + 0.25)


def _sign(c):
    return np.abs(c).mean() * np.sign(c)


def _both(answer, g, e):
    found = answer(g, e)
    return found if found is ... else np.stack(found)


@function("08.feedback", cases=_gradient, call=_both)
def feedback(g, e):
    return _sign(g + e), g + e - _sign(g + e)


@feedback.mistake("missing error feedback", "The old error e is nowhere used. Add it to g before you compress.")
def _(g, e):
    return _sign(g), g - _sign(g)


@feedback.mistake("the error is kept, but never sent", "Compress g + e, not g: the memory must be sent some day.")
def _(g, e):
    return _sign(g), g + e - _sign(g)


@feedback.mistake("the old error is forgotten", "What is left is g + e − sent.")
def _(g, e):
    return _sign(g + e), g - _sign(g + e)


@feedback.mistake("the error has the wrong sign", "What is left is what should have been sent minus what was sent.")
def _(g, e):
    return _sign(g + e), _sign(g + e) - g - e


@feedback.mistake("no scale", "A bare sign has the size 1. Multiply by the mean of |g + e|.")
def _(g, e):
    return np.sign(g + e), g + e - np.sign(g + e)


# 4. implement: accumulate first, communicate once
RANKS = 3


def _parts(rng):
    return dict(parts=rng.integers(-4, 5, (int(rng.integers(2, 5)), 2)) + 0.5)


def _communicated(answer, parts):
    """The answer's gradient, and how many numbers it sent, where all RANKS ranks hold the same micro-batches."""
    sent = []

    def all_reduce(v):
        sent.append(np.size(v))
        return RANKS * np.asarray(v, dtype=float)

    return np.append(answer(parts, all_reduce), sum(sent))


@function("08.accumulate", cases=_parts, call=_communicated)
def accumulate(parts, all_reduce):
    return all_reduce(parts.sum(0))


@accumulate.mistake("all-reduce before the local sum", "The sum is right, but it travels in every part. Add up first.")
def _(parts, all_reduce):
    return sum(all_reduce(part) for part in parts)


@accumulate.mistake("only the last micro-batch", "The parts before it are lost: add all of them.")
def _(parts, all_reduce):
    return all_reduce(parts[-1])


@accumulate.mistake("nothing is sent", "That is the sum of one rank. The others have micro-batches, too.")
def _(parts, all_reduce):
    return parts.sum(0)


# 5. derive: the time of a ring all-reduce: 8 workers, 1 GB, α = 20 µs, β = 10 GB/s
seconds = number("08.seconds", 14 * 20e-6 + 14 / 8 * 0.1, rtol=2e-4)
seconds.mistake("one pass only", "The all-gather takes as long again.", 7 * 20e-6 + 7 / 8 * 0.1)
seconds.mistake("a parameter server", "In a ring a message is one chunk: an eighth of it.", 14 * (20e-6 + 0.1))
seconds.mistake("a tree", "That is 2 log₂ 8 messages of the whole gradient: a tree.", 6 * (20e-6 + 0.1))
seconds.mistake("p instead of p − 1", "After p − 1 steps each chunk is complete.", 16 * 20e-6 + 16 / 8 * 0.1)
seconds.mistake("no latency", "Each of the 14 messages costs 20 µs on top.", 14 / 8 * 0.1)


# 6. experiment: a learning rate that stands a delay of eight steps
def delayed_error(lr):
    """|x| after 200 steps on f = 2 x² with gradients 8 steps old, from 1."""
    from shared.distributed.simulate import delayed
    from shared.problems import quadratic

    bowl = quadratic(1, d=1)
    xs = delayed(bowl, np.ones(1), lr * 4 / bowl.hess(np.zeros(1))[0, 0], 8, 200)
    return float(np.abs(xs[-1, 0])) if np.isfinite(xs[-1, 0]) else np.inf


stale = setting("08.stale", solution=0.011, goal="an error below 1e-4 after 200 steps", measure=delayed_error,
                accept=lambda error: error < 1e-4)  # fmt: skip
stale.mistake("near or above the limit", "At 2 sin(π/34)/4 it swings for ever, above it grows: stay well below.",
              0.2, when=lambda lr, error: lr > 0.025)  # fmt: skip
stale.mistake("too timid", "Stable, but slow. Go up, and stay below the limit.", 0.001,
              when=lambda lr, error: lr < 0.009)  # fmt: skip
