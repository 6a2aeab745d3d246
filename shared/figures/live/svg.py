"""matplotlib's colours as CSS and its paths as SVG path data: the words in which marks are written."""

from functools import lru_cache

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
FLIP = Affine2D().scale(1, -1)  # y downwards, as in the browser
_markers = {}


@lru_cache(4096)
def hexadecimal(rgba):
    """A tuple (r, g, b, a) as "#rrggbb", with "aa" if it is translucent; None if there is nothing to see."""
    return None if rgba[3] == 0 else "#" + "".join(f"{round(255 * v):02x}" for v in rgba[: 3 + (rgba[3] < 1)])


def css(color, alpha=None):
    """A matplotlib colour as CSS; None if there is nothing to see."""
    return None if color is None else hexadecimal(to_rgba(color, alpha))


def css_each(rgba):
    """Colours of a collection's items: one string if they agree, else a list."""
    colors = [hexadecimal(c) for c in map(tuple, np.asarray(rgba, float).tolist())]
    return (colors[0] if len(set(colors)) == 1 else colors) if colors else None


def each(values):
    """Numbers of a collection's items: one if they agree, else a list."""
    values = [round(float(v), 3) for v in values]
    return (values[0] if len(set(values)) == 1 else values) if values else 0


def path_data(path, transform=None):
    """A path as SVG path data, curves kept."""
    segments = (path.transformed(transform) if transform else path).iter_segments(simplify=False, curves=True)
    short = lambda v: f"{v:.2f}".rstrip("0").rstrip(".")
    return "".join(_LETTERS[code] + (" ".join(map(short, points)) if code != Path.CLOSEPOLY else "")
                   for points, code in segments)  # fmt: skip


def marker_data(path, transform=None):
    """A marker's outline as SVG path data, y downwards; kept, since a marker is drawn again and again."""
    key = (path.vertices.tobytes(), None if path.codes is None else path.codes.tobytes(),
           None if transform is None else transform.get_matrix().tobytes())  # fmt: skip
    if key not in _markers:
        _markers[key] = path_data(path, transform + FLIP if transform is not None else FLIP)
    return _markers[key]
