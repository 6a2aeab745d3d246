"""One training step on several ranks: split the data, the optimizer's memory, the layers, or the matrices.

Every experiment trains the same small network for the same steps, and returns all its parameters "x" (d,), to be
compared with `single`, which needs no group. Data: MNIST, 14 x 14 pixels. Everything is float64.
"""

import time

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from shared import chance, data
from shared.networks import mlp

from .group import collect, device, experiment, rank, size

STEPS, BATCH = 20, 48  # 48 divides by 1, 2, 3, 4, 6, 8, ... ranks
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


def batches(steps=STEPS, size=BATCH, seed=0):
    """The examples of every step: (steps, size) row numbers, the same on every rank."""
    x, y = thumbnails()
    rows = chance.rng(seed).integers(len(y), size=(steps, size))
    return [(x[r], y[r]) for r in rows]


def vector(model):
    """All parameters as one NumPy vector (d,)."""
    return parameters_to_vector(model.parameters()).detach().cpu().numpy()


def single(optimizer="sgd", steps=STEPS):
    """The reference: one process, the whole batch. Returns the parameters (d,)."""
    model = network()
    opt = OPTIMIZERS[optimizer](model.parameters())
    for x, y in batches(steps):
        opt.zero_grad()
        cross_entropy(model(x), y).backward()
        opt.step()
    return vector(model)


# ---- Split the data ----------------------------------------------------------------------------------------------


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


# ---- Split the memory --------------------------------------------------------------------------------------------


def zero(stage, steps=STEPS):
    """ZeRO by hand on a flat vector (Rajbhandari et al. 2020): rank r owns slice r, and updates only that, with Adam.

        stage 1   the optimizer's memory is sliced             all-reduce g;        Adam on the slice;  all-gather x
        stage 2   so is the gradient                           reduce-scatter g;    Adam on the slice;  all-gather x
        stage 3   so are the parameters                        all-gather x before use, and forget;  as stage 2

    Stage 0 slices nothing. Returns the parameters, and the bytes of parameters, gradient and optimizer's memory that
    this rank keeps from one phase of a step to the next.
    """
    model = network()
    flat = parameters_to_vector(model.parameters()).detach()
    d, p = len(flat), size()
    padded = nn.functional.pad(flat, (0, -d % p))
    own = (padded.chunk(p)[rank()] if stage else padded).clone().requires_grad_()
    opt, share = OPTIMIZERS["adam"]([own]), torch.empty_like(own)
    whole = torch.empty_like(padded)
    for x, y in batches(steps):
        if stage:
            dist.all_gather_into_tensor(whole, own.detach())
        else:
            whole.copy_(own.detach())
        vector_to_parameters(whole[:d].clone(), model.parameters())
        model.zero_grad()
        cross_entropy(model(x[rank() :: p]), y[rank() :: p]).backward()
        g = nn.functional.pad(parameters_to_vector([w.grad for w in model.parameters()]), (0, -d % p)) / p
        if stage >= 2:
            dist.reduce_scatter_tensor(share, g)
        else:
            dist.all_reduce(g)
            share = g.chunk(p)[rank()] if stage else g
        own.grad = share
        opt.step()
    if stage:
        dist.all_gather_into_tensor(whole, own.detach())
    else:
        whole.copy_(own.detach())
    moments = sum(v.nbytes for v in opt.state[own].values() if v.ndim)
    kept = [own.nbytes if stage == 3 else whole.nbytes, share.nbytes if stage >= 2 else g.nbytes, moments]
    return {"x": whole[:d].cpu().numpy(), "bytes": kept}


@experiment
def zero_by_hand():
    """Stages 0 to 3: "x" (4, d), and "bytes" (4, 3) of parameters, gradient and optimizer on this rank."""
    stages = [zero(stage) for stage in range(4)]
    return {key: np.stack([s[key] for s in stages]) for key in ("x", "bytes")}


@experiment
def zero_by_library():
    """DDP with torch's ZeroRedundancyOptimizer, which is stage 1."""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    model = nn.parallel.DistributedDataParallel(network())
    opt = ZeroRedundancyOptimizer(model.parameters(), torch.optim.Adam, lr=1e-2)
    for x, y in batches():
        opt.zero_grad()
        cross_entropy(model(x[rank() :: size()]), y[rank() :: size()]).backward()
        opt.step()
    moments = sum(v.nbytes for s in opt.optim.state.values() for v in s.values() if v.ndim)
    return {"x": vector(model.module), "bytes": collect(moments)}


@experiment
def fsdp():
    """FSDP2, `fully_shard`: stage 3 layer by layer. Bytes of parameters, gradient and optimizer on this rank."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device().type, (size(),))
    model = network()
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    opt = OPTIMIZERS["adam"](model.parameters())
    for x, y in batches():
        opt.zero_grad()
        cross_entropy(model(x[rank() :: size()]), y[rank() :: size()]).backward()
        opt.step()
    local = lambda tensors: sum(t.to_local().nbytes for t in tensors)
    kept = [local(model.parameters()), local(p.grad for p in model.parameters()),
            local(v for s in opt.state.values() for v in s.values() if v.ndim)]  # fmt: skip
    return {"x": torch.cat([p.full_tensor().detach().flatten() for p in model.parameters()]).cpu(), "bytes": kept}


# ---- Split the matrices ------------------------------------------------------------------------------------------


class Copy(torch.autograd.Function):
    """Forward: the same on all ranks. Backward: add up what the ranks send back."""

    @staticmethod
    def forward(ctx, h):
        return h.view_as(h)

    @staticmethod
    def backward(ctx, g):
        g = g.clone()
        dist.all_reduce(g)
        return g


class Sum(torch.autograd.Function):
    """Forward: add up the ranks' parts. Backward: every part receives the same."""

    @staticmethod
    def forward(ctx, h):
        h = h.clone()
        dist.all_reduce(h)
        return h

    @staticmethod
    def backward(ctx, g):
        return g


@experiment
def tensor_by_hand():
    """W₂ tanh(W₁ x): each rank has some rows of W₁ and the same columns of W₂, and one sum is needed (Megatron).

    The first two matrices are split, the last layer is computed by everybody.
    """
    model = network()
    first, second, last = model[0], model[2], model[4]
    split = [t.detach().chunk(size(), dim)[rank()].clone().requires_grad_()
             for t, dim in ((first.weight, 0), (first.bias, 0), (second.weight, 1))]  # fmt: skip
    W1, b1, W2 = split
    opt = OPTIMIZERS["sgd"]([*split, second.bias, *last.parameters()])
    for x, y in batches():
        opt.zero_grad()
        part = torch.tanh(Copy.apply(x) @ W1.T + b1) @ W2.T
        cross_entropy(last(torch.tanh(Sum.apply(part) + second.bias)), y).backward()
        opt.step()
    W1, b1, W2 = ([torch.as_tensor(v) for v in collect(t.detach().cpu().numpy())] for t in split)
    whole = [torch.cat(W1), torch.cat(b1), torch.cat(W2, 1), second.bias, *last.parameters()]
    return {"x": parameters_to_vector([t.to(device()) for t in whole]).detach().cpu()}


@experiment
def tensor_by_library():
    """The same by parallelize_module."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    mesh = init_device_mesh(device().type, (size(),))
    model = parallelize_module(network(), mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    groups = [{"params": [p]} for p in model.parameters()]  # sharded and plain tensors do not share one fused step
    opt = torch.optim.SGD(groups, 0.1, momentum=0.9, foreach=False)
    for x, y in batches():
        opt.zero_grad()
        cross_entropy(model(x), y).backward()
        opt.step()
    whole = [p.full_tensor() if hasattr(p, "full_tensor") else p for p in model.parameters()]
    return {"x": torch.cat([p.detach().flatten() for p in whole]).cpu()}


# ---- Split the layers --------------------------------------------------------------------------------------------


def gpipe(micro, forward, backward, shape):
    """One step of a pipeline: all micro-batches forward, then all of them back (Huang et al. 2019).

    forward(i, h) -> output of this rank's stage, backward(i, g) -> gradient by its input, where h and g have `shape`
    and come from the neighbours. Returns what this rank did: rows (micro-batch, 0 forward or 1 backward, from, until).
    """
    r, last, done, sent = rank(), size() - 1, [], []
    for way, work, source, to in ((0, forward, r - 1, r + 1), (1, backward, r + 1, r - 1)):
        for i in range(micro):
            arrived = None
            if 0 <= source <= last:
                arrived = torch.empty(shape, dtype=torch.float64, device=device())
                dist.recv(arrived, source)
            start = time.time()
            out = work(i, arrived)
            done.append((i, way, start, time.time()))
            if 0 <= to <= last:
                sent.append((dist.isend(out, to), out))
    for job, _ in sent:
        job.wait()
    return done


@experiment
def pipeline_by_hand(micro=4):
    """Each rank holds one stage of the network; with more than two ranks the middle ones only pass on."""
    model = network()
    middle = 2 if size() > 1 else len(model)
    stages = [model[:middle], *[nn.Identity()] * (size() - 2), model[middle:]]
    stage, first, last = stages[rank()], rank() == 0, rank() == size() - 1
    opt = OPTIMIZERS["sgd"](model.parameters())
    for x, y in batches():
        opt.zero_grad()
        part = Part(stage, x.chunk(micro) if first else None, y.chunk(micro) if last else None)
        gpipe(micro, part.forward, part.backward, (BATCH // micro, 48))
        opt.step()
    return {"x": joined(stage)}


class Part:
    """What one rank does with one batch: its stage, the inputs if it is the first, the targets if it is the last."""

    def __init__(self, stage, inputs, targets):
        self.stage, self.inputs, self.targets, self.seen, self.out = stage, inputs, targets, {}, {}

    def forward(self, i, h):
        self.seen[i] = self.inputs[i] if self.inputs else h.requires_grad_()
        self.out[i] = self.stage(self.seen[i])
        if self.targets:
            self.out[i] = cross_entropy(self.out[i], self.targets[i]) / len(self.targets)
        return self.out[i].detach()

    def backward(self, i, g):
        self.out[i].backward(g)
        return self.seen[i].grad


def joined(stage):
    """All parameters, of this rank's stage and of the others', as one vector (d,)."""
    parts = collect([p.detach().cpu().numpy().ravel() for p in stage.parameters()])
    return np.concatenate([p for part in parts for p in part])


@experiment
def pipeline_by_library(micro=4):
    """The same by torch.distributed.pipelining; two ranks."""
    from torch.distributed.pipelining import PipelineStage, ScheduleGPipe

    model = network()
    stage_model = [model[:2], model[2:]][rank()]
    stage = PipelineStage(stage_model, rank(), 2, device())
    schedule = ScheduleGPipe(stage, micro, loss_fn=cross_entropy)
    opt = OPTIMIZERS["sgd"](stage_model.parameters())
    for x, y in batches():
        opt.zero_grad()
        schedule.step(*([x] if rank() == 0 else []), **({} if rank() == 0 else {"target": y}))
        opt.step()
    return {"x": joined(stage_model)}


@experiment
def pipeline_clock(micros=(1, 2, 4, 8), seconds=0.02, repeats=2):
    """What the pipeline's schedule costs, with stages that take a known time: they sleep instead of computing.

    Forward takes `seconds`, backward twice that, per micro-batch. Returns the time of a step, the fastest of `repeats`
    (micros,), and the "timeline" of one step with 4 micro-batches: rows (rank, micro-batch, way, from, until).
    """
    pause = torch.zeros(1, dtype=torch.float64)
    forward = lambda i, h: time.sleep(seconds) or pause
    backward = lambda i, g: time.sleep(2 * seconds) or pause
    times, timeline = [], []
    for micro in micros:
        best = np.inf
        for _ in range(repeats):
            dist.barrier()
            done = collect(gpipe(micro, forward, backward, (1,)))
            start = min(row[2] for rows in done for row in rows)
            took = max(row[3] for rows in done for row in rows) - start
            if micro == 4 and took < best:
                timeline = [(r, i, way, a - start, b - start) for r, rows in enumerate(done) for i, way, a, b in rows]
            best = min(best, took)
        times.append(best)
    return {"micros": list(micros), "seconds": times, "timeline": timeline}

