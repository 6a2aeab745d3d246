"""The live figure: a widget whose controls move a matplotlib figure, from Python and from the browser."""

import base64
from collections import Counter

import anywidget
import traitlets

from .browser import script
from .controls import Play, Point
from .recipe import Recipe
from .stage import LOCK, Stage
from .strictness import is_strict


class LiveFigure(anywidget.AnyWidget):
    """A matplotlib figure with live artists and controls: see the package's docstring.

    fig: a `matplotlib.figure.Figure`. live: artists, `trail(...)`, `head(...)`, or whole axes.
    controls: Slider, Choice, Choices, Toggle, Point, Play; each becomes a trait (`explorer.lr = 0.1`).
    compute(**controls) -> dict, pure; draw(data, **controls) sets the artists. Both receive the controls they name (all
    but the Play, with `**values`), and compute runs again only if one of those changed.
    adjust(changed, values) -> dict: optional; other controls to set when those named in `changed` change, such as the
    start when the landscape changes.
    alt: one sentence, for those who cannot see the figure.
    """

    _esm = script()
    _figure = traitlets.Dict().tag(sync=True)  # size, alt, controls
    _background = traitlets.Bytes().tag(sync=True)  # these three and the values: the Frame
    _scene = traitlets.Dict().tag(sync=True)
    _glyphs = traitlets.Dict().tag(sync=True)
    _values = traitlets.Dict().tag(sync=True)
    _hand = traitlets.List().tag(sync=True, echo_update=False)  # the browser writes: [number, control, value], ...
    _answered = traitlets.Int(0).tag(sync=True)  # the number of the last of them that the Frame contains

    def __init__(self, fig, live, controls, compute, draw, *, alt, adjust=None):
        self.fig, self.alt, self.controls = fig, alt, {c.name: c for c in controls}
        self._adjust, self._play = adjust, next((c for c in controls if isinstance(c, Play)), None)
        self.recipe = Recipe(compute, draw, [c.name for c in controls if not isinstance(c, Play)])
        self._publishing, self._frame, self._drawn = True, None, {}
        with LOCK:
            self._stage = Stage(fig, live)
            self._check_declarations(controls)
            spec = {"size": self._stage.size, "alt": alt, "controls": [c.spec() for c in controls]}
            frame = self._draw({c.name: c.value for c in controls})
            if not frame.scene["error"]:
                for control in controls:
                    control.check_bounds(frame.values[control.name])
            self.add_traits(**{c.name: _ControlTrait(c) for c in controls})
            super().__init__(_figure=spec, **_traits(frame))
        self._publishing = False
        if controls:
            self.observe(self._from_python, list(self.controls))
        self.observe(self._from_browser, "_hand")
        _retire_previous(self)

    def _check_declarations(self, controls):
        for name, count in Counter(c.name for c in controls).items():
            if count > 1 or hasattr(self, name):
                raise ValueError(f"control name {name!r}: taken by {'another control' if count > 1 else 'LiveFigure'}")
        if self._stage.shown and not self._play:
            first = self._stage.shown[0]
            raise ValueError(f"{first.how}({type(first.artist).__name__}) needs a Play among the controls")

    # ---- what can be asked
    @property
    def values(self):
        """The present value of every control."""
        return dict(self._values)

    @property
    def data(self):
        """What compute returned last."""
        return self.recipe.data

    @property
    def error(self):
        """The last exception of compute or draw as the reader sees it, or ""."""
        return self._scene.get("error", "")

    def spec(self):
        """What the browser needs to know: size, alt, controls."""
        return dict(self._figure)

    def frame(self, values=(), before=None):
        """The Frame when some values change from those `before` (the present ones), one by one; nothing is published.

        The artists keep what they drew for it: `frame()` brings the present values back.
        """
        with LOCK:
            now = dict(self._values if before is None else before)
            for name, value in dict(values).items():
                if value != now[name]:
                    now = self._after(now, name, value)
            return self._draw(now)

    # ---- new values
    def set(self, **values):
        """Set controls, points and the step last; raises ValueError naming control, value and what is accepted."""
        for name in values:
            if name not in self.controls:
                has = ", ".join(self.controls)
                raise ValueError(f"{name} = {values[name]!r}: no such control; this figure has {has}")
        self._enter(dict(sorted(values.items(), key=lambda item: self.controls[item[0]].bounded)))

    def _from_python(self, change):
        with LOCK:
            if not self._publishing:
                self._enter({change.name: change.new})

    def _from_browser(self, change):
        with LOCK:
            for number, name, value in change.new:
                if number <= self._answered:
                    continue  # sent again, with newer ones
                try:
                    if self._play and name == self._play.name:  # the run may have become shorter meanwhile
                        value = min(value, self._play.last)
                    self._enter({name: value}, _answered=number)
                except Exception as error:
                    if is_strict():
                        raise
                    self._publish(_failed(self._draw(self._values), error), _answered=number)

    def _enter(self, values, **more):
        """The one door, whoever brings new values: each is checked, taken on and drawn; then all are published.

        Raises ValueError, and leaves the figure as it was, if one of them is not accepted.
        """
        with LOCK:
            now = self.values
            try:
                for name, value in values.items():
                    control = self.controls[name]
                    value = control.check(value)
                    if value == now[name]:
                        continue
                    if control.bounded:
                        now = self._draw(now).values
                        control.check_bounds(value)
                    now = self._after(now, name, value)
                frame = self._draw(now)
            except Exception:
                self._draw(self._values)
                raise
            self._publish(frame, **more)

    def _after(self, values, name, value):
        """All values after one of them changed."""
        values = {**values, name: value}
        adjusted = self._adjust({name}, dict(values)) if self._adjust else {}
        return values | {name: self.controls[name].check(value) for name, value in adjusted.items()}

    def _publish(self, frame, **more):
        """Send a Frame, in one message, as far as it is new."""
        self._publishing = True
        try:
            with self.hold_sync():
                for name, value in (_traits(frame) | more).items():
                    setattr(self, name, value)
        finally:
            self._publishing = False

    def _draw(self, values):
        """The Frame at these values. Nothing is done if it is the one drawn last."""
        play, drawn = self._play, self._drawn
        moved = [c for name, c in self.controls.items() if c is not play and drawn.get(name, self) != values[name]]
        if self._frame and drawn and not moved:
            return self._frame._replace(values=dict(values))
        self._drawn = {}  # until it is
        try:
            self.recipe.draw(values)
            if play:
                values = {**values, play.name: play.follow(self.data, values[play.name])}
            relayout = not drawn or any(control.rebuilds for control in moved)
            self._frame = self._stage.frame(values, play.last if play else 0, relayout)
            self._drawn = values
            return self._frame
        except Exception as error:
            if is_strict():
                raise
            self._frame = self._frame or self._stage.blank(values)
            return _failed(self._frame._replace(values=values), error)

    # ---- still
    def png(self, scale=1.0):
        """The present frame, drawn by matplotlib, as PNG bytes at `scale` times the screen's resolution."""
        with LOCK:
            self._draw(self._values)
            points = [c for c in self.controls.values() if isinstance(c, Point) and c.handle]
            handles = [(point.ax, self._values[point.name]) for point in points]
            step = self._values[self._play.name] if self._play else 0
            return self._stage.still.picture(scale, self._stage.shown, step, handles)

    def _repr_mimebundle_(self, **kwargs):
        data = {"text/plain": self.alt, "image/png": base64.b64encode(self.png()).decode()}
        metadata = {"image/png": {"alt": self.alt, "width": self._stage.size[0]}}
        data["application/vnd.jupyter.widget-view+json"] = {
            "version_major": 2, "version_minor": 0, "model_id": self.model_id}  # fmt: skip
        return data, metadata

    def __repr__(self):
        return self.alt

    def close(self):
        """Close the figure and its layout, which ipywidgets would keep."""
        self.layout.close()
        super().close()


class _ControlTrait(traitlets.TraitType):
    """A control as a trait: what it refuses never becomes its value."""

    def __init__(self, control):
        super().__init__(control.value)
        self.control = control

    def validate(self, figure, value):
        value = self.control.check(value)
        if not figure._publishing:
            self.control.check_bounds(value)
        return value


def _traits(frame):
    """A Frame as the traits of the figure."""
    frame = frame._asdict()
    return {f"_{name}": part for name, part in frame.items()} | frame["values"]


def _failed(frame, error):
    """The Frame with a message."""
    return frame._replace(scene=frame.scene | {"error": f"{type(error).__name__}: {error}"})


_of_cell = {}  # cell id -> (message that ran it, its figures)


def _retire_previous(figure):
    """Close the figures that an earlier run of the same cell made: they would stay in memory for good."""
    from IPython import get_ipython

    parent = getattr(get_ipython(), "parent_header", None) or {}
    cell, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
    if cell:
        before, figures = _of_cell.get(cell, (run, []))
        if before != run:
            for old in figures:
                old.close()
            figures = []
        _of_cell[cell] = run, [*figures, figure]
