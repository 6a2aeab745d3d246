"""Deep networks under the microscope: initialisers, what flows through every layer, and a thermometer (chapter 6).

A layer is h ← φ(norm(W h + b)), with `residual` h ← h + φ(norm(W h + b)). Initialisers have a variance per weight that
is `gain`² times the scheme's; what they are for is in the chapter.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from . import chance
from .networks import ACTIVATIONS

NORMS = {  # batch norm keeps running averages only if asked: without them, vmap can batch networks
    "none": lambda width, running: nn.Identity(),
    "batch": lambda width, running: nn.BatchNorm1d(width, track_running_stats=running),
    "layer": lambda width, running: nn.LayerNorm(width),
    "group": lambda width, running: nn.GroupNorm(math.gcd(8, width), width),
}
SCALES = {  # scheme -> standard deviation of a weight, from fan-in and fan-out
    "zero": lambda n_in, n_out: 0.0,
    "small": lambda n_in, n_out: 0.01,
    "large": lambda n_in, n_out: 1.0,
    "lecun": lambda n_in, n_out: n_in**-0.5,  # LeCun et al. (1998), section 4.6
    "xavier": lambda n_in, n_out: (2 / (n_in + n_out)) ** 0.5,  # Glorot & Bengio (2010), equation 12, as a variance
    "he": lambda n_in, n_out: (2 / n_in) ** 0.5,  # He et al. (2015), equation 10
}
INITIALISERS = ("constant", *SCALES, "orthogonal", "lsuv", "torch")


class Layer(nn.Module):
    """One hidden layer: linear, norm, activation, dropout, with a shortcut around them if asked and if shapes allow."""

    def __init__(self, n_in, n_out, activation, norm, residual, dropout, running):
        super().__init__()
        self.linear, self.norm = nn.Linear(n_in, n_out), NORMS[norm](n_out, running)
        self.activation, self.dropout = ACTIVATIONS[activation](), nn.Dropout(dropout)
        self.residual = residual and n_in == n_out

    def forward(self, h):
        out = self.dropout(self.activation(self.norm(self.linear(h))))
        return h + out if self.residual else out


def deep(inputs, width, depth, outputs, *, activation="tanh", init="xavier", gain=1.0, norm="none", residual=False,
         dropout=0.0, running=False, seed=0, data=None, dtype=torch.float32):  # fmt: skip
    """`depth` hidden layers of `width` units and a linear output layer; biases start at 0. `data` is for LSUV only."""
    for name, value, accepted in (("activation", activation, ACTIVATIONS), ("norm", norm, NORMS)):
        if value not in accepted:
            raise ValueError(f"deep: unknown {name} {value!r}; choose from {', '.join(accepted)}")
    if depth < 1:
        raise ValueError(f"deep: depth must be at least 1, got {depth}")
    torch.manual_seed(chance.integer(seed))
    sizes = [inputs] + [width] * depth
    layers = [Layer(a, b, activation, norm, residual, dropout, running) for a, b in zip(sizes, sizes[1:])]
    model = nn.Sequential(*layers, nn.Linear(width, outputs)).to(dtype)
    return initialise(model, init, gain, seed=seed, data=data)


def linears(model):
    """The linear layers of a model, from the input to the output."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)]


@torch.no_grad()
def initialise(model, scheme, gain=1.0, *, seed=0, data=None):
    """Set every linear layer's weights by a scheme of INITIALISERS, its bias to 0; returns the model.

    "constant" gives all weights of a layer the value gain/fan-in, "torch" leaves what nn.Linear drew. "lsuv" starts
    orthogonal and then scales layer by layer so that its outputs on `data` have variance gain² (Mishkin & Matas 2016).
    """
    if scheme not in INITIALISERS:
        raise ValueError(f"initialise: unknown scheme {scheme!r}; choose from {', '.join(INITIALISERS)}")
    if scheme == "lsuv" and data is None:
        raise ValueError("initialise: lsuv measures activations, so it needs data=inputs")
    if scheme == "torch":
        return model
    generator = chance.generator(seed)
    for layer in linears(model):
        W = layer.weight
        if scheme == "constant":
            W.fill_(gain / W.shape[1])
        elif scheme in SCALES:
            W.normal_(0, gain * SCALES[scheme](W.shape[1], W.shape[0]), generator=generator)
        else:
            W.copy_(gain * _orthogonal(W, generator))
        if layer.bias is not None:
            layer.bias.zero_()
    if scheme == "lsuv":
        _unit_variance(model, gain, data)
    return model


def _orthogonal(like, generator):
    """Orthonormal rows or columns, uniformly distributed: Q of a Gaussian matrix (Saxe, McClelland & Ganguli 2014)."""
    rows, cols = like.shape
    A = torch.empty_like(like).normal_(generator=generator)
    Q, R = torch.linalg.qr(A if rows >= cols else A.T)
    Q = Q * R.diagonal().sign()  # without it Q is not uniformly distributed
    return Q if rows >= cols else Q.T


def _unit_variance(model, gain, data):
    """Divide every layer's weights by the standard deviation of its outputs, in one forward pass."""

    def rescale(layer, inputs, output):
        scale = gain / output.std()
        layer.weight.mul_(scale)
        return output * scale

    hooks = [layer.register_forward_hook(rescale) for layer in linears(model)]
    try:
        model(torch.as_tensor(np.array(data), dtype=next(model.parameters()).dtype))
    finally:
        for hook in hooks:
            hook.remove()


# ---- What flows --------------------------------------------------------------------------------------------------


class Flow(NamedTuple):
    """Root mean squares per hidden layer l = 1 ... L, and of the update that a weight would see; arrays (L,)."""

    activations: np.ndarray  # h_l, the layer's output
    deltas: np.ndarray  # δ_l = ∂f/∂(W_l h_{l-1} + b_l), times the number of examples
    weight_grads: np.ndarray  # ∂f/∂W_l


def flow(model, loss, inputs, targets):
    """What flows through the hidden layers of any model built of nn.Linear, on one batch, seen through hooks.

    h_l is what layer l + 1 receives. A mean loss divides every δ by the number of examples: that is undone, so that
    deltas do not depend on the batch size.
    """
    seen = []

    def watch(layer, received, output):
        output.retain_grad()
        seen.append((layer, received[0], output))

    hooks = [layer.register_forward_hook(watch) for layer in linears(model)]
    try:
        model.zero_grad()
        x, y = as_tensors(model, inputs, targets)
        loss(model(x), y).backward()
    finally:
        for hook in hooks:
            hook.remove()
    hidden, above = seen[:-1], seen[1:]
    found = Flow([rms(received) for _, received, _ in above],
                 [len(inputs) * rms(output.grad) for _, _, output in hidden],
                 [rms(layer.weight.grad) for layer, _, _ in hidden])  # fmt: skip
    model.zero_grad()
    return Flow(*map(np.array, found))


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

    A rule of thumb of A. Karpathy's: far below, the layer hardly learns; far above, it forgets. inf where ‖w‖ was 0.
    """
    weights = {name: w for name, w in model.named_parameters() if w.ndim > 1}
    before = {name: w.detach().clone() for name, w in weights.items()}
    step()
    with np.errstate(all="ignore"):
        return {name: float(np.divide(rms(w - before[name]), rms(before[name]))) for name, w in weights.items()}


# ---- Training ----------------------------------------------------------------------------------------------------


def train(model, inputs, targets, optimizer, steps, *, batch_size=50, loss=nn.functional.cross_entropy, clip=None,
          seed=0, watch=None):  # fmt: skip
    """Train in place on random batches; returns the batch losses (steps,). Stops at the first that is not finite.

    `clip` bounds the norm of the whole gradient, `watch(t)` is called after every step.
    """
    x, y = as_tensors(model, inputs, targets)
    if not 1 <= batch_size <= len(x):
        raise ValueError(f"train: batch_size must lie in [1, {len(x)}], got {batch_size}")
    generator, losses = chance.generator(seed), np.full(steps, np.nan)
    model.train()
    for t in range(steps):
        rows = torch.randperm(len(x), generator=generator)[:batch_size]
        optimizer.zero_grad()
        value = loss(model(x[rows]), y[rows])
        value.backward()
        losses[t] = value.item()
        if not np.isfinite(losses[t]):
            break
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        if watch:
            watch(t)
    return losses


def as_tensors(model, inputs, targets):
    """Inputs in the model's dtype, and targets (in it too unless they are integers)."""
    dtype = next(model.parameters()).dtype
    y = torch.as_tensor(np.array(targets))
    return torch.as_tensor(np.array(inputs), dtype=dtype), y.to(dtype) if y.is_floating_point() else y


@torch.no_grad()
def accuracy(model, inputs, targets):
    """The share of inputs whose largest output is the target, in evaluation mode (no dropout, running averages)."""
    x, y = as_tensors(model, inputs, targets)
    mode = model.training
    guess = model.eval()(x).argmax(-1)
    model.train(mode)
    return (guess == y).float().mean().item()
