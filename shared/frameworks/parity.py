"""Where the libraries differ, why, and the settings that make them equal: the cases, and what measures them.

Three stages. "defaults": every library as it comes. "numbers": the same hyperparameters for all. "corrected": the same
numbers and what a camp of the case adds. A pair without a camp has no setting that makes it equal: `remains` says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations

import numpy as np

from . import LIBRARIES
from .base import Recipe, accepts
from .problem import tiny_network

STAGES = ("defaults", "numbers", "corrected")
DROP = 50  # the step at which the rate falls to a tenth, where a case says so
TINY = 1e-15  # an ε that decides only where the gradient is exactly 0
FLOAT32 = 1e-5  # what a hundred float32 roundings of weights near 1 may add up to
FLAT = dict(flat=True)  # every coordinate alike: one vector
FULL = dict(flat=True, batch=400, steps=1)  # the same batch at each step: for rules that no noise may disturb
EVERYBODY = dict.fromkeys(("PyTorch", "TensorFlow", "Keras", "Optax"), {})


def drop(k):
    """The rate 0.1, and a tenth of that from step DROP on."""
    return 0.1 - 0.09 * (k >= DROP)  # no if: Optax traces it


def shrinking(ε, β2=0.999):
    """ε √(1 − β₂ᵗ): what a library that adds ε to √v must be given to add ε to √v̂."""
    return lambda k: ε * (1 - β2 ** (k + 1)) ** 0.5


def rescale(optimizer, variables, k):
    """Keras: multiply the buffer by what the rate has just been multiplied by (Goyal et al. 2017, section 3)."""
    if k == DROP:
        for m in optimizer.momentums:
            m.assign(m * (drop(k) / drop(k - 1)))


def forget_ones(optimizer, variables, k):
    """TensorFlow: let RMSProp's mean square start at 0 as everybody's does, not at 1."""
    if k == 0:
        optimizer._create_slots(variables)
        for x in variables:
            slot = optimizer.get_slot(x, "rms")
            slot.assign(0 * slot)


@lru_cache
def first_step():
    """L-BFGS has no curvature at its first step: torch divides by ‖g‖₁, Optax by ‖g‖₂. This is the ratio."""
    f = tiny_network(**FULL)
    g = f.grads(f.start, 1)[0]
    return min(1, 1 / np.abs(g).sum()) / min(1, 1 / np.linalg.norm(g))


@dataclass(frozen=True)
class Case:
    """An optimizer that some libraries share.

    numbers: the same hyperparameters for all, under the course's names. camps: each makes its libraries equal, a dict
    library -> options under its own names ("before": a hook) on top of the numbers. reason: why the same numbers are
    not enough; remains: why the pairs outside the camps cannot be matched, and what shows it.
    """

    name: str
    optimizer: str
    numbers: Mapping
    reason: str
    camps: tuple = (EVERYBODY,)
    remains: str = ""
    libraries: tuple = ()
    problem: Mapping = field(default_factory=lambda: FLAT)
    defaults: bool = True  # whether the libraries' defaults say something of their own
    dtype: str = "float32"

    def shared(self, libraries):
        """The libraries, of those given, that have it."""
        named = self.libraries or tuple(dict.fromkeys(name for camp in self.camps for name in camp))
        return [name for name in libraries if name in named and libraries[name].has(self.optimizer)]

    def pairs(self, libraries):
        return list(combinations(self.shared(libraries), 2))

    def camp(self, pair):
        """The number of the first camp that has both libraries of a pair, or None."""
        return next((i for i, camp in enumerate(self.camps) if set(pair) <= set(camp)), None)


CASES = (
    Case("SGD", "SGD", dict(lr=0.1), "only the default rate differs"),
    Case("Momentum", "Momentum", dict(lr=0.1), "only the default rate differs"),
    Case("Nesterov", "Nesterov", dict(lr=0.1), "only the default rate differs: all four keep the point ahead"),
    Case("Momentum, rate drops", "Momentum", dict(lr=drop),
         "Keras keeps η inside the buffer: old gradients keep the old rate. Rescale the buffer when η changes",
         (EVERYBODY | {"Keras": {"before": rescale}},), defaults=False),
    Case("Nesterov, rate drops", "Nesterov", dict(lr=drop), "as for momentum",
         (EVERYBODY | {"Keras": {"before": rescale}},), defaults=False),
    Case("Adagrad", "Adagrad", dict(lr=0.05, initial_accumulator_value=0.1, eps=1e-7),
         "PyTorch's sum of squares starts at 0, the others' at 0.1; beside 0.1, the place of ε is invisible"),
    Case("Adagrad from 0", "Adagrad", dict(lr=0.05, initial_accumulator_value=0.0, eps=1e-7),
         "PyTorch adds ε to the root, Keras and Optax inside it. Make ε tiny",
         ({"PyTorch": {"eps": TINY}, "Keras": {"epsilon": TINY**2}, "Optax": {"eps": TINY**2}},), defaults=False),
    Case("RMSprop", "RMSprop", dict(lr=1e-3, alpha=0.9, eps=1e-7),
         "PyTorch adds ε to the root, the others inside it; TensorFlow's mean square starts at 1, not 0",
         ({"PyTorch": {"eps": TINY}, "TensorFlow": {"epsilon": TINY**2, "before": forget_ones},
           "Keras": {"epsilon": TINY**2}, "Optax": {"eps": TINY**2}},)),
    Case("Adadelta", "Adadelta", dict(lr=1.0, rho=0.9, eps=1e-6),
         "only the defaults differ: a rate of 1 in PyTorch, 0.001 in Keras and TensorFlow"),
    Case("Adam", "Adam", dict(lr=1e-3, eps=1e-7),
         "Keras and TensorFlow add ε to √v, PyTorch and Optax to √v̂. Give the former ε√(1−β₂ᵗ)",
         (EVERYBODY | dict.fromkeys(("TensorFlow", "Keras"), {"epsilon": shrinking(1e-7)}),)),
    Case("Adam, decay λ", "Adam", dict(lr=1e-3, eps=1e-7, weight_decay=0.1),
         "PyTorch adds λx to the gradient; Keras shrinks x itself: its Adam with λ is AdamW",
         ({"PyTorch": {"decoupled_weight_decay": True}, "Keras": {"epsilon": shrinking(1e-7)}},), defaults=False),
    Case("AdamW", "AdamW", dict(lr=1e-3, eps=1e-7, weight_decay=0.1),
         "three default λ (0.01, 0.004, 0.0001), and Adam's two places for ε",
         ({"PyTorch": {}, "Keras": {"epsilon": shrinking(1e-7)}, "Optax": {}},)),
    Case("AMSGrad", "AMSGrad", dict(lr=1e-3, eps=1e-7),
         "Optax takes the maximum of v̂, which starts large and is never forgotten; the others of v. And ε as in Adam",
         ({"PyTorch": {}, "Keras": {"epsilon": shrinking(1e-7)},
           "Optax": {"bias_correction_nu": False, "eps": shrinking(1e-7), "learning_rate": shrinking(1e-3)}},)),
    Case("Adamax", "Adamax", dict(lr=2e-3, eps=1e-4), "Keras adds ε after the maximum, the others inside it",
         ({"PyTorch": {"eps": TINY}, "Keras": {"epsilon": TINY}, "Optax": {"eps": TINY}},)),
    Case("NAdam", "NAdam", dict(lr=1e-3, eps=1e-7),
         "β₁ warms up with 0.96^(t/250) in PyTorch, with 0.96^t in Keras, not at all in Optax",
         ({"PyTorch": {"momentum_decay": 1.0}, "Keras": {}}, {"PyTorch": {"momentum_decay": 1e9}, "Optax": {}}),
         "Keras' 0.96 stands in its code and Optax has no warm-up: PyTorch can play either, they cannot meet"),
    Case("RAdam", "RAdam", dict(lr=1e-3, eps=1e-4, betas=(0.9, 0.99)),
         "here it is PyTorch that adds ε to √v. Give it ε√(1−β₂ᵗ)",
         ({"PyTorch": {"eps": shrinking(1e-4, 0.99)}, "Optax": {}},)),
    Case("Lion", "Lion", dict(lr=1e-3, weight_decay=0.01), "only the default λ differs: none in Keras, 0.001 in Optax",
         ({"Keras": {}, "Optax": {}},)),
    Case("Adafactor", "Adafactor", dict(lr=1e-2), "Optax factors only matrices whose sides are at least 128",
         ({"PyTorch": {"eps": (TINY, 1e-3)}, "Keras": {}, "Optax": {"min_dim_size_to_factor": 1}},),
         problem=dict(biases=False)),
    Case("LAMB", "LAMB", dict(lr=1e-3, eps=1e-6), "only the default ε differs", ({"Keras": {}, "Optax": {}},)),
    Case("FTRL", "FTRL", dict(lr=0.1), "only TensorFlow has no default rate", ({"TensorFlow": {}, "Keras": {}},)),
    Case("Muon", "Muon", dict(lr=1e-2, weight_decay=0.0, nesterov=False),
         "one scales the update by √max(1, rows/columns), one by √max(1, columns/rows), one by 0.2 √max(rows, columns)",
         ({"Keras": {}, "Optax": {"consistent_rms": 0.2}},),
         "PyTorch orthogonalises in bfloat16, two to three digits; computed in float32 it agrees",
         ("PyTorch", "Keras", "Optax"), problem=dict(biases=False)),
    Case("L-BFGS", "LBFGS", dict(lr=0.1), "the first step is scaled by ‖g‖₁ in PyTorch, by ‖g‖₂ in Optax; and in "
         "float32 the rounding grows ten-thousandfold in 100 steps, so this row is in float64",
         ({"PyTorch": {"history_size": 5},
           "Optax": {"memory_size": 5, "learning_rate": lambda k: 0.1 + 0.1 * (k == 0) * (first_step() - 1)}},),
         problem=FULL, dtype="float64"),
    Case("Rprop", "Rprop", dict(lr=1e-3, step_sizes=(1e-6, 0.02)), "a defect: Optax 0.2.8 is one step late", (),
         "No option moves the step back; delay ours by one step, and it agrees with Optax",
         ("PyTorch", "Optax"), FULL),
    Case("ScheduleFreeAdamW", "ScheduleFreeAdamW", dict(lr=2.5e-3),
         "a defect: Keras reads the old point after overwriting it, where the backend's arrays can be overwritten", (),
         "No option; on the JAX backend, whose arrays never change, Keras agrees with Optax", ("Keras", "Optax")),
)  # fmt: skip
BY_NAME = {case.name: case for case in CASES}


def rate(case):
    """A rate for libraries that insist on being given one: the default of the first installed library that has one."""
    installed = (LIBRARIES[name] for name in case.shared(LIBRARIES) if LIBRARIES[name].installed)
    rates = (library.default_rate(case.optimizer) for library in installed)
    return {"lr": next((r for r in rates if r is not None), 1e-2)}


def recipe(case, library, stage, camp=None):
    """The recipe of a case for a Library at a stage; an option that the library does not have is left out."""
    problem = tiny_network(**case.problem)
    if stage == "defaults":
        options = {} if library.default_rate(case.optimizer) is not None else rate(case)
        return Recipe(problem, case.optimizer, options, dtype=case.dtype)
    accepted = accepts(library.constructor(case.optimizer))
    options = {name: value for name, value in library.translate(case.numbers).items() if name in accepted}
    if stage == "corrected":
        options |= case.camps[camp][library.name]
    before = options.pop("before", None)
    return Recipe(problem, case.optimizer, {}, options, before, dtype=case.dtype)


def paths(libraries, cases=CASES):
    """Every trajectory that the table needs: {(case's name, library, stage, camp or None): (101, d)}."""
    found = {}
    for case in cases:
        for name in case.shared(libraries):
            library = libraries[name]
            if case.defaults:
                found[case.name, name, "defaults", None] = library.run(recipe(case, library, "defaults"))
            same = found[case.name, name, "numbers", None] = library.run(recipe(case, library, "numbers"))
            for i, camp in enumerate(case.camps):
                if name in camp:
                    path = library.run(recipe(case, library, "corrected", i)) if camp[name] else same
                    found[case.name, name, "corrected", i] = path
    return found


def difference(paths, name, pair, stage):
    """The largest difference of two libraries' parameters after each step, (101,); None without such a stage."""
    camp = BY_NAME[name].camp(pair) if stage == "corrected" else None
    if any((name, library, stage, camp) not in paths for library in pair):
        return None
    a, b = (paths[name, library, stage, camp].astype(float) for library in pair)
    return np.abs(a - b).max(-1)


def table(paths):
    """{(case's name, pair): {stage: the largest difference in 100 steps, or None}}."""
    rows = {}
    for case in CASES:
        ran = {name: library for name, library in LIBRARIES.items() if (case.name, name, "numbers", None) in paths}
        for pair in case.pairs(ran):
            found = {stage: difference(paths, case.name, pair, stage) for stage in STAGES}
            rows[case.name, pair] = {stage: None if d is None else float(d.max()) for stage, d in found.items()}
    return rows
