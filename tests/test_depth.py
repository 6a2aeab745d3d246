"""Deep networks under the microscope: initialisers against torch's, recorded flow against autograd by hand, theory."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import nn
from torch.nn.functional import cross_entropy

from shared import theory
from shared.models.deep import INITIALISERS, NORMS, deep, initialise, linears
from shared.models.mlp import ACTIVATIONS
from shared.optimizers import SGD
from shared.optimizers.torch_rule import TorchRule
from shared.problems.flow import flow, per_layer, thermometer
from shared.problems.training import accuracy, train

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((64, 20)), RNG.integers(0, 3, 64)
TORCHS = {
    "small": lambda w, g: nn.init.normal_(w, 0, 0.01, generator=g),
    "large": lambda w, g: nn.init.normal_(w, 0, 1, generator=g),
    "lecun": lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="linear", generator=g),
    "xavier": lambda w, g: nn.init.xavier_normal_(w, generator=g),
    "he": lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g),
    "orthogonal": lambda w, g: nn.init.orthogonal_(w, generator=g),
    "zero": lambda w, g: nn.init.zeros_(w),
    "constant": lambda w, g: nn.init.constant_(w, 1 / w.shape[1]),
}


@pytest.mark.parametrize("scheme", TORCHS)
@pytest.mark.parametrize("shape", [(40, 40), (30, 50), (50, 30)])
def test_initialisers_are_torchs(scheme, shape):
    layer = nn.Linear(shape[1], shape[0], dtype=torch.float64)
    initialise(nn.Sequential(layer), scheme, seed=3)
    theirs = torch.empty(shape, dtype=torch.float64)
    TORCHS[scheme](theirs, torch.Generator().manual_seed(3))
    torch.testing.assert_close(layer.weight.detach(), theirs, rtol=1e-12, atol=1e-14)
    assert not layer.bias.any()


def test_every_named_scheme_is_compared_or_special():
    assert set(INITIALISERS) == set(TORCHS) | {"lsuv", "torch"}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_lsuv_gives_every_layer_unit_variance(activation):
    model = deep(20, 30, 6, 3, activation=activation, init="lsuv", data=X, dtype=torch.float64)
    seen = []
    for layer in linears(model):
        layer.register_forward_hook(lambda m, i, o: seen.append(o.std().item()))
    model(torch.tensor(X))
    np.testing.assert_allclose(seen, 1, rtol=1e-9)


def test_flow_leaves_the_model_as_it_was_and_can_look_at_other_weights():
    model = deep(20, 7, 3, 3, dtype=torch.float64, seed=1)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    doubled = {name: 2 * p for name, p in model.named_parameters() if name.endswith("weight")}
    found = flow(model, cross_entropy, X, Y, doubled)
    assert all((p.grad == 1).all() for p in model.parameters())
    for layer in linears(model):
        layer.weight.data *= 2
    np.testing.assert_array_equal(found, flow(model, cross_entropy, X, Y))


@pytest.mark.parametrize("residual", [False, True])
def test_flow_is_backpropagation_by_hand(residual):
    model = deep(20, 7, 3, 3, activation="tanh", residual=residual, dtype=torch.float64, seed=1)
    found = flow(model, cross_entropy, X, Y)
    W = [layer.weight.detach().numpy() for layer in linears(model)]
    h, hs = X, []
    for i, w in enumerate(W[:-1]):
        out = np.tanh(h @ w.T)
        hs.append((h, out))
        h = h + out if residual and i else out
    logits = h @ W[-1].T
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    back = (p - np.eye(3)[Y]) @ W[-1]  # ∂f/∂h times n
    deltas, grads = [], []
    for i in (2, 1, 0):
        δ = back * (1 - hs[i][1] ** 2)
        deltas.append(δ)
        grads.append(δ.T @ hs[i][0] / len(X))
        back = δ @ W[i] + (back if residual and i else 0)
    rms = lambda a: np.sqrt((a**2).mean())
    np.testing.assert_allclose(found.deltas, [rms(δ) for δ in deltas[::-1]], rtol=1e-10)
    np.testing.assert_allclose(found.weight_grads, [rms(g) for g in grads[::-1]], rtol=1e-10)
    np.testing.assert_allclose(found.activations[-1], rms(h), rtol=1e-12)
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_flow_leaves_no_hook_even_after_an_error():
    model = deep(20, 7, 2, 3)
    with pytest.raises(RuntimeError):
        flow(model, cross_entropy, X[:, :5], Y)
    assert not any(layer._forward_hooks for layer in linears(model))


@pytest.mark.parametrize("norm", NORMS)
def test_norms_normalise(norm):
    model = deep(20, 16, 3, 3, activation="linear", init="large", norm=norm)
    deepest = flow(model, cross_entropy, X, Y).activations[-1]
    assert deepest > 50 if norm == "none" else abs(deepest - 1) < 0.01


def test_dropout_keeps_the_mean():
    torch.manual_seed(0)
    model = deep(20, 400, 1, 3, activation="linear", dropout=0.5)
    x = torch.tensor(X, dtype=torch.float32)
    average = torch.stack([model.train()(x) for _ in range(400)]).mean(0)
    torch.testing.assert_close(average, model.eval()(x), atol=0.35, rtol=0)
    assert (average - model(x)).abs().mean() < 0.1


def test_thermometer_reads_the_step():
    model = deep(20, 8, 2, 3)
    cross_entropy(model(torch.tensor(X, dtype=torch.float32)), torch.tensor(Y)).backward()
    W = linears(model)[0].weight
    expected = 0.1 * W.grad.norm() / W.detach().norm()
    found = thermometer(model, TorchRule(model.parameters(), SGD(0.1)).step)
    assert list(found) == [name for name, w in model.named_parameters() if w.ndim > 1]
    assert next(iter(found.values())) == pytest.approx(expected.item(), rel=1e-4)
    zero = deep(20, 8, 1, 3, init="zero")
    cross_entropy(zero(torch.tensor(X, dtype=torch.float32)), torch.tensor(Y)).backward()
    assert not np.isfinite(list(thermometer(zero, lambda: None).values())).any()


def test_training_learns_clips_and_stops_when_it_breaks():
    y = (X[:, 0] > 0).astype(int)
    model = deep(20, 16, 2, 2)
    losses = train(model, X, y, torch.optim.SGD(model.parameters(), 0.3), 150, batch_size=32)
    assert losses[-20:].mean() < 0.3 * losses[0] and accuracy(model, X, y) > 0.95
    before = [p.detach().clone() for p in model.parameters()]
    train(model, X, 1 - y, torch.optim.SGD(model.parameters(), 1.0), 1, clip=0.01)
    moved = math.sqrt(sum((p - b).square().sum().item() for p, b in zip(model.parameters(), before)))
    assert moved == pytest.approx(0.01, rel=1e-2)
    broken = deep(20, 16, 2, 2, activation="linear")
    losses = train(broken, X, y, torch.optim.SGD(broken.parameters(), 1e9), 20)
    assert np.isnan(losses).any()


def test_per_layer_is_the_ratio_of_a_geometric_series():
    assert per_layer(3 * 0.7 ** np.arange(10)) == pytest.approx(0.7)
    assert np.isnan(per_layer(np.zeros(3)))


@pytest.mark.parametrize("call, words", [
    (lambda: deep(4, 4, 2, 2, activation="swish"), "unknown activation 'swish'; choose from relu"),
    (lambda: deep(4, 4, 2, 2, norm="batchnorm"), "unknown norm 'batchnorm'; choose from none, batch"),
    (lambda: deep(4, 4, 0, 2), "depth must be at least 1, got 0"),
    (lambda: deep(4, 4, 2, 2, init="kaiming"), "unknown scheme 'kaiming'; choose from constant"),
    (lambda: deep(4, 4, 2, 2, init="lsuv"), "needs data=inputs"),
    (lambda: theory.mean_field("gelu", 1, 3, 1), "unknown activation 'gelu'; choose from tanh"),
    (lambda: train(deep(20, 4, 1, 3), X, Y, None, 1, batch_size=65), "batch_size must lie in .1, 64., got 65"),
])  # fmt: skip
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---- Theory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", theory.NONLINEARITIES)
def test_mean_field_integrals_are_scipys(activation):
    φ, dφ = theory.NONLINEARITIES[activation]

    def gauss(f):
        density = lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return quad(lambda z: (f(z) + f(-z)) * density(z), 0, 12, limit=200)[0]

    q, χ = theory.mean_field(activation, 1.3, 2, 2.0, bias=0.2)
    assert χ[0] == pytest.approx(1.69 * gauss(lambda z: dφ(np.sqrt(2) * z) ** 2), rel=1e-8)
    assert q[1] == pytest.approx(1.69 * gauss(lambda z: φ(np.sqrt(2) * z) ** 2) + 0.04, rel=1e-8)


@pytest.mark.parametrize("activation", theory.NONLINEARITIES)
def test_mean_field_predicts_a_wide_network(activation):
    gain = 1.5
    q, χ = theory.mean_field(activation, gain, 8, gain**2 * (X**2).mean())
    ratios = []
    for seed in range(3):
        model = deep(20, 600, 8, 3, activation=activation, init="lecun", gain=gain, seed=seed)
        ratios.append(1 / per_layer(flow(model, cross_entropy, X, Y).deltas))
    assert np.mean(ratios) == pytest.approx(np.sqrt(χ[1:].mean()), rel=0.03)


@pytest.mark.parametrize("activation, gain", [("tanh", 1.0), ("relu", 2**0.5), ("linear", 1.0)])
def test_critical_gain(activation, gain):
    assert theory.critical_gain(activation) == pytest.approx(gain, rel=1e-5)


def test_critical_gain_of_the_sigmoid_separates_vanishing_from_exploding():
    gain = theory.critical_gain("sigmoid")
    below, above = (theory.mean_field("sigmoid", c * gain, 200, 1.0)[1][-1] for c in (0.99, 1.01))
    assert below < 1 < above
