"""Split the layers: every rank is a stage, micro-batches flow through them."""

import time

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy

from .group import collect, device, experiment, rank, size
from .training import BATCH, OPTIMIZERS, batches, network


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

    if size() != 2:
        raise ValueError(f"pipeline_by_library has two stages and needs two ranks, got {size()}")
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

    def forward(i, h):
        time.sleep(seconds)
        return pause

    def backward(i, g):
        time.sleep(2 * seconds)
        return pause

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
