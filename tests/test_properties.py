"""Laws that hold for whatever Hypothesis draws: of rules, oracles, schedules and landscapes.

A law is an independent reference: it compares a rule with itself in another frame, where the mathematics says what must
come out.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.descent import run
from shared.optimizers import (
    RULES,
    SAM,
    SGD,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    HeavyBall,
    Lion,
    NAdam,
    Nesterov,
    Newton,
    RMSprop,
    Rprop,
)
from shared.optimizers.schedules import SCHEDULES
from shared.problems import LANDSCAPES, Clipped, LeastSquares, MiniBatch, Noisy, Ridge, Rotated, Wrapper, quadratic

STEPS = 8
number = lambda low, high: st.floats(low, high, allow_nan=False, allow_infinity=False)
point = lambda low=-3.0, high=3.0, d=2: st.lists(number(low, high), min_size=d, max_size=d).map(np.array)
bowls = st.builds(quadratic, kappa=number(1, 50), angle=number(0, 3))
few = settings(max_examples=15)


@dataclass(frozen=True)
class Moved(Wrapper):
    """f(A (x − c)) times `scale`: the same landscape in another frame."""

    A: object = None
    c: object = 0.0
    scale: float = 1.0

    def _there(self, x):
        return (x - self.c) @ (np.eye(2) if self.A is None else self.A).T

    def __call__(self, x):
        return self.scale * self.f(self._there(x))

    def grad(self, x):
        return self.scale * self.f.grad(self._there(x)) @ (np.eye(2) if self.A is None else self.A)

    def hess(self, x):
        A = np.eye(2) if self.A is None else self.A
        return self.scale * A.T @ self.f.hess(self._there(x)) @ A


def plain(name):
    """A rule at its defaults, without weight decay, which pulls towards a place of its own."""
    rule = RULES[name]()
    return replace(rule, weight_decay=0.0) if any(h.name == "weight_decay" for h in fields(rule)) else rule


def rates(rule):
    low, high = next(h.metadata["slider"] for h in fields(rule) if h.name == "lr")
    return number(low, high)


# ---- rules -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", RULES)
@few
@given(data=st.data())
def test_a_batch_is_a_loop(name, data):
    f, rule = data.draw(bowls), RULES[name]()
    starts, lr = np.array(data.draw(st.lists(point(), min_size=3, max_size=3))), np.array(
        data.draw(st.lists(rates(rule), min_size=2, max_size=2)))  # fmt: skip
    together = run(replace(rule, lr=lr[:, None]), f, starts, STEPS)
    assert together.shape == (STEPS + 1, 2, 3, 2)
    for i, j in np.ndindex(2, 3):
        alone = run(replace(rule, lr=float(lr[i])), f, starts[j], STEPS)
        np.testing.assert_allclose(together[:, i, j], alone, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", RULES)
@few
@given(data=st.data())
def test_one_step_from_a_finite_place_is_finite_and_keeps_the_shape(name, data):
    f = LANDSCAPES[data.draw(st.sampled_from(sorted(LANDSCAPES)))]()
    (x0, x1), (y0, y1) = f.bounds
    x = np.array([[data.draw(number(x0, x1)), data.draw(number(y0, y1))]] * 3)
    rule = RULES[name]()
    rule = replace(rule, lr=data.draw(rates(rule))).at(1)
    with np.errstate(all="ignore"):                   # as in `run`
        new, state = rule.step(f, x, rule.State(), 1)
        again, after = rule.step(f, new, state, 2)
    assert new.shape == x.shape and np.isfinite(new).all()
    assert again.shape == x.shape
    assert [np.shape(part) for part in after] == [np.shape(part) for part in state]


# Adafactor scales its step by the size of x, and a place has no size of its own.
@pytest.mark.parametrize("name", [name for name in RULES if name != "Adafactor"])
@few
@given(data=st.data())
def test_a_shift_of_the_landscape_shifts_the_path(name, data):
    f, x, c, rule = data.draw(bowls), data.draw(point(0.5, 3.0)), data.draw(point()), plain(name)  # away from g = 0
    there, here = run(rule, Moved(f, c=c), x + c, STEPS), run(rule, f, x, STEPS)
    np.testing.assert_allclose(there - c, here, rtol=1e-5, atol=1e-6)


SCALE_FREE = [Adam(0.05, eps=0.0), AdamW(0.05, eps=0.0, weight_decay=0.1), Adam(0.05, eps=0.0, amsgrad=True),
              Adamax(0.05, eps=0.0), NAdam(0.05, eps=0.0), RMSprop(0.05, eps=0.0), Adagrad(0.3, eps=0.0),
              Rprop(0.05), Lion(0.05), Newton()]  # fmt: skip


@pytest.mark.parametrize("rule", SCALE_FREE, ids=repr)
@few
@given(f=bowls, x=point(0.5, 3.0), power=st.integers(-20, 20))
def test_the_size_of_the_gradient_does_not_matter(rule, f, x, power):
    there = run(rule, Moved(f, scale=2.0**power), x, STEPS)
    np.testing.assert_allclose(there, run(rule, f, x, STEPS), rtol=1e-6, atol=1e-9)


LINEAR = [SGD(0.02), SGD(0.02, momentum=0.9), SGD(0.02, momentum=0.9, nesterov=True), HeavyBall(0.02), Nesterov(0.02)]


@pytest.mark.parametrize("rule", LINEAR, ids=repr)
@few
@given(f=bowls, x=point(), power=st.integers(-10, 10))
def test_a_gradient_twice_as_large_needs_half_the_rate(rule, f, x, power):
    a = 2.0**power
    np.testing.assert_allclose(run(replace(rule, lr=rule.lr / a), Moved(f, scale=a), x, STEPS), run(rule, f, x, STEPS),
                               rtol=1e-9, atol=1e-12)  # fmt: skip


@pytest.mark.parametrize("rule", [*LINEAR, Newton(), SAM(SGD(0.02))], ids=repr)
@few
@given(f=bowls, x=point(0.5, 3.0), angle=number(0, 3))
def test_a_turn_of_the_landscape_turns_the_path(rule, f, x, angle):
    turned = Rotated(f, angle)
    R = turned._matrix(2)
    np.testing.assert_allclose(run(rule, turned, x @ R, STEPS) @ R.T, run(rule, f, x, STEPS), rtol=1e-5, atol=1e-6)


def test_a_rate_for_each_coordinate_does_notice_a_turn():
    f, x, R = quadratic(kappa=50), np.array([2.0, 1.0]), Rotated(quadratic(), 0.7)._matrix(2)
    assert np.abs(run(Adam(0.1), Rotated(f, 0.7), x @ R, 30) @ R.T - run(Adam(0.1), f, x, 30)).max() > 0.1


@few
@given(f=bowls, x=point(), A=point(0.3, 2.0, d=3))
def test_newton_is_affinely_invariant(f, x, A):
    A = np.array([[A[0], A[1] - 1.0], [0.0, A[2]]])
    there = run(Newton(lr=0.7), Moved(f, A=A), x @ np.linalg.inv(A).T, STEPS) @ A.T
    np.testing.assert_allclose(there, run(Newton(lr=0.7), f, x, STEPS), rtol=1e-6, atol=1e-8)


@few
@given(f=bowls, x=point(-100, 100), lr=number(1e-4, 1.0), λ=number(0.0, 0.5))
def test_lions_step_is_bounded(f, x, lr, λ):
    xs = run(Lion(lr, weight_decay=λ), f, x, STEPS)
    assert (np.abs(np.diff(xs, axis=0)) <= lr * (1 + λ * np.abs(xs[:-1])) * (1 + 1e-9)).all()


@few
@given(f=bowls, x=point(), lr=number(1e-4, 0.5), β1=number(0.0, 0.99), β2=number(0.0, 0.9999))
def test_adams_first_step_is_the_rate(f, x, lr, β1, β2):
    g = f.grad(x)
    first = run(Adam(lr, betas=(β1, β2), eps=0.0), f, x, 1)[1] - x
    np.testing.assert_allclose(first[np.abs(g) > 1e-9], -lr * np.sign(g)[np.abs(g) > 1e-9], rtol=1e-6)


# ---- oracles ---------------------------------------------------------------------------------------------------------
@few
@given(f=bowls, x=point(-50, 50), value=number(0.01, 10), norm=number(0.01, 10))
def test_clipping_bounds_and_keeps_small_gradients(f, x, value, norm):
    g, clipped = f.grad(x), Clipped(f, max_value=value, max_norm=norm).grad(x)
    assert (np.abs(clipped) <= value * (1 + 1e-12)).all() and np.linalg.norm(clipped) <= norm * (1 + 1e-12)
    if np.abs(g).max() <= value and np.linalg.norm(g) <= norm:
        np.testing.assert_allclose(clipped, g)


@few
@given(f=bowls, x=point(), λ=number(0, 10))
def test_ridge_adds_decay(f, x, λ):
    np.testing.assert_allclose(Ridge(f, λ).grad(x), f.grad(x) + λ * x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(Ridge(f, λ).hess(x), f.hess(x) + λ * np.eye(2), rtol=1e-12)


@few
@given(f=bowls, x=point(), seed=st.integers(0, 99), t=st.integers(1, 1000), σ=number(0, 5))
def test_noise_is_a_function_of_seed_and_step(f, x, seed, t, σ):
    noisy = Noisy(f, sigma=σ, seed=seed)
    np.testing.assert_array_equal(noisy.at(t).grad(x), noisy.at(t).grad(x))
    assert noisy.at(t)(x) == f(x)


@few
@given(n=st.integers(2, 40), seed=st.integers(0, 9), data=st.data())
def test_an_epoch_of_batches_is_the_whole_sum(n, seed, data):
    rng = np.random.default_rng(seed)
    f = LeastSquares(rng.standard_normal((n, 3)), rng.standard_normal(n))
    size = data.draw(st.sampled_from([b for b in range(1, n + 1) if n % b == 0]))
    batches, x = MiniBatch(f, size, seed), rng.standard_normal(3)
    epoch = data.draw(st.integers(0, 5)) * batches.steps_per_epoch
    steps = range(epoch + 1, epoch + 1 + batches.steps_per_epoch)
    assert sorted(np.concatenate([batches.indices(t) for t in steps])) == list(range(n))
    np.testing.assert_allclose(np.mean([batches.at(t).grad(x) for t in steps], 0), f.grad(x), rtol=1e-9, atol=1e-12)


# ---- schedules and landscapes ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SCHEDULES)
@few
@given(data=st.data(), k=st.integers(0, 3000))
def test_a_schedule_stays_between_zero_and_its_peak(name, data, k):
    kind, drawn = SCHEDULES[name], {}
    for h in fields(kind):
        if slider := h.metadata.get("slider"):
            drawn[h.name] = data.draw(st.integers(*slider) if isinstance(h.default, int) else number(*slider))
    drawn.pop("lr_min", None)
    try:
        schedule = kind(**drawn)
    except ValueError:  # a phase longer than the whole: named by the tests of schedules
        return
    peak = max(schedule(j) for j in range(0, 400))
    assert 0 <= schedule(k) <= max(peak, getattr(schedule, "lr", 0.0)) * (1 + 1e-9)
    assert schedule(k) == schedule(k)


@pytest.mark.parametrize("name", LANDSCAPES)
@few
@given(data=st.data())
def test_a_landscape_agrees_with_itself(name, data):
    f = LANDSCAPES[name]()
    box = [data.draw(st.lists(number(*side), min_size=4, max_size=4)) for side in f.bounds]
    x = np.array(box).T  # (4, 2)
    np.testing.assert_allclose(f(x), [f(row) for row in x], rtol=1e-12)
    np.testing.assert_allclose(f.grad(x), [f.grad(row) for row in x], rtol=1e-12)
    H = f.hess(x)
    np.testing.assert_allclose(H, H.swapaxes(-1, -2), rtol=1e-9, atol=1e-9)
    assert (f(x) >= f.f_min - 1e-9 * max(1.0, abs(f.f_min))).all()
