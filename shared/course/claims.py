"""What a notebook asserts: `claim(sentence, condition)`, its key in the tables, and what became of it elsewhere.

A claim that does not hold stops a build and a test. A reader who runs the chapter on another machine sees a mark
instead, and the chapter goes on. The environment variable CLAIMS says which: `strict` raises, `mark` marks; without it,
a claim marks in a Jupyter kernel and raises everywhere else. CLAIMS_LOG names a file to which every claim adds a line
of JSON; `run.py worlds` collects them.
"""

import ast
import hashlib
import json
import linecache
import os
import re
import sys
from functools import lru_cache
from html import escape
from pathlib import Path

TABLE = Path(__file__).parents[2] / "docs" / "worlds.json"  # what `run.py worlds` found: key -> tried, held, ...


class ClaimError(AssertionError):
    """A claim that does not hold. Raised by itself, so that `python -O` changes nothing."""


def claim(sentence, holds):
    """State what was measured, in a sentence whose condition is `holds`.

    >>> claim(f"gradient descent needed {87} steps, fewer than 100", 87 < 100)
    ✓ gradient descent needed 87 steps, fewer than 100

    Raises ClaimError if it does not hold and the notebook is built or tested (see above); else marks it. A sentence
    with a number that is none ("nan") never holds.
    """
    caller = sys._getframe(1)
    holds = bool(holds) and not re.search(r"\bnan\b", sentence)
    if os.environ.get("CLAIMS_LOG"):
        _log(sentence, holds, caller)
    if holds:
        print(f"✓ {sentence}")
    elif strict():
        raise ClaimError(f"this claim does not hold here: {sentence}")
    else:
        _mark(sentence, _call(caller))


def strict():
    """Whether a claim that does not hold raises, by CLAIMS or by where we are."""
    said = os.environ.get("CLAIMS", "")
    if said not in ("", "strict", "mark"):
        raise ValueError(f"CLAIMS must be strict or mark, got {said!r}")
    kernel = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    return said == "strict" or not (said or kernel)


def key(call):
    """The key of a claim in the tables, from its call (ast.Call): the same wherever in a chapter it stands."""
    return hashlib.sha256(ast.unparse(call).encode()).hexdigest()[:12]


def calls(source):
    """The calls of `claim` in a piece of code, in order of appearance: ast.Call nodes."""
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sorted((node for node in found if getattr(node.func, "id", "") == "claim"), key=lambda node: node.lineno)


def _call(frame):
    """The call of `claim` that a frame is executing, or None where its source is not to be had."""
    source = "".join(linecache.getlines(frame.f_code.co_filename))
    try:
        here = [node for node in calls(source) if node.lineno <= frame.f_lineno <= node.end_lineno]
    except SyntaxError:  # a cell with a magic command
        here = []
    return here[0] if here else None


def _mark(sentence, call):
    """Show that a claim does not hold, and in how many worlds it does."""
    from IPython.display import display

    known = table().get(key(call)) if call else None
    elsewhere = f"; in {known['held']} of {known['tried']} worlds it does" if known else ""
    text = f"✗ does not hold on this machine: {sentence}{elsewhere}"
    style = "color:#7a1015;background:#fdecec;border-left:4px solid #b3261e;padding:4px 10px"
    display({"text/plain": text, "text/html": f'<div role="alert" style="{style}">{escape(text)}</div>'}, raw=True)


@lru_cache
def table():
    """The committed table of the worlds, key -> {"tried", "held", ...}; empty where there is none."""
    try:
        rows = json.loads(TABLE.read_text(encoding="utf-8"))["claims"]
    except (OSError, ValueError, KeyError):
        return {}
    return {row["key"]: row for row in rows}


def _log(sentence, holds, frame):
    call = _call(frame)
    row = {"key": key(call) if call else None, "sentence": sentence, "holds": holds, "room": _room(call, frame)}
    with open(os.environ["CLAIMS_LOG"], "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _room(call, frame):
    """The smallest relative gap between the two sides of the condition's comparisons; None where it has none.

    1 - a/b for 0 < a < b: half the room is left at 0.5, none at 0, and a negative number says by how much it failed.
    """
    if call is None or len(call.args) < 2:
        return None
    parts = call.args[1].values if isinstance(call.args[1], ast.BoolOp) else [call.args[1]]
    gaps = []
    for part in parts:
        if not isinstance(part, ast.Compare):
            continue
        sides = [part.left, *part.comparators]
        try:
            values = [float(eval(compile(ast.Expression(s), "<claim>", "eval"), frame.f_globals, frame.f_locals))
                      for s in sides]  # fmt: skip
        except Exception:  # a side that is no number, or that cannot be asked twice: no room to report
            continue
        for op, a, b in zip(part.ops, values, values[1:]):
            if isinstance(op, ast.Gt | ast.GtE):
                a, b = b, a
            elif not isinstance(op, ast.Lt | ast.LtE):
                continue
            gaps.append((b - a) / max(abs(a), abs(b), sys.float_info.min))
    return min(gaps, default=None)
