"""Exercises of chapter 7: reference, random cases and the mistakes that check names."""

import numpy as np

from shared.course.exercises import function, number, setting
from shared.models.cells import sigmoid

# 1. derive: the side of a convolution's output, for 28 pixels, a kernel of 4, stride 2, padding 3
side = number("07.side", (28 + 2 * 3 - 4) // 2 + 1)
side.mistake("off by one", "The first position counts, too: add 1 to the number of strides.", (28 + 2 * 3 - 4) // 2)
side.mistake("padding on one side only", "The frame is 3 wide on both sides: 28 + 6.", (28 + 3 - 4) // 2 + 1)
side.mistake("padding forgotten", "The window slides over the padded image.", (28 - 4) // 2 + 1)
side.mistake("stride forgotten", "With stride 2 only every other position counts.", 28 + 2 * 3 - 4 + 1)


# 2. implement: the gradient of a convolution's input, in one dimension
def _signals(rng):
    delta = rng.integers(-4, 5, int(rng.integers(4, 7)))
    return dict(w=rng.integers(-3, 4, 3).astype(float), delta=delta.astype(float))


@function("07.input_gradient", cases=_signals)
def input_gradient(w, delta):
    return np.convolve(delta, w)


@input_gradient.mistake("correlation for convolution", "You slid the kernel as on the way forward. On the way back "
                        "it is flipped: x[i + a] receives w[a] δ[i].")  # fmt: skip
def _(w, delta):
    return np.correlate(delta, w, "full")


@input_gradient.mistake("the borders are missing", "x is longer than δ: each δ reaches as many pixels as w is long.")
def _(w, delta):
    return np.convolve(delta, w, "same")


@input_gradient.mistake("only full windows", "x is longer than δ: at the border fewer outputs hear a pixel.")
def _(w, delta):
    return np.convolve(delta, w, "valid")


@input_gradient.mistake("overwritten instead of added", "A pixel is heard by several outputs. Use +=.")
def _(w, delta):
    dx = np.zeros(len(delta) + len(w) - 1)
    for i, d in enumerate(delta):
        dx[i : i + len(w)] = w * d
    return dx


# 3. implement: backpropagation through time for one unit, h ← tanh(u h + x), f = h_T
def _sequence(rng):
    return dict(u=float(rng.choice([-1.5, -0.5, 0.5, 1.5])), x=rng.integers(-3, 4, int(rng.integers(4, 8))) / 4 + 0.125)


def _states(u, x, h=0.0):
    hs = [h]
    for value in x:
        hs.append(np.tanh(u * hs[-1] + value))
    return np.array(hs)


def _through_time(u, hs, last=None, shift=0, slope=True, back=True):
    """Σ δ_t h_{t−1} over the last so many steps, for given states; `shift`, `slope` and `back` leave things out."""
    δ, total, T = 1.0, 0.0, len(hs) - 1
    for t in range(T, T - (last or T), -1):
        δ = δ * (1 - hs[t] ** 2) if slope else δ
        total += δ * hs[t - 1 + shift]
        δ = δ * u if back else δ
    return total


@function("07.through_time", cases=_sequence)
def through_time(u, x):
    return _through_time(u, _states(u, x))


@through_time.mistake("missing sum over time", "u was used at every step, so every step adds δ·h of the step before. "
                      "You have the last step only.")  # fmt: skip
def _(u, x):
    return _through_time(u, _states(u, x), last=1)


@through_time.mistake("the wrong state", "u was multiplied by the state before the step: h of t − 1.")
def _(u, x):
    return _through_time(u, _states(u, x), shift=1)


@through_time.mistake("slope of tanh forgotten", "Going back through tanh multiplies by 1 − h².")
def _(u, x):
    return _through_time(u, _states(u, x), slope=False)


@through_time.mistake("u forgotten on the way back", "From one step to the one before, δ is multiplied by u, too.")
def _(u, x):
    return _through_time(u, _states(u, x), back=False)


# 4. implement: the same, truncated to the last k steps
def _cut(rng):
    return _sequence(rng) | dict(k=int(rng.integers(2, 4)))


@function("07.truncated", cases=_cut)
def truncated(u, x, k):
    return _through_time(u, _states(u, x), last=k)


@truncated.mistake("the state is cut, too", "Truncation forgets the gradient only: run forward over all of x.")
def _(u, x, k):
    return _through_time(u, _states(u, x[-k:]), last=k)


@truncated.mistake("not truncated", "That is the whole sum. Stop after k steps back.")
def _(u, x, k):
    return _through_time(u, _states(u, x))


@truncated.mistake("one step too few", "k steps contribute, the last one included.")
def _(u, x, k):
    return _through_time(u, _states(u, x), last=k - 1)


@truncated.mistake("one step too many", "k steps contribute, the last one included.")
def _(u, x, k):
    return _through_time(u, _states(u, x), last=k + 1)


# 5. implement: the LSTM's step, from pre-activations in torch's order i, f, g, o
def _gates(rng):
    return dict(z=rng.integers(-4, 5, (4, 3)) / 2, c=rng.integers(-4, 5, 3) / 2 + 0.25)


def _both(step, z, c):
    return np.stack([np.asarray(part, dtype=float) for part in step(z, c)])


def _lstm(z, c, order=(0, 1, 2, 3), squash=np.tanh, candidate=np.tanh):
    i, f, g, o = (z[k] for k in order)
    c = sigmoid(f) * c + sigmoid(i) * candidate(g)
    return sigmoid(o) * squash(c), c


@function("07.lstm", cases=_gates, call=_both)
def lstm(z, c):
    return _lstm(z, c)


@lstm.mistake("input and forget gate swapped", "The forget gate multiplies the old cell, the input gate the new value.")
def _(z, c):
    return _lstm(z, c, (1, 0, 2, 3))


@lstm.mistake("candidate and output gate swapped", "torch's order is i, f, g, o: the candidate is the third.")
def _(z, c):
    return _lstm(z, c, (0, 1, 3, 2))


@lstm.mistake("forget and output gate swapped", "The second row forgets, the fourth decides what is shown.")
def _(z, c):
    return _lstm(z, c, (0, 3, 2, 1))


@lstm.mistake("no tanh on the way out", "h shows tanh of the cell.")
def _(z, c):
    return _lstm(z, c, squash=lambda c: c)


@lstm.mistake("a sigmoid for the candidate", "The candidate must be able to subtract: tanh.")
def _(z, c):
    return _lstm(z, c, candidate=sigmoid)


@lstm.mistake("cell and output exchanged", "Return h first, then c.")
def _(z, c):
    return _lstm(z, c)[::-1]


# 6. experiment: a spectral radius that carries the gradient of a plain RNN over 50 steps
def arriving(radius):
    """‖∂f/∂h‖ at lag 49 of a plain RNN: the median over three seeds."""
    from shared.models.cells import RNN
    from shared.problems.sequences import Adding, Reader, gradient_by_lag

    f = Reader(RNN, Adding(50), units=24, batch_size=6, dtype=np.float64)
    arrives, _ = gradient_by_lag(f, f.start(range(3), radius=radius))
    return float(np.median(arrives[:, -1]))


radius = setting("07.radius", solution=1.25, goal="a gradient between 0.01 and 100 at lag 49",
                 measure=arriving, accept=lambda g: 0.01 < g < 100)  # fmt: skip
radius.mistake("vanishing", "The slope of tanh takes its share at every step. Go higher.",
               0.9, when=lambda r, g: g <= 0.01)  # fmt: skip
radius.mistake("exploding", "Every step multiplies by too much. Go lower.", 4.0, when=lambda r, g: not g < 100)
