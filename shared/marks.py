"""Reads matplotlib artists into marks: small dictionaries that live.js paints, with their vertices in pixels.

Kinds of marks: `poly` (lines and polygons, one piece each), `dots` (one outline at many places), `text` (letters as
outlines, so that a text looks the same in every browser, formulas included), `captions` (a line of text for each step),
`image`. The common artists are read directly, 0.1 ms each; any other draws itself on a recording renderer.
"""

from functools import lru_cache

import numpy as np
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.cbook import STEP_LOOKUP_MAP
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.container import BarContainer
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D

FAR = 1e6  # pixels: a vertex farther away than this is brought nearer in its own direction (float32, canvas)


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


@lru_cache(4096)
def _hex(rgba):
    return None if rgba[3] == 0 else "#" + "".join(f"{round(255 * v):02x}" for v in rgba[: 3 + (rgba[3] < 1)])


def _css(color, alpha=None):
    """A matplotlib colour as CSS; None if there is nothing to see."""
    return None if color is None else _hex(to_rgba(color, alpha))


def _css_list(rgba):
    """Colours of a collection's items: one string if they agree, else a list."""
    colors = [_hex(c) for c in map(tuple, np.asarray(rgba, float).tolist())]
    return (colors[0] if len(set(colors)) == 1 else colors) if colors else None


def _one(values):
    values = [round(float(v), 3) for v in values]
    return (values[0] if len(set(values)) == 1 else values) if values else 0


def _svg(path, transform=None):
    """A path as SVG path data, curves kept."""
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
    segments = (path.transformed(transform) if transform else path).iter_segments(simplify=False, curves=True)
    return "".join(
        letters[code] + ("" if code == Path.CLOSEPOLY else " ".join(f"{v:.2f}".rstrip("0").rstrip(".") for v in points))
        for points, code in segments
    )


class _Glyphs:
    """Outlines of the letters met so far, numbered: texts look the same in every browser, formulas included."""

    def __init__(self):
        self.numbers, self.outlines, self.paths = {}, [], None

    def number(self, name, vertices, codes):
        if name not in self.numbers:
            self.numbers[name] = len(self.outlines)
            self.outlines.append(_svg(Path(vertices, codes)) if len(vertices) else "")
        return self.numbers[name]

    def layout(self, text, prop, ismath=False):
        """The letters of one line as [number, x, y, scale, ...] in units of 1/100 em, and its rules [x, y, w, h]."""
        if ismath:
            placed, self.paths, rules = text_to_path.get_glyphs_mathtext(prop, text, self.paths)
        else:
            font = text_to_path._get_font(prop)
            placed, self.paths, rules = text_to_path.get_glyphs_with_font(font, text, self.paths)
        letters = []
        for name, x, y, scale in placed:
            letters += self.number(name, *self.paths[name]), round(x, 1), round(y, 1), round(scale, 3)
        corners = [(*corner[0], *corner[2]) for corner, _ in rules]
        return letters, [[round(float(v), 1) for v in (x0, y0, x1 - x0, y1 - y0)] for x0, y0, x1, y1 in corners]

    def letter(self, char, prop):
        """One letter and how far it moves the pen, in 1/100 em: for texts that change with the step."""
        letters, _ = self.layout(char, prop)
        size = text_to_path.FONT_SCALE / prop.get_size_in_points()
        width = lambda text: text_to_path.get_text_width_height_descent(text, prop, False)[0]
        return (letters[0] if letters else -1), round((width(f".{char}.") - width("..")) * size, 2)


GLYPHS = _Glyphs()


class _Recorder(RendererBase):
    """A matplotlib backend that notes what an artist draws as marks for live.js, in pixels from the top left corner."""

    def __init__(self, width, height, dpi):
        super().__init__()
        self.width, self.height, self.dpi, self.marks = width, height, dpi, []

    def get_canvas_width_height(self):
        return self.width, self.height

    def points_to_pixels(self, points):
        return points * self.dpi / 72

    def _note(self, gc, kind, xy, **mark):
        box = gc.get_clip_rectangle()
        self.marks.append({"kind": kind, "xy": xy, "clip": self.flip(box) if box is not None else None} | mark)

    def flip(self, box):
        return [round(float(v), 2) for v in (box.x0, self.height - box.y1, box.x1, self.height - box.y0)]

    def _stroke(self, gc):
        width = self.points_to_pixels(gc.get_linewidth())
        dash = gc.get_dashes()[1]
        return {
            "stroke": _hex(tuple(gc.get_rgb())) if width else None,
            "width": round(width, 2),
            "cap": gc.get_capstyle(),
            "dash": [round(self.points_to_pixels(d), 2) for d in dash] if dash is not None else [],
        }

    def _face(self, gc, face):
        if face is None:
            return None
        alpha = face[3] if len(face) == 4 and not gc.get_forced_alpha() else gc.get_alpha()
        return _hex((*map(float, face[:3]), float(alpha)))

    def draw_path(self, gc, path, transform, rgbFace=None):
        polygons = [p for p in path.to_polygons(transform, closed_only=False) if len(p)]
        if polygons:
            xy = np.concatenate(polygons) * [1, -1] + [0, self.height]
            self._note(gc, "poly", xy, n=[len(p) for p in polygons], fill=self._face(gc, rgbFace), **self._stroke(gc))

    def draw_markers(self, gc, marker_path, marker_trans, path, trans, rgbFace=None):
        xy = trans.transform(path.vertices) * [1, -1] + [0, self.height]
        self._note(gc, "dots", xy, path=_svg(marker_path, marker_trans + Affine2D().scale(1, -1)), size=1,
                   fill=self._face(gc, rgbFace), **self._stroke(gc))  # fmt: skip

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        letters, rules = GLYPHS.layout(s, prop, ismath)
        size = self.points_to_pixels(prop.get_size_in_points()) / text_to_path.FONT_SCALE
        self._note(gc, "text", None, at=[round(float(v), 2) for v in (x, y)], angle=angle, size=round(size, 5),
                   letters=letters, rules=rules, fill=_hex(tuple(gc.get_rgb())))  # fmt: skip

    def draw_image(self, gc, x, y, im, transform=None):
        h, w = im.shape[:2]
        self._note(gc, "image", None, box=[float(x), float(self.height - y - h), w, h], shape=[w, h],
                   rgba=np.ascontiguousarray(im[::-1]).tobytes(), smooth=False)  # fmt: skip


class Reader:
    """Reads live artists into marks, with vertices `xy` in pixels from the top left corner."""

    def __init__(self, fig):
        self.fig, self.cache = fig, {}

    def read(self, artists):
        """Marks of (artist or Shown) in the order of drawing; `of` is the place of the artist in the list."""
        (width, self.height), self.scale = self.fig.bbox.size, self.fig.dpi / 72
        self.recorder, self.middle = _Recorder(width, self.height, self.fig.dpi), (width / 2, self.height / 2)
        marks = []
        for place, shown in sorted(enumerate(artists), key=lambda item: self._zorder(item[1])):
            artist, how = (shown.artist, shown) if isinstance(shown, Shown) else (shown, None)
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
        artist = shown.artist if isinstance(shown, Shown) else shown
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
                "fill": None, "stroke": _css(line.get_color(), alpha), "dash": self._dash(dash),
                "width": round(line.get_linewidth() * self.scale, 2),
                "cap": line.get_dash_capstyle() if dash else line.get_solid_capstyle(),
            })  # fmt: skip
        if line.get_marker() not in ("None", None, " ", ""):
            marker = line._marker
            size = line.get_markersize() * self.scale if line.get_marker() != "," else 1
            marks.append({
                "kind": "dots", "xy": points[::every], "clip": clip, "size": 1, "every": every or 1,
                "path": _marker(marker.get_path(), marker.get_transform().frozen().scale(size)),
                "fill": _css(line.get_markerfacecolor(), alpha) if marker.is_filled() else None,
                "stroke": _css(line.get_markeredgecolor(), alpha),
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
            "clip": self._clip(dots), "size": _one(np.sqrt(dots.get_sizes()) * self.scale), "path": _marker(paths[0]),
            "fill": _css_list(dots.get_facecolor()), "stroke": _css_list(dots.get_edgecolor()),
            "width": _one(np.asarray(dots.get_linewidth()) * self.scale),
        }]  # fmt: skip

    def _polygons(self, many):
        """Line and polygon collections: one item per segment or polygon."""
        many.update_scalarmappable()
        paths = [p.vertices for p in many.get_paths()]
        return [{
            "kind": "poly", "n": [len(p) for p in paths], "clip": self._clip(many), "cap": "butt",
            "xy": self._pixels(np.concatenate(paths) if paths else np.empty((0, 2)), many.get_transform()),
            "fill": _css_list(many.get_facecolor()) if not isinstance(many, LineCollection) else None,
            "stroke": _css_list(many.get_edgecolor()), "width": _one(np.asarray(many.get_linewidth()) * self.scale),
            "dash": self._dash(many._linestyles[0][1]),
        }]  # fmt: skip

    def _bars(self, bars):
        if not len(bars):
            return []
        x, y, w, h = np.array([(*b.get_xy(), b.get_width(), b.get_height()) for b in bars]).T
        corners = np.stack([x, y, x + w, y, x + w, y + h, x, y + h, x, y], 1).reshape(-1, 2)
        return [{
            "kind": "poly", "xy": self._pixels(corners, bars[0].get_data_transform()), "n": [5] * len(bars),
            "clip": self._clip(bars[0]), "fill": _css_list([b.get_facecolor() for b in bars]),
            "stroke": _css_list([b.get_edgecolor() for b in bars]), "dash": [], "cap": "butt",
            "width": _one(b.get_linewidth() * self.scale for b in bars),
        }]  # fmt: skip

    def _image(self, image):
        ax = image.axes
        if ax.get_xscale() != "linear" or ax.get_yscale() != "linear":
            return self.recorded(image)
        rgba = image.to_rgba(image.get_array(), alpha=image.get_alpha(), bytes=True)
        left, right, bottom, top = image.get_extent()
        if image.origin == "lower":
            rgba = rgba[::-1]
        # A box of negative width or height is drawn mirrored by live.js.
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
        """A text of which line k belongs to step k: letters are put side by side by live.js."""
        lines, prop = text.get_text().split("\n"), text.get_fontproperties()
        alphabet = {c: GLYPHS.letter(c, prop) for c in sorted(set("".join(lines)))}
        x, y = self._pixels([text.get_transform().transform(text.get_unitless_position())], Affine2D())[0].tolist()
        size = prop.get_size_in_points() * self.scale / text_to_path.FONT_SCALE
        below = {"top": 76, "center": 36, "center_baseline": 36, "bottom": -24}.get(text.get_verticalalignment(), 0)
        return [{
            "kind": "captions", "xy": None, "clip": self._clip(text), "at": [x, y + below * size],
            "size": round(size, 5), "angle": text.get_rotation(), "lines": lines, "alphabet": alphabet,
            "align": {"left": 0, "center": 0.5, "right": 1}[text.get_horizontalalignment()],
            "fill": _css(text.get_color(), text.get_alpha()),
        }]  # fmt: skip

    readers = {
        Line2D: _line, PathCollection: _scatter, LineCollection: _polygons, PolyCollection: _polygons,
        FillBetweenPolyCollection: _polygons, BarContainer: _bars, AxesImage: _image,
    }  # fmt: skip


_MARKERS = {}


def _marker(path, transform=None):
    """A marker's outline as SVG path data, y downwards; kept, since a marker is drawn again and again."""
    key = (path.vertices.tobytes(), None if path.codes is None else path.codes.tobytes(),
           None if transform is None else transform.get_matrix().tobytes())  # fmt: skip
    if key not in _MARKERS:
        flip = Affine2D().scale(1, -1)
        _MARKERS[key] = _svg(path, transform + flip if transform is not None else flip)
    return _MARKERS[key]


def axis_key(axis):
    """What the drawing of an axis depends on."""
    return (*axis.get_view_interval(), axis.get_scale(), axis.get_label_text(), axis.get_major_locator(),
            axis.get_major_formatter(), axis.get_visible())  # fmt: skip


def letters_of(mark):
    """The numbers of the letters that a mark uses."""
    if mark["kind"] == "captions":
        return {number for number, _ in mark["alphabet"].values() if number >= 0}
    return set(mark.get("letters", ())[::4])
