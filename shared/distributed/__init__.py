"""Distributed training with real processes (chapter 8).

`launch` starts experiments in worker processes from a notebook; `workers` is the program each of them runs, and the one
to give to torchrun on a cluster; `collectives`, `parallel` and `asynchronous` hold the experiments; `simulate` plays
many workers in one process; `cost` predicts times and bytes. `cost` and `simulate` are NumPy only.

May import: chance, data, descent, models, optimizers, problems.
"""
