"""All chance goes through one module, and COURSE_SEED moves all of it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from shared import chance

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "shared").rglob("*.py"), *(ROOT / "chapters" / "source").glob("*.py")])
BYPASSES = {
    "default_rng", "RandomState", "SeedSequence", "Generator", "random_state", "set_seed", "PRNGKey", "key_data",
    "set_random_seed", "manual_seed_all", "initial_seed",
}  # fmt: skip
MODULES = {"random", "secrets", "uuid"}


@pytest.fixture
def world(monkeypatch):
    return lambda number: monkeypatch.setenv("COURSE_SEED", str(number))


def bypasses(source):
    """The lines of a piece of code that draw, or seed, without shared.chance."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and {a.name for a in node.names} & MODULES:
            yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield node.lineno
        elif isinstance(node, ast.Attribute):
            if ast.unparse(node.value) in ("np.random", "numpy.random") and node.attr != "Generator":
                yield node.lineno
            elif node.attr in BYPASSES:
                yield node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("manual_seed"):
            if not all("chance.integer(" in ast.unparse(value) for value in node.args):
                yield node.lineno
        elif isinstance(node, ast.keyword) and node.arg == "random_state":
            yield node.value.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_draw_bypasses_the_module(path):
    if path.name not in ("chance.py", "baking.py", "sampling.py"):  # the estimate of a baked figure's size is no result
        assert not list(bypasses(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("line", [
    "np.random.default_rng(0)", "np.random.normal()", "torch.manual_seed(0)", "torch.Generator()", "import random",
    "from random import choice", "train_test_split(x, random_state=0)", "jax.random.PRNGKey(0)",
    "tf.random.set_seed(1)",
])  # fmt: skip
def test_a_bypass_is_found(line):
    assert list(bypasses(line))


def test_the_course_as_printed_is_numpys_and_torchs_own_chance(world):
    for seed in (0, 7, (3, 5), [2, 1]):
        np.testing.assert_array_equal(chance.rng(seed).random(4), np.random.default_rng(seed).random(4))
    assert chance.integer(11) == 11
    ours, torchs = chance.generator(5), torch.Generator().manual_seed(5)
    assert torch.equal(torch.rand(3, generator=ours), torch.rand(3, generator=torchs))
    printed = chance.rng(7).random()
    world(0)
    assert chance.rng(7).random() == printed


def test_worlds_share_no_draw(world):
    seen = set()
    for number in range(5):
        world(number)
        for seed in range(5):
            seen |= {chance.rng(seed).random(), chance.rng((seed, 1)).random()}
            seen.add(chance.integer(seed) + 10.0 * bool(number))
            again = torch.rand(1, generator=chance.generator(seed)).item()
            assert again == torch.rand(1, generator=chance.generator(seed)).item()  # repeatable within a world
            assert 0 <= chance.integer(seed) < 2**32
    assert len(seen) == 5 * 5 * 2 + 4 * 5 + 5


def test_a_child_process_is_in_the_same_world(world):
    world(3)
    code = "from shared import chance; print(chance.rng(1).random())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)).stdout
    assert float(said) == chance.rng(1).random()


@pytest.mark.parametrize("said", ["one", "-1", "1.5"])
def test_a_world_is_a_whole_number(world, said):
    world(said)
    with pytest.raises(ValueError, match=f"COURSE_SEED must be a whole number >= 0, got '{said}'"):
        chance.rng()
