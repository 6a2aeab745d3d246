"""A rule of the course as a torch.optim.Optimizer. Imported by name: it loads torch."""

import torch
import torch._dynamo  # torch imports it at the first step otherwise, and is broken if a student interrupts just then


class TorchRule(torch.optim.Optimizer):
    """Any rule as a torch optimizer, with a state per tensor: TorchRule(model.parameters(), Adam(lr=0.01)).

    The rule sees one oracle per tensor, which knows the gradient that backward() left there and nothing else: rules
    that ask for the gradient at another point, for values or for a Hessian need a NetworkOracle and say so.
    """

    def __init__(self, params, rule):
        super().__init__(params, {"rule": rule})

    @torch.no_grad()
    def step(self, closure=None):
        """Apply one step of the rule to every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rule = group["rule"]
            frozen = None if rule.scheduled else rule  # numbers only: nothing to evaluate
            for p in group["params"]:
                if p.grad is None:
                    continue
                memory = self.state[p]
                t = memory["t"] = memory.get("t", 0) + 1
                new, memory["s"] = (frozen or rule.at(t)).step(_Tensor(p), p, memory.get("s", rule.State()), t)
                p.copy_(new)
        return loss


class _Tensor:
    """The oracle of one tensor during TorchRule.step."""

    def __init__(self, x):
        self.x = x

    def grad(self, x):
        if x is not self.x:
            raise TypeError("TorchRule: this rule asks for a gradient elsewhere; use problems.networks.NetworkOracle")
        return self.x.grad

    def __call__(self, x):
        raise TypeError("TorchRule: this rule asks for the loss; use problems.networks.NetworkOracle")

    def hess(self, x):
        raise TypeError("TorchRule: this rule asks for a Hessian; use problems.networks.NetworkOracle")
