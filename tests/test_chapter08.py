"""Chapter 8: its explorers, every control across its range, its simulations, its codecs, and its printed command."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared import data
from shared.distributed import simulate, training
from shared.distributed.asynchronous import CODECS
from shared.distributed.compression import Full, Int8, Sign, TopK, nbytes, power_sgd, travels, with_feedback
from shared.distributed.launch import environment
from shared.explorers import cost_planner, local_sgd, ring
from shared.figures.live import sweep
from shared.optimizers import SGD
from shared.problems import Softmax, quadratic


@pytest.fixture(scope="module")
def problem():
    d = data.digits()
    return Softmax(d.x_train[:320], d.y_train[:320])


@pytest.mark.parametrize("module", [ring, cost_planner, local_sgd], ids=lambda m: m.__name__)
def test_explorers_hold_over_every_range(module):
    sweep(module.explorer(), points=4)


@pytest.mark.parametrize("algorithm", ["ring", "tree", "server"])
@pytest.mark.parametrize("workers", [2, 5, 8])
def test_the_ring_explorer_ends_with_the_sum(algorithm, workers):
    counts = ring.compute(workers, algorithm, 1.0)["counts"]
    assert (counts[0] == 1).all() and (counts[-1] == workers).all()
    assert (np.diff(counts, axis=0) >= 0).all()


def test_local_sgd_explorer_rests_where_the_algebra_says():
    """Without noise the average rests where Σ [1 − (1 − ηA)ᴴ](x − c) = 0."""
    for H in (1, 5):
        found = local_sgd.compute(H, 0.8, 0.6, 0.0)
        A, c, best = local_sgd.workers(0.6)
        pull = np.eye(2) - np.linalg.matrix_power(np.eye(2) - 0.8 * A, H)
        rest = np.linalg.solve(pull.sum(0), np.einsum("wij,wj->i", pull, c))
        np.testing.assert_allclose(found["mean"][-1], rest, atol=1e-3)
        assert (np.linalg.norm(rest - best) < 1e-9) == (H == 1)


def test_the_planner_is_the_cost_model():
    found = cost_planner.compute(7, 16, 25, 20, 1)
    assert found["bytes"]["data"] == pytest.approx(16 * 7e9)
    assert found["efficiency"]["data"][0] == 1
    assert np.isnan(cost_planner.compute(7, 1024, 25, 20, 1)["parts"]["pipeline"]).all()


# ---- Simulations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 20])
def test_the_delay_limit_is_where_a_root_leaves_the_circle(delay):
    def factor(lr_times_curvature):
        """The factor per step: the largest root of z^(τ+1) = z^τ − ηλ, in size."""
        a = np.zeros(delay + 2)
        a[:2] = 1.0, -1.0
        a[-1] += lr_times_curvature
        return np.abs(np.roots(a)).max()

    limit = simulate.delay_limit(delay)
    assert factor(limit * (1 - 1e-4)) < 1 < factor(limit * (1 + 1e-4))


def test_delayed_descent_without_delay_is_descent():
    f = quadratic(10)
    xs, x = simulate.delayed(f, f.start, 0.1, 0, 20), f.start
    for k in range(20):
        x = x - 0.1 * f.grad(x)
        np.testing.assert_allclose(xs[k + 1], x, rtol=1e-12)
    late = simulate.delayed(f, f.start, 0.01, 3, 20)
    np.testing.assert_allclose(late[9], late[8] - 0.01 * f.grad(late[5]), rtol=1e-12)


def test_workers_gradients_are_those_of_the_problem(problem):
    rng = np.random.default_rng(0)
    x, chosen = rng.normal(size=(2, 3, problem.dim)), rng.integers(problem.n, size=(2, 3, 8))
    found = simulate.softmax_grads(problem, x, chosen)
    for i in np.ndindex(2, 3):
        np.testing.assert_allclose(found[i], problem.subset(chosen[i]).grad(x[i]), rtol=1e-10, atol=1e-14)


def test_shards_share_everything_once(problem):
    for mixed in (True, False):
        rows = simulate.shards(problem.y, 8, mixed)
        assert len(np.unique(rows)) == rows.size == 320
    classes = [len(np.unique(problem.y[own])) for own in rows]
    assert max(classes) <= 3


def test_the_slowest_of_many_is_slower():
    mean = [simulate.slowest(p, 0.3).mean() for p in (1, 4, 64)]
    assert mean[0] < mean[1] < mean[2]
    assert simulate.slowest(64, 0.3, drop=0.1).mean() < mean[2]
    assert simulate.slowest(5, 0.0).tolist() == [1.0] * 2000


def test_steps_to_says_never(problem):
    found = simulate.steps_to(problem, SGD, np.array([1e-6, 1.0]), 32, 1.0, 60, seeds=2)
    assert np.isinf(found[:, 0]).all() and np.isfinite(found[:, 1]).all()


# ---- Codecs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec,size", [(Full(), 4000), (TopK(0.01), 80), (Sign(), 129), (Int8(), 1004)],
                         ids=["full", "top", "sign", "int8"])  # fmt: skip
def test_a_message_has_its_size_and_comes_back(codec, size):
    g = np.random.default_rng(0).normal(size=(3, 1000))
    message = codec.encode(g)
    assert nbytes(message, leading=1) == size
    back = codec.decode(message, 1000)
    assert back.shape == g.shape and np.linalg.norm(back - g) < np.linalg.norm(g)
    np.testing.assert_allclose(codec.decode(codec.encode(g[1]), 1000), back[1], rtol=1e-6)


def test_codecs_keep_what_they_promise():
    g = np.random.default_rng(0).normal(size=200)
    top = TopK(0.1).decode(TopK(0.1).encode(g), 200)
    assert set(np.flatnonzero(top)) == set(np.argsort(-np.abs(g))[:20])
    np.testing.assert_allclose(top[top != 0], g[top != 0], rtol=1e-6)
    sign = Sign().decode(Sign().encode(g), 200)
    np.testing.assert_allclose(sign, np.sign(g) * np.abs(g).mean(), rtol=1e-6)
    assert np.abs(Int8().decode(Int8().encode(g), 200) - g).max() <= np.abs(g).max() / 127 / 2 * 1.001
    assert not Int8().decode(Int8().encode(np.zeros(4)), 4).any()
    with pytest.raises(ValueError, match=r"share must lie in \(0, 1\]"):
        TopK(0.0)


@pytest.mark.parametrize("codec", [codec for codec, _ in CODECS.values()], ids=list(CODECS))
def test_with_feedback_everything_is_sent_in_the_end(codec):
    """Σ sent = Σ g − e: the error never becomes a sum."""
    rng, e = np.random.default_rng(0), np.zeros(50)
    total, sent_in_all = np.zeros(50), np.zeros(50)
    for _ in range(30):
        g = rng.normal(size=50)
        _, sent, e = with_feedback(codec, g, e)
        total, sent_in_all = total + g, sent_in_all + sent
    np.testing.assert_allclose(sent_in_all, total - e, atol=1e-10)


def test_power_sgd_finds_a_matrix_of_its_rank():
    rng = np.random.default_rng(0)
    v = rng.normal(size=5)
    M = np.stack([np.outer(rng.normal(size=8), v) for _ in range(2)])  # two workers, whose mean has rank 1
    Q = rng.normal(size=(5, 1))
    mean = lambda a: a.mean(0, keepdims=True)
    approximation, Q = power_sgd(M, Q, mean)
    np.testing.assert_allclose(approximation[0], M.mean(0), rtol=1e-10)


def test_local_sgd_that_always_meets_is_data_parallel(problem):
    """H = 1 and compression that loses nothing: the same rows, the same steps. With H = 2 it ends elsewhere."""
    rows, more = simulate.shards(problem.y, 4, mixed=True), dict(batch=8, seeds=2)
    met = simulate.local_sgd(problem, rows, 1, 6, 0.5, **more)
    assert met.shape == (7, 2, problem.dim)
    sent, full, low = (simulate.compressed(problem, rows, Full(), True, 6, 0.5, rank=r, **more) for r in (None, 10, 1))
    np.testing.assert_allclose(sent, met[-1], atol=1e-7)  # sent as float32
    np.testing.assert_allclose(full, met[-1], rtol=1e-9, atol=1e-13)
    alone = simulate.local_sgd(problem, rows, 2, 6, 0.5, **more)
    assert len(alone) == 4 and min(np.abs(x - met[-1]).max() for x in (alone[-1], low)) > 1e-3


def test_a_gathered_message_saves_only_below_2n_over_m_workers():
    n, m = 800, 100
    for p in range(2, 40):
        assert (travels(m, p, adds=False) < travels(n, p, adds=True)) == (p < 2 * n / m)
        assert travels(m, p, adds=True) * n == pytest.approx(travels(n, p, adds=True) * m)


def test_messages_that_add_up_are_those_that_say_so():
    g = np.random.default_rng(0).normal(size=(2, 200))
    for codec in (Full(), TopK(0.01), Sign(), Int8()):
        sent = [codec.decode(codec.encode(v), 200) for v in (*g, g.sum(0))]
        assert codec.adds == np.allclose(sent[0] + sent[1], sent[2], atol=1e-5)


# ---- The cluster -------------------------------------------------------------------------------------------------
def test_the_printed_command_runs_where_ranks_do_not_divide_the_batch(tmp_path):
    """As the chapter prints it, but on five processors of one machine."""
    source = (Path(__file__).parents[1] / "chapters/source/08_parallel_and_distributed.py").read_text(encoding="utf-8")
    printed = re.search(r"# torchrun (.*?)# ```", source, re.DOTALL)[1].replace("\\\n#", " ").split()
    here = {"--nnodes=4": "--standalone", "--nproc-per-node=8": "--nproc-per-node=5", "nccl": "gloo",
            "RESULTS": str(tmp_path / "not" / "there")}  # fmt: skip
    command = [here.get(word, word) for word in printed if not word.startswith("--rdzv")]
    subprocess.run([sys.executable, "-m", "torch.distributed.run", *command], cwd=Path(__file__).parents[1],
                   env=environment(200, tmp_path), check=True, timeout=240)  # fmt: skip
    with np.load(tmp_path / "not" / "there" / "results.npz") as found:
        for name, optimizer in (("by_hand", "sgd"), ("ddp", "sgd"), ("fsdp", "adam")):
            x = training.single(optimizer)
            np.testing.assert_allclose(found[f"{name}/x"], x, atol=1e-12 * np.abs(x).max(), err_msg=name)
        assert len(found["timings/bytes"]) == len(found["timings/ring"]) > 0
        assert (found["timings/ring"] > 0).all()
