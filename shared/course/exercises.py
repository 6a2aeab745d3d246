"""Exercises with instant feedback: `check("03.adam_step", answer)` says what is right, or names the likely mistake.

The answers live in `shared/course/bank/chNN.py`, one file per chapter, found by the first two digits of the id.
Three kinds, by what the student gives: `function` (implement), `number` (derive), `setting` (experiment). Each holds a
solution and the mistakes that students make, every one as runnable code, so that a test can run them all.
"""

import copy
import importlib
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared import chance

BANK = "shared.course.bank"
REGISTRY: dict[str, "Exercise"] = {}


@dataclass(frozen=True)
class Mistake:
    """What went wrong (`name`), what to try (`advice`), and an answer that contains it (`example`)."""
    name: str
    advice: str
    example: Any
    when: Callable | None = None                      # settings only: (value, measured) -> is it this mistake?


@dataclass(frozen=True)
class Result:
    """The outcome of one check: true when passed. Displays nothing in a notebook: `check` has printed the message."""
    passed: bool
    message: str
    solved: bool = True                               # False: the stub is still there
    mistake: str | None = None                        # the name of the mistake that was recognised

    def __bool__(self):
        return self.passed

    def _ipython_display_(self):
        pass


UNSOLVED = Result(False, "not solved yet. Replace the ... and run the cell and this check again.", solved=False)


class Wrong(Exception):
    """An answer that cannot be compared at all; the text is what the student reads."""


@dataclass
class Exercise:
    """One exercise: an id such as "03.adam_step", the solution, and the known mistakes."""
    id: str
    solution: Any
    mistakes: list = field(default_factory=list)

    def __post_init__(self):
        chapter, dot, name = self.id.partition(".")
        if not (len(chapter) == 2 and chapter.isdigit() and dot and name.isidentifier()):
            raise ValueError(f"exercise id {self.id!r}: write two digits, a dot and a name, such as '03.adam_step'")
        REGISTRY[self.id] = self

    def mistake(self, name, advice, *example, when=None):
        """Register a mistake: `ex.mistake(name, advice, wrong_value)`, or as a decorator of a wrong function."""
        def register(wrong):
            self.mistakes.append(Mistake(name, advice, wrong, when))
            return wrong
        return register(*example) if example else register

    def check(self, answer) -> Result:
        if _is_stub(answer):
            return UNSOLVED
        try:
            return self.judge(answer)
        except Wrong as wrong:
            return Result(False, str(wrong))

    def named(self, mistake) -> Result:
        return Result(False, f"{mistake.name}. {mistake.advice}", mistake=mistake.name)


@dataclass
class Function(Exercise):
    """The student writes a function; it must agree with `solution` on `trials` random cases."""
    cases: Callable = None                            # rng -> {argument: value}
    call: Callable = None                             # (answer, *arguments) -> what is compared
    rtol: float = 1e-6
    atol: float = 1e-9
    trials: int = 40

    def judge(self, answer):
        if not callable(answer):
            raise Wrong(f"a function is expected, this is {_show(answer)}. Give its name, without brackets.")
        rng = chance.rng(0)
        cases = [self.cases(rng) for _ in range(self.trials)]
        if self.call is None:
            _check_signature(answer, cases[0])
        expected = [self._run(self.solution, case) for case in cases]
        given = [self._run(answer, case, student=True) for case in cases]
        if any(_is_stub(value) for value in given):
            return UNSOLVED
        failures = [_sentence(case, g, e) for case, g, e in zip(cases, given, expected) if not self._same(g, e)]
        if not failures:
            return Result(True, f"correct on {self.trials} random cases.")
        for mistake in self.mistakes:
            if self._agrees(mistake.example, cases, given):
                return self.named(mistake)
        general = _general_mistake(given, expected)
        simplest = min(failures, key=len)
        return Result(False, f"{general}. {simplest}" if general else simplest, mistake=general)

    def _agrees(self, wrong, cases, given):
        """Does this mistake explain every value the student's function returned?"""
        try:
            return all(self._same(g, self._run(wrong, case)) for case, g in zip(cases, given))
        except Exception:
            return False

    def _run(self, fn, case, student=False):
        arguments = copy.deepcopy(list(case.values()))
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                value = self.call(fn, *arguments) if self.call else fn(*arguments)
        except Exception as error:
            if not student:
                raise
            if "ellipsis" in str(error).lower():      # the stub's ... met the lines around it
                return ...
            raise Wrong(f"with {_arguments(case)} your function raised {type(error).__name__}: {error}") from None
        if student and value is None:
            raise Wrong("your function returns None. Is the return missing?")
        for name, before, after in zip(case, case.values(), arguments):
            if student and isinstance(before, np.ndarray) and not np.array_equal(before, after):
                raise Wrong(f"your function changes its argument {name} in place: write {name} = {name} + ..., not +=.")
        return value

    def _same(self, a, b):
        return _same(a, b, self.rtol, self.atol)


@dataclass
class Number(Exercise):
    """The student derives a number or an array."""
    rtol: float = 1e-3
    atol: float = 1e-12

    def judge(self, answer):
        value = _numeric(answer)
        if _same(value, self.solution, self.rtol, self.atol):
            return Result(True, f"correct: {_show(answer)}.")
        for mistake in self.mistakes:
            if _same(value, mistake.example, self.rtol, self.atol):
                return self.named(mistake)
        if np.shape(value) != np.shape(self.solution):
            raise Wrong(f"the shape is {np.shape(value)}, expected {np.shape(self.solution)}.")
        general = _general_mistake([value], [self.solution])
        return Result(False, f"{general or 'not this value'}: you gave {_show(answer)}.", mistake=general)


@dataclass
class Setting(Exercise):
    """The student finds a setting; `measure(setting)` must satisfy `accept`, and `goal` says so in words."""
    goal: str = ""
    measure: Callable = None
    accept: Callable = None

    def judge(self, answer):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                measured = self.measure(answer)
        except Exception as error:
            raise Wrong(f"with {_show(answer)} the experiment stopped, {type(error).__name__}: {error}") from None
        if self.accept(measured):
            return Result(True, f"goal reached, {self.goal}: {_show(answer)} gives {_show(measured)}.")
        text = f"goal not reached, {self.goal}: {_show(answer)} gives {_show(measured)}."
        for mistake in self.mistakes:
            if mistake.when(answer, measured):
                return Result(False, f"{mistake.name}. {mistake.advice} ({text})", mistake=mistake.name)
        return Result(False, text)


def function(id, cases, *, call=None, rtol=1e-6, atol=1e-9, trials=40):
    """Decorate the reference: `cases(rng)` makes one random case, a dict argument -> value, passed by position."""
    return lambda reference: Function(id, reference, cases=cases, call=call, rtol=rtol, atol=atol, trials=trials)


def number(id, solution, *, rtol=1e-3, atol=1e-12):
    """An exercise whose answer is a number, or an array of numbers, near `solution`."""
    return Number(id, solution, rtol=rtol, atol=atol)


def setting(id, *, solution, goal, measure, accept):
    """An exercise whose answer is a value that reaches a goal: `measure(value)` is shown and must satisfy `accept`."""
    return Setting(id, solution, goal=goal, measure=measure, accept=accept)


def exercise(id) -> Exercise:
    """The exercise with this id; its chapter's bank is imported on first use."""
    if id not in REGISTRY:
        try:
            importlib.import_module(f"{BANK}.ch{id[:2]}")
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith(BANK):
                raise
    if id not in REGISTRY:
        known = ", ".join(sorted(key for key in REGISTRY if key[:2] == id[:2])) or "none"
        raise KeyError(f"no exercise {id!r}; chapter {id[:2]!r} has: {known}")
    return REGISTRY[id]


def check(id, answer) -> Result:
    """Check an answer and print one line of feedback."""
    result = exercise(id).check(answer)
    print(f"{'✓' if result else '✗' if result.solved else '·'} {id}: {result.message}")
    return result


def _is_stub(value):
    """`...` itself, or a tuple, list or array that still holds one."""
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist() if value.dtype == object else ()
    return value is ... or (isinstance(value, (tuple, list)) and any(_is_stub(item) for item in value))


def _check_signature(answer, case):
    try:
        inspect.signature(answer).bind(*case.values())
    except TypeError:
        raise Wrong(f"your function must accept ({', '.join(case)}); yours is {inspect.signature(answer)}.") from None
    except ValueError:                                # builtins have no signature
        pass


def _numeric(value):
    """Anything array-like as float64 (or complex), torch tensors included; tuples and lists of arrays stay tuples."""
    value = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    try:
        array = np.asarray(value)
    except ValueError:                                # ragged: a tuple of unlike arrays
        array = np.asarray(None)
    if array.dtype.kind in "biufc":
        return array if array.dtype.kind == "c" else array.astype(float)
    if isinstance(value, (tuple, list)):
        return tuple(_numeric(item) for item in value)
    raise Wrong(f"a number or an array is expected, this is {_show(value)}.")


def _same(a, b, rtol, atol):
    a, b = _numeric(a), _numeric(b)
    if isinstance(a, tuple) or isinstance(b, tuple):
        both = isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b)
        return both and all(_same(x, y, rtol, atol) for x, y in zip(a, b))
    return a.shape == b.shape and np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)


def _general_mistake(given, expected):
    """Slips that need no list: a flipped sign, a constant factor, a wrong shape, NaN."""
    given, expected = [_numeric(g) for g in given], [_numeric(e) for e in expected]
    if any(isinstance(value, tuple) for value in given + expected):
        return None
    if any(g.shape != e.shape for g, e in zip(given, expected)):
        return "wrong shape"
    g, e = (np.concatenate([np.ravel(value) for value in values]) for values in (given, expected))
    if np.isnan(g).any() and not np.isnan(e).any():
        return "the result contains NaN"
    if not (np.isfinite(g).all() and np.isfinite(e).all() and e.any()):
        return None
    factor = np.vdot(e, g) / np.vdot(e, e)
    if not factor or not np.allclose(g, factor * e, rtol=1e-6, atol=1e-12):
        return None
    if np.isclose(factor, -1):
        return "the sign is flipped"
    for common in (2, 0.5, -2, -0.5, 100, 0.01):
        if np.isclose(factor, common):
            return f"the result is {common:g} times the right one"
    return "the result is off by one constant factor" if len(e) > 1 else None


def _show(value):
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, (tuple, list)) and value:
        return "(" + ", ".join(_show(item) for item in value) + ")"
    if isinstance(value, dict):
        return "{" + _arguments(value) + "}"
    if isinstance(value, np.ndarray) and value.size > 12:
        return f"an array of shape {value.shape}"
    if isinstance(value, (np.ndarray, np.generic, int, float)) and np.asarray(value).dtype.kind in "iufc":
        short = {"float_kind": "{:.4g}".format}
        return np.array2string(np.asarray(value), separator=", ", formatter=short).replace("\n", "")
    if value is None or isinstance(value, (str, bool, np.bool_)):
        return repr(value)
    return f"a {type(value).__name__}"                # never a default repr: it holds an address


def _arguments(case):
    return ", ".join(f"{name} = {_show(value)}" for name, value in case.items())


def _sentence(case, given, expected):
    try:
        shapes = np.shape(given), np.shape(expected)
    except ValueError:
        shapes = None, None
    wrong = f" of shape {shapes[0]}, expected shape {shapes[1]}:" if shapes[0] != shapes[1] else ""
    return f"For {_arguments(case)} you returned{wrong} {_show(given)}, expected {_show(expected)}."
