"""All-reduce by hand: ring, tree and parameter server out of send and receive, and how long they take."""

import time

import torch
import torch.distributed as dist

from shared import chance

from .cost import Link
from .group import collect, device, experiment, rank, size


class Wire:
    """How tensors travel: send, receive, and both at once."""

    def send(self, x, to):
        dist.send(x, to)

    def recv(self, x, source):
        dist.recv(x, source)

    def exchange(self, outgoing, to, incoming, source):
        """Send one tensor while another arrives."""
        jobs = [dist.isend(outgoing, to), dist.irecv(incoming, source)]
        for job in jobs:
            job.wait()


class SlowWire(Wire):
    """A network that this machine does not have: a message waits until both ends are free, then takes α + bytes/β."""

    def __init__(self, link):
        self.link, self.ready = link, torch.zeros(1, device=device())

    def send(self, x, to):
        dist.recv(torch.empty_like(self.ready), to)
        time.sleep(self.link(x.nbytes))
        dist.send(x, to)

    def recv(self, x, source):
        dist.send(self.ready, source)
        dist.recv(x, source)

    def exchange(self, outgoing, to, incoming, source):
        super().exchange(self.ready, source, torch.empty_like(self.ready), to)
        time.sleep(self.link(outgoing.nbytes))
        super().exchange(outgoing, to, incoming, source)


def ring_all_reduce(x, wire=None):
    """The sum of x over all p ranks, in place, sending only to the next rank (Patarasuk & Yuan 2009).

        cut x into p chunks
        reduce-scatter:  for s = 0 ... p−2:  send chunk r − s,      receive chunk r − s − 1 and ADD it
        all-gather:      for s = 0 ... p−2:  send chunk r + 1 − s,  receive chunk r − s and KEEP it

    Rank r sends 2(p−1)/p of the bytes of x, however many ranks there are. Chunk numbers are modulo p.
    """
    wire, r, p = wire or Wire(), rank(), size()
    chunks = x.tensor_split(p)  # views: lengths may differ by one
    right, left = (r + 1) % p, (r - 1) % p
    for s in range(p - 1):
        mine, theirs = chunks[(r - s) % p], chunks[(r - s - 1) % p]
        arrived = torch.empty_like(theirs)
        wire.exchange(mine, right, arrived, left)
        theirs += arrived
    for s in range(p - 1):
        wire.exchange(chunks[(r + 1 - s) % p], right, chunks[(r - s) % p], left)
    return x


def tree_all_reduce(x, wire=None):
    """The sum of x over all ranks, in place: pairs, pairs of pairs, ... up to rank 0, and down again.

    2 ⌈log₂ p⌉ messages one after the other, each with all of x.
    """
    wire, r, p = wire or Wire(), rank(), size()
    arrived, strides = torch.empty_like(x), [2**k for k in range((p - 1).bit_length())]
    for stride in strides:
        if r % (2 * stride) == stride:
            wire.send(x, r - stride)
        elif r % (2 * stride) == 0 and r + stride < p:
            wire.recv(arrived, r + stride)
            x += arrived
    for stride in reversed(strides):
        if r % (2 * stride) == stride:
            wire.recv(x, r - stride)
        elif r % (2 * stride) == 0 and r + stride < p:
            wire.send(x, r + stride)
    return x


def server_all_reduce(x, wire=None):
    """The sum of x over all ranks, in place: everybody sends to rank 0, which adds and sends back."""
    wire = wire or Wire()
    if rank():
        wire.send(x, 0)
        wire.recv(x, 0)
        return x
    arrived = torch.empty_like(x)
    for source in range(1, size()):
        wire.recv(arrived, source)
        x += arrived
    for to in range(1, size()):
        wire.send(x, to)
    return x


def library_all_reduce(x, wire=None):
    """torch.distributed's own."""
    dist.all_reduce(x)
    return x


ALGORITHMS = {"ring": ring_all_reduce, "tree": tree_all_reduce, "server": server_all_reduce,
              "library": library_all_reduce}  # fmt: skip


@experiment
def all_reduces(lengths=(1, 5, 64, 1000, 4097)):
    """Largest relative difference of each algorithm from the sum of what every rank drew: "ring", "tree", ..."""
    found = dict.fromkeys(ALGORITHMS, 0.0)
    for length in lengths:
        mine = torch.randn(length, dtype=torch.float64, generator=chance.generator(rank())).to(device())
        total = sum(torch.as_tensor(v) for v in collect(mine.cpu().numpy())).to(device())
        for name, algorithm in ALGORITHMS.items():
            error = (algorithm(mine.clone()) - total).abs().max() / total.abs().max()
            found[name] = max(found[name], error.item())
    return {name: max(collect(error)) for name, error in found.items()}


@experiment
def timings(sizes=tuple(2**k for k in range(12, 24)), repeats=10, algorithms=("library", "ring"), link=None):
    """Seconds of an all-reduce of `sizes` bytes (float32), the fastest of `repeats`, the slowest rank: (sizes,).

    Sizes are visited in turn, so that a busy moment of the machine does not hit one size only. `link` = (latency,
    bandwidth) puts a slow network between the ranks.
    """
    wire = SlowWire(Link(*link)) if link else Wire()
    buffers = [torch.zeros(n // 4, device=device()) for n in sizes]
    best = {name: [float("inf")] * len(sizes) for name in algorithms}
    for _ in range(repeats):
        for i, x in enumerate(buffers):
            for name in algorithms:
                dist.barrier()
                start = time.perf_counter()
                ALGORITHMS[name](x, wire)
                if x.is_cuda:
                    torch.cuda.synchronize()
                best[name][i] = min(best[name][i], time.perf_counter() - start)
    every = collect(best)
    slowest = {name: [max(b[name][i] for b in every) for i in range(len(sizes))] for name in best}
    return {"bytes": list(sizes), **slowest}


@experiment
def slow_network(sizes=(2**14, 2**18, 2**22), link=(0.015, 60e6), repeats=2):
    """`timings` of ring, tree and server on an emulated network."""
    return timings(sizes, repeats, ("ring", "tree", "server"), link)
