"""What the installed libraries offer, found by asking them: optimizers, schedules, features. Nothing is typed in.

Only the questions are: under which dotted name to look for a feature. A name that the installed library does not have
counts as missing.
"""

import inspect
import re

from . import LIBRARIES
from .base import load

ALIASES = {"gradientdescent": "sgd", "momentum": "sgd", "asgd": "averaged sgd"}  # the rest agree but for case


def _signature(thing):
    try:
        return inspect.signature(thing).parameters
    except (TypeError, ValueError):
        return {}


def _members(module, accept):
    public = (name for name in dir(module) if not name.startswith("_"))
    return {name: thing for name in public if callable(thing := getattr(module, name)) and accept(name, thing)}


def _below(base):
    """Accepts the classes below a base class."""
    return lambda name, thing: inspect.isclass(thing) and issubclass(thing, base) and thing is not base


def optimizers(library):
    """The optimizers of an installed library: {its name: constructor}; for most, what takes a learning rate."""
    module, rated = LIBRARIES[library].require(), lambda thing: "learning_rate" in _signature(thing)
    if library == "PyTorch":
        return _members(module.optim, _below(module.optim.Optimizer))
    if library == "TensorFlow":
        return _members(module.compat.v1.train, lambda n, c: n.endswith("Optimizer") and rated(c))
    if library == "Keras":
        return _members(module.optimizers, lambda n, c: inspect.isclass(c) and rated(c) and n != "Optimizer")
    rule = lambda n, c: not inspect.isclass(c) and rated(c) and not n.startswith("scale_by")
    found = _members(module, rule) | {f"contrib.{n}": c for n, c in _members(module.contrib, rule).items()}
    return {n: c for n, c in found.items() if n != "contrib.schedule_free"}  # a wrapper


def family(name):
    """The same key for one algorithm's names: "AdamOptimizer", "Adam" and "adam" -> "adam"."""
    key = re.sub("optimizer$", "", name.rpartition(".")[2].lower().replace("_", ""))
    return ALIASES.get(key, key)


def optimizer_table(libraries):
    """{family: {library: its names}} over the given libraries, the most shared first."""
    rows = {}
    for library in libraries:
        for name in optimizers(library):
            rows.setdefault(family(name), {}).setdefault(library, []).append(name)
    return dict(sorted(rows.items(), key=lambda row: (-len(row[1]), row[0])))


def schedules(library):
    """The names of a library's schedules."""
    module = LIBRARIES[library].require()
    if library == "PyTorch":
        return list(_members(module.optim.lr_scheduler, _below(module.optim.lr_scheduler.LRScheduler)))
    if library == "TensorFlow":
        return list(_members(module.compat.v1.train, lambda n, c: "decay" in n or n == "piecewise_constant"))
    if library == "Keras":
        return list(_members(module.optimizers.schedules, _below(module.optimizers.schedules.LearningRateSchedule)))
    return list(_members(module.schedules, lambda n, c: re.search("_schedule$|_decay$", n) and inspect.isfunction(c)))


FEATURES = {  # feature -> where each library would have it; "Name(argument)" asks for an argument
    "options per group of parameters": {
        "PyTorch": "optim.Optimizer.add_param_group", "Keras": "optimizers.OptimizerMap", "Optax": "multi_transform"},
    "clip by global norm": {
        "PyTorch": "nn.utils.clip_grad_norm_", "TensorFlow": "clip_by_global_norm",
        "Keras": "optimizers.Adam(global_clipnorm)", "Optax": "clip_by_global_norm"},
    "clip each tensor by itself": {
        "TensorFlow": "clip_by_norm", "Keras": "optimizers.Adam(clipnorm)", "Optax": "clip_by_block_rms"},
    "clip each number": {
        "PyTorch": "nn.utils.clip_grad_value_", "TensorFlow": "clip_by_value", "Keras": "optimizers.Adam(clipvalue)",
        "Optax": "clip"},
    "accumulate gradients": {
        "Keras": "optimizers.Adam(gradient_accumulation_steps)", "Optax": "MultiSteps"},
    "average of the weights": {
        "PyTorch": "optim.swa_utils.AveragedModel", "TensorFlow": "train.ExponentialMovingAverage",
        "Keras": "optimizers.Adam(use_ema)", "Optax": "incremental_update"},
    "decay for some parameters only": {
        "PyTorch": "optim.Optimizer.add_param_group", "Keras": "optimizers.Adam.exclude_from_weight_decay",
        "Optax": "adamw(mask)"},
    "one kernel for the whole step": {
        "PyTorch": "optim.Adam(fused)", "TensorFlow": "raw_ops.ResourceApplyAdam"},
    "one call for many tensors": {"PyTorch": "optim.Adam(foreach)"},
    "compile the step": {
        "PyTorch": "compile", "TensorFlow": "function", "Keras": "Model.compile(jit_compile)", "Optax": "jax.jit"},
    "scale the loss (float16)": {
        "PyTorch": "amp.GradScaler", "Keras": "optimizers.LossScaleOptimizer"},
    "compute in lower precision": {"PyTorch": "autocast", "Keras": "mixed_precision.DTypePolicy"},
    "skip steps that are not finite": {
        "PyTorch": "amp.GradScaler", "Keras": "optimizers.LossScaleOptimizer", "Optax": "apply_if_finite"},
    "line search": {"PyTorch": "optim.LBFGS(line_search_fn)", "Optax": "scale_by_zoom_linesearch"},
}  # fmt: skip


def resolve(library, dotted):
    """Whether the installed library has what a dotted name says, "Name(argument)" included."""
    thing = LIBRARIES[library].require()
    if dotted.startswith("jax."):
        thing, dotted = load("jax"), dotted.removeprefix("jax.")
    path, _, argument = dotted.partition("(")
    for part in path.split("."):
        thing = getattr(thing, part, None)
        if thing is None:
            return False
    return not argument or argument.rstrip(")") in _signature(thing)


def feature_table(libraries):
    """{feature: {library: its dotted name, or None}}; a name counts only if the installed library has it."""
    return {feature: {library: where.get(library) if library in where and resolve(library, where[library]) else None
                      for library in libraries} for feature, where in FEATURES.items()}  # fmt: skip


SHOWN = ("lr", "momentum", "alpha", "rho", "β₁", "β₂", "eps", "weight_decay", "initial_accumulator_value")


def defaults_table(optimizer, libraries):
    """{option under the course's name: {library: default}} for an optimizer, asked from the constructors."""
    table = {}
    for name, library in libraries.items():
        if library.has(optimizer):
            for ours, default in _defaults(library, optimizer):
                table.setdefault(ours, {})[name] = default
    return {ours: table[ours] for ours in SHOWN if ours in table}


def _defaults(library, optimizer):
    """(the course's name, the default) of the options that a constructor has, pairs taken apart."""
    theirs = library.defaults(optimizer)
    taken = set()  # Keras calls both RMSprop's alpha and Adadelta's rho "rho"
    for ours in ("alpha", "lr", "momentum", "rho", "eps", "weight_decay", "initial_accumulator_value"):
        native = library.dialect.get(ours, ours)
        if native in theirs and native not in taken and not (ours == "alpha" and optimizer == "Adadelta"):
            taken.add(native)
            yield ours, theirs[native]
    pair = library.dialect.get("betas", "betas")
    betas = theirs.get(pair) if isinstance(pair, str) else tuple(theirs[n] for n in pair if n in theirs)
    yield from zip(("β₁", "β₂"), betas or ())


def markdown(rows, libraries, head, cell=lambda value: value):
    """A table {row: {library: value}} as Markdown."""
    lines = [f"| {head} | " + " | ".join(libraries) + " |", "|:--|" + ":--|" * len(libraries)]
    for row, values in rows.items():
        lines.append(f"| {row} | " + " | ".join(cell(values.get(name)) for name in libraries) + " |")
    return "\n".join(lines)
