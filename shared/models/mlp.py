"""The multilayer perceptron, in torch."""

import torch
import torch._dynamo  # torch imports it at the first step otherwise, and is broken if a student interrupts just then
from torch import nn

from shared import chance

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "linear": nn.Identity}


def mlp(*sizes, activation="relu", seed=0, dtype=torch.float64):
    """A multilayer perceptron with torch's default initialisation: mlp(64, 32, 10) has one hidden layer of 32 units."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"mlp: unknown activation {activation!r}; choose from {', '.join(ACTIVATIONS)}")
    torch.manual_seed(chance.integer(seed))
    layers = []
    for fan_in, fan_out in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(fan_in, fan_out, dtype=dtype), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])
