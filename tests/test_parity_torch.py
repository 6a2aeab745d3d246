"""Every option of every rule against torch.optim: float64, 200 steps, three problems, rtol 1e-9."""

import pytest
import torch
from parity import assert_same_defaults, assert_same_path, label
from problems import PROBLEMS

from shared.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from shared.optimizers.schedules import Cosine

optim = torch.optim
CASES = [
    (SGD, optim.SGD, dict(lr=1e-3)),
    (SGD, optim.SGD, dict(lr=1e-3, weight_decay=0.1)),
    (SGD, optim.SGD, dict(lr=1e-3, momentum=0.9)),
    (SGD, optim.SGD, dict(lr=1e-3, momentum=0.9, dampening=0.5)),
    (SGD, optim.SGD, dict(lr=1e-3, momentum=0.9, dampening=0.3, weight_decay=0.1)),
    (SGD, optim.SGD, dict(lr=5e-4, momentum=0.9, nesterov=True)),
    (SGD, optim.SGD, dict(lr=5e-4, momentum=0.9, nesterov=True, weight_decay=0.1)),
    (Adagrad, optim.Adagrad, dict(lr=0.05)),
    (Adagrad, optim.Adagrad, dict(lr=0.05, lr_decay=0.02)),
    (Adagrad, optim.Adagrad, dict(lr=0.05, weight_decay=0.1)),
    (Adagrad, optim.Adagrad, dict(lr=0.05, initial_accumulator_value=0.3, eps=1e-3)),
    (RMSprop, optim.RMSprop, dict(lr=1e-3)),
    (RMSprop, optim.RMSprop, dict(lr=1e-3, alpha=0.9, eps=1e-4)),
    (RMSprop, optim.RMSprop, dict(lr=1e-3, weight_decay=0.1)),
    (RMSprop, optim.RMSprop, dict(lr=1e-4, momentum=0.9)),
    (RMSprop, optim.RMSprop, dict(lr=1e-4, centered=True, eps=1e-2)),
    (RMSprop, optim.RMSprop, dict(lr=1e-4, centered=True, momentum=0.5, weight_decay=0.1, eps=1e-2)),
    (Adam, optim.Adam, dict(lr=0.01)),
    (Adam, optim.Adam, dict(lr=0.01, betas=(0.5, 0.9), eps=1e-3)),
    (Adam, optim.Adam, dict(lr=0.01, weight_decay=0.1)),
    (AdamW, optim.AdamW, dict(lr=0.01)),
    (AdamW, optim.AdamW, dict(lr=0.01, weight_decay=0.3, betas=(0.8, 0.95))),
]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("case", CASES, ids=label)
def test_same_path(case, problem):
    rule, make, options = case
    assert_same_path(rule(**options), lambda p: make(p, **options), *PROBLEMS[problem])


@pytest.mark.parametrize("rule", dict.fromkeys(case[0] for case in CASES))
def test_defaults_are_torchs(rule):
    assert_same_defaults(rule)


def test_a_schedule_changes_the_rate_as_torchs_scheduler_does():
    assert_same_path(
        SGD(lr=Cosine(lr=1e-3, steps=150), momentum=0.9),
        lambda p: optim.SGD(p, lr=1e-3, momentum=0.9),
        *PROBLEMS["quadratic"],
        steps=150,
        schedule=lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=150),
    )
