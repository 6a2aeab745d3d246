"""Split the data: gradients of shards are averaged, by hand and by DistributedDataParallel."""

import numpy as np
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy

from .group import experiment, rank, size
from .training import BATCH, OPTIMIZERS, batches, network, vector


@experiment
def by_hand(share=0.5, weighted=True):
    """Data parallel: every rank sums over its shard, all-reduce adds the sums, everybody divides by the batch size.

    Rank 0 takes `share` of each batch, the others divide the rest. Not `weighted`: average the shards' means instead.
    """
    model = network()
    opt = OPTIMIZERS["sgd"](model.parameters())
    for x, y in batches():
        cut = np.round(BATCH * np.append(0, share + (1 - share) * np.linspace(0, 1, size()))).astype(int)
        mine = slice(cut[rank()], cut[rank() + 1])
        opt.zero_grad()
        cross_entropy(model(x[mine]), y[mine], reduction="sum").backward()
        for p in model.parameters():
            p.grad /= BATCH if weighted else size() * (cut[rank() + 1] - cut[rank()])
            dist.all_reduce(p.grad)
        opt.step()
    return {"x": vector(model)}


@experiment
def unequal():
    """Shards of 3/4 and 1/4 of the batch: weighted, and averaged as if they were equal."""
    return {"weighted": by_hand(0.75)["x"], "averaged": by_hand(0.75, weighted=False)["x"]}


@experiment
def ddp(micro=1):
    """The same by DistributedDataParallel, which averages gradients while the backward pass still runs.

    With `micro` > 1, gradients of that many micro-batches are accumulated and only the last backward communicates.
    """
    model = nn.parallel.DistributedDataParallel(network())
    opt = OPTIMIZERS["sgd"](model.parameters())
    for x, y in batches():
        opt.zero_grad()
        parts = list(zip(x[rank() :: size()].chunk(micro), y[rank() :: size()].chunk(micro)))
        for i, (a, b) in enumerate(parts):
            model.require_backward_grad_sync = i == len(parts) - 1
            (cross_entropy(model(a), b) / len(parts)).backward()
        opt.step()
    return {"x": vector(model.module)}


@experiment
def accumulated():
    """DDP with four micro-batches a step: one all-reduce instead of four."""
    return ddp(micro=4)
