"""What students do to notebooks, with real kernels. Not part of the gate: a quarter of an hour.

    python3 run.py test tests/slow_notebooks.py
"""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest
from jupyter_client.manager import start_new_kernel

from run import CHAPTERS as FOLDER
from tools.chapter import load

CHAPTERS = sorted(FOLDER.glob("[0-9]*.ipynb"))
LONG = 2.0  # seconds after which a cell is interrupted


class Kernel:
    """A kernel in the folder of the chapters."""

    def __init__(self, manager, client):
        self.manager, self.client = manager, client
        self.process = psutil.Process(manager.provisioner.process.pid)

    def run(self, source, interrupt_after=None, timeout=600):
        """Run a cell; "" or its error. If it still runs after `interrupt_after` seconds, interrupt it once."""
        begun, message = time.monotonic(), self.client.execute(source, allow_stdin=False)
        error, pending = "", interrupt_after
        while time.monotonic() - begun < timeout:
            if pending is not None and time.monotonic() - begun > pending:
                self.manager.interrupt_kernel()
                pending = None
            try:
                said = self.client.get_iopub_msg(timeout=0.1)
            except queue.Empty:
                assert self.manager.is_alive(), f"the kernel died in\n{source}"
                continue
            if said["parent_header"].get("msg_id") != message:
                continue
            if said["msg_type"] == "error":
                error = f"{said['content']['ename']}: {said['content']['evalue']}"
            if said["msg_type"] == "status" and said["content"]["execution_state"] == "idle":
                return error
        raise AssertionError(f"not done after {timeout} s:\n{source}")

    def memory(self):
        """Bytes of the kernel and of the processes it started that nobody else uses."""
        total = 0
        for process in [self.process, *self.process.children(recursive=True)]:
            try:
                total += process.memory_full_info().uss
            except psutil.NoSuchProcess:
                pass
        return total


@contextmanager
def kernel():
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(FOLDER))
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def cells(path):
    return [cell.text for cell in load(path).cells if cell.kind == "code"]


def imports(path):
    """The cells that import torch: an interrupt in the middle of that leaves it broken until the kernel restarts."""
    return [cell.text for cell in load(path).cells if "setup" in cell.tags or "available(" in cell.text]


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])
def test_interrupted_then_backwards_then_again(path):
    """Every long cell is interrupted and run again; then all cells backwards, which may fail but in one line each; and
    then once more from the first to the last, which must work in the same kernel."""
    with kernel() as student:
        interrupted, fragile = 0, imports(path)
        for source in cells(path):
            error = student.run(source, None if source in fragile else LONG)
            if error:
                assert error.startswith("KeyboardInterrupt"), f"{error}\n{source}"
                interrupted += 1
                assert not (error := student.run(source)), f"after an interrupt: {error}\n{source}"
        failed = {source: error for source in reversed(cells(path)) if (error := student.run(source))}
        assert all("\n" not in error.strip() for error in failed.values()), failed
        for source in cells(path):
            assert not (error := student.run(source)), f"the second time: {error}\n{source}"
    print(f"\n{path.stem}: {interrupted} cells interrupted, {len(failed)} failed backwards")
    for source, error in failed.items():
        print(f"    {error[:150]}   <- {source.splitlines()[0][:80]}")


def test_eight_kernels_at_once():
    """A student who never closes a chapter: eight run at the same time, and stay open."""
    everyone = threading.Barrier(8, timeout=3600)

    def read(path):
        with kernel() as student:
            try:
                for source in cells(path):
                    assert not (error := student.run(source, timeout=1800)), f"{error}\n{source}"
            except BaseException:
                everyone.abort()
                raise
            everyone.wait()
            return student.memory()

    with ThreadPoolExecutor(8) as pool:
        memory = [each / 1e9 for each in pool.map(read, CHAPTERS[:8])]
    print(f"\neight kernels, their chapters run: {sum(memory):.1f} GB, each at most {max(memory):.2f}")
    assert sum(memory) < 12
