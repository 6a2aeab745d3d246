"""What stands still in a live figure: its background, painted again only when it changed, and the still picture."""

from contextlib import ExitStack
from io import BytesIO

import numpy as np
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.spines import Spine
from PIL import Image

from .artists import axis_key
from .raster import png

ACCENT = "#0067a5"  # a point's handle, as in live.css


class Still:
    """The background of a figure: everything that is not live, as matplotlib paints it."""

    def __init__(self, fig):
        self.fig, self.canvas = fig, FigureCanvasAgg(fig)
        self.layout = fig.get_layout_engine()
        fig.set_layout_engine("none")  # run here, and only when it may matter: it is the larger half of a repaint
        self.background, self.artists, self.key = b"", [], None

    def paint(self, live, whole, relayout):
        """Paint the background (PNG bytes) if something that stands still changed; returns whether it did.

        live: the live artists; whole: axes that live as a whole; relayout: whether to run the layout before painting.
        """
        for artist in live:
            if not artist.get_animated():  # an animated artist is part of savefig, but not of canvas.draw()
                artist.set_animated(True)
        if not self._changed({id(artist) for artist in live}, {id(ax) for ax in whole}):
            return False
        if relayout and self.layout is not None:
            self.layout.execute(self.fig)
        self.canvas.draw()
        self._is_drawn()
        buffer = BytesIO()
        Image.fromarray(np.asarray(self.canvas.buffer_rgba())[..., :3]).save(buffer, "png", compress_level=1)
        self.background = buffer.getvalue()
        return True

    def _changed(self, live, whole):
        """Whether anything that is not live changed since it was last asked."""
        key, still, stale = [], [], False
        for ax in self.fig.axes:
            if id(ax) in whole:
                continue
            children = [c for c in ax.get_children() if id(c) not in live and not isinstance(c, Axis | Spine)]
            key += [axis_key(axis) for axis in (ax.xaxis, ax.yaxis) if id(axis) not in live] + children
            if len(children) > 1:  # more than the patch
                key.append(tuple(ax.viewLim.extents))
            still += children
        key += (rest := [*self.fig.texts, *self.fig.lines, *self.fig.patches, *self.fig.legends, *self.fig.images])
        still += [artist for artist in rest if id(artist) not in live]
        for artist in still:
            stale |= artist.stale
            key.append(tuple(t.get_text() for t in artist.get_texts()) if hasattr(artist, "get_texts") else None)
            if getattr(artist, "get_array", lambda: None)() is not None:  # set_array does not make an artist stale
                key.append(hash(np.ma.getdata(artist.get_array()).tobytes()))
                key.append(hash(np.ma.getmaskarray(artist.get_array()).tobytes()))
        changed = stale or key != self.key
        self.artists, self.key = still, key
        return changed

    def _is_drawn(self):
        for artist in self.artists:
            artist._stale = False  # some artists (invisible ones) leave this to nobody

    def picture(self, scale, shown, k, handles):
        """The whole figure at step k as PNG bytes at `scale` times the screen's resolution, drawn by matplotlib.

        shown: its trails and heads, of which matplotlib sees only what is shown at step k; handles: (axes, place) of
        its points, drawn as rings.
        """
        with ExitStack() as afterwards:
            afterwards.callback(self._is_drawn)
            for item in shown:
                afterwards.callback(item.cut(k))
            for ax, place in handles:
                ring, = ax.plot(*place, "o", ms=9, mfc="none", mec=ACCENT, mew=2, scalex=False, scaley=False, zorder=9)
                afterwards.callback(ring.remove)
            return png(self.fig, scale * self.fig.dpi / 2)
