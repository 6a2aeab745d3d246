"""Reads matplotlib artists into marks: small dictionaries that marks.js paints, with their vertices in pixels.

Kinds of marks: `poly` (lines and polygons, one piece each), `dots` (one outline at many places), `text` (letters as
outlines), `captions` (a line of text for each step), `image`. The common artists are read directly, 0.1 ms each; any
other draws itself on a recording backend.
"""

import numpy as np
from matplotlib.axis import Axis
from matplotlib.cbook import STEP_LOOKUP_MAP
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.container import BarContainer
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from .glyphs import EM, GLYPHS
from .recorder import Recorder
from .steps import Shown, unwrapped
from .svg import css, css_each, each, marker_data

FAR = 1e6  # pixels: a vertex farther away than this is brought nearer in its own direction (float32, canvas)


class Reader:
    """Reads live artists into marks, with vertices `xy` in pixels from the top left corner."""

    def __init__(self, fig):
        self.fig, self.cache = fig, {}

    def read(self, artists):
        """Marks of (artist or Shown) in the order of drawing; `of` is the place of the artist in the list."""
        (width, self.height), self.scale = self.fig.bbox.size, self.fig.dpi / 72
        self.recorder, self.middle = Recorder(width, self.height, self.fig.dpi), (width / 2, self.height / 2)
        marks = []
        for place, shown in sorted(enumerate(artists), key=lambda item: self._zorder(item[1])):
            artist, how = unwrapped(shown), shown if isinstance(shown, Shown) else None
            if not isinstance(artist, BarContainer) and not artist.get_visible():
                continue
            if how and isinstance(artist, Text):
                new = self._captions(artist)
            else:
                new = self.readers.get(type(artist), Reader._polygons if how else Reader.recorded)(self, artist)
            more = {"of": place} | ({"show": [how.how, how.each]} if how else {})
            marks += [mark | more for mark in new]
        return marks

    @staticmethod
    def _zorder(shown):
        artist = unwrapped(shown)
        if isinstance(artist, BarContainer):
            return artist[0].zorder if len(artist) else 0
        return artist.zorder

    def _clip(self, artist):
        box = artist.get_clip_box() if artist.get_clip_on() else None
        return self.recorder.flip(box) if box is not None else None

    def _dash(self, pattern):
        return [round(d * self.scale, 2) for d in pattern] if pattern else []

    def _pixels(self, vertices, transform):
        """Vertices in pixels: infinite ones become gaps, far ones are brought nearer on the ray from the middle."""
        with np.errstate(all="ignore"):
            xy = np.array(transform.transform(vertices), dtype=float).reshape(-1, 2)
            xy[:, 1] = self.height - xy[:, 1]
            if not np.abs(xy).sum() < FAR:  # also if it is not a number: some vertex may need care
                far = np.abs(xy - self.middle).max(1)
                xy[~np.isfinite(far)] = np.nan
                out = far > FAR
                xy[out] = self.middle + (xy[out] - self.middle) * (FAR / far[out])[:, None]
        return xy

    def _line(self, line):
        every, style = line.get_markevery(), line.get_drawstyle()
        if not (every is None or isinstance(every, int)):
            return self.recorded(line)
        marks, alpha, clip, data = [], line.get_alpha(), self._clip(line), line.get_xydata()
        xy = points = self._pixels(data, line.get_transform())
        if style != "default" and len(xy):
            xy = np.column_stack(STEP_LOOKUP_MAP[style](*points.T))
        if line.get_linestyle() not in ("None", " ", "") and line.get_linewidth() > 0:
            dash = line._dash_pattern[1]
            marks.append({
                "kind": "poly", "xy": xy, "clip": clip, "n": len(xy), "items": 1 if style == "default" else 2,
                "fill": None, "stroke": css(line.get_color(), alpha), "dash": self._dash(dash),
                "width": round(line.get_linewidth() * self.scale, 2),
                "cap": line.get_dash_capstyle() if dash else line.get_solid_capstyle(),
            })  # fmt: skip
        if line.get_marker() not in ("None", None, " ", ""):
            marker = line._marker
            size = line.get_markersize() * self.scale if line.get_marker() != "," else 1
            marks.append({
                "kind": "dots", "xy": points[::every], "clip": clip, "size": 1, "every": every or 1,
                "path": marker_data(marker.get_path(), marker.get_transform().frozen().scale(size)),
                "fill": css(line.get_markerfacecolor(), alpha) if marker.is_filled() else None,
                "stroke": css(line.get_markeredgecolor(), alpha),
                "width": round(line.get_markeredgewidth() * self.scale, 2),
            })  # fmt: skip
        return marks

    def _scatter(self, dots):
        paths = dots.get_paths()
        if len(paths) != 1:
            return self.recorded(dots)
        dots.update_scalarmappable()
        return [{
            "kind": "dots", "xy": self._pixels(np.ma.filled(dots.get_offsets(), np.nan), dots.get_offset_transform()),
            "clip": self._clip(dots), "path": marker_data(paths[0]),
            "size": each(np.sqrt(dots.get_sizes()) * self.scale),
            "fill": css_each(dots.get_facecolor()), "stroke": css_each(dots.get_edgecolor()),
            "width": each(np.asarray(dots.get_linewidth()) * self.scale),
        }]  # fmt: skip

    def _polygons(self, many):
        """Line and polygon collections: one item per segment or polygon."""
        many.update_scalarmappable()
        paths = [p.vertices for p in many.get_paths()]
        return [{
            "kind": "poly", "n": [len(p) for p in paths], "clip": self._clip(many), "cap": "butt",
            "xy": self._pixels(np.concatenate(paths) if paths else np.empty((0, 2)), many.get_transform()),
            "fill": css_each(many.get_facecolor()) if not isinstance(many, LineCollection) else None,
            "stroke": css_each(many.get_edgecolor()), "width": each(np.asarray(many.get_linewidth()) * self.scale),
            "dash": self._dash(many._linestyles[0][1]),
        }]  # fmt: skip

    def _bars(self, bars):
        if not len(bars):
            return []
        x, y, w, h = np.array([(*b.get_xy(), b.get_width(), b.get_height()) for b in bars]).T
        corners = np.stack([x, y, x + w, y, x + w, y + h, x, y + h, x, y], 1).reshape(-1, 2)
        return [{
            "kind": "poly", "xy": self._pixels(corners, bars[0].get_data_transform()), "n": [5] * len(bars),
            "clip": self._clip(bars[0]), "fill": css_each([b.get_facecolor() for b in bars]),
            "stroke": css_each([b.get_edgecolor() for b in bars]), "dash": [], "cap": "butt",
            "width": each(b.get_linewidth() * self.scale for b in bars),
        }]  # fmt: skip

    def _image(self, image):
        ax = image.axes
        if ax.get_xscale() != "linear" or ax.get_yscale() != "linear":
            return self.recorded(image)
        rgba = image.to_rgba(image.get_array(), alpha=image.get_alpha(), bytes=True)
        left, right, bottom, top = image.get_extent()
        if image.origin == "lower":
            rgba = rgba[::-1]
        # A box of negative width or height is drawn mirrored by marks.js.
        (x0, y1), (x1, y0) = self._pixels([(left, bottom), (right, top)], image.get_transform()).tolist()
        return [{
            "kind": "image", "xy": None, "clip": self._clip(image), "box": [x0, y0, x1 - x0, y1 - y0],
            "shape": [rgba.shape[1], rgba.shape[0]], "rgba": np.ascontiguousarray(rgba).tobytes(),
            "smooth": image.get_interpolation() not in ("nearest", "none", "auto", "antialiased"),
        }]  # fmt: skip

    def recorded(self, artist):
        """Any artist, through its own draw method; texts and axes are read again only if they changed."""
        ax = artist.axes
        key = None
        if isinstance(artist, Text | Axis):
            place = (*ax.bbox.bounds, *ax.viewLim.extents) if ax is not None else ()
            key = (place, axis_key(artist) if isinstance(artist, Axis) else (artist.get_text(), artist.get_position()))
            kept = self.cache.get(id(artist))
            if kept and kept[0] == key and not artist.stale:
                return kept[1]
        self.recorder.marks = marks = []
        if not (type(artist) is Text and self._write(artist)):
            artist.draw(self.recorder)
        artist.stale = False
        if key:
            self.cache[id(artist)] = key, marks
        return marks

    def _write(self, text):
        """Whether a text is a plain line that begins at its place, as titles do: then it is drawn without a layout."""
        plain = text.get_horizontalalignment() == "left" and text.get_verticalalignment() == "baseline"
        plain &= not (text.get_rotation() or text.get_bbox_patch() or text.get_path_effects() or text.get_usetex())
        said = text.get_text()
        if not plain or "\n" in said or not said:
            return False
        gc, (x, y) = self.recorder.new_gc(), text.get_transform().transform(text.get_unitless_position())
        gc.set_foreground(to_rgba(text.get_color(), text.get_alpha()), isRGBA=True)
        text._set_gc_clip(gc)
        said, ismath = text._preprocess_math(said)
        y = self.height - y if self.recorder.flipy() else y
        self.recorder.draw_text(gc, x, y, said, text.get_fontproperties(), 0, ismath)
        return True

    def _captions(self, text):
        """A text of which line k belongs to step k: letters are put side by side by marks.js."""
        lines, prop = text.get_text().split("\n"), text.get_fontproperties()
        alphabet = {c: GLYPHS.letter(c, prop) for c in sorted(set("".join(lines)))}
        x, y = self._pixels([text.get_transform().transform(text.get_unitless_position())], Affine2D())[0].tolist()
        size = prop.get_size_in_points() * self.scale / EM
        below = {"top": 76, "center": 36, "center_baseline": 36, "bottom": -24}.get(text.get_verticalalignment(), 0)
        return [{
            "kind": "captions", "xy": None, "clip": self._clip(text), "at": [x, y + below * size],
            "size": round(size, 5), "angle": text.get_rotation(), "lines": lines, "alphabet": alphabet,
            "align": {"left": 0, "center": 0.5, "right": 1}[text.get_horizontalalignment()],
            "fill": css(text.get_color(), text.get_alpha()),
        }]  # fmt: skip

    readers = {
        Line2D: _line, PathCollection: _scatter, LineCollection: _polygons, PolyCollection: _polygons,
        FillBetweenPolyCollection: _polygons, BarContainer: _bars, AxesImage: _image,
    }  # fmt: skip


def axis_key(axis):
    """What the drawing of an axis depends on."""
    return (*axis.get_view_interval(), axis.get_scale(), axis.get_label_text(), axis.get_major_locator(),
            axis.get_major_formatter(), axis.get_visible())  # fmt: skip
