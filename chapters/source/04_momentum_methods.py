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
# # Momentum-based methods
#
# Gradient descent forgets. Every step starts from a standstill, however clear the direction has been.
# In a narrow valley it zigzags for thousands of steps.
#
# **What does one remembered vector buy, what does it cost, and when is it worth nothing?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## What you will be able to do
#
# - Write momentum and Nesterov's method from memory, in the form of the papers and in that of the libraries.
# - Predict, from a 2×2 matrix, how fast any pair (η, β) is on a quadratic, and find the best pair.
# - Say why Nesterov's gradient is asked somewhere else, and what that saves.
# - Recognise where momentum does nothing: noise, small batches, a curvature that jumps.
# - Place the modern variants: Lookahead, averaging, schedule-free, SAM, Lion, Muon.

# %% [markdown] slideshow={"slide_type": "notes"}
# Begin with the explorer, not with a definition. Ask for a bet: which of the three arrives first? Does the answer change
# when everybody's rate is turned up? Keep the bets on the board; the damping plane settles them.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
import numpy as np
import torch

from shared import data, theory
from shared.course import check, claim, show
from shared.descent import run
from shared.figures import plots, theme
from shared.optimizers import QHM, SGD, HeavyBall, Nesterov, Newton
from shared.problems import Logistic, MiniBatch, quadratic

torch.set_num_threads(1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first

# %% slideshow={"slide_type": "-"}
from shared.explorers import trajectories

trajectories.explorer(landscape="River valley", methods=("SGD", "Momentum", "Nesterov"),
                      offered=("SGD", "Momentum", "Nesterov", "Adam"))

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. Press play. Who leaves the bend first? Who shoots past it?
# 2. Choose *fine-tune* Momentum and slide its β from 0 to 0.99. Where does it begin to ring like a bell?
# 3. Turn up the gradient noise. Does the lead of the two methods with inertia survive?

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Momentum
#
# A ball that rolls keeps most of its velocity.
# Across a valley, left and right pushes cancel. Along it, they add up.

# %% slideshow={"slide_type": "-"}
show(HeavyBall)

# %% [markdown] slideshow={"slide_type": "notes"}
# Two lines. v is a displacement, not a gradient: it already contains the rate. β is the share of the last displacement
# that survives. With a steady gradient g, v tends to -η g / (1 - β): ten times the plain step for β = 0.9.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What inertia does in a valley
#
# One rate for all, four momenta, a valley with condition number 50.

# %% slideshow={"slide_type": "-"}
valley, momenta = quadratic(kappa=50), [0.0, 0.5, 0.8, 0.97]
paths = run(HeavyBall(lr=1.2 / 50, momentum=np.array(momenta)), valley, [-2.6, 1.0], 100)
fig, axes = theme.figure(9, 2.9, 1, 4, sharey=True)
for i, (ax, β) in enumerate(zip(axes, momenta)):
    plots.contours(ax, valley, bounds=((-3, 2), (-1.5, 1.5)))
    plots.path(ax, paths[:41, i], "Momentum")
    ax.set(title=f"β = {β}", ylabel="$x_2$" if i == 0 else "")
show(fig, alt="Forty steps in a valley: no momentum crawls, 0.5 is on its way, 0.8 arrives, 0.97 overshoots again and again.")

# %% slideshow={"slide_type": "-"}
ends = np.linalg.norm(paths[-1], axis=-1)
claim(f"error after 100 steps, β = 0, 0.5, 0.8, 0.97: {ends[0]:.2g}, {ends[1]:.2g}, {ends[2]:.2g}, {ends[3]:.2g}",
      ends[2] < ends[1] / 10 < ends[0] / 10 and ends[3] > 10 * ends[2])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A sum or a mean?
#
# Half of the world adds gradients up, $u \leftarrow \beta u + g$. The other half averages them,
# $m \leftarrow \beta m + (1-\beta) g$. Multiply the first line by $1-\beta$ and you have the second: $m = (1-\beta)\,u$, as long as β is constant.
# The heavy ball's $v = -\eta u$ needs a constant η too: it keeps the old rate inside, $u$ does not.
#
# <details><summary><b>Predict:</b> you move from a sum with η = 0.1, β = 0.9 to a mean with β = 0.9. Which η gives the same path?</summary>
#
# The mean is ten times smaller, so its rate must be ten times larger: η = 1. Copy 0.1 and you train ten times slower.
# </details>

# %% slideshow={"slide_type": "-"}
as_sum = run(SGD(0.01, momentum=0.9), valley, [-2.6, 1.0], 100)
as_mean = run(QHM(0.01 / (1 - 0.9), momentum=0.9, nu=1.0), valley, [-2.6, 1.0], 100)
claim(f"sum and mean walk the same path to {np.abs(as_sum - as_mean).max():.0e}",
      np.allclose(as_sum, as_mean, atol=1e-12))
falls = lambda k: 0.01 if k < 20 else 0.001
ball, outside = (run(rule(falls, momentum=0.9), valley, [-2.6, 1.0], 100) for rule in (HeavyBall, SGD))
part = np.abs(ball - outside).max(1) / np.abs(ball).max(1)
claim(f"heavy ball and torch's sum agree to {part[:21].max():.0e} until η falls tenfold, then part by up to "
      f"{part.max():.0%}",
      part[:21].max() < 1e-12 and part.max() > 0.1)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### One recurrence per direction
#
# On a quadratic, every eigenvector of the Hessian lives its own life. Along the one with curvature $\lambda$ the gradient is
# $\lambda x$, and $v_t = x_t - x_{t-1}$. So
#
# $$x_{t+1} = x_t + \beta\,(x_t - x_{t-1}) - \eta\lambda\, x_t
# \qquad\Longleftrightarrow\qquad
# \begin{pmatrix} x_{t+1} \\ x_t \end{pmatrix} =
# \begin{pmatrix} 1 + \beta - \eta\lambda & -\beta \\ 1 & 0 \end{pmatrix}
# \begin{pmatrix} x_t \\ x_{t-1} \end{pmatrix}.$$
#
# The same matrix at every step. After $t$ steps its $t$-th power has acted, and only its eigenvalues $z$ matter:
#
# $$z^2 - (1 + \beta - \eta\lambda)\, z + \beta = 0 .$$

# %% slideshow={"slide_type": "skip"}
show(theory.momentum_matrix)

# %% slideshow={"slide_type": "skip"}
η, β, λ = 0.3, 0.6, 2.0
M = theory.momentum_matrix(η, β, λ)
powers = np.array([np.linalg.matrix_power(M, t) @ [1.0, 1.0] for t in range(31)])[:, 0]
walked = run(HeavyBall(η, β), quadratic(kappa=λ), [0.0, 1.0], 30)[:, 1]
claim(f"the matrix and the rule agree to {np.abs(powers - walked).max():.0e}",
      np.allclose(powers, walked, atol=1e-12))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three regimes
#
# The product of the two roots is $\beta$. For $\eta\lambda \le 1$ their discriminant decides (beyond, real roots are negative and the error
# changes sign at every step; past $\eta\lambda = 2(1+\beta)$ it grows):
#
# - $\beta < (1-\sqrt{\eta\lambda})^2$: two real roots. **Overdamped**: the error creeps.
# - $\beta = (1-\sqrt{\eta\lambda})^2$: a double root $\sqrt\beta$. **Critical**: the fastest.
# - $\beta$ above: complex roots of modulus $\sqrt{\beta}$. **Underdamped**: it rings, and shrinks like $\sqrt\beta^{\,t}$
#   *whatever* the curvature.

# %% slideshow={"slide_type": "subslide"}
spring, η = quadratic(kappa=1, d=1), 0.04
critical = (1 - η**0.5) ** 2
fig, axes = theme.figure(9, 3.1, 1, 3, sharey=True)
for ax, β, name in zip(axes, (0.2, critical, 0.95), ("overdamped", "critical", "underdamped")):
    x = run(HeavyBall(η, β), spring, [1.0], 120)[:, 0]
    plots.curve(ax, x, "Momentum")
    envelope = theory.spectral_radius(η, β, [1.0]) ** np.arange(121)
    ax.plot(envelope, color=theme.MUTED, ls="--", lw=1.2)
    ax.set(title=f"{name}, β = {β:.2f}", xlabel="step", ylabel="error" if ax is axes[0] else "")
show(fig, alt="The error of one direction: creeping, falling fast without ringing, and ringing inside a slow envelope; "
              "dashed, the spectral radius to the power of the step.")

# %% [markdown] slideshow={"slide_type": "notes"}
# The dashed line is the spectral radius to the power t. At critical damping the double root adds a factor t, so the curve
# runs above its dashed line for a while: visible in the middle panel. The same factor returns with Nesterov.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The damping plane
#
# Two directions, curvatures 1 and κ. A pair (η, β) is as slow as its slower direction. **Click a cell.**

# %% slideshow={"slide_type": "-"}
from shared.explorers import damping

damping.explorer()

# %% [markdown] slideshow={"slide_type": "notes"}
# White: where the flat direction turns from creeping to ringing; dotted: the same for the steep one. The star: the best pair.
#
# 1. Walk from the bottom edge (β = 0) to the star. How many steps does one more digit cost at both ends?
# 2. Above the white line, move left and right. Why does the colour not change?
# 3. Raise κ. Where does the star go? Then switch to Nesterov: what happened to the right-hand border?

# %% slideshow={"slide_type": "skip"}
worst = {}
for method in damping.METHODS:
    predicted, measured = damping.plane(method, 20.0)
    converges = predicted < 0.97
    worst[method] = np.quantile(np.abs(measured - predicted)[converges], 0.95)
claim("95 % of the converging cells lie within " + ", ".join(f"{w:.3f} ({m})" for m, w in worst.items())
      + " of the predicted rate", max(worst.values()) < 0.02)

# %% [markdown] slideshow={"slide_type": "skip"}
# The rest lie where two roots meet. There the error falls like $t\,\rho^t$, and 240 steps do not hide the factor $t$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The best pair
#
# Make both ends critical at once: $\sqrt{\beta} = 1 - \sqrt{\eta\mu}$ for the flat one, $\sqrt\beta = \sqrt{\eta L} - 1$ for
# the steep one (its roots are negative). Add and subtract:
#
# $$\sqrt{\eta} = \frac{2}{\sqrt L + \sqrt\mu}, \qquad
# \sqrt{\beta} = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1} = \text{the rate per step}.$$
#
# Gradient descent at its best had $(\kappa-1)/(\kappa+1)$. **Momentum takes the root of the condition number.**

# %% slideshow={"slide_type": "skip"}
def steps_until(errors, target):
    """The first step after which every error (T+1, ...) stays below target: integers (...); T+1 if never."""
    return len(errors) - np.argmax(~(errors < target)[::-1], axis=0)

hard = quadratic(kappa=1000)
lr, best, rate = theory.best_heavy_ball(1, 1000)
betas = np.array([best, 0.99, 0.999])
tuned = run(HeavyBall(lr, betas), hard, [1.0, 1.0], 8000)
plain = run(SGD(theory.best_lr(1, 1000)), hard, [1.0, 1.0], 8000)

# %% [markdown] slideshow={"slide_type": "-"}
# <details><summary><b>Predict:</b> β = 0.99 instead of 0.88, the same η. How many times slower?</summary>
#
# Every direction rings with modulus √0.99 ≈ 0.995. One digit takes 1/log₁₀(1/0.995) ≈ 460 steps instead of about 36: thirteen times
# slower in the long run, and a little less below, where the best pair still pays the factor $t$ of its double root. More inertia is not more speed.
# </details>

# %% slideshow={"slide_type": "-"}
needed = steps_until(np.linalg.norm(tuned, axis=-1), 1e-6)
needed_plain = steps_until(np.linalg.norm(plain, axis=-1), 1e-6)
claim(f"κ = 1000, error 1e-6: {needed[0]} steps at β = {best:.3f}, {needed_plain} without momentum, {needed[1]} "
      f"at β = 0.99",
      needed[0] * 10 < needed_plain and needed[0] * 5 < needed[1])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Nesterov accelerated gradient
#
# You are on the ball, and you know that inertia will carry you to $x + \beta v$ anyway.
# So ask for the slope *there*, before you brake.

# %% slideshow={"slide_type": "-"}
show(Nesterov)

# %% slideshow={"slide_type": "subslide"}
from shared.explorers import nesterov

nesterov.explorer()

# %% [markdown] slideshow={"slide_type": "notes"}
# Dashed: where inertia leads. Black: the gradient's correction, and the dot where it was asked.
#
# 1. Play slowly. At which step do the two part company? Which one brakes first?
# 2. Raise η L to 1.4 at β = 0.9. Who blows up? Which one tolerates η L = 3?
# 3. On *Rosenbrock*, find a β at which Nesterov wins, and one at which it does not.

# %% [markdown] slideshow={"slide_type": "notes"}
# Question 2 has a surprise: on a quadratic the heavy ball is stable up to 2(1 + β)/L = 3.8/L, Nesterov only up to
# 2(1 + β)/(1 + 2β)/L = 1.36/L. "Nesterov is more stable" is not a statement about large rates. It damps more at moderate
# ones.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What looking ahead changes in the matrix
#
# Put the look-ahead point into the recurrence, $g = \lambda\,(x_t + \beta (x_t - x_{t-1}))$:
#
# $$x_{t+1} = (1 - \eta\lambda)\,\big((1+\beta)\, x_t - \beta\, x_{t-1}\big), \qquad
# z^2 - (1+\beta)(1-\eta\lambda)\, z + \beta\,(1 - \eta\lambda) = 0 .$$
#
# The product of the roots is now $\beta\,(1-\eta\lambda)$. **Steep directions ring less**: for $\eta = 1/L$ the steepest
# one is gone after a step. The heavy ball's modulus was $\sqrt\beta$ in all that ring. In the flattest ones, left of the spike, both creep:
# for $\eta = 1/L$ below $\lambda = (1-\sqrt\beta)^2 L$, here $0.0026\,L$.

# %% slideshow={"slide_type": "subslide"}
curvatures = np.linspace(0.002, 1, 400)
fig, ax = theme.figure(9, 3.3)
for name, flag in (("Momentum", False), ("Nesterov", True)):
    radius = [theory.spectral_radius(1.0, 0.9, [λ], flag) for λ in curvatures]
    plots.curve(ax, radius, name, x=curvatures)
ax.set(xlabel="curvature λ, in units of L", ylabel="factor per step", xlim=(0, 1), ylim=(0, 1.02),
       title="η = 1/L, β = 0.9: how fast each direction shrinks")
plots.label_ends(ax)
show(fig, alt="Where they ring, the heavy ball shrinks every direction by the same factor, Nesterov's method the steep ones much faster; at the far left both "
              "rise towards one.")

# %% slideshow={"slide_type": "skip"}
edge = (1 - 0.9**0.5) ** 2
each = [theory.spectral_radius(1.0, 0.9, [λ]) for λ in curvatures[curvatures > edge]]
claim(f"β = 0.9: modulus √β = {0.9**0.5:.4f} for every λ > {edge:.4f} L, to {np.ptp(each):.0e}; at a tenth of "
      f"that {theory.spectral_radius(1.0, 0.9, [edge / 10]):.4f}",
      np.allclose(each, 0.9**0.5) and theory.spectral_radius(1.0, 0.9, [edge / 10]) > 0.99)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The form in the libraries
#
# `torch.optim.SGD(nesterov=True)` never asks at a second point. It only sees the gradient where it stands.
# The trick: **walk on the look-ahead points themselves** (Bengio, Boulanger-Lewandowski & Pascanu 2013). With constant η and β let
# $y_t = x_t + \beta v_t$. Then
#
# $$y_{t+1} = x_{t+1} + \beta v_{t+1} = y_t - \eta g_t + \beta v_{t+1}, \qquad v_{t+1} = \beta v_t - \eta g_t,
# \qquad g_t = \nabla f(y_t),$$
#
# and with $v = -\eta\,u$ this is torch's $u \leftarrow \beta u + g$, $\;y \leftarrow y - \eta\,(g + \beta u)$.

# %% slideshow={"slide_type": "skip"}
cancer = data.breast_cancer()
logistic = Logistic(cancer.x_train, np.where(cancer.y_train, 1.0, -1.0), l2=1e-2)
xs = run(Nesterov(0.1, 0.9), logistic, np.zeros(30), 100)
ys = run(SGD(0.1, momentum=0.9, nesterov=True), logistic, np.zeros(30), 100)
gap, joined = np.abs(ys - xs).max(), np.abs(xs[1:] + 0.9 * np.diff(xs, axis=0) - ys[1:]).max()
claim(f"the two forms differ by {gap:.2g}; after the change of variables by {joined:.0e}",
      joined < 1e-12 < 1e-3 < gap)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Its rate, exactly
#
# Nesterov's choice: $\eta = 1/L$, $\beta = (\sqrt\kappa-1)/(\sqrt\kappa+1)$. For the flat direction, $\eta\lambda = 1/\kappa$,
# the discriminant is
#
# $$(1+\beta)^2(1-\tfrac1\kappa)^2 - 4\beta(1-\tfrac1\kappa) = 0 \quad\text{(insert β)}, \qquad
# \text{double root } \; z = \tfrac12(1+\beta)(1-\tfrac1\kappa) = 1 - \frac{1}{\sqrt\kappa}.$$
#
# Books often quote $\sqrt{1 - 1/\sqrt\kappa}$ for the same method. That is the bound of the general proof, not the rate here.

# %% slideshow={"slide_type": "-"}
for κ in (10, 100, 1000):
    η, β, predicted = theory.nesterov_setting(1, κ)
    T = int(100 * κ**0.5)
    size = np.linalg.norm(run(Nesterov(η, β), quadratic(kappa=κ), [1.0, 1.0], T), axis=-1)
    measured = (size[T] / size[T // 2] / 2) ** (2 / T)  # a double root: t ρᵗ, so halve for the factor t
    claim(f"κ = {κ}: {measured:.3f} per step; 1 - 1/√κ = {predicted:.3f}, the bound says {predicted**0.5:.3f}",
          abs(measured - predicted) < 0.003)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### When you do not know κ
#
# Let β grow: $\beta_k = (k-1)/(k+2)$ after $k$ steps (0 at first). No condition number enters, and for every convex $f$ with
# largest curvature $L$ (Nesterov 1983, with another sequence; this one in Su, Boyd & Candès 2016)
#
# $$f(x_k) - f^* \le \frac{2 L \|x_0 - x^*\|^2}{(k+1)^2}
# \qquad\text{instead of}\qquad \frac{L \|x_0 - x^*\|^2}{2k} \text{ for gradient descent.}$$
#
# The price: β grows past its best value, and the loss ripples. The cure is as simple as the disease: when the loss rises, start again with β = 0
# (O'Donoghue & Candès 2015).

# %% slideshow={"slide_type": "subslide"}
many = quadratic(kappa=1e6, d=100)
start, L, k = np.full(100, 1 / 10), 1e6, np.arange(1, 1001)
losses = {"SGD": many(run(SGD(1 / L), many, start, 1000)),
          "Nesterov": many(run(Nesterov(1 / L, momentum=lambda k: max(k - 1, 0) / (k + 2)), many, start, 1000))}
bounds = {"SGD": theory.convex_bound(L, 1.0, k), "Nesterov": theory.accelerated_bound(L, 1.0, k)}
fig, ax = theme.figure(9, 3.3)
for name, loss in losses.items():
    plots.curve(ax, loss[1:], "gradient descent" if name == "SGD" else name, x=k, color=theme.color(name))
    ax.plot(k, bounds[name], ls="--", lw=1.2, color=theme.color(name))
ax.set(xscale="log", yscale="log", xlabel="step", ylabel="loss above the minimum", title="dashed: the two bounds", xlim=(1, 1000))
plots.label_ends(ax)
show(fig, alt="Losses of gradient descent and of Nesterov's method with growing momentum, each below its dashed bound; "
              "Nesterov's falls faster.")

# %% slideshow={"slide_type": "-"}
claim(f"both stay below their bounds; after 1000 steps Nesterov is "
      f"{losses['SGD'][-1] / losses['Nesterov'][-1]:.0f} times lower",
      all((losses[m][1:] <= bounds[m]).all() for m in losses) and losses["Nesterov"][-1] * 10 < losses["SGD"][-1])

# %% slideshow={"slide_type": "skip"}
growing = lambda k: max(k - 1, 0) / (k + 2)

def restarted(f, x, lr, steps):
    """Nesterov's method with growing momentum that is forgotten whenever the loss rises."""
    xs, v, k = [x], 0 * x, 0
    for _ in range(steps):
        y = x + growing(k) * v
        new = y - lr * f.grad(y)
        k = 0 if f(new) > f(x) else k + 1
        x, v = new, new - x
        xs.append(x)
    return np.array(xs)

mild, start, T = quadratic(kappa=100), np.ones(2), 400
found = {"growing β": run(Nesterov(1 / 100, growing), mild, start, T), "known κ": run(Nesterov(*theory.nesterov_setting(1, 100)[:2]), mild, start, T),
         "restarted": restarted(mild, start, 1 / 100, T), "gradient descent": run(SGD(1 / 100), mild, start, T)}
found = {name: mild(xs) for name, xs in found.items()}
rises = {name: (np.diff(loss) > 0).mean() for name, loss in found.items()}
claim(f"κ = 100, loss after {T} steps: " + ", ".join(f"{name} {loss[-1]:.0e}" for name, loss in found.items()),
      found["restarted"][-1] * 1e9 < found["growing β"][-1] and found["known κ"][-1] * 1e9 < found["growing β"][-1] < found["gradient descent"][-1] / 10)
claim(f"with growing β the loss rises in {rises['growing β']:.0%} of the steps, restarted in "
      f"{rises['restarted']:.0%}",
      rises["growing β"] > 0.25 > 2 * rises["restarted"])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Advantages and limitations
#
# ### An advantage, on real data
#
# Logistic regression on tumours, malignant or benign: full gradient, three splits of the data.
# How many steps until the excess loss is a millionth of what it was? Once with the safe rate $1/L$ for all β, once with the best rate for each.
#
# <details><summary><b>Predict:</b> momentum needs several times fewer steps at the rate 1/L. How much of that is left when every β gets its best rate?</summary>
#
# A factor of two to four, and with a smaller β. Where the data are fitted, curvature is far below L, and plain descent may use a rate many times
# larger. At one fixed rate β = 0.9 got that for free: it multiplies the rate by ten.
# </details>

# %% slideshow={"slide_type": "skip"}
betas, larger, limit, counts = np.array([0.0, 0.5, 0.8, 0.9, 0.95, 0.99]), 2.0 ** np.arange(-2, 8), 2000, []
for seed in range(3):
    split = data.breast_cancer(seed)
    f = Logistic(split.x_train, np.where(split.y_train, 1.0, -1.0), l2=1e-3)
    lr = larger[:, None] / np.linalg.eigvalsh(f.hess(np.zeros(30)))[-1]  # the logistic loss curves most at zero
    lowest = run(Newton(), f, np.zeros(30), 20)[-1]
    xs = run(HeavyBall(lr, np.broadcast_to(betas, (len(larger), 6))), f, np.zeros(30), limit, every=5)
    excess = np.nan_to_num(f(xs) - f(lowest), nan=np.inf)
    counts.append(np.minimum(5 * steps_until(excess, 1e-6 * excess[0]), limit))
counts = np.array(counts)  # (seeds, rates, betas)

# %% slideshow={"slide_type": "-"}
safe, best = counts[:, larger == 1.0][:, 0], counts.min(1)
fig, ax = theme.figure(9, 3.2)
plots.band(ax, safe, "rate 1/L", x=1 - betas, color=theme.MUTED, marker="o")
plots.band(ax, best, "best rate", x=1 - betas, color=theme.color("Momentum"), marker="o")
ax.set(xscale="log", xlabel="momentum β", ylabel="steps", yscale="log", title=f"breast cancer: steps to a millionth ({limit:,}: not there yet)")
ax.set_xticks(1 - betas, betas)
ax.minorticks_off()
ax.invert_xaxis()
plots.label_ends(ax)
show(fig, alt="Steps needed against momentum: at the rate 1/L a valley between 0.9 and 0.99; at the best rate for each momentum a shallower one, near 0.8.")
kept = counts.argmin(1)
gain, at = best[:, 0] / best.min(1), betas[best.argmin(1)]
claim(f"at 1/L: {np.median(safe[:, 0]):.0f} steps or more without momentum, {np.median(safe[:, 3]):.0f} with β "
      f"= 0.9",
      (safe[:, 0] > 1.7 * safe[:, 3]).all())
claim(f"each at its best rate: {np.median(best[:, 0]):.0f} without, {np.median(best.min(1)):.0f} with β = "
      f"{np.median(at):g}: {gain.min():.1f} to {gain.max():.1f} times fewer",
      (gain > 1.7).all() and (at < 0.95).all() and kept[:, :4].min() > 0 and kept[:, :4].max() < len(larger) - 1)
claim(f"the best rate is {larger[kept[:, 0]].min():g}/L or more without momentum, "
      f"{larger[kept[:, 3]].max():g}/L or less with β = 0.9",
      larger[kept[:, 0]].min() >= 4 and (larger[kept[:, 3]] < larger[kept[:, 0]]).all())
claim(f"β = 0.99 needs {np.min(best[:, 5] / best.min(1)):.0f} times more than the best or worse, at any rate",
      (best[:, 5] > 4 * best.min(1)).all())

# %% [markdown] slideshow={"slide_type": "slide"}
# ### A limit: the heavy ball can go round for ever
#
# Convex, smooth, one variable: slope $25x$ below 1, $x + 24$ from 1 to 2, $25x - 24$ above. Its curvature is between 1 and 25
# everywhere. Take the *best* pair for (1, 25) and start at 3.3.
#
# <details><summary><b>Predict:</b> does it converge?</summary>
#
# Not to the minimum. The theorem is about quadratics. Here the curvature jumps, and inertia arrives in step with the jumps.
# The pair takes a rate of 2.8/L, which only inertia on a quadratic makes safe; plain descent would blow up at 2/L.
# </details>

# %% slideshow={"slide_type": "subslide"}
from shared.problems import lessard

f = lessard()
lr, β, _ = theory.best_heavy_ball(1, 25)
ball = run(HeavyBall(lr, β), f, f.start, 300)[:, 0]
careful = run(HeavyBall(1 / 25, β), f, f.start, 300)[:, 0]
fig, (left, right) = theme.figure(9, 3.2, 1, 2)
grid = np.linspace(-2.6, 3.5, 300)
left.plot(grid, f(grid[:, None]), color=theme.MUTED)
left.plot(ball[-4:], f(ball[-4:, None]), "o-", color=theme.color("Momentum"))
left.set(xlabel="x", ylabel="f(x)", title="the last steps of the heavy ball")
plots.curve(right, ball[:40], f"η = {lr * 25:.1f}/L", color=theme.color("Momentum"))
plots.curve(right, careful[:40], "η = 1/L", color=theme.color("Momentum"), ls="--")
right.set(xlabel="step", ylabel="x", title="the heavy ball, same β")
plots.label_ends(right)
show(fig, alt="With its best pair for quadratics the heavy ball jumps for ever between three points of a convex function; at a smaller rate it converges to zero.")

# %% slideshow={"slide_type": "-"}
cycle = np.sort(ball[-3:])
claim(f"the heavy ball cycles through {cycle[0]:.4f}, {cycle[1]:.4f}, {cycle[2]:.4f}; with the same β and η = "
      f"1/L it ends at {abs(careful[-1]):.0e}",
      np.allclose(ball[-3:], ball[-6:-3], atol=1e-9) and np.ptp(cycle) > 1 and abs(careful[-1]) < 1e-9)
starts = np.linspace(-4, 4, 801)[:, None]
away = {name: (np.abs(run(rule, f, starts, 400)[-1]) > 0.1).mean() for name, rule in {
    "heavy ball": HeavyBall(lr, β), "heavy ball, η = 1/L": HeavyBall(1 / 25, β), "plain, η = ½/L": SGD(0.5 / 25),
    "Nesterov, η = ½/L": Nesterov(0.5 / 25, theory.nesterov_setting(1, 25)[1])}.items()}
claim(f"of {len(starts)} starts in [−4, 4] never near 0: "
      + ", ".join(f"{name} {share:.0%}" for name, share in away.items()),
      sum(away.values()) == away["heavy ball"] > 0.05)

# %% [markdown] slideshow={"slide_type": "notes"}
# The cycle is no accident of this function: whichever pair (η, β) makes the heavy ball fast on quadratics, some smooth, strongly convex function lets it
# cycle (Goujaud, Taylor & Dieuleveut 2023). Nesterov's method has a proof for all of them. At η = 1/L it would be no witness here: near 0 the curvature is L,
# and plain descent and Nesterov both land on 0 in one step; hence half that rate.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### A limit: noise
#
# With noisy gradients the iterate does not stop, it jitters. How high is the floor?
# Along one direction with noise variance $c$, the stationary variance follows from the 2×2 recurrence:
#
# $$\operatorname{Var} x = \frac{\eta\, c}{\lambda}\;\frac{1+\beta}{(1-\beta)\,\big(2(1+\beta) - \eta\lambda\big)}
# \;\approx\; \frac{\eta}{1-\beta}\cdot\frac{c}{2\lambda} .$$
#
# For a small η momentum multiplies the floor by $1/(1-\beta)$, just as it multiplies the rate. **It averages nothing away.**

# %% slideshow={"slide_type": "skip"}
from shared.problems import Noisy

bowl, η = quadratic(kappa=10), 2e-3
β = np.array([0.0, 0.5, 0.9, 0.99])
lr = np.stack([np.full(4, η), η * (1 - β)])[:, :, None, None]  # the same η; the same η / (1 - β)
β4 = np.broadcast_to(β[None, :, None, None], (2, 4, 3, 100))  # three groups of a hundred runs
clouds = run(HeavyBall(lr + 0 * β4, β4), Noisy(bowl, sigma=1.0, seed=1), np.zeros(2), 5000, every=1000)[2:]
floors = bowl(clouds).mean((0, -1))  # (2, 4, groups)
predicted = theory.noise_floor(lr[..., 0, 0], bowl.eigenvalues, 1.0, β)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(9, 3.2)
for i, name in enumerate(("same η", "same η/(1 − β)")):
    ax.plot(range(4), predicted[i], ls="--", color=theme.SEQUENCE[i], lw=1.2)
    plots.band(ax, floors[i].T, name, x=np.arange(4), color=theme.SEQUENCE[i], marker="o", ls="none")
ax.set(xticks=range(4), xticklabels=β, yscale="log", xlabel="momentum β", ylabel="excess loss", title="the noise floor (dashed: theory)")
plots.label_ends(ax)
show(fig, alt="The noise floor grows a hundredfold with momentum at a fixed rate and is flat at a fixed effective rate.")
ratio = floors / floors[:, :1]
claim(f"same η: the floor grows {ratio[0, 1].mean():.1f}, {ratio[0, 2].mean():.0f} and {ratio[0, 3].mean():.0f} "
      f"times; "
      f"same η/(1 - β): by at most {np.abs(ratio[1] - 1).max():.0%} either way",
      (ratio[0, 3] > 50).all() and (np.abs(ratio[1] - 1) < 0.4).all() and np.allclose(floors, predicted[..., None], rtol=0.3))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### A limit: small batches
#
# So where noise sets the rate, momentum should be worth nothing. Softmax regression on digits, each method at the best of its
# own rates: how many steps without momentum for one with β = 0.9?

# %% slideshow={"slide_type": "skip"}
from shared.descent import iterates
from shared.problems import Softmax

digits = data.digits()
with_ones = lambda X: np.hstack([X, np.ones((len(X), 1))])
softmax = Softmax(with_ones(digits.x_train), digits.y_train, l2=1e-4)

def steps_needed(oracle, rates, target, limit, every):
    """Steps until the whole loss is below target at the best of the rates: without momentum, and with β = 0.9."""
    β = np.array([0.0, 0.9]) + 0 * rates[:, None]
    hit = np.full(β.shape, np.inf)
    for k, x in enumerate(iterates(HeavyBall(rates[:, None] * (1 - β), β), oracle, np.zeros(softmax.dim))):
        if k % every == 0:
            hit = np.where((softmax(x) < target) & np.isinf(hit), k, hit)
            if k >= limit or np.isfinite(hit).any(0).all():
                return hit.min(0)

# %% slideshow={"slide_type": "-"}
plan = {1: (np.geomspace(0.1, 0.8, 4), 4000, 50), 16: (np.geomspace(1, 12, 5), 400, 5),
        256: (np.geomspace(2, 30, 6), 200, 1), softmax.n: (np.geomspace(2, 40, 6), 200, 1)}
speedup = {}
for B, (rates, limit, every) in plan.items():
    oracles = [softmax] if B == softmax.n else [MiniBatch(softmax, B, seed) for seed in range(3)]
    plain, inert = np.sum([steps_needed(o, rates, 0.15, limit, every) for o in oracles], axis=0)
    speedup[B] = plain / inert
print("steps without / with momentum: " + ", ".join(f"B = {B}: {s:.2f}" for B, s in speedup.items()))
claim(f"momentum is worth nothing at B = 1 ({speedup[1]:.2f}) and something with the full batch "
      f"({speedup[softmax.n]:.2f})",
      0.7 < speedup[1] < 1.35 and speedup[softmax.n] > 1.35 and speedup[256] > 1.2)

# %% [markdown] slideshow={"slide_type": "notes"}
# The grid of rates is expressed as the effective rate η/(1 - β), so both methods search the same range. Ask: why do people use
# β = 0.9 with small batches all the same? Because it does not hurt at the right rate, and large batches come (Kidambi et al. 2018;
# Shallue et al. 2019).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Variants and improvements
#
# | method | is | costs |
# | --- | --- | --- |
# | QHM | momentum with a share of the fresh gradient | one vector |
# | NAdam, Lion | Adam with Nesterov; the sign of momentum | two vectors; one |
# | Lookahead | any rule, pulled back every k steps | one vector |
# | EMA, SWA | any rule, reported at its mean | one vector |
# | schedule-free | gradients taken near the mean | one vector |
# | SAM | any rule, with a bad neighbour's gradient | a second gradient |
# | Muon | momentum with singular values made nearly equal | one vector, matrix products |

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import EMA, SAM, Lion, Lookahead, Muon, NAdam
from shared.optimizers import ScheduleFreeSGD as FreeSGD


def vectors(state, d):
    """How many vectors of d numbers a rule's state holds, its inner rule's included."""
    return sum(vectors(part, d) if isinstance(part, tuple) else np.size(part) == d for part in state)

inner, d = SGD(0.1), 30
rules = {"QHM": QHM(0.1), "NAdam": NAdam(), "Lion": Lion(), "Lookahead": Lookahead(inner), "EMA": EMA(inner), "schedule-free": FreeSGD(0.1),
         "SAM": SAM(inner), "Muon": Muon(0.1, shape=(5, 6))}
state = lambda rule: rule.step(quadratic(d=d), np.ones(d), rule.State(), 1)[1]
holds = {name: vectors(state(rule), d) - (vectors(state(inner), d) if hasattr(rule, "rule") else 0) for name, rule in rules.items()}
claim(f"vectors kept beside x and the inner rule's own: {holds}",
      holds == {name: {"NAdam": 2, "SAM": 0}.get(name, 1) for name in rules})

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Quasi-hyperbolic momentum
#
# One knob ν from plain descent to momentum, and Nesterov is on the way.

# %% slideshow={"slide_type": "-"}
show(QHM)

# %% slideshow={"slide_type": "-"}
same = {0.0: SGD(0.05), 0.9: SGD(0.005, momentum=0.9, nesterov=True), 1.0: SGD(0.005, momentum=0.9)}
gaps = [np.abs(run(QHM(0.05, 0.9, ν), logistic, np.zeros(30), 200) - run(rule, logistic, np.zeros(30), 200)).max()
        for ν, rule in same.items()]
claim(f"QHM is SGD at ν = 0, Nesterov at ν = β, momentum at ν = 1: gaps {max(gaps):.0e} or less",
      max(gaps) < 1e-12)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Averages instead of decay
#
# On a quadratic, jitter has mean zero. So do not shrink the steps: **report the mean of the path.**
# EMA forgets slowly; the tail mean weights the second half alike (SWA does so once an epoch); schedule-free takes its gradients close to the mean.
# Elsewhere the loss is steeper on one side than on the other, and the mean is off: the less, the smaller the rate.

# %% slideshow={"slide_type": "skip"}
show(EMA)

# %% slideshow={"slide_type": "skip"}
show(Lookahead)

# %% slideshow={"slide_type": "skip"}
show(FreeSGD)

# %% slideshow={"slide_type": "skip"}
from shared import race
from shared.optimizers.momentum import uniform

T, B, η = 600, 4, race.Range(0.05, 0.8, log=True)
walk = lambda lr: HeavyBall(lr, 0.9)
entries = {
    "last iterate": walk, "Lookahead": lambda lr: Lookahead(walk(lr)), "EMA": lambda lr: EMA(walk(lr), 0.98),
    "tail mean": lambda lr: EMA(walk(lr), uniform(T // 2)),
    "linear decay": lambda lr: HeavyBall(lambda k: lr * (1 - k / T), 0.9 + 0 * lr), "schedule-free": lambda lr: FreeSGD(10 * lr, 0.9),
}
problem = lambda seed: (MiniBatch(softmax, B, seed), np.zeros(softmax.dim))
means = race.compare(race.rules({name: race.Entry(make, {"lr": η}) for name, make in entries.items()}, problem, steps=T), trials=7)
print(means)

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(9, 2.9)
for i, name in enumerate(entries):
    ax.plot(means.values(name), np.full(5, i), "o", ms=8, color=theme.SEQUENCE[i], alpha=0.8)
ax.set(yticks=range(len(entries)), yticklabels=list(entries), xlabel=f"loss on all digits after {T} batches of {B}, each at its best rate, five draws")
ax.invert_yaxis()
show(fig, alt="Final losses at the best rate of each: the last iterate lies highest; EMA, tail mean, linear decay and schedule-free lie lower.")

# %% slideshow={"slide_type": "-"}
ratios = {name: means.ratio(name, "last iterate") for name in ("EMA", "tail mean", "linear decay", "schedule-free")}
claim("each at its best rate, of the last iterate's loss: "
      + ", ".join(f"{name} {r.median:.2f} (at most {r.high:.2f})" for name, r in ratios.items()),
      all(r.high < 1 and not r.flips and not r.edge for r in ratios.values()))
valley_floor = run(Nesterov(2.0, 0.95), softmax, np.zeros(softmax.dim), 1500, every=1500)[-1]
off = {}
for lr in (2.0, 0.5):
    path = run(EMA(SGD(lr), uniform(500)), MiniBatch(softmax, B, 0), valley_floor, 4000, every=2000)
    off[lr] = softmax(path[1:]) - softmax(valley_floor)
claim(f"started at the minimum, the tail mean of the larger rate settles {off[2.0][0]:.4f} above it, and is "
      f"{off[2.0][1]:.4f} above after twice the steps; of η = 0.5 {off[0.5][1]:.0e}",
      off[2.0][1] > 0.7 * off[2.0][0] and off[2.0][1] > 10 * off[0.5][1])

# %% [markdown] slideshow={"slide_type": "-"}
# This is no ranking among the averages. `ScheduleFreeAdamW` does the same for AdamW.

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import ScheduleFreeAdamW as FreeAdamW

show(FreeAdamW)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### NAdam and Lion
#
# NAdam puts Nesterov's step inside Adam. Lion keeps momentum only and walks along its *sign*.

# %% slideshow={"slide_type": "-"}
show(Lion)

# %% slideshow={"slide_type": "-"}
from shared import chance
from shared.optimizers import Adam

starts = chance.rng(0).standard_normal((20, 30))
lowest = logistic(run(Newton(), logistic, np.zeros(30), 20)[-1])
rates = np.geomspace(0.03, 1, 7)[:, None]
took = {m: np.median((logistic(run(rule(rates + np.zeros((1, 20))), logistic, starts, 300)) - lowest > 1e-2).sum(0), -1)
        for m, rule in {"Adam": Adam, "NAdam": NAdam}.items()}
few = {m: steps.min() for m, steps in took.items()}
claim(f"Nesterov inside Adam is no free lunch: {few['Adam']:.0f} steps for Adam, {few['NAdam']:.0f} for NAdam, "
      f"each at its best of {len(rates)} rates, median of 20 starts",
      0.6 < few["NAdam"] / few["Adam"] < 1.6 and all(0 < steps.argmin() < len(rates) - 1 for steps in took.values()))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Sharpness-aware minimisation
#
# A sharp minimum is one where the loss is much higher a small step away. SAM descends *that* loss, to first order.
#
# <details><summary><b>Predict:</b> digits with 40 % of the labels drawn at random. After 300 steps SAM is more accurate. More than plain momentum that stops in time?</summary>
#
# Far from it: both overfit, SAM more slowly. Stopped at its peak, plain momentum is well ahead of SAM's end, and level with SAM at *its* peak to within the noise.
# </details>

# %% slideshow={"slide_type": "-"}
show(SAM)

# %% slideshow={"slide_type": "skip"}
from torch.nn.functional import cross_entropy

from shared.models.mlp import mlp
from shared.problems.networks import NetworkOracle


def noisy_digits(seed, n=500, wrong=0.4):
    """A small tanh network on n digits, a share `wrong` of whose labels are drawn at random."""
    random, y = chance.rng(seed), digits.y_train[:n].copy()
    flip = random.random(n) < wrong
    y[flip] = random.integers(0, 10, flip.sum())
    net = mlp(64, 32, 10, activation="tanh", seed=seed, dtype=torch.float32)
    return NetworkOracle(net, cross_entropy, digits.x_train[:n], y)

# %% slideshow={"slide_type": "subslide"}
from shared.problems import Counted, curvature


def top_curvature(f, x):
    """The largest eigenvalue of the Hessian, by Lanczos."""
    return curvature.top_eigenvalues(lambda v: curvature.hvp(f, x, v), f.dim, 1, steps=40)[0][0]

base, rows = HeavyBall(0.1, 0.9), []
for seed in range(3):
    f = noisy_digits(seed)
    plain, aware = (run(rule, f, f.start, 300, every=10) for rule in (base, SAM(base, rho=0.3)))
    scores = [[f.accuracy(x, digits.x_test, digits.y_test) for x in xs] for xs in (plain, aware)]
    same = plain[np.argmin([abs(f(x) - f(aware[-1])) for x in plain])]        # as low a training loss as SAM's
    rows.append([(f.targets.numpy() != digits.y_train[:f.n]).mean(), top_curvature(f, same), top_curvature(f, aware[-1]), curvature.sharpness(f, aware[-1], tol=1e-4)[0],
                 max(scores[0]), scores[0][-1], max(scores[1]), scores[1][-1]])
wrong, sharp, flat, again, peak, end, peak_sam, end_sam = np.transpose(rows)
counted = Counted(logistic)
run(SAM(base), counted, np.zeros(30), 10)
claim(f"largest curvature at equal training loss: {sharp.mean():.1f} without SAM, {flat.mean():.1f} with",
      (flat < 0.75 * sharp).all())
claim(f"two instruments, Lanczos and power iteration, agree to {np.abs(again / flat - 1).max():.0%}",
      np.allclose(again, flat, rtol=0.05))
claim(f"{wrong.mean():.0%} of the labels are wrong; after 300 steps {1 - end.mean():.3f} of the test digits are misread "
      f"without, {1 - end_sam.mean():.3f} with SAM",
      1 - end_sam.mean() < 1 - end.mean() and (wrong < 0.4).all())
claim(f"but plain momentum misread only {1 - peak.mean():.3f} at its best, SAM {1 - peak_sam.mean():.3f}",
      (1 - peak < 0.9 * (1 - end_sam)).all() and abs(peak_sam.mean() - peak.mean()) < 0.03)
claim(f"ten steps asked for {counted.calls['grad']} gradients", counted.calls["grad"] == 20)

# %% [markdown] slideshow={"slide_type": "-"}
# So here SAM finds a **flatter** place. Its lead in accuracy at the end is late overfitting, not a better network. (Both peaks were picked by looking at the test digits.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Muon: momentum for matrices
#
# A layer's update is a matrix. Its singular values say how strongly each direction is learnt, and they differ by orders of
# magnitude. Muon keeps the directions and makes the strengths nearly equal, by matrix products only.

# %% slideshow={"slide_type": "skip"}
from shared.optimizers.matrix import orthogonalise

show(orthogonalise)

# %% [markdown] slideshow={"slide_type": "-"}
# Each step maps every singular value σ by the same odd polynomial $a\sigma + b\sigma^3 + c\sigma^5$. It does not converge to 1: its slope at 0, $a = 3.4$, was
# bought with accuracy, and five steps leave values between 0.7 and 1.2. Look at a real update.

# %% slideshow={"slide_type": "subslide"}
mnist = data.mnist()
X, y = torch.tensor(mnist.x_train, dtype=torch.float32), torch.tensor(mnist.y_train)
net = mlp(784, 128, 128, 10, dtype=torch.float32)
cross_entropy(net(X), y).backward()
G = net[2].weight.grad
before, after = (torch.linalg.svdvals(M).numpy() for M in (G / G.norm(), orthogonalise(G)))
fig, (left, right) = theme.figure(9, 3.2, 1, 2)
σ = np.geomspace(1e-3, 1, 300)
for n in (1, 3, 5):
    left.semilogx(σ, orthogonalise(np.stack([σ, np.sqrt(1 - σ**2)], -1)[..., None] * np.eye(2), n)[:, 0, 0],
                  label=f"{n} step{'s' * (n > 1)}", color=theme.SEQUENCE[n // 2])
left.set(xlabel="singular value before", ylabel="after", title="Newton-Schulz", xlim=(1e-3, 1))
left.legend(loc="lower right")
plots.curve(right, before, "before", color=theme.MUTED)
plots.curve(right, after, "after", color=theme.color("Muon"))
right.set(yscale="log", ylim=(1e-6, 3), xlabel="index", title="singular values of a layer's gradient")
plots.label_ends(right)
show(fig, alt="The polynomial lifts small singular values to about one in five steps; the gradient's singular values before "
              "fall over orders of magnitude, after they are level until they vanish.")

# %% slideshow={"slide_type": "-"}
from shared.optimizers.matrix import QUINTIC

alone = before.copy()
for _ in range(5):
    alone = QUINTIC[0] * alone + QUINTIC[1] * alone**3 + QUINTIC[2] * alone**5
large = before > 0.003
lifted = after[large]
claim(f"singular values from {before[large].min():.3f} to {before.max():.2f} before, {lifted.min():.2f} to "
      f"{lifted.max():.2f} "
      f"after ({large.sum()} of {len(after)} above 0.003)", before.max() > 50 * before[large].min() and lifted.max() < 2.5 * lifted.min())
claim("the matrix products did to each singular value what the polynomial does to a number",
      np.allclose(np.sort(alone), np.sort(after), atol=1e-3))

# %% slideshow={"slide_type": "skip"}
show(Muon)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Muon against AdamW, three times
#
# A network 784-64-64-10 on MNIST, 100 batches of 128, rates that fall linearly to zero. Muon takes the matrices, AdamW (at a constant 0.001) the biases.
# Each is tuned three times, with four fresh rates, **by its training loss**.
#
# <details><summary><b>Predict:</b> who has the lower training loss after equally many steps? The lower test loss? And if AdamW gets twice the steps?</summary>
#
# Training: Muon. Test: its lead is gone. And AdamW with twice the steps is lower again, while a step of Muon costs well over one of AdamW's.
# </details>

# %% slideshow={"slide_type": "skip"}
from time import process_time

from shared.optimizers import AdamW
from shared.optimizers.torch_rule import TorchRule

test_X, test_y = torch.tensor(mnist.x_test, dtype=torch.float32), torch.tensor(mnist.y_test)

def trains(method, low, high, steps=100):
    """Train on MNIST: tuned by the loss on the whole training set, reported by that on the test set; seconds per step."""
    def train(seed, lr):
        net, random = mlp(784, 64, 64, 10, seed=seed, dtype=torch.float32), chance.generator(seed)
        falling, weights = lambda k: lr * (1 - k / steps), [p for p in net.parameters() if p.ndim == 2]
        biases = {"params": [p for p in net.parameters() if p.ndim == 1], "rule": AdamW(1e-3)}
        muon = Muon(falling, weight_decay=0.0)
        optimizer = TorchRule([{"params": weights}, biases], muon) if method == "Muon" else TorchRule(net.parameters(), AdamW(falling))
        seconds = []
        for _ in range(steps):
            rows, began = torch.randint(len(X), (128,), generator=random), process_time()
            optimizer.zero_grad()
            cross_entropy(net(X[rows]), y[rows]).backward()
            optimizer.step()
            seconds.append(process_time() - began)
        with torch.no_grad():
            return race.Outcome(cross_entropy(net(X), y).item(), cross_entropy(net(test_X), test_y).item(), steps, min(seconds))
    return race.Method(train, {"lr": race.Range(low, high, log=True)})

# %% slideshow={"slide_type": "subslide"}
duel = race.compare({"Muon": trains("Muon", 0.02, 0.3), "AdamW": trains("AdamW", 0.006, 0.06),
                     "AdamW, 200 steps": trains("AdamW", 0.006, 0.06, steps=200)}, draws=3, trials=4)
print(duel)
training, test, step, longer = (duel.ratio("Muon", "AdamW", "tune"), duel.ratio("Muon", "AdamW"), duel.ratio("Muon", "AdamW", "seconds"),
                                duel.ratio("AdamW, 200 steps", "Muon", "tune"))
claim(f"training loss after equally many steps: Muon's is {training} of AdamW's", training.high < 1)
claim(f"test loss of the same networks: {test}: the lead does not carry over",
      test.median > max(0.8, 1.2 * training.median))
claim(f"with twice the steps AdamW's training loss is {longer} of Muon's", longer.high < 1)
claim(f"a step of Muon takes {step.median:.1f} times as long as one of AdamW", step.low > 1.2)

# %% [markdown] slideshow={"slide_type": "-"}
# So "Muon is better" is a statement about one budget, one metric, one machine. For large networks, where a step spends little of its time in the optimizer, these
# measurements say nothing.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises

# %% [markdown] slideshow={"slide_type": "-"}
# ### Exercise 1: the heavy ball
#
# Write one step: $v \leftarrow \beta v - \eta\nabla f(x)$, then $x \leftarrow x + v$. Return the new x and the new v.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def heavy_ball(grad, x, v, lr, beta):
    """One step of the heavy ball: the new point and the new displacement."""
    ### BEGIN SOLUTION
    v = beta * v - lr * grad(x)
    return x + v, v
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("04.heavy_ball", heavy_ball)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - In which order do the two lines of the box run? Does x use the old v or the new one?
# - `v = beta * v - lr * ...`, then return two things.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2: Nesterov
#
# The same, with the gradient where inertia leads.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def nesterov_step(grad, x, v, lr, beta):
    """One step of Nesterov's method: the new point and the new displacement."""
    ### BEGIN SOLUTION
    v = beta * v - lr * grad(x + beta * v)
    return x + v, v
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("04.nesterov", nesterov_step)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Where would the ball be if there were no gradient at all?
# - Ask for the gradient at `x + beta * v`. Everything else stays as in exercise 1.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3: the spectral radius
#
# For the heavy ball along a direction of curvature λ, return the largest modulus of the roots of
# $z^2 - (1 + \beta - \eta\lambda) z + \beta$.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def radius(lr, beta, lam):
    """The factor by which the error of this direction shrinks per step, in the long run."""
    ### BEGIN SOLUTION
    return np.abs(np.roots([1, -(1 + beta - lr * lam), beta])).max()
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("04.radius", radius)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - `np.roots` takes the three coefficients, highest power first. What may its answers look like?
# - The size of a complex number is `np.abs`. Take the larger one.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4: the best momentum
#
# By hand: which β is best for the heavy ball when κ = 100 (with its best η)?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
best_beta = (9 / 11) ** 2
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("04.best_beta", best_beta)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - The rate per step is $(\sqrt\kappa-1)/(\sqrt\kappa+1)$. How is it related to β?
# - The rate is √β.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5: from a sum to a mean
#
# A recipe says `SGD(lr=0.1, momentum=0.9)`, a sum. Your library averages: $m \leftarrow 0.9\,m + 0.1\,g$, $x \leftarrow x - \eta m$.
# Which η walks the same path?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
mean_rate = 0.1 / (1 - 0.9)
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("04.mean_rate", mean_rate)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Let the gradient be 1 for ever. What do the sum and the mean tend to?
# - The sum tends to 1/(1 - β) = 10, the mean to 1. The products of η with the sum and with the mean must agree.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6: find the pair
#
# An experiment: find (η, β) so that the heavy ball, on a quadratic with curvatures 1 and 100, has an error below 1e-7 after 120
# steps. Use the damping plane (κ = 100; its axis is η L) or the formula.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
pair = (0.033, 0.67)
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("04.pair", pair)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Seven digits in 120 steps need a rate of about 0.87 per step. Which β can give that at all?
# - √β must be below 0.87, and the white curve must still be reached: try the star at κ = 100.
#
# Solution: the star lies at η = 4/(√100 + √1)² = 0.033 and β = (9/11)² = 0.67.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# | | what it reaches (first three: factor per step on a quadratic) | watch out |
# | --- | --- | --- |
# | gradient descent, best η | $(\kappa-1)/(\kappa+1)$ | zigzags |
# | heavy ball, best pair | $(\sqrt\kappa-1)/(\sqrt\kappa+1)$ | may cycle where curvature jumps; rings for β too large |
# | Nesterov | $1 - 1/\sqrt\kappa$ at $\eta = 1/L$ | smaller largest rate |
# | any momentum, noise | floor of the rate $\eta/(1-\beta)$ | no gain at batch size 1 |
# | averages | lower floor at a large rate | report the mean, not the walk; off where the loss is no quadratic |
# | Muon | lower training loss after equally many steps | more time per step; test loss |
#
# Change β, and you change the rate: hold $\eta/(1-\beta)$ fixed when you compare.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - B. T. Polyak. *Some methods of speeding up the convergence of iteration methods.* USSR Computational Mathematics and
#   Mathematical Physics 4, 1964.
# - Y. Nesterov. *A method for solving the convex programming problem with convergence rate O(1/k²).* Doklady AN SSSR 269, 1983.
# - B. T. Polyak, A. B. Juditsky. *Acceleration of stochastic approximation by averaging.* SIAM Journal on Control and
#   Optimization 30, 1992.
# - A. Beck, M. Teboulle. *A fast iterative shrinkage-thresholding algorithm for linear inverse problems.* SIAM Journal on
#   Imaging Sciences 2, 2009.
# - Y. Bengio, N. Boulanger-Lewandowski, R. Pascanu. *Advances in optimizing recurrent networks.* ICASSP 2013.
# - B. O'Donoghue, E. Candès. *Adaptive restart for accelerated gradient schemes.* Foundations of Computational Mathematics 15, 2015.
# - W. Su, S. Boyd, E. Candès. *A differential equation for modeling Nesterov's accelerated gradient method.* JMLR 17, 2016.
# - R. Kidambi, P. Netrapalli, P. Jain, S. Kakade. *On the insufficiency of existing momentum schemes for stochastic optimization.* ICLR 2018.
# - C. Shallue et al. *Measuring the effects of data parallelism on neural network training.* JMLR 20, 2019.
# - B. Goujaud, A. Taylor, A. Dieuleveut. *Provable non-accelerations of the heavy-ball method.* arXiv:2307.11291, 2023.
# - I. Sutskever, J. Martens, G. Dahl, G. Hinton. *On the importance of initialization and momentum in deep learning.* ICML 2013.
# - L. Lessard, B. Recht, A. Packard. *Analysis and design of optimization algorithms via integral quadratic constraints.* SIAM
#   Journal on Optimization 26, 2016.
# - T. Dozat. *Incorporating Nesterov momentum into Adam.* ICLR workshop, 2016.
# - G. Goh. *Why momentum really works.* Distill, 2017. Further reading.
# - P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov, A. G. Wilson. *Averaging weights leads to wider optima and better
#   generalization.* UAI 2018.
# - J. Ma, D. Yarats. *Quasi-hyperbolic momentum and Adam for deep learning.* ICLR 2019.
# - M. Zhang, J. Lucas, G. Hinton, J. Ba. *Lookahead optimizer: k steps forward, 1 step back.* NeurIPS 2019.
# - P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur. *Sharpness-aware minimization for efficiently improving generalization.* ICLR
#   2021.
# - X. Chen et al. *Symbolic discovery of optimization algorithms.* NeurIPS 2023. Lion.
# - A. Defazio, X. Yang, H. Mehta, K. Mishchenko, A. Khaled, A. Cutkosky. *The road less scheduled.* NeurIPS 2024.
# - K. Jordan et al. *Muon: an optimizer for hidden layers in neural networks.* Blog post, kellerjordan.github.io/posts/muon, 2024.
