"""Comparisons too dear for a notebook, kept as files."""

import json
import os
from pathlib import Path

import numpy as np

from shared import chance

from .methods import Outcome
from .report import Comparison, Tuned

TABLES = Path(__file__).parents[1] / "data" / "tables"


def table(name, make, **settings):
    """The Comparison make(**settings) as it was committed; `python3 run.py tables 05` makes those of chapter 5 anew.

    settings: what the table depends on, numbers, strings and lists of them. Raises ValueError where the table was made
    with others, FileNotFoundError where there is none. Its draws are those of world 0 whatever COURSE_SEED says; a
    claim can run one of them again (see `compare`).
    """
    path, settings = TABLES / f"{name}.json", json.loads(json.dumps(settings))
    if os.environ.get("COURSE_TABLES") == "make":
        path.parent.mkdir(exist_ok=True)
        made = {"settings": settings, "world": chance.world(), "tuned": make(**settings).tuned}
        path.write_text(json.dumps(made, default=np.ndarray.tolist), encoding="utf-8")
    if not path.exists():
        raise FileNotFoundError(f"there is no table {name!r} in shared/data/tables: python3 run.py tables makes it")
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["settings"] != settings:
        raise ValueError(f"table {name!r} was made with {kept['settings']}, not with {settings}: see run.py tables")
    return Comparison({name: _tuned(*parts) for name, parts in kept["tuned"].items()})


def _tuned(knobs, outcome, trials, ends, tried):
    """A Tuned from what JSON keeps of it: arrays from lists."""
    arrays = lambda lists: {name: np.array(values) for name, values in lists.items()}
    tried = [(arrays(values), np.array(tune)) for values, tune in tried]
    return Tuned(arrays(knobs), Outcome(*map(np.array, outcome)), np.array(trials), arrays(ends), tried)
