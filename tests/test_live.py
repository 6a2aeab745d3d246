"""The live figure without a browser: what is read from the artists, the controls, the traps."""

import base64
import json
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
from live_scene import METHODS, scene
from matplotlib.figure import Figure
from matplotlib.image import imread

from shared import live
from shared.live import Choice, Choices, LiveFigure, Play, Point, Slider, Toggle, baked_html, head, sweep, trail
from shared.marks import Reader


@pytest.fixture
def ax():
    ax = Figure(figsize=(4, 3), dpi=100).subplots()
    ax.set(xlim=(0, 10), ylim=(0, 5))
    return ax


def live_figure(ax, artists=(), controls=(), draw=lambda data, **_: None, compute=lambda **_: {}, **options):
    return LiveFigure(ax.figure, artists, controls, compute, draw, alt="a figure", **options)


def marks(explorer):
    """The marks that have vertices, with them."""
    xy = np.frombuffer(explorer._scene["xy"], np.float32).reshape(-1, 2)
    return [m | {"xy": xy[m["from"] : m["from"] + m["count"]]} for m in explorer._scene["marks"] if "from" in m]


def pixels(ax, x, y):
    """Data -> pixels from the top left corner, twice the screen's; linear axes, without matplotlib's transforms."""
    width, height = 2 * ax.figure.get_size_inches() * 100
    box, (x0, x1), (y0, y1) = ax.get_position(), ax.get_xlim(), ax.get_ylim()
    u, v = (np.asarray(x) - x0) / (x1 - x0), (np.asarray(y) - y0) / (y1 - y0)
    return np.stack([width * (box.x0 + u * box.width), height * (1 - box.y0 - v * box.height)], -1)


# ------------------------------------------------------------------------------------------------------- reading
def test_line_in_pixels(ax):
    x, y = np.linspace(0, 10, 200), np.linspace(0, 5, 200) ** 2
    (line,) = ax.plot(x, y, "o-", color="#ff0000", alpha=0.5, lw=3, ms=6, scalex=False, scaley=False)
    path, dots = marks(live_figure(ax, [line]))
    np.testing.assert_allclose(path["xy"], pixels(ax, x, y), atol=1e-2)
    np.testing.assert_allclose(dots["xy"], path["xy"])
    assert path["stroke"] == "#ff000080" and path["width"] == pytest.approx(3 * 200 / 72, abs=0.01)
    assert path["clip"] == pytest.approx([*pixels(ax, 0, 5), *pixels(ax, 10, 0)], abs=0.01)


def test_scatter_in_pixels(ax):
    x, y = np.arange(5), np.arange(5) / 2
    dots = ax.scatter(x, y, s=[4, 9, 16, 25, 36], c=x, cmap="viridis")
    (mark,) = marks(live_figure(ax, [dots]))
    np.testing.assert_allclose(mark["xy"], pixels(ax, x, y), atol=1e-2)
    np.testing.assert_allclose(mark["size"], np.array([2, 3, 4, 5, 6]) * 200 / 72, atol=1e-2)
    assert len(set(mark["fill"])) == 5


def test_bars_in_pixels(ax):
    bars = ax.bar([1, 2, 3], [1, 2, 3], width=0.5, color=["red", "red", "blue"])
    (mark,) = marks(live_figure(ax, [bars]))
    corners = mark["xy"].reshape(3, 5, 2)
    np.testing.assert_allclose(corners[:, 0], pixels(ax, [0.75, 1.75, 2.75], [0, 0, 0]), atol=1e-2)
    np.testing.assert_allclose(corners[:, 2], pixels(ax, [1.25, 2.25, 3.25], [1, 2, 3]), atol=1e-2)
    assert mark["fill"] == ["#ff0000", "#ff0000", "#0000ff"]


def test_huge_and_infinite_vertices(ax):
    x = np.array([5, 5 + 1e300, np.nan, np.inf, -1e200, 1e-320])
    (line,) = ax.plot(x, 2.5 + np.array([0, 5e299, 1, 1, 1e200, 1]), scalex=False, scaley=False)
    (mark,) = marks(live_figure(ax, [line]))
    xy = mark["xy"]
    assert (
        np.isnan(xy[2:4]).all()
        and np.isfinite(np.delete(xy, [2, 3], 0)).all()
        and np.abs(xy[~np.isnan(xy)]).max() < 1.1e6
    )
    np.testing.assert_allclose(xy[0], pixels(ax, 5, 2.5), atol=1e-2)
    true = pixels(ax, 6, 3.0) - pixels(ax, 5, 2.5)  # the direction in which the line leaves the axes
    found = xy[1] - xy[0]
    assert found[1] / found[0] == pytest.approx(true[1] / true[0], rel=1e-3)


@pytest.mark.parametrize("said", ["loss, η = 0.1", "$x_1^2$ and AVATAR", "two\nlines", ""])
@pytest.mark.parametrize("where", [dict(), dict(ha="center"), dict(va="top"), dict(rotation=30), dict(alpha=0.5)])
def test_a_plain_text_is_written_where_its_layout_would_put_it(ax, said, where, monkeypatch):
    text = ax.text(2, 3, said, color="#aa0000", **where)
    written = Reader(ax.figure).read([text])
    monkeypatch.setattr(Reader, "_write", lambda reader, text: False)
    assert written == Reader(ax.figure).read([text])


def test_text_covers_its_extent(ax):
    text = ax.text(3, 2, r"loss $\frac{1}{2}\kappa$, step 12", ha="center", va="bottom", size=14)
    figure = live_figure(ax, [text])
    (mark,) = [m for m in figure._scene["marks"] if m["kind"] == "text"]
    extent = text.get_window_extent(figure._canvas.get_renderer())
    letters = np.array(mark["letters"]).reshape(-1, 4)
    left = mark["at"][0] + letters[:, 1].min() * mark["size"]
    right = mark["at"][0] + letters[:, 1].max() * mark["size"]
    assert extent.x0 - 4 <= left <= extent.x0 + 8 and extent.x1 - 40 <= right <= extent.x1
    assert figure.fig.bbox.height - extent.y1 <= mark["at"][1] <= figure.fig.bbox.height - extent.y0
    assert {str(int(n)) for n in letters[:, 0]} <= set(map(str, figure._glyphs)) and mark["rules"]


@pytest.mark.parametrize(
    "make",
    [
        lambda ax: ax.legend(ax.plot([1], [1]), ["a"]),
        lambda ax: ax.annotate("here", (1, 1), (3, 3), arrowprops={"arrowstyle": "->"}),
        lambda ax: ax.fill_between([1, 2, 3], [1, 1, 1], [2, 3, 2]),
        lambda ax: ax.quiver([1, 2], [1, 2], [1, 0], [0, 1]),
        lambda ax: ax.imshow(np.eye(4), extent=(0, 4, 0, 4)),
        lambda ax: ax.contour(np.arange(25.0).reshape(5, 5)),
        lambda ax: ax.hlines([1, 2], 0, 5),
        lambda ax: ax.errorbar([1, 2], [1, 2], yerr=0.5),
        lambda ax: ax.stem([1, 2], [1, 2]),
        lambda ax: ax.xaxis,
        lambda ax: ax,
        lambda ax: ax.axvspan(1, 2),
        lambda ax: ax.step([1, 2, 3], [1, 2, 3])[0],
        lambda ax: ax.pcolormesh(np.eye(3)),
        lambda ax: ax.plot([1, 2, 3], [1, 2, 3], "--x", markevery=[0, 2])[0],
    ],
)
def test_any_artist_may_be_live(ax, make):
    figure = live_figure(ax, [make(ax)])
    assert figure._scene["marks"] and not figure.error
    json.dumps(figure._scene, default=bytes.hex, allow_nan=False)


def test_image_rows_and_place(ax):
    for origin in ("upper", "lower"):
        image = ax.imshow([[0, 0], [0, 1]], extent=(2, 4, 1, 3), origin=origin, cmap="gray", aspect="auto")
        ax.set(xlim=(0, 10), ylim=(0, 5))
        (mark,) = [m for m in live_figure(ax, [image])._scene["marks"] if m["kind"] == "image"]
        rgba = np.frombuffer(mark["rgba"], np.uint8).reshape(2, 2, 4)[..., 0]
        assert rgba.tolist() == ([[0, 0], [0, 255]] if origin == "upper" else [[0, 255], [0, 0]])
        np.testing.assert_allclose(mark["box"][:2], pixels(ax, 2, 3), atol=0.01)
        np.testing.assert_allclose(np.add(mark["box"][:2], mark["box"][2:]), pixels(ax, 4, 1), atol=0.01)
        ax.clear()
        ax.figure.set_dpi(100)


# -------------------------------------------------------------------------------------------------- background
def test_background_is_drawn_again_only_when_needed(ax):
    (line,) = ax.plot([], [])
    still = ax.axhline(1)

    def draw(data, x, limit, height):
        line.set_data([0, x], [0, x])
        ax.set_title(f"x = {x}")
        ax.set_xlim(0, limit)
        if height != still.get_ydata()[0]:
            still.set_ydata([height, height])

    figure = live_figure(
        ax, [line], [Slider("x", 0, 9, 1), Slider("limit", 5, 20, 10), Slider("height", 0, 5, 1)], draw
    )
    first, scenes = figure._background, {figure.drawn}
    figure.x = 3
    scenes.add(figure.drawn)
    assert figure._background == first and len(scenes) == 2
    figure.limit = 20
    second = figure._background
    assert second != first
    figure.height = 2
    assert figure._background != second


def test_live_axes_change_limits_without_a_background(ax):
    (line,) = ax.plot([], [])

    def draw(data, x):
        line.set_data([0, x], [0, 1])
        ax.set_xlim(0, x)

    figure = live_figure(ax, [ax], [Slider("x", 1, 1000, 10)], draw)
    first, labels = figure._background, [m for m in figure._scene["marks"] if m["kind"] == "text"]
    figure.x = 500
    assert figure._background == first
    assert [m for m in figure._scene["marks"] if m["kind"] == "text"] != labels


# ---------------------------------------------------------------------------------------------------- controls
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lr", 2, "lr = 2: accepted is a number from 0.001 to 1"),
        ("lr", "big", "lr = 'big'"),
        ("lr", np.nan, "lr = nan"),
        ("landscape_name", "hill", "'hill': accepted is one of bowl, valley"),
        ("methods", ["SDG"], "'SDG': accepted is any of SGD"),
        ("logarithmic", "yes", "True or False"),
        ("start", (1, np.inf), "pair"),
        ("start", 3, "pair"),
        ("start", (9, 9), r"accepted is \[-2, 2\] x \[-2, 2\]"),
        ("step", 200, "whole number from 0 to 199"),
        ("step", 1.5, "whole"),
        ("speed", 1, "speed = 1: no such control; this figure has lr, "),
    ],
)
def test_bad_values(figure, name, value, message):
    before = figure.values
    with pytest.raises(ValueError, match=message):
        figure.set(**{name: value})
    if name != "speed":
        with pytest.raises(ValueError, match=message):
            setattr(figure, name, value)
    assert figure.values == before


@pytest.fixture(scope="module")
def figure():
    return scene()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Slider("lr", 0, 1, 0.5, log=True), "positive with log"),
        (lambda: Slider("a b", 0, 1, 0.5), "not an identifier"),
        (lambda: Slider("close", 0, 1, 0.5), "taken by LiveFigure"),
        (lambda: Slider("lr", 0, 1, 5), "lr = 5: accepted"),
        (lambda: Choice("c", ["a"], "b"), "c = 'b': accepted is one of a"),
        (lambda: Play(n=10, value=11), "from 0 to 10"),
        (lambda: trail("line"), "trail.str.: accepted is a line"),
    ],
)
def test_bad_declarations(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_artists_of_another_figure(ax):
    with pytest.raises(ValueError, match="not an artist of this figure"):
        live_figure(ax, [Figure().subplots().plot([1])[0]])
    with pytest.raises(ValueError, match="needs a Play"):
        live_figure(ax, [trail(ax.plot([1])[0])])


def test_span_of_sliders():
    assert Slider("n", 1, 50, 10, step=1).span() == list(range(1, 51))
    assert Slider("p", 0, 1, 0.5, step=0.25).span() == [0, 0.25, 0.5, 0.75, 1]
    rates = Slider("lr", 1e-4, 1, 0.1, log=True).span()
    assert (rates[0], rates[-1], len(rates)) == (1e-4, 1, 201)
    np.testing.assert_allclose(np.diff(np.log(rates)), np.log(1e4) / 200, atol=0.02)


def test_every_way_of_setting_is_the_same_update(figure):
    seen = []
    for how in (
        lambda: setattr(figure, "lr", 0.25),
        lambda: figure.set(lr=0.25),
        lambda: figure.set_state({"_values": figure.values | {"lr": 0.25}}),
    ):
        figure.set(lr=0.1, step=199)
        how()
        assert figure.lr == figure.values["lr"] == 0.25
        seen.append(figure.drawn)
    assert len(set(seen)) == 1
    np.testing.assert_equal(figure.data, __import__("live_scene").compute(0.25, figure.start))


def test_adjust_sets_other_controls(ax):
    figure = live_figure(
        ax,
        [],
        [Choice("where", ["left", "right"]), Point("start", (1, 1), ax)],
        adjust=lambda changed, values: {"start": (9, 4)} if "where" in changed else {},
    )
    figure.where = "right"
    assert figure.start == (9, 4) == figure.values["start"]
    figure.start = (2, 2)
    assert figure.values == {"where": "right", "start": (2, 2)}


def test_play_follows_the_length_of_the_run(ax):
    (line,) = ax.plot([], [])
    figure = live_figure(
        ax,
        [trail(line)],
        [Slider("n", 2, 9, 4, step=1), Play(n=lambda data: len(data["x"]) - 1)],
        lambda data, n: line.set_data(data["x"], data["x"]),
        lambda n: {"x": np.arange(n + 1)},
    )
    assert figure.step == 4
    figure.n = 9
    assert figure.step == 9  # stays at the end
    figure.step = 5
    figure.n = 7
    assert figure.step == 5
    figure.n = 3
    assert figure.values["step"] == 3 == figure.step


def test_compute_runs_only_for_what_it_names(ax):
    calls = []
    figure = live_figure(
        ax, [], [Slider("a", 0, 1, 0), Slider("b", 0, 1, 0)], lambda data, a, b: None, lambda a: calls.append(a) or {}
    )
    figure.b = 0.5
    figure.a = 0.5
    assert calls == [0, 0.5]


def test_exceptions_are_kept_and_shown(ax):
    def compute(x):
        if x > 0.5:
            raise ValueError("x is too large")
        return {}

    figure = live_figure(ax, [], [Slider("x", 0, 1, 0)], compute=compute)
    figure.x = 1
    assert figure.error == figure._scene["error"] == "ValueError: x is too large"
    figure.x = 0.25
    assert figure.error == figure._scene["error"] == ""
    with live.strict(), pytest.raises(ValueError, match="too large"):
        figure.x = 1


def test_many_threads(figure):
    rates = np.geomspace(1e-3, 1, 6)
    threads = [
        threading.Thread(target=figure.set, kwargs={"lr": float(r), "logarithmic": i % 2 == 0})
        for i, r in enumerate(rates)
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    after = figure.drawn
    assert not figure.error
    figure.set(lr=0.1, logarithmic=True)
    figure.set(**{k: v for k, v in zip(("lr", "logarithmic"), (rates[-1], False), strict=True)})
    assert figure.lr == 1.0 and after is not None


# ------------------------------------------------------------------------------------------------------- still
def test_still_picture(figure):
    data, metadata = figure._repr_mimebundle_()
    assert data["text/plain"] == repr(figure) == figure.alt and " at 0x" not in data["text/plain"]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == figure.model_id
    assert metadata["image/png"]["alt"] == figure.alt


def test_still_picture_shows_the_present_step(ax, tmp_path):
    (path,) = ax.plot([], [], color="red", lw=4)
    (dot,) = ax.plot([], [], "s", color="blue", ms=12)
    caption = ax.text(5, 4, "", color="lime")

    def draw(data):
        for line in (path, dot):
            line.set_data(np.arange(11), np.full(11, 2.5))
        caption.set_text("\n".join(f"step {k}" for k in range(11)))

    figure = live_figure(ax, [trail(path), head(dot), head(caption)], [Play("step", 10)], draw)
    ax.set_axis_off()

    def columns(channel):
        (tmp_path / "f.png").write_bytes(figure.png())
        rgb = imread(tmp_path / "f.png")[..., :3]
        here = (rgb[..., channel] > 0.8) & (np.delete(rgb, channel, -1) < 0.4).all(-1)
        return np.flatnonzero(here.any(0))

    figure.step = 3
    width = columns(0)[-1] + columns(2)[-1]
    assert columns(2)[-1] - columns(2)[0] < 30
    figure.step = 10
    assert columns(0)[-1] + columns(2)[-1] > width + 300
    assert len(path.get_xdata()) == 11 and caption.get_text().count("\n") == 10


def test_figures_of_an_earlier_run_of_the_cell_are_closed(ax, monkeypatch):
    class Shell:
        parent_header = {"metadata": {"cellId": "abc"}, "header": {"msg_id": "1"}}

    monkeypatch.setattr("IPython.get_ipython", lambda: Shell)
    first, second = live_figure(ax), live_figure(ax)
    assert first.comm is not None and second.comm is not None
    Shell.parent_header = {"metadata": {"cellId": "abc"}, "header": {"msg_id": "2"}}
    third = live_figure(ax)
    assert first.comm is None and second.comm is None and third.comm is not None


# ------------------------------------------------------------------------------------------------------- baked
def unpack(data):
    """A baked figure as live.js reads it, written anew: body and vertices (N, 2) in pixels."""
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
    before, drawn = figure.values, figure.drawn
    data = figure.bake({"lr": 2, "start": 5})
    assert (figure.values, figure.drawn) == (before, drawn)
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
        figure.bake({"speed": 3})


def test_new_colours_of_a_still_mesh_are_noticed(ax):
    mesh = ax.pcolormesh(np.arange(4), np.arange(3), np.zeros((2, 3)), vmin=0, vmax=1)
    draw = lambda data, level: mesh.set_array(np.full((2, 3), level))
    figure = live_figure(ax, controls=[Slider("level", 0.0, 1.0, 0.0)], draw=draw)
    before = figure._background
    figure.level = 0.0
    assert figure._background == before
    figure.level = 1.0
    assert figure._background != before


# ------------------------------------------------------------------------------------------------------- sweep
def test_sweep_passes(figure):
    before = figure.values
    sweep(figure)
    assert figure.values == before


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("dead", "change nothing: b"),
        ("raises", "too large"),
        ("impure", "not pure"),
        ("limits", "limits"),
    ],
)
def test_sweep_finds_faults(ax, fault, message):
    (line,) = ax.plot([], [])
    random = np.random.default_rng()

    def compute(a, b):
        if fault == "raises" and a == 1:
            raise ValueError("too large")
        return {"y": random.random() if fault == "impure" else a}

    def draw(data, a, b):
        line.set_data([0, 1], [data["y"], 0 if fault == "dead" else b])
        if fault == "limits" and a == 1:
            ax.viewLim.y1 = np.inf

    figure = live_figure(ax, [line], [Slider("a", 0, 1, 0), Slider("b", 0, 1, 0)], draw, compute)
    with pytest.raises((AssertionError, ValueError), match=message):
        sweep(figure)


# -------------------------------------------------------------------------------------------------- environment
def test_no_pyplot():
    code = "import sys, shared.live; assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)


def test_all_kinds_of_controls_have_a_span():
    assert Toggle("t").span() == [False, True] and Choices("m", METHODS).span()[-1] == tuple(METHODS)
