"""One look for every figure: the same method has the same colour everywhere, and no figure uses pyplot.

The palette is dark enough to be read as text on white (contrast at least 4.5:1) and was chosen to stay apart under the
common forms of colour blindness; where many methods meet in one figure, direct labels tell them apart.
"""

import matplotlib as mpl
from matplotlib.figure import Figure

INK, MUTED, FAINT, PAPER = "#222222", "#666666", "#DDDDDD", "#FFFFFF"
ACCENT, GOOD, BAD = "#0067A5", "#1A7F37", "#C1272D"  # the student's own point; within, and outside, a limit
COLORS = {
    "SGD": "#0067A5",
    "Momentum": "#C4501B",
    "HeavyBall": "#C4501B",  # as Momentum
    "Nesterov": "#8A6100",
    "Adagrad": "#2E7D32",
    "Adadelta": "#5D7A00",
    "RMSprop": "#007C80",
    "Adam": "#AA3377",
    "AdamW": "#6A3D9A",
    "AMSGrad": "#D1006C",
    "NAdam": "#8E44AD",
    "Adamax": "#A0522D",
    "RAdam": "#7B2D43",
    "Adafactor": "#4B6584",
    "Lion": "#B8336A",
    "Rprop": "#546E00",
    "QHM": "#9C4A00",
    "Lookahead": "#3D6B99",
    "SAM": "#A83232",
    "EMA": "#4A5D23",
    "ScheduleFreeSGD": "#1F6F8B",
    "ScheduleFreeAdamW": "#74348C",
    "Muon": "#0B6E4F",
    "Newton": "#222222",
    "SaddleFreeNewton": "#00796B",
    "TrustRegion": "#A6580B",
    "GaussNewton": "#5C4033",
    "LevenbergMarquardt": "#8C2D72",
    "DFP": "#7A5C00",
    "BFGS": "#9E2A2B",
    "LBFGS": "#B5482A",
    "ConjugateGradient": "#33658A",
    "NaturalGradient": "#2F6B3C",
    "KFAC": "#7D3C98",
    "Shampoo": "#006D77",
}
SEQUENCE = ["#0067A5", "#C4501B", "#2E7D32", "#AA3377", "#007C80", "#8A6100", "#6A3D9A", "#666666"]  # not methods
CMAP = "cividis"  # losses, rates: perceptually uniform and colour-blind-safe
DPI = 110


mpl.rcParams.update({
    "figure.dpi": DPI, "font.size": 10.5, "axes.titlesize": 11.5, "axes.labelsize": 10.5, "legend.fontsize": 9.5,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "xtick.color": MUTED, "ytick.color": MUTED,
    "axes.grid": True, "grid.color": "#E8E8E8", "grid.linewidth": 0.8, "axes.axisbelow": True, "lines.linewidth": 1.8,
    "axes.prop_cycle": mpl.cycler(color=SEQUENCE), "image.cmap": CMAP, "legend.frameon": False,
})  # fmt: skip


def color(method):
    """The colour of a method, by name or by rule. Raises KeyError naming the methods that have one."""
    name = getattr(method, "method", method)
    if name not in COLORS:
        raise KeyError(f"no colour for {name!r}: add it to theme.COLORS, which has {', '.join(COLORS)}")
    return COLORS[name]


def figure(width=9.0, height=3.8, rows=1, cols=1, **subplots):
    """A figure of width x height inches (9 fill a notebook's column at 1280 pixels) and its axes. No pyplot."""
    fig = Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)
    return fig, fig.subplots(rows, cols, **subplots)
