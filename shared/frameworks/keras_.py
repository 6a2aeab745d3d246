"""Keras 3: an optimizer has variables of its own and an `update_step` for one variable; the backend is a choice."""

import os
import sys

from .base import Library, evaluated, load, load_tensorflow, scheduled


class Keras(Library):
    """Keras on the backend of this process: TensorFlow, unless KERAS_BACKEND says otherwise."""

    name, distribution = "Keras", "keras"
    constructors = {
        "SGD": "SGD", "Momentum": "SGD", "Nesterov": "SGD", "Adagrad": "Adagrad", "RMSprop": "RMSprop",
        "Adadelta": "Adadelta", "Adam": "Adam", "AdamW": "AdamW", "AMSGrad": "Adam", "Adamax": "Adamax",
        "NAdam": "Nadam", "Lion": "Lion", "Adafactor": "Adafactor", "Muon": "Muon", "LAMB": "Lamb", "FTRL": "Ftrl",
        "ScheduleFreeAdamW": "ScheduleFreeAdamW",
    }  # fmt: skip
    dialect = {"lr": "learning_rate", "betas": ("beta_1", "beta_2"), "eps": "epsilon", "alpha": "rho"}
    fixed = {
        "Momentum": dict(momentum=0.9), "Nesterov": dict(momentum=0.9, nesterov=True), "AMSGrad": dict(amsgrad=True),
    }  # fmt: skip

    def load(self):
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        if "keras" not in sys.modules and os.environ["KERAS_BACKEND"] == "tensorflow":
            load_tensorflow()  # Keras would import it anyway; this way it is quiet
        return load("keras")

    @property
    def backend(self):
        return self.require().backend.backend()

    def factory(self, name):
        return getattr(self.require().optimizers, name)

    def walk(self, recipe, make, options):
        keras, problem, dtype = self.require(), recipe.problem, recipe.dtype
        before = keras.config.floatx()
        keras.config.set_floatx(dtype)  # the precision of the learning rate, too
        try:
            xs = [keras.Variable(x, dtype=dtype) for x in problem.start]
            optimizer, moving = make(**evaluated(options, 0)), scheduled(options)
            optimizer.build(xs)
            for name in set(moving) - {"learning_rate"}:  # which is a variable already
                setattr(optimizer, name, keras.Variable(getattr(optimizer, name), dtype=dtype, trainable=False))
            step = self.compiled(optimizer)
            yield [keras.ops.convert_to_numpy(x).copy() for x in xs]
            for k in range(recipe.steps):
                for name, value in evaluated(moving, k).items():
                    getattr(optimizer, name).assign(value)
                if recipe.before:
                    recipe.before(optimizer, xs, k)
                grads = problem.grads([keras.ops.convert_to_numpy(x) for x in xs], k + 1)
                step([keras.ops.convert_to_tensor(g, dtype=dtype) for g in grads])
                yield [keras.ops.convert_to_numpy(x).copy() for x in xs]
        finally:
            keras.config.set_floatx(before)

    def compiled(self, optimizer):
        """The optimizer's step; with TensorFlow as a graph, which is five times as fast as operation by operation."""
        if self.backend != "tensorflow":
            return optimizer.apply
        return load("tensorflow").function(lambda grads: optimizer.apply(grads))
