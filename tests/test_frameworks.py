"""One recipe through four libraries: conventions are the libraries', corrections correct, nothing else breaks."""

import gc
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from problems import PROBLEMS

from shared.descent import run
from shared.frameworks import LIBRARIES, NotInstalled, Recipe, available, catalogue, costs, parity, training
from shared.frameworks.conventions import CONVENTIONS, convention, matched
from shared.frameworks.problem import OnLandscape, tiny_network
from shared.frameworks.processes import Elsewhere
from shared.frameworks.pytorch import without_bfloat16
from shared.optimizers import Lion

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras on NumPy 2
STEPS, DROP = 60, 30
TORCH, OPTAX = LIBRARIES["PyTorch"], LIBRARIES["Optax"]


def options_of(optimizer):
    """Options, under the course's names, at which every convention is visible."""
    if optimizer in ("SGD", "Momentum", "Nesterov"):
        return {"lr": lambda k: 0.02 - 0.015 * (k >= DROP)} | ({} if optimizer == "SGD" else {"momentum": 0.8})
    if optimizer == "Lion":
        return dict(lr=3e-3, betas=(0.8, 0.95), weight_decay=0.1)
    if optimizer == "Rprop":
        return dict(lr=1e-3, step_sizes=(1e-6, 0.02))
    options = dict(lr=0.02, eps=1e-3)
    if optimizer in ("Adam", "AdamW", "AMSGrad", "Adamax", "NAdam", "RAdam"):
        options["betas"] = (0.8, 0.95)
    if optimizer == "AdamW":
        options["weight_decay"] = 0.1
    if optimizer == "RMSprop":
        options["alpha"] = 0.8
    if optimizer == "Adadelta":
        options["rho"] = 0.8
    if optimizer == "Adagrad":
        options["initial_accumulator_value"] = 0.1
    return options


def theirs(library, optimizer, f, x0, options, steps=STEPS):
    """The path of the real library in float64."""
    problem = OnLandscape(f, x0)
    if (library, optimizer) == ("TensorFlow", "Adagrad"):  # has no ε
        options = {name: value for name, value in options.items() if name != "eps"}
    return LIBRARIES[library].run(Recipe(problem, optimizer, options, steps=steps, dtype="float64"))


def close(library):
    """How equal: with TensorFlow, which makes Python's numbers float32 first, to seven digits; else to nine."""
    return dict(rtol=1e-6, atol=1e-8) if library in ("TensorFlow", "Keras") else dict(rtol=1e-9, atol=1e-11)


@pytest.fixture(autouse=True)
def float64():
    """torch.optim.NAdam keeps its product of momenta in torch's default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("library, optimizer", [(lib, name) for lib, rules in CONVENTIONS.items() for name in rules])
def test_a_convention_walks_as_the_library_does(library, optimizer):
    f, x0 = PROBLEMS["logistic"]
    options = options_of(optimizer)
    path = theirs(library, optimizer, f, x0, options)
    assert path.dtype == np.float64 and np.isfinite(path).all() and np.abs(path[-1] - path[0]).max() > 1e-3
    np.testing.assert_allclose(run(convention(library, optimizer, **options), f, x0, STEPS), path, **close(library))


def test_keras_adam_with_decay_is_adamw():
    f, x0 = PROBLEMS["logistic"]
    options = dict(lr=0.02, eps=1e-3, weight_decay=0.3)
    np.testing.assert_allclose(run(convention("Keras", "Adam", **options), f, x0, STEPS),
                               theirs("Keras", "Adam", f, x0, options), rtol=1e-5)  # fmt: skip


@pytest.mark.parametrize("library", ["Keras", "Optax"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_lion_of_the_course_is_theirs(library, problem):
    f, x0 = PROBLEMS[problem]
    for options in (dict(lr=1e-3, weight_decay=0.0), dict(lr=3e-3, betas=(0.8, 0.95), weight_decay=0.3)):
        path = theirs(library, "Lion", f, x0, options)
        np.testing.assert_allclose(run(Lion(**options), f, x0, STEPS), path, **close(library))


@pytest.mark.parametrize("case, pair", [
    ("Adam", ("PyTorch", "Keras")), ("AMSGrad", ("PyTorch", "Optax")), ("NAdam", ("PyTorch", "Optax")),
    ("RMSprop", ("PyTorch", "TensorFlow")), ("Momentum, rate drops", ("PyTorch", "Keras")),
    ("Adam, decay λ", ("PyTorch", "Keras")), ("RAdam", ("PyTorch", "Optax")), ("Muon", ("Keras", "Optax")),
], ids=str)  # fmt: skip
def test_a_correction_removes_the_difference(case, pair):
    torch.set_default_dtype(torch.float32)
    paths = parity.paths({name: LIBRARIES[name] for name in pair}, [parity.BY_NAME[case]])
    found = {stage: parity.difference(paths, case, pair, stage) for stage in parity.STAGES}
    assert found["numbers"].max() > 3e-4 and found["numbers"][0] < 1e-7
    assert found["corrected"].max() < parity.FLOAT32


def test_every_correction_of_the_explorer_is_one_of_the_table():
    """Where the table has a camp, `matched` has two equal rules; where it has none, neither has the explorer."""
    f, x0 = PROBLEMS["quadratic"]
    for case in parity.CASES:
        for pair in case.pairs({name: LIBRARIES[name] for name in CONVENTIONS}):
            if any(case.optimizer not in CONVENTIONS[library] for library in pair):
                continue
            options = options_of(case.optimizer) | ({"weight_decay": 0.1} if "decay" in case.name else {})
            rules = matched(pair, case.optimizer, **options)
            assert (rules is None) == (case.camp(pair) is None)
            if rules:
                a, b = (run(rule, f, x0, STEPS) for rule in rules)
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_muon_differs_only_by_bfloat16():
    torch.set_default_dtype(torch.float32)
    case = parity.BY_NAME["Muon"]
    recipe = parity.recipe(case, TORCH, "numbers")
    recipe.native["adjust_lr_fn"] = "match_rms_adamw"
    other = OPTAX.run(parity.recipe(case, OPTAX, "corrected", 0))
    assert np.abs(TORCH.run(recipe) - other).max() > 1e-3
    with without_bfloat16():
        assert np.abs(TORCH.run(recipe) - other).max() < parity.FLOAT32
    assert torch.ones(1).bfloat16().dtype == torch.bfloat16


def test_the_gradient_is_that_of_the_network():
    for options in ({}, dict(biases=False), dict(flat=True)):
        f = tiny_network(**options)
        X, y = map(torch.tensor, f.batch(3))
        tensors = [torch.tensor(x, requires_grad=True) for x in f.start]
        parts = f.unflatten(tensors[0].detach().numpy()) if len(tensors) == 1 else tensors
        parts = [torch.tensor(x, requires_grad=True) for x in parts] if len(tensors) == 1 else parts
        W1, b1, W2, b2 = parts if len(parts) == 4 else (parts[0], 0, parts[1], 0)
        loss = torch.nn.functional.cross_entropy(torch.tanh(X @ W1 + b1) @ W2 + b2, y)
        loss.backward()
        expected = np.concatenate([p.grad.numpy().ravel() for p in parts])
        found = np.concatenate([g.ravel() for g in f.grads(f.start, 3)])
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(f.loss([p.detach().numpy() for p in parts], *f.batch(3)), loss.item())


def test_one_training_recipe_everywhere():
    torch.set_default_dtype(torch.float32)
    f = tiny_network()
    paths = {name: train(f) for name, train in training.RECIPES.items()}
    assert f.loss(f.unflatten(paths["PyTorch"][-1])) < 0.6 < 2 < f.loss(f.start)
    for path in paths.values():
        np.testing.assert_allclose(path, paths["PyTorch"], atol=parity.FLOAT32)
    assert np.abs(training.in_keras(f, clip="clipnorm") - paths["PyTorch"]).max() > 0.01  # each tensor by itself


def test_keras_in_another_process():
    process = Elsewhere("torch", {"Keras": ["Momentum", "ScheduleFreeAdamW"]}, training=True)
    if os.name != "nt":                               # an interrupted cell must not end it
        assert os.getpgid(process.process.pid) != os.getpgid(0)
    there = process.result()
    assert process.result() is there
    here = parity.paths({"Keras": LIBRARIES["Keras"]}, [parity.BY_NAME["Momentum"]])
    for key, path in here.items():
        np.testing.assert_allclose(there[key], path, atol=1e-6)
    np.testing.assert_allclose(there["training"], training.in_keras(tiny_network()), atol=parity.FLOAT32)


def test_schedule_free_needs_arrays_that_do_not_change():
    jax = Elsewhere("jax", {"Keras": ["ScheduleFreeAdamW"], "Optax": ["ScheduleFreeAdamW"]}).result()
    key = "ScheduleFreeAdamW", "Keras", "numbers", None
    case, optax = parity.BY_NAME["ScheduleFreeAdamW"], jax["ScheduleFreeAdamW", "Optax", "numbers", None]
    keras = LIBRARIES["Keras"].run(parity.recipe(case, LIBRARIES["Keras"], "numbers"))  # on TensorFlow
    assert np.abs(jax[key] - optax).max() < parity.FLOAT32 < 1e-3 < np.abs(keras - optax).max()


@pytest.mark.parametrize("make, said", [
    (lambda: TORCH.run(Recipe(None, "LAMB")), "PyTorch has no 'LAMB'; it has SGD, Momentum"),
    (lambda: TORCH.run(Recipe(None, "Adam", {"rho": 1})), "PyTorch's Adam has no option 'rho'; it has lr, betas"),
    (lambda: OPTAX.run(Recipe(None, "Adam", {"weight_decay": 1})), "Optax's Adam has no option 'weight_decay'"),
    (lambda: Elsewhere("theano", {}), "Keras has no backend 'theano'; choose from tensorflow, torch, jax"),
    (lambda: convention("Keras", "RAdam"), "Keras has no 'RAdam'; it has SGD"),
    (lambda: convention("Caffe", "SGD"), "no conventions of 'Caffe'; choose from PyTorch"),
], ids=range(6))  # fmt: skip
def test_bad_input_is_named_in_one_line(make, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")) as error:
        make()
    assert "\n" not in str(error.value)


def test_a_failing_process_says_why():
    process = Elsewhere("torch", {"Keras": ["no such case"]})
    for _ in range(2):
        with pytest.raises(RuntimeError, match="^Keras on torch: KeyError: 'no such case'$"):
            process.result()


MISSING = """
import sys
class Blocked:                                    # an import of these now fails
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name=name)
sys.modules |= dict.fromkeys(set({missing!r}) - {{"torch"}})
if "torch" in {missing!r}:                          # SciPy asks whether it is loaded, and None would be
    sys.meta_path.insert(0, Blocked())
from shared.frameworks import LIBRARIES, NotInstalled, available, catalogue, costs, parity
found = available(LIBRARIES)
print(*found)
try:
    LIBRARIES[{library!r}].constructor("Adam")
except NotInstalled as error:
    print(error)
rows = parity.table(parity.paths(found, [parity.BY_NAME["Momentum"]]))
print(len(rows), len(catalogue.optimizer_table(found)) > 0, len(catalogue.feature_table(found)))
print(*dict.fromkeys(library for library, way in costs.step_times(repeats=1)))
"""


@pytest.mark.parametrize("missing, library, left, rows", [
    (("tensorflow", "keras", "optax"), "Keras", "PyTorch", 0), (("torch", "tensorflow"), "TensorFlow", "Optax", 0),
    (("jax",), "Optax", "PyTorch TensorFlow Keras", 3),
], ids=str)  # fmt: skip
def test_a_missing_library_is_left_out_with_a_notice(missing, library, left, rows):
    code = MISSING.format(missing=missing, library=library)
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    *notices, found, said, counted, timed = done.stdout.splitlines()
    assert len(notices) == 4 - len(left.split()) and all(n.startswith("⚠ ") and "is skipped" in n for n in notices)
    assert found == timed == left and said.startswith(f"{library} is not installed here (")
    assert counted == f"{rows} True {len(catalogue.FEATURES)}"


def test_asking_for_a_missing_library_is_one_line():
    """In a notebook, too: IPython prints what `_render_traceback_` gives."""
    found = available({"PyTorch": LIBRARIES["PyTorch"]})
    with pytest.raises(NotInstalled, match="^TensorFlow is not installed here, and this cell needs it.") as raised:
        found["TensorFlow"]
    assert raised.value._render_traceback_() == [f"NotInstalled: {raised.value}"]


def test_nothing_heavy_is_imported_before_it_is_asked_for():
    code = "import sys, shared.frameworks.conventions; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "shared" in loaded and not set(loaded) & {"torch", "tensorflow", "keras", "jax", "optax", "matplotlib"}


def test_the_catalogue_asks_the_libraries():
    libraries = available(LIBRARIES)
    table = catalogue.optimizer_table(libraries)
    assert set(table["adam"]) == set(libraries) and set(table["nadam"]) == {"PyTorch", "Keras", "Optax"}
    assert table["sgd"]["TensorFlow"] == ["GradientDescentOptimizer", "MomentumOptimizer"]
    assert list(table["sparseadam"]) == ["PyTorch"] and not any("lookahead" in name for name in table)
    for library in libraries.values():  # what the chapter runs is in the catalogue
        names = set(catalogue.optimizers(library.name))
        assert set(library.constructors.values()) <= names
    assert "CosineDecay" in catalogue.schedules("Keras") and "OneCycleLR" in catalogue.schedules("PyTorch")
    assert len(catalogue.schedules("Optax")) > 9 and "cosine_decay" in catalogue.schedules("TensorFlow")
    assert catalogue.resolve("PyTorch", "optim.Adam(fused)")
    assert not catalogue.resolve("PyTorch", "optim.Adam(clipnorm)")
    assert not catalogue.resolve("Keras", "optimizers.NoSuchThing")
    features = catalogue.feature_table(libraries)
    for feature, where in catalogue.FEATURES.items():
        assert {k: v for k, v in features[feature].items() if v} == where, feature
    defaults = catalogue.defaults_table("Adam", libraries)
    assert defaults["eps"] == {"PyTorch": 1e-8, "TensorFlow": 1e-8, "Keras": 1e-7, "Optax": 1e-8}
    assert defaults["β₂"] == dict.fromkeys(libraries, 0.999)
    alpha = catalogue.defaults_table("RMSprop", libraries)["alpha"]
    assert alpha == {"PyTorch": 0.99, "TensorFlow": 0.9, "Keras": 0.9, "Optax": 0.9}


@pytest.mark.parametrize("optimizer, numbers", [
    ("SGD", 0), ("Momentum", 1), ("Adagrad", 1), ("Adadelta", 2), ("Adam", 2), ("AMSGrad", 3), ("Lion", 1),
])  # fmt: skip
def test_state_per_parameter(optimizer, numbers):
    for name, library in LIBRARIES.items():
        if library.has(optimizer):
            assert costs.state(name, optimizer) == pytest.approx(numbers, abs=0.01), name


@pytest.mark.parametrize("optimizer", ["SGD", "Momentum", "Adam", "AMSGrad", "Adafactor", "Muon"])
def test_state_is_what_stays_alive(optimizer):
    """A second instrument: the elements of all tensors that are alive after a step and were not before."""
    library = LIBRARIES["PyTorch"]
    torch = library.require()
    p = torch.nn.Parameter(torch.ones(256, 128))
    p.grad = torch.ones(256, 128)
    rule = library.constructor(optimizer)([p], **library.fixed.get(optimizer, {}))
    alive = lambda: sum(x.numel() for x in gc.get_objects() if type(x) is torch.Tensor and x.numel() > 1)
    gc.collect()
    before = alive()
    rule.step()
    gc.collect()
    assert (alive() - before) / p.numel() == pytest.approx(costs.state("PyTorch", optimizer), abs=1e-6)


def test_adafactor_saves_memory_but_in_keras():
    kept = {name: costs.state(name, "Adafactor") for name in ("PyTorch", "Keras", "Optax")}
    assert kept["PyTorch"] < 0.02 and kept["Optax"] < 0.02 and kept["Keras"] > 1


def test_every_way_to_take_a_step_takes_the_same():
    times = costs.step_times(repeats=1)
    assert set(times) == set(costs.WAYS) and all(0 < seconds < 60 for seconds in times.values())


def test_not_installed_is_an_import_error():
    assert issubclass(NotInstalled, ImportError)
