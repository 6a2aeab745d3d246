"""Sliders for rules, from the fields of their dataclasses."""

from dataclasses import fields, replace

from shared.figures.live import Slider
from shared.optimizers import RULES, SGD, Newton

SUBSCRIPTS = "₁₂₃"


def methods():
    """The methods that a figure can offer, by name: three settings of SGD, and every other rule at its defaults."""
    special = {
        "SGD": SGD(),
        "Momentum": SGD(momentum=0.9),
        "Nesterov": SGD(momentum=0.9, nesterov=True),
        "Newton": Newton(damping=1e-3),
    }
    return special | {name: rule() for name, rule in RULES.items() if name not in special}


def knobs(rule):
    """(field, index in a pair or None, symbol) of the hyperparameters worth a slider: those not switched off."""
    for h in fields(rule):
        value = getattr(rule, h.name)
        if not h.metadata.get("slider") or not value:
            continue
        pair = isinstance(value, tuple)
        for i in range(len(value)) if pair else [None]:
            yield h, i, h.metadata["symbol"] + (SUBSCRIPTS[i] if pair else "")


def slider_range(rule, name):
    """The (low, high) of a hyperparameter's slider."""
    return next(h.metadata["slider"] for h in fields(rule) if h.name == name)


def control_name(method, name, i=None):
    """The name of the control for one hyperparameter of a method: "Adam_lr", "Adam_betas1"."""
    return f"{method}_{name}" + ("" if i is None else str(i + 1))


def sliders(method, rule):
    """One slider per knob of a rule."""
    for h, i, symbol in knobs(rule):
        value = getattr(rule, h.name)
        low, high = h.metadata["slider"]
        yield Slider(control_name(method, h.name, i), low, high, value if i is None else value[i],
                     log=h.metadata["log"], label=f"{method} {symbol}")


def with_values(method, rule, values):
    """The rule with its hyperparameters taken from the values of its sliders."""
    changes = {}
    for h, i, _ in knobs(rule):
        value = values[control_name(method, h.name, i)]
        if i is None:
            changes[h.name] = value
        else:
            pair = changes.get(h.name, getattr(rule, h.name))
            changes[h.name] = (*pair[:i], value, *pair[i + 1 :])
    return replace(rule, **changes)
