"""Bakes a live figure: its frames are computed ahead over a grid of its controls and embedded in a piece of HTML.

The page then answers its sliders, menus and clicks with the nearest frame, without a kernel and without a network;
`live.js` is the same. What does not fit in the size limit is sampled more coarsely, or kept at its present value.
"""

import base64
import html
import itertools
import json
import random
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from shared.figures import raster
from shared.live import _LOCK, Choices, Play, Point, Slider
from shared.marks import GLYPHS, letters_of

LIMIT = 1_500_000  # bytes of HTML
QUANTUM = 0.5  # of a pixel at twice the screen's resolution: a vertex as int16 reaches 16,000 pixels
GAP, REACH = -32768, 16_000
NOTE = "sampled values: this page has no kernel"


class _Place(tuple):
    """A place as fractions of the axes."""

    def __new__(cls, u, v):
        return super().__new__(cls, (u, v))


_HOME = _Place(-1, -1)  # where the point is, or where `adjust` puts it


def bake(explorer, grid=None, limit=LIMIT, frames=400):
    """All frames over the grid of the controls, as a dictionary for JSON.

    grid: {control: number of values, or a list of values}; a control that it does not name is sampled as finely as
    `limit` (bytes) and `frames` (their number) allow: menus and check boxes first. Chips (Choices) switch artists on
    and off in the page if every option has artists of its own. The explorer is left as it was.
    """
    with _LOCK:
        return _Oven(explorer, grid or {}, limit, frames).baked()


class _Oven:
    def __init__(self, explorer, grid, limit, frames):
        unknown = set(grid) - set(explorer.controls)
        if unknown:
            has = ", ".join(explorer.controls)
            raise ValueError(f"grid names {', '.join(sorted(unknown))}: no such control; this figure has {has}")
        self.explorer, self.controls, self.grid = explorer, explorer.controls, grid
        self.limit, self.frames = limit, frames
        self.first, self.background, self.pictures = explorer.values, explorer._background, {}

    # ---- one frame
    def render(self, values, before, afresh=True):
        """Draw what the figure shows when some values change from those `before`; all values that result."""
        state = self.explorer._after(values, before, afresh)
        if self.explorer.error:
            raise RuntimeError(f"baking {values}: {self.explorer.error}")
        if "_scene" not in state:  # nothing differs from `before`, but another frame has been drawn since
            state |= self.explorer._render(dict(state["_values"]))
        self.background = state.get("_background", self.background)
        self.scene = state["_scene"]
        return state["_values"]

    def picture(self):
        """The number of the present background among the different ones."""
        if self.background not in self.pictures:
            image, buffer = Image.open(BytesIO(self.background)), BytesIO()
            image = raster.reduced(image).convert("RGB")
            image.save(buffer, "webp", lossless=True, quality=60, method=4)
            self.pictures[self.background] = len(self.pictures), buffer.getvalue()
        return self.pictures[self.background][0]

    def artists(self):
        """What each live artist draws now: {place: something comparable}; nothing for an artist that is not seen."""
        xy, seen = np.frombuffer(self.scene["xy"], np.float32).reshape(-1, 2), {}
        for mark in self.scene["marks"]:
            part = xy[mark["from"] : mark["from"] + mark["count"]] if "from" in mark else None
            if part is None or np.isfinite(part).any():
                rest = {k: v for k, v in mark.items() if k != "from"}
                seen.setdefault(mark["of"], []).append((repr(rest), None if part is None else part.tobytes()))
        return seen

    # ---- what to vary
    def samples(self, name, count):
        """`count` values of a control with the present one among them; places of a point as fractions of its axes."""
        control, here = self.controls[name], self.first[name]
        asked = self.grid.get(name)
        if isinstance(asked, list | tuple):
            return [control.check(value) for value in asked]
        if count == 1:
            return [_HOME] if isinstance(control, Point) else [here]
        if isinstance(control, Point):
            side = round((count - 1) ** 0.5)
            middles = ((np.arange(side) + 0.5) / side).tolist()
            return [_HOME, *(_Place(u, v) for u in middles for v in middles)]
        values = list(control.span(count))
        if isinstance(control, Slider):
            values[int(np.argmin([abs(np.log(v / here)) if control.log else abs(v - here) for v in values]))] = here
            return values
        return [here, *(v for v in values if v != here)][:count]

    def switches(self):
        """{control: {option: places of its artists}} for chips whose options have artists of their own."""
        found = {}
        for name, control in self.controls.items():
            if not isinstance(control, Choices) or name in self.grid:
                continue
            self.render({name: tuple(control.options)}, self.first)
            everything, background, owners = self.artists(), self.background, {}
            for option in control.options:
                self.render({name: tuple(o for o in control.options if o != option)}, self.first)
                without = self.artists()
                owners[option] = [place for place in everything if without.get(place) != everything[place]]
                if self.background != background or any(place in without for place in owners[option]):
                    break
            else:
                places = [place for own in owners.values() for place in own]
                if places and len(places) == len(set(places)):
                    found[name] = owners
        return found

    def matters(self, name, base):
        """Whether a control changes what is seen, with everything else as in `base`."""
        seen = set()
        for value in self.controls[name].span(5):
            self.render({name: value}, base)
            seen.add((self.picture(), repr(sorted(self.artists().items()))))
            if len(seen) > 1:
                return True
        return False

    def counts(self, names, fits):
        """How many values of each control; `fits(frames, menu combinations)` says whether so many are possible.

        First points and sliders become coarser, then menus shorter, then controls are kept as they are.
        """
        counts, menu = {}, lambda name: not isinstance(self.controls[name], Slider | Point)
        for name in names:
            control, asked = self.controls[name], self.grid.get(name)
            most = 17 if isinstance(control, Point) else 13 if isinstance(control, Slider) else 100
            counts[name] = asked if isinstance(asked, int) else len(asked or control.span(most))
        free = [name for name in names if name not in self.grid]
        product = lambda of: int(np.prod([counts[name] for name in of]))
        floors = [{"point": 5, "slider": 5, "choice": 8}, {"point": 5, "slider": 3, "choice": 5},
                  {"point": 1, "slider": 3, "choice": 3}, {}]  # fmt: skip
        for floor in floors:
            while not fits(product(names), product(filter(menu, names))):
                above = [n for n in free if counts[n] > floor.get(self.controls[n].kind, 2 if floor else 1)]
                if not above:
                    break
                name = max(above, key=counts.get)
                counts[name] -= 1
                if isinstance(self.controls[name], Point):  # 1 + a square number
                    side = int((counts[name] - 1) ** 0.5)
                    counts[name] = 1 + side**2 * (side > 1)
        return counts

    # ---- everything
    def baked(self):
        """The dictionary: what varies, frames (compressed), vertices (compressed), backgrounds."""
        explorer = self.explorer
        try:
            switches = self.switches()
            self.base = {**self.first, **{name: tuple(self.controls[name].options) for name in switches}}
            names = [n for n, c in self.controls.items() if not isinstance(c, Play | Choices) or n in self.grid]
            names = [n for n in names if n in self.grid or not self.controls[n].when and self.matters(n, self.base)]
            names.sort(key=lambda n: isinstance(self.controls[n], Slider | Point))  # menus are the outer loops
            free = set(names) - set(self.grid)        # else there is nothing to choose, and no need to estimate
            frame, picture = self.estimate(names) if free else (0, 0)
            self.room = 0.72 * self.limit - 40_000

            def fits(frames, menus):
                return frames <= self.frames and frames * frame + menus * picture <= self.room

            while True:
                values = {name: self.samples(name, count) for name, count in self.counts(names, fits).items()}
                data = self.bake_grid(values, switches)
                size = len(json.dumps(data))
                if size <= 0.98 * self.limit or not free or all(len(v) == 1 for v in values.values()):
                    return data
                self.room *= 0.93 * self.limit / size
        finally:
            explorer._after({}, explorer._values, afresh=True)
            explorer._reader.cache.clear()

    def estimate(self, names):
        """Bytes of a frame, and of a background for each combination of menus, from a few at random."""
        draw, sizes, pictures = random.Random(0), [], set()
        for _ in range(5):
            values = {n: draw.choice(self.samples(n, 5)) for n in names if not isinstance(self.controls[n], Point)}
            self.render(values, self.base)
            pictures.add(self.picture())
            marks = zlib.compress(json.dumps(self.scene["marks"]).encode()) if "rgba" not in repr(self.scene) else b""
            sizes.append(len(_squeeze(np.frombuffer(self.scene["xy"], np.float32).reshape(-1, 2))[0]) + len(marks) // 4)
        return np.mean(sizes), (max(len(data) for _, data in self.pictures.values()) if len(pictures) > 1 else 0)

    def bake_grid(self, values, switches):
        """The dictionary for these values of each control."""
        menus = [n for n in values if not isinstance(self.controls[n], Slider | Point)]
        rest = [n for n in values if n not in menus]
        frames, vertices, glyphs = [], [], set()
        for chosen in itertools.product(*(values[n] for n in menus)):
            home = self.render(dict(zip(menus, chosen, strict=True)), self.base)
            for moved in itertools.product(*(values[n] for n in rest)):
                new = {n: self.place(n, v, home) for n, v in zip(rest, moved, strict=True)}
                now = self.render(new, home, afresh=False)
                frames.append({
                    "scene": {k: v for k, v in self.scene.items() if k != "xy"}
                    | {"marks": self.marks(switches, glyphs)},
                    "values": {**now, **{name: self.first[name] for name in switches}},
                    "picture": self.picture(), "from": sum(map(len, vertices)),
                })  # fmt: skip
                vertices.append(np.frombuffer(self.scene["xy"], np.float32).reshape(-1, 2))
        squeezed, degree = _squeeze(np.concatenate(vertices))
        used = sorted({frame["picture"] for frame in frames})
        pictures = [data for _, data in self.pictures.values()]
        for frame in frames:
            frame["picture"] = used.index(frame["picture"])
        first = min(range(len(frames)), key=lambda i: sum(frames[i]["values"][n] != self.first[n] for n in values))
        body = {
            "figure": self.figure(values, switches), "glyphs": {g: GLYPHS.outlines[g] for g in sorted(glyphs)},
            "frames": frames, "first": first,
        }  # fmt: skip
        return {
            "vary": [*menus, *rest], "degree": degree, "quantum": QUANTUM, "vertices": _text(squeezed),
            "body": _text(zlib.compress(json.dumps(body, separators=(",", ":")).encode(), 9)),
            "pictures": [_text(pictures[i]) for i in used],
        }  # fmt: skip

    def place(self, name, value, home):
        """A sampled value as a value of the control."""
        if value is _HOME:
            return home[name]
        if isinstance(value, _Place):
            ax = self.controls[name].ax
            return tuple((ax.transScale + ax.transLimits).inverted().transform(value).tolist())
        return value

    def marks(self, switches, glyphs):
        """The present marks for JSON, each with the option it belongs to; notes the letters they use."""
        marks = []
        for mark in self.scene["marks"]:
            mark = dict(mark)
            place = mark.pop("of")
            for name, owners in switches.items():
                for option, places in owners.items():
                    if place in places:
                        mark["if"] = [name, option]
            if "rgba" in mark:
                mark["rgba"] = _text(zlib.compress(mark["rgba"], 9))
            glyphs |= letters_of(mark)
            marks.append(mark)
        return marks

    def figure(self, values, switches):
        """The description of the figure with only the controls that answer here."""
        figure, specs, fixed = dict(self.explorer._figure), [], []
        for spec in figure["controls"]:
            control = self.controls[spec["name"]]
            sampled = values.get(control.name, [])
            if isinstance(control, Play) or control.name in switches:
                specs.append(spec)
            elif len(sampled) > 1:
                if isinstance(control, Slider):
                    spec = spec | {"values": sorted(sampled)}
                elif "options" in spec:
                    spec = spec | {"options": [option for option in spec["options"] if option in sampled]}
                specs.append(spec)
            elif not control.when:
                fixed.append(control.label)
        return figure | {"controls": specs, "note": NOTE + (f"; fixed here: {', '.join(fixed)}" if fixed else "")}


def _text(data):
    return base64.b64encode(data).decode()


def _squeeze(xy):
    """Vertices as int16 differences, low bytes first, compressed: (bytes, degree of the differences)."""
    with np.errstate(invalid="ignore"):
        far = np.abs(xy).max(1, initial=0)
        xy = np.where((far > REACH)[:, None], xy * (REACH / np.maximum(far, 1))[:, None], xy)
        whole = np.where(np.isnan(xy), GAP, np.round(xy / QUANTUM)).astype(np.int16)
    best = None
    for degree in (1, 2):
        steps = whole
        for _ in range(degree):
            steps = np.diff(steps, axis=0, prepend=np.zeros((1, 2), np.int16))
        packed = zlib.compress(np.ascontiguousarray(steps.T).view(np.uint8).reshape(-1, 2).T.tobytes(), 9)
        if best is None or len(packed) < len(best[0]):
            best = packed, degree
    return best


def baked_html(explorer, grid=None, script=True, **limits):
    """A self-contained piece of HTML: the baked figure, and live.js unless the page already has it (script=False)."""
    data = json.dumps(bake(explorer, grid, **limits), separators=(",", ":"))
    code = Path(__file__).with_name("live.js").read_text(encoding="utf-8")
    figure = (f'<div class="live-baked" role="figure" aria-label="{html.escape(explorer.alt)}">'
              f'<script type="application/json">{data}</script></div>')  # fmt: skip
    return figure + (f'\n<script type="module">\n{code}\nawaken();\n</script>' if script else "")
