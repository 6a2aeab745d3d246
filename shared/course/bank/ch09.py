"""Exercises of chapter 9: reference, random cases and the mistakes that check names."""

import numpy as np

from shared.course.exercises import function, number, setting

# 1. derive: the ε that makes PyTorch take Keras' first step
epsilon = number("09.epsilon", 1e-7 / 0.001**0.5, rtol=1e-3)
epsilon.mistake("multiplied instead of divided", "√v̂ is larger than √v. Which ε keeps its share?", 1e-7 * 0.001**0.5)
epsilon.mistake("no root", "The correction divides v. The root of v is divided by the root of that.", 1e-7 / 0.001)
epsilon.mistake("the same ε", "√v and √v̂ differ by a factor. Write both denominators side by side.", 1e-7)


# 2. implement: Adam in the convention of Keras
def _adam_case(rng):
    v = float(rng.choice([0.01, 0.04, 0.25]))
    return dict(x=float(rng.integers(-3, 4)), m=float(rng.choice([-0.5, 0.2, 1.0])), v=v, t=int(rng.integers(1, 6)),
                lr=0.1, betas=(0.9, 0.99), eps=float(rng.choice([0.01, 0.1])))  # fmt: skip


def _hats(m, v, t, betas):
    return m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)


@function("09.keras_adam", cases=_adam_case)
def keras_adam(x, m, v, t, lr, betas, eps):
    return x - lr * (1 - betas[1] ** t) ** 0.5 / (1 - betas[0] ** t) * m / (v**0.5 + eps)


@keras_adam.mistake("PyTorch's convention", "You added ε to √v̂. Keras adds it to √v, and moves the correction into η.")
def _(x, m, v, t, lr, betas, eps):
    m, v = _hats(m, v, t, betas)
    return x - lr * m / (v**0.5 + eps)


@keras_adam.mistake("no bias correction", "Both corrections are missing: they make one factor of η.")
def _(x, m, v, t, lr, betas, eps):
    return x - lr * m / (v**0.5 + eps)


@keras_adam.mistake("ε inside the root", "That is RMSprop's habit. Here ε is added to the root.")
def _(x, m, v, t, lr, betas, eps):
    return x - lr * (1 - betas[1] ** t) ** 0.5 / (1 - betas[0] ** t) * m / (v + eps) ** 0.5


@keras_adam.mistake("the factor without its root", "v is corrected by 1 − β₂ᵗ, so √v by the root of it.")
def _(x, m, v, t, lr, betas, eps):
    return x - lr * (1 - betas[1] ** t) / (1 - betas[0] ** t) * m / (v**0.5 + eps)


# 3. implement: momentum with the rate inside the buffer, when the rate changes
def _buffer_case(rng):
    return dict(v=rng.integers(-4, 5, 3).astype(float), g=rng.integers(-4, 5, 3).astype(float), beta=0.9,
                lr=float(rng.choice([0.1, 0.2])), lr_before=float(rng.choice([0.5, 1.0])))  # fmt: skip


@function("09.buffer", cases=_buffer_case)
def buffer(v, g, beta, lr, lr_before):
    return beta * v * lr / lr_before - lr * g


@buffer.mistake("the old rate stays", "The old gradients in v still carry lr_before: rescale v.")
def _(v, g, beta, lr, lr_before):
    return beta * v - lr * g


@buffer.mistake("the ratio upside down", "When the rate falls, the buffer must shrink.")
def _(v, g, beta, lr, lr_before):
    return beta * v * lr_before / lr - lr * g


@buffer.mistake("the gradient is rescaled too", "Only what is old needs rescaling: the new gradient gets the new rate.")
def _(v, g, beta, lr, lr_before):
    return (beta * v - lr * g) * lr / lr_before


@buffer.mistake("PyTorch's buffer", "That is u, without any rate. Keras' v holds −η times the gradients.")
def _(v, g, beta, lr, lr_before):
    return beta * v + g


# 4. implement: accumulate gradients of micro-batches of different size
def _micro_case(rng):
    k = int(rng.integers(2, 4))
    return dict(grads=[rng.integers(-4, 5, 2).astype(float) for _ in range(k)], sizes=rng.permutation([8, 4, 1])[:k])


@function("09.accumulate", cases=_micro_case)
def accumulate(grads, sizes):
    return sum(n * g for n, g in zip(sizes, grads)) / sum(sizes)


@accumulate.mistake("a sum", "backward() adds up. Without a division your rate grows with the number of micro-batches.")
def _(grads, sizes):
    return sum(grads)


@accumulate.mistake("equal weights", "A micro-batch of 1 must not weigh as much as one of 8: weight by size.")
def _(grads, sizes):
    return sum(grads) / len(grads)


@accumulate.mistake("weighted but not divided", "Divide by the number of all examples.")
def _(grads, sizes):
    return sum(n * g for n, g in zip(sizes, grads))


# 5. experiment: the warm-up of β₁ that makes PyTorch's NAdam Keras'
def _apart(momentum_decay):
    from shared.descent import run
    from shared.frameworks.conventions import convention
    from shared.problems import quadratic

    f, x0 = quadratic(kappa=20, angle=0.5), np.array([-1.6, 1.2])
    keras = run(convention("Keras", "NAdam", lr=0.05), f, x0, 100)
    torch = run(convention("PyTorch", "NAdam", lr=0.05, momentum_decay=momentum_decay), f, x0, 100)
    return float(np.abs(torch - keras).max())


nadam = setting("09.nadam", solution=1.0, goal="the two paths nowhere further apart than 1e-6", measure=_apart,
                accept=lambda apart: apart < 1e-6)  # fmt: skip
nadam.mistake("PyTorch's default", "With 0.004 the warm-up takes 250 times as long as in Keras.", 0.004,
              when=lambda ψ, apart: 0.003 < ψ < 0.005)
nadam.mistake("the base of the power", "0.96 is the base. You look for the factor of t in its exponent.", 0.96,
              when=lambda ψ, apart: 0.955 < ψ < 0.965)
nadam.mistake("no warm-up at all", "Large values switch the warm-up off: that is Optax' NAdam.", 1e6,
              when=lambda ψ, apart: ψ > 100)
