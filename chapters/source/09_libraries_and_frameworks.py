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
# # Optimization libraries and frameworks
#
# You write `Adam(lr=0.001)`. Your colleague writes `Adam(lr=0.001)`, in another library.
# Same weights, same data, same numbers. After a hundred steps your networks differ.
#
# **Who has written all this already, and do they agree?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## What you will be able to do
#
# - Drive PyTorch, TensorFlow, Keras and Optax, each in its own idiom.
# - Name the convention behind every optimizer's name, and measure what it changes.
# - Make two libraries walk the same path to float32's last digits, or show that nothing can.
# - Write an optimizer of your own in ten lines of each library.
# - Move a training recipe from one library to another, and know what changes silently.

# %% [markdown] slideshow={"slide_type": "notes"}
# Everything here runs the installed libraries. If one is missing, its rows are left out with a notice, and the cells about it stop, each with one line.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
import math
import tempfile

import numpy as np

from shared.course import check, claim, show
from shared.explorers import side_by_side as parity_explorer
from shared.figures import plots, theme
from shared.frameworks import LIBRARIES, Recipe, catalogue, parity
from shared.frameworks.problem import tiny_network

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# One bowl, one start, the same numbers. Blue is one library, orange the other. Right: how far apart they are.

# %% slideshow={"slide_type": "-"}
parity_explorer.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# 1. Adam in PyTorch and Keras. Slide **ε** from left to right. Where do the paths part?
# 2. Choose *Momentum* and slide 1 − β to 0.1 (β = 0.9). The rate falls to a tenth at step 50. Who walks on? Why?
# 3. Choose *Adam, decay λ*. Same name, same λ, another destination.
# 4. Switch **with the correction** on, in each case. Then find the one pair and optimizer for which it does not help.

# %% [markdown] slideshow={"slide_type": "notes"}
# The explorer draws each library's convention in NumPy. A test compares every one of them with the real library, step by step.
# Below, the real libraries run.

# %% slideshow={"slide_type": "skip"}
from shared.frameworks import available

libraries = available(LIBRARIES)
libraries["PyTorch"].require().set_num_threads(1)             # small tensors: threads cost more than they bring
for name, library in libraries.items():
    print(f"{name:11} {library.version}")

# %% slideshow={"slide_type": "skip"}
from shared.frameworks.processes import Elsewhere

# Keras has three backends, and a process has one of them. Two more processes start here and work while you read on.
cases = {name: [case.name for case in parity.CASES if name in case.shared(libraries)] for name in libraries}
on_torch = Elsewhere("torch", {"Keras": cases["Keras"]}, training=True)
on_jax = Elsewhere("jax", {"Keras": ["Adam", "ScheduleFreeAdamW"], "Optax": cases["Optax"]})

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The laboratory
#
# To compare *rules*, everything else must be the same. So every library gets
#
# - the same start, the weights of a small network 64 → 16 → 10, in float32;
# - the same digits in the same order, 100 batches of 32;
# - the same **gradient function**, in NumPy, asked at its own weights.
#
# It takes its step, and we write down the weights. The difference of two libraries at step $k$:
#
# $$ \Delta_k = \max_i \,\bigl|x^{(A)}_{k,i} - x^{(B)}_{k,i}\bigr| $$

# %% slideshow={"slide_type": "skip"}
f = tiny_network(flat=True)
recipe = Recipe(f, "Adam", dict(lr=1e-3, eps=1e-7))
paths = {name: library.run(recipe) for name, library in libraries.items()}
d = paths["PyTorch"].shape[1]
print(f"{d:,} parameters; a float32 near 1 has neighbours at {np.finfo(np.float32).eps:.0e}")
for name, path in paths.items():
    print(f"{name:11} loss {f.loss(f.unflatten(path[0])):.4f} -> {f.loss(f.unflatten(path[-1])):.4f}   from PyTorch: {abs(path - paths['PyTorch']).max():.1e}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Adam, Adam, Adam and Adam
#
# <details><summary><b>Predict:</b> the same η = 0.001, β = (0.9, 0.999) and ε = 10⁻⁷ for everyone. How many different paths?</summary>
#
# Two. PyTorch and Optax walk together, TensorFlow and Keras walk together, and the two groups part at the first step.
# </details>

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8.6, 3.6)
for (a, b), colour in zip((("PyTorch", "Optax"), ("TensorFlow", "Keras"), ("PyTorch", "Keras"), ("TensorFlow", "Optax")), theme.SEQUENCE):
    plots.curve(ax, np.maximum(abs(paths[a] - paths[b]).max(-1), 1e-10), f"{a} and {b}", color=colour)
plots.limit(ax, parity.FLOAT32, "what rounding explains", axis="y", at=0.4)
ax.set(yscale="log", xlabel="step", ylabel=r"$\Delta_k$", title="Adam with the same numbers, in four libraries", ylim=(1e-10, 1e-1))
plots.label_ends(ax)
show(fig, alt="Differences of four pairs against the step: two pairs stay at rounding, two are a thousand times above it from the first step on.")

# %% slideshow={"slide_type": "skip"}
apart = lambda a, b: abs(paths[a] - paths[b]).max()
apart_in = lambda two: abs(np.subtract(*two.values())).max()
claim(f"PyTorch and Optax agree to {apart('PyTorch', 'Optax'):.0e}, TensorFlow and Keras to "
      f"{apart('TensorFlow', 'Keras'):.0e}",
      max(apart("PyTorch", "Optax"), apart("TensorFlow", "Keras")) < 1e-5)
at_once = abs(paths["PyTorch"] - paths["Keras"])[1].max()
claim(f"across the groups {apart('PyTorch', 'Keras'):.1e}, and {at_once:.0e} after the first step: beyond "
      "any rounding",
      apart("PyTorch", "Keras") > 2e-4 and at_once > 5e-5)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Two places for ε
#
# Kingma and Ba write Adam twice: as Algorithm 1, and, in a remark, in a form that is cheaper to compute:
#
# $$ x \leftarrow x - \eta\,\frac{\hat m}{\sqrt{\hat v} + \varepsilon} \qquad\text{and}\qquad
#    x \leftarrow x - \eta\,\frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}\;\frac{m}{\sqrt{v} + \hat\varepsilon}. $$
#
# Put $\hat v = v/(1-\beta_2^t)$ into the first and multiply by $\sqrt{1-\beta_2^t}$ above and below:
#
# $$ \frac{\hat m}{\sqrt{\hat v} + \varepsilon} = \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}\,\frac{m}{\sqrt{v} + \varepsilon\sqrt{1-\beta_2^t}}
#    \quad\Longrightarrow\quad \boxed{\;\hat\varepsilon = \varepsilon\,\sqrt{1-\beta_2^t}\;} $$
#
# PyTorch and Optax took the first, TensorFlow and Keras the second. At $t=1$ the same number in the second form acts like an ε $32$ times as large in the first.

# %% slideshow={"slide_type": "skip"}
shrinking = parity.shrinking(1e-7)                       # k -> ε √(1 − β₂ᵏ⁺¹)
paths["Keras"] = libraries["Keras"].run(Recipe(f, "Adam", dict(lr=1e-3, eps=shrinking)))
paths["TensorFlow"] = libraries["TensorFlow"].run(Recipe(f, "Adam", dict(lr=1e-3, eps=shrinking)))
worst = max(apart("PyTorch", "Keras"), apart("PyTorch", "TensorFlow"))
larger = 1 / math.sqrt(1 - 0.999)                        # ε of the first form over ε of the second, at t = 1
first = {lib: libraries[lib].run(Recipe(f, "Adam", dict(lr=1e-3, eps=eps), steps=1))
         for lib, eps in (("PyTorch", 1e-7 * larger), ("Keras", 1e-7))}
claim(f"1/√(1 − β₂) = {larger:.1f}: with an ε so many times larger PyTorch takes Keras' first step, to "
      f"{apart_in(first):.0e}",
      apart_in(first) < 1e-6)
claim(f"with ε√(1 − β₂ᵗ) for Keras and TensorFlow all four agree to {worst:.0e}", worst < 1e-5)

# %% [markdown] slideshow={"slide_type": "skip"}
# That is the method of the whole chapter: **measure** a difference, **explain** it, **remove** it. If removing it works, the explanation was right.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## TensorFlow's optimizers
#
# TensorFlow has two sets, and only one of them is its own.
#
# | | what it is | written in |
# |:--|:--|:--|
# | `tf.keras.optimizers` | Keras 3, the very same classes | Python, next section |
# | `tf.compat.v1.train` | TensorFlow's own, since 2015 | one C++ kernel per rule |
#
# The shells are thin. Underneath is a kernel, and you may call it yourself: `tf.raw_ops.ResourceApplyAdam`.

# %% slideshow={"slide_type": "skip"}
tf, keras = libraries["TensorFlow"].require(), libraries["Keras"].require()
claim("tf.keras.optimizers.Adam is keras.optimizers.Adam: the same object",
      tf.keras.optimizers.Adam is keras.optimizers.Adam)
g = tf.constant(f.grads(f.start, 1)[0], "float32")
by_shell, by_kernel, m, v = (tf.Variable(z, dtype="float32") for z in (f.start[0], f.start[0], 0 * f.start[0], 0 * f.start[0]))
tf.compat.v1.train.AdamOptimizer().apply_gradients([(g, by_shell)])
tf.raw_ops.ResourceApplyAdam(var=by_kernel.handle, m=m.handle, v=v.handle, beta1_power=0.9, beta2_power=0.999,
                             lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8, grad=g)
claim("shell and kernel take the same step, bit for bit", np.array_equal(by_shell, by_kernel))

# %% slideshow={"slide_type": "skip"}
print(*catalogue.optimizers("TensorFlow"), sep="\n")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A training loop: variables and a tape
#
# ```python
# xs = [tf.Variable(x, dtype="float32") for x in start]
# optimizer = tf.compat.v1.train.AdamOptimizer(learning_rate=lambda: rate(k))
# for X, y in batches:
#     with tf.GradientTape() as tape:                       # records what is computed
#         loss = cross_entropy(tf.tanh(X @ xs[0] + xs[1]) @ xs[2] + xs[3], y)
#     grads, norm = tf.clip_by_global_norm(tape.gradient(loss, xs), 1.0)
#     optimizer.apply_gradients(zip(grads, xs))
# ```
#
# The optimizer never sees your model: it receives (gradient, variable) pairs.
# A rate may be a function without arguments, asked at every step.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three habits of their own
#
# | rule | TensorFlow's habit | everybody else |
# |:--|:--|:--|
# | **Adam** | ε added to $\sqrt v$ | Keras too |
# | **RMSProp** | the mean square starts at **1** | 0 |
# | **Adagrad**, **FTRL** | the sum of squares starts at 0.1, no ε | Keras and (Adagrad) Optax too; PyTorch's Adagrad: 0 |
#
# RMSProp from $v_0 = 0$ takes a first step of $\eta\, g/\sqrt{(1-\alpha)g^2} = \eta/\sqrt{0.1} = 3.2\,\eta$, for any $g$.
# From $v_0 = 1$ and a small $g$ it takes $\eta\,g/\sqrt{0.9} \approx \eta\, g$: tiny. A warm-up by accident.

# %% slideshow={"slide_type": "skip"}
rms = {name: library.run(Recipe(f, "RMSprop", dict(lr=1e-3, alpha=0.9, eps=1e-10), steps=40)) for name, library in libraries.items()}
ftrl = {name: libraries[name].run(Recipe(f, "FTRL", dict(lr=0.1), steps=5)) for name in ("TensorFlow", "Keras")}
length = {name: np.linalg.norm(np.diff(path, axis=0), axis=-1) for name, path in rms.items()}
left_after = np.linalg.norm(ftrl["TensorFlow"], axis=-1) / np.linalg.norm(f.start[0])
longest = {name: abs(path[1] - path[0]).max() / 1e-3 for name, path in rms.items()}
claim(f"first step of RMSProp, in η: TensorFlow {longest['TensorFlow']:.2f}, PyTorch "
      f"{longest['PyTorch']:.2f} (1/√0.1 = {0.1**-0.5:.2f})",
      longest["TensorFlow"] < 0.5 and abs(longest["PyTorch"] - 0.1**-0.5) < 0.01)
claim(f"one step of FTRL leaves {left_after[1]:.0%} of the weights' length: it forgets your initialisation",
      left_after[1] < 0.3)
claim(f"in TensorFlow and in Keras alike, to {apart_in(ftrl):.0e}", apart_in(ftrl) < 1e-5)

# %% [markdown] slideshow={"slide_type": "skip"}
# Why does FTRL forget? It keeps a sum $z$ of gradients and *computes* the weights from it, $x = -z / (\sqrt v/\eta)$, in each step anew. Where you
# started enters $z$ only through a small term. It is a rule for sparse linear models that begin at zero (McMahan et al. 2013), not for a network.

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9, 3.5, 1, 2)
for name, colour in zip(libraries, theme.SEQUENCE):
    plots.curve(left, length[name], name, np.arange(1, 41), colour, lw=3 if name == "Keras" else 1.6)
left.set(yscale="log", xlabel="step", ylabel="length of the step", title="RMSProp: one of them warms up", ylim=(3e-4, 0.3))
left.legend(loc="upper right", ncols=2)
plots.curve(right, left_after, color=theme.SEQUENCE[1], marker="o")
right.set(xlabel="step", ylabel="‖x‖ / ‖start‖", title="FTRL: your initialisation, one step later", ylim=(0, 1.1))
show(fig, alt="Left: step lengths of RMSProp, large at first in three libraries, small at first in TensorFlow. Right: the norm of the weights under FTRL collapses after one step.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Checkpoint and resume
#
# `tf.train.Checkpoint` saves whatever you name: variables, optimizer, counters. Fifty steps, save, build everything anew, restore,
# fifty more: **bit for bit** the same as a hundred.

# %% slideshow={"slide_type": "-"}
def some_tensorflow_steps(x, optimizer, steps):
    for t in steps:
        optimizer.apply_gradients([(tf.constant(f.grads([x.numpy()], t)[0]), x)])

def fresh():
    return tf.Variable(f.start[0], dtype="float32"), tf.compat.v1.train.AdamOptimizer()

(straight, opt), (x1, opt1), (x2, opt2) = fresh(), fresh(), fresh()
some_tensorflow_steps(straight, opt, range(1, 101))
some_tensorflow_steps(x1, opt1, range(1, 51))
with tempfile.TemporaryDirectory() as folder:
    saved = tf.train.Checkpoint(x=x1, optimizer=opt1).write(f"{folder}/here")
    tf.train.Checkpoint(x=x2, optimizer=opt2).read(saved)
    some_tensorflow_steps(x2, opt2, range(51, 101))   # Adam's averages are read at its first step
claim("TensorFlow: 50 + 50 steps are 100 steps, bit for bit", np.array_equal(x2, straight))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## PyTorch's optimizers
#
# An optimizer holds references to the parameters. `backward()` leaves a gradient on each, `step()` changes them in place.
#
# ```python
# optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
# scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000)
# for X, y in batches:
#     optimizer.zero_grad()                                  # backward() adds to what is there
#     cross_entropy(model(X), y).backward()
#     torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
#     optimizer.step()
#     scheduler.step()                                       # after the step
# ```
#
# Forget `zero_grad` and you sum gradients. Do it on purpose and it is **accumulation**.

# %% slideshow={"slide_type": "skip"}
import torch

print(*(name for name in catalogue.optimizers("PyTorch")), sep=", ")
p = torch.nn.Parameter(torch.ones(3))
(p**2).sum().backward()
once = p.grad.clone()
(p**2).sum().backward()
claim(f"a second backward() without zero_grad(): the gradient is {(p.grad / once)[0].item():.0f} times as "
      "large",
      torch.equal(p.grad, 2 * once))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where is the rate: inside the buffer or outside?
#
# $$ \text{PyTorch:}\quad u \leftarrow \beta u + g,\; x \leftarrow x - \eta\, u \qquad\qquad
#    \text{Keras:}\quad v \leftarrow \beta v - \eta\, g,\; x \leftarrow x + v $$
#
# With a constant $\eta$ the two are one: put $v = -\eta u$. Now let the rate fall from $\eta$ to $\eta'$.
# PyTorch walks $\eta' u$. Keras' buffer still holds $\eta u$, and walks on at the old speed:
#
# $$ \text{extra way} = (\eta - \eta')\,(\beta + \beta^2 + \dots)\, \lVert u\rVert = (\eta-\eta')\,\frac{\beta}{1-\beta}\,\lVert u\rVert. $$
#
# With $\beta = 0.9$: nine full-size steps after the brake. **The correction:** multiply Keras' buffer by $\eta'/\eta$ once.
# (The formula leaves out that later gradients react: they pull part of it back.)

# %% slideshow={"slide_type": "skip"}
case = parity.BY_NAME["Momentum, rate drops"]
momentum = parity.paths({name: libraries[name] for name in ("PyTorch", "Keras")}, [case])
gap = {stage: parity.difference(momentum, case.name, ("PyTorch", "Keras"), stage) for stage in ("numbers", "corrected")}
u = momentum[case.name, "PyTorch", "numbers", None]
u = (u[parity.DROP - 1] - u[parity.DROP]) / 0.1               # the buffer at the drop
predicted = (0.1 - 0.01) * 0.9 / 0.1 * abs(u).max()
claim(f"before the drop the two agree to {gap['numbers'][:parity.DROP + 1].max():.0e}, after it they differ "
      f"by {gap['numbers'].max():.2f} (predicted {predicted:.2f})",
      gap["numbers"][: parity.DROP + 1].max() < 1e-5 and 0.5 < gap["numbers"].max() / predicted < 1.5)
claim(f"with the buffer rescaled once: {gap['corrected'].max():.0e}", gap["corrected"].max() < 1e-5)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.4, 3.5)
for (stage, y), colour in zip(gap.items(), (theme.BAD, theme.GOOD)):
    plots.curve(ax, np.maximum(y, 1e-9), {"numbers": "same numbers", "corrected": "buffer rescaled"}[stage], color=colour)
plots.limit(ax, parity.DROP, "η falls to a tenth", color=theme.MUTED)
ax.set(yscale="log", ylim=(1e-9, 1), xlabel="step", ylabel=r"$\Delta_k$", title="momentum in PyTorch and Keras")
plots.label_ends(ax)
show(fig, alt="The difference of PyTorch and Keras with momentum jumps at the step where the rate falls, and stays at rounding when the buffer is rescaled.")

# %% [markdown] slideshow={"slide_type": "notes"}
# Goyal et al. 2017 call the rescaling "momentum correction". They met the difference with a warm-up, in the other direction.
# TensorFlow's own MomentumOptimizer and Optax keep the rate outside, as PyTorch does. Keras is alone.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### `weight_decay`, one word
#
# - `torch.optim.Adam(weight_decay=λ)`: $g \leftarrow g + \lambda x$. An **L2 penalty**; Adam then divides it away.
# - `torch.optim.AdamW(weight_decay=λ)`: $x \leftarrow x - \eta\lambda x$. **Decoupled** (Loshchilov & Hutter 2019; chapter 3).
# - `keras.optimizers.Adam(weight_decay=λ)`: $x \leftarrow x - \eta\lambda x$. Keras' Adam with λ **is** AdamW.
# - `optax.adam`: no such option.
#
# <details><summary><b>Predict:</b> pixels that are always black have gradient 0. What does each kind of decay do to their weights?</summary>
#
# L2: the gradient is λx alone, and Adam divides it by its own size. These weights lose nearly η per step, whatever λ is.
# Decoupled: they shrink by the factor 1 − ηλ per step.
# </details>

# %% slideshow={"slide_type": "skip"}
black = np.flatnonzero((f.X == 0).all(0))[0] * 16 + np.arange(16)  # the weights of a pixel that is always black
moved = {}
η, λ, steps = 1e-3, 0.1, 100
for name, decay in (("PyTorch Adam", λ), ("PyTorch Adam, λ ÷ 10", λ / 10)):
    moved[name] = libraries["PyTorch"].run(Recipe(f, "Adam", dict(lr=η, weight_decay=decay), steps=steps))[:, black]
moved["Keras Adam"] = libraries["Keras"].run(Recipe(f, "Adam", dict(lr=η, weight_decay=λ), steps=steps))[:, black]
lost = {name: abs(x[0]) - abs(x[-1]) for name, x in moved.items()}
far = abs(moved["PyTorch Adam"][0]) > 0.15                     # too far from 0 to reach it
taken = [lost[name][far].mean() for name in ("PyTorch Adam", "PyTorch Adam, λ ÷ 10")]
claim(f"L2 in Adam: {steps} steps of η = {η} take {taken[0]:.3f} from each; with a tenth of λ {taken[1]:.3f}",
      taken[0] > 0.8 * steps * η and np.allclose(lost["PyTorch Adam"], lost["PyTorch Adam, λ ÷ 10"], atol=1e-3))
ratio, theory = moved["Keras Adam"][-1] / moved["Keras Adam"][0], (1 - η * λ) ** steps
claim(f"decoupled: × {ratio.mean():.4f}, and (1 − ηλ) to the power {steps} = {theory:.4f}",
      np.allclose(ratio, theory, atol=1e-4))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Parameter groups, and a state you can look at
#
# A group is a list of parameters with options of its own. Here: no decay for biases.

# %% slideshow={"slide_type": "-"}
model = torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.Tanh(), torch.nn.Linear(16, 10))
matrices = [p for p in model.parameters() if p.ndim > 1]
biases = [p for p in model.parameters() if p.ndim == 1]
groups = [{"params": matrices}, {"params": biases, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.1)
model(torch.tensor(f.X[:32]).float()).sum().backward()
optimizer.step()
print("per group:    ", [group["weight_decay"] for group in optimizer.param_groups])
state = optimizer.state[matrices[0]]
print("per parameter:", {name: tuple(value.shape) for name, value in state.items()})

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Checkpoint and resume
#
# `state_dict()` is a plain dictionary. It numbers the parameters by their order, so rebuild the optimizer with the same order.

# %% slideshow={"slide_type": "skip"}
from pathlib import Path


def some_torch_steps(p, optimizer, steps):
    for t in steps:
        p.grad = torch.tensor(f.grads([p.detach().numpy()], t)[0])
        optimizer.step()

def fresh_torch():
    p = torch.nn.Parameter(torch.tensor(f.start[0], dtype=torch.float32))
    return p, torch.optim.Adam([p])

(straight, opt), (p1, opt1), (p2, opt2) = fresh_torch(), fresh_torch(), fresh_torch()
some_torch_steps(straight, opt, range(1, 101))
some_torch_steps(p1, opt1, range(1, 51))
with tempfile.TemporaryDirectory() as folder:
    torch.save({"x": p1.data, "optimizer": opt1.state_dict()}, Path(folder) / "here.pt")
    saved = torch.load(Path(folder) / "here.pt")
p2.data.copy_(saved["x"])
opt2.load_state_dict(saved["optimizer"])
some_torch_steps(p2, opt2, range(51, 101))
claim("PyTorch: 50 + 50 steps are 100 steps, bit for bit", torch.equal(p2, straight))
p3, opt3 = fresh_torch()
p3.data.copy_(saved["x"])                                     # the weights only: a common mistake
some_torch_steps(p3, opt3, range(51, 101))
claim(f"without the optimizer's state the weights end {abs(p3 - straight).max().item():.3f} away",
      abs(p3 - straight).max() > 0.005)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### One rule, three ways to compute it
#
# | | what happens |
# |:--|:--|
# | `foreach=False` | a Python loop, a dozen small operations per tensor |
# | `foreach=True` | the same operations, each for all tensors in one call |
# | `fused=True` | one kernel reads and writes everything once |
#
# They round differently. The rule is the same.

# %% slideshow={"slide_type": "-"}
def adam_path(**way):
    p, optimizer = fresh_torch()
    optimizer = torch.optim.Adam([p], **way)
    some_torch_steps(p, optimizer, range(1, 101))
    return p.detach()

loop, foreach, fused = adam_path(foreach=False), adam_path(foreach=True), adam_path(fused=True)
off = [abs(path - loop).max().item() for path in (foreach, fused)]
claim(f"100 steps: foreach differs from the loop by {off[0]:.0e}, fused by {off[1]:.0e}", max(off) < 1e-5)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Keras' optimizers
#
# Keras 3 is one Python code over three backends: TensorFlow, PyTorch, JAX. You rarely write the loop:
#
# ```python
# model.compile(keras.optimizers.AdamW(
#     learning_rate=keras.optimizers.schedules.CosineDecay(1e-3, 1000),
#     weight_decay=0.01, global_clipnorm=1.0, gradient_accumulation_steps=4, use_ema=True),
#     loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
# model.fit(X, y, batch_size=32)
# ```
#
# Schedule, clipping, decay, accumulation, averaging: all are **arguments of the optimizer**, of every optimizer.
# Inside, an optimizer is one method: `update_step(gradient, variable, learning_rate)`.

# %% slideshow={"slide_type": "skip"}
print(*catalogue.optimizers("Keras"), sep=", ")
options = {name: set(libraries["Keras"].defaults(name)) for name in ("SGD", "Adam", "Lion", "FTRL")}
print("\nevery one accepts:", ", ".join(sorted(set.intersection(*options.values()) - {"name", "learning_rate"})))

# %% [markdown] slideshow={"slide_type": "skip"}
# ### One code, three backends?
#
# The other two processes are done. Adam and a younger rule, schedule-free AdamW (Defazio et al. 2024), on three backends:

# %% slideshow={"slide_type": "skip"}
torch_paths, jax_paths = on_torch.result(), on_jax.result()
keras_paths = parity.paths({"Keras": libraries["Keras"]}, [parity.BY_NAME["Adam"], parity.BY_NAME["ScheduleFreeAdamW"]])
adam, free = ("Adam", "Keras", "numbers", None), ("ScheduleFreeAdamW", "Keras", "numbers", None)
largest = lambda a, b: float(abs(a - b).max())
on_three = max(largest(keras_paths[adam], other[adam]) for other in (torch_paths, jax_paths))
claim(f"Adam: the three backends agree to {on_three:.0e}", on_three < 1e-5)
print(f"ScheduleFreeAdamW: TensorFlow - torch {largest(keras_paths[free], torch_paths[free]):.0e}, TensorFlow - JAX {largest(keras_paths[free], jax_paths[free]):.0e}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### One code, three backends, one defect
#
# Adam is the same on all three. A younger rule is not.
#
# <details><summary><b>Predict:</b> the same Keras class differs between JAX and the other two. What can JAX's arrays not do?</summary>
#
# Change. Keras keeps "the old point" by reference, then updates it in place. On TensorFlow and PyTorch the old point is the new one
# by the time it is read. On JAX an update makes a new array, and the old one is still there.
# </details>

# %% slideshow={"slide_type": "-"}
optax_free = jax_paths["ScheduleFreeAdamW", "Optax", "numbers", None]
fig, ax = theme.figure(8.4, 3.3)
for (name, path), colour in zip({"on TensorFlow": keras_paths[free], "on PyTorch": torch_paths[free], "on JAX": jax_paths[free]}.items(), theme.SEQUENCE):
    plots.curve(ax, np.maximum(abs(path - optax_free).max(-1), 1e-9), name, color=colour, lw=3.5 if name == "on TensorFlow" else 1.6)
ax.set(yscale="log", ylim=(1e-9, 0.1), xlabel="step", ylabel=r"$\Delta_k$ from Optax", title="keras.optimizers.ScheduleFreeAdamW on three backends")
plots.label_ends(ax)
show(fig, alt="Difference of Keras' schedule-free AdamW from Optax: on TensorFlow and PyTorch large from the second step, on JAX at rounding.")

# %% slideshow={"slide_type": "skip"}
from shared.frameworks.problem import OnLandscape

claim(f"on JAX Keras agrees with Optax to {largest(jax_paths[free], optax_free):.0e}, on TensorFlow it is "
      f"off by {largest(keras_paths[free], optax_free):.0e}",
      largest(jax_paths[free], optax_free) < 1e-5 and largest(keras_paths[free], optax_free) > 1e-3)
bowl = parity_explorer.BOWL
one = libraries["Keras"].run(Recipe(OnLandscape(bowl, parity_explorer.START), "ScheduleFreeAdamW", dict(lr=0.01), steps=2, dtype="float64"))
again = libraries["Optax"].run(Recipe(OnLandscape(bowl, parity_explorer.START), "ScheduleFreeAdamW", dict(lr=0.01), steps=2, dtype="float64"))
claim(f"the first step is the same ({largest(one[1], again[1]):.0e}), the second is not "
      f"({largest(one[2], again[2]):.0e})",
      largest(one[1], again[1]) < 1e-7 < 1e-4 < largest(one[2], again[2]))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### `clipnorm` is not `global_clipnorm`
#
# `global_clipnorm` shortens the whole gradient. `clipnorm` shortens **each variable's** by itself, and so turns the whole: large layers
# lose, small ones keep. PyTorch's `clip_grad_norm_` and Optax' `clip_by_global_norm` are global.

# %% slideshow={"slide_type": "skip"}
layered = tiny_network()
g = [np.asarray(part, "float32") for part in layered.grads(layered.start, 1)]
whole = math.sqrt(sum((part**2).sum() for part in g))
c = whole / 3

def stepped(**clip):
    """The step of plain gradient descent with rate 1 in Keras: minus the clipped gradient, as one vector."""
    xs = [keras.Variable(0 * part) for part in g]
    keras.optimizers.SGD(1.0, **clip).apply([keras.ops.convert_to_tensor(part) for part in g], xs)
    return np.concatenate([np.ravel(keras.ops.convert_to_numpy(x)) for x in xs])

flat = -np.concatenate([part.ravel() for part in g])
cosine = lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)
per_variable, together = stepped(clipnorm=c), stepped(global_clipnorm=c)
claim(f"global: length {np.linalg.norm(together):.3f} = c, cosine {cosine(together, flat):.4f} with the "
      "gradient",
      np.isclose(np.linalg.norm(together), c, rtol=1e-4) and cosine(together, flat) > 0.9999)
claim(f"per variable: length {np.linalg.norm(per_variable):.3f} > c, cosine {cosine(per_variable, flat):.3f}",
      np.linalg.norm(per_variable) > 1.1 * c and cosine(per_variable, flat) < 0.99)

# %% slideshow={"slide_type": "-"}
cuts = np.cumsum([part.size for part in g])[:-1]
norms = {name: [np.linalg.norm(part) for part in np.split(vector, cuts)]
         for name, vector in {"gradient": flat, "global_clipnorm": together, "clipnorm": per_variable}.items()}
fig, ax = theme.figure(8.4, 3.1)
for i, ((name, values), colour) in enumerate(zip(norms.items(), (theme.MUTED, theme.GOOD, theme.BAD))):
    ax.bar(np.arange(4) + 0.27 * i, values, width=0.25, color=colour, label=name)
plots.limit(ax, c, "the limit c", axis="y", color=theme.INK)
ax.set(xticks=np.arange(4) + 0.27, ylabel="norm", title="one gradient of four tensors, clipped in two ways", xlim=(-0.3, 4.1))
ax.set_xticklabels(["W₁", "b₁", "W₂", "b₂"])
ax.legend(loc="upper right")
show(fig, alt="Norms of four tensors: global clipping shortens all of them by one factor, per-variable clipping only those above the limit.")

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Accumulation, exclusion, averages: arguments
#
# Four micro-batches of 8 with `gradient_accumulation_steps=4` are one batch of 32. `exclude_from_weight_decay` takes names or variables,
# before the optimizer is built.

# %% slideshow={"slide_type": "skip"}
from shared import chance


def keras_sgd(grads, **options):
    x = keras.Variable(np.ones(3, "float32"), name="bias")
    optimizer = keras.optimizers.SGD(0.1, **options)
    if "weight_decay" in options:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    for part in grads:
        optimizer.apply([keras.ops.convert_to_tensor(part)], [x])
    return keras.ops.convert_to_numpy(x)

micro = chance.rng(0).standard_normal((4, 3)).astype("float32")
claim("four micro-batches, accumulated, are their mean in one step",
      np.allclose(keras_sgd(micro, gradient_accumulation_steps=4), keras_sgd([micro.mean(0)]), atol=1e-7))
claim("an excluded variable does not decay",
      np.array_equal(keras_sgd([0 * micro[0]], weight_decay=0.5), np.ones(3)))

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Checkpoint and resume
#
# `model.save("all.keras")` holds model and optimizer. Below that, an optimizer's `variables` are all it remembers.

# %% slideshow={"slide_type": "skip"}
def some_keras_steps(x, optimizer, steps):
    for t in steps:
        optimizer.apply([keras.ops.convert_to_tensor(f.grads([keras.ops.convert_to_numpy(x)], t)[0])], [x])

def fresh_keras():
    x, optimizer = keras.Variable(f.start[0].astype("float32")), keras.optimizers.Adam()
    optimizer.build([x])
    return x, optimizer

(straight, opt), (x1, opt1), (x2, opt2) = fresh_keras(), fresh_keras(), fresh_keras()
some_keras_steps(straight, opt, range(1, 31))
some_keras_steps(x1, opt1, range(1, 16))
for new, old in zip([x2, *opt2.variables], [x1, *opt1.variables]):
    new.assign(old)
some_keras_steps(x2, opt2, range(16, 31))
claim("Keras: 15 + 15 steps are 30 steps, bit for bit", np.array_equal(x2, straight))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Comparison of optimization libraries and their features
#
# The fourth library is a different idea. **Optax** has no objects and changes nothing: an optimizer is a pair of functions.
#
# ```python
# rule = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.cosine_decay_schedule(1e-3, 1000)))
# state = rule.init(params)
#
# @jax.jit
# def step(params, state, batch):
#     grads = jax.grad(loss)(params, batch)
#     updates, state = rule.update(grads, state, params)
#     return optax.apply_updates(params, updates), state
# ```
#
# Transformations of gradients, chained. The state is a value: keep it, copy it, save it.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Who has what?
#
# Nothing here is typed in. The installed libraries were asked for their optimizers and schedules.

# %% slideshow={"slide_type": "-"}
families = catalogue.optimizer_table(libraries)
counts = {name: (sum(name in row for row in families.values()), len(catalogue.schedules(name))) for name in libraries}
fig, (left, right) = theme.figure(9, 3.3, 1, 2)
shared_by = [len(row) for row in families.values()]
left.bar(range(1, 5), [shared_by.count(n) for n in range(1, 5)], color=theme.SEQUENCE[0])
left.set(xticks=range(1, 5), xlabel="libraries that have it", ylabel="optimizers", title=f"{len(families)} optimizers, few of them shared")
at = np.arange(len(counts))
for i, (what, colour) in enumerate(zip(("optimizers", "schedules"), theme.SEQUENCE)):
    bars = right.bar(at + 0.4 * i, [c[i] for c in counts.values()], width=0.38, color=colour, label=what)
    right.bar_label(bars, color=colour)
right.set(xticks=at + 0.2, title="what each offers")
right.set_xticklabels(list(counts))
right.legend(loc="upper left")
show(fig, alt="Left: most optimizers exist in one library only. Right: numbers of optimizers and schedules of each library; Optax has most optimizers, PyTorch most schedules.")

# %% slideshow={"slide_type": "skip"}
from IPython.display import Markdown

several = {name: row for name, row in families.items() if len(row) > 1}
Markdown(catalogue.markdown(several, libraries, "optimizer", lambda names: ", ".join(f"`{n}`" for n in names or ()) or "–"))

# %% slideshow={"slide_type": "skip"}
only = {name: [family for family, row in families.items() if list(row) == [name]] for name in libraries}
for name, rest in only.items():
    print(f"only {name}: {', '.join(rest) or 'nothing'}")
claim(f"{sum(n == 1 for n in shared_by)} of {len(families)} optimizers have a name of their own in one "
      f"library only (elsewhere some are options, as AMSGrad); {sum(n == 4 for n in shared_by)} in all four",
      sum(n == 1 for n in shared_by) > len(families) / 2 and sum(n == 4 for n in shared_by) >= 5)

# %% slideshow={"slide_type": "skip"}
Markdown(catalogue.markdown(catalogue.feature_table(libraries), libraries, "feature", lambda name: f"`{name}`" if name else "–"))

# %% [markdown] slideshow={"slide_type": "skip"}
# A dash means: not in the library itself. One of them surprises: PyTorch has no option to accumulate, because `backward()` adds up anyway. And mind
# what is not a dash: its clipping is a function that you call, so that forgetting it is silent. The schedules by name:

# %% slideshow={"slide_type": "skip"}
for name in libraries:
    print(f"{name}: {', '.join(catalogue.schedules(name))}\n")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same word, other defaults
#
# Also asked, not typed. Shown are the options in which at least two libraries differ.

# %% slideshow={"slide_type": "-"}
said = lambda value: "–" if value is None else f"{value:g}"
rows = {f"{rule} {option}": values for rule in ("RMSprop", "Adagrad", "Adam", "AdamW", "Adadelta")
        for option, values in catalogue.defaults_table(rule, libraries).items()
        if len({v for v in values.values() if v is not None}) > 1 and option != "momentum"}
Markdown(catalogue.markdown(rows, libraries, "default of", said))

# %% slideshow={"slide_type": "skip"}
decays = catalogue.defaults_table("AdamW", libraries)["weight_decay"]
claim(f"the default decay of AdamW: {decays}; the largest is "
      f"{max(decays.values()) / min(decays.values()):.0f} times the smallest",
      max(decays.values()) / min(decays.values()) >= 50)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The parity table
#
# Every optimizer that two libraries share, 100 steps in float32, three stages:
#
# 1. **defaults**: each library as it comes;
# 2. **same numbers**: what a careful person does when moving;
# 3. **corrected**: the numbers, and one stated change.
#
# <details><summary><b>Predict:</b> what share of the pairs agrees when you copy the numbers?</summary>
#
# About half. And nearly all of the rest can be corrected.
# </details>

# %% slideshow={"slide_type": "skip"}
measured = parity.paths({name: libraries[name] for name in ("PyTorch", "TensorFlow")})
measured |= {key: path for key, path in jax_paths.items() if key[1] == "Optax"}
measured |= {key: path for key, path in torch_paths.items() if key[1] == "Keras"}        # Keras, on its PyTorch backend
table = parity.table(measured)
stages = {stage: np.array([row[stage] for row in table.values() if row[stage] is not None]) for stage in parity.STAGES}
for stage, values in stages.items():
    print(f"{stage:10} {np.sum(values < parity.FLOAT32):3} of {len(values)} pairs within 1e-5")

# %% slideshow={"slide_type": "subslide"}
from itertools import combinations

from matplotlib.colors import TwoSlopeNorm

PAIRS = {f"{a[0]} {b[0]}": (a, b) for a, b in combinations(LIBRARIES, 2)}
fig, axes = theme.figure(9.6, 5.0, 1, 3, sharey=True)
for ax, stage, title in zip(axes, parity.STAGES, ("defaults", "same numbers", "corrected")):
    z = np.full((len(PAIRS), len(parity.CASES)), np.nan)
    for i, pair in enumerate(PAIRS.values()):
        for j, case in enumerate(parity.CASES):
            value = table.get((case.name, pair), {}).get(stage)
            if value is not None:
                z[i, j] = np.log10(max(value, 1e-8))
            elif stage == "corrected" and (case.name, pair) in table:
                ax.text(i, j, "×", ha="center", va="center", color=theme.BAD, weight="bold", fontsize=13)
    image = plots.heat(ax, np.arange(len(PAIRS)), np.arange(len(parity.CASES)), z, TwoSlopeNorm(-5, -8, 0), "RdBu_r")
    ax.set_title(title)
    ax.set_xticks(range(len(PAIRS)), list(PAIRS))
    ax.grid(False)
axes[0].set_yticks(range(len(parity.CASES)), [case.name for case in parity.CASES], fontsize=9)
axes[0].invert_yaxis()
axes[1].set_xlabel("P PyTorch, T TensorFlow, K Keras, O Optax")
fig.colorbar(image, ax=axes, label=r"$\log_{10}$ of the largest difference", pad=0.01, shrink=0.8)
show(fig, alt="Three heat maps, optimizers by library pairs. Defaults are mostly red, same numbers about half blue, corrected blue but for five crosses.")

# %% slideshow={"slide_type": "skip"}
crosses = [(name, pair) for (name, pair), row in table.items() if row["corrected"] is None]
claim(f"with each library's defaults {np.mean(stages['defaults'] < parity.FLOAT32):.0%} of the pairs agree, "
      f"with the same numbers {np.mean(stages['numbers'] < parity.FLOAT32):.0%}",
      np.mean(stages["defaults"] < parity.FLOAT32) < 0.4 and 0.4 < np.mean(stages["numbers"] < parity.FLOAT32) < 0.8)
claim(f"corrected: {len(stages['corrected'])} pairs, all within {stages['corrected'].max():.0e}",
      stages["corrected"].max() < parity.FLOAT32)
claim(f"no setting for {len(crosses)} pairs of {len({name for name, _ in crosses})} optimizers: "
      f"{', '.join(sorted({name for name, _ in crosses}))}",
      {name for name, _ in crosses} == {"NAdam", "Muon", "Rprop", "ScheduleFreeAdamW"})

# %% [markdown] slideshow={"slide_type": "notes"}
# Blue is equal, red is apart, grey cells: the pair does not share the optimizer. Crosses: no setting makes them equal. The next slides show why.
# L-BFGS is compared in float64: in float32 its rounding grows too fast to tell a convention from noise.

# %% [markdown] slideshow={"slide_type": "skip"}
# The reasons, one line each. The figure is the largest difference over all pairs, with the same numbers and corrected.

# %% slideshow={"slide_type": "skip"}
lines = ["| optimizer | same numbers | corrected | why, and what to do |", "|:--|--:|--:|:--|"]
for case in parity.CASES:
    rows_of = [row for (name, _), row in table.items() if name == case.name]
    if rows_of:
        worst = [max((row[s] for row in rows_of if row[s] is not None), default=None) for s in ("numbers", "corrected")]
        lines.append(f"| {case.name} | " + " | ".join("none" if w is None else f"{w:.0e}" for w in worst) + f" | {case.reason}. {case.remains and case.remains + '.'} |")
Markdown("\n".join(lines))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Four that cannot be matched, and the proof
#
# | | why no option helps | what shows it |
# |:--|:--|:--|
# | **NAdam** (Dozat 2016), Keras and Optax | Keras' $\beta_1$ warms up with a constant written into its code; Optax' does not | PyTorch matches each of them |
# | **Muon** (Jordan et al. 2024), PyTorch | it rounds to bfloat16 first | computed in float32 it agrees |
# | **Rprop** (Riedmiller & Braun 1993), Optax 0.2.8 | a defect: it is one step late (reported as optax #1725) | *our* rule, delayed, agrees to rounding |
# | **ScheduleFreeAdamW**, Keras | a defect: the old point is overwritten | on JAX it agrees |

# %% slideshow={"slide_type": "skip"}
from shared.descent import run
from shared.frameworks.conventions import RpropLate

case = parity.BY_NAME["Rprop"]
late = libraries["Optax"].run(Recipe(tiny_network(**case.problem), "Rprop", case.numbers, dtype="float64"))

class Fixed:
    """The loss of the tiny network on one fixed batch, as an oracle of the course."""
    network = tiny_network(**case.problem)
    at = lambda self, t: self
    grad = lambda self, x: self.network.grads([x], 1)[0]

ours = run(RpropLate(**case.numbers), Fixed(), Fixed.network.start[0], 100)
claim(f"Optax' first step of Rprop is {abs(late[1] - late[0]).max():.0f}; ours, made one step late, differs "
      f"from Optax by {largest(ours, late):.0e}",
      np.array_equal(late[0], late[1]) and largest(ours, late) < 1e-9)

# %% slideshow={"slide_type": "skip"}
from shared.frameworks.pytorch import without_bfloat16

muon = parity.BY_NAME["Muon"]
recipe = parity.recipe(muon, libraries["PyTorch"], "numbers")
recipe.native["adjust_lr_fn"] = "match_rms_adamw"             # 0.2 √max(rows, columns), as in Keras
target = torch_paths["Muon", "Keras", "numbers", None]
rounded = largest(libraries["PyTorch"].run(recipe), target)
with without_bfloat16():
    exact = largest(libraries["PyTorch"].run(recipe), target)
claim(f"Muon, PyTorch and Keras, one scale: {rounded:.0e} apart; without bfloat16 {exact:.0e}",
      rounded > 1e-3 and exact < 1e-5)

# %% slideshow={"slide_type": "skip"}
show(RpropLate)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### AMSGrad: before or after the correction?
#
# AMSGrad (Reddi et al. 2018) keeps a maximum so that the denominator never falls. Of what? PyTorch and Keras: of $v$. Optax: of $\hat v = v/(1-\beta_2^t)$.
#
# At $t=1$, $\hat v = g^2$: one squared gradient, the noisiest estimate there is, and the maximum $w \leftarrow \max(w, \hat v)$ **never forgets it**.
#
# <details><summary><b>Predict:</b> gradients fall to a tenth during training. Which of the two takes the longer steps late?</summary>
#
# PyTorch's. Its maximum grows slowly from near zero. Optax divides by the large first gradients for ever.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.frameworks.conventions import convention

falling = np.geomspace(1.0, 0.1, 300)

class Falling:
    """A gradient that falls from 1 to 0.1, whatever x is."""
    at = lambda self, t: type("Now", (), {"grad": lambda self, x: np.full(1, falling[t - 1])})()

steps = {name: -np.diff(run(convention(name, "AMSGrad", lr=1.0), Falling(), np.zeros(1), 300)[:, 0]) for name in ("PyTorch", "Optax")}
claim(f"step 300, in units of η: PyTorch {steps['PyTorch'][-1]:.2f}, Optax {steps['Optax'][-1]:.2f}",
      steps["PyTorch"][-1] > 1.5 * steps["Optax"][-1])

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8.2, 3.1)
for (name, y), colour in zip(steps.items(), theme.SEQUENCE):
    plots.curve(ax, y, {"PyTorch": "PyTorch: max of v", "Optax": "Optax: max of v̂"}[name], np.arange(1, 301), colour)
ax.set(xlabel="step", ylabel="step length / η", title="AMSGrad while the gradient falls from 1 to 0.1", ylim=(0, 1.1))
plots.label_ends(ax)
show(fig, alt="Step lengths of AMSGrad in two conventions: Optax' falls with the gradient, PyTorch's stays longer.")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Your own optimizer in ten lines, four times
#
# One rule, new to all four: $\;m \leftarrow \beta m + (1-\beta) g,\quad x \leftarrow x - \eta\,\tanh(m/\tau)$: a soft sign.
#
# PyTorch: a class with a `step` that goes through groups and states.

# %% slideshow={"slide_type": "-"}
class TorchSoftSign(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, beta=0.9, tau=1e-3):
        super().__init__(params, dict(lr=lr, beta=beta, tau=tau))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - group["beta"])
                p.sub_(group["lr"] * torch.tanh(m / group["tau"]))

# %% [markdown] slideshow={"slide_type": "subslide"}
# Keras: `build` makes the variables, `update_step` uses them. It runs on all three backends, and clipping, decay and schedules come for free.

# %% slideshow={"slide_type": "-"}
class KerasSoftSign(keras.optimizers.Optimizer):
    def __init__(self, learning_rate=1e-3, beta=0.9, tau=1e-3, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta, self.tau = beta, tau

    def build(self, variables):
        super().build(variables)
        self.m = self.add_optimizer_variables(variables, "m")

    def update_step(self, gradient, variable, learning_rate):
        m = self.m[self._get_variable_index(variable)]
        self.assign_add(m, (gradient - m) * (1 - self.beta))
        self.assign_sub(variable, learning_rate * keras.ops.tanh(m / self.tau))

# %% [markdown] slideshow={"slide_type": "subslide"}
# Optax: two functions. TensorFlow's own: variables, and `apply_gradients`.

# %% slideshow={"slide_type": "-"}
import jax
import optax


def optax_soft_sign(learning_rate=1e-3, beta=0.9, tau=1e-3):
    def init(params):
        return jax.tree.map(jax.numpy.zeros_like, params)

    def update(grads, m, params=None):
        m = jax.tree.map(lambda m, g: beta * m + (1 - beta) * g, m, grads)
        return jax.tree.map(lambda m: -learning_rate * jax.numpy.tanh(m / tau), m), m

    return optax.GradientTransformation(init, update)

class TensorFlowSoftSign:
    def __init__(self, learning_rate=1e-3, beta=0.9, tau=1e-3):
        self.lr, self.beta, self.tau, self.m = learning_rate, beta, tau, {}

    def apply_gradients(self, pairs):
        for g, x in pairs:
            m = self.m.setdefault(x.ref(), tf.Variable(tf.zeros_like(x)))
            m.assign(self.beta * m + (1 - self.beta) * g)
            x.assign_sub(self.lr * tf.tanh(m / self.tau))

# %% slideshow={"slide_type": "skip"}
mine = {"PyTorch": TorchSoftSign, "TensorFlow": TensorFlowSoftSign, "Keras": KerasSoftSign, "Optax": optax_soft_sign}
soft = {name: libraries[name].drive(make, {}, Recipe(f, "soft sign")) for name, make in mine.items()}
worst = max(largest(soft["PyTorch"], path) for path in soft.values())
claim(f"four implementations, one path: {worst:.0e} apart after 100 steps",
      worst < 1e-5 and largest(soft["PyTorch"][0], soft["PyTorch"][-1]) > 0.01)
print(f"the loss fell from {f.loss(f.unflatten(soft['PyTorch'][0])):.2f} to {f.loss(f.unflatten(soft['PyTorch'][-1])):.2f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The same thing in four idioms
#
# | | PyTorch | TensorFlow's own | Keras | Optax |
# |:--|:--|:--|:--|:--|
# | **groups** | list of dicts | one optimizer each | `OptimizerMap`, exclusion | `multi_transform`, `mask` |
# | **schedule** | `scheduler.step()` | rate is a callable | `LearningRateSchedule` | function of the count |
# | **clip** | you call it | you call it | argument | first in the chain |
# | **accumulate** | several `backward()` | you sum | argument | `MultiSteps` |
# | **save** | `state_dict()` | `Checkpoint` | `model.save` | save the pytree |
# | **compile** | `fused`, `torch.compile` | C++ kernel, `tf.function` | `jit_compile` | `jax.jit` |
# | **mixed precision** | `autocast`, `GradScaler` | policy of Keras | `DTypePolicy` | dtypes of the pytree |
# | **many devices** | `DistributedDataParallel` | `tf.distribute` | `keras.distribution` | sharded arrays |
#
# Chapter 8 runs the last row, for PyTorch.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Schedules: is the first step step 0 or step 1?
#
# A cosine from 0.1 to 0 over 10 steps. PyTorch's scheduler is stepped after the optimizer; Keras and Optax ask with the number of steps done. Do they agree?

# %% slideshow={"slide_type": "skip"}
holder = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(holder, T_max=10)
rates = {"PyTorch": []}
for _ in range(11):
    rates["PyTorch"].append(holder.param_groups[0]["lr"])
    holder.step()
    scheduler.step()
rates["Keras"] = [float(keras.optimizers.schedules.CosineDecay(0.1, 10)(k)) for k in range(11)]
rates["Optax"] = [float(optax.cosine_decay_schedule(0.1, 10)(k)) for k in range(11)]
rates["TensorFlow"] = [float(tf.compat.v1.train.cosine_decay(0.1, k, 10)()) for k in range(11)]
for name, values in rates.items():
    print(f"{name:11}", *(f"{value:.4f}" for value in values))
claim("all four: the first step uses the full rate, the eleventh none",
      all(np.allclose(v, rates["PyTorch"], atol=1e-7) and abs(v[0] - 0.1) < 1e-7 and abs(v[10]) < 1e-7 for v in rates.values()))

# %% [markdown] slideshow={"slide_type": "skip"}
# They do. A warm-up is where the off-by-one hides: `k / 10` gives the first step a rate of **zero**, `(k + 1) / 10` does not. Optax'
# `warmup_cosine_decay_schedule` and Keras' `CosineDecay(warmup_steps=...)` begin at `init_value` and `initial_learning_rate`: choose them.

# %% slideshow={"slide_type": "skip"}
warm = keras.optimizers.schedules.CosineDecay(0.0, 90, warmup_target=0.1, warmup_steps=10)
optax_warm = optax.warmup_cosine_decay_schedule(0.0, 0.1, 10, 100)
claim(f"both begin with a rate of {float(warm(0)):.0f}: the first batch is wasted",
      float(warm(0)) == 0 and float(optax_warm(0)) == 0)
claim("and both reach 0.1 after 10 steps",
      abs(float(warm(10)) - 0.1) < 1e-6 and abs(float(optax_warm(10)) - 0.1) < 1e-6)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Groups and accumulation in Optax
#
# A label per leaf chooses the rule; `MultiSteps` waits for k gradients and applies their mean.

# %% slideshow={"slide_type": "skip"}
params = {"kernel": jax.numpy.ones((2, 2)), "bias": jax.numpy.ones(2)}
rule = optax.multi_transform({"decay": optax.adamw(0.1, weight_decay=0.5), "plain": optax.adam(0.1)}, {"kernel": "decay", "bias": "plain"})
updates, _ = rule.update(jax.tree.map(jax.numpy.zeros_like, params), rule.init(params), params)
claim(f"zero gradient: the matrix decays by {-float(updates['kernel'][0, 0]):.3f}, the bias by "
      f"{abs(float(updates['bias'][0])):.0f}",
      np.isclose(updates["kernel"][0, 0], -0.05) and updates["bias"][0] == 0)
waiting, x = optax.MultiSteps(optax.sgd(0.1), every_k_schedule=4), jax.numpy.ones(3)
state = waiting.init(x)
for part in micro:
    updates, state = waiting.update(part, state, x)
    x = optax.apply_updates(x, updates)
claim("four micro-batches are one batch, as in Keras", np.allclose(x, keras_sgd([micro.mean(0)]), atol=1e-6))

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Checkpoint and resume in Optax
#
# The state is a tree of arrays. Flatten it, save it, and put it back into the same shape.

# %% slideshow={"slide_type": "skip"}
adam = optax.adam(1e-3)

@jax.jit
def optax_step(x, state, g):
    updates, state = adam.update(g, state, x)
    return optax.apply_updates(x, updates), state

def some_optax_steps(x, state, steps):
    for t in steps:
        x, state = optax_step(x, state, f.grads([np.asarray(x)], t)[0])
    return x, state

x0 = jax.numpy.asarray(f.start[0], "float32")
straight, _ = some_optax_steps(x0, adam.init(x0), range(1, 101))
halfway = some_optax_steps(x0, adam.init(x0), range(1, 51))
with tempfile.TemporaryDirectory() as folder:
    np.savez(f"{folder}/here.npz", *jax.tree.leaves(halfway))
    with np.load(f"{folder}/here.npz") as file:
        leaves = [jax.numpy.asarray(file[name]) for name in file]
resumed, _ = some_optax_steps(*jax.tree.unflatten(jax.tree.structure(halfway), leaves), range(51, 101))
claim("Optax: 50 + 50 steps are 100 steps, bit for bit", np.array_equal(resumed, straight))

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Mixed precision
#
# PyTorch and Keras compute in bfloat16 and keep the weights in float32. The reason: a weight that is itself bfloat16 swallows a small step.

# %% slideshow={"slide_type": "skip"}
with torch.autocast("cpu", dtype=torch.bfloat16):
    layer = torch.nn.Linear(4, 4)
    computed = layer(torch.ones(1, 4)).dtype
dense = keras.layers.Dense(4, dtype=keras.mixed_precision.DTypePolicy("mixed_bfloat16"))
out = dense(np.ones((1, 4), "float32"))
print(f"PyTorch: computes in {computed}, keeps {layer.weight.dtype}.  Keras: computes in {keras.backend.standardize_dtype(out.dtype)}, keeps {dense.kernel.dtype}")
tiny, one = jax.numpy.asarray(1e-3, "bfloat16"), jax.numpy.asarray(1.0, "bfloat16")
claim("bfloat16 weights swallow a step of 0.001, in every library",
      float(one - tiny) == 1 and (torch.tensor(1.0).bfloat16() - 1e-3).item() == 1
      and float(tf.constant(1.0, tf.bfloat16) - tf.constant(1e-3, tf.bfloat16)) == 1)
claim("both keep float32 weights", layer.weight.dtype == torch.float32 and dense.kernel.dtype == "float32")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### What a step costs
#
# <details><summary><b>Predict:</b> Adafactor (Shazeer & Stern 2018) was invented to save memory: row and column means instead of a matrix. In all libraries?</summary>
#
# Not in Keras: it computes the full matrix from the means and keeps it as a variable, too. In Optax only for matrices with both sides ≥ 128.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.frameworks import costs

rules = ("SGD", "Momentum", "RMSprop", "Adafactor", "Lion", "Muon", "Adam", "AMSGrad", "FTRL")
memory = {rule: {name: costs.state(name, rule) for name, library in libraries.items() if library.has(rule)} for rule in rules}
claim("Adafactor keeps, per weight of a 256 × 128 matrix: "
      f"{ {name: round(n, 2) for name, n in memory['Adafactor'].items()} }",
      memory["Adafactor"]["PyTorch"] < 0.02 and memory["Adafactor"]["Optax"] < 0.02 and memory["Adafactor"]["Keras"] > 1)
claim("Adam keeps two numbers per weight everywhere, AMSGrad three, momentum one, SGD none",
      all(set(np.round(list(memory[rule].values()))) == {n} for rule, n in (("Adam", 2), ("AMSGrad", 3), ("Momentum", 1), ("SGD", 0))))
small = costs.state("Optax", "Adafactor", shape=(256, 100))
claim(f"a side of 100, and Optax keeps {small:.0f} number per weight", small > 0.9)

# %% slideshow={"slide_type": "skip"}
seconds = costs.step_times(repeats=10)
base = seconds["PyTorch", "foreach"]
for (name, way), s in seconds.items():
    print(f"{name:11} {way:17} {s / base:6.1f} × PyTorch foreach")

# %% slideshow={"slide_type": "-"}
fig, (left, right) = theme.figure(9.4, 4.0, 1, 2, gridspec_kw={"width_ratios": [1.15, 1]})
for i, (name, colour) in enumerate(zip(libraries, theme.SEQUENCE)):
    have = [j for j, rule in enumerate(rules) if name in memory[rule]]
    left.plot([memory[rules[j]][name] for j in have], np.array(have) + 0.16 * (i - 1.5), "o", color=colour, label=name, ms=6)
left.set(yticks=range(len(rules)), xlim=(-0.15, 3.3), xlabel="numbers kept per weight", title="memory")
left.set_yticklabels(rules)
left.invert_yaxis()
left.legend(loc="upper right", handletextpad=0.1)
ways = list(seconds)
right.barh(range(len(ways)), [seconds[way] / base for way in ways], color=[theme.SEQUENCE[list(libraries).index(way[0])] for way in ways])
right.set(xscale="log", yticks=range(len(ways)), xlabel="time of a step of Adam (foreach = 1)", title="235,146 weights, one thread")
right.set_yticklabels([f"{name}, {way}" for name, way in ways], fontsize=9)
right.invert_yaxis()
order = [f"{name}, {way}" for name, way in sorted(seconds, key=seconds.get)]
show(fig, alt=f"Left: numbers kept per weight by nine optimizers in four libraries. Right: relative time of an Adam step; fastest {order[0]}, slowest {order[-1]}.")

# %% [markdown] slideshow={"slide_type": "skip"}
# Times change with machine and size: the notebook asserts no order of the libraries, only this much.

# %% slideshow={"slide_type": "skip"}
claim("compiling helps by far: Optax with jit and Keras as a graph are at least twice as fast as without",
      seconds["Optax", "eager"] > 2 * seconds["Optax", "jit"] and seconds["Keras", "eager"] > 2 * seconds["Keras", "graph"])

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Migration: one recipe, moved three times
#
# AdamW, λ = 0.1, warm-up and cosine, clipped to a global norm of 0.5, and ε = 10⁻¹², so small that its place does not matter. Now each library has **its own model and its own gradients**.
# The four functions say the same in four dialects. Read two of them side by side.

# %% slideshow={"slide_type": "skip"}
from shared.frameworks import training

show(training.in_pytorch)

# %% slideshow={"slide_type": "skip"}
show(training.in_keras)

# %% slideshow={"slide_type": "skip"}
show(training.in_optax)

# %% slideshow={"slide_type": "skip"}
show(training.in_tensorflow)

# %% slideshow={"slide_type": "skip"}
trained = {name: training.RECIPES[name](layered) for name in libraries}
trained |= {"Keras on PyTorch": torch_paths["training"]}
reference = trained["PyTorch"]
for name, path in trained.items():
    print(f"{name:16} from PyTorch {largest(path, reference):.0e}   final loss {layered.loss(layered.unflatten(path[-1])):.6f}")
claim(f"with care, {len(trained)} runs of one recipe agree to "
      f"{max(largest(path, reference) for path in trained.values()):.0e}",
      all(largest(path, reference) < 2e-5 for path in trained.values()))

# %% slideshow={"slide_type": "skip"}
SLIPS = {"clipnorm": dict(clip="clipnorm"), "default λ": dict(weight_decay=0.004), "default ε": dict(epsilon=1e-7)}
final = lambda net, path: net.loss(net.unflatten(path[-1]))
slips, changes = {}, {name: [] for name in SLIPS}             # Δ at each step; by how much the final loss changes, per start
for seed in range(3):
    net = tiny_network(seed=seed)
    careful = reference if seed == 0 else training.in_pytorch(net)
    for name, options in SLIPS.items():
        path = training.in_keras(net, **options)
        changes[name].append(final(net, path) / final(net, careful) - 1)
        slips.setdefault(name, abs(path - careful).max(-1))
for name, gap in slips.items():
    print(f"{name:10} weights {gap.max():.1e} apart, final loss {', '.join(f'{c:+.3%}' for c in changes[name])} (three starts)")
rounding = max(largest(path, reference) for path in trained.values())
claim(f"each slip moves the weights at least {min(gap.max() for gap in slips.values()) / rounding:.0f} "
      "times as far as rounding",
      min(gap.max() for gap in slips.values()) > 100 * rounding)
clipped, decayed, small = (np.array(change) for change in changes.values())
claim(f"two of them change the final loss: by {clipped.mean():+.1%} (clipping) and {decayed.mean():+.1%} "
      "(less decay), the same way from every start",
      clipped.min() > 0.02 and decayed.max() < -0.02)
claim(f"one does not: ε changes it by at most {abs(small).max():.3%}", abs(small).max() < 2e-3)

# %% [markdown] slideshow={"slide_type": "skip"}
# Far apart in the weights is not far apart in the loss. Less decay even *lowers* this training loss; that says nothing about
# new data. What a slip costs you must measure where it matters to you; that it was made, the weights tell after one step.

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8.8, 3.5)
for (name, gap), colour in zip(slips.items(), (theme.SEQUENCE[1], theme.SEQUENCE[3], theme.SEQUENCE[5])):
    plots.curve(ax, np.maximum(gap, 1e-9), f"{name}: loss {np.mean(changes[name]):+.1%}", color=colour)
for name in ("TensorFlow", "Keras", "Optax"):
    plots.curve(ax, np.maximum(abs(trained[name] - reference).max(-1), 1e-9), {"Keras": "moved with care"}.get(name), color=theme.GOOD, lw=1.2)
ax.set(yscale="log", ylim=(1e-9, 1), xlabel="step", ylabel=r"$\Delta_k$ from PyTorch", title="the recipe moved from PyTorch, with one slip each")
plots.label_ends(ax)
show(fig, alt="Difference from PyTorch during training: three careful translations stay at rounding, three careless ones are far above it from the first steps on, and only two of these change the loss.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What changes silently when you switch
#
# | from PyTorch to | check |
# |:--|:--|
# | **Keras** | ε (10⁻⁷, added to $\sqrt v$) · λ decoupled in *every* optimizer · `clipnorm` is per variable · rate inside the momentum · weights (inputs, outputs) |
# | **Optax** | AdamW's λ is 10⁻⁴ · RMSprop's ε inside the root, α 0.9 · Adagrad from 0.1 · AMSGrad's maximum · NAdam without warm-up |
# | **TensorFlow's own** | Adam's ε · RMSProp starts at 1 · no AdamW · FTRL forgets the start |
# | **any** | the default rate · mean or sum in the loss · who shuffles · is the first step 0? |
#
# **The test that finds them all:** same start, same batch, one step. Compare. Then ten steps. Then change the rate.

# %% [markdown] slideshow={"slide_type": "notes"}
# Leave this on the screen during questions. Most entries are measurements of this chapter.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Replace each `...`, run the cell, then its check.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1 (derive): the ε of the first step
#
# Keras runs Adam with $\hat\varepsilon = 10^{-7}$ and $\beta_2 = 0.999$. Which ε must PyTorch be given so that its **first** step ($t = 1$) is the same?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
epsilon = 1e-7 / np.sqrt(1 - 0.999)
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("09.epsilon", epsilon)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Write both denominators: $\sqrt{v} + \hat\varepsilon$ and $\sqrt{v/(1-\beta_2^t)} + \varepsilon$.
# - One is the other times $\sqrt{1-\beta_2^t}$, if ε fits.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2 (implement): Adam as Keras means it
#
# `m` and `v` are the averages *after* this step's gradient went in, not yet corrected; `t` is the number of the step. Return the new `x`.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def keras_adam(x, m, v, t, lr, betas, eps):
    """x after step t of Adam, ε added to the root of the uncorrected v."""
    ### BEGIN SOLUTION
    rate = lr * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
    return x - rate * m / (np.sqrt(v) + eps)
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("09.keras_adam", keras_adam)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Both corrections go into one factor of η.
# - It is $\sqrt{1-\beta_2^t}/(1-\beta_1^t)$. What is left is $m/(\sqrt v+\varepsilon)$.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3 (implement): brake like PyTorch
#
# Keras' buffer `v` was filled at the rate `lr_before`. Now the rate is `lr`. Return the new buffer for the gradient `g`, such that the step
# $x \leftarrow x + v$ is PyTorch's.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def buffer(v, g, beta, lr, lr_before):
    """Keras' buffer after the step in which the rate changed from lr_before to lr."""
    ### BEGIN SOLUTION
    return beta * v * lr / lr_before - lr * g
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("09.buffer", buffer)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Before the change, $v = -\eta_{\text{before}}\, u$ with PyTorch's buffer $u$.
# - PyTorch now steps by $-\eta(\beta u + g)$. Write $u$ in terms of $v$.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4 (implement): accumulate
#
# `grads[i]` is the gradient of the *mean* loss over micro-batch `i`, which has `sizes[i]` examples. Return the gradient of the mean loss over all of them.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def accumulate(grads, sizes):
    """The gradient of the mean over all examples."""
    ### BEGIN SOLUTION
    return sum(n * g for n, g in zip(sizes, grads)) / sum(sizes)
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("09.accumulate", accumulate)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What is the *sum* of the gradients over micro-batch `i`?
# - Add these sums, then divide by the number of all examples.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5 (experiment): PyTorch's NAdam as Keras'
#
# Find the `momentum_decay` with which `torch.optim.NAdam` walks as `keras.optimizers.Nadam` does. `from shared.optimizers import NAdam`, then `show(NAdam)`, prints the formula.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
momentum_decay = 1.0
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("09.nadam", momentum_decay)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - PyTorch: $\mu_t = \beta_1(1 - \tfrac12\, 0.96^{t\psi})$. Keras: $\mu_t = \beta_1(1-\tfrac12\,0.96^{t})$.
# - Compare the exponents.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# | idea | in one sentence |
# |:--|:--|
# | **conventions** | an optimizer's name does not fix its formula: the place of ε, of η, of λ and of the correction differ |
# | **TensorFlow** | two sets: Keras, and its own kernels with ε̂, RMSProp from 1, and a tape |
# | **PyTorch** | an object per parameter list; the rate outside the buffer; L2 in Adam, decoupled in AdamW; fused is the same rule |
# | **Keras** | one code on three backends; everything is an argument; λ always decoupled; the rate inside the buffer |
# | **Optax** | pure functions, chained; the state is a value |
# | **parity** | copy the numbers and about half of the pairs agree; state the correction and all but four optimizers do |
# | **defects** | a comparison finds them: Rprop one step late, an old point overwritten |
# | **cost** | two numbers per weight for Adam everywhere; compiling makes Keras and Optax at least twice as fast |
# | **migration** | same start, same batch, one step: compare before you train |

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - M. Riedmiller, H. Braun. *A direct adaptive method for faster backpropagation learning: the RPROP algorithm.* IEEE International Conference on Neural Networks, 1993.
# - Y. Bengio, N. Boulanger-Lewandowski, R. Pascanu. *Advances in optimizing recurrent networks.* ICASSP 2013. The form of Nesterov's momentum in all four libraries: the point ahead is the variable.
# - H. B. McMahan et al. *Ad click prediction: a view from the trenches.* KDD 2013. FTRL.
# - D. Kingma, J. Ba. *Adam: a method for stochastic optimization.* ICLR 2015. Both places for ε.
# - F. Chollet et al. *Keras*. 2015.
# - T. Dozat. *Incorporating Nesterov momentum into Adam.* ICLR workshop, 2016. NAdam and its warm-up.
# - M. Abadi et al. *TensorFlow: a system for large-scale machine learning.* OSDI 2016.
# - P. Goyal et al. *Accurate, large minibatch SGD: training ImageNet in 1 hour.* arXiv:1706.02677, 2017. Momentum correction.
# - S. Reddi, S. Kale, S. Kumar. *On the convergence of Adam and beyond.* ICLR 2018. AMSGrad.
# - N. Shazeer, M. Stern. *Adafactor: adaptive learning rates with sublinear memory cost.* ICML 2018.
# - I. Loshchilov, F. Hutter. *Decoupled weight decay regularization.* ICLR 2019. AdamW.
# - A. Paszke et al. *PyTorch: an imperative style, high-performance deep learning library.* NeurIPS 2019.
# - DeepMind et al. *The DeepMind JAX ecosystem.* 2020. Optax.
# - K. Jordan et al. *Muon: an optimizer for hidden layers in neural networks.* Blog post, kellerjordan.github.io/posts/muon, 2024.
# - A. Defazio et al. *The road less scheduled.* NeurIPS 2024. Schedule-free AdamW.
