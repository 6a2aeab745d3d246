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
# - Take apart why Adam wins on words, and show why it loses in a turned valley.
# - Tell AdamW from Adam with an L2 penalty by looking at the weights.
# - Run a fair race, and say which budget its ranking belongs to.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask first: who has used Adam? Who has ever changed β₂? Who knows a problem on which Adam goes to the worst point?
# The last one comes in the fourth part.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
import numpy as np
import torch

from shared import data, race
from shared.course import check, claim, show
from shared.descent import run
from shared.figures import plots, theme
from shared.optimizers import SGD, Adagrad, Adam
from shared.problems import MiniBatch

torch.set_num_threads(1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# Two coordinates, blue and orange. Each has its own gradient, its own memory, and so its own learning rate.

# %% slideshow={"slide_type": "-"}
from shared.explorers import anatomy

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
    """(c x)² + y⁴."""
    def __init__(self, c=10): self.c = c
    def __call__(self, x): return (self.c * x[..., 0]) ** 2 + x[..., 1] ** 4
    def grad(self, x): return np.stack([2 * self.c**2 * x[..., 0], 4 * x[..., 1] ** 3], -1)

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
# The scale of the gradient is gone. But near the minimum it still moves by $\eta$: it **bounces**.

# %% slideshow={"slide_type": "-"}
from shared.optimizers import Lion
from shared.problems import landscapes

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
    claim(f"η = {η}: the last {len(tail)} iterates stay within {tail.max() / η:.2f} η of 0, and never all settle",
          η / 5 < tail.max() <= η)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Second idea: divide by the history
#
# Do not divide by today's size but by a summary of all sizes so far. Which summary? Take steps $\eta\, g_i / d_i$ with fixed $d_i$.
# The *regret* is what you lose in total against the best fixed $x^*$. On convex losses it is at most
# (expand $\sum_i d_i (x_i - x_i^*)^2$ after a step, and sum over the steps)
#
# $$\frac{1}{2\eta} \sum_i d_i\,(x_{1,i} - x_i^*)^2 \;+\; \frac{\eta}{2} \sum_i \frac{\sum_t g_{t,i}^2}{d_i} .$$
#
# A large $d_i$ costs in the first term, a small one in the second. You do not know $x^*$; say that it is at most $D$ away in every coordinate.
# Then the sum is smallest at $d_i = \tfrac{\eta}{D} \sqrt{\sum_t g_{t,i}^2}$, where it is $D \sum_i \sqrt{\sum_t g_{t,i}^2}$.
#
# The root of the sum of **squares** is not a habit: it is the best diagonal in hindsight. AdaGrad takes the sum so far, and pays only a factor
# $\sqrt 2$ if $D$ bounds the distance along the whole path (Duchi, Hazan & Singer 2011; McMahan & Streeter 2010).

# %% slideshow={"slide_type": "skip"}
show(Adagrad)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Rare features, real text
#
# The Python Language Reference, cut into passages of 60 words. From the *set of words* in a passage: first or second half of the book?
# Most words occur in few passages, so most coordinates of the gradient are 0 most of the time.
#
# One pass, one passage a step. Is it the rate **per coordinate** that helps, or the rate that falls? *One rate* is the control: AdaGrad with a
# single sum for all coordinates. Each method is tuned five times over, with six fresh rates, and reported with another order of the passages.

# %% slideshow={"slide_type": "skip"}
from dataclasses import dataclass
from itertools import islice

from shared.descent import iterates
from shared.problems import Logistic, language

V = 2000
X = language.bags(language.encode(language.words(), V), length=60, size=V)
X[:, -1] = 0                                             # "some other word" tells nothing
half = np.where(np.arange(len(X)) < len(X) // 2, -1.0, 1.0)

@dataclass(frozen=True, repr=False)
class OneRate(Adagrad):
    """AdaGrad with one rate for all coordinates (Ward, Wu & Bottou 2019)."""
    def step(self, f, x, s, t):
        g = f.grad(x)
        v = s.v + (g * g).sum(-1, keepdims=True)
        return x - self.lr * g / (v**0.5 + self.eps), self.State(v)

def online_loss(rule, seed):
    """The running mean of the loss on each passage before learning from it, (passages, rates)."""
    batches = MiniBatch(Logistic(X, half), 1, seed)
    n = batches.steps_per_epoch
    losses = [batches.at(t)(x) for t, x in enumerate(islice(iterates(rule, batches, np.zeros(V)), n), 1)]
    return np.cumsum(losses, 0) / np.arange(1, n + 1)[:, None]

def online(make):
    """What is compared: the mean loss of the whole first epoch, for a batch of rates."""
    def train(seed, lr):
        end = online_loss(make(lr), seed)[-1]
        return race.Outcome(end, end)
    return race.Method(train, {"lr": race.Range(0.02, 2, log=True)}, batched=True)

makers = {"SGD": SGD, "one rate": OneRate, "Adagrad": Adagrad}
epoch = race.compare({m: online(make) for m, make in makers.items()}, trials=6)
print(epoch)

# %% slideshow={"slide_type": "fragment"}
fig, (left, right) = theme.figure(9, 3.4, 1, 2)
left.loglog(np.arange(1, V), np.sort(X[:, :-1].sum(0))[::-1], color=theme.INK)
left.set(xlabel="word, most common first", ylabel="passages with it", title=f"{len(X)} passages: most words are rare")
for m, make in makers.items():
    y = np.array([online_loss(make(np.median(epoch.chosen(m)["lr"], keepdims=True)), seed)[:, 0] for seed in range(3)])
    plots.band(right, y[:, 50:], m, x=np.arange(50, y.shape[1]), color=theme.COLORS.get(m, theme.MUTED))
right.set(xlabel="passages seen", ylabel="mean loss so far", title="first epoch, tuned rates, three orders")
plots.label_ends(right)
show(fig, alt="Word counts fall steeply with rank; AdaGrad's online loss stays below those of SGD and of AdaGrad with one rate for all.")

# %% slideshow={"slide_type": "skip"}
against = {m: epoch.ratio("Adagrad", m) for m in ("SGD", "one rate")}
claim(f"first-epoch loss of AdaGrad: {against['SGD']} of SGD's, {against['one rate']} of that with one rate for "
      f"all",
      max(r.high for r in against.values()) < 1 and not any(r.flips or r.edge for r in against.values()))
rare = (X[:, :-1].sum(0) <= len(X) / 200).mean()
claim(f"{rare:.0%} of the words occur in fewer than one passage of 200", rare > 0.4)

# %% [markdown] slideshow={"slide_type": "notes"}
# Point at the left panel: about half of the words occur in a handful of passages. SGD's rate must suit "the"; AdaGrad gives a word that
# shows up for the third time a rate as if it were step three. A falling rate alone (grey) gains nothing.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What it costs: the rates die
#
# The sum only grows. With gradients of steady size $|g|$ the rate is $\eta / (|g| \sqrt{t})$: right for a convex problem
# with noise, too slow for a long journey. <details><summary><b>Predict:</b> how much smaller is the rate of AdaGrad after 100 steps of constant gradient than after 1?</summary>
# $\sqrt{100} = 10$ times.</details>

# %% slideshow={"slide_type": "skip"}
class Slope:
    """A loss with the same gradient everywhere."""
    def __init__(self, g=1.0): self.g = g
    def grad(self, x): return np.full_like(x, self.g)

moves = -np.diff(run(Adagrad(1.0), Slope(), [0.0], 100)[:, 0])
claim(f"the first step is {moves[0] / moves[-1]:.2f} times the hundredth",
      abs(moves[0] / moves[-1] - 10) < 0.01)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## RMSProp
#
# ### Where it comes from: Rprop meets mini-batches
#
# Rprop uses only signs, and lets each coordinate's step grow while its sign stays. On full gradients it is superb, and there is nothing to tune.
# Then came mini-batches. Hinton's example: nine batches give $+0.1$, the tenth $-0.9$. The mean is 0, nothing should move.
# The sign says: nine steps down, one up.
#
# <details><summary><b>Predict:</b> softmax regression on digits, 200 steps. Rprop against RMSProp at its best rate: with the full batch, and with batches of 8?</summary>
# Full batch: Rprop ends far below, whatever its first step. Batches of 8: far worse than guessing, because steps may grow up to 50, the
# limit of torch. With a limit of 0.1 it learns, but RMSProp learns more.</details>

# %% slideshow={"slide_type": "-"}
from shared.optimizers import RMSprop, Rprop
from shared.problems import Softmax

digits = data.digits()
softmax = Softmax(digits.x_train, digits.y_train)
sizes, steps, limit = (8, 64, softmax.n), 200, 0.1
entries = {"Rprop": (Rprop, np.geomspace(1e-4, 0.1, 7)),
           f"Rprop, steps ≤ {limit}": (lambda lr: Rprop(lr, step_sizes=(1e-6, limit)), np.geomspace(1e-4, 0.1, 7)),
           "RMSprop": (RMSprop, np.geomspace(1e-2, 3, 7))}

def trained(rule, B):
    """The loss on all digits after training on batches of B, (3 seeds, rates); the full batch needs no seed."""
    oracles = [softmax] if B == softmax.n else [MiniBatch(softmax, B, seed) for seed in range(3)]
    rows = [softmax(race.final(rule, f, np.zeros(softmax.dim), steps)) for f in oracles]
    return np.broadcast_to(rows, (3, len(rows[0])))

ends = {m: np.stack([trained(make(rates), B) for B in sizes], 1) for m, (make, rates) in entries.items()}  # (seeds, sizes, rates)
fig, ax = theme.figure(9, 3.1)
for i, (m, y) in enumerate(ends.items()):
    plots.band(ax, y[:, range(3), y.mean(0).argmin(1)], m, x=np.arange(3), marker="o", color=theme.color(m.split(",")[0]), ls="-:"[i == 1])
ax.set(yscale="log", xticks=range(3), ylabel=f"training loss after {steps} steps", xlim=(-0.2, 2.2), title="each at its best rate")
ax.set_xticklabels([f"batch of {B}" for B in sizes[:2]] + ["full batch"])
ax.axhline(np.log(10), color=theme.MUTED, ls=":", label="_")
ax.text(1.5, np.log(10) * 1.2, "guessing", color=theme.MUTED)
plots.label_ends(ax)
show(fig, alt="Rprop is far below RMSProp with the full batch and far above guessing with batches of 8; with short steps it learns, less than RMSProp.")

# %% slideshow={"slide_type": "skip"}
free, short, rms = ends.values()
best_rms = rms.mean(0).argmin(1)
claim(f"full batch: Rprop ends at {free[0, 2].max():.1e} or less for all {free.shape[-1]} first steps, RMSProp "
      f"at {rms[0, 2].min():.1e} at best",
      free[0, 2].max() < rms[0, 2].min() / 5 and 0 < best_rms[2] < rms.shape[-1] - 1)
claim(f"batches of {sizes[0]}: Rprop {free[:, 0].min():.0f} or more, guessing {np.log(10):.2f}, RMSProp "
      f"{rms[:, 0, best_rms[0]].max():.2f} or less",
      free[:, 0].min() > 5 * np.log(10) and rms[:, 0, best_rms[0]].max() < np.log(10) / 5)
claim(f"with steps of at most {limit} Rprop reaches {short[:, 0].min():.2f} there: it learns, RMSProp learns "
      f"more",
      rms[:, 0, best_rms[0]].max() * 1.5 < short[:, 0].min() < np.log(10) / 2)
large = softmax(race.final(Adam(10.0), softmax, np.zeros(softmax.dim), steps))
claim(f"Rprop is not the end: Adam with the full batch and η = 10 reaches {large:.0e}",
      large < free[0, 2].min())

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
class Hinton:
    """A slope of 0.1 at nine steps and −0.9 at the tenth."""
    def __init__(self, t=1): self.t = t
    def at(self, t): return Hinton(t)
    def grad(self, x): return np.full_like(x, -0.9 if self.t % 10 == 0 else 0.1)

drift = {m: -np.diff(run(rule, Hinton(), [0.0], 2000)[1000::10, 0]).mean() for m, rule in {"sign": sign(1.0), "RMSprop": RMSprop(1.0)}.items()}
claim(f"ten batches whose mean is 0: the sign walks {drift['sign']:.2f} η, RMSProp {drift['RMSprop']:.2f} η",
      drift["sign"] > 7 and abs(drift["RMSprop"]) < 0.5)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A cousin: Adadelta
#
# $g/\sqrt v$ has no units. A step must have those of $x$. Newton's has: $g/h$, with the curvature $h$. Adadelta multiplies by the root mean square of its
# own steps, and so has no rate to choose. The price: its first steps are as tiny as √ε, and it must bootstrap. Raise ε, and the delay is gone:
# ε has become the rate.

# %% slideshow={"slide_type": "-"}
from shared.optimizers import Adadelta

fig, ax = theme.figure(9, 3.0)
traces = {}
for m, rule in {"Adadelta": Adadelta(), "Adadelta, ε = 1e-3": Adadelta(eps=1e-3), "RMSprop": RMSprop(0.01), "Adagrad": Adagrad(0.1)}.items():
    traces[m] = np.array([softmax(run(rule, MiniBatch(softmax, 64, seed), np.zeros(softmax.dim), 300, every=5)) for seed in range(3)])
    plots.band(ax, traces[m], m, x=np.arange(0, 301, 5), color=theme.color(m.split(",")[0]), ls="--" if "ε" in m else "-")
ax.set(yscale="log", xlabel="step", ylabel="training loss", title="digits, batches of 64, three seeds")
plots.label_ends(ax)
show(fig, alt="Adadelta starts much more slowly than RMSProp and AdaGrad at ordinary rates, and is still behind after 300 steps; with a larger epsilon it is not.")

# %% slideshow={"slide_type": "skip"}
show(Adadelta)

# %% slideshow={"slide_type": "skip"}
end = {m: y[:, -1] for m, y in traces.items()}
claim(f"Adadelta, untuned, takes the loss to {end['Adadelta'].mean():.2f}: behind RMSProp "
      f"{end['RMSprop'].mean():.2f} and AdaGrad {end['Adagrad'].mean():.2f}",
      max(end["RMSprop"].max(), end["Adagrad"].max()) < end["Adadelta"].min() and end["Adadelta"].max() < 0.7)
claim(f"with ε = 1e-3 it reaches {end['Adadelta, ε = 1e-3'].mean():.2f}",
      end["Adadelta, ε = 1e-3"].max() < end["Adadelta"].min() / 2)

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
claim(f"the worst step comes later: {factor[0.999].max():.1f} η at step {factor[0.999].argmax() + 1}, "
      f"{factor[0.9999].max():.0f} η for 0.9999",
      factor[0.999].max() > 6 and factor[0.9999].max() > 15)
claim(f"η = 0.3: the loss climbs to {hurt[0.3, 'without'].max(1).min():.0f} without, "
      f"{hurt[0.3, 'with'].max(1).max():.1f} with correction",
      hurt[0.3, "without"].max(1).min() > 1.5 * hurt[0.3, "with"].max(1).max())
claim(f"η = 0.003: after 100 steps {hurt[0.003, 'without'][:, -1].max():.2f} without, "
      f"{hurt[0.003, 'with'][:, -1].min():.2f} with",
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

def adam(place, ε, f=tumours, d=tumours.dim, steps=100, η=0.01, β1=0.9, β2=0.999):
    x = m = v = np.zeros(d)
    xs = [x]
    for t in range(1, steps + 1):
        g = f.grad(x)
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
step = {place: np.abs(np.diff(adam(place, 1e-8, Slope(1e-5), d=1, η=1.0)[:, 0])).max() for place in ("inside", "after")}
claim(f"a steady gradient of 1e-5, ε = 1e-8: a step is {step['inside']:.2f} η inside the root and "
      f"{step['after']:.3f} η outside",
      step["inside"] < 0.2 and step["after"] > 0.99)
most = {ε: [apart[place, ε].max() for place in ("before", "inside")] for ε in (1e-8, 1e-3)}
claim(f"the paths differ by up to {most[1e-3][0]:.2f} (before) and {most[1e-3][1]:.2f} (inside) at ε = 1e-3",
      min(most[1e-3]) > 0.02)
claim(f"at ε = 1e-8 only by {most[1e-8][0]:.0e} and {most[1e-8][1]:.0e}",
      max(most[1e-8]) < min(most[1e-3]) / 10)
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
# The cleanest place to see it: pixels of MNIST that are black in every training image. Their weights get **no** gradient from the data, only the penalty.
#
# <details><summary><b>Predict:</b> after 200 steps at η = 0.002, how do these weights depend on λ = 0.001 ... 1, under L2 and under AdamW?</summary>
# Under L2 the gradient is λ x alone, and λ cancels in m/√v: the same shrinkage for every λ. Under AdamW they are exactly (1 − ηλ)^k of their start.</details>

# %% slideshow={"slide_type": "subslide"}
from shared import chance
from shared.optimizers import AdamW

mnist = data.mnist()
dead = mnist.x_train.std(0) == 0
images = Softmax(mnist.x_train[:1000], mnist.y_train[:1000])
λs, η, K = np.logspace(-3, 0, 4), 2e-3, 200

def dead_weights(rule, seed):
    """The size of the dead pixels' weights, Σ|w|, as a share of their start: (steps + 1, λ)."""
    w0 = 0.05 * chance.rng(seed).standard_normal(images.dim)
    w = run(rule, MiniBatch(images, 64, seed), w0, K, every=20)
    here = np.repeat(dead, images.classes)
    return np.abs(w[..., here]).sum(-1) / np.abs(w0[here]).sum()

left_over = {m: np.array([dead_weights(r, seed) for seed in range(3)])
             for m, r in {"Adam": Adam(η, weight_decay=λs), "AdamW": AdamW(η, weight_decay=λs)}.items()}
fig, axes = theme.figure(9, 3.2, 1, 2, sharey=True)
for ax, (m, share) in zip(axes, left_over.items()):
    for i, λ in enumerate(λs):
        plots.curve(ax, share[0, :, i], f"λ = {λ:g}", x=np.arange(0, K + 1, 20), lw=(5 - i if m == "Adam" else 2))
    ax.set(xlabel="step", title=f"{m}{' + L2' if m == 'Adam' else ''}", ylim=(-0.03, 1.05))
    plots.label_ends(ax)
axes[0].set_ylabel("Σ|w| / Σ|w at start|")
show(fig, alt="Dead pixels: under L2 the weights shrink alike for all decays; under AdamW each decay has its own slow curve.")

# %% slideshow={"slide_type": "skip"}
early = left_over["Adam"][:, 1]                                            # (seeds, λ) after 20 steps
claim(f"{dead.sum()} dead pixels; after 20 steps Adam + L2 leaves {early.mean(0).round(3)} of their weights for "
      f"λ = {λs}: nearly the same",
      np.ptp(early, axis=1).max() < 0.01 and early.max() < 0.5)
claim(f"after {K} steps AdamW leaves {left_over['AdamW'][0, -1].round(4)}: exactly (1 − ηλ)^{K}",
      np.allclose(left_over["AdamW"][:, -1], (1 - η * λs) ** K, rtol=1e-9))

# %% [markdown] slideshow={"slide_type": "notes"}
# We do not claim that AdamW is more accurate: that was not measured. What is certain is the mechanism:
# under L2 the strength λ has lost its meaning for every weight without gradient from the data.

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
from shared.optimizers import Adamax

show(Adamax)

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import NAdam

show(NAdam)

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import RAdam

show(RAdam)

# %% slideshow={"slide_type": "skip"}
show(Lion)

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import Adafactor

show(Adafactor)

# %% slideshow={"slide_type": "subslide"}
from shared.optimizers.adaptive import rectification

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
    loss = []
    for seed in range(3):
        start = 0.1 * chance.rng(seed).standard_normal(softmax.dim)
        loss.append(softmax(run(rule, MiniBatch(softmax, 64, seed), start, 300, every=10)))
    plots.band(right, loss, m, x=np.arange(0, 301, 10))
    reached[m] = np.max(loss, 0)[-1]
right.set(yscale="log", xlabel="step", title="digits: untuned, three seeds")
plots.label_ends(right)
show(fig, alt="RAdam's factor rises from zero to one over a thousand steps; six relatives of Adam all train on digits.")

# %% slideshow={"slide_type": "skip"}
claim(f"all six train: loss at most {max(reached.values()):.2f}, from {np.log(10):.2f}",
      max(reached.values()) < 1)
def numbers_kept(rule, d):
    """How many numbers a rule keeps after a step on d weights."""
    _, state = rule.step(Slope(), np.ones(d), rule.State(), 1)
    return sum(np.size(part) for part in state if np.size(part) > 1)

n, k = 512, 256
kept = {m: numbers_kept(rule, n * k) for m, rule in {"Adam": Adam(), "Lion": Lion(), "Adafactor": Adafactor(shape=(n, k))}.items()}
claim(f"after a step on a {n} x {k} matrix the state holds {kept['Adam']:,} numbers in Adam, {kept['Lion']:,} "
      f"in Lion, {kept['Adafactor']:,} in Adafactor",
      kept["Adam"] == 2 * kept["Lion"] and kept["Adafactor"] < kept["Adam"] / 100)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Comparisons and performance analysis
#
# ### Where Adam wins: heavy tails
#
# Guess the next word from the last one: softmax regression over pairs of words. It is **convex**, we use the **full batch** (no noise),
# and the best possible loss is known: the *conditional entropy*, what is still uncertain about the next word once the last is known.
# Three thirds of the book, the 160 most common words of each, seven rates for each method.
#
# <details><summary><b>Predict:</b> convex, no noise, each method at its best rate. Can Adam still win by much?</summary>
# Yes, by a factor of more than a hundred in excess loss. Neither noise nor saddles explain it. Look at who is left behind.</details>
#
# <details><summary><b>Predict:</b> two tails could be to blame: some words are rarely the <i>answer</i>, some are rarely the <i>question</i>. Make all answers
# equally frequent, or all questions. Which helps gradient descent more?</summary>
# The questions, here. Rare answers matter, rare inputs matter more, and both together do not explain all of it.</details>

# %% slideshow={"slide_type": "-"}
tokens, W, T = language.words(), 160, 100
thirds = [language.encode(part.tolist(), W + 1) for part in np.array_split(np.array(tokens), 3)]
texts = {level: [language.Bigram.of(ids, W, level) for ids in thirds] for level in ("", "next", "last", "both")}
methods = {"SGD": (SGD, np.geomspace(40, 2560, 7)), "Adam": (Adam, np.geomspace(0.1, 6.4, 7)),
           "sign": (sign, np.geomspace(0.0125, 0.8, 7))}

def best_end(f, make, rates):
    """The end of the best run of `rates`, and which rate it was."""
    ends = run(make(rates), f, np.zeros(f.dim), T, every=T)[-1]
    k = np.nanargmin(f(ends))
    return ends[k], k

reached = {(level, m): [best_end(f, *methods[m]) for f in fs] for level, fs in texts.items() for m in methods if m != "sign" or not level}
excess = {key: np.array([f(x) - f.floor for f, (x, _) in zip(texts[key[0]], found)]) for key, found in reached.items()}

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.5, 1, 2, width_ratios=(1.15, 1))
f = texts[""][0]
order = np.argsort(-f.P.sum(0))
groups = [order[i:j] for i, j in zip((0, 4, 16, 40, 80), (4, 16, 40, 80, W))]
best_possible = f.losses(np.log(np.maximum(f.P, 1e-12)).ravel())
above = lambda x: np.array([(f.losses(x) - best_possible)[g].sum() for g in groups])     # per group of words
remains = {m: above(reached["", m][0][0]) / above(np.zeros(f.dim)) for m in ("SGD", "Adam")}
names = {"SGD": "gradient descent", "Adam": "Adam"}
for m, share in remains.items():
    left.plot(range(5), np.maximum(share, 1e-5), "-o", color=theme.color(m), label=names[m])
left.axhline(1, color=theme.MUTED, ls=":", lw=1)
left.set(xticks=range(5), ylabel="share of the excess loss left", title="which answers are left behind?", yscale="log")
left.set_xticklabels(["4 most\ncommon", "next 12", "next 24", "next 40", f"{W - 80} rarest"])
left.legend(loc="center left")
for m in names:
    for i, level in enumerate(texts):
        right.plot(i + np.array([-0.12, 0, 0.12]), excess[level, m], "o", color=theme.color(m), ms=6, label=names[m] if i == 0 else None)
right.set(yscale="log", xticks=range(4), title="excess loss, three texts")
right.set_xticklabels(["as they\nare", "answers\nlevelled", "questions\nlevelled", "both"])
right.legend(loc="center left")
show(fig, alt="Gradient descent has learnt common answers and little of rare ones; levelling the words to guess lowers its excess loss, levelling the words "
              "to guess from lowers it more, both together no further; Adam stays far below.")

# %% slideshow={"slide_type": "skip"}
gd, adam_left = (np.stack([excess[level, m] for level in texts]) for m in ("SGD", "Adam"))        # (levels, texts)
claim(f"above the floor after {T} steps: gradient descent {gd[0].round(2)}, Adam {adam_left[0].max():.0e}, sign "
      f"{excess['', 'sign'].round(4)}",
      (gd[0] > 100 * adam_left[0]).all() and (gd[0] > 10 * excess["", "sign"]).all())
inside = [0 < k < len(methods[m][1]) - 1 for (_, m), found in reached.items() for _, k in found]
claim(f"every best rate lies inside its grid, {len(inside)} times", all(inside))
claim(f"of the {len(groups[0])} most common answers gradient descent has {remains['SGD'][0]:.0%} left to learn, "
      f"of the {len(groups[-1])} rarest "
      f"{remains['SGD'][-1]:.0%}; Adam at most {remains['Adam'].max():.2%}", remains["SGD"][-1] > 3 * remains["SGD"][0] and remains["Adam"].max() < 0.01)
claim(f"gradient descent's excess falls to {gd[1].round(3)} if the answers are levelled, to {gd[2].round(3)} if "
      f"the questions are",
      (gd[1] < 0.75 * gd[0]).all() and (gd[2] < 0.6 * gd[1]).all())
claim(f"with both it is {gd[3].round(3)}: no better than with the questions alone, and more than "
      f"{(gd[3] / adam_left[3]).min():.0f} times Adam's",
      (gd[3] > 0.8 * gd[2]).all() and (gd[3] > 20 * adam_left[3]).all())

# %% [markdown] slideshow={"slide_type": "subslide"}
# The score of the pair (last, next) is pulled up by the pair's share of the text: as weakly as the pair is rare. A method that normalises each coordinate
# does not care. Gradient descent has one rate, and the most frequent questions forbid a larger one.
#
# **The tails are a main cause**, and there are two. Rare *classes* have been blamed (Kunstner et al. 2024). In this model each class is guessed from one-hot inputs with a
# tail of their own, and that is AdaGrad's old story: a row learns only when its word occurs (for bigrams: Kunstner & Bach 2025). Nor is it all of it: with both
# tails levelled Adam stays far ahead.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### And in a transformer
#
# One attention block (chapter 7 has its parts), gradients clipped for both methods (chapter 6), momentum for gradient descent (chapter 4). Each is tuned three
# times with three fresh rates, on half of the text that was held out, and reported on the other half.

# %% slideshow={"slide_type": "-"}
from torch.nn.functional import cross_entropy

from shared.models.transformer import TinyTransformer
from shared.problems import Clipped
from shared.problems.networks import NetworkOracle

ids = language.encode(tokens, 512)
before, after = language.sentences(ids, 8)
end = len(before) * 9 // 10
held_out = np.arange(end + 8, len(before), 40)        # the last tenth: shares no word with training

def trains(make, low, high, steps=120):
    """A tiny transformer trained on batches of 16 sentences: its loss on both halves of the held-out text."""
    def train(seed, lr):
        f = NetworkOracle(TinyTransformer(512, length=8, seed=seed), cross_entropy, before, after)
        x = race.final(make(lr), Clipped(MiniBatch(f.subset(np.arange(end)), 16, seed), max_norm=1.0), f.start, steps)
        return race.Outcome(*(float(f.subset(half)(x)) for half in np.array_split(held_out, 2)))
    return race.Method(train, {"lr": race.Range(low, high, log=True)})

attention = race.compare({"Momentum": trains(lambda lr: SGD(lr, momentum=0.9), 0.03, 1), "Adam": trains(Adam, 0.002, 0.06)}, draws=3, trials=3)
print(attention)

# %% slideshow={"slide_type": "skip"}
lead = attention.values("Momentum") - attention.values("Adam")
claim(f"Adam's held-out loss is lower by {lead.min():.2f} to {lead.max():.2f} in {len(lead)} draws",
      lead.min() > 0)

# %% [markdown] slideshow={"slide_type": "-"}
# Adam is ahead here too. Whether it is for the same reason this does not show: nothing was levelled.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where it stops helping: rotation
#
# A rate for each **coordinate** helps if the valley runs along a coordinate. Turn it. Gradient descent does not notice. Adam does.
# Every method below gets its best rate *for this very angle*.

# %% slideshow={"slide_type": "-"}
from shared.explorers import rotation

rotation.explorer()

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. Turn the valley to 45°. Which curves are flat, and why must they be?
# 2. Set κ to 10 and to 1000. When does it matter?
# 3. At 45° and κ = 1000, who is best? Did you expect it?

# %% slideshow={"slide_type": "skip"}
left_at = {m: rotation.by_angle(1000.0, m, (0.0, 45.0))[0] for m in ("SGD", "Momentum", "Adagrad", "Adam")}
for m, (straight, turned) in left_at.items():
    print(f"{m:10} straight {straight:.1e}   at 45 degrees {turned:.1e}")
mild = rotation.by_angle(10.0, "Adam", (0.0, 15.0))[0]
claim(f"κ = 10, turned by 15 degrees: Adam leaves {mild[1]:.0e} instead of {mild[0]:.0e}",
      mild[1] < 10 * mild[0])
claim("gradient descent and momentum do not notice the angle",
      all(np.isclose(*left_at[m], rtol=1e-3) for m in ("SGD", "Momentum")))
claim(f"Adam loses {np.log10(left_at['Adam'][1] / left_at['Adam'][0]):.0f} orders of magnitude, AdaGrad its "
      f"whole advantage over gradient descent",
      left_at["Adam"][1] > 1e3 * left_at["Adam"][0] and left_at["Adagrad"][1] > 0.3 * left_at["SGD"][1])
claim("straight, Adam beats tuned momentum; turned by 45 degrees, tuned momentum beats Adam",
      left_at["Adam"][0] < left_at["Momentum"][0] and left_at["Momentum"][1] < left_at["Adam"][1] / 10)

# %% [markdown] slideshow={"slide_type": "subslide"}
# A gentle turn of a mild valley ($\kappa = 10$) costs Adam next to nothing. The textbook picture needs a steep valley. Chapter 5 has methods that no rotation can touch.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where it fails: a convex problem, and it heads for the worst point
#
# Reddi's problem: on $[-1, 1]$ the slope is $1010$ at every 101st step and $-10$ at the other hundred. The mean slope is $+10/101$: go to $-1$.
# With $\beta_2 = 0.99$ Adam has forgotten most of the big gradient after 100 steps, and divides it down exactly when it comes.

# %% slideshow={"slide_type": "-"}
from shared.problems.counterexamples import Reddi, projected

three, lr = np.array([[-0.5], [0.0], [0.5]]), lambda k: 0.5 / (k + 1) ** 0.5
ends = {m: projected(Adam(lr, betas=(0.9, 0.99), amsgrad=m == "AMSGrad"), Reddi(), three, 6060)[..., 0] for m in ("Adam", "AMSGrad")}
fig, (ax, close) = theme.figure(9, 3.2, 1, 2, width_ratios=(1.6, 1))
for m, xs in ends.items():
    for i in range(3):
        plots.curve(ax, xs[:, i], m if i == 1 else None, color=theme.color(m), lw=1)
    plots.curve(close, xs[2020:2323, 1] - xs[2020, 1], m, x=np.arange(2020, 2323), color=theme.color(m), ls="--" if m == "AMSGrad" else "-")
ax.axhline(-1, color=theme.GOOD, ls="--", lw=1.2)
ax.axhline(1, color=theme.BAD, ls="--", lw=1.2)
ax.text(60, -0.97, "best", color=theme.GOOD, va="bottom")
ax.text(60, 0.97, "worst", color=theme.BAD, va="top")
ax.set(xlabel="step", ylabel="x", ylim=(-1.08, 1.08), title="three starts")
close.set(xlabel="step", title="three periods: x moved by")
plots.label_ends(ax)
plots.label_ends(close)
show(fig, alt="From three starts Adam climbs towards the worst point, plus one, and AMSGrad towards the best, minus one; within each period both fall "
              "back after the rare gradient and then climb, Adam by more than it lost.")

# %% slideshow={"slide_type": "skip"}
there = {m: xs[-1] for m, xs in ends.items()}
claim(f"after {len(ends['Adam']) - 1} steps Adam is at {there['Adam'].round(2)}, AMSGrad at "
      f"{there['AMSGrad'].round(2)}",
      there["Adam"].min() > 0.2 and there["AMSGrad"].max() < -0.4)

# %% [markdown] slideshow={"slide_type": "notes"}
# AMSGrad keeps the largest v, so the rare gradient counts in full. A longer memory cures Adam as well: exercise 5 looks for it. The problem was
# made for a given β₂; for a given problem, Adam with β₂ large enough converges (Défossez et al. 2022; Zhang et al. 2022).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Hyperparameter tuning for adaptive methods
#
# ### How sensitive is the rate?
#
# A network 64-16-10 on digits, 100 steps, four decades of rates, three seeds.

# %% slideshow={"slide_type": "-"}
from shared.models.mlp import mlp

held_images = NetworkOracle(mlp(64, 16, 10, dtype=torch.float32), cross_entropy, digits.x_test, digits.y_test)

def digits_problem(seed):
    f = NetworkOracle(mlp(64, 16, 10, seed=seed, dtype=torch.float32), cross_entropy, digits.x_train, digits.y_train)
    return MiniBatch(f, 32, seed), f.start

decades, level = race.Range(1e-3, 10, log=True), 0.5
makers = {"SGD": SGD, "Momentum": lambda lr: SGD(lr, momentum=0.9), "Adagrad": Adagrad, "Adam": Adam}
fig, ax = theme.figure(9, 3.4)
width, own = {}, {}
for m, make in makers.items():
    entry = race.Entry(make, {"lr": decades})
    η = entry.settings(25)["lr"]
    table = race.scores(entry, {"lr": η}, digits_problem, held_images, 100, (0, 1, 2))
    plots.band(ax, table.T, m, x=η)
    fine = np.linspace(np.log10(η[0]), np.log10(η[-1]), 2000)
    loss = np.exp([np.interp(fine, np.log10(η), column) for column in np.log(table).T])      # (seeds, rates)
    width[m], own[m] = (np.mean(loss < line, 1) * np.ptp(fine) for line in (level, 2 * loss.min(1, keepdims=True)))
plots.limit(ax, level, "one line for all", axis="y")
ax.set(xscale="log", yscale="log", xlabel="learning rate η", ylabel="test loss after 100 steps")
ax.legend(loc="lower left", ncols=4, bbox_to_anchor=(0, 1.0))
show(fig, alt="Test loss against the learning rate over four decades: four valleys; gradient descent's lies at larger rates and barely dips below the line.")

# %% slideshow={"slide_type": "skip"}
say = lambda widths: ", ".join(f"{m} {np.median(w):.1f}" for m, w in widths.items())
print(f"decades of rates with a loss below {level}: {say(width)}; within twice the method's own best: {say(own)}")
middle = {m: np.median(w) for m, w in width.items()}
claim(f"below {level} Adam's valley is {middle['Adam'] / middle['SGD']:.1f} times as wide as gradient "
      f"descent's; it spans {middle['Adam']:.1f} decades of four",
      1.3 * middle["SGD"] < middle["Adam"] < 2)
closer = np.median(own["SGD"]) / np.median(own["Adam"]) / (np.median(width["SGD"]) / np.median(width["Adam"]))
claim(f"measured by its own best, gradient descent's valley is {closer:.1f} times wider against Adam's than by "
      f"one line for all",
      closer > 1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# How wide a valley is depends on the line that you draw. With one line for all Adam's is wider than gradient descent's here, and still more than half of the four decades fail:
# "Adam needs no tuning" is not what this shows. What Adam does bring is a valley that **stays where it is** when the loss is rescaled.
#
# <details><summary><b>Predict:</b> multiply the loss by 1000. How do the best rates of gradient descent and of Adam change? And if you measure a parameter in other units?</summary>
# The loss: gradient descent's falls by 1000, Adam's stays, for m and √v both grow by 1000. The units: the way to go changes, Adam's η does not; one rate
# for all coordinates is a compromise again.</details>

# %% slideshow={"slide_type": "skip"}
from shared.descent import loss_at


class Scaled:
    """1000 times a loss."""
    def __init__(self, f): self.f = f
    def at(self, t): return Scaled(loss_at(self.f, t))
    def grad(self, x): return 1000 * self.f.grad(x)

short = dict(f=MiniBatch(softmax, 64, 0), x0=np.zeros(softmax.dim), steps=50)
moved = {rule.method: np.abs(run(rule, Scaled(short["f"]), short["x0"], 50)[-1] - run(rule, **short)[-1]).max() for rule in (SGD(0.1), Adam(0.01))}
claim(f"same rate, loss x 1000: Adam's weights change by {moved['Adam']:.1e}, gradient descent's by "
      f"{moved['SGD']:.0f}",
      moved["Adam"] < 0.02 and moved["SGD"] > 10)
units, rates = (1, 10, 100, 1000), np.geomspace(1e-3, 3, 100)
starts = np.stack([np.linspace(1.2, 1.8, 9), np.linspace(1.9, 1.3, 9)], 1)
lowest = {m: [Steep(c)(run(make(rates[:, None]), Steep(c), starts / [c, 1], 100, every=100)[-1]).max(1).min() for c in units]
          for m, make in {"Adam": Adam, "Adagrad": Adagrad}.items()}
claim(f"(c x)² + y⁴ from the same heights, c = {units}, worst of 9 starts at the best rate: Adam "
      f"{', '.join(f'{l:.0e}' for l in lowest['Adam'])}",
      lowest["Adam"][-1] > 50 * lowest["Adam"][0])
claim(f"AdaGrad: {', '.join(f'{l:.0e}' for l in lowest['Adagrad'])}: its sum forgets nothing, so steps shrink "
      f"to any scale",
      max(lowest["Adagrad"]) < 2 * min(lowest["Adagrad"]))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Two at a time
#
# Each cell is a run. All 1,581 run in **one batch**: the rules broadcast. Click a cell to see its path.

# %% slideshow={"slide_type": "-"}
from shared.explorers import heatmap

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
from shared.descent import grid

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
claim(f"momentum: η/(1 − β) is constant within {np.ptp(ridge) / ridge.mean():.0%} while β goes from 0 to 0.95",
      np.ptp(ridge) < 0.25 * ridge.mean())
claim(f"Adam: η itself is constant within {np.ptp(needs['Adam']) / needs['Adam'].mean():.0%}",
      np.ptp(needs["Adam"]) < 0.25 * needs["Adam"].mean())

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Grid or random?
#
# A grid of 16 settings of two hyperparameters has four rates. Sixteen random settings have sixteen. If one hyperparameter hardly matters,
# random search sees more of the other (Bergstra & Bengio 2012). Fair means: the same distribution, and a grid that is shifted at random too.
#
# <details><summary><b>Predict:</b> Adam on Rosenbrock, once searching (η, ε), once (η, β₁). Where does random search win?</summary>
# With ε, which hardly matters here. With β₁, which does matter, neither is better by much.</details>

# %% slideshow={"slide_type": "-"}
rosen, rng, N = landscapes.rosenbrock(), chance.rng(0), 200
cells = np.stack(np.meshgrid(range(4), range(4), indexing="ij")).reshape(2, 16)
shares = {"grid": (cells + rng.uniform(size=(N, 2, 1))) / 4, "random": rng.uniform(size=(N, 2, 16))}    # (searches, 2, trials)
lr_range = race.Range(1e-4, 1, log=True)
second = {"ε": (race.Range(1e-12, 1e-6, log=True), lambda lr, e: Adam(lr, betas=(0.9, 0.99), eps=e)),
          "β₁": (race.Range(0.01, 1, log=True), lambda lr, b: Adam(lr, betas=(1 - b, 0.99)))}

def best_of_16(make, other, u):
    """The lowest loss that each search found, sorted: (searches,)."""
    ends = race.final(make(lr_range.value(u[:, 0]), other.value(u[:, 1])), rosen, rosen.start, 200)
    return np.sort(np.nan_to_num(rosen(ends), nan=1e9).min(1))

found = {(symbol, how): best_of_16(make, other, u) for symbol, (other, make) in second.items() for how, u in shares.items()}
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
claim(f"16 trials: random search beats the grid in {wins['ε']:.0%} of pairs when the second knob is ε, in "
      f"{wins['β₁']:.0%} when it is β₁",
      wins["ε"] > max(0.6, wins["β₁"] + 0.1) and wins["β₁"] < 0.65)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A fair race
#
# "Adam beats SGD" depends on how long each was tuned. So make the **budget** part of the question. For every method: draw fresh settings at random, 16 for each
# of sixteen searchers, and ask what you would have got after 1, 2, 4, ... trials, tuning with one seed and reporting with another.
# (Both on the same test digits, for all methods alike: for a report you would take a third set, chapter 1.) Adam runs twice: with one knob, and with three.
#
# <details><summary><b>Predict:</b> you try one random setting of each. How often does Adam beat SGD? And after 16 trials each?</summary>
# With one trial little more often than a coin would say. With sixteen most of the time. Adam's two more knobs change little.</details>

# %% slideshow={"slide_type": "skip"}
show(race.race)

# %% slideshow={"slide_type": "-"}
wide, memory = race.Range(1e-4, 10, log=True), race.Range(0.01, 1, log=True)
runners = {
    "SGD": race.Entry(SGD, {"lr": wide}),
    "Momentum": race.Entry(lambda lr, b: SGD(lr, momentum=1 - b), {"lr": wide, "b": memory}),
    "Adam": race.Entry(Adam, {"lr": wide}),
    "Adam, 3 knobs": race.Entry(lambda lr, b1, b2: Adam(lr, betas=(1 - b1, 1 - b2)),
                                {"lr": wide, "b1": memory, "b2": race.Range(1e-4, 0.1, log=True)}),
}
result = race.race(runners, digits_problem, held_images, steps=100, trials=16, draws=16)
budgets = (1, 2, 4, 8, 16)

# %% slideshow={"slide_type": "subslide"}
fig, axes = theme.figure(9, 3.3, 1, len(runners), sharey=True)
for ax, (m, (low, middle, high)) in zip(axes, result.curves(budgets).items()):
    colour = theme.color(m.split(",")[0])
    plots.curve(ax, middle, m, x=budgets, marker="o", color=colour)
    ax.fill_between(budgets, low, high, color=colour, alpha=0.18, lw=0)
    ax.set(xscale="log", yscale="log", xlabel="trials", xticks=budgets, title=m)
    ax.set_xticklabels(budgets)
    ax.minorticks_off()
    ax.set_yticks([0.2, 0.3, 0.5, 1, 2], ["0.2", "0.3", "0.5", "1", "2"])
axes[0].set_ylabel("test loss: median, middle half")
show(fig, alt="Test loss against the tuning budget for four entries: with one trial the bands are wide and alike, with sixteen narrow and at different heights.")

# %% slideshow={"slide_type": "skip"}
after = {budget: result.after(budget) for budget in budgets}
for budget, values in after.items():
    print(f"{budget:2} trials: " + ", ".join(f"{m} {np.median(v):.2f}" for m, v in values.items()))
beats = {budget: (v["Adam"][:, None] < v["SGD"]).mean() for budget, v in after.items()}
claim(f"Adam beats SGD in {beats[1]:.0%} of all pairs of searchers with one trial each, in {beats[16]:.0%} with "
      f"sixteen",
      beats[1] + 0.1 < beats[16] and beats[1] < 0.75)
luck = result.curves((1, 16))
claim("for every entry, an unlucky searcher with sixteen trials (the worst quarter begins at "
      + ", ".join(f"{high[1]:.2f}" for _, _, high in luck.values()) + ") beats the usual one with one trial ("
      + ", ".join(f"{middle[0]:.2f}" for _, middle, _ in luck.values()) + ")", all(1.5 * high[1] < middle[0] for _, middle, high in luck.values()))
medians = {m: np.median(v) for m, v in after[16].items()}
knobs, method = medians["Adam, 3 knobs"] / medians["Adam"], medians["SGD"] / medians["Adam"]
claim(f"sixteen trials: SGD's loss is {method:.2f} times Adam's; Adam's with three knobs {knobs:.2f} times that "
      f"with η alone",
      max(knobs, 1 / knobs) < method)

# %% [markdown] slideshow={"slide_type": "-"}
# With one trial luck decides, with many the best settings do. Here η is the knob that counts: the choice of the method moves more than β₁ and β₂.
# Whenever you read "A beats B", ask: **after how many trials each?** And: searched where? Choi et al. (2019) reverse rankings by changing the ranges.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to start
#
# | | try first | then |
# |:--|:--|:--|
# | η | $10^{-3}$ (Adam), a third to a tenth of it (Lion) | by factors of 3, both ways |
# | β₁ | 0.9 | leave it |
# | β₂ | 0.999; shorter (0.95-0.99) when gradients change fast | longer when rare gradients matter |
# | ε | $10^{-8}$ | larger if tiny gradients are only noise |
# | λ | AdamW, 0.01-0.1; 3 to 10 times more for Lion | remember that it is multiplied by η |
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
# On Reddi's problem (slopes 1010 and −10) Adam with β₂ = 0.99 drifts the wrong way, as you saw. Choose β₂ (β₁ = 0.9, η = 0.5/√t, from x = 0) so that its mean over
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
# | sign, Rprop | $\lvert g\rvert$ | full batches, any scale of the loss | bounces; noise |
# | **AdaGrad** | $\sqrt{\sum g^2}$ | rare features | rates die |
# | **RMSProp** | $\sqrt{\text{mean } g^2}$ | mini-batches | the start; tuning of α |
# | **Adam** | the same, under a smoothed gradient | heavy tails, any scale of the loss | rotation; forgets rare gradients |
# | AdamW | as Adam, decay outside | decay that means what it says | |
#
# - Adaptive methods rescale the gradient's **coordinates**. They help where these differ: rare words, as inputs or as answers. They do not know how far
#   each coordinate must go.
# - Bias correction prevents a burst. ε says where adapting stops.
# - Turn the axes and the advantage goes; forget too fast and even convergence goes.
# - A ranking means little without its tuning budget and its search space.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - M. Riedmiller, H. Braun. *A direct adaptive method for faster backpropagation learning: the RPROP algorithm.* IEEE International Conference on
#   Neural Networks, 1993.
# - H. B. McMahan, M. Streeter. *Adaptive bound optimization for online convex optimization.* COLT 2010.
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
# - R. Ward, X. Wu, L. Bottou. *AdaGrad stepsizes: sharp convergence over nonconvex landscapes.* ICML 2019.
# - D. Choi et al. *On empirical comparisons of optimizers for deep learning.* arXiv:1910.05446, 2019.
# - L. Liu et al. *On the variance of the adaptive learning rate and beyond.* ICLR 2020.
# - A. Défossez, L. Bottou, F. Bach, N. Usunier. *A simple convergence proof of Adam and Adagrad.* TMLR 2022.
# - Y. Zhang, C. Chen, N. Shi, R. Sun, Z.-Q. Luo. *Adam can converge without any modification on update rules.* NeurIPS 2022.
# - X. Chen et al. *Symbolic discovery of optimization algorithms.* NeurIPS 2023. Lion.
# - F. Kunstner, R. Yadav, A. Milligan, M. Schmidt, A. Bietti. *Heavy-tailed class imbalance and why Adam outperforms gradient descent on
#   language models.* NeurIPS 2024.
# - F. Kunstner, F. Bach. *Scaling laws for gradient descent and sign descent for linear bigram models under Zipf's law.* NeurIPS 2025.
