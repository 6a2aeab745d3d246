"""Recurrent cells by hand against torch's in float64, truncation against detached states, and the tasks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from shared import data
from shared.models import cells
from shared.problems import sequences

TIGHT = dict(rtol=0, atol=1e-10)


def pair(name, seed=0, d=3, m=5):
    """torch's layer in float64, and its parameters as Weights."""
    torch.manual_seed(seed)
    layer = getattr(torch.nn, name)(d, m).double()
    return layer, cells.Weights(*(p.detach().numpy() for p in layer.parameters()))


@pytest.mark.parametrize("name", cells.CELLS)
@pytest.mark.parametrize("T, n", [(1, 1), (12, 4)])
def test_cells_are_torchs_forward_and_backward(name, T, n):
    layer, θ = pair(name)
    rng = np.random.default_rng(0)
    x, dhs = rng.standard_normal((T, n, 3)), rng.standard_normal((T, n, 5))
    inputs = torch.tensor(x, requires_grad=True)
    theirs, _ = layer(inputs)
    theirs.backward(torch.tensor(dhs))
    hs, _, tape = cells.forward(cells.CELLS[name], θ, x)
    grads, dx, _ = cells.backward(cells.CELLS[name], θ, tape, dhs)
    np.testing.assert_allclose(hs, theirs.detach().numpy(), **TIGHT)
    np.testing.assert_allclose(dx, inputs.grad.numpy(), **TIGHT)
    for ours, p in zip(grads, layer.parameters(), strict=True):
        np.testing.assert_allclose(ours, p.grad.numpy(), **TIGHT)


@pytest.mark.parametrize("name", cells.CELLS)
def test_deltas_are_the_gradients_of_the_states(name):
    """δ_t by autograd: start a second run from h_t (and c_t), and differentiate by it."""
    layer, θ = pair(name)
    x = np.random.default_rng(0).standard_normal((9, 2, 3))
    _, _, tape = cells.forward(cells.CELLS[name], θ, x)
    last = np.zeros((9, 2, 5))
    last[-1] = 1.0
    δ = cells.backward(cells.CELLS[name], θ, tape, last)[2]
    _, s = layer(torch.tensor(x[:4]))
    h, rest = (s[0], (s[1],)) if name == "LSTM" else (s, ())
    h = h.detach().requires_grad_()
    hs, _ = layer(torch.tensor(x[4:]), (h, *rest) if rest else h)
    hs[-1].sum().backward()
    np.testing.assert_allclose(δ[3], h.grad[0].numpy(), **TIGHT)


@pytest.mark.parametrize("name", cells.CELLS)
def test_truncation_detaches_the_gradient_and_keeps_the_state(name):
    layer, θ = pair(name)
    rng = np.random.default_rng(0)
    x, dhs = rng.standard_normal((12, 4, 3)), rng.standard_normal((12, 4, 5))
    s = None
    for chunk, d in zip(torch.tensor(x).split(4), torch.tensor(dhs).split(4), strict=True):
        hs, s = layer(chunk, s)
        hs.backward(d)
        s = tuple(part.detach() for part in s) if name == "LSTM" else s.detach()
    _, _, tape = cells.forward(cells.CELLS[name], θ, x)
    for ours, p in zip(cells.backward(cells.CELLS[name], θ, tape, dhs, every=4)[0], layer.parameters(), strict=True):
        np.testing.assert_allclose(ours, p.grad.numpy(), **TIGHT)


@pytest.mark.parametrize("name", cells.CELLS)
def test_networks_in_a_batch_are_networks_alone(name):
    f = sequences.Reader(cells.CELLS[name], sequences.FirstSymbol(7), units=6, batch_size=4, dtype=np.float64)
    x = f.start([0, 1, 2])
    inputs, _ = f.batch(x)
    together = f.answers(x, inputs)[0]
    for i in range(3):
        np.testing.assert_allclose(f.answers(x[i], inputs[:, i])[0], together[i], **TIGHT)


TASKS = [sequences.Adding(8), sequences.FirstSymbol(5), sequences.Forecast(data.sunspots().value / 100, 6)]


@pytest.mark.parametrize("name", cells.CELLS)
@pytest.mark.parametrize("task", TASKS,
                         ids=["adding", "recall", "forecast"])  # fmt: skip
def test_the_readers_gradient_is_that_of_its_loss(name, task):
    f = sequences.Reader(cells.CELLS[name], task, units=4, batch_size=3, dtype=np.float64).at(5)
    x = f.start([0, 1], gate=0, bias=0.5)
    rng = np.random.default_rng(0)
    for _ in range(5):
        u, h = rng.standard_normal(f.dim), 1e-5
        np.testing.assert_allclose((f(x + h * u) - f(x - h * u)) / (2 * h), f.grad(x) @ u, rtol=1e-6, atol=1e-8)


def test_the_reader_is_an_oracle():
    f = sequences.Reader(cells.GRU, sequences.Adding(10), units=8)
    x = f.start([3])
    assert x.shape == (1, f.dim)
    np.testing.assert_array_equal(f.at(4).grad(x), f.at(4).grad(x))
    assert np.abs(f.at(4).grad(x) - f.at(5).grad(x)).max() > 1e-4
    assert np.abs(replace(f, seed=1).grad(x) - f.grad(x)).max() > 1e-4


def test_the_start_has_the_radius_and_the_bias_that_were_asked_for():
    f = sequences.Reader(cells.LSTM, sequences.Adding(10), units=8)
    _, U, b, c, _, _ = f.tensors(f.start([0, 1], gate=1, bias=3.0, radius=0.7))
    for block in U.reshape(2, 4, 8, 8).reshape(-1, 8, 8):
        np.testing.assert_allclose(block @ block.T, 0.49 * np.eye(8), atol=1e-12)
    np.testing.assert_array_equal(b + c, np.repeat([0.0, 3.0, 0.0, 0.0], 8) * np.ones((2, 1)))


def test_tasks_say_what_they_ask():
    rng = np.random.default_rng(0)
    x, y = sequences.Adding(10).sample(rng, (2, 50))
    assert x.shape == (10, 2, 50, 2) and y.shape == (2, 50)
    np.testing.assert_array_equal(x[:5, ..., 1].sum(0), 1)
    np.testing.assert_array_equal(x[5:, ..., 1].sum(0), 1)
    np.testing.assert_allclose((x[..., 0] * x[..., 1]).sum(0), y)
    x, y = sequences.FirstSymbol(6, symbols=3).sample(rng, (40,))
    np.testing.assert_array_equal(x[0].argmax(-1), y)
    assert (x[1:].argmax(-1) >= 3).all() and (x.sum(-1) == 1).all()
    x, y = sequences.Forecast(np.arange(9.0), 3).windows()
    np.testing.assert_array_equal(x[:, 2, 0], [2, 3, 4])
    assert y[2] == 5


def test_cross_entropy_is_torchs():
    rng = np.random.default_rng(0)
    z, y = 30 * rng.standard_normal((7, 4)), rng.integers(4, size=7)
    scores = torch.tensor(z, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    loss.backward()
    value, gradient = sequences.mean_cross_entropy(z, y)
    assert value == pytest.approx(loss.item(), abs=1e-12)
    np.testing.assert_allclose(gradient, scores.grad.numpy(), **TIGHT)


def test_sigmoid_does_not_overflow():
    np.testing.assert_allclose(cells.sigmoid(np.array([-1e4, 0.0, 1e4])), [0, 0.5, 1])
