"""Interactive figures: plain matplotlib artists, painted by the browser, driven by controls inside the figure.

matplotlib draws everything that stands still once, as a background. A change of a control runs `compute` (pure: values
in, arrays out) and `draw` (`artist.set_data(...)`, as in any matplotlib program); the live artists are then read in
pixel coordinates and sent as float32, and `live.js` paints them on a canvas. An explorer needs no JavaScript.

How to write one (shared/explorers/<name>.py):

    import numpy as np
    from shared import theme
    from shared.live import Choice, LiveFigure, Play, Point, Slider, head, trail

    def explorer():
        fig, (left, right) = theme.figure(9, 3.8, cols=2)          # matplotlib.figure.Figure, never pyplot
        left.set(xlim=(-2, 2), ylim=(-2, 2), title="descent on a bowl")
        right.set(xlim=(0, 50), ylim=(1e-6, 10), yscale="log", xlabel="step", ylabel="loss")
        path, = left.plot([], [], "o-", ms=3)
        dot, = left.plot([], [], "o", ms=9)
        loss, = right.plot([], [])

        def compute(lr, start):                                    # names the controls it needs; never the Play
            xs = np.array(start) * (1 - lr) ** np.arange(51)[:, None]
            return {"xs": xs, "loss": (xs**2).sum(-1) / 2}

        def draw(data, lr):                                        # data, then the controls it needs
            path.set_data(*data["xs"].T)
            dot.set_data(*data["xs"].T)
            loss.set_data(np.arange(51), data["loss"])
            left.set_title(f"descent on a bowl, η = {lr:.2g}")

        return LiveFigure(fig, live=[trail(path), head(dot), trail(loss)], compute=compute, draw=draw,
                          controls=[Slider("lr", 1e-3, 2.5, 0.1, log=True, label="learning rate η"),
                                    Point("start", (1.5, 1.0), left), Play("step", 50)],
                          alt="Gradient descent on a bowl, and its loss against the step.")

What is cheap, and what is not:
- Live artists (1 ms for a dozen): lines, scatters, bars, line and polygon collections. Any other artist may be live too
  (texts, legends, annotations, arrows, patches, images: some 0.3 ms each). Titles always are. A live axis, `ax.xaxis`,
  or whole axes, `ax` (axis, grid, spines and everything in it), let limits and ticks follow the data for a few ms.
- Anything else that changes (limits of axes that are not live, new contours, a static artist) is noticed, and the
  background is drawn again: correct, but 100 ms instead of 20. Live artists are painted in front of the background.
- `trail(artist)` shows the items 0..k and `head(artist)` only item k, where k is the value of the Play control: the
  browser plays and scrubs them without the kernel. Items are vertices of a line, points of a scatter, segments of a
  collection, bars, or lines of a text (so one text holds a caption for each step, separated by newlines).
  With `each=m`, an item is m of them: `head(bars, each=10)` shows ten bars per step.

In Python and in tests: `explorer.lr = 0.2`, `explorer.set(lr=0.2, start=(1, 1))`, `explorer.values`, `explorer.data`
(the last `compute`), `explorer.error`. `sweep(explorer)` drives every control across its range. With `STRICT` (or the
environment variable LIVE_STRICT) exceptions of `compute` and `draw` are raised; otherwise the figure shows them.
"""

import base64
import hashlib
import inspect
import json
import math
import os
import threading
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle
from matplotlib.spines import Spine
from PIL import Image

from shared.figures import raster, theme
from shared.marks import GLYPHS, Reader, Shown, axis_key, head, letters_of, trail  # noqa: F401  (explorers import head and trail from here)

STRICT = bool(os.environ.get("LIVE_STRICT"))  # raise what compute and draw raise (tests), rather than show it
_LOCK = threading.RLock()  # widget messages may arrive on another thread; matplotlib's caches know no threads


# ---------------------------------------------------------------------------------------------------- controls
class Control:
    """A named value that the figure's reader can change. Subclasses: what is accepted, a span of it, how to draw it."""

    kind = ""
    when = None

    def __init__(self, name, value, label):
        if not name.isidentifier() or hasattr(LiveFigure, name):
            raise ValueError(f"control name {name!r}: not an identifier, or taken by LiveFigure")
        self.name, self.label = name, label or name.replace("_", " ")
        self.value = self.check(value)

    def check(self, value):
        """The value in its normal form. Raises ValueError naming the control, the value and what is accepted."""
        raise NotImplementedError

    def refuse(self, value, accepted):
        raise ValueError(f"{self.name} = {value!r}: accepted is {accepted}") from None

    def span(self, points):
        """About `points` values that cover what is accepted, ends included."""
        raise NotImplementedError

    def only(self, **when):
        """Show this control only while other controls have the given values (Choices: contain them); returns it."""
        self.when = when
        return self

    def shown(self, values):
        """Whether the reader sees this control at these values of all controls. live.js says the same."""
        agrees = lambda now, value: value in now if isinstance(now, tuple) else value == now
        return all(agrees(values[name], value) for name, value in (self.when or {}).items())

    def spec(self):
        """What live.js needs to know."""
        return {"kind": self.kind, "name": self.name, "label": self.label, "when": self.when}


class Slider(Control):
    """A number from `low` to `high`; with `log`, in equal ratios; with `step`, in steps (integers if all are)."""

    kind = "slider"

    def __init__(self, name, low, high, value, *, log=False, step=None, label=None):
        if not low < high or (log and low <= 0) or not math.isfinite(low) or not math.isfinite(high):
            raise ValueError(f"slider {name!r}: {low!r} to {high!r} must be finite and rising, positive with log")
        self.low, self.high, self.log, self.step = low, high, log, step
        self.whole = all(isinstance(v, int) for v in (low, high, step))
        super().__init__(name, value, label)

    def check(self, value):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not self.low <= number <= self.high or (self.whole and number != round(number)):
            self.refuse(value, f"{'a whole number' if self.whole else 'a number'} from {self.low:g} to {self.high:g}")
        return round(number) if self.whole else number

    def span(self, points=201):
        if self.step:
            values = np.append(np.arange(self.low, self.high, self.step), self.high)
            values = values[np.unique(np.linspace(0, len(values) - 1, min(points, len(values))).round().astype(int))]
            digits = max(0, math.ceil(-math.log10(self.step) - 1e-9) + 1)
        else:
            values = (np.geomspace if self.log else np.linspace)(self.low, self.high, points)
            digits = max(0, math.ceil(-math.log10((self.high - self.low) / points)))
        tidy = [float(f"{v:.3g}") if self.log else round(float(v), digits) for v in values]
        tidy[0], tidy[-1] = self.low, self.high
        return [self.check(v) for v in dict.fromkeys(tidy)]

    def spec(self):
        return super().spec() | {"values": self.span(2001 if self.step else 201)}


class Choice(Control):
    """One of `options` (strings or numbers), shown as a menu."""

    kind = "choice"

    def __init__(self, name, options, value=None, *, label=None):
        self.options = list(options)
        super().__init__(name, self.options[0] if value is None else value, label)

    def check(self, value):
        if value not in self.options:
            self.refuse(value, "one of " + ", ".join(map(str, self.options)))
        return value

    def span(self, points=None):
        return self.options

    def spec(self):
        return super().spec() | {"options": self.options}


class Choices(Control):
    """Any subset of `options`, shown as chips; `colors` (option -> colour) makes them the legend. The value is a tuple.

    Without `colors`, an option that is the name of a method has its colour from the theme.
    """

    kind = "choices"

    def __init__(self, name, options, value=(), *, label=None, colors=None):
        self.options = list(options)
        self.colors = theme.COLORS if colors is None else colors
        super().__init__(name, value, label)

    def check(self, value):
        chosen = [value] if isinstance(value, str) else list(value)
        for option in chosen:
            if option not in self.options:
                self.refuse(option, "any of " + ", ".join(map(str, self.options)))
        return tuple(option for option in self.options if option in chosen)

    def span(self, points=None):
        return [(), *((option,) for option in self.options), tuple(self.options)]

    def spec(self):
        return super().spec() | {"options": self.options, "colors": [self.colors.get(o) for o in self.options]}


class Toggle(Control):
    """True or False, shown as a check box."""

    kind = "toggle"

    def __init__(self, name, value=False, *, label=None):
        super().__init__(name, value, label)

    def check(self, value):
        if value not in (True, False):
            self.refuse(value, "True or False")
        return bool(value)

    def span(self, points=None):
        return [False, True]


class Point(Control):
    """A point (x, y) of `ax`, in data coordinates: click, drag, or move it with the arrow keys.

    Accepted are points inside the limits of `ax`. With handle=False there is no dot, only the click (to pick a cell).
    """

    kind = "point"

    def __init__(self, name, value, ax, *, label=None, handle=True):
        self.ax, self.handle = ax, handle
        super().__init__(name, value, label)

    def check(self, value):
        try:
            x, y = map(float, value)
            ok = math.isfinite(x) and math.isfinite(y)
        except (TypeError, ValueError):
            ok = False
        return (x, y) if ok else self.refuse(value, "a pair (x, y) of finite numbers")

    def check_inside(self, value):
        """Also inside the axes as they are drawn now."""
        limits = [sorted(self.ax.get_xlim()), sorted(self.ax.get_ylim())]
        if any(not low <= v <= high for v, (low, high) in zip(value, limits, strict=True)):
            self.refuse(value, " x ".join(f"[{low:g}, {high:g}]" for low, high in limits))

    def span(self, points=5):
        to_data = (self.ax.transScale + self.ax.transLimits).inverted()
        fractions = np.linspace(0, 1, max(2, round(points**0.5) + 1))
        corners = to_data.transform([(u, v) for u in fractions for v in fractions])
        (x0, x1), (y0, y1) = sorted(self.ax.get_xlim()), sorted(self.ax.get_ylim())
        return [(min(max(x, x0), x1), min(max(y, y0), y1)) for x, y in corners.tolist()]

    def spec(self):
        return super().spec() | {"ax": self.ax.figure.axes.index(self.ax), "handle": self.handle}


class Play(Control):
    """The step k = 0..n that `trail` and `head` show; n may be a function of what compute returned: data -> n.

    Starts at the end (everything shown) unless `value` is given, and stays at the end when n changes. `fps` is in steps
    per second (by default a run of n steps takes about five seconds). compute and draw do not depend on it.
    """

    kind = "play"

    def __init__(self, name="step", n=100, *, value=None, label=None, fps=None):
        self.n, self.fps = n, fps
        self.last = n if isinstance(n, int) else 0
        super().__init__(name, self.last if value is None else value, label)
        self.at_end = value is None

    def check(self, value):
        if not isinstance(value, int | float | np.number) or value != int(value) or not 0 <= value <= self.last:
            self.refuse(value, f"a whole number from 0 to {self.last}")
        return int(value)

    def span(self, points=5):
        return np.unique(np.linspace(0, self.last, points).round().astype(int)).tolist()

    def spec(self):
        return super().spec() | {"fps": self.fps}


# -------------------------------------------------------------------------------------------------- the figure
class LiveFigure(anywidget.AnyWidget):
    """A matplotlib figure with live artists and controls: see the module's docstring.

    fig: a `matplotlib.figure.Figure` (theme.figure). live: artists, `trail(...)`, `head(...)`, or whole axes.
    controls: Slider, Choice, Choices, Toggle, Point, Play; each becomes a trait (`explorer.lr = 0.1`).
    compute(**controls) -> dict, pure; draw(data, **controls) sets the artists. Both receive the controls they name (all
    but the Play, with `**values`), and compute runs again only if one of those changed.
    adjust(changed, values) -> dict: optional; other controls to set when those named in `changed` change, such as the
    start when the landscape changes.
    alt: one sentence, for those who cannot see the figure.
    """

    _esm = Path(__file__).with_name("live.js")
    _background = traitlets.Bytes().tag(sync=True)  # PNG of what stands still
    _scene = traitlets.Dict().tag(sync=True)  # marks and their vertices
    _glyphs = traitlets.Dict().tag(sync=True)  # number -> outline
    _figure = traitlets.Dict().tag(sync=True)  # size, alt, controls
    _values = traitlets.Dict().tag(sync=True, echo_update=False)  # the browser writes here

    data = None  # what compute returned last
    error = ""  # the last exception of compute or draw, or ""

    def __init__(self, fig, live, controls, compute, draw, *, alt, adjust=None):
        self.fig, self.alt, self.controls = fig, alt, {c.name: c for c in controls}
        self._compute, self._draw, self._adjust, self._live = compute, draw, adjust, list(live)
        self._play = next((c for c in controls if isinstance(c, Play)), None)
        self._takes = {f: self._names(f) for f in (compute, draw)}
        self._inputs, self._still_key, self._moving, self._letters = None, None, True, set()
        self._size = [round(v * fig.dpi) for v in fig.get_size_inches()]  # in CSS pixels
        with _LOCK:
            fig.set_dpi(2 * fig.dpi)  # twice the screen's resolution: sharp on any display
            self._canvas, self._reader = FigureCanvasAgg(fig), Reader(fig)
            self._layout, self._relayout = fig.get_layout_engine(), True
            fig.set_layout_engine("none")  # run here, and only when it may matter: it is the larger half of a repaint
            self._check_live()
            spec = {"size": self._size, "alt": alt, "controls": [c.spec() for c in controls]}
            first = {c.name: c.value for c in controls}
            state = {"_values": first, "_figure": spec} | self._render(first)
            self.add_traits(**{c.name: _ControlTrait(c) for c in controls})
            super().__init__(**state, **first)
        self._moving = False
        if controls:
            self.observe(self._from_python, list(self.controls))
        self.observe(self._from_browser, "_values")
        self._retire_previous()

    def _names(self, function):
        """The controls that a function receives."""
        controls = [name for name in self.controls if not self._play or name != self._play.name]
        parameters = inspect.signature(function).parameters.values()
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return controls
        return [p.name for p in parameters if p.name in controls]

    def _check_live(self):
        for shown in self._live:
            if isinstance(shown, Shown) and not self._play:
                raise ValueError(f"{shown.how}({type(shown.artist).__name__}) needs a Play among the controls")
        for artist in self._artists():
            artist = artist.artist if isinstance(artist, Shown) else artist
            one = artist[0] if isinstance(artist, BarContainer) else artist
            if not isinstance(one, Artist) or one.get_figure(root=True) is not self.fig:
                raise ValueError(f"live: {one!r} is not an artist of this figure")

    # ---- values
    @property
    def values(self):
        """The present value of every control."""
        return dict(self._values)

    def set(self, **values):
        """Set several controls at once; raises ValueError naming control, value and what is accepted."""
        for name in values:
            if name not in self.controls:
                has = ", ".join(self.controls)
                raise ValueError(f"{name} = {values[name]!r}: no such control; this figure has {has}")
        with _LOCK:
            values = {name: self.controls[name].check(value) for name, value in values.items()}
            if len(values) == 1:  # with others, the axes' limits may be about to change
                for name, value in values.items():
                    if isinstance(self.controls[name], Point):
                        self.controls[name].check_inside(value)
            self._move(values)

    def _from_python(self, change):
        if not self._moving:
            self._move({change.name: change.new})

    def _from_browser(self, change):
        if self._moving:
            return
        with _LOCK:
            before, new = change.old, dict(change.new)
            if self._play:  # the run may have become shorter while the message was on its way
                new[self._play.name] = min(new[self._play.name], self._play.last)
            new = {name: control.check(new[name]) for name, control in self.controls.items()}
            self._move({name: value for name, value in new.items() if value != before[name]}, before)

    def _move(self, values, before=None):
        """Take on new values, already checked; publish them and what they change in one message."""
        with _LOCK:
            state = self._after(values, before or self._values)
            self._moving = True
            try:
                with self.hold_sync():
                    for name, value in (state | state["_values"]).items():
                        setattr(self, name, value)
            finally:
                self._moving = False

    def _after(self, values, before, afresh=False):
        """The traits after some values changed from those `before`; unpublished. `afresh`: draw in any case."""
        changed = {name for name, value in values.items() if value != before[name]}
        values = {**before, **values}
        if changed and self._adjust:
            adjusted = self._adjust(changed, dict(values))
            values |= {name: self.controls[name].check(value) for name, value in adjusted.items()}
        self._relayout = afresh or any(not isinstance(self.controls[name], Slider | Point | Play) for name in changed)
        needs_drawing = changed - ({self._play.name} if self._play else set())
        return {"_values": values} | (self._render(values) if needs_drawing or afresh else {})

    # ---- drawing
    def _render(self, values):
        """Compute, draw, read: the traits to publish. Also keeps `values[play]` within its n."""
        try:
            inputs = {name: values[name] for name in self._takes[self._compute]}
            if self._inputs != inputs:
                self._inputs = None
                self.data = self._compute(**inputs)
                self._inputs = inputs
            self._draw(self.data, **{name: values[name] for name in self._takes[self._draw]})
            play = self._play
            if play:
                stay = play.at_end if self._still_key is None else values[play.name] >= play.last
                play.last = play.n if isinstance(play.n, int) else int(play.n(self.data))
                values[play.name] = play.last if stay else min(values[play.name], play.last)
            self.error = ""
            return self._publishable()
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            if STRICT:
                raise
            if self._still_key is None:  # nothing has been drawn yet
                return self._publishable() | {"_scene": {"marks": [], "axes": [], "n": 0, "error": self.error}}
            return {"_scene": self._scene | {"error": self.error}}

    def _artists(self):
        """The live artists of this moment: as given, containers and axes opened, and every title."""
        for item in self._live:
            if isinstance(item, Axes):
                titles = self._titles(item)
                yield from (c for c in item.get_children() if c is not item.patch and c not in titles)
            elif isinstance(item, BarContainer) and all(type(b) is Rectangle and not b.get_angle() for b in item):
                yield item
            elif isinstance(item, list | tuple):
                for part in item:
                    yield from part if isinstance(part, list | tuple) else [part]
            else:
                yield item
        for ax in self.fig.axes:
            yield from self._titles(ax)
        if self.fig._suptitle is not None:
            yield self.fig._suptitle

    @staticmethod
    def _titles(ax):
        return [ax.title, ax._left_title, ax._right_title]

    def _publishable(self):
        artists, plain = [], []
        for shown in self._artists():
            artists.append(shown)
            artist = shown.artist if isinstance(shown, Shown) else shown
            plain += artist if isinstance(artist, BarContainer) else [artist]
        for artist in plain:
            if not artist.get_animated():  # an animated artist is part of savefig, but not of canvas.draw()
                artist.set_animated(True)
        state = {}
        if self._background_changed(plain):
            self._reader.cache.clear()
            state["_background"] = self._paint_background()
        marks = self._reader.read(artists)
        state["_scene"] = self._pack(marks)
        letters = set(self._letters).union(*(letters_of(mark) for mark in marks))
        if letters != self._letters:
            self._letters = letters
            state["_glyphs"] = {number: GLYPHS.outlines[number] for number in sorted(letters)}
        return state

    def _background_changed(self, live):
        """Whether anything that is not live changed since the background was drawn."""
        live = {id(artist) for artist in live}
        whole = {id(ax) for ax in self._live if isinstance(ax, Axes)}
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
        self._still = still
        changed = stale or key != self._still_key
        self._still_key = key
        return changed

    def _paint_background(self):
        if self._relayout and self._layout is not None:
            self._layout.execute(self.fig)
        self._canvas.draw()
        for artist in self._still:
            artist._stale = False  # some artists (invisible ones) leave this to nobody
        buffer = BytesIO()
        Image.fromarray(np.asarray(self._canvas.buffer_rgba())[..., :3]).save(buffer, "png", compress_level=1)
        return buffer.getvalue()

    def _pack(self, marks):
        """One buffer for all vertices; each mark says where its own begin."""
        packed, vertices, start = [], [np.empty((0, 2), np.float32)], 0
        for mark in marks:
            xy = mark.get("xy")
            mark = {k: v for k, v in mark.items() if k != "xy"}
            if xy is not None:
                mark |= {"from": start, "count": len(xy)}
                vertices.append(np.asarray(xy, dtype=np.float32))
                start += len(xy)
            packed.append(mark)
        height = self.fig.bbox.height
        axes = [{
            "box": [round(v, 2) for v in (ax.bbox.x0, height - ax.bbox.y1, ax.bbox.x1, height - ax.bbox.y0)],
            "x": [*map(float, ax.get_xlim()), ax.get_xscale()], "y": [*map(float, ax.get_ylim()), ax.get_yscale()],
        } for ax in self.fig.axes]  # fmt: skip
        n = self._play.last if self._play else 0
        return {"marks": packed, "xy": np.concatenate(vertices).tobytes(), "axes": axes, "n": n, "error": ""}

    @property
    def drawn(self):
        """A fingerprint of what is on the screen: two equal ones mean that the reader sees the same."""
        digest = hashlib.sha1(self._background, usedforsecurity=False)
        digest.update(json.dumps(self._scene, default=bytes.hex, sort_keys=True).encode())
        if any(isinstance(shown, Shown) for shown in self._live):
            digest.update(str(self._values[self._play.name]).encode())
        points = [self._values[c.name] for c in self.controls.values() if isinstance(c, Point) and c.handle]
        hidden = [c.name for c in self.controls.values() if not c.shown(self._values)]
        return digest.hexdigest() + str(points) + str(hidden)

    # ---- the still life
    def png(self, scale=1.0):
        """The present frame, drawn by matplotlib, as PNG bytes."""
        with _LOCK, self._cut():
            picture = raster.png(self.fig, scale)
            for artist in self._still:
                artist._stale = False
            return picture

    @contextmanager
    def _cut(self):
        """Within, matplotlib sees of trails and heads only what is shown at the present step, and points as dots."""
        undo, k = [], self._values[self._play.name] if self._play else 0
        for shown in self._live:
            if isinstance(shown, Shown):
                undo.append(shown.cut(k))
        for control in self.controls.values():
            if isinstance(control, Point) and control.handle:
                dot, = control.ax.plot(*self._values[control.name], "o", ms=9, mfc="none", mec=theme.ACCENT, mew=2,
                                       scalex=False, scaley=False, zorder=9)  # fmt: skip
                undo.append(dot.remove)
        try:
            yield
        finally:
            for step in undo:
                step()

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = {"text/plain": self.alt, "image/png": base64.b64encode(self.png()).decode()}, {}
        metadata["image/png"] = {"alt": self.alt, "width": self._size[0]}
        data["application/vnd.jupyter.widget-view+json"] = {
            "version_major": 2, "version_minor": 0, "model_id": self.model_id}  # fmt: skip
        return data, metadata

    def bake(self, grid=None, **limits):
        """All frames over a grid of the controls, as a dictionary for JSON: see `shared.baking.bake`."""
        from shared.baking import bake

        return bake(self, grid, **limits)

    def __repr__(self):
        return self.alt

    def close(self):
        """Close the figure and its layout, which ipywidgets would keep."""
        self.layout.close()
        super().close()

    def _retire_previous(self):
        """Close the figures that an earlier run of the same cell made: they would stay in memory for good."""
        from IPython import get_ipython

        parent = getattr(get_ipython(), "parent_header", None) or {}
        cell, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
        if cell:
            before, figures = _OF_CELL.get(cell, (run, []))
            if before != run:
                for figure in figures:
                    figure.close()
                figures = []
            _OF_CELL[cell] = run, [*figures, self]


_OF_CELL = {}  # cell id -> (message that ran it, its figures)


class _ControlTrait(traitlets.TraitType):
    """A control as a trait: the same check, the same update."""

    def __init__(self, control):
        super().__init__(control.value)
        self.control = control

    def validate(self, figure, value):
        value = self.control.check(value)
        if isinstance(self.control, Point) and not getattr(figure, "_moving", True):
            self.control.check_inside(value)
        return value


def baked_html(explorer, grid=None, **options):
    """The figure as a self-contained piece of HTML that answers without a kernel: see `shared.baking.baked_html`."""
    from shared.baking import baked_html

    return baked_html(explorer, grid, **options)


# ----------------------------------------------------------------------------------------------------- testing
@contextmanager
def strict(on=True):
    """Within, exceptions of compute and draw are raised."""
    global STRICT
    before, STRICT = STRICT, on
    try:
        yield
    finally:
        STRICT = before


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
        return explorer.drawn

    def settings(when):
        """The first values (with what brings the control up), then the same with one choice made differently."""
        yield when or {}
        for control in explorer.controls.values():
            if isinstance(control, Choice | Choices | Toggle):
                yield from ({control.name: value} for value in reversed(control.span()))

    with strict():
        dead = []
        for name, control in explorer.controls.items():
            alive = False
            for setting in settings(control.when):
                visit(**(first | setting))
                alive |= len({visit(**{name: value}) for value in control.span(points)}) > 1
                if alive:
                    break
            if not alive:
                dead.append(name)
            visit(**first)
        assert not dead, f"controls that change nothing: {', '.join(dead)}"
        inputs = {name: first[name] for name in explorer._takes[explorer._compute]}
        np.testing.assert_equal(explorer._compute(**inputs), explorer._compute(**inputs), err_msg="compute is not pure")
