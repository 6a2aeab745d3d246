"""TensorFlow's own optimizers, tf.compat.v1.train: a thin shell around one C++ kernel per variable.

tf.keras.optimizers is not here: since TensorFlow 2.16 it is Keras 3, the very same classes.
"""

from .base import Library, load_tensorflow


class TensorFlow(Library):
    """tf.compat.v1.train in eager mode."""

    name, distribution = "TensorFlow", "tensorflow-cpu"
    constructors = {
        "SGD": "GradientDescentOptimizer", "Momentum": "MomentumOptimizer", "Nesterov": "MomentumOptimizer",
        "Adagrad": "AdagradOptimizer", "RMSprop": "RMSPropOptimizer", "Adadelta": "AdadeltaOptimizer",
        "Adam": "AdamOptimizer", "FTRL": "FtrlOptimizer",
    }  # fmt: skip
    dialect = {"lr": "learning_rate", "betas": ("beta1", "beta2"), "eps": "epsilon", "alpha": "decay"}
    fixed = {"Momentum": dict(momentum=0.9), "Nesterov": dict(momentum=0.9, use_nesterov=True)}

    def load(self):
        return load_tensorflow()

    @property
    def version(self):
        return self.require().__version__

    def factory(self, name):
        return getattr(self.require().compat.v1.train, name)

    def walk(self, recipe, make, options):
        tf, problem = self.require(), recipe.problem
        xs, now = [tf.Variable(x, dtype=recipe.dtype) for x in problem.start], {"k": 0}
        live = {name: (lambda f=f: f(now["k"])) if callable(f) else f for name, f in options.items()}
        optimizer = make(**live)  # which asks a callable option at every step
        yield [x.numpy() for x in xs]
        for now["k"] in range(recipe.steps):
            if recipe.before:
                recipe.before(optimizer, xs, now["k"])
            grads = problem.grads([x.numpy() for x in xs], now["k"] + 1)
            optimizer.apply_gradients([(tf.convert_to_tensor(g, recipe.dtype), x) for g, x in zip(grads, xs)])
            yield [x.numpy() for x in xs]
