"""Parity: the same numbers in two libraries, the two paths, and how far apart they are at each step."""

from itertools import combinations

import numpy as np

from shared.descent import run
from shared.figures import plots, theme
from shared.figures.live import Choice, LiveFigure, Play, Slider, Toggle, head, trail
from shared.frameworks.conventions import CONVENTIONS, convention, matched
from shared.problems import quadratic

STEPS, HALF = 100, 50
LOW, HIGH = 1e-18, 1e2  # differences are drawn within these limits
BOWL, START = quadratic(kappa=5, angle=0.5), np.array([-1.6, 1.2])
PAIRS = {f"{a} | {b}": (a, b) for a, b in combinations(CONVENTIONS, 2)}
MOMENTUM = ("Momentum", "Nesterov")  # their rate falls to a tenth half-way
ADAPTIVE = ("Adagrad", "RMSprop", "Adadelta", "Adam", "Adam, decay λ", "AdamW", "AMSGrad", "Adamax", "NAdam", "RAdam")
DECAY = {"Adam, decay λ": 0.3, "AdamW": 0.3}
COLOURS = theme.SEQUENCE[0], theme.SEQUENCE[1]


def asked(rule, lr, small):
    """The optimizer's name, and its options, from the controls; `small` is ε, or 1 − β for momentum."""
    if rule in MOMENTUM:
        return rule, {"lr": lambda k: lr * (1.0 if k < HALF else 0.1), "momentum": 1 - small}
    options = {"lr": lr, "eps": small}
    if rule in DECAY:
        options["weight_decay"] = DECAY[rule]
    if rule == "Adagrad":
        options["initial_accumulator_value"] = 0.1
    return rule.partition(",")[0], options


def compute(pair, rule, lr, small, corrected):
    """The "paths" of both libraries on a bowl, each (101, 2) or None where it has no such optimizer; their "difference"
    (101,), NaN where there is none; whether a correction "exists"; the "optimizer".
    """
    optimizer, options = asked(rule, lr, small)
    has = [optimizer in CONVENTIONS[library] for library in PAIRS[pair]]
    if "weight_decay" in options and optimizer == "Adam":
        has = [library in ("PyTorch", "Keras") for library in PAIRS[pair]]  # whose Adam takes a λ
    rules = matched(PAIRS[pair], optimizer, **options) if all(has) and corrected else None
    exists = all(has) and matched(PAIRS[pair], optimizer, **options) is not None
    if rules is None:
        rules = [convention(library, optimizer, **options) if ok else None for library, ok in zip(PAIRS[pair], has)]
    paths = [None if rule is None else run(rule, BOWL, START, STEPS) for rule in rules]
    difference = np.full(STEPS + 1, np.nan)
    if all(has):
        with np.errstate(all="ignore"):
            difference = np.abs(paths[0] - paths[1]).max(-1)
    return {"paths": paths, "difference": difference, "exists": exists, "optimizer": optimizer}


def verdict(data, pair, corrected):
    """What the figure shows, in a few words, and its colour."""
    missing = [library for library, path in zip(PAIRS[pair], data["paths"]) if path is None]
    if missing:
        return f"{' and '.join(missing)}: no such optimizer", theme.MUTED
    worst = np.nan_to_num(data["difference"], nan=np.inf).max()
    if worst < 1e-10:
        return f"equal to rounding: {worst:.0e} at most" if worst else "equal in every bit", theme.GOOD
    if corrected and not data["exists"]:
        return "no setting makes these two equal", theme.BAD
    return ("diverged" if worst > 1e6 else f"apart by up to {worst:.2g}"), theme.BAD


def explorer(pair="PyTorch | Keras", rule="Adam", lr=0.05, small=1e-2):
    """Choose two libraries and an optimizer, give both the same numbers, and switch the correction on."""
    fig, (plane, apart) = theme.figure(9.6, 4.0, cols=2)
    plots.contours(plane, BOWL, bounds=((-2.4, 2.4), (-2.1, 2.1)))
    lines = [plane.plot([], [], color=colour, lw=width)[0] for colour, width in zip(COLOURS, (2.8, 1.2))]
    dots = [plane.plot([], [], "o", color=colour, ms=size)[0] for colour, size in zip(COLOURS, (9, 5.5))]
    names = [plane.text(0.03, 0.1 - 0.065 * i, "", transform=plane.transAxes, color=colour, weight="bold")
             for i, colour in enumerate(COLOURS)]  # fmt: skip
    apart.set(xlim=(0, STEPS), ylim=(LOW, HIGH), yscale="log", xlabel="step", ylabel="largest difference")
    plots.limit(apart, 6e-8, "one rounding in float32", axis="y", color=theme.MUTED)
    (gap,) = apart.plot([], [], color=theme.BAD)

    def draw(data, pair, corrected):
        for line, dot, name, library, path in zip(lines, dots, names, PAIRS[pair], data["paths"]):
            xy = ([], []) if path is None else np.clip(np.nan_to_num(path, nan=1e3), -1e3, 1e3).T
            line.set_data(*xy)
            dot.set_data(*xy)
            name.set_text(library if path is not None else "")
        known = np.isfinite(data["difference"]).any()
        seen = np.clip(np.nan_to_num(data["difference"], nan=HIGH, posinf=HIGH), LOW, HIGH)
        gap.set_data(*((np.arange(STEPS + 1), seen) if known else ([], [])))
        plane.set_title("the same numbers, corrected" if corrected else "the same numbers")
        text, colour = verdict(data, pair, corrected)
        apart.set_title(text, color=colour)
        gap.set_color(colour)

    live = [*(trail(line) for line in lines), *(head(dot) for dot in dots), *names, trail(gap)]
    return LiveFigure(fig, live, compute=compute, draw=draw, controls=[
        Choice("pair", list(PAIRS), pair, label="libraries"),
        Choice("rule", [*MOMENTUM, *ADAPTIVE], rule, label="optimizer"),
        Slider("lr", 1e-3, 0.2, lr, log=True, label="learning rate η"),
        Slider("small", 1e-8, 0.5, small, log=True, label="ε (momentum: 1 − β)"),
        Toggle("corrected", False, label="with the correction"),
        Play("step", STEPS),
    ], alt="The paths of one optimizer in two libraries on a bowl, and their difference at each step.")  # fmt: skip
