"""The program of one rank: join the group, run the named experiments one after the other, rank 0 writes the results.

On this machine `launch` starts it. On a cluster, torchrun (or Slurm's srun of it) does; only arguments change:

    torchrun --nnodes=4 --nproc-per-node=8 --rdzv-backend=c10d --rdzv-endpoint=HOST:29500 \\
        -m shared.distributed.workers --backend nccl --folder RESULTS by_hand ddp fsdp 'timings:{"repeats": 20}'

Every experiment takes its device from `group.device()`: with nccl the GPU of the local rank, with gloo the processor.
`parameter_server` and `hogwild` are for one machine's processors, `pipeline_by_library` for two ranks.
"""

import argparse
import gc
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import psutil
import torch
import torch.distributed as dist

from . import asynchronous, collectives, data_parallel, faults, group, pipeline, sharded, tensor_parallel  # noqa: F401  (they register their experiments)


def main(arguments=None):
    """Run from the command line; see the module."""
    parser = argparse.ArgumentParser(prog="shared.distributed.workers")
    parser.add_argument("--backend", default="gloo", choices=["gloo", "nccl"])
    parser.add_argument("--folder", type=Path, required=True, help="where results.npz goes")
    parser.add_argument("experiments", nargs="+", metavar='NAME or NAME:{"option": value}')
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    note = Note(options.folder)
    threading.Thread(target=watch, args=[note], daemon=True).start()
    torch.set_num_threads(1)
    try:
        results = {}
        jobs = [request(text) for text in options.experiments]
        group.join(options.backend, options.folder)
        for name, settings in jobs:
            note.experiment = name
            start = time.perf_counter()
            found = group.EXPERIMENTS[name](**settings) or {}
            dist.barrier()
            found["took"] = time.perf_counter() - start
            results |= {f"{name}/{key}": np.asarray(value) for key, value in found.items()}
            del found
            gc.collect()  # models with hooks on the group must be gone before it is destroyed
            dist.barrier()
        if dist.get_rank() == 0:
            np.savez(options.folder / "results.npz", **results)
        dist.barrier()
        dist.destroy_process_group()
    except Exception as error:
        note.write(short(traceback.extract_tb(error.__traceback__)), f"{type(error).__name__}: {error}")
        sys.stdout.flush()
        os._exit(1)  # not through the group's destructors, which may wait for the others


def request(text):
    """'ddp' or 'ddp:{"steps": 3}' as a name and its settings. Raises ValueError naming what there is."""
    name, _, settings = text.partition(":")
    if name not in group.EXPERIMENTS:
        raise ValueError(f"unknown experiment {name!r}; there are {', '.join(sorted(group.EXPERIMENTS))}")
    return name, json.loads(settings or "{}")


def short(frames, most=4):
    """The last frames inside this package, as lines 'file:line in function: code'."""
    inside = [f for f in frames if "shared" in Path(f.filename).parts and f.name != "main"]
    return [f"  {Path(f.filename).name}:{f.lineno} in {f.name}: {f.line}" for f in inside[-most:]] or ["  start-up"]


class Note:
    """What a rank leaves for the launcher if it fails."""

    def __init__(self, folder):
        self.folder, self.experiment, self.rank = folder, "start-up", int(os.environ.get("RANK", 0))

    def write(self, frames, error="", hangs=False):
        path = self.folder / f"error.{self.rank}.json"
        said = {"rank": self.rank, "experiment": self.experiment, "frames": frames, "error": error, "hangs": hangs}
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(said | {"time": time.time()}))
        partial.rename(path)  # whole or not at all


def watch(note):
    """Just before the deadline say where this rank stands; end it when whoever launched it is gone."""
    launcher, deadline = os.environ.get("COURSE_LAUNCHER"), float(os.environ.get("COURSE_DEADLINE", "inf"))
    while launcher and psutil.pid_exists(int(launcher)):
        if time.time() > deadline - 1:
            frame = sys._current_frames()[threading.main_thread().ident]
            note.write(short(traceback.extract_stack(frame)), hangs=True)
            deadline = float("inf")
        time.sleep(0.25)
    if launcher:
        os._exit(1)


if __name__ == "__main__":
    main()
