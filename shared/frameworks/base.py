"""What the four libraries have in common: a recipe, names for options, and a loop."""

import importlib
import inspect
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np


class NotInstalled(ImportError):
    """A library of this chapter that is missing here."""

    def _render_traceback_(self):
        """What a notebook shows: the line, and no frames."""
        return [f"{type(self).__name__}: {self}"]


class Libraries(dict):
    """Name -> Library, of those that are installed. Asking for another raises NotInstalled."""

    def __missing__(self, name):
        raise NotInstalled(f"{name} is not installed here, and this cell needs it. Go on with the next.")


@dataclass(frozen=True)
class Recipe:
    """All that decides a training run but the library: the problem, the optimizer's name and options, the steps.

    `problem` has `start`, a list of arrays, and `grads(tensors, t)`, their gradients at step t = 1, 2, ... `options`
    are named as in torch.optim; what is not given keeps the library's own default. `native` are options under the
    library's own names. `before(optimizer, variables, k)` may reach into an optimizer before its step k + 1 (Optax has
    no object to reach into).
    """

    problem: Any
    optimizer: str
    options: dict = field(default_factory=dict)
    native: dict = field(default_factory=dict)
    before: Callable | None = None
    steps: int = 100
    dtype: str = "float32"


class Library(ABC):
    """One library. Subclasses say what it calls things, and how one of its optimizers takes a step."""

    name: str
    modules: tuple  # what must be importable
    distribution: str  # whose version is reported
    constructors: dict  # the course's name of an optimizer -> the library's
    dialect: dict  # the course's name of an option -> the library's, or a tuple of them for a pair
    fixed: dict = {}  # options that make a constructor what the course's name says

    @abstractmethod
    def load(self):
        """Import the library, quietly, and return its module."""

    @abstractmethod
    def factory(self, name):
        """The library's constructor of an optimizer, by the library's name."""

    @abstractmethod
    def walk(self, recipe, make, options):
        """Yield the tensors (a list of arrays) after 0, 1, 2, ... steps of the optimizer make(**options)."""

    # ---- everything below serves all libraries -------------------------------------------------------------------

    def require(self):
        """The library's module. Raises NotInstalled, in one line, where it is missing."""
        try:
            return self.load()
        except ImportError as error:
            raise NotInstalled(f"{self.name} is not installed here ({error}): what needs it is skipped") from None

    @property
    def installed(self):
        try:
            self.require()
        except NotInstalled:
            return False
        return True

    @property
    def version(self):
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return "unknown"

    def has(self, optimizer):
        """Whether the library has this optimizer, by the course's name."""
        return optimizer in self.constructors

    def constructor(self, optimizer):
        """The library's constructor for an optimizer of the course's name."""
        if optimizer not in self.constructors:
            raise ValueError(f"{self.name} has no {optimizer!r}; it has {', '.join(self.constructors)}")
        self.require()
        return self.factory(self.constructors[optimizer])

    def translate(self, options):
        """Options under the library's own names: betas=(0.9, 0.99) -> beta_1=0.9, beta_2=0.99."""
        said = {}
        for name, value in options.items():
            theirs = self.dialect.get(name, name)
            said |= dict(zip(theirs, value)) if isinstance(theirs, tuple) else {theirs: value}
        return said

    def options(self, recipe):
        """All that is passed to the constructor for a recipe, under the library's names."""
        make = self.constructor(recipe.optimizer)
        said = self.fixed.get(recipe.optimizer, {}) | self.translate(recipe.options) | recipe.native
        accepted = accepts(make)
        unknown = [name for name in said if name not in accepted]
        if unknown:
            has = ", ".join(name for name in accepted if name not in ("self", "params", "name", "kwargs"))
            raise ValueError(f"{self.name}'s {recipe.optimizer} has no option {unknown[0]!r}; it has {has}")
        return self.complete(make, said)

    def complete(self, make, said):
        """`said` with what the library insists on."""
        return said

    def run(self, recipe):
        """The trajectory of a recipe: (steps + 1, d), all tensors flattened one after the other."""
        return self.drive(self.constructor(recipe.optimizer), self.options(recipe), recipe)

    def drive(self, make, options, recipe):
        """The trajectory of any optimizer of this library, your own as well: make(**options) on a recipe's problem."""
        path = self.walk(recipe, make, options)
        return np.stack([np.concatenate([np.ravel(x) for x in tensors]) for tensors in path])

    def defaults(self, optimizer):
        """The library's own defaults of an optimizer, under the library's names."""
        parameters = accepts(self.constructor(optimizer)).values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    def default_rate(self, optimizer):
        """The library's default learning rate of an optimizer; None if it insists on being given one."""
        return self.defaults(optimizer).get(self.dialect.get("lr", "lr"))


def accepts(make):
    """The parameters of a constructor."""
    return inspect.signature(make).parameters


def evaluated(options, k):
    """The options of step k + 1: schedules evaluated."""
    return {name: value(k) if callable(value) else value for name, value in options.items()}


def scheduled(options):
    """The options that change with the step."""
    return {name: value for name, value in options.items() if isinstance(value, Callable)}


def load(name):
    """A module by name."""
    return importlib.import_module(name)


def load_tensorflow():
    """TensorFlow, quiet and with one thread: its threads cost more than they bring on tensors this small."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    first, tensorflow = "tensorflow" not in sys.modules, load("tensorflow")
    if first:
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow


def available(libraries):
    """Those of the libraries (name -> Library) that are installed; a notice for each that is not."""
    found = Libraries()
    for name, library in libraries.items():
        try:
            library.require()
            found[name] = library
        except NotInstalled as missing:
            notice(str(missing))
    return found


def notice(text):
    """Say, visibly, that something is left out."""
    print(f"⚠ {text}")
