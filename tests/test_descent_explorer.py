"""The Descent explorer: what is drawn is what is computed, and what is computed is what torch computes."""

import numpy as np
import pytest
import torch
from parity import torch_path

from shared.explorers import trajectories
from shared.figures.live import strict, sweep
from shared.problems import LANDSCAPES

METHODS = ("SGD", "Momentum", "Adam")


@pytest.fixture(scope="module")
def explorer():
    with strict():
        yield trajectories.explorer(methods=METHODS, offered=METHODS)


def test_every_control_over_its_whole_range(explorer):
    sweep(explorer, points=3)


def test_it_draws_what_it_computes(explorer):
    left, right = explorer.fig.axes
    for method, xs in explorer.data["xs"].items():
        paths = [np.column_stack(line.get_data()) for line in left.lines]
        assert any(path.shape == xs.shape and np.array_equal(path, xs) for path in paths), method
        curves = [line.get_ydata() for line in right.lines]
        assert any(np.array_equal(y, explorer.data["loss"][method]) for y in curves), method


def test_it_computes_what_torch_computes(explorer):
    f = LANDSCAPES["Rosenbrock"]()
    values = explorer.values
    betas = values["Adam_betas1"], values["Adam_betas2"]
    make = {
        "SGD": lambda p: torch.optim.SGD(p, lr=values["SGD_lr"]),
        "Adam": lambda p: torch.optim.Adam(p, lr=values["Adam_lr"], betas=betas),
    }
    for method in make:
        theirs = torch_path(make[method], f, np.array(values["start"]), 40)
        np.testing.assert_allclose(explorer.data["xs"][method][:41], theirs, rtol=1e-9, atol=1e-9)


def test_a_rate_ten_times_too_high_is_said_and_leaves_the_axes_alone(explorer):
    before = [ax.viewLim.extents.copy() for ax in explorer.fig.axes]
    with strict():
        explorer.set(scale=10.0)
        said = [t.get_text() for ax in explorer.fig.axes for t in ax.texts if "diverged" in t.get_text()]
        assert "SGD diverged at step" in said[0]
        np.testing.assert_array_equal([ax.viewLim.extents for ax in explorer.fig.axes], before)
        explorer.set(scale=1.0)


def test_a_new_landscape_brings_its_start_and_rates(explorer):
    with strict():
        explorer.landscape = "Booth"
        assert explorer.start == tuple(LANDSCAPES["Booth"]().start)
        assert explorer.SGD_lr == trajectories.tuned_rate("Booth", "SGD")
        assert explorer.data["loss"]["SGD"][-1] < 1e-6


def test_bad_values_are_named(explorer):
    with pytest.raises(ValueError, match="scale = 100.0: accepted is a number from 0.1 to 10"):
        explorer.scale = 100.0
    with pytest.raises(ValueError, match="no such control"):
        explorer.set(rate=1.0)
