"""Networks as oracles, rules as torch optimizers, curvature: against autograd's explicit answers."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from shared.descent import run
from shared.models.mlp import mlp
from shared.optimizers import SGD, Adagrad, Adam, AdamW, Newton, RMSprop
from shared.optimizers.schedules import Cosine
from shared.optimizers.torch_rule import TorchRule
from shared.problems import MiniBatch, curvature
from shared.problems.networks import NetworkOracle

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 5)), RNG.integers(0, 3, 40)


def oracle(activation="tanh"):
    return NetworkOracle(mlp(5, 6, 3, activation=activation), cross_entropy, X, Y)


def test_value_and_gradient_are_those_of_backward():
    f = oracle()
    loss = cross_entropy(f.model(torch.tensor(X)), torch.tensor(Y))
    loss.backward()
    assert f(f.start) == pytest.approx(loss.item(), rel=1e-12)
    theirs = np.concatenate([p.grad.numpy().ravel() for p in f.model.parameters()])
    np.testing.assert_allclose(f.grad(f.start), theirs, rtol=1e-10, atol=1e-14)


def test_a_batch_of_parameters_equals_a_loop():
    f = oracle()
    xs = f.start + 0.1 * RNG.standard_normal((2, 3, f.dim))
    np.testing.assert_allclose(f(xs)[1, 2], f(xs[1, 2]), rtol=1e-12)
    np.testing.assert_allclose(f.grad(xs)[0, 1], f.grad(xs[0, 1]), rtol=1e-9, atol=1e-13)


def test_hvp_and_sharpness_against_the_full_hessian():
    f = oracle()
    H, v = f.hess(f.start), RNG.standard_normal(f.dim)
    np.testing.assert_allclose(curvature.hvp(f, f.start, v), H @ v, atol=1e-12)
    largest = np.linalg.eigvalsh(H)[-1]
    found, vector = curvature.sharpness(f, f.start, tol=1e-6)
    assert found == pytest.approx(largest, rel=1e-9)
    np.testing.assert_allclose(H @ vector, found * vector, atol=1e-6 * largest)


def test_mini_batches_of_a_network():
    f = oracle()
    batches = MiniBatch(f, batch_size=10, seed=1)
    mean = np.mean([batches.at(t).grad(f.start) for t in (1, 2, 3, 4)], 0)
    np.testing.assert_allclose(mean, f.grad(f.start), rtol=1e-9, atol=1e-14)
    xs = run(Adam(0.05), batches, f.start, 60)
    assert f(xs[-1]) < 0.8 * f(xs[0])


@pytest.mark.parametrize("rule, make", [
    (SGD(0.1, momentum=0.9, nesterov=True), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
    (Adagrad(0.05), lambda p: torch.optim.Adagrad(p, lr=0.05)),
    (RMSprop(0.01, centered=True, eps=1e-2), lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True, eps=1e-2)),
    (Adam(0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
    (AdamW(0.01, weight_decay=0.1), lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1)),
], ids=lambda v: getattr(v, "method", ""))  # fmt: skip
def test_a_rule_trains_a_network_as_torch_does(rule, make):
    def train(wrap):
        model = mlp(5, 6, 3, activation="tanh")
        optimizer = wrap(model.parameters())
        for _ in range(100):
            optimizer.zero_grad()
            cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).backward()
            optimizer.step()
        return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])

    np.testing.assert_allclose(train(lambda p: TorchRule(p, rule)), train(make), rtol=1e-8, atol=1e-10)


def test_a_torch_rule_and_the_flat_oracle_walk_the_same_path():
    f, rule = oracle(), Adam(lr=Cosine(lr=0.05, steps=30))
    flat = run(rule, f, f.start, 30)[-1]
    optimizer = TorchRule(f.model.parameters(), rule)
    for _ in range(30):
        optimizer.zero_grad()
        cross_entropy(f.model(torch.tensor(X)), torch.tensor(Y)).backward()
        optimizer.step()
    np.testing.assert_allclose(
        np.concatenate([p.detach().numpy().ravel() for p in f.model.parameters()]), flat, rtol=1e-9, atol=1e-12)


def test_a_rule_that_needs_more_than_a_gradient_says_so():
    model = mlp(5, 3)
    model(torch.tensor(X)).sum().backward()
    with pytest.raises(TypeError, match="asks for a Hessian; use problems.networks.NetworkOracle"):
        TorchRule(model.parameters(), Newton()).step()


def test_bad_networks_are_named():
    with pytest.raises(ValueError, match="unknown activation 'swish'; choose from relu, tanh"):
        mlp(2, 2, activation="swish")
    with pytest.raises(ValueError, match="40 inputs but 39 targets"):
        NetworkOracle(mlp(5, 3), cross_entropy, X, Y[:-1])


def test_the_oracle_never_shares_memory_with_the_callers_vector():
    f = oracle()
    f.tensor(f.start).zero_()
    assert f.start.any()
