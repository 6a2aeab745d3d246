"""Optax: an optimizer is a pair of pure functions, init(params) -> state and update(grads, state, params)."""

import contextlib
import os
from functools import partial

import numpy as np

from .base import Library, load, scheduled

QUICKLY = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}  # to compile, not to run


class Optax(Library):
    """Optax on JAX: the step is compiled, the state is a tree of arrays."""

    name, distribution = "Optax", "optax"
    constructors = {
        "SGD": "sgd", "Momentum": "sgd", "Nesterov": "sgd", "Adagrad": "adagrad", "RMSprop": "rmsprop",
        "Adadelta": "adadelta", "Adam": "adam", "AdamW": "adamw", "AMSGrad": "amsgrad", "Adamax": "adamax",
        "NAdam": "nadam", "RAdam": "radam", "Rprop": "rprop", "Lion": "lion", "Adafactor": "adafactor",
        "Muon": "contrib.muon", "LAMB": "lamb", "ScheduleFreeAdamW": "contrib.schedule_free_adamw", "LBFGS": "lbfgs",
    }  # fmt: skip
    dialect = {
        "lr": "learning_rate", "betas": ("b1", "b2"), "alpha": "decay", "etas": ("eta_minus", "eta_plus"),
        "step_sizes": ("min_step_size", "max_step_size"),
    }  # fmt: skip
    fixed = {
        "Momentum": dict(momentum=0.9), "Nesterov": dict(momentum=0.9, nesterov=True), "LBFGS": dict(linesearch=None),
    }  # fmt: skip

    def load(self):
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # one thread, as the others have
        load("jax")
        return load("optax")

    def factory(self, name):
        module = self.require()
        for part in name.split("."):
            module = getattr(module, part)
        return module

    def walk(self, recipe, make, options):
        optax, jax, problem = self.require(), load("jax"), recipe.problem
        array = partial(jax.numpy.asarray, dtype=recipe.dtype)
        with jax.enable_x64() if recipe.dtype == "float64" else contextlib.nullcontext():
            moving = set(scheduled(options)) - {"learning_rate"}  # Optax itself takes only rates as schedules
            rule = (optax.inject_hyperparams(make) if moving else make)(**options)

            @partial(jax.jit, compiler_options=QUICKLY)
            def step(grads, state, xs):
                updates, state = rule.update(grads, state, xs)
                return optax.apply_updates(xs, updates), state

            xs = [array(x) for x in problem.start]
            state = rule.init(xs)
            yield xs
            for k in range(recipe.steps):
                grads = problem.grads([np.asarray(x) for x in xs], k + 1)
                xs, state = step([array(g) for g in grads], state, xs)
                yield xs
