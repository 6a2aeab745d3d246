"""Convolution: a kernel slides over a real digit; which outputs hear a pixel, and where its gradient comes from."""

from functools import lru_cache

import numpy as np
from matplotlib.collections import LineCollection

from shared import data
from shared.figures import theme
from shared.figures.live import Choice, LiveFigure, Point, Slider
from shared.models import convolution

SIDE, MOST = 14, 2  # pixels of the digit, most padding
KERNELS = {
    "vertical edge": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edge": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "blur": [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
}
SHOWN = {"gradient": "gradient ∂f/∂x of f = ½ Σ y²", "listeners": "how many outputs hear a pixel"}
OUTLINE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])


@lru_cache
def digit(example=0):
    """One of the digits of MNIST at half its resolution: (1, 1, SIDE, SIDE)."""
    return convolution.average_pool(data.mnist().x_test[example].reshape(1, 1, 28, 28))


def weights(kernel):
    """The named kernel (1, 1, 3, 3), its largest weight 1 in size."""
    w = np.array(KERNELS[kernel], dtype=float)
    return (w / np.abs(w).max())[None, None]


def compute(kernel, stride, padding, pixel, show, example=0):
    """"output" y (h', w'), "map" (SIDE, SIDE) to show, "hears" (h', w') whether an output's window holds the pixel
    (column, row), "pixel" (row, column), "gradient" there by the chain rule."""
    x, w = digit(example), weights(kernel)
    y = convolution.direct(x, w, stride, padding)
    column, row = (int(np.clip(round(v), 0, SIDE - 1)) for v in pixel)
    alone = np.zeros_like(x)
    alone[0, 0, row, column] = 1
    ones = np.ones_like(w)
    gradient = convolution.direct_backward(x, w, y, stride, padding)[0][0, 0]
    listeners = convolution.direct_backward(x, ones, np.ones_like(y), stride, padding)[0][0, 0]
    hears = convolution.direct(alone, ones, stride, padding)[0, 0] > 0
    return {"output": y[0, 0], "map": gradient if show == "gradient" else listeners, "pixel": (row, column),
            "hears": hears, "gradient": gradient[row, column]}  # fmt: skip


def cells(mask):
    """The outlines of the true cells of a mask, as line segments for imshow's coordinates."""
    return [OUTLINE + (c, r) for r, c in np.argwhere(mask)]


def windows(hears, stride, padding):
    """The outlines of the windows of these outputs, on the image."""
    return [3 * OUTLINE + (stride * j - padding + 1, stride * i - padding + 1) for i, j in np.argwhere(hears)]


def explorer(kernel="vertical edge", stride=1, padding=1, show="gradient", pixel=(6, 6), example=0):
    """Choose a kernel, slide stride and padding, drag the pixel: orange is everything that hears it."""
    fig, axes = theme.figure(10.4, 3.6, cols=4, width_ratios=(1, 0.42, 1, 1))
    left, small, middle, right = axes
    room, most = (-0.5 - MOST, SIDE - 0.5 + MOST), SIDE + 2 * MOST - 2
    for ax in axes:
        ax.set(xticks=[], yticks=[], aspect="equal")
        ax.grid(False)
        ax.spines[:].set_visible(False)
    left.imshow(digit(example)[0, 0], cmap="gray_r")
    left.set(xlim=room, ylim=room[::-1], title="image x, drag the pixel")
    (frame,) = left.plot([], [], color=theme.MUTED, lw=1, ls=":")
    boxes = left.add_collection(LineCollection([], colors=theme.SEQUENCE[1], linewidths=1, alpha=0.8))
    taps = small.imshow(np.zeros((3, 3)), cmap="RdBu_r", vmin=-1, vmax=1)
    numbers = [small.text(c, r, "", ha="center", va="center", fontsize=9.5) for r, c in np.ndindex(3, 3)]
    small.set_title("kernel w")
    output = middle.imshow(np.zeros((most, most)), cmap="RdBu_r", vmin=-1, vmax=1)
    heard = middle.add_collection(LineCollection([], colors=theme.SEQUENCE[1], linewidths=1.6))
    image = right.imshow(np.zeros((SIDE, SIDE)), cmap="RdBu_r", vmin=-1, vmax=1)
    here = right.add_collection(LineCollection([], colors=theme.SEQUENCE[1], linewidths=2))

    def draw(data, kernel, stride, padding, show):
        row, column = data["pixel"]
        edge = (-0.5 - padding, SIDE - 0.5 + padding)
        frame.set_data(np.array(edge)[[0, 1, 1, 0, 0]], np.array(edge)[[0, 0, 1, 1, 0]])
        boxes.set_segments(windows(data["hears"], stride, padding))
        w = weights(kernel)[0, 0]
        taps.set_data(w)
        for text, v in zip(numbers, w.ravel(), strict=True):
            text.set_text(f"{v:.2g}")
            text.set_color("white" if abs(v) > 0.7 else theme.INK)
        y = data["output"]
        whole = np.full((most, most), np.nan)
        whole[: y.shape[0], : y.shape[1]] = y / np.abs(y).max()
        output.set_data(whole)
        heard.set_segments(cells(data["hears"]))
        image.set_data(data["map"] / max(np.abs(data["map"]).max(), 1e-12))
        here.set_segments([OUTLINE + (column, row)])
        middle.set_title(f"output y, {y.shape[0]} × {y.shape[1]}")
        n = int(data["hears"].sum())
        said = f"Σ w·δ over {n}: {data['gradient']:.2f}" if show == "gradient" else f"{n} hear this pixel"
        right.set_title(f"{'∂f/∂x' if show == 'gradient' else 'listeners'}, {said}", fontsize=10.5)

    live = [frame, boxes, taps, *numbers, output, heard, image, here]
    controls = [
        Choice("kernel", list(KERNELS), kernel),
        Slider("stride", 1, 3, stride, step=1),
        Slider("padding", 0, MOST, padding, step=1),
        Choice("show", list(SHOWN), show, label="right panel"),
        Point("pixel", pixel, left),
    ]
    return LiveFigure(fig, live, controls, lambda **v: compute(**v, example=example), draw,
                      alt="A digit with one pixel marked, the kernel, the outputs whose windows hold that pixel, and "
                          "the gradient that the pixel receives from them.")  # fmt: skip
