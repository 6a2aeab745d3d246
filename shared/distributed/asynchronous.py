"""Less waiting and fewer bytes: local SGD, DiLoCo, a parameter server, Hogwild, compressed gradients, stragglers.

The network of `training` is here a landscape on a flat vector (NetworkOracle), so that an update is one line.
"""

import time

import numpy as np
import psutil
import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy

from shared import chance
from shared.optimizers import SGD, AdamW
from shared.problems.networks import NetworkOracle

from .compression import Full, Int8, Sign, TopK, nbytes, travels, with_feedback
from .group import collect, device, experiment, folder, rank, size
from .training import BATCH, batches, network, shard, share_of_loss, thumbnails, vector

CODECS = {"none": (Full(), False), "top 1 % + feedback": (TopK(0.01), True), "top 1 %": (TopK(0.01), False),
          "sign + feedback": (Sign(), True), "int8 + feedback": (Int8(), True)}  # fmt: skip


def oracle():
    """The loss of parallel's network on the thumbnails of MNIST."""
    x, y = thumbnails()
    return NetworkOracle(network().cpu(), cross_entropy, x.cpu(), y.cpu())


def average(x):
    """The mean over the ranks of a NumPy vector."""
    t = torch.as_tensor(np.array(x)).to(device())
    dist.all_reduce(t)
    return t.cpu().numpy() / size()


def loss(f, x):
    """The mean loss over every fifth training digit."""
    return float(f.subset(np.arange(0, f.n, 5))(x))


# ---- Communicate less often --------------------------------------------------------------------------------------


def rounds(inner, outer, every, steps, seed=0):
    """Each rank takes `every` steps of `inner` on its own data; the mean of what they moved is a gradient for `outer`.

        y_r ← x;  `every` times: y_r ← inner(y_r)        Δ = mean of (x − y_r)        x ← outer(x, Δ)

    With inner = SGD and outer = SGD(1) this is local SGD (Stich 2019), with AdamW and Nesterov momentum it is DiLoCo
    (Douillard et al. 2023). Returns the parameters, the losses (at the start; after every round unless `every` is 1; at
    the end), and the bytes a rank has sent.
    """
    f = oracle()
    examples = np.arange(rank(), f.n, size())
    draws = chance.rng([seed, rank()])
    x, memory, slow, seen = f.start, inner.State(), outer.State(), [loss(f, f.start)]
    for t in range(steps // every):
        y = x
        for h in range(every):
            batch = f.subset(draws.choice(examples, max(1, BATCH // size()), replace=False))
            y, memory = inner.step(batch, y, memory, t * every + h + 1)
        x, slow = outer.step(Pseudo(average(x - y)), x, slow, t + 1)
        seen += [loss(f, x)] if every > 1 else []
    seen += [loss(f, x)] if every == 1 else []
    return {"x": x, "losses": seen, "bytes": 2 * (size() - 1) / size() * x.nbytes * (steps // every)}


class Pseudo:
    """An oracle that knows one gradient."""

    def __init__(self, g):
        self.g = g

    def grad(self, x):
        return self.g


@experiment
def local_sgd(everies=(1, 10), steps=60, lr=0.2):
    """Local SGD: losses after `steps` steps and bytes by the number of local steps, and whether all ranks agree."""
    runs = [rounds(SGD(lr), SGD(1.0), H, steps) for H in everies]
    same = [np.ptp(collect(run["x"].sum())) == 0 for run in runs]
    return {"every": list(everies), "losses": [r["losses"][-1] for r in runs], "bytes": [r["bytes"] for r in runs],
            "same": same, "start": runs[0]["losses"][0]}  # fmt: skip


@experiment
def diloco(every=10, steps=60, lr=3e-3, outer_lr=0.7, momentum=0.9):
    """DiLoCo: inner AdamW, outer Nesterov momentum."""
    return rounds(AdamW(lr), SGD(outer_lr, momentum=momentum, nesterov=True), every, steps)


@experiment
def local_sgd_is_data_parallel(steps=20, lr=0.1):
    """Local SGD with one local step, on the shards of training.batches: parameters "x", to be those of plain SGD."""
    f = oracle()
    x = f.start
    for inputs, targets in batches(steps):
        mine = NetworkOracle(f.model, cross_entropy, *shard(inputs.cpu(), targets.cpu()))
        x = average(x - lr * mine.grad(x) * size() * mine.n / BATCH)  # shards may differ by one
    return {"x": x}


# ---- Do not wait -------------------------------------------------------------------------------------------------


@experiment
def parameter_server(updates=300, lr=0.1, slow=0.0):
    """Rank 0 holds x. A worker fetches x, computes a gradient, sends it, and never waits for the other workers.

    Worker 1 sleeps `slow` seconds a gradient. Returns the losses before and after, each update's worker, and its
    staleness τ: how many updates of others x has had since this worker fetched it.
    """
    f = oracle()
    d = len(f.start)
    if rank():
        examples, draws = np.arange(rank() - 1, f.n, size() - 1), chance.rng(rank())
        x = torch.empty(d, dtype=torch.float64)
        while True:
            dist.recv(x, 0)
            if x.isnan().all():
                return None
            time.sleep(slow * (rank() == 1))
            dist.send(torch.as_tensor(f.subset(draws.choice(examples, BATCH)).grad(x.numpy())), 0)
    x, g, version = f.start.copy(), torch.empty(d, dtype=torch.float64), 0
    fetched, staleness, workers = dict.fromkeys(range(1, size()), 0), [], []
    for worker in fetched:
        dist.send(torch.as_tensor(x), worker)
    for _ in range(updates):
        worker = dist.recv(g)  # from whoever comes first
        x -= lr * g.numpy()
        staleness.append(version - fetched[worker])
        workers.append(worker)
        version += 1
        fetched[worker] = version
        dist.send(torch.as_tensor(x), worker)
    for _ in fetched:  # the last gradients arrive too late
        dist.send(torch.full((d,), torch.nan, dtype=torch.float64), dist.recv(g))
    return {"staleness": staleness, "workers": workers, "losses": [loss(f, f.start), loss(f, x)]}


@experiment
def hogwild(updates=200, lr=0.1, adds=100_000):
    """All ranks write into one vector in shared memory, without a lock (Niu et al. 2011).

    "losses": before, after `updates` updates in all by all ranks, and after as many by one process. "lost": the share
    of `adds` additions of 1 to one number that a race of all ranks loses.
    """
    f = oracle()
    x, counter = shared_memory("x", f.start), shared_memory("counter", np.zeros(1))
    draws = chance.rng(rank())
    for _ in range(updates // size()):
        x -= lr * f.subset(draws.integers(f.n, size=BATCH)).grad(x)
    for _ in range(adds // size()):
        counter += 1
    dist.barrier()
    alone, draws = f.start.copy(), chance.rng(0)
    for _ in range(updates // size() * size() if rank() == 0 else 0):
        alone -= lr * f.subset(draws.integers(f.n, size=BATCH)).grad(alone)
    lost = 1 - counter[0] / (adds // size() * size())
    return {"losses": [loss(f, f.start), loss(f, np.array(x)), loss(f, alone)], "lost": lost}


def shared_memory(name, start):
    """One array for all ranks of this machine: a file mapped into the memory of each, deleted with the folder."""
    path = folder() / f"{name}.shared"
    if rank() == 0:
        np.memmap(path, float, "w+", shape=start.shape)[:] = start
    dist.barrier()
    return np.memmap(path, float, "r+", shape=start.shape)


# ---- Send fewer bytes --------------------------------------------------------------------------------------------


class Compressed:
    """A communication hook of DDP: every rank's gradient as a message, with or without error feedback.

    What adds up is added on its way, by an all-reduce; any other message must reach every rank as it is. `bytes` is
    what this rank has sent.
    """

    def __init__(self, codec, feedback):
        self.codec, self.feedback, self.error, self.bytes = codec, feedback, {}, 0

    def average(self, bucket):
        """The hook: DDP calls it as hook(state, bucket), and the state is this object."""
        g = bucket.buffer().cpu().numpy()
        message, sent, lost = with_feedback(self.codec, g, self.error.get(bucket.index(), np.zeros_like(g)))
        if self.feedback:
            self.error[bucket.index()] = lost
        self.bytes += travels(nbytes(message), size(), self.codec.adds)
        done = torch.futures.Future()
        if self.codec.adds:
            total = torch.as_tensor(message[0]).to(device())
            dist.all_reduce(total)
            done.set_result((total / size()).to(bucket.buffer()))
            return done
        gathered = []
        for part in message:  # all ranks' messages have the same shapes
            parts = [torch.empty_like(torch.as_tensor(part)).to(device()) for _ in range(size())]
            dist.all_gather(parts, torch.as_tensor(part).to(device()))
            gathered.append(torch.stack(parts).cpu().numpy())
        done.set_result(torch.as_tensor(self.codec.decode(gathered, len(g)).mean(0)).to(bucket.buffer()))
        return done


@experiment
def compressed(steps=40, lr=0.2):
    """DDP with compressed gradients: losses at the end and bytes sent by a rank, for each codec and PowerSGD.

    "bytes" is counted from the messages, "written" is what the operating system saw this process write while it
    trained: to the other ranks, with all that goes around it (nan where the system does not say).
    """
    from torch.distributed.algorithms.ddp_comm_hooks import powerSGD_hook
    from torch.nn.parallel import DistributedDataParallel

    f, names, examples = oracle(), [*CODECS, "PowerSGD"], batches(steps)
    losses, sent, seen = [], [], []
    for name in names:
        model = DistributedDataParallel(network())
        if name in CODECS:
            hook = Compressed(*CODECS[name])
            model.register_comm_hook(hook, Compressed.average)
        else:
            state = powerSGD_hook.PowerSGDState(None, matrix_approximation_rank=2, start_powerSGD_iter=2,
                                                min_compression_rate=1)  # fmt: skip
            model.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
        before = written()
        for x, y in examples:
            model.zero_grad()
            mine, targets = shard(x, y)
            share_of_loss(model(mine), targets, len(y)).backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= lr * p.grad
        seen.append(written() - before)
        losses.append(loss(f, vector(model.module)))
        if name in CODECS:
            sent.append(hook.bytes)
        else:  # float64; the first two steps are sent whole
            sent.append(travels(8 * (state.compression_stats()[2] + 2 * f.dim), size(), adds=True))
        del model
    return {"names": names, "losses": losses, "bytes": sent, "written": seen, "start": loss(f, f.start)}


def written():
    """Bytes that this process has written to files and sockets, as the operating system counts; nan if it does not."""
    counters = getattr(psutil.Process(), "io_counters", lambda: None)()
    return getattr(counters, "write_chars", np.nan)


# ---- Waiting, by the clock ---------------------------------------------------------------------------------------


@experiment
def stragglers(steps=40, seconds=0.02, sigma=0.3):
    """Every rank works (sleeps) for a random time, lognormal with spread `sigma`, then all meet in an all-reduce.

    Returns "own" (steps, p), the seconds each rank was told to work; "each", what all steps took if the ranks meet
    after each; and "once", if they work off the same times and meet only at the end.
    """
    own = seconds * chance.rng(rank()).lognormal(0, sigma, steps)
    token, took = torch.zeros(1, device=device()), {}
    for name, meetings in (("each", steps), ("once", 1)):
        dist.barrier()
        start = time.perf_counter()
        for part in np.split(own, meetings):
            for pause in part:
                time.sleep(pause)
            dist.all_reduce(token)
        took[name] = time.perf_counter() - start
    return {"own": np.transpose(collect(own))} | {name: max(collect(s)) for name, s in took.items()}


@experiment
def overlap(layers=8, seconds=0.01, nbytes=2**20, repeats=3):
    """A backward pass of `layers` layers, `seconds` each (asleep), and a gradient of `nbytes` for each.

    Seconds of the backward alone, of the all-reduces alone, one after the other, and overlapped: fastest of `repeats`.
    """
    buffers = [torch.zeros(nbytes // 4, device=device()) for _ in range(layers)]

    def run(compute, communicate, wait):
        dist.barrier()
        start, jobs = time.perf_counter(), []
        for x in buffers:
            if compute:
                time.sleep(seconds)
            if communicate and not wait:
                jobs.append(dist.all_reduce(x, async_op=True))
        if communicate and wait:
            jobs = [dist.all_reduce(x, async_op=True) for x in buffers]
        for job in jobs:
            job.wait()
        return time.perf_counter() - start

    ways = {"backward": (True, False, True), "all_reduce": (False, True, True), "after": (True, True, True),
            "overlapped": (True, True, False)}  # fmt: skip
    return {name: max(collect(min(run(*way) for _ in range(repeats)))) for name, way in ways.items()}
