"""Chapter 3: its explorers, text as data, and the counterexample."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from shared.descent import run
from shared.explorers import anatomy, heatmap, rotation
from shared.figures.live import strict, sweep
from shared.models.transformer import TinyTransformer
from shared.optimizers import Adagrad, Adam, RMSprop
from shared.optimizers.adaptive import rectification
from shared.problems import language, quadratic, rosenbrock
from shared.problems.counterexamples import Reddi, projected
from shared.problems.networks import NetworkOracle


# ---- explorers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("module", [anatomy, rotation, heatmap], ids=lambda m: m.__name__)
def test_every_control_works_over_its_whole_range(module):
    with strict():
        sweep(module.explorer())


@pytest.mark.parametrize(
    "rule", [Adagrad(0.5), RMSprop(0.05, 0.9), Adam(0.1, (0.8, 0.95)), Adam(0.1, amsgrad=True)], ids=repr)
def test_the_anatomy_is_that_of_the_run(rule):
    """x ← x − rate · m rebuilds the path of the rule itself."""
    f = rosenbrock()
    parts = anatomy.anatomy(rule, f, f.start, 60)
    np.testing.assert_allclose(parts["xs"], run(rule, f, f.start, 60), rtol=1e-12)
    np.testing.assert_allclose(-np.diff(parts["xs"], axis=0), parts["rate"] * parts["m"], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(parts["g"], f.grad(parts["xs"][:-1]))


def shown(e):
    """The vertices of every line of an explorer's figure."""
    return [np.column_stack(line.get_data()) for ax in e.fig.axes for line in ax.lines]


def contains(lines, xy):
    return any(line.shape == np.shape(xy) and np.allclose(line, xy, equal_nan=True) for line in lines)


def test_the_explorers_draw_what_they_computed():
    e = anatomy.explorer(landscape="Quadratic", method="RMSprop")
    k = np.arange(anatomy.STEPS)
    assert contains(shown(e), e.data["xs"])
    for i in range(2):
        assert contains(shown(e), np.column_stack([k, e.data["rate"][:, i]]))
    e = rotation.explorer(angle=30.0, kappa="100", methods=("Adam", "SGD"))
    assert all(contains(shown(e), e.data["xs"][m]) for m in ("Adam", "SGD"))
    assert contains(shown(e), np.column_stack([rotation.ANGLES, e.data["curves"]["SGD"]]))
    e = heatmap.explorer()
    image = e.fig.axes[0].images[0].get_array()
    np.testing.assert_allclose(image, np.ma.masked_invalid(np.clip(e.data["map"], *heatmap.DECADES)).T)
    assert contains(shown(e), e.data["xs"])


def test_rotation_runs_many_angles_as_one():
    loss, rate = rotation.by_angle(100.0, "Adam", (0.0, 30.0, 45.0))
    for angle, ratio, η in zip((0.0, 30.0, 45.0), loss, rate):
        f, starts = quadratic(100, np.radians(angle)), rotation.turn(rotation.STARTS, angle)
        xs = run(rotation.METHODS["Adam"](η), f, starts, rotation.STEPS)
        alone = np.exp(np.log(np.maximum(f(xs[-1]) / f(xs[0]), rotation.LOWEST**2)).mean())
        assert ratio == pytest.approx(alone, rel=1e-3)


def test_gradient_descent_does_not_notice_a_rotation():
    for method in ("SGD", "Momentum"):
        loss, rate = rotation.by_angle(100.0, method)
        np.testing.assert_allclose(loss, loss[0], rtol=1e-6)
        assert len(set(rate)) == 1


def test_every_cell_of_the_heat_map_is_its_own_run():
    table = heatmap.losses("Rosenbrock", "Adam: η, β₁", 40)
    f = rosenbrock()
    for i, j in ((10, 0), (25, 10), (35, 20)):
        rule = heatmap.FAMILIES["Adam: η, β₁"](10.0 ** heatmap.RATES[i], 1 - 10.0 ** -heatmap.MEMORY[j])
        xs = run(rule, f, f.start, 40)
        assert table[i, j] == pytest.approx(np.log10(f(xs[-1]) / f(xs[0])), abs=1e-9)
    assert np.isnan(heatmap.losses("Rosenbrock", "Momentum: η, β", 40)[-1]).all()  # η = 10 diverges at once


def test_a_click_chooses_the_nearest_cell():
    e = heatmap.explorer()
    e.set(cell=(-2.04, 1.26))
    assert e.data["cell"] == pytest.approx((-2.0, 1.3))
    np.testing.assert_array_equal(e.data["xs"][0], quadratic().start)


# ---- text ----------------------------------------------------------------------------------------------------------
def test_words_become_numbers_by_frequency():
    tokens = language.words("the cat and the dog; the END.")
    assert tokens == ["the", "cat", "and", "the", "dog", ";", "the", "end", "."]
    ids = language.encode(tokens, 3)
    assert ids[0] == ids[3] == ids[6] == 0 and set(ids) == {0, 1, 2}
    with pytest.raises(ValueError, match="at least 2 words, got size=1"):
        language.encode(tokens, 1)


def test_bags_and_sentences():
    ids = np.array([0, 1, 1, 2, 0, 3, 3])
    np.testing.assert_array_equal(language.bags(ids, 3, 4), [[1, 1, 0, 0], [1, 0, 1, 1]])
    before, after = language.sentences(ids, 2)
    np.testing.assert_array_equal(before[1], [1, 1])
    np.testing.assert_array_equal(after[1], [1, 2])


@pytest.mark.parametrize("level", ["", "next"])
def test_the_bigram_loss_is_cross_entropy_over_pairs(level):
    ids, x = np.random.default_rng(0).integers(0, 5, 300), np.random.default_rng(1).standard_normal((2, 25))
    f = language.Bigram.of(ids, 5, level)
    p = torch.tensor(x[1].reshape(5, 5), requires_grad=True)
    weight = torch.tensor(1 / np.bincount(ids[1:], minlength=5)) if level else None
    loss = cross_entropy(p[ids[:-1]], torch.tensor(ids[1:]), weight=weight)
    loss.backward()
    assert f(x)[1] == pytest.approx(loss.item(), rel=1e-10)
    np.testing.assert_allclose(f.grad(x)[1].reshape(5, 5), p.grad.numpy(), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(f.losses(x).sum(-1), f(x))
    assert f(np.log(np.maximum(f.P, 1e-300)).ravel()) == pytest.approx(f.floor, rel=1e-9)
    if level:
        np.testing.assert_allclose(f.P.sum(0), 0.2)


def test_bigrams_can_be_levelled_and_leave_out_what_is_beyond():
    ids = np.random.default_rng(0).choice(6, 4000, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    plain, last, both = (language.Bigram.of(ids, 5, level) for level in ("", "last", "both"))
    assert plain.P.sum() == pytest.approx(1) and plain.last.max() > 5 * plain.last.min()
    np.testing.assert_allclose(last.last, 0.2)
    np.testing.assert_allclose(last.P / last.last, plain.P / plain.last)  # what follows a word is as before
    np.testing.assert_allclose([both.P.sum(0), both.P.sum(1)], 0.2, rtol=1e-6)
    with pytest.raises(ValueError, match="level must be"):
        language.Bigram.of(ids, 5, "all")


def test_the_transformer_does_not_look_ahead():
    model = TinyTransformer(11, width=8, length=6)
    words = torch.randint(0, 11, (3, 6), generator=torch.Generator().manual_seed(0))
    changed = words.clone()
    changed[:, 4] = (changed[:, 4] + 1) % 11
    a, b = model(words), model(changed)
    assert a.shape == (3, 11, 6)
    torch.testing.assert_close(a[..., :4], b[..., :4])
    assert (a[..., 4] - b[..., 4]).abs().max() > 1e-4


def test_the_transformer_learns():
    ids = np.tile([0, 1, 2, 3], 40)
    f = NetworkOracle(TinyTransformer(4, width=8, length=4), cross_entropy, *language.sentences(ids, 4))
    assert f(run(Adam(0.03), f, f.start, 60)[-1]) < 0.1 * f(f.start)


# ---- rules ---------------------------------------------------------------------------------------------------------
def test_reddi_sends_adam_to_the_worst_point_and_amsgrad_to_the_best():
    assert np.mean([Reddi().at(t)(np.array([1.0])) for t in range(1, 102)]) > 0
    rule = Adam(lr=lambda k: 0.5 / (k + 1) ** 0.5, betas=(0.9, 0.99))
    wrong = projected(rule, Reddi(), [0.0], 4040)
    right = projected(Adam(rule.lr, rule.betas, amsgrad=True), Reddi(), [0.0], 4040)
    assert wrong.shape == (4041, 1) and np.abs(wrong).max() <= 1
    assert wrong[-1, 0] > 0.1 and right[-1, 0] < -0.7


def test_radams_rectification():
    """Zero while ρ ≤ 5, then rising to 1; arrays of β₂ as loops, any β₂ from 0 without a warning."""
    β2 = np.array([0.0, 1 / 3, 0.6, 0.9, 0.99, 0.999])
    for t in (1, 5, 6, 50, 5000):
        r, plain = rectification(β2, t)
        for i, b in enumerate(β2):
            assert rectification(float(b), t) == (pytest.approx(r[i]), plain[i])
        np.testing.assert_array_equal((r == 0), plain == 1)
    assert rectification(0.999, 5)[0] == 0 < rectification(0.999, 6)[0] < 0.05
    assert rectification(0.99, 5000)[0] == pytest.approx(1, abs=1e-6)
