"""A competitor of any kind, and what a training of it gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shared.problems import Counted

from .runs import final, scored
from .settings import Range


class Outcome(NamedTuple):
    """What a training gives; lower is better, and what failed is inf or NaN.

    `tune` chooses the setting, and `final` is what is reported: another quantity than `tune` (test loss, not
    validation loss), or the same one, which is then reported from another seed. `gradients` and `seconds` are costs,
    if they matter: gradients (or evaluations) asked, seconds taken.
    """

    tune: float
    final: float
    gradients: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Method:
    """A competitor of any kind: `train(seed, **knobs) -> Outcome`, and `knobs`: name -> Range (none: nothing to tune).

    All chance of a training comes from its seed. Networks and costs are as good as rules:

        def train(seed, lr):                                 # a training loop
            ...
            return Outcome(tune=validation_loss, final=test_loss, gradients=steps, seconds=taken)

        def train(seed, lr):                                 # evaluations to a target, inf if it is not reached
            n = next((n for n, x in enumerate(islice(iterates(SGD(lr), f, start(seed)), 10_000)) if small(x)), np.inf)
            return Outcome(n, n)

    With `batched`, train takes an array (n,) per knob and returns arrays (n,) or numbers: all settings in one call.
    """

    train: Callable
    knobs: dict
    batched: bool = False

    def __post_init__(self):
        for name, r in self.knobs.items():
            if not isinstance(r, Range):
                raise TypeError(f"knob {name!r} needs a Range, got {r!r}")

    def outcomes(self, seed, u):
        """The Outcome, of arrays (n,), of the settings whose shares of their ranges are u (n, knobs)."""
        settings = {name: r.value(part) for (name, r), part in zip(self.knobs.items(), u.T)}
        if self.batched:
            rows = self.train(seed, **settings)
        else:
            each = [self.train(seed, **{k: float(v[i]) for k, v in settings.items()}) for i in range(len(u))]
            rows = next((o for o in each if not isinstance(o, Outcome)), None) or Outcome(*zip(*each))
        if not isinstance(rows, Outcome):
            raise TypeError(f"train must return an Outcome, got {rows!r}")
        arrays = {of: np.asarray(row, dtype=float) for of, row in rows._asdict().items()}  # None becomes NaN
        for of, array in arrays.items():
            if array.shape not in ((), (len(u),)):
                raise ValueError(f"train must give one {of} per setting, {len(u)} of them, got shape {array.shape}")
        full = [np.broadcast_to(array, len(u)) for array in arrays.values()]
        return Outcome(*(np.where(np.isnan(row), np.inf, row) for row in full[:2]), *full[2:])


def rules(entries, problem, score=None, steps=100, report=None):
    """Methods from rules, name -> Method, every setting of a draw in one batch; name -> Entry is what `race` takes too.

    problem(seed) -> (oracle, start (d,));  score(x (..., d)) -> (...) is `tune`, without it the problem's own loss;
    report(x) is `final`, by default the same score.  What diverges scores as its start: it has learnt nothing.
    """

    def method(entry):
        def train(seed, **knobs):
            f, x0 = problem(seed)
            counted = Counted(f)
            x = final(entry.make(**knobs), counted, x0, steps)
            asked = counted.calls["grad"] / max(1, x[..., 0].size)
            return Outcome(*(scored(s, x, x0) for s in (score or f, report or score or f)), gradients=asked)

        return Method(train, entry.space, batched=True)

    return {name: method(entry) for name, entry in entries.items()}
