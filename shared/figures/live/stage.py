"""A matplotlib figure taken apart for the browser: a picture of what stands still, and above it marks of what lives."""

import threading
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle

from .artists import Reader
from .glyphs import GLYPHS, letters_of
from .steps import Shown, unwrapped
from .still import Still

LOCK = threading.RLock()  # widget messages may arrive on another thread; matplotlib's caches know no threads


class Frame(NamedTuple):
    """What the reader sees at some values of the controls."""

    values: dict
    background: bytes  # PNG of what stands still, at twice the screen's resolution
    scene: dict  # the marks above it, their vertices, where the axes are, the last step, and the error, if any
    glyphs: dict  # number -> outline of the letters met so far


class Stage:
    """The live artists of a figure before its background: `frame` shows what the artists hold now."""

    def __init__(self, fig, live):
        self.fig, self.live, self.glyphs = fig, list(live), {}
        self.size = [round(v * fig.dpi) for v in fig.get_size_inches()]  # in CSS pixels
        fig.set_dpi(2 * fig.dpi)  # twice the screen's resolution: sharp on any display
        self.still, self.reader = Still(fig), Reader(fig)
        for artist in map(unwrapped, self.artists()):
            one = artist[0] if isinstance(artist, BarContainer) else artist
            if not isinstance(one, Artist) or one.get_figure(root=True) is not fig:
                raise ValueError(f"live: {one!r} is not an artist of this figure")

    def artists(self):
        """The live artists of this moment: as given, containers and axes opened, and every title."""
        for item in self.live:
            if isinstance(item, Axes):
                titles = _titles(item)
                yield from (c for c in item.get_children() if c is not item.patch and c not in titles)
            elif isinstance(item, BarContainer) and all(type(b) is Rectangle and not b.get_angle() for b in item):
                yield item
            elif isinstance(item, list | tuple):
                for part in item:
                    yield from part if isinstance(part, list | tuple) else [part]
            else:
                yield item
        for ax in self.fig.axes:
            yield from _titles(ax)
        if self.fig._suptitle is not None:
            yield self.fig._suptitle

    @property
    def shown(self):
        """The trails and heads."""
        return [item for item in self.live if isinstance(item, Shown)]

    def frame(self, values, last, relayout):
        """The Frame of what the artists hold now; `last` is the last step, `relayout` whether it may be rearranged."""
        artists, plain = list(self.artists()), []
        for artist in map(unwrapped, artists):
            plain += artist if isinstance(artist, BarContainer) else [artist]
        if self.still.paint(plain, [item for item in self.live if isinstance(item, Axes)], relayout):
            self.reader.cache.clear()
        marks = self.reader.read(artists)
        letters = set().union(*map(letters_of, marks))
        if not letters <= self.glyphs.keys():
            self.glyphs = {number: GLYPHS.outlines[number] for number in sorted(letters | self.glyphs.keys())}
        scene = pack(marks) | {"axes": [self._axes(ax) for ax in self.fig.axes], "n": last, "error": ""}
        return Frame(values, self.still.background, scene, self.glyphs)

    def blank(self, values):
        """The Frame without a mark: for a figure that could not be drawn."""
        frame = self.frame(values, 0, True)
        return frame._replace(scene={"marks": [], "xy": b"", "axes": [], "n": 0, "error": ""})

    def _axes(self, ax):
        """Where axes are, in pixels from the top left corner, and what they measure."""
        height = self.fig.bbox.height
        box = [round(v, 2) for v in (ax.bbox.x0, height - ax.bbox.y1, ax.bbox.x1, height - ax.bbox.y0)]
        x, y = (*map(float, ax.get_xlim()), ax.get_xscale()), (*map(float, ax.get_ylim()), ax.get_yscale())
        return {"box": box, "x": x, "y": y}


def pack(marks):
    """Marks with one buffer for all vertices; each mark says where its own begin."""
    packed, vertices, start = [], [np.empty((0, 2), np.float32)], 0
    for mark in marks:
        xy = mark.get("xy")
        mark = {k: v for k, v in mark.items() if k != "xy"}
        if xy is not None:
            mark |= {"from": start, "count": len(xy)}
            vertices.append(np.asarray(xy, dtype=np.float32))
            start += len(xy)
        packed.append(mark)
    return {"marks": packed, "xy": np.concatenate(vertices).tobytes()}


def vertices(scene):
    """All vertices of a scene, (N, 2) in pixels."""
    return np.frombuffer(scene["xy"], np.float32).reshape(-1, 2)


def _titles(ax):
    return [ax.title, ax._left_title, ax._right_title]
