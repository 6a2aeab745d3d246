"""Split the matrices: every rank has some rows or columns of a layer."""

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from .group import collect, device, experiment, rank, size
from .training import OPTIMIZERS, batches, network


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
    split = [t.detach().tensor_split(size(), dim)[rank()].clone().requires_grad_()
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
