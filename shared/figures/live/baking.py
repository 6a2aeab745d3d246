"""Bakes a live figure: its frames are computed ahead over a grid of its controls and embedded in a piece of HTML.

The page then answers its sliders, menus and clicks with the nearest frame, without a kernel and without a network; the
JavaScript is the same. What does not fit in the size limit is sampled more coarsely, or kept at its present value.
"""

import base64
import html
import itertools
import json
import random
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

from . import browser
from .controls import Choices, Play, Point, Slider
from .glyphs import GLYPHS, renumbered
from .raster import reduced
from .sampling import Sampling
from .stage import LOCK, vertices

LIMIT = 1_500_000  # bytes of HTML
QUANTUM = 0.5  # of a pixel at twice the screen's resolution: a vertex as int16 reaches 16,000 pixels
GAP, REACH = -32768, 16_000
NOTE = "sampled values: this page has no kernel"


def bake(explorer, grid=None, limit=LIMIT, frames=400):
    """All frames over the grid of the controls, as a dictionary for JSON.

    grid: {control: number of values, or a list of values}; a control that it does not name is sampled as finely as
    `limit` (bytes) and `frames` (their number) allow: menus and check boxes first. Chips (Choices) switch artists on
    and off in the page if every option has artists of its own. The explorer is left as it was.
    """
    with LOCK:
        try:
            return _Oven(explorer, grid or {}, limit, frames).baked()
        finally:
            explorer.frame()


def baked_html(explorer, grid=None, script=True, **limits):
    """A self-contained piece of HTML: the baked figure, and the script unless the page has it (script=False)."""
    data = json.dumps(bake(explorer, grid, **limits), separators=(",", ":"))
    figure = (f'<div class="live-baked" role="figure" aria-label="{html.escape(explorer.alt)}">'
              f'<script type="application/json">{data}</script></div>')  # fmt: skip
    return figure + (f'\n<script type="module">\n{browser.script()}\nawaken();\n</script>' if script else "")


class _Oven:
    """One baking: `render` draws a frame, `baked` puts all of them together."""

    def __init__(self, explorer, grid, limit, frames):
        self.explorer, self.controls, self.first = explorer, explorer.controls, explorer.values
        self.sampling = Sampling(self.controls, self.first, grid)
        self.grid, self.limit, self.frames, self.pictures = grid, limit, frames, {}

    def baked(self):
        """The dictionary: what varies, frames (compressed), vertices (compressed), backgrounds."""
        switches = self.switches()
        self.base = {**self.first, **{name: tuple(self.controls[name].options) for name in switches}}
        names = [n for n, c in self.controls.items() if not isinstance(c, Play | Choices) or n in self.grid]
        names = [n for n in names if n in self.grid or not self.controls[n].when and self.matters(n)]
        names.sort(key=self.sampling.moves)           # menus are the outer loops
        free = set(names) - set(self.grid)            # else there is nothing to choose, and no need to estimate
        frame, picture = self.estimate(names) if free else (0, 0)
        self.room = 0.72 * self.limit - 40_000
        fits = lambda frames, menus: frames <= self.frames and frames * frame + menus * picture <= self.room
        while True:
            counts = self.sampling.counts(names, fits)
            values = {name: self.sampling.values(name, count) for name, count in counts.items()}
            data = self.bake_grid(values, switches)
            size = len(json.dumps(data))
            if size <= 0.98 * self.limit or not free or all(len(v) == 1 for v in values.values()):
                return data
            self.room *= 0.93 * self.limit / size

    # ---- one frame
    def render(self, values, before):
        """Draw what the figure shows when some values change from those `before`; all values that result."""
        self.frame = self.explorer.frame(values, before)
        if error := self.frame.scene["error"]:
            raise RuntimeError(f"baking {values}: {error}")
        return self.frame.values

    def picture(self):
        """The number of the present background among the different ones."""
        background = self.frame.background
        if background not in self.pictures:
            image, buffer = reduced(Image.open(BytesIO(background))).convert("RGB"), BytesIO()
            image.save(buffer, "webp", lossless=True, quality=60, method=4)
            self.pictures[background] = len(self.pictures), buffer.getvalue()
        return self.pictures[background][0]

    def artists(self):
        """What each live artist draws now: {place: something comparable}; nothing for an artist that is not seen."""
        xy, seen = vertices(self.frame.scene), {}
        for mark in self.frame.scene["marks"]:
            part = xy[mark["from"] : mark["from"] + mark["count"]] if "from" in mark else None
            if part is None or np.isfinite(part).any():
                rest = {k: v for k, v in mark.items() if k != "from"}
                seen.setdefault(mark["of"], []).append((repr(rest), None if part is None else part.tobytes()))
        return seen

    # ---- what to vary
    def switches(self):
        """{control: {option: places of its artists}} for chips whose options have artists of their own."""
        found = {}
        for name, control in self.controls.items():
            if not isinstance(control, Choices) or name in self.grid:
                continue
            self.render({name: tuple(control.options)}, self.first)
            everything, background, owners = self.artists(), self.frame.background, {}
            for option in control.options:
                self.render({name: tuple(o for o in control.options if o != option)}, self.first)
                without = self.artists()
                owners[option] = [place for place in everything if without.get(place) != everything[place]]
                if self.frame.background != background or any(place in without for place in owners[option]):
                    break
            else:
                places = [place for own in owners.values() for place in own]
                if places and len(places) == len(set(places)):
                    found[name] = owners
        return found

    def matters(self, name):
        """Whether a control changes what is seen, with everything else as in the base."""
        seen = set()
        for value in self.controls[name].span(5):
            self.render({name: value}, self.base)
            seen.add((self.picture(), repr(sorted(self.artists().items()))))
            if len(seen) > 1:
                return True
        return False

    def estimate(self, names):
        """Bytes of a frame, and of a background for each combination of menus, from a few at random."""
        draw, sizes, pictures = random.Random(0), [], set()
        for _ in range(5):
            values = {n: draw.choice(self.sampling.values(n, 5)) for n in names
                      if not isinstance(self.controls[n], Point)}  # fmt: skip
            self.render(values, self.base)
            pictures.add(self.picture())
            scene = self.frame.scene
            marks = zlib.compress(json.dumps(scene["marks"]).encode()) if "rgba" not in repr(scene) else b""
            sizes.append(len(squeeze(vertices(scene))[0]) + len(marks) // 4)
        return np.mean(sizes), (max(len(data) for _, data in self.pictures.values()) if len(pictures) > 1 else 0)

    # ---- everything
    def bake_grid(self, values, switches):
        """The dictionary for these values of each control."""
        menus = [name for name in values if not self.sampling.moves(name)]
        rest = [name for name in values if name not in menus]
        frames, xy, letters = [], [], {}
        for chosen in itertools.product(*(values[n] for n in menus)):
            home = self.render(dict(zip(menus, chosen)), self.base)
            for moved in itertools.product(*(values[n] for n in rest)):
                now = self.render({n: self.sampling.resolved(n, v, home) for n, v in zip(rest, moved)}, home)
                scene = {key: part for key, part in self.frame.scene.items() if key != "xy"}
                frames.append({
                    "scene": scene | {"marks": self.marks(switches, letters)},
                    "values": {**now, **{name: self.first[name] for name in switches}},
                    "picture": self.picture(), "from": sum(map(len, xy)),
                })  # fmt: skip
                xy.append(vertices(self.frame.scene))
        squeezed, degree = squeeze(np.concatenate(xy))
        used = sorted({frame["picture"] for frame in frames})
        pictures = [data for _, data in self.pictures.values()]
        for frame in frames:
            frame["picture"] = used.index(frame["picture"])
        first = min(range(len(frames)), key=lambda i: sum(frames[i]["values"][n] != self.first[n] for n in values))
        body = {
            "figure": self.figure(values, switches), "frames": frames, "first": first,
            "glyphs": {new: GLYPHS.outlines[old] for old, new in letters.items()},
        }  # fmt: skip
        return {
            "vary": [*menus, *rest], "degree": degree, "quantum": QUANTUM, "vertices": _text(squeezed),
            "body": _text(zlib.compress(json.dumps(body, separators=(",", ":")).encode(), 9)),
            "pictures": [_text(pictures[i]) for i in used],
        }  # fmt: skip

    def marks(self, switches, letters):
        """The present marks for JSON, each with the option it belongs to; `letters` numbers those they use."""
        marks = []
        for mark in self.frame.scene["marks"]:
            mark = dict(mark)
            place = mark.pop("of")
            for name, owners in switches.items():
                for option, places in owners.items():
                    if place in places:
                        mark["if"] = [name, option]
            if "rgba" in mark:
                mark["rgba"] = _text(zlib.compress(mark["rgba"], 9))
            marks.append(renumbered(mark, letters))
        return marks

    def figure(self, values, switches):
        """The description of the figure with only the controls that answer here."""
        figure, specs, fixed = self.explorer.spec(), [], []
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


def squeeze(xy):
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
