"""Split the memory: ZeRO by hand and by the library, and FSDP2."""

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from .group import collect, device, experiment, rank, size
from .training import OPTIMIZERS, STEPS, batches, network, vector


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
