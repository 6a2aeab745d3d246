"""Tests of live figures: drive every control, and compare what the reader sees."""

import hashlib
import json

import numpy as np

from .controls import Choice, Choices, Point, Toggle
from .strictness import strict


def fingerprint(explorer):
    """A fingerprint of what is on the screen: two equal ones mean that the reader sees the same."""
    values, background, scene, _ = explorer.frame()
    digest = hashlib.sha1(background, usedforsecurity=False)
    digest.update(json.dumps(scene, default=bytes.hex, sort_keys=True).encode())
    step = [values[c.name] for c in explorer.controls.values() if c.kind == "play"]
    if any("show" in mark for mark in scene["marks"]):
        digest.update(str(step).encode())
    points = [values[c.name] for c in explorer.controls.values() if isinstance(c, Point) and c.handle]
    hidden = [c.name for c in explorer.controls.values() if not c.shown(values)]
    return digest.hexdigest() + str(points) + str(hidden)


def sweep(explorer, points=5):
    """Drive every control across its range, ends included, and leave the figure as it was.

    Raises what compute or draw raise, and AssertionError if a control changes nothing (neither at the first values nor
    with another choice made), if limits become infinite, or if compute gives different arrays for the same values.
    """
    first = explorer.values

    def visit(**values):
        explorer.set(**values)
        assert not explorer.error, f"{values}: {explorer.error}"
        for ax in explorer.fig.axes:
            assert np.isfinite(ax.viewLim.extents).all(), f"{values}: limits {ax.viewLim.extents} of {ax}"
        return fingerprint(explorer)

    def settings(when):
        """The first values (with what brings the control up), then the same with one choice made differently."""
        yield when or {}
        for control in explorer.controls.values():
            if isinstance(control, Choice | Choices | Toggle):
                yield from ({control.name: value} for value in reversed(control.span()))

    def alive(name, control):
        """Whether a control changes what is seen, in some setting."""
        for setting in settings(control.when):
            explorer.set(**first)
            visit(**setting)
            if len({visit(**{name: value}) for value in control.span(points)}) > 1:
                return True
        return False

    with strict():
        dead = []
        for name, control in explorer.controls.items():
            if not alive(name, control):
                dead.append(name)
            visit(**first)
        assert not dead, f"controls that change nothing: {', '.join(dead)}"
        compute = explorer.recipe.compute
        np.testing.assert_equal(compute(first), compute(first), err_msg="compute is not pure")
