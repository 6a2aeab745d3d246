"""Exercises of chapter 3: reference, random cases and the mistakes that check names."""

import numpy as np

from shared.course.exercises import function, number, setting

# ---- 1. derive -----------------------------------------------------------------------------------------------------

harmless = number("03.harmless", 0.99, rtol=1e-4)
harmless.mistake("forgot the root", "You set 1 − β₂ equal to 1 − β₁. The divisor is the root of 1 − β₂.", 0.9)
harmless.mistake("gave 1 − β₂", "That is what 1 − β₂ must be. Now β₂ itself.", 0.01)
harmless.mistake("the default", "β₂ = 0.999 gives 3.16 η, not η.", 0.999)
harmless.mistake("the root of the wrong side", "You took the root of 1 − β₁. Square it instead.", 1 - 0.1**0.5)

# ---- 2. implement RMSProp ------------------------------------------------------------------------------------------


def _gradients(rng):
    return dict(gs=rng.integers(-4, 5, (3, 2)) + 0.5, alpha=float(rng.choice([0.5, 0.75, 0.9])), eps=0.1)


def _average(values, alpha):
    v = 0.0
    for value in values:
        v = alpha * v + (1 - alpha) * value
    return v


@function("03.rms_direction", cases=_gradients)
def rms_direction(gs, alpha, eps):
    return gs[-1] / (_average(gs**2, alpha) ** 0.5 + eps)


@rms_direction.mistake("squared the average", "Average the squares: where signs alternate, the mean is 0.")
def _(gs, alpha, eps):
    return gs[-1] / (abs(_average(gs, alpha)) + eps)


@rms_direction.mistake("forgot the root", "v has the units of g². Take its root before you divide.")
def _(gs, alpha, eps):
    return gs[-1] / (_average(gs**2, alpha) + eps)


@rms_direction.mistake("epsilon inside the root", "Add ε after the root: √v + ε.")
def _(gs, alpha, eps):
    return gs[-1] / (_average(gs**2, alpha) + eps) ** 0.5


@rms_direction.mistake("no epsilon", "Without ε you divide by 0 where a coordinate never had a gradient.")
def _(gs, alpha, eps):
    return gs[-1] / _average(gs**2, alpha) ** 0.5


@rms_direction.mistake("a sum instead of a mean", "That is AdaGrad. RMSProp's v fades: α v + (1 − α) g².")
def _(gs, alpha, eps):
    return gs[-1] / ((gs**2).sum(0) ** 0.5 + eps)


@rms_direction.mistake("weights swapped", "The old v keeps the weight α; the new square gets 1 − α.")
def _(gs, alpha, eps):
    return gs[-1] / (_average(gs**2, 1 - alpha) ** 0.5 + eps)


@rms_direction.mistake("bias correction", "You divided v by 1 − αᵀ. That is Adam's idea; RMSProp has no correction.")
def _(gs, alpha, eps):
    return gs[-1] / ((_average(gs**2, alpha) / (1 - alpha ** len(gs))) ** 0.5 + eps)


# ---- 3. implement Adam ---------------------------------------------------------------------------------------------


def _adam_case(rng):
    half = lambda low, high: rng.integers(low, high, 2) / 2
    return dict(x=half(-4, 5), g=half(-6, 7) + 0.25, m=half(-4, 5), v=half(1, 9), t=int(rng.integers(1, 6)),
                lr=0.1, beta1=float(rng.choice([0.5, 0.8])), beta2=float(rng.choice([0.75, 0.9])), eps=0.1)  # fmt: skip


def _adam(x, g, m, v, t, lr, beta1, beta2, eps, *, fix1=True, fix2=True, place="outside", power=True):
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    t = t if power else 1
    m_hat, v_hat = m / (1 - beta1**t if fix1 else 1), v / (1 - beta2**t if fix2 else 1)
    early = (v**0.5 + eps) / (1 - beta2**t) ** 0.5
    root = {"outside": v_hat**0.5 + eps, "inside": (v_hat + eps) ** 0.5, "before": early, "none": v_hat + eps}[place]
    return x - lr * m_hat / root, m, v


@function("03.adam_step", cases=_adam_case)
def adam_step(x, g, m, v, t, lr, beta1, beta2, eps):
    return _adam(x, g, m, v, t, lr, beta1, beta2, eps)


for _name, _advice, _slip in (
    ("epsilon inside the root", "Add ε after the root: √v̂ + ε.", dict(place="inside")),
    ("epsilon before the correction", "Correct v first: √(v/(1 − β₂ᵗ)) + ε.", dict(place="before")),
    ("missing bias correction", "Divide m by 1 − β₁ᵗ and v by 1 − β₂ᵗ.", dict(fix1=False, fix2=False)),
    ("v is not corrected", "v starts at 0 as well: divide it by 1 − β₂ᵗ.", dict(fix2=False)),
    ("m is not corrected", "m starts at 0 as well: divide it by 1 − β₁ᵗ.", dict(fix1=False)),
    ("missing power", "The bias shrinks with the step: 1 − βᵗ, not 1 − β.", dict(power=False)),
    ("forgot the root", "Divide by the root of v̂.", dict(place="none")),
):
    adam_step.mistake(_name, _advice, lambda *case, slip=_slip: _adam(*case, **slip))


@adam_step.mistake("uphill", "The step goes against m̂: x − η m̂ / (√v̂ + ε).")
def _(x, g, m, v, t, lr, beta1, beta2, eps):
    ahead, m, v = _adam(x, g, m, v, t, lr, beta1, beta2, eps)
    return 2 * x - ahead, m, v


@adam_step.mistake("weights swapped", "The old averages keep the weights β₁ and β₂; what is new gets 1 − β.")
def _(x, g, m, v, t, lr, beta1, beta2, eps):
    m, v = (1 - beta1) * m + beta1 * g, (1 - beta2) * v + beta2 * g**2
    return x - lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)) ** 0.5 + eps), m, v


@adam_step.mistake("squared the average", "v averages g², not the square of m: noise must not cancel in it.")
def _(x, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * m**2
    return x - lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)) ** 0.5 + eps), m, v


@adam_step.mistake("returned the corrected averages", "Keep m and v uncorrected; correct them for this step only.")
def _(x, g, m, v, t, lr, beta1, beta2, eps):
    x, m, v = _adam(x, g, m, v, t, lr, beta1, beta2, eps)
    return x, m / (1 - beta1**t), v / (1 - beta2**t)


@adam_step.mistake("old averages", "Update m and v before you use them.")
def _(x, g, m, v, t, lr, beta1, beta2, eps):
    _, m_new, v_new = _adam(x, g, m, v, t, lr, beta1, beta2, eps)
    return x - lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)) ** 0.5 + eps), m_new, v_new


# ---- 4. implement decoupled decay ----------------------------------------------------------------------------------


@function("03.first_adamw", cases=lambda rng: dict(
    x=rng.integers(-4, 5, 3) / 2, g=rng.integers(-4, 4, 3) / 2 + 0.25, lr=0.1,
    weight_decay=float(rng.choice([0.1, 0.5])), eps=0.1))  # fmt: skip
def first_adamw(x, g, lr, weight_decay, eps):
    return x - lr * (g / (abs(g) + eps) + weight_decay * x)


@first_adamw.mistake("coupled decay", "You added λ x to the gradient: that is Adam + L2, and the division cancels λ.")
def _(x, g, lr, weight_decay, eps):
    g = g + weight_decay * x
    return x - lr * g / (abs(g) + eps)


@first_adamw.mistake("decay without the rate", "In torch's AdamW the decay is η λ x, not λ x.")
def _(x, g, lr, weight_decay, eps):
    return x - lr * g / (abs(g) + eps) - weight_decay * x


@first_adamw.mistake("no decay", "The term η λ x is missing.")
def _(x, g, lr, weight_decay, eps):
    return x - lr * g / (abs(g) + eps)


@first_adamw.mistake("decay with the wrong sign", "Decay pulls towards 0: subtract η λ x.")
def _(x, g, lr, weight_decay, eps):
    return x - lr * (g / (abs(g) + eps) - weight_decay * x)


@first_adamw.mistake("forgot the division", "That is gradient descent with decay. Adam's direction is g/(|g| + ε).")
def _(x, g, lr, weight_decay, eps):
    return x - lr * (g + weight_decay * x)


# ---- 5. experiment -------------------------------------------------------------------------------------------------


def reddi_end(beta2):
    """The mean of x over the last of 20 periods of Reddi's problem."""
    from shared.optimizers import Adam
    from shared.problems.counterexamples import Reddi, projected

    xs = projected(Adam(lambda k: 0.5 / (k + 1) ** 0.5, betas=(0.9, beta2)), Reddi(), np.zeros(1), 2020)
    return float(xs[-101:].mean())


rescue = setting("03.rescue", solution=0.9995, goal="a mean below −0.5 over the last period", measure=reddi_end,
                 accept=lambda x: x < -0.5)  # fmt: skip
rescue.mistake("memory too short", "The big gradient returns after 101 steps. Is the memory 1/(1 − β₂) longer?",
               0.95, when=lambda beta2, x: 1 / (1 - beta2) <= 101)  # fmt: skip
rescue.mistake("not far enough", "It goes the right way, too slowly. A longer memory still.", 0.995,
               when=lambda beta2, x: 1 / (1 - beta2) > 101)  # fmt: skip
