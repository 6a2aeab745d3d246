"""Every option of chapter 3's rules against torch.optim: float64, 200 steps, three problems, rtol 1e-9."""

import numpy as np
import pytest
import torch
from parity import assert_same_defaults, assert_same_path, label
from problems import PROBLEMS

from shared.descent import run
from shared.optimizers import Adadelta, Adafactor, Adam, Adamax, AdamW, Lion, NAdam, RAdam, Rprop
from shared.optimizers.torch_rule import TorchRule

optim = torch.optim
CASES = [
    (Rprop, optim.Rprop, dict(lr=1e-3)),
    (Rprop, optim.Rprop, dict(lr=1e-3, etas=(0.3, 1.5))),
    (Rprop, optim.Rprop, dict(lr=0.5, step_sizes=(1e-4, 0.02))),
    (Adadelta, optim.Adadelta, dict(lr=1.0)),
    (Adadelta, optim.Adadelta, dict(lr=0.5, rho=0.95, eps=1e-4)),
    (Adadelta, optim.Adadelta, dict(lr=2.0, weight_decay=0.1)),
    (Adam, optim.Adam, dict(lr=0.01, amsgrad=True)),
    (Adam, optim.Adam, dict(lr=0.05, amsgrad=True, betas=(0.5, 0.8), weight_decay=0.1, eps=1e-3)),
    (AdamW, optim.AdamW, dict(lr=0.01, amsgrad=True)),
    (AdamW, optim.AdamW, dict(lr=0.05, amsgrad=True, betas=(0.5, 0.8), weight_decay=0.3)),
    (Adamax, optim.Adamax, dict(lr=0.01)),
    (Adamax, optim.Adamax, dict(lr=0.002, betas=(0.5, 0.8), eps=1e-2)),
    (Adamax, optim.Adamax, dict(lr=0.01, weight_decay=0.1)),
    (NAdam, optim.NAdam, dict(lr=0.01)),
    (NAdam, optim.NAdam, dict(lr=0.001, betas=(0.7, 0.95), momentum_decay=0.1, eps=1e-2)),
    (NAdam, optim.NAdam, dict(lr=0.01, weight_decay=0.1)),
    (NAdam, optim.NAdam, dict(lr=0.01, weight_decay=0.3, decoupled_weight_decay=True)),
    (RAdam, optim.RAdam, dict(lr=0.003)),
    (RAdam, optim.RAdam, dict(lr=0.001, betas=(0.5, 0.9), eps=1e-2)),
    (RAdam, optim.RAdam, dict(lr=0.003, weight_decay=0.1)),
    (RAdam, optim.RAdam, dict(lr=0.003, weight_decay=0.3, decoupled_weight_decay=True)),
    (RAdam, optim.RAdam, dict(lr=0.003, betas=(0.9, 0.6))),  # never enough samples
    (Adafactor, optim.Adafactor, dict(lr=0.01)),
    (Adafactor, optim.Adafactor, dict(lr=0.05, beta2_decay=-0.5, eps=(1e-3, 1e-2), d=2.0)),
    (Adafactor, optim.Adafactor, dict(lr=0.01, weight_decay=0.3)),
]


@pytest.fixture(autouse=True)
def float64():
    """torch.optim.NAdam keeps its product of momenta in torch's default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("case", CASES, ids=label)
def test_same_path(case, problem):
    rule, make, options = case
    assert_same_path(rule(**options), lambda p: make(p, **options), *PROBLEMS[problem])


@pytest.mark.parametrize("rule", dict.fromkeys(case[0] for case in CASES))
def test_defaults_are_torchs(rule):
    assert_same_defaults(rule)


class Matrix:
    """½ ‖A X B − C‖²: a problem whose parameter X is a 4 x 3 matrix, as a flat vector."""

    rng = np.random.default_rng(1)
    A, B, C = rng.standard_normal((5, 4)), rng.standard_normal((3, 3)) * [3, 1, 0.1], rng.standard_normal((5, 3))
    start = rng.standard_normal(12)

    def residual(self, x):
        return self.A @ x.reshape(*x.shape[:-1], 4, 3) @ self.B - self.C

    def __call__(self, x):
        return (self.residual(x) ** 2).sum((-1, -2)) / 2

    def grad(self, x):
        return (self.A.T @ self.residual(x) @ self.B.T).reshape(x.shape)


@pytest.mark.parametrize("options", [
    dict(lr=0.003), dict(lr=0.003, beta2_decay=-0.5, eps=(1e-2, 1e-2), d=2.0), dict(lr=0.003, weight_decay=0.3),
], ids=str)  # fmt: skip
def test_adafactor_on_a_matrix(options):
    """Factored: torch.optim.Adafactor, TorchRule on a (4, 3) tensor, and the flat rule with shape=(4, 3) agree."""
    f = Matrix()

    def walk(make):
        X = torch.nn.Parameter(torch.tensor(f.start.reshape(4, 3)))
        optimizer, path = make([X]), [f.start]
        for _ in range(200):
            X.grad = torch.tensor(f.grad(X.detach().numpy().ravel()).reshape(4, 3))
            optimizer.step()
            path.append(X.detach().numpy().ravel().copy())
        return np.stack(path)

    theirs = walk(lambda p: optim.Adafactor(p, **options))
    assert np.abs(theirs[-1] - theirs[0]).max() > 0.01
    rtol = 1e-9
    np.testing.assert_allclose(walk(lambda p: TorchRule(p, Adafactor(**options))), theirs, rtol=rtol, atol=1e-10)
    np.testing.assert_allclose(run(Adafactor(**options, shape=(4, 3)), f, f.start, 200), theirs, rtol=rtol, atol=1e-10)
    unfactored = run(Adafactor(**options), f, f.start, 200)
    assert np.abs(unfactored - theirs).max() > 1e-4  # so the factors were at work


def test_adafactor_of_a_batch_of_matrices_equals_a_loop():
    f, starts = Matrix(), np.random.default_rng(2).standard_normal((2, 3, 12))
    rates = np.array([0.01, 0.1, 0.3])
    together = run(Adafactor(lr=rates, shape=(4, 3)), f, starts, 30)
    for i, j in np.ndindex(2, 3):
        alone = run(Adafactor(lr=rates[j], shape=(4, 3)), f, starts[i, j], 30)
        np.testing.assert_allclose(together[:, i, j], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", [
    Rprop(1e-3), Adadelta(), Adam(0.01, amsgrad=True), Adamax(0.01), NAdam(0.01), RAdam(0.003), Adafactor(0.05),
], ids=repr)  # fmt: skip
def test_a_rule_trains_a_network_as_torch_does(rule):
    """The same rules on tensors: two layers, float64, through TorchRule."""
    rng = np.random.default_rng(0)
    inputs, targets = torch.tensor(rng.standard_normal((40, 5))), torch.tensor(rng.integers(0, 3, 40))
    options = {k: getattr(rule, k) for k in ("lr", "amsgrad") if hasattr(rule, k)}

    def train(wrap):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).double()
        optimizer = wrap(model.parameters())
        for _ in range(100):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
        return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])

    theirs = train(lambda p: getattr(optim, type(rule).__name__)(p, **options))
    np.testing.assert_allclose(train(lambda p: TorchRule(p, rule)), theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("make, said", [
    (lambda: Rprop(etas=(1.2, 0.5)), "Rprop: etas must be a factor below 1 and a factor above 1"),
    (lambda: Adafactor(eps=(-1.0, 1e-3)), "Adafactor: eps must be a pair"),
    (lambda: Adafactor(d=0.5), r"Adafactor: d must lie in \[1, inf\), got 0.5"),
    (lambda: Adadelta(rho=1.5), r"Adadelta: rho must lie in \[0, 1\], got 1.5"),
    (lambda: Lion(betas=(0.9, 1.0)), r"Lion: betas must lie in \[0, 1\)"),
])  # fmt: skip
def test_bad_hyperparameters_are_named_in_one_line(make, said):
    with pytest.raises(ValueError, match=said) as error:
        make()
    assert "\n" not in str(error.value)




