"""Whether exceptions of `compute` and `draw` are raised (tests) or shown in the figure (readers)."""

import os
from contextlib import contextmanager
from contextvars import ContextVar

_strict = ContextVar("strict", default=bool(os.environ.get("LIVE_STRICT")))


@contextmanager
def strict(on=True):
    """Within, exceptions of compute and draw are raised.

    It holds for the thread that says so: what a message of the browser raises on another thread, nobody would catch.
    There the environment variable LIVE_STRICT decides, as everywhere else.
    """
    token = _strict.set(on)
    try:
        yield
    finally:
        _strict.reset(token)


def is_strict():
    """Whether exceptions are raised here."""
    return _strict.get()
