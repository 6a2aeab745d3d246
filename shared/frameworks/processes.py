"""Keras on another backend: a backend is chosen once per process, so this one asks another for its trajectories.

    there = Elsewhere("torch", {"Keras": ["Adam", "Momentum"]})          # starts at once, works in parallel
    there.result()          # {("Adam", "Keras", "numbers", None): (101, d), ..., "training": (101, d)}
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .base import NotInstalled

BACKENDS = ("tensorflow", "torch", "jax")
ALONE = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}  # beside the kernel; what silences a library is its own


class Elsewhere:
    """A process with Keras on `backend` that runs cases (library -> names of parity.CASES) and training.in_keras."""

    def __init__(self, backend, cases, training=False):
        if backend not in BACKENDS:
            raise ValueError(f"Keras has no backend {backend!r}; choose from {', '.join(BACKENDS)}")
        self.backend, self.found = backend, None
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name) / "paths.npz"
        job = json.dumps({"cases": cases, "training": training, "file": str(self.file)})
        self.process = subprocess.Popen(              # in a session of its own: an interrupted cell does not end it
            [sys.executable, "-m", __name__, job], env=os.environ | ALONE | {"KERAS_BACKEND": backend}, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=os.name != "nt")  # fmt: skip

    def result(self, timeout=300):
        """The trajectories, by what was asked; may be asked for again, also after an interrupt.

        Raises NotInstalled without the backend, RuntimeError if it failed.
        """
        if isinstance(self.found, Exception):
            raise self.found
        if self.found is None:
            try:
                _, said = self.process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()
                self.found = RuntimeError(f"Keras on {self.backend} did not answer within {timeout} s")
            else:
                self.found = self._read(said)
            self.folder.cleanup()
            return self.result()
        return self.found

    def _read(self, said):
        """What the process left: its trajectories, or the error that its last line tells."""
        if self.process.returncode:
            last = (said.strip().splitlines() or ["no message"])[-1]
            kind = NotInstalled if "ModuleNotFoundError" in last or "NotInstalled" in last else RuntimeError
            return kind(f"Keras on {self.backend}: {last}")
        with np.load(self.file) as file:
            return {_key(name): file[name] for name in file}


def _key(name):
    return name if name == "training" else tuple(json.loads(name))


def main(job):
    """What the other process does."""
    from . import LIBRARIES, parity, training
    from .problem import tiny_network

    job, found = json.loads(job), {}
    for library, names in job["cases"].items():
        paths = parity.paths({library: LIBRARIES[library]}, [parity.BY_NAME[name] for name in names])
        found |= {json.dumps(key): path for key, path in paths.items()}
    if job["training"]:
        found["training"] = training.in_keras(tiny_network())
    np.savez(job["file"], **found)


if __name__ == "__main__":
    main(sys.argv[1])
