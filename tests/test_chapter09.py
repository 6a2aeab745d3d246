"""Chapter 9: what its explorer computes, and every control across its range."""

import numpy as np
import pytest

from shared.descent import run
from shared.explorers import side_by_side
from shared.figures.live import sweep
from shared.frameworks.conventions import CONVENTIONS, convention


def compute(**values):
    """What the explorer computes with these controls, the others as they begin."""
    first = dict(pair="PyTorch | Keras", rule="Adam", lr=0.05, small=1e-2, corrected=False)
    return side_by_side.compute(**(first | values))


def test_the_explorer_holds_over_every_range():
    sweep(side_by_side.explorer(), points=4)
    sweep(side_by_side.explorer(rule="Momentum", pair="Keras | Optax"), points=3)


@pytest.mark.parametrize("pair", side_by_side.PAIRS)
def test_what_is_drawn_are_the_two_conventions(pair):
    for name in ("Adam", "RMSprop", "Adadelta"):
        found = compute(pair=pair, rule=name)
        for library, path in zip(side_by_side.PAIRS[pair], found["paths"]):
            expected = run(convention(library, name, lr=0.05, eps=1e-2), side_by_side.BOWL, side_by_side.START, 100)
            np.testing.assert_array_equal(path, expected)
        np.testing.assert_array_equal(found["difference"], np.abs(found["paths"][0] - found["paths"][1]).max(-1))


@pytest.mark.parametrize("rule", side_by_side.MOMENTUM + side_by_side.ADAPTIVE)
def test_the_correction_removes_the_difference_or_says_that_nothing_does(rule):
    apart = []
    for pair in side_by_side.PAIRS:
        plain, corrected = compute(pair=pair, rule=rule), compute(pair=pair, rule=rule, corrected=True)
        if not any(path is None for path in plain["paths"]):
            apart.append(plain["difference"].max())
            assert (corrected["difference"].max() < 1e-12) == corrected["exists"]
            assert corrected["exists"] or (rule, pair) == ("NAdam", "Keras | Optax")
    assert apart and (max(apart) > 1e-6) == (rule != "Adadelta")  # the one that all libraries mean alike


def test_momentum_differs_only_after_the_rate_has_changed():
    found, changed = compute(rule="Momentum", small=0.1), side_by_side.HALF + 1
    assert found["difference"][:changed].max() < 1e-14 and found["difference"][changed] > 1e-4


def test_a_missing_optimizer_is_said_not_drawn():
    found = compute(pair="PyTorch | TensorFlow", rule="NAdam")
    assert found["paths"][1] is None and np.isnan(found["difference"]).all()
    assert side_by_side.verdict(found, "PyTorch | TensorFlow", False)[0] == "TensorFlow: no such optimizer"
    explorer = side_by_side.explorer(pair="Keras | Optax", rule="NAdam")
    explorer.set(corrected=True)
    assert explorer.error == "" and not explorer.data["exists"]


def test_every_library_has_conventions():
    assert list(CONVENTIONS) == ["PyTorch", "TensorFlow", "Keras", "Optax"]
