"""The controls of a live figure: what values each accepts, a span of them, and what the browser needs to draw it."""

import math

import numpy as np


class Control:
    """A named value that the figure's reader can change."""

    kind = ""  # of the browser's element
    rebuilds = True  # whether a change may rearrange the figure; sliders and points only move what is there
    bounded = False  # whether what is accepted depends on what is drawn
    when = None

    def __init__(self, name, value, label):
        if not name.isidentifier():
            raise ValueError(f"control name {name!r}: not an identifier")
        self.name, self.label = name, label or name.replace("_", " ")
        self.value = self.check(value)

    def check(self, value):
        """The value in its normal form. Raises ValueError naming the control, the value and what is accepted."""
        raise NotImplementedError

    def check_bounds(self, value):
        """Raises ValueError if a value in its normal form is not within what is drawn now."""

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
        """Whether the reader sees this control at these values of all controls. figure.js says the same."""
        agrees = lambda now, value: value in now if isinstance(now, tuple) else value == now
        return all(agrees(values[name], value) for name, value in (self.when or {}).items())

    def spec(self):
        """What the browser needs to know."""
        return {"kind": self.kind, "name": self.name, "label": self.label, "when": self.when}


class Slider(Control):
    """A number from `low` to `high`; with `log`, in equal ratios; with `step`, in steps (integers if all are)."""

    kind = "slider"
    rebuilds = False

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
    """Any subset of `options` as a tuple, shown as chips; `colors` (option -> colour) makes them the legend."""

    kind = "choices"

    def __init__(self, name, options, value=(), *, label=None, colors=None):
        self.options, self.colors = list(options), colors or {}
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
    rebuilds = False
    bounded = True

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

    def limits(self):
        """((x low, x high), (y low, y high)) of the axes as they are drawn now."""
        return sorted(self.ax.get_xlim()), sorted(self.ax.get_ylim())

    def check_bounds(self, value):
        if any(not low <= v <= high for v, (low, high) in zip(value, self.limits())):
            self.refuse(value, " x ".join(f"[{low:g}, {high:g}]" for low, high in self.limits()))

    def place(self, u, v):
        """The point at these fractions of the axes as they are drawn now."""
        return tuple((self.ax.transScale + self.ax.transLimits).inverted().transform((u, v)).tolist())

    def span(self, points=5):
        fractions = np.linspace(0, 1, max(2, round(points**0.5) + 1))
        corners = [self.place(u, v) for u in fractions for v in fractions]
        (x0, x1), (y0, y1) = self.limits()
        return [(min(max(x, x0), x1), min(max(y, y0), y1)) for x, y in corners]

    def spec(self):
        return super().spec() | {"ax": self.ax.figure.axes.index(self.ax), "handle": self.handle}


class Play(Control):
    """The step k = 0..n that `trail` and `head` show; n may be a function of what compute returned: data -> n.

    Starts at the end (everything shown) unless `value` is given, and stays at the end when n changes. `fps` is in steps
    per second (by default a run of n steps takes about five seconds). compute and draw do not depend on it.
    """

    kind = "play"
    rebuilds = False
    bounded = True

    def __init__(self, name="step", n=100, *, value=None, label=None, fps=None):
        self.n, self.fps = n, fps
        self.last = n if isinstance(n, int) else 0 if value is None else math.inf
        super().__init__(name, self.last if value is None else value, label)
        self.check_bounds(self.value)

    def check(self, value):
        if not isinstance(value, int | float | np.number) or not float(value).is_integer() or value < 0:
            self.refuse(value, f"a whole number from 0 to {self.last}")
        return int(value)

    def check_bounds(self, value):
        if value > self.last:
            self.refuse(value, f"a whole number from 0 to {self.last}")

    def follow(self, data, value):
        """The step to show of a new run: the same one, but the last if it was at the end, or if the run is shorter."""
        stay = value >= self.last
        self.last = self.n if isinstance(self.n, int) else int(self.n(data))
        return self.last if stay else min(value, self.last)

    def span(self, points=5):
        return np.unique(np.linspace(0, self.last, points).round().astype(int)).tolist()

    def spec(self):
        return super().spec() | {"fps": self.fps}
