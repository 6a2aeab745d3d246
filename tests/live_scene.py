"""The scene of the live figure's tests and benchmark: six lines of 200 points, thirty bars and a scatter; helpers."""

import numpy as np
from matplotlib.figure import Figure

from shared.figures import theme
from shared.figures.live import Choice, Choices, LiveFigure, Play, Point, Slider, Toggle, head, trail

METHODS = ["SGD", "Momentum", "Nesterov", "RMSprop", "Adam", "AdamW"]


def build(fig):
    """The artists of the scene on a figure: lines, bars, scatter, dot, and the axes."""
    left, middle, right = fig.subplots(1, 3)
    left.set(xlim=(-2, 2), ylim=(-2, 2), xlabel="$x_1$", ylabel="$x_2$")
    middle.set(xlim=(0, 200), ylim=(1e-4, 100), yscale="log", xlabel="step", ylabel="loss")
    right.set(xlim=(-1, 30), ylim=(0, 1.1), xlabel="bin")
    lines = [middle.plot([], [], color=theme.color(m), label=m)[0] for m in METHODS]
    (path,) = left.plot([], [], "o-", ms=3, lw=1.2, color=theme.ACCENT)
    (dot,) = left.plot([], [], "o", ms=9, color=theme.BAD, mec="white")
    cloud = left.scatter(np.zeros(50), np.zeros(50), s=14, c=np.linspace(0, 1, 50), alpha=0.6)
    bars = right.bar(np.arange(30), np.ones(30), color=theme.SEQUENCE[2])
    return {"axes": (left, middle, right), "lines": lines, "path": path, "dot": dot, "cloud": cloud, "bars": bars}


def compute(lr, start=(1.5, 1.0)):
    """Six damped curves, a spiral, a cloud and bars: pure functions of the rate."""
    k = np.arange(200)
    loss = np.exp(-lr * k / np.arange(1, 7)[:, None]) * (1 + 0.3 * np.cos(k / 5)) * np.arange(1, 7)[:, None] + 1e-4
    angle, radius = 0.2 * k, np.exp(-lr * k / 2) * np.hypot(*start)
    turn = angle + np.arctan2(start[1], start[0])
    noise = np.random.default_rng(0).normal(size=(50, 2)) * lr
    return {
        "loss": loss,
        "path": np.stack([radius * np.cos(turn), radius * np.sin(turn)], -1),
        "cloud": noise,
        "bars": np.abs(np.sin(np.arange(30) * lr * 3)),
    }


def draw(artists, data, lr, methods=tuple(METHODS)):
    """Set the artists."""
    for method, line, loss in zip(METHODS, artists["lines"], data["loss"], strict=True):
        line.set_data(np.arange(200), loss if method in methods else np.full(200, np.nan))
    artists["path"].set_data(*data["path"].T)
    artists["dot"].set_data(*data["path"].T)
    artists["cloud"].set_offsets(data["cloud"])
    for bar, height in zip(artists["bars"], data["bars"], strict=True):
        bar.set_height(height)
    artists["axes"][1].set_title(f"loss, η = {lr:.3g}")


def figure(width=9.0, height=3.6):
    """An empty figure of the scene's size."""
    return Figure(figsize=(width, height), layout="constrained", facecolor=theme.PAPER)


def scene():
    """The scene as a live figure with every kind of control."""
    fig = figure()
    artists = build(fig)
    left, middle, right = artists["axes"]
    landscape = [left.contour(*np.meshgrid(np.linspace(-2, 2, 60), np.linspace(-2, 2, 60)), np.ones((60, 60)))]

    def paint(data, lr, methods, landscape_name, logarithmic, **_):
        draw(artists, data, lr, methods)
        x, y = np.meshgrid(np.linspace(-2, 2, 60), np.linspace(-2, 2, 60))
        if landscape[0] != landscape_name:
            if not isinstance(landscape[0], str):
                landscape[0].remove()
            for old in [c for c in left.collections if c is not artists["cloud"]]:
                old.remove()
            left.contour(
                x, y, x**2 + (1 if landscape_name == "bowl" else 10) * y**2, 12, colors="#BBBBBB", linewidths=0.7
            )
            landscape[0] = landscape_name
        if middle.get_yscale() != ("log" if logarithmic else "linear"):
            middle.set(yscale="log" if logarithmic else "linear", ylim=(1e-4, 100) if logarithmic else (0, 8))

    return LiveFigure(
        fig,
        live=[
            *map(trail, artists["lines"]),
            trail(artists["path"]),
            head(artists["dot"]),
            artists["cloud"],
            artists["bars"],
        ],
        controls=[
            Slider("lr", 1e-3, 1.0, 0.1, log=True, label="learning rate η"),
            Choice("landscape_name", ["bowl", "valley"], label="landscape"),
            Toggle("logarithmic", True, label="logarithmic loss"),
            Choices("methods", METHODS, METHODS, colors={m: theme.color(m) for m in METHODS}),
            Point("start", (1.5, 1.0), left),
            Play("step", 199),
        ],
        compute=compute,
        draw=paint,
        alt="A spiral into a minimum, six loss curves and thirty bars.",
    )


def axes():
    """Axes of a small figure, 0 to 10 and 0 to 5."""
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
