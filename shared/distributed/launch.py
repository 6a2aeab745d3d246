"""Start experiments in worker processes, and get back arrays or one clear error. No process or file is left behind.

    results = launch("by_hand", "ddp", processes=2)
    results["ddp"]["x"]                                     # what rank 0 returned

The workers are `torch.distributed.run -m shared.distributed.workers`, as on a cluster (see workers.py). Start-up takes
some seconds, so give one launch many experiments.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

GRACE = 5.0  # seconds that torchrun has to end its workers before they are killed
ROOT = Path(__file__).parents[2]


class WorkerError(RuntimeError):
    """A worker raised, hung or was killed: which rank, in which experiment, where."""


def launch(*experiments, processes=2, timeout=120.0, options=None, backend="gloo"):
    """Run the experiments, one after the other, on `processes` ranks of this machine: {experiment: {name: array}}.

    `options` maps an experiment to keyword arguments. The arrays are what rank 0 returned. Raises ValueError for a
    request that cannot be run, and WorkerError, within `timeout` seconds and a grace of some more, with the traceback
    of the rank that failed first. An interrupt (KeyboardInterrupt) ends the workers, too.
    """
    from .workers import request

    options = options or {}
    if unknown := set(options) - set(experiments):
        raise ValueError(f"launch: options for {', '.join(sorted(unknown))}, which is not among the experiments")
    if not experiments or not isinstance(processes, int) or processes < 1 or not timeout > 0:
        raise ValueError(f"launch: needs an experiment, processes >= 1 and timeout > 0, got {experiments}, "
                         f"processes={processes!r}, timeout={timeout!r}")  # fmt: skip
    jobs = [f"{name}:{json.dumps(options.get(name, {}))}" for name in experiments]
    for job in jobs:
        request(job)  # a name that is not there fails here, not seconds later
    with tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True) as folder:
        folder = Path(folder)
        run = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
               f"--log-dir={folder}"]  # fmt: skip
        command = [*run, "--module", "shared.distributed.workers", f"--backend={backend}", f"--folder={folder}", *jobs]
        log = folder / "log"
        with log.open("wb") as out:
            agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT,
                                     env=environment(timeout, folder), start_new_session=os.name != "nt")  # fmt: skip
            try:
                code = agent.wait(timeout)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                end(agent)
        if code != 0:
            raise WorkerError(diagnosis(folder, log.read_text(errors="replace"), processes, timeout, code))
        with np.load(folder / "results.npz", allow_pickle=False) as file:
            results = {name: {} for name in experiments}
            for key, array in file.items():
                experiment, _, name = key.partition("/")
                results[experiment][name] = array
        return results


def environment(timeout, folder):
    """What the workers inherit: one thread each, the loopback interface, a place for files, whom to serve, how long."""
    loopback = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "COURSE_LAUNCHER": str(os.getpid()),
        "COURSE_DEADLINE": str(time.time() + timeout),
        **({"GLOO_SOCKET_IFNAME": loopback} if loopback else {}),
    }


def end(agent):
    """End torchrun and everything it started. Its workers have sessions of their own, so a signal to one group misses
    them: the list is taken before the first signal, and whoever is left after GRACE seconds is killed."""
    try:
        family = psutil.Process(agent.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    try:
        if agent.poll() is None:
            agent.send_signal(signal.SIGTERM)  # torchrun ends its workers itself
            agent.wait(GRACE)
    except subprocess.TimeoutExpired:
        pass
    finally:  # also if the student interrupts a second time
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        agent.kill()
        agent.wait()
        psutil.wait_procs(family, timeout=GRACE)


def diagnosis(folder, log, processes, timeout, code):
    """One message from what the ranks left: killed from outside, else whoever failed first, else the end of the log."""
    notes = [json.loads(path.read_text()) for path in folder.glob("error.*.json")]
    for rank, signum in re.findall(r"rank\s*: (\d+) \(local_rank[^\n]*\n\s*exitcode\s*: -(\d+) \(pid", log):
        if int(signum) not in (signal.SIGTERM, signal.SIGINT):
            name = signal.Signals(int(signum)).name
            return f"rank {rank} of {processes} was killed by {name}; the other ranks were ended"
    failed = [note for note in notes if not note["hangs"]]
    if code is not None and failed:
        first = min(failed, key=lambda note: note["time"])
        return (f"rank {first['rank']} of {processes} failed in {first['experiment']}: {first['error']}\n"
                + "\n".join(first["frames"]))  # fmt: skip
    if code is None:
        where = [f"  rank {n['rank']} stands in {n['experiment']}: {n['frames'][-1].strip()}" for n in
                 sorted(notes, key=lambda note: note["rank"])]  # fmt: skip
        return "\n".join([f"no result within {timeout:g} s: the workers were ended", *where])
    return f"the workers ended with code {code}:\n" + "\n".join(log.strip().splitlines()[-8:])
