"""One training recipe in four dialects, each library with its own model, gradients, schedule and clipping.

The network of `problem.tiny_network`: 64 -> 16 (tanh) -> 10, cross-entropy, 100 batches in a fixed order. AdamW; the
rate rises for 10 steps and falls along a cosine; the gradient is clipped to a global norm. Every function returns the
trajectory (101, d). This is the migration guide that runs: read them side by side.
"""

import math

import numpy as np

from . import LIBRARIES

RATE, DECAY, CLIP, EPS, WARM, STEPS = 0.01, 0.1, 0.5, 1e-12, 10, 100


def rate(k):
    """The learning rate of step k + 1, k = 0, 1, ..."""
    return RATE * (k + 1) / WARM if k < WARM else RATE * (1 + math.cos(math.pi * (k - WARM) / (STEPS - WARM))) / 2


def in_pytorch(f):
    """An object that holds the parameters; a scheduler steps after it; clipping is a call of yours."""
    torch = LIBRARIES["PyTorch"].require()
    model = torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.Tanh(), torch.nn.Linear(16, 10))
    with torch.no_grad():
        for p, x in zip(model.parameters(), f.start):
            p.copy_(torch.tensor(x.T))  # nn.Linear keeps (outputs, inputs)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, eps=EPS, weight_decay=DECAY)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    path = [_flat(p.detach().numpy().T for p in model.parameters())]
    for t in range(1, STEPS + 1):
        X, y = map(torch.tensor, f.batch(t))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(X.float()), y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        scheduler.step()
        path.append(_flat(p.detach().numpy().T for p in model.parameters()))
    return np.stack(path)


def in_keras(f, clip="global_clipnorm", epsilon=EPS, weight_decay=DECAY):
    """compile and train: schedule and clipping are arguments of the optimizer. Runs on any backend.

    The defaults translate the recipe (but for ε's place); other values show what a careless translation does.
    """
    keras = LIBRARIES["Keras"].require()
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(16, "tanh"), keras.layers.Dense(10)])
    model.set_weights([x.astype("float32") for x in f.start])
    path = [_flat(model.get_weights())]
    optimizer = keras.optimizers.AdamW(
        learning_rate=_keras_schedule(keras)(), weight_decay=weight_decay, epsilon=epsilon, **{clip: CLIP})
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for t in range(1, STEPS + 1):
        X, y = f.batch(t)
        model.train_on_batch(X.astype("float32"), y)
        path.append(_flat(model.get_weights()))
    return np.stack(path)


def _keras_schedule(keras):
    class Schedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            ops, k = keras.ops, keras.ops.cast(step, "float32")
            cosine = RATE * (1 + ops.cos(math.pi * (k - WARM) / (STEPS - WARM))) / 2
            return ops.where(k < WARM, RATE * (k + 1) / WARM, cosine)

    return Schedule


def in_tensorflow(f):
    """Variables, a tape, and TensorFlow's own Adam; it has no AdamW, so the decay is one line before the step."""
    tf = LIBRARIES["TensorFlow"].require()
    xs = [tf.Variable(x, dtype="float32") for x in f.start]
    k = tf.Variable(0)
    shrink = lambda: EPS * math.sqrt(1 - 0.999 ** (int(k) + 1))  # so that ε is added to √v̂
    adam = tf.compat.v1.train.AdamOptimizer(lambda: rate(int(k)), epsilon=shrink)
    path = [_flat(x.numpy() for x in xs)]
    for t in range(1, STEPS + 1):
        X, y = f.batch(t)
        with tf.GradientTape() as tape:
            z = tf.tanh(tf.cast(X, "float32") @ xs[0] + xs[1]) @ xs[2] + xs[3]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, z))
        grads, _ = tf.clip_by_global_norm(tape.gradient(loss, xs), CLIP)
        for x in xs:
            x.assign_sub(rate(t - 1) * DECAY * x)
        adam.apply_gradients(zip(grads, xs))
        k.assign_add(1)
        path.append(_flat(x.numpy() for x in xs))
    return np.stack(path)


def in_optax(f):
    """Pure functions chained: clip, then adamw; the schedule is a function that the rule is given."""
    optax = LIBRARIES["Optax"].require()
    import jax
    import jax.numpy as jnp

    def loss(xs, X, y):
        z = jnp.tanh(X @ xs[0] + xs[1]) @ xs[2] + xs[3]
        return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

    warm = lambda k: RATE * (k + 1) / WARM
    cosine = lambda k: RATE * (1 + jnp.cos(jnp.pi * k / (STEPS - WARM))) / 2
    schedule = optax.join_schedules([warm, cosine], [WARM])
    rule = optax.chain(optax.clip_by_global_norm(CLIP), optax.adamw(schedule, eps=EPS, weight_decay=DECAY))

    @jax.jit
    def step(xs, state, X, y):
        updates, state = rule.update(jax.grad(loss)(xs, X, y), state, xs)
        return optax.apply_updates(xs, updates), state

    xs = [jnp.asarray(x, dtype="float32") for x in f.start]
    state, path = rule.init(xs), [_flat(xs)]
    for t in range(1, STEPS + 1):
        X, y = f.batch(t)
        xs, state = step(xs, state, X.astype("float32"), y)
        path.append(_flat(xs))
    return np.stack(path)


RECIPES = {"PyTorch": in_pytorch, "TensorFlow": in_tensorflow, "Keras": in_keras, "Optax": in_optax}


def _flat(tensors):
    return np.concatenate([np.ravel(x) for x in tensors])
