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
import numpy as np
import torch

from shared import chance, data
from shared.course import check, claim, show
from shared.descent import run
from shared.figures import plots, theme
from shared.models.cells import sigmoid
from shared.optimizers import Adam

torch.set_num_threads(1)
mnist, digits = data.mnist(), data.digits()
SEEDS = range(3)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# A kernel slides over a digit. Drag the pixel: everything orange hears it.

# %% slideshow={"slide_type": "-"}
from shared.explorers import kernels

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
from shared.models import convolution

show(convolution.direct)
show(convolution.direct_backward)

# %% [markdown] slideshow={"slide_type": "skip"}
# Two other ways give the same numbers. **im2col** writes every window as a column: then a convolution is one matrix product, and
# its gradients are those of a matrix product. The **FFT** turns it into one product per frequency (Mathieu et al. 2014).

# %% slideshow={"slide_type": "skip"}
show(convolution.by_im2col_backward)
show(convolution.by_fft_backward)

# %% slideshow={"slide_type": "skip"}
from torch.nn.functional import conv2d


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
claim(f"direct, im2col and FFT equal autograd, forward and backward: largest difference {worst:.0e}",
      worst < 1e-10)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three ways, one result, different clocks
#
# <details><summary><b>Predict:</b> the kernel grows from 3 × 3 to 27 × 27. Which ways need 81 times as many products per output, and which does not care?</summary>
#
# The direct way does one product per kernel element, im2col writes as many numbers per window: both grow with $k^2$ per output.
# The FFT pays for the image only. The library's compiled loop starts lowest, and it grows, too.
# All in float32, as networks compute.
# </details>

# %% slideshow={"slide_type": "skip"}
from time import process_time


def fastest(function, *arguments, repeats=3):
    """The shortest of some runs, in milliseconds of processor time."""
    def once():
        start = process_time()
        function(*arguments)
        return process_time() - start
    return 1e3 * min(once() for _ in range(repeats))

sizes, rng = (3, 7, 11, 15, 19, 23, 27), chance.rng(0)
times = {name: [] for name in (*convolution.METHODS, "torch")}
for k in sizes:
    x, w = (rng.standard_normal(shape, dtype="float32") for shape in ((3, 4, 56, 56), (4, 4, k, k)))
    for name, (forward_, _) in convolution.METHODS.items():
        times[name].append(fastest(forward_, x, w))
    times["torch"].append(fastest(conv2d, torch.tensor(x), torch.tensor(w)))
growth = {name: ms[-1] / ms[0] for name, ms in times.items()}
claim(f"from {sizes[0]} × {sizes[0]} to {sizes[-1]} × {sizes[-1]} the direct way's time grows "
      f"{growth['direct']:.0f}-fold, the FFT's {growth['FFT']:.1f}-fold",
      growth["direct"] > 2 * growth["FFT"])
claim(f"at {sizes[-1]} × {sizes[-1]} the FFT is more than twice as fast as the direct way",
      times["direct"][-1] > 2 * times["FFT"][-1])

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.6)
for (name, ms), colour in zip(times.items(), theme.SEQUENCE):
    plots.curve(ax, ms, name, sizes, colour, marker="o", ms=4)
ax.set(yscale="log", xlabel="side of the kernel", ylabel="milliseconds", title="3 images of 4 × 56 × 56, forward (your machine, now)", xticks=sizes)
plots.label_ends(ax)
show(fig, alt="Time of a convolution in float32 against the kernel's side: direct, im2col and torch rise, the FFT stays level.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Sharing a weight adds its gradients
#
# Pretend that every place had a kernel of its own: $\theta^{(ij)}$. Backpropagate, then **tie** them, $\theta^{(ij)} = w$ for all $(i,j)$. The chain rule:
#
# $$ \frac{\partial f}{\partial w} = \sum_{ij} \frac{\partial f}{\partial \theta^{(ij)}}\,\underbrace{\frac{\partial \theta^{(ij)}}{\partial w}}_{I} $$
#
# More places, more terms. For a squared error the curvature is such a sum as well, of terms $\succeq 0$: nothing cancels. So if the loss
# **adds** over places, a kernel on large maps needs a **smaller rate**. If it takes their mean (global pooling), the number of places drops out.

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
claim(f"sum of the gradients of 576 untied kernels = gradient of the shared one: {max(gaps):.0e}",
      max(gaps) < 1e-10)
def sharpest(tiles, together):
    """The largest curvature in w of ½ Σ or ½ mean of (w * x)² over places, x a digit repeated tiles × tiles times."""
    X = convolution.im2col(np.tile(images[:20], (1, 1, tiles, tiles)), (5, 5))
    return np.linalg.eigvalsh(together(X[:, :, None] * X[:, None], axis=-1).mean(0))[-1]

summed, averaged = (sharpest(2, together) / sharpest(1, together) for together in (np.sum, np.mean))
claim(f"four times the pixels: {summed:.1f} times the curvature of a 5 × 5 kernel if the loss adds over "
      f"places, {averaged:.1f} times if it averages",
      summed > 3 and abs(averaged - 1) < 0.3)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Neighbours are alike, so kernels learn slowly
#
# Teach a kernel by least squares: $f(w) = \tfrac1{2n}\lVert X^\top w - y\rVert^2$ with the windows as columns of $X$. Its Hessian is $XX^\top/n$:
# how alike the pixels of a window are.
#
# <details><summary><b>Predict:</b> in MNIST, is this problem well or badly conditioned? Which direction of $w$ is easy?</summary>
#
# Badly. Neighbouring pixels are nearly equal, so the *mean* of the window is learned at once, and *differences* between
# neighbours, edges, are learned last. Subtracting the mean does not repair that. Decorrelating the pixels (whitening) does.
# </details>

# %% slideshow={"slide_type": "skip"}
def windows_of(seed):
    """2,000 windows of 3 x 3 from the middle of the digits: (9, 2000)."""
    rng = chance.rng(seed)
    crops = mnist.x_train[rng.integers(4000, size=200)].reshape(-1, 1, 28, 28)[:, :, 8:20, 8:20]
    X = np.concatenate(list(convolution.im2col(crops, (3, 3))), axis=1)
    return X[:, rng.permutation(X.shape[1])[:2000]]

def learned(X, steps=300, seed=0):
    """The error of gradient descent at the rate 2/(L + μ), towards a random kernel; and the condition number."""
    λ, Q = np.linalg.eigh(X @ X.T / X.shape[1])
    e0 = Q.T @ chance.rng(seed).standard_normal(len(X))
    shrink = 1 - 2 / (λ[0] + λ[-1]) * λ
    return np.linalg.norm(e0 * shrink ** np.arange(steps)[:, None], axis=1) / np.linalg.norm(e0), λ[-1] / λ[0]

slow, quick, centred, even = [], [], [], []
for seed in SEEDS:
    X = windows_of(seed)
    λ, Q = np.linalg.eigh(np.cov(X))
    white = Q / np.sqrt(λ) @ Q.T @ (X - X.mean(1, keepdims=True))
    slow.append(learned(X))
    even.append(abs(np.linalg.eigh(X @ X.T)[1].sum(0)) / 3)        # how constant each direction is: 1 for the mean
    centred.append(λ[-1] / λ[0])
    quick.append(learned(white))
white_too = max(κ for _, κ in quick)
claim(f"condition number of learning a 3 × 3 kernel: {[round(κ) for _, κ in slow]}, whitened {white_too:.3f}",
      min(κ for _, κ in slow) > 30 and white_too - 1 < 0.01)
claim(f"after subtracting the mean it is still {[round(κ) for κ in centred]}", min(centred) > 30)
claim(f"the steepest direction is the mean (cosine {min(e[-1] for e in even):.2f} or more), the flattest a "
      f"difference (at most {max(e[0] for e in even):.2f})",
      min(e[-1] for e in even) > 0.9 and max(e[0] for e in even) < 0.2)
left_over = min(e[100] for e, _ in slow)
claim(f"after 100 steps the error is still {left_over:.0%} or more; whitened it is gone in one step",
      left_over > 0.02 and max(e[1] for e, _ in quick) < 0.01)

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
axes[3].set(yscale="log", ylim=(1e-3, 1.3), xlabel="step", title="error of the kernel, η = 2/(L + μ)")
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
kept = {name: abs(convolution.transfer(kernels.weights(name)[0, 0], (16, 16))) for name in ("blur", "vertical edge")}
claim("a blur erases the finest stripes altogether, and an edge detector the constant: neither can be undone",
      max(kept["blur"][8, 0], kept["blur"][0, 8], kept["vertical edge"][0, 0]) < 1e-12)
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
# Deep linear convolutions of one channel multiply these spectra. That is chapter 6's product again, one product per frequency.

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
from torch.nn.functional import avg_pool2d, max_pool2d

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
# The same network three times: two blocks of 5 × 5 convolution, ReLU and halving. MNIST, 4,000 digits, three seeds, three rates for each. The rate
# is chosen on digits as they are. Then test on digits **moved by two pixels**. It never saw any.
#
# <details><summary><b>Predict:</b> which way of halving is most robust to the shift? Which changes its maps least?</summary>
#
# Max pooling loses least, the stride most; all three lose a lot: pooling alone does not make a network invariant. The usual
# reason, that a maximum may wander inside its window, is *not* what we find: its maps change as much as the average's.
# (The strided network also does only a quarter of the products.)
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.models import vision
from shared.problems.training import accuracy, train

moves = [vision.moved(mnist.x_test, 28, *by) for by in ((2, 0), (-2, 0), (0, 2), (0, -2))]

@torch.no_grad()
def change(net, images, shifted):
    """How far the maps before the last layer move, relative to their size: the mean over images."""
    before, after = (net[:-1](torch.tensor(x[:200], dtype=torch.float32)) for x in (images, shifted))
    return ((after - before).norm(dim=1) / before.norm(dim=1)).mean().item()

def pooled(pooling, lr, seed, steps=60):
    """Accuracy on test digits as they are, accuracy moved by two pixels in the four directions, change of the maps."""
    net = vision.cnn(28, 5, 5, 2, pooling, seed)
    train(net, mnist.x_train, mnist.y_train, torch.optim.Adam(net.parameters(), lr, fused=True), steps, seed=seed)
    shifted = np.mean([accuracy(net, m, mnist.y_test) for m in moves])
    return accuracy(net, mnist.x_test, mnist.y_test), shifted, np.mean([change(net, mnist.x_test, m) for m in moves])

RATES, reached = (6e-3, 1.2e-2, 2.4e-2), {}
for pooling in convolution.POOLS:
    found = np.array([[pooled(pooling, lr, s) for s in SEEDS] for lr in RATES])        # (rates, seeds, 3)
    best = found[..., 0].mean(1).argmax()
    reached[pooling] = plain, shifted, changed = found[best].T
    print(f"{pooling:8} η = {RATES[best]}: test accuracy {plain.round(3)}   moved {shifted.round(3)}   maps change by {changed.round(2)}")

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.3)
for i, (plain, shifted, _) in enumerate(reached.values()):
    for values, dy, colour in ((plain, -0.18, theme.SEQUENCE[0]), (shifted, 0.18, theme.SEQUENCE[1])):
        ax.barh(i + dy, values.mean(), 0.34, color=colour, alpha=0.75)
        ax.plot(values, [i + dy] * 3, "o", color=theme.INK, ms=4)
        ax.text(0.02, i + dy, ("as they are" if dy < 0 else "moved by 2 pixels") + f", {values.mean():.2f}", color="white", va="center", weight="bold")
ax.set(yticks=range(3), xlim=(0, 1), xlabel="test accuracy", title="a shift of two pixels costs max pooling least")
ax.set_yticklabels(list(reached))
ax.invert_yaxis()
show(fig, alt="Accuracy of max, average and stride on test digits and on digits moved by two pixels; all lose with the shift, max least and the stride most.")

# %% slideshow={"slide_type": "skip"}
plain, shifted, changed = (np.array([each[i] for each in reached.values()]) for i in range(3))     # (3 ways, 3 seeds)
lost = plain - shifted
ahead = shifted[0] - shifted[1:]                               # max before average and stride
claim(f"moved digits: max is ahead of stride by {ahead[1].mean():.2f} on the mean ({ahead[1].min():.2f} at least), "
      f"of average by {ahead[0].mean():.2f}",
      ahead[1].mean() > 0.03 and ahead[1].min() > 0 and ahead[0].mean() > 0.01)
claim(f"the shift costs {', '.join(f'{name} {x:.2f}' for name, x in zip(reached, lost.mean(1)))}",
      0.05 < lost[0].mean() < lost[1].mean() < lost[2].mean())
claim(f"unshifted the three are within {np.ptp(plain.mean(1)):.2f}", np.ptp(plain.mean(1)) < 0.06)
ratio = changed.mean(1) / changed.mean(1)[0]
claim(f"by the shift the average's maps change {ratio[1]:.2f} times as much as max's, the stride's "
      f"{ratio[2]:.2f} times",
      0.8 < ratio[1] < 1.2 < 1.1 * ratio[2])

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
RUNGS, TRIALS = (8, 16, 32, 64), 64
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
left.set(xscale="log", xlabel="learning rate η", ylabel="validation accuracy", title=f"{TRIALS} trials, against the rate")
left.legend(loc="upper left")
groups = [(name, option) for name, options in CHOICES.items() for option in options]
for i, (name, option) in enumerate(groups):
    rows = np.array([c[name] == option for c in choices])
    right.plot([i] * rows.sum(), seen[rows, -1], "o", color=theme.MUTED, ms=3.5)
    right.plot(i, np.median(seen[rows, -1]), "_", color=theme.BAD, ms=16, mew=3)
right.set_xticks(range(len(groups)), [{"channels": f"{o} channels", "kernel": f"{o} × {o}", "depth": f"depth {o}"}.get(n, o) for n, o in groups], rotation=60, fontsize=9)
right.set_title("the same, against each choice (red: median)")
show(fig, alt=f"Validation accuracy of {TRIALS} random settings: outside a band of learning rates most fail; of the other choices a kernel of one pixel stands out.")

# %% slideshow={"slide_type": "skip"}
usable = (rates > 1e-3) & (rates < 1e-1)
inside, outside = (np.median(seen[rows, -1]) for rows in (usable, ~usable))
claim(f"with a rate between 0.001 and 0.1: median {inside:.2f}; outside: {outside:.2f}",
      inside > outside + 0.2)
single = np.array([c["kernel"] == 1 for c in choices])
alone, wider = (np.median(seen[usable & rows, -1]) for rows in (single, ~single))
claim(f"with such a rate, kernels of 1 × 1: {alone:.2f}; larger ones: {wider:.2f}",
      wider > alone + 0.1)
gap = abs(seen[best, -1] - tested[best])
claim(f"the best trial: validation accuracy {seen[best, -1]:.3f}, test accuracy {tested[best]:.3f}, {gap:.3f} apart",
      gap < 0.07)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Stop bad trials early
#
# Most trials look hopeless after a few steps. **Successive halving** (Jamieson & Talwalkar 2016): train all for 8 steps, keep the better half, double the
# steps, repeat. After the first, every rung costs the same. Replay it on the recorded curves: four searches of 16 trials each, none shared.
#
# <details><summary><b>Predict:</b> halving spends a fraction of the steps. How often does it lose the best trial?</summary>
#
# The cell below counts it: a slow starter is thrown out. But little is lost, because what it picks instead is nearly as good.
# Random search with the same number of *steps* could afford only a few full trials.
# </details>

# %% slideshow={"slide_type": "skip"}
def full(rows):
    """The trial that is best on the validation set after all steps."""
    return rows[seen[rows, -1].argmax()]

def halving(rows):
    """The trial that survives, and the steps spent."""
    steps = len(rows) * RUNGS[0]
    for rung in range(len(RUNGS) - 1):
        rows = rows[np.argsort(-seen[rows, rung], kind="stable")[: len(rows) // 2]]
        steps += len(rows) * (RUNGS[rung + 1] - RUNGS[rung])
    return full(rows), steps

searches = np.arange(TRIALS).reshape(-1, 16)
spent = halving(searches[0])[1]
affordable = spent // RUNGS[-1]
groups = np.arange(TRIALS // affordable * affordable).reshape(-1, affordable)
all16, halved, few = (tested[[pick(rows) for rows in many]] for pick, many in
                      ((full, searches), (lambda rows: halving(rows)[0], searches), (full, groups)))
print(f"all 16 in full, {16 * RUNGS[-1]} steps: test accuracy {all16.round(3)}\nhalving,          {spent} steps: {halved.round(3)}")
print(f"random {affordable} in full,  {affordable * RUNGS[-1]} steps: {np.mean(few):.3f}, the mean of {len(groups)} groups")
print(f"halving loses the best trial in {sum(halving(rows)[0] != full(rows) for rows in searches)} of {len(searches)} searches")
share = spent / 16 / RUNGS[-1]
claim(f"halving takes {share:.0%} of the steps and changes the accuracy by {np.mean(halved - all16):+.3f} "
      f"({min(halved - all16):+.3f} at worst)",
      share < 0.45 and np.mean(halved - all16) > -0.03)
behind = (1 - few.mean()) / (1 - halved.mean())
claim(f"{affordable} full trials for the same steps: {behind:.1f} times the error", behind > 1.2)

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.3)
rows = searches[0]
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
# ### Shortcuts, and a start that fits them
#
# Sixteen convolutions in a row, $h \leftarrow \varphi(w * h)$. With a shortcut (He et al. 2016), $h \leftarrow h + \varphi(w * h)$: no weight more.
# But two things change: the path, and the start that suits it. He's start keeps the signal's size *in each layer*; with shortcuts
# sixteen such branches add up. Chapter 6 advises branches $\sqrt{16}$ times smaller (Zhang et al. 2019 and De & Smith 2020 begin them at 0).
#
# <details><summary><b>Predict:</b> a short training with Adam, best of four rates. Rank: neither, the shortcut alone, the small start alone, both.</summary>
#
# Both: far ahead. Then neither. The shortcut alone is worse than no shortcut, the small start alone does not move at all.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.explorers import loss_surface
from shared.problems import MiniBatch

RATES, STARTS = np.array([1e-3, 3e-3, 1e-2, 3e-2]), {"He's start": 1.0, "small start": loss_surface.DEPTH**-0.5}
STEPS = loss_surface.TRAINING["shortcuts"][1]

def read(net, xs):
    """The test accuracies of the networks xs (n, d)."""
    return np.array([loss_surface.oracle(net).accuracy(x, digits.x_test, digits.y_test) for x in xs])

crossed = {}
for net in loss_surface.NETS:
    starts = np.stack([[[loss_surface.oracle(net, seed, scale).start for seed in SEEDS]] * len(RATES) for scale in STARTS.values()])
    xs = run(Adam(RATES[:, None]), MiniBatch(loss_surface.oracle(net), 32, seed=0), starts, STEPS, every=STEPS)[-1]
    for name, by_rate in zip(STARTS, xs):
        found = np.array([read(net, nets) for nets in by_rate])
        crossed[net, name] = found[np.median(found, 1).argmax()]
        print(f"{net:10} {name:12} test accuracy after {STEPS} steps at its best rate {crossed[net, name].round(2)}")
neither, small, alone, both = (np.median(crossed[net, name]) for net in loss_surface.NETS for name in STARTS)
claim(f"in the median: both {both:.2f}, neither {neither:.2f}, the shortcut alone {alone:.2f}, the small "
      f"start alone {small:.2f}",
      both > neither + 0.2 and neither > alone + 0.05 and small < 0.15)
later, longer = read("plain", loss_surface.trained("plain")), loss_surface.TRAINING["plain"][1]
claim(f"{longer} steps without either: {later.round(2)}. The plain stack trains too, in "
      f"{longer / STEPS:.0f} times the steps",
      np.median(later) > 0.6)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8, 3.1)
for i, ((net, _), values) in enumerate(crossed.items()):
    ax.barh(i, np.median(values), 0.6, color=loss_surface.COLOURS[net], alpha=0.75)
    ax.plot(values, [i] * 3, "o", color=theme.INK, ms=4)
ax.set(yticks=range(4), xlim=(0, 1), xlabel=f"test accuracy after {STEPS} steps, best rate, 3 seeds (dashed: chance)", title="shortcuts need their start")
ax.set_yticklabels([f"{net}, {name}" for net, name in crossed])
ax.invert_yaxis()
ax.axvline(0.1, color=theme.MUTED, ls="--", lw=1.2)
show(fig, alt="Test accuracy of four combinations: shortcuts with the small start are far ahead, plain with He's start is second, the other two are lower.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Architecture shapes the surface
#
# Let both train until their accuracy is about the same. To *see* the difference that is left, cut the loss along two random
# directions through the trained weights, each filter as long as the network's own (**filter-normalised**, Li et al. 2018).

# %% slideshow={"slide_type": "-"}
loss_surface.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# The star is the trained network. Drag the ball: it rolls down the slope of each surface, not along a real training run. Turn the cut. Colours are
# powers of ten. Look for walls, and for how far from the star each network still works.

# %% [markdown] slideshow={"slide_type": "skip"}
# One seed is an anecdote. Three, trained as one batch, each on a plane of its own; `surface` computes a plane in one `vmap`. And once more with
# shortcuts *and* He's start: is it the path that lowers the walls, or the size of the branches?

# %% slideshow={"slide_type": "skip"}
from shared.problems.curvature import surface

show(vision.ConvStack.forward)
show(surface)

# %% slideshow={"slide_type": "skip"}
from shared.problems.curvature import filter_normalised

walls, reading = {}, {}
for name, options in (("plain", {}), ("shortcuts", {}), ("shortcuts, He's start", dict(scale=1.0, training=(2e-3, 150)))):
    net = name.split(",")[0]
    f, xs = loss_surface.oracle(net), loss_surface.trained(net, **options)
    few_ = f.subset(np.arange(40))
    planes = [surface(few_, x, filter_normalised(few_, x, 2 * s), filter_normalised(few_, x, 2 * s + 1), 1.0, 13, rows=4)[1] for s, x in zip(SEEDS, xs)]
    reading[name], walls[name] = read(net, xs), np.quantile(planes, 0.95, axis=(1, 2))
    print(f"{name:22} test accuracy {reading[name].round(2)}   loss that 5 % of the plane exceed {walls[name].round(1)}")
reads = [np.median(reading[net]) for net in loss_surface.NETS]
plain_walls, large = (min(walls[name] / walls["shortcuts"]) for name in ("plain", "shortcuts, He's start"))
claim(f"at about the same accuracy (medians {reads[0]:.2f}, {reads[1]:.2f}) the plain walls are at least "
      f"{plain_walls:.0f} times as high",
      np.ptp(reads) < 0.15 and plain_walls > 10)
claim(f"shortcuts with large branches: at least {large:.0f} times as high as with small ones. The path "
      "alone does not lower them",
      large > 10)

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
from shared.models.cells import RNN, backward

show(RNN)
show(backward)

# %% slideshow={"slide_type": "skip"}
from torch import nn

from shared.models.cells import CELLS, Weights, forward


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
claim(f"30 steps by hand equal torch's autograd: {', '.join(f'{n} {g:.0e}' for n, g in gap.items())}",
      max(gap.values()) < 1e-10)

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
from shared.explorers import memory

radii = (0.5, 1.0, 2.0)
arrives = {ρ: memory.compute("RNN", 55, ρ, 0, 0)["arrives"] for ρ in radii}        # (3 seeds, 55 lags)
for ρ, found in arrives.items():
    print(f"ρ = {ρ}: gradient at lag 54 {', '.join(f'{g:.0e}' for g in found[:, 54])}")
gone, faded, grown = (found[:, 54] for found in arrives.values())
claim(f"at lag 54: {gone.max():.0e} or less for ρ = 0.5, {faded.min():.0e} to {faded.max():.0e} for ρ = 1, "
      f"and {np.median(grown):.0f} in the median for ρ = 2",
      gone.max() < 1e-15 and 1e-10 < faded.min() <= faded.max() < 0.1 and np.median(grown) > 30)
claim("no curve lies above its bound ρ^lag",
      all((found <= ρ ** np.arange(55) * (1 + 1e-9)).all() for ρ, found in arrives.items()))

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
# <details><summary><b>Predict:</b> T = 15. What can a GRU learn with k = 15? With k = 10, so that no gradient ever reaches the moment when the symbol was read?</summary>
#
# With 15 it learns quickly. With 10 it learns, too, only later: the state was never cut. An echo of the symbol is still in it
# when the window of the gradient opens, and what is there the network can learn to keep. The shorter the window, the fainter the echo; the shortest is the last to learn.
# </details>

# %% slideshow={"slide_type": "skip"}
from dataclasses import replace

from shared.models.cells import GRU
from shared.problems import Clipped
from shared.problems.sequences import FirstSymbol, Reader


def tested_on(f, x, after=0, examples=300):
    """The share of right answers of the networks x on new sequences, or on what is left of them `after` some steps."""
    new = replace(f, batch_size=examples, t=10**6)
    inputs, y = new.batch(x)
    return (new.answers(x, inputs[after:])[0].argmax(-1) == y).mean(-1)

cuts, recall, readers = {5: 1600, 10: 1600, 14: 600, 15: 300}, {}, {}
for k, steps in cuts.items():
    f = Reader(GRU, FirstSymbol(15), units=16, batch_size=20, every=k)
    xs = run(Adam(2e-2), Clipped(f, 1.0), f.start(SEEDS), steps, every=50)
    recall[k], readers[k] = np.array([tested_on(f, x) for x in xs]), xs[-1]
first = {k: 50 * np.where((r > 0.9).any(0), (r > 0.9).argmax(0), 10**4) for k, r in recall.items()}     # never: a large number
for k, steps in cuts.items():
    print(f"gradient goes back {k:2} of 15 steps: 90 % right at steps {[int(t) if t <= steps else f'not in {steps}' for t in first[k]]}")
middle = {k: np.median(t) for k, t in first.items()}
claim(f"k = 15 needs {middle[15]:.0f} steps, k = 10 {middle[10]:.0f}, in the median",
      2 * middle[15] < middle[10] <= cuts[10])
claim(f"k = 10, in which no gradient reaches the symbol: up to {recall[10].max(0).round(2)} right within "
      f"{cuts[10]} steps",
      recall[10].max(0).min() > 0.6)
claim("the whole sequence is first, the shortest window last",
      middle[15] < min(middle[14], middle[10]) and max(middle[14], middle[10]) < middle[5])

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.3)
for (k, r), colour in zip(recall.items(), (theme.SEQUENCE[i] for i in (3, 1, 0, 2))):
    t = 50 * np.arange(1, len(r))
    ax.plot(t, np.maximum.accumulate(r)[1:], color=colour, lw=1, alpha=0.6)
    ax.plot(t, np.median(np.maximum.accumulate(r), 1)[1:], color=colour, lw=3, label=f"k = {k}")
plots.limit(ax, 0.25, "chance", axis="y", color=theme.BAD, at=0.99)
ax.set(xscale="log", xticks=(50, 100, 200, 400, 800, 1600), ylim=(0, 1.05), ylabel="right answers, best so far", xlabel="step",
       title="first-symbol recall over 15 steps, GRU, 3 seeds (thick: median)")
ax.set_xticklabels(ax.get_xticks())
ax.minorticks_off()
ax.legend(loc="upper left")
show(fig, alt="Right answers against the step for four lengths of truncated backpropagation: the whole sequence is first, the shortest window last.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What passes the cut: an echo
#
# An untrained recurrent network keeps an **echo** of its past: the forward pass was never cut. Two tests. Read it: fit a linear map
# from the untrained state to the first symbol. And silence it: give a *trained* network the same last 10 symbols, and an empty state.

# %% slideshow={"slide_type": "-"}
def echo(f, steps, examples=2000):
    """How often a linear map, fitted to half of the untrained states after some steps, names the first symbol of the others."""
    f, x = replace(f, batch_size=examples), f.start(SEEDS)
    inputs, y = f.batch(x)
    states = forward(f.cell, Weights(*f.tensors(x)[:4]), inputs[:steps])[0][-1]
    H, code, half = np.concatenate([states, np.ones_like(states[..., :1])], -1), np.eye(4)[y], examples // 2
    fits = [np.linalg.lstsq(h[:half], c[:half], rcond=None)[0] for h, c in zip(H, code)]
    return np.array([np.mean((h[half:] @ w).argmax(-1) == s[half:]) for h, w, s in zip(H, fits, y)])

f = Reader(GRU, FirstSymbol(15), units=16)
heard = {k: np.median(echo(f, 15 - k)) for k in (14, 10, 5)}
claim("when the window opens, the echo is right in "
      f"{', '.join(f'{share:.0%} (k = {k})' for k, share in heard.items())}; after all 15 steps in "
      f"{np.median(echo(f, 15)):.0%}",
      1 - heard[14] < 0.05 and heard[10] > 0.6 and heard[5] < 0.5)
silent = tested_on(f, readers[10], after=5)
claim(f"trained with k = 10, but started empty 10 steps before the end: right {silent.round(2)}, by chance",
      silent.max() < 0.4)

# %% [markdown] slideshow={"slide_type": "notes"}
# One reason why truncated training works so often in practice, and why a bug in it is hard to notice.

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
from shared.models.cells import LSTM

show(LSTM)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The adding problem
#
# $T$ random numbers, uniform between 0 and 1, two of them marked. Answer with the sum of the marked ones, at the end. Always answering 1 gives
# a squared error of $1/6$; below 0.02 we call it solved. First $T = 20$, so that everyone can finish.
#
# <details><summary><b>Predict:</b> which of RNN, LSTM, GRU solve it? Which first?</summary>
#
# All three do. The gated cells need a small part of the plain RNN's steps, each cell with the rate that suits it.
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# A recurrent network is a landscape as well: `Reader` is an oracle whose gradient is *our* backpropagation through time, so the course's own
# `Adam` and `Clipped` train it. Each cell is tuned by the same budget: in every draw three rates
# (more, while the best is the outermost), and the best one runs again with another seed.

# %% slideshow={"slide_type": "skip"}
show(Reader.grad)

# %% slideshow={"slide_type": "skip"}
from itertools import islice

from shared.descent import iterates
from shared.problems.sequences import Adding
from shared.race import Method, Outcome, Range, compare


def steps_to_solve(f, lr, starts, steps, below=0.02):
    """The first step (of 0, 20, 40, ...) with a squared error below 0.02 on new sequences, inf if none; for each start."""
    test, solved = replace(f, batch_size=60, t=10**6), np.full(starts.shape[:-1], np.inf)
    for t, x in enumerate(islice(iterates(Adam(lr), Clipped(f, 0.3), starts), steps + 1)):
        if t % 20 == 0:
            solved = np.where(np.isinf(solved) & (test(x) < below), t, solved)
        if np.isfinite(solved).all():
            break
    return solved

def reader(cell, T):
    return Reader(cell, Adding(T), units=16, batch_size=20)

def competitor(cell, steps, low, high, bias=0.0):
    def train(seed, lr):
        f = replace(reader(cell, 20), seed=seed)
        start = f.start((seed,), None if cell is RNN else 1, bias)           # gate number 1 keeps the old state
        needed = steps_to_solve(f, lr, np.tile(start, (len(lr), 1)), steps)
        return Outcome(needed, np.minimum(needed, steps))                     # who is not done is counted as done
    return Method(train, {"lr": Range(low, high, log=True)}, batched=True)

cells = {"RNN": competitor(RNN, 2000, 2.5e-3, 1.6e-2), "GRU": competitor(GRU, 400, 1e-2, 0.2), "LSTM": competitor(LSTM, 400, 1e-2, 0.2, bias=1.0)}
finished = compare(cells, draws=3, trials=3)
print(finished)

# %% slideshow={"slide_type": "skip"}
slower = {name: finished.ratio("RNN", name) for name in ("GRU", "LSTM")}
needed = {name: finished.values(name) for name in cells}
claim(f"at T = 20 the plain RNN needs {slower['GRU']} times the GRU's steps, {slower['LSTM']} times those "
      "of the LSTM",
      slower["GRU"].low > 3 and slower["LSTM"].median > 2 and slower["LSTM"].low > 1
      and not any(r.flips or r.edge for r in slower.values()))
at_best = [int(tune.min()) if np.isfinite(tune.min()) else 10**6 for _, tune in finished.tuned["RNN"].tried]
claim(f"it solves the problem, too: in each draw at its best rate, at steps {at_best}", max(at_best) < 10**6)
far = {T: steps_to_solve(reader(GRU, T), 3e-2, reader(GRU, T).start(SEEDS), 400) for T in (50, 100)}
claim(f"GRU with η = 0.03, at T = 50: solved at steps {far[50]}, at T = 100 at steps {far[100]}",
      np.isfinite([*far[50], *far[100]]).sum() >= 5)

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 2.7)
for i, (name, values) in enumerate(needed.items()):
    ax.barh(i, np.median(values), 0.6, color=memory.COLOURS[name], alpha=0.6)
    ax.plot(values, [i] * len(values), "o", color=theme.INK, ms=5)
ax.set(xscale="log", xlim=(10, 4000), yticks=range(3), xlabel="steps to solve T = 20, best of three rates, 3 draws", title="adding problem: all three, at their own pace")
ax.set_yticklabels(list(needed))
ax.invert_yaxis()
show(fig, alt="Steps to solve the adding problem on a logarithmic axis: the plain RNN needs several times as many as GRU and LSTM.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The bias of the forget gate
#
# A famous piece of advice: start with $b = 1$ or more (Gers et al. 2000; Jozefowicz et al. 2015). The mechanism is real: look at the gradient at the start.
#
# <details><summary><b>Predict:</b> b = 0, 1, 3. By what factor does the gradient at lag 49 change? And the number of steps to solve T = 50?</summary>
#
# The gradient changes by many powers of ten. The number of steps does not follow: the largest gradient has no lead. One explanation: Adam divides by its size, and
# training moves the biases themselves.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.problems.sequences import gradient_by_lag

BIASES, f = (0.0, 1.0, 3.0), reader(LSTM, 50)
initial = {b: gradient_by_lag(f, f.start(SEEDS, 1, b))[0] for b in BIASES}                  # (3 seeds, 50 lags)
starts = np.stack([f.start(SEEDS, 1, b) for b in BIASES])
xs = run(Adam(3e-2), Clipped(f, 0.3), starts, 400, every=10)
by_bias = np.array([replace(f, batch_size=60, t=10**6)(x) for x in xs])                     # (41, biases, seeds)
steps_to = dict(zip(BIASES, np.where((by_bias < 0.02).any(0), 10.0 * (by_bias < 0.02).argmax(0), np.inf)))
at49 = {b: found[:, 49] for b, found in initial.items()}
for b in BIASES:
    print(f"b = {b:.0f}: gradient at lag 49 {', '.join(f'{g:.0e}' for g in at49[b])}   solved at step {steps_to[b]}")
least = min(np.median(at49[1.0] / at49[0.0]), np.median(at49[3.0] / at49[1.0]))
claim(f"each bias multiplies the initial gradient at lag 49 by {least:.0f} or more, in the median of 3 seeds", least > 30)
middle = [np.median(s) for s in steps_to.values()]
said = [f"{m:.0f}" if np.isfinite(m) else f"not in {len(xs) * 10 - 10}" for m in middle]
claim(f"median steps to solve for b = 0, 1, 3: {', '.join(said)}. The largest gradient has no lead",
      middle[2] > 0.5 * min(middle[:2]) and 0.4 < middle[1] / middle[0] < 2.5)

# %% slideshow={"slide_type": "-"}
fig, (left, right_) = theme.figure(9, 3.5, 1, 2)
for i, (b, colour) in enumerate(zip(BIASES, theme.SEQUENCE)):
    plots.band(left, initial[b], f"b = {b:.0f}", color=colour)
    plots.band(right_, by_bias[:, i].T, f"b = {b:.0f}", 10 * np.arange(len(by_bias)), colour)
left.set(yscale="log", xlabel="lag", title="gradient before training: worlds apart")
right_.set(yscale="log", xlabel="step", ylabel="squared error", title="training, T = 50: no such gap", ylim=(3e-4, 1))
plots.label_ends(left)
right_.legend(loc="lower left")
show(fig, alt="Left: initial gradients against the lag for three forget biases differ by many powers of ten. Right: their training curves overlap.")

# %% [markdown] slideshow={"slide_type": "skip"}
# Is the advice wrong? Not at longer lags, other rates or with plain gradient descent, perhaps: this experiment says nothing about them. It says that
# **a healthy gradient at the start is no measure of how fast a network will learn**.

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
# ### Small gradients, quick learner
#
# <details><summary><b>Predict:</b> T = 20. The GRU's initial gradient at lag 19, update bias 0: larger or smaller than that of an LSTM with b = 1, or of a plain RNN? And who learned faster?</summary>
#
# The smallest of the three. And it learned no slower than the LSTM, and several times faster than the plain RNN. Its gradient is small only at first:
# when it solves the problem, it is healthy.
# </details>

# %% slideshow={"slide_type": "skip"}
gates = {"RNN": {}, "GRU": dict(gate=1), "LSTM": dict(gate=1, bias=1.0)}
start_gradient = {name: gradient_by_lag(f := reader(CELLS[name], 20), f.start(range(5), **gates[name]))[0][:, 19] for name in gates}
for name, g in start_gradient.items():
    print(f"{name:5} gradient at lag 19 before training {', '.join(f'{v:.0e}' for v in g)}   steps to solve {needed[name]}")
typical = {name: np.median(g) for name, g in start_gradient.items()}
claim(f"initial gradients at lag 19: GRU {typical['GRU']:.0e}, LSTM (b = 1) {typical['LSTM']:.0e}, RNN "
      f"{typical['RNN']:.0e}",
      2 * typical["GRU"] < min(typical["LSTM"], typical["RNN"]))
pace = {name: np.median(needed["GRU"]) / np.median(needed[name]) for name in ("LSTM", "RNN")}
claim(f"and yet the GRU needs {pace['LSTM']:.2f} times the LSTM's steps, {pace['RNN']:.2f} times the plain RNN's",
      pace["LSTM"] < 1.3 and pace["RNN"] < 0.3)
f = reader(GRU, 20)
after = gradient_by_lag(f, run(Adam(3e-2), Clipped(f, 0.3), f.start(SEEDS), 150, every=150)[-1])[0][:, 19]
claim(f"after 150 steps the GRU's gradient at lag 19 is {np.median(after):.0e}, "
      f"{np.median(after) / typical['GRU']:.0f} times as large",
      np.median(after) > 10 * typical["GRU"])

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.5)
for name, steps in needed.items():
    x, y = typical[name], np.median(steps)
    ax.plot([x] * len(steps), steps, "o", color=memory.COLOURS[name], ms=6)
    ax.plot(start_gradient[name], [y] * 5, "-", color=memory.COLOURS[name], lw=2, alpha=0.5)
    ax.annotate(name, (x, np.max(steps)), (0, 9), textcoords="offset points", ha="center", color=memory.COLOURS[name])
ax.set(xscale="log", yscale="log", ylim=(20, 5000), xlabel="initial gradient at lag 19 (line: 5 seeds)", ylabel="steps to solve T = 20",
       title="the initial gradient does not predict success")
show(fig, alt="Steps to solve the adding problem against the initial gradient: the GRU has the smallest gradient and is quick, the plain RNN has the largest and is the slowest.")

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
# They do not, not beyond chance. Both sides are tuned on the years before the test: the order by AIC, rate and number of steps on the last fifth.
# A few hundred values, nearly linear dynamics: a few coefficients, solved exactly, are hard to beat.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.problems.sequences import Forecast

T, ORDERS = 24, (1, 2, 3, 6, 9, 12, 18, 24)

def autoregression(z, test, p):
    """The squared errors on test windows of a linear model of order p fitted to the series z, and its AIC there."""
    design = lambda x: np.c_[x[-p:, :, 0].T, np.ones(x.shape[1])]
    x, y = Forecast(z, T).windows()                                     # the same targets for every order
    a = np.linalg.lstsq(design(x), y, rcond=None)[0]
    return (design(test[0]) @ a - test[1]) ** 2, len(y) * np.log(np.mean((design(x) @ a - y) ** 2)) + 2 * (p + 1)

def errors_of(cell, z, windows, rates, steps=240):
    """Squared errors (3 stages, rates, 3 seeds, n) on some windows after a third, two thirds and all of the steps on z."""
    f = Reader(cell, Forecast(z, T), units=12, batch_size=32)
    starts = np.tile(f.start(SEEDS), (len(rates), 1, 1))
    inputs = np.tile(windows[0][:, None, None], (1, *starts.shape[:2], 1, 1))
    xs = run(Adam(np.array(rates)[:, None]), Clipped(f, 1.0), starts, steps, every=steps // 3)[1:]
    return np.array([(f.answers(x, inputs)[0][..., 0] - windows[1]) ** 2 for x in xs])

def network(cell, z, test, rates=(3e-3, 1e-2, 3e-2)):
    """Squared errors (3 seeds, n) on the test windows; rate and steps are those that suit the last fifth of z best."""
    cut = int(0.8 * len(z))
    held = errors_of(cell, z[:cut], Forecast(z[cut - T :], T).windows(), rates)
    stage, rate = np.unravel_index(np.median(held.mean(-1), -1).argmin(), held.shape[:2])
    return errors_of(cell, z, test, rates[rate : rate + 1])[stage, 0]

def interval(a, b, block=11, draws=2000):
    """5 % and 95 % of mean(a) / mean(b) when blocks of successive test values are drawn again."""
    first = chance.rng(0).integers(len(a) - block + 1, size=(draws, len(a) // block, 1))
    rows = (first + np.arange(block)).reshape(draws, -1)
    return np.quantile(a[rows].mean(1) / b[rows].mean(1), (0.05, 0.95))

co2, series = data.co2().value, {}
for what, values in (("sunspots", data.sunspots().value), ("CO₂, changes", np.diff(co2[: len(co2) // 4 * 4].reshape(-1, 4).mean(1)))):
    cut = int(0.7 * len(values))
    z = (values - values[:cut].mean()) / values[:cut].std()
    test = Forecast(z[cut - T :], T).windows()
    errors, aic = zip(*[autoregression(z[:cut], test, p) for p in ORDERS])
    nets = {name: network(CELLS[name], z[:cut], test) for name in ("LSTM", "GRU")}
    repeat, chosen = np.mean((test[0][-1, :, 0] - test[1]) ** 2), int(np.argmin(aic))
    best_cell = min(nets.values(), key=lambda e: np.median(e.mean(-1))).mean(0)
    low, high = interval(best_cell, errors[chosen])
    claim(f"{what}: the better cell has {best_cell.mean() / errors[chosen].mean():.2f} ({low:.2f} to "
          f"{high:.2f}) times the error of the linear model of order {ORDERS[chosen]}: no lead beyond chance",
          high > 1)
    claim(f"{what}: the linear model leaves {errors[chosen].mean() / repeat:.0%} of the error of repeating the "
          "last value",
          errors[chosen].mean() < 0.6 * repeat)
    series[what] = chosen, np.mean(errors, 1) / repeat, {name: e.mean(-1) / repeat for name, e in nets.items()}

# %% slideshow={"slide_type": "subslide"}
fig, axes = theme.figure(9, 3.4, 1, 2, sharey=True)
for ax, (what, (chosen, linear, nets)) in zip(axes, series.items()):
    ax.plot(ORDERS, linear, "-o", ms=4, color=theme.INK, label="linear, least squares")
    ax.plot(ORDERS[chosen], linear[chosen], "o", ms=10, mfc="none", color=theme.INK, label="order chosen by AIC")
    for name, x in (("LSTM", 27), ("GRU", 29)):
        ax.plot([x] * 3, nets[name], "o", color=memory.COLOURS[name], label=f"{name}, 3 seeds")
    ax.set(ylim=(0, 1), title=what, xlabel="order p of the linear model", xticks=ORDERS[1:])
axes[0].set_ylabel("test error / repeating the last value")
axes[1].legend(loc="upper right")
show(fig, alt="Test error of linear models against their order, and of three LSTM and three GRU networks on two series: where the order is high enough, the networks are not ahead.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where does the gradient go?
#
# | architecture | one weight is used | its gradient is a sum over | what endangers it |
# |:--|:--|:--|:--|
# | convolution | at every place | places | alike neighbours; muted frequencies |
# | max pooling | has none | nothing: it only routes | losers hear nothing |
# | deep stack | once per image | nothing, but it is a product over layers | no shortcut, or a start that does not fit it |
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
# | **pooling** | max trains the winner, average everyone, stride the same corner; max loses least by a shift |
# | **search** | random with a budget; a wrong rate spoils any choice; halving finds nearly the same for a third of the steps |
# | **shortcuts** | with a start that fits them, sixteen layers train in a fraction of the steps, and their surface has lower walls |
# | **BPTT** | unroll, go back, add over time; a product of equal factors vanishes or explodes |
# | **truncation** | cuts the gradient, never the state: what still echoes can be learned, later |
# | **LSTM, GRU** | a path that adds; both solve the adding problem in a fraction of the plain RNN's steps |
# | **honesty** | an initial gradient is no prognosis; on two real series no cell leads a linear model beyond chance |

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
# - H. Zhang, Y. Dauphin, T. Ma. *Fixup initialization: residual learning without normalization.* ICLR 2019.
# - S. De, S. Smith. *Batch normalization biases residual blocks towards the identity function in deep networks.* NeurIPS 2020. SkipInit.
