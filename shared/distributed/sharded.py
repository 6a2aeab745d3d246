"""Split the memory: ZeRO by hand and by the library, and FSDP2."""

import gc

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector

from .group import collect, device, experiment, rank, size
from .training import BATCH, OPTIMIZERS, STEPS, batches, network, shard, share_of_loss, vector


def zero(stage, steps=STEPS, batch=BATCH):
    """ZeRO by hand on a flat vector (Rajbhandari et al. 2020): rank r owns slice r, and updates only that, with Adam.

        stage 1   the optimizer's memory is sliced        reduce-scatter g;  Adam on the slice;  all-gather x
        stage 2   so is the gradient                      the same, and forget g
        stage 3   so are the parameters                   all-gather x, use, forget;  as stage 2

    Stage 0 slices nothing: all-reduce g. Returns the parameters; the bytes of parameters, gradient and optimizer's
    memory that this rank keeps between two steps; and "alive", the bytes of all its tensors, between two steps and at
    the fullest moment of a step.
    """
    gc.collect()
    examples, p = batches(steps, batch), size()
    before, model = alive(), network()
    whole = parameters_to_vector(model.parameters()).detach()
    d = len(whole)
    whole = nn.functional.pad(whole, (0, -d % p))
    model.to("meta")  # its shapes only
    own = whole.chunk(p)[rank()] if stage else whole  # a view
    if stage == 3:
        own, whole = own.clone(), None
    opt = OPTIMIZERS["adam"]([own])
    for step, (x, y) in enumerate(examples):
        opt.zero_grad()
        x, y = shard(x, y)
        used = (gathered(own) if stage == 3 else whole).detach().requires_grad_()
        loss = share_of_loss(functional_call(model, named(model, used), (x,)), y, batch) / p
        (g,) = torch.autograd.grad(loss, used)
        full = alive() - before if step == steps - 1 else None  # the last step, with all that earlier ones left
        del used, loss
        own.grad = reduced(g, stage)
        del g
        opt.step()
        if stage in (1, 2):
            whole.copy_(gathered(own))
    kept = [nbytes([own if stage == 3 else whole]), nbytes([own.grad]), nbytes(opt.state[own].values())]
    found = {"bytes": kept, "alive": [alive() - before, full]}
    return {"x": (gathered(own) if stage else own)[:d].cpu().numpy()} | found


def named(model, flat):
    """The flat vector as the model's parameters, name -> view."""
    shapes = {name: p.shape for name, p in model.named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]
    return {k: v.view(shapes[k]) for k, v in zip(shapes, flat[: sum(sizes)].split(sizes))}


def gathered(own):
    """All ranks' slices, one after the other."""
    whole = own.new_empty(size() * len(own))
    dist.all_gather_into_tensor(whole, own.detach().clone())
    return whole


def reduced(g, stage):
    """The sum over the ranks that Adam sees: all of it at stage 0, else this rank's slice; at stage 1 a view of g."""
    if stage == 0:
        dist.all_reduce(g)
        return g
    share = g.new_empty(len(g) // size())
    dist.reduce_scatter_tensor(share, g)
    return share if stage >= 2 else g.chunk(size())[rank()].copy_(share)


def nbytes(tensors):
    """Bytes of memory behind these tensors, each piece once: a view keeps all of what it looks at."""
    storages = [t.untyped_storage() for t in tensors if not t.is_meta]
    return sum({s.data_ptr(): s.nbytes() for s in storages}.values())


def alive():
    """Bytes of all tensors of this process, however they are called: asked from Python's garbage collector."""
    kinds = (torch.Tensor, nn.Parameter)
    found = [o for o in gc.get_objects() if type(o) in kinds]
    return nbytes(found + [t.grad for t in found if t.is_leaf and type(t.grad) in kinds])


@experiment
def zero_by_hand(batch=BATCH):
    """Stages 0 to 3: "x" (4, d), "bytes" (4, 3) of parameters, gradient and optimizer on this rank, "alive" (4, 2)."""
    stages = [zero(stage, batch=batch) for stage in range(4)]
    return {key: np.stack([s[key] for s in stages]) for key in ("x", "bytes", "alive")}


@experiment
def zero_by_library(batch=BATCH):
    """DDP with torch's ZeroRedundancyOptimizer, which is stage 1."""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    model = nn.parallel.DistributedDataParallel(network())
    opt = ZeroRedundancyOptimizer(model.parameters(), torch.optim.Adam, lr=1e-2)
    for x, y in batches(batch=batch):
        x, y = shard(x, y)
        opt.zero_grad()
        share_of_loss(model(x), y, batch).backward()
        opt.step()
    moments = sum(v.nbytes for s in opt.optim.state.values() for v in s.values() if v.ndim)
    return {"x": vector(model.module), "bytes": collect(moments)}


@experiment
def fsdp(batch=BATCH):
    """FSDP2, `fully_shard`: stage 3 layer by layer. "bytes" and "alive" between two steps on this rank, as `zero`."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    gc.collect()
    examples, mesh = batches(batch=batch), init_device_mesh(device().type, (size(),))
    before, model = alive(), network()
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    opt = OPTIMIZERS["adam"](model.parameters())
    for x, y in examples:
        x, y = shard(x, y)
        opt.zero_grad()
        share_of_loss(model(x), y, batch).backward()
        opt.step()
    held = alive() - before
    local = lambda tensors: sum(t.to_local().nbytes for t in tensors)
    kept = [local(model.parameters()), local(p.grad for p in model.parameters()),
            local(v for s in opt.state.values() for v in s.values() if v.ndim)]  # fmt: skip
    return {"x": torch.cat([p.full_tensor().detach().flatten() for p in model.parameters()]).cpu(), "bytes": kept,
            "alive": held}  # fmt: skip
