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
# # Gradient descent variants
#
# The gradient of a loss is a mean over all your data.
# You can pay for all of it, for one example, or for a handful.
#
# **How much of the data should one step look at, and how far should it go?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## What you will be able to do
#
# - Say what batch, stochastic and mini-batch gradient descent buy with each step, and what they pay.
# - Predict the noise of a batch, the noise floor of a rate, and the batch size beyond which more data is wasted.
# - Derive the learning rate at which a quadratic diverges, and explain why a network trains beyond it.
# - Find a learning rate, and know what the range test gets wrong.
# - Choose, compose and read learning-rate schedules.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from shared import data
from shared.course import check, claim, show
from shared.descent import iterates, run
from shared.figures import plots, theme
from shared.optimizers import SGD, schedules
from shared.problems import MiniBatch

threadpool_limits(1)  # small matrices: one thread is faster than two, and timings compare like with like
torch.set_num_threads(1)
SEEDS = range(3)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# Sixty runs start at the same point. They differ only in the examples they happen to draw.

# %% slideshow={"slide_type": "-"}
from shared.explorers import batch

batch.explorer()

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. Press play at $B=1$. Then again at $B=16$ and $B=256$. What changes, and what does not?
# 2. Keep $B=1$ and halve the rate until the ball is as small as it was at $B=16$. What did you pay?
# 3. Tick **multiply the rate by B**. Now compare $B=1$ with $B=4$. Look at the ball, then at the speed.

# %% [markdown] slideshow={"slide_type": "notes"}
# Three minutes. The point to bring out: the ball depends on η/B, the speed on η. Ask why anybody would use B = 1.
# The loss is a linear regression on 331 patients; the predicted ellipse's size along one direction is derived later in the chapter.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Batch gradient descent
#
# The loss of a model is a mean over $n$ examples. *Batch* gradient descent computes all of it, then takes one step:
#
# $$ f(x) = \frac1n \sum_{i=1}^n f_i(x), \qquad x \leftarrow x - \eta\, \nabla f(x) . $$
#
# | per step | |
# |:--|:--|
# | cost | $n$ gradients of one example |
# | noise | none: the same start gives the same run |
# | memory | all the data, unless the sum is accumulated in pieces |

# %% [markdown] slideshow={"slide_type": "skip"}
# ### The algorithm box
#
# One rule serves the whole chapter. What changes is the loss that it is given.

# %% slideshow={"slide_type": "skip"}
show(SGD)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why a small enough step always helps
#
# Suppose that no curvature of $f$ exceeds $L$. Then $f$ lies below a parabola through the current point:
#
# $$ f(x + p) \;\le\; f(x) + \nabla f(x)^\top p + \tfrac L2 \lVert p\rVert^2 . $$
#
# Put in the step $p = -\eta g$ with $g = \nabla f(x)$:
#
# $$ f(x - \eta g) \;\le\; f(x) - \eta\left(1 - \tfrac{\eta L}{2}\right) \lVert g\rVert^2 . $$
#
# The bracket is positive exactly when $\eta < 2/L$. Then **every step lowers the loss**.
# The guaranteed gain is largest at $\eta = 1/L$, where it is $\lVert g\rVert^2 / 2L$.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### On real data
#
# Softmax regression reads handwritten digits: 1,347 images of 64 pixels, ten classes, 640 parameters.
# A small penalty $\lambda\lVert x\rVert^2/2$ makes the minimum unique, and Newton's method (chapter 5) finds its exact
# height $f^*$, so that we can draw the excess $f(x) - f^*$.

# %% slideshow={"slide_type": "skip"}
from shared.problems import Softmax

digits = data.digits()
f = Softmax(digits.x_train - digits.x_train.mean(0), digits.y_train, l2=1e-3)
x0 = np.zeros(f.dim)
best = run(SGD(lr=20.0), f, x0, 100)[-1]  # close enough for Newton to finish
for _ in range(3):
    best = best - np.linalg.solve(f.hess(best), f.grad(best))
f_best = f(best)
L = np.linalg.eigvalsh(f.hess(x0))[-1]  # the largest curvature at the start
excess = lambda x: f(x) - f_best
rates = np.array([1.0, 5.0, 20.0])
claim(f"the minimum is found, f* = {f_best:.4f} with a gradient below 1e-9; at the start 2/L = {2 / L:.1f}",
      np.abs(f.grad(best)).max() < 1e-9 and rates.max() < 2 / L)

# %% slideshow={"slide_type": "subslide"}
xs = run(SGD(lr=rates), f, x0, 60)  # all three rates in one batch
fig, ax = theme.figure(9, 3.4)
for η, y in zip(rates, excess(xs).T, strict=True):
    plots.curve(ax, y, f"η = {η:.3g}")
ax.set(yscale="log", xlabel="step = pass over the data", ylabel="excess loss $f(x) - f^*$", xlim=(0, 60),
       title="batch gradient descent: smooth, and one step for all that work")
plots.label_ends(ax)
show(fig, alt="Excess loss of batch gradient descent against the step, falling smoothly at three learning rates.")

# %% slideshow={"slide_type": "-"}
drops = np.diff(f(xs), axis=0)
claim(f"below the start's 2/L all {drops.size} steps lowered the loss", (drops < 0).all())

# %% [markdown] slideshow={"slide_type": "notes"}
# Point out that 2/L was measured at the start, and that the curvature changes along the way. What a network makes of that
# is the surprise in the section on convergence.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Stochastic gradient descent
#
# Draw **one** example $i$ at random, and step along its gradient alone:
#
# $$ x \leftarrow x - \eta\, \nabla f_i(x) . $$
#
# It costs $1/n$ of a full step. Is it the right direction? On average, exactly:
#
# $$ \mathbb E_i\, \nabla f_i(x) = \sum_{i=1}^n \tfrac1n\, \nabla f_i(x) = \nabla f(x) . $$
#
# The estimate is *unbiased*. Does a single draw look like it?

# %% slideshow={"slide_type": "skip"}
show(MiniBatch)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How wrong is one example?

# %% slideshow={"slide_type": "-"}
x = run(SGD(lr=5.0), f, x0, 10)[-1]  # a point on the way down
G = f.grads(x)  # the gradient of every example: (1347, 640)
g = G.mean(0)
cosines = G @ g / np.linalg.norm(G, axis=1) / np.linalg.norm(g)
fig, ax = theme.figure(9, 3.2)
ax.hist(cosines, bins=60, color=theme.color("SGD"))
plots.limit(ax, 0, "sideways")
ax.set(xlabel="cosine between one example's gradient and the mean of all", ylabel="examples",
       title="one example points almost sideways; only their mean is the gradient")
show(fig, alt="Histogram of cosines between the gradients of single examples and the full gradient: nearly all are positive "
              f"and small, with median {np.median(cosines):.2f}.")

# %% slideshow={"slide_type": "-"}
angle = np.degrees(np.arccos(np.median(cosines)))
claim(f"half of the examples are {angle:.0f} degrees or more away from the mean of all", 90 - angle < 10)
uphill = np.mean(cosines <= 0)
claim(f"and yet a step along one of them goes downhill on f for {1 - uphill:.1%} of the examples", uphill < 0.05)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <details><summary><b>Predict:</b> you may look at each example three times. Who gets lower: 3 steps of batch gradient
# descent, or 4,041 noisy steps of SGD, each with its best rate?</summary>
#
# SGD, by far. Its steps are wrong one by one, but it takes 1,347 times as many, and their errors cancel.
# A data set repeats itself: 1,347 digits do not hold 1,347 different lessons.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.race import Entry, Range, compare, rules

NAMES = {1: "stochastic, B = 1", 32: "mini-batch, B = 32", f.n: "batch, B = n"}
EPOCHS = 3
RATES = {1: Range(0.04, 1.0, log=True), 32: Range(1.0, 25.0, log=True), f.n: Range(6.0, 80.0, log=True)}

def steps_of(B):
    return EPOCHS * MiniBatch(f, B).steps_per_epoch

def entrant(B):
    """SGD with batches of B, three passes over the data, its rate to be tuned: name -> Method."""
    return rules({NAMES[B]: Entry(SGD, {"lr": RATES[B]})}, lambda seed: (MiniBatch(f, B, seed), x0), excess, steps_of(B))

epochs = compare(entrant(1) | entrant(32) | entrant(f.n), draws=5, trials=7)
TUNED = {B: np.median(epochs.chosen(name)["lr"]) for B, name in NAMES.items()}

# %% slideshow={"slide_type": "skip"}
epochs

# %% slideshow={"slide_type": "skip"}
def curves_of(rule, B, steps, marks=40):
    """The excess loss along one run per seed: the steps of the marks, and losses (seeds, marks)."""
    every = max(1, steps // marks)
    seeds = SEEDS if B < f.n else SEEDS[:1]  # the full batch has no noise
    ys = np.array([excess(run(rule, MiniBatch(f, B, seed), x0, steps, every)) for seed in seeds])
    return every * np.arange(ys.shape[1]), ys

by_epoch = {}
for B, name in NAMES.items():
    k, ys = curves_of(SGD(lr=TUNED[B]), B, steps_of(B))
    by_epoch[name] = EPOCHS * k / steps_of(B), ys

# %% slideshow={"slide_type": "-"}
def draw(results, xlabel, title):
    """One band over the seeds for each entry of results: name -> (x per mark, losses (seeds, marks))."""
    fig, ax = theme.figure(9, 3.6)
    for colour, (name, (x, ys)) in zip(theme.SEQUENCE, results.items(), strict=False):
        plots.band(ax, ys, name, x, color=colour, marker="o" if ys.shape[1] < 9 else None)
    ax.set(yscale="log", xlabel=xlabel, ylabel="excess loss", title=title)
    plots.label_ends(ax)
    return fig

show(draw(by_epoch, "passes over the data (epochs)", "at equal epochs: the smaller batches win"),
     alt="Excess loss against epochs: B = 1 and B = 32 fall together, the full batch stays far above.")

# %% slideshow={"slide_type": "-"}
behind, tie = epochs.ratio(NAMES[f.n], NAMES[1]), epochs.ratio(NAMES[32], NAMES[1])
claim(f"after {EPOCHS} epochs, each rate tuned, the full batch ends at {behind} times the excess of B = 1",
      behind.low > 4 and not (behind.flips or behind.edge))
claim(f"B = 32 ends at {tie} times the excess of B = 1: no more than a factor of 2.5 apart, in every draw",
      tie.low > 1 / 2.5 and tie.high < 2.5 and not tie.edge)

# %% [markdown] slideshow={"slide_type": "notes"}
# The textbook says "B = 1 wins per epoch". Tuned fairly, B = 32 is as good: 32 steps of rate η and one step of rate 32η on
# the mean do nearly the same, as long as the batch is small against the critical batch size. That is the *linear scaling rule*
# (Goyal et al. 2017): look at the two tuned rates. We come back to it.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The clock disagrees
#
# A step costs time twice: a **fixed price** for starting it, whatever its size, and a price per example. What are they here?

# %% slideshow={"slide_type": "skip"}
from time import perf_counter


def prices(sizes, rounds=40):
    """Seconds per step of SGD for every batch size: the quickest of many short runs, taken in turns."""
    best = np.full(len(sizes), np.inf)
    runs = [iterates(SGD(lr=0.1), MiniBatch(f, int(B), 0), x0) for B in sizes]
    for _ in range(rounds):
        for i, (steps, B) in enumerate(zip(runs, sizes, strict=True)):
            n = max(3, 600 // (B + 20))
            begin = perf_counter()
            for _ in range(n):
                next(steps)
            best[i] = min(best[i], (perf_counter() - begin) / n)
    return best

SIZES = np.array([1, 4, 16, 32, 64, 128, 256, 512, f.n])
price = prices(SIZES)
fixed, each = np.linalg.lstsq(np.stack([1 / price, SIZES / price], -1), np.ones(len(SIZES)))[0]  # relative errors
cost = {B: fixed + each * B for B in NAMES}  # seconds per step

# %% slideshow={"slide_type": "-"}
claim(f"a step costs as much as {fixed / each:.0f} examples before it looks at any: {fixed / (fixed + each):.0%} of a step with B = 1",
      fixed > 20 * each)
claim(f"so a step on {f.n} times the data took only {cost[f.n] / cost[1]:.0f} times as long", cost[f.n] / cost[1] < f.n / 10)

# %% [markdown] slideshow={"slide_type": "skip"}
# Now give everyone the time that B = 1 needs for its three epochs. B = 1 keeps the rate that was tuned for just this run. The full batch
# gets a handicap: an untuned rate. B = 32 runs twice, with its constant rate and with one that falls to zero.

# %% slideshow={"slide_type": "skip"}
seconds = steps_of(1) * cost[1]
N = {B: int(seconds / cost[B]) for B in NAMES}
entries = {"B = 1": (1, TUNED[1]), "B = 32": (32, TUNED[32]), "B = n": (f.n, 20.0),
           "B = 32, rate → 0": (32, schedules.Linear(TUNED[32], 0.0, N[32]))}
by_time = {}
for name, (B, η) in entries.items():
    k, ys = curves_of(SGD(lr=η), B, N[B])
    by_time[name] = 1e3 * cost[B] * k, np.maximum(ys, 1e-12)

# %% slideshow={"slide_type": "subslide"}
fig = draw(by_time, "milliseconds: steps × measured price of a step", "at equal time: the order is reversed")
show(fig, alt="Excess loss against milliseconds: the full batch ends many orders of magnitude below B = 1; B = 32 is held up by "
              "its constant rate, and falls far lower with a rate that goes to zero.")

# %% slideshow={"slide_type": "-"}
late = {name: np.median(ys[:, -1]) for name, (_, ys) in by_time.items()}
claim(f"for {N[1]:,} steps of B = 1 the clock gives {N[f.n]:,} of the full batch, not {EPOCHS}: it ends at {late['B = n']:.0e}, "
      f"B = 1 at {late['B = 1']:.0e}", late["B = n"] < late["B = 1"] / 10)
claim(f"B = 32 ends at {late['B = 32']:.0e} with a constant rate, at {late['B = 32, rate → 0']:.0e} with one that falls to zero",
      late["B = 32, rate → 0"] < late["B = 32"] / 10)

# %% [markdown] slideshow={"slide_type": "-"}
# Take the fixed price away, and the clock counts examples: then the picture at equal epochs holds. Here the fixed price is Python's, on one thread;
# on a GPU it is the launch of the kernels, and hardware that a small batch leaves idle.
# *Examples* count when gradients are expensive, *seconds* when steps are.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### With or without replacement?
#
# Theory likes independent draws. Practice shuffles once per epoch and walks through: every example is seen exactly once.
#
# <details><summary><b>Predict:</b> same rate, same number of steps. Does shuffling help, hurt, or make no difference?</summary>
#
# It helps. At a fixed point the errors of one shuffled epoch sum to zero (up to the few examples that fill no batch), because together the
# batches *are* the data. Small steps hardly spoil that.
# Independent draws leave some examples out and count others twice.
# </details>

# %% slideshow={"slide_type": "skip"}
def floor_of(seed, replacement, epochs=8):
    """The mean excess loss at the ends of the last four epochs of SGD with B = 8."""
    oracle = MiniBatch(f, 8, seed, replacement)
    n = oracle.steps_per_epoch
    return excess(run(SGD(lr=1.0), oracle, x0, epochs * n, every=n))[-4:].mean()

ratios = np.array([floor_of(seed, True) / floor_of(seed, False) for seed in SEEDS])
claim(f"drawing with replacement leaves {ratios.min():.1f} to {ratios.max():.1f} times the excess loss of shuffling",
      (ratios > 1.4).all())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Mini-batch gradient descent
#
# Average over $B$ examples. Still unbiased, and calmer:
#
# $$ g_B = \frac1B \sum_{i \in \text{batch}} \nabla f_i(x), \qquad
# \operatorname{Var} g_B = \frac{1}{B}\, \operatorname{tr} C, \qquad C = \operatorname{cov}_i \nabla f_i(x) . $$
#
# Independent draws add their variances, and the mean divides by $B^2$: that is the $1/B$.
# Without replacement the draws repel each other, and the variance gains the factor $\dfrac{n-B}{n-1}$: it is zero at $B=n$.

# %% slideshow={"slide_type": "skip"}
sizes = 2 ** np.arange(10)  # 1 ... 512
tr_C = ((G - g) ** 2).sum(-1).mean()

def variance(B, seed, replacement, draws=100):
    """The mean squared distance of batch gradients from the full gradient."""
    oracle = MiniBatch(f, int(B), seed, replacement)
    return np.mean([((G[oracle.indices(t)].mean(0) - g) ** 2).sum() for t in range(1, draws + 1)])

measured = {replacement: np.array([[variance(B, seed, replacement) for B in sizes] for seed in SEEDS])
            for replacement in (True, False)}

# %% slideshow={"slide_type": "subslide"}
from shared import theory

fig, ax = theme.figure(9, 3.7)
for (replacement, ys), colour, name in zip(measured.items(), theme.SEQUENCE, ("with", "without"), strict=False):
    predicted = theory.batch_variance(tr_C, sizes, None if replacement else f.n)
    ax.plot(sizes, predicted, color=colour, lw=1.4, label=f"{name} replacement: predicted")
    ax.plot(sizes, ys.mean(0), "o", color=colour, ms=6, label=f"{name} replacement: measured, 3 seeds")
ax.set(xscale="log", yscale="log", xlabel="batch size B", ylabel="variance of the gradient",
       title="the noise of a batch falls as 1/B")
ax.legend()
show(fig, alt="Variance of mini-batch gradients against batch size on log axes: a line of slope minus one, bending down "
              "near n without replacement; measured points lie on the predictions.")

# %% slideshow={"slide_type": "-"}
slopes = [np.polyfit(np.log(sizes), np.log(ys), 1)[0] for ys in measured[True]]
off = measured[False].mean(0) / theory.batch_variance(tr_C, sizes, f.n) - 1
claim(f"the log-log slope is {np.mean(slopes):.2f} (predicted -1)", abs(np.mean(slopes) + 1) < 0.06)
claim(f"with the factor (n-B)/(n-1) the prediction is within {abs(off).max():.0%} at every B", abs(off).max() < 0.25)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### When is a batch large enough?
#
# Compare the noise with the signal. They weigh the same when $\operatorname{tr} C / B = \lVert g\rVert^2$, at the
# **simple noise scale** (McCandlish et al. 2018)
#
# $$ B_{\text{simple}} = \frac{\operatorname{tr} C}{\lVert g \rVert^2} . $$
#
# Below it, a larger batch is a better direction. Above it, you polish a gradient that is good already.
#
# <details><summary><b>Predict:</b> does the noise scale grow or shrink during training?</summary>
#
# It grows. Near the minimum the mean gradient vanishes; the gradients of single examples still disagree.
# Early in training small batches are enough.
# </details>

# %% slideshow={"slide_type": "-"}
from itertools import pairwise

path = run(SGD(lr=5.0), f, x0, 60)
scales = [theory.noise_scale(f.grads(x)) for x in path[[0, 10, 30, 60]]]
claim("the noise scale grew along the run, at steps 0, 10, 30, 60: " + ", ".join(f"{b:.0f}" for b in scales),
      all(b > 1.5 * a for a, b in pairwise(scales)))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The critical batch size
#
# On a quadratic, a step of rate $\eta$ along a batch gradient gains $\eta\lVert g\rVert^2 - \tfrac{\eta^2}2\bigl(g^\top H g + \operatorname{tr}(HC)/B\bigr)$
# on average. Choose the best $\eta$:
#
# $$ \eta(B) = \frac{\eta_\infty}{1 + B^*/B}, \qquad \text{gain} = \frac{\text{gain}_\infty}{1 + B^*/B}
#   \quad\Longrightarrow\quad \text{steps } S(B) = S_{\min}\left(1 + \frac{B^*}{B}\right), \qquad B^* = \frac{\operatorname{tr}(HC)}{g^\top H g} . $$
#
# - $B \ll B^*$: twice the batch, twice the rate, half the steps. **Perfect scaling**: nothing is wasted.
# - $B \gg B^*$: the steps stay at $S_{\min}$. **Every further example is wasted.**
#
# $B^*$ is $B_{\text{simple}}$ when $H$ is a multiple of the identity. Does it survive a whole run? Count the steps to a fixed loss, at the best rate for each batch size.

# %% slideshow={"slide_type": "skip"}
GOAL, BATCHES, MOST = 0.02, 2 ** np.arange(2, 11), 3000
marks = set(np.unique(np.geomspace(1, MOST, 140).astype(int)))

def candidates(B):
    """Eight rates around those that a batch of B can use."""
    return np.geomspace(1 / 25, 1, 8) * np.clip(B, 2, 80)

def hits(B, seed):
    """For every candidate rate, the steps until the excess loss is below GOAL (inf if half as long again is not enough)."""
    rates = candidates(B)
    first = np.full(len(rates), np.inf)
    for k, x in enumerate(iterates(SGD(lr=rates), MiniBatch(f, int(B), seed), x0)):
        if k in marks:
            first[(excess(x) < GOAL) & np.isinf(first)] = k
        if k >= min(1.5 * first.min(), MOST):
            return first

first = np.array([[hits(B, seed) for seed in SEEDS] for B in BATCHES])  # (batches, seeds, rates)
chosen = first.argmin(-1)  # the best rate for each batch size and seed
steps = np.take_along_axis(np.roll(first, 1, 1), chosen[..., None], -1)[..., 0].T  # counted with another seed
tuned = np.array([candidates(B)[i] for B, i in zip(BATCHES, chosen, strict=True)])  # (batches, seeds)

# %% slideshow={"slide_type": "subslide"}
median = np.median(steps, 0)
S_min, B_star = theory.critical_batch(BATCHES, median)
fig, (left, middle, right) = theme.figure(9.6, 3.5, 1, 3)
for ax, unit, name in ((left, 1, "steps to the goal"), (middle, BATCHES, "examples to the goal")):
    plots.band(ax, steps * unit, x=BATCHES, color=theme.color("SGD"), marker="o", ms=4)
    ax.plot(BATCHES, S_min * (1 + B_star / BATCHES) * unit, "--", color=theme.MUTED, lw=1.3, label="fitted law")
    plots.limit(ax, B_star, f"$B^*$ = {B_star:.0f}", at=0.97 if ax is left else 0.12)
    ax.set(xscale="log", yscale="log", xlabel="batch size B", title=name)
left.legend(loc="lower left")
plots.band(right, tuned.T, x=BATCHES, color=theme.SEQUENCE[1], marker="o", ms=4)
law = np.median(tuned[-3:]) / (1 + B_star / BATCHES)
right.plot(BATCHES, law, "--", color=theme.MUTED, lw=1.3)
right.set(xscale="log", yscale="log", xlabel="batch size B", title="best rate η")
show(fig, alt="Steps and examples needed to reach a goal, and the best rate, against batch size: steps fall as 1/B, then flatten; examples "
              "stay flat, then rise; the rate grows like B, then stays. Dashed fits mark the critical batch size.")

# %% slideshow={"slide_type": "-"}
small, large, spans = median[0] / median[3], median[-3] / median[-1], BATCHES[3] / BATCHES[0]
claim(f"from B = {BATCHES[0]} to {BATCHES[3]} the steps fell {small:.1f}x (perfect: {spans:.0f}x), from {BATCHES[-3]} to {BATCHES[-1]} "
      f"only {large:.1f}x (perfect: {BATCHES[-1] / BATCHES[-3]:.0f}x)", small > 5 and large < 2.5)
grew = np.median(tuned[3]) / np.median(tuned[0]), np.median(tuned[-1]) / np.median(tuned[-3])
claim(f"the best rate grew {grew[0]:.1f}x in the first range and {grew[1]:.1f}x in the second; it lay inside every grid",
      grew[0] > 4 and grew[1] < 2 and np.all((chosen > 0) & (chosen < first.shape[-1] - 1)))
off = np.median(tuned, 1) / law
claim(f"the best rate is {off.min():.1f} to {off.max():.1f} times what the law says with the same B*", off.min() > 0.6 and off.max() < 3.5)
seen = path[: (excess(path) < GOAL).argmax() + 1]  # the batch run until its own goal
scale = [theory.noise_scale(f.grads(x)) for x in seen[[0, -1]]]
claim(f"the knee lies at B* = {B_star:.0f}; the noise scale grows past it on the way to the goal, from {scale[0]:.0f} to {scale[1]:.0f}",
      scale[0] < B_star / 2 and B_star < scale[1] / 2)

# %% [markdown] slideshow={"slide_type": "-"}
# The noise scale costs one look at the gradients. The critical batch size costs a tuned sweep.
# The cheap number tells you the order of magnitude, *if* you look half-way down: it moved a hundredfold along the run.

# %% [markdown] slideshow={"slide_type": "notes"}
# Chapter 8 uses this number: it is the batch, workers times their share, up to which data parallelism pays. McCandlish et al. measured the
# same law from MNIST to Dota; the figure here takes seconds because the model is convex and small.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Convergence analysis and trade-offs
#
# How many steps does it take? Start with the one loss on which everything can be solved: a quadratic bowl.
# Raise the rate until a dot touches the red line, then go beyond.

# %% slideshow={"slide_type": "-"}
from shared.explorers import stability

stability.explorer()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A quadratic is many problems at once
#
# Let $f(x) = \tfrac12 x^\top H x$ with curvatures $0 < \mu \le \lambda_i \le L$. In the eigenvectors of $H$ the coordinates do not talk to each other:
#
# $$ x_i \leftarrow x_i - \eta \lambda_i x_i = (1 - \eta\lambda_i)\, x_i
# \qquad\Longrightarrow\qquad x_i^{(k)} = (1 - \eta\lambda_i)^k\, x_i^{(0)} . $$
#
# - It converges from every start exactly when $|1 - \eta\lambda_i| < 1$ for all $i$, that is $\boldsymbol{0 < \eta < 2/L}$.
# - The slowest coordinate decides: a step shrinks the error by the factor $\max_i |1 - \eta\lambda_i|$.
# - Best is the $\eta$ at which flattest and steepest tie: $1 - \eta\mu = \eta L - 1$, so $\eta = \dfrac{2}{\mu + L}$ and the factor is
#
# $$ \frac{\kappa - 1}{\kappa + 1}, \qquad \kappa = L/\mu . $$

# %% slideshow={"slide_type": "subslide"}
from shared.problems import quadratic

for κ in (10, 100, 1000):
    bowl = quadratic(kappa=κ)
    lr = theory.best_lr(*bowl.eigenvalues)
    size = np.linalg.norm(run(SGD(lr=lr), bowl, [κ, 1.0], 200), axis=-1)  # both modes start with the same gradient
    rate, predicted = (size[-1] / size[100]) ** (1 / 100), theory.best_contraction(κ)
    claim(f"κ = {κ:4d}: each step multiplied the error by {rate:.5f}, predicted {predicted:.5f}",
          abs(rate / predicted - 1) < 1e-3)

# %% slideshow={"slide_type": "-"}
bowl, limit = quadratic(kappa=10), theory.stability_limit(10)
ends = bowl(run(SGD(lr=limit * np.array([0.999, 1.001])), bowl, bowl.start, 5000))[[0, -1]]
claim(f"at 0.999 · 2/L the loss fell to {ends[1, 0]:.0e}; at 1.001 · 2/L it grew to {ends[1, 1]:.0e}",
      ends[1, 0] < 1e-3 * ends[0, 0] and ends[1, 1] > 1e3 * ends[0, 1])

# %% [markdown] slideshow={"slide_type": "-"}
# <details><summary><b>Predict:</b> how many steps gain one decimal digit at κ = 1000?</summary>
#
# $\ln 10 / \ln\frac{\kappa+1}{\kappa-1} \approx \kappa \ln(10)/2 \approx 1151$. Gradient descent pays in proportion to κ.
# Momentum (chapter 4) pays in proportion to √κ; Newton's method (chapter 5) does not pay for κ at all.
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Convex, but not a bowl: the 1/T bound
#
# Let $f$ be convex, with no curvature above $L$ and a minimum at $x^*$. Without a smallest curvature $\mu > 0$ there is no common factor
# per step. Take $\eta = 1/L$, and combine three facts:
#
# 1. each step gains: $f(x_{k+1}) \le f(x_k) - \frac{1}{2L}\lVert g_k\rVert^2$ (derived above);
# 2. convexity: $f(x_k) - f^* \le g_k^\top (x_k - x^*)$;
# 3. the distance: $\lVert x_{k+1} - x^*\rVert^2 = \lVert x_k - x^*\rVert^2 - \frac2L g_k^\top(x_k - x^*) + \frac{1}{L^2}\lVert g_k\rVert^2$.
#
# Put 2 into 1, then replace the two gradient terms by 3:
#
# $$ f(x_{k+1}) - f^* \;\le\; \tfrac L2 \left( \lVert x_k - x^*\rVert^2 - \lVert x_{k+1} - x^*\rVert^2 \right) . $$
#
# Sum over $T$ steps: the right side telescopes. The left side never grows, so its last term is at most the mean:
#
# $$ f(x_T) - f^* \;\le\; \frac{L\, \lVert x_0 - x^*\rVert^2}{2T} . $$

# %% slideshow={"slide_type": "skip"}
from shared.problems import Logistic, power

tumours = data.breast_cancer()
h = Logistic(tumours.x_train, np.where(tumours.y_train == 1, 1.0, -1.0), l2=1e-3)
top = np.linalg.eigvalsh(h.X.T @ h.X / h.n / 4)[-1] + h.l2  # no curvature of a logistic loss exceeds this
w = np.zeros(h.dim)
for _ in range(12):
    w = w - np.linalg.solve(h.hess(w), h.grad(w))
T = np.arange(1, 2001)
logistic = h(run(SGD(lr=1 / top), h, np.zeros(h.dim), T[-1]))[1:] - h(w)
bound = theory.convex_bound(top, np.linalg.norm(w), T)

k = np.unique(np.geomspace(1, 20_000, 200).astype(int))
flat = power(p=4, d=1)
margin = Logistic(np.ones((1, 1)), np.ones(1))  # log(1 + exp(-x)): no minimum at all
λ = 1 / np.arange(1, 2001) ** 2.0  # 2,000 positive curvatures, the smallest 2.5e-7
slow = {"$|x|^4$": (flat(run(SGD(lr=0.02), flat, [1.0], k[-1]))[k], theory.power_slope(4)),
        "$\\log(1 + e^{-x})$": (margin(run(SGD(lr=1.0), margin, [0.0], k[-1]))[k], -1.0),
        "quadratic, $\\lambda_i = i^{-2}$": (np.array([(λ * (1 - λ) ** (2 * i)).sum() / 2 for i in k]), -0.5)}  # η = 1/L, from (1, ..., 1)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.7, 1, 2)
plots.curve(left, logistic, "measured", T, color=theme.color("SGD"))
plots.curve(left, bound, "the bound", T, color=theme.BAD, ls="--")
left.set(xscale="log", yscale="log", xlabel="step T", ylabel="excess loss", title="logistic regression, tumours")
left.legend()
for colour, (name, (y, s)) in zip(theme.SEQUENCE, slow.items(), strict=False):
    plots.curve(right, y, f"{name}: slope {s:g}", k, color=colour)
    plots.curve(right, y[-1] * (k / k[-1]) ** s, x=k, color=theme.MUTED, ls="--", lw=1)
right.set(xscale="log", yscale="log", xlabel="step T", ylim=(1e-8, 3), title="no smallest curvature in sight")
right.legend(loc="lower left")
show(fig, alt="Left: the excess loss of logistic regression stays far below the 1/T bound. Right: three losses follow straight "
              "lines on log axes, with the predicted slopes.")

# %% slideshow={"slide_type": "-"}
claim(f"the bound held at all {T.size} steps; at the end it was {bound[-1] / logistic[-1]:.0f}x too pessimistic",
      (logistic <= bound).all() and bound[-1] > 3 * logistic[-1])
fits = {name: (np.polyfit(np.log(k[k > 500]), np.log(y[k > 500]), 1)[0], s) for name, (y, s) in slow.items()}
claim("slopes, measured and predicted: " + "; ".join(f"{name} {m:.2f}, {s:g}" for name, (m, s) in fits.items()),
      all(abs(m - s) < 0.05 for m, s in fits.values()))
shrink, slowest = 1 - (logistic[-1] / logistic[-501]) ** (1 / 500), h.l2 / top
claim(f"the regression has a smallest curvature, μ ≥ {h.l2:g}: a late step takes {shrink:.2%} off the excess, at least μ/L = {slowest:.2%}",
      shrink > slowest)

# %% [markdown] slideshow={"slide_type": "-"}
# A bound is a promise, not a forecast. The logistic regression keeps it with room to spare: its penalty *is* a smallest curvature
# ($\mu \ge 0.001$), and then every step shrinks the excess by a fixed factor, as on the last slide. A power law comes from curvatures that reach down to zero: at the minimum ($|x|^4$), on the way to
# a minimum that does not exist ($\log(1+e^{-x})$, the loss of data that can be separated: Soudry et al. 2018), or in a spectrum so wide that $1/\mu$
# steps never come. On $|x|^p$ with $p > 2$ the flow $\dot x = -p\,x^{p-1}$ gives $x \sim t^{-1/(p-2)}$, so the loss falls as $t^{-p/(p-2)}$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### SGD stops early: the noise floor
#
# Add noise $\xi$ (mean 0, variance $c$, drawn anew at every step) to one coordinate of the quadratic: $x \leftarrow (1 - \eta\lambda)\,x - \eta\,\xi$.
# When the variance $v$ of $x$ no longer changes,
#
# $$ v = (1 - \eta\lambda)^2 v + \eta^2 c \quad\Longrightarrow\quad v = \frac{\eta\, c}{\lambda\,(2 - \eta\lambda)} . $$
#
# Each coordinate adds $\tfrac12 \lambda v$ to the loss, and a batch has $c_i = C_{ii}/B$. For small $\eta$ the curvature cancels:
#
# $$ \mathbb E f - f^* \;\approx\; \frac{\eta}{4B} \operatorname{tr} C . $$
#
# **Half the rate, half the floor, twice the time to get there.**

# %% slideshow={"slide_type": "skip"}
from shared.problems import LeastSquares

patients = data.diabetes()
reg = LeastSquares(patients.x_train, patients.y_train)
opt = np.linalg.solve(reg.hess(np.zeros(reg.dim)), -reg.grad(np.zeros(reg.dim)))
G_reg = reg.grads(opt)
C = G_reg.T @ G_reg / reg.n  # the covariance of one example's gradient
λ, Q = np.linalg.eigh(reg.hess(opt))
rates = np.array([0.01, 0.02, 0.04, 0.08])
floors = np.array([(reg(run(SGD(lr=rates), MiniBatch(reg, 8, seed, True), opt, 4000)[500:]) - reg(opt)).mean(0)
                   for seed in SEEDS])
predicted = theory.noise_floor(rates, λ, np.diag(Q.T @ C @ Q) / 8)  # batches of 8

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(9, 3.5)
ax.plot(np.tile(rates, len(floors)), floors.ravel(), "o", color=theme.color("SGD"), label="measured: one dot per seed")
ax.plot(rates, predicted, color=theme.MUTED, label=r"predicted: $\sum_i \eta c_i / 2(2 - \eta\lambda_i)$")
ax.plot(rates, rates * np.trace(C) / (4 * 8), "--", color=theme.BAD, lw=1.3, label=r"small rates: $\eta\,$tr$\,C/4B$")
ax.set(xscale="log", yscale="log", xlabel="learning rate η", ylabel="excess loss it settles at",
       title="linear regression on 331 patients, B = 8: the floor is proportional to the rate")
ax.legend()
show(fig, alt="The excess loss at which SGD settles against the learning rate: measured dots follow the predicted line.")

# %% slideshow={"slide_type": "-"}
off = floors.mean(0) / predicted - 1
power_of = np.polyfit(np.log(rates), np.log(floors.mean(0)), 1)[0]
claim(f"measured and predicted floor differ by at most {abs(off).max():.0%} (mean of 3 seeds)", abs(off).max() < 0.2)
claim(f"the floor grows as η to the power {power_of:.2f}", abs(power_of - 1) < 0.15)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Through the floor: shrink the rate, or average
#
# - Robbins & Monro (1951): $\sum \eta_k = \infty$ to get anywhere, and $\sum \eta_k^2 < \infty$ is enough to stop shaking. $\eta_k \propto 1/k$ does both.
# - $\eta_k \propto 1/\sqrt k$: its squares diverge, yet the floor sinks with the rate. Slower, but safe when the curvature is unknown.
# - Polyak & Juditsky (1992): report the **mean** of the iterates. On a quadratic the rate may then stay constant.

# %% slideshow={"slide_type": "skip"}
from shared.problems import Noisy

decays = {"constant": schedules.Constant(0.1), "1/√t": schedules.InverseSqrt(0.1, 0.05),
          "1/t": schedules.InverseTime(0.1, 0.05)}
rates_of_step = lambda k: np.array([schedule(k) for schedule in decays.values()])[:, None]
xs = run(SGD(lr=rates_of_step), Noisy(bowl, sigma=1.0, seed=0), np.full((3, 100, 2), [2.0, 1.0]), 4000)
averaged = np.cumsum(xs[:, 0], 0) / np.arange(1, 4002)[:, None, None]
curves = dict(zip(decays, bowl(xs).mean(-1).T, strict=True)) | {"averaged": bowl(averaged).mean(-1)}

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(9, 3.6)
k = np.unique(np.geomspace(1, 4000, 150).astype(int))
for name, y in curves.items():
    plots.curve(ax, y[k], name, k)
plots.limit(ax, theory.noise_floor(0.1, bowl.eigenvalues, 1.0), "predicted floor", axis="y", at=0.2)
ax.set(xscale="log", yscale="log", xlabel="step", ylabel="excess loss, mean of 100 runs", xlim=(1, 4000),
       title="three ways out of the noise, κ = 10")
plots.label_ends(ax)
show(fig, alt="Excess loss of noisy gradient descent: constant rate stays at the floor, 1/sqrt t, 1/t and averaging fall.")

# %% slideshow={"slide_type": "-"}
late = np.geomspace(400, 4000, 40).astype(int)
slopes = {name: np.polyfit(np.log(late), np.log(y[late]), 1)[0] for name, y in curves.items()}
claim("slopes: " + ", ".join(f"{name} {slope:.2f}" for name, slope in slopes.items()),
      abs(slopes["constant"]) < 0.1 and abs(slopes["1/√t"] + 0.5) < 0.1 and abs(slopes["1/t"] + 1) < 0.15
      and slopes["averaged"] < -0.85)

# %% [markdown] slideshow={"slide_type": "skip"}
# **Only on a quadratic.** Elsewhere the slope is not a straight line: the iterates settle around a point where the *mean of the gradients* vanishes, and
# that is not the gradient of the mean. A constant rate then leaves a bias of the order of $\eta$ in $x$, of $\eta^2$ in the loss, which no averaging
# removes (Dieuleveut, Durmus & Bach 2020). Logistic regression on the tumours, from its minimum:

# %% slideshow={"slide_type": "skip"}
h2 = Logistic(h.X, h.y, l2=1e-2)
for _ in range(12):
    w = w - np.linalg.solve(h2.hess(w), h2.grad(w))
ends = []  # the excess loss of the mean of 2,000 and of 8,000 iterates, for two rates
for seed in SEEDS:
    xs = run(SGD(lr=np.array([0.5, 1.0])), MiniBatch(h2, 8, seed, True), w, 8000)[1:]
    ends.append([h2(xs[:n].mean(0)) - h2(w) for n in (2000, 8000)])
early, end = np.median(ends, 0)
claim(f"at η = 1 the mean of 2,000 iterates is {early[1]:.1e} too high, the mean of 8,000 {end[1]:.1e}: four times as many do not help",
      end[1] > early[1] / 2)
claim(f"half the rate leaves {end[0] / end[1]:.2f} of that (bias: about 1/4)", end[0] / end[1] < 0.5)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A network does not obey 2/L
#
# Take a tanh network on 500 digits with squared error, full batch, no noise at all. Its largest curvature is its
# **sharpness** $\lambda_{\max}$, found with Hessian-vector products and power iteration, without forming the Hessian.
#
# <details><summary><b>Predict:</b> the rate is 1.25 times the limit 2/λ<sub>max</sub> at the start. Does it diverge?</summary>
#
# No. It trains all the same. The limit belongs to a *quadratic*; a network's
# curvature is different at every point. There is a limit, but it is not the one at the start.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.models.mlp import mlp
from shared.problems.curvature import sharpness
from shared.problems.networks import NetworkOracle

images = digits.x_train[:500] - digits.x_train[:500].mean(0)
one_hot = np.eye(10, dtype="float32")[digits.y_train[:500]]

def half_mse(outputs, targets):
    """Half the squared error, summed over the classes: a mean over the examples."""
    return ((outputs - targets) ** 2).sum(-1).mean() / 2

def tanh_network(seed):
    net = mlp(64, 64, 64, 10, activation="tanh", seed=seed, dtype=torch.float32)
    return NetworkOracle(net, half_mse, images, one_hot)

factors, final = np.array([0.5, 1.25, 3.0]), []
for net in map(tanh_network, SEEDS):
    sharp, _ = sharpness(net, net.start)
    final.append(net(run(SGD(lr=factors * 2 / sharp), net, net.start, 80)[-1]) / net(net.start))
final = np.array(final)

# %% slideshow={"slide_type": "-"}
claim(f"at {factors[1]:g} · 2/λ the loss fell to {final[:, 1].max():.0%} of its start or less, on all {len(SEEDS)} seeds",
      (final[:, 1] < 0.7).all())
claim(f"at {factors[2]:g} · 2/λ it exploded, on all {len(SEEDS)} seeds", not np.isfinite(final[:, 2]).any())

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The edge of stability
#
# Now choose a small, safe rate, and watch the sharpness as the network trains (Cohen et al. 2021).

# %% slideshow={"slide_type": "skip"}
EVERY, TOL = 25, 0.005  # sharpness(...) raises unless its residual is below TOL of it

def watch(net, lr, steps):
    """Full-batch gradient descent: every loss, the sharpness at every 25th step, the last point and its direction."""
    losses, sharp, v = [], [], None
    for k, x in zip(range(steps + 1), iterates(SGD(lr=lr), net, net.start), strict=False):
        losses.append(float(net(x)))
        if k % EVERY == 0:
            λ, v = sharpness(net, x, v, TOL)  # from the last direction: a dozen Hessian-vector products
            sharp.append(λ)
    return np.array(losses), np.array(sharp), x, v

LENGTHS = {0.4: 625, 0.5: 425, 0.6: 325}
nets = [tanh_network(seed) for seed in SEEDS]
edge = {lr: [watch(net, lr, steps) for net in nets] for lr, steps in LENGTHS.items()}  # every rate from every start

# %% slideshow={"slide_type": "skip"}
from scipy.sparse.linalg import LinearOperator, eigsh

from shared.problems.curvature import hvp


def by_arpack(net, x):
    """The sharpness at x by ARPACK, to check the instrument."""
    H = LinearOperator((net.dim, net.dim), matvec=lambda u: hvp(net, x, u), dtype=float)
    return eigsh(H, k=1, which="LA", tol=1e-4)[0][0]

off = [sharp[-1] / by_arpack(net, x) - 1 for several in edge.values() for net, (_, sharp, x, _) in zip(nets, several, strict=True)]
claim(f"the instrument: our sharpness differs from ARPACK's by {max(map(abs, off)):.2%} or less, at the end of all {len(off)} runs",
      max(map(abs, off)) < 0.01)

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.8, 1, 2)
for colour, (lr, several) in zip(theme.SEQUENCE, edge.items(), strict=False):
    sharp, losses = (np.array([one[i] for one in several]) for i in (1, 0))
    plots.band(left, sharp, f"η = {lr}", EVERY * np.arange(sharp.shape[1]), color=colour, lw=1.4)
    left.axhline(2 / lr, color=colour, ls="--", lw=1)
    plots.curve(right, losses[0], f"η = {lr}", color=colour, lw=1.1)
left.set(xlabel="step", ylabel="sharpness $\\lambda_{\\max}$", title="it climbs to 2/η (dashed), and hovers just above")
right.set(yscale="log", xlabel="step", ylabel="loss of the first seed", title="the loss jitters, and falls all the same")
right.legend()
show(fig, alt=f"Left: the sharpness of a network rises during training until it hovers just above two over the learning rate, for "
              f"three rates, bands over {len(SEEDS)} seeds. Right: the loss falls, with many small rises.")

# %% slideshow={"slide_type": "subslide"}
for lr, several in edge.items():
    after = [sharp[(sharp * lr > 2).argmax():] * lr / 2 for _, sharp, *_ in several]  # from the first time at 2/η on
    low, high = min(map(min, after)), max(map(max, after))
    claim(f"η = {lr}: starts at {max(sharp[0] for _, sharp, *_ in several) * lr / 2:.2f} of 2/η or less, crosses it, and then stays "
          f"within {low:.2f} to {high:.2f} of it, all {len(SEEDS)} seeds",
          all(sharp[0] * lr < 2 < sharp.max() * lr for _, sharp, *_ in several) and low > 0.75 and high < 1.5)
    quarters = [np.array_split(losses, 4) for losses, *_ in several]
    up = min((np.diff(q[3]) > 0).mean() for q in quarters)
    fall = min(1 - np.median(q[3]) / np.median(q[0]) for q in quarters)
    claim(f"η = {lr}: {up:.0%} or more of the late steps raise the loss, yet from the first to the last quarter it falls by {fall:.0%} or more",
          up > 0.04 and fall > 0.15)

# %% [markdown] slideshow={"slide_type": "skip"}
# **Is it the rate?** Take the three networks that hover at $2/0.4$ and change nothing but the rate.

# %% slideshow={"slide_type": "skip"}
moved = {}
for lr, steps in {0.6: 50, 0.2: 300}.items():
    moved[lr] = [sharpness(net, run(SGD(lr=lr), net, x, steps, every=steps)[-1], v, TOL)[0] / sharp[-1]
                 for net, (_, sharp, x, v) in zip(nets, edge[0.4], strict=True)]
claim(f"raised to 0.6: after 50 steps the sharpness is {min(moved[0.6]):.2f} to {max(moved[0.6]):.2f} of what it was (2/η: {0.4 / 0.6:.2f})",
      0.55 < min(moved[0.6]) and max(moved[0.6]) < 0.9)
claim(f"lowered to 0.2: in 300 steps it climbs again, by {min(moved[0.2]) - 1:.0%} or more", min(moved[0.2]) > 1.1)

# %% [markdown] slideshow={"slide_type": "-"}
# The learning rate does not obey the curvature: **the curvature obeys the learning rate**. Training raises the sharpness
# until $2/\eta$; there the steepest direction starts to bounce, and the bounce pushes it back to flatter ground.
# So $2/\lambda_{\max}$ at the start is no wall, but it is the right scale: each of these networks trains at 1.25 times it and explodes at three times.
# (Between $2/\lambda$ and $4/\lambda$ a network may first bounce up and land on flatter ground: the *catapult*, Lewkowycz et al. 2020.)

# %% [markdown] slideshow={"slide_type": "notes"}
# Squared error on purpose. With cross-entropy the curvature vanishes as the network grows confident, and the picture is
# less clean. Damian, Nichani & Lee (2023) explain the mechanism (self-stabilisation) with a cubic term.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The trade-offs in one table
#
# | | batch | stochastic | mini-batch |
# |:--|:--|:--|:--|
# | one step costs | $n$ gradients | 1 | $B$ |
# | variance of the gradient | 0 | $\operatorname{tr} C$ | $\operatorname{tr} C/B$ |
# | excess loss on a quadratic | $\propto\left(\frac{\kappa-1}{\kappa+1}\right)^{2k}$ at the best rate, to zero | to a floor $\eta \operatorname{tr} C/4$ | to a floor $\eta \operatorname{tr} C/4B$ |
# | uses parallel hardware | fully | not at all | as far as $B$ goes |
# | largest useful rate | set by curvature | set by noise | noise up to $B^*$, then curvature |
# | choose it when | data are few, or a line search is needed | data arrive one by one | nearly always, with $B$ near $B^*$ |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Learning-rate selection and scheduling
#
# If you can tune only one number, tune the learning rate. Here is a network to tune it on: MNIST, halved to 14 × 14 pixels,
# 32 hidden units, batches of 16, a budget of 300 steps. Rates are chosen on 500 digits, and judged on 500 others.

# %% slideshow={"slide_type": "skip"}
from torch.nn.functional import cross_entropy


def halved(images):
    """28 × 28 images (n, 784) averaged over blocks of 2 × 2: (n, 196)."""
    return images.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196)

mnist, STEPS, WARM = data.mnist(), 300, 30
train, unseen = halved(mnist.x_train), halved(mnist.x_test)
train, unseen = train - train.mean(0), unseen - train.mean(0)

def network(seed, inputs=train, labels=mnist.y_train):
    return NetworkOracle(mlp(196, 32, 10, seed=seed, dtype=torch.float32), cross_entropy, inputs, labels)

valid, test = (network(0, unseen[part], mnist.y_test[part]) for part in (slice(500), slice(500, None)))
shapes = {
    "constant": lambda η: schedules.Constant(η),
    "cosine": lambda η: schedules.Cosine(η, STEPS),
    "stable, then decay": lambda η: schedules.WarmupStableDecay(η, STEPS, 1, STEPS // 4),
    "warm-up, cosine": lambda η: schedules.Join((schedules.Warmup(η, WARM), schedules.Cosine(η, STEPS - WARM)), (WARM,)),
}

# %% slideshow={"slide_type": "skip"}
from shared.race import Method, Outcome


def train_all(plans, seed, steps, every):
    """One run for each schedule, all on the same batches from the same start: (steps // every + 1, plans, d)."""
    net = network(seed)
    rule = SGD(lr=lambda k: np.array([plan(k) for plan in plans]))
    return run(rule, MiniBatch(net, 16, seed), np.broadcast_to(net.start, (len(plans), net.dim)), steps, every)

def method(shape):
    """A schedule whose highest rate is tuned: by validation loss, reported with the test loss of another seed."""
    def outcome(seed, lr):
        x = train_all([shape(η) for η in lr], seed, STEPS, STEPS)[-1]
        return Outcome(tune=valid(x), final=test(x))
    return Method(outcome, {"lr": Range(0.15, 6.0, log=True)}, batched=True)

race = compare({name: method(shape) for name, shape in shapes.items()}, draws=5, trials=10)

# %% slideshow={"slide_type": "skip"}
race

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The learning-rate range test
#
# Raise the rate from far too low to far too high within one short run, and watch the loss (Smith 2017, who raised it in equal steps; in
# equal *ratios*, with a smoothed loss, it became a habit with the fastai library).

# %% slideshow={"slide_type": "skip"}
ramp = np.geomspace(1e-3, 30, 300)

def range_test(seed):
    """The smoothed training loss (300,) while the rate climbs the ramp."""
    batches, losses, mean = MiniBatch(network(seed), 16, seed), [], 0.0
    steps = iterates(SGD(lr=lambda k: ramp[k]), batches, network(seed).start)
    for k, x in zip(range(len(ramp)), steps, strict=False):
        mean = 0.95 * mean + 0.05 * float(batches.at(k + 1)(x))
        losses.append(mean / (1 - 0.95 ** (k + 1)))
    return np.array(losses)

tests = np.array([range_test(seed) for seed in SEEDS])
lowest = tests.argmin(1)
steepest = [np.gradient(y, np.log(ramp))[10:j].argmin() + 10 for y, j in zip(tests, lowest, strict=True)]

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.8, 1, 2)
plots.band(left, tests, x=ramp, color=theme.color("SGD"))
plots.limit(left, np.median(ramp[steepest]), "steepest", color=theme.GOOD).set(ha="right", position=(-4, 0))
plots.limit(left, np.median(ramp[lowest]), "lowest", at=0.2)
left.set(xscale="log", ylim=(0, 4), xlabel="learning rate, raised every step", ylabel="training loss, smoothed",
         title="the range test: 300 steps")
tried = race.tuned["constant"].tried
for settings, y in tried:
    right.plot(settings["lr"], y, "o-", color=theme.SEQUENCE[1], ms=3, lw=1)
right.set(xscale="log", ylim=(0, 4), xlabel="constant learning rate η", ylabel="validation loss",
          title=f"the truth: {STEPS} steps at each rate")
right.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
right.minorticks_off()
show(fig, alt="Left: loss during a range test, flat, then falling, then exploding, with the steepest and lowest points "
              f"marked. Right: validation loss after training at constant rates, in {len(tried)} tuned draws.")

# %% slideshow={"slide_type": "subslide"}
truth = np.median(race.chosen("constant")["lr"])
found, edge_of = np.median(ramp[steepest]), np.median(ramp[lowest])
claim(f"the steepest point suggests η = {found:.2g}; tuned on the whole budget the best constant rate is {truth:.2g} (median of "
      f"{len(tried)} draws)", 1 / 3 < found / truth < 3 and not race.edge("constant"))
claim(f"the lowest point, {edge_of:.2g}, is {edge_of / truth:.1f} times the best rate: there training is about to break", edge_of > 1.5 * truth)

# %% [markdown] slideshow={"slide_type": "-"}
# **What it gets right:** for the price of 300 steps you know the order of magnitude, and where training breaks.
# **What it gets wrong:** it sees a *young* network, only for a moment, and it rewards speed now, not the loss at the end.
# Its answer is a place to start a sweep, not the end of one. Ask again when the batch size or the schedule changes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Design a schedule
#
# A large rate travels. A small rate settles. A **schedule** $k \mapsto \eta_k$ does one after the other.

# %% slideshow={"slide_type": "-"}
from shared.explorers import designer

designer.explorer()

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. *cosine*: raise the highest rate beyond the red line. Which of the two runs recovers, and when?
# 2. *exponential*: lower γ. Why does it stop before it arrives?
# 3. Set the noise to zero. Is any schedule still better than the constant rate?

# %% [markdown] slideshow={"slide_type": "notes"}
# Answer to 3: not up to η = 2/(μ + L) = 0.18: there a constant rate converges to zero and every decay only slows it down. Close to
# 2/L = 0.2, and above, a decay still helps: it leaves the region where the steep direction bounces.
# Schedules are a cure for noise (and, in networks, for curvature that grows). Answer to 2: the steps add up to η/(1−γ) at most.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Plain functions of the step
#
# A schedule here is a callable, nothing more. It goes wherever a rule takes a number: `SGD(lr=schedules.Cosine(lr=0.1, steps=500))`.

# %% slideshow={"slide_type": "skip"}
show(schedules.Cosine)

# %% slideshow={"slide_type": "subslide"}
gallery = {
    "constant": schedules.Constant(1.0), "step": schedules.Step(1.0, 30, 0.4), "exponential": schedules.Exponential(1.0, 0.97),
    "1/t": schedules.InverseTime(1.0, 0.1), "1/√t": schedules.InverseSqrt(1.0, 0.1),
    "polynomial": schedules.Polynomial(1.0, 100, power=2.0), "cosine": schedules.Cosine(1.0, 100),
    "cosine with restarts": schedules.CosineRestarts(1.0, 14, 2), "1-cycle": schedules.OneCycle(1.0, 100),
    "stable, then decay": schedules.WarmupStableDecay(1.0, 100, 10, 30),
}
k = np.arange(101)
fig, axes = theme.figure(9, 3.8, 2, 5, sharex=True, sharey=True)
for ax, (name, schedule) in zip(axes.flat, gallery.items(), strict=True):
    ax.plot(k, [schedule(i) for i in k], color=theme.ACCENT)
    ax.set_title(name, fontsize=9.5)
for ax in axes[1]:
    ax.set_xlabel("step")
for ax in axes[:, 0]:
    ax.set_ylabel("η / highest")
show(fig, alt="Ten schedules as small plots: constant, step, exponential, 1/t, 1/sqrt t, polynomial, cosine, cosine with "
              "restarts, 1-cycle, and warm-up stable decay.")

# %% [markdown] slideshow={"slide_type": "skip"}
# ### The same numbers as torch
#
# Six of these ten have a twin of one name in `torch.optim.lr_scheduler`. They are equal, step by step. (The others torch writes as a
# `LambdaLR`, or joins with `SequentialLR`.)

# %% slideshow={"slide_type": "skip"}
from torch.optim import lr_scheduler as theirs


def torch_rates(make, steps=100):
    """The rates of a torch scheduler, from a base rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates

pairs = {
    "step": lambda o: theirs.StepLR(o, 30, 0.4),
    "exponential": lambda o: theirs.ExponentialLR(o, 0.97),
    "polynomial": lambda o: theirs.PolynomialLR(o, 100, 2.0),
    "cosine": lambda o: theirs.CosineAnnealingLR(o, 100),
    "cosine with restarts": lambda o: theirs.CosineAnnealingWarmRestarts(o, 14, 2),
    "1-cycle": lambda o: theirs.OneCycleLR(o, 1.0, 100),
}
gap = max(np.abs(np.array(torch_rates(make)) - [gallery[name](i) for i in range(100)]).max() for name, make in pairs.items())
claim(f"{len(pairs)} schedules x 100 steps: the largest difference from torch is {gap:.0e}", gap < 1e-12)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Warm-up, and the join
#
# A **warm-up** starts low (Goyal et al. 2017). It is a schedule of its own, joined to whatever follows: small pieces, composed.

# %% slideshow={"slide_type": "-"}
warm = schedules.Join((schedules.Warmup(lr=1.0, steps=10), schedules.Cosine(lr=1.0, steps=90)), boundaries=(10,))
claim("steps 0, 9, 10, 55, 100: " + ", ".join(f"{warm(k):.2f}" for k in (0, 9, 10, 55, 100)),
      warm(9) == warm(10) == 1.0 and abs(warm(55) - 0.5) < 1e-12 and warm(100) < 1e-12)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Does a warm-up pay here?
#
# "Early gradients are large", one reads. Are they? And does a warm-up help, when both schedules may choose their rate?

# %% slideshow={"slide_type": "-"}
norms = []  # of the full gradient, before and after 25 steps at the tuned constant rate
for seed in range(5):
    net = network(seed)
    norms.append(np.linalg.norm(net.grad(run(SGD(lr=truth), MiniBatch(net, 16, seed), net.start, 25, every=25)), axis=-1))
grown = np.array(norms)[:, 1] / np.array(norms)[:, 0]
claim(f"after 25 steps the gradient is {np.median(grown):.1f} times as long as at the start (median of {len(grown)} seeds)", np.median(grown) > 1.2)
warmed, decay = race.ratio("warm-up, cosine", "cosine"), race.ratio("cosine", "constant")
claim(f"the warm-up changes the final test loss by a factor {warmed}; the decay, by {decay}",
      abs(np.log(warmed.median)) < abs(np.log(decay.median)) / 2)

# %% [markdown] slideshow={"slide_type": "-"}
# On this network it makes no difference that the draws agree on. Where it is needed, in large batches and deep networks, the curvature at the start is what it
# deals with (Gilmer et al. 2022; Kalra & Barkeshli 2024): it gives the sharpness time to fall before the rate arrives.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Does decay pay on a network?
#
# The race above tuned the highest rate of every shape, ten rates in each of five draws, on validation digits.
# What counts is the loss on test digits, from another seed.
#
# <details><summary><b>Predict:</b> which shape can afford the larger rate, the constant one or the cosine?</summary>
#
# The cosine. A constant rate must be a compromise between travelling and settling. A decayed rate can start higher than
# the constant one ever could, because it will not end there.
# </details>

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.8, 1, 2)
for colour, (i, name) in zip(theme.SEQUENCE, enumerate(shapes), strict=False):
    lr = np.concatenate([settings["lr"] for settings, _ in race.tuned[name].tried])
    y = np.concatenate([y for _, y in race.tuned[name].tried])
    middle = np.exp(np.log(np.sort(lr)[: 5 * (len(lr) // 5)]).reshape(-1, 5).mean(-1))  # five neighbours, one from each draw or so
    plots.curve(left, np.median(y[lr.argsort()][: 5 * len(middle)].reshape(-1, 5), -1), name, middle, color=colour, marker="o", ms=3)
    right.plot(race.values(name), np.full(5, i), "o", color=colour, alpha=0.7)
left.set(xscale="log", ylim=(0.15, 1), yscale="log", xlabel="highest rate η", title=f"validation loss after {STEPS} steps")
left.set_yticks([0.2, 0.3, 0.5, 1.0], ["0.2", "0.3", "0.5", "1"])
left.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
left.minorticks_off()
left.legend()
right.set(yticks=range(len(shapes)), yticklabels=list(shapes), ylim=(3.5, -0.5), xlabel="test loss at the tuned rate", title="five draws")
show(fig, alt="Left: validation loss against the highest rate for a constant and three decayed schedules: at high rates the constant one is worst. "
              "Right: test loss at the tuned rate in five draws, lower for the decayed ones.")

# %% slideshow={"slide_type": "subslide"}
for name in ("cosine", "stable, then decay"):
    r = race.ratio(name, "constant")
    claim(f"tuned alike, {name!r} ends at {r} of the constant rate's test loss", r.median < 0.92 and r.high < 1 and not r.flips and not r.edge)
higher = np.median(race.chosen("cosine")["lr"]) / truth
claim(f"the cosine's best highest rate is {higher:.1f} times the best constant one (medians)", higher > 1.3)

# %% [markdown] slideshow={"slide_type": "-"}
# That is all we claim: *decayed beats constant*. The order among the decayed shapes is smaller than the spread of the draws.
# Their differences in practice are about convenience, and one of them is very convenient.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Warm-up, stable, decay: plan the end later
#
# A cosine must know its last step when it starts. *Warm-up stable decay* (Hu et al. 2024) does not: it stays at a constant
# rate, and decays whenever you decide to stop. Until then all endings are the same run: they **branch off one trunk**, paid for once.

# %% slideshow={"slide_type": "skip"}
LONG, lengths = 800, np.array([240, 400, 560, 800])
branches = [schedules.WarmupStableDecay(1.0, int(n), 20, int(n) // 4) for n in (*lengths, 10**6)]
curves = test(np.array([train_all(branches, seed, LONG, 20) for seed in SEEDS]))  # (seeds, 41, 5): four branches, and the trunk
*branch, trunk = np.moveaxis(curves, -1, 0)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.8, 1, 2)
k, median = 20 * np.arange(LONG // 20 + 1), np.median(curves, 0)
for ax, lines in ((left, np.array([[plan(i) for plan in branches] for i in k])), (right, median)):
    ax.plot(k, lines[:, -1], color=theme.MUTED, lw=1.4, label="stable rate, never decayed")
    for colour, n, y in zip(theme.SEQUENCE, lengths, lines.T, strict=False):
        own = (k >= 0.75 * n) & (k <= n)
        ax.plot(k[own], y[own], color=colour, lw=2.4, label=f"decay, stop at {n}")
    ax.set(xlabel="step", xlim=(0, 810))
left.set(title="the rate: one trunk, four endings", ylim=(0, 1.1))
right.set(title="test loss, median of 3 seeds", yscale="log", ylim=(median.min() * 0.85, 1))
right.legend()
show(fig, alt="Left: a constant learning rate from which four linear decays branch off. Right: the test loss drops at each "
              "branch below the loss of the run that keeps its rate.")

# %% slideshow={"slide_type": "-"}
drop = [1 - np.mean(y[:, n // 20] / trunk[:, n // 20]) for n, y in zip(lengths, branch, strict=True)]
claim("each decay ends below the trunk at the same step, by " + ", ".join(f"{d:.0%}" for d in drop) + f" (mean of {len(SEEDS)} seeds)",
      min(drop) > 0.02)

# %% [markdown] slideshow={"slide_type": "notes"}
# This is why large language models are often trained this way: a checkpoint from the stable phase can be continued on more
# data, or decayed into a release. Hägele et al. (2024) measure it at scale.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Five short ones. `check` answers at once, and names the likely mistake.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1: the best fixed rate
#
# A quadratic has curvatures between $\mu = 2$ and $L = 18$. Derive the fixed rate that shrinks the error fastest in the worst
# case, and the factor by which every step then shrinks it. Give the pair (rate, factor).

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
pair = (2 / (2 + 18), (18 / 2 - 1) / (18 / 2 + 1))
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("02.best_rate", pair)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Sketch $|1 - 2\eta|$ and $|1 - 18\eta|$ against $\eta$. Which one is larger where?
# - The larger of the two is smallest where they cross: $1 - 2\eta = 18\eta - 1$.
#
# Solution: at $\eta = 2/(\mu + L)$ the flattest and the steepest direction shrink equally fast.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2: the gradient of a mini-batch
#
# Linear regression: $f_i(x) = \tfrac12 (a_i^\top x - y_i)^2$. Write the mini-batch gradient for the examples in `rows`.
# `A` is $(n, d)$, `y` is $(n,)$, `x` is $(d,)$, `rows` holds $B$ indices (an index may appear twice).

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def minibatch_gradient(A, y, x, rows):
    """The mean gradient over the examples in rows: (d,)."""
    ### BEGIN SOLUTION
    A, y = A[rows], y[rows]
    return (A @ x - y) @ A / len(rows)
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("02.minibatch_gradient", minibatch_gradient)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What is the gradient of one term, $\tfrac12 (a^\top x - y)^2$?
# - It is $(a^\top x - y)\,a$. Now average over the rows, and only over them.
#
# Solution: dividing by $B$ rather than $n$ is what makes the estimate unbiased.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3: a lower floor
#
# SGD with $B = 1$ and $\eta = 0.01$ settles at an excess loss of $0.08$. You switch to $B = 32$ and want to settle at
# $0.02$. Which learning rate do you choose? (All rates are small against $2/L$.)

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
new_rate = 0.01 * 32 * 0.02 / 0.08
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("02.floor", new_rate)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Write the floor as a function of $\eta$ and $B$. What does it depend on?
# - The floor is $\eta \operatorname{tr} C / 4B$: only $\eta / B$ counts.
#
# Solution: a quarter of the floor needs a quarter of $\eta/B$, and $B$ grew 32-fold: eight times the old rate.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4: warm-up, then cosine
#
# Write a schedule that many networks are trained with. For $k < w$ it rises: $\eta\,(k+1)/w$. From $k = w$ on it follows half
# a cosine that begins at $\eta$ and reaches zero at step $T$, and stays there.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def warmup_cosine(k, lr, warmup, steps):
    """The rate of step k = 0, 1, 2, ...; η is lr, w is warmup, T is steps."""
    ### BEGIN SOLUTION
    if k < warmup:
        return lr * (k + 1) / warmup
    u = min((k - warmup) / (steps - warmup), 1)
    return lr * (1 + np.cos(np.pi * u)) / 2
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("02.warmup_cosine", warmup_cosine)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - How far along its way from $w$ to $T$ is step $k$? Call that share $u$; keep it at most 1.
# - $u = (k - w)/(T - w)$, and half a cosine is $(1 + \cos \pi u)/2$.
#
# Solution: measuring $u$ from the end of the warm-up keeps the two pieces joined at $\eta$.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5: decay just enough
#
# Noisy gradient descent on a quadratic with curvatures 1 and 10, noise $\sigma = 1$, start $(2, 1)$, 1,000 steps, rate
# $\eta_k = 0.1 / (1 + \delta k)$. Find a $\delta$ that brings the mean excess loss below $0.001$.
# (The designer above has this schedule: *inverse time*.)

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
decay = 0.08
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("02.decay", decay)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Try $\delta = 0$ and $\delta = 1$ first. Which mistake does each of them make?
# - The rate must fall well below its start within 1,000 steps, but the sum of all rates, about $\frac{0.1}{\delta} \ln(1000\,\delta)$,
#   must be several times $1/\mu = 1$.
#
# Solution: between the two failures a range works, and theory names its middle: $\eta_k \approx 1/(\mu k)$ means $\delta \approx 0.1$.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - **Batch, stochastic and mini-batch** gradient descent are one rule. The batch size sets the noise, as $1/B$, and the price of a step.
# - At equal examples small batches win; at equal time the fixed price of a step decides, here for large ones. The **critical batch size** is
#   where the exchange stops being fair.
# - Shuffling beats drawing with replacement, at the same price.
# - On a quadratic we can solve everything: stable for $\eta < 2/L$, contraction $(\kappa-1)/(\kappa+1)$ at the best rate, noise floor about
#   $\eta \operatorname{tr} C/4B$ at small rates.
# - Convex bounds are promises, not forecasts. Averaging a constant rate goes through the floor on a quadratic only.
# - A network adapts its curvature to the rate: sharpness climbs to $2/\eta$ and hovers just above, the **edge of stability**.
# - A range test finds the order of magnitude of a good rate. A sweep finds the rate.
# - With noise, decay beats a constant rate, and may start higher. Which decay matters much less; a warm-up made no difference here.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - J. Cohen, S. Kaur, Y. Li, J. Z. Kolter, A. Talwalkar. *Gradient descent on neural networks typically occurs at the edge of stability.* ICLR 2021.
# - A. Damian, E. Nichani, J. D. Lee. *Self-stabilization: the implicit bias of gradient descent at the edge of stability.* ICLR 2023.
# - A. Dieuleveut, A. Durmus, F. Bach. *Bridging the gap between constant step size stochastic gradient descent and Markov chains.* Annals of Statistics 48(3), 2020.
# - J. Gilmer et al. *A loss curvature perspective on training instabilities of deep learning models.* ICLR 2022.
# - P. Goyal et al. *Accurate, large minibatch SGD: training ImageNet in 1 hour.* arXiv:1706.02677, 2017.
# - A. Hägele et al. *Scaling laws and compute-optimal training beyond fixed training durations.* NeurIPS 2024.
# - S. Hu et al. *MiniCPM: unveiling the potential of small language models with scalable training strategies.* arXiv:2404.06395, 2024.
# - D. S. Kalra, M. Barkeshli. *Why warmup the learning rate? Underlying mechanisms and improvements.* NeurIPS 2024.
# - A. Lewkowycz et al. *The large learning rate phase of deep learning: the catapult mechanism.* arXiv:2003.02218, 2020.
# - I. Loshchilov, F. Hutter. *SGDR: stochastic gradient descent with warm restarts.* ICLR 2017.
# - S. McCandlish, J. Kaplan, D. Amodei, OpenAI Dota Team. *An empirical model of large-batch training.* arXiv:1812.06162, 2018.
# - B. T. Polyak, A. B. Juditsky. *Acceleration of stochastic approximation by averaging.* SIAM Journal on Control and Optimization 30(4), 1992.
# - H. Robbins, S. Monro. *A stochastic approximation method.* Annals of Mathematical Statistics 22(3), 1951.
# - L. N. Smith. *Cyclical learning rates for training neural networks.* WACV 2017.
# - D. Soudry et al. *The implicit bias of gradient descent on separable data.* Journal of Machine Learning Research 19(70), 2018.
