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
from matplotlib.colors import TwoSlopeNorm
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from shared import chance, data, theory
from shared.course import check, claim, show
from shared.descent import run
from shared.explorers import batchnorm, clipping, gradient_flow, initialisation
from shared.figures import plots, theme
from shared.models.deep import deep, initialise, linears
from shared.optimizers import SGD
from shared.problems import Clipped, MiniBatch, landscapes
from shared.problems.flow import flow, per_layer, thermometer
from shared.problems.networks import NetworkOracle
from shared.problems.training import accuracy, train

torch.set_num_threads(1)
digits = data.digits(standardize=True)                    # every pixel: mean 0, variance 1
X, Y = digits.x_train[:1000], digits.y_train[:1000]
SEEDS = range(3)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# A real network of twenty layers and one batch of digits. Each bar is one layer, measured anew at each move.

# %% slideshow={"slide_type": "-"}
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
show(flow)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary><b>Predict:</b> sigmoid units, weights of variance 1/fan-in. By what factor does the delta change per layer, at most?</summary>
#
# The slope of the sigmoid is at most $1/4$, and a matrix with variance $1/n$ keeps the length of a vector on average.
# So at most $1/4$ per layer, on average. Thirty layers: $4^{-29}$, some $10^{-18}$.
# </details>

# %% slideshow={"slide_type": "skip"}
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
claim(f"sigmoid with Xavier: × {factor['sigmoid', 'xavier'].round(3)} per layer, 3 seeds: below 1/4", factor["sigmoid", "xavier"].max() < 0.25)
claim(f"tanh with Xavier stays near 1: × {factor['tanh', 'xavier'].round(2)}", abs(factor["tanh", "xavier"] - 1).max() < 0.1)
claim(f"tanh with large weights explodes: × {factor['tanh', 'large'].round(2)}", factor["tanh", "large"].min() > 1.7)
claim(f"ReLU with Xavier vanishes, × {factor['relu', 'xavier'].round(2)}; with He it does not, × {factor['relu', 'he'].round(2)}",
      factor["relu", "xavier"].max() < 0.8 and abs(factor["relu", "he"] - 1).max() < 0.1)
deepest = [measured("relu", "large", depth=50, seed=s).activations[-1] for s in SEEDS]
claim(f"ReLU with large weights, 50 layers: the activations of {np.sum(~np.isfinite(deepest))} of 3 seeds are beyond the largest float32", not np.isfinite(deepest).any())

# %% slideshow={"slide_type": "subslide"}
fig, axes = theme.figure(9.6, 4, 1, 3, sharey=True)
for ax, activation in zip(axes, activations):
    for i, scheme in enumerate(schemes):
        plots.band(ax, np.clip([f.deltas for f in flows[activation, scheme]], 1e-25, 1e25), scheme, np.arange(1, 31), theme.SEQUENCE[i])
    ax.set(yscale="log", ylim=(1e-20, 1e20), title=activation, xlabel="layer")
axes[0].set_ylabel("delta, root mean square")
axes[0].legend(loc="upper center", ncols=2)
show(fig, alt="Deltas against the layer for sigmoid, tanh and ReLU and five initialisations: straight lines on a logarithmic axis, most of them steep.")

# %% [markdown] slideshow={"slide_type": "notes"}
# Straight lines on a log axis: a constant factor per layer. Slope down to the left: vanishing. Ask which pairs are flat.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Equal weight gradients are not health
#
# A popular check looks only at the weight gradients, and calls the network healthy if all layers have the same.
#
# <details><summary><b>Predict:</b> tanh with tiny weights. Activations shrink going up, deltas shrink going down. And their product?</summary>
#
# It is the same in every layer: what the activation loses, the delta has not lost yet. Perfectly equal, and dead.
# </details>

# %% slideshow={"slide_type": "-"}
tiny = flows["tanh", "small"][0]
fig, ax = theme.figure(8, 3.4)
for name, y_, colour in zip(("activations", "deltas", "weight gradients"), tiny, theme.SEQUENCE):
    plots.curve(ax, y_, name, np.arange(1, 31), colour)
ax.set(yscale="log", xlabel="layer", ylabel="root mean square", title="tanh, small weights: equal gradients, dead network")
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

# %% slideshow={"slide_type": "skip"}
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
# They stay twins for ever. With zeros it is worse: nothing flows at all.
#
# <details><summary><b>Predict:</b> 64 twins per layer, trained for 100 steps. How many different units has the network then?</summary>
#
# One per layer. A gradient step cannot break a symmetry that the loss does not break. Only random numbers can.
# </details>

# %% slideshow={"slide_type": "skip"}
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
# Gradients that arrive are a means. Twenty layers, digits, the same optimizer, the same 150 steps.
#
# <details><summary><b>Predict:</b> one of the six is PyTorch's own default for <code>nn.Linear</code>. Does it train at depth 20?</summary>
#
# It does not. The default has variance $1/(3n)$, a gain of $0.58$. With ReLU that is × 0.41 per layer.
# </details>

# %% slideshow={"slide_type": "skip"}
contenders = {
    "ReLU, torch default": dict(activation="relu", init="torch"),
    "ReLU, Xavier": dict(activation="relu", init="xavier"),
    "ReLU, He": dict(activation="relu", init="he"),
    "default + batch norm": dict(activation="relu", init="torch", norm="batch", running=True),
    "tanh, orthogonal": dict(activation="tanh", init="orthogonal"),
    "shortcuts, small ReLU": dict(activation="relu", init="xavier", gain=0.2, residual=True),
}
reached = {}
for name, options in contenders.items():
    for seed in SEEDS:
        net = deep(64, 64, 20, 10, seed=seed, **options)
        train(net, X, Y, torch.optim.SGD(net.parameters(), 0.02, momentum=0.9, fused=True), 150, seed=seed)
        reached.setdefault(name, []).append(accuracy(net, digits.x_test, digits.y_test))
    print(f"{name:24} test accuracy {np.round(reached[name], 3)}")

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8.5, 3.6)
for i, values in enumerate(reached.values()):
    ax.barh(i, np.median(values), color=theme.SEQUENCE[0], alpha=0.75)
    ax.plot(values, [i] * 3, "o", color=theme.INK, ms=4)
ax.set(yticks=range(len(reached)), xlim=(0, 1), xlabel="test accuracy after 150 steps", title="twenty layers")
ax.set_yticklabels(list(reached))
ax.invert_yaxis()
plots.limit(ax, 0.1, "guessing")
show(fig, alt="Test accuracy of six twenty-layer networks: the default and Xavier with ReLU stay at guessing, orthogonal tanh and shortcuts learn best.")

# %% slideshow={"slide_type": "skip"}
default = np.array([1 / per_layer(measured("relu", "torch", seed=s).deltas) for s in SEEDS])
claim(f"torch's default multiplies the delta by {default.round(2)} per layer", 0.35 < default.min() and default.max() < 0.48)
claim(f"the default guesses: {max(reached['ReLU, torch default']):.2f} at best", max(reached["ReLU, torch default"]) < 0.2)
claim(f"He's factor 2 is enough to begin to learn: {min(reached['ReLU, He']):.2f} or more", min(reached["ReLU, He"]) > 0.2)
claim(f"batch norm, orthogonal tanh and shortcuts: at least {min(min(reached[n]) for n in list(reached)[3:]):.2f}",
      min(min(reached[n]) for n in list(reached)[3:]) > 0.5)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Shortcuts: add instead of multiply
#
# $h_{l} = h_{l-1} + \varphi(W_l h_{l-1})$ has the derivative $1 + \dots$: the delta always has a way back that no weight can close.
# But sums grow. With He's weights each layer *adds* about as much as the stream already carries, so its mean square at least doubles:

# %% slideshow={"slide_type": "-"}
grown = {gain: [measured("relu", "he", depth=20, seed=s, residual=True, gain=gain).activations[-1] for s in SEEDS] for gain in (1.0, 0.15)}
claim(f"shortcuts with He, 20 layers: activations reach {min(grown[1.0]):.0f} or more; with weights × 0.15 at most {max(grown[0.15]):.2f}",
      min(grown[1.0]) > 100 and max(grown[0.15]) < 5)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### A thermometer to keep
#
# During training, ask each step: how large is the update, compared with the weight? $\lVert\Delta W\rVert / \lVert W\rVert$, about $10^{-3}$, is a good
# rule of thumb (Karpathy). It works for every optimizer, because it looks at the step, not at the gradient.

# %% slideshow={"slide_type": "skip"}
show(thermometer)

# %% slideshow={"slide_type": "skip"}
def warmth(lr, steps=150, seed=0):
    """The ratios of all layers at each step, and the losses: (steps, layers), (steps,)."""
    net, readings, losses = deep(64, 64, 4, 10, activation="relu", init="he", seed=seed), [], []
    optimizer = torch.optim.Adam(net.parameters(), lr)
    inputs, targets, generator = torch.tensor(X, dtype=torch.float32), torch.tensor(Y), chance.generator(seed)
    for _ in range(steps):
        rows = torch.randperm(1000, generator=generator)[:50]
        optimizer.zero_grad()
        loss = cross_entropy(net(inputs[rows]), targets[rows])
        loss.backward()
        readings.append(list(thermometer(net, optimizer.step).values()))
        losses.append(loss.item())
    return np.array(readings), np.array(losses)

rates = {1e-5: "too cold", 1e-3: "healthy", 1e-1: "too hot"}
warm = {lr: [warmth(lr, seed=s) for s in SEEDS] for lr in rates}
for lr, name in rates.items():
    print(f"Adam, η = {lr:.0e}: ratio {np.median([r[5:] for r, _ in warm[lr]]):.1e}   last losses {[round(float(l[-10:].mean()), 2) for _, l in warm[lr]]}   {name}")
end = {lr: [l[-10:].mean() for _, l in warm[lr]] for lr in rates}
claim("too cold and too hot both end above 5 times the healthy loss, 3 of 3 seeds", min(end[1e-5] + end[1e-1]) > 5 * max(end[1e-3]))

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9, 3.6, 1, 2)
for (lr, name), colour in zip(rates.items(), (theme.SEQUENCE[0], theme.GOOD, theme.BAD)):
    plots.band(left, [np.median(r, 1) for r, _ in warm[lr]], name, color=colour)
    plots.band(right, np.clip([l for _, l in warm[lr]], 1e-3, 1e3), f"{name}: η = {lr:.0e}", color=colour)
plots.limit(left, 1e-3, "rule of thumb", axis="y", color=theme.MUTED)
left.set(yscale="log", ylim=(1e-6, 10), title="update / weight, median layer", xlabel="step")
right.set(yscale="log", title="training loss", xlabel="step")
right.legend(loc="lower left")
show(fig, alt="Left: the update to weight ratio for three rates, each a hundred times or several times the one before. Right: only the middle one learns well.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Batch normalisation
#
# Initialisation sets the right scale once. **Batch norm** enforces it at every step, per unit, over the batch:
#
# $$ \hat z = \frac{z - \mu_B}{\sqrt{\sigma_B^2 + \varepsilon}}, \qquad \text{output} = \gamma \hat z + \beta , $$
#
# with mean $\mu_B$ and variance $\sigma_B^2$ of the batch, and learned $\gamma, \beta$ (here $\beta$ is a shift, not the momentum).
# In **training** mode it uses the batch. In **evaluation** mode it uses running averages of what it saw: one example must not depend on its neighbours.

# %% slideshow={"slide_type": "skip"}
z = torch.tensor(X[:16, 20:25])
ours = (z - z.mean(0)) / torch.sqrt(z.var(0, correction=0) + 1e-5)
claim(f"the formula is nn.BatchNorm1d: largest difference {(ours - nn.BatchNorm1d(5, dtype=torch.float64)(z)).abs().max():.0e}",
      torch.allclose(ours, nn.BatchNorm1d(5, dtype=torch.float64)(z).detach(), atol=1e-12))

# %% slideshow={"slide_type": "subslide"}
batchnorm.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# Slide the *weights* up and watch which map turns bright. Then slide η: how far can each network step before the loss rises above its
# start? Now make the batch small.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### It widens the range of rates
#
# Three hidden layers, He's weights. Learning rates over three decades, 100 steps, three seeds.
#
# <details><summary><b>Predict:</b> up to which rate does each network train?</summary>
#
# The plain one breaks near $\eta = 1$. With batch norm rates several times larger still work. Note what does *not*
# follow: at rates that suit both, batch norm is not faster here.
# </details>

# %% slideshow={"slide_type": "skip"}
etas = np.geomspace(0.03, 30, 13)
final = {}
for norm in ("none", "batch"):
    nets = [NetworkOracle(deep(64, 64, 3, 10, activation="relu", init="he", norm=norm, seed=s), cross_entropy, X, Y) for s in SEEDS]
    starts = np.broadcast_to(np.stack([f.start for f in nets])[:, None], (3, len(etas), nets[0].dim))
    final[norm] = nets[0](run(SGD(etas), MiniBatch(nets[0], 50, seed=0), starts, 100, every=100)[-1])   # (seeds, rates)
usable = {norm: [etas[np.nan_to_num(row, nan=99) < 0.3].max() for row in losses] for norm, losses in final.items()}
gain = np.min(np.array(usable["batch"]) / usable["none"])
slow = etas < 0.4
claim("at every rate below 0.4 the plain network is ahead, in the median of 3 seeds",
      np.all(np.median(final["none"][:, slow], 0) < np.median(final["batch"][:, slow], 0)))
claim(f"largest rate with a loss below 0.3: plain {np.round(usable['none'], 2)}, batch norm {np.round(usable['batch'], 2)}, at least × {gain:.1f}", gain > 2)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8, 3.6)
for losses, name, colour in zip(final.values(), ("plain", "batch norm"), (theme.BAD, theme.GOOD)):
    plots.band(ax, np.clip(np.nan_to_num(losses, nan=1e4), 1e-3, 1e4), name, etas, colour)
ax.set(xscale="log", yscale="log", ylim=(3e-3, 1e2), xlabel="learning rate η", ylabel="loss after 100 steps", title="batch norm: larger rates work")
ax.legend(loc="lower right")
show(fig, alt="Loss after 100 steps against the learning rate; the plain network breaks near one, batch norm works up to several times that.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why? The gradient keeps its word
#
# The reason Ioffe & Szegedy (2015) gave was *internal covariate shift*. Santurkar et al. (2018) tested that, and found another: the
# loss becomes smoother. Test it as they did. At many moments of training, walk along the gradient and ask:
# how much does the **loss** vary? How much does the **gradient** change?

# %% slideshow={"slide_type": "skip"}
def smoothness(norm, seed, steps=60, every=6):
    """Medians over training: range of the loss along −g, and change of the gradient relative to its norm."""
    f = NetworkOracle(deep(64, 64, 8, 10, activation="relu", init="he", norm=norm, seed=seed), cross_entropy, X, Y)
    batches, found = MiniBatch(f, 50, seed=seed), []
    for k, x in enumerate(run(SGD(0.05), batches, f.start, steps, every=every)[1:], 1):
        b = batches.at(every * k + 1)
        g = b.grad(x)
        line = x - np.linspace(0.05, 0.4, 6)[:, None] * g
        found.append((np.ptp(b(line)), np.linalg.norm(b.grad(line) - g, axis=-1).max() / np.linalg.norm(g)))
    return np.median(found, 0)

smooth = {norm: np.array([smoothness(norm, s) for s in SEEDS]) for norm in ("none", "batch")}
for norm, values in smooth.items():
    print(f"{norm:6} range of the loss {values[:, 0].round(2)}   change of the gradient {values[:, 1].round(2)}")
claim("without batch norm the loss along the gradient varies at least 5 times as much, and the gradient changes at least twice as much",
      min(smooth["none"][:, 0]) > 5 * max(smooth["batch"][:, 0]) and min(smooth["none"][:, 1]) > 2 * max(smooth["batch"][:, 1]))

# %% [markdown] slideshow={"slide_type": "notes"}
# This is a measurement on a small MLP with eight layers. Santurkar et al. used VGG. The direction of the effect is the same.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Its price: the batch
#
# The statistics of a batch of two are nearly noise. Each unit then outputs about $\pm1$ whatever it saw.
# **Layer norm** averages over the units of one example instead: no batch, no running averages, no two modes.
# **Group norm** (Wu & He 2018) does the same over a few groups of units.

# %% slideshow={"slide_type": "skip"}
sizes, by_batch = (2, 4, 8, 32), {}
for norm in ("batch", "layer"):
    for B in sizes:
        for seed in SEEDS:
            net = deep(64, 64, 3, 10, activation="relu", init="he", norm=norm, running=True, seed=seed)
            train(net, X, Y, torch.optim.SGD(net.parameters(), 0.1, fused=True), 200, batch_size=B, seed=seed)
            by_batch.setdefault((norm, B), []).append(accuracy(net, digits.x_test, digits.y_test))
claim(f"batch norm with B = 2: {np.round(by_batch['batch', 2], 2)}, with B = 32: {np.round(by_batch['batch', 32], 2)}",
      max(by_batch["batch", 2]) < 0.75 and min(by_batch["batch", 32]) > 0.9)
claim(f"layer norm with B = 2: {np.round(by_batch['layer', 2], 2)}", min(by_batch["layer", 2]) > max(by_batch["batch", 2]) + 0.1)

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
claim(f"the same weights: {right:.2f} in evaluation mode, {wrong:.2f} in training mode with two examples at a time", wrong < right - 0.3)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Gradient clipping
#
# One bad batch, one steep wall, and a single step undoes an hour. The remedy takes one line:
#
# $$ g \leftarrow g \cdot \min\left(1, \frac{c}{\lVert g\rVert}\right) $$
#
# **By norm**: all parameters together, so the direction stays. **By value**, each number to $\pm c$: simpler, and it turns the direction.

# %% slideshow={"slide_type": "skip"}
show(Clipped)

# %% slideshow={"slide_type": "subslide"}
clipping.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# Play. The red path touches the wall and is thrown back over the plain, again and again. Raise the bound $c$ until green is thrown, too.
# Then lower it to 0.01: nothing is thrown, and nothing arrives either.

# %% slideshow={"slide_type": "skip"}
# NBVAL_CHECK_OUTPUT
cliff = landscapes.cliff()
paths = {"plain": run(SGD(1.0), cliff, cliff.start, 80), "clipped": run(SGD(1.0), Clipped(cliff, max_norm=0.5), cliff.start, 80)}
jump = {name: np.linalg.norm(np.diff(xs, axis=0), axis=-1).max() for name, xs in paths.items()}
claim(f"longest step: plain {jump['plain']:.1f}, clipped {jump['clipped']:.2f}", jump["plain"] > 5 and jump["clipped"] <= 0.5 + 1e-9)
g = np.array([3.0, 0.1])
turned = np.degrees(np.arccos(np.clip(g, -0.1, 0.1) @ g / np.linalg.norm(g) / np.linalg.norm(np.clip(g, -0.1, 0.1))))
claim(f"clipping (3, 0.1) by value at 0.1 turns it by {turned:.0f} degrees, by norm by 0", turned > 40)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A recurrent network on sunspots
#
# The same matrix twenty times in a row: a recurrent network *is* a deep network whose layers share one weight matrix. Here with spectral radius 2.

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
spots = data.sunspots().value
spots = (spots - spots[:200].mean()) / spots[:200].std()
windows, after = np.stack([spots[i:i + 20] for i in range(180)]), spots[20:200]

def forecast(radius, lr, clip, steps=100):
    """Batch losses of five seeds: (5, steps)."""
    losses = []
    for seed in range(5):
        net = Recurrent(radius, seed)
        losses.append(train(net, windows, after, torch.optim.SGD(net.parameters(), lr), steps, batch_size=32, loss=mse_loss, clip=clip, seed=seed))
    return np.array(losses)

plain, clipped = forecast(2.0, 0.03, None), forecast(2.0, 0.03, 1.0)
exploded = (~np.isfinite(plain)).any(1)
better = clipped[:, -10:].mean(1) / clipped[:, 0]
claim(f"without clipping {exploded.sum()} of 5 runs explode beyond float32", exploded.sum() >= 4)
claim(f"clipped at 1, all five survive; the loss falls to {better.max():.1%} of its start or less", np.isfinite(clipped).all() and better.max() < 0.2)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8, 3.5)
for losses, name, colour in ((plain, "plain", theme.BAD), (clipped, "clipped at 1", theme.GOOD)):
    for i, row in enumerate(losses):
        ax.plot(np.nan_to_num(row[:3] if name == "plain" else row, nan=1e25, posinf=1e25), "-o" if name == "plain" else "-", ms=4,
                color=colour, lw=1.3, label=None if i else name)
ax.set(yscale="log", ylim=(0.05, 1e25), xlabel="step", ylabel="loss", title="five seeds each")
ax.legend(loc="upper right")
show(fig, alt="Losses of a recurrent network: without clipping they leave the plot within three steps, with clipping all five fall.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### When clipping hurts
#
# Clipping shortens large gradients, whether they are accidents or signal.
#
# <details><summary><b>Predict:</b> radius 1.5, a careful rate of 0.003: no run explodes. What does clipping at 1 do?</summary>
#
# It slows at least four of the five runs. Early gradients are long because there is much to learn, and the clip cuts each of them.
# If most of your steps are clipped, you have chosen a smaller learning rate without knowing it.
# </details>

# %% slideshow={"slide_type": "skip"}
calm = {clip: forecast(1.5, 0.003, clip)[:, -20:].mean(1) for clip in (None, 1.0)}
print("loss, plain  ", calm[None].round(2), "\nloss, clipped", calm[1.0].round(2))
claim(f"here clipping costs: {np.sum(calm[1.0] > calm[None])} of 5 runs end higher, in the median by {np.median(calm[1.0] / calm[None] - 1):.0%}",
      np.sum(calm[1.0] > calm[None]) >= 4 and np.median(calm[1.0] / calm[None]) > 1.2)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Numbers run out, too: mixed precision
#
# | | smallest step next to 1 | smallest positive number | largest |
# |:--|:--|:--|:--|
# | **float32** | $1.2\cdot10^{-7}$ | $1.4\cdot 10^{-45}$ | $3.4\cdot 10^{38}$ |
# | **float16** | $9.8\cdot10^{-4}$ | $6.0\cdot 10^{-8}$ | $65504$ |
# | **bfloat16** | $7.8\cdot10^{-3}$ | $9.2\cdot10^{-41}$ | $3.4\cdot10^{38}$ |
#
# float16 lets small **gradients** vanish to zero. Cure: multiply the loss by a large number, divide the gradient by it after (**loss scaling**).
# bfloat16 lets small **updates** vanish: $1 - 0.001 = 1$. Cure: keep a float32 copy of the weights.

# %% slideshow={"slide_type": "skip"}
def gradient(seed):
    """All weight gradients of a ReLU-Xavier network of 30 layers, one vector; those that are exactly zero left out."""
    net = deep(64, 64, 30, 10, activation="relu", init="xavier", seed=seed, dtype=torch.float64)
    cross_entropy(net(torch.tensor(X[:100])), torch.tensor(Y[:100])).backward()
    g = torch.cat([layer.weight.grad.ravel() for layer in linears(net)])
    return g[g != 0]

powers = np.arange(0, 41, 2)
grads = [gradient(s) for s in SEEDS]
lost = np.array([[((g * 2.0**k).half() == 0).double().mean().item() for k in powers] for g in grads])
over = np.array([[torch.isinf((g * 2.0**k).half()).double().mean().item() for k in powers] for g in grads])
claim(f"in float16 {lost[:, 0].min():.0%} or more of the gradient is zero; with the loss × 2¹⁶ at most {lost[:, powers == 16].max():.1%}, and {over[:, powers == 16].max():.0%} overflows",
      lost[:, 0].min() > 0.1 and lost[:, powers == 16].max() < 0.02 and over[:, powers == 16].max() == 0)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.5, 1, 2)
left.hist(np.log10(grads[0].abs().numpy()), bins=60, color=theme.MUTED)
plots.limit(left, np.log10(2.0**-25), "float16: zero\nleft of here")
left.set(xlabel=r"$\log_{10}$ of |gradient|", title="30 layers of ReLU, Xavier", ylim=(0, 1.3 * left.get_ylim()[1]))
plots.band(right, 100 * lost, "becomes zero", powers, theme.SEQUENCE[0])
plots.band(right, 100 * over, "overflows", powers, theme.BAD)
right.set(xlabel="power of two of the loss scale", ylabel="% of the gradient", title="loss scaling")
right.legend(loc="upper center")
show(fig, alt="Left: histogram of gradient sizes with the limit of float16 inside. Right: with a growing loss scale the share of zeros falls, later overflows rise.")

# %% slideshow={"slide_type": "skip"}
stalled = {}
for dtype in (torch.float32, torch.bfloat16):
    for seed in SEEDS:
        net = deep(64, 64, 3, 10, activation="relu", init="he", seed=seed, dtype=dtype)
        losses = train(net, X, Y, torch.optim.SGD(net.parameters(), 1e-3), 300, seed=seed)
        stalled.setdefault(dtype, []).append(losses[:10].mean() - losses[-20:].mean())
claim(f"η = 0.001, 300 steps: the loss falls by {np.round(stalled[torch.float32], 2)} in float32 and by {np.round(stalled[torch.bfloat16], 2)} with bfloat16 weights",
      all(b < 0.7 * f for f, b in zip(stalled[torch.float32], stalled[torch.bfloat16])))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Regularisation (weight decay, dropout) and its effects on optimization
#
# Chapter 1 left a wound: with 40 % wrong labels the loss falls and the network gets worse. Four remedies, four mechanisms:
#
# | | what it changes | effect on the optimization |
# |:--|:--|:--|
# | **weight decay** | the step: $x \leftarrow (1-\eta\lambda)x - \dots$ | pulls to 0; curvature $+\lambda$ in each direction |
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
steps = [int(np.ceil(np.log(1e-6) / np.log(theory.best_contraction((eigenvalues[-1] + add) / (eigenvalues[0] + add))))) for add in (0, λ)]
claim(f"steps to shrink the error by 10⁶ at κ = 100, by the rate of chapter 2: {steps[0]} without decay, {steps[1]} with λ = 1", steps[1] < 0.6 * steps[0])
rng = chance.rng(0)
h, p = 2.0, 0.5
kept = h * (rng.random(100_000) > p) / (1 - p)
claim(f"dropout of h = 2: mean {kept.mean():.2f}, variance {kept.var():.2f} (predicted {p / (1 - p) * h**2:.2f})", abs(kept.mean() - 2) < 0.05 and abs(kept.var() - 4) < 0.1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### On noisy labels
#
# 500 digits, 40 % with a wrong label, AdamW, 300 steps, three seeds.
#
# <details><summary><b>Predict:</b> which helps most? And does any of them help on clean labels?</summary>
#
# Strong decay and dropout both win back much of what the wrong labels cost. A weak decay does little. On clean labels
# there is little to win, and the differences are a few points at most.
# </details>

# %% slideshow={"slide_type": "skip"}
remedies = {"nothing": {}, "decay 0.1": dict(decay=0.1), "decay 5": dict(decay=5.0), "dropout 0.5": dict(p=0.5),
            "both": dict(decay=2.0, p=0.5), "smoothing 0.2": dict(smooth=0.2)}

def remedied(noise, seed, decay=0.0, p=0.0, smooth=0.0, n=500, steps=300):
    """Test accuracy every 50 steps, and the share of the given labels that the network repeats at the end."""
    rng = chance.rng(seed)
    wrong = rng.random(n) < noise
    labels = np.where(wrong, (Y[:n] + rng.integers(1, 10, n)) % 10, Y[:n])
    net, seen = deep(64, 128, 2, 10, activation="relu", init="he", dropout=p, seed=seed), []
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=decay, fused=True)
    train(net, X[:n], labels, optimizer, steps, seed=seed, loss=nn.CrossEntropyLoss(label_smoothing=smooth),
          watch=lambda t: (t + 1) % 50 or seen.append(accuracy(net, digits.x_test, digits.y_test)))
    return seen, accuracy(net, X[:n], labels)

noisy = {name: [remedied(0.4, s, **kw) for s in SEEDS] for name, kw in remedies.items()}
last = {name: np.array([seen[-1] for seen, _ in runs]) for name, runs in noisy.items()}
for name, runs in noisy.items():
    print(f"{name:14} test accuracy {last[name].round(2)}   repeats {np.mean([share for _, share in runs]):.0%} of the labels it was given")

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.4, 3.7)
for (name, runs), colour in zip(noisy.items(), theme.SEQUENCE):
    plots.curve(ax, np.median([seen for seen, _ in runs], 0), name, np.arange(50, 301, 50), colour)
ax.set(xlabel="step", ylabel="accuracy on clean test digits", title="40 % wrong labels, median of 3 seeds", ylim=(0.55, 0.95))
plots.label_ends(ax)
show(fig, alt="Test accuracy against the step with 40 percent wrong labels: without a remedy it falls, with strong decay or dropout it stays high.")

# %% slideshow={"slide_type": "skip"}
base = last["nothing"]
claim(f"dropout wins {min(last['dropout 0.5'] - base):.2f} or more, strong decay {min(last['decay 5'] - base):.2f}, both {min(last['both'] - base):.2f}, 3 of 3 seeds",
      min(last["dropout 0.5"] - base) > 0.06 and min(last["decay 5"] - base) > 0.08 and min(last["both"] - base) > 0.08)
claim(f"weak decay alone changes the median by {np.median(last['decay 0.1'] - base):+.2f}", abs(np.median(last["decay 0.1"] - base)) < 0.08)
claim(f"label smoothing does not help against wrong labels: {np.median(last['smoothing 0.2'] - base):+.2f}", np.median(last["smoothing 0.2"] - base) < 0.05)
early = [max(seen) for seen, _ in noisy["nothing"]]
claim(f"stopping the plain run at its best would win {min(np.array(early) - base):.2f} or more", min(np.array(early) - base) > 0.03)

# %% slideshow={"slide_type": "skip"}
clean = {name: np.array([remedied(0.0, s, steps=250, **remedies[name])[0][-1] for s in SEEDS]) for name in ("nothing", "dropout 0.5", "both")}
for name, values in clean.items():
    print(f"clean labels, {name:12} {values.round(3)}")
claim(f"on clean labels neither dropout nor both moved the median by more than {max(abs(np.median(v) - np.median(clean['nothing'])) for v in clean.values()):.3f}",
      max(abs(np.median(v) - np.median(clean["nothing"])) for v in clean.values()) < 0.05)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Weight decay under batch norm is something else
#
# Batch norm divides the scale of $W$ out again: $f(cW) = f(W)$. Differentiate by $W$: $\;\nabla f(cW) = \tfrac1c \nabla f(W)$.
# So decay cannot make the function simpler. It shrinks $W$, and that *raises the effective rate* $\eta/\lVert W\rVert^2$.

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

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Which technique for which symptom?
#
# | what you see | look at | try first |
# |:--|:--|:--|
# | loss stays at $\log 10$ from the start | deltas per layer | He or orthogonal weights, shortcuts, a norm |
# | loss becomes NaN at once | activations per layer | smaller gain, a norm |
# | loss is fine, then jumps | norm of the gradient | clipping by norm, smaller rate |
# | loss falls too slowly | update / weight | larger rate; is everything clipped? |
# | good in training, poor in use | training and evaluation mode | `model.eval()`, larger batch, layer norm |
# | training loss falls, validation rises | both curves | early stopping, dropout, decay, more data |

# %% [markdown] slideshow={"slide_type": "notes"}
# The slide to leave on the screen during questions. Each row is a measurement of this chapter.

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
# | **three signals** | look at activations, deltas and weight gradients; equal weight gradients can be dead |
# | **mean field** | two integrals predict the factor: $\chi<1$ vanishes, $\chi>1$ explodes |
# | **initialisation** | weights differ, with variance $1/n$ for tanh and $2/n$ for ReLU; orthogonal is stricter, LSUV measures |
# | **shortcuts** | addition keeps a way back; keep the branches small |
# | **thermometer** | update over weight, about $10^{-3}$ |
# | **batch norm** | smoother loss, larger rates; needs a batch and two modes |
# | **clipping** | bounds one step, by norm to keep its direction; a clip that always acts is a smaller rate |
# | **precision** | float16 loses gradients, bfloat16 loses updates |
# | **regularisation** | against noisy labels strong decay and dropout help; on clean data there is little to win |

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
# - S. Santurkar, D. Tsipras, A. Ilyas, A. Madry. *How does batch normalization help optimization?* NeurIPS 2018.
# - P. Micikevicius et al. *Mixed precision training.* ICLR 2018.
# - I. Loshchilov, F. Hutter. *Decoupled weight decay regularization.* ICLR 2019. AdamW.
