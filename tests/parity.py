"""Whether a rule of the course and an optimizer of torch walk the same path."""

import numpy as np
import torch

from shared.descent import loss_at, run


def torch_path(make, problem, x0, steps, schedule=None):
    """The iterates (steps + 1, d) of a torch optimizer fed with the problem's own gradient, in float64."""
    p = torch.nn.Parameter(torch.tensor(x0, dtype=torch.float64))
    optimizer = make([p])
    scheduler = schedule and schedule(optimizer)
    path = [p.detach().numpy().copy()]
    for t in range(1, steps + 1):
        oracle = loss_at(problem, t)

        def closure(oracle=oracle):
            x = p.detach().numpy()
            p.grad = torch.tensor(oracle.grad(x), dtype=torch.float64)
            return torch.tensor(float(oracle(x)), dtype=torch.float64)

        closure()
        optimizer.step(closure) if isinstance(optimizer, torch.optim.LBFGS) else optimizer.step()
        if scheduler:
            scheduler.step()
        path.append(p.detach().numpy().copy())
    return np.stack(path)


def assert_same_path(rule, make, problem, x0, steps=200, rtol=1e-9, schedule=None):
    """Fail unless `rule` and the torch optimizer `make(params)` agree at every step, relative to the size of x."""
    ours, theirs = run(rule, problem, x0, steps), torch_path(make, problem, x0, steps, schedule)
    assert np.isfinite(theirs).all(), "the comparison is empty: torch diverged too"
    assert np.abs(theirs[1:] - theirs[:1]).max() > 1e-3, "the comparison is empty: nothing moved"
    scale = np.maximum(np.abs(theirs).max(-1, keepdims=True), 1e-3)
    worst = (np.abs(ours - theirs) / scale).max(-1)
    assert worst.max() <= rtol, f"{rule}: differs by {worst.max():.1e} (first beyond {rtol} at step {worst.argmax()})"


def assert_same_defaults(rule):
    """Fail unless the rule has the defaults of the torch optimizer of its name (`shape` is the course's own)."""
    theirs = getattr(torch.optim, rule.__name__)([torch.nn.Parameter(torch.zeros(1))]).defaults
    ours = {name: getattr(rule(), name) for name in rule.__dataclass_fields__ if name != "shape"}
    assert ours == {name: theirs[name] for name in ours}


def label(case):
    """A case (rule, torch's optimizer, options) as a test's name."""
    return f"{case[0].__name__}({', '.join(f'{k}={v}' for k, v in case[2].items())})"
