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
from itertools import pairwise
from time import perf_counter

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.nn.functional import cross_entropy
from torch.optim import lr_scheduler as theirs

from shared import data, theory
from shared.course import check, claim, show
from shared.descent import iterates, run
from shared.explorers import batch, designer, stability
from shared.figures import plots, theme
from shared.models.mlp import mlp
from shared.optimizers import SGD, schedules
from shared.problems import LeastSquares, Logistic, MiniBatch, Noisy, Softmax, power, quadratic
from shared.problems.curvature import sharpness
from shared.problems.networks import NetworkOracle

threadpool_limits(1)  # small matrices: one thread is faster than two, and timings compare like with like
torch.set_num_threads(1)
SEEDS = range(3)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# Sixty runs start at the same point. They differ only in the examples they happen to draw.

# %% slideshow={"slide_type": "-"}
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
# Point out that 2/L was measured at the start. Along these runs the curvature changes: at η = 20 it falls, at η = 1 it
# rises first. A network does
# the opposite, and that is the surprise in the section on convergence.

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
# The estimate is *unbiased*. A single draw may point anywhere.

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
show(fig, alt="Histogram of cosines between the gradients of single examples and the full gradient, centred near zero.")

# %% slideshow={"slide_type": "-"}
angle = np.degrees(np.arccos(np.median(cosines)))
claim(f"half of the examples are {angle:.0f} degrees or more away from the mean of all", angle > 75)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <details><summary><b>Predict:</b> you may look at each example three times. Who gets lower: 3 steps of batch gradient
# descent, or 4,041 noisy steps of SGD, each with its best rate?</summary>
#
# SGD, by far. Its steps are wrong one by one, but it takes 1,347 times as many, and their errors cancel.
# A data set repeats itself: 1,347 digits do not hold 1,347 different lessons.
# </details>

# %% slideshow={"slide_type": "skip"}
TUNED = {1: 0.2, 32: 5.0, f.n: 25.0}  # good rates for a few passes over the data
NAMES = {1: "stochastic, B = 1", 32: "mini-batch, B = 32", f.n: "batch, B = n"}
EPOCHS, MARKS = 3, 12  # marks per epoch
by_epoch = {}
for B, η in TUNED.items():
    every = max(1, MiniBatch(f, B).steps_per_epoch // MARKS)
    runs = [run(SGD(lr=η), oracle := MiniBatch(f, B, seed), x0, EPOCHS * oracle.steps_per_epoch, every) for seed in SEEDS]
    by_epoch[B] = every / oracle.steps_per_epoch, np.array([excess(xs) for xs in runs])

# %% slideshow={"slide_type": "-"}
def draw(results, xlabel, title):
    """One band over the seeds for each batch size; results: B -> (x per mark, losses (seeds, marks))."""
    fig, ax = theme.figure(9, 3.6)
    for colour, (B, (unit, ys)) in zip(theme.SEQUENCE, results.items(), strict=False):
        x = unit * np.arange(ys.shape[1]) if np.ndim(unit) == 0 else unit
        plots.band(ax, ys, NAMES[B], x, color=colour, marker="o" if ys.shape[1] < 9 else None)
    ax.set(yscale="log", xlabel=xlabel, ylabel="excess loss", title=title)
    plots.label_ends(ax)
    return fig

show(draw(by_epoch, "passes over the data (epochs)", "at equal epochs: the smaller batches win"),
     alt="Excess loss against epochs: B = 1 and B = 32 fall together, the full batch stays far above.")

# %% slideshow={"slide_type": "-"}
end = {B: ys[:, -1] for B, (_, ys) in by_epoch.items()}
claim(f"after {EPOCHS} epochs the full batch is {np.min(end[f.n] / end[1]):.0f}x or more above B = 1, on every seed",
      np.all(end[f.n] > 5 * end[1]))
claim(f"B = 1 and B = 32 tie: their median losses differ by a factor {np.median(end[32]) / np.median(end[1]):.2f}",
      1 / 2.5 < np.median(end[32]) / np.median(end[1]) < 2.5)

# %% [markdown] slideshow={"slide_type": "notes"}
# The textbook says "B = 1 wins per epoch". Tuned fairly, B = 32 is as good: 32 steps of rate η and one step of rate 32η on
# the mean do nearly the same, as long as the batch is small against the critical batch size. We come back to it.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The clock disagrees
#
# A computer multiplies a whole matrix far faster than its rows one by one. So let us race by the clock instead:
# each method gets the same time, and takes as many steps as it manages.

# %% slideshow={"slide_type": "skip"}
def race(rule, oracle, seconds):
    """Steps taken and excess loss at ten moments of a race against the clock: (10,) seconds, (10,) losses, steps."""
    points, moments = [], np.geomspace(seconds / 40, seconds, 10)
    begin = perf_counter()
    for steps, x in enumerate(iterates(rule, oracle, x0)):
        if perf_counter() - begin >= moments[len(points)]:
            points.append(x)
            if len(points) == len(moments):
                return moments, excess(np.array(points)), steps

by_time, taken = {}, {}
for B, η in TUNED.items():
    results = [race(SGD(lr=η), MiniBatch(f, B, seed), seconds=0.8) for seed in SEEDS]
    by_time[B] = results[0][0], np.maximum([ys for _, ys, _ in results], 1e-12)
    taken[B] = np.median([steps for *_, steps in results])

# %% slideshow={"slide_type": "subslide"}
fig = draw(by_time, "seconds", "at equal time: the ordering is reversed")
fig.axes[0].set(xscale="log")
fig.axes[0].set_xticks([0.02, 0.05, 0.1, 0.2, 0.5], ["0.02", "0.05", "0.1", "0.2", "0.5"])
fig.axes[0].minorticks_off()
show(fig, alt="Excess loss against seconds: the full batch ends many orders of magnitude below B = 1.")

# %% slideshow={"slide_type": "-"}
late = {B: np.median(ys[:, -1]) for B, (_, ys) in by_time.items()}
claim(f"in 0.8 s the full batch ends at {late[f.n]:.0e}, B = 1 at {late[1]:.0e}", late[f.n] < late[1] / 10)
claim(f"B = 1 took {taken[1]:.0f} steps, the full batch {taken[f.n]:.0f}: a step on {f.n} times the data "
      f"costs only {taken[1] / taken[f.n]:.0f}x", taken[1] / taken[f.n] < f.n / 10)

# %% [markdown] slideshow={"slide_type": "-"}
# Neither picture is wrong. *Examples* count when data or gradients are expensive. *Seconds* count when the hardware is
# parallel. The batch size trades one for the other.

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
# $$ B_{\text{noise}} = \frac{\operatorname{tr} C}{\lVert g \rVert^2} . $$
#
# Below it, a larger batch is a better direction. Above it, you polish a gradient that is good already.
#
# <details><summary><b>Predict:</b> does the noise scale grow or shrink during training?</summary>
#
# It grows. Near the minimum the mean gradient vanishes; the gradients of single examples still disagree.
# Early in training small batches are enough.
# </details>

# %% slideshow={"slide_type": "-"}
path = run(SGD(lr=5.0), f, x0, 60)
scales = [theory.noise_scale(f.grads(x)) for x in path[[0, 10, 30, 60]]]
claim("the noise scale grew along the run, at steps 0, 10, 30, 60: " + ", ".join(f"{b:.0f}" for b in scales),
      all(b > 1.5 * a for a, b in pairwise(scales)))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The critical batch size
#
# Count the steps to a fixed loss, with the best of several rates for each batch size.
# If $B$ examples reduce the noise to $1/B$, the steps should follow
#
# $$ S(B) = S_{\min}\left(1 + \frac{B^*}{B}\right) . $$
#
# - $B \ll B^*$: twice the batch, half the steps. **Perfect scaling**: nothing is wasted.
# - $B \gg B^*$: the steps stay at $S_{\min}$. **Every further example is wasted.**

# %% slideshow={"slide_type": "skip"}
GOAL, BATCHES = 0.04, 2 ** np.arange(2, 11)
candidates = np.geomspace(0.8, 28, 7)
marks = set(np.unique(np.geomspace(1, 600, 70).astype(int)))

def steps_needed(B, seed):
    """Steps until the best of the candidate rates has an excess loss below GOAL (all rates run as one batch)."""
    for k, x in enumerate(iterates(SGD(lr=candidates), MiniBatch(f, int(B), seed), x0)):
        if k in marks and (excess(x) < GOAL).any():
            return k
        if k == 600:
            return np.nan

steps = np.array([[steps_needed(B, seed) for B in BATCHES] for seed in SEEDS])

# %% slideshow={"slide_type": "subslide"}
median = np.median(steps, 0)
S_min, B_star = theory.critical_batch(BATCHES, median)
fig, (left, right) = theme.figure(9, 3.7, 1, 2)
for ax, unit, name in ((left, 1, "steps to the goal"), (right, BATCHES, "examples to the goal")):
    plots.band(ax, steps * unit, x=BATCHES, color=theme.color("SGD"), marker="o", ms=4)
    ax.plot(BATCHES, S_min * (1 + B_star / BATCHES) * unit, "--", color=theme.MUTED, lw=1.3)
    plots.limit(ax, B_star, f"$B^*$ = {B_star:.0f}", at=0.97 if ax is left else 0.12)
    ax.set(xscale="log", yscale="log", xlabel="batch size B", title=name)
show(fig, alt="Steps and examples needed to reach a goal against batch size: steps fall as 1/B, then flatten; examples stay "
              "flat, then rise. A dashed fit marks the critical batch size.")

# %% slideshow={"slide_type": "-"}
small, large = median[0] / median[3], median[-3] / median[-1]
claim(f"from B = 4 to 32 the steps fell {small:.1f}x (perfect would be 8x), from 256 to 1024 only {large:.1f}x of 4x",
      small > 5 and large < 2)
scale = theory.noise_scale(G)
claim(f"the fit puts the knee at B* = {B_star:.0f}; the noise scale after ten full-batch steps was {scale:.0f}",
      1 / 4 < B_star / scale < 4)

# %% [markdown] slideshow={"slide_type": "-"}
# The noise scale costs one look at the gradients. The critical batch size costs a tuned sweep.
# They agree in order of magnitude *if* you look half-way down: you saw the noise scale grow all along the run.

# %% [markdown] slideshow={"slide_type": "notes"}
# Chapter 8 uses this number: it is the batch, workers times their share, up to which data parallelism pays. McCandlish et al. measured the
# same law from MNIST to Dota; the figure here takes seconds because the model is convex and small.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Convergence analysis and trade-offs
#
# How many steps does it take? Start with the one loss on which everything can be solved: a quadratic bowl.
# Raise the rate until a dot touches the red line, then go beyond.

# %% slideshow={"slide_type": "-"}
stability.explorer()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A quadratic is many problems at once
#
# Let $f(x) = \tfrac12 x^\top H x$. In the eigenvectors of $H$ the coordinates do not talk to each other:
#
# $$ x_i \leftarrow x_i - \eta \lambda_i x_i = (1 - \eta\lambda_i)\, x_i
# \qquad\Longrightarrow\qquad x_i^{(k)} = (1 - \eta\lambda_i)^k\, x_i^{(0)} . $$
#
# - It converges exactly when $|1 - \eta\lambda_i| < 1$ for all $i$, that is $\boldsymbol{\eta < 2/L}$.
# - The slowest coordinate decides: a step shrinks the error by the factor $\max_i |1 - \eta\lambda_i|$.
# - Best is the $\eta$ at which flattest and steepest tie: $1 - \eta\mu = \eta L - 1$, so $\eta = \dfrac{2}{\mu + L}$ and the factor is
#
# $$ \frac{\kappa - 1}{\kappa + 1}, \qquad \kappa = L/\mu . $$

# %% slideshow={"slide_type": "subslide"}
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
tumours = data.breast_cancer()
h = Logistic(tumours.x_train, np.where(tumours.y_train == 1, 1.0, -1.0), l2=1e-3)
top = np.linalg.eigvalsh(h.X.T @ h.X / h.n / 4)[-1] + h.l2  # no curvature of a logistic loss exceeds this
w = np.zeros(h.dim)
for _ in range(12):
    w = w - np.linalg.solve(h.hess(w), h.grad(w))
T = np.arange(1, 2001)
logistic = h(run(SGD(lr=1 / top), h, np.zeros(h.dim), T[-1]))[1:] - h(w)
bound = theory.convex_bound(top, np.linalg.norm(w), T)

flat = power(p=4, d=1)
slow = flat(run(SGD(lr=0.02), flat, [1.0], 20_000))[1:]

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.7, 1, 2)
plots.curve(left, logistic, "measured", T, color=theme.color("SGD"))
plots.curve(left, bound, "the bound", T, color=theme.BAD, ls="--")
left.set(xscale="log", yscale="log", xlabel="step T", ylabel="excess loss", title="logistic regression, tumours")
left.legend()
k = np.arange(1, 20_001)
plots.curve(right, slow, "measured, $f = |x|^4$", k, color=theme.color("SGD"))
plots.curve(right, slow[-1] * (k / k[-1]) ** theory.power_slope(4), "slope −2", k, color=theme.MUTED, ls="--")
right.set(xscale="log", yscale="log", xlabel="step T", ylim=(slow[-1] / 2, 3), title="a valley without curvature")
right.legend()
show(fig, alt="Left: the excess loss of logistic regression stays far below the 1/T bound. Right: the loss on x to the "
              "fourth follows a straight line of slope minus two.")

# %% slideshow={"slide_type": "-"}
claim(f"the bound held at all {T.size} steps; at the end it was {bound[-1] / logistic[-1]:.0f}x too pessimistic",
      (logistic <= bound).all() and bound[-1] > 3 * logistic[-1])
slope = np.log(slow[-1] / slow[4_999]) / np.log(4)
claim(f"on |x|⁴ the slope is {slope:.2f}, predicted -p/(p-2) = {theory.power_slope(4):.0f}", abs(slope + 2) < 0.05)

# %% [markdown] slideshow={"slide_type": "-"}
# A bound is a promise, not a forecast. Logistic regression keeps it with room to spare; its curve is *not* $1/T$.
# A real power law needs a minimum without curvature. On $|x|^p$ with $p > 2$ the flow $\dot x = -p\,x^{p-1}$ gives $x \sim t^{-1/(p-2)}$,
# so the loss falls as $t^{-p/(p-2)}$, which comes close to $1/t$ for large $p$.

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
# - Robbins & Monro (1951): $\sum \eta_k = \infty$ to get anywhere, $\sum \eta_k^2 < \infty$ to stop shaking. $\eta_k \propto 1/k$ does both.
# - $\eta_k \propto 1/\sqrt k$: slower, but safe when the curvature is unknown.
# - Polyak & Juditsky (1992): keep the rate constant, and report the **mean** of the iterates.

# %% slideshow={"slide_type": "skip"}
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

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A network does not obey 2/L
#
# Take a tanh network on 500 digits with squared error, full batch, no noise at all. Its largest curvature is its
# **sharpness** $\lambda_{\max}$, found with Hessian-vector products and power iteration, without forming the Hessian.
#
# <details><summary><b>Predict:</b> the rate is 1.5 times the limit 2/λ<sub>max</sub> at the start. Does it diverge?</summary>
#
# No. It trains all the same. The limit belongs to a *quadratic*; a network's
# curvature is different at every point. There is a limit, but it is not the one at the start.
# </details>

# %% slideshow={"slide_type": "skip"}
images = digits.x_train[:500] - digits.x_train[:500].mean(0)
one_hot = np.eye(10, dtype="float32")[digits.y_train[:500]]

def half_mse(outputs, targets):
    """Half the squared error, summed over the classes: a mean over the examples."""
    return ((outputs - targets) ** 2).sum(-1).mean() / 2

def tanh_network(seed):
    net = mlp(64, 64, 64, 10, activation="tanh", seed=seed, dtype=torch.float32)
    return NetworkOracle(net, half_mse, images, one_hot)

factors, final = np.array([0.5, 1.5, 2.0]), []
for net in map(tanh_network, SEEDS):
    sharp, _ = sharpness(net, net.start)
    final.append(net(run(SGD(lr=factors * 2 / sharp), net, net.start, 80)[-1]) / net(net.start))
final = np.array(final)

# %% slideshow={"slide_type": "-"}
claim(f"at 1.5 · 2/λ the loss fell to {final[:, 1].max():.0%} of its start or less, on all seeds", (final[:, 1] < 0.7).all())
claim("at 2 · 2/λ it exploded, on all seeds", not np.isfinite(final[:, 2]).any())

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The edge of stability
#
# Now choose a small, safe rate, and watch the sharpness as the network trains (Cohen et al. 2021).

# %% slideshow={"slide_type": "skip"}
def watch(net, lr, steps, every=10):
    """Train by full-batch gradient descent: every loss, and the sharpness at every `every`-th step."""
    losses, sharp, v = [], [], None
    for k, x in zip(range(steps + 1), iterates(SGD(lr=lr), net, net.start), strict=False):
        losses.append(float(net(x)))
        if k % every == 0:
            λ, v = sharpness(net, x, v, tol=1e-2, max_iter=4 if k else 50)  # warm start: a few products are enough
            sharp.append(λ)
    return np.array(losses), np.array(sharp)

edge = {lr: watch(tanh_network(seed), lr, steps)  # three rates, each from a start of its own
        for seed, (lr, steps) in enumerate({0.4: 700, 0.6: 500, 0.8: 400}.items())}

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.8, 1, 2)
for colour, (lr, (losses, sharp)) in zip(theme.SEQUENCE, edge.items(), strict=False):
    plots.curve(left, sharp, f"η = {lr}", 10 * np.arange(len(sharp)), color=colour, lw=1.4)
    left.axhline(2 / lr, color=colour, ls="--", lw=1)
    plots.curve(right, losses, f"η = {lr}", color=colour, lw=1.1)
left.set(xlabel="step", ylabel="sharpness $\\lambda_{\\max}$", title="it climbs to 2/η (dashed), and stays")
right.set(yscale="log", xlabel="step", ylabel="loss", title="the loss jitters, and falls all the same")
right.legend()
show(fig, alt="Left: the sharpness of a network rises during training until it hovers at two over the learning rate, for "
              "three rates. Right: the loss falls, with many small rises.")

# %% slideshow={"slide_type": "subslide"}
for lr, (losses, sharp) in edge.items():
    ratio = np.median(sharp[len(sharp) // 2:]) * lr / 2
    _, early, _, late = np.array_split(losses, 4)
    up, fall = (np.diff(late) > 0).mean(), 1 - np.median(late) / np.median(early)
    claim(f"η = {lr}: sharpness settles at {ratio:.2f} of 2/η; {up:.0%} of the late steps raise the loss, yet from the "
          f"second to the last quarter it falls by {fall:.0%}", 0.9 < ratio < 1.2 and up > 0.1 and fall > 0.05)

# %% [markdown] slideshow={"slide_type": "-"}
# The learning rate does not obey the curvature: **the curvature obeys the learning rate**. Training raises the sharpness
# until $2/\eta$; there the steepest direction starts to bounce, and the bounce pushes it back to flatter ground.
# So $2/\lambda_{\max}$ measured once tells you little about a network's best rate.

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
# 32 hidden units, batches of 16, a budget of 800 steps. All rates and schedules of the sweep run at once, as one array.

# %% slideshow={"slide_type": "skip"}
def halved(images):
    """28 × 28 images (n, 784) averaged over blocks of 2 × 2: (n, 196)."""
    return images.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196)

mnist, STEPS = data.mnist(), 800
train, test = halved(mnist.x_train), halved(mnist.x_test)
train, test = train - train.mean(0), test - train.mean(0)

def network(seed, inputs=train, labels=mnist.y_train):
    return NetworkOracle(mlp(196, 32, 10, seed=seed, dtype=torch.float32), cross_entropy, inputs, labels)

rates = np.array([0.25, 0.5, 1.0, 2.0])
shapes = {
    "constant": lambda η: schedules.Constant(η),
    "linear": lambda η: schedules.Linear(η, 0.0, STEPS),
    "cosine": lambda η: schedules.Cosine(η, STEPS),
    "warm-up stable decay": lambda η: schedules.WarmupStableDecay(η, STEPS, warmup=20, decay=STEPS // 4),
}

# %% slideshow={"slide_type": "skip"}
def train_all(plans, seed):
    """One run for each schedule, all on the same batches from the same start: every 20th point, (41, plans, d)."""
    net = network(seed)
    rule = SGD(lr=lambda k: np.array([plan(k) for plan in plans]))
    return run(rule, MiniBatch(net, 16, seed), np.broadcast_to(net.start, (len(plans), net.dim)), STEPS, every=20)

sweep = [shape(η) for shape in shapes.values() for η in rates]  # 4 shapes x 4 rates
lengths = np.array([240, 400, 560, 800])
branches = [schedules.WarmupStableDecay(1.0, int(n), warmup=20, decay=int(n) // 4) for n in (*lengths, 10**6)]  # for later
runs = np.array([train_all([*sweep, *branches], seed) for seed in SEEDS])  # (seeds, 41, 21, d)
unseen = network(0, test, mnist.y_test)
loss = unseen(runs[:, -1, :16]).reshape(3, 4, 4)  # (seeds, shapes, rates)
accuracy = np.array([[unseen.accuracy(x, test, mnist.y_test) for x in xs] for xs in runs[:, -1, :16]]).reshape(3, 4, 4)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The learning-rate range test
#
# Raise the rate exponentially from far too low to far too high within one short run, and watch the loss (Smith 2017).

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
plots.band(right, loss[:, 0], x=rates, color=theme.SEQUENCE[1], marker="o")
right.set(xscale="log", xlabel="constant learning rate η", ylabel="test loss", title="the truth: 800 steps at each rate")
right.set_xticks(rates, [f"{η:g}" for η in rates], minor=False)
right.minorticks_off()
show(fig, alt="Left: loss during a range test, flat, then falling, then exploding, with the steepest and lowest points "
              "marked. Right: test loss after training at four constant rates.")

# %% slideshow={"slide_type": "subslide"}
truth = rates[loss[:, 0].mean(0).argmin()]
found, edge_of = np.median(ramp[steepest]), np.median(ramp[lowest])
claim(f"the steepest point suggests η = {found:.2g}; the best constant rate of the sweep was {truth:g}",
      1 / 5 < found / truth < 5)
claim(f"the lowest point, {edge_of:.2g}, is past the best rate; a tenth of it, the rule of thumb, is {truth / edge_of * 10:.0f}x "
      "too small", edge_of > truth and edge_of / 10 < truth / 2)

# %% [markdown] slideshow={"slide_type": "-"}
# **What it gets right:** for the price of 300 steps you know the order of magnitude, and where training breaks.
# **What it gets wrong:** it sees a *young* network, only for a moment, and it rewards speed now, not the loss at the end.
# Its answer is a place to start a sweep, not the end of one. Ask again when the batch size or the schedule changes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Design a schedule
#
# A large rate travels. A small rate settles. A **schedule** $k \mapsto \eta_k$ does one after the other.

# %% slideshow={"slide_type": "-"}
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
# The course's schedules are not *like* those of `torch.optim.lr_scheduler`. They are equal, step by step.

# %% slideshow={"slide_type": "skip"}
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
# Early gradients are large and change fast. A **warm-up** starts low while nothing is known yet (Goyal et al. 2017).
# It is a schedule of its own, joined to whatever follows: small pieces, composed.

# %% slideshow={"slide_type": "-"}
warm = schedules.Join((schedules.Warmup(lr=1.0, steps=10), schedules.Cosine(lr=1.0, steps=90)), boundaries=(10,))
claim("steps 0, 9, 10, 55, 100: " + ", ".join(f"{warm(k):.2f}" for k in (0, 9, 10, 55, 100)),
      warm(9) == warm(10) == 1.0 and abs(warm(55) - 0.5) < 1e-12 and warm(100) < 1e-12)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Does decay pay on a network?
#
# The sweep above ran four shapes at four rates: each shape may choose its own best rate. That is the fair comparison.
# (Linear and cosine are best at the largest rate we tried: with a wider range they could only gain. And we choose on the test digits,
# for all shapes alike: for a report you would take a third set, chapter 1.)
#
# <details><summary><b>Predict:</b> which shape can afford the largest rate?</summary>
#
# The decayed ones. A constant rate must be a compromise between travelling and settling. A decayed rate can start higher than
# the constant one ever could, because it will not end there.
# </details>

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.8, 1, 2)
for colour, (i, name) in zip(theme.SEQUENCE, enumerate(shapes), strict=False):
    plots.band(left, loss[:, i], name, rates, color=colour, marker="o", ms=4, alpha=0.1)
    plots.band(right, 100 * accuracy[:, i], name, rates, color=colour, marker="o", ms=4, alpha=0.1)
for ax, title in ((left, "test loss after 800 steps"), (right, "test accuracy [%]")):
    ax.set(xscale="log", xlabel="highest rate η", title=title)
    ax.set_xticks(rates, [f"{η:g}" for η in rates])
    ax.minorticks_off()
left.legend()
show(fig, alt="Test loss and accuracy against the highest rate for a constant and three decayed schedules: the constant "
              "one is worst at high rates, the decayed ones reach lower loss.")

# %% slideshow={"slide_type": "subslide"}
mean_loss, mean_accuracy = loss.mean(0), 100 * accuracy.mean(0)
constant, decayed = mean_loss[0].min(), mean_loss[1:].min(1)
claim(f"best constant rate: test loss {constant:.3f}; decayed, each at its best: {', '.join(f'{v:.3f}' for v in decayed)}",
      (decayed < 0.97 * constant).all())
gain = mean_accuracy[1:].max(1) - mean_accuracy[0].max()
claim(f"accuracy, best rate each: decayed beats constant by {gain.min():.1f} to {gain.max():.1f} points", gain.mean() > 0.2)
gain = mean_accuracy[1:, -1] - mean_accuracy[0, -1]
claim(f"at η = {rates[-1]:g}, too high for a constant rate, decay gains {gain.min():.1f} points or more", gain.min() > 1)

# %% [markdown] slideshow={"slide_type": "-"}
# That is all we claim: *decayed beats constant*. With three seeds the order among the decayed shapes is noise.
# Their differences in practice are about convenience, and one of them is very convenient.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Warm-up, stable, decay: plan the end later
#
# A cosine must know its last step when it starts. *Warm-up stable decay* (Hu et al. 2024) does not: it stays at a constant
# rate, and decays whenever you decide to stop. Several endings can **branch off one run**.

# %% slideshow={"slide_type": "skip"}
curves = unseen(runs[:, :, 16:])  # (seeds, 41, 5): four branches, and the trunk that never decays
*branch, trunk = np.moveaxis(curves, -1, 0)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.8, 1, 2)
k, median = 20 * np.arange(41), np.median(curves, 0)
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
same = [np.array_equal(runs[:, : (3 * n // 4) // 20 + 1, 16 + i], runs[:, : (3 * n // 4) // 20 + 1, -1])
        for i, n in enumerate(lengths)]
claim("before its decay every branch is the trunk, bit for bit: the stable part is paid for once", all(same))
drop = [1 - y[:, n // 20].mean() / trunk[:, n // 20].mean() for n, y in zip(lengths, branch, strict=True)]
claim("each decay ends below the trunk at the same step, by " + ", ".join(f"{d:.0%}" for d in drop) + " (mean of 3 seeds)",
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
# - Per example small batches win; per second large ones do. The **critical batch size** is where the exchange stops being fair.
# - Shuffling beats drawing with replacement, at no cost.
# - On a quadratic we can solve everything: stable for $\eta < 2/L$, contraction $(\kappa-1)/(\kappa+1)$ at the best rate, noise floor about
#   $\eta \operatorname{tr} C/4B$ at small rates.
# - Convex bounds are promises, not forecasts.
# - A network adapts its curvature to the rate: sharpness climbs to $2/\eta$, the **edge of stability**.
# - A range test finds the order of magnitude of a good rate. A sweep finds the rate.
# - With noise, decay beats a constant rate, and may start higher. Which decay matters much less.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - J. Cohen, S. Kaur, Y. Li, J. Z. Kolter, A. Talwalkar. *Gradient descent on neural networks typically occurs at the edge of stability.* ICLR 2021.
# - A. Damian, E. Nichani, J. D. Lee. *Self-stabilization: the implicit bias of gradient descent at the edge of stability.* ICLR 2023.
# - P. Goyal et al. *Accurate, large minibatch SGD: training ImageNet in 1 hour.* arXiv:1706.02677, 2017.
# - A. Hägele et al. *Scaling laws and compute-optimal training beyond fixed training durations.* NeurIPS 2024.
# - S. Hu et al. *MiniCPM: unveiling the potential of small language models with scalable training strategies.* arXiv:2404.06395, 2024.
# - I. Loshchilov, F. Hutter. *SGDR: stochastic gradient descent with warm restarts.* ICLR 2017.
# - S. McCandlish, J. Kaplan, D. Amodei, OpenAI Dota Team. *An empirical model of large-batch training.* arXiv:1812.06162, 2018.
# - B. T. Polyak, A. B. Juditsky. *Acceleration of stochastic approximation by averaging.* SIAM Journal on Control and Optimization 30(4), 1992.
# - H. Robbins, S. Monro. *A stochastic approximation method.* Annals of Mathematical Statistics 22(3), 1951.
# - L. N. Smith. *Cyclical learning rates for training neural networks.* WACV 2017.
