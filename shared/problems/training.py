"""A training loop for torch networks on random batches, and their accuracy."""

import numpy as np
import torch
from torch import nn

from shared import chance


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
