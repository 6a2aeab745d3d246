"""The look of the course: readable colours, no pyplot, figures that can be read aloud, claims that can fail."""

import ast
import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from shared.course import show
from shared.explorers import batch
from shared.explorers.rules import methods
from shared.figures import plots, raster, theme
from shared.figures.live.raster import reduced
from shared.optimizers import SGD, Adam
from shared.problems import himmelblau, saddle

ROOT = Path(__file__).resolve().parents[1]


def contrast(colour):
    """The WCAG 2 contrast ratio of a colour on white paper."""
    c = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


@pytest.mark.parametrize("name", [*theme.COLORS, "INK", "MUTED", "ACCENT", "GOOD", "BAD"])
def test_every_colour_can_be_read_as_text(name):
    assert contrast(theme.COLORS.get(name) or getattr(theme, name)) >= 4.5


def test_every_rule_has_a_colour_and_no_two_share_one():
    for rule in methods().values():
        theme.color(rule)
    others = {m: c for m, c in theme.COLORS.items() if m != "HeavyBall"}  # another form of Momentum
    assert len(set(others.values())) == len(others)


def test_a_rule_has_the_colour_of_its_method():
    assert theme.color(SGD(0.1, momentum=0.9)) == theme.COLORS["Momentum"]
    assert theme.color(Adam()) == theme.color("Adam")
    with pytest.raises(KeyError, match="no colour for 'Adamm'"):
        theme.color("Adamm")


@pytest.mark.parametrize("path", sorted(ROOT.glob("shared/**/*.py")) + sorted(ROOT.glob("chapters/source/*.py")),
                         ids=lambda p: p.name)  # fmt: skip
def test_nobody_uses_pyplot(path):
    """It keeps figures in a global list, which another thread of a live figure would corrupt."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [f"{node.module}.{a.name}" for a in node.names] if isinstance(node, ast.ImportFrom) else []
        assert not any("pyplot" in name for name in names)


def test_a_figure_is_a_small_png_of_its_size():
    fig, _ = theme.figure(6, 3)
    image = Image.open(io.BytesIO(raster.png(fig)))
    assert image.size == (6 * theme.DPI, 3 * theme.DPI) and image.mode == "P"


def test_show_displays_the_picture_with_its_alt_text(capsys, monkeypatch):
    said = []
    monkeypatch.setattr("IPython.display.display", lambda *a, **kw: said.append((a, kw)))
    fig, _ = theme.figure(4, 2)
    show(fig, alt="two lines")
    (data,), options = said[0]
    assert data["text/plain"] == "Figure: two lines"
    assert options["metadata"]["image/png"] == {"alt": "two lines", "width": 4 * theme.DPI, "height": 2 * theme.DPI}
    with pytest.raises(ValueError, match="say in alt what the figure shows"):
        show(fig)
    show(SGD)
    assert "x ← x − η v" in said[1][0][0].data


def test_contours_mark_the_minima_inside_the_plot_and_manage_without():
    fig, (a, b) = theme.figure(6, 3, 1, 2)
    (stars,) = plots.contours(a, himmelblau())
    assert len(stars.get_xdata()) == 4
    (stars,) = plots.contours(b, saddle())
    assert len(stars.get_xdata()) == 0


def test_labels_at_the_ends_do_not_overlap():
    fig, ax = theme.figure(6, 3)
    for i in range(5):
        plots.curve(ax, np.linspace(0, 1, 10) + 0.001 * i, f"line {i}")
    texts = plots.label_ends(ax)
    fig.canvas.draw()
    boxes = sorted((t.get_window_extent() for t in texts), key=lambda box: box.y0)
    assert len(boxes) == 5 and all(a.y1 <= b.y0 + 1 for a, b in zip(boxes, boxes[1:], strict=False))


def test_a_path_that_diverges_leaves_the_axes_alone():
    fig, ax = theme.figure(4, 3)
    plots.contours(ax, himmelblau())
    before = ax.viewLim.extents.copy()
    plots.path(ax, np.array([[0.0, 0.0], [1e300, -1e300], [np.inf, np.nan]]), "SGD")
    raster.png(fig)
    np.testing.assert_array_equal(ax.viewLim.extents, before)


def test_a_rare_colour_survives_the_reduction():
    legend_on_greys = batch.explorer().frame().background
    picture = Image.open(io.BytesIO(legend_on_greys)).convert("RGB")
    seen = reduced(picture).convert("RGB")
    assert np.abs(np.asarray(seen, int) - np.asarray(picture, int)).max() <= 15
