"""Split the data: gradients of shards are averaged, by hand and by DistributedDataParallel."""

from contextlib import nullcontext

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.functional import cross_entropy

from .group import experiment, rank, size
from .tensor_parallel import Copy, Sum
from .training import BATCH, OPTIMIZERS, batches, network, shard, share_of_loss, vector


@experiment
def by_hand(share=0.5, weighted=True):
    """Data parallel: every rank sums over its shard, all-reduce adds the sums, everybody divides by the batch size.

    Rank 0 takes `share` of each batch, the others divide the rest. Not `weighted`: average the shards' means instead.
    """
    model = network()
    opt = OPTIMIZERS["sgd"](model.parameters())
    for x, y in batches():
        cut = np.round(BATCH * np.append(0, share + (1 - share) * np.linspace(0, 1, size()))).astype(int)
        cut[-1] = BATCH  # all of it, if there is one rank only
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
def ddp(micro=1, wait=True, batch=BATCH):
    """The same by DistributedDataParallel, which averages gradients while the backward pass still runs.

    With `micro` > 1, gradients of that many micro-batches are accumulated, and all but the last `wait` (no_sync).
    "all_reduces" counts the times that DDP sent a gradient.
    """
    model = nn.parallel.DistributedDataParallel(network())
    calls = []
    model.register_comm_hook(calls, counted)
    opt = OPTIMIZERS["sgd"](model.parameters())
    for x, y in batches(batch=batch):
        opt.zero_grad()
        inputs, targets = shard(x, y)
        parts = list(zip(inputs.tensor_split(micro), targets.tensor_split(micro)))
        for i, (a, b) in enumerate(parts):
            with model.no_sync() if wait and i < micro - 1 else nullcontext():
                share_of_loss(model(a), b, batch).backward()
        opt.step()
    return {"x": vector(model.module), "all_reduces": len(calls)}


def counted(calls, bucket):
    """DDP's own all-reduce as a hook, which counts its calls."""
    calls.append(bucket.index())
    return allreduce_hook(None, bucket)


@experiment
def accumulated(micro=4):
    """DDP with four micro-batches a step: "all_reduces" with no_sync, and how many "without"."""
    return ddp(micro) | {"without": ddp(micro, wait=False)["all_reduces"]}


@experiment
def synced_batch_norm():
    """How far the gradient is from that of the whole batch, relative, with batch norm on each rank's shard and synced.

    Synced: the sums of x and x² go through an all-reduce whose backward is an all-reduce, too.
    """

    def gradient(x, y, total, away):
        """The gradient of the mean loss; `total` adds a statistic up, `away` is its count of examples."""
        params = [p.detach().clone().requires_grad_() for p in network().parameters()]
        W1, b1, W2, b2, W3, b3 = params
        h = x @ W1.T + b1
        mean = total(h.sum(0)) / away
        variance = total((h - mean).square().sum(0)) / away
        h = torch.tanh((h - mean) / (variance + 1e-5).sqrt())
        out = torch.tanh(h @ W2.T + b2) @ W3.T + b3
        loss = cross_entropy(out, y, reduction="sum") / BATCH
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, params)])

    x, y = batches(1)[0]
    own = shard(x, y)
    whole = gradient(x, y, lambda s: s, BATCH)
    everywhere = lambda s: Copy.apply(Sum.apply(s))
    parts = {"own": gradient(*own, lambda s: s, len(own[1])), "synced": gradient(*own, everywhere, BATCH)}
    for g in parts.values():
        dist.all_reduce(g)
    return {name: ((g - whole).norm() / whole.norm()).item() for name, g in parts.items()}
