"""One recipe through every library: PyTorch, TensorFlow, Keras 3 and Optax on equal footing.

Every library gets the same start, the same gradients in the same order, and options under the course's names (those of
torch.optim); it answers with its trajectory. As in `shared.optimizers`, any option may be a schedule k -> value.

    recipe = Recipe(tiny_network(), "Adam", dict(lr=1e-3, eps=1e-8))
    paths = {name: library.run(recipe) for name, library in LIBRARIES.items()}        # (steps + 1, d) each

"TensorFlow" is tf.compat.v1.train, the optimizers that are its own (C++ kernels); tf.keras.optimizers is Keras.
Nothing heavy is imported before it is asked for; a library that is not installed is left out with a notice.

May import: chance, data, descent, optimizers, problems.
"""

from .base import Library, NotInstalled, Recipe, available, notice
from .keras_ import Keras
from .optax_ import Optax
from .pytorch import PyTorch
from .tensorflow_ import TensorFlow

LIBRARIES = {library.name: library for library in (PyTorch(), TensorFlow(), Keras(), Optax())}

__all__ = ["LIBRARIES", "Library", "NotInstalled", "Recipe", "available", "notice"]
