"""A network and its loss as an oracle on the flat vector of its parameters."""

from collections import OrderedDict

import numpy as np
import torch
import torch._dynamo  # torch imports it at the first step otherwise, and is broken if a student interrupts just then
from torch.func import functional_call, grad, jacrev, vmap


class NetworkOracle:
    """The loss of a network as a landscape over the flat vector of its d parameters.

    f(x), f.grad(x) and f.hess(x) take and return NumPy arrays, x (..., d); the arithmetic has the model's own dtype.
    `inputs` (n, ...) and `targets` (n, ...) are the data, `loss(outputs, targets)` their mean loss. `start` holds the
    parameters the model came with, `n` and `subset` make it a finite sum for oracles.MiniBatch.
    """

    def __init__(self, model, loss, inputs, targets):
        self.model, self.loss = model, loss
        parameters = OrderedDict(model.named_parameters())
        self.shapes = {name: p.shape for name, p in parameters.items()}
        self.dtype = next(iter(parameters.values())).dtype
        self.start = np.concatenate([p.detach().numpy().ravel() for p in parameters.values()]).astype(float)
        self.inputs = torch.as_tensor(np.array(inputs) if isinstance(inputs, np.ndarray) else inputs)
        self.targets = torch.as_tensor(np.array(targets) if isinstance(targets, np.ndarray) else targets)
        if self.inputs.is_floating_point():
            self.inputs = self.inputs.to(self.dtype)
        if len(self.inputs) != len(self.targets):
            raise ValueError(f"NetworkOracle: {len(self.inputs)} inputs but {len(self.targets)} targets")

    @property
    def n(self):
        """The number of examples."""
        return len(self.targets)

    @property
    def dim(self):
        """The number d of parameters."""
        return len(self.start)

    def subset(self, indices):
        """The same network on these examples only."""
        rows = torch.as_tensor(np.array(indices))
        part = object.__new__(type(self))
        part.__dict__ = self.__dict__ | {"inputs": self.inputs[rows], "targets": self.targets[rows]}
        return part

    def tensors(self, flat):
        """The flat vector (d,) as the model's named tensors (views)."""
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        return {k: v.view(shape) for (k, shape), v in zip(self.shapes.items(), flat.split(sizes), strict=True)}

    def outputs(self, flat, inputs=None):
        """What the network answers for the flat parameters (d,), as a tensor."""
        return functional_call(self.model, self.tensors(flat), (self.inputs if inputs is None else inputs,))

    def value(self, flat):
        """The loss as a differentiable tensor of the flat parameters (d,): what curvature.py differentiates."""
        return self.loss(self.outputs(flat), self.targets)

    def tensor(self, x):
        """x as a tensor of the model's dtype, in memory of its own."""
        return torch.tensor(np.asarray(x), dtype=self.dtype)

    def _each(self, function, x):
        """function (d,) -> tensor, applied over the leading axes of x."""
        x = self.tensor(x)
        if x.ndim == 1:
            return function(x).detach().numpy().astype(float)
        out = vmap(function)(x.reshape(-1, x.shape[-1]))
        return out.detach().numpy().astype(float).reshape(*x.shape[:-1], *out.shape[1:])

    def __call__(self, x):
        with torch.no_grad():
            return self._each(self.value, x)

    def grad(self, x):
        if np.ndim(x) > 1:
            return self._each(grad(self.value), x)
        flat = self.tensor(x).requires_grad_()
        return torch.autograd.grad(self.value(flat), flat)[0].numpy().astype(float)

    def hess(self, x):
        return self._each(jacrev(grad(self.value)), x)  # reverse twice: every operation has that derivative

    def accuracy(self, x, inputs, targets):
        """The share of inputs whose largest output is the target, for x (d,)."""
        with torch.no_grad():
            guess = self.outputs(self.tensor(x), torch.as_tensor(np.array(inputs), dtype=self.dtype)).argmax(-1)
        return float((guess.numpy() == np.asarray(targets)).mean())
