"""Interactive figures: plain matplotlib artists, painted by the browser, driven by controls inside the figure.

It knows no course and no theme; NumPy, matplotlib, Pillow and anywidget are all that it needs.

May import: nothing.

matplotlib draws everything that stands still once, as a background. A change of a control runs `compute` (pure: values
in, arrays out) and `draw` (`artist.set_data(...)`, as in any matplotlib program); the live artists are then read in
pixel coordinates and sent as float32, and JavaScript paints them on a canvas. A new figure needs no JavaScript.

How to write one:

    import numpy as np
    from matplotlib.figure import Figure
    from shared.figures.live import LiveFigure, Play, Point, Slider, head, trail

    def explorer():
        fig = Figure(figsize=(9, 3.8), layout="constrained")       # never pyplot
        left, right = fig.subplots(1, 2)
        left.set(xlim=(-2, 2), ylim=(-2, 2), title="descent on a bowl")
        right.set(xlim=(0, 50), ylim=(1e-6, 10), yscale="log", xlabel="step", ylabel="loss")
        path, = left.plot([], [], "o-", ms=3)
        dot, = left.plot([], [], "o", ms=9)
        loss, = right.plot([], [])

        def compute(lr, start):                                    # names the controls it needs; never the Play
            xs = np.array(start) * (1 - lr) ** np.arange(51)[:, None]
            return {"xs": xs, "loss": (xs**2).sum(-1) / 2}

        def draw(data, lr):                                        # data, then the controls it needs
            path.set_data(*data["xs"].T)
            dot.set_data(*data["xs"].T)
            loss.set_data(np.arange(51), data["loss"])
            left.set_title(f"descent on a bowl, η = {lr:.2g}")

        return LiveFigure(fig, live=[trail(path), head(dot), trail(loss)], compute=compute, draw=draw,
                          controls=[Slider("lr", 1e-3, 2.5, 0.1, log=True, label="learning rate η"),
                                    Point("start", (1.5, 1.0), left), Play("step", 50)],
                          alt="Gradient descent on a bowl, and its loss against the step.")

What is cheap, and what is not:
- Live artists (1 ms for a dozen): lines, scatters, bars, line and polygon collections. Any other artist may be live too
  (texts, legends, annotations, arrows, patches, images: some 0.3 ms each). Titles always are. A live axis, `ax.xaxis`,
  or whole axes, `ax` (axis, grid, spines and everything in it), let limits and ticks follow the data for a few ms.
- Anything else that changes (limits of axes that are not live, new contours, a static artist) is noticed, and the
  background is drawn again: correct, but 100 ms instead of 20. Live artists are painted in front of the background.
- `trail(artist)` shows the items 0..k and `head(artist)` only item k, where k is the value of the Play control: the
  browser plays and scrubs them without the kernel. Items are vertices of a line, points of a scatter, segments of a
  collection, bars, or lines of a text (so one text holds a caption for each step, separated by newlines).
  With `each=m`, an item is m of them: `head(bars, each=10)` shows ten bars per step.

In Python and in tests: `explorer.lr = 0.2`, `explorer.set(lr=0.2, start=(1, 1))`, `explorer.values`, `explorer.data`
(the last `compute`), `explorer.error`, and `explorer.frame({"lr": 0.2})`, what the reader would see then.
`sweep(explorer)` drives every control across its range; equal values of `fingerprint(explorer)` show the same. Within
`strict()`, or with the environment variable LIVE_STRICT, exceptions of `compute` and `draw` are raised; otherwise the
figure shows them.

Three lives: in a notebook the figure is a widget; `baked_html(explorer)` is a piece of HTML that answers without a
kernel, from frames computed ahead; everywhere else `explorer.png()` is a picture. `script()` is the JavaScript of both.
"""

from importlib import import_module

_MODULES = {
    "figure": ["LiveFigure"],
    "controls": ["Choice", "Choices", "Control", "Play", "Point", "Slider", "Toggle"],
    "steps": ["head", "trail"],
    "stage": ["Frame"],
    "baking": ["bake", "baked_html"],
    "browser": ["script"],
    "strictness": ["strict"],
    "testing": ["fingerprint", "sweep"],
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
__all__ = list(_HOME)


def __getattr__(name):  # widgets and matplotlib are loaded when they are needed
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
