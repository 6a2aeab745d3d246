"""Chapter 4's rules against torch, Optax, and the identities between them."""

import numpy as np
import pytest
import torch
from parity import assert_same_path
from problems import PROBLEMS

from shared.descent import run
from shared.models.mlp import mlp
from shared.optimizers import EMA, QHM, SAM, SGD, Adam, AdamW, HeavyBall, Lookahead, Muon, Nesterov
from shared.optimizers import ScheduleFreeAdamW as FreeAdamW
from shared.optimizers import ScheduleFreeSGD as FreeSGD
from shared.optimizers.matrix import as_matrix, orthogonalise
from shared.optimizers.momentum import uniform
from shared.optimizers.torch_rule import TorchRule

EACH = pytest.mark.parametrize("problem", PROBLEMS)
T = torch.optim
NAME = lambda v: None if callable(v) else repr(v).split(" at 0x")[0]  # a lambda's own name holds an address


@EACH
@pytest.mark.parametrize("rule, make", [
    (HeavyBall(2e-3, 0.9), lambda p: T.SGD(p, 2e-3, momentum=0.9)),
    (HeavyBall(2e-3, 0.0), lambda p: T.SGD(p, 2e-3)),
    (QHM(2e-2, 0.9, nu=1.0), lambda p: T.SGD(p, 2e-3, momentum=0.9)),  # the mean is the sum times 1 − β
    (QHM(5e-3, 0.9, nu=0.9), lambda p: T.SGD(p, 5e-4, momentum=0.9, nesterov=True)),
    (QHM(2e-3, 0.9, nu=0.0), lambda p: T.SGD(p, 2e-3)),
    (Lookahead(SGD(2e-3, momentum=0.9), alpha=1.0), lambda p: T.SGD(p, 2e-3, momentum=0.9)),
    (SAM(SGD(2e-3, momentum=0.9), rho=0.0), lambda p: T.SGD(p, 2e-3, momentum=0.9)),
    (EMA(Adam(2e-3), decay=0.0), lambda p: T.Adam(p, 2e-3)),
], ids=NAME)  # fmt: skip
def test_equal_to_torch(rule, make, problem):
    assert_same_path(rule, make, *PROBLEMS[problem])


@EACH
@pytest.mark.parametrize("beta", [0.3, 0.9])
def test_torch_walks_on_the_points_where_nesterov_asks(problem, beta):
    f, x0 = PROBLEMS[problem]
    xs, ys = run(Nesterov(1e-3, beta), f, x0, 200), run(SGD(1e-3, momentum=beta, nesterov=True), f, x0, 200)
    v = np.diff(xs, axis=0)
    assert np.abs(ys[1:] - xs[1:]).max() > 1e-5  # the paths differ, the change of variables joins them
    np.testing.assert_allclose(xs[1:] + beta * v, ys[1:], rtol=1e-9, atol=1e-12)


@EACH
@pytest.mark.parametrize("nu", [0.3, 0.7])
def test_qhm_is_its_sum_over_past_gradients(problem, nu):
    f, x0 = PROBLEMS[problem]
    xs, β, η = run(QHM(1e-2, 0.8, nu), f, x0, 60), 0.8, 1e-2
    g = f.grad(xs[:-1])
    for t in (1, 2, 30, 60):
        m = sum((1 - β) * β ** (t - 1 - i) * g[i] for i in range(t))
        np.testing.assert_allclose(xs[t] - xs[t - 1], -η * ((1 - nu) * g[t - 1] + nu * m), rtol=1e-8, atol=1e-13)


@EACH
def test_sam_equals_its_two_gradients_in_torch(problem):
    f, x0 = PROBLEMS[problem]
    p = torch.nn.Parameter(torch.tensor(x0))
    optimizer, gradient = T.SGD([p], 2e-3, momentum=0.9), lambda x: torch.tensor(f.grad(x.numpy()))
    for _ in range(200):
        g = gradient(p.detach())
        p.grad = gradient(p.detach() + 0.05 * g / g.norm())
        optimizer.step()
    ours = run(SAM(SGD(2e-3, momentum=0.9), rho=0.05), f, x0, 200)
    np.testing.assert_allclose(ours[-1], p.detach().numpy(), rtol=1e-8)


@EACH
def test_lookahead_equals_its_loop(problem):
    f, x0 = PROBLEMS[problem]
    p = torch.nn.Parameter(torch.tensor(x0))
    optimizer, slow = T.Adam([p], 1e-2), p.detach().clone()
    for t in range(1, 201):
        p.grad = torch.tensor(f.grad(p.detach().numpy()))
        optimizer.step()
        if t % 7 == 0:
            slow.lerp_(p.detach(), 0.3)
            p.data.copy_(slow)
    ours = run(Lookahead(Adam(1e-2), steps=7, alpha=0.3), f, x0, 200)
    np.testing.assert_allclose(ours[-1], p.detach().numpy(), rtol=1e-9)


@EACH
@pytest.mark.parametrize("decay, make", [
    (0.95, dict(avg_fn=lambda mean, x, n: 0.95 * mean + 0.05 * x)),
    (uniform(), {}),
])  # fmt: skip
def test_averages_equal_torchs_averaged_model(problem, decay, make):
    f, x0 = PROBLEMS[problem]
    model = torch.nn.Linear(len(x0), 1, bias=False, dtype=torch.float64)
    model.weight.data[0] = torch.tensor(x0)
    average = T.swa_utils.AveragedModel(model, **make)
    if make:
        average.update_parameters(model)  # the first call copies; SWA's mean begins after the first step
    optimizer = T.SGD(model.parameters(), 1e-3, momentum=0.9)
    for _ in range(200):
        model.weight.grad = torch.tensor(f.grad(model.weight.detach().numpy()))
        optimizer.step()
        average.update_parameters(model)
    ours = run(EMA(SGD(1e-3, momentum=0.9), decay), f, x0, 200)
    np.testing.assert_allclose(ours[-1], average.module.weight.detach().numpy()[0], rtol=1e-9)


def test_uniform_is_the_mean_of_the_iterates_after_the_start():
    f, x0 = PROBLEMS["quadratic"]
    walk, averaged = run(SGD(0.02), f, x0, 40), run(EMA(SGD(0.02), uniform(10)), f, x0, 40)
    np.testing.assert_allclose(averaged[:11], walk[:11])
    np.testing.assert_allclose(averaged[40], walk[11:].mean(0), rtol=1e-12)


def optax_path(make, f, x0, steps):
    """The evaluation points of a schedule-free optimizer of Optax in float64."""
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    with jax.enable_x64(True):
        optimizer, y, xs = make(optax), jax.numpy.asarray(x0), [x0]
        state, update = optimizer.init(y), jax.jit(optimizer.update)
        for _ in range(steps):
            updates, state = update(jax.numpy.asarray(f.grad(np.asarray(y))), state, y)
            y = optax.apply_updates(y, updates)
            xs.append(np.asarray(optax.contrib.schedule_free_eval_params(state, y)))
    return np.stack(xs)


@EACH
@pytest.mark.parametrize("rule, make", [
    (FreeSGD(5e-3), lambda o: o.contrib.schedule_free_sgd(5e-3)),
    (FreeSGD(5e-3, 0.6, 0.1), lambda o: o.contrib.schedule_free_sgd(5e-3, b1=0.6, weight_decay=0.1)),
    (FreeAdamW(1e-2, 0.8, 0.05, 0.99, 1e-2),
     lambda o: o.contrib.schedule_free_adamw(1e-2, b1=0.8, b2=0.99, eps=1e-2, weight_decay=0.05)),
], ids=NAME)  # fmt: skip
def test_schedule_free_equals_optax(problem, rule, make):
    f, x0 = PROBLEMS[problem]
    ours, theirs = run(rule, f, x0, 200), optax_path(make, f, x0, 200)
    assert np.abs(theirs[-1] - x0).max() > 1e-3
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9)


# ---- Muon --------------------------------------------------------------------------------------------------------


def both(make, rule, monkeypatch=None, steps=200, shape=(6, 4)):
    """The weights after `steps` of torch's optimizer and of ours, fed with the same gradients."""
    torch.manual_seed(0)
    A, B = torch.randn(30, shape[1], dtype=torch.float64), torch.randn(30, shape[0], dtype=torch.float64)
    if monkeypatch:  # torch rounds to bfloat16 before Newton-Schulz; without, its own code runs in float64
        monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    ends = []
    for optimizer in (make, lambda p: TorchRule(p, rule)):
        W = torch.nn.Parameter(torch.ones(shape, dtype=torch.float64))
        step = optimizer([W])
        for _ in range(steps):
            step.zero_grad()
            ((A @ W.T - B) ** 2).mean().backward()
            step.step()
        ends.append(W.detach().numpy())
    return ends


@pytest.mark.parametrize("shape", [(6, 4), (3, 8), (5, 5)])
@pytest.mark.parametrize("options", [
    {}, dict(lr=1e-2), dict(momentum=0.5), dict(nesterov=False), dict(weight_decay=0.0), dict(weight_decay=0.5),
    dict(adjust_lr_fn="match_rms_adamw"), dict(ns_steps=2), dict(ns_coefficients=(1.5, -0.5, 0.0)), dict(eps=1.0),
], ids=NAME)  # fmt: skip
def test_muon_equals_torch(options, shape, monkeypatch):
    theirs, ours = both(lambda p: T.Muon(p, **options), Muon(**options), monkeypatch, shape=shape)
    assert np.abs(theirs - 1).max() > 1e-2
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_muon_differs_from_torch_by_bfloat16_only():
    theirs, ours = both(T.Muon, Muon(), steps=1)
    moved = np.abs(theirs - 1).max()
    assert 1e-6 * moved < np.abs(ours - theirs).max() < 0.02 * moved


def test_muon_on_flat_vectors_equals_muon_on_matrices():
    rng = np.random.default_rng(0)
    C = rng.standard_normal((3, 5))

    class Fit:  # ‖X − C‖²/2
        def grad(self, x): return x - C.ravel()

    xs = run(Muon(0.05, shape=(3, 5)), Fit(), np.zeros((2, 15)), 20)
    W = torch.nn.Parameter(torch.zeros(3, 5, dtype=torch.float64))
    optimizer = TorchRule([W], Muon(0.05))
    for _ in range(20):
        W.grad = W.detach() - torch.tensor(C)
        optimizer.step()
    np.testing.assert_allclose(xs[-1, 1], W.detach().numpy().ravel(), rtol=1e-10)


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (4, 10, 10)])
def test_newton_schulz_flattens_the_singular_values_and_keeps_the_vectors(shape):
    M = np.random.default_rng(1).standard_normal(shape)
    σ = np.linalg.svd(orthogonalise(M), compute_uv=False)
    assert 0.6 < σ.min() < σ.max() < 1.25
    np.testing.assert_allclose(np.linalg.svd(orthogonalise(M, 30, (1.5, -0.5, 0.0)), compute_uv=False), 1, atol=1e-6)
    U, _, Vt = np.linalg.svd(M, full_matrices=False)
    np.testing.assert_allclose(orthogonalise(M, 40, (1.5, -0.5, 0.0)), U @ Vt, atol=1e-6)


def test_muon_names_what_it_cannot_take():
    with pytest.raises(ValueError, match=r"Muon: needs matrices, got a tensor of shape \(3,\)"):
        p = torch.nn.Parameter(torch.zeros(3))
        p.grad = torch.ones(3)
        TorchRule([p], Muon()).step()
    with pytest.raises(ValueError, match=r"Muon: shape \(2, 3\) needs 6 coordinates, got 5"):
        as_matrix(np.zeros(5), (2, 3), "Muon")
    with pytest.raises(ValueError, match="Muon: adjust_lr_fn must be 'original' or 'match_rms_adamw', got 'mine'"):
        Muon(adjust_lr_fn="mine")


def test_a_network_takes_muon_for_its_matrices_and_adamw_for_the_rest():
    model = mlp(5, 4, 3)
    split = lambda n: [p for p in model.parameters() if p.ndim == n]
    optimizer = TorchRule([{"params": split(2)}, {"params": split(1), "rule": AdamW(1e-3)}], Muon(1e-2))
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.ones(2, 5, dtype=torch.float64)).square().sum().backward()
    optimizer.step()
    assert all((p != b).any() for p, b in zip(model.parameters(), before, strict=True))


# ---- Wrappers keep the promises of rules -------------------------------------------------------------------------

WRAPPED = [
    SAM(SGD(0.01, momentum=0.9)), Lookahead(Adam(0.05)), EMA(SGD(0.01)), SAM(Lookahead(Adam(0.02), steps=3), rho=0.2),
    EMA(Nesterov(0.01), uniform(5))]  # fmt: skip


@pytest.mark.parametrize("rule", WRAPPED, ids=NAME)
def test_a_batch_of_starts_equals_a_loop_for_wrappers(rule):
    f, starts = PROBLEMS["quadratic"][0], np.random.default_rng(0).uniform(-1, 1, (4, 3, 2))
    together = run(rule, f, starts, 25)
    for i in np.ndindex(4, 3):
        np.testing.assert_allclose(together[(slice(None), *i)], run(rule, f, starts[i], 25), rtol=1e-9, atol=1e-12)


def test_hyperparameters_inside_and_outside_a_wrapper_are_arrays_or_schedules():
    f, x0 = PROBLEMS["quadratic"]
    rates, rhos = np.array([0.01, 0.02]), np.array([0.0, 0.3])
    together = run(SAM(SGD(lr=rates[:, None]), rho=rhos), f, x0, 20)
    for i, j in np.ndindex(2, 2):
        np.testing.assert_allclose(together[:, i, j], run(SAM(SGD(rates[i]), rhos[j]), f, x0, 20), rtol=1e-10)
    np.testing.assert_array_equal(
        run(Lookahead(SGD(lambda k: 0.02)), f, x0, 20), run(Lookahead(SGD(0.02)), f, x0, 20))


@pytest.mark.parametrize("make, said", [
    (lambda: SAM(rho=-1.0), r"SAM: rho must lie in \[0, inf\), got -1"),
    (lambda: Lookahead(steps=0), "Lookahead: steps must lie in"),
    (lambda: EMA(decay=1.5), r"EMA: decay must lie in \[0, 1\]"),
    (lambda: QHM(nu=2.0), "QHM: nu must lie in"),
    (lambda: HeavyBall(momentum=-0.1), "HeavyBall: momentum must lie in"),
])  # fmt: skip
def test_bad_hyperparameters_are_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_a_rate_of_zero_moves_nothing():
    f, x0 = PROBLEMS["quadratic"]
    for rule in (FreeSGD(0.0), FreeAdamW(0.0)):
        np.testing.assert_array_equal(run(rule, f, x0, 5)[-1], x0)
