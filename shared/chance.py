"""All chance of the course: every random draw begins here, and COURSE_SEED moves all of them to another world.

The environment variable `COURSE_SEED` (a whole number, 0 by default: the course as printed) reaches child processes by
itself. In world 0 a seed is what NumPy and torch make of it; in any other world it opens a stream of its own, so that
no draw of one world appears in another (NumPy's spawn keys). What the course claims should hold in all of them.

May import: nothing.
"""

import os

import numpy as np


def world():
    """The number of the world, from COURSE_SEED. Raises ValueError for anything but a whole number >= 0."""
    said = os.environ.get("COURSE_SEED", "0") or "0"
    if not said.isdecimal():
        raise ValueError(f"COURSE_SEED must be a whole number >= 0, got {said!r}")
    return int(said)


def _sequence(seed):
    """What NumPy draws from: the seed alone in world 0, as in np.random.default_rng(seed)."""
    w = world()
    return np.random.SeedSequence(seed, spawn_key=(w,) if w else ())


def rng(seed=0):
    """NumPy's generator for a seed: a whole number >= 0, or several of them."""
    return np.random.default_rng(_sequence(seed))


def integer(seed=0):
    """A seed for a library that takes one number, in [0, 2**32): the seed itself in world 0."""
    return int(_sequence(seed).generate_state(1)[0]) if world() else seed


def generator(seed=0):
    """torch's generator for a whole number >= 0."""
    import torch  # here, because those below the networks draw too

    return torch.Generator().manual_seed(integer(seed))
