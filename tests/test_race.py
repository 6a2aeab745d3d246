"""Fair comparisons: ratios that are known are found, equals stay equal, and what could be said against one is said."""

from itertools import islice

import numpy as np
import pytest
import torch

from shared import chance
from shared.descent import iterates, run
from shared.optimizers import SGD, Adam
from shared.problems import quadratic
from shared.race import (
    Entry,
    Method,
    Outcome,
    Race,
    Range,
    compare,
    final,
    order_statistics,
    race,
    rules,
    scores,
    table,
    tables,
)

WIDE = Range(1e-3, 1, log=True)


def valley(level, best=0.03, noise=0.1, width=3.0, **more):
    """A method whose loss is level · e^(log₁₀(η/best)²/width + noise): tuned well, it ends at `level`."""

    def train(seed, lr):
        rng = chance.rng((seed, int(1e6 * abs(level))))
        bowl = level * np.exp(np.log10(lr / best) ** 2 / width)
        a, b = np.exp(noise * rng.standard_normal((2, np.size(lr))))
        return Outcome(bowl * a, bowl * b, **more)

    return Method(train, {"lr": WIDE}, batched=True)


# ---- ratios --------------------------------------------------------------------------------------------------------
def test_the_interval_covers_a_known_ratio_as_often_as_it_says():
    """Two methods, a factor of 2 apart, 200 comparisons of 5 draws: 1 − 2⁻⁴ of the intervals hold 0.5."""
    methods = {"a": valley(1.0), "b": valley(2.0)}
    found = [compare(methods, draws=5, trials=5, seed=100 * i).ratio("a", "b") for i in range(200)]
    assert found[0].coverage == 1 - 2**-4
    assert np.mean([r.low <= 0.5 <= r.high for r in found]) == pytest.approx(1 - 2**-4, abs=0.07)
    assert np.mean([r.high < 0.8 and not r.flips and not r.edge for r in found]) > 0.9


def test_two_equal_methods_are_not_separated():
    methods = {"a": valley(1.0), "b": valley(1.0 + 1e-6)}
    found = [compare(methods, trials=5, seed=100 * i).ratio("a", "b") for i in range(200)]
    assert np.mean([r.low <= 1 <= r.high for r in found]) > 0.86
    assert not any(r.high < 0.8 or r.low > 1.25 for r in found)


def test_a_ratio_is_paired():
    """Seeds differ by a factor of e³ and more, methods by one of 2: the pairs see it all the same."""
    common = lambda seed: np.exp(3 * chance.rng(seed).standard_normal())
    a, b = (Method(lambda seed, k=k: Outcome(k, k * common(seed)), {}) for k in (1, 2))
    c = compare({"a": a, "b": b})
    assert np.ptp(np.log(c.values("a"))) > 1 and c.ratio("a", "b").low == pytest.approx(0.5)
    assert c.ratio("a", "b").high == pytest.approx(0.5)


@pytest.mark.parametrize("n, k, coverage", [(1, 0, 0.0), (3, 0, 0.75), (5, 0, 0.9375), (8, 1, 1 - 18 / 256)])
def test_order_statistics(n, k, coverage):
    assert order_statistics(n) == (k, pytest.approx(coverage))
    x = np.sort(np.random.default_rng(0).standard_normal((20000, n)))
    assert ((x[:, k] <= 0) & (0 <= x[:, -1 - k])).mean() == pytest.approx(coverage, abs=0.01)


def test_a_ratio_prints_and_inverts():
    c = compare({"a": valley(0.3, noise=0), "b": valley(1.0, noise=0)}, draws=4)
    r, back = c.ratio("a", "b"), c.ratio("b", "a")
    assert (r.median * back.median, r.low * back.high) == (pytest.approx(1), pytest.approx(1))
    assert f"{r}" == str(r) and f"{r:.1f}" == "0.3 (0.3 to 0.3, 4 draws)"
    assert "(0." in str(r) and str(r).endswith(", 4 draws)")


# ---- tuning --------------------------------------------------------------------------------------------------------
def test_a_grid_grows_until_the_best_is_inside():
    best = {"far": 3.0, "low": 2e-4, "near": 0.03}
    c = compare({name: valley(1.0, lr, noise=0) for name, lr in best.items()}, trials=6)
    assert (c.chosen("far")["lr"] > 1).all() and (c.chosen("low")["lr"] < 1e-3).all()
    assert (c.trials("far") > 6).all() and (c.trials("low") > 6).all() and (c.trials("near") == 6).all()
    assert not c.edge("far") and not c.edge("low") and not c.edge("near")
    for name in best:
        for (settings, tune), lr in zip(c.tuned[name].tried, c.chosen(name)["lr"]):
            np.testing.assert_allclose(np.diff(np.log10(settings["lr"])), 0.5)
            assert 0 < tune.argmin() < len(tune) - 1 and settings["lr"][tune.argmin()] == pytest.approx(lr)


def test_an_edge_that_is_never_passed_is_said():
    c = compare({"ever": valley(1.0, best=1e9, noise=0), "near": valley(1.0)}, trials=4)
    assert c.edge("ever") == ("lr high",) and (c.trials("ever") == 8).all()
    assert c.ratio("ever", "near").edge and "lr high" in str(c)
    once = Method(lambda seed, lr: Outcome(1 / lr if seed == 4 else abs(np.log(lr) + 3), 1.0), {"lr": WIDE})
    assert compare({"once": once}).edge("once") == ("lr high",)  # in one draw of five


def test_a_range_ends_where_its_knob_does():
    capped = Method(lambda seed, b: Outcome(1 / b, 1 / b), {"b": Range(0.01, 1, log=True, capped=True)})
    plain = Method(lambda seed, b: Outcome(1 / b, 1 / b), {"b": Range(0.01, 1)})
    c = compare({"capped": capped, "plain": plain}, trials=5)
    for name in ("capped", "plain"):
        assert (c.trials(name) == 5).all() and not c.edge(name) and (c.chosen(name)["b"] <= 1).all()


def test_random_search_knows_its_edges():
    """The loss falls towards large η and does not depend on ε: the first is an edge, the second is not."""
    method = Method(lambda seed, lr, eps: Outcome(1 / lr, 1 / lr), {"lr": WIDE, "eps": WIDE}, batched=True)
    c = compare({"x": method}, draws=9, trials=30)
    assert c.edge("x") == ("lr high",) and (c.trials("x") == 30).all()


def test_settings_are_fresh_for_every_draw_and_method():
    knobs = {"lr": WIDE, "eps": WIDE}
    method = Method(lambda seed, lr, eps: Outcome(lr, lr), knobs, batched=True)
    one = Method(lambda seed, lr: Outcome(abs(np.log10(lr) + 1.5), lr), {"lr": WIDE})
    c = compare({"a": method, "b": method, "c": one, "d": one}, draws=6, trials=8)
    for pair in (("a", "b"), ("c", "d")):
        tried = np.concatenate([settings["lr"] for name in pair for settings, _ in c.tuned[name].tried])
        assert len(set(tried)) == 2 * 6 * 8


def test_tuning_and_reporting_have_seeds_of_their_own():
    seen = []
    method = Method(lambda seed, lr: (seen.append(seed), Outcome(lr, lr))[1], {"lr": Range(0, 1)})
    compare({"a": method}, draws=3, trials=4, seed=10)
    assert seen == [s for d in (10, 12, 14) for s in [d] * 4 + [d + 1] * 2]
    seen.clear()
    compare({"a": method}, draws=2, trials=3, repeats=2, seed=10)
    assert seen == [s for d in (10, 13) for s in [d] * 3 + [d + 1] * 3 + [d + 2] * 2]


def test_tuning_on_several_seeds_avoids_what_fails_on_one():
    """Above η = 0.5 a training is better by far, but fails with every third seed."""
    risky = lambda seed, lr: Outcome(*[lr - 0.5 if lr < 0.5 else np.inf if seed % 3 == 0 else -9] * 2)
    once, thrice = (compare({"a": Method(risky, {"lr": Range(0, 1)})}, repeats=n, seed=1) for n in (1, 3))
    assert once.values("a").max() == np.inf and (thrice.chosen("a")["lr"] < 0.5).all()


def test_a_method_that_overfits_its_tuning_is_not_favoured():
    """The cheat has the best tuning metric at settings whose final one is bad; the honest one wins."""
    cheat = Method(lambda seed, lr: Outcome(0.01 / lr, 5 * lr), {"lr": Range(0.1, 1)}, batched=True)
    honest = Method(lambda seed, lr: Outcome(np.abs(lr - 0.5) + 1, np.abs(lr - 0.5) + 1), {"lr": Range(0.1, 1)})
    c = compare({"cheat": cheat, "honest": honest})
    assert c.ranking() == ["honest", "cheat"] and c.ranking("tune") == ["cheat", "honest"]
    assert c.ratio("honest", "cheat").high < 0.5


def test_an_order_that_flips_at_the_next_best_knob_is_said():
    """Of ten values a tenth apart, wherever they begin, one lies in [0.4, 0.5): only there a needle wins."""
    needle = Method(lambda seed, lr: Outcome(*[1 if 0.4 <= lr < 0.5 else 9] * 2), {"lr": Range(0, 1)})
    flat, bowl = valley(1.2, width=1e3, noise=0), valley(1.0, noise=0)
    c = compare({"needle": needle, "flat": flat, "bowl": bowl}, trials=10)
    assert (c.values("needle") == 1).all() and c.ratio("needle", "flat").high < 0.9
    assert c.ratio("needle", "flat").flips and c.ratio("flat", "needle").flips
    assert not c.ratio("bowl", "flat").flips


def test_nothing_to_tune_and_nothing_that_works():
    fixed = Method(lambda seed: Outcome(1.0, 1.0, gradients=7), {})
    never = Method(lambda seed, lr: Outcome(np.nan, np.inf), {"lr": WIDE})
    c = compare({"fixed": fixed, "never": never}, draws=5, trials=3)
    assert (c.trials("fixed") == 1).all() and c.chosen("fixed") == {} and c.values("never").min() == np.inf
    assert c.ratio("fixed", "never").high == 0 and "nan" in str(c.ratio("never", "never"))
    assert c.ranking() == ["fixed", "never"]


# ---- rules ---------------------------------------------------------------------------------------------------------
ENTRIES = {"SGD": Entry(SGD, {"lr": WIDE}), "Adam": Entry(Adam, {"lr": WIDE})}


def bowl(seed):
    return quadratic(kappa=10), np.random.default_rng(seed).uniform(1, 2, 2)


def test_rules_run_as_alone():
    f = quadratic(kappa=10)
    c = compare(rules(ENTRIES, bowl, steps=15, report=lambda x: f(x) + 1), draws=2, trials=4)
    for name, rule in {"SGD": SGD, "Adam": Adam}.items():
        for d, lr in enumerate(c.chosen(name)["lr"]):
            alone = f(run(rule(lr), f, bowl(2 * d + 1)[1], 15)[-1])
            assert c.values(name)[d] == pytest.approx(alone + 1, rel=1e-12)
            assert c.values(name, "tune")[d] == pytest.approx(alone, rel=1e-12)
        assert (c.values(name, "gradients") == 15).all()
    again = compare(rules(ENTRIES, bowl, steps=15), draws=2, trials=4)
    np.testing.assert_array_equal(again.chosen("Adam")["lr"], c.chosen("Adam")["lr"])


def test_a_batch_is_its_single_trainings():
    loss = lambda seed, lr: Outcome((np.log(lr) + 3 + 0.1 * seed) ** 2, lr, 2 * lr)
    a, b = (compare({"x": Method(loss, {"lr": WIDE}, batched)}, draws=2, trials=4) for batched in (False, True))
    np.testing.assert_allclose(a.values("x"), b.values("x"))
    assert str(a) == str(b)


def test_costs_are_compared_where_they_are_given():
    c = compare({"a": valley(1.0, gradients=20, seconds=3.0), "b": valley(1.0, gradients=10)})
    assert c.ratio("a", "b", "gradients").median == 2
    assert "gradients" in str(c) and "seconds" not in str(c)
    with pytest.raises(ValueError, match="train of 'b' gives no seconds"):
        c.ratio("a", "b", "seconds")
    assert c._repr_markdown_().startswith("| method | chosen | final | next best | gradients | trials | edge |\n| :--")


# ---- bad input -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("low, high, log", [(1, 0, False), (0, 1, True), (0, np.inf, False), (np.nan, 1, False)])
def test_a_bad_range_is_named(low, high, log):
    with pytest.raises(ValueError, match="a range needs low < high"):
        Range(low, high, log)


GOOD = {"a": valley(1.0)}


@pytest.mark.parametrize(
    "wrong, said",
    [
        (lambda: compare({}), "compare needs name -> Method, got {}"),
        (lambda: compare({"a": SGD}), "compare needs name -> Method, got {'a'"),
        (lambda: compare(GOOD, draws=0), "compare needs draws >= 1, trials >= 3 and repeats >= 1, got draws=0"),
        (lambda: compare(GOOD, trials=2), "got draws=5, trials=2, repeats=1"),
        (lambda: Method(None, {"lr": (0, 1)}), "knob 'lr' needs a Range, got"),
        (lambda: compare({"a": Method(lambda seed: 3.0, {})}), "train must return an Outcome, got 3.0"),
        (lambda: compare({"a": Method(lambda seed, lr: Outcome(1, [1, 2]), {"lr": WIDE})}), "got shape (9, 2)"),
        (lambda: compare(GOOD).ratio("a", "b"), "no method 'b' was compared; there are a"),
        (lambda: compare(GOOD).values("a", "loss"), "of must be one of tune, final, gradients, seconds, got 'loss'"),
        (lambda: compare({"a": valley(-1.0)}).ratio("a", "a"), "a ratio of final needs values >= 0, got -"),
        (lambda: race(ENTRIES, bowl, None, 1, seeds=(0,)), "race needs draws >= 1, trials >= 1 and at least 2 seeds"),
    ],
)
def test_bad_input_is_named_in_one_line(wrong, said):
    with pytest.raises((TypeError, ValueError)) as raised:
        wrong()
    assert said in str(raised.value) and "\n" not in str(raised.value)


# ---- every budget --------------------------------------------------------------------------------------------------
def test_a_race_is_its_single_runs():
    result = race(ENTRIES, bowl, quadratic(kappa=10), steps=15, trials=4, draws=3, seeds=(5, 6))
    for name, rule in {"SGD": SGD, "Adam": Adam}.items():
        assert result.scores[name].shape == (3, 4, 2)
        for (draw, trial), lr in np.ndenumerate(result.settings[name]["lr"]):
            for role, seed in enumerate([(5, 6), (6, 5), (5, 6)][draw]):
                f, x0 = bowl(seed)
                alone = min(f(run(rule(lr), f, x0, 15)[-1]), f(x0))
                assert result.scores[name][draw, trial, role] == pytest.approx(alone, rel=1e-12)
    again = race(ENTRIES, bowl, quadratic(kappa=10), steps=15, trials=4, draws=3, seeds=(5, 6))
    np.testing.assert_array_equal(result.scores["Adam"], again.scores["Adam"])
    assert len(set(np.concatenate([s["lr"] for s in result.settings.values()], axis=None))) == 2 * 3 * 4


def test_what_diverges_has_learnt_nothing():
    entry = Entry(SGD, {"lr": Range(0.01, 1)})
    table = scores(entry, {"lr": np.array([0.1, 1e6])}, bowl, quadratic(kappa=10), 200, (0, 1, 2))
    assert (table[0] < 1e-6).all()
    np.testing.assert_allclose(table[1], [bowl(s)[0](bowl(s)[1]) for s in range(3)])


def test_the_last_iterate_of_a_run():
    f = quadratic(kappa=10)
    np.testing.assert_array_equal(final(SGD(0.1), f, f.start, 7), run(SGD(0.1), f, f.start, 7)[-1])


def test_tuning_picks_with_one_seed_and_reports_with_another():
    """Two settings, each lucky on the seed of its tuning, pay on the other; `b` is the same on both."""
    table = {"a": [[[0.0, 10.0], [10.0, 0.0]]], "b": [[[3.0, 3.0], [4.0, 4.0]]]}
    lucky = Race({}, {name: np.array(scored) for name, scored in table.items()})
    assert lucky.after(2)["a"].tolist() == [10.0] and lucky.after(2)["b"].tolist() == [3.0]
    assert lucky.ranking(2) == ["b", "a"] and lucky.ranking(1) == ["b", "a"]
    assert lucky.after(1)["b"].tolist() == [3.0, 4.0]
    assert lucky.curves((1, 2))["b"].tolist() == [[3.25, 3.0], [3.5, 3.0], [3.75, 3.0]]


def test_every_value_of_a_budget_has_settings_of_its_own():
    """The minimum of three uniform numbers has mean 1/4: so it has over parts that share nothing."""
    u = np.random.default_rng(0).uniform(size=(500, 10))
    best = Race({}, {"a": np.stack([u, u], -1)}).after(3)["a"]
    assert len(best) == len(set(best)) == 1500 and best.mean() == pytest.approx(0.25, abs=0.015)


@pytest.mark.parametrize("budget", [0, 3])
def test_an_impossible_budget_is_named(budget):
    with pytest.raises(ValueError, match=f"after needs 1 <= budget <= 2 trials, got {budget}"):
        Race({}, {"a": np.zeros((3, 2, 2))}).after(budget)


def test_settings_are_random_or_a_grid_of_the_same_distribution():
    entry = Entry(Adam, {"lr": Range(1e-4, 1, log=True), "eps": Range(0, 1)})
    grid = entry.settings(16)
    assert len(set(grid["lr"].round(12))) == len(set(grid["eps"].round(12))) == 4 and grid["lr"].shape == (16,)
    drawn = entry.settings(4000, np.random.default_rng(0))
    assert abs(np.log10(drawn["lr"]).mean() + 2) < 0.1 and abs(drawn["eps"].mean() - 0.5) < 0.03
    assert abs(np.log10(grid["lr"]).mean() + 2) < 1e-9
    assert drawn["lr"].min() >= 1e-4 and drawn["lr"].max() <= 1


# ---- kept tables ---------------------------------------------------------------------------------------------------
def test_a_table_keeps_a_comparison(monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "TABLES", tmp_path / "tables")
    made = []
    methods = {"a": valley(1.0), "b": valley(2.0, gradients=3)}
    make = lambda trials: made.append(trials) or compare(methods, trials=trials)
    with pytest.raises(FileNotFoundError, match="there is no table 'x' in shared/data/tables: python3 run.py tables"):
        table("x", make, trials=4)
    monkeypatch.setenv("COURSE_TABLES", "make")
    first = table("x", make, trials=4)
    monkeypatch.delenv("COURSE_TABLES")
    again = table("x", make, trials=4)
    assert made == [4] and str(first) == str(again) == str(make(4))
    assert again.ratio("a", "b") == make(4).ratio("a", "b") and again.edge("a") == ()
    np.testing.assert_array_equal(again.tuned["a"].tried[2][1], make(4).tuned["a"].tried[2][1])
    with pytest.raises(ValueError, match="table 'x' was made with {'trials': 4}, not with {'trials': 5}"):
        table("x", make, trials=5)


# ---- what the docstrings promise -----------------------------------------------------------------------------------
def test_a_draw_can_be_run_again_alone():
    methods = {"a": valley(1.0), "b": valley(2.0)}
    five, three, fourth = compare(methods), compare(methods, draws=3), compare(methods, draws=1, seed=6)
    np.testing.assert_array_equal(five.values("b")[:3], three.values("b"))
    assert five.values("b")[3] == fourth.values("b")[0] and five.chosen("a")["lr"][3] == fourth.chosen("a")["lr"][0]


def test_evaluations_to_a_target():
    """On the quadratic of κ = 50, momentum needs a fraction of the gradients: about √κ instead of κ."""
    f = quadratic(kappa=50)

    def steps_to(make):
        def train(seed, lr):
            xs = islice(iterates(make(lr), f, chance.rng(seed).uniform(1, 2, 2)), 600)
            with np.errstate(over="ignore", invalid="ignore"):
                n = next((n for n, x in enumerate(xs) if np.abs(f.grad(x)).max() < 1e-6), np.inf)
            return Outcome(n, n, gradients=n)

        return Method(train, {"lr": Range(1e-3, 1, log=True)})

    methods = {"SGD": steps_to(SGD), "Momentum": steps_to(lambda lr: SGD(lr, momentum=0.7))}
    r = compare(methods, trials=12).ratio("Momentum", "SGD", "gradients")
    assert r.high < 0.5 and not r.edge


def test_a_training_loop_of_torch():
    def train(seed, lr):
        torch.manual_seed(chance.integer(seed))
        x, w = torch.randn(64, 5), torch.zeros(5, requires_grad=True)
        y, optimizer = x.sum(1) + 0.1 * torch.randn(64), torch.optim.SGD([w], lr)
        for _ in range(20):
            optimizer.zero_grad()
            ((x[:32] @ w - y[:32]) ** 2).mean().backward()
            optimizer.step()
        held = (x[32:] @ w.detach() - y[32:]) ** 2
        return Outcome(tune=held[:16].mean().item(), final=held[16:].mean().item(), gradients=20)

    c = compare({"SGD": Method(train, {"lr": Range(1e-3, 1, log=True)})}, draws=3, trials=5, repeats=3)
    assert np.median(c.values("SGD")) < 0.5 and not c.edge("SGD")
