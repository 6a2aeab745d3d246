"""A fair comparison of methods: the same tuning budget for everyone, fresh luck in every draw, an honest interval.

What a method "achieves" depends on how long its hyperparameters were searched, and on luck. Two instruments:

`compare` answers "by what factor is A better than B, once both are tuned?". It repeats the whole procedure in `draws`
independent draws. In each, every method gets `trials` settings that no other draw has seen; the one with the lowest
`tune` is trained again, with a seed it was not tuned on, and reports its `final`. A ratio is paired by draw.

    methods = rules({"SGD": Entry(SGD, {"lr": wide}), "Adam": Entry(Adam, {"lr": wide})}, problem, score, steps=100)
    r = compare(methods).ratio("Adam", "SGD")
    claim(f"Adam ends at {r} of SGD's loss", r.high < 0.8 and not r.flips and not r.edge)

`race` answers "after how many trials?": what tuning gives with 1, 2, 4, ... of them.

May import: chance, descent, problems.
"""

from .budgets import Race, race
from .comparison import compare
from .methods import Method, Outcome, rules
from .report import Comparison, Ratio, Tuned, order_statistics
from .runs import final, scores
from .settings import Entry, Range
from .tables import table

__all__ = [
    "Comparison",
    "Entry",
    "Method",
    "Outcome",
    "Race",
    "Range",
    "Ratio",

    "Tuned",
    "compare",
    "final",
    "order_statistics",
    "race",
    "rules",
    "scores",
    "table",
]
