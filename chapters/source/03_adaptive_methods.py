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
# # Adaptive learning-rate methods
#
# A network has a million parameters and you give it one learning rate.
# Some parameters feel a gradient at every step, some once in a thousand steps.
#
# **Can every parameter find a learning rate of its own, and when does that help?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## What you will be able to do
#
# - Build AdaGrad, RMSProp and Adam from one question: what should a coordinate be divided by?
# - Say what the bias correction and ε do, and show when they matter.
# - Explain, and demonstrate, why Adam wins on words and loses on a turned valley.
# - Tell AdamW from Adam with an L2 penalty by looking at the weights.
# - Run a fair race, and say which budget its ranking belongs to.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask first: who has used Adam? Who has ever changed β₂? Who knows a problem on which Adam goes to the worst point?
# The last one comes in the fourth part.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
from itertools import islice

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from shared import chance, data, race
from shared.course import check, claim, show
from shared.descent import grid, iterates, loss_at, run
from shared.explorers import anatomy, heatmap, rotation
from shared.figures import plots, theme
from shared.models.mlp import mlp
from shared.models.transformer import TinyTransformer
from shared.optimizers import (
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
)
from shared.optimizers.adaptive import rectification
from shared.problems import Clipped, Logistic, MiniBatch, Softmax, landscapes, language
from shared.problems.counterexamples import Reddi, projected
from shared.problems.networks import NetworkOracle

torch.set_num_threads(1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# Two coordinates, blue and orange. Each has its own gradient, its own memory, and so its own learning rate.

# %% slideshow={"slide_type": "-"}
anatomy.explorer()

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. Press play. Where the root falls, the rate rises. Who decides which coordinate gets the larger rate?
# 2. Choose *Adagrad*. Its rates can only move one way. Which way?
# 3. Back to *Adam*. Drag β₂ to 0, then to 0.999. What does the middle panel forget, and how fast?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let someone choose the start. Best moment: on the quartic valley the orange gradient dies like y³, and the rate comes up to
# meet it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## AdaGrad
#
# ### One rate for all is not enough
#
# Take $f(x, y) = x^2 + y^4$. Descent changes each coordinate alone:
#
# $$x \leftarrow (1 - 2\eta)\,x, \qquad y \leftarrow (1 - 4\eta y^2)\,y .$$
#
# The first factor never changes. The second creeps to 1 as $y \to 0$: the flatter it gets, the slower it is.
# A large $\eta$ would help $y$. Now measure $x$ in other units, $f = (10\,x)^2 + y^4$. Then $x$ diverges unless $\eta < 0.01$,
# and $y$ must live with that.
#
# <details><summary><b>Predict:</b> you may choose a second rate for y. How much lower is the loss after 100 steps? And what does AdaGrad reach with one rate?</summary>
# Two rates: more than a hundred times lower. But you would have to search a plane of rates instead of a line; with a million
# parameters, nobody can. AdaGrad gets there with one.</details>

# %% slideshow={"slide_type": "skip"}
class Steep:
    """(10 x)² + y⁴."""
    def __call__(self, x): return 100 * x[..., 0] ** 2 + x[..., 1] ** 4
    def grad(self, x): return np.stack([200 * x[..., 0], 4 * x[..., 1] ** 3], -1)

steep, rates = Steep(), np.geomspace(1e-3, 2, 200)
starts = np.linspace(1.2, 1.8, 9)[:, None] * [0.1, 1]     # several: a lucky rate may jump to 0 from one of them
end = run(SGD(rates[:, None]), steep, starts, 100, every=100)[-1]
end = np.where(np.abs(end) < 10, end, np.inf)
x_loss, y_loss = 100 * end[..., 0] ** 2, end[..., 1] ** 4  # (rates, starts)
one, two = (x_loss + y_loss).max(1).min(), (x_loss[:, None] + y_loss).max(2).min()
adagrad = steep(run(Adagrad(rates[:, None]), steep, starts, 100, every=100)[-1]).max(1).min()
claim(f"worst of 9 starts, best rates: one rate {one:.1e}, two rates {two:.1e}, AdaGrad with one {adagrad:.1e}",
      one > 100 * two and one > 100 * adagrad)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### First idea: the sign
#
# Divide each coordinate's gradient by its own size: $g_i/|g_i| = \operatorname{sign}(g_i)$. Every coordinate moves by exactly $\eta$.
# All scales are gone. But near the minimum it still moves by $\eta$: it **bounces**.

# %% slideshow={"slide_type": "-"}
valley = landscapes.quartic_valley()
sign = lambda η: Lion(η, betas=(0.0, 0.0))               # Lion without memory is the sign update
fig, (left, right) = theme.figure(9, 3.5, 1, 2)
plots.contours(left, valley)
plots.path(left, run(sign(0.1), valley, valley.start, 40), "sign, η = 0.1", theme.BAD)
plots.path(left, run(SGD(0.05), valley, valley.start, 40), "gradient", theme.color("SGD"))
left.set_title("40 steps")
left.legend(loc="lower left")
for i, η in enumerate((0.1, 0.03, 0.01)):
    far = np.abs(run(sign(η), valley, [1.503, 1.503], 250)[:, 0])
    plots.curve(right, np.lib.stride_tricks.sliding_window_view(far, 4).max(1), f"sign, η = {η}", color=theme.SEQUENCE[i + 1])
plots.curve(right, np.abs(run(SGD(0.05), valley, valley.start, 250)[:, 0]), "gradient", color=theme.color("SGD"))
right.set(yscale="log", ylim=(1e-3, 3), xlabel="step", title="distance of $x_1$ from 0 (largest of 4 steps)")
plots.label_ends(right)
show(fig, alt="The sign update walks diagonally, then stays at a distance that its rate sets; the gradient keeps approaching.")

# %% slideshow={"slide_type": "skip"}
for η in (0.1, 0.03, 0.01):
    tail = np.abs(run(sign(η), valley, [1.503, 1.503], 400)[-100:])
    claim(f"η = {η}: the last 100 iterates stay within {tail.max() / η:.2f} η of 0, and never all settle", tail.max() <= η and tail.max() > η / 5)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Second idea: divide by the history
#
# Do not divide by today's size but by a summary of all sizes so far. Which summary? Let $D$ be diagonal and take steps
# $\eta\, g_i / d_i$. Over $T$ steps on a convex loss the *regret*, what you lose against the best fixed $x$, has a term
# $\sum_t \sum_i g_{t,i}^2 / d_i$. Make it small without making the steps small, so fix $\sum_i d_i$:
#
# $$\min_d \sum_i \frac{\sum_t g_{t,i}^2}{d_i} \ \text{ with } \sum_i d_i = c
# \quad\Longrightarrow\quad \frac{\sum_t g_{t,i}^2}{d_i^2} = \nu \ \text{ for all } i
# \quad\Longrightarrow\quad d_i \propto \sqrt{\textstyle\sum_t g_{t,i}^2}.$$
#
# The root of the sum of **squares** is not a habit: it is the best diagonal in hindsight (Duchi, Hazan & Singer 2011).

# %% slideshow={"slide_type": "skip"}
show(Adagrad)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Rare features, real text
#
# The Python Language Reference, cut into passages of 60 words. From the *set of words* in a passage: first or second half of the book?
# Most words occur in few passages, so most coordinates of the gradient are 0 most of the time.
#
# One pass, one passage a step, **the same seven rates tried for both methods** and the best kept.

# %% slideshow={"slide_type": "-"}
V = 2000
X = language.bags(language.encode(language.words(), V), length=60, size=V)
X[:, -1] = 0                                             # "some other word" tells nothing
half = np.where(np.arange(len(X)) < len(X) // 2, -1.0, 1.0)
tries = np.geomspace(0.02, 1, 7)

def online_loss(rule, seed):
    """The running mean of the loss on each passage before learning from it, (passages, rates)."""
    batches = MiniBatch(Logistic(X, half), 1, seed)
    n = batches.steps_per_epoch
    losses = [batches.at(t)(x) for t, x in enumerate(islice(iterates(rule, batches, np.zeros(V)), n), 1)]
    return np.cumsum(losses, 0) / np.arange(1, n + 1)[:, None]

online = {m: np.array([online_loss(rule, seed) for seed in range(3)])
          for m, rule in {"SGD": SGD(tries), "Adagrad": Adagrad(tries)}.items()}
best = {m: y[:, :, y[:, -1].mean(0).argmin()] for m, y in online.items()}    # one rate for all seeds

# %% slideshow={"slide_type": "fragment"}
fig, (left, right) = theme.figure(9, 3.4, 1, 2)
left.loglog(np.arange(1, V), np.sort(X[:, :-1].sum(0))[::-1], color=theme.INK)
left.set(xlabel="word, most common first", ylabel="passages with it", title=f"{len(X)} passages: most words are rare")
for m, y in best.items():
    plots.band(right, y[:, 50:], m, x=np.arange(50, y.shape[1]))
right.set(xlabel="passages seen", ylabel="mean loss so far", title="first epoch, best rate each")
plots.label_ends(right)
show(fig, alt="Word counts fall steeply with rank; AdaGrad's online loss stays below that of SGD for three seeds.")

# %% slideshow={"slide_type": "skip"}
saved = 1 - best["Adagrad"][:, -1] / best["SGD"][:, -1]
claim(f"AdaGrad's first-epoch loss is lower by {saved.round(3)} of SGD's (three seeds)", (saved > 0.05).all())

# %% [markdown] slideshow={"slide_type": "notes"}
# Point at the left panel: half of the words occur in a handful of passages. SGD's rate must suit "the"; AdaGrad gives a word that
# shows up for the third time a rate as if it were step three.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What it costs: the rates die
#
# The sum only grows. With gradients of steady size $|g|$ the rate is $\eta / (|g| \sqrt{t})$: right for a convex problem
# with noise, too slow for a long journey. <details><summary><b>Predict:</b> how much smaller is the rate of AdaGrad after 100 steps of constant gradient than after 1?</summary>
# $\sqrt{100} = 10$ times.</details>

# %% slideshow={"slide_type": "skip"}
class Slope:
    """A loss with the same gradient everywhere."""
    def grad(self, x): return np.ones_like(x)

moves = -np.diff(run(Adagrad(1.0), Slope(), [0.0], 100)[:, 0])
claim(f"the first step is {moves[0] / moves[-1]:.2f} times the hundredth", abs(moves[0] / moves[-1] - 10) < 0.01)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## RMSProp
#
# ### Where it comes from: Rprop meets mini-batches
#
# Rprop uses only signs, and lets each coordinate's step grow while its sign stays. On full gradients it is superb.
# Then came mini-batches. Hinton's example: nine batches give $+0.1$, the tenth $-0.9$. The mean is 0, nothing should move.
# The sign says: nine steps down, one up.
#
# <details><summary><b>Predict:</b> softmax regression on digits, 200 steps. What does Rprop do with the full batch, and with batches of 8?</summary>
# It wins by far with the full batch. With batches of 8 it ends far worse than guessing.</details>

# %% slideshow={"slide_type": "-"}
digits = data.digits()
softmax = Softmax(digits.x_train, digits.y_train)
sizes, steps = (8, 64, softmax.n), 200
trained = lambda rule, B, seed: softmax(race.final(rule, MiniBatch(softmax, B, seed), np.zeros(softmax.dim), steps))
ends = {m: np.array([[trained(rule, B, seed) for B in sizes] for seed in range(3)])     # (seeds, sizes)
        for m, rule in {"Rprop": Rprop(1e-3), "RMSprop": RMSprop(0.01)}.items()}
fig, ax = theme.figure(9, 3.1)
for m, y in ends.items():
    plots.band(ax, np.maximum(y, 1e-5), m, x=np.arange(3), marker="o")
ax.set(yscale="log", xticks=range(3), ylabel=f"training loss after {steps} steps", xlim=(-0.2, 2.2))
ax.set_xticklabels([f"batch of {B}" for B in sizes[:2]] + ["full batch"])
ax.axhline(np.log(10), color=theme.MUTED, ls=":", label="_")
ax.text(1.5, np.log(10) * 1.2, "guessing", color=theme.MUTED)
plots.label_ends(ax)
show(fig, alt="Rprop has by far the lowest loss with the full batch and by far the highest with batches of 8; RMSProp works with all.")

# %% slideshow={"slide_type": "skip"}
rprop, rms = ends["Rprop"], ends["RMSprop"]
claim(f"full batch: Rprop {rprop[:, 2].max():.1e}, RMSProp {rms[:, 2].min():.2f}", rprop[:, 2].max() < rms[:, 2].min() / 5)
claim(f"batches of 8: Rprop {rprop[:, 0].min():.0f}, worse than guessing ({np.log(10):.2f}); RMSProp {rms[:, 0].max():.2f}",
      rprop[:, 0].min() > 10 and rms[:, 0].max() < 0.6)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The box
#
# Divide by a number that neighbouring batches share: a running mean of squares. It is Rprop's sign, made safe for noise;
# and it is AdaGrad with a fading memory, so the rates can rise again.
#
# $$v_t = \alpha v_{t-1} + (1-\alpha) g_t^2 = (1-\alpha)\sum_{j=0}^{t-1} \alpha^j g_{t-j}^2 .$$
#
# The weights sum to $1 - \alpha^t$, and in the long run their mean age is $\alpha/(1-\alpha)$: a memory of about $1/(1-\alpha)$ steps.
# (α is what Adam calls β₂.)
#
# **Why the root of the mean of squares, not the square of the mean?** In Hinton's example $(\bar g)^2 = 0$: you would divide by zero.
# The mean of squares is $0.09$, the noise itself.

# %% slideshow={"slide_type": "skip"}
show(RMSprop)

# %% slideshow={"slide_type": "skip"}
hinton = np.array([0.1] * 9 + [-0.9])
print(f"sum of signs {np.sign(hinton).sum():+.0f},  mean {hinton.mean():+.3f},  (mean)² {hinton.mean()**2:.3f},  mean of squares {np.mean(hinton**2):.3f}")
claim("signs drift, the mean of squares does not vanish", np.sign(hinton).sum() == 8 and np.isclose(np.mean(hinton**2), 0.09))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A cousin: Adadelta
#
# $g/\sqrt v$ has no units. A step must have those of $x$. Newton's has: $g/h$, with the curvature $h$. Adadelta multiplies by the root mean square of its
# own steps, and so has no rate to choose. The price: its first steps are as tiny as √ε, and it must bootstrap.

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(9, 3.0)
for m, rule in {"Adadelta": Adadelta(), "RMSprop": RMSprop(0.01), "Adagrad": Adagrad(0.1)}.items():
    loss = np.array([softmax(run(rule, MiniBatch(softmax, 64, seed), np.zeros(softmax.dim), 300, every=5)) for seed in range(3)])
    plots.band(ax, loss, m, x=np.arange(0, 301, 5))
    if m == "Adadelta":
        started = loss
ax.set(yscale="log", xlabel="step", ylabel="training loss", title="digits, batches of 64, three seeds")
plots.label_ends(ax)
show(fig, alt="Adadelta needs no rate, starts much more slowly than RMSProp and AdaGrad, and is still behind after 300 steps.")

# %% slideshow={"slide_type": "skip"}
show(Adadelta)

# %% slideshow={"slide_type": "skip"}
claim(f"Adadelta, with nothing to tune, takes the loss from {started[:, 0].max():.2f} to {started[:, -1].max():.2f}", started[:, -1].max() < 0.7)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Adam
#
# RMSProp divides a noisy gradient by a smooth number. Smooth the gradient too: a running mean $m$ with memory $\beta_1$.
#
# $$m \leftarrow \beta_1 m + (1-\beta_1) g,\qquad v \leftarrow \beta_2 v + (1-\beta_2) g^2,\qquad
# x \leftarrow x - \eta\,\frac{m/(1-\beta_1^t)}{\sqrt{v/(1-\beta_2^t)} + \varepsilon}.$$
#
# Where the gradients of a coordinate agree, $|\hat m| \approx \sqrt{\hat v}$: it moves by about $\eta$, whatever the scale of the loss. That is
# not a strict bound: $v$ remembers longer than $m$. A lone gradient after a long silence moves its coordinate by
# $(1-\beta_1)/\sqrt{1-\beta_2} = 3.2\,\eta$, and Cauchy and Schwarz allow $7.3\,\eta$.
# $\hat m / \sqrt{\hat v}$ is a signal-to-noise ratio: where signs agree the step is $\eta$, where they alternate it is small.

# %% slideshow={"slide_type": "skip"}
show(Adam)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Bias correction
#
# Both averages start at 0. With a steady gradient $g$ the sums are geometric:
# $m_t = (1-\beta_1^t)\,g$ and $v_t = (1-\beta_2^t)\,g^2$. Hence the two denominators. Without them the step is
#
# $$\eta\,\frac{1-\beta_1^t}{\sqrt{1-\beta_2^t}}, \qquad t = 1:\quad \eta\,\frac{1-\beta_1}{\sqrt{1-\beta_2}} .$$
#
# <details><summary><b>Predict:</b> β = (0.9, 0.999). Is the first step without correction too small or too large?</summary>
# Too large: 0.1/√0.001 = 3.16 η. m is 10 times too small, but √v is 31.6 times too small. And the first step is not the worst one.</details>

# %% slideshow={"slide_type": "-"}
def uncorrected(lr, β1=0.9, β2=0.999):
    """The schedule that takes Adam's bias correction away again."""
    return lambda k: lr * (1 - β1 ** (k + 1)) / (1 - β2 ** (k + 1)) ** 0.5

fig, (left, right) = theme.figure(9, 3.4, 1, 2)
factor = {}
for β2 in (0.99, 0.999, 0.9999):
    factor[β2] = -np.diff(run(Adam(uncorrected(1.0, β2=β2), betas=(0.9, β2)), Slope(), [0.0], 3000)[:, 0])
    plots.curve(left, factor[β2], f"β₂ = {β2}", x=np.arange(1, 3001))
left.set(xscale="log", xlabel="step", title="step without correction, in units of η")
plots.label_ends(left)
hurt = {}
for η, colour in ((0.003, theme.GOOD), (0.3, theme.BAD)):
    for name, lr, ls in (("with", η, "-"), ("without", uncorrected(η), "--")):
        L = np.array([softmax(run(Adam(lr), MiniBatch(softmax, 32, seed), np.zeros(softmax.dim), 100)) for seed in range(3)])
        hurt[η, name] = L
        plots.band(right, L, f"η = {η}, {name}", color=colour, ls=ls)
right.set(yscale="log", xlabel="step", title="digits: loss with and without")
plots.label_ends(right)
show(fig, alt="Without correction the first steps are many times too large; on digits that speeds up a small rate and spoils a large one.")

# %% slideshow={"slide_type": "skip"}
claim(f"first step: {factor[0.999][0]:.2f} η for β₂ = 0.999, {factor[0.9999][0]:.1f} η for 0.9999",
      np.allclose([factor[0.999][0], factor[0.9999][0]], [0.1**-0.5, 10], rtol=1e-4))
claim(f"the worst step comes later: {factor[0.999].max():.1f} η at step {factor[0.999].argmax() + 1}, {factor[0.9999].max():.0f} η for 0.9999",
      factor[0.999].max() > 6 and factor[0.9999].max() > 15)
claim(f"η = 0.3: the loss climbs to {hurt[0.3, 'without'].max(1).min():.0f} without, {hurt[0.3, 'with'].max(1).max():.1f} with correction",
      hurt[0.3, "without"].max(1).min() > 1.5 * hurt[0.3, "with"].max(1).max())
claim(f"η = 0.003: after 100 steps {hurt[0.003, 'without'][:, -1].max():.2f} without, {hurt[0.003, 'with'][:, -1].min():.2f} with",
      hurt[0.003, "without"][:, -1].max() < hurt[0.003, "with"][:, -1].min())

# %% [markdown] slideshow={"slide_type": "subslide"}
# So the textbook sentence "without correction Adam is unstable" is half true. The missing correction is a **burst**: a rate that is several
# times too large at the start. It hurts if your rate is already large. If it is timid, the burst even helps.
# What it never is: what you asked for.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where is ε?
#
# | variant | divisor | used by |
# |:--|:--|:--|
# | outside, after | $\sqrt{\hat v} + \varepsilon$ | the paper's Algorithm 1, PyTorch, Optax |
# | outside, before | $(\sqrt{v} + \hat\varepsilon)/\sqrt{1-\beta_2^t}$ | the paper's faster form, TensorFlow and Keras |
# | inside | $\sqrt{\hat v + \varepsilon}$ | some codes, and an option of Optax (`eps_root`) |
#
# ε is where adapting stops: for gradients far below it, the method is plain descent with the rate η/ε. Inside the root that border lies at $\sqrt\varepsilon$, not at $\varepsilon$.

# %% slideshow={"slide_type": "-"}
g = np.logspace(-11, 0, 200)
shrink = {"outside": g / (g + 1e-8), "inside": g / (g**2 + 1e-8) ** 0.5}
cancer = data.breast_cancer()
tumours = Logistic(cancer.x_train, cancer.y_train * 2.0 - 1, l2=1e-3)

def adam(place, ε, steps=100, η=0.01, β1=0.9, β2=0.999):
    x = m = v = np.zeros(tumours.dim)
    xs = [x]
    for t in range(1, steps + 1):
        g = tumours.grad(x)
        m, v = β1 * m + (1 - β1) * g, β2 * v + (1 - β2) * g * g
        c = 1 - β2**t
        root = {"after": (v / c) ** 0.5 + ε, "before": (v**0.5 + ε) / c**0.5, "inside": (v / c + ε) ** 0.5}[place]
        xs.append(x := x - η * m / (1 - β1**t) / root)
    return np.array(xs)

apart = {(p, ε): np.linalg.norm(adam(p, ε) - adam("after", ε), axis=1)[1:] / np.linalg.norm(adam("after", ε), axis=1)[1:]
         for ε in (1e-8, 1e-5, 1e-3) for p in ("before", "inside")}
fig, (left, right) = theme.figure(9, 3.3, 1, 2)
for (name, y), x in zip(shrink.items(), (2e-11, 3e-8)):
    plots.curve(left, y, name, x=g)
    left.text(x, 0.5, name, color=left.lines[-1].get_color())
left.set(xscale="log", xlabel="size of a steady gradient", title="step in units of η, ε = 1e-8")
for (p, ε), y in apart.items():
    plots.curve(right, y, f"{p}, ε = {ε:g}", ls="-" if p == "inside" else "--")
right.set(yscale="log", xlabel="step", title="distance from PyTorch's path, relative")
plots.label_ends(right)
show(fig, alt="Inside the root epsilon acts on gradients ten thousand times larger; the three variants walk measurably apart.")

# %% slideshow={"slide_type": "skip"}
at = np.interp(np.log(1e-5), np.log(g), shrink["inside"])
claim(f"a gradient of 1e-5, ε = 1e-8: the step is {at:.2f} η inside the root and {np.interp(np.log(1e-5), np.log(g), shrink['outside']):.3f} η outside", at < 0.2)
claim(f"ε = 1e-3: the paths differ by up to {apart['before', 1e-3].max():.2f} (before) and {apart['inside', 1e-3].max():.2f} (inside)",
      min(apart[p, 1e-3].max() for p in ("before", "inside")) > 0.02)
claim(f"ε = 1e-8: only by {apart['before', 1e-8].max():.0e} and {apart['inside', 1e-8].max():.0e}", max(apart[p, 1e-8].max() for p in ("before", "inside")) < 1e-3)
torch_path = run(Adam(0.01, eps=1e-3), tumours, np.zeros(tumours.dim), 100)
claim("the course's Adam is the variant 'after'", np.allclose(torch_path, adam("after", 1e-3)))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### AdamW is not Adam with L2
#
# An L2 penalty adds $\lambda x$ to the gradient. Adam then **divides it** by $\sqrt{\hat v}$, like everything else.
# AdamW decays outside of the division:
#
# $$\text{L2: } x \leftarrow x - \eta\,\frac{\widehat{m}(g + \lambda x)}{\sqrt{\widehat{v}(g + \lambda x)} + \varepsilon}
# \qquad \text{AdamW: } x \leftarrow x - \eta\,\frac{\hat m(g)}{\sqrt{\hat v(g)} + \varepsilon} - \eta\lambda x .$$
#
# The cleanest place to see it: pixels of MNIST that are black in every image. Their weights get **no** gradient from the data, only the penalty.
#
# <details><summary><b>Predict:</b> after 200 steps at η = 0.002, how do these weights depend on λ = 0.001 ... 1, under L2 and under AdamW?</summary>
# Under L2 the gradient is λ x alone, and λ cancels in m/√v: the same shrinkage for every λ. Under AdamW they are exactly (1 − ηλ)^k of their start.</details>

# %% slideshow={"slide_type": "subslide"}
mnist = data.mnist()
dead = mnist.x_train.std(0) == 0
images = Softmax(mnist.x_train[:1000], mnist.y_train[:1000])
λs, η, K = np.logspace(-3, 0, 4), 2e-3, 200

def dead_weights(rule, seed):
    """Weights of the dead pixels, as shares of their start: (steps + 1, λ, weights)."""
    w0 = 0.05 * chance.rng(seed).standard_normal(images.dim)
    w = run(rule, MiniBatch(images, 64, seed), w0, K, every=20)
    here = np.repeat(dead, images.classes)
    return w[..., here] / w0[here]

left_over = {m: np.array([dead_weights(r, seed) for seed in range(3)])
             for m, r in {"Adam": Adam(η, weight_decay=λs), "AdamW": AdamW(η, weight_decay=λs)}.items()}
fig, axes = theme.figure(9, 3.2, 1, 2, sharey=True)
for ax, (m, share) in zip(axes, left_over.items()):
    for i, λ in enumerate(λs):
        plots.curve(ax, np.abs(share[0, :, i]).mean(-1), f"λ = {λ:g}", x=np.arange(0, K + 1, 20), lw=(5 - i if m == "Adam" else 2))
    ax.set(xlabel="step", title=f"{m}{' + L2' if m == 'Adam' else ''}", ylim=(-0.03, 1.05))
    plots.label_ends(ax)
axes[0].set_ylabel("mean |w| / |w at start|")
show(fig, alt="Dead pixels: under L2 the weights shrink alike for all decays; under AdamW each decay has its own slow curve.")

# %% slideshow={"slide_type": "skip"}
early = np.abs(left_over["Adam"][:, 1]).mean(-1)                           # (seeds, λ) after 20 steps
claim(f"{dead.sum()} dead pixels; after 20 steps Adam + L2 leaves {early.mean(0).round(3)} of the weights for λ = 0.001 ... 1: nearly the same",
      np.ptp(early, axis=1).max() < 0.05 and early.max() < 0.5)
claim(f"after {K} steps AdamW leaves {left_over['AdamW'][0, -1].mean(-1).round(4)}: exactly (1 − ηλ)^{K}", np.allclose(left_over["AdamW"][:, -1], (1 - η * λs[:, None]) ** K, rtol=1e-9))

# %% [markdown] slideshow={"slide_type": "notes"}
# We do not claim that AdamW is more accurate: at this scale it is not measurable. What is certain is the mechanism:
# under L2 the strength λ has lost its meaning for every weight with little gradient.

# %% slideshow={"slide_type": "skip"}
show(AdamW)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The family
#
# | rule | is Adam with ... |
# |:--|:--|
# | **AMSGrad** | the largest $v$ so far: once the bias correction has faded, the rate cannot rise again |
# | **Adamax** | the largest recent $\lvert g\rvert$ instead of the root mean square |
# | **NAdam** | Nesterov's look-ahead in $m$ (chapter 4) |
# | **RAdam** | plain momentum until $v$ has seen enough, then a warm-up |
# | **Lion** | no $v$ at all: the sign of a momentum. Half of the memory |
# | **Adafactor** | $v$ of a matrix stored as row and column means. Almost none of the memory |
#
# Each box below is the code that runs, and each equals PyTorch's (Lion: Optax's and Keras') step by step: the tests check 200 steps to nine digits.

# %% slideshow={"slide_type": "skip"}
show(Adamax)

# %% slideshow={"slide_type": "skip"}
show(NAdam)

# %% slideshow={"slide_type": "skip"}
show(RAdam)

# %% slideshow={"slide_type": "skip"}
show(Lion)

# %% slideshow={"slide_type": "skip"}
show(Adafactor)

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.2, 1, 2)
t = np.arange(1, 5001)
for β2 in (0.99, 0.999):
    plots.curve(left, [rectification(β2, k)[0] or np.nan for k in t], f"β₂ = {β2}", x=t)
left.set(xscale="log", xlabel="step", title="RAdam's factor r is a warm-up")
plots.label_ends(left)
family = {"Adam": Adam(0.01), "Adamax": Adamax(0.02), "NAdam": NAdam(0.01), "RAdam": RAdam(0.01), "Lion": Lion(0.002),
          "Adafactor": Adafactor(0.05, shape=(64, 10))}
reached = {}
for m, rule in family.items():
    start = 0.1 * chance.rng(0).standard_normal((3, softmax.dim))
    loss = softmax(run(rule, MiniBatch(softmax, 64, 0), start, 300, every=10)).T
    plots.band(right, loss, m, x=np.arange(0, 301, 10))
    reached[m] = loss[:, -1].max()
right.set(yscale="log", xlabel="step", title="digits: untuned, three starts")
plots.label_ends(right)
show(fig, alt="RAdam's factor rises from zero to one over a thousand steps; six relatives of Adam all train on digits.")

# %% slideshow={"slide_type": "skip"}
claim(f"all six train: loss at most {max(reached.values()):.2f}, from {np.log(10):.2f}", max(reached.values()) < 1)
n, m = 4096, 1024
claim(f"second moment of a {n} x {m} matrix: Adam {n * m:,} numbers, Adafactor {n + m:,}, Lion 0", (n + m) * 800 < n * m)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Comparisons and performance analysis
#
# ### Where Adam wins: heavy-tailed classes
#
# Guess the next word from the last one: softmax regression over pairs of words. It is **convex**, we use the **full batch** (no noise),
# and the best possible loss is known (the conditional entropy). Three thirds of the book, 256 words each.
#
# <details><summary><b>Predict:</b> convex, no noise, the best of six rates for gradient descent. Can Adam still win by much?</summary>
# Yes, by a factor of more than ten in excess loss. Neither noise nor saddles explain it. Look at who is left behind.</details>

# %% slideshow={"slide_type": "-"}
tokens, W, T = language.words(), 256, 100
thirds = np.array_split(np.array(tokens), 3)

def words_race(balanced):
    """Excess loss over the floor after T steps, per third: gradient descent at its best of six rates, Adam, sign."""
    rows = []
    for part in thirds:
        f = language.Bigram.of(language.encode(part.tolist(), W), W, balanced)
        gd = run(SGD(np.geomspace(40, 1280, 6)), f, np.zeros(f.dim), T, every=T)[-1]
        gd = gd[f(gd).argmin()]
        others = [run(rule, f, np.zeros(f.dim), T, every=T)[-1]
                  for rule in (Adam(0.2), Lion(0.05, betas=(0.0, 0.0)))]
        rows.append((f, gd, *others))
    return rows

natural, balanced = words_race(False), words_race(True)
excess = {kind: np.array([[f(x) - f.floor for x in xs] for f, *xs in rows])
          for kind, rows in (("natural", natural), ("balanced", balanced))}

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.5, 1, 2, width_ratios=(1.25, 1))
f, gd, adam_x, _ = natural[0]
frequency = f.P.sum(0)
order = np.argsort(-frequency)
groups = [order[i:j] for i, j in zip((0, 4, 16, 64, 160), (4, 16, 64, 160, 256))]
best_possible = f.losses(np.log(np.maximum(f.P, 1e-12)).ravel())
above = lambda x: np.array([(f.losses(x) - best_possible)[g].sum() for g in groups])     # per group of words
remains = {name: above(x) / above(np.zeros(f.dim)) for name, x in (("SGD", gd), ("Adam", adam_x))}
for name, share in remains.items():
    left.plot(range(5), np.maximum(share, 1e-3), "-o", color=theme.color(name), label=name)
left.axhline(1, color=theme.MUTED, ls=":", lw=1)
left.set(xticks=range(5), ylabel="share of the excess loss left", title="who is left behind?", yscale="log")
left.set_xticklabels(["4 most\ncommon", "next 12", "next 48", "next 96", "96 rarest"])
left.legend(loc="center left")
for i, e in enumerate(excess.values()):
    for j, name in enumerate(("SGD", "Adam")):
        right.bar(i + 0.38 * (j - 0.5), e[:, j].mean(), 0.34, color=theme.color(name))
        right.plot([i + 0.38 * (j - 0.5)] * 3, e[:, j], "o", color=theme.INK, ms=4)
right.set(yscale="log", xticks=(0, 1), title="excess loss, 3 texts (dots)")
right.set_xticklabels(["words as they are", "equally frequent"])
show(fig, alt="Gradient descent has learnt common words and nothing of rare ones; with equally frequent words its excess loss falls by several times.")

# %% slideshow={"slide_type": "skip"}
e, b = excess["natural"], excess["balanced"]
claim(f"above the floor after {T} steps: gradient descent {e[:, 0].round(2)}, Adam {e[:, 1].round(4)}, sign {e[:, 2].round(3)}",
      (e[:, 0] > 10 * e[:, 1]).all() and (e[:, 0] > 5 * e[:, 2]).all())
claim(f"of the four most common words gradient descent has {remains['SGD'][0]:.0%} left to learn, of the 96 rarest {remains['SGD'][-1]:.0%}; Adam at most {remains['Adam'].max():.1%}",
      remains["SGD"][-1] > 3 * remains["SGD"][0] and remains["Adam"].max() < 0.1)
claim(f"make the words equally frequent, and gradient descent's excess falls to {b[:, 0].round(2)}; Adam's is {b[:, 1].round(4)}", (b[:, 0] < 0.6 * e[:, 0]).all())

# %% [markdown] slideshow={"slide_type": "subslide"}
# The gradient of a rare word's logit is as small as the word is rare. A method that normalises each coordinate does not care; gradient
# descent gives it a small step for ever. About the rarest words it even knows less than at the start.
# Make the words equally frequent and gradient descent's excess falls several times, Adam's hardly: **the tail is a main cause**
# (Kunstner et al. 2024). It is not all of it here: Adam stays far ahead.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same in a transformer
#
# One attention block, 512 words, gradients clipped for both. Gradient descent gets momentum and two rates; Adam gets one.

# %% slideshow={"slide_type": "-"}
ids = language.encode(tokens, 512)
before, after = language.sentences(ids, 12)
end = len(before) * 9 // 10
held_out = np.arange(end + 12, len(before), 40)        # the last tenth: shares no word with training

def train(rule, seed, steps=120):
    """The held-out loss of a tiny transformer trained on batches of 16 sentences."""
    f = NetworkOracle(TinyTransformer(512, seed=seed), cross_entropy, before, after)
    x = race.final(rule, Clipped(MiniBatch(f.subset(np.arange(end)), 16, seed), max_norm=1.0), f.start, steps)
    return float(f.subset(held_out)(x))

entries = {"Momentum, η = 0.1": SGD(0.1, momentum=0.9), "Momentum, η = 0.3": SGD(0.3, momentum=0.9),
           "Adam, η = 0.01": Adam(0.01)}
held = {name: [train(rule, seed) for seed in range(3)] for name, rule in entries.items()}
for name, losses in held.items():
    print(f"{name:20} {np.round(losses, 2)}")

# %% slideshow={"slide_type": "skip"}
gap = np.minimum(*[held[f"Momentum, η = {η}"] for η in (0.1, 0.3)]) - held["Adam, η = 0.01"]
claim(f"Adam's held-out loss is lower by {gap.round(2)}, three seeds", (gap > 0.05).all())

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where it stops helping: rotation
#
# A rate for each **coordinate** helps if the valley runs along a coordinate. Turn it. Gradient descent does not notice. Adam does.
# Every method below gets its best rate *for this very angle*.

# %% slideshow={"slide_type": "-"}
rotation.explorer()

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. Turn the valley to 45°. Which curves are flat, and why must they be?
# 2. Set κ to 10 and to 1000. When does it matter?
# 3. At 45° and κ = 1000, who is best? Did you expect it?

# %% slideshow={"slide_type": "skip"}
left_at = {m: rotation.by_angle(1000.0, m, (0.0, 45.0))[0] for m in ("SGD", "Momentum", "Adagrad", "Adam")}
for m, (straight, turned) in left_at.items():
    print(f"{m:10} straight {straight:.1e}   at 45 degrees {turned:.1e}")
claim("gradient descent and momentum do not notice the angle",
      all(np.isclose(*left_at[m], rtol=1e-3) for m in ("SGD", "Momentum")))
claim(f"Adam loses {np.log10(left_at['Adam'][1] / left_at['Adam'][0]):.0f} orders of magnitude, AdaGrad its whole advantage over gradient descent",
      left_at["Adam"][1] > 1e3 * left_at["Adam"][0] and left_at["Adagrad"][1] > 0.3 * left_at["SGD"][1])
claim("straight, Adam beats tuned momentum; turned by 45 degrees, tuned momentum beats Adam",
      left_at["Adam"][0] < left_at["Momentum"][0] and left_at["Momentum"][1] < left_at["Adam"][1] / 10)

# %% [markdown] slideshow={"slide_type": "subslide"}
# A gentle turn of a mild valley ($\kappa = 10$) costs Adam next to nothing: its momentum still works. The textbook picture needs a
# steep valley. Chapter 5 has methods that no rotation can touch.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where it fails: a convex problem, and it heads for the worst point
#
# On $[-1, 1]$ the slope is $1010$ at every 101st step and $-10$ at the other hundred. The mean slope is $+10/101$: go to $-1$.
# With $\beta_2 = 0.99$ Adam has forgotten most of the big gradient after 100 steps, and divides it down exactly when it comes.

# %% slideshow={"slide_type": "-"}
three, lr = np.array([[-0.5], [0.0], [0.5]]), lambda k: 0.5 / (k + 1) ** 0.5
ends = {m: projected(Adam(lr, betas=(0.9, 0.99), amsgrad=m == "AMSGrad"), Reddi(), three, 6060)[..., 0] for m in ("Adam", "AMSGrad")}
fig, ax = theme.figure(9, 3.2)
for m, xs in ends.items():
    for i in range(3):
        plots.curve(ax, xs[::101, i], m if i == 1 else None, x=np.arange(0, 6061, 101), color=theme.color(m))
ax.axhline(-1, color=theme.GOOD, ls="--", lw=1.2)
ax.axhline(1, color=theme.BAD, ls="--", lw=1.2)
ax.text(60, -0.97, "best", color=theme.GOOD, va="bottom")
ax.text(60, 0.97, "worst", color=theme.BAD, va="top")
ax.set(xlabel="step", ylabel="x", ylim=(-1.08, 1.08), title="three starts")
plots.label_ends(ax)
show(fig, alt="From three starts Adam climbs towards the worst point, plus one, and AMSGrad towards the best, minus one.")

# %% slideshow={"slide_type": "skip"}
claim(f"after 6060 steps Adam is at {ends['Adam'][-1].round(2)}, AMSGrad at {ends['AMSGrad'][-1].round(2)}",
      (ends["Adam"][-1] > 0.2).all() and (ends["AMSGrad"][-1] < -0.4).all())

# %% [markdown] slideshow={"slide_type": "notes"}
# AMSGrad keeps the largest v, so the rare gradient counts in full. A longer memory cures Adam as well: exercise 5 looks for it.
# In practice AMSGrad rarely helps: real gradients are seldom this adversarial.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Hyperparameter tuning for adaptive methods
#
# ### How sensitive is the rate?
#
# A network 64-32-10 on digits, 100 steps, four decades of rates, three seeds.

# %% slideshow={"slide_type": "-"}
held_images = NetworkOracle(mlp(64, 32, 10, dtype=torch.float32), cross_entropy, digits.x_test, digits.y_test)

def digits_problem(seed):
    f = NetworkOracle(mlp(64, 32, 10, seed=seed, dtype=torch.float32), cross_entropy, digits.x_train, digits.y_train)
    return MiniBatch(f, 32, seed), f.start

decades = race.Range(1e-3, 10, log=True)
makers = {"SGD": SGD, "Momentum": lambda lr: SGD(lr, momentum=0.9), "Adagrad": Adagrad, "Adam": Adam}
fig, ax = theme.figure(9, 3.4)
width = {}
for m, make in makers.items():
    entry = race.Entry(make, {"lr": decades})
    η = entry.settings(13)["lr"]
    table = race.scores(entry, {"lr": η}, digits_problem, held_images, 100, (0, 1, 2))
    plots.band(ax, table.T, m, x=η)
    width[m] = np.log10(η[1] / η[0]) * (table.max(1) < 2 * table.mean(1).min()).sum()
ax.set(xscale="log", yscale="log", xlabel="learning rate η", ylabel="test loss after 100 steps")
ax.legend(loc="lower left", ncols=4, bbox_to_anchor=(0, 1.0))
show(fig, alt="Test loss against the learning rate over four decades: four valleys of similar width; gradient descent's lies at larger rates.")

# %% slideshow={"slide_type": "skip"}
print("decades of rates within twice the best loss:", {m: round(float(w), 1) for m, w in width.items()})
claim("the valleys have about the same width", max(width.values()) < 2 * min(width.values()))

# %% [markdown] slideshow={"slide_type": "subslide"}
# "Adam needs no tuning" is not what this shows. What Adam does bring is a valley that **stays where it is** when the loss is rescaled.
#
# <details><summary><b>Predict:</b> multiply the loss by 1000. How do the best rates of gradient descent and of Adam change?</summary>
# Gradient descent's falls by 1000. Adam's stays: m and √v both grow by 1000.</details>

# %% slideshow={"slide_type": "skip"}
class Scaled:
    """1000 times a loss."""
    def __init__(self, f): self.f = f
    def at(self, t): return Scaled(loss_at(self.f, t))
    def grad(self, x): return 1000 * self.f.grad(x)

short = dict(f=MiniBatch(softmax, 64, 0), x0=np.zeros(softmax.dim), steps=50)
moved = {rule.method: np.abs(run(rule, Scaled(short["f"]), short["x0"], 50)[-1] - run(rule, **short)[-1]).max() for rule in (SGD(0.1), Adam(0.01))}
claim(f"same rate, loss x 1000: Adam's weights change by {moved['Adam']:.1e}, gradient descent's by {moved['SGD']:.0f}",
      moved["Adam"] < 0.02 and moved["SGD"] > 10)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Two at a time
#
# Each cell is a run. All 1,581 run in **one batch**: the rules broadcast. Click a cell to see its path.

# %% slideshow={"slide_type": "-"}
heatmap.explorer()

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. *Momentum*: the border of good cells runs diagonally. Which combination of η and β is constant along it?
# 2. Switch to *Adam: η, β₁*. The diagonal is gone. Why? (Look at the factor 1 − β₁ in its box.)
# 3. *Adam: η, β₂* on Rosenbrock. How much does β₂ matter, compared with η?

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The ridge
#
# Torch's momentum adds $g + \beta g + \beta^2 g + \dots$: a gradient is worth $\eta/(1-\beta)$ in the end.
# Adam **averages** instead, so its β₁ changes the memory and not the length. Measure it: how the rate that halves the loss in 300 small steps moves with β.

# %% slideshow={"slide_type": "-"}
bowl = landscapes.quadratic(kappa=10)
η, β = np.geomspace(1e-5, 1e-2, 61), np.array([0.0, 0.5, 0.8, 0.9, 0.95])
plane = grid(lr=η, beta=β)
left_loss = {"Momentum": bowl(run(SGD(plane["lr"], momentum=plane["beta"]), bowl, bowl.start, 300, every=300)[-1]),
             "Adam": bowl(run(Adam(plane["lr"], betas=(plane["beta"], 0.999)), bowl, bowl.start, 300, every=300)[-1])}
goal = {m: 0.5 * bowl(bowl.start) for m in left_loss}                     # half of the loss is gone: which rate does it take?
needs = {m: np.array([np.exp(np.interp(-goal[m], -L[:, j], np.log(η))) for j in range(len(β))]) for m, L in left_loss.items()}
fig, ax = theme.figure(9, 3.1)
for m, y in needs.items():
    plots.curve(ax, y / y[0], m, x=1 - β, marker="o")
ax.plot(1 - β, 1 - β, ls=":", color=theme.INK, label="1 − β")
ax.set(xscale="log", yscale="log", xlabel="1 − β", ylabel="rate needed / rate at β = 0", title="rate that halves the loss in 300 steps")
ax.invert_xaxis()
plots.label_ends(ax)
show(fig, alt="With momentum the rate that is needed falls as one minus beta; with Adam it stays the same.")

# %% slideshow={"slide_type": "skip"}
ridge = needs["Momentum"] / (1 - β)
claim(f"momentum: η/(1 − β) is constant within {np.ptp(ridge) / ridge.mean():.0%} while β goes from 0 to 0.95", np.ptp(ridge) < 0.25 * ridge.mean())
claim(f"Adam: η itself is constant within {np.ptp(needs['Adam']) / needs['Adam'].mean():.0%}", np.ptp(needs["Adam"]) < 0.25 * needs["Adam"].mean())

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Grid or random?
#
# A grid of 16 settings of two hyperparameters has four rates. Sixteen random settings have sixteen. If one hyperparameter hardly matters,
# random search sees more of the other (Bergstra & Bengio 2012). Fair means: the same distribution, and a grid that is shifted at random too.
#
# <details><summary><b>Predict:</b> Adam on Rosenbrock, once searching (η, ε), once (η, β₁). Where does random search win?</summary>
# With ε, which hardly matters here. With β₁, which does matter, the grid is as good or a little better.</details>

# %% slideshow={"slide_type": "-"}
rosen, rng, N = landscapes.rosenbrock(), chance.rng(0), 200
cells = np.stack(np.meshgrid(range(4), range(4), indexing="ij")).reshape(2, 16)
shares = {"grid": (cells + rng.uniform(size=(N, 2, 1))) / 4, "random": rng.uniform(size=(N, 2, 16))}    # (searches, 2, trials)
lr_range = race.Range(1e-4, 1, log=True)
second = {"ε": (race.Range(1e-12, 1e-6, log=True), lambda lr, e: Adam(lr, betas=(0.9, 0.99), eps=e)),
          "β₁": (race.Range(0.01, 1, log=True), lambda lr, b: Adam(lr, betas=(1 - b, 0.99)))}
found = {(symbol, how): np.sort(np.nan_to_num(rosen(race.final(make(lr_range.value(u[:, 0]), other.value(u[:, 1])), rosen, rosen.start, 200)), nan=1e9).min(1))
         for symbol, (other, make) in second.items() for how, u in shares.items()}
fig, axes = theme.figure(9, 3.1, 1, 2, sharey=True)
for ax, symbol in zip(axes, second):
    for how, colour in (("grid", theme.SEQUENCE[1]), ("random", theme.SEQUENCE[0])):
        ax.plot(found[symbol, how], np.arange(1, N + 1) / N, color=colour, label=how)
    ax.set(xscale="log", xlim=(1e-5, 3), xlabel="best loss of 16 trials", title=f"searching η and {symbol}")
axes[0].set_ylabel("share of searches below")
axes[0].legend(loc="upper left")
show(fig, alt="Distribution of the best loss: random search is better when the second hyperparameter is epsilon, not when it is beta one.")

# %% slideshow={"slide_type": "skip"}
wins = {symbol: (found[symbol, "random"][:, None] < found[symbol, "grid"]).mean() for symbol in second}
claim(f"16 trials: random search beats the grid in {wins['ε']:.0%} of pairs when the second knob is ε, in {wins['β₁']:.0%} when it is β₁",
      wins["ε"] > 0.6 > wins["β₁"])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A fair race
#
# "Adam beats SGD" depends on how long each was tuned. So make the **budget** part of the question. For every method: draw settings at random;
# then ask what you would have got with a budget of 1, 2, 4, ... trials of your own, tuning on one seed and
# reporting on another. (Both on the same test digits, for all methods alike: for a report you would take a third set, chapter 1.) One function does it, for any method and problem.

# %% slideshow={"slide_type": "skip"}
show(race.race)

# %% slideshow={"slide_type": "-"}
wide, memory = race.Range(1e-4, 10, log=True), race.Range(0.01, 1, log=True)
runners = {
    "SGD": race.Entry(SGD, {"lr": wide}),
    "Momentum": race.Entry(lambda lr, b: SGD(lr, momentum=1 - b), {"lr": wide, "b": memory}),
    "Adagrad": race.Entry(Adagrad, {"lr": wide}),
    "Adam": race.Entry(lambda lr, b1, b2: Adam(lr, betas=(1 - b1, 1 - b2)), {"lr": wide, "b1": memory, "b2": race.Range(1e-4, 0.1, log=True)}),
}
result = race.race(runners, digits_problem, held_images, steps=100, trials=16, draws=12)
budgets = (1, 2, 3, 4, 6, 8, 12, 16)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(9, 3.6)
for m, (low, middle, high) in result.curves(budgets).items():
    plots.curve(ax, middle, m, x=budgets, marker="o")
    ax.fill_between(budgets, low, high, color=theme.color(m), alpha=0.13, lw=0)
ax.set(xscale="log", yscale="log", xlabel="tuning budget (trials)", ylabel="test loss", xticks=budgets, title="median, and the middle half of the luck")
ax.set_xticklabels(budgets)
ax.minorticks_off()
ax.set_yticks([0.2, 0.3, 0.5, 1, 2], ["0.2", "0.3", "0.5", "1", "2"])
plots.label_ends(ax)
show(fig, alt="Test loss against the tuning budget for four methods: the bands are wide, and the curves cross.")

# %% slideshow={"slide_type": "skip"}
for budget in (1, 2, 4, 16):
    print(f"budget {budget:2}: {', '.join(result.ranking(budget))}")
claim("the ranking changes with the budget", result.ranking(1) != result.ranking(16))
luck = result.curves((1, 16))
claim("for every method, an unlucky search of sixteen trials (the worst quarter begins at "
      + ", ".join(f"{high[1]:.2f}" for _, _, high in luck.values()) + ") beats a lucky one of a single trial (the best quarter ends at "
      + ", ".join(f"{low[0]:.2f}" for low, _, _ in luck.values()) + ")", all(high[1] < low[0] for low, _, high in luck.values()))

# %% [markdown] slideshow={"slide_type": "-"}
# With one trial luck decides, with many the best settings do. A method with more knobs needs more trials to show what it can do.
# Whenever you read "A beats B", ask: **after how many trials each?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to start
#
# | | try first | then |
# |:--|:--|:--|
# | η | $10^{-3}$ (Adam), a third to a tenth of it (Lion) | by factors of 3, both ways |
# | β₁ | 0.9 | leave it |
# | β₂ | 0.999; shorter (0.95-0.99) when gradients change fast | longer when rare gradients matter |
# | ε | $10^{-8}$ | larger if tiny gradients are only noise |
# | λ | AdamW, 0.01-0.1 | remember that it is multiplied by η |
#
# Tune η first, and spend your budget there.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises
#
# Five: derive one, write three, experiment with one. `check` tells you what is likely wrong.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1: the harmless β₂ (derive)
#
# Without bias correction the first step of Adam is $\eta (1-\beta_1)/\sqrt{1-\beta_2}$. With $\beta_1 = 0.9$: for which $\beta_2$ is it exactly $\eta$?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
harmless = 0.99
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("03.harmless", harmless)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Set the factor equal to 1. What must the root be?
# - The root of 1 − β₂ must be 0.1.
#
# Solution: 1 − β₂ = (1 − β₁)² = 0.01. The defaults are a factor of ten away from it, hence 3.16.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2: RMSProp's direction (implement)
#
# Given all gradients so far, `gs` (T, d), return what RMSProp multiplies by −η at step T: $g_T / (\sqrt v + \varepsilon)$, with
# $v \leftarrow \alpha v + (1-\alpha) g^2$ from $v = 0$.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def rms_direction(gs, alpha, eps):
    """The last gradient divided by the root of the running mean of squares, (d,)."""
    ### BEGIN SOLUTION
    v = 0.0
    for g in gs:
        v = alpha * v + (1 - alpha) * g**2
    return gs[-1] / (v**0.5 + eps)
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("03.rms_direction", rms_direction)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Loop over the rows of gs. What do you keep between rows?
# - Square each gradient first, then average, take the root last, and add ε after the root.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3: one step of Adam (implement)
#
# Return the new `x`, `m` and `v`. The corrected $\hat m$ and $\hat v$ are used in this step only: what you return is uncorrected.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def adam_step(x, g, m, v, t, lr, beta1, beta2, eps):
    """Step t = 1, 2, ... of Adam: the new x, m, v."""
    ### BEGIN SOLUTION
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return x - lr * m_hat / (v_hat**0.5 + eps), m, v
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("03.adam_step", adam_step)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Does the step use the old averages or the new ones? Update both before you use them.
# - Divide by 1 − β₁ᵗ and 1 − β₂ᵗ, not by 1 − β. Then the root, then + ε.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4: decoupled decay (implement)
#
# The first step of AdamW (t = 1, m = v = 0): then $\hat m = g$ and $\hat v = g^2$. Return x after it. The decay stays outside of the division
# and is multiplied by η.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def first_adamw(x, g, lr, weight_decay, eps):
    """x after the first step of AdamW."""
    ### BEGIN SOLUTION
    return x - lr * (g / (abs(g) + eps) + weight_decay * x)
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("03.first_adamw", first_adamw)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Does the decay pass through the division by √v̂?
# - In torch's AdamW the decay is multiplied by the learning rate.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5: rescue Adam (experiment)
#
# On Reddi's problem Adam with β₂ = 0.99 drifts the wrong way, as you saw. Choose β₂ (β₁ = 0.9, η = 0.5/√t, from x = 0) so that its mean over
# the last of 20 periods is below −0.5. No AMSGrad!

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
my_beta2 = 0.9995
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("03.rescue", my_beta2)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - The large gradient comes every 101 steps. How long must the memory be to remember it until the next one?
# - A memory of 1/(1 − β₂) = 1000 steps or more.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# | | divides by | good at | trouble |
# |:--|:--|:--|:--|
# | sign, Rprop | $\lvert g\rvert$ | full batches, any scale | bounces; noise |
# | **AdaGrad** | $\sqrt{\sum g^2}$ | rare features | rates die |
# | **RMSProp** | $\sqrt{\text{mean } g^2}$ | mini-batches | the start; tuning of α |
# | **Adam** | the same, on a smoothed gradient | heavy tails, any scale of the loss | rotation; forgets rare gradients |
# | AdamW | as Adam, decay outside | decay that means what it says | |
#
# - Adaptive methods rescale coordinates. They help when what is badly scaled are **coordinates**: other units, rare words.
# - Bias correction prevents a burst. ε says where adapting stops.
# - Turn the axes and the advantage goes; forget too fast and even convergence goes.
# - A ranking without a tuning budget means nothing.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - M. Riedmiller, H. Braun. *A direct adaptive method for faster backpropagation learning: the RPROP algorithm.* IEEE International Conference on
#   Neural Networks, 1993.
# - J. Duchi, E. Hazan, Y. Singer. *Adaptive subgradient methods for online learning and stochastic optimization.* JMLR 12, 2011.
# - J. Bergstra, Y. Bengio. *Random search for hyper-parameter optimization.* JMLR 13, 2012.
# - G. Hinton, N. Srivastava, K. Swersky. *Neural networks for machine learning*, lecture 6e. Coursera, 2012.
# - M. D. Zeiler. *ADADELTA: an adaptive learning rate method.* arXiv:1212.5701, 2012.
# - A. Graves. *Generating sequences with recurrent neural networks.* arXiv:1308.0850, 2013. The centred form of RMSprop.
# - D. P. Kingma, J. Ba. *Adam: a method for stochastic optimization.* ICLR 2015.
# - T. Dozat. *Incorporating Nesterov momentum into Adam.* ICLR workshop, 2016.
# - S. J. Reddi, S. Kale, S. Kumar. *On the convergence of Adam and beyond.* ICLR 2018.
# - N. Shazeer, M. Stern. *Adafactor: adaptive learning rates with sublinear memory cost.* ICML 2018.
# - I. Loshchilov, F. Hutter. *Decoupled weight decay regularization.* ICLR 2019.
# - L. Liu et al. *On the variance of the adaptive learning rate and beyond.* ICLR 2020.
# - X. Chen et al. *Symbolic discovery of optimization algorithms.* NeurIPS 2023. Lion.
# - F. Kunstner, R. Yadav, A. Milligan, M. Schmidt, A. Bietti. *Heavy-tailed class imbalance and why Adam outperforms gradient descent on
#   language models.* NeurIPS 2024.
