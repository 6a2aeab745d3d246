"""The cost model: formulas against a replay of who sends what to whom, fits, memory, bubbles and plans."""

import numpy as np
import pytest

from shared.distributed import cost
from shared.distributed.cost import Link, Plan

LINK = Link(1e-3, 1e6)


@pytest.mark.parametrize("p", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("algorithm", cost.ALGORITHMS)
def test_the_schedule_gives_everybody_the_sum(algorithm, p):
    x = np.random.default_rng(p).normal(size=(p, p))  # rank, chunk
    now, steps = x.copy(), cost.schedule(algorithm, p)
    for s, sends in enumerate(steps):
        before = now.copy()
        for a, b, c in sends:
            now[b, c] = before[a, c] + (before[b, c] if s < len(steps) // 2 else 0)
    np.testing.assert_allclose(now, np.tile(x.sum(0), (p, 1)), rtol=1e-12)


@pytest.mark.parametrize("p", [2, 4, 8])
@pytest.mark.parametrize("algorithm", cost.ALGORITHMS)
def test_the_formula_is_the_schedule_by_the_clock(algorithm, p):
    """A step takes α + bytes/β of the busiest pair of sender and receiver."""
    n = 12345.0
    steps = cost.schedule(algorithm, p)
    clock = 0.0
    for sends in steps:
        pairs = [(a, b) for a, b, _ in sends]
        clock += max(LINK(pairs.count(pair) * n / p) for pair in set(pairs))
    assert cost.all_reduce(algorithm, n, p, LINK) == pytest.approx(clock, rel=1e-12)


def test_one_worker_has_nobody_to_talk_to():
    for algorithm in cost.ALGORITHMS:
        assert cost.all_reduce(algorithm, 1e6, 1, LINK) == 0


def test_the_fit_finds_the_link_again():
    sizes = np.geomspace(1e2, 1e8, 13)
    found = cost.fit("ring", sizes, 4, cost.all_reduce("ring", sizes, 4, LINK))
    assert (found.latency, found.bandwidth) == (pytest.approx(1e-3), pytest.approx(1e6))
    noisy = cost.all_reduce("ring", sizes, 4, LINK) * np.random.default_rng(0).lognormal(0, 0.1, 13)
    found = cost.fit("ring", sizes, 4, noisy)
    assert (found.latency, found.bandwidth) == (pytest.approx(1e-3, rel=0.2), pytest.approx(1e6, rel=0.2))


def test_a_fit_is_never_negative():
    falling = cost.fit("ring", [1e3, 1e6], 2, [2e-3, 1e-3])
    assert falling.latency >= 0 and falling.bandwidth > 0
    free = cost.fit("ring", [1e3, 1e6], 2, [1e-9, 1e-3])
    assert free.latency >= 0 and free.bandwidth > 0


def test_memory_is_the_table_of_the_paper():
    """Rajbhandari et al. (2020), figure 1: 7.5 billion parameters, 64 ranks: 120, 31.4, 16.6 and 1.9 GB."""
    total = [cost.memory(7.5e9, 64, stage).sum() / 1e9 for stage in range(4)]
    np.testing.assert_allclose(total, [120, 31.4, 16.6, 1.9], atol=0.05)


@pytest.mark.parametrize("stages,micro", [(1, 4), (4, 1), (4, 4), (3, 8)])
def test_the_bubble_is_what_a_schedule_leaves_idle(stages, micro):
    """GPipe slot by slot: stage s works on micro-batch i in slot s + i."""
    busy = np.zeros((stages, stages + micro - 1))
    for s in range(stages):
        busy[s, s : s + micro] = 1
    assert cost.bubble(stages, micro) == pytest.approx(1 - busy.mean())


@pytest.mark.parametrize("communication", [0.1, 1.0, 3.0])
def test_exposed_is_what_a_queue_of_buckets_leaves(communication, backward=1.0, buckets=5):
    free = 0.0
    for i in range(1, buckets + 1):
        free = max(free, backward * i / buckets) + communication / buckets
    assert cost.exposed(backward, communication, buckets) == pytest.approx(free - backward)
    assert cost.exposed(backward, communication) == communication


def test_plans_have_sane_limits():
    alone = Plan(1e9, 1, Link(1e-5, 1e10))
    for strategy in cost.STRATEGIES:
        parts = getattr(alone, strategy)()
        assert parts[0] == pytest.approx(6e9 * alone.tokens / alone.flops)
        assert sum(parts) == pytest.approx(parts[0])  # one device communicates nothing
        assert alone.bytes(strategy) == pytest.approx(16e9)
    many = Plan(1e9, 64, Link(1e-5, 1e10))
    assert many.bytes("data") == pytest.approx(16e9)
    assert many.bytes("zero3") == many.bytes("tensor") == pytest.approx(16e9 / 64)
    slow = Plan(1e9, 64, Link(1e-5, 1e8))
    assert all(sum(getattr(slow, s)()) > sum(getattr(many, s)()) for s in cost.STRATEGIES)


@pytest.mark.parametrize("wrong", [
    lambda: Link(-1, 1), lambda: Link(0, 0), lambda: cost.all_reduce("star", 1, 2, LINK), lambda: cost.memory(1, 2, 4),
])  # fmt: skip
def test_bad_input_is_one_line(wrong):
    with pytest.raises(ValueError) as error:
        wrong()
    assert "\n" not in str(error.value)
