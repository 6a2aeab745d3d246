"""Chapter 6: what its explorers compute, and every control across its range."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from shared import theory
from shared.explorers import batchnorm, clipping, gradient_flow, initialisation
from shared.figures.live import sweep
from shared.problems import cliff
from shared.problems.flow import flow


@pytest.mark.parametrize("module", [gradient_flow, initialisation, clipping, batchnorm], ids=lambda m: m.__name__)
def test_explorers_hold_over_every_range(module):
    sweep(module.explorer(), points=4)


@pytest.mark.parametrize("depth", [2, 20, 50])
def test_gradient_flow_shows_a_network_of_plain_torch(depth):
    """The same weights in an nn.Sequential without the course's layers give the same deltas."""
    x, y = gradient_flow.batch()
    found = gradient_flow.compute(depth, 32, "tanh", 1.5, "none", False)
    *hidden, head = gradient_flow.built(32, "tanh", "none", False)
    layers = []
    for layer in copy.deepcopy(hidden[:depth]):
        layer.linear.weight.data *= 1.5
        layers += [layer.linear, nn.Tanh()]
    plain = nn.Sequential(*layers, head)
    np.testing.assert_allclose(found["deltas"], flow(plain, cross_entropy, x, y).deltas, rtol=1e-5)
    assert layers[0].weight.std().item() == pytest.approx(1.5 / 8, rel=0.1)


def test_gradient_flow_writes_nothing_into_the_network_it_keeps():
    kept = gradient_flow.built(32, "tanh", "batch", False)
    before = copy.deepcopy(kept.state_dict())
    found = gradient_flow.compute(20, 32, "tanh", 3.0, "batch", False)
    gradient_flow.compute(50, 32, "tanh", 0.5, "batch", False)
    torch.testing.assert_close(kept.state_dict(), before, rtol=0, atol=0)
    assert all(p.grad is None for p in kept.parameters())
    again = gradient_flow.compute(20, 32, "tanh", 3.0, "batch", False)
    np.testing.assert_array_equal(found["deltas"], again["deltas"])


@pytest.mark.parametrize("activation", theory.NONLINEARITIES)
def test_theory_is_drawn_where_the_network_is(activation):
    found = gradient_flow.compute(30, 128, activation, 1.2, "none", False)
    for what in ("activations", "deltas"):
        assert np.abs(np.log(found[what] / found["predicted"][what])).max() < 1.5
    assert gradient_flow.compute(5, 16, activation, 1.2, "batch", False)["predicted"]["deltas"] is None


def test_the_map_changes_sign_at_the_critical_gain():
    """Exactly where χ does not depend on the signal; tanh's first layers are saturated, so 50 layers cross later."""
    for activation, room in (("tanh", 0.25), ("relu", 0.05), ("linear", 0.05)):
        deepest = initialisation.arriving(activation)[:, -1]
        crossing = initialisation.GAINS[np.flatnonzero(deepest > 0)[0]]
        assert crossing == pytest.approx(theory.critical_gain(activation), rel=room)


def test_a_cell_agrees_with_its_theory():
    found = initialisation.compute("tanh", (30, np.log10(1.7)))
    assert found["deltas"].shape == (3, 30)
    assert np.abs(np.log(found["deltas"] / found["theory"])).max() < 1.0


def test_clipping_bounds_every_step():
    found = clipping.compute(1.0, 0.5, "norm", (-5.0, 2.5))
    assert np.linalg.norm(np.diff(found["xs"]["clipped"], axis=0), axis=-1).max() <= 0.5 + 1e-12
    assert np.linalg.norm(np.diff(found["xs"]["plain"], axis=0), axis=-1).max() > 5
    by_value = clipping.compute(1.0, 0.5, "value", (-5.0, 2.5))["xs"]["clipped"]
    assert np.abs(np.diff(by_value, axis=0)).max() <= 0.5 + 1e-12
    np.testing.assert_array_equal(found["loss"]["plain"], cliff()(found["xs"]["plain"]) - cliff().f_min)


def test_the_batch_norm_maps_are_the_network():
    found = batchnorm.compute(3, 1.5, 20)
    f = batchnorm.oracle("batch", 3, 20)
    x = {name: value * (1.5 if value.ndim > 1 else 1) for name, value in f.tensors(f.tensor(f.start)).items()}
    loss = cross_entropy(torch.func.functional_call(f.model, x, (f.inputs,)), f.targets)
    assert found["batch"]["start"] == pytest.approx(loss.item(), rel=1e-5)
    middle = batchnorm.SIDE // 2
    assert found["batch"]["map"][middle, middle] == pytest.approx(loss.item(), rel=1e-5)
    assert found["none"]["line"][0] < found["none"]["start"]


def test_batch_norm_lets_deltas_grow_whatever_the_activation():
    assert theory.batch_norm_factor("relu") == pytest.approx((np.pi / (np.pi - 1)) ** 0.5, rel=1e-3)
    assert theory.batch_norm_factor("linear") == pytest.approx(1)
    assert all(theory.batch_norm_factor(a) >= 1 - 1e-9 for a in theory.NONLINEARITIES)
