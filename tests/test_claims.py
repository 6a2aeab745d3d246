"""What a claim does when it holds and when not: in a build, for a reader, under python -O, in the log of the worlds."""

import ast
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from shared.course import claim, claims
from shared.course.claims import ClaimError


@pytest.fixture
def log(tmp_path, monkeypatch):
    """The rows that claims log while a test runs."""
    path = tmp_path / "claims.jsonl"
    monkeypatch.setenv("CLAIMS_LOG", str(path))
    return lambda: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def in_ipython(code, **environment):
    """What IPython prints for a piece of code."""
    command = [sys.executable, "-c", f"from IPython.core.interactiveshell import InteractiveShell as S\n"
               f"s = S.instance()\ns.run_cell({code!r})"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"CLAIMS": ""} | environment)
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_claim_is_said_when_it_holds_and_raises_when_not(capsys):
    claim("two is more than one", 2 > 1)
    assert capsys.readouterr().out == "✓ two is more than one\n"
    with pytest.raises(ClaimError, match="this claim does not hold here: one is more than two"):
        claim("one is more than two", 1 > 2)


def test_optimised_python_changes_nothing():
    code = "from shared.course import claim; claim('false is true', False)"
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True)
    assert done.returncode and "✓" not in done.stdout and "does not hold here: false is true" in done.stderr


def test_a_number_that_is_none_never_holds():
    with pytest.raises(ClaimError, match="nan"):
        claim(f"the median is {np.nan:.2f}", True)
    claim("the finance of Nan", True)


def test_a_reader_sees_a_mark_and_goes_on():
    code = "from shared.course import claim\nclaim('one is more than two', 1 > 2)\nprint(6 * 7 * 10**6)"
    said = in_ipython(code)
    assert "✗ does not hold on this machine: one is more than two" in said and "42000000" in said
    said = in_ipython(code, CLAIMS="strict")
    assert "ClaimError" in said and "42000000" not in said


def test_a_mark_says_in_how_many_worlds_the_claim_holds(monkeypatch):
    call = ast.parse("claim('a', 1 > 2)", mode="eval").body
    monkeypatch.setattr(claims, "table", lambda: {claims.key(call): {"tried": 12, "held": 11}})
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    claims._mark("one < 2 is > two", call)
    assert shown[0]["text/plain"].endswith("one < 2 is > two; in 11 of 12 worlds it does")
    assert "one &lt; 2 is &gt; two" in shown[0]["text/html"]


def test_an_unknown_wish_is_refused(monkeypatch):
    monkeypatch.setenv("CLAIMS", "loud")
    with pytest.raises(ValueError, match="CLAIMS must be strict or mark, got 'loud'"):
        claim("one is more than two", 1 > 2)


def test_the_log_knows_the_claim_and_its_room(log):
    a, b = 3.0, 4.0
    claim("a is less", a < b)
    claim("between, and by less than two",
          2 < a < b and b - a < 2)  # fmt: skip
    claim("nothing to compare", bool(a))
    for b in (5.0, 8.0):
        claim("again", b >= a)
    rows = log()
    assert [row["holds"] for row in rows] == [True] * 5
    assert [row["room"] for row in rows] == pytest.approx([1 / 4, 1 / 4, None, 2 / 5, 5 / 8])
    assert len({row["key"] for row in rows}) == 4 and rows[3]["key"] == rows[4]["key"]  # one statement, twice


def test_a_claim_that_fails_has_negative_room(log, monkeypatch):
    monkeypatch.setenv("CLAIMS", "mark")
    monkeypatch.setattr(claims, "_mark", lambda *_: None)
    claim("too much", 5.0 < 4.0)
    assert log()[0]["room"] == pytest.approx(-0.2) and not log()[0]["holds"]


def test_a_key_follows_the_statement_not_its_place():
    one, other, changed = (claims.calls(source)[0] for source in (
        "x = 1\nclaim(f'{x} is', x > 0)", "claim( f'{x} is',\n   x>0 )", "claim(f'{x} is', x > 1)"))  # fmt: skip
    assert claims.key(one) == claims.key(other) != claims.key(changed)
