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
# # Optimization challenges and techniques
#
# Stack twenty layers, press train, and nothing happens. The loss stays at 2.303, the loss of guessing.
# The optimizer is fine. The data are fine.
#
# **What breaks when a network gets deep, and what repairs it?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## What you will be able to do
#
# - Measure what flows through every layer, and tell a vanishing gradient from an exploding one.
# - Derive the variance of a good initial weight, and predict how deep a signal travels.
# - Use batch norm, and say what it does to the loss, and when it fails.
# - Clip a gradient without changing its direction, and know when clipping hurts.
# - Choose weight decay, dropout or early stopping by what they do, not by habit.

# %% [markdown] slideshow={"slide_type": "notes"}
# The pattern of every section: break it, measure it, derive it, fix it. Theory's prediction is drawn over the measurement.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
import numpy as np
import torch
from torch.nn.functional import cross_entropy

from shared import data
from shared.course import check, claim, show
from shared.figures import plots, theme
from shared.models.deep import deep

torch.set_num_threads(1)
digits = data.digits(standardize=True)                    # every pixel: mean 0, variance 1
X, Y = digits.x_train[:1000], digits.y_train[:1000]
SEEDS = range(3)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# A real network of twenty layers and one batch of digits. Each bar is one layer, measured anew at each move.

# %% slideshow={"slide_type": "-"}
from shared.explorers import gradient_flow

gradient_flow.explorer(depth=20, activation="sigmoid")

# %% [markdown] slideshow={"slide_type": "skip"}
# 1. The middle panel is what comes **back** from the loss. Read it from right to left. What does the first layer receive?
# 2. Choose *tanh*, then slide the gain. Find the value at which the bars stay level. Then try *relu*.
# 3. Put the gain at 4. Switch on *batch*. Switch it off and switch on *shortcuts*.
#
# The black lines are a theory that never saw the weights; in the middle panel it only starts from the last bar. You will derive it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let the room guess the critical gain of tanh and of ReLU before you slide. Write the guesses down.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Vanishing and exploding gradients
#
# Layer $l$ computes $z_l = W_l h_{l-1}$ and $h_l = \varphi(z_l)$. Call $\delta_l = \partial f / \partial z_l$ its **delta**. The chain rule:
#
# $$ \delta_l = \varphi'(z_l) \odot W_{l+1}^\top\, \delta_{l+1}, \qquad \frac{\partial f}{\partial W_l} = \delta_l\, h_{l-1}^\top . $$
#
# From layer $D$, the last, back to layer 1 that is a **product** of $D-1$ matrices. A product of many factors has three fates:
#
# | factor per layer | after 50 layers | name |
# |:--|:--|:--|
# | 0.9 | 0.005 | **vanishing** |
# | 1 | 1 | healthy |
# | 1.1 | 117 | **exploding** |

# %% [markdown] slideshow={"slide_type": "skip"}
# Three quantities matter, and you need all three: **activations** $h_l$ (does the input arrive?), **deltas** $\delta_l$
# (does the loss arrive?) and **weight gradients** (their product). Hooks on the layers record them, on any model:

# %% slideshow={"slide_type": "skip"}
from shared.problems.flow import flow

show(flow)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary><b>Predict:</b> sigmoid units, weights of variance 1/fan-in. By what factor does the delta change per layer, at most?</summary>
#
# The slope of the sigmoid is at most $1/4$, and a matrix with variance $1/n$ keeps the length of a vector on average.
# So at most $1/4$ per layer, on average. Thirty layers: $4^{-29}$, some $10^{-18}$.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.problems.flow import per_layer

x, y = X[:128], Y[:128]
schemes, activations = ("small", "large", "xavier", "he", "orthogonal"), ("sigmoid", "tanh", "relu")

def measured(activation, init, depth=30, seed=0, **options):
    """What flows through 128 units a layer."""
    return flow(deep(64, 128, depth, 10, activation=activation, init=init, seed=seed, **options), cross_entropy, x, y)

flows = {(a, s): [measured(a, s, seed=seed) for seed in SEEDS] for a in activations for s in schemes}
factor = {key: np.array([1 / per_layer(f.deltas) for f in fs]) for key, fs in flows.items()}
print("factor of the delta per layer, on the way back (mean of 3 seeds)")
print(f"{'':9}" + "".join(f"{s:>12}" for s in schemes))
for a in activations:
    print(f"{a:9}" + "".join(f"{factor[a, s].mean():12.3f}" for s in schemes))

# %% slideshow={"slide_type": "skip"}
claim(f"sigmoid with Xavier: × {factor['sigmoid', 'xavier'].round(3)} per layer, 3 seeds: below 1/4",
      factor["sigmoid", "xavier"].max() < 0.25)
claim(f"tanh with Xavier stays near 1: × {factor['tanh', 'xavier'].round(2)}",
      abs(factor["tanh", "xavier"] - 1).max() < 0.1)
claim(f"tanh with large weights explodes: × {factor['tanh', 'large'].round(2)}", factor["tanh", "large"].min() > 1.7)
claim(f"ReLU with Xavier vanishes, × {factor['relu', 'xavier'].round(2)}; with He it does not, × {factor['relu', 'he'].round(2)}",
      factor["relu", "xavier"].max() < 0.8 and abs(factor["relu", "he"] - 1).max() < 0.1)
deepest = [measured("relu", "large", depth=50, seed=s).activations[-1] for s in SEEDS]
claim(f"ReLU with large weights, 50 layers: the activations of {np.sum(~np.isfinite(deepest))} of 3 seeds are beyond the largest float32",
      not np.isfinite(deepest).any())

# %% slideshow={"slide_type": "subslide"}
fig, axes = theme.figure(9.6, 4, 1, 3, sharey=True)
for ax, activation in zip(axes, activations):
    for i, scheme in enumerate(schemes):
        plots.band(ax, np.clip([f.deltas for f in flows[activation, scheme]], 1e-25, 1e25), scheme, np.arange(1, 31), theme.SEQUENCE[i],
                   ls="--" if scheme == "orthogonal" else "-")
    ax.set(yscale="log", ylim=(1e-20, 1e20), title=activation, xlabel="layer")
axes[0].set_ylabel("delta, root mean square")
axes[0].legend(loc="upper center", ncols=2)
show(fig, alt="Deltas against the layer for sigmoid, tanh and ReLU and five initialisations: straight lines on a logarithmic axis, most of them steep.")

# %% [markdown] slideshow={"slide_type": "notes"}
# Straight lines on a log axis: a constant factor per layer. Slope down to the left: vanishing. Ask which pairs are flat.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Equal weight gradients are not health
#
# It is tempting to look only at the weight gradients, and to call a network healthy if all layers have about the same.
#
# <details><summary><b>Predict:</b> tanh with tiny weights. Activations shrink going up, deltas shrink going down. And their product?</summary>
#
# Nearly the same in every layer: what the activation loses, the delta has not lost yet. Level, and dead.
# </details>

# %% slideshow={"slide_type": "-"}
tiny = flows["tanh", "small"][0]
fig, ax = theme.figure(8, 3.4)
for name, y_, colour in zip(("activations", "deltas", "weight gradients"), tiny, theme.SEQUENCE):
    plots.curve(ax, y_, name, np.arange(1, 31), colour)
ax.set(yscale="log", xlabel="layer", ylabel="root mean square", title="tanh, small weights: level gradients, dead network")
plots.label_ends(ax)
show(fig, alt="Activations fall with the layer, deltas rise, weight gradients are level at a tiny value.")

# %% slideshow={"slide_type": "skip"}
ratios = [max(f.weight_grads[1:]) / min(f.weight_grads[1:]) for f in flows["tanh", "small"]]
sizes = [f.weight_grads.max() for f in flows["tanh", "small"]]
claim(f"largest over smallest weight gradient of layers 2 to 30: {np.round(ratios, 2)}, 3 seeds", max(ratios) < 3)
claim(f"and all of them are below {max(sizes):.0e}", max(sizes) < 1e-20)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### A theory for wide networks
#
# Let weights be independent with mean 0 and variance $\sigma^2/n$, with $n$ inputs, in layers of equal width $n$. Given $h$, each $z_i=\sum_j W_{ij}h_j$ is a sum of
# many small terms: normal, with variance
#
# $$ q_{l+1} = n\cdot\frac{\sigma^2}{n}\cdot\overline{h_l^2} = \sigma^2\, \mathbb E\bigl[\varphi(\sqrt{q_l}\,u)^2\bigr], \qquad u \sim \mathcal N(0,1). $$
#
# The same on the way back. $\delta_l = \varphi'(z_l)\odot W^\top\delta_{l+1}$ multiplies the mean square by
#
# $$ \chi_l = \sigma^2\, \mathbb E\bigl[\varphi'(\sqrt{q_l}\,u)^2\bigr]. $$
#
# **$\chi<1$ vanishes, $\chi>1$ explodes.** The border $\chi = 1$ is *critical*.

# %% [markdown] slideshow={"slide_type": "skip"}
# Two integrals per layer, no network. (The step back treats $W^\top$ as if drawn anew; the test below says whether that matters.)
# For tanh $\chi = 1$ at $\sigma = 1$ holds only for small signals. Digits are not small: $q_l$ falls towards 0, slowly, and on the way $\chi_l < 1$.
# That is why thirty layers are level at a gain a little above 1.

# %% slideshow={"slide_type": "skip"}
from shared import theory

show(theory.mean_field)

# %% slideshow={"slide_type": "skip"}
gains = np.sqrt([0.5, 1.0, 1.5, 2.0, 3.0, 5.0])
theory_factor, network_factor = {}, {}
for a in activations:
    χ = theory.mean_field(a, gains, 30, gains**2 * (x**2).mean())[1]
    theory_factor[a] = np.sqrt(np.exp(np.log(χ[:, 5:]).mean(-1)))
    network_factor[a] = np.array([[1 / per_layer(measured(a, "lecun", gain=g, seed=s).deltas[5:]) for g in gains] for s in SEEDS])
error = {a: abs(network_factor[a].mean(0) / theory_factor[a] - 1).max() for a in activations}
print("tanh, σ² = 1.5: predicted", theory_factor["tanh"][2].round(4), "measured", network_factor["tanh"][:, 2].round(4))
fine = np.linspace(1, 1.5, 51)
mean_χ = np.log(theory.mean_field("tanh", fine, 30, fine**2 * (x**2).mean())[1][:, 5:]).mean(-1)
level = fine[abs(mean_χ).argmin()]
claim(f"tanh, 30 layers: theory's factor is {np.exp(mean_χ[0] / 2):.3f} at σ = 1 and level at σ = {level:.2f}",
      mean_χ[0] < -0.02 and 1 < level < 1.5)
claim(f"largest error of the prediction, 6 gains, mean of 3 seeds, 128 units: {', '.join(f'{a} {e:.1%}' for a, e in error.items())}",
      max(error.values()) < 0.06)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8, 3.7)
for a, colour in zip(activations, theme.SEQUENCE):
    plots.curve(ax, theory_factor[a], a, gains, colour)
    ax.plot(gains, network_factor[a].T, "o", color=colour, ms=4)
plots.limit(ax, 1, "critical: factor 1", axis="y", color=theme.MUTED, at=0.3)
ax.set(xlabel="gain σ", ylabel="factor per layer", yscale="log", title="lines: theory. Dots: three real networks each")
plots.label_ends(ax)
show(fig, alt="Factor of the delta per layer against the gain for sigmoid, tanh and ReLU; measured dots lie on the predicted lines.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Weight initialisation
#
# Two things must be true of the first weights: they **differ**, and they have the **right size**.
#
# ### They must differ
#
# Give all weights of a layer one value. All units then compute the same, receive the same delta and take the same step.
# They stay twins for ever. With zeros it is worse: no delta passes a layer.
#
# <details><summary><b>Predict:</b> 64 twins per layer, trained for 100 steps. How many different units has the network then?</summary>
#
# One per layer. A gradient step cannot break a symmetry that the loss does not break. Only random numbers can.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.models.deep import linears
from shared.problems.training import accuracy, train

ranks = {}
for init in ("zero", "constant", "xavier"):
    net = deep(64, 64, 3, 10, init=init)
    train(net, X, Y, torch.optim.SGD(net.parameters(), 0.1), 100)
    ranks[init] = len(np.unique(linears(net)[1].weight.detach().numpy().round(5), axis=0))
    print(f"{init:9} different units in layer 2 after 100 steps: {ranks[init]:3}   test accuracy {accuracy(net, digits.x_test, digits.y_test):.2f}")
claim("zero and constant weights leave one unit, 64 times over", ranks == {"zero": 1, "constant": 1, "xavier": 64})

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The right size
#
# Ask for $\chi = 1$.
#
# - **tanh**, small signals: $\varphi' \approx 1$, so $\sigma^2 = 1$: variance $1/n_{\text{in}}$ (**LeCun**). Going back, the sum runs over outputs: $1/n_{\text{out}}$.
#   **Xavier** takes the middle: $\dfrac{2}{n_{\text{in}} + n_{\text{out}}}$.
# - **ReLU**: half of the units are off, $\mathbb E[\varphi'^2] = \tfrac12$, so $\sigma^2 = 2$: variance $2/n_{\text{in}}$ (**He**).
# - **Orthogonal**: $W^\top W = I$ keeps the length of *every* vector, not only on average.
# - **LSUV**: do not derive, measure. Start orthogonal, divide each layer by the standard deviation it shows on a batch.

# %% slideshow={"slide_type": "skip"}
from shared.models.deep import initialise

show(initialise)

# %% slideshow={"slide_type": "skip"}
critical = {a: theory.critical_gain(a) for a in ("tanh", "relu", "sigmoid")}
claim(f"critical gains by theory: { {a: round(g, 3) for a, g in critical.items()} }; LeCun and Xavier have 1, He √2",
      abs(critical["tanh"] - 1) < 1e-3 and abs(critical["relu"] - 2**0.5) < 1e-3 and critical["sigmoid"] > 5)
W = linears(deep(64, 128, 3, 10, init="orthogonal"))[1].weight.detach()
spread = {init: np.linalg.svd(linears(deep(64, 128, 3, 10, init=init))[1].weight.detach(), compute_uv=False) for init in ("orthogonal", "xavier")}
claim(f"singular values: orthogonal {spread['orthogonal'].min():.3f} to {spread['orthogonal'].max():.3f}, Xavier {spread['xavier'].min():.3f} to {spread['xavier'].max():.3f}",
      np.allclose(spread["orthogonal"], 1, atol=1e-4) and spread["xavier"].max() > 1.7)

# %% slideshow={"slide_type": "subslide"}
from shared.explorers import initialisation

initialisation.explorer(activation="tanh", depth=30, gain=2.0)

# %% [markdown] slideshow={"slide_type": "skip"}
# Drag the cell across the dashed line. Choose *relu*: the white stripe is narrow, and narrower the deeper you go. Choose *sigmoid*:
# where is its critical gain? Nobody uses it, because such large weights make all units answer 0 or 1.

# %% [markdown] slideshow={"slide_type": "notes"}
# The map is theory; the dots on the right are three real networks for the cell under the pointer.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### The same map, measured
#
# No theory now: 140 real networks, 70 a map, one backward pass each. The dashed line is the theory's only contribution.

# %% slideshow={"slide_type": "skip"}
depths, sigmas = np.array([2, 5, 10, 20, 30, 40, 50]), np.geomspace(0.5, 4, 10)
arrives = np.empty((2, len(depths), len(sigmas)))
for i, a in enumerate(("tanh", "relu")):
    for j, depth in enumerate(depths):
        for k, σ in enumerate(sigmas):
            δ = flow(deep(64, 64, depth, 10, activation=a, init="lecun", gain=σ), cross_entropy, X[:32], Y[:32]).deltas
            arrives[i, j, k] = np.log10(max(δ[0], 1e-38) / max(δ[-1], 1e-38)) if np.isfinite(δ).all() else np.inf
at_critical = [abs(arrives[i, -1, abs(np.log(sigmas / critical[a])).argmin()]) for i, a in enumerate(("tanh", "relu"))]
claim(f"50 layers: within {max(at_critical):.1f} powers of ten next to the line, {abs(arrives[:, -1, 0]).min():.0f} or more at σ = 0.5",
      max(at_critical) < 3 and abs(arrives[:, -1, 0]).min() > 10)

# %% slideshow={"slide_type": "subslide"}
from matplotlib.colors import TwoSlopeNorm

fig, axes = theme.figure(9.2, 3.7, 1, 2, sharey=True)
for ax, a, z in zip(axes, ("tanh", "relu"), arrives):
    image = plots.heat(ax, np.arange(len(depths)), sigmas, np.clip(z, -12, 12), TwoSlopeNorm(0, -12, 12), "RdBu_r")
    ax.axhline(critical[a], color=theme.INK, ls="--")
    ax.set(yscale="log", xlabel="depth", title=f"{a}, measured")
    ax.set_xticks(range(len(depths)), depths)
    ax.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    ax.minorticks_off()
axes[0].set_ylabel("gain σ")
fig.colorbar(image, ax=axes, label=r"$\log_{10}$ of first over last delta", pad=0.02)
show(fig, alt="Measured maps over depth and gain for tanh and ReLU: blue below the critical line, red above, white along it.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Does it train?
#
# Gradients that arrive are a means. Twenty layers, digits, batches of 32, momentum 0.9, 100 steps, and every network at the best of three rates.
#
# <details><summary><b>Predict:</b> one of them is PyTorch's own default for <code>nn.Linear</code>. Is there a rate with which it trains at depth 20?</summary>
#
# None of the three. The default has variance $1/(3n)$, a gain of $0.58$. With ReLU that is × 0.41 per layer: a larger rate cannot make up for it.
# Nor for Xavier's × 0.71. But with **Adam** Xavier's weights train. It divides by the size of the gradient: one that is *evenly* small does not trouble it.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.descent import run
from shared.optimizers import SGD, Adam
from shared.problems import MiniBatch
from shared.problems.networks import NetworkOracle

contenders = {
    "ReLU, torch default": dict(activation="relu", init="torch"),
    "ReLU, Xavier": dict(activation="relu", init="xavier"),
    "ReLU, Xavier, Adam": dict(activation="relu", init="xavier"),
    "same, Adam with ε = 0.01": dict(activation="relu", init="xavier"),
    "ReLU, He": dict(activation="relu", init="he"),
    "default + batch norm": dict(activation="relu", init="torch", norm="batch"),
    "tanh, orthogonal": dict(activation="tanh", init="orthogonal"),
    "ReLU, He × 0.15": dict(activation="relu", init="he", gain=0.15),
    "shortcuts, He": dict(activation="relu", init="he", residual=True),
    "shortcuts, He × 0.15": dict(activation="relu", init="he", gain=0.15, residual=True),
}
tries = np.array([2e-3, 8e-3, 3.2e-2])
ends, reached = {}, {}
for name, options in contenders.items():
    nets = [NetworkOracle(deep(64, 64, 20, 10, seed=s, **options), cross_entropy, X, Y) for s in SEEDS]
    starts = np.broadcast_to(np.stack([f.start for f in nets])[:, None], (len(nets), len(tries), nets[0].dim))
    rule = Adam(tries / 4, eps=0.01 if "ε" in name else 1e-8) if "Adam" in name else SGD(tries, momentum=0.9)
    xs = run(rule, MiniBatch(nets[0], 32, seed=0), starts, 100, every=100)[-1]
    ends[name] = np.nan_to_num(nets[0](xs), nan=np.inf)   # (seeds, rates)
    which = ends[name].argmin(1)
    reached[name] = [nets[0].accuracy(x[i], digits.x_test, digits.y_test) for x, i in zip(xs, which)]
    print(f"{name:24} lowest loss {ends[name].min(1).round(2)} with rate {which + 1} of {len(tries)}   test accuracy {np.round(reached[name], 2)}")

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8.5, 4)
for i, values in enumerate(reached.values()):
    ax.barh(i, np.median(values), color=theme.SEQUENCE[0], alpha=0.75)
    ax.plot(values, [i] * len(values), "o", color=theme.INK, ms=4)
ax.set(yticks=range(len(reached)), xlim=(0, 1), xlabel=f"test accuracy after 100 steps, best of {len(tries)} rates", title="twenty layers")
ax.set_yticklabels(list(reached))
ax.invert_yaxis()
plots.limit(ax, 0.1, "guessing")
show(fig, alt="Test accuracy of ten twenty-layer networks: with SGD the default, Xavier and small ReLU stay at guessing, with Adam Xavier begins to learn; orthogonal tanh and shortcuts with small branches learn best.")

# %% slideshow={"slide_type": "skip"}
default = np.array([1 / per_layer(measured("relu", "torch", seed=s).deltas) for s in SEEDS])
claim(f"torch's default multiplies the delta by {default.round(2)} per layer",
      0.35 < default.min() and default.max() < 0.48)
stuck = min(np.min(ends[name]) for name in ("ReLU, torch default", "ReLU, Xavier", "ReLU, He × 0.15"))
claim(f"default, Xavier and small weights guess at each of the rates: no loss below {stuck:.2f}, log 10 is {np.log(10):.2f}",
      stuck > 2)
lowest = {name: np.min(rows, 1).max() for name, rows in ends.items()}    # of the worst seed
claim(f"Adam trains what SGD does not: Xavier's worst seed ends at {lowest['ReLU, Xavier, Adam']:.2f}",
      lowest["ReLU, Xavier, Adam"] < 1.9)
undivided = ends["same, Adam with ε = 0.01"].min()
claim(f"because it divides: ε = 0.01 is far above these gradients, and Adam is stuck at {undivided:.2f}",
      undivided > 2)
claim(f"He's factor 2 begins to learn, {lowest['ReLU, He']:.2f}", lowest["ReLU, He"] < 1.9)
learnt = max(lowest[name] for name in ("default + batch norm", "tanh, orthogonal", "shortcuts, He × 0.15"))
claim("shortcuts with He explode at each of the rates: they need small branches, as small branches need shortcuts",
      (np.array(ends["shortcuts, He"]) > np.log(10)).all() and stuck > 2 * lowest["shortcuts, He × 0.15"])
claim(f"batch norm, orthogonal tanh and shortcuts with small branches end at {learnt:.2f} or less", learnt < 1.5)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Shortcuts: add instead of multiply
#
# $h_{l} = h_{l-1} + \varphi(W_l h_{l-1})$ has the Jacobian $I + D_l W_l$, $D_l$ the slopes $\varphi'$ on the diagonal: one way back
# passes through no weight. (The sum can still vanish: tanh with $W = -I$ at $h = 0$. With $\lVert W\rVert < 1$ and $|\varphi'| \le 1$ it cannot.)
# But sums grow. With He's weights each layer *adds* as much as the stream already carries, so its mean square at least doubles:

# %% slideshow={"slide_type": "-"}
grown = {gain: [measured("relu", "he", depth=20, seed=s, residual=True, gain=gain).activations[-1] for s in SEEDS] for gain in (1.0, 0.15)}
claim(f"shortcuts with He, 20 layers: activations reach {min(grown[1.0]):.0f} or more; with weights × 0.15 at most {max(grown[0.15]):.2f}",
      min(grown[1.0]) > 100 and max(grown[0.15]) < 5)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### A thermometer to keep
#
# Ask at a step: how large is the update, compared with the weight? $\lVert\Delta W\rVert / \lVert W\rVert$, about $10^{-3}$, is a
# rule of thumb (Karpathy). You can ask it of every optimizer, because it looks at the step, not at the gradient.
#
# <details><summary><b>Predict:</b> a rate a hundred times too large kills the network. What does the thermometer read a hundred steps later?</summary>
#
# About what a network reads that trains well. So take the temperature in the **first** steps: there it tells the rates apart. The good
# range is wide, from $10^{-3}$ to some $10^{-2}$ here.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.problems.flow import thermometer

show(thermometer)

# %% slideshow={"slide_type": "skip"}
from shared import chance


def warmth(lr, steps=150, seed=0):
    """The ratio of the median layer at each step, and the losses: (steps,), (steps,)."""
    net, readings, losses = deep(64, 64, 4, 10, activation="relu", init="he", seed=seed), [], []
    optimizer = torch.optim.Adam(net.parameters(), lr)
    inputs, targets, generator = torch.tensor(X, dtype=torch.float32), torch.tensor(Y), chance.generator(seed)
    for _ in range(steps):
        rows = torch.randperm(1000, generator=generator)[:50]
        optimizer.zero_grad()
        loss = cross_entropy(net(inputs[rows]), targets[rows])
        loss.backward()
        readings.append(np.median(list(thermometer(net, optimizer.step).values())))
        losses.append(loss.item())
    return np.array(readings), np.array(losses)

rates = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
warm = {lr: [warmth(lr, seed=s) for s in SEEDS] for lr in rates}
first = {lr: np.array([np.median(r[:10]) for r, _ in warm[lr]]) for lr in rates}
late = {lr: np.array([np.median(r[-50:]) for r, _ in warm[lr]]) for lr in rates}
end = {lr: np.array([l[-10:].mean() for _, l in warm[lr]]) for lr in rates}
for lr in rates:
    print(f"Adam, η = {lr:.0e}: first 10 steps {np.median(first[lr]):.0e}   last 50 {np.median(late[lr]):.0e}   last losses {end[lr].round(2)}")

# %% slideshow={"slide_type": "skip"}
claim(f"η = 1e-05 and η = 0.1 end above 5 times the loss of η = 0.001, {len(SEEDS)} of {len(SEEDS)} seeds",
      min(end[1e-5].min(), end[1e-1].min()) > 5 * end[1e-3].max())
claim(f"the first 10 steps tell: {first[1e-5].max():.0e} too cold, {first[1e-3].min():.0e} to {first[1e-2].max():.0e} good, {first[1e-1].min():.0e} too hot",
      first[1e-5].max() < first[1e-3].min() / 5 and first[1e-2].max() < first[1e-1].min() / 2)
claim(f"the last 50 do not: {np.median(late[1e-1]):.1e} at η = 0.1, {np.median(late[1e-2]):.1e} at η = 0.01 with {np.median(end[1e-1] / end[1e-2]):.0f} times less loss",
      np.median(late[1e-1]) < 3 * np.median(late[1e-2]) and np.median(end[1e-1] / end[1e-2]) > 3)

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.6, 1, 2)
for lr, colour in zip(rates, (*theme.SEQUENCE[:2], theme.GOOD, theme.SEQUENCE[3], theme.BAD)):
    plots.band(left, [r for r, _ in warm[lr]], f"η = {lr:.0e}", color=colour)
    plots.band(right, np.clip([l for _, l in warm[lr]], 1e-3, 1e3), f"η = {lr:.0e}", color=colour)
plots.limit(left, 1e-3, "rule of thumb", axis="y", color=theme.MUTED)
left.set(yscale="log", ylim=(1e-6, 10), title="update / weight, median layer", xlabel="step")
right.set(yscale="log", title="training loss", xlabel="step")
plots.label_ends(right)
show(fig, alt="Left: the update to weight ratio for five rates; far apart at first, the two largest meet later. Right: the losses; the two middle rates learn best.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Batch normalisation
#
# Initialisation sets the scale once. **Batch norm** sets that of the *activations* at every step, per unit, over the batch:
#
# $$ \hat z = \frac{z - \mu_B}{\sqrt{\sigma_B^2 + \varepsilon}}, \qquad \text{output} = \gamma \hat z + \beta , $$
#
# with mean $\mu_B$ and variance $\sigma_B^2$ of the batch, and learned $\gamma, \beta$ (here $\beta$ is a shift, not the momentum).
# In **training** mode it uses the batch. In **evaluation** mode it uses running averages of what it saw: one example must not depend on its neighbours.

# %% slideshow={"slide_type": "skip"}
from torch import nn

z = torch.tensor(X[:16, 20:25])
ours = (z - z.mean(0)) / torch.sqrt(z.var(0, correction=0) + 1e-5)
claim(f"the formula is nn.BatchNorm1d: largest difference {(ours - nn.BatchNorm1d(5, dtype=torch.float64)(z)).abs().max():.0e}",
      torch.allclose(ours, nn.BatchNorm1d(5, dtype=torch.float64)(z).detach(), atol=1e-12))

# %% [markdown] slideshow={"slide_type": "skip"}
# ### It levels the way up, not the way back
#
# Weights of variance $\sigma^2/n$ give $z = Wh$ the variance $s^2 = \sigma^2\,\mathrm{Var}[\varphi(u)]$ over the batch, with $u$ nearly standard normal:
# the last norm saw to that. (Wide layers, a large batch.)
# Batch norm divides by $s$, on the way back too. So a layer multiplies the mean square of the deltas by
#
# $$ \chi = \frac{\sigma^2\,\mathbb E[\varphi'(u)^2]}{s^2} = \frac{\mathbb E[\varphi'(u)^2]}{\mathrm{Var}[\varphi(u)]} . $$
#
# $\sigma$ is gone: no gain can change it. And $\mathrm{Var}[\varphi(u)] \le \mathbb E[\varphi'(u)^2]$ for every $\varphi$ (the Gaussian Poincaré inequality), with equality only
# for straight lines. So $\chi > 1$: deltas under batch norm **explode** with depth (Yang et al. 2019). For ReLU $\chi = \frac{1/2}{1/2 - 1/(2\pi)} = \frac{\pi}{\pi - 1}$.
#
# Layer norm averages over units, whose mean is nearly 0 before the activation: there $s^2 = \sigma^2\,\mathbb E[\varphi(u)^2]$, and for ReLU $\chi = 1$.

# %% slideshow={"slide_type": "skip"}
normed = {(a, norm): [measured(a, "he", depth=50, seed=s, norm=norm) for s in SEEDS] for a, norm in (("relu", "batch"), ("tanh", "batch"), ("relu", "layer"))}
back = {key: np.array([1 / per_layer(f.deltas) for f in fs]) for key, fs in normed.items()}
predicted = {a: theory.batch_norm_factor(a) for a in ("relu", "tanh")}
claim(f"batch norm, 50 layers, delta per layer: ReLU × {back['relu', 'batch'].round(3)}, predicted {predicted['relu']:.3f}; "
      f"tanh × {back['tanh', 'batch'].round(3)}, predicted {predicted['tanh']:.3f}",
      max(abs(back[a, "batch"] / predicted[a] - 1).max() for a in predicted) < 0.03)
blown = min(f.deltas[0] / f.deltas[-1] for f in normed["relu", "batch"])
ups = [f.activations[-1] / f.activations[0] for f in normed["relu", "batch"]]
claim(f"ReLU: the activations stay level (last over first {np.round(ups, 2)}), the first delta is {blown:.0f} times the last or more",
      max(abs(np.array(ups) - 1)) < 0.3 and blown > 1000)
claim(f"layer norm, ReLU: × {back['relu', 'layer'].round(3)} per layer", abs(back["relu", "layer"] - 1).max() < 0.05)

# %% slideshow={"slide_type": "subslide"}
from shared.explorers import batchnorm

batchnorm.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# Slide the *weights* up and watch which map turns bright. Then slide η: how far can each network step before the loss rises above its
# start? Now make the batch small.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### It widens the range of rates
#
# Three hidden layers, He's weights. Learning rates over three decades, 100 steps, five seeds.
#
# <details><summary><b>Predict:</b> up to which rate does each network train?</summary>
#
# The plain one breaks near $\eta = 1$. With batch norm rates several times larger still work. Note what does *not*
# follow: at rates below 0.4 batch norm is slower here, and at the best rate of each neither is clearly ahead.
# </details>

# %% slideshow={"slide_type": "skip"}
etas = np.geomspace(0.03, 30, 13)
final = {}
for norm in ("none", "batch"):
    nets = [NetworkOracle(deep(64, 64, 3, 10, activation="relu", init="he", norm=norm, seed=s), cross_entropy, X, Y) for s in range(5)]
    starts = np.broadcast_to(np.stack([f.start for f in nets])[:, None], (5, len(etas), nets[0].dim))
    xs = run(SGD(etas), MiniBatch(nets[0], 50, seed=0), starts, 100, every=100)[-1]
    final[norm] = np.nan_to_num(nets[0](xs), nan=np.inf)  # (seeds, rates)
usable = {norm: np.array([etas[row < 0.3].max() for row in losses]) for norm, losses in final.items()}
wider = usable["batch"] / usable["none"]
claim(f"largest rate with a loss below 0.3: plain {usable['none'].round(2)}, batch norm {usable['batch'].round(2)}, in the median × {np.median(wider):.1f}",
      np.median(wider) > 1.5 and wider.min() > 1)
slower = np.median(final["batch"], 0) / np.median(final["none"], 0)
claim(f"below η = 0.4 batch norm is slower: median losses × {slower[etas < 0.4].min():.1f} or more",
      slower[etas < 0.4].min() > 1)
alike = np.median(final["batch"].min(1) / final["none"].min(1))
claim(f"at the best rate of each seed the losses are alike: batch norm's × {alike:.2f} in the median",
      1 / 3 < alike < 3)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8, 3.6)
for losses, name, colour in zip(final.values(), ("plain", "batch norm"), (theme.BAD, theme.GOOD)):
    plots.band(ax, np.clip(losses, 1e-3, 1e4), name, etas, colour)
ax.set(xscale="log", yscale="log", ylim=(3e-3, 1e2), xlabel="learning rate η", ylabel="loss after 100 steps", title="batch norm: larger rates work")
ax.legend(loc="lower right")
show(fig, alt="Loss after 100 steps against the learning rate; the plain network breaks near one, batch norm works up to several times that.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### One reason: the gradient keeps its word
#
# The reason Ioffe & Szegedy (2015) gave was *internal covariate shift*. Santurkar et al. (2018) tested that, and found another: the
# loss becomes smoother. Test it as they did. At many moments of training, walk along the gradient and ask:
# how much does the **loss** vary? How much does the **gradient** change?
#
# <details><summary><b>Predict:</b> walk as far as a step with η = 0.4 would, then only a tenth of the way. Where do the two networks differ?</summary>
#
# Far out: there the plain network's loss varies many times as much, and its gradient turns into another. On the short walk they hardly
# differ. Smoother means: what the gradient says holds *further*. That is what a large rate needs.
# </details>

# %% slideshow={"slide_type": "skip"}
def smoothness(norm, seed, steps=60, every=6, walk=(0.01, 0.02, 0.04, 0.1, 0.2, 0.4)):
    """Medians over training: range of the loss along −g up to η = 0.4 and 0.04, change of the gradient in units of its norm, too."""
    f = NetworkOracle(deep(64, 64, 8, 10, activation="relu", init="he", norm=norm, seed=seed), cross_entropy, X, Y)
    batches, found = MiniBatch(f, 50, seed=seed), []
    for k, x in enumerate(run(SGD(0.05), batches, f.start, steps, every=every)[1:], 1):
        b = batches.at(every * k + 1)
        g = b.grad(x)
        line = x - np.array(walk)[:, None] * g
        loss, change = b(line), np.linalg.norm(b.grad(line) - g, axis=-1) / np.linalg.norm(g)
        found.append((np.ptp(loss), np.ptp(loss[:3]), change.max(), change[:3].max()))
    return np.median(found, 0)

smooth = {norm: np.transpose([smoothness(norm, s) for s in SEEDS]) for norm in ("none", "batch")}
for norm, (far, near, turns, turns_near) in smooth.items():
    print(f"{norm:6} range of the loss: far {far.round(2)}, near {near.round(2)}   change of the gradient: far {turns.round(2)}, near {turns_near.round(2)}")
apart = smooth["none"].min(1) / smooth["batch"].max(1)
claim(f"up to η = 0.4 the plain network's loss varies {apart[0]:.0f} times as much or more, its gradient changes {apart[2]:.1f} times as much or more",
      apart[0] > 5 and apart[2] > 2)
alike = np.median(smooth["none"][1] / smooth["batch"][1])
claim(f"a tenth of the way the loss varies about alike: {alike:.2f} times as much, median of {len(SEEDS)} seeds",
      0.4 < alike < 2.5)

# %% [markdown] slideshow={"slide_type": "notes"}
# This is a measurement on a small MLP with eight layers. Santurkar et al. used VGG. The direction of the effect is the same.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Its price: the batch
#
# In a batch of two a normalised unit is $\pm1$, whatever it saw: it says only which example had more.
# **Layer norm** averages over the units of one example instead: no batch, no running averages, no two modes.
# **Group norm** (Wu & He 2018) does the same over a few groups of units.

# %% slideshow={"slide_type": "skip"}
def normed_accuracy(norm, B, lr=0.1):
    """Test accuracy after 200 steps, one per seed."""
    found = []
    for seed in SEEDS:
        net = deep(64, 64, 3, 10, activation="relu", init="he", norm=norm, running=True, seed=seed)
        train(net, X, Y, torch.optim.SGD(net.parameters(), lr, fused=True), 200, batch_size=B, seed=seed)
        found.append(accuracy(net, digits.x_test, digits.y_test))
    return np.array(found)

sizes = (2, 4, 8, 32)
by_batch = {(norm, B): normed_accuracy(norm, B) for norm in ("batch", "layer") for B in sizes}
claim(f"batch norm with B = 2: {by_batch['batch', 2].round(2)}, with B = 32: {by_batch['batch', 32].round(2)}",
      max(by_batch["batch", 2]) < 0.75 and min(by_batch["batch", 32]) > 0.8)
others = [by_batch["batch", 2], *(normed_accuracy("batch", 2, lr) for lr in (0.02, 0.5))]
best = max(np.median(found) for found in others)
claim(f"layer norm with B = 2: {by_batch['layer', 2].round(2)}; batch norm at the best of three rates {best:.2f} in the median",
      min(by_batch["layer", 2]) > best + 0.1)

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8, 3.3)
for norm, colour in (("batch", theme.GOOD), ("layer", theme.SEQUENCE[3])):
    plots.band(ax, np.transpose([by_batch[norm, B] for B in sizes]), f"{norm} norm", sizes, colour, marker="o")
ax.set(xscale="log", xlabel="batch size $B$", ylabel="test accuracy", ylim=(0, 1), title="200 steps, evaluation mode")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(loc="lower right")
show(fig, alt="Test accuracy against the batch size: batch norm is poor at two and good from eight on, layer norm is good throughout.")

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Forgetting `model.eval()`
#
# A classic bug: the trained network is asked about one example at a time, in training mode. What is the variance of one number?

# %% slideshow={"slide_type": "skip"}
net = deep(64, 64, 3, 10, activation="relu", init="he", norm="batch", running=True)
train(net, X, Y, torch.optim.SGD(net.parameters(), 0.1), 250)
right = accuracy(net, digits.x_test, digits.y_test)
try:
    net.train()(torch.tensor(digits.x_test[:1], dtype=torch.float32))
except ValueError as error:
    print("one example in training mode:", str(error).split(",")[0])
pairs = torch.tensor(digits.x_test, dtype=torch.float32).view(225, 2, 64)
wrong = np.mean([(net(pair).argmax(-1).numpy() == digits.y_test[2 * i:2 * i + 2]).mean() for i, pair in enumerate(pairs)])
claim(f"the same weights: {right:.2f} in evaluation mode, {wrong:.2f} in training mode with two examples at a time",
      wrong < right - 0.3)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Gradient clipping
#
# One bad batch, one steep wall, and a single step undoes an hour. The remedy takes one line:
#
# $$ g \leftarrow g \cdot \min\left(1, \frac{c}{\lVert g\rVert}\right) $$
#
# **By norm**: all parameters together, so the direction stays. **By value**, each number to $\pm c$: simpler, and it turns the direction.

# %% slideshow={"slide_type": "skip"}
from shared.problems import Clipped

show(Clipped)

# %% slideshow={"slide_type": "subslide"}
from shared.explorers import clipping

clipping.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# Play. The red path touches the wall and is thrown back over the plain, again and again. Raise the bound $c$ until green is thrown, too.
# Then lower it to 0.01: nothing is thrown, and nothing arrives either.

# %% slideshow={"slide_type": "skip"}
from shared.problems import landscapes

# NBVAL_CHECK_OUTPUT
cliff = landscapes.cliff()
paths = {"plain": run(SGD(1.0), cliff, cliff.start, 80), "clipped": run(SGD(1.0), Clipped(cliff, max_norm=0.5), cliff.start, 80)}
jump = {name: np.linalg.norm(np.diff(xs, axis=0), axis=-1).max() for name, xs in paths.items()}
claim(f"longest step: plain {jump['plain']:.1f}, clipped {jump['clipped']:.2f}",
      jump["plain"] > 5 and jump["clipped"] <= 0.5 + 1e-9)
g = np.array([3.0, 0.1])
turned = np.degrees(np.arccos(np.clip(g, -0.1, 0.1) @ g / np.linalg.norm(g) / np.linalg.norm(np.clip(g, -0.1, 0.1))))
claim(f"clipping (3, 0.1) by value at 0.1 turns it by {turned:.0f} degrees, by norm by 0", turned > 40)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A recurrent network on sunspots
#
# The same matrix twenty times in a row: a recurrent network *is* a deep network whose layers share one weight matrix.
# With spectral radius 2 its gradients explode. Clipping keeps it alive. Is that a cure?

# %% slideshow={"slide_type": "-"}
class Recurrent(nn.Module):
    """h ← relu(R h + a x), 32 units; says the next value."""
    def __init__(self, radius, seed, n=32):
        super().__init__()
        torch.manual_seed(chance.integer(seed))
        self.read, self.recur, self.say = nn.Linear(1, n), nn.Linear(n, n), nn.Linear(n, 1)
        R = torch.randn(n, n)
        self.recur.weight.data = R * radius / torch.linalg.eigvals(R).abs().max()
    def forward(self, x):                                 # (B, T) -> (B,)
        h = torch.zeros(len(x), self.recur.in_features)
        for value in x.T:
            h = torch.relu(self.recur(h) + self.read(value[:, None]))
        return self.say(h)[:, 0]

# %% slideshow={"slide_type": "skip"}
from torch.nn.functional import mse_loss

spots = data.sunspots().value
spots = (spots - spots[:200].mean()) / spots[:200].std()
windows, after = np.stack([spots[i:i + 20] for i in range(180)]), spots[20:200].astype(np.float32)

lrs, N = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]), 8    # rates, networks

def forecast(radius, clip=np.inf, every=100):
    """Iterates of N networks at each rate: (100/every + 1, N, rates, d), and their loss on all windows: (N, rates)."""
    nets = [NetworkOracle(Recurrent(radius, s), mse_loss, windows, after) for s in range(N)]
    starts = np.broadcast_to(np.stack([f.start for f in nets])[:, None], (N, len(lrs), nets[0].dim))
    batches = Clipped(MiniBatch(nets[0], 32, seed=0), max_norm=clip)
    xs = run(SGD(lrs), batches, starts, 100, every=every)
    return xs, np.nan_to_num(nets[0](xs[-1]), nan=np.inf)

wild, tamed, sound = (forecast(*setting)[1] for setting in ((2.0,), (2.0, 1.0), (1.0,)))
persistence = ((windows[:, -1] - after) ** 2).mean()      # the next value is this one
at = dict(zip(lrs, range(len(lrs))))
exploded, behind = (~np.isfinite(wild[:, at[0.03]])).sum(), (tamed[:, at[0.03]] > persistence).sum()
claim(f"radius 2, η = 0.03: {exploded} of {N} runs explode; clipped at 1, all {N} survive at each of {len(lrs)} rates",
      exploded > N / 2 and np.isfinite(tamed).all())
alive, same = np.median(tamed[:, at[0.03]]), np.median(sound[:, at[0.03]])
claim(f"but alive is not well: at η = 0.03 {behind} of {N} clipped runs are worse than saying today's value again, {persistence:.2f}",
      behind >= 2)
claim(f"in the median they end at {alive:.2f}; radius 1, a sound start, at {same:.2f} without clipping and at the same rate",
      same < 0.6 * persistence and same < 0.6 * alive)
retuned = np.median(tamed, 0)
claim(f"with the rate tuned again, η = {lrs[retuned.argmin()]:g}, the clipped runs get to {retuned.min():.2f}",
      retuned.min() < 0.8 * persistence)

# %% slideshow={"slide_type": "skip"}
free, (path, calm) = forecast(1.5)[1], forecast(1.5, 1.0, every=1)
lengths = np.linalg.norm(np.diff(path[:, :, 0], axis=0), axis=-1)   # of the clipped steps at η = 0.001
clipped_share = (lengths > 0.999 * lrs[0]).mean()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### When clipping hurts
#
# Clipping shortens large gradients, whether they are accidents or signal.
#
# <details><summary><b>Predict:</b> radius 1.5, a careful rate of 0.001, with which the plain runs learn. What does clipping at 1 do?</summary>
#
# At this rate it hurts. Nearly every gradient is longer than 1, so nearly every step has the length $\eta c = 0.001$, whatever the gradient says.
# But that judges clipping by a rate chosen without it. At $\eta = 0.1$, where many plain runs explode, the clipped ones end lower than the plain ones did.
# Clipping changes what η means: tune it again.
# </details>

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9.4, 3.7, 1, 2, sharey=True)
for ax, title, parts in ((left, "radius 2", ((wild, "plain", theme.BAD), (tamed, "clipped at 1", theme.GOOD), (sound, "radius 1, plain", theme.INK))),
                         (right, "radius 1.5", ((free, "plain", theme.BAD), (calm, "clipped at 1", theme.GOOD)))):
    for losses, name, colour in parts:
        plots.band(ax, np.clip(losses, 0.05, 30), name, lrs, colour, marker="o", ms=3)
    plots.limit(ax, persistence, "today again", axis="y", color=theme.MUTED, at=0.99)
    ax.set(xscale="log", yscale="log", ylim=(0.05, 30), xlabel="learning rate η", title=title)
    ax.legend(loc="upper center")
left.set_ylabel("loss after 100 steps (top: exploded)")
show(fig, alt="Loss after 100 steps against the rate, median and range of the seeds. Radius 2: plain runs explode, clipped ones survive, radius 1 without clipping is better. Radius 1.5: clipped is behind at small rates, works at large ones.")

# %% slideshow={"slide_type": "skip"}
harm = calm[:, 0] / free[:, 0]                            # at η = 0.001
claim(f"η = 0.001: {np.sum(harm > 1)} of {N} clipped runs end higher, in the median × {np.median(harm):.1f}",
      np.sum(harm > 1) > 0.7 * N and np.median(harm) > 1.4)
claim(f"{clipped_share:.0%} of those steps were clipped", clipped_share > 0.8)
lower, lost_runs = (calm[:, at[0.1]] < free[:, 0]).sum(), (~np.isfinite(free[:, at[0.1]])).sum()
claim(f"η = 0.1: {lost_runs} of {N} plain runs explode; {lower} of {N} clipped ones end below plain at η = 0.001",
      lost_runs > 0.3 * N and lower > 0.8 * N)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Numbers run out, too: mixed precision
#
# | | smallest step next to 1 | smallest positive number | largest |
# |:--|:--|:--|:--|
# | **float32** | $1.2\cdot10^{-7}$ | $1.4\cdot 10^{-45}$ | $3.4\cdot 10^{38}$ |
# | **float16** | $9.8\cdot10^{-4}$ | $6.0\cdot 10^{-8}$ | $65504$ |
# | **bfloat16** | $7.8\cdot10^{-3}$ | $9.2\cdot10^{-41}$ | $3.4\cdot10^{38}$ |
#
# - What is too small for float16 becomes zero: small **gradients** are lost. Cure: multiply the loss by a large number, divide the gradient by
#   it after (**loss scaling**).
# - A step below half of the spacing next to a weight changes nothing: small **updates** are lost. In float16 $1 - 0.0002 = 1$, in bfloat16 even
#   $1 - 0.001 = 1$. Cure: keep a float32 copy of the weights. Both cures are of Micikevicius et al. (2018).
#
# <details><summary><b>Predict:</b> a sound network, three layers, He's weights. When does float16 lose gradients: at the start, or late?</summary>
#
# Late. At the start next to nothing is lost. When most digits are known, their deltas are tiny, and many become zero.
# </details>

# %% slideshow={"slide_type": "skip"}
def deltas(net):
    """The deltas of all hidden layers for the mean loss of 1000 digits, one vector; those that are exactly zero left out."""
    seen = []
    hooks = [layer.register_forward_hook(lambda layer, h, z: seen.append(z)) for layer in linears(net)[:-1]]
    loss = cross_entropy(net(torch.tensor(X, dtype=torch.float32)), torch.tensor(Y))
    for hook in hooks:
        hook.remove()
    δ = torch.cat([part.ravel() for part in torch.autograd.grad(loss, seen)]).double()
    return δ[δ != 0]

LEARN, learning = 600, []                                 # per seed: deltas at the start, and after training
for seed in SEEDS:
    net = deep(64, 64, 3, 10, activation="relu", init="he", seed=seed)
    start = deltas(net)
    train(net, X, Y, torch.optim.Adam(net.parameters(), 1e-3), LEARN, seed=seed)
    learning.append((start, deltas(net)))

share = lambda δ, k, test: test((δ * 2.0**k).half()).double().mean().item()
zero = lambda δ: δ == 0
powers = np.arange(0, 41, 2)
lost_first = max(share(start, 0, zero) for start, _ in learning)
lost = np.array([[share(after, k, zero) for k in powers] for _, after in learning])
over = np.array([[share(after, k, torch.isinf) for k in powers] for _, after in learning])
weight = max((after[after.half() == 0].norm() / after.norm()).item() for _, after in learning)
claim(f"float16 makes {lost_first:.1%} of the deltas zero at the start, {lost[:, 0].min():.0%} or more after {LEARN} steps",
      lost_first < 0.01 and lost[:, 0].min() > 0.1)
claim(f"with the loss × 2¹⁶ at most {lost[:, powers == 16].max():.1%} are, and {over[:, powers == 16].max():.0%} overflow",
      lost[:, powers == 16].max() < 0.05 and over[:, powers == 16].max() == 0)
claim(f"what was lost is many and small: {weight:.1%} of the length of all deltas", weight < 0.05)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.5, 1, 2)
for δ, name, colour in zip(learning[0], ("at the start", f"after {LEARN} steps"), (theme.MUTED, theme.SEQUENCE[0])):
    left.hist(np.log10(δ.abs().numpy()), bins=np.linspace(-14, -2, 61), color=colour, alpha=0.7, label=name)
plots.limit(left, np.log10(2.0**-25), "float16: zero\nleft of here")
left.set(xlabel=r"$\log_{10}$ of |delta|", title="3 layers of ReLU, He", ylim=(0, 1.3 * left.get_ylim()[1]))
left.legend(loc="upper left")
plots.band(right, 100 * lost, "becomes zero", powers, theme.SEQUENCE[0])
plots.band(right, 100 * over, "overflows", powers, theme.BAD)
right.set(xlabel="power of two of the loss scale", ylabel="% of the deltas", title=f"loss scaling, after {LEARN} steps")
right.legend(loc="upper center")
show(fig, alt="Left: histogram of the sizes of deltas at the start and after training, with the limit of float16. Right: with a growing loss scale the share of zeros falls, later overflows rise.")

# %% slideshow={"slide_type": "skip"}
class Copied(torch.optim.SGD):
    """SGD on a float32 copy of the weights; the network computes with their rounded values."""
    def __init__(self, low, lr):
        self.low = list(low)
        super().__init__([p.detach().float() for p in self.low], lr)
    def zero_grad(self):
        for p in self.low:
            p.grad = None
    @torch.no_grad()
    def step(self):
        pairs = list(zip(self.param_groups[0]["params"], self.low))
        for copy, p in pairs:
            copy.grad = p.grad.float()
        super().step()
        for copy, p in pairs:
            p.copy_(copy)

def fall(dtype, optimizer, lr=2e-4):
    """By how much the loss falls in 200 steps, one number per seed."""
    losses = []
    for seed in SEEDS:
        net = deep(64, 64, 3, 10, activation="relu", init="he", seed=seed, dtype=dtype)
        losses.append(train(net, X, Y, optimizer(net.parameters(), lr), 200, seed=seed))
    return np.array([row[:10].mean() - row[-20:].mean() for row in losses])

whole = fall(torch.float32, torch.optim.SGD)
half = {(dtype, optimizer): fall(dtype, optimizer) for dtype in (torch.float16, torch.bfloat16) for optimizer in (torch.optim.SGD, Copied)}
for (dtype, optimizer), falls in half.items():
    print(f"{str(dtype)[6:]:9} {optimizer.__name__:7} the loss falls by {falls.round(2)}, in float32 by {whole.round(2)}")
kept = {dtype: np.median(half[dtype, torch.optim.SGD] / whole) for dtype in (torch.float16, torch.bfloat16)}
claim(f"small updates are lost in both: of the fall in float32 remain {kept[torch.float16]:.0%} in float16, {kept[torch.bfloat16]:.0%} in bfloat16",
      kept[torch.float16] < 0.8 and kept[torch.bfloat16] < 0.5)
off = max(abs(half[dtype, Copied] / whole - 1).max() for dtype in kept)
claim(f"with a float32 copy of the weights both fall as float32 does, within {off:.0%}", off < 0.15)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Regularisation (weight decay, dropout) and its effects on optimization
#
# Chapter 1 left a wound: with 40 % wrong labels the loss falls and the network gets worse. Four remedies, four mechanisms:
#
# | | what it changes | effect on the optimization |
# |:--|:--|:--|
# | **weight decay** | the step: $x \leftarrow (1-\eta\lambda)x - \dots$ | pulls to 0; in gradient descent it adds $\lambda$ to each curvature |
# | **dropout** | the network: each unit is off with probability $p$ | noise in the gradient |
# | **label smoothing** | the target: $1-\varepsilon$ instead of 1, and $\varepsilon$ shared by all classes | the gradient goes to zero at finite weights |
# | **early stopping** | the number of steps | none: it just ends |

# %% [markdown] slideshow={"slide_type": "skip"}
# ### The mathematics of two of them
#
# **Decay on a quadratic.** Along an eigenvector with curvature $\lambda_i$ and minimum $x^*$, the penalty $\tfrac\lambda2 x^2$ moves the minimum to
# $\frac{\lambda_i}{\lambda_i + \lambda}x^*$. Steep directions keep their value, flat ones are forgotten, and the condition number
# falls from $\frac{L}{\mu}$ to $\frac{L+\lambda}{\mu+\lambda}$.
#
# **Dropout.** With a mask $m_i\in\{0,1\}$, kept with probability $1-p$, the output $\tilde h_i = m_i h_i/(1-p)$ has the mean $h_i$ and the variance
# $\frac{p}{1-p}h_i^2$. The division keeps the mean, so evaluation needs no change. The variance is the price.

# %% slideshow={"slide_type": "skip"}
f = landscapes.quadratic(kappa=100)
eigenvalues, λ = np.linalg.eigvalsh(f.hess(f.start)), 1.0
def shrinking(λ):
    """Steps to shrink the error by 10⁶ at the best rate of chapter 2 for the curvatures λᵢ + λ: predicted, counted."""
    low, high = eigenvalues[0] + λ, eigenvalues[-1] + λ
    xs = run(SGD(theory.best_lr(low, high), weight_decay=λ), f, f.start, 1000)
    error = np.linalg.norm(xs, axis=-1) / np.linalg.norm(f.start)
    return int(np.ceil(np.log(1e-6) / np.log(theory.best_contraction(high / low)))), int((error > 1e-6).sum())

(plain, counted), (fewer, counted_fewer) = shrinking(0), shrinking(λ)
claim(f"steps to shrink the error by 10⁶ at κ = 100: {counted} without decay, {counted_fewer} with λ = 1; predicted {plain} and {fewer}",
      abs(counted - plain) < 5 and abs(counted_fewer - fewer) < 5 and counted_fewer < 0.6 * counted)
rng = chance.rng(0)
h, p = 2.0, 0.5
kept = h * (rng.random(100_000) > p) / (1 - p)
claim(f"dropout of h = 2: mean {kept.mean():.2f}, variance {kept.var():.2f} (predicted {p / (1 - p) * h**2:.2f})",
      abs(kept.mean() - 2) < 0.05 and abs(kept.var() - 4) < 0.1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### On noisy labels
#
# 500 digits, 40 % with a wrong label, AdamW, 300 steps, three seeds; strengths chosen by hand. To stop early you may not look at
# the test digits: 200 more digits, their labels as wrong as the others, say when.
#
# <details><summary><b>Predict:</b> which helps most? And does any of them help on clean labels?</summary>
#
# Strong decay and dropout both win back much of what the wrong labels cost. So does stopping the plain run in time. A weak decay
# does little. On these clean labels the differences are a few points at most.
# </details>

# %% slideshow={"slide_type": "skip"}
remedies = {"nothing": {}, "decay 0.1": dict(decay=0.1), "decay 5": dict(decay=5.0), "dropout 0.5": dict(p=0.5),
            "both": dict(decay=2.0, p=0.5), "smoothing 0.2": dict(smooth=0.2)}

def remedied(noise, seed, decay=0.0, p=0.0, smooth=0.0, n=500, steps=300):
    """Every 25 steps the accuracy on 200 more digits, labels as noisy, and on the test digits; the share of the given labels it repeats."""
    rng = chance.rng(seed)
    wrong = rng.random(n + 200) < noise
    labels = np.where(wrong, (Y[:n + 200] + rng.integers(1, 10, n + 200)) % 10, Y[:n + 200])
    net, seen = deep(64, 128, 2, 10, activation="relu", init="he", dropout=p, seed=seed), []
    def watch(t):
        if (t + 1) % 25 == 0:
            seen.append((accuracy(net, X[n:n + 200], labels[n:]), accuracy(net, digits.x_test, digits.y_test)))
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=decay, fused=True)
    train(net, X[:n], labels[:n], optimizer, steps, seed=seed, loss=nn.CrossEntropyLoss(label_smoothing=smooth), watch=watch)
    return *np.transpose(seen), accuracy(net, X[:n], labels[:n])

noisy = {name: [remedied(0.4, s, **kw) for s in SEEDS] for name, kw in remedies.items()}
last = {name: np.array([test[-1] for _, test, _ in runs]) for name, runs in noisy.items()}
for name, runs in noisy.items():
    print(f"{name:14} test accuracy {last[name].round(2)}   repeats {np.mean([share for *_, share in runs]):.0%} of the labels it was given")

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.4, 3.7)
for (name, runs), colour in zip(noisy.items(), theme.SEQUENCE):
    plots.curve(ax, np.median([test for _, test, _ in runs], 0), name, np.arange(25, 301, 25), colour)
ax.set(xlabel="step", ylabel="accuracy on clean test digits", title="40 % wrong labels, median of 3 seeds", ylim=(0.5, 0.95))
plots.label_ends(ax)
show(fig, alt="Test accuracy against the step with 40 percent wrong labels: without a remedy it falls, with strong decay or dropout it stays high.")

# %% slideshow={"slide_type": "skip"}
base = last["nothing"]
claim(f"dropout wins {min(last['dropout 0.5'] - base):.2f} or more, strong decay {min(last['decay 5'] - base):.2f}, both {min(last['both'] - base):.2f}, 3 of 3 seeds",
      min(last["dropout 0.5"] - base) > 0.06 and min(last["decay 5"] - base) > 0.08 and min(last["both"] - base) > 0.08)
claim(f"weak decay alone changes the median by {np.median(last['decay 0.1'] - base):+.2f}",
      abs(np.median(last["decay 0.1"] - base)) < 0.08)
smoothed = np.median(last["smoothing 0.2"] - base)
claim(f"here label smoothing with ε = 0.2 does not help against wrong labels: {smoothed:+.2f}", smoothed < 0.05)
early = np.array([test[valid.argmax()] for valid, test, _ in noisy["nothing"]])
won = np.median(early - base) / np.median(last["decay 5"] - base)
claim(f"stopping the plain run where the 200 digits are best wins {min(early - base):.2f} or more: in the median {won:.0%} of what strong decay wins",
      min(early - base) > 0.04 and won > 0.3)

# %% slideshow={"slide_type": "skip"}
clean = {name: np.array([remedied(0.0, s, steps=250, **remedies[name])[1][-1] for s in SEEDS]) for name in ("nothing", "dropout 0.5", "both")}
for name, values in clean.items():
    print(f"clean labels, {name:12} {values.round(3)}")
claim(f"on clean labels neither dropout nor both moved the median by more than {max(abs(np.median(v) - np.median(clean['nothing'])) for v in clean.values()):.3f}",
      max(abs(np.median(v) - np.median(clean["nothing"])) for v in clean.values()) < 0.05)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Weight decay under batch norm is something else
#
# Batch norm divides the scale of $W$ out again: $f(cW) = f(W)$. Differentiate by $W$: $\;\nabla f(cW) = \tfrac1c \nabla f(W)$.
# So training $cW$ with the rate $c^2\eta$ is training $W$ with $\eta$: only the **effective rate** $\eta/\lVert W\rVert^2$ counts (van Laarhoven 2017).
# Decay of such a $W$ cannot make the function simpler. It shrinks $W$, and that *raises the effective rate*.

# %% slideshow={"slide_type": "skip"}
net = deep(64, 64, 2, 10, activation="relu", init="he", norm="batch", dtype=torch.float64)
inputs, targets, W = torch.tensor(X[:200]), torch.tensor(Y[:200]), linears(net)[1].weight
before = cross_entropy(net(inputs), targets)
g1 = torch.autograd.grad(before, W)[0]
W.data *= 3
after3 = cross_entropy(net(inputs), targets)
g3 = torch.autograd.grad(after3, W)[0]
claim(f"weights × 3 before a batch norm: loss {before.item():.4f} and {after3.item():.4f}, gradient divided by {(g1.norm() / g3.norm()).item():.3f}",
      abs(before.item() - after3.item()) < 1e-3 and abs((g1.norm() / g3.norm()).item() - 3) < 0.05)

def scaled(c, times):
    """40 losses with all weights before a norm × c and their rate × times."""
    net = deep(64, 64, 2, 10, activation="relu", init="he", norm="batch", dtype=torch.float64)
    normed = [layer.weight for layer in linears(net)[:-1]]
    others = [p for p in net.parameters() if not any(p is W for W in normed)]
    for W in normed:
        W.data *= c
    return train(net, X, Y, torch.optim.SGD([dict(params=normed, lr=0.1 * times), dict(params=others, lr=0.1)]), 40)

once, both, only = scaled(1, 1), scaled(3, 9), scaled(3, 1)
claim(f"weights × 3 and their rate × 9: the same 40 losses to {abs(both - once).max():.0e}; with the old rate the last is {only[-1]:.2f}, not {once[-1]:.2f}",
      abs(both - once).max() < 1e-3 and only[-1] > 1.3 * once[-1])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Which technique for which symptom?
#
# | what you see | look at | try first |
# |:--|:--|:--|
# | loss stays at $\log 10$ from the start | deltas per layer | He or orthogonal weights, shortcuts with small branches |
# | loss becomes NaN at once | activations per layer | smaller gain; a norm (then look at the deltas) |
# | loss is fine, then jumps | norm of the gradient | clipping by norm, smaller rate |
# | loss falls too slowly | update / weight | larger rate; is everything clipped? |
# | good in training, poor in use | training and evaluation mode | `model.eval()`, larger batch, layer norm |
# | training loss falls, validation rises | both curves | early stopping, dropout, decay, more data |

# %% [markdown] slideshow={"slide_type": "notes"}
# The slide to leave on the screen during questions. Each row is a measurement of this chapter, but for "more data".

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Replace each `...`, run the cell, then its check.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1 (derive): He's standard deviation
#
# A ReLU layer has 512 inputs and 128 outputs. Which **standard deviation** of its weights keeps the mean square of the signal on its way forward?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
deviation = np.sqrt(2 / 512)
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("06.he", deviation)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - The variance of $z = \sum_j W_j h_j$ is a sum over the inputs. How many are there?
# - ReLU keeps half of the mean square of $z$. What must the variance of a weight be, so that the next layer's $z$ has the same mean square again?

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2 (implement): clipping by the global norm
#
# `grads` is a list of arrays, one per tensor. Return a list of arrays: the whole gradient, shortened to norm `c` if it is longer.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def clip(grads, c):
    """The gradients (list of arrays), together of norm c at most."""
    ### BEGIN SOLUTION
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    return [g * min(1, c / max(norm, 1e-300)) for g in grads]
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("06.clip", clip)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - There is one norm, over all numbers of all tensors, and one factor.
# - What must the factor be when the gradient is already short?

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3 (implement): batch norm, forward
#
# `z` is (examples, units), `gamma` and `beta` are (units,). Return the output in training mode.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def batch_norm(z, gamma, beta, eps):
    """γ (z − μ) / √(σ² + ε) + β with the mean and variance of the batch."""
    ### BEGIN SOLUTION
    return gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + eps) + beta
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("06.batch_norm", batch_norm)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Over which axis do the examples run?
# - `z.var(0)` divides by the number of examples, as batch norm does. ε belongs inside the root.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4 (implement): dropout
#
# `keep` holds 1 for units that stay and 0 for those dropped; `p` is the probability of being dropped. Return what the next layer receives
# in training, so that evaluation needs no change.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def dropout(h, keep, p):
    """The activations h after dropout, with the mean of h."""
    ### BEGIN SOLUTION
    return h * keep / (1 - p)
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("06.dropout", dropout)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What is the mean of `keep`?
# - Multiply the survivors so that the mean of the product is 1.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5 (implement): what to decay
#
# `shapes` maps parameter names to shapes, as in `{"0.linear.weight": (64, 64), "0.norm.weight": (64,), ...}`. Return the names of those that weight decay should touch:
# the matrices, but neither biases nor the parameters of norms.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def decayed(shapes):
    """The names of the parameters to decay."""
    ### BEGIN SOLUTION
    return [name for name, shape in shapes.items() if len(shape) > 1]
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("06.decayed", decayed)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - A norm's `weight` is called weight, too. What tells it from a matrix?
# - Its shape has one number.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6 (experiment): forty layers of ReLU
#
# Find a gain σ (weights of variance σ²/fan-in) with which the delta of layer 1 is within a factor 3 of that of layer 40. Use the Initialisation explorer.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
gain40 = 1.414
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("06.gain", gain40)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Forty factors must multiply to between 1/3 and 3. How close to 1 must each be?
# - Theory: $\chi = \sigma^2/2$ for ReLU.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# | idea | in one sentence |
# |:--|:--|
# | **product of factors** | depth raises the factor per layer to a power: only factors near 1 survive |
# | **three signals** | look at activations, deltas and weight gradients; level weight gradients can be dead |
# | **mean field** | two integrals predict the factor: $\chi<1$ vanishes, $\chi>1$ explodes |
# | **initialisation** | weights differ, with variance $1/n$ for tanh and $2/n$ for ReLU; orthogonal is stricter, LSUV measures |
# | **shortcuts** | addition keeps a way back; keep the branches small |
# | **thermometer** | update over weight, about $10^{-3}$ to $10^{-2}$ in the first steps; later a dead network reads the same |
# | **batch norm** | level activations, larger rates; deltas grow with depth; needs a batch and two modes |
# | **clipping** | bounds one step, by norm to keep its direction; while it acts, a step has length $\eta c$: tune $\eta$ again |
# | **precision** | float16 loses small gradients: scale the loss; both 16-bit formats lose small updates: keep a float32 copy |
# | **regularisation** | against noisy labels strong decay, dropout and stopping in time help; on 500 clean digits they changed little |

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - Y. LeCun, L. Bottou, G. Orr, K.-R. Müller. *Efficient BackProp.* In: Neural Networks: Tricks of the Trade, Springer, 1998.
# - X. Glorot, Y. Bengio. *Understanding the difficulty of training deep feedforward neural networks.* AISTATS 2010.
# - R. Pascanu, T. Mikolov, Y. Bengio. *On the difficulty of training recurrent neural networks.* ICML 2013. Clipping, the cliff.
# - A. Saxe, J. McClelland, S. Ganguli. *Exact solutions to the nonlinear dynamics of learning in deep linear neural networks.* ICLR 2014. Orthogonal weights.
# - N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov. *Dropout: a simple way to prevent neural networks from overfitting.* JMLR 15, 2014.
# - K. He, X. Zhang, S. Ren, J. Sun. *Delving deep into rectifiers: surpassing human-level performance on ImageNet classification.* ICCV 2015. *Deep residual learning for image recognition.* CVPR 2016. Shortcuts.
# - S. Ioffe, C. Szegedy. *Batch normalization: accelerating deep network training by reducing internal covariate shift.* ICML 2015.
# - D. Mishkin, J. Matas. *All you need is a good init.* ICLR 2016. LSUV.
# - J. Ba, J. Kiros, G. Hinton. *Layer normalization.* arXiv:1607.06450, 2016.
# - A. Karpathy. *CS231n: Convolutional neural networks for visual recognition.* Course notes, part 3 on neural networks, cs231n.github.io, 2016. Update over weight.
# - C. Szegedy et al. *Rethinking the Inception architecture for computer vision.* CVPR 2016. Label smoothing.
# - B. Poole, S. Lahiri, M. Raghu, J. Sohl-Dickstein, S. Ganguli. *Exponential expressivity in deep neural networks through transient chaos.* NIPS 2016.
# - S. Schoenholz, J. Gilmer, S. Ganguli, J. Sohl-Dickstein. *Deep information propagation.* ICLR 2017.
# - Y. Wu, K. He. *Group normalization.* ECCV 2018.
# - G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein, S. Schoenholz. *A mean field theory of batch normalization.* ICLR 2019.
# - S. Santurkar, D. Tsipras, A. Ilyas, A. Madry. *How does batch normalization help optimization?* NeurIPS 2018.
# - P. Micikevicius et al. *Mixed precision training.* ICLR 2018.
# - T. van Laarhoven. *L2 regularization versus batch and weight normalization.* arXiv:1706.05350, 2017.
# - I. Loshchilov, F. Hutter. *Decoupled weight decay regularization.* ICLR 2019. AdamW.
