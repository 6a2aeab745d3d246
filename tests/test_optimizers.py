"""What every rule promises, whatever its method: batches equal loops, bad input is named, nothing is mutated."""

import numpy as np
import pytest
from problems import PROBLEMS

from shared.descent import diverged, grid, iterates, run
from shared.optimizers import RULES, SGD, Adam, Newton
from shared.problems import quadratic, rosenbrock

EVERY = {name: rule() for name, rule in RULES.items()} | {
    "momentum": SGD(0.01, momentum=0.9),
    "nesterov": SGD(0.01, momentum=0.9, nesterov=True),
    "rmsprop centered": RULES["RMSprop"](0.01, momentum=0.5, centered=True),
    "damped newton": Newton(damping=1.0),
}
STARTS = np.random.default_rng(3).uniform(-1.5, 1.5, (4, 3, 2))


@pytest.mark.parametrize("name", EVERY)
def test_a_batch_of_starts_equals_a_loop(name):
    f = rosenbrock()
    together = run(EVERY[name], f, STARTS, 25)
    for i in np.ndindex(STARTS.shape[:-1]):
        alone = run(EVERY[name], f, STARTS[i], 25)
        np.testing.assert_allclose(together[(slice(None), *i)], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_a_grid_of_rates_equals_a_loop(name):
    f, x0 = quadratic(kappa=10, angle=0.3), [1.0, -2.0]
    rates = np.array([[0.01, 0.05, 0.1], [0.001, 0.02, 0.15]])
    together = run(RULES[name](lr=rates), f, x0, 25)
    assert together.shape == (26, 2, 3, 2)
    for i in np.ndindex(rates.shape):
        alone = run(RULES[name](lr=rates[i]), f, x0, 25)
        np.testing.assert_allclose(together[(slice(None), *i)], alone, rtol=1e-9, atol=1e-12)


def test_a_grid_of_pairs_broadcasts_inside_the_pair():
    f, β1 = quadratic(kappa=10), np.array([0.0, 0.5, 0.9])
    together = run(Adam(0.1, betas=(β1, 0.99)), f, [1.0, 1.0], 20)
    for i, β in enumerate(β1):
        np.testing.assert_allclose(together[:, i], run(Adam(0.1, betas=(β, 0.99)), f, [1.0, 1.0], 20), rtol=1e-10)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", EVERY)
def test_a_step_mutates_nothing_and_can_be_repeated(name, problem):
    rule, (f, x0) = EVERY[name].at(1), PROBLEMS[problem]
    first, s = rule.step(f, x0, rule.State(), 1)
    kept = x0.copy(), first.copy(), [np.array(part) for part in s]
    once, again = rule.step(f, first, s, 2), rule.step(f, first, s, 2)
    np.testing.assert_array_equal(once[0], again[0])
    np.testing.assert_array_equal(kept[0], x0)
    np.testing.assert_array_equal(kept[1], first)
    for before, after in zip(kept[2], s, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", RULES)
def test_a_schedule_that_never_changes_is_a_number(name):
    f = quadratic(kappa=5)
    np.testing.assert_array_equal(
        run(RULES[name](lr=lambda k: 0.05), f, [1.0, 2.0], 10), run(RULES[name](lr=0.05), f, [1.0, 2.0], 10))


def test_schedules_are_asked_for_the_number_of_steps_done():
    asked = []
    run(SGD(lr=lambda k: asked.append(k) or 0.1), quadratic(), [1.0, 1.0], 4)
    assert asked == [0, 1, 2, 3]


@pytest.mark.parametrize("name", EVERY)
def test_divergence_is_a_result_and_no_warning(name):
    f = rosenbrock()
    xs = run(RULES[type(EVERY[name]).__name__](lr=1e6), f, STARTS, 60)
    assert xs.shape == (61, *STARTS.shape)
    assert diverged(xs).shape == STARTS.shape[:-1]
    f(xs)  # nor does looking at the loss


def test_divergence_is_flagged_for_the_ones_that_diverge():
    xs = run(SGD(lr=np.array([0.999, 1.001]) * 2 / 10), quadratic(kappa=10), [1.0, 1.0], 40_000, every=40_000)
    assert diverged(xs).tolist() == [False, True]


def test_newton_is_exact_on_a_quadratic_and_survives_singular_hessians():
    f = quadratic(kappa=100, angle=0.4)
    np.testing.assert_allclose(run(Newton(), f, [3.0, -2.0], 1)[-1], f.minima[0], atol=1e-12)

    class Trough:  # x₁² alone: the Hessian is singular everywhere
        def __call__(self, x): return x[..., 0] ** 2
        def grad(self, x): return np.stack([2 * x[..., 0], 0 * x[..., 0]], -1)
        def hess(self, x): return np.broadcast_to(np.diag([2.0, 0.0]), (*x.shape[:-1], 2, 2))

    np.testing.assert_allclose(run(Newton(), Trough(), [[3.0, 5.0], [np.nan, 1.0]], 1)[-1, 0], [0.0, 5.0], atol=1e-12)


@pytest.mark.parametrize("bad, said", [
    (dict(lr=-0.1), r"SGD: lr must lie in \[0, inf\), got -0.1"),
    (dict(lr=float("nan")), "got nan"),
    (dict(lr="fast"), "got 'fast'"),
    (dict(lr=np.array([0.1, -1.0])), r"lr must lie in \[0, inf\), got array\(2,\)"),
    (dict(momentum=-1), "momentum must lie in"),
    (dict(nesterov=True), "nesterov needs momentum > 0"),
    (dict(dampening=0.5), "dampening needs momentum > 0"),
])  # fmt: skip
def test_a_bad_hyperparameter_is_named_in_one_line(bad, said):
    with pytest.raises(ValueError, match=said) as error:
        SGD(**bad)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.9, -0.1), (np.array([0.5, 1.0]), 0.9)])
def test_bad_betas_are_named(betas):
    with pytest.raises(ValueError, match=r"Adam: betas must lie in \[0, 1\)"):
        Adam(betas=betas)


def test_a_schedule_that_returns_nan_is_named_with_its_step():
    rule = Adam(lr=lambda k: float("nan") if k == 2 else 0.1)
    with pytest.raises(ValueError, match="Adam: lr must lie in .*, got nan, at step 3"):
        run(rule, quadratic(), [1.0, 1.0], 5)


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"starts of shape \(5, 2\) do not broadcast with .* of shape \(3,\)"):
        run(SGD(lr=np.full(3, 0.1)), quadratic(), np.ones((5, 2)), 1)
    with pytest.raises(ValueError, match="do not broadcast"):
        run(Adam(lr=np.full(3, 0.1), betas=(np.full(2, 0.5), 0.9)), quadratic(), np.ones(2), 1)
    with pytest.raises(ValueError, match="a vector of coordinates"):
        run(SGD(0.1), quadratic(), 1.0, 1)
    with pytest.raises(ValueError, match="steps >= 0"):
        run(SGD(0.1), quadratic(), [1.0, 1.0], -1)


def test_every_keeps_every_nth_iterate():
    xs = run(SGD(0.05), quadratic(), [1.0, 1.0], 20)
    np.testing.assert_array_equal(run(SGD(0.05), quadratic(), [1.0, 1.0], 20, every=5), xs[::5])


def test_iterates_go_on_for_ever_and_lazily():
    loop = iterates(SGD(0.05), quadratic(), [1.0, 1.0])
    np.testing.assert_array_equal(next(loop), [1.0, 1.0])
    assert next(loop)[0] < 1.0


def test_grid_covers_every_combination():
    g = grid(lr=[1, 2, 3], momentum=[4, 5])
    assert {tuple(pair) for pair in zip(g["lr"].ravel(), g["momentum"].ravel(), strict=True)} == {
        (a, b) for a in (1, 2, 3) for b in (4, 5)}


def test_a_rule_says_only_what_differs_from_the_defaults():
    assert repr(SGD()) == "SGD()"
    assert repr(Adam(0.1, betas=(0.5, 0.999))) == "Adam(lr=0.1, betas=(0.5, 0.999))"
    assert "array(3,) from 0.1 to 0.3" in repr(SGD(lr=np.array([0.1, 0.2, 0.3])))
