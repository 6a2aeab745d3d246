"""One small network, its data and its optimizers: what every experiment of chapter 8 trains, the same on every rank.

Each experiment trains it for the same steps and returns all its parameters "x" (d,), to be compared with `single`,
which needs no group. Data: MNIST, 14 x 14 pixels. Everything is float64.
"""

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from shared import chance, data
from shared.models.mlp import mlp

from .group import device, rank, size

STEPS, BATCH = 20, 48
OPTIMIZERS = {
    "plain": lambda params: torch.optim.SGD(params, 0.1),
    "sgd": lambda params: torch.optim.SGD(params, 0.1, momentum=0.9),
    "adam": lambda params: torch.optim.Adam(params, 1e-2),
}


def network(seed=0):
    """196 - 48 - 48 - 10, tanh: the same on every rank, because the seed is."""
    return mlp(196, 48, 48, 10, activation="tanh", seed=seed).to(device())


def thumbnails():
    """MNIST's 4,000 training digits, averaged over 2 x 2 pixels: (4000, 196), (4000,)."""
    mnist = data.mnist()
    small = mnist.x_train.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196)
    return torch.as_tensor(small).to(device()), torch.as_tensor(mnist.y_train.copy()).to(device())


def batches(steps=STEPS, batch=BATCH, seed=0):
    """The examples of every step, `batch` of them, the same on every rank."""
    x, y = thumbnails()
    rows = chance.rng(seed).integers(len(y), size=(steps, batch))
    return [(x[r], y[r]) for r in rows]


def vector(model):
    """All parameters as one NumPy vector (d,)."""
    return parameters_to_vector(model.parameters()).detach().cpu().numpy()


def shard(x, y):
    """This rank's examples of a batch: every p-th, from its own number on. Shards may differ by one."""
    return x[rank() :: size()], y[rank() :: size()]


def share_of_loss(outputs, y, batch):
    """This rank's share of the mean loss of `batch` examples, for libraries that average over the ranks: p/B · Σ."""
    return size() / batch * cross_entropy(outputs, y, reduction="sum")


def single(optimizer="sgd", steps=STEPS, batch=BATCH):
    """The reference: one process, the whole batch. Returns the parameters (d,)."""
    model = network()
    opt = OPTIMIZERS[optimizer](model.parameters())
    for x, y in batches(steps, batch):
        opt.zero_grad()
        cross_entropy(model(x), y).backward()
        opt.step()
    return vector(model)
