"""What flows through the layers of a deep network, forward and back, and a thermometer for its steps (chapter 6)."""

from typing import NamedTuple

import numpy as np
import torch
from torch.func import functional_call

from shared.models.deep import linears

from .training import as_tensors


class Flow(NamedTuple):
    """Root mean squares per hidden layer l = 1 ... L, and of the update that a weight would see; arrays (L,)."""

    activations: np.ndarray  # h_l, the layer's output
    deltas: np.ndarray  # δ_l = ∂f/∂(W_l h_{l-1} + b_l), times the number of examples
    weight_grads: np.ndarray  # ∂f/∂W_l


def flow(model, loss, inputs, targets, weights=None):
    """What flows through the hidden layers of any model built of nn.Linear, on one batch, seen through hooks.

    h_l is what layer l + 1 receives. A mean loss divides every δ by the number of examples: that is undone, so that
    deltas do not depend on the batch size. `weights` (name -> tensor) stand in for the model's own; the model stays as
    it was, its gradients too.
    """
    seen = []

    def watch(layer, received, output):
        seen.append((layer.weight, received[0], output))

    hooks = [layer.register_forward_hook(watch) for layer in linears(model)]
    try:
        x, y = as_tensors(model, inputs, targets)
        value = loss(functional_call(model, weights or {}, x), y)
    finally:
        for hook in hooks:
            hook.remove()
    W, h, z = zip(*seen)
    L = len(seen) - 1  # the output layer is not hidden
    gradients = torch.autograd.grad(value, z[:L] + W[:L])
    h, δ, dW = (np.array([rms(tensor) for tensor in part]) for part in (h[1:], gradients[:L], gradients[L:]))
    return Flow(h, len(x) * δ, dW)


def rms(tensor):
    """The root of the mean square, in double precision: inf and nan stay what they are."""
    return tensor.detach().double().square().mean().sqrt().item()


def per_layer(values):
    """The factor from layer to layer of a positive quantity (..., L): exp of the slope of its logarithm, or nan."""
    with np.errstate(all="ignore"):
        y = np.log(np.asarray(values, dtype=float))
        depth = np.arange(y.shape[-1]) - (y.shape[-1] - 1) / 2
        return np.exp((y * depth).sum(-1) / (depth**2).sum())


def thermometer(model, step):
    """Take a step (call `step()`) and return ‖Δw‖/‖w‖ of every weight matrix, by name: about 1e-3 is healthy.

    A rule of thumb of A. Karpathy's, for the first steps: later a network that was destroyed may read the same. inf
    where ‖w‖ was 0.
    """
    weights = {name: w for name, w in model.named_parameters() if w.ndim > 1}
    before = {name: w.detach().clone() for name, w in weights.items()}
    step()
    with np.errstate(all="ignore"):
        return {name: float(np.divide(rms(w - before[name]), rms(before[name]))) for name, w in weights.items()}
