"""PyTorch: an optimizer is an object that holds parameters and changes them in place."""

from contextlib import contextmanager

from .base import Library, evaluated, load, scheduled


class PyTorch(Library):
    """torch.optim, its parameters fed with the problem's gradients."""

    name, distribution = "PyTorch", "torch"
    constructors = {
        "SGD": "SGD", "Momentum": "SGD", "Nesterov": "SGD", "Adagrad": "Adagrad", "RMSprop": "RMSprop",
        "Adadelta": "Adadelta", "Adam": "Adam", "AdamW": "AdamW", "AMSGrad": "Adam", "Adamax": "Adamax",
        "NAdam": "NAdam", "RAdam": "RAdam", "Rprop": "Rprop", "Adafactor": "Adafactor", "Muon": "Muon",
        "LBFGS": "LBFGS",
    }  # fmt: skip
    dialect = {}
    fixed = {
        "Momentum": dict(momentum=0.9), "Nesterov": dict(momentum=0.9, nesterov=True), "AMSGrad": dict(amsgrad=True),
        "LBFGS": dict(max_iter=1),
    }  # fmt: skip

    def load(self):
        return load("torch")

    def factory(self, name):
        return getattr(load("torch").optim, name)

    def walk(self, recipe, make, options):
        torch, problem = self.require(), recipe.problem
        params = [torch.nn.Parameter(torch.tensor(x, dtype=getattr(torch, recipe.dtype))) for x in problem.start]
        optimizer, moving = make(params, **evaluated(options, 0)), scheduled(options)
        yield [p.detach().numpy().copy() for p in params]
        for k in range(recipe.steps):
            for p, g in zip(params, problem.grads([p.detach().numpy() for p in params], k + 1)):
                p.grad = torch.tensor(g, dtype=p.dtype)
            optimizer.param_groups[0].update(evaluated(moving, k))
            if recipe.before:
                recipe.before(optimizer, params, k)
            optimizer.step((lambda: torch.zeros(())) if make is torch.optim.LBFGS else None)
            yield [p.detach().numpy().copy() for p in params]


@contextmanager
def without_bfloat16():
    """torch.optim.Muon rounds to bfloat16 before it orthogonalises. Within this block it does not."""
    Tensor = load("torch").Tensor
    rounding, Tensor.bfloat16 = Tensor.bfloat16, lambda g: g.clone()
    try:
        yield
    finally:
        Tensor.bfloat16 = rounding
