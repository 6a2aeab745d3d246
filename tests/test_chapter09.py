"""Chapter 9: what its explorer computes, and every control across its range."""

import numpy as np
import pytest

from shared.conventions import CONVENTIONS, convention
from shared.descent import run
from shared.explorers import parity
from shared.live import sweep


def compute(**values):
    """What the explorer computes with these controls, the others as they begin."""
    first = dict(pair="PyTorch | Keras", rule="Adam", lr=0.05, small=1e-2, corrected=False)
    return parity.compute(**(first | values))


def test_the_explorer_holds_over_every_range():
    sweep(parity.explorer(), points=4)
    sweep(parity.explorer(rule="Momentum", pair="Keras | Optax"), points=3)


@pytest.mark.parametrize("pair", parity.PAIRS)
def test_what_is_drawn_are_the_two_conventions(pair):
    for name in ("Adam", "RMSprop", "Adadelta"):
        found = compute(pair=pair, rule=name)
        for library, path in zip(parity.PAIRS[pair], found["paths"]):
            expected = run(convention(library, name, lr=0.05, eps=1e-2), parity.BOWL, parity.START, 100)
            np.testing.assert_array_equal(path, expected)
        np.testing.assert_array_equal(found["difference"], np.abs(found["paths"][0] - found["paths"][1]).max(-1))


@pytest.mark.parametrize("rule", parity.MOMENTUM + parity.ADAPTIVE)
def test_the_correction_removes_the_difference_or_says_that_nothing_does(rule):
    apart = []
    for pair in parity.PAIRS:
        plain, corrected = compute(pair=pair, rule=rule), compute(pair=pair, rule=rule, corrected=True)
        if not any(path is None for path in plain["paths"]):
            apart.append(plain["difference"].max())
            assert (corrected["difference"].max() < 1e-12) == corrected["exists"]
            assert corrected["exists"] or (rule, pair) == ("NAdam", "Keras | Optax")
    assert apart and (max(apart) > 1e-6) == (rule != "Adadelta")  # the one that all libraries mean alike


def test_momentum_differs_only_after_the_rate_has_changed():
    found = compute(rule="Momentum", small=0.1)
    assert found["difference"][: parity.HALF + 1].max() < 1e-14 and found["difference"][parity.HALF + 1] > 1e-4


def test_a_missing_optimizer_is_said_not_drawn():
    found = compute(pair="PyTorch | TensorFlow", rule="NAdam")
    assert found["paths"][1] is None and np.isnan(found["difference"]).all()
    assert parity.verdict(found, "PyTorch | TensorFlow", False)[0] == "TensorFlow: no such optimizer"
    explorer = parity.explorer(pair="Keras | Optax", rule="NAdam")
    explorer.set(corrected=True)
    assert explorer.error == "" and not explorer.data["exists"]


def test_every_library_has_conventions():
    assert list(CONVENTIONS) == ["PyTorch", "TensorFlow", "Keras", "Optax"]
