"""What can go wrong on one rank while the others wait for it: it raises, hangs, or is killed."""

import os
import signal
import time

import torch
import torch.distributed as dist

from .group import experiment, rank, size


def meet():
    """An all-reduce: every rank waits here for the others."""
    dist.all_reduce(torch.ones(1))


@experiment
def raises():
    """The last rank divides by zero."""
    if rank() == size() - 1:
        return 1 / 0
    return meet()


@experiment
def hangs():
    """The last rank never comes."""
    while rank() == size() - 1:
        time.sleep(1)
    meet()


@experiment
def killed():
    """The last rank is killed, as by a machine without memory."""
    if rank() == size() - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    meet()
