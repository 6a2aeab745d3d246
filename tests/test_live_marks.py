"""What is read from matplotlib's artists: vertices in pixels, colours, letters, images."""

import json

import numpy as np
import pytest
from live_scene import axes, live_figure, marks, pixels

from shared.figures.live.artists import Reader


@pytest.fixture
def ax():
    return axes()


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
    extent = text.get_window_extent(figure.fig.canvas.get_renderer())
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
