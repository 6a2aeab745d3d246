"""Baked figures: the frames of a page are those of the live figure, and its size has a limit."""

import base64
import json
import zlib

import numpy as np
import pytest
from live_scene import METHODS, marks, scene
from matplotlib.font_manager import FontProperties

from shared.figures.live import bake, baked_html, fingerprint
from shared.figures.live.glyphs import GLYPHS


@pytest.fixture(scope="module")
def figure():
    return scene()


def unpack(data):
    """A baked figure as table.js reads it, written anew: body and vertices (N, 2) in pixels."""
    body = json.loads(zlib.decompress(base64.b64decode(data["body"])))
    low, high = (
        np.frombuffer(zlib.decompress(base64.b64decode(data["vertices"])), np.uint8).reshape(2, -1).astype(np.uint16)
    )
    xy = (low + 256 * high).astype(np.int64).reshape(2, -1)
    for _ in range(data["degree"]):
        xy = np.cumsum(xy, 1)
    xy = xy.astype(np.uint16).astype(np.int16)
    return body, np.where(xy == -32768, np.nan, xy * data["quantum"]).T


def test_baked_frames_equal_the_live_ones(figure):
    figure.set(lr=0.1, methods=METHODS, logarithmic=True)
    before, drawn = figure.values, fingerprint(figure)
    data = bake(figure, {"lr": 2, "start": 5})
    assert (figure.values, fingerprint(figure)) == (before, drawn)
    assert data["vary"] == ["landscape_name", "logarithmic", "lr", "start"]
    body, xy = unpack(data)
    assert len(body["frames"]) == 2 * 2 * 2 * 5 and len(data["pictures"]) == 4
    assert body["frames"][body["first"]]["values"] == json.loads(json.dumps(before))
    for frame in body["frames"][::5]:
        figure.set(**frame["values"])
        for mark, live_mark in zip(frame["scene"]["marks"], marks(figure) + [None] * 99):
            if "from" in mark:
                start = frame["from"] + mark["from"]
                inside = np.where(np.abs(live_mark["xy"]).max(-1, keepdims=True) < 15000, live_mark["xy"], np.nan)
                np.testing.assert_allclose(xy[start : start + mark["count"]] + 0 * inside, inside, atol=0.26)
    figure.set(**before)
    owned = [mark["if"][1] for mark in body["frames"][0]["scene"]["marks"] if "if" in mark]
    assert owned == METHODS  # each chip switches its line


def test_baked_size_has_a_limit(figure):
    html = baked_html(figure, limit=150_000, script=False)
    assert 30_000 < len(html) < 150_000 and '<script type="module">' not in html
    with pytest.raises(ValueError, match="grid names speed: no such control; this figure has lr, "):
        bake(figure, {"speed": 3})


def test_what_is_baked_does_not_depend_on_what_the_process_drew_before():
    grid = {"lr": 2, "start": 1}
    first = bake(scene(), grid)
    GLYPHS.__init__()  # as in a new process, which meets other letters first
    GLYPHS.layout("ξζ§ß", FontProperties())
    assert bake(scene(), grid) == first
