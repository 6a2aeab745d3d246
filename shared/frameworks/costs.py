"""What a step costs in each library: numbers kept per parameter, and time, for one model in one run."""

import time

import numpy as np

from shared import chance

from . import LIBRARIES

SHAPES = [(784, 256), (256,), (256, 128), (128,), (128, 10), (10,)]  # an ordinary network: 235,146 parameters


def tensors(shapes=SHAPES, seed=0):
    """Weights, or gradients, of these shapes: float32."""
    rng = chance.rng(seed)
    return [rng.standard_normal(s).astype("float32") * 0.1 for s in shapes]


def state(library, optimizer, shape=(256, 128)):
    """Numbers the optimizer keeps per parameter of one weight matrix after a step, its counters left out."""
    x, g, lib = tensors([shape])[0], tensors([shape], 1)[0], LIBRARIES[library]
    make, n = lib.constructor(optimizer), x.size
    rate = {} if lib.default_rate(optimizer) is not None else lib.translate({"lr": 0.01})
    options = lib.fixed.get(optimizer, {}) | rate
    if library == "PyTorch":
        torch = lib.require()
        p = torch.nn.Parameter(torch.tensor(x))
        p.grad, rule = torch.tensor(g), make([p], **options)
        rule.step()
        kept = [v.numel() for v in rule.state[p].values() if torch.is_tensor(v)]
    elif library == "TensorFlow":
        tf = lib.require()
        rule, v = make(**options), tf.Variable(x)
        rule.apply_gradients([(tf.constant(g), v)])
        kept = [int(np.prod(s.shape)) for s in rule.variables()]
    elif library == "Keras":
        keras = lib.require()
        rule, v = make(**options), keras.Variable(x)
        rule.apply([keras.ops.convert_to_tensor(g)], [v])
        kept = [int(np.prod(s.shape)) for s in rule.variables]
    else:
        import jax

        kept = [np.size(leaf) for leaf in jax.tree.leaves(make(**options).init(jax.numpy.asarray(x)))]
    return sum(size for size in kept if size > 1) / n


def stepper(library, way, shapes=SHAPES):
    """A function that takes one Adam step in a library, its `way` one of WAYS, and waits until it is done."""
    xs, gs, lib = tensors(shapes), tensors(shapes, 1), LIBRARIES[library]
    module, make = lib.require(), lib.constructor("Adam")
    if library == "PyTorch":
        params = [module.nn.Parameter(module.tensor(x)) for x in xs]
        for p, g in zip(params, gs):
            p.grad = module.tensor(g)
        options = {"tensor by tensor": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}[way]
        return make(params, **options).step
    if library == "Optax":
        import jax

        rule = make(1e-3)
        xs, gs = ([jax.numpy.asarray(a) for a in part] for part in (xs, gs))

        def update(xs, state):
            updates, state = rule.update(gs, state, xs)
            return jax.tree.map(lambda x, u: x + u, xs, updates), state

        update, now = jax.jit(update) if way == "jit" else update, [xs, rule.init(xs)]

        def step():
            now[:] = jax.block_until_ready(update(*now))

        return step
    tf, rule = LIBRARIES["TensorFlow"].require(), make()
    gs = [tf.constant(g) for g in gs]
    if library == "TensorFlow":
        xs = [tf.Variable(x) for x in xs]
        step = lambda: rule.apply_gradients(zip(gs, xs))
    else:
        xs = [module.Variable(x) for x in xs]
        rule.build(xs)
        step = lambda: rule.apply(gs, xs)
    return tf.function(step) if way == "graph" else step


WAYS = (
    ("PyTorch", "tensor by tensor"), ("PyTorch", "foreach"), ("PyTorch", "fused"),
    ("TensorFlow", "eager"), ("Keras", "eager"), ("Keras", "graph"), ("Optax", "eager"), ("Optax", "jit"),
)  # fmt: skip


def step_times(ways=WAYS, repeats=20):
    """{(library, way): seconds of one Adam step}, the least of `repeats` after two steps that warm up."""
    found = {}
    for library, way in ways:
        if not LIBRARIES[library].installed or library == "Keras" and LIBRARIES["Keras"].backend != "tensorflow":
            continue
        step, best = stepper(library, way), np.inf
        for i in range(repeats + 2):
            start = time.perf_counter()
            step()
            best = min(best, time.perf_counter() - start) if i > 1 else best
        found[library, way] = best
    return found
