"""The course at a glance: its chapters, the question each answers, and where each stands in the loop of chapter 1."""

from typing import NamedTuple

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from shared.figures import theme


class Chapter(NamedTuple):
    """One chapter: its number, title, the question it answers, and the part of the loop it is about."""

    number: int
    title: str
    question: str
    part: str


CHAPTERS = (
    Chapter(1, "What is an optimization algorithm?", "What is the loop, why does it work, and when is it done?", "all"),
    Chapter(2, "Gradient descent variants", "How much data for a step, and how long is the step?", "batch, step"),
    Chapter(3, "Adaptive learning-rate methods", "Can every parameter have a rate of its own?", "direction"),
    Chapter(4, "Momentum-based methods", "What does it help to remember earlier gradients?", "direction"),
    Chapter(5, "Second-order methods", "What does the curvature know that the gradient does not?", "direction"),
    Chapter(6, "Optimization challenges and techniques", "Why do deep networks resist, and what helps?", "gradient"),
    Chapter(7, "Optimization for specific architectures", "What changes for images and for sequences?", "gradient"),
    Chapter(8, "Parallel and distributed optimization", "What if one machine is not enough?", "all"),
    Chapter(9, "Optimization libraries and frameworks", "Who has written all this already, and do they agree?", "all"),
)
LOOP = {  # part of the loop -> (what it says, where its box is centred, the chapters about it)
    "batch": ("batch\nsome examples", 0, (2, 8)),
    "gradient": ("gradient\n" + r"$g = \nabla f(x)$", 1, (6, 7)),
    "direction": ("direction\n$p$ from $g$", 2, (3, 4, 5)),
    "step": ("step\n" + r"$x \leftarrow x + \eta\, p$", 3, (2,)),
    "stop": ("stop?\nbudget, validation", 4, (1,)),
}


def contents():
    """The chapters and their questions as a Markdown table."""
    rows = [f"| {c.number} | {c.title} | {c.question} | {c.part} |" for c in CHAPTERS]
    return "\n".join(["| chapter | title | question | part of the loop |", "|---|:--|:--|:--|", *rows])


def loop_map():
    """The loop of chapter 1 with the chapters that are about each of its parts: a figure."""
    fig, ax = theme.figure(9, 3.4)
    ax.set(xlim=(-0.6, 4.6), ylim=(-1.75, 1.25))
    ax.axis("off")
    for said, x, chapters in LOOP.values():
        box(ax, x, 0, 0.76, 0.72, said, theme.INK, "#F2F5F8")
        for i, number in enumerate(chapters):
            badge(ax, x + 0.2 * (i - (len(chapters) - 1) / 2), 0.62, number)
        if x:
            arrow(ax, (x - 0.6, 0), (x - 0.41, 0))
    arrow(ax, (4, -0.38), (0, -0.38), "bar,fraction=-0.09")
    ax.text(2, -0.91, "no: once more", ha="center", va="center", color=theme.MUTED, backgroundcolor=theme.PAPER)
    for x, said, number in ((0.75, "the same loop on many machines", 8), (3.25, "the same loop in every library", 9)):
        box(ax, x, -1.42, 2.3, 0.42, said, theme.MUTED, theme.PAPER)
        badge(ax, x - 1.0, -1.42, number)
    ax.text(-0.5, 1.02, "which chapter is about which part", weight="bold", fontsize=11.5)
    return fig


def box(ax, x, y, width, height, said, edge, face):
    """A rounded box centred at (x, y) with its text."""
    corner = (x - width / 2, y - height / 2)
    ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0.02,rounding_size=0.06", ec=edge, fc=face))
    first, *rest = said.split("\n")
    ax.text(x, y + (0.13 if rest else 0), first, ha="center", va="center", weight="bold" if rest else "normal")
    ax.text(x, y - 0.15, "".join(rest), ha="center", va="center", fontsize=9.5, color=theme.MUTED)


def badge(ax, x, y, number):
    """A chapter's number in a disc."""
    ax.plot(x, y, "o", ms=17, color=theme.ACCENT)
    ax.text(x, y - 0.01, str(number), ha="center", va="center", color=theme.PAPER, weight="bold", fontsize=9.5)


def arrow(ax, tail, tip, bend=None):
    """An arrow from tail to tip, straight or bent."""
    ax.add_patch(FancyArrowPatch(tail, tip, arrowstyle="-|>", mutation_scale=13, color=theme.MUTED, lw=1.3,
                                 shrinkA=0, shrinkB=0, connectionstyle=bend or "arc3"))  # fmt: skip
