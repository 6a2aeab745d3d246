"""Trails and heads: live artists of which only some items are shown, depending on the step of the Play control."""

from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D
from matplotlib.text import Text


class Shown:
    """A live artist of which only some items are shown, depending on the step."""

    def __init__(self, how, artist, each):
        if not isinstance(artist, Line2D | PathCollection | LineCollection | PolyCollection | BarContainer | Text):
            accepted = "a line, a scatter, a line or polygon collection, bars or a text"
            raise ValueError(f"{how}({type(artist).__name__}): accepted is {accepted}")
        self.how, self.artist, self.each = how, artist, each

    def visible(self, items, k):
        """The slice of `items` that is shown at step k."""
        return slice(k * self.each if self.how == "head" else 0, min(items, (k + 1) * self.each))

    def cut(self, k):
        """Cut the artist's data to what is shown at step k; returns what undoes it."""
        artist = self.artist
        if isinstance(artist, Line2D):
            x, y = artist.get_data(orig=False)
            part = self.visible(len(x), k)
            artist.set_data(x[part], y[part])
            return lambda: artist.set_data(x, y)
        if isinstance(artist, PathCollection):
            offsets = artist.get_offsets()
            artist.set_offsets(offsets[self.visible(len(offsets), k)])
            return lambda: artist.set_offsets(offsets)
        if isinstance(artist, LineCollection | PolyCollection):
            paths = artist.get_paths()
            artist._paths = paths[self.visible(len(paths), k)]
            return lambda: setattr(artist, "_paths", paths)
        if isinstance(artist, Text):
            text = artist.get_text()
            artist.set_text("\n".join(text.split("\n")[self.visible(text.count("\n") + 1, k)]))
            return lambda: artist.set_text(text)
        part = self.visible(len(artist), k)
        for i, bar in enumerate(artist):
            bar.set_visible(part.start <= i < part.stop)
        return lambda: [bar.set_visible(True) for bar in artist]


def trail(artist, each=1):
    """Show the first k + 1 items of a live artist, where k is the value of the Play control."""
    return Shown("trail", artist, each)


def head(artist, each=1):
    """Show only item k of a live artist, where k is the value of the Play control."""
    return Shown("head", artist, each)


def unwrapped(shown):
    """The artist itself of a live artist that may be a trail or a head."""
    return shown.artist if isinstance(shown, Shown) else shown
