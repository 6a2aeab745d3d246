"""Deep networks of equal layers in torch, and their initialisers (chapter 6).

A layer is h ← φ(norm(W h + b)), with `residual` h ← h + φ(norm(W h + b)). Initialisers have a variance per weight that
is `gain`² times the scheme's; what they are for is in the chapter.
"""

import math

import numpy as np
import torch
from torch import nn

from shared import chance

from .mlp import ACTIVATIONS

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
