"""Schedules against torch.optim.lr_scheduler, step by step, and against their formulas where torch has none."""
import math
import sys
from dataclasses import fields
from itertools import product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.optim import lr_scheduler as torch_schedules

from shared.optimizers.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseSqrt,
    InverseTime,
    Join,
    Linear,
    MultiStep,
    OneCycle,
    Polynomial,
    Schedule,
    Step,
    Triangular,
    Warmup,
    WarmupStableDecay,
)

T = 200


def torch_rates(build, lr, steps):
    """(steps,): the rate torch uses at steps 0, 1, ..., after that many calls of scheduler.step()."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, rates = build(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def case(ours, theirs, *args, lr=None, steps=T, **kwargs):
    lr = lr or getattr(ours, "lr", 0.1)
    return pytest.param(ours, lambda o: theirs(o, *args, **kwargs), lr, steps, id=repr(ours)[:90])


S = torch_schedules
PARITY = [
    case(Step(0.1, 30, 0.1), S.StepLR, 30, gamma=0.1), case(Step(2.0, 7, 0.9), S.StepLR, 7, gamma=0.9),
    case(Step(0.3, 1, 1.0), S.StepLR, 1, gamma=1.0),
    case(MultiStep(0.1, (50, 75), 0.1), S.MultiStepLR, [50, 75], gamma=0.1),
    case(MultiStep(0.5, (1, 2, 150), 0.5), S.MultiStepLR, [1, 2, 150], gamma=0.5),
    case(Exponential(0.1, 0.97), S.ExponentialLR, 0.97), case(Exponential(3.0, 1.0), S.ExponentialLR, 1.0),
    case(Linear(0.1, 0.0, 100), S.LinearLR, start_factor=1.0, end_factor=0.0, total_iters=100),
    case(Linear(0.02, 0.2, 37), S.LinearLR, start_factor=0.1, end_factor=1.0, total_iters=37, lr=0.2),
    case(Warmup(0.1, 10), S.LinearLR, start_factor=0.1, total_iters=9),
    case(Warmup(0.1, 150), S.LinearLR, start_factor=1 / 150, total_iters=149),
    case(Polynomial(0.1, 100, 2.0), S.PolynomialLR, 100, 2.0), case(Polynomial(0.1, 37, 0.5), S.PolynomialLR, 37, 0.5),
    case(Polynomial(0.1, 300, 1.0), S.PolynomialLR, 300, 1.0),
    case(Cosine(0.1, T), S.CosineAnnealingLR, T), case(Cosine(0.3, 500, 0.01), S.CosineAnnealingLR, 500, 0.01),
    case(Cosine(0.1, 37, 0.2), S.CosineAnnealingLR, 37, 0.2, steps=38),
    case(CosineRestarts(0.1, 20, 2), S.CosineAnnealingWarmRestarts, 20, 2),
    case(CosineRestarts(0.1, 13, 1, 0.02), S.CosineAnnealingWarmRestarts, 13, 1, 0.02),
    case(CosineRestarts(0.1, 1, 3), S.CosineAnnealingWarmRestarts, 1, 3),
    *(case(OneCycle(0.1, n, pct, 10.0, 100.0, anneal, three), S.OneCycleLR, 0.1, n, pct_start=pct, div_factor=10.0,
           final_div_factor=100.0, anneal_strategy=anneal, three_phase=three, cycle_momentum=False, steps=min(n, T))
      for n in (T, 37, 300) for pct in (0.3, 0.123, 0.45) for anneal in ("cos", "linear") for three in (False, True)),
    case(OneCycle(1.0, 50), S.OneCycleLR, 1.0, 50, cycle_momentum=False, steps=50),
    case(Triangular(0.1, 0.001, 20), S.CyclicLR, 0.001, 0.1, 20, cycle_momentum=False),
    case(Triangular(0.1, 0.01, 7, 23), S.CyclicLR, 0.01, 0.1, 7, 23, cycle_momentum=False),
    case(Triangular(0.1, 0.0, 8, 16, 0.5), S.CyclicLR, 0.0, 0.1, 8, 16, mode="triangular2", cycle_momentum=False),
    case(InverseTime(0.1, 0.1), S.LambdaLR, lambda k: 1 / (1 + 0.1 * k)),
    case(InverseSqrt(0.1, 0.3), S.LambdaLR, lambda k: (1 + 0.3 * k) ** -0.5),
    case(Constant(0.1), S.LambdaLR, lambda k: 1.0),
    case(Join((Constant(0.05), Constant(0.1)), (40,)), S.ConstantLR, 0.5, 40, lr=0.1),
]


@pytest.mark.parametrize("ours, build, lr, steps", PARITY)
def test_equal_to_torch_step_by_step(ours, build, lr, steps):
    assert_allclose([ours(k) for k in range(steps)], torch_rates(build, lr, steps), rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")      # torch's own SequentialLR passes it
@pytest.mark.parametrize("w, n, lr", [(10, 190, 0.1), (50, 150, 1.0), (1, 300, 0.01)])
def test_join_equals_torchs_sequential_scheduler(w, n, lr):
    build = lambda o: S.SequentialLR(
        o, [S.LinearLR(o, start_factor=0.1, total_iters=w), S.CosineAnnealingLR(o, n)], milestones=[w])
    ours = Join((Linear(0.1 * lr, lr, w), Cosine(lr, n)), (w,))
    assert_allclose([ours(k) for k in range(T)], torch_rates(build, lr, T), rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")
def test_a_join_of_three_equals_torchs_and_nests():
    parts, boundaries = (Warmup(0.1, 20), Step(0.1, 15, 0.5), Exponential(0.1, 0.9)), (20, 90)
    build = lambda o: S.SequentialLR(
        o, [S.LinearLR(o, 1 / 20, total_iters=19), S.StepLR(o, 15, 0.5), S.ExponentialLR(o, 0.9)], milestones=[20, 90])
    flat = Join(parts, boundaries)
    nested = Join((parts[0], Join(parts[1:], (70,))), (20,))
    expected = torch_rates(build, 0.1, T)
    assert_allclose([flat(k) for k in range(T)], expected, rtol=0, atol=1e-12)
    assert [nested(k) for k in range(T)] == [flat(k) for k in range(T)]


@pytest.mark.parametrize("shape, decayed", [
    ("linear", lambda u: 1 - u), ("cosine", lambda u: math.cos(math.pi * u / 2) ** 2),
    ("1-sqrt", lambda u: 1 - u ** 0.5)])
@pytest.mark.parametrize("w, d", [(10, 20), (0, 60), (25, 0), (40, 60)])
def test_warmup_stable_decay_equals_its_formula_in_torchs_lambda_scheduler(shape, decayed, w, d):
    def factor(k):
        rise = 1.0 if k >= w else (k + 1) / w
        fall = decayed(min((k - (100 - d)) / d, 1)) if d and k >= 100 - d else 1.0
        return rise * fall
    ours = WarmupStableDecay(0.1, 100, w, d, shape)
    expected = torch_rates(lambda o: S.LambdaLR(o, factor), 0.1, T)
    assert_allclose([ours(k) for k in range(T)], expected, rtol=0, atol=1e-12)
    floor = WarmupStableDecay(0.1, 100, w, d, shape, lr_min=0.03)
    assert floor(150) == pytest.approx(0.03 if d else 0.1, abs=1e-15)


def test_decay_floor_of_polynomial():
    assert Polynomial(1.0, 10, 2.0, lr_min=0.2)(5) == pytest.approx(0.2 + 0.8 * 0.25)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_by_its_defaults(name):
    s = SCHEDULES[name]()
    assert isinstance(s, Schedule) and type(s) is SCHEDULES[name]
    rates = [s(k) for k in range(300)]
    assert all(type(r) is float and 0 <= r <= 0.1 + 1e-12 for r in rates) and max(rates) > 0
    assert [s(k) for k in np.arange(300)] == rates and type(s(np.int64(3))) is float       # NumPy integers
    assert eval(repr(s), vars(sys.modules["shared.optimizers.schedules"])) == s  # the repr rebuilds it
    doc = type(s).__doc__
    assert doc and "(lr:" not in doc


def sliders(kind):
    """Field -> the values an explorer may set at least: both ends of the slider, or all choices."""
    return {f.name: f.metadata.get("choices") or f.metadata["slider"] for f in fields(kind) if f.type is not tuple}


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_field_is_dead(name):
    for field, values in sliders(SCHEDULES[name]).items():
        curves = {tuple(map(SCHEDULES[name](**{field: value}), range(300))) for value in values}
        assert len(curves) == len(values) >= 2, f"{name}: {field} changes nothing"


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_combination_of_slider_ends_is_accepted(name):
    ends = sliders(SCHEDULES[name])
    for values in product(*ends.values()):
        s = SCHEDULES[name](**dict(zip(ends, values, strict=True)))
        assert all(0 <= s(k) <= 1 + 1e-12 for k in (0, 1, 50, 99, 250))


@pytest.mark.parametrize("s, total", [(Linear(steps=50), 50), (Polynomial(steps=50), 50), (Cosine(steps=50), 50),
                                      (OneCycle(steps=50), 49), (WarmupStableDecay(steps=50), 50)])
def test_finite_schedules_hold_their_last_value(s, total):
    assert {s(k) for k in (total, total + 1, 10 * total)} == {s(total)} and s(total) < 1e-6


@pytest.mark.parametrize("build, message", [
    (lambda: Constant(-0.1), r"Constant: lr must be a number in \[0, inf\), got -0\.1"),
    (lambda: Constant(math.nan), "lr must be a number in .* got nan"),
    (lambda: Constant("fast"), "lr must be a number in .* got 'fast'"),
    (lambda: Cosine(steps=0), r"Cosine: steps must be an integer in \[1, inf\), got 0"),
    (lambda: Cosine(steps=10.5), r"steps must be an integer in \[1, inf\), got 10\.5"),
    (lambda: Cosine(steps=math.inf), r"steps must be an integer in \[1, inf\), got inf"),
    (lambda: Step(gamma=1.5), r"Step: gamma must be a number in \(0, 1\], got 1\.5"),
    (lambda: MultiStep(milestones=(5, 3)), r"milestones must be increasing integers >= 1, got \(5, 3\)"),
    (lambda: OneCycle(anneal="exp"), "OneCycle: anneal must be one of 'cos', 'linear', got 'exp'"),
    (lambda: OneCycle(steps=100, pct_start=0.01), "pct_start=0.01 leaves an empty phase in 100 steps"),
    (lambda: OneCycle(steps=100, pct_start=0.6, three_phase=True), "pct_start=0.6 leaves an empty phase"),
    (lambda: WarmupStableDecay(steps=20, warmup=15, decay=10),
     "warmup . decay must be at most steps = 20, got 15 . 10"),
    (lambda: WarmupStableDecay(shape="sqrt"), "shape must be one of 'linear', 'cosine', '1-sqrt', got 'sqrt'"),
    (lambda: Join((Cosine(), 0.1), (5,)), r"Join: every part must be a schedule .* got 0\.1"),
    (lambda: Join((Cosine(), Cosine()), (5, 9)), "Join: 2 parts need 1 boundaries, got 2"),
    (lambda: Join((Cosine(), Cosine()), (0,)), r"Join: boundaries must be increasing integers >= 1, got \(0,\)"),
    (lambda: Cosine()(-1), "Cosine: the step k must be at least 0, got -1"),
    (lambda: Cosine()(math.nan), "the step k must be at least 0, got nan"),
])
def test_bad_input_gives_one_clear_line(build, message):
    with pytest.raises(ValueError, match=message) as error:
        build()
    assert "\n" not in str(error.value)


