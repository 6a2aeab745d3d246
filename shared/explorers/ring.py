"""Ring all-reduce: who sends which chunk to whom, step by step, and what ring, tree and server cost."""

import numpy as np
from matplotlib.collections import LineCollection

from shared.distributed import cost
from shared.figures import theme
from shared.figures.live import Choice, LiveFigure, Play, Slider, head

MOST = 8  # workers
LINK = cost.Link(latency=20e-6, bandwidth=10e9)
SIZES = np.geomspace(1e3, 1e10, 60)  # bytes
COLOURS = dict(zip(cost.ALGORITHMS, (theme.SEQUENCE[0], theme.SEQUENCE[2], theme.SEQUENCE[1])))
HALVES = {
    "ring": ("reduce-scatter: send one chunk on, the next worker adds",
             "all-gather: send a finished chunk on, the next worker keeps it"),
    "tree": ("up: one of a pair sends all, the other adds", "down: send the sum back"),
    "server": ("one worker sends all, worker 0 adds", "worker 0 sends the sum back"),
}  # fmt: skip
NAMES = {"ring": "ring", "tree": "tree", "server": "parameter server"}


def compute(workers, algorithm, size):
    """Replay the algorithm's schedule on numbers that count contributions.

    Returns "counts" (steps + 1, workers, chunks): of how many workers a chunk is the sum; "sends", for each step the
    list of (from, to, chunk); "times" of all three algorithms (60,) over SIZES, and "now" at `size` megabytes.
    """
    p = workers
    has = np.zeros((p, p, p), dtype=int)  # rank, chunk, whose contribution
    has[np.arange(p), :, np.arange(p)] = 1
    steps = cost.schedule(algorithm, p)
    counts = [has.sum(-1)]
    for s, sends in enumerate(steps):
        before = has.copy()
        for a, b, c in sends:
            has[b, c] = before[a, c] + (before[b, c] if s < len(steps) // 2 else 0)
        counts.append(has.sum(-1))
    times = {name: cost.all_reduce(name, SIZES, p, LINK) for name in cost.ALGORITHMS}
    now = {name: float(cost.all_reduce(name, 1e6 * size, p, LINK)) for name in cost.ALGORITHMS}
    carried = cost.ALGORITHMS[algorithm](1.0, p)[1]
    return {"counts": np.array(counts), "sends": steps, "times": times, "now": now, "carried": float(carried)}


def seconds(t):
    """A time for people."""
    return f"{t * 1e6:.0f} µs" if t < 1e-3 else f"{t * 1e3:.3g} ms" if t < 1 else f"{t:.3g} s"


def captions(algorithm, steps):
    """What happens in each step, one line each."""
    half = len(steps) // 2
    first, second = HALVES[algorithm]
    lines = ["start: each worker has its own gradient"]
    lines += [f"step {s + 1} of {len(steps)}, {first if s < half else second}" for s in range(len(steps))]
    return "\n".join(lines)


def explorer(workers=4, algorithm="ring", size=100.0):
    """Play the steps; change the number of workers, the algorithm, and the size of the gradient."""
    fig, (board, costs) = theme.figure(10, 4.2, cols=2, gridspec_kw={"width_ratios": [1.15, 1]})
    board.grid(False)
    board.set(xlim=(-0.07, 1.03), ylim=(1.03, -0.12), xlabel="chunks of the gradient", ylabel="workers, 0 at the top",
              xticks=[], yticks=[])  # fmt: skip
    cells = board.add_collection(LineCollection([], colors=theme.FAINT, capstyle="butt"))
    partial = board.add_collection(LineCollection([], colors=theme.SEQUENCE[0], capstyle="butt"))
    whole = board.add_collection(LineCollection([], colors=theme.GOOD, capstyle="butt"))
    wires = board.add_collection(LineCollection([], colors=theme.SEQUENCE[1], linewidths=2.2))
    (tips,) = board.plot([], [], "o", color=theme.SEQUENCE[1], ms=7, mec="white")
    said = board.text(-0.06, -0.07, "", fontsize=9.5)
    numbers = [board.text(-0.06, 0, "", color=theme.MUTED, va="center") for _ in range(MOST)]
    costs.set(xscale="log", yscale="log", xlim=(SIZES[0], SIZES[-1]), ylim=(2e-5, 30), xlabel="bytes of the gradient",
              ylabel="seconds")  # fmt: skip
    lines = {name: costs.plot([], [], color=COLOURS[name], label=NAMES[name])[0] for name in cost.ALGORITHMS}
    (here,) = costs.plot([], [], "o", color=theme.INK, ms=7, ls="none")
    costs.legend(loc="upper left", title="α = 20 µs, β = 10 GB/s")

    def draw(data, workers, algorithm, size):
        p, steps = workers, data["sends"]
        rank, chunk = np.indices((p, p)).reshape(2, -1)
        foot = np.stack([chunk + 0.5, rank + 0.92], -1) / p
        bars = lambda share: np.stack([foot, foot - np.stack([0 * share, 0.84 / p * share], -1)], 1)
        cells.set_segments(bars(np.ones(p * p)))
        for boxes in (cells, partial, whole):
            boxes.set_linewidth(190 / p)
        for r, number in enumerate(numbers):
            number.set_text(str(r) if r < p else "")
            number.set_position((-0.06, (r + 0.5) / p))
        padded = np.full((len(steps) + 1, MOST * MOST, 2, 2), np.nan)
        full, sent, ends = padded.copy(), padded.copy(), padded[..., 0].copy()
        for s, count in enumerate(data["counts"].reshape(len(steps) + 1, -1)):
            padded[s, : p * p] = np.where((count < p)[:, None, None], bars(count / p), np.nan)
            full[s, : p * p] = np.where((count == p)[:, None, None], bars(count / p), np.nan)
            if s:
                a, b, c = np.array(steps[s - 1]).T
                sent[s, : len(a)] = (np.stack([np.stack([c, a], -1), np.stack([c, b], -1)], 1) + 0.5) / p
                ends[s, : len(a)] = sent[s, : len(a), 1]
        partial.set_segments(padded.reshape(-1, 2, 2))
        whole.set_segments(full.reshape(-1, 2, 2))
        wires.set_segments(sent.reshape(-1, 2, 2))
        tips.set_data(*ends.reshape(-1, 2).T)
        said.set_text(captions(algorithm, steps))
        for name, line in lines.items():
            line.set_data(SIZES, data["times"][name])
        here.set_data([1e6 * size] * 3, list(data["now"].values()))
        board.set_title(f"{NAMES[algorithm]}, {p} workers: {data['carried']:.3g} × the gradient on the busiest wire",
                        fontsize=10.5)  # fmt: skip
        costs.set_title(", ".join(f"{name} {seconds(t)}" for name, t in data["now"].items()), fontsize=10.5)

    each = MOST * MOST
    live = [cells, head(partial, each=each), head(whole, each=each), head(wires, each=each), head(tips, each=each),
            head(said), *numbers, *lines.values(), here]  # fmt: skip
    figure = LiveFigure(fig, live, compute=compute, draw=draw, controls=[
        Slider("workers", 2, MOST, workers, step=1),
        Choice("algorithm", list(cost.ALGORITHMS), algorithm),
        Slider("size", 1e-3, 1e4, size, log=True, label="megabytes of the gradient"),
        Play("step", lambda data: len(data["sends"])),
    ], alt="Which chunk each worker sends in each step of an all-reduce, how many contributions every chunk holds, "
           "and the time of ring, tree and parameter server against the size.")  # fmt: skip
    figure.set(step=min(2, len(figure.data["sends"])))  # a still that shows how it works
    return figure
