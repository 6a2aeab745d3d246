"""The live figure without a browser: its background, its controls, the traps, its picture, the sweep."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from live_scene import METHODS, axes, live_figure, scene
from live_scene import compute as compute_scene
from matplotlib.figure import Figure
from matplotlib.image import imread

from shared.figures.live import Choice, Choices, Play, Point, Slider, Toggle, fingerprint, head, strict, sweep, trail


@pytest.fixture
def ax():
    return axes()


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
    first, scenes = figure._background, {fingerprint(figure)}
    figure.x = 3
    scenes.add(fingerprint(figure))
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


def test_new_colours_of_a_still_mesh_are_noticed(ax):
    mesh = ax.pcolormesh(np.arange(4), np.arange(3), np.zeros((2, 3)), vmin=0, vmax=1)
    draw = lambda data, level: mesh.set_array(np.full((2, 3), level))
    figure = live_figure(ax, controls=[Slider("level", 0.0, 1.0, 0.0)], draw=draw)
    before = figure._background
    figure.level = 0.0
    assert figure._background == before
    figure.level = 1.0
    assert figure._background != before


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
        (lambda: Slider("lr", 0, 1, 5), "lr = 5: accepted"),
        (lambda: Choice("c", ["a"], "b"), "c = 'b': accepted is one of a"),
        (lambda: Play(n=10, value=11), "from 0 to 10"),
        (lambda: trail("line"), "trail.str.: accepted is a line"),
    ],
)
def test_bad_declarations(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", ["close", "fig", "frame", "values", "error", "comm"])
def test_a_name_that_the_figure_needs_is_no_control(ax, name):
    with pytest.raises(ValueError, match=f"control name '{name}': taken by LiveFigure"):
        live_figure(ax, controls=[Slider(name, 0, 1, 0.5)])


def test_two_controls_of_one_name(ax):
    with pytest.raises(ValueError, match="control name 'lr': taken by another control"):
        live_figure(ax, controls=[Slider("lr", 0, 1, 0.5), Toggle("lr")])


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


def by_hand(figure, first=None, **values):
    """Change controls as the browser does, numbered from `first` (by default, what is not answered yet)."""
    first = figure._answered + 1 if first is None else first
    figure.set_state({"_hand": [[first + i, name, value] for i, (name, value) in enumerate(values.items())]})


def test_every_way_of_setting_is_the_same_update(figure):
    seen = []
    for how in (
        lambda: setattr(figure, "lr", 0.25),
        lambda: figure.set(lr=0.25),
        lambda: by_hand(figure, lr=0.25),
    ):
        figure.set(lr=0.1, step=199)
        how()
        assert figure.lr == figure.values["lr"] == 0.25
        seen.append(fingerprint(figure))
        assert figure._scene == figure.frame().scene and figure._background == figure.frame().background
    assert len(set(seen)) == 1
    np.testing.assert_equal(figure.data, compute_scene(0.25, figure.start))


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


def test_what_is_set_with_a_choice_holds_against_what_the_choice_brings(ax):
    figure = live_figure(
        ax,
        [],
        [Point("start", (1, 1), ax), Choice("where", ["left", "right"])],
        adjust=lambda changed, values: {"start": (9, 4)} if "where" in changed else {},
    )
    figure.set(start=(2, 2), where="right")
    assert figure.values == {"start": (2, 2), "where": "right"}


OUTSIDE = {"far": (1e9, 1e9), "beside": (10.5, 2), "nowhere": (np.nan, 1), "three": (1, 2, 3)}


@pytest.mark.parametrize("point", OUTSIDE.values(), ids=OUTSIDE)
@pytest.mark.parametrize("more", [{}, {"x": 7}, {"step": 3}, {"x": 7, "step": 3}], ids=str)
@pytest.mark.parametrize("loud", [True, False], ids=["strict", "shown"])
def test_a_place_outside_the_axes_is_refused_whoever_brings_it(ax, point, more, loud):
    figure = live_figure(ax, [], [Slider("x", 0, 9, 1), Play("step", 9), Point("start", (1, 1), ax)])
    message = "start = .*: accepted is "
    with pytest.raises(ValueError, match=message):
        figure.set(**more, start=point)
    with pytest.raises(ValueError, match=message):
        figure.start = point
    before, seen = figure.values, fingerprint(figure)
    assert figure.start == figure.values["start"] == (1, 1) and figure.x == figure.values["x"] == 1
    with strict(loud):
        if loud:
            with pytest.raises(ValueError, match=message):
                by_hand(figure, start=point)
        else:
            by_hand(figure, start=point, **more)
            assert figure.error.startswith("ValueError: start = ") == (not more)  # the next change makes it good
            by_hand(figure, **{name: before[name] for name in more or ["x"]})
    figure.x, figure.x = 2, before["x"]
    assert (figure.values, figure.error, fingerprint(figure)) == (before, "", seen)


def test_a_place_is_judged_by_the_axes_that_come_with_it(ax):
    draw = lambda data, limit: ax.set(xlim=(0, limit))
    figure = live_figure(ax, [], [Point("start", (1, 1), ax), Slider("limit", 5, 20, 10)], draw)
    figure.set(start=(15, 1), limit=20)
    assert figure.values == {"start": (15, 1), "limit": 20}
    with pytest.raises(ValueError, match=r"start = \(12.0, 1.0\): accepted is \[0, 5\] x"):
        figure.set(limit=5, start=(12, 1))
    assert figure.values == {"start": (15, 1), "limit": 20} and ax.get_xlim() == (0, 20)


def test_a_figure_does_not_begin_outside_its_axes(ax):
    with pytest.raises(ValueError, match="start = .*: accepted is"):
        live_figure(ax, [], [Point("start", (1e9, 1e9), ax)])


def test_each_change_of_the_hand_is_taken_once_and_in_its_order(ax):
    seen = []
    figure = live_figure(
        ax,
        [],
        [Slider("a", 0, 9, 1), Slider("b", 0, 9, 1)],
        adjust=lambda changed, values: seen.append((*changed, values["a"], values["b"])) or {},
    )
    by_hand(figure, first=1, a=2)
    by_hand(figure, first=1, a=2, b=3)  # what is not known to be answered is sent again
    assert seen == [("a", 2, 1), ("b", 2, 3)] and figure._answered == 2
    figure.a = 5
    by_hand(figure, first=2, b=3, a=4)
    assert figure.values == {"a": 4, "b": 3} and figure._answered == 3
    by_hand(figure, first=1, a=9, b=9)  # from before all that
    assert figure.values == {"a": 4, "b": 3}


def test_an_error_of_adjust_is_shown(ax):
    figure = live_figure(ax, [], [Slider("x", 0, 1, 0)], adjust=lambda changed, values: {"y": 1})
    by_hand(figure, x=1.0)
    assert figure.error == "KeyError: 'y'" and figure.values == {"x": 0}


def test_a_frame_is_what_the_reader_would_see(ax, tmp_path):
    (line,) = ax.plot([], [], lw=5)

    def draw(data, x, tall):
        line.set_data([0, x], [0, 4])
        ax.set_ylim(0, 9 if tall else 5)

    figure = live_figure(ax, [line], [Slider("x", 0, 9, 1), Toggle("tall")], draw)
    present, picture, published = figure.frame(), figure.png(), (figure._scene, figure._background)
    frame = figure.frame({"x": 5, "tall": True})
    assert frame.values == {"x": 5, "tall": True} and figure.values == {"x": 1, "tall": False}
    assert (figure._scene, figure._background) == published
    assert frame.background != present.background and frame.scene != present.scene
    assert figure.png() == picture  # the picture is of the present, whatever was drawn last
    again = figure.frame()
    assert (again.background, again.scene) == (present.background, present.scene)
    figure.frame({"tall": True})
    figure.tall = True  # what another frame has drawn is still new to the reader
    assert (figure._scene, figure._background) == figure.frame()[2:0:-1] != published


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
    with strict(), pytest.raises(ValueError, match="too large"):
        figure.x = 1


def test_strict_is_of_a_thread(ax):
    """A message of the browser on another thread has nobody who would catch its exception: it is shown."""
    figure = live_figure(ax, [], [Slider("x", 0, 1, 0)], compute=lambda x: {} if x < 0.5 else 1 / 0)
    with strict():
        thread = threading.Thread(target=by_hand, args=[figure], kwargs={"x": 1.0})
        thread.start()
        thread.join()
    assert figure.error == "ZeroDivisionError: division by zero"
    code = "from shared.figures.live.strictness import is_strict; print(is_strict())"
    for value, answer in (("1", "True"), ("", "False")):
        environment = os.environ | {"LIVE_STRICT": value}
        assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip() == answer


def test_many_threads(figure):
    rates = np.geomspace(1e-3, 1, 6)
    threads = [
        threading.Thread(target=figure.set, kwargs={"lr": float(r), "logarithmic": i % 2 == 0})
        for i, r in enumerate(rates)
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    after = fingerprint(figure)
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
    code = "import sys, shared.figures.live as live; live.LiveFigure; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert not {"matplotlib.pyplot", "torch"} & {*ran.stdout.split()}


def test_all_kinds_of_controls_have_a_span():
    assert Toggle("t").span() == [False, True] and Choices("m", METHODS).span()[-1] == tuple(METHODS)
