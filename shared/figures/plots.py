"""Axes in, artists out: the few drawings that every chapter needs."""

import numpy as np
from matplotlib.colors import LogNorm, SymLogNorm  # noqa: F401  (re-exported for chapters' heat maps)

from . import theme

CIRCLE = np.stack([np.cos(φ := np.linspace(0, 2 * np.pi, 121)), np.sin(φ)], -1)  # the unit circle: (121, 2)


def mesh(f, bounds=None, n=160):
    """A grid over the plane and the loss on it: X, Y, Z of shape (n, n)."""
    (x0, x1), (y0, y1) = bounds or f.bounds
    X, Y = np.meshgrid(np.linspace(x0, x1, n), np.linspace(y0, y1, n))
    return X, Y, f(np.stack([X, Y], -1))


def contours(ax, f, bounds=None, levels=18, minima=True, n=160):
    """Level sets of a 2-D loss, denser near the minimum (levels are quantiles of the loss's logarithm)."""
    X, Y, Z = mesh(f, bounds, n)
    height = np.log1p(40 * (Z - np.nanmin(Z)) / max(np.nanmedian(Z) - np.nanmin(Z), 1e-300))
    ax.contourf(X, Y, height, levels=levels, cmap="Greys", alpha=0.38, antialiased=True)
    ax.contour(X, Y, height, levels=levels, colors="#9AA0A6", linewidths=0.5)
    ax.set(xlim=(X.min(), X.max()), ylim=(Y.min(), Y.max()), xlabel="$x_1$", ylabel="$x_2$")
    ax.grid(False)
    points = np.empty((0, 2)) if not minima else np.atleast_2d(getattr(f, "minima", np.empty((0, 2))))
    inside = ((points >= [X.min(), Y.min()]) & (points <= [X.max(), Y.max()])).all(-1) if points.size else []
    return ax.plot(*points[inside].T, "*", color=theme.INK, ms=11, mec="white", mew=0.8, ls="none", zorder=5)


def path(ax, xs, label=None, color=None, every=1, **line):
    """A trajectory xs (T+1, 2) with a dot at every `every`-th iterate; `label` also chooses the colour of a method."""
    color = color or theme.COLORS.get(label, theme.ACCENT)
    style = {"lw": 1.4, "marker": "o", "ms": 3, "markevery": every, "clip_on": True} | line
    return ax.plot(*np.asarray(xs).T, color=color, label=label, **style)[0]


def curve(ax, y, label=None, x=None, color=None, **line):
    """A series against the step (or x), labelled directly at its end; call `label_ends` when all are drawn."""
    color = color or theme.COLORS.get(label)
    x = np.arange(len(y)) if x is None else x
    return ax.plot(x, y, label=label, **({"color": color} if color else {}), **line)[0]


def band(ax, ys, label=None, x=None, color=None, alpha=0.18, **line):
    """The median of several runs ys (seeds, T) and the band from their lowest to their highest value."""
    ys = np.asarray(ys)
    drawn = curve(ax, np.median(ys, 0), label, x, color, **line)
    ax.fill_between(drawn.get_xdata(), ys.min(0), ys.max(0), color=drawn.get_color(), alpha=alpha, lw=0)
    return drawn


def label_ends(ax, lines=None, gap=1.25, pad=5):
    """Write each line's label at its last finite point, in its colour, moved apart so that none overlap.

    `gap` is in text heights. Makes room on the right by extending nothing: reserve it with the figure's layout.
    """
    lines = [ln for ln in (lines or ax.lines) if ln.get_label() and not ln.get_label().startswith("_")]
    ends = []
    low, high = sorted(ax.get_ylim())
    for ln in lines:
        xy = np.column_stack(ln.get_data()).astype(float)
        xy = xy[np.isfinite(xy).all(-1) & (xy[:, 1] >= low) & (xy[:, 1] <= high)]
        if len(xy):
            ends.append((ax.transData.transform(xy[-1]), ln))
    ends.sort(key=lambda e: e[0][1])
    height = theme.mpl.rcParams["legend.fontsize"] * ax.figure.dpi / 72 * gap
    bottom = ax.transAxes.transform((0, 0))[1]
    top = ax.transAxes.transform((0, 1))[1]
    ys = np.array([e[0][1] for e in ends])
    for i in range(1, len(ys)):
        ys[i] = max(ys[i], ys[i - 1] + height)
    if len(ys) and ys[-1] > top:  # push back down from the top, then up again from the bottom
        ys[-1] = top
        for i in range(len(ys) - 2, -1, -1):
            ys[i] = min(ys[i], ys[i + 1] - height)
    texts = []
    for (_, ln), y in zip(ends, ys, strict=True):
        at = ax.transAxes.inverted().transform((0, y))[1] if top > bottom else 0.5
        texts.append(ax.annotate(ln.get_label(), (1, at), xycoords="axes fraction", xytext=(pad, 0), va="center",
                                 textcoords="offset points", color=ln.get_color(), fontsize=9.5, annotation_clip=False))
    return texts


def heat(ax, x, y, z, norm=None, cmap=theme.CMAP, label=None, **kw):
    """A heat map of z (len(x), len(y)), first axis to the right; diverged (non-finite) cells stay light grey."""
    ax.set_facecolor(theme.FAINT)
    image = ax.pcolormesh(x, y, np.ma.masked_invalid(np.asarray(z)).T, norm=norm, cmap=cmap, shading="nearest", **kw)
    if label:
        ax.figure.colorbar(image, ax=ax, label=label, pad=0.02)
    return image


def limit(ax, value, text, axis="x", color=theme.BAD, at=0.97):
    """A dashed line at a predicted value, with its name beside it."""
    if axis == "x":
        ax.axvline(value, color=color, ls="--", lw=1.2)
        return ax.annotate(text, (value, at), xycoords=("data", "axes fraction"), xytext=(4, 0), va="top",
                           textcoords="offset points", color=color, fontsize=9.5)
    ax.axhline(value, color=color, ls="--", lw=1.2)
    return ax.annotate(text, (at, value), xycoords=("axes fraction", "data"), xytext=(0, 4), ha="right",
                       textcoords="offset points", color=color, fontsize=9.5)
