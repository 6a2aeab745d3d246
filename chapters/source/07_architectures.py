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
# # Optimization for specific architectures
#
# Images have neighbours. Sequences have a past. Networks for them use the same weights again and again:
# at every place, or at every time.
#
# **One weight, a thousand uses. Where does the gradient go?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## What you will be able to do
#
# - Write convolution forward and backward in three ways, and say which is fast when.
# - Tell which pixels a pooling layer trains, and what that does to shifted images.
# - Spend a budget on hyperparameters, and see what a shortcut does to the loss surface.
# - Derive backpropagation through time, code it, and predict when its gradient vanishes.
# - Train LSTM and GRU on a task with a long memory, and judge them against a simple baseline.

# %% [markdown] slideshow={"slide_type": "notes"}
# One question runs through the chapter: where does the gradient go? To which pixels, which layers, which moments. Ask it at every figure.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
from dataclasses import replace
from time import process_time

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d

from shared import chance, data
from shared.course import check, claim, show
from shared.descent import run
from shared.explorers import kernels, loss_surface, memory
from shared.figures import plots, theme
from shared.models import convolution, vision
from shared.models.cells import CELLS, GRU, LSTM, RNN, Weights, backward, forward, sigmoid
from shared.optimizers import Adam
from shared.problems import Clipped
from shared.problems.curvature import filter_normalised, surface
from shared.problems.sequences import Adding, FirstSymbol, Forecast, Reader
from shared.problems.training import accuracy, train

torch.set_num_threads(1)
mnist, digits = data.mnist(), data.digits()
SEEDS = range(3)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# A kernel slides over a digit. Drag the pixel: everything orange hears it.

# %% slideshow={"slide_type": "-"}
kernels.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# 1. Drag the pixel into the middle, then to the border. How many outputs hear it? What does padding change?
# 2. Set the stride to 2, then to 3. Drag again. Are all pixels heard equally often? Choose *listeners* for the right panel.
# 3. Set the right panel back to *gradient*. Choose *blur*, then *outline*. It is the gradient of $\tfrac12\sum y^2$. Why does it look like the kernel, used twice?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let someone find a pixel that nobody hears: stride 3, padding 0, near the right border. Its gradient is 0 for ever.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Convolutional operations and their optimization
#
# A **convolution** computes the same weighted sum at every place (LeCun et al. 1998):
#
# $$ y_{ij} = \sum_{a,b} w_{ab}\; x_{s i + a,\; s j + b}, \qquad \text{side of } y:\; \Bigl\lfloor \frac{n + 2p - k}{s} \Bigr\rfloor + 1 $$
#
# with kernel size $k$, stride $s$ and a frame of $p$ zeros (padding). Libraries do not flip the kernel: strictly speaking this is correlation.
#
# | | dense layer, 28 × 28 → 28 × 28 | convolution 5 × 5 |
# |:--|:--|:--|
# | weights | 614,656 | 25 |
# | uses of each weight | 1 | up to 784 |

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Backward: two sums
#
# Let $\delta_{ij} = \partial f/\partial y_{ij}$ arrive from above. Ask of each number: **who used it?**
#
# - **Weight $w_{ab}$** was used at every place $(i,j)$, times the pixel it met there:
#   $\displaystyle \frac{\partial f}{\partial w_{ab}} = \sum_{i,j} \delta_{ij}\, x_{si+a,\,sj+b}$. A sum over **places**.
# - **Pixel $x_{uv}$** was used by every output whose window holds it:
#   $\displaystyle \frac{\partial f}{\partial x_{uv}} = \sum_{\substack{a,b:\; si+a=u,\; sj+b=v}} w_{ab}\, \delta_{ij}$. A sum over **windows**.
#
# For stride 1 the second is $\sum_{a,b} w_{ab}\,\delta_{u-a,\,v-b}$: the kernel **flipped**, a convolution in the strict sense.

# %% [markdown] slideshow={"slide_type": "skip"}
# In code both sums are one loop over the kernel. `seen_by` is a view of the pixels that element $(a,b)$ meets:

# %% slideshow={"slide_type": "skip"}
show(convolution.direct)
show(convolution.direct_backward)

# %% [markdown] slideshow={"slide_type": "skip"}
# Two other ways give the same numbers. **im2col** writes every window as a column: then a convolution is one matrix product, and
# its gradients are those of a matrix product. The **FFT** turns it into one product per frequency (Mathieu et al. 2014).

# %% slideshow={"slide_type": "skip"}
show(convolution.by_im2col_backward)
show(convolution.by_fft_backward)

# %% slideshow={"slide_type": "skip"}
def against_autograd(seed, stride, padding):
    """The largest difference of the three methods from torch, for output, input gradient and weight gradient."""
    rng = chance.rng(seed)
    x, w = mnist.x_train[8 * seed : 8 * seed + 8].reshape(4, 2, 28, 28), rng.standard_normal((3, 2, 5, 5))
    X, W = (torch.tensor(v, requires_grad=True) for v in (x, w))
    y = conv2d(X, W, stride=stride, padding=padding)
    δ = rng.standard_normal(tuple(y.shape))
    y.backward(torch.tensor(δ))
    theirs = y.detach().numpy(), X.grad.numpy(), W.grad.numpy()
    return max(abs(a - b).max() for forward_, backward_ in convolution.METHODS.values()
               for a, b in zip((forward_(x, w, stride, padding), *backward_(x, w, δ, stride, padding)), theirs))

worst = max(against_autograd(seed, s, p) for seed in SEEDS for s in (1, 2, 3) for p in (0, 2))
claim(f"direct, im2col and FFT equal autograd, forward and backward: largest difference {worst:.0e}", worst < 1e-10)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three ways, one result, different clocks
#
# <details><summary><b>Predict:</b> the kernel grows from 3 × 3 to 27 × 27. Which ways need 81 times as many products per output, and which does not care?</summary>
#
# The direct way does one product per kernel element, im2col writes as many numbers per window: both grow with $k^2$ per output.
# The FFT pays for the image only. The library's code is made for small kernels, because networks have small kernels.
# </details>

# %% slideshow={"slide_type": "skip"}
def fastest(function, *arguments, repeats=2):
    """The shortest of some runs, in milliseconds of processor time."""
    def once():
        start = process_time()
        function(*arguments)
        return process_time() - start
    return 1e3 * min(once() for _ in range(repeats))

sizes, rng = (3, 7, 11, 15, 19, 23, 27), chance.rng(0)
times = {name: [] for name in (*convolution.METHODS, "torch")}
for k in sizes:
    x, w = rng.standard_normal((3, 4, 56, 56)), rng.standard_normal((4, 4, k, k))
    for name, (forward_, _) in convolution.METHODS.items():
        times[name].append(fastest(forward_, x, w))
    times["torch"].append(fastest(conv2d, torch.tensor(x), torch.tensor(w)))
claim("at 27 × 27 the FFT is more than twice as fast as the direct way", times["direct"][-1] > 2 * times["FFT"][-1])

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.6)
for (name, ms), colour in zip(times.items(), theme.SEQUENCE):
    plots.curve(ax, ms, name, sizes, colour, marker="o", ms=4)
ax.set(yscale="log", xlabel="side of the kernel", ylabel="milliseconds", title="3 images of 4 × 56 × 56, forward (your machine, now)", xticks=sizes)
plots.label_ends(ax)
show(fig, alt="Time of a convolution against the kernel's side: direct and im2col rise, the FFT stays level.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Sharing a weight adds its gradients
#
# Pretend that every place had a kernel of its own: $\theta^{(ij)}$. Backpropagate, then **tie** them, $\theta^{(ij)} = w$ for all $(i,j)$. The chain rule:
#
# $$ \frac{\partial f}{\partial w} = \sum_{ij} \frac{\partial f}{\partial \theta^{(ij)}}\,\underbrace{\frac{\partial \theta^{(ij)}}{\partial w}}_{I} $$
#
# More places, more terms. The curvature is such a sum as well, and there nothing cancels. So a kernel on large maps needs a **smaller rate** than on small ones.

# %% slideshow={"slide_type": "skip"}
def per_place(images, δ):
    """The gradients that kernels of their own would get: (examples, 25, places)."""
    return convolution.im2col(images, (5, 5)) * δ.reshape(len(images), 1, -1)

images = mnist.x_train[:50].reshape(-1, 1, 28, 28)
gaps = []
for seed in SEEDS:
    δ = chance.rng(seed).standard_normal((50, 1, 24, 24))
    shared_ = convolution.direct_backward(images, np.zeros((1, 1, 5, 5)), δ)[1]
    gaps.append(abs(per_place(images, δ).sum((0, 2)) - shared_.ravel()).max())
claim(f"sum of the gradients of 576 untied kernels = gradient of the shared one: {max(gaps):.0e}", max(gaps) < 1e-10)
def sharpest(side):
    """The largest curvature of ½ Σ (w * x)² in the kernel w, mean over examples: its stability limit is 2 over it."""
    X = convolution.im2col(images[:, :, :side, :side], (5, 5))
    return np.linalg.eigvalsh(np.einsum("nap,nbp->ab", X, X) / len(X))[-1]
claim(f"largest curvature of a 5 × 5 kernel: {sharpest(16):.0f} on 16 × 16 pixels, {sharpest(28):.0f} on 28 × 28", sharpest(28) > 1.5 * sharpest(16))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Neighbours are alike, so kernels learn slowly
#
# Teach a kernel by least squares: $f(w) = \tfrac1{2n}\lVert X^\top w - y\rVert^2$ with the windows as columns of $X$. Its Hessian is $XX^\top/n$:
# how alike the pixels of a window are.
#
# <details><summary><b>Predict:</b> in MNIST, is this problem well or badly conditioned? Which direction of $w$ is easy?</summary>
#
# Badly. Neighbouring pixels are nearly equal, so the *mean* of the window is learned at once, and *differences* between
# neighbours, edges, are learned last. Subtracting the mean image does not repair that. Decorrelating the pixels (whitening) does.
# </details>

# %% slideshow={"slide_type": "skip"}
def windows_of(seed):
    """2,000 windows of 3 x 3 from the middle of the digits: (9, 2000)."""
    rng = chance.rng(seed)
    crops = mnist.x_train[rng.integers(4000, size=200)].reshape(-1, 1, 28, 28)[:, :, 8:20, 8:20]
    X = np.concatenate(list(convolution.im2col(crops, (3, 3))), axis=1)
    return X[:, rng.permutation(X.shape[1])[:2000]]

def learned(X, steps=300, seed=0):
    """The error of gradient descent at its best rate, towards a random kernel; and the condition number."""
    λ, Q = np.linalg.eigh(X @ X.T / X.shape[1])
    e0 = Q.T @ chance.rng(seed).standard_normal(len(X))
    shrink = 1 - 2 / (λ[0] + λ[-1]) * λ
    return np.linalg.norm(e0 * shrink ** np.arange(steps)[:, None], axis=1) / np.linalg.norm(e0), λ[-1] / λ[0]

slow, quick, centred = [], [], []
for seed in SEEDS:
    X = windows_of(seed)
    λ, Q = np.linalg.eigh(np.cov(X))
    white = Q / np.sqrt(λ) @ Q.T @ (X - X.mean(1, keepdims=True))
    slow.append(learned(X))
    centred.append(λ[-1] / λ[0])
    quick.append(learned(white))
claim(f"condition number of learning a 3 × 3 kernel: {[round(κ) for _, κ in slow]}, whitened {max(κ for _, κ in quick):.3f}",
      min(κ for _, κ in slow) > 30 and max(κ for _, κ in quick) < 1.01)
claim(f"after subtracting the mean it is still {[round(κ) for κ in centred]}", min(centred) > 30)
claim(f"after 100 steps of 300 the error is still {min(e[100] for e, _ in slow):.0%} or more; whitened it is gone in one step", min(e[100] for e, _ in slow) > 0.02 and max(e[1] for e, _ in quick) < 0.01)

# %% slideshow={"slide_type": "-"}
fig, axes = theme.figure(9.2, 3.3, 1, 4, width_ratios=(1, 1, 1, 3))
λ, Q = np.linalg.eigh(windows_of(0) @ windows_of(0).T / 2000)
for ax, i, name in zip(axes, (8, 7, 0), ("steepest", "second", "flattest")):
    q = Q[:, i].reshape(3, 3)
    ax.imshow(q * np.sign(q[0, 0]), cmap="RdBu_r", vmin=-0.6, vmax=0.6)
    ax.set(xticks=[], yticks=[], title=name, xlabel=f"curvature {λ[i]:.2g}")
    ax.grid(False)
plots.band(axes[3], [e for e, _ in slow], "pixels as they are", color=theme.BAD)
plots.band(axes[3], [np.maximum(e, 1e-4) for e, _ in quick], "whitened", color=theme.GOOD)
axes[3].set(yscale="log", ylim=(1e-3, 1.3), xlabel="step", title="error of the kernel, best rate")
axes[3].legend(loc=(0.25, 0.12))
show(fig, alt="The steepest direction of a kernel is the mean, the flattest a fine checkerboard; the error falls slowly, and at once when whitened.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A convolution is a matrix, and its transpose carries the gradient
#
# Every linear map is a matrix. This one is sparse and repeats itself along its diagonals (*Toeplitz*). On a periodic image the Fourier basis makes it
# diagonal, so its singular values are the sizes $|\hat w|$ of the kernel's spectrum.
# The gradient goes back through $W^\top$: **a frequency that the kernel mutes forward is muted on the way back, too.**

# %% slideshow={"slide_type": "skip"}
spectra = {name: np.sort(abs(convolution.transfer(kernels.weights(name)[0, 0], (16, 16))).ravel())[::-1]
           for name in ("blur", "vertical edge", "outline", "sharpen")}
spectra["random (He)"] = np.sort(abs(convolution.transfer(chance.rng(0).standard_normal((3, 3)) * (2 / 9) ** 0.5, (16, 16))).ravel())[::-1]
condition = {name: s[0] / s[-1] if s[-1] > 1e-12 * s[0] else np.inf for name, s in spectra.items()}
for name, κ in condition.items():
    print(f"{name:16} largest over smallest singular value {κ:.3g}")
claim("a blur erases the finest stripes altogether, and an edge detector the constant: neither can be undone", condition["blur"] > 1e6 and condition["vertical edge"] > 1e6)
claim(f"sharpening mutes nothing: {condition['sharpen']:.1f}", condition["sharpen"] < 10)

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9.2, 3.7, 1, 2, width_ratios=(1, 1.5))
left.imshow(convolution.matrix(kernels.weights("sharpen")[0, 0], (6, 6), 1), cmap="RdBu_r", vmin=-1, vmax=1)
left.set(title="“sharpen” as a matrix", xlabel="pixel in (6 × 6)", ylabel="pixel out")
left.grid(False)
for (name, s), colour in zip(spectra.items(), theme.SEQUENCE):
    plots.curve(right, np.maximum(s / s[0], 1e-6), name, color=colour)
right.set(yscale="log", ylim=(1e-3, 1.5), xlim=(0, 255), xlabel="frequency, sorted", title="singular values, largest = 1")
plots.label_ends(right)
show(fig, alt="Left: the banded matrix of a convolution. Right: sorted singular values of five kernels; blur and edge kernels fall to zero.")

# %% [markdown] slideshow={"slide_type": "notes"}
# Deep linear convolutions multiply these spectra. That is chapter 6's product again, one product per frequency.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Pooling and its impact
#
# Pooling halves the map: one number for each window of 2 × 2. Three ways, and three answers to *where does the gradient go?*
#
# | | forward | backward |
# |:--|:--|:--|
# | **max** | the largest | all of $\delta$ to the winner, 0 to the others |
# | **average** | the mean | $\delta/4$ to everyone |
# | **stride** | the top left | all of $\delta$ to the top left, the others were never seen |
#
# Average pooling's gradient is a quarter in four places: the same sum, half the norm.

# %% slideshow={"slide_type": "skip"}
show(convolution.max_pool_backward)
show(convolution.average_pool_backward)

# %% slideshow={"slide_type": "skip"}
gaps = []
for seed in SEEDS:
    x, δ = images[10 * seed : 10 * seed + 10], chance.rng(seed).standard_normal((10, 1, 14, 14))
    for name, theirs in (("max", lambda v: max_pool2d(v, 2)), ("average", lambda v: avg_pool2d(v, 2)), ("stride", lambda v: v[:, :, ::2, ::2])):
        X = torch.tensor(x, requires_grad=True)
        theirs(X).backward(torch.tensor(δ))
        gaps.append(abs(convolution.POOLS[name][1](x, δ) - X.grad.numpy()).max())
claim(f"the three by hand equal autograd: largest difference {max(gaps):.0e}", max(gaps) < 1e-10)

# %% slideshow={"slide_type": "subslide"}
x = images[7:8, :, 6:22, 6:22]
fig, axes = theme.figure(9.4, 2.7, 1, 4)
axes[0].imshow(x[0, 0], cmap="gray_r")
axes[0].set_title("input")
for ax, (name, (_, back)) in zip(axes[1:], convolution.POOLS.items()):
    dx = back(x, np.ones((1, 1, 8, 8)))[0, 0]
    ax.imshow(dx, cmap="Blues", vmin=0, vmax=1)
    ax.set_title(f"{name}: {np.mean(dx > 0):.0%} hear it")
for ax in axes:
    ax.set(xticks=np.arange(-0.5, 16, 2), yticks=np.arange(-0.5, 16, 2), xticklabels=[], yticklabels=[])
    ax.tick_params(length=0)
    ax.grid(True, color="#BBBBBB")
show(fig, alt="A digit and where the gradient goes: one pixel of each window, all four of them pale, or always the top left one.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What it does to accuracy, and to a shift of two pixels
#
# The same network three times: two blocks of 5 × 5 convolution, ReLU and halving. MNIST, 4,000 digits, three seeds. Then test it on digits
# **moved by two pixels**. It never saw any.
#
# <details><summary><b>Predict:</b> which way of halving is most robust to the shift? By how much?</summary>
#
# Max pooling: a maximum may wander inside its window and nothing changes. The strided network sees every other place only.
# All three lose a lot: pooling alone does not make a network invariant.
# </details>

# %% slideshow={"slide_type": "skip"}
moves = [vision.moved(mnist.x_test, 28, *by) for by in ((2, 0), (-2, 0), (0, 2), (0, -2))]

def pooled(pooling, seed, steps=90, channels=5):
    """Accuracy on test digits as they are, and moved by two pixels in the four directions."""
    net = vision.cnn(28, channels, 5, 2, pooling, seed)
    train(net, mnist.x_train, mnist.y_train, torch.optim.Adam(net.parameters(), 4e-3, fused=True), steps, seed=seed)
    return accuracy(net, mnist.x_test, mnist.y_test), np.mean([accuracy(net, m, mnist.y_test) for m in moves])

reached = {pooling: np.array([pooled(pooling, s) for s in SEEDS]).T for pooling in convolution.POOLS}
for pooling, (plain, shifted) in reached.items():
    print(f"{pooling:8} test accuracy {plain.round(3)}   moved by 2 pixels {shifted.round(3)}")

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.3)
for i, (plain, shifted) in enumerate(reached.values()):
    for values, dy, colour in ((plain, -0.18, theme.SEQUENCE[0]), (shifted, 0.18, theme.SEQUENCE[1])):
        ax.barh(i + dy, values.mean(), 0.34, color=colour, alpha=0.75)
        ax.plot(values, [i + dy] * 3, "o", color=theme.INK, ms=4)
        ax.text(0.41, i + dy, ("as they are" if dy < 0 else "moved by 2 pixels") + f", {values.mean():.2f}", color="white", va="center", weight="bold")
ax.set(yticks=range(3), xlim=(0.4, 1), xlabel="test accuracy", title="max pooling keeps most of a shifted digit")
ax.set_yticklabels(list(reached))
ax.invert_yaxis()
show(fig, alt="Accuracy of max, average and stride on test digits and on digits moved by two pixels; max is best at both, and all lose with the shift.")

# %% slideshow={"slide_type": "skip"}
(m, m2), (a, a2), (s, s2) = reached.values()
claim(f"after a shift max is ahead of stride by {np.mean(m2 - s2):.2f}, in 3 of 3 seeds; of average by {np.mean(m2 - a2):.2f} on the mean",
      min(m2 - s2) > 0.02 and np.mean(m2 - a2) > 0.02)
claim(f"unshifted the three are within {np.ptp([m.mean(), a.mean(), s.mean()]):.2f}", np.ptp([m.mean(), a.mean(), s.mean()]) < 0.06)
claim(f"every way loses at least {min((m - m2).min(), (a - a2).min(), (s - s2).min()):.2f} by the shift", min((m - m2).min(), (a - a2).min(), (s - s2).min()) > 0.05)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Optimizing CNN architectures and hyperparameters
#
# Depth, width, kernel, pooling, learning rate. Five choices, no gradient: each question costs a training run.
# The oldest honest method: **random search with a budget**, judged on data that neither trained nor will test.
#
# 1. Say what you are willing to spend.
# 2. Draw settings at random, rates evenly on a logarithmic axis.
# 3. Train all, keep the best **on the validation set**.
# 4. Look at the test set once.
#
# Random beats a grid when only some choices matter (Bergstra & Bengio 2012): a grid of $32 = 2^5$ settings tries 2 rates, random search tries 32.

# %% slideshow={"slide_type": "skip"}
CHOICES = {"channels": (4, 8, 16), "kernel": (1, 3, 5), "depth": (1, 2, 3), "pooling": ("max", "average", "stride")}
RUNGS, TRIALS = (8, 16, 32, 64), 28
fit, held = (digits.x_train[:900], digits.y_train[:900]), (digits.x_train[900:], digits.y_train[900:])

def trial(seed):
    """One random setting, trained for 64 steps: its rate, its choices, validation accuracy at the rungs, test accuracy."""
    rng = chance.rng(seed)
    choice, lr = {name: rng.choice(options).item() for name, options in CHOICES.items()}, 10 ** rng.uniform(-4, -0.5)
    net, seen = vision.cnn(8, seed=seed, **choice), []
    train(net, *fit, torch.optim.Adam(net.parameters(), lr, fused=True), RUNGS[-1], seed=seed,
          watch=lambda t: seen.append(accuracy(net, *held)) if t + 1 in RUNGS else None)
    seen += [0.1] * (len(RUNGS) - len(seen))                      # a trial that diverged guesses
    return lr, choice, seen, accuracy(net, digits.x_test, digits.y_test)

rates, choices, seen, tested = zip(*[trial(seed) for seed in range(TRIALS)])
rates, seen, tested = np.array(rates), np.array(seen), np.array(tested)
best = seen[:, -1].argmax()
print(f"best of {TRIALS}: η = {rates[best]:.1e}, {choices[best]}: validation {seen[best, -1]:.3f}, test {tested[best]:.3f}")

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9.4, 3.7, 1, 2, sharey=True)
for depth, colour in zip(CHOICES["depth"], theme.SEQUENCE):
    rows = np.array([c["depth"] == depth for c in choices])
    left.plot(rates[rows], seen[rows, -1], "o", color=colour, label=f"depth {depth}")
left.set(xscale="log", xlabel="learning rate η", ylabel="validation accuracy", title="28 trials, against the rate")
left.legend(loc="upper left")
groups = [(name, option) for name, options in CHOICES.items() for option in options]
for i, (name, option) in enumerate(groups):
    rows = np.array([c[name] == option for c in choices])
    right.plot([i] * rows.sum(), seen[rows, -1], "o", color=theme.MUTED, ms=3.5)
    right.plot(i, np.median(seen[rows, -1]), "_", color=theme.BAD, ms=16, mew=3)
right.set_xticks(range(len(groups)), [{"channels": f"{o} channels", "kernel": f"{o} × {o}", "depth": f"depth {o}"}.get(n, o) for n, o in groups], rotation=60, fontsize=9)
right.set_title("the same, against each choice (red: median)")
show(fig, alt="Validation accuracy of 28 random settings: a clear band of good learning rates, and much overlap for every other choice.")

# %% slideshow={"slide_type": "skip"}
usable = (rates > 1e-3) & (rates < 1e-1)
claim(f"with a rate between 0.001 and 0.1: median {np.median(seen[usable, -1]):.2f}; outside: {np.median(seen[~usable, -1]):.2f}",
      np.median(seen[usable, -1]) > np.median(seen[~usable, -1]) + 0.3)
claim(f"the best trial: validation accuracy {seen[best, -1]:.3f}, test accuracy {tested[best]:.3f}",
      abs(seen[best, -1] - tested[best]) < 0.05)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Stop bad trials early
#
# Most trials look hopeless after a few steps. **Successive halving** (Jamieson & Talwalkar 2016): train all for 8 steps, keep the better half, double the
# steps, repeat. After the first, every rung costs the same. Replay it on the recorded curves, in 300 searches of 16 trials each, drawn from the 28.
#
# <details><summary><b>Predict:</b> halving spends a fraction of the steps. How often does it lose the best trial?</summary>
#
# The cell below counts it: a slow starter is thrown out. But little is lost, because what it picks instead is nearly as good.
# Random search with the same number of *steps* could afford only a few full trials.
# </details>

# %% slideshow={"slide_type": "skip"}
def halving(rows):
    """The trial that survives, and the steps spent."""
    steps = len(rows) * RUNGS[0]
    for rung in range(len(RUNGS) - 1):
        rows = rows[np.argsort(-seen[rows, rung], kind="stable")[: len(rows) // 2]]
        steps += len(rows) * (RUNGS[rung + 1] - RUNGS[rung])
    return rows[seen[rows, -1].argmax()], steps

drawn = [chance.rng(i).permutation(TRIALS)[:16] for i in range(300)]
spent = halving(drawn[0])[1]
affordable = spent // RUNGS[-1]
full = np.array([tested[rows[seen[rows, -1].argmax()]] for rows in drawn])
halved = np.array([tested[halving(rows)[0]] for rows in drawn])
missed = np.mean([halving(rows)[0] != rows[seen[rows, -1].argmax()] for rows in drawn])
few = np.array([tested[rows[:affordable][seen[rows[:affordable], -1].argmax()]] for rows in drawn])
print(f"all 16 in full, {16 * RUNGS[-1]} steps: test accuracy {full.mean():.3f}\nhalving,          {spent} steps: {halved.mean():.3f}\nrandom {affordable} in full,  {affordable * RUNGS[-1]} steps: {few.mean():.3f}")
print(f"halving loses the best trial in {missed:.0%} of the searches")
claim(f"halving takes {spent / 16 / RUNGS[-1]:.0%} of the steps and changes the accuracy by {halved.mean() - full.mean():+.3f}; {affordable} full trials: {few.mean() - full.mean():+.3f}",
      spent < 0.45 * 16 * RUNGS[-1] and full.mean() - halved.mean() < 0.05 and halved.mean() > few.mean())

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.3)
rows = drawn[0]
ax.plot(RUNGS, seen[rows].T, color=theme.FAINT, lw=1.2)
for rung, colour in enumerate(theme.SEQUENCE[:4]):
    ax.plot(RUNGS[: rung + 1], seen[rows, : rung + 1].T, "-o", ms=4, lw=1.2, color=colour)
    ax.text(RUNGS[rung], 1.02, f"{len(rows)} trials", color=colour, ha="center", fontsize=9.5)
    rows = rows[np.argsort(-seen[rows, rung], kind="stable")[: len(rows) // 2]]
ax.set(xscale="log", xticks=RUNGS, xlabel="steps", ylabel="validation accuracy", ylim=(0, 1.1), title="one search (grey: what was never run)")
ax.set_xticklabels(RUNGS)
ax.minorticks_off()
show(fig, alt="Validation accuracy of sixteen trials against the steps; at every rung the worse half stops.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Architecture shapes the surface: shortcuts
#
# Sixteen convolutions in a row, $h \leftarrow \varphi(w * h)$. With a shortcut (He et al. 2016), $h \leftarrow h + \varphi(w * h)$: no weight more
# (they start $\sqrt{16}$ times smaller, as chapter 6 advises). Same data, same Adam, same 50 steps.
# To *see* the difference, cut the loss along two random directions through the trained weights, each filter as long as the network's own
# (**filter-normalised**, Li et al. 2018): otherwise the scale of the weights alone would decide how steep it looks.

# %% slideshow={"slide_type": "subslide"}
loss_surface.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# The star is the trained network. Drag the ball: it rolls down the slope of each surface, not along a real training run. Turn the cut. Colours are
# powers of ten. Look for walls, and for how far from the star each network still works.

# %% [markdown] slideshow={"slide_type": "skip"}
# One seed is an anecdote. Three, trained as one batch, each on a plane of its own; `surface` computes a plane in one `vmap`:

# %% slideshow={"slide_type": "skip"}
show(vision.ConvStack.forward)
show(surface)

# %% slideshow={"slide_type": "skip"}
stacks = {}
for net in loss_surface.NETS:
    f, xs = loss_surface.oracle(net), loss_surface.trained(net, tuple(SEEDS))
    few_ = f.subset(np.arange(40))
    planes = [surface(few_, x, filter_normalised(few_, x, 2 * s), filter_normalised(few_, x, 2 * s + 1), 1.0, 13, rows=4)[1] for s, x in zip(SEEDS, xs)]
    stacks[net] = [f.accuracy(x, digits.x_test, digits.y_test) for x in xs], np.quantile(planes, 0.95, axis=(1, 2))
    print(f"{net:10} test accuracy {np.round(stacks[net][0], 2)}   loss that 5 % of the plane exceed {np.round(stacks[net][1], 1)}")
claim("with shortcuts the accuracy is higher by at least 0.2, 3 of 3 seeds", min(np.subtract(stacks["shortcuts"][0], stacks["plain"][0])) > 0.2)
claim(f"the plain surface's walls are at least {min(stacks['plain'][1] / stacks['shortcuts'][1]):.0f} times as high, 3 of 3 seeds",
      min(stacks["plain"][1] / stacks["shortcuts"][1]) > 3)

# %% [markdown] slideshow={"slide_type": "notes"}
# Two directions out of thousands. The picture says how fast the loss grows when all weights change by their own size; it proves nothing about other directions.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Backpropagation through time
#
# A **recurrent network** reads a sequence and keeps a state: $\;z_t = W x_t + U h_{t-1} + b, \quad h_t = \tanh z_t$.
#
# Unroll it: a deep network with one layer per moment, and **all layers share their weights**. Nothing new is needed (Werbos 1990).
#
# - Deltas go back one moment at a time: $\displaystyle \delta_{t-1} = U^\top\bigl(\delta_t \odot (1-h_t^2)\bigr) + \frac{\partial f}{\partial h_{t-1}}\Big|_{\text{direct}}$
# - Shared weights add their gradients: $\displaystyle \frac{\partial f}{\partial U} = \sum_{t=1}^{T} \bigl(\delta_t \odot (1 - h_t^2)\bigr)\, h_{t-1}^\top$. A sum over **time**.
#
# Places for a kernel, moments for a cell: the same rule.

# %% [markdown] slideshow={"slide_type": "skip"}
# One loop for every cell. A cell says how one step goes forward (`step`) and back (`back`):

# %% slideshow={"slide_type": "skip"}
show(RNN)
show(backward)

# %% slideshow={"slide_type": "skip"}
def through_torch(name, seed, T=30, d=4, m=8, n=5):
    """The largest difference from torch's layer, of outputs and of all gradients."""
    torch.manual_seed(chance.integer(seed))
    layer, rng = getattr(nn, name)(d, m).double(), chance.rng(seed)
    x, dhs = rng.standard_normal((T, n, d)), rng.standard_normal((T, n, m))
    X = torch.tensor(x, requires_grad=True)
    theirs, _ = layer(X)
    theirs.backward(torch.tensor(dhs))
    θ = Weights(*(p.detach().numpy() for p in layer.parameters()))
    hs, _, tape = forward(CELLS[name], θ, x)
    grads, dx, _ = backward(CELLS[name], θ, tape, dhs)
    pairs = [(hs, theirs.detach()), (dx, X.grad), *zip(grads, (p.grad for p in layer.parameters()))]
    return max(abs(a - b.numpy()).max() for a, b in pairs)

gap = {name: max(through_torch(name, s) for s in SEEDS) for name in CELLS}
claim(f"30 steps by hand equal torch's autograd: {', '.join(f'{n} {g:.0e}' for n, g in gap.items())}", max(gap.values()) < 1e-10)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A product over time
#
# From the end back to lag $\ell$: $\;\dfrac{\partial h_T}{\partial h_{T-\ell}} = \prod_{t=T}^{T-\ell+1} \operatorname{diag}(1 - h_t^2)\, U$. The **same** matrix $\ell$ times (Bengio et al. 1994; Pascanu et al. 2013).
#
# <details><summary><b>Predict:</b> U is ρ times an orthogonal matrix. What happens to the gradient at lag 54 for ρ = 0.5, 1 and 2?</summary>
#
# At most $0.5^{54} = 6\cdot10^{-17}$: gone. At $\rho=1$ only the slopes of tanh, all below 1, shrink it: a slow fade. At $\rho = 2$ the units
# saturate, their slopes fall, and still the matrix wins: it grows.
# </details>

# %% slideshow={"slide_type": "skip"}
radii = (0.5, 1.0, 2.0)
arrives = {ρ: memory.compute("RNN", 55, ρ, 0, 0)["arrives"] for ρ in radii}        # (3 seeds, 55 lags)
for ρ, found in arrives.items():
    print(f"ρ = {ρ}: gradient at lag 54 {', '.join(f'{g:.0e}' for g in found[:, 54])}")
claim("at lag 54: below 1e-15 for ρ = 0.5, between 1e-9 and 1 for ρ = 1, above 10 for ρ = 2, 3 of 3 seeds",
      arrives[0.5][:, 54].max() < 1e-15 and 1e-9 < arrives[1.0][:, 54].min() <= arrives[1.0][:, 54].max() < 1 and arrives[2.0][:, 54].min() > 10)
claim("no curve lies above its bound ρ^lag", all((found <= ρ ** np.arange(55) * (1 + 1e-9)).all() for ρ, found in arrives.items()))

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.5)
for (ρ, found), colour in zip(arrives.items(), theme.SEQUENCE):
    plots.band(ax, found, f"ρ = {ρ}", color=colour)
    ax.plot(ρ ** np.arange(55.0), "--", color=colour, lw=1)
ax.set(yscale="log", ylim=(1e-19, 1e17), xlabel="lag", ylabel="‖∂f/∂h‖", title="plain RNN at its start (dashed: the bound ρ^lag)")
plots.label_ends(ax)
show(fig, alt="Gradient norm against the lag on a logarithmic axis for three spectral radii: it vanishes, fades, or explodes, always below its bound.")

# %% slideshow={"slide_type": "subslide"}
memory.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# 1. Plain RNN: find the radius at which the lag-59 gradient is between $10^{-2}$ and $10^{2}$. How wide is that window?
# 2. LSTM: raise the bias of the forget gate. What does the dashed line say?
# 3. GRU with bias 0: it looks as bad as an LSTM with bias 0. Remember that for later.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Truncation: forget the gradient, keep the state
#
# A text of a million letters cannot be unrolled. **Truncated** backpropagation runs the state through all of it, and lets the gradient go back $k$ steps only.
#
# The test: *first-symbol recall*. One of four symbols, then 14 random distractors; at the end, name the first.
#
# <details><summary><b>Predict:</b> T = 15. What can a GRU learn with k = 10? With 14? With 15?</summary>
#
# With 15 it learns. With 10 no gradient ever reaches the moment when the symbol was read, and it stays at chance.
# With 14 neither does it, but the symbol may still echo in the state one step later: luck of the seed. More on that below.
# </details>

# %% slideshow={"slide_type": "skip"}
def tested_on(f, x, examples=300):
    """The share of right answers of the networks x on new sequences."""
    new = replace(f, batch_size=examples, t=10**6)
    inputs, y = new.batch(x)
    return (new.answers(x, inputs)[0].argmax(-1) == y).mean(-1)

cuts, recall = (5, 10, 14, 15), {}
for k in cuts:
    f = Reader(GRU, FirstSymbol(15), units=16, batch_size=20, every=k)
    x = run(Adam(2e-2), Clipped(f, 1.0), f.start(SEEDS), 200, every=200)[-1]
    recall[k] = tested_on(f, x)
    print(f"gradient goes back {k:2} of 15 steps: right {recall[k].round(2)} (chance 0.25)")
claim("k = 5 and 10 stay near chance, k = 15 solves it, 3 of 3 seeds", max(recall[5].max(), recall[10].max()) < 0.45 and recall[15].min() > 0.9)

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 2.9)
for i, k in enumerate(cuts):
    ax.bar(i, np.median(recall[k]), 0.6, color=theme.GOOD if k == 15 else theme.MUTED, alpha=0.6)
    ax.plot([i - 0.1, i, i + 0.1], recall[k], "o", color=theme.INK, ms=5)
ax.set(xticks=range(4), ylim=(0, 1.05), ylabel="right answers", xlabel="steps that the gradient goes back, of 15", title="first-symbol recall, GRU, 3 seeds")
ax.set_xticklabels(cuts)
plots.limit(ax, 0.25, "chance", axis="y", color=theme.BAD, at=0.29)
show(fig, alt="Right answers against the steps of truncated backpropagation: chance for five and ten, luck for fourteen, all right for fifteen.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Truncation is not always fatal
#
# A random recurrent network keeps an **echo** of its past without any training: the forward pass was never cut. If the echo is loud enough,
# the output layer can learn to read it. Shorten the task to see it: 6 steps, gradient over 3.

# %% slideshow={"slide_type": "-"}
f = Reader(RNN, FirstSymbol(6), units=32, batch_size=20, every=3)
echo = tested_on(f, run(Adam(1e-2), Clipped(f, 1.0), f.start(SEEDS), 300, every=300)[-1])
claim(f"6 steps, gradient over 3, plain RNN with orthogonal start: right {echo.round(2)}", echo.min() > 0.6)

# %% [markdown] slideshow={"slide_type": "notes"}
# This is why truncated training works so often in practice, and why a failure to truncate is hard to notice.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## LSTM optimization
#
# The plain RNN rewrites its state at every step. The **LSTM** adds a cell $c$ that is *kept* unless a gate says otherwise:
#
# $$ c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh c_t, \qquad f_t, i_t, o_t = \sigma(\dots),\; g_t = \tanh(\dots) $$
#
# (The letters are the LSTM's own: here $f_t$ is a gate and $g_t$ the new value, not loss and gradient.)
#
# Differentiate the first by $c_{t-1}$: the direct path is $\operatorname{diag}(f_t)$. No matrix, no slope of tanh. Over $\ell$ steps:
# $\prod_t f_t$, and with a bias $b$ on the forget gate about $\sigma(b)^\ell$.
#
# The same trick as a shortcut: **add**, instead of multiply. Time is depth.

# %% slideshow={"slide_type": "skip"}
show(LSTM)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The adding problem
#
# 50 random numbers, uniform between 0 and 1, two of them marked. Answer with the sum of the marked ones, at the end. Always answering 1 gives a squared error of $1/6$.
#
# <details><summary><b>Predict:</b> which of RNN, LSTM, GRU solve it? Which first?</summary>
#
# The plain RNN stays at $1/6$. Both gated cells solve it. Who is first is an experiment, with one rate for each: see below.
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# A recurrent network is a landscape as well: `Reader` is an oracle whose gradient is *our* backpropagation through time, so the course's own
# `Adam` and `Clipped` train it. All networks of a figure run in one batch. The plain RNN gets a smaller rate (0.003) than the gated cells (0.02).

# %% slideshow={"slide_type": "skip"}
show(Reader.grad)

# %% slideshow={"slide_type": "skip"}
def race(cell, T, steps, lr, biases=(0.0,), seeds=SEEDS):
    """Squared errors on new sequences, every 10 steps: (steps // 10 + 1, biases, seeds). A bias is for gate number 1."""
    f = Reader(cell, Adding(T), units=24, batch_size=32)
    starts = np.stack([f.start(seeds, None if cell is RNN else 1, b) for b in biases])
    xs = run(Adam(lr), Clipped(f, 0.3), starts, steps, every=10)
    test = replace(f, batch_size=60, t=10**6)
    return np.array([test(x) for x in xs])

def solved(errors, below=0.02):
    """The first step with an error below 0.02, inf if none; over the first axis."""
    hit = np.asarray(errors) < below
    return np.where(hit.any(0), 10.0 * hit.argmax(0), np.inf)

errors = {"RNN": race(RNN, 50, 250, 3e-3)[:, 0], "GRU": race(GRU, 50, 150, 2e-2)[:, 0]}
by_bias = race(LSTM, 50, 250, 2e-2, biases=(0.0, 1.0, 3.0))
errors["LSTM"] = by_bias[:, 1]

# %% slideshow={"slide_type": "skip"}
for name, e in errors.items():
    print(f"{name:5} solved at step {solved(e)}   last error {e[-1].round(3)}")
claim("LSTM (forget bias 1) and GRU solve T = 50 in every seed, the plain RNN in none",
      np.isfinite([solved(errors["LSTM"]), solved(errors["GRU"])]).all() and errors["RNN"].min() > 0.1)

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.5)
for (name, e), colour in zip(errors.items(), (memory.COLOURS[n] for n in errors)):
    plots.band(ax, e.T, name, 10 * np.arange(len(e)), colour)
plots.limit(ax, 1 / 6, "always answering 1", axis="y", color=theme.MUTED, at=0.99)
ax.set(yscale="log", ylim=(3e-4, 1), xlabel="step", ylabel="squared error", title="adding problem, T = 50, 3 seeds")
ax.legend(loc="lower left")
show(fig, alt="Squared error against the step: the plain RNN stays at one sixth, GRU and LSTM fall below 0.01.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The bias of the forget gate
#
# A famous piece of advice: start with $b = 1$ or more (Gers et al. 2000; Jozefowicz et al. 2015). The mechanism is real: look at the gradient at the start.
#
# <details><summary><b>Predict:</b> b = 0, 1, 3. By what factor does the gradient at lag 49 change? And the number of steps to solve T = 50?</summary>
#
# The gradient changes by many powers of ten. The number of steps hardly. A likely reason: Adam divides by the gradient's size, and
# training moves the biases themselves.
# </details>

# %% slideshow={"slide_type": "skip"}
initial = {b: memory.compute("LSTM", 50, 1.0, b, 0)["arrives"][:, -1] for b in (0.0, 1.0, 3.0)}
steps_to = {b: solved(by_bias[:, i]) for i, b in enumerate(initial)}
for b in initial:
    print(f"b = {b:.0f}: gradient at lag 49 {', '.join(f'{g:.0e}' for g in initial[b])}   solved at step {steps_to[b]}")
claim("each bias multiplies the initial gradient at lag 49 by more than 50, 3 of 3 seeds",
      min(initial[1.0] / initial[0.0]) > 50 and min(initial[3.0] / initial[1.0]) > 50)
middle = [np.median(s) for s in steps_to.values()]
claim(f"median steps to solve: {', '.join(f'{m:.0f}' for m in middle)}: within a factor {max(middle) / min(middle):.1f}", max(middle) / min(middle) < 2.5)

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.5, 1, 2)
for i, (b, colour) in enumerate(zip(initial, theme.SEQUENCE)):
    plots.band(left, memory.compute("LSTM", 50, 1.0, b, 0)["arrives"], f"b = {b:.0f}", color=colour)
    plots.band(right, by_bias[:, i].T, f"b = {b:.0f}", 10 * np.arange(len(by_bias)), colour)
left.set(yscale="log", xlabel="lag", title="gradient before training: worlds apart")
right.set(yscale="log", xlabel="step", ylabel="squared error", title="training, T = 50: no such difference", ylim=(3e-4, 1))
plots.label_ends(left)
right.legend(loc="lower left")
show(fig, alt="Left: initial gradients against the lag for three forget biases differ by many powers of ten. Right: their training curves overlap.")

# %% [markdown] slideshow={"slide_type": "skip"}
# Is the advice wrong? Not at longer lags or with plain gradient descent, perhaps: this experiment says nothing about them. It says that **a healthy gradient at
# the start is no measure of how fast a network will learn**.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## GRUs and optimization challenges
#
# The **GRU** does with two gates and one state: $\quad h_t = (1 - u_t) \odot n_t + u_t \odot h_{t-1}, \quad n_t = \tanh\bigl(W x_t + r_t \odot (U h_{t-1})\bigr)$.
# Its update $u_t$ and reset $r_t$ are gates like the LSTM's, $\sigma(\dots)$ (Cho et al. 2014).
#
# One gate both keeps and writes: $u$ and $1-u$. With $u \to 1$ it keeps, and the direct path is $\operatorname{diag}(u_t)$.
#
# | | RNN | GRU | LSTM |
# |:--|:--|:--|:--|
# | weights, $m$ units, $d$ inputs | $m(m+d)$ | $3\,m(m+d)$ | $4\,m(m+d)$ |
# | state | $h$ | $h$ | $h, c$ |
# | direct path per step | none | $u_t$ | $f_t$ |

# %% slideshow={"slide_type": "skip"}
show(GRU)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Tiny gradients, quick learner
#
# <details><summary><b>Predict:</b> the GRU's initial gradient at lag 49, update bias 0: larger or smaller than that of an LSTM with b = 1? And who learned faster?</summary>
#
# Far smaller. And it learned no slower. Its gradient stays small only until the update gate has moved.
# </details>

# %% slideshow={"slide_type": "skip"}
start_gradient = {"GRU": memory.compute("GRU", 50, 1.0, 0, 0.0)["arrives"][:, -1], "LSTM, b = 0": initial[0.0], "LSTM, b = 1": initial[1.0], "LSTM, b = 3": initial[3.0],
                  "RNN, ρ = 1": arrives[1.0][:, 49]}
needed = {"GRU": solved(errors["GRU"]), **{f"LSTM, b = {b:.0f}": s for b, s in steps_to.items()}, "RNN, ρ = 1": solved(errors["RNN"])}
long = solved(race(GRU, 100, 160, 2e-2)[:, 0])
claim(f"GRU: initial gradient at lag 49 of {np.median(start_gradient['GRU']):.0e}, LSTM with b = 1 {np.median(initial[1.0]):.0e}; the plain RNN has {np.median(arrives[1.0][:, 49]):.0e}, far more than the GRU",
      np.median(start_gradient["GRU"]) < 0.05 * np.median(initial[1.0]) and arrives[1.0][:, 49].min() > start_gradient["GRU"].max())
claim(f"and yet it solved T = 50 at steps {needed['GRU']}, LSTM at {needed['LSTM, b = 1']}, the plain RNN not at all",
      np.median(needed["GRU"]) < 1.5 * np.median(needed["LSTM, b = 1"]) and np.isinf(needed["RNN, ρ = 1"]).all())
claim(f"GRU at T = 100: solved at steps {long}, {np.isfinite(long).sum()} of 3 seeds", np.isfinite(long).sum() >= 2)

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.5)
for name, colour in zip(needed, (memory.COLOURS["GRU"], *[memory.COLOURS["LSTM"]] * 3, memory.COLOURS["RNN"])):
    y = np.minimum(needed[name], 300)
    ax.plot(start_gradient[name], y, "o", color=colour, ms=6)
    ax.annotate(name, (np.median(start_gradient[name]), np.max(y)), (0, 9), textcoords="offset points", ha="center", color=colour)
ax.axhline(270, color=theme.MUTED, ls="--", lw=1)
ax.set(xscale="log", ylim=(0, 345), yticks=[0, 100, 200, 300], xlabel="initial gradient at lag 49", ylabel="steps to solve T = 50", title="the initial gradient does not predict success")
ax.set_yticklabels(["0", "100", "200", "not in 250"])
show(fig, alt="Steps to solve the adding problem against the initial gradient: the GRU with a tiny gradient is quick, the plain RNN with a larger one never solves it.")

# %% [markdown] slideshow={"slide_type": "notes"}
# The most useful slide of the second half: a diagnosis at step 0 is not a prognosis.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Honest question: does a real series need a recurrent network?
#
# Two series, one step ahead, each from the last 24 values: yearly **sunspots** (1700 to 2008), four-weekly changes of **CO₂** at Mauna Loa. The rival has no gradient descent:
#
# $$ \hat x_{t+1} = a_0 + \sum_{j=1}^{p} a_j\, x_{t+1-j}, \qquad a \text{ by least squares} $$
#
# A linear **autoregression** of order $p$.
#
# <details><summary><b>Predict:</b> by how much do LSTM and GRU beat it?</summary>
#
# They do not, not beyond the luck of the seed. A few hundred values, nearly linear dynamics: a few coefficients, solved exactly, are hard to beat.
# </details>

# %% slideshow={"slide_type": "skip"}
T, ORDERS = 24, (1, 2, 3, 6, 9, 12, 18, 24)

def autoregression(z, test, p):
    """The mean squared error on test windows of a linear model of order p, fitted to the series z."""
    x, y = Forecast(z, p).windows()
    a = np.linalg.lstsq(np.c_[x[..., 0].T, np.ones(len(y))], y, rcond=None)[0]
    x, y = test
    return np.mean((np.c_[x[-p:, :, 0].T, np.ones(len(y))] @ a - y) ** 2)

def compared(values, steps=160):
    """Test errors, relative to repeating the last value: of the linear models, and of the cells (3 seeds)."""
    cut = int(0.7 * len(values))
    z = (values - values[:cut].mean()) / values[:cut].std()
    test, nets = Forecast(z[cut - T :], T).windows(), {}
    for name in ("LSTM", "GRU"):
        f = Reader(CELLS[name], Forecast(z[:cut], T), units=12, batch_size=32)
        x = run(Adam(1e-2), Clipped(f, 1.0), f.start(SEEDS), steps, every=steps)[-1]
        nets[name] = ((f.answers(x, np.repeat(test[0][:, None], 3, 1))[0][..., 0] - test[1]) ** 2).mean(-1)
    repeat = np.mean((test[0][-1, :, 0] - test[1]) ** 2)
    return np.array([autoregression(z[:cut], test, p) for p in ORDERS]) / repeat, {name: e / repeat for name, e in nets.items()}

co2 = data.co2().value
series = {"sunspots": (9, *compared(data.sunspots().value)),
          "CO₂, changes": (24, *compared(np.diff(co2[: len(co2) // 4 * 4].reshape(-1, 4).mean(1))))}
for what, (p, linear, nets) in series.items():
    rival = linear[ORDERS.index(p)]
    print(f"{what}: linear, p = {p}: {rival:.2f}   " + "   ".join(f"{name} {e.round(2)}" for name, e in nets.items()))
    best_cell = min(np.median(e) for e in nets.values())
    claim(f"{what}: the better cell's median error is {best_cell / rival:.2f} times that of the linear model of order {p}", rival < 0.5 and best_cell > 0.75 * rival)

# %% slideshow={"slide_type": "subslide"}
fig, axes = theme.figure(9, 3.4, 1, 2, sharey=True)
for ax, (what, (_, linear, nets)) in zip(axes, series.items()):
    ax.plot(ORDERS, linear, "-o", ms=4, color=theme.INK, label="linear, least squares")
    for name, x in (("LSTM", 27), ("GRU", 29)):
        ax.plot([x] * 3, nets[name], "o", color=memory.COLOURS[name], label=f"{name}, 3 seeds")
    ax.set(ylim=(0, 1), title=what, xlabel="order p of the linear model", xticks=ORDERS[1:])
axes[0].set_ylabel("test error / repeating the last value")
axes[1].legend(loc="upper right")
show(fig, alt="Test error of linear models against their order, and of three LSTM and three GRU networks: on sunspots all are alike from order nine on, on CO₂ the linear model of order 18 or more is ahead.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where does the gradient go?
#
# | architecture | one weight is used | its gradient is a sum over | what endangers it |
# |:--|:--|:--|:--|
# | convolution | at every place | places | alike neighbours; muted frequencies |
# | max pooling | has none | nothing: it only routes | losers hear nothing |
# | deep stack | once per image | nothing, but it is a product over layers | no shortcut |
# | RNN | at every moment | moments | a product over time |
# | LSTM, GRU | at every moment | moments | gates that close |
#
# **Sharing adds gradients. Depth multiplies them. Good architectures keep a path on which no matrix multiplies.**

# %% [markdown] slideshow={"slide_type": "notes"}
# The sentence to take home is the last one.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Replace each `...`, run the cell, then its check.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1 (derive): the side of the output
#
# An image of 28 × 28 pixels, a kernel of 4 × 4, stride 2, padding 3. How many outputs has a row?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
outputs = (28 + 2 * 3 - 4) // 2 + 1
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("07.side", outputs)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - How wide is the image with its frame?
# - The window starts at the left edge. How many strides fit before it reaches the right edge? Count positions, not strides.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2 (implement): the way back through a convolution
#
# In one dimension, stride 1, no padding: $y_i = \sum_a w_a x_{i+a}$. You are given `w` and `delta`, $\delta_i = \partial f/\partial y_i$.
# Return $\partial f / \partial x$, an array of length `len(delta) + len(w) - 1`.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def input_gradient(w, delta):
    """∂f/∂x from δ = ∂f/∂y for y_i = Σ_a w_a x_{i+a}."""
    ### BEGIN SOLUTION
    dx = np.zeros(len(delta) + len(w) - 1)
    for a in range(len(w)):
        dx[a : a + len(delta)] += w[a] * delta
    return dx
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("07.input_gradient", input_gradient)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Which outputs used $x_u$, and with which weight?
# - Output $i$ gives $w_a \delta_i$ to pixel $i + a$. Add for all $a$.
#
# Solution: this is `np.convolve(delta, w)`, the strict convolution, with the kernel flipped.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3 (implement): backpropagation through time
#
# One unit, $h_t = \tanh(u\,h_{t-1} + x_t)$, $h_0 = 0$, and the loss is simply $f = h_T$. Return $\partial f/\partial u$.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def through_time(u, x):
    """∂h_T/∂u for the inputs x (T,)."""
    ### BEGIN SOLUTION
    hs = [0.0]
    for value in x:
        hs.append(np.tanh(u * hs[-1] + value))
    delta, total = 1.0, 0.0
    for t in range(len(x), 0, -1):
        dz = delta * (1 - hs[t] ** 2)
        total += dz * hs[t - 1]
        delta = dz * u
    return total
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("07.through_time", through_time)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Keep all states of the forward pass. How often was $u$ used?
# - Go back from $t = T$ with $\delta = 1$. At each step: multiply by the slope, add $\delta h_{t-1}$, multiply by $u$.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4 (implement): truncate it
#
# The same unit and loss, but the gradient goes back `k` steps only. What is truncated, and what is not?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def truncated(u, x, k):
    """∂h_T/∂u, counting only the last k uses of u."""
    ### BEGIN SOLUTION
    hs = [0.0]
    for value in x:
        hs.append(np.tanh(u * hs[-1] + value))
    delta, total = 1.0, 0.0
    for t in range(len(x), len(x) - k, -1):
        dz = delta * (1 - hs[t] ** 2)
        total += dz * hs[t - 1]
        delta = dz * u
    return total
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("07.truncated", truncated)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Does the forward pass know about k?
# - Only the loop that goes back stops early.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5 (implement): the step of an LSTM
#
# `z` (4, m) holds the pre-activations of the gates in torch's order $i, f, g, o$; `c` (m,) is the old cell. Return the new `h` and `c`. `sigmoid` is imported.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def lstm_step(z, c):
    """The new output h and the new cell c."""
    ### BEGIN SOLUTION
    i, f, g, o = z
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("07.lstm", lstm_step)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Three of the four are gates, between 0 and 1. The fourth is a value, between −1 and 1.
# - What multiplies the old cell? What multiplies the new value?

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6 (experiment): fifty steps back
#
# Find a spectral radius at which the gradient of a plain RNN at lag 49 is between 0.01 and 100. Use the Memory explorer with T = 50.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
radius50 = 1.3
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("07.radius", radius50)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - At radius 1 the slopes of tanh make it vanish slowly. What must the matrix make up for?
# - Try between 1.2 and 1.6.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# | idea | in one sentence |
# |:--|:--|
# | **convolution** | one kernel at all places: the gradient is a sum over places, and goes back through the flipped kernel |
# | **three ways** | direct, im2col and FFT agree to rounding; the FFT wins for large kernels |
# | **conditioning** | neighbours are alike, so differences are learned last; muted frequencies stay muted |
# | **pooling** | max trains the winner, average everyone, stride the same corner; max survives a shift best |
# | **search** | rate first; random with a budget; halving finds nearly the same for a third of the steps |
# | **shortcuts** | the same sixteen layers train, and the surface around them has lower walls |
# | **BPTT** | unroll, go back, add over time; a product of equal factors vanishes or explodes |
# | **truncation** | cuts the gradient, never the state |
# | **LSTM, GRU** | a path that adds; both solve the adding problem, the plain RNN does not |
# | **honesty** | an initial gradient is no prognosis; on two real series a linear model is as good or better |

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - J. Elman. *Finding structure in time.* Cognitive Science 14, 1990.
# - P. Werbos. *Backpropagation through time: what it does and how to do it.* Proceedings of the IEEE 78, 1990.
# - Y. Bengio, P. Simard, P. Frasconi. *Learning long-term dependencies with gradient descent is difficult.* IEEE Transactions on Neural Networks 5, 1994.
# - S. Hochreiter, J. Schmidhuber. *Long short-term memory.* Neural Computation 9, 1997. The adding problem.
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. *Gradient-based learning applied to document recognition.* Proceedings of the IEEE 86, 1998. Convolutional networks, MNIST.
# - F. Gers, J. Schmidhuber, F. Cummins. *Learning to forget: continual prediction with LSTM.* Neural Computation 12, 2000. The forget gate.
# - J. Bergstra, Y. Bengio. *Random search for hyper-parameter optimization.* JMLR 13, 2012.
# - R. Pascanu, T. Mikolov, Y. Bengio. *On the difficulty of training recurrent neural networks.* ICML 2013.
# - M. Mathieu, M. Henaff, Y. LeCun. *Fast training of convolutional networks through FFTs.* ICLR 2014.
# - K. Cho et al. *Learning phrase representations using RNN encoder-decoder for statistical machine translation.* EMNLP 2014. The GRU.
# - R. Jozefowicz, W. Zaremba, I. Sutskever. *An empirical exploration of recurrent network architectures.* ICML 2015. The forget bias.
# - K. He, X. Zhang, S. Ren, J. Sun. *Deep residual learning for image recognition.* CVPR 2016.
# - K. Jamieson, A. Talwalkar. *Non-stochastic best arm identification and hyperparameter optimization.* AISTATS 2016. Successive halving.
# - H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein. *Visualizing the loss landscape of neural nets.* NeurIPS 2018.
