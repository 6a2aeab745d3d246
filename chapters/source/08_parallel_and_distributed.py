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
# # Parallel and distributed optimization
#
# A gradient is a sum over examples. A sum can be shared: a thousand machines, a thousandth of the work each.
# Then the machines must talk, and wait for each other.
#
# **What if one machine is not enough, and what does it cost to use two?**

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## What you will be able to do
#
# - Split a training step in five ways, and prove that each gives the same numbers as one process.
# - Write a ring all-reduce with nothing but send and receive.
# - Predict the time of a communication, the memory of a rank and the idle time of a pipeline before you buy anything.
# - Say what waiting costs, and what happens to the optimization when you stop waiting.
# - Send a hundredth of the gradient without losing it, and say for how many workers that saves anything.

# %% [markdown] slideshow={"slide_type": "notes"}
# Everything with "ranks" runs in real processes on this machine. What is simulated says so. Start-up takes some seconds,
# so start the two launches before the talk.

# %% tags=["setup"] slideshow={"slide_type": "skip"}
import numpy as np
import torch

from shared import data
from shared.course import check, claim, show
from shared.figures import plots, theme
from shared.problems import Softmax

torch.set_num_threads(1)
digits = data.digits()
X, Y = np.c_[digits.x_train[:1280], np.ones(1280)], digits.y_train[:1280]     # 64 pixels and a constant
f = Softmax(X, Y)
BLUE, ORANGE, GREEN, PURPLE = theme.SEQUENCE[:4]

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Play first
#
# Every worker has a gradient. Everybody needs the sum. A cell is full when all have contributed. Press play.

# %% slideshow={"slide_type": "-"}
from shared.explorers import ring

ring.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# 1. Play the ring with four workers. When is the first cell green? How often is every wire used?
# 2. Choose *server*, then *tree*. Which wire is the busiest? Which workers do nothing?
# 3. Double the workers and read the title: how much does the busiest wire carry for the ring? And for the server?
# 4. Make the gradient small. Who wins now, and why?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let the room guess point 3: with the ring the traffic per wire hardly grows with the number of workers.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Parallelisation techniques
#
# One step needs examples, parameters, gradients, the optimizer's memory and a chain of layers. Each can be split:
#
# | split | name | what travels |
# |:--|:--|:--|
# | the **examples** | data parallel | gradients |
# | the **optimizer's memory**, gradients, parameters | ZeRO, FSDP | gradients and parameters |
# | the **matrices** | tensor parallel | activations, inside a layer |
# | the **layers** | pipeline parallel | activations, between layers |
# | the **time** of one process | accumulation, checkpointing | nothing |
#
# All of them are bookkeeping. The numbers must not change. You will check that to twelve digits.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Data parallel
#
# Let rank $r$ have the shard $S_r$ of a batch of $B$ examples. The sum splits:
#
# $$ g = \frac1B \sum_{i=1}^{B} \nabla f_i = \frac1B \sum_{r} \underbrace{\sum_{i\in S_r} \nabla f_i}_{\text{on rank } r}
#      = \sum_r \frac{|S_r|}{B}\, \bar g_r . $$
#
# Each rank computes its part, an **all-reduce** gives everybody the sum, and all take the same step. The ranks start equal
# and stay equal: no parameter ever travels. Note the weights $|S_r|/B$.

# %% slideshow={"slide_type": "skip"}
from shared.distributed import data_parallel

show(data_parallel.by_hand)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary><b>Predict:</b> the shards have 3/4 and 1/4 of the batch, and you average the two mean gradients. What happens?</summary>
#
# Examples of the small shard count three times as much. Nothing crashes, the loss falls, and the result is wrong.
# </details>
#
# ### Two real processes
#
# `launch` starts a program twice and returns what rank 0 found. It is the same command as on a cluster (the last section of this chapter).
# Starting takes seconds, so one launch runs all experiments that need two ranks. Each trains the same network for the same 20 steps.

# %% slideshow={"slide_type": "skip"}
from shared.distributed.launch import launch

parities = ("by_hand", "ddp", "accumulated", "zero_by_library", "fsdp", "tensor_by_hand", "tensor_by_library",
            "pipeline_by_hand", "pipeline_by_library")
two = launch("timings", "all_reduces", "unequal", "synced_batch_norm", "zero_by_hand", "local_sgd_is_data_parallel",
             *parities, processes=2, options={"timings": {"repeats": 20, "algorithms": ["library"]}})

# %% [markdown] slideshow={"slide_type": "skip"}
# Now the reference: one process, the whole batch, this notebook's own. The difference is relative to the largest parameter.

# %% slideshow={"slide_type": "skip"}
from shared.distributed import training

alone = {name: training.single(name) for name in training.OPTIMIZERS}

def difference(x, optimizer="sgd"):
    """The largest difference from one process, relative to its largest parameter."""
    return np.abs(x - alone[optimizer]).max() / np.abs(alone[optimizer]).max()

equal = {name: difference(two[name]["x"], "adam" if name in ("zero_by_library", "fsdp") else "sgd") for name in parities}
for name, error in equal.items():
    print(f"{name:22} {error:.0e}")
claim(f"{len(equal)} ways to split {len(alone['sgd']):,} parameters and {training.STEPS} steps: largest difference "
      f"from one process {max(equal.values()):.0e}",
      max(equal.values()) < 1e-12)

# %% slideshow={"slide_type": "skip"}
weighted, averaged = (difference(two["unequal"][k]) for k in ("weighted", "averaged"))
claim(f"shards of 3/4 and 1/4: weighted {weighted:.0e}; averaged as if equal {averaged:.1%} off after {training.STEPS} steps",
      weighted < 1e-12 and averaged > 0.03)

# %% [markdown] slideshow={"slide_type": "skip"}
# Libraries average over the ranks. Where the ranks do not divide the batch that is the same mistake, and no message says so. So
# multiply each rank's loss by $p|S_r|/B$:

# %% slideshow={"slide_type": "skip"}
show(training.share_of_loss)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where the equality ends: batch norm
#
# Data parallel is exact because a loss is a sum of terms, one per example. Batch norm breaks that: an example's output depends on
# its batch, and a shard is another batch.
#
# <details><summary><b>Predict:</b> 64 examples on 8 ranks, batch norm on each rank's own 8. How far is the mean gradient from the true one?</summary>
#
# Not a rounding error: tens of percent. It is not wrong either. It is another function: batch norm with batches of 8. Synchronised batch
# norm restores the equality: the sums of $x$ and $x^2$ go through an all-reduce, and so do their gradients on the way back.
# </details>

# %% slideshow={"slide_type": "skip"}
from torch.nn.functional import cross_entropy

from shared import chance


def shard_error(norm, ranks, seed):
    """How far the mean of the shards' gradients is from the gradient of the whole batch, relative."""
    torch.manual_seed(chance.integer(seed))
    model = torch.nn.Sequential(torch.nn.Linear(65, 32), norm(32), torch.nn.ReLU(), torch.nn.Linear(32, 10)).double()
    def gradient(x, y):
        grads = torch.autograd.grad(cross_entropy(model(x), y), list(model.parameters()))
        return torch.cat([g.flatten() for g in grads])
    x, y = torch.tensor(X[:64]), torch.tensor(Y[:64])
    parts = [gradient(a, b) for a, b in zip(x.chunk(ranks), y.chunk(ranks))]
    return ((sum(parts) / ranks - gradient(x, y)).norm() / gradient(x, y).norm()).item()

# %% slideshow={"slide_type": "-"}
layer, batch = ([shard_error(norm, 8, seed) for seed in range(3)]
                for norm in (torch.nn.LayerNorm, torch.nn.BatchNorm1d))
claim(f"8 shards of 8: layer norm exact ({max(layer):.0e})", max(layer) < 1e-12)
claim(f"batch norm is off by {min(batch):.0%} or more, {len(batch)} seeds", min(batch) > 0.1)

# %% slideshow={"slide_type": "skip"}
off = {name: float(two["synced_batch_norm"][name]) for name in ("own", "synced")}
claim(f"two processes: batch norm of each rank's half {off['own']:.0%} off, synchronised {off['synced']:.0e}",
      off["own"] > 0.02 and off["synced"] < 1e-12)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Split the memory: ZeRO and FSDP
#
# Data parallel keeps everything on every rank. With Adam in mixed precision that is 16 bytes a parameter: 2 for the weight, 2 for its gradient, 12 for
# a float32 copy and two moments. ZeRO's idea: **rank $r$ owns slice $r$**, and only the owner updates it
# (Rajbhandari et al. 2020). Let there be $p$ ranks and $d$ parameters.
#
# | stage | sliced | messages | bytes a rank keeps (Adam, 16 bytes) |
# |:--|:--|:--|:--|
# | 0 | nothing | all-reduce $g$ | $16\,d$ |
# | 1 | optimizer | reduce-scatter $g$, all-gather $x$ | $(4 + 12/p)\,d$ |
# | 2 | + gradient | reduce-scatter $g$, all-gather $x$ | $(2 + 14/p)\,d$ |
# | 3 | + parameters | all-gather $x$ (twice), reduce-scatter $g$ | $16\,d/p$ |
#
# A ring all-reduce *is* a reduce-scatter and an all-gather: stages 1 and 2 send no byte more than stage 0. Stage 3 sends half as much again.
# "Keeps" means between two steps, without activations. At the moment of use a whole $x$ or $g$ must be there: of all layers in the code
# by hand, of one layer at a time in FSDP.

# %% slideshow={"slide_type": "skip"}
from shared.distributed import sharded

show(sharded.zero)

# %% slideshow={"slide_type": "skip"}
from shared.distributed import cost

stages = two["zero_by_hand"]
errors = [difference(x, "adam") for x in stages["x"]]
claim(f"stages 0 to 3 by hand: differences from one process {', '.join(f'{e:.0e}' for e in errors)}",
      max(errors) < 1e-12)
predicted = np.array([cost.memory(len(alone["adam"]), 2, stage, weights=8, gradient=8, optimizer=16) for stage in range(4)])   # float64
between, full = stages["alive"].T                                    # all tensors of the process that are alive
print("alive between two steps:", between, " at the fullest moment:", full)
gap = np.abs(between / predicted.sum(1) - 1).max()
claim(f"all tensors alive on rank 0 between two steps: within {gap:.1%} of the table, for all stages",
      gap < 0.01)
parts_gap = np.abs(stages["bytes"] / predicted - 1).max()
claim(f"and so are parameters, gradient and optimizer, each by itself ({parts_gap:.1%})",
      parts_gap < 0.01)
claim(f"stage 3 keeps {between[3] / between[0]:.0%} of stage 0, but at its fullest moment it has {full[3] / full[0]:.0%}",
      between[3] < 0.55 * between[0] and full[3] > 0.6 * full[0])
fsdp = int(two["fsdp"]["alive"])
claim(f"FSDP2: {fsdp:,} bytes alive between two steps, stage 3 by hand {between[3]:,}",
      abs(fsdp / between[3] - 1) < 0.01)
moments = two["zero_by_library"]["bytes"]
claim(f"torch's ZeroRedundancyOptimizer deals out whole tensors: moments of {moments.tolist()} bytes on the two ranks",
      moments.sum() == 16 * len(alone["adam"]) and moments.max() > 1.5 * moments.min())

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.6, 3.6)
names, bottom = ("parameters", "gradient", "optimizer"), np.zeros(5)
kept = np.vstack([stages["bytes"], two["fsdp"]["bytes"]]) / 1e3
for part, values, colour in zip(names, kept.T, (BLUE, ORANGE, GREEN)):
    ax.bar(range(5), values, bottom=bottom, color=colour, width=0.6, label=part)
    bottom = bottom + values
ax.hlines(predicted.sum(1) / 1e3, np.arange(4) - 0.4, np.arange(4) + 0.4, color=theme.INK, label="predicted")
ax.plot(range(4), full / 1e3, "v", color=theme.MUTED, label="fullest moment")
ax.set_xticks(range(5), ["stage 0", "stage 1", "stage 2", "stage 3", "FSDP2"])
ax.set(ylabel="kilobytes on rank 0", title="kept between two steps, two ranks, measured", ylim=(0, 560))
ax.legend(ncols=5, loc="upper right", fontsize=9, columnspacing=1)
show(fig, alt="Bytes of parameters, gradient and optimizer kept on one of two ranks by ZeRO stage: they fall from stage 0 to stage 3, FSDP2 equals stage 3. The fullest moment of a step falls much less.")

# %% [markdown] slideshow={"slide_type": "notes"}
# Two ranks halve what is sliced. With 64 ranks stage 3 keeps a 64th. The cost planner at the end shows it. "Measured" asks Python's garbage
# collector for every tensor of the process, and does not believe the code.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Split the matrices: tensor parallel
#
# Take a layer pair $y = W_2\, \varphi(W_1 x)$. Give each rank some **rows** of $W_1$ and the same **columns** of $W_2$ (Megatron-LM, Shoeybi et al. 2019):
#
# $$ W_2\,\varphi(W_1 x) = \begin{pmatrix} W_2^{(1)} & W_2^{(2)} \end{pmatrix}
#    \begin{pmatrix} \varphi(W_1^{(1)} x) \\ \varphi(W_1^{(2)} x)\end{pmatrix}
#    = \underbrace{W_2^{(1)}\varphi(W_1^{(1)}x)}_{\text{rank } 0} + \underbrace{W_2^{(2)}\varphi(W_1^{(2)}x)}_{\text{rank } 1}. $$
#
# $\varphi$ acts on each unit alone, so nothing is sent between the two layers. One all-reduce forward, one backward, per pair.
#
# <details><summary><b>Predict:</b> why not columns of W₁ first?</summary>
#
# Then $W_1x$ would be a sum over ranks, and $\varphi$ of a sum is not the sum of $\varphi$: an all-reduce before every nonlinearity.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.distributed import tensor_parallel

show(tensor_parallel.tensor_by_hand)
claim(f"tensor parallel by hand {equal['tensor_by_hand']:.0e}, by parallelize_module {equal['tensor_by_library']:.0e}",
      max(equal["tensor_by_hand"], equal["tensor_by_library"]) < 1e-12)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Split the layers: pipeline
#
# Rank $r$ holds stage $r$ of the network. With one batch only one rank works at a time. So cut the batch into $m$ **micro-batches** and let them
# follow each other (GPipe, Huang et al. 2019). With $p$ stages the first result arrives after $p$ slots, the last after $m + p - 1$. Of these a rank works in $m$:
#
# $$ \text{idle share (\emph{bubble})} = \frac{p-1}{m+p-1}. $$
#
# <details><summary><b>Predict:</b> 4 stages. How many micro-batches bring the bubble below 10 %?</summary>
#
# $3/(m+3) < 0.1$ means $m > 27$. And each waits in memory until its backward pass comes.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.distributed import pipeline

show(pipeline.gpipe)

# %% [markdown] slideshow={"slide_type": "skip"}
# The second launch: four ranks, for all that needs a clock. To see the schedule and not the noise of two cores, the stages here **sleep** for a known
# time instead of computing; the messages between them are real.

# %% slideshow={"slide_type": "skip"}
four = launch("pipeline_clock", "all_reduces", "slow_network", "overlap", "stragglers", "local_sgd", "diloco", "parameter_server", "hogwild", "compressed", "ddp",
              processes=4, options={"parameter_server": {"slow": 0.02, "updates": 200}, "ddp": {"batch": 50}})
uneven = np.abs(four["ddp"]["x"] - training.single(batch=50)).max() / np.abs(training.single(batch=50)).max()
claim(f"DDP with 50 examples on four ranks, shares weighted: {uneven:.0e} from one process",
      uneven < 1e-12)
clock = four["pipeline_clock"]
micros = clock["micros"]
measured = 1 - 0.06 * micros / clock["seconds"]                      # a micro-batch works for 0.02 s forward and 0.04 s back
for m, idle in zip(micros, measured):
    print(f"m = {m:2}: bubble measured {idle:.3f}, predicted {cost.bubble(4, m):.3f}")
claim("the bubble shrinks with every doubling of m, and is nowhere below the prediction",
      (np.diff(measured) < 0).all() and (measured > cost.bubble(4, micros) - 0.01).all())

# %% slideshow={"slide_type": "subslide"}
fig, (left, right) = theme.figure(9.4, 3.6, 1, 2, gridspec_kw={"width_ratios": [1.6, 1]})
for rank, micro, way, start, end in clock["timeline"]:
    left.barh(rank, end - start, left=start, height=0.8, color=(BLUE, ORANGE)[int(way)], ec="white", alpha=0.5 + 0.12 * micro)
    left.text((start + end) / 2, rank, f"{micro:.0f}", color="white", ha="center", va="center", fontsize=9)
left.set(yticks=range(4), ylabel="rank", xlabel="seconds", title="measured: four micro-batches")
left.plot([], [], "s", color=BLUE, label="forward")
left.plot([], [], "s", color=ORANGE, label="backward")
left.legend(loc="lower right")
left.invert_yaxis()
left.grid(False)
ms = np.linspace(1, 9, 50)
right.plot(ms, cost.bubble(4, ms), color=theme.MUTED, label="(p−1)/(m+p−1)")
right.plot(micros, measured, "o", color=theme.INK, label="measured")
right.set(ylim=(0, 1), xlabel="micro-batches m", title="idle share, 4 stages")
right.legend()
show(fig, alt="Left: which rank works on which micro-batch when, a staircase forward and one back. Right: measured idle shares lie above the formula, most at eight micro-batches.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Split the time: accumulation
#
# Too large a batch for the memory? Run micro-batches one after the other, add their gradients, step once. The trap is in language models:
# a loss per **token**, and micro-batches with different numbers of tokens. The mean of means is the unequal-shards error again.

# %% slideshow={"slide_type": "-"}
tokens = np.array([400, 60, 25, 15])             # in each micro-batch; here a "token" is one digit
parts = np.split(np.arange(500), np.cumsum(tokens)[:-1])
x0 = 0.1 * chance.rng(0).normal(size=f.dim)
whole = f.subset(np.arange(500)).grad(x0)
grads = np.array([f.subset(rows).grad(x0) for rows in parts])
relative = lambda g: np.linalg.norm(g - whole) / np.linalg.norm(whole)
naive, right = relative(grads.mean(0)), relative(tokens @ grads / tokens.sum())
claim(f"the mean of four means is off by {naive:.0%}", naive > 0.1)
claim(f"weighted by tokens: {right:.0e}", right < 1e-12)

# %% slideshow={"slide_type": "skip"}
sent, unheld = (int(two["accumulated"][k]) for k in ("all_reduces", "without"))
claim(f"DDP, four micro-batches, {training.STEPS} steps: {sent} all-reduces with no_sync, {unheld} without; "
      f"{equal['accumulated']:.0e} from one process",
      sent == training.STEPS and unheld == 4 * sent and equal["accumulated"] < 1e-12)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Pay time for memory: activation checkpointing
#
# Backpropagation keeps each layer's activations. Keep only some, and compute the others again when the backward pass needs them (Chen et al. 2016). With a checkpoint every
# $\sqrt L$ layers, $L$ layers need about $2\sqrt L$ instead of $L$, for one more forward pass.

# %% slideshow={"slide_type": "skip"}
from torch.utils.checkpoint import checkpoint_sequential

from shared.models.mlp import mlp


def kept_bytes(segments, layers=36, width=64):
    """Bytes of activations that the forward pass saves for backward, parameters not counted, and the gradient."""
    model, saved = mlp(*[width] * (layers + 1), activation="tanh"), {}
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    def keep(t):
        if t.untyped_storage().data_ptr() not in own:
            saved[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t
    x = torch.tensor(X[:128, :64]).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        out = checkpoint_sequential(model, segments, x, use_reentrant=False) if segments else model(x)
        total = sum(saved.values())                                             # what waits when the forward pass ends
        out.square().mean().backward()
    return total, torch.cat([p.grad.flatten() for p in model.parameters()])

# %% slideshow={"slide_type": "-"}
(plain, g), (few, same) = kept_bytes(segments=0), kept_bytes(segments=6)
claim(f"36 layers keep {plain / 1e6:.2f} MB of activations", plain > 2e6)
claim(f"with 6 segments {few / 1e6:.2f} MB, {plain / few:.1f} times less", plain / few > 2.4)
claim("and the gradient is equal to the bit", torch.equal(g, same))

# %% [markdown] slideshow={"slide_type": "notes"}
# Between checkpoints the backward pass fills up one segment again: 6 + 6 layers at the peak instead of 36.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Distributed strategies and algorithms
#
# The splits above wait for everybody at each step, and send everything. Now change the algorithm itself:
#
# | strategy | who waits | what is communicated |
# |:--|:--|:--|
# | **synchronous all-reduce** | all, each step | each gradient |
# | **local SGD, DiLoCo** | all, every $H$ steps | a difference of parameters |
# | **parameter server** | nobody for other workers | gradients, which arrive late |
# | **Hogwild** | nobody at all | nothing: one memory |
#
# ### Ring all-reduce, by hand
#
# Cut the vector into $p$ chunks. In step $s$ rank $r$ sends chunk $r - s$ to rank $r+1$, and adds chunk $r-s-1$ that arrives. After $p-1$ steps chunk
# $r+1$ is complete on rank $r$: each chunk has visited all. The same walk once more hands the complete chunks around.

# %% slideshow={"slide_type": "skip"}
from shared.distributed import collectives

show(collectives.ring_all_reduce)

# %% slideshow={"slide_type": "skip"}
for p, sums in ((2, two["all_reduces"]), (4, four["all_reduces"])):
    claim(f"{p} ranks, five lengths, also shorter than the ring: {', '.join(f'{k} {float(sums[k]):.0e}' for k in collectives.ALGORITHMS)} from the true sum",
          max(float(sums[k]) for k in collectives.ALGORITHMS) < 1e-12)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Meet less often: local SGD
#
# Each worker takes $H$ steps alone (the papers' letter; no Hessian here), then all average their parameters (Stich 2019). One communication instead of $H$. Where do they end? Make the workers' data differ.

# %% slideshow={"slide_type": "-"}
from shared.explorers import local_sgd

local_sgd.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# Put the difference of the data to 0: what do you lose with $H = 10$? Now to 1. Which point does each worker pull to, and where does their average settle? Lower η.
#
# For one quadratic per worker, $f_w = \tfrac12 (x-c_w)^\top A_w (x - c_w)$, $H$ steps alone are $x - c_w \to (I-\eta A_w)^H (x - c_w)$. The average rests where
# $\sum_w \bigl[I - (I-\eta A_w)^H\bigr](x - c_w) = 0$. For $H=1$ that is $\sum_w A_w(x-c_w)=0$, the true minimum. For large $H$ (and η below 2 over the largest curvature) it tends to the mean of the $c_w$:
# curvature is forgotten. That is **client drift**.

# %% slideshow={"slide_type": "skip"}
apart = np.abs(two["local_sgd_is_data_parallel"]["x"] - training.single("plain")).max()
claim(f"local SGD with H = 1 in two processes is data parallel: {apart:.0e}",
      apart < 1e-12)
real = four["local_sgd"]
claim(f"four processes, 60 steps from loss {real['start']:.2f}: H = 1 ends at {real['losses'][0]:.3f}, "
      f"H = 10 at {real['losses'][1]:.3f} with {real['bytes'][0] / real['bytes'][1]:.0f} times fewer bytes",
      real["losses"][1] < 1.15 * real["losses"][0] and real["bytes"][0] > 9 * real["bytes"][1] and real["same"].all())

# %% [markdown] slideshow={"slide_type": "skip"}
# Ten workers and all $H$, simulated in one process, three seeds: softmax regression on digits, 400 steps. Data are dealt out at random, or **sorted by label**, so that
# each worker sees one or two digits only.
#
# <details><summary><b>Predict:</b> how much loss does H = 20 cost in each case?</summary>
#
# At random: next to nothing. Sorted: each worker forgets all other digits between two meetings, and the average of ten specialists is poor.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.distributed import simulate

Hs = (1, 5, 20, 100)
dealt = {mixed: simulate.shards(Y, 10, mixed) for mixed in (True, False)}
ends = {mixed: np.array([f(simulate.local_sgd(f, rows, H, 400, 0.5)[-1]) for H in Hs]) for mixed, rows in dealt.items()}
more = np.max(ends[True][2] / ends[True][0]) - 1
claim(f"data at random: {Hs[2]} times fewer bytes for {more:.1%} more loss at most, 3 of 3 seeds",
      more < 0.05)
claim(f"sorted by label: loss {ends[False][0].mean():.2f} at H = 1, {ends[False][2].mean():.2f} at H = {Hs[2]}",
      ends[False][2].min() > 2 * ends[False][0].max())
gentle = f(simulate.local_sgd(f, dealt[False], 20, 400, 0.05)[-1])
claim(f"a tenth of the rate does not repair it in as many steps: loss {gentle.mean():.2f}",
      gentle.min() > ends[False][0].max())

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.4, 3.6)
megabytes = 400 / np.array(Hs) * f.dim * 8 * 2 * 9 / 10 / 1e6
for mixed, label, colour in ((True, "data at random", BLUE), (False, "sorted by label", ORANGE)):
    plots.band(ax, ends[mixed].T, label, megabytes, colour, marker="o")
for H, x in zip(Hs, megabytes):
    ax.annotate(f"H = {H}", (x, 0.05), ha="center", fontsize=9.5, color=theme.MUTED)
ax.set(xscale="log", ylim=(0, 1.8), xlabel="megabytes sent by a worker", ylabel="loss after 400 steps", title="ten workers, three seeds, simulated")
ax.legend(loc="upper right")
show(fig, alt="Loss after 400 steps against megabytes sent: level for data at random, rising steeply with H for data sorted by label.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### DiLoCo: the difference is a gradient
#
# Let $y_w$ be where worker $w$ stands after $H$ steps alone. Then $\Delta = \frac1p\sum_w (x - y_w)$ points uphill, like a gradient. So give it to an optimizer: **inner** AdamW on each worker, **outer**
# Nesterov momentum on $\Delta$. With SGD inside, and SGD of rate 1 outside, it is local SGD
# (Douillard et al. 2023).

# %% slideshow={"slide_type": "-"}
from shared.distributed import asynchronous

show(asynchronous.rounds)

# %% slideshow={"slide_type": "skip"}
path = four["diloco"]["losses"]
fewer = real["bytes"][0] / four["diloco"]["bytes"]
claim(f"DiLoCo, four processes, 6 rounds of 10 steps: loss {path[0]:.2f} → {path[-1]:.2f}, {fewer:.0f} times fewer bytes than H = 1",
      path[-1] < 0.6 * path[0] and fewer > 9)

# %% [markdown] slideshow={"slide_type": "skip"}
# Not a race with local SGD: each has one untuned setting, and other inner optimizers. The claim is that it trains.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Do not wait: a parameter server
#
# One rank holds $x$ (Li et al. 2014). A worker fetches it, computes, sends its gradient, fetches again. It never waits for other workers. Its price: when the gradient arrives, $x$ has
# moved on. The number of foreign updates in between is the **staleness** $\tau$.
#
# <details><summary><b>Predict:</b> three workers, of which one is slow. What is τ for the fast ones, and for the slow one?</summary>
#
# The fast two alternate, so one foreign update or none. The slow one finds many, each time it comes back.
# </details>

# %% slideshow={"slide_type": "skip"}
server = four["parameter_server"]
slow = server["staleness"][server["workers"] == 1]
fast = server["staleness"][server["workers"] != 1]
print(f"staleness, median: fast workers {np.median(fast):.0f}, slow worker {np.median(slow):.0f}")
claim(f"200 asynchronous updates by three processes: loss {server['losses'][0]:.2f} → under 1.2; the slow worker is the stalest",
      server["losses"][1] < 1.2 and np.median(slow) > np.median(fast))

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.2, 3.4)
bins = np.r_[-0.5, 0.5, 1.5, 2.5, 3.5, 5.5, 8.5, 12.5, 20.5, 200.5]
for τ, name, colour in ((fast, "two fast workers", BLUE), (slow, "the slow worker", ORANGE)):
    counts = np.histogram(τ, bins)[0]
    ax.bar(np.arange(len(counts)) + (0.2 if colour == ORANGE else -0.2), counts, 0.4, color=colour, label=name)
ax.set_xticks(range(9), ["0", "1", "2", "3", "4–5", "6–8", "9–12", "13–20", "more"])
ax.set(xlabel="staleness τ: updates of others since it fetched x", ylabel="updates", title="an asynchronous parameter server, measured")
ax.legend()
show(fig, alt="Histogram of staleness: the fast workers' gradients are a few updates old, those of the slow worker many.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How old may a gradient be?
#
# Along an eigenvector with curvature $\lambda$: $x_{t+1} = x_t - \eta\lambda\, x_{t-\tau}$. Try $x_t = z^t$ and find
# $z^{\tau+1} = z^\tau - \eta\lambda$. It grows as soon as a root leaves the unit circle. There $z = e^{i\theta}$, so
#
# $$ \eta\lambda = e^{i\tau\theta}(1 - e^{i\theta}) = 2\sin\tfrac\theta2\; e^{i(\tau\theta + \theta/2 - \pi/2)}. $$
#
# It must be real and positive. As $\eta$ grows this happens first at $\theta(\tau + \tfrac12) = \tfrac\pi2$: stability needs
#
# $$ \eta\lambda < 2\sin\frac{\pi}{4\tau+2} \approx \frac{\pi}{2\tau + 1}. $$
#
# Without delay: 2, the limit of chapter 2. With $\tau = 10$: 0.15. **If every gradient is $\tau$ steps old, the rate must fall like $1/\tau$.**

# %% slideshow={"slide_type": "skip"}
from types import SimpleNamespace


def measured_limit(delay):
    """Close in on the largest ηλ at which descent with old gradients does not grow: 61 at once, three times."""
    low, high = 0.0, 2.5
    bowl = SimpleNamespace(grad=lambda x: x)
    for steps in (1000, 4000, 20000):
        tried = np.linspace(low, high, 61)
        size = np.abs(simulate.delayed(bowl, np.ones((61, 1)), tried, delay, steps)[..., 0])
        grows = ~(size[-steps // 10 :].max(0) <= size[steps // 10 : steps // 5].max(0))
        low, high = tried[grows.argmax() - 1], tried[grows.argmax()]
    return (low + high) / 2

delays = np.array([0, 1, 2, 5])
found = np.array([measured_limit(τ) for τ in delays])
for τ, a, b in zip(delays, found, simulate.delay_limit(delays)):
    print(f"τ = {τ:2}: measured {a:.5f}, 2 sin(π/(4τ+2)) = {b:.5f}")
claim("the threshold holds to four digits",
      np.abs(found / simulate.delay_limit(delays) - 1).max() < 1e-4)

# %% [markdown] slideshow={"slide_type": "skip"}
# A network is not a quadratic. Same experiment: 100 digits, 16 rates at once, two seeds, the largest rate after which the loss is below its start.

# %% slideshow={"slide_type": "skip"}
from shared.problems.networks import NetworkOracle

staleness, rates = np.array([1, 2, 4, 8, 16]), np.geomspace(0.04, 1.4, 16)
usable = np.empty((2, len(staleness)))
for seed in range(2):
    net = NetworkOracle(mlp(64, 32, 10, activation="tanh", seed=seed), cross_entropy, digits.x_train[:100], digits.y_train[:100])
    for j, τ in enumerate(staleness):
        last = net(simulate.delayed(net, np.broadcast_to(net.start, (len(rates), net.dim)), rates, τ, 120)[-1])
        usable[seed, j] = rates[last < net(net.start)].max()
slope = [np.polyfit(np.log(staleness + 0.5), np.log(u), 1)[0] for u in usable]
claim(f"network: the usable rate falls like (τ + ½)^({slope[0]:.2f}) and ^({slope[1]:.2f}); the quadratic's limit has exponent −1",
      all(-1.4 < s < -0.6 for s in slope))

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.2, 3.5)
τs = np.geomspace(0.5, 20, 100)
ax.plot(τs, simulate.delay_limit(τs), color=theme.INK, label="2 sin(π/(4τ+2))")
ax.plot(delays[1:], found[1:], "o", color=theme.INK, label="quadratic, measured (ηλ)")
ax.plot(staleness, usable.T, "s", color=BLUE, ms=5, label="network, measured (η), two seeds")
ax.set(xscale="log", yscale="log", xlabel="staleness τ", ylabel="largest usable rate", title="old gradients need small steps")
ax.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
ax.minorticks_off()
handles, labels = ax.get_legend_handles_labels()
ax.legend(dict(zip(labels, handles)).values(), dict(zip(labels, handles)).keys())
show(fig, alt="Largest usable rate against staleness on logarithmic axes: the quadratic lies on the formula, and the network's usable rate falls about as steeply.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Hogwild: no lock at all
#
# One vector in memory, mapped into all processes. Everybody reads, computes, and subtracts in place, while others do the same (Niu et al. 2011).
# An update may overwrite another. How often depends on machine and moment; the race below counts it.
#
# <details><summary><b>Predict:</b> does it still train?</summary>
#
# It does. A lost update is like a smaller batch now and then. The theory of Niu et al. needs sparse gradients, where two workers rarely touch one number; here they are dense.
# </details>

# %% slideshow={"slide_type": "-"}
wild = four["hogwild"]
start, together, alone_loss = wild["losses"]
print(f"4 processes add 100,000 ones to one number: {wild['lost']:.1%} are lost, this time")
claim("200 unlocked updates by 4 processes end near 200 updates by one: within a quarter",
      abs(together / alone_loss - 1) < 0.25)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### More workers are a larger batch
#
# With $p$ workers the batch is $p$ times as large, and the variance of its noise $1/p$ of what it was (chapter 2). To need fewer steps the rate must grow:
#
# - **linear**, $\eta \propto B$: $p$ small steps become one long one. Holds while noise is the limit (Goyal et al. 2017).
# - **square root**, $\eta \propto \sqrt B$: keeps the variance $\eta^2/B$ of a step.
#
# Neither holds for ever: without any noise, on all examples, some rate is the best, and no batch makes a longer step useful. That rate is not $2/\lambda_{\max}$ of the start: cross-entropy's
# curvature falls with the loss, so a longer step may throw the loss up and still arrive first. Simulated: softmax regression, steps to a loss of 0.35, three seeds.
#
# <details><summary><b>Predict:</b> from B = 2 to B = 512, 256 times the work per step. How many times fewer steps, at the best rate?</summary>
#
# Eight to ten times. Up to the **critical batch** every doubling nearly halves the steps; beyond it workers buy little (McCandlish et al. 2018).
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.optimizers import SGD

batches, grid = np.array([2, 4, 8, 16, 32, 128, 512]), np.geomspace(0.566, 12.8, 10)
base_rate, most = 0.6, {2: 250, 4: 150, 8: 100, 16: 100, 32: 80}                # near the best for B = 2; the steps we wait
needed, winner = {}, {}
for B in batches.tolist():
    tried = np.r_[grid, base_rate * B / 2, base_rate * np.sqrt(B / 2)]
    found = np.median(simulate.steps_to(f, SGD, tried, B, 0.35, most.get(B, 70), every=1), 0)
    needed[B], winner[B] = (found.min(), found[-2], found[-1]), tried[found.argmin()]
best, linear, root = np.array(list(needed.values())).T
for B, row in needed.items():
    print(f"B = {B:3}: steps at the best rate {row[0]:3.0f}, linear rule {row[1]:3.0f}, square root {row[2]:3.0f}")
claim(f"B 2 → 16: {best[0] / best[3]:.1f} times fewer steps; B 16 → 512: only {best[3] / best[-1]:.1f} times",
      best[0] / best[3] > 3 and best[3] / best[-1] < 2.7)
claim(f"linear scaling needs at most {(linear / best)[:4].max():.2f} times the steps of the best rate up to B = 16; at B = 512 it has "
      f"not arrived after {min(linear[-1], 70) / best[-1]:.1f} times as many",
      (linear / best)[:4].max() < 1.6 and min(linear[-1], 70) > 2 * best[-1])
claim(f"the square root is never far off: within {(root / best).max():.2f} times the best rate at every B; "
      f"at B = 512 linear takes over {min(linear[-1], 70) / root[-1]:.1f} times as long",
      (root / best).max() < 2 and min(linear[-1], 70) > 2 * root[-1])

# %% slideshow={"slide_type": "skip"}
at_start = 2 / np.linalg.eigvalsh(f.hess(np.zeros(f.dim)))[-1]
noiseless = f(simulate.delayed(f, np.zeros((2, f.dim)), np.array([0.9, 3.5]) * at_start, 0, 60))     # all examples
arrived = (noiseless < 0.35).argmax(0)
claim(f"2/λ at the start is {at_start:.2f}, and the fastest rate at B = 512 is {winner[512]:.1f}",
      winner[512] > 1.5 * at_start)
claim(f"all examples, no noise: at 0.9 times that limit {arrived[0]} steps; at 3.5 times the loss goes from {noiseless[0, 1]:.1f} "
      f"up to {noiseless[:, 1].max():.1f}, and is there after {arrived[1]} steps; B = 512 needs {best[-1]:.0f}",
      noiseless[:, 1].max() > 1.5 * noiseless[0, 1] and arrived[1] < 0.7 * arrived[0] and best[-1] < 1.4 * arrived[1])

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.4, 3.6)
ax.plot(batches, best[0] * 2 / batches, ":", color=theme.MUTED, label="perfect scaling")
for values, label, colour, marker in ((linear, "η ∝ B", ORANGE, "s"), (root, "η ∝ √B", GREEN, "^"), (best, "best rate", BLUE, "o")):
    ax.plot(batches, values, marker=marker, color=colour, label=label)
ax.set(xscale="log", yscale="log", ylim=(8, 420), xlabel="batch size B (workers × their share)", ylabel="steps to a loss of 0.35", title="the critical batch ends the gain")
ax.set_xticks(batches, batches)
ax.minorticks_off()
ax.legend(loc="lower left", ncols=2)
show(fig, alt="Steps to the target against the batch size: the best rate follows perfect scaling up to a batch of about 16 and then hardly falls; linear scaling leaves it for large batches, the square root stays near it.")

# %% [markdown] slideshow={"slide_type": "notes"}
# This is a convex problem: the numbers are its own. The shape is general: gain, knee, plateau.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Communication overhead and synchronisation
#
# A message of $n$ bytes takes $\alpha + n/\beta$: a **latency** $\alpha$ and a **bandwidth** $\beta$ (in this section $\beta$ is never momentum). Count messages one after the other, and bytes on the busiest wire:
#
# | all-reduce over $p$ ranks | time |
# |:--|:--|
# | ring | $2(p-1)\left(\alpha + \dfrac{n}{p\,\beta}\right)$ |
# | tree | $2\lceil\log_2 p\rceil\left(\alpha + \dfrac n\beta\right)$ |
# | parameter server | $2(p-1)\left(\alpha + \dfrac n\beta\right)$ |
#
# For large $n$ the ring needs at most $2n/\beta$, **however many ranks**. As long as only ranks add, none needs less than $2\frac{p-1}{p}\frac n\beta$ (Patarasuk & Yuan 2009); a network whose switches add needs half.
# For small $n$ the tree wins of these three: its number of messages grows like $\log p$.
#
# The table has the simplest form of each. A server may be shared by several ranks (Li et al. 2014), trees may be doubled and pipelined, and recursive halving and doubling has the
# $2\log_2 p$ messages of the tree and the bytes of the ring (Thakur et al. 2005; $p$ a power of 2). Libraries choose among them.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Fit it, then test it where you did not fit
#
# Twelve sizes were measured with two processes. Every second is fitted, the others are predicted.

# %% slideshow={"slide_type": "skip"}
sizes, seconds = two["timings"]["bytes"], two["timings"]["library"]
link = cost.fit("ring", sizes[::2], 2, seconds[::2])
guess = cost.all_reduce("ring", sizes, 2, link)
left_out = np.abs(guess / seconds - 1)[1::2]
print(f"α = {link.latency * 1e6:.0f} µs, β = {link.bandwidth / 1e9:.2f} GB/s, as this machine is now")
for n, t, g, use in zip(sizes, seconds, guess, ["fitted", "left out"] * 6):
    print(f"{n:10,} bytes  measured {t * 1e3:8.3f} ms   model {g * 1e3:8.3f} ms   {g / t - 1:+5.0%}   {use}")
claim(f"two numbers predict sizes they have not seen: median error {np.median(left_out):.0%}", np.median(left_out) < 0.5)

# %% slideshow={"slide_type": "-"}
fig, ax = theme.figure(8.4, 3.6)
n = np.geomspace(sizes[0] / 2, sizes[-1] * 2, 100)
ax.plot(n, cost.all_reduce("ring", n, 2, link), color=theme.INK, label="2α + n/β, fitted")
ax.plot(sizes[::2], seconds[::2], "o", color=BLUE, label="measured, fitted")
ax.plot(sizes[1::2], seconds[1::2], "o", mfc="white", mew=2, color=ORANGE, label="measured, left out")
ax.set(xscale="log", yscale="log", xlabel="bytes", ylabel="seconds", title="all-reduce between two processes of this machine")
ax.legend()
show(fig, alt="Seconds of an all-reduce against bytes: level at twice the latency, then rising with the bandwidth; left-out points lie near the fitted curve.")

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Ring, tree and server on a slow network
#
# On one machine all ranks share one memory: there is no wire that could be busier than another, and a comparison of the three would say little. So the next experiment
# **emulates** a network between four real processes: a message waits until both ends are free and then takes 15 ms and 1 s per 60 MB. Nothing is fitted: the lines are the table above.

# %% slideshow={"slide_type": "skip"}
emulated, wire = four["slow_network"], cost.Link(0.015, 60e6)
ratio = {name: emulated[name] / cost.all_reduce(name, emulated["bytes"], 4, wire) for name in cost.ALGORITHMS}
for name, r in ratio.items():
    print(f"{name:7} measured / predicted at {emulated['bytes'].tolist()} bytes: {r.round(2)}")
claim("small message: the tree is first. Large message: the ring is first and the server last",
      emulated["tree"][0] < emulated["ring"][0] and emulated["ring"][-1] < emulated["tree"][-1] < emulated["server"][-1])

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.4, 3.6)
n = np.geomspace(1e4, 1e7, 100)
for name, colour in ring.COLOURS.items():
    plots.curve(ax, cost.all_reduce(name, n, 4, wire), ring.NAMES[name], n, colour)
    ax.plot(emulated["bytes"], emulated[name], "o", color=colour)
ax.set(xscale="log", yscale="log", xlabel="bytes", ylabel="seconds", title="four processes, slow network: lines predicted, dots measured", xlim=(1e4, 1e7))
plots.label_ends(ax)
show(fig, alt="Seconds against bytes for ring, tree and parameter server on an emulated network: measured dots lie on or a little above the predicted lines, which cross.")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Hide it: overlap
#
# The last layer's gradient is ready first. Send it while the others are still being computed. With $k$ equal buckets the part that stays visible is
#
# $$ \max\Bigl(\frac{C}{k},\; C - T_{\text{back}}\bigl(1-\tfrac1k\bigr)\Bigr), \qquad C = \text{communication}. $$
#
# That is what DDP's buckets (Li et al. 2020) and FSDP's prefetch (Zhao et al. 2023) are for. Measured with four processes: a backward pass of eight layers (asleep for 10 ms each), a megabyte of gradient for each.

# %% slideshow={"slide_type": "-"}
hide = {k: float(v) * 1e3 for k, v in four["overlap"].items() if k != "took"}
model = hide["backward"] + cost.exposed(hide["backward"], hide["all_reduce"], 8)
print(f"backward {hide['backward']:.0f} ms, all-reduces {hide['all_reduce']:.0f} ms")
print(f"one after the other {hide['after']:.0f} ms")
print(f"overlapped {hide['overlapped']:.0f} ms, model {model:.0f} ms")
claim("overlapped is faster than one after the other", hide["overlapped"] < hide["after"])

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Wait for the slowest: stragglers
#
# A synchronous step takes $\max_w T_w$. Even if all workers are equal on average, the maximum grows with their number. With lognormal times, $\log T \sim \mathcal N(0, \sigma^2)$, the largest of $p$
# grows like $e^{\sigma\sqrt{2\log p}}$ (for small $p$ that is somewhat too much).
#
# <details><summary><b>Predict:</b> σ = 0.3, so a typical step varies by 30 %. How much slower is a step of 64 workers than that of one?</summary>
#
# About twice as slow: a worker waits half of its time, on average. One cure: do not wait for the last ones (**backup workers**, Chen et al. 2016).
# </details>

# %% slideshow={"slide_type": "skip"}
workers = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])
single_worker = np.exp(0.3**2 / 2)                                              # the mean of one
waits = np.array([[simulate.slowest(p, 0.3, seed=s).mean() / single_worker for p in workers] for s in range(3)])
backup = np.array([[simulate.slowest(p, 0.3, drop=0.1, seed=s).mean() / single_worker for p in workers] for s in range(3)])
claim(f"simulated, 3 seeds: 4, 16, 64 workers need {', '.join(f'{waits[:, i].mean():.2f}' for i in (2, 4, 6))} times the mean of one",
      1.15 < waits[:, 2].min() and 1.7 < waits[:, 6].min() and waits[:, 6].max() < 2.3)
claim(f"ignoring the slowest tenth: 64 workers need {backup[:, 6].mean():.2f}",
      backup[:, 6].max() < 0.85 * waits[:, 6].min())
late = four["stragglers"]
each, once, own = float(late["each"]), float(late["once"]), late["own"]
measured_wait = each / own.sum(0).mean()
print(f"four real processes, {len(own)} steps: {measured_wait:.2f} times the mean of one")
claim(f"the same work, meeting after each step: {each / once:.2f} times as long as meeting once at the end; "
      f"its slowest workers alone would give {own.max(1).sum() / own.sum(0).max():.2f}",
      each > 1.1 * once)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.4, 3.5)
plots.band(ax, waits, "wait for all", workers, ORANGE, marker="o")
plots.band(ax, backup[:, 4:], "wait for 90 %", workers[4:], BLUE, marker="o")      # of fewer than 10, a tenth is nobody
ax.plot(4, measured_wait, "*", color=theme.INK, ms=14, ls="none")
ax.annotate("four real processes", (4, measured_wait), xytext=(-10, 8), textcoords="offset points", ha="right")
ax.set(xscale="log", ylim=(0.9, 2.6), xlabel="workers", ylabel="step time / mean of one worker", title="the slowest sets the pace (σ = 0.3)")
ax.set_xticks(workers, workers)
ax.minorticks_off()
plots.label_ends(ax)
show(fig, alt="Step time against the number of workers: waiting for all grows steadily, waiting for nine tenths, from 16 workers on, stays nearly level.")

# %% [markdown] slideshow={"slide_type": "skip"}
# The star also holds the all-reduces themselves, and whatever else this machine does. Meeting only once is what local SGD gains here.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Send less: compression, and the error it leaves
#
# Send the largest 1 %. Or one bit per number. Or eight bits. Or a matrix of rank 1 (PowerSGD, Vogels et al. 2019). Each throws something away. **Error feedback**
# (Seide et al. 2014; Karimireddy et al. 2019) keeps it for the next step:
#
# $$ c_t = \mathcal C(g_t + e_t), \qquad e_{t+1} = g_t + e_t - c_t . $$
#
# Add up: $\sum_t c_t = \sum_t g_t - e_{T+1}$ (with $e_1 = 0$). Everything is sent in the end, only later: the error stays one term and never becomes a sum.
#
# <details><summary><b>Predict:</b> top 1 % without feedback. Why does it stall, although it always sends the most important numbers?</summary>
#
# A weight with a small gradient at every step is never among the largest. Without memory it is never updated. With memory its turn comes.
# </details>

# %% slideshow={"slide_type": "skip"}
from shared.distributed import compression

show(compression.with_feedback)

# %% slideshow={"slide_type": "skip"}
from shared.distributed.compression import Full, Int8, Sign, TopK

p = 8
rows = simulate.shards(Y, p, mixed=True)
ways = {"none": (Full(), False), "top 1 %": (TopK(0.01), False), "top 1 % + feedback": (TopK(0.01), True), "sign": (Sign(), False),
        "sign + feedback": (Sign(), True), "int8": (Int8(), False), "int8 + feedback": (Int8(), True)}
lossy = {name: f(simulate.compressed(f, rows, codec, feedback, 300, 0.5)) for name, (codec, feedback) in ways.items()}
lossy["PowerSGD rank 1"] = f(simulate.compressed(f, rows, None, True, 300, 0.5, rank=1))
message = {name: (compression.nbytes(codec.encode(np.ones(f.dim))), codec.adds) for name, (codec, _) in ways.items()}
message["PowerSGD rank 1"] = 4 * (65 + 10), True
size = {name: compression.travels(m[0], p, m[1]) for name, m in message.items()}
for name, values in lossy.items():
    print(f"{name:20} loss {values.round(3)}   message {message[name][0]:5} bytes, a worker sends {size[name]:5.0f}")
worse = {name: lossy[name] / lossy["none"] for name in lossy}
claim(f"top 1 % without feedback ends {worse['top 1 %'].min():.1f} times as high; sign {worse['sign'].min():.2f} times, 3 of 3 seeds",
      worse["top 1 %"].min() > 2 and worse["sign"].min() > 1.2)
kept = [name for name in lossy if "+" in name or "Power" in name]
most = max(worse[k].max() for k in kept)
claim(f"with feedback all four end within {most - 1:.1%} above no compression, or below it",
      most < 1.15)
claim("int8 is so fine that here it needs no feedback",
      np.abs(worse["int8"] - 1).max() < 0.01)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How many bytes does that save?
#
# A dense gradient is added up on its way: $2\frac{p-1}{p}n$ bytes a worker. The largest 1 % of two workers are other entries, and the sum of
# two signs is no sign. Such messages of $m$ bytes do not add up, so each must reach everybody, an **all-gather**: $(p-1)\,m$. It saves only for
#
# $$ p < \frac{2n}{m}. $$
#
# PowerSGD sends $P$ and $Q$, which do add up: that is its point, and its saving does not depend on $p$.
#
# <details><summary><b>Predict:</b> int8 has a quarter of the bytes of float32. From how many workers on does it save nothing?</summary>
#
# From 8.
# </details>

# %% slideshow={"slide_type": "skip"}
dense = lambda w: compression.travels(message["none"][0], w, adds=True)
saving = {name: [dense(w) / compression.travels(message[name][0], w, message[name][1]) for w in (2, 8, 64, 256)]
          for name in ("top 1 %", "sign", "int8", "PowerSGD rank 1")}
for name, s in saving.items():
    print(f"{name:16} 2, 8, 64, 256 workers: {', '.join(f'{v:.2g}' for v in s)} times fewer bytes")
claim(f"top 1 %: {saving['top 1 %'][0]:.0f} times fewer bytes between two, {saving['top 1 %'][1]:.1f} among eight, "
      f"and {1 / saving['top 1 %'][3]:.1f} times MORE among 256; int8 among eight {saving['int8'][1]:.2f}",
      saving["top 1 %"][0] > 40 and saving["top 1 %"][3] < 0.6 and saving["int8"][1] < 1)

# %% slideshow={"slide_type": "subslide"}
fig, ax = theme.figure(8.6, 3.7)
for name, values in lossy.items():
    colour = theme.MUTED if name == "none" else GREEN if name in kept else ORANGE
    ax.plot(np.full(3, size[name]), values, "o", color=colour)
place = {"none": (0, -16, "center"), "int8": None, "sign": (10, 0, "left"), "top 1 %": (10, 0, "left"), "int8 + feedback": (0, 10, "center"), "PowerSGD rank 1": (0, 12, "center"),
         "sign + feedback": (10, 0, "left"), "top 1 % + feedback": (0, -16, "center")}
for name, where in place.items():
    if where:
        label = {"int8 + feedback": "int8, with or without", "none": "no compression"}.get(name, name)
        ax.annotate(label, (size[name], np.median(lossy[name])), xytext=where[:2], textcoords="offset points", ha=where[2], va="center", fontsize=9.5)
ax.set(xscale="log", yscale="log", xlim=(200, 9000), ylim=(0.15, 1.1), xlabel="bytes that each of eight workers sends in a step", ylabel="loss after 300 steps", title="with feedback the loss is kept; int8 saves no byte")
ax.set_xticks([300, 1000, 3000], ["300", "1000", "3000"])
ax.set_yticks([0.2, 0.3, 0.5, 1], ["0.2", "0.3", "0.5", "1"])
ax.minorticks_off()
show(fig, alt="Loss against bytes a step: with error feedback all codecs reach the loss without compression, without it the top one percent and the sign end higher.")

# %% [markdown] slideshow={"slide_type": "skip"}
# The same codecs for real: as **communication hooks** of DDP, four processes, 40 steps. A hook receives a bucket of gradients and returns what all ranks agree on. PowerSGD here is torch's own hook.
# Bytes are counted twice: from the messages, and by the operating system, which knows what each process has written.

# %% slideshow={"slide_type": "skip"}
show(asynchronous.Compressed)
hooks = four["compressed"]
lost = dict(zip(hooks["names"], hooks["losses"]))
for name, value, sent, seen in zip(hooks["names"], hooks["losses"], hooks["bytes"], hooks["written"]):
    print(f"{name:20} loss {value:.3f}   {sent / 1e3:7.0f} kB sent by a rank; the system saw {seen / 1e3:7.0f} kB written")
sent, seen = hooks["bytes"][:2], hooks["written"][:2]                          # not compressed, top 1 % + feedback
if np.isfinite(seen).all():                                                    # only some systems count
    agree = (seen[0] - seen[1]) / (sent[0] - sent[1])
    claim(f"the system saw {seen[0] / 1e6:.2f} MB without compression, {seen[1] / 1e6:.2f} MB with top 1 %: "
          f"{agree:.3f} times the difference that the messages give",
          abs(agree - 1) < 0.05)
pair = 4 * len(alone["sgd"]) / compression.nbytes(TopK(0.01).encode(alone["sgd"]))
claim(f"four processes: top 1 % sends {sent[0] / sent[1]:.0f} times fewer bytes, half of the {pair:.0f} times between two",
      abs(sent[0] / sent[1] - pair / 2) < 0.01 * pair)
claim(f"DDP, 40 steps: top 1 % with feedback {lost['top 1 % + feedback']:.2f}, without {lost['top 1 %']:.2f}, uncompressed {lost['none']:.2f}",
      lost["none"] < lost["top 1 % + feedback"] < lost["top 1 %"])

# %% [markdown] slideshow={"slide_type": "skip"}
# After 40 steps the feedback still holds back part of the gradient: 1 % a step takes a hundred steps to go around. That delay is staleness again.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Plan before you buy
#
# Most of the above in one figure: compute (six flops a parameter and token, Kaplan et al. 2020), exposed communication, bubble, memory.

# %% slideshow={"slide_type": "-"}
from shared.explorers import cost_planner

cost_planner.explorer()

# %% [markdown] slideshow={"slide_type": "skip"}
# 1. Which model size ends data parallel by its memory? Does its efficiency depend on the model size at all? Find the slider that makes bandwidth the limit.
# 2. With a bandwidth of 400 GB/s and more (inside one machine) tensor parallel becomes sensible. Below it does not. Why?
# 3. 1024 devices: which slider brings the efficiency back? What does that do to the optimization (the critical batch)?
#
# It is a model: it knows no stragglers, no activation memory, no mixture of strategies. Its latency and bandwidth are yours to measure.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### When a rank fails
#
# Synchronous ranks wait for each other. If one dies, the others would wait for ever. `launch` ends them all and hands you the first failure, not the noise that follows.

# %% slideshow={"slide_type": "-"}
from shared.distributed.launch import WorkerError

try:
    launch("raises", processes=2, timeout=100)
except WorkerError as error:
    print(error)
    claim("one error, with the worker's own line", "rank 1 of 2 failed in raises: ZeroDivisionError" in str(error))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same program on a cluster
#
# The code stays, the arguments change. Four machines with eight GPUs each:
#
# ```
# torchrun --nnodes=4 --nproc-per-node=8 --rdzv-backend=c10d --rdzv-endpoint=HOST:29500 \
#     -m shared.distributed.workers --backend nccl --folder RESULTS by_hand ddp fsdp timings
# ```
#
# 32 ranks do not divide the batch of 48: the shares are weighted, so the parameters are the same as here. Run it on each machine, or once through Slurm: `srun --nodes=4 --ntasks-per-node=1 torchrun ...`. `timings` then measures *your* network, and `cost.fit` turns it into α and β.
# FSDP2, tensor parallel and pipelining ran on the CPU here, over gloo. Only the GPU path has not been run for this course.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Replace each `...`, run the cell, then its check.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1 (implement): unequal shards
#
# `means` is (ranks, d): each rank's mean gradient. `counts` is (ranks,): how many examples each had. Return the mean gradient of the whole batch.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def average(means, counts):
    """The gradient of the whole batch (d,)."""
    ### BEGIN SOLUTION
    return counts @ means / counts.sum()
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("08.average", average)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What is the *sum* over the examples of rank r?
# - Add those sums and divide by the number of all examples.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2 (implement): which chunk?
#
# In the reduce-scatter of a ring of `p` ranks, each rank sends the chunk of its own number at step 0, and then always passes on what it has just received from `rank - 1`.
# Return the number of the chunk that `rank` sends at `step`.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def chunk(rank, step, p):
    """The chunk, 0 ... p − 1, that this rank sends at this step."""
    ### BEGIN SOLUTION
    return (rank - step) % p
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("08.chunk", chunk)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What did rank − 1 send one step earlier?
# - The numbers fall by one each step. Below 0 comes p − 1.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3 (implement): error feedback
#
# Compress with the sign: a vector $c$ becomes its signs times the mean of $|c_i|$. `g` is the gradient, `e` what earlier steps left. Return two vectors: what is sent, and the new `e`.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def feedback(g, e):
    """(sent, new error) of one round of error feedback with the sign."""
    ### BEGIN SOLUTION
    c = g + e
    sent = np.abs(c).mean() * np.sign(c)
    return sent, c - sent
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("08.feedback", feedback)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What should be sent at this step, if there were no compression? Not only g.
# - The new error is what should have been sent minus what was.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4 (implement): accumulate, then communicate
#
# `parts` is (m, d): the gradient sums of this rank's micro-batches. `all_reduce(v)` returns the sum of `v` over all ranks, and every number it is given costs bytes.
# Return the sum over all micro-batches of all ranks, with as few bytes as possible.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
def accumulate(parts, all_reduce):
    """The gradient sum (d,) over all micro-batches of all ranks."""
    ### BEGIN SOLUTION
    return all_reduce(parts.sum(0))
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("08.accumulate", accumulate)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - Sums may be taken in any order. Which order sends the fewest numbers?
# - The check compares two things: the result, and how many numbers you sent.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5 (derive): a gradient of one gigabyte
#
# Eight workers, $n = 10^9$ bytes, $\alpha = 20$ µs, $\beta = 10$ GB/s. How many **seconds** does a ring all-reduce take?

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
ring_seconds = 2 * 7 * (20e-6 + 1e9 / 8 / 10e9)
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("08.seconds", ring_seconds)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - How many messages does a worker send, one after the other, and how large is each?
# - Two passes of 7 steps. A message is an eighth of the gradient.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6 (experiment): eight steps too late
#
# $f(x) = 2x^2$, so the curvature is 4. Gradients are $\tau = 8$ steps old. Find a learning rate with an error below $10^{-4}$ after 200 steps, from $x = 1$.

# %% tags=["exercise"] slideshow={"slide_type": "skip"}
### BEGIN SOLUTION
stale_rate = 0.011
### END SOLUTION

# %% slideshow={"slide_type": "skip"}
check("08.stale", stale_rate)

# %% [markdown] tags=["hints"] slideshow={"slide_type": "skip"}
# - What is the largest stable ηλ for τ = 8? Divide by the curvature.
# - A quarter of the limit is a good place to start.
#
# Solution: the fastest rate has $\eta\lambda = \tau^\tau/(\tau+1)^{\tau+1} \approx 1/(e(\tau + 1))$, where two roots of $z^{\tau+1} = z^\tau - \eta\lambda$ meet.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# | idea | in one sentence |
# |:--|:--|
# | **data parallel** | a sum of gradients may be shared, if shards are weighted by their size and the loss is a sum |
# | **ZeRO, FSDP** | the owner of a slice updates it: what is kept falls to $1/p$ at stage 3, and stage 2 costs no extra byte |
# | **tensor, pipeline** | split matrices by rows, then columns; idle share of a pipeline $(p-1)/(m+p-1)$ |
# | **accumulation, checkpointing** | time for memory; count tokens, not micro-batches |
# | **ring all-reduce** | $2\frac{p-1}{p}n$ bytes a wire, below $2n$ however many ranks; the tree has fewer messages |
# | **local SGD, DiLoCo** | $H$ times fewer messages; nearly free for data dealt at random, drift for data that differ |
# | **staleness** | $\eta\lambda < 2\sin\frac{\pi}{4\tau+2}$: with all gradients $\tau$ steps old the rate must fall like $1/\tau$ |
# | **stragglers** | the slowest of 64 equal workers takes about twice the mean (lognormal, $\sigma = 0.3$) |
# | **compression** | with error feedback nothing is lost, only late; messages that do not add up save only for $p < 2n/m$ workers |
# | **critical batch** | beyond it more workers buy little |

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - R. Thakur, R. Rabenseifner, W. Gropp. *Optimization of collective communication operations in MPICH.* International Journal of High Performance Computing Applications 19, 2005.
# - P. Patarasuk, X. Yuan. *Bandwidth optimal all-reduce algorithms for clusters of workstations.* Journal of Parallel and Distributed Computing 69, 2009.
# - F. Niu, B. Recht, C. Ré, S. Wright. *Hogwild!: A lock-free approach to parallelizing stochastic gradient descent.* NIPS 2011.
# - M. Li et al. *Scaling distributed machine learning with the parameter server.* OSDI 2014.
# - F. Seide, H. Fu, J. Droppo, G. Li, D. Yu. *1-bit stochastic gradient descent and its application to data-parallel distributed training of speech DNNs.* Interspeech 2014. Error feedback.
# - T. Chen, B. Xu, C. Zhang, C. Guestrin. *Training deep nets with sublinear memory cost.* arXiv:1604.06174, 2016. Checkpointing.
# - J. Chen, X. Pan, R. Monga, S. Bengio, R. Jozefowicz. *Revisiting distributed synchronous SGD.* arXiv:1604.00981, 2016. Backup workers.
# - P. Goyal et al. *Accurate, large minibatch SGD: training ImageNet in 1 hour.* arXiv:1706.02677, 2017. Linear scaling.
# - S. McCandlish, J. Kaplan, D. Amodei. *An empirical model of large-batch training.* arXiv:1812.06162, 2018. The critical batch.
# - S. Stich. *Local SGD converges fast and communicates little.* ICLR 2019.
# - S. Karimireddy, Q. Rebjock, S. Stich, M. Jaggi. *Error feedback fixes SignSGD and other gradient compression schemes.* ICML 2019.
# - T. Vogels, S. Karimireddy, M. Jaggi. *PowerSGD: practical low-rank gradient compression for distributed optimization.* NeurIPS 2019.
# - Y. Huang et al. *GPipe: efficient training of giant neural networks using pipeline parallelism.* NeurIPS 2019.
# - M. Shoeybi et al. *Megatron-LM: training multi-billion parameter language models using model parallelism.* arXiv:1909.08053, 2019.
# - S. Rajbhandari, J. Rasley, O. Ruwase, Y. He. *ZeRO: memory optimizations toward training trillion parameter models.* SC 2020.
# - J. Kaplan et al. *Scaling laws for neural language models.* arXiv:2001.08361, 2020. Six flops a parameter and token.
# - S. Li et al. *PyTorch distributed: experiences on accelerating data parallel training.* VLDB 2020. Buckets and overlap.
# - Y. Zhao et al. *PyTorch FSDP: experiences on scaling fully sharded data parallel.* VLDB 2023.
# - A. Douillard et al. *DiLoCo: distributed low-communication training of language models.* arXiv:2311.08105, 2023.
