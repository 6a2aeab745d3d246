"""What tuning gives after 1, 2, 4, ... trials."""

from dataclasses import dataclass

import numpy as np

from .runs import scores
from .settings import settings_rng


@dataclass(frozen=True)
class Race:
    """Settings, name -> {hyperparameter: (draws, trials)}, and scores, name -> (draws, trials, 2): tuned, reported."""

    settings: dict
    scores: dict

    def after(self, budget):
        """What tuning with `budget` trials gives, name -> (draws · ⌊trials / budget⌋,): lower is better.

        Every value has its own `budget` settings, shared with no other: the best of them by the tuning score is
        reported by the other. So their spread is the luck of whoever tunes once.
        """
        out = {}
        for name, table in self.scores.items():
            trials = table.shape[1]
            if not 1 <= budget <= trials:
                raise ValueError(f"after needs 1 <= budget <= {trials} trials, got {budget}")
            parts = table[:, : trials // budget * budget].reshape(-1, budget, 2)
            out[name] = parts[np.arange(len(parts)), parts[..., 0].argmin(1), 1]
        return out

    def curves(self, budgets, quantiles=(0.25, 0.5, 0.75)):
        """Quantiles of `after` for several budgets: name -> (quantiles, budgets)."""
        each = [self.after(b) for b in budgets]
        return {name: np.stack([np.quantile(e[name], quantiles) for e in each], -1) for name in self.scores}

    def ranking(self, budget):
        """The methods from best to worst by their median after tuning with `budget` trials."""
        medians = {name: np.median(values) for name, values in self.after(budget).items()}
        return sorted(medians, key=medians.get)


def race(entries, problem, score, steps, trials=16, draws=12, seeds=(0, 1, 2, 3), seed=0):
    """Run every entry with draws · trials random settings, each with two of the seeds: a Race.

    entries: name -> Entry;  problem(seed) -> (oracle, start (d,));  score(x (..., d)) -> (...), lower is better, on
    data that the oracle does not see;  the settings are drawn with `seed`, fresh ones for every draw and entry.
    Draw d is tuned with seeds[d] and reported with the next one, both modulo their number: one batch per seed.
    """
    if draws < 1 or trials < 1 or len(seeds) < 2:
        said = f"got draws={draws}, trials={trials} and {len(seeds)} seeds"
        raise ValueError(f"race needs draws >= 1, trials >= 1 and at least 2 seeds, {said}")
    settings, table = {}, {}
    used = (np.arange(draws)[:, None] + [0, 1]) % len(seeds)  # (draws, 2): which seed tunes, which reports
    for i, (name, entry) in enumerate(entries.items()):
        flat = entry.settings(draws * trials, settings_rng(seed, i))
        settings[name] = {knob: values.reshape(draws, trials) for knob, values in flat.items()}
        table[name] = np.empty((draws, trials, 2))
        for s, training in enumerate(seeds):
            draw, role = np.nonzero(used == s)
            part = {knob: values[draw].ravel() for knob, values in settings[name].items()}
            found = scores(entry, part, problem, score, steps, (training,))
            table[name][draw, :, role] = found.reshape(-1, trials)
    return Race(settings, table)
