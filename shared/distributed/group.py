"""What every experiment needs of its group: rank, size, device, and the registry of experiments."""

import os
from datetime import timedelta

import torch
import torch.distributed as dist

EXPERIMENTS = {}  # name -> function that every rank runs; what rank 0 returns is the result
_place = {"device": torch.device("cpu"), "folder": None}


def experiment(function):
    """Register a function, under its name, as one that `launch` can run."""
    EXPERIMENTS[function.__name__] = function
    return function


def join(backend, folder):
    """Join the group that torchrun described in the environment."""
    if backend == "nccl":
        local = int(os.environ["LOCAL_RANK"])
        torch.cuda.set_device(local)
        _place["device"] = torch.device("cuda", local)
    _place["folder"] = folder
    dist.init_process_group(backend, timeout=timedelta(minutes=10))


def rank():
    """The number of this process, 0 ... size − 1."""
    return dist.get_rank()


def size():
    """How many processes there are."""
    return dist.get_world_size()


def device():
    """Where this rank computes."""
    return _place["device"]


def folder():
    """A folder that every rank of this machine can write."""
    return _place["folder"]


def collect(value):
    """The values of all ranks as a list, on every rank."""
    values = [None] * size()
    dist.all_gather_object(values, value)
    return values
