"""Exercises: `check` names mistakes; every solution of every chapter passes, every listed mistake is recognised."""
import ast
import importlib
from pathlib import Path

import jupytext
import numpy as np
import pytest

from shared.course import check, exercises
from shared.course.exercises import function, number, setting
from tools.exercises import END, solved, stub
from tools.source import sources

BANK = sorted((Path(exercises.__file__).parent / "bank").glob("ch*.py"))
assert BANK, "no exercises found"
for bank in BANK:
    importlib.import_module(f"{exercises.BANK}.{bank.stem}")
EVERY = dict(sorted(exercises.REGISTRY.items()))
MISTAKES = [pytest.param(ex, mistake, id=f"{ex.id}-{mistake.name}") for ex in EVERY.values() for mistake in ex.mistakes]


# The chapters' exercises


@pytest.mark.parametrize("ex", EVERY.values(), ids=EVERY)
def test_solution_of_the_bank_passes(ex):
    result = ex.check(ex.solution)
    assert result, result.message
    assert not ex.check(...).solved


@pytest.mark.parametrize("ex, mistake", MISTAKES)
def test_mistake_is_named(ex, mistake):
    result = ex.check(mistake.example)
    assert not result and result.solved
    assert result.mistake == mistake.name


@pytest.mark.parametrize("bank", BANK, ids=lambda path: path.stem)
def test_ids_are_unique_and_of_the_chapter(bank):
    calls = [node for node in ast.walk(ast.parse(bank.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    kinds = {"function", "number", "setting"}
    ids = [call.args[0].value for call in calls if isinstance(call.func, ast.Name) and call.func.id in kinds]
    assert sorted(ids) == sorted(key for key in EVERY if key[:2] == bank.stem[2:])
    assert 4 <= len(ids) <= 6


def run_exercises(source, transform):
    """Run the setup, exercise and check cells of a chapter; the results of its checks, by id."""
    results = {}

    def recorded(id, answer):
        results[id] = check(id, answer)

    namespace = {"__name__": "__main__", "display": lambda *args, **kwargs: None}
    for cell in jupytext.read(source, fmt="py:percent").cells:
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            exec(compile(transform(cell.source), f"{source.stem}: exercise", "exec"), namespace)
        elif "setup" in tags:
            exec(compile(cell.source, f"{source.stem}: setup", "exec"), namespace)
        elif cell.cell_type == "code" and cell.source.startswith("check("):
            exec(cell.source, {**namespace, "check": recorded})
    return results


@pytest.mark.parametrize("source", sources([]), ids=lambda path: path.stem)
def test_a_chapter_can_be_solved(source):
    solutions, stubs = run_exercises(source, solved), run_exercises(source, stub)
    assert set(solutions) == {key for key in EVERY if key[:2] == source.stem[:2]}
    assert [result.message for result in solutions.values() if not result] == []
    assert [id for id, result in stubs.items() if result.solved] == []
    assert source.read_text(encoding="utf-8").count(END) >= len(solutions)


# The checker itself, on exercises of a chapter that does not exist


@pytest.fixture
def ema(monkeypatch):
    monkeypatch.setattr(exercises, "REGISTRY", {})

    def cases(rng):
        return dict(m=rng.integers(1, 9, 2) / 2, g=rng.integers(1, 9, 2) / 2, beta=rng.choice([0.6, 0.7, 0.8]))

    @function("99.ema", cases)
    def reference(m, g, beta):
        return beta * m + (1 - beta) * g

    @reference.mistake("weights swapped", "beta multiplies the past.")
    def _(m, g, beta):
        return (1 - beta) * m + beta * g

    return reference


def in_place(m, g, beta):
    m *= beta
    m += (1 - beta) * g
    return m


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda m, g, beta: (1 - beta) * g + beta * m, "correct on 40 random cases."),
        (lambda m, g, beta: (1 - beta) * m + beta * g, "weights swapped. beta multiplies the past."),
        (lambda m, g, beta: ..., "not solved yet"),
        (lambda m, g, beta: (m, ...), "not solved yet"),
        (lambda m, g, beta: ... + g, "not solved yet"),
        (..., "not solved yet"),
        (lambda m, g, beta: None, "Is the return missing?"),
        (lambda m, g, beta: -(beta * m + (1 - beta) * g), "the sign is flipped. For m = "),
        (lambda m, g, beta: 2 * (beta * m + (1 - beta) * g), "the result is 2 times the right one. For m = "),
        (lambda m, g, beta: 3 * (beta * m + (1 - beta) * g), "off by one constant factor. For m = "),
        (lambda m, g, beta: (beta * m + (1 - beta) * g).sum(), "wrong shape. For m = "),
        (lambda m, g, beta: m * np.nan, "the result contains NaN. For m = "),
        (lambda m, g, beta: beta * m + g, "you returned ["),
        (lambda m, g, beta: "text", "a number or an array is expected, this is 'text'."),
        (lambda m, g, beta: m + object(), "your function raised TypeError"),
        (lambda m, g: m, "must accept (m, g, beta); yours is (m, g)."),
        (in_place, "changes its argument m in place"),
        (0.5, "a function is expected, this is 0.5."),
    ],
)
def test_what_a_tutor_would_say(ema, capsys, answer, message):
    result = check("99.ema", answer)
    assert message in result.message
    assert bool(result) == message.startswith("correct")
    assert result.solved == (message != "not solved yet")
    printed = capsys.readouterr().out
    assert printed == f"{'✓' if result else '✗' if result.solved else '·'} 99.ema: {result.message}\n"
    assert " at 0x" not in printed


def test_a_mistake_of_the_bank_goes_before_a_general_one(ema):
    ema.mistake("heard of twice", "advice")(lambda m, g, beta: 2 * (beta * m + (1 - beta) * g))
    assert check("99.ema", lambda m, g, beta: 2 * (beta * m + (1 - beta) * g)).mistake == "heard of twice"


def test_call_says_how_an_answer_is_used(ema):
    function("99.squares", cases=lambda rng: dict(n=int(rng.integers(2, 5))), call=lambda fn, n: list(fn(n)))(
        lambda n: (k * k for k in range(n))
    )

    def squares(n):
        for k in range(n):
            yield k**2

    def unsolved(n):
        yield ...

    assert check("99.squares", squares)
    assert not check("99.squares", unsolved).solved
    assert "raised TypeError" in check("99.squares", lambda n: 3).message


@pytest.mark.parametrize(
    "value, passed, mistake",
    [
        (9 / 11, True, None),
        (0.9, False, "used 1 - 1/kappa"),
        (-9 / 11, False, "the sign is flipped"),
        (0.3, False, None),
    ],
)
def test_number(ema, value, passed, mistake):
    contraction = number("99.contraction", 9 / 11)
    contraction.mistake("used 1 - 1/kappa", "That is the rate at 1/L.", 0.9)
    result = check("99.contraction", value)
    assert (result.passed, result.mistake) == (passed, mistake)
    assert "shape" in check("99.contraction", [1.0, 2.0]).message
    assert not check("99.contraction", ...).solved


def test_setting(ema):
    rate = setting(
        "99.rate",
        solution=0.5,
        goal="a loss below 1",
        measure=lambda lr: (1 - lr) ** 2 * 3,
        accept=lambda loss: loss < 1,
    )
    rate.mistake("too small", "Be bolder.", 0.1, when=lambda lr, loss: lr < 0.2)
    assert check("99.rate", 0.5).message == "goal reached, a loss below 1: 0.5 gives 0.75."
    assert check("99.rate", 0.1).mistake == "too small"
    assert check("99.rate", 3.0).message == "goal not reached, a loss below 1: 3 gives 12."
    assert "stopped, TypeError" in check("99.rate", "fast").message
    assert not check("99.rate", ...).solved


def test_errors_are_one_line(ema):
    with pytest.raises(KeyError, match=r"no exercise '99.emma'; chapter '99' has: 99.ema"):
        check("99.emma", 1)
    with pytest.raises(ValueError, match="exercise id 'ema'"):
        number("ema", 1.0)
