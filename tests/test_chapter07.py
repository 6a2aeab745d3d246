"""Chapter 7: its small networks, what its explorers compute, and every control across its range."""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from shared import data
from shared.explorers import kernels, loss_surface, memory
from shared.figures.live import sweep
from shared.models import convolution, vision
from shared.models.cells import CELLS


@pytest.mark.parametrize("module", [kernels, memory, loss_surface], ids=["convolution", "memory", "loss_surface"])
def test_explorers_hold_over_every_range(module):
    sweep(module.explorer(), points=4)


@pytest.mark.parametrize("kernel", kernels.KERNELS)
@pytest.mark.parametrize("stride, padding", [(1, 0), (2, 1), (3, 2)])
def test_the_gradient_shown_is_autograds(kernel, stride, padding):
    x = torch.tensor(kernels.digit(), requires_grad=True)
    y = conv2d(x, torch.tensor(kernels.weights(kernel)), stride=stride, padding=padding)
    (y**2 / 2).sum().backward()
    found = kernels.compute(kernel, stride, padding, (7.3, 4.6), "gradient")
    np.testing.assert_allclose(found["output"], y.detach().numpy()[0, 0], atol=1e-12)
    np.testing.assert_allclose(found["map"], x.grad.numpy()[0, 0], atol=1e-12)
    assert found["pixel"] == (5, 7)
    assert found["gradient"] == pytest.approx(x.grad[0, 0, 5, 7].item(), abs=1e-12)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_the_outputs_that_hear_a_pixel_are_those_whose_output_it_changes(stride, padding):
    rng = np.random.default_rng(0)
    w = rng.standard_normal((1, 1, 3, 3))
    for column, row in rng.integers(kernels.SIDE, size=(6, 2)):
        hears = kernels.compute("blur", stride, padding, (column, row), "listeners")
        x = kernels.digit().copy()
        before = convolution.direct(x, w, stride, padding)
        x[0, 0, row, column] += 1
        changed = np.abs(convolution.direct(x, w, stride, padding) - before)[0, 0] > 1e-12
        np.testing.assert_array_equal(hears["hears"], changed)
        assert hears["map"][row, column] == changed.sum()


def test_highlighted_cells_lie_where_the_outputs_are():
    found = kernels.explorer(stride=2, padding=1, pixel=(6, 6)).data
    centres = [np.mean(box[:4], axis=0) for box in kernels.cells(found["hears"])]
    assert sorted(map(tuple, centres)) == sorted((c, r) for r, c in np.argwhere(found["hears"]))
    for window in kernels.windows(found["hears"], 2, 1):
        assert (window.min(0) <= 6).all() and (window.max(0) >= 6).all()


@pytest.mark.parametrize("cell", CELLS)
def test_memory_is_the_jacobian_of_the_last_state(cell):
    """A long sequence's gradient starts at 1 and its share ends at 1; the RNN never beats the power of its radius."""
    found = memory.compute(cell, 40, 1.5, 1.0, 1.0)
    factor = 1.5 if cell == "RNN" else 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(found["rule"], factor ** np.arange(40))
    np.testing.assert_allclose(found["arrives"][:, 0], 1)
    np.testing.assert_allclose(found["share"][:, -1], 1)
    assert found["arrives"].shape == found["share"].shape == (memory.SEEDS, 40)
    if cell == "RNN":
        assert (found["arrives"] <= 1.5 ** np.arange(40) * (1 + 1e-9)).all()


def test_a_larger_forget_bias_carries_further():
    arrives = [memory.compute("LSTM", 40, 1.0, b, 0.0)["arrives"][:, -1] for b in (-1.0, 0.0, 1.0, 3.0)]
    assert (np.diff(np.log(arrives), axis=0) > 1).all()
    assert (memory.compute("GRU", 40, 1.0, 0.0, 3.0)["arrives"][:, -1] > 1e-3).all()


def test_the_ball_rolls_downhill_and_the_cut_is_the_surface():
    found = loss_surface.compute(0, (-0.9, 0.8))
    for net in loss_surface.NETS:
        heights = loss_surface.between(loss_surface.relief(net)[0], *found[net]["path"].T)
        assert (np.diff(heights) <= 1e-12).all() and heights[-1] < heights[0]
        middle = loss_surface.around(net)[1][loss_surface.SIDE // 2]
        np.testing.assert_allclose(found[net]["line"][[0, 50, 100]], middle[[0, loss_surface.SIDE // 2, -1]])


@pytest.mark.parametrize("shortcuts", [False, True])
def test_the_stack_is_a_stack_of_convolutions(shortcuts):
    net = vision.ConvStack(3, 5, shortcuts, seed=1).double()
    x = torch.tensor(data.digits().x_train[:6].copy())
    h = net.first(x.view(6, 1, 8, 8)).relu()
    for conv in net.layers:
        z = conv(h).relu()
        h = h + z if shortcuts else z
    torch.testing.assert_close(net(x), net.out(h.flatten(1)), rtol=0, atol=1e-12)


def test_branches_start_at_scale_times_he():
    he, own, none = (vision.ConvStack(4, shortcuts=True, scale=scale) for scale in (1.0, None, 0.0))
    for net, scale in ((own, 0.5), (none, 0.0), (vision.ConvStack(4), 1.0)):
        torch.testing.assert_close(net.first.weight, he.first.weight)
        for mine, theirs in zip(net.layers, he.layers):
            torch.testing.assert_close(mine.weight, scale * theirs.weight)


@pytest.mark.parametrize("pooling", ["max", "average", "stride"])
@pytest.mark.parametrize("side, depth", [(8, 3), (28, 2), (7, 2)])
def test_every_way_of_halving_gives_ten_scores_and_the_same_weights(pooling, side, depth):
    net = vision.cnn(side, 4, 3, depth, pooling)
    assert net(torch.zeros(2, side**2)).shape == (2, 10)
    sizes = [tuple(p.shape) for p in net.parameters()]
    assert sizes == [tuple(p.shape) for p in vision.cnn(side, 4, 3, depth, "max").parameters()]


def test_cnn_refuses_what_it_cannot_build():
    with pytest.raises(ValueError, match="unknown pooling 'median'; choose from max, average, stride"):
        vision.cnn(8, pooling="median")
    with pytest.raises(ValueError, match="8 pixels cannot be halved 4 times"):
        vision.cnn(8, depth=4)


def test_moved_digits_lose_what_leaves():
    x = np.arange(1.0, 10.0).reshape(1, 9)
    np.testing.assert_array_equal(vision.moved(x, 3, 1, 0).reshape(3, 3), [[0, 1, 2], [0, 4, 5], [0, 7, 8]])
    np.testing.assert_array_equal(vision.moved(x, 3, 0, -1).reshape(3, 3), [[4, 5, 6], [7, 8, 9], [0, 0, 0]])
    np.testing.assert_array_equal(vision.moved(x, 3, 0, 0), x)
