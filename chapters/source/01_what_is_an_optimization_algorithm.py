# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # What is an optimization algorithm?
#
# A neural network is a long list of numbers.
# Set them badly and it guesses. Set them well and it reads handwriting.
#
# **Nobody knows the good numbers. So how does a machine find them?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## What you will be able to do
#
# - Write the loop behind every method of this course in eight lines, and name its four parts.
# - Explain why it follows the gradient, and what a gradient costs.
# - Tell a stationary point from a minimum, and say when a run is done.
# - See a network get worse while its loss gets better, and stop it in time.
# - Tune a learning rate, and recognise one that is too low or too high.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask the room first: how would you search for 2,410 numbers if you could only ask "how bad is this setting"?
# Collect answers (try at random, change one at a time, copy the best). The chapter measures how well each of them does.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
import numpy as np
import torch
from torch.nn.functional import cross_entropy

from shared import data
from shared.course import check, claim, show
from shared.descent import run
from shared.figures import plots, theme
from shared.optimizers import SGD
from shared.problems.networks import NetworkOracle

torch.set_num_threads(1)
digits = data.digits()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# A landscape: low is good, a star marks a best point. You are a ball that only feels the slope under its feet.

# %% slideshow={"slide_type": "-"}
from shared.explorers import trajectories

trajectories.explorer(landscape="Himmelblau", methods=("SGD", "Momentum", "Adam"))

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. Press play. Then drag the start. Do all methods end at the same star?
# 2. Slide **all rates** slowly to the right. Something breaks. Which method breaks first?
# 3. Choose *Rosenbrock*. Everyone finds the valley at once. What takes so long after that?
#
# You need no formula yet. Write down one thing that surprised you: this chapter, or a later one, explains it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Three minutes of play. Let someone from the audience choose the start. Good moment: two starts a finger's width apart
# that end at different stars; we come back to it as "basins of attraction".

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What an optimization algorithm is
#
# > An **optimization algorithm** adjusts parameters $x$ step by step to make a loss $f(x)$ small.
#
# | part | the question it answers | in symbols |
# |:--|:--|:--|
# | **gradient** | which way is uphill, and how steep? | $g = \nabla f(x)$ |
# | **direction** | which way do I go? | $p$, for example $p = -g$ |
# | **step** | how far? | $x \leftarrow x + \eta\, p$, with the learning rate $\eta$ |
# | **stopping criterion** | am I done? | $\lVert g\rVert < \varepsilon$, a budget, a validation loss |

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The loop
#
# Here it is, complete. A generator, so that whoever watches can take as many points as they like.

# %% slideshow={"slide_type": "-"}
from itertools import count


def descend(f, x, direction, lr, stop):
    """Yield the points x₀, x₁, x₂, ... until stop(g, k) says that it is enough."""
    for k in count():
        yield x
        g = f.grad(x)
        if stop(g, k):
            return
        x = x + lr * direction(g)

# %% [markdown] slideshow={"slide_type": "-"}
# Find the four parts: *gradient*, *direction*, *step*, *stop*. *Gradient* and *stop* have lines of their own; *direction* and *step* share one.
# Everything else in this course changes one of these lines.

# %% slideshow={"slide_type": "skip"}
from shared.problems import landscapes

booth = landscapes.booth()
xs = np.array(list(descend(
    booth, x=np.array([-8.0, -5.0]), direction=lambda g: -g, lr=0.03, stop=lambda g, k: np.linalg.norm(g) < 1e-6)))
claim(f"the loop stopped by itself after {len(xs) - 1} steps at {xs[-1].round(6)}: the minimum is (1, 3)",
      np.allclose(xs[-1], [1, 3], atol=1e-6))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The four parts in one picture

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.8, 1, 2)
plots.contours(left, booth)
plots.path(left, xs, "SGD")
x0, g = xs[0], booth.grad(xs[0])
for vector, colour in ((0.01 * g, theme.BAD), (-0.03 * g, theme.GOOD)):
    left.annotate("", x0 + vector, x0, arrowprops=dict(arrowstyle="-|>", color=colour, lw=2.2))
left.annotate("step $\\eta\\,p$ with $p = -g$", x0 - 0.014 * g, (12, -12), textcoords="offset points", color=theme.GOOD, weight="bold")
left.annotate("gradient $g$: uphill (shortened)", x0 + 0.01 * g, (6, -10), textcoords="offset points", color=theme.BAD)
norms = np.linalg.norm(booth.grad(xs), axis=-1)
plots.curve(right, norms, "gradient norm ‖g‖", color=theme.BAD)
plots.curve(right, booth(xs), "loss f(x)", color=theme.SEQUENCE[0])
right.set(yscale="log", xlabel="step $k$", title="the run stops where ‖g‖ < 10⁻⁶", xlim=(0, len(xs)))
plots.limit(right, 1e-6, "stop here", axis="y", at=0.25)
right.legend()
show(fig, alt="Left: gradient descent on Booth's function, with the gradient uphill and the first step downhill. "
              "Right: loss and gradient norm fall until the norm passes the threshold.")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary><b>Predict:</b> what happens with <code>direction=lambda g: g</code>? And with <code>lr=0.3</code>, ten times larger?</summary>
#
# With `+g` every step goes uphill, and the loss grows without limit.
# With a rate ten times larger every step points downhill and still lands higher than it started: it jumps across the
# valley, further out each time. A good direction is worth nothing without a sensible step. The next cell tries both.
# </details>

# %% slideshow={"slide_type": "skip"}
def after(direction, lr, steps=30):
    """The loss on Booth's function after some steps from (-8, -5)."""
    *_, x = descend(booth, np.array([-8.0, -5.0]), direction, lr, stop=lambda g, k: k == steps)
    return booth(x)

start_loss = booth([-8.0, -5.0])
claim(f"uphill the loss grew from {start_loss:.0f} to {after(lambda g: g, 0.03):.1e}", after(lambda g: g, 0.03) > 1e3 * start_loss)
claim(f"downhill with ten times the rate it grew, too: {after(lambda g: -g, 0.3):.1e}", after(lambda g: -g, 0.3) > 1e3 * start_loss)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### The same loop in the shared package
#
# The chapters use this version. Look for the four parts again.

# %% slideshow={"slide_type": "skip"}
from shared.descent import iterates

show(iterates)

# %% [markdown] slideshow={"slide_type": "skip"}
# Two differences, both for a reason.
#
# - A **rule** holds direction *and* step, because later methods mix them. Its `step` may keep a memory `s`.
# - This loop never stops. *You* stop it, by taking as many points as you want: `run` takes `steps` of them.
#
# The rule of gradient descent, as it runs. Its docstring is the **algorithm box**: read it before the code.

# %% slideshow={"slide_type": "skip"}
show(SGD)

# %% slideshow={"slide_type": "skip"}
# NBVAL_CHECK_OUTPUT
same = run(SGD(lr=0.03), booth, [-8.0, -5.0], steps=len(xs) - 1)
claim("run(SGD(...)) visits exactly the points of our eight lines", np.array_equal(same, xs))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Minimising loss
#
# A loss says **how wrong** the parameters are, as one number. Our data: 1,797 handwritten digits, 8 × 8 pixels each.

# %% slideshow={"slide_type": "-"}
fig, axes = theme.figure(9, 1.25, 1, 12)
for ax, image, label in zip(axes, digits.x_train, digits.y_train):
    ax.imshow(image.reshape(8, 8), cmap="gray_r")
    ax.set_title(str(label), loc="center")
    ax.axis("off")
show(fig, alt="Twelve handwritten digits of eight by eight pixels with their labels.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### From wrong answers to a number
#
# A network with parameters $x$ turns an image $a_i$ into ten probabilities. Call the one of the true label $q_i(x)$.
# We want all of these large, so we want their product large. Take the negative logarithm and divide by $n$:
#
# $$ f(x) = \frac1n \sum_{i=1}^n \underbrace{-\log q_i(x)}_{\text{cross-entropy of example } i} $$
#
# - A sure and right answer, $q_i = 1$, costs $0$. A sure and wrong one costs more than any limit.
# - Giving all ten the same $q_i = 1/10$ costs $\log 10 \approx 2.303$. Remember that number: a loss above it is worse than *not looking*.
#   (The answers may still be right more often than one in ten: a few sure errors cost a lot.)

# %% slideshow={"slide_type": "skip"}
from shared.models.mlp import mlp


def network(seed, hidden=32, examples=slice(1000), dtype=torch.float64):
    """The loss of a small network on some of the training digits, as a function of its d parameters."""
    return NetworkOracle(mlp(64, hidden, 10, seed=seed, dtype=dtype), cross_entropy, digits.x_train[examples], digits.y_train[examples])

f = network(seed=0)
claim(f"this network has d = {f.dim:,} parameters; untrained it has loss {f(f.start):.3f}, and log 10 = {np.log(10):.3f}",
      f.dim == 64 * 32 + 32 + 32 * 10 + 10 and abs(f(f.start) - np.log(10)) < 0.1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why not simply maximise the accuracy?
#
# Accuracy is what you care about. Walk from the untrained network straight down the gradient and record both.

# %% slideshow={"slide_type": "skip"}
g = f.grad(f.start)
t = np.linspace(0, 0.4, 401)
line = f.start - t[:, None] * g
loss_on_line = f(line)
accuracy_on_line = np.array([f.accuracy(x, f.inputs, f.targets) for x in line])

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.6, 1, 2)
left.plot(t, loss_on_line)
left.set(title="the loss has a slope", xlabel="$t$ in $x - t\\,g$", ylabel="loss")
right.plot(t, accuracy_on_line, color=theme.SEQUENCE[1], drawstyle="steps-post")
right.set(title="the accuracy is a staircase", xlabel="$t$ in $x - t\\,g$", ylabel="training accuracy")
show(fig, alt="Along the negative gradient the loss falls smoothly, almost in a straight line; the accuracy moves in stairs.")

# %% slideshow={"slide_type": "skip"}
from shared import chance

rng = chance.rng(0)
nudged = f.start + 1e-7 * rng.standard_normal((100, f.dim))
loss_moved = np.mean(f(nudged) != f(f.start))
accuracy_moved = np.mean([f.accuracy(x, f.inputs, f.targets) != accuracy_on_line[0] for x in nudged])
claim(f"of 100 tiny changes {loss_moved:.0%} moved the loss and {accuracy_moved:.0%} the accuracy", loss_moved == 1 and accuracy_moved < 0.05)

# %% [markdown] slideshow={"slide_type": "skip"}
# On a stair the slope is zero, and at its edge there is none.
# Accuracy gives no hint where to go. So we minimise a smooth **stand-in** for what we want, and *check* what we want.
# Keep this gap in mind: it returns under *Generalisation*.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Why the gradient?
#
# Go a small distance $r$ along a unit vector $u$. Taylor's formula says what you gain:
#
# $$ f(x + r u) = f(x) + r\, g\cdot u + O(r^2), \qquad g \cdot u = \lVert g \rVert \cos\theta . $$
#
# Only the angle $\theta$ between $u$ and $g$ is ours to choose. The loss falls fastest for $\cos\theta = -1$, that is for
#
# $$ u = -\,g / \lVert g\rVert . $$
#
# Any direction with $g\cdot u < 0$ goes down, at least for a while. The negative gradient is the steepest of all steps of the same (Euclidean)
# length $r$. Measure length in another way, and another direction is the steepest: chapters 3 to 5 live on that.

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary><b>Predict:</b> 100 random directions against one gradient step of the same length, d = 2,410. How close does the best of the hundred come?</summary>
#
# About half of the random directions go down. That sounds good.
# But the best of a hundred reaches only about a twentieth of what the gradient step gains. Look at the next figure.
# </details>

# %% slideshow={"slide_type": "skip"}
def gains(f, x, r, rng, n=100):
    """The change of the loss along n random directions of length r, and along the negative gradient: (n,), number."""
    u = rng.standard_normal((n, f.dim))
    u *= r / np.linalg.norm(u, axis=-1, keepdims=True)
    g = f.grad(x)
    return f(x + u) - f(x), f(x - r * g / np.linalg.norm(g)) - f(x)

moments = {}                                              # (moment, seed) -> changes of the loss
for seed in range(3):
    f = network(seed)
    for moment, x in zip(("at initialisation", "in mid-training"), run(SGD(0.5), f, f.start, 30, every=30)):
        moments[moment, seed] = gains(f, x, r=0.03, rng=chance.rng(seed))
edge = np.array([steepest / random.min() for random, steepest in moments.values()])
helpful = [np.mean(random < 0) for random, _ in moments.values()]
claim(f"{min(helpful):.0%} to {max(helpful):.0%} of the random directions go down", 0.25 < min(helpful) and max(helpful) < 0.75)
claim(f"yet the gradient step gained {edge.min():.0f} to {edge.max():.0f} times as much as the best of 100, at both moments, 3 seeds",
      edge.min() > 8 and 10 < np.median(edge) < 40)

# %% slideshow={"slide_type": "subslide"}
fig, axes = theme.figure(9, 3.6, 1, 2, sharey=True)
for ax, moment in zip(axes, ("at initialisation", "in mid-training")):
    random, steepest = moments[moment, 0]
    ax.hist(1e3 * random, bins=12, color=theme.MUTED)
    plots.limit(ax, 1e3 * steepest, "gradient step", color=theme.color("SGD"))
    ax.annotate("100 random\ndirections", (0, 1), (-30, 0), va="top", ha="right", textcoords="offset points",
                xycoords=("data", "axes fraction"), color=theme.MUTED)
    ax.set(title=moment, xlabel="change of the loss, in thousandths")
axes[0].set_ylabel("directions")
show(fig, alt="Histograms of the loss change along random directions, narrow around zero, with the gradient step far to the left.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The curse of many directions
#
# Why so poor? Take $d$ directions at right angles, $u_1, \dots, u_d$. By Pythagoras
#
# $$ \sum_{i=1}^d (g\cdot u_i)^2 = \lVert g \rVert^2 \quad\Longrightarrow\quad \sum_{i=1}^d \cos^2\theta_i = 1 . $$
#
# No direction is special when you draw at random, so each $\cos^2\theta$ is $1/d$ on average: a typical $|\cos\theta|$ is $1/\sqrt d$.
# For large $d$ it is close to normal. The best of 100 normal draws lies 2.51 standard deviations out, hence
#
# $$ \frac{\text{best of 100}}{\text{gradient}} \approx \frac{2.51}{\sqrt d} . $$
#
# Test it: networks with 1 to 256 hidden units.

# %% slideshow={"slide_type": "skip"}
widths = (1, 4, 16, 64, 256)
dims, ratio = [], np.empty((3, len(widths)))              # (seeds, widths)
for j, hidden in enumerate(widths):
    for seed in range(3):
        f = network(seed, hidden, examples=slice(300))
        random, steepest = gains(f, f.start, r=0.01, rng=chance.rng(10 + seed))
        ratio[seed, j] = random.min() / steepest
    dims.append(f.dim)
slope = np.polyfit(np.log(dims), np.log(ratio).mean(0), 1)[0]
law = np.median(ratio, 0) / (2.51 / np.sqrt(dims))
claim(f"measured over predicted, 2.51 / √d, at the five sizes: {law.round(2)}", law.min() > 0.5 and law.max() < 2)
claim(f"from d = {dims[0]} to {dims[-1]:,} the best of 100 falls like d to the power {slope:.2f}; predicted -0.5", -0.65 < slope < -0.35)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(7.5, 3.6)
ax.loglog(dims, ratio.T, "o", color=theme.SEQUENCE[1], ms=5, label="measured, 3 seeds")
ax.loglog(dims, 2.51 / np.sqrt(dims), "--", color=theme.INK, label=r"predicted: $2.51/\sqrt{d}$")
ax.set(xlabel="number $d$ of parameters", ylabel="best of 100 / gradient", ylim=(0.01, 1),
       title="random search goes blind as networks grow")
handles, labels = ax.get_legend_handles_labels()
ax.legend(handles[-2:], labels[-2:])
show(fig, alt="The gain of the best of 100 random directions relative to the gradient falls along the predicted line.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### What does a gradient cost?
#
# You could *measure* the slope along every coordinate: nudge one parameter, look at the loss, repeat $d$ times.
# That is a **finite difference**. With both neighbours it needs $2d$ losses:
#
# $$ \frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h}. $$
#
# **Backpropagation** applies the chain rule from the loss backwards. One sweep gives all $d$ slopes.
#
# <details><summary><b>Predict:</b> how many times longer than the loss alone does backpropagation take, for 85 parameters and for 38,410?</summary>
#
# A few times in both cases. Every product with a weight matrix in the forward pass has two partners in the backward pass (one for the weights, one
# for what comes in), however many parameters there are: about three times the work. Small networks show less, because the time goes into starting
# the operations. This is the reason why deep learning is possible at all.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.problems import Counted


def differences(f, x, h=1e-5):
    """The gradient by central differences: 2 d evaluations of f."""
    E = h * np.eye(len(x))
    return np.array([(f(x + e) - f(x - e)) / (2 * h) for e in E])

small = Counted(network(0, hidden=4))
numeric, exact = differences(small, small.start), small.grad(small.start)
claim(f"d = {small.dim}: {small.calls['f']} losses against {small.calls['grad']} gradient, and they agree to {abs(numeric - exact).max():.0e}",
      small.calls == {"f": 2 * small.dim, "grad": 1, "hess": 0} and abs(numeric - exact).max() < 1e-7)

# %% slideshow={"slide_type": "skip"}
from functools import partial
from timeit import timeit


def seconds(*functions, rounds=25):
    """The shortest time of each function in seconds, measured in turns so that a busy moment hits all alike."""
    times = np.array([[timeit(fn, number=1) for fn in functions] for _ in range(rounds)])
    return times.min(0)

sizes, forward, backprop = [], [], []
for hidden in (1, 4, 16, 64, 256, 512):
    f = network(0, hidden, examples=slice(128))
    value, gradient = seconds(partial(f, f.start), partial(f.grad, f.start))
    sizes, forward, backprop = [*sizes, f.dim], [*forward, value], [*backprop, gradient]
sizes, forward, backprop = map(np.array, (sizes, forward, backprop))
finite = 2 * sizes * forward
claim(f"loss and gradient together took {min(backprop / forward):.1f} to {max(backprop / forward):.1f} times as long as the loss "
      f"(d = {sizes[0]} to {sizes[-1]:,})", max(backprop / forward) < 8)
claim(f"at d = {sizes[-1]:,} finite differences would take {finite[-1] / backprop[-1]:,.0f} times as long as backpropagation",
      finite[-1] > 1000 * backprop[-1])

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8, 3.6)
for y, name, colour in ((forward, "loss alone", theme.MUTED), (backprop, "backpropagation", theme.color("SGD")),
                        (finite, "finite differences", theme.BAD)):
    plots.curve(ax, 1e3 * y, name, sizes, colour, marker="o", ms=4)
ax.set(xscale="log", yscale="log", xlabel="number $d$ of parameters", ylabel="milliseconds", title="the price of one gradient")
plots.label_ends(ax)
show(fig, alt="Time against the number of parameters: loss and backpropagation stay together, finite differences grow in proportion.")

# %% [markdown] slideshow={"slide_type": "notes"}
# The grey and blue lines stay together; the red one runs away. The red line is 2 d measured forward passes: nobody waits for it.
# Random search and finite differences are both "zeroth order". One gradient is worth about d losses, for the price of a few.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Model training
#
# Training is the loop on real data, with one twist: each step looks at a small **batch** of examples only.
#
# $$ g_t = \frac1B \sum_{i\,\in\,\text{batch } t} \nabla f_i(x_{t-1}), \qquad x_t = x_{t-1} - \eta\, g_t, \qquad t = 1, 2, \dots $$
#
# It is a noisy gradient, and a cheap one. One pass over all examples is an **epoch**.

# %% slideshow={"slide_type": "skip"}
from shared.problems import MiniBatch

EPOCHS, B = 20, 50
train_loss, train_accuracy, test_accuracy = np.empty((3, 3, EPOCHS + 1))
trained = []
for seed in range(3):
    f = network(seed, examples=slice(None))
    batches = MiniBatch(f, batch_size=B, seed=seed)
    xs = run(SGD(0.5), batches, f.start, EPOCHS * batches.steps_per_epoch, every=batches.steps_per_epoch)
    train_loss[seed] = f(xs)
    train_accuracy[seed] = [f.accuracy(x, digits.x_train, digits.y_train) for x in xs]
    test_accuracy[seed] = [f.accuracy(x, digits.x_test, digits.y_test) for x in xs]
    trained.append((f, xs))
errors = 1 - test_accuracy
claim(f"errors on digits the network never saw: {errors[:, 0].mean():.0%} before, {errors[:, -1].max():.1%} or fewer after training, 3 seeds",
      errors[:, 0].min() > 0.7 and errors[:, -1].max() < 0.1)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.6, 1, 2)
plots.band(left, train_loss, color=theme.color("SGD"))
plots.limit(left, np.log(10), "guessing: log 10", axis="y", color=theme.MUTED)
left.set(yscale="log", xlabel="epoch", title="training loss, 3 seeds", xticks=range(0, EPOCHS + 1, 5))
plots.band(right, train_accuracy, "on training digits", color=theme.SEQUENCE[0])
plots.band(right, test_accuracy, "on new digits", color=theme.SEQUENCE[1])
right.set(xlabel="epoch", title="accuracy", ylim=(0, 1.02), xticks=range(0, EPOCHS + 1, 5))
right.legend(loc="lower right")
show(fig, alt="Training loss falls over twenty epochs; accuracy rises on training digits and on new digits.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Watch the parameters learn
#
# Take away the hidden layer. Then each digit has 64 weights, one per pixel, and you can *look* at them.
# Red: ink here speaks for this digit. Blue: against it.

# %% slideshow={"slide_type": "skip"}
f = NetworkOracle(mlp(64, 10, seed=0), cross_entropy, digits.x_train, digits.y_train)
batches = MiniBatch(f, B, seed=0)
templates = run(SGD(0.5), batches, f.start, 5 * batches.steps_per_epoch)[[0, 5, 130]][:, :640].reshape(3, 10, 8, 8)
means = np.stack([digits.x_train[digits.y_train == c].mean(0) for c in range(10)]) - digits.x_train.mean(0)
likeness = np.corrcoef(templates[-1].reshape(10, 64), means)[:10, 10:]
claim(f"after 5 epochs {np.sum(likeness.argmax(1) == range(10))} of 10 templates look most like the mean image of their own digit",
      np.sum(likeness.argmax(1) == range(10)) >= 8)

# %% slideshow={"slide_type": "-"}
fig, axes = theme.figure(9, 3.1, 3, 10)
for row, weights, name in zip(axes, templates, ("start", "5 steps", "5 epochs")):
    for c, (ax, w) in enumerate(zip(row, weights)):
        ax.imshow(w, cmap="RdBu_r", vmin=-abs(weights).max(), vmax=abs(weights).max())
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        if name == "start":
            ax.set_title(str(c), loc="center")
    row[0].set_ylabel(name)
show(fig, alt="The weights of ten digits as images: noise at the start, blurred shapes after five steps, templates after five epochs.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The loop as PyTorch writes it
#
# You will meet these four lines in every training script. They are our loop, in another dialect.

# %% slideshow={"slide_type": "-"}
f = network(seed=0)
batches, model, steps = MiniBatch(f, B, seed=0), mlp(64, 32, 10, seed=0), 100
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for t in range(1, steps + 1):
    rows = torch.tensor(batches.indices(t))
    optimizer.zero_grad()
    loss = cross_entropy(model(f.inputs[rows]), f.targets[rows])
    loss.backward()                                       # gradient
    optimizer.step()                                      # direction and step

# %% slideshow={"slide_type": "skip"}
theirs = torch.cat([p.detach().ravel() for p in model.parameters()]).numpy()
ours = run(SGD(0.5), batches, f.start, steps)[-1]
claim(f"after {steps} steps the largest difference between torch's parameters and ours is {abs(theirs - ours).max():.0e}",
      abs(theirs - ours).max() < 1e-10)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Training is not quite minimising
#
# | | pure optimization | training |
# |:--|:--|:--|
# | we minimise | $f$ | the loss on a *sample*, through batches |
# | we want | the minimum of $f$ | good answers on data nobody has seen |
# | the gradient is | exact | noisy |
# | we stop | at $\nabla f = 0$ | when the *validation* loss stops falling |
#
# The rest of the chapter follows first the left column (convergence), then the right one (stopping, generalisation).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Convergence to an optimal solution
#
# The points $x_k$ **converge** if they settle: $x_k \to x_\infty$. At what kind of point?
# For the loop with $p=-g$ to rest, the gradient must vanish. Such a point is **stationary**. The Hessian $H$, the matrix of second derivatives, tells
# which kind: $u^\top H u$ is the curvature along a unit vector $u$, and the eigenvalues of $H$ are its extremes.
#
# | at $\nabla f = 0$ | eigenvalues of $H$ | a ball would |
# |:--|:--|:--|
# | **minimum** (local, or the **global** one) | all $> 0$ | stay |
# | **maximum** | all $< 0$ | roll off |
# | **saddle** | some $> 0$, some $< 0$ | roll off sideways |
# | **plateau**, flat valley | near $0$ | hardly move |
#
# Where an eigenvalue is exactly $0$ the Hessian alone does not decide: $x^4$ has a minimum, $x^3$ has none.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How fast? One dimension says it all
#
# On $f(x) = \tfrac{\lambda}{2} x^2$ the gradient is $\lambda x$, and one step gives
#
# $$ x_{k+1} = x_k - \eta\lambda\, x_k = (1 - \eta\lambda)\, x_k \quad\Longrightarrow\quad x_k = (1-\eta\lambda)^k\, x_0 . $$
#
# - $|1 - \eta\lambda| < 1$: the error shrinks by the same factor at each step. That is **linear convergence**: a straight line on a logarithmic axis.
# - $\eta = 1/\lambda$: done in one step. $\eta > 2/\lambda$: the error *grows*.
#
# Near a minimum whose curvatures are all positive, every smooth loss looks like this, with one $\lambda$ per direction. Chapter 2 goes on
# from here, under *Convergence analysis*.

# %% slideshow={"slide_type": "skip"}
# NBVAL_CHECK_OUTPUT
parabola = landscapes.quadratic(kappa=1, d=1)            # λ = 1
rates = np.array([0.1, 0.5, 1.5, 1.9, 2.1])
xs = run(SGD(rates), parabola, [1.0], steps=20)[..., 0]  # five runs in one call: (21, 5)
claim(f"error factor per step for η = {rates}: {(abs(xs[20]) / abs(xs[19])).round(3)}", np.allclose(abs(xs[1:]) / abs(xs[:-1]), abs(1 - rates)))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A guarantee for every smooth loss
#
# Let no curvature exceed $L$. Then $f$ lies below a parabola through the present point:
# $f(y) \le f(x) + g\cdot(y - x) + \tfrac L2 \lVert y - x\rVert^2$. Put in the gradient step $y = x - \eta g$:
#
# $$ f(x - \eta g) \;\le\; f(x) - \eta\left(1 - \tfrac{\eta L}{2}\right)\lVert g\rVert^2 \qquad\text{(the descent lemma)} $$
#
# So **every step with $0 < \eta < 2/L$ goes down** (unless $g = 0$). With $\eta = 1/L$ it gains at least $\lVert g\rVert^2/2L$. Add up $T$ steps; no sum of gains exceeds $f(x_0) - f^*$:
#
# $$ \min_{k<T} \lVert \nabla f(x_k)\rVert^2 \;\le\; \frac{2L\,\bigl(f(x_0) - f^*\bigr)}{T} . $$
#
# If the loss is bounded below, the gradient must go to zero. Notice what is *not* promised: that the point is a minimum, or the best one.

# %% slideshow={"slide_type": "skip"}
from shared.problems import Logistic

cancer = data.breast_cancer()
logistic = Logistic(cancer.x_train, 2.0 * cancer.y_train - 1, l2=1e-2)
L = np.linalg.eigvalsh(logistic.X.T @ logistic.X / logistic.n / 4)[-1] + 1e-2   # σ' ≤ 1/4 bounds the curvature
xs = run(SGD(1 / L), logistic, np.zeros(logistic.dim), 1000)
losses, norms2 = logistic(xs), (logistic.grad(xs) ** 2).sum(-1)
T = np.arange(1, 1001)
bound = 2 * L * (losses[0] - losses.min()) / T            # losses.min() ≥ f*: this makes the bound only harder to meet
best = np.minimum.accumulate(norms2)[:-1]
claim(f"breast cancer, η = 1/L = {1 / L:.2f}: all 1,000 steps gained at least ‖g‖²/2L",
      np.all(losses[:-1] - losses[1:] >= norms2[:-1] / (2 * L) - 1e-12))
claim(f"after 1,000 steps the smallest ‖g‖² is {best[-1]:.1e}, the bound allows {bound[-1]:.1e}", np.all(best <= bound))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Convex: all roads lead to one place
#
# A loss is **convex** if it never rises above the straight line between two of its points.
# Then every stationary point is a global minimum. Logistic regression is convex, a network is not.
# (The small L2 penalty of our logistic regression also makes its minimum a single point.)
#
# Test it. Train twice from different starts. Then walk the straight line from one solution to the other.
#
# <details><summary><b>Predict:</b> what does the loss do half-way between two well-trained networks?</summary>
#
# It rises, far above both ends, so the loss cannot be convex. For logistic regression the line is flat, because both runs ended at the same point.
# But do not picture two separate valleys. Much of the ridge is a matter of *names*: swap two hidden units with all their weights, and the network
# computes the same. Give the units of the second network the order that fits the first one best, and most of the ridge is gone.
# </details>

# %% slideshow={"slide_type": "skip"}
starts = 3 * chance.rng(0).standard_normal((20, logistic.dim))
ends = run(SGD(1 / L), logistic, starts, 4000, every=4000)[-1]
spread = [np.ptp(x, axis=0).max() for x in (starts, ends)]
claim(f"logistic regression: 20 starts up to {spread[0]:.0f} apart in a coordinate end within {spread[1]:.0e}", spread[1] < 1e-3 * spread[0])

w = np.linspace(0, 1, 21)[:, None]
pairs = [(0, 1), (1, 2), (2, 0)]
ridge = np.stack([trained[i][0]((1 - w) * trained[i][1][-1] + w * trained[j][1][-1]) for i, j in pairs])
rise = [between.max() / max(between[0], between[-1]) for between in ridge]
claim(f"networks: between two solutions the loss rises {min(rise):.1f} to {max(rise):.1f}-fold", min(rise) > 2)

# %% slideshow={"slide_type": "skip"}
from scipy.optimize import linear_sum_assignment


def matched(a, b, d=64, h=32):
    """b with its h hidden units in the order whose weights are closest to a's: another point, the same network."""
    split = [h * d, h * d + h, len(b) - 10]                # W₁ (h, d), b₁ (h), W₂ (10, h), b₂ (10)
    parts = lambda x: np.split(x, split)
    units = lambda x: np.column_stack([parts(x)[0].reshape(h, d), parts(x)[1], parts(x)[2].reshape(10, h).T])
    U = units(b)[linear_sum_assignment(units(a) @ units(b).T, maximize=True)[1]]
    return np.concatenate([U[:, :d].ravel(), U[:, d], U[:, d + 1 :].T.ravel(), parts(b)[3]])

f, solutions = trained[0][0], [xs[-1] for _, xs in trained]
renamed = [matched(solutions[i], solutions[j]) for i, j in pairs]
claim("renaming units changes no loss", np.allclose(f(np.array(renamed)), f(np.array([solutions[j] for _, j in pairs])), rtol=1e-9))
low_ridge = np.stack([f((1 - w) * solutions[i] + w * x) for (i, _), x in zip(pairs, renamed)])
left_over = [(low.max() - low[[0, -1]].max()) / (high.max() - high[[0, -1]].max()) for low, high in zip(low_ridge, ridge)]
claim(f"with the units in matching order the ridge is {min(left_over):.0%} to {max(left_over):.0%} as high", max(left_over) < 0.5)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.6, 1, 2)
left.plot(w, logistic((1 - w) * starts[0] + w * starts[1]), color=theme.MUTED)
left.plot(w, logistic((1 - w) * ends[0] + w * ends[1]), color=theme.SEQUENCE[0])
left.annotate("between two starts", (0.5, 0.86), xycoords="axes fraction", ha="center", color=theme.MUTED)
left.annotate("between their two solutions", (0.5, 0.1), xycoords="axes fraction", ha="center", color=theme.SEQUENCE[0])
left.set(title="logistic regression: convex", xlabel="way from one point to the other", ylabel="loss", ylim=(0, None))
right.plot(w, ridge.T, color=theme.SEQUENCE[1], label=["as trained", None, None])
right.plot(w, low_ridge.T, "--", color=theme.SEQUENCE[0], label=["hidden units matched", None, None])
right.set(title="network: not convex, 3 pairs of solutions", xlabel="way from one solution to the other", ylim=(0, None))
right.legend(loc="upper left")
show(fig, alt="Loss along straight lines: below the chord for logistic regression, with a ridge between two trained networks, "
              "most of which goes when their hidden units are put in the same order.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Not convex: the start decides
#
# Himmelblau's function has four equally good minima. Colour every start by the minimum it reaches:
# its **basin of attraction**.

# %% slideshow={"slide_type": "-"}
from shared.explorers import basins

basins.explorer()

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. Slide the rate up from 0.01. At which rate does the first colour vanish?
# 2. Drag the start along a border. How far must you move to change the ending?
# 3. Choose *Newton* with rate 1. It solves $\nabla f = 0$. Why is so much of the map white?

# %% [markdown] slideshow={"slide_type": "notes"}
# Slide the rate slowly through 0.015 and stop when the green basin dissolves. Ask why it is that one. The answer, curvature, is
# two slides away.

# %% [markdown] slideshow={"slide_type": "skip"}
# The explorer colours a few thousand starts. For the picture below: 40,000 starts per map, each map one vectorised call.

# %% slideshow={"slide_type": "skip"}
from shared.descent import basin
from shared.optimizers import Newton

himmelblau = landscapes.himmelblau()
grid = basins.starts(himmelblau, 200)                     # (200, 200, 2)
maps = {"gradient descent, η = 0.01": basin(SGD(0.01), himmelblau, grid, 150, radius=0.02),
        "gradient descent, η = 0.02": basin(SGD(0.02), himmelblau, grid, 150, radius=0.02),
        "Newton, η = 1": basin(Newton(1.0), himmelblau, grid, 15, radius=0.02)}
share = {name: np.array([np.mean(which == k) for k in range(4)]) for name, which in maps.items()}
sharpest = np.linalg.eigvalsh(himmelblau.hess(himmelblau.minima)).max(-1)
small_rate, large_rate = share["gradient descent, η = 0.01"], share["gradient descent, η = 0.02"]
claim(f"η = 0.01: {small_rate.sum():.1%} of 40,000 starts reach a minimum, between {small_rate.min():.0%} and {small_rate.max():.0%} each",
      1 - small_rate.sum() < 0.02 and small_rate.min() > 0.2)

# %% slideshow={"slide_type": "subslide"}
fig, axes = theme.figure(9, 3.4, 1, 3, sharey=True)
for ax, (name, which) in zip(axes, maps.items()):
    basins.paint(ax, himmelblau, which)
    ax.set_title(name)
for ax in axes[1:]:
    ax.set_ylabel("")
show(fig, alt="Basins of attraction of Himmelblau's function for a small and a large learning rate and for Newton's method; "
              "white starts reach no minimum, black ones diverge.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The rate chooses, too
#
# At $\eta = 0.02$ two of the four colours are gone. Our one-dimensional formula knows why.
# A minimum with largest curvature $\lambda$ holds the iterates only if $\eta < 2/\lambda$. Compute $2/\lambda$ for each of the four:

# %% slideshow={"slide_type": "-"}
for k, (λ, before, now) in enumerate(zip(sharpest, small_rate, large_rate)):
    print(f"minimum {k}: 2/λ = {2 / λ:.4f}   starts that settle there:  η = 0.01: {before:4.0%}   η = 0.02: {now:4.0%}")
holds = sharpest < 2 / 0.02
claim("exactly the minima with 2/λ > 0.02 keep starts at η = 0.02; less than 1 % land on the others",
      large_rate[holds].min() > 0.1 and large_rate[~holds].max() < 0.01)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary><b>Predict:</b> Newton's method converged for almost every start, and yet a third of its map is white. Where are these starts?</summary>
#
# At saddles, and at the maximum in the middle. Newton's method looks for $\nabla f = 0$ and does not mind which kind it finds.
# The next cell counts them. Chapter 5 repairs it.
# </details>

# %% slideshow={"slide_type": "skip"}
ends = run(Newton(1.0), himmelblau, grid, 60, every=60)[-1].reshape(-1, 2)
settled = np.linalg.norm(himmelblau.grad(ends), axis=-1) < 1e-6
lowest, highest = np.moveaxis(np.linalg.eigvalsh(himmelblau.hess(ends)), -1, 0)
saddles, maxima = np.mean(settled & (lowest < 0) & (highest > 0)), np.mean(settled & (highest < 0))
claim(f"Newton: {settled.mean():.1%} of 40,000 starts end where the gradient vanishes, {saddles:.0%} at a saddle and {maxima:.0%} at the maximum",
      1 - settled.mean() < 0.02 and saddles > 0.2 and maxima > 0.02)
white = 1 - share["Newton, η = 1"].sum()
claim(f"that is the white of its map, {white:.0%}", abs(saddles + maxima - white) < 0.03)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Saddles: slow, not stuck
#
# On $f = \tfrac12(x^2 - y^2)$ a gradient step multiplies $y$ by $1 + \eta$. A start at height $y_0$ off the ridge is away, $|y| = 1$, after
#
# $$ k = \frac{\log (1/y_0)}{\log(1+\eta)} \ \text{steps} . $$
#
# A thousand times closer to the ridge costs the *same* number of extra steps each time. Only $y_0 = 0$ never leaves.

# %% slideshow={"slide_type": "skip"}
# NBVAL_CHECK_OUTPUT
y0 = 10.0 ** -np.arange(1, 13)
saddle_starts = np.stack([np.full(12, -1.8), y0], -1)
heights = abs(run(SGD(0.1), landscapes.saddle(), saddle_starts, 320)[..., 1])      # (321, 12)
escape, predicted = (heights >= 1).argmax(0), np.log(1 / y0) / np.log(1.1)
stuck = run(SGD(0.1), landscapes.saddle(), [-1.8, 0.0], 320)[-1]
claim(f"steps to leave from 1e-1, 1e-2, ..., 1e-12 off the ridge: {escape}", np.all(abs(escape - predicted) <= 1))
claim(f"exactly on the ridge: still at y = {stuck[1]:g} after 320 steps", stuck[1] == 0)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Plateaus: a small gradient is no proof
#
# The landscape *Plateau* is almost flat far out. Compare a far point with one near the minimum:

# %% slideshow={"slide_type": "skip"}
plateau, close = landscapes.plateau(), np.array([0.02, 0.0])
for name, x in (("far away", plateau.start), ("near the minimum", close)):
    print(f"{name:17} x = {x}   ‖g‖ = {np.linalg.norm(plateau.grad(x)):.3f}   loss = {plateau(x):.4f}")
slopes = [np.linalg.norm(plateau.grad(x)) for x in (plateau.start, close)]
claim(f"the gradient on the plateau is {slopes[0] / slopes[1]:.2f} times the other, the loss {plateau(plateau.start) / plateau(close):,.0f} times",
      slopes[0] < 1.25 * slopes[1] and plateau(plateau.start) > 1000 * plateau(close))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### When to stop: four criteria, one run
#
# | criterion | stop when | what it knows |
# |:--|:--|:--|
# | gradient norm | $\lVert\nabla f(x_k)\rVert < \varepsilon$ | the slope here |
# | relative decrease | $f(x_{k-5}) - f(x_k) < \varepsilon\, f(x_{k-5})$ | the last five steps |
# | budget | $k = K$ | your patience |
# | validation loss | no new best for 50 steps | data that was not trained on |
#
# A network trained on only 300 digits, full batch, $K = 1{,}500$; another 400 digits serve as validation set. We look every five steps.
#
# <details><summary><b>Predict:</b> in which order do the four stop?</summary>
#
# You cannot know: I have not told you $\varepsilon$. With $\varepsilon = 0.03$ both slopes stop long before validation, with $\varepsilon = 0.005$ long after it.
# A threshold is one more number to choose, and nothing about the run tells you which. The validation loss has a lowest point of its own, which no threshold moves:
# run on, and the training loss becomes several times smaller while the validation loss *rises*.
# </details>

# %% slideshow={"slide_type": "skip"}
EPSILONS = (0.03, 0.005)

def stopping_run(seed, steps=1500, every=5):
    """The losses and the gradient norm along one run, and the step at which each criterion stops it."""
    f = network(seed, examples=slice(300), dtype=torch.float32)
    validation = NetworkOracle(f.model, cross_entropy, digits.x_train[900:1300], digits.y_train[900:1300])
    xs = run(SGD(0.3), f, f.start, steps, every=every)
    train, valid, norm = f(xs), validation(xs), np.linalg.norm(f.grad(xs), axis=-1)
    decrease = np.append(np.inf, 1 - train[1:] / train[:-1])              # since the last look, 5 steps ago
    waited = np.array([k - valid[: k + 1].argmin() for k in range(len(xs))])
    met = {"validation": waited * every >= 50}
    for ε in EPSILONS:
        met |= {f"relative decrease, {ε}": decrease < ε, f"gradient norm, {ε}": norm < ε}
    stops = {name: int(yes.argmax()) if yes.any() else len(xs) - 1 for name, yes in met.items()}
    return train, valid, norm, stops | {"budget": len(xs) - 1}

# %% slideshow={"slide_type": "skip"}
more, less, first, later = [], [], [], []                  # first, later: steps between validation and the slopes' stops
for seed in range(3):
    train, valid, norm, stops = stopping_run(seed)
    i, end = stops["validation"], stops["budget"]
    more.append(valid[end] / valid[i])
    less.append(train[i] / train[end])
    coarse, fine = ([5 * k for name, k in stops.items() if name.endswith(f" {ε}")] for ε in EPSILONS)
    first.append(5 * i - max(coarse))
    later.append(min(fine) - 5 * i)
    print(f"seed {seed}: " + ", ".join(f"{name}: {5 * k}" for name, k in stops.items()))
claim(f"with ε = {EPSILONS[0]} both slopes stop {min(first)} steps or more before validation, with ε = {EPSILONS[1]} {min(later)} or more after it",
      min(first) > 0 and min(later) > 0)
claim(f"running on made the training loss {min(less):.1f} times smaller or more, and the validation loss {min(more) - 1:.0%} or more higher",
      min(less) > 2 and min(more) - 1 > 0.01)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.7, 1, 2, width_ratios=(1.3, 1))
k = 5 * np.arange(len(train))
for y, name, colour in ((train, "training loss", theme.SEQUENCE[0]), (valid, "validation loss", theme.SEQUENCE[1]), (norm, "gradient norm", theme.MUTED)):
    plots.curve(left, y, name, k, colour)
for ε in EPSILONS:
    left.axhline(ε, color=theme.FAINT, zorder=0)
left.set(yscale="log", xlabel="step", ylim=(1e-3, 3), xlim=(0, 1500), title="one run (the last seed)")
left.legend(loc="upper right", ncols=2)
plots.curve(right, valid, x=k, color=theme.SEQUENCE[1])
right.set(xlabel="step", xlim=(0, 1500), ylim=valid.min() + np.array([-0.01, 0.16]), title="where each criterion stops")
for (name, at), y in zip(stops.items(), (0.98, 0.86, 0.74, 0.62, 0.5, 0.38)):
    left.axvline(k[at], color=theme.FAINT, zorder=0)
    note = plots.limit(right, k[at], name, color=theme.INK, at=y)
    note.set_bbox(dict(fc=theme.PAPER, ec="none", pad=1))
    if k[at] > 750:
        note.set(ha="right", position=(-4, 0))
show(fig, alt="Training loss, validation loss and gradient norm over 1,500 steps, with the steps at which the criteria stop: two thresholds, "
              "one on either side of the lowest validation loss.")

# %% [markdown] slideshow={"slide_type": "notes"}
# Each criterion answers a different question. *Is the slope gone? Was the last step worth it? Is the time up? Is it still getting
# better on new data?* In training, the last question is the one you care about.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Generalisation
#
# What we want is a small loss on *all* data the world will send, the **risk** $R(x)$. What we can minimise is the loss on the
# sample we have:
#
# $$ \underbrace{f(x) = \frac1n\sum_{i=1}^n \ell(x; a_i, y_i)}_{\text{training loss: what we minimise}} \qquad
# \underbrace{R(x) = \mathbb E\,\ell(x; a, y)}_{\text{risk: what we want}} $$
#
# For a *fixed* $x$ the two agree on average. But we *chose* $x$ to make $f$ small, and part of what made it small is luck of the
# sample. The difference $R - f$ is the **generalisation gap**.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### An experiment that separates the two
#
# 1,000 training digits. For about 40 % of them we replace the label by a *wrong* one. The test digits keep their true labels.
#
# <details><summary><b>Predict:</b> with 40 % of the labels wrong, what is the best test accuracy? And the final one?</summary>
#
# At its best the network is far better than its teacher, who is right 60 % of the time: true digits agree with each other, errors do not.
# Then it goes on, and learns the errors by heart. It reaches about 0.9, and falls back below 0.75.
# With the true labels the same network does not fall (Zhang et al. 2017 train on random labels; Arpit et al. 2017 see patterns before noise).
# </details>

# %% slideshow={"slide_type": "skip"}
def mislabel(y, share, rng):
    """A copy of the labels y of which about `share` are wrong."""
    return np.where(rng.random(len(y)) < share, (y + rng.integers(1, 10, len(y))) % 10, y)

EPOCHS, N = 60, 1000
def label_run(seed, share):
    """Losses and accuracies by epoch of a training on labels of which a share is wrong."""
    rng = chance.rng(seed)
    y, y_valid = mislabel(digits.y_train[:N], share, rng), mislabel(digits.y_train[N:], share, rng)
    f = NetworkOracle(mlp(64, 256, 10, seed=seed, dtype=torch.float32), cross_entropy, digits.x_train[:N], y)
    valid = NetworkOracle(f.model, cross_entropy, digits.x_train[N:], y_valid)
    batches = MiniBatch(f, 50, seed=seed)
    xs = run(SGD(0.1, momentum=0.9), batches, f.start, EPOCHS * batches.steps_per_epoch, every=batches.steps_per_epoch)
    wrong = y != digits.y_train[:N]
    score = lambda inputs, labels: np.array([f.accuracy(x, inputs, labels) for x in xs])
    return dict(loss=f(xs), valid=valid(xs), test=score(digits.x_test, digits.y_test),
                fooled=score(digits.x_train[:N][wrong], y[wrong]) if share else xs[:, 0],
                sees=score(digits.x_train[:N][wrong], digits.y_train[:N][wrong]) if share else xs[:, 0])

noisy_runs = [label_run(seed, 0.4) for seed in range(3)]
noisy = {name: np.stack([r[name] for r in noisy_runs]) for name in noisy_runs[0]}          # (seeds, epochs + 1)
clean = np.stack([label_run(seed, 0.0)["test"] for seed in range(3)])                      # the control

# %% slideshow={"slide_type": "skip"}
peak, final = noisy["test"].max(1), noisy["test"][:, -1]
claim(f"trained with 40 % wrong labels, the test errors fall to {(1 - peak).max():.0%} or fewer, after epochs {noisy['test'].argmax(1)}",
      (1 - peak).max() < 0.15)
claim(f"after {EPOCHS} epochs the accuracy has fallen to {final.round(2)}: at least {min(peak - final):.2f} lower, 3 of 3 seeds",
      min(peak - final) > 0.12 and (1 - final).min() > 0.25)
claim(f"meanwhile the training loss fell to {noisy['loss'][:, -1].round(2)}, less than half of its highest value",
      np.all(noisy["loss"][:, -1] < 0.5 * noisy["loss"].max(1)))
lost = max(clean.max(1) - clean[:, -1])
claim(f"the control, with the true labels: {lost:.3f} lower than at its best, or less, after as many epochs", lost < min(peak - final) / 4)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.7, 1, 2)
plots.band(left, noisy["test"], "accuracy on new digits", color=theme.SEQUENCE[1])
plots.band(left, clean, "the same, true labels", color=theme.MUTED)
plots.band(left, noisy["loss"] / noisy["loss"][:, :1], "training loss (start = 1)", color=theme.SEQUENCE[0])
left.set(title="better loss, worse network", xlabel="epoch", ylim=(0, 1.5))
left.legend(loc="upper right")
plots.band(right, noisy["sees"], "the true label", color=theme.GOOD)
plots.band(right, noisy["fooled"], "the wrong label we gave", color=theme.BAD)
right.set(title="its answer to mislabelled training digits", xlabel="epoch", ylim=(0, 1.3))
right.legend(loc="upper right")
show(fig, alt="Left: accuracy on new digits peaks early and falls while the training loss falls; with true labels it stays. Right: mislabelled digits are first "
              "read correctly, later with their wrong label. Bands over three seeds.")

# %% [markdown] slideshow={"slide_type": "notes"}
# On the right is the story. First the network learns what *digits* have in common. It even corrects its teacher: it gives
# mislabelled digits their **true** label. Then it learns what is left in the loss: the errors, one by one.
#
# The optimizer did its job all the time. It was the **wrong job**.

# %% slideshow={"slide_type": "skip"}
claim(f"at its best it read {noisy['sees'].max(1).min():.0%} or more of the mislabelled digits correctly; in the end it repeats "
      f"{noisy['fooled'][:, -1].min():.0%} or more of the wrong labels",
      1 - noisy["sees"].max(1).min() < 0.2 and 1 - noisy["fooled"][:, -1].min() < 0.4)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Early stopping: the criterion that looks elsewhere
#
# Hold some examples back, watch the loss on them, and go back to the parameters with the lowest one.
# Be fair: the held-out labels are as wrong as the others. Does the peak show even so?

# %% slideshow={"slide_type": "-"}
chosen = noisy["valid"].argmin(1)
early = noisy["test"][range(3), chosen]
for seed in range(3):
    print(f"seed {seed}: best epoch by 347 noisy validation labels {chosen[seed]:2}   test accuracy {early[seed]:.3f}   at the end {final[seed]:.3f}")
claim(f"early stopping won {min(early - final):.2f} or more in accuracy on 3 of 3 seeds", min(early - final) > 0.1)

# %% [markdown] slideshow={"slide_type": "notes"}
# Pause here. The message of the chapter: the optimizer is only as good as the function you give it.
# Chapter 6 returns to this experiment with weight decay and dropout.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Hyperparameter tuning
#
# The loop itself has numbers: learning rate, batch size, number of steps. They are not learned. They are **hyperparameters**,
# and somebody has to choose them. That is an optimization problem around the first:
#
# $$ \eta^\star = \arg\min_\eta \; V\bigl(x_T(\eta)\bigr), \qquad x_T(\eta) = \text{the result of training with rate } \eta $$
#
# with $V$ the **validation** loss. One evaluation costs a whole training run, and there is no cheap gradient.
# So we are back at trying values, and *which* values matters. Rates act as factors: try them in equal **ratios**.
#
# <details><summary><b>Predict:</b> learning rates from 0.001 to 10, the same network and budget. How wide is the good range?</summary>
#
# Less than a factor of ten, out of ten thousand (all rates within twice the best loss). A hundred times lower the loss barely moves, a few times higher training breaks down.
# </details>

# %% slideshow={"slide_type": "skip"}
rates, every = np.geomspace(1e-3, 10, 21), 10              # four decades, five rates in each
sweep_train, sweep_valid = [], []
for seed in range(3):
    f = network(seed, dtype=torch.float32)
    validation = NetworkOracle(f.model, cross_entropy, digits.x_train[1000:], digits.y_train[1000:])
    xs = run(SGD(rates), MiniBatch(f, 50, seed=seed), f.start, 200, every=every)   # 21 trainings in one batch: (21, 21, d)
    sweep_train.append(f(xs))
    sweep_valid.append(validation(xs))
sweep_train, sweep_valid = np.stack(sweep_train), np.stack(sweep_valid)           # (seeds, points in time, rates)

# %% slideshow={"slide_type": "subslide"}
from shared.explorers import tuning

tuning.explorer(rates, every * np.arange(sweep_train.shape[1]), sweep_train, sweep_valid)

# %% [markdown] slideshow={"slide_type": "notes"}
# These are 63 real training runs: 21 rates, three seeds each. Slide the rate from left to right and name what you see:
# too low, good, too high, broken. Then slide the **budget** down and watch the star. How much does the best rate depend on the budget?

# %% slideshow={"slide_type": "skip"}
last = sweep_valid[:, -1]                                  # (seeds, rates)
best = rates[last.argmin(1)]
good = [rates[row < 2 * row.min()] for row in last]
widest = max(np.log10(r.max() / r.min()) for r in good)
far_below = np.median(last[:, abs(np.log(100 * rates / best.mean())).argmin()])
broken = last[:, rates > 5]
claim(f"best rates of 3 seeds: {best.round(2)}; all rates within twice the best loss span {widest:.1f} of 4 decades", widest < 1)
claim(f"a hundred times below the best, the loss is still {far_below:.2f}, {far_below / last.min():.0f} times the best", far_below > 3 * last.min())
worst = np.nan_to_num(broken, nan=np.inf).min()
claim(f"above a rate of 5 every run ends at {worst:.2f} or worse, {worst / last.min():.0f} times the best", worst > 3 * last.min())
stars = [rates[np.nan_to_num(np.median(sweep_valid[:, k], 0), nan=np.inf).argmin()] for k in (5, 10, 15, 20)]
claim(f"the best rate after {every * 5}, {every * 10}, {every * 15} and {every * 20} steps: " + ", ".join(f"{r:.2g}" for r in stars),
      max(stars) < 4 * min(stars))

# %% [markdown] slideshow={"slide_type": "notes"}
# Let the audience call out "too low, good, too high, broken" while you slide. Then shorten the budget: the star hardly moves, from 50 steps on.
# It sits not far from the broken region for every budget. Nothing here is simulated.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three rules of honest tuning
#
# 1. **Three data sets.** Train on one, choose on the second, report on the third, once. What you used to choose is used up.
# 2. **Search rates in equal ratios**, and if the best is at the edge of your range, widen it.
# 3. **Say what you spent.** A comparison of two methods with different tuning budgets compares the budgets. Chapter 3 holds a fair race.

# %% slideshow={"slide_type": "skip"}
f = network(seed=2, dtype=torch.float32)
x = run(SGD(best[2]), MiniBatch(f, 50, seed=2), f.start, 200)[-1]
wrong = 1 - f.accuracy(x, digits.x_test, digits.y_test)
claim(f"the rate chosen by validation, {best[2]:.2g}, leaves {wrong:.1%} errors on the test digits, which had no say in the choice", wrong < 0.15)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A map of the course
#
# Most chapters change one part of the loop.

# %% slideshow={"slide_type": "-"}
from shared.course import outline

show(outline.loop_map(), alt="The loop as a chain of boxes, batch, gradient, direction, step, stop, with the numbers of the chapters about each.")

# %% [markdown] slideshow={"slide_type": "notes"}
# Point at each box and repeat its question. Everybody should now be able to say what their favourite optimizer changes.

# %% slideshow={"slide_type": "skip"}
from IPython.display import Markdown

Markdown(outline.contents())

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Notation
#
# A symbol keeps its meaning through all nine chapters unless a chapter says otherwise. In this one $\theta$ was also an angle and
# $\varepsilon$ a tolerance; later, $\varepsilon$ is the small number in a denominator.
#
# | symbol | meaning | in code |
# |:--|:--|:--|
# | $x$ (or $\theta$) | parameters, a vector of length $d$ | `x`, shape `(..., d)` |
# | $f(x)$, $f_i(x)$ | loss; loss of example $i$ of $n$ | `f(x)` |
# | $g = \nabla f(x)$ | gradient | `f.grad(x)` |
# | $H = \nabla^2 f(x)$, $\lambda$ | Hessian and its eigenvalues (curvatures) | `f.hess(x)` |
# | $\mu$, $L$, $\kappa = L/\mu$ | smallest and largest curvature, condition number | `kappa` |
# | $\eta$ | learning rate | `lr` |
# | $p$ | direction of a step | |
# | $\beta$ | momentum (chapter 4), decay of an average (chapter 3) | `momentum`, `betas` |
# | $B$ | batch size | `batch_size` |
# | $k$, $t$ | steps done; number of the present step, $t = k+1$ | `steps`, `t` |
# | $x^*$, $f^*$ | a minimiser, the smallest loss | `f.minima`, `f.f_min` |

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Replace each `...`, run the cell, then its check. It tells you what is wrong, not only that it is.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1 (derive): how blind is a random direction?
#
# A network has $d = 10{,}000$ parameters. Draw a direction at random. What is the root of the mean square of $\cos\theta$,
# its cosine with the gradient?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
cosine = 1 / np.sqrt(10_000)
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("01.cosine", cosine)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What do the squares of the cosines with $d$ orthogonal directions sum to?
# - All directions are alike on average, so each square has the mean $1/d$.
#
# Solution: $\sum_i \cos^2\theta_i = 1$ over $d$ orthogonal directions, so the mean square is $1/d$ and its root $1/\sqrt d$.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2 (implement): a gradient without calculus
#
# Write the central difference $\dfrac{f(x + h e_i) - f(x - h e_i)}{2h}$ for every coordinate $i$ of `x`, an array of shape `(d,)`.
# `f` takes such an array and returns a number. Leave `x` itself unchanged.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def finite_differences(f, x, h):
    """The gradient of f at x (d,) by central differences: (d,)."""
    ### BEGIN SOLUTION
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("01.differences", finite_differences)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Which array moves only coordinate $i$? `np.eye(d)` has all of them as rows.
# - For each row `e`, compare `f(x + h * e)` with `f(x - h * e)`.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3 (derive): how many steps?
#
# Each step multiplies the error by $0.9$. The error starts at $1$. After how many steps is it below $10^{-6}$ for the first time?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
steps_needed = np.ceil(np.log(1e-6) / np.log(0.9))
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("01.steps", steps_needed)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What is the error after $k$ steps?
# - Solve $0.9^k < 10^{-6}$ for $k$, with logarithms. Both are negative.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4 (implement): early stopping
#
# `losses` is an array: `losses[k]` is the validation loss after epoch $k = 0, 1, 2, \dots$ Training stops at the first epoch at which `patience`
# epochs in a row have brought no new best (strictly lower) loss, or at the last one. Return the epoch at which it stops, and
# the epoch whose parameters you keep.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def early_stop(losses, patience):
    """(epoch at which training stops, epoch with the best loss until then)."""
    ### BEGIN SOLUTION
    best = 0
    for k in range(len(losses)):
        if losses[k] < losses[best]:
            best = k
        if k - best >= patience:
            break
    return k, best
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("01.early_stop", early_stop)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Remember only one thing: the epoch of the best loss so far.
# - How many epochs have passed since then? Compare that with `patience`.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5 (experiment): leave the basin
#
# From $(-0.5, -1)$ on Himmelblau's function, gradient descent with any small rate ends in minimum number 2, at the lower left.
# Find a learning rate with which it settles in **another** minimum within 1,000 steps. Use the basin explorer above, and the
# table of $2/\lambda$.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
rate = 0.023
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("01.leave", rate)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Minimum 2 is the sharpest. Up to which rate can it hold the iterates?
# - Above that rate, but below the largest $2/\lambda$ of the four, only the flatter ones can. Near the lower end it bounces for ever:
#   start at 0.0226, in steps of 0.0002.
#
# Solution: above $2/\lambda$ of minimum 2 the iterates are thrown out of it and wander until a flatter minimum catches them.
# Whether and where they settle changes with the smallest change of the rate: the border between basins is ragged.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# | idea | in one sentence |
# |:--|:--|
# | **the loop** | gradient, direction, step, stop: every method of this course changes one of the four |
# | **loss** | a smooth stand-in for what we want, since accuracy has no slope |
# | **gradient** | the steepest way down; a random direction is worth $1/\sqrt d$ of it, backpropagation costs a few losses |
# | **training** | the loop on batches of real data |
# | **convergence** | the gradient goes to zero; in a convex problem that is the optimum, elsewhere it can be a saddle or any of many minima |
# | **stopping** | each criterion knows something else, and its threshold decides when; only validation knows about new data |
# | **generalisation** | with wrong labels to learn by heart, the training loss falls while the network gets worse |
# | **tuning** | an optimization around the optimization; rates in equal ratios, chosen on validation data |

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - S. K. Ainsworth, J. Hayase, S. Srinivasa. *Git Re-Basin: merging models modulo permutation symmetries.* ICLR 2023. Most of the ridge is names.
# - A.-L. Cauchy. *Méthode générale pour la résolution des systèmes d'équations simultanées.* Comptes rendus 25, 1847. Gradient descent.
# - J. Nocedal, S. Wright. *Numerical Optimization*, 2nd edition. Springer, 2006. Directions, steps, stopping, convergence.
# - I. Goodfellow, Y. Bengio, A. Courville. *Deep Learning*. MIT Press, 2016. Chapter 8: how training differs from optimization.
# - A. Griewank, A. Walther. *Evaluating Derivatives*, 2nd edition. SIAM, 2008. Why a gradient costs only a few function values.
# - D. Himmelblau. *Applied Nonlinear Programming*. McGraw-Hill, 1972. The function with four minima.
# - L. Prechelt. *Early stopping, but when?* In: Neural Networks: Tricks of the Trade, Springer, 1998.
# - C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals. *Understanding deep learning requires rethinking generalization.* ICLR 2017. Networks fit random labels.
# - D. Arpit et al. *A closer look at memorization in deep networks.* ICML 2017. Patterns first, noise later.
