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
# # Second-order methods
#
# Gradient descent feels the slope. It does not know how the slope *changes*.
# A method that does can jump to the bottom of a quadratic bowl in one step, however narrow it is.
#
# **If curvature is worth that much, why do we train networks without it?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## What you will be able to do
#
# - Derive Newton's method, watch its correct digits double, and say where it goes wrong.
# - Make it safe: damping, positive curvature, a trust region, a line search.
# - Build BFGS from one equation, and run L-BFGS with two short loops.
# - Multiply by a Hessian you never store, and read the spectrum of a network.
# - Decide when curvature pays, with measurements rather than folklore.

# %% [markdown] slideshow={"slide_type": "notes"}
# About 50 minutes. The first explorer is the hook: let the room pick points near the hilltop of Himmelblau.
# If time is short, skip conjugate gradients and Levenberg-Marquardt.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
import numpy as np
import torch

from shared import data
from shared.course import check, claim, show
from shared.descent import run
from shared.figures import plots, theme

torch.set_num_threads(1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# The blue curves are the level sets of a quadratic fitted to the loss at your point. The red cross is where it sends you.
# **Drag the point** close to a star, then to the grey hilltop in the middle. Then change the method and the damping.

# %% slideshow={"slide_type": "-"}
from shared.explorers import newton

newton.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# Look for three things.
#
# 1. Near a star the model and the loss agree, and one step nearly arrives.
# 2. Near the hilltop the model is a dome. Newton's method runs *up* to its top.
# 3. A large damping shortens the step and turns it downhill.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Newton's method
#
# A minimum has $f'(x) = 0$. So look for a root of the slope.
#
# Replace $f'$ by its tangent at $x$: $\; f'(x) + f''(x)\,p = 0$. The tangent's root is the step:
#
# $$ p = -\frac{f'(x)}{f''(x)}, \qquad\text{in } d \text{ dimensions}\qquad p = -H^{-1} g $$
#
# The same step minimises the quadratic model $m(p) = f + g^\top p + \tfrac12\, p^\top H p$, because $\nabla m = g + H p = 0$.

# %% slideshow={"slide_type": "subslide"}
from shared.optimizers import Newton

show(Newton)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How fast? Count the digits
#
# Real data: 427 tumours, 30 measurements each. The loss is logistic regression with a small penalty.
# We start at zero and measure the distance to the solution.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
from shared.problems import Logistic

tumours = data.breast_cancer()
features = np.c_[tumours.x_train, np.ones(len(tumours.x_train))]      # a last column of ones: the intercept
logistic = Logistic(features, 2.0 * tumours.y_train - 1, l2=1e-2)

# %% slideshow={"slide_type": "-"}
xs = run(Newton(), logistic, np.zeros(31), 12)
error = np.linalg.norm(xs - xs[-1], axis=-1)
order = np.log(error[5:8] / error[4:7]) / np.log(error[4:7] / error[3:6])
print("error after each step:", " ".join(f"{e:.0e}" for e in error[:9]))
claim(f"the order of convergence, estimated from three errors in a row, reaches {order[-1]:.2f}",
      1.8 < order[-1] < 2.2)
claim(f"the exponent of the error doubles: from {error[4]:.0e} to {error[8]:.0e} in four steps",
      error[4] > 0.1 and error[8] < 1e-11)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <details><summary><b>Predict:</b> if the error is 10⁻³ now, what is it after two more steps?</summary>
#
# With order two the error is squared each time, up to a constant: $10^{-3} \to 10^{-6} \to 10^{-12}$.
# Gradient descent with contraction $0.9$ needs about 200 steps for the same nine digits.
# </details>

# %% slideshow={"slide_type": "-"}
from shared.optimizers import SGD

local = np.linalg.eigvalsh(logistic.hess(xs[-1]))[-1]  # the curvature at the solution: bolder than 1/L, so the first step overshoots
slow = np.linalg.norm(run(SGD(1 / local), logistic, np.zeros(31), 400) - xs[-1], axis=-1)
fig, (left, right) = theme.figure(9, 3.5, 1, 2)
left.semilogy(error[:9], "-o", color=theme.color("Newton"), label="Newton")
left.semilogy(slow[:9], "-o", color=theme.color("SGD"), label="gradient descent")
left.set(xlabel="step", ylabel="distance to the solution", title="a line is linear; this one bends down")
left.legend(loc="lower left")
right.loglog(error[2:7], error[3:8], "o-", color=theme.color("Newton"), label="Newton")
right.loglog(slow[:-1:40], slow[1::40], "o", color=theme.color("SGD"), label="gradient descent")
right.loglog([1e-3, 3], [1e-6 * 0.5, 9 * 0.5], ":", color=theme.MUTED, label="slope 2")
right.set(xlabel="error before the step", ylabel="error after it", title="order = the slope here")
right.legend()
show(fig, alt="Newton's error bends down on a logarithmic axis; error after against error before has slope two.")

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Why the digits double
#
# Write $e = x - x^*$ and expand the slope at $x$ towards the solution, where it vanishes (one dimension):
#
# $$ 0 = f'(x^*) = f'(x) - f''(x)\,e + \tfrac12 f'''(\xi)\,e^2 $$
#
# Divide by $f''(x)$ and use $x_+ = x - f'(x)/f''(x)$:
#
# $$ e_+ = e - \frac{f'(x)}{f''(x)} = \frac{f'''(\xi)}{2 f''(x)}\,e^2 $$
#
# Three conditions hide here: $f''$ must not vanish at $x^*$, must not change too fast, and $e$ must already be small.
# In $d$ dimensions the same steps give $\|e_+\| \le \frac{M}{2\mu}\|e\|^2$, with $M$ the Lipschitz constant of $H$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where the curvature vanishes, so does the magic
#
# On $f(u) = u^4$ the step is $f'/f'' = 4u^3 / 12 u^2 = u/3$. So $u_+ = \tfrac23 u$: **linear**, wherever you start.

# %% slideshow={"slide_type": "-"}
from shared.problems import power

u = run(Newton(), power(p=4, d=1), [1.0], 20)[:, 0]
claim(f"on u⁴ every Newton step multiplies the error by {u[1] / u[0]:.4f}, for ever",
      np.allclose(u[1:] / u[:-1], 2 / 3))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### It does not care about your units
#
# Measure some features in millimetres, mix others: $x = A z$. Then $g_z = A^\top g$ and $H_z = A^\top H A$, so
#
# $$ p_z = -(A^\top H A)^{-1} A^\top g = -A^{-1} H^{-1} g = A^{-1} p $$
#
# The path is the same path, seen through $A$. Chapter 3's per-coordinate methods could rescale axes. This one undoes *any* linear map.

# %% slideshow={"slide_type": "-"}
from shared import chance

rng = chance.rng(0)
A = rng.standard_normal((31, 31)) * np.geomspace(1, 30, 31)
mixed = Logistic(logistic.X @ A, logistic.y)                          # the same tumours in other units (no penalty)
plain = Logistic(logistic.X, logistic.y)
a, b = (run(Newton(damping=0), f, np.zeros(31), 5) for f in (plain, mixed))
difference = np.abs(b @ A.T - a).max() / np.abs(a).max()
condition = [np.linalg.cond(f.hess(np.zeros(31))) for f in (plain, mixed)]
claim(f"Newton's paths agree to {difference:.0e}, though the condition number went from "
      f"{condition[0]:.0e} to {condition[1]:.0e}",
      difference < 1e-6 and condition[1] > 1e3 * condition[0])

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Newton is attracted to saddles
#
# $-H^{-1}g$ looks for a point where the slope *vanishes*. It does not ask whether that is a valley.
# Himmelblau has four minima, four saddles and a hilltop. Where does each of 100 × 100 starts go?

# %% slideshow={"slide_type": "-"}
from shared.optimizers import SaddleFreeNewton, TrustRegion
from shared.problems import himmelblau

hills, side = himmelblau(), np.linspace(-5, 5, 100)
starts = np.stack(np.meshgrid(side, side), -1)
def negative_curvatures(rule, steps):
    """How many negative curvatures there are where each start ends: 0 a minimum, 1 a saddle, 2 a hilltop."""
    x = run(rule, hills, starts, steps)[-1]
    assert np.linalg.norm(hills.grad(x), axis=-1).max() < 1e-5        # all of them have arrived
    return (np.linalg.eigvalsh(hills.hess(x)) < 0).sum(-1)

ends = {"pure Newton": negative_curvatures(Newton(), 60),
        "gradient descent": negative_curvatures(SGD(0.01), 400),
        "saddle-free Newton": negative_curvatures(SaddleFreeNewton(), 40),
        "trust region": negative_curvatures(TrustRegion(), 40)}

# %% slideshow={"slide_type": "subslide"}
from matplotlib.colors import ListedColormap

fig, axes = theme.figure(9, 2.9, 1, 4, sharey=True)
for ax, (name, end) in zip(axes, ends.items()):
    ax.pcolormesh(side, side, end, cmap=ListedColormap(["#DCEBF5", "#E8A33D", "#B03A2E"]), vmin=0, vmax=2)
    ax.contour(*plots.mesh(hills, ((-5, 5), (-5, 5))), levels=[20, 60, 110, 170], colors="#777777", linewidths=0.5)
    ax.set_title(f"{name}\n{(end == 0).mean():.0%} reach a minimum", fontsize=10, weight="normal")
    ax.set(xlabel="$x_1$", aspect="equal")
axes[0].set_ylabel("$x_2$")
show(fig, alt="Starts of four methods on Himmelblau: Newton's map has large orange and red regions that end at saddles and "
              "the hilltop, the other three are blue throughout.")

# %% slideshow={"slide_type": "-"}
lost = (ends["pure Newton"] > 0).mean()
claim(f"pure Newton ends at a saddle or on the hilltop from {lost:.0%} of the starts", lost > 0.2)
claim("gradient descent, saddle-free Newton and the trust region: from none",
      all((end == 0).all() for name, end in ends.items() if name != "pure Newton"))

# %% [markdown] slideshow={"slide_type": "notes"}
# Orange: a saddle. Red: the hilltop. The fringes between the regions are fractal: tiny changes of the start decide.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### And on a network?
#
# A small classifier: digits 0, 1, 2, eight features, four hidden units, 51 parameters. Ten random starts in one batch.

# %% slideshow={"slide_type": "-"}
from torch.nn.functional import cross_entropy

from shared.models.mlp import mlp
from shared.problems import Ridge
from shared.problems.networks import NetworkOracle

digits = data.digits()
few = np.flatnonzero(digits.y_train < 3)[:200]
centred = digits.x_train[few] - digits.x_train[few].mean(0)
inputs = centred @ np.linalg.svd(centred, full_matrices=False)[2][:8].T
inputs = inputs / inputs.std(0)
nets = [NetworkOracle(mlp(8, 4, 3, activation="tanh", seed=s), cross_entropy, inputs, digits.y_train[few]) for s in range(10)]
tiny, starts = Ridge(nets[0], 1e-2), np.stack([net.start for net in nets])
where = {}
for name, rule in {"pure Newton": Newton(), "trust region": TrustRegion(radius=0.5)}.items():
    x = run(rule, tiny, starts, 40)[-1]
    negative = (np.linalg.eigvalsh(tiny.hess(x)) < -1e-8).sum(-1)
    where[name] = tiny(x), negative, np.linalg.norm(tiny.grad(x), axis=-1) < 1e-6
    print(f"{name:13} loss {np.round(where[name][0], 2)}, negative curvatures {negative}")

# %% slideshow={"slide_type": "-"}
(newtons, negative, still), (safe, none, arrived) = where["pure Newton"], where["trust region"]
claim(f"pure Newton: {len(still)} of {len(still)} starts end where at least {negative.min()} "
      "curvatures are negative",
      (negative >= 3).all())
claim(f"trust region: {arrived.sum()} of {len(arrived)} arrive, where none is, with a loss below a "
      "quarter of Newton's",
      arrived.all() and (none == 0).all() and (safe < newtons / 4).all())
print(f"pure Newton stands still, on a saddle, from {still.sum()} starts; from the others it wanders without end")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three repairs
#
# Write $H = Q \Lambda Q^\top$. In the eigenvectors' coordinates Newton divides each part of $g$ by its $\lambda_i$. A negative $\lambda_i$ turns
# its part of the step uphill. Below, $\lambda$ without an index is the damping.
#
# | repair | divides by | idea |
# | --- | --- | --- |
# | damping | $\lambda_i + \lambda$ | large $\lambda$: a short gradient step |
# | saddle-free | $\lvert\lambda_i\rvert$ | the size of the curvature, never its sign |
# | trust region | $\lambda_i + \lambda$, with $\lambda$ found from a radius | believe the model only where it has earned it |

# %% slideshow={"slide_type": "skip"}
show(SaddleFreeNewton)

# %% slideshow={"slide_type": "skip"}
show(TrustRegion)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Squares have a curvature of their own
#
# For $f = \tfrac12\|r(x)\|^2$ with Jacobian $J$: $\; g = J^\top r$ and $H = J^\top J + \sum_i r_i \nabla^2 r_i$.
#
# Drop the last term. What is left, $G = J^\top J$, needs first derivatives only and is **never indefinite**: $v^\top G v = \|Jv\|^2$.
# That is Gauss-Newton. Levenberg and Marquardt add a damping that learns from each success.

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import LevenbergMarquardt

show(LevenbergMarquardt)

# %% [markdown] slideshow={"slide_type": "skip"}
# Real data: the CO₂ record of Mauna Loa. The model is a constant, exponential growth and a yearly wave:
# $\; y = a + b\,e^{c u} + A \sin(2\pi t + \varphi)$, with the time $t$ in years and $u = t/10$ in decades. It is not linear in $c$ and $\varphi$.

# %% slideshow={"slide_type": "-"}
from shared.problems import Residuals

co2 = data.co2()
t = co2.time - co2.time[0]
def parts(x):
    """e^{cu} and the angle of the wave, for parameters x = (a, b, c, A, φ)."""
    return np.exp(x[..., 2:3] * t / 10), 2 * np.pi * t + x[..., 4:]
def residuals(x):
    growth, angle = parts(x)
    return (x[..., :1] + x[..., 1:2] * growth + x[..., 3:4] * np.sin(angle) - co2.value) / np.sqrt(len(t))
def jacobian(x):
    growth, angle = parts(x)
    columns = [np.ones_like(growth), growth, x[..., 1:2] * growth * t / 10, np.sin(angle), x[..., 3:4] * np.cos(angle)]
    return np.stack(columns, -1) / np.sqrt(len(t))
fit, x0 = Residuals(residuals, jacobian), np.array([300.0, 5.0, 0.1, 1.0, 0.0])

# %% slideshow={"slide_type": "-"}
from shared.optimizers import GaussNewton

lm = run(LevenbergMarquardt(), fit, x0, 60)
gn = run(GaussNewton(), fit, x0, 60)
rates = np.geomspace(1e-3, 1, 7) / np.linalg.eigvalsh(fit.gauss_newton(x0))[-1]
gd = run(SGD(rates), fit, x0, 1000)
gd = gd[:, np.nanargmin(fit(gd[-1]))]                                 # the best of seven rates
misfit = lambda x: np.sqrt(2 * fit(x))
fig, (left, right) = theme.figure(9, 3.5, 1, 2, width_ratios=(1.2, 1))
left.plot(co2.time, co2.value, ".", ms=1.5, color=theme.MUTED)
left.plot(co2.time, co2.value + residuals(lm[-1]) * np.sqrt(len(t)), lw=1, color=theme.color("LevenbergMarquardt"))
left.set(xlabel="year", ylabel="CO₂ in ppm", title=f"the fit: {misfit(lm[-1]):.2f} ppm off")
with np.errstate(all="ignore"):
    for name, label, path in (("LevenbergMarquardt", "Levenberg-Marquardt", lm), ("GaussNewton", "Gauss-Newton", gn),
                              ("SGD", "gradient descent", gd[:61])):
        right.semilogy(misfit(path), "-o", ms=3, color=theme.color(name), label=label)
right.set(xlabel="step", ylabel="misfit in ppm", title="sixty steps", ylim=(0.5, 1e5))
right.legend(loc="upper right")
show(fig, alt="The fitted curve follows the CO₂ record; Levenberg-Marquardt's misfit falls within few steps.")

# %% slideshow={"slide_type": "-"}
import scipy.optimize

theirs = scipy.optimize.least_squares(residuals, x0, jacobian, method="lm").x
claim(f"Levenberg-Marquardt ends where SciPy's does, {misfit(lm[-1]):.2f} ppm off",
      abs(misfit(lm[-1]) - misfit(theirs)) < 1e-6)
with np.errstate(all="ignore"):
    claim("Gauss-Newton, with no damping, left for infinity", not misfit(gn[-1]) < 1e3)
claim(f"gradient descent is still {misfit(gd[-1]):.1f} ppm off after {len(gd) - 1:,} steps at its "
      "best rate",
      misfit(gd[-1]) > 1.5 * misfit(lm[-1]))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### How far? Line searches
#
# A good direction still needs a length. Ask along the line, with $p$ downhill and $0 < c_1 < c_2 < 1$: $\varphi(\alpha) = f(x + \alpha p)$.
#
# - **Enough decrease** (Armijo): $\varphi(\alpha) \le \varphi(0) + c_1 \alpha \varphi'(0)$. It forbids steps that are too long.
# - **Flat enough** (strong Wolfe): $|\varphi'(\alpha)| \le c_2 |\varphi'(0)|$. It forbids steps that are too short, too.
#
# Halving $\alpha$ until the first holds is *backtracking*. It guarantees decrease.
# The second guarantees $y^\top s > 0$, which BFGS needs.

# %% slideshow={"slide_type": "-"}
from shared.optimizers.linesearch import backtracking, strong_wolfe
from shared.problems import rosenbrock

valley, x = rosenbrock(), np.array([-1.2, 1.0])
p = -valley.grad(x) / np.linalg.norm(valley.grad(x))
α = np.linspace(0, 0.95, 1200)
φ, slope = valley(x + α[:, None] * p), valley.grad(x + α[:, None] * p) @ p
short, wolfe = backtracking(valley, x, p, alpha=0.02), strong_wolfe(valley, x, p, alpha=0.02, c2=0.1)
fig, ax = theme.figure(9, 3.3)
ax.plot(α, φ, color=theme.INK)
armijo, flat_enough = φ <= φ[0] + 1e-4 * α * slope[0], abs(slope) <= 0.1 * abs(slope[0])
ax.fill_between(α, -3, -1.5, where=armijo, color=theme.SEQUENCE[0], alpha=0.35, lw=0, label="enough decrease")
ax.fill_between(α, -5, -3.5, where=armijo & flat_enough, color=theme.GOOD, alpha=0.6, lw=0, label="strong Wolfe, $c_2 = 0.1$")
ax.plot(short.alpha, short.f, "s", ms=8, color=theme.BAD, label="backtracking from 0.02: content at once")
ax.plot(wolfe.alpha, wolfe.f, "o", ms=8, color=theme.GOOD, label="strong Wolfe from 0.02: goes on")
ax.set(xlabel="α", ylabel="φ(α)", ylim=(-6, 40), title="along the gradient on Rosenbrock")
ax.legend(loc="upper right")
show(fig, alt="The loss along a line with the intervals that each condition accepts; backtracking stops at its short first "
              "trial, the Wolfe search goes on to the valley's floor.")

# %% slideshow={"slide_type": "-"}
def keeps_its_word(f, x, p, c2=0.9):
    """Does our search's step obey both conditions, and does SciPy find one here as well?"""
    ours, slope = strong_wolfe(f, x, p, c2=c2), f.grad(x) @ p
    scipys = scipy.optimize.line_search(f, f.grad, x, p, c2=c2)[0]
    return (ours.f <= f(x) + 1e-4 * ours.alpha * slope and abs(ours.grad @ p) <= c2 * abs(slope)), scipys is not None

points = chance.rng(0).uniform(-2, 2, (100, 2))
kept = np.array([keeps_its_word(valley, x, -valley.grad(x) / np.linalg.norm(valley.grad(x))) for x in points])
claim(f"our search kept both conditions from {kept[:, 0].sum()} of {len(points)} points; SciPy found "
      f"a step from {kept[:, 1].sum()}",
      kept.all())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Quasi-Newton methods (BFGS, L-BFGS)
#
# Second derivatives are expensive. But every step you take *shows* you some curvature. You moved by $s$, the gradient changed by $y$:
#
# $$ y = g(x + s) - g(x) \approx H s $$
#
# So ask of an estimate $B \approx H^{-1}$ (here $B$ is not the batch size) that it explains the last step: the **secant equation** $\;B\,y = s$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Watch it learn
#
# Dashed: the true curvature, as an ellipse. Solid: what BFGS believes. Press play, then try Rosenbrock, and DFP.

# %% slideshow={"slide_type": "-"}
from shared.explorers import quasi_newton

quasi_newton.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary><b>Predict:</b> on a quadratic in two dimensions, how many steps until the ellipses agree?</summary>
#
# Two good steps show two independent directions, and two directions are all there is.
# With exact line searches BFGS has $B = H^{-1}$ after $d$ steps. Ours are not exact, so it takes a few more.
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### From one equation to BFGS
#
# $B\,y = s$ is $d$ equations for $d(d+1)/2$ numbers. Choose the symmetric $B_+$ that changes **least** (in a norm that does not depend on units):
#
# $$ B_+ = (I - \rho\, s y^\top)\, B\, (I - \rho\, y s^\top) + \rho\, s s^\top, \qquad \rho = \frac{1}{y^\top s} $$
#
# - Check: $B_+ y = (I - \rho s y^\top) B \cdot 0 + \rho s\, (s^\top y) = s$. ✓
# - If $B$ is positive definite and $y^\top s > 0$, so is $B_+$: for any $v \ne 0$, $\;v^\top B_+ v = w^\top B w + \rho (s^\top v)^2 > 0$, with $w = v - \rho (s^\top v)\, y$. ✓

# %% [markdown] slideshow={"slide_type": "skip"}
# Why is the last sum never zero? If $s^\top v = 0$ then $w = v \ne 0$ and the first term is positive.
# And where does $y^\top s > 0$ come from? From the flatness condition: $g_+^\top p \ge c_2\, g^\top p$ gives
# $y^\top s = \alpha\,(g_+ - g)^\top p \ge \alpha\,(c_2 - 1)\, g^\top p > 0$. This is why BFGS wants a Wolfe search.

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import BFGS

show(BFGS)

# %% [markdown] slideshow={"slide_type": "skip"}
# DFP came first. It is the same argument with $s$ and $y$ exchanged, and satisfies the same equation. With *exact* line searches the two
# walk the same path (Dixon 1972). With the usual $c_2 = 0.9$, which accepts almost any step, DFP is slower to correct a bad $B$.

# %% slideshow={"slide_type": "subslide"}
from shared.descent import iterates
from shared.optimizers import DFP
from shared.problems import quadratic


def steps_to(rule, f, x0, tol=1e-8, most=2000):
    """How many steps until the gradient's norm is below tol."""
    points = enumerate(iterates(rule, f, x0))
    return next(k for k, x in points if np.linalg.norm(f.grad(x)) < tol or k == most)

bowl, x, state = quadratic(kappa=100, angle=0.5, d=6), np.ones(6), BFGS.State()
arrival = steps_to(BFGS(), bowl, x)
for k in range(1, arrival + 1):
    x, state = BFGS().step(bowl, x, state, k)
before, learnt = (np.linalg.norm(B @ bowl.hess(x) - np.eye(6)) for B in (np.eye(6), state.B))
claim(f"on a bowl in {len(x)} dimensions it arrived after {arrival} steps; ‖B H − I‖ fell from "
      f"{before:.0f} to {learnt:.1g}",
      learnt < before / 30)
steps = {c2: [steps_to(rule(c2=c2), logistic, np.zeros(31)) for rule in (BFGS, DFP)] for c2 in (0.9, 0.1, 0.01)}
print("tumours:", "; ".join(f"c₂ = {c2}: BFGS {bfgs} steps, DFP {dfp}" for c2, (bfgs, dfp) in steps.items()))
claim("loose searches slow DFP down, at least twofold", steps[0.9][1] > 2 * steps[0.9][0])
claim("nearly exact ones make the two alike, within a tenth", abs(steps[0.01][1] / steps[0.01][0] - 1) < 0.1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### L-BFGS: keep the pairs, not the matrix
#
# $B$ has $d^2$ numbers. A network with a million parameters would need 8 terabytes for it.
# But you never need $B$. You need $B g$, and that takes only the last $m$ pairs $(s_i, y_i)$.
#
# Multiply the update by $g$ from the outside in: each factor $(I - \rho\, y s^\top)$ is one dot product and one subtraction.
# Then come back out.

# %% slideshow={"slide_type": "-"}
from shared.optimizers.second_order import two_loops

show(two_loops)

# %% [markdown] slideshow={"slide_type": "skip"}
# The cost is $4md$ multiplications and $2md$ numbers. With $m = 10$ a step costs about as much as looking at the parameters forty times.

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import LBFGS

show(LBFGS)

# %% slideshow={"slide_type": "subslide"}
def torchs(lr, m, steps):
    """The iterates of torch.optim.LBFGS on the tumours, one iteration a step."""
    p = torch.nn.Parameter(torch.zeros(31, dtype=torch.float64))
    def closure():
        p.grad = torch.tensor(logistic.grad(p.detach().numpy()))
        return torch.tensor(float(logistic(p.detach().numpy())))
    optimizer = torch.optim.LBFGS([p], lr=lr, history_size=m, max_iter=1, tolerance_grad=0, tolerance_change=0)
    def after_a_step():
        optimizer.step(closure)
        return p.detach().numpy().copy()
    return np.stack([after_a_step() for _ in range(steps)])

ours, theirs = run(LBFGS(0.5, history_size=10), logistic, np.zeros(31), 100)[1:], torchs(0.5, 10, 100)
gap = (np.abs(ours - theirs).max(-1) / np.abs(theirs).max(-1)).max()
claim(f"our L-BFGS and torch.optim.LBFGS agree over 100 steps to {gap:.0e}", gap < 1e-9)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How many gradients?
#
# The goal: $\|g\| < 10^{-8}$. We count every new point at which a method asks for loss or gradient, on the tumours drawn again
# with replacement, five times. Gradient descent and Nesterov get more than they would in practice: the best rate of a
# fine grid, found on the very data that count. And gradient descent runs once more with the line search of L-BFGS.

# %% slideshow={"slide_type": "skip"}
from itertools import islice

from shared.problems import Counted, Remembered
from shared.race import Method, Outcome


def tumours_again(seed):
    """The loss on tumours drawn with replacement; seeds 2d and 2d + 1 give the same ones, to tune and to report on."""
    return logistic.subset(chance.rng((5, seed // 2)).integers(logistic.n, size=logistic.n))

def asked(walk, f, most=3000):
    """How many points the iterates walk(f) asked about before the gradient's norm fell below 1e-8."""
    counted = Counted(f)
    arrived = any(np.linalg.norm(f.grad(x)) < 1e-8 for x in islice(walk(Remembered(counted)), most))
    return counted.calls["grad"] if arrived else np.inf

def walking(rule):
    return lambda f: iterates(rule, f, np.zeros(f.dim))

def steepest(f):
    """Gradient descent with L-BFGS's line search, which begins at the last step."""
    x, α = np.zeros(f.dim), 1.0
    while True:
        yield x
        g = f.grad(x)
        α = strong_wolfe(f, x, -g, α).alpha
        x = x - α * g

def scipys(method, f):
    """The same count for scipy.optimize.minimize."""
    norms = []
    def both(x):
        norms.append(np.linalg.norm(f.grad(x)))
        return float(f(x)), f.grad(x)
    tight = dict(gtol=1e-8, norm=2) if method == "BFGS" else dict(gtol=1e-9, ftol=0.0, maxfun=10_000)
    scipy.optimize.minimize(both, np.zeros(f.dim), jac=True, method=method, options=tight | dict(maxiter=5000))
    return 1 + int(np.flatnonzero(np.array(norms) < 1e-8)[0])

def untuned(count):
    """A method without knobs, from a count of one problem."""
    return Method(lambda seed: Outcome(*[count(tumours_again(seed))] * 2), {})

def tuned(make, **knobs):
    """A method that asks for one gradient a step; all settings of a draw walk together, at most 600 steps."""
    def train(seed, **settings):
        f, n = tumours_again(seed), len(settings["lr"])
        count = np.full(n, np.inf)
        with np.errstate(all="ignore"):
            for k, x in zip(range(1, 601), iterates(make(**settings), f, np.zeros((n, f.dim)))):
                count = np.minimum(count, np.where(np.linalg.norm(f.grad(x), axis=-1) < 1e-8, k, np.inf))
        return Outcome(count, count)
    return Method(train, knobs, batched=True)

# %% slideshow={"slide_type": "-"}
from shared.optimizers import ConjugateGradient
from shared.race import Range, compare

rate, searched = Range(0.3, 30, log=True), dict(line_search_fn="strong_wolfe")
named = {"conjugate gradients": ConjugateGradient(), "BFGS": BFGS(), "L-BFGS": LBFGS(**searched), "Newton": Newton()}
counts = compare({
    "gradient descent": tuned(SGD, lr=rate),
    "Nesterov": tuned(lambda lr, rest: SGD(lr, momentum=1 - rest, nesterov=True), lr=rate, rest=Range(0.03, 1, log=True, capped=True)),
    "descent, same search": untuned(lambda f: asked(steepest, f)),
    **{name: untuned(lambda f, rule=rule: asked(walking(rule), f)) for name, rule in named.items()},
    **{f"SciPy {m}": untuned(lambda f, m=m: scipys(m, f)) for m in ("BFGS", "L-BFGS-B")}}, trials=15)

# %% slideshow={"slide_type": "subslide"}
shades = {"gradient descent": "SGD", "descent, same search": "SGD", "conjugate gradients": "ConjugateGradient", "L-BFGS": "LBFGS"}
fig, ax = theme.figure(9, 3.2)
names = counts.ranking()[::-1]
ax.barh(names, [np.median(counts.values(n)) for n in names], color=[theme.COLORS.get(shades.get(n, n), theme.FAINT) for n in names])
ax.bar_label(ax.containers[0], padding=4, fmt="%.0f")
ax.set(xlabel="points asked, median of five draws (Newton: plus as many Hessians)", title="tumours, to a gradient of 10⁻⁸")
ax.margins(x=0.08)
show(fig, alt="Bars of the number of gradients each method needs on the tumours: Newton fewest, then L-BFGS; gradient descent most.")

# %% slideshow={"slide_type": "-"}
best, same = (counts.ratio(name, "L-BFGS") for name in ("gradient descent", "descent, same search"))
claim(f"gradient descent asks {best} times as often as L-BFGS",
      best.low > 2 and not best.flips and not best.edge)
claim(f"and with the same line search {same} times as often", same.low > 1.5)
ours = [counts.ratio(*pair) for pair in (("BFGS", "SciPy BFGS"), ("L-BFGS", "SciPy L-BFGS-B"))]
claim(f"ours against SciPy's: BFGS {ours[0]}, L-BFGS {ours[1]}", max(r.median for r in ours) < 1.3)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why does L-BFGS beat BFGS?
#
# It remembers ten pairs, BFGS all of them. And it begins its loops anew at every step with $\gamma I$, where $\gamma = y^\top s / y^\top y$ comes
# from the newest pair; BFGS chose its first $B$ once and for all.
#
# <details><summary><b>Predict:</b> does forgetting help, or the fresh scale?</summary>
#
# Only the scale. Hold γ at 1 and keep all pairs: that *is* BFGS. A fresh γ then makes all the difference, and forgetting none.
# </details>

# %% slideshow={"slide_type": "-"}
from IPython.display import Markdown, display


class Unscaled(LBFGS):
    """L-BFGS with γ held at 1."""
    def pairs(self, f, x, g, s, t):
        S, Y, γ = super().pairs(f, x, g, s, t)
        return S, Y, np.ones_like(γ)

crossed = {(m, rule): [asked(walking(rule(history_size=m, **searched)), tumours_again(2 * d)) for d in range(5)]
           for m in (10, 200) for rule in (LBFGS, Unscaled)}
display(Markdown("\n".join(["| asked, median of five draws | γ fresh | γ = 1 |", "| --- | --- | --- |", *(
    f"| {kept} | {np.median(crossed[m, LBFGS]):.0f} | {np.median(crossed[m, Unscaled]):.0f} |" for m, kept in ((10, "ten pairs"), (200, "all pairs")))])))
claim("with all pairs: γ = 1 asks as often as BFGS, within a tenth, and at least twice as often as a fresh γ",
      np.allclose(crossed[200, Unscaled], counts.values("BFGS"), rtol=0.1)
      and min(crossed[200, Unscaled]) > 2 * max(crossed[200, LBFGS]))
claim("with a fresh γ: forgetting gains nothing",
      np.median(crossed[10, LBFGS]) > 0.9 * np.median(crossed[200, LBFGS]))

# %% [markdown] slideshow={"slide_type": "skip"}
# BFGS loses by the scale of its first $B$, not by its memory. **Conjugate gradients** have a single vector of memory:

# %% slideshow={"slide_type": "skip"}
show(ConjugateGradient)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The Hessian and its computation
#
# $H_{ij} = \partial^2 f / \partial x_i \partial x_j$. Four ways to get it, for a network with 55 parameters. In the table ε is the machine precision, $10^{-16}$.
#
# | way | needs | error |
# | --- | --- | --- |
# | by hand | patience | none |
# | differences of $f$ | $4d^2$ values | $O(h^2) + O(\varepsilon/h^2)$ |
# | differences of $g$ | $2d$ gradients | $O(h^2) + O(\varepsilon/h)$ |
# | automatic differentiation | about $d$ gradients | rounding only |
#
# Where the two errors are equal, their sum is about least: $h \approx \varepsilon^{1/4} \approx 10^{-4}$ from values, which leaves $\sqrt\varepsilon \approx 10^{-8}$,
# and $h \approx \varepsilon^{1/3} \approx 5 \cdot 10^{-6}$ from gradients, which leaves $\varepsilon^{2/3} \approx 2 \cdot 10^{-11}$ (times derivatives of $f$).

# %% [markdown] slideshow={"slide_type": "skip"}
# **By hand**, once, for the logistic loss. With the margin $m = y\,a^\top x$ and the probability of the wrong label $q = 1/(1 + e^{m})$:
# $\;\partial f/\partial m = -q$ and $\partial q/\partial m = -q(1-q)$. The chain rule gives $g = -q\,y\,a$ and
# $H = q(1-q)\,a a^\top$: a sum of such terms, so positive semi-definite, so the loss is convex.

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import Adam
from shared.problems import curvature

small = digits.x_train[:400].reshape(400, 4, 2, 4, 2).mean((2, 4)).reshape(400, 16)    # 4 x 4 pixels
small = (small - small.mean(0)) / np.maximum(small.std(0), 0.05)
net = NetworkOracle(mlp(16, 16, 10, activation="tanh"), cross_entropy, small, digits.y_train[:400])
trained = run(Adam(0.02), net, net.start, 150)[-1]
H = net.hess(trained)
little = NetworkOracle(mlp(4, 3, 10, activation="tanh"), cross_entropy, small[:100, 5:9], digits.y_train[:100])
exact = little.hess(little.start)
h = np.geomspace(1e-12, 1e-1, 23)
off = [[np.abs(way(little, little.start, step) - exact).max() for step in h]
       for way in (curvature.hessian_by_differences, curvature.gradient_differences)]

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(9, 3.4)
for error_of, name, colour in zip(off, ("differences of the loss", "differences of the gradient"), theme.SEQUENCE):
    ax.loglog(h, error_of, "-o", ms=4, color=colour, label=name)
    best = np.argmin(error_of)
    ax.annotate(f"best: h = {h[best]:.0e}", (h[best], error_of[best]), (0, -14) if "grad" in name else (12, 32), textcoords="offset points", color=colour, ha="center")
ax.set(xlabel="h", ylabel="largest error of an entry of H", ylim=(1e-13, 1e9), title="too large: the formula errs; too small: rounding does")
ax.legend()
show(fig, alt="Two V-shaped curves: the error of the Hessian by finite differences against the step h.")

# %% slideshow={"slide_type": "-"}
best = [h[np.argmin(e)] for e in off]
claim(f"the best h is {best[0]:.0e} for values and {best[1]:.0e} for gradients",
      1e-5 < best[0] < 1e-2 and 1e-7 < best[1] < 1e-3)
claim(f"gradients give {np.log10(min(off[0]) / min(off[1])):.1f} more digits", min(off[1]) < 0.05 * min(off[0]))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### You never need H. You need H v
#
# $$ H v = \nabla_x \big( g(x)^\top v \big) $$
#
# The bracket is one number. Differentiate it like any loss: one more backward pass, no matrix (Pearlmutter, 1994).

# %% slideshow={"slide_type": "-"}
show(curvature.hvp)

# %% slideshow={"slide_type": "-"}
from time import process_time

v = chance.rng(0).standard_normal(net.dim)
wrong = np.abs(curvature.hvp(net, trained, v) - H @ v).max()
claim(f"H v agrees with the full Hessian to {wrong:.0e}", wrong < 1e-12)
wide = NetworkOracle(mlp(64, 128, 10, activation="tanh"), cross_entropy, digits.x_train, digits.y_train)
direction = chance.rng(0).standard_normal(wide.dim)
def seconds(action, times=15):
    """The fastest of several runs, in seconds of processor time."""
    marks = []
    for _ in range(times):
        begin = process_time()
        action()
        marks.append(process_time() - begin)
    return min(marks)
ratio = seconds(lambda: curvature.hvp(wide, wide.start, direction)) / seconds(lambda: wide.grad(wide.start))
print(f"a product with the {wide.dim:,} x {wide.dim:,} Hessian costs {ratio:.1f} gradients")
claim("a Hessian-vector product costs at most four gradients", ratio < 4)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What the matrix itself would cost
#
# Storing takes $d^2$ numbers. Solving by Cholesky takes about $d^3/3$ operations. Measure and extrapolate.

# %% slideshow={"slide_type": "-"}
sizes = np.array([500, 1000, 2000, 3000])
def cholesky_seconds(n):
    A = torch.eye(n, dtype=torch.float64) + 1 / n
    return seconds(lambda: torch.linalg.cholesky(A), 5)               # torch: one thread here, so the time is honest
cost = np.array([cholesky_seconds(n) for n in sizes])
power_of_n = np.polyfit(np.log(sizes[1:]), np.log(cost[1:]), 1)[0]
def readable(value, units):
    """A number in the largest unit that leaves at least one of it: units are (name, size), the smallest first."""
    name, size = [u for u in units if value >= u[1] or u is units[0]][-1]
    return f"{value / size:,.{1 if value < 9.95 * size else 0}f} {name}"
memory, time = [("GB", 1e9), ("TB", 1e12), ("PB", 1e15)], [("s", 1), ("hours", 3600), ("years", 3.15e7)]
rows = [f"| {name} | {d:,} | {readable(8 * d * d, memory)} | {readable(cost[-1] * (d / sizes[-1]) ** 3, time)} |" for name, d in
        (("this chapter's network", wide.dim), ("a small CNN", 100_000), ("ResNet-50", 25_600_000))]
display(Markdown("\n".join(["| network | parameters | H in memory | one Cholesky |", "| --- | --- | --- | --- |", *rows])))
print(f"measured: the time of a Cholesky factorisation grows like d^{power_of_n:.1f}")
claim("the measured exponent lies between 2.4 and 3.6", 2.4 < power_of_n < 3.6)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Gauss-Newton and Fisher
#
# A network's loss is $\ell(z(x))$: outputs, then a convex loss. With $J = \partial z/\partial x$:
#
# $$ H = \underbrace{J^\top \nabla^2\ell\; J}_{G \text{, never indefinite}} + \sum_k \frac{\partial \ell}{\partial z_k} \nabla^2 z_k $$
#
# For cross-entropy $G$ is also the **Fisher information** $F = \mathbb E[\nabla \log p\, \nabla \log p^\top]$, with labels drawn *from the model*.
# With the *given* labels you get the "empirical Fisher", which is something else (Kunstner et al. 2019).

# %% slideshow={"slide_type": "-"}
early = run(Adam(0.02), little, little.start, 60)[-1]
G, F, E = curvature.gauss_newton(little, early), curvature.fisher(little, early), curvature.empirical_fisher(little, early)
lowest = np.linalg.eigvalsh(little.hess(early))[0], np.linalg.eigvalsh(G)[0]
claim(f"Gauss-Newton is the Fisher matrix: they differ by {np.abs(G - F).max():.0e}",
      np.abs(G - F).max() < 1e-12)
claim(f"the empirical Fisher is off by {np.linalg.norm(E - F) / np.linalg.norm(F):.0%} of F",
      np.linalg.norm(E - F) > 0.1 * np.linalg.norm(F))
claim(f"lowest eigenvalue of H: {lowest[0]:.2g}; of G: zero, up to rounding",
      lowest[0] < -1e-3 and abs(lowest[1]) < 1e-12)

# %% [markdown] slideshow={"slide_type": "skip"}
# The **natural gradient** steps by $-F^{-1} g$: steepest when distance is measured between the *distributions* the network
# describes. So it does not depend on how you parametrise them: in other units $x = Az$ the outputs move the same way, which the
# gradient's step does not. For cross-entropy it is Gauss-Newton under another name. (Damping gives some of this up.)

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import NaturalGradient

show(NaturalGradient)

# %% slideshow={"slide_type": "skip"}
g, units = little.grad(early), 10 ** chance.rng(0).uniform(-1, 1, little.dim)
def moved(A, natural, ε=1e-5):
    """The direction in which the outputs move, over the softmax's free constant, if parameter i is measured in units A[i]."""
    p = A * (np.linalg.pinv(A[:, None] * F * A, rcond=1e-12, hermitian=True) @ (A * g) if natural else A * g)
    z = [little.outputs(little.tensor(early - sign * ε * p)).numpy() for sign in (1, -1)]
    change = (z[0] - z[1]) - (z[0] - z[1]).mean(-1, keepdims=True)
    return change / np.linalg.norm(change)
turned = [np.linalg.norm(moved(units, natural) - moved(np.ones(little.dim), natural)) for natural in (True, False)]
claim("parameters in other units: the natural step moves the outputs the same way to "
      f"{turned[0]:.0e}, the gradient's turns by {turned[1]:.1f}",
      turned[0] < 1e-6 and turned[1] > 0.3)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The spectrum of a network
#
# The eigenvalues of $H$ say how many directions matter. Lanczos finds the large ones from a few dozen products $Hv$.
# Move the slider: how many products until the crosses meet the circles? Then look at the network before training.

# %% slideshow={"slide_type": "-"}
from shared.explorers import spectrum

spectrum.explorer()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Lanczos in a few lines
#
# Power iteration keeps only its last vector. Lanczos keeps the whole space $v, Hv, H^2 v, \dots$ as orthonormal columns $V$.
# In that basis $H$ becomes a small tridiagonal matrix $T = V^\top H V$, and the ends of its spectrum approach those of $H$.

# %% slideshow={"slide_type": "skip"}
show(curvature.lanczos)

# %% slideshow={"slide_type": "-"}
λ = np.linalg.eigvalsh(H)[::-1]
products = 40
found, vectors = curvature.top_eigenvalues(lambda v: curvature.hvp(net, trained, v), net.dim, k=5, steps=products)
claim(f"{products} products give the top five of {net.dim} eigenvalues to "
      f"{np.abs(found / λ[:5] - 1).max():.0e}",
      np.abs(found / λ[:5] - 1).max() < 1e-4)
begun = np.linalg.eigvalsh(net.hess(net.start))
small_ones = [[(np.abs(values) < share * values.max()).mean() for share in (0.01, 0.001)] for values in (λ, begun)]
claim(f"here {small_ones[0][0]:.0%} of the curvatures are below a hundredth of the largest, more "
      f"than before training ({small_ones[1][0]:.0%})",
      small_ones[0][0] > 0.5 and small_ones[0][0] > 2 * small_ones[1][0])
print(f"below a thousandth: {small_ones[0][1]:.0%}. How flat a bowl is depends on what you call flat.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What it looks like
#
# Left: the loss over the two sharpest directions. Right: over two random directions, each filter as long as the network's own (Li et al., 2018).
# A whole grid of networks is one vectorised call.

# %% slideshow={"slide_type": "-"}
random = [curvature.filter_normalised(net, trained, s) for s in (1, 2)]
views = {"the two sharpest directions": vectors[:, :2].T * np.linalg.norm(random[0]), "two random directions, as long": random}
fig, axes = theme.figure(9, 3.5, 1, 2)
for ax, (name, (right, up)) in zip(axes, views.items()):
    a, Z = curvature.surface(net, trained, right, up, span=1.0, n=31, rows=8)
    lines = ax.contourf(a, a, np.log10(Z), levels=np.linspace(np.log10(Z.min()), 1, 16), extend="max", cmap=theme.CMAP)
    ax.plot(0, 0, "*", color="white", ms=12, mec=theme.INK)
    ax.set(title=name, xlabel="first", ylabel="second")
fig.colorbar(lines, ax=axes, label="log₁₀ loss", ticks=[-1, -0.5, 0, 0.5, 1])
show(fig, alt="Contours of a network's loss around its trained parameters, over the sharpest and over random directions.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Pros and cons in deep learning
#
# | for | against |
# | --- | --- |
# | few steps; digits double near a minimum | $d^2$ memory, $d^3$ time |
# | no units; near a minimum the rate is 1 | attracted to saddles; far from a minimum a damping, radius or search to choose |
# | L-BFGS: ten pairs of vectors are enough | built on exact gradients: batches are noisy |
#
# Let us test the last line.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Mini-batches break the secant equation
#
# L-BFGS reads curvature from $y = g_{\text{new}} - g_{\text{old}}$. With mini-batches the two gradients come from *different* examples.
# Then $y$ is mostly noise: $s$ shrinks, the noise does not, and $y^\top s$ says little about $H$.
#
# The repair: take both gradients of a pair on the **same** batch (`consistent=True`), at twice the price.
# First on a convex loss, softmax regression on the digits: there a consistent pair always has $y^\top s \ge \mu \|s\|^2$.

# %% slideshow={"slide_type": "skip"}
from shared.problems import MiniBatch, Softmax

convex = Softmax(np.c_[digits.x_train, np.ones(len(digits.x_train))], digits.y_train.astype(int), l2=1e-3)
start, size, η = np.zeros(convex.dim), 32, 0.3
plain, consistent = "L-BFGS, two batches", "L-BFGS, one batch"
made = {plain: LBFGS, consistent: lambda lr: LBFGS(lr, consistent=True), "SGD": SGD}
shade = {plain: theme.INK, consistent: theme.color("LBFGS")}

def errors_of_y(seed):
    """How wrong y is, against the y of all examples and relative to it, along a run of SGD: two batches, one batch."""
    batches = MiniBatch(convex, size, seed=seed)
    xs = run(SGD(η), batches, start, 200)
    for t in range(20, 200, 20):
        before, after, last, now = xs[t - 1], xs[t], batches.at(t), batches.at(t + 1)
        y = convex.grad(after) - convex.grad(before)
        yield [np.linalg.norm(now.grad(after) - other.grad(before) - y) / np.linalg.norm(y) for other in (last, now)]

wrong = np.array([list(errors_of_y(seed)) for seed in range(5)])                       # (seeds, steps, 2)
losses = {name: np.array([convex(run(make(lr=η), MiniBatch(convex, size, seed=seed), start, 250)[::5]) for seed in range(10)])
          for name, make in made.items() if name != "SGD"}

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.3, 1, 2, width_ratios=(1, 1.5))
for column, name in enumerate((plain, consistent)):
    left.semilogy(range(20, 200, 20), np.median(wrong[..., column], 0), "o-", color=shade[name], label=name.split(", ")[1])
left.set(xlabel="step", ylabel="error of y, relative to y", title="what the pair says", ylim=(0.1, 10))
left.legend()
for name in losses:
    plots.band(right, losses[name], name, x=np.arange(0, 251, 5), color=shade[name])
right.set(yscale="log", xlabel="step", ylabel="loss on all training digits", title=f"η = {η}: median and range of ten", ylim=(0.2, 1e6))
right.legend(loc="upper left")
show(fig, alt="Left: the error of y is several times y with two batches, a fraction of it with one. Right: with two batches the loss "
              "jumps by orders of magnitude, with one it falls.")

# %% slideshow={"slide_type": "-"}
errors = np.median(wrong, (0, 1))
claim(f"batches of {size}: y from two batches is wrong by {errors[0]:.1f} times its length, from one "
      f"batch by {errors[1]:.1f} times",
      errors[0] > 2 and errors[1] < 0.5)
rose = {name: int((rows.max(1) > 1.1 * convex(start)).sum()) for name, rows in losses.items()}
claim(f"η = {η}: with two batches the loss rises above its start in {rose[plain]} of {len(losses[plain])} runs, with "
      f"one batch in {rose[consistent]}",
      rose[plain] >= 5 and rose[consistent] == 0)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Stable. But better than SGD?
#
# Now every method gets its own best rate, and the same number of *gradients*: a consistent step takes two.

# %% slideshow={"slide_type": "-"}
from shared.race import Entry, rules

ranges = {plain: Range(0.003, 1, log=True), consistent: Range(0.005, 1, log=True), "SGD": Range(0.03, 3, log=True)}
softmax = {name: rules({name: Entry(make, {"lr": ranges[name]})}, lambda seed: (MiniBatch(convex, size, seed=seed), start),
                       convex, steps=250 if name == consistent else 500)[name] for name, make in made.items()}
raced = compare(softmax, trials=7)
display(raced)
tie, near = raced.ratio(consistent, "SGD"), 0.15
hurt = raced.ratio(plain, "SGD")
claim(f"with two batches L-BFGS ends at {hurt} of SGD's loss, each at its best rate",
      hurt.median > 1.2)
claim(f"softmax, batches of {size}: consistent L-BFGS ends at {tie} of SGD's loss: a tie, to "
      f"{near:.0%}",
      1 - near < tie.low and tie.high < 1 + near)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### And on a network?
#
# On a loss that is not convex nothing keeps $y^\top s$ away from zero, and one pair with a tiny $y^\top s$ is enough for a huge step.
#
# <details><summary><b>Predict:</b> with batches of 256 the noise is √8 times smaller. Does L-BFGS beat Adam now?</summary>
#
# That is a matter of the seed: even at its best rate, its last loss changes far more from one seed to the next than Adam's.
# </details>

# %% slideshow={"slide_type": "-"}
def classifier(seed):
    return NetworkOracle(mlp(64, 32, 10, activation="tanh", seed=seed, dtype=torch.float32), cross_entropy, digits.x_train, digits.y_train)

def large_batches(seed):
    return MiniBatch(classifier(seed), 256, seed=seed), classifier(seed).start

gradients = 200
raced = compare(rules({"Adam": Entry(Adam, {"lr": Range(0.03, 0.3, log=True)})}, large_batches, steps=gradients)
                | rules({consistent: Entry(made[consistent], {"lr": Range(0.05, 0.5, log=True)})}, large_batches, steps=gradients // 2), trials=5)
display(raced)
spread = {name: raced.values(name).max() / raced.values(name).min() for name in raced.tuned}
claim(f"{gradients} gradients, {len(raced.values('Adam'))} draws: Adam's last losses differ by a "
      f"factor of {spread['Adam']:.1f}, consistent L-BFGS's by {spread[consistent]:.0f}",
      spread[consistent] > 3 * spread["Adam"])

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Curvature, layer by layer: K-FAC
#
# For one layer with inputs $a$ and output gradients $\delta$, the weight gradient is $\delta a^\top$. So its Fisher block is
#
# $$ F = \mathbb E\big[ a a^\top \otimes \delta \delta^\top \big] \approx \mathbb E[a a^\top] \otimes \mathbb E[\delta\delta^\top] = A \otimes S $$
#
# The ≈ takes inputs and output gradients for independent; what layers have in common is dropped altogether.
# And $(A \otimes S)^{-1} \operatorname{vec} \nabla W = \operatorname{vec}(S^{-1}\, \nabla W\, A^{-1})$: two small inverses instead of a huge one.
# A layer with 1,000 inputs and outputs: from $10^{12}$ numbers to $2 \cdot 10^6$.

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import KFAC

show(KFAC)

# %% [markdown] slideshow={"slide_type": "skip"}
# **Shampoo** wants the same shape of answer without a Fisher matrix. It is Adagrad, with a matrix for the rows and one for the columns.

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import Shampoo

show(Shampoo)

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import Adagrad
from shared.optimizers.torch_rule import TorchRule


def by_tensor(rule, f, batches):
    """The parameters after every step, with one state per weight matrix."""
    model = f.model
    torch.nn.utils.vector_to_parameters(f.tensor(f.start.copy()), model.parameters())
    optimizer, t = TorchRule(model.parameters(), rule), 0
    while True:
        rows = torch.tensor(batches.indices(t := t + 1))
        optimizer.zero_grad()
        cross_entropy(model(f.inputs[rows]), f.targets[rows]).backward()
        optimizer.step()
        yield torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy()

def by_vector(rule, f, batches):
    """The same for a rule on the flat vector."""
    return islice(iterates(rule, batches, f.start), 1, None)

def training(seed, name, **knobs):
    """The loss on all digits and the seconds of processor time, after each step of a method."""
    make, walk = {"Adam": (Adam, by_vector), "K-FAC": (KFAC, by_vector), "Adagrad": (Adagrad, by_tensor), "Shampoo": (Shampoo, by_tensor)}[name]
    f = NetworkOracle(mlp(64, 32, 10, activation="tanh", seed=seed), cross_entropy, digits.x_train, digits.y_train)
    batches = MiniBatch(f, 256, seed=seed)
    points, busy = walk(make(**knobs), f, curvature.Curved(batches, seed=seed) if name == "K-FAC" else batches), 0.0
    while True:
        begin = process_time()
        x = next(points)
        busy += process_time() - begin
        yield float(f(x)), busy

goal = 0.15

def to_goal(name, most=60):
    """A method's training for a race: steps and seconds until the loss is below the goal, inf after `most` steps."""
    def train(seed, **knobs):
        steps = enumerate(islice(training(seed, name, **knobs), most), 1)
        k, seconds = next(((k, busy) for k, (loss, busy) in steps if loss < goal), (np.inf, np.inf))
        return Outcome(tune=k, final=k, seconds=seconds)
    return train

# %% slideshow={"slide_type": "skip"}
by_layer = compare({
    "Adam": Method(to_goal("Adam"), {"lr": Range(0.01, 0.3, log=True)}),
    "K-FAC": Method(to_goal("K-FAC"), {"lr": Range(0.03, 1, log=True), "damping": Range(1e-5, 1e-2, log=True)})}, trials=9)
by_matrix = compare({
    "Adagrad": Method(to_goal("Adagrad", most=100), {"lr": Range(0.05, 0.5, log=True)}),
    "Shampoo": Method(to_goal("Shampoo"), {"lr": Range(0.5, 5, log=True)})}, draws=3, trials=5)
chosen = {name: {knob: float(np.median(values)) for knob, values in race.chosen(name).items()}
          for race in (by_layer, by_matrix) for name in race.tuned}
curves = {name: [[loss for loss, _ in islice(training(seed, name, **knobs), 60)] for seed in (20, 21, 22)] for name, knobs in chosen.items()}
display(by_layer, by_matrix)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(9, 3.4)
for name, rows in curves.items():
    plots.band(ax, rows, name, x=np.arange(1, 61), color=theme.color("KFAC" if name == "K-FAC" else name))
ax.axhline(goal, color=theme.MUTED, ls=":", lw=1)
ax.set(yscale="log", xlabel="step (batches of 256)", ylabel="loss on all training digits", title=f"each tuned to reach {goal} (dotted): median and range of three networks", xlim=(1, 60))
plots.label_ends(ax)
show(fig, alt="Training loss against the step for K-FAC, Shampoo, Adam and Adagrad; K-FAC reaches "
              f"{goal} first, Adagrad last.")

# %% slideshow={"slide_type": "-"}
kfac, shampoo = by_layer.ratio("K-FAC", "Adam"), by_matrix.ratio("Shampoo", "Adagrad")
claim(f"to a loss of {goal} K-FAC needs {kfac} of Adam's steps in the median", kfac.median < 0.75 and not kfac.flips)
claim(f"Shampoo needs {shampoo} of Adagrad's", shampoo.high < 0.6 and not shampoo.flips)
time_each = {name: np.median(race.values(name, "seconds") / race.values(name)) for race in (by_layer, by_matrix) for name in race.tuned}
dearer = time_each["K-FAC"] / time_each["Adam"], time_each["Shampoo"] / time_each["Adagrad"]
claim(f"but a step costs more: K-FAC's {dearer[0]:.1f} of Adam's, Shampoo's {dearer[1]:.1f} of "
      "Adagrad's",
      min(dearer) > 1.3)
print(f"in processor time K-FAC needs {by_layer.ratio('K-FAC', 'Adam', 'seconds')} of Adam's, Shampoo "
      f"{by_matrix.ratio('Shampoo', 'Adagrad', 'seconds')} of Adagrad's")

# %% [markdown] slideshow={"slide_type": "skip"}
# Fewer steps is not less time: the last line says how much of the gain the dearer steps take back here. On a network this small
# it measures Python as much as arithmetic. What a layer of width $n$ costs on a batch of $B$: about $3Bn^2$ multiplications for the gradient, of the order of $n^3$ for
# K-FAC's two inverses. So the balance moves towards curvature when the batch is large *against the width*, when the inverses
# are refreshed only now and then, and when you need many digits. It moves away with wide layers and small batches.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### When to reach for what
#
# | your problem | reach for |
# | --- | --- |
# | up to a few thousand parameters, exact gradients | trust region, or BFGS |
# | a sum of squares | Levenberg-Marquardt |
# | many parameters, exact gradients (fine-tuning on all data, physics, style transfer) | L-BFGS with strong Wolfe |
# | small noisy batches | SGD or Adam |
# | batches large against the width, inverses refreshed rarely | try K-FAC or Shampoo against a tuned Adam |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercises
#
# Run a cell's check as often as you like. It names the likely mistake.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1: a flatter minimum (derive)
#
# By which number does one Newton step multiply $u$ on $f(u) = u^6$?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
factor = 4 / 5
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("05.flat", factor)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What are $f'$ and $f''$, and what is their ratio?
# - $f'/f'' = 6u^5 / 30u^4 = u/5$. What is left of $u$?
#
# Solution: for $u^p$ the factor is $1 - 1/(p-1) = (p-2)/(p-1)$. The flatter the minimum, the slower.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2: a damped step (implement)
#
# Return $x - (H + \lambda I)^{-1} g$ for vectors `x`, `g` (d,), a matrix `H` (d, d) and $\lambda$ = `damping`. Solve; do not invert.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def newton_step(x, g, H, damping):
    """One damped Newton step."""
    ### BEGIN SOLUTION
    return x - np.linalg.solve(H + damping * np.eye(len(x)), g)
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("05.newton_step", newton_step)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Which linear equation does the step $p$ satisfy?
# - `np.linalg.solve(A, b)` gives the solution of $A p = b$, and `np.eye(d)` is $I$.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3: the BFGS update (implement)
#
# Return $B_+$ from `B` (d, d), `s` and `y` (d,). If $y^\top s \le 0$, return `B` as it is.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def bfgs_update(B, s, y):
    """The estimate of the inverse Hessian after the step s changed the gradient by y."""
    ### BEGIN SOLUTION
    if y @ s <= 0:
        return B
    V = np.eye(len(s)) - np.outer(s, y) / (y @ s)
    return V @ B @ V.T + np.outer(s, s) / (y @ s)
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("05.bfgs_update", bfgs_update)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - `np.outer(s, y)` is $s y^\top$. Test your result: is $B_+ y = s$?
# - The right factor is the transpose of the left one.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4: the two loops (implement)
#
# Return $B g$ from the rows of `S` and `Y` (m, d), **oldest pair first**. Between the loops multiply by $\gamma = y^\top s / y^\top y$ of the newest pair.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def two_loop_product(g, S, Y):
    """B g, from the pairs alone."""
    ### BEGIN SOLUTION
    ρ, a, q = 1 / (S * Y).sum(-1), np.zeros(len(S)), g
    for i in reversed(range(len(S))):
        a[i] = ρ[i] * (S[i] @ q)
        q = q - a[i] * Y[i]
    q = q * (S[-1] @ Y[-1]) / (Y[-1] @ Y[-1])
    for i in range(len(S)):
        q = q + (a[i] - ρ[i] * (Y[i] @ q)) * S[i]
    return q
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("05.two_loops", two_loop_product)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - The newest update is the outermost factor of $B$. Which pair meets $g$ first?
# - Newest to oldest: $a_i = \rho_i s_i^\top q$, then $q \leftarrow q - a_i y_i$. Keep every $a_i$ for the way back.
# - Oldest to newest: $q \leftarrow q + (a_i - \rho_i y_i^\top q)\, s_i$.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5: H v from two gradients (implement)
#
# `grad` is a function $x \mapsto \nabla f(x)$. Return $Hv$ at `x` by a central difference along `v` with step `h`. The check counts your gradients.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def product(grad, x, v, h):
    """The Hessian at x times v, without the Hessian."""
    ### BEGIN SOLUTION
    return (grad(x + h * v) - grad(x - h * v)) / (2 * h)
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("05.hvp", product)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - $g(x + hv) \approx g(x) + h\,Hv$. Which single direction do you have to try?
# - Two gradients, one on each side of `x`, are enough.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6: off the hilltop (experiment)
#
# Start at (-0.3, -0.8), near Himmelblau's hilltop. Find a damping $\lambda$ with which $H + \lambda I$ is positive definite at every
# point of 40 damped Newton steps, so that each sets off downhill, and the loss ends below $10^{-6}$.
# The curvatures at the start are in the explorer's title at the top of this chapter.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
damping = 60.0
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("05.damping", damping)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - When is $H + \lambda I$ positive definite?
# - The most negative curvature at the start is about $-45$. Be a little above, not a hundred times.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - **Newton** solves $Hp = -g$. Near a minimum its digits double. On $u^4$ it is only linear. It ignores units.
# - It looks for *any* stationary point, so saddles attract it. Damping, $|H|$, a trust region or $J^\top J$ repair that.
# - **Wolfe** conditions: not too long, not too short, and $y^\top s > 0$ for BFGS.
# - **BFGS** learns $H^{-1}$ from $By = s$. **L-BFGS** does so with two loops over the last pairs, and a fresh scale at every step.
# - $Hv$ costs a few gradients, exactly. Lanczos turns such products into a spectrum: a few large curvatures, many small ones.
# - Two batches break the secant equation. Consistent pairs mend it, and gain nothing over a tuned SGD at equal gradients.
# - **K-FAC** and **Shampoo** bring curvature back: fewer steps, dearer steps.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - K. Levenberg. *A method for the solution of certain non-linear problems in least squares.* Quarterly of Applied Mathematics 2, 1944.
# - C. Lanczos. *An iteration method for the solution of the eigenvalue problem of linear differential and integral operators.* Journal of
#   Research of the National Bureau of Standards 45, 1950.
# - D. Marquardt. *An algorithm for least-squares estimation of nonlinear parameters.* Journal of the SIAM 11, 1963.
# - E. Polak, G. Ribière. *Note sur la convergence de méthodes de directions conjuguées.* Revue française d'informatique et de recherche
#   opérationnelle 3, 1969.
# - L. Dixon. *Variable metric algorithms: necessary and sufficient conditions for identical behavior of nonquadratic functions.* Journal of
#   Optimization Theory and Applications 10, 1972.
# - J. Nocedal. *Updating quasi-Newton matrices with limited storage.* Mathematics of Computation 35, 1980.
# - J. Moré, D. Sorensen. *Computing a trust region step.* SIAM Journal on Scientific and Statistical Computing 4, 1983.
# - D. Liu, J. Nocedal. *On the limited memory BFGS method for large scale optimization.* Mathematical Programming 45, 1989.
# - B. Pearlmutter. *Fast exact multiplication by the Hessian.* Neural Computation 6, 1994.
# - S. Amari. *Natural gradient works efficiently in learning.* Neural Computation 10, 1998.
# - J. Nocedal, S. Wright. *Numerical optimization*, 2nd ed. Springer, 2006. Line searches (ch. 3), trust regions (4), quasi-Newton (6, 7), least squares (10).
# - N. Schraudolph, J. Yu, S. Günter. *A stochastic quasi-Newton method for online convex optimization.* AISTATS 2007.
# - Y. Dauphin et al. *Identifying and attacking the saddle point problem in high-dimensional non-convex optimization.* NIPS 2014.
# - J. Martens, R. Grosse. *Optimizing neural networks with Kronecker-factored approximate curvature.* ICML 2015.
# - V. Gupta, T. Koren, Y. Singer. *Shampoo: preconditioned stochastic tensor optimization.* ICML 2018.
# - H. Li et al. *Visualizing the loss landscape of neural nets.* NeurIPS 2018.
# - B. Ghorbani, S. Krishnan, Y. Xiao. *An investigation into neural net optimization via Hessian eigenvalue density.* ICML 2019. Further reading.
# - F. Kunstner, P. Hennig, L. Balles. *Limitations of the empirical Fisher approximation for natural gradient descent.* NeurIPS 2019.
