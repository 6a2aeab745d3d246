"""The data sets: shapes, classes, statistics known from elsewhere, and clear errors for missing or damaged files."""
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import datasets

from shared import data
from shared.data import sets

SPLITS = {"digits": (1797, 64, 10), "breast_cancer": (569, 30, 2), "diabetes": (442, 10, 0), "mnist": (5000, 784, 10)}
FILES = {"mnist.npz": data.mnist, "sunspots.csv": data.sunspots, "co2.csv": data.co2,
         "python_reference.txt.gz": data.text}


@pytest.fixture
def fresh():
    """Loaders that read again, before and after the test."""
    clear = lambda: [loader.cache_clear() for loader in FILES.values()]
    clear()
    yield
    clear()


@pytest.mark.parametrize("name", SPLITS)
def test_shapes_types_and_what_is_read_only(name):
    d, (n, features, classes) = getattr(data, name)(), SPLITS[name]
    assert len(d.x_train) + len(d.x_test) == n and len(d.y_train) == len(d.x_train) and len(d.y_test) == len(d.x_test)
    assert d.x_train.shape[1] == d.x_test.shape[1] == features
    assert d.x_train.dtype == d.x_test.dtype == float and np.isfinite(d.x_train).all() and np.isfinite(d.x_test).all()
    assert len(d.names) == (classes or features) and d.source
    assert not d.image or np.prod(d.image) == features
    if classes:
        assert d.y_train.dtype.kind == "i" and set(d.y_train) == set(d.y_test) == set(range(classes))
    for array in d[:4]:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert getattr(data, name)() is d


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "diabetes"])
def test_the_split_holds_scikit_learns_rows_exactly_once_with_their_targets(name):
    options = {"scaled": False} if name == "diabetes" else {}
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True, **options)
    d = getattr(data, name)(standardize=False)
    scale = 16 if name == "digits" else 1
    ours = np.column_stack([np.concatenate([d.x_train, d.x_test]) * scale, np.concatenate([d.y_train, d.y_test])])
    theirs = np.column_stack([x, y])
    order = lambda rows: rows[np.lexsort(rows.T)]
    assert_array_equal(order(ours), order(theirs))


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "mnist"])
def test_both_parts_have_the_same_mix_of_classes_in_random_order(name):
    d = getattr(data, name)()
    shares = [np.bincount(y) / len(y) for y in (d.y_train, d.y_test)]
    assert_allclose(*shares, atol=0.005)
    half = len(d.y_train) // 2
    assert_allclose(np.bincount(d.y_train[:half]) / half, shares[0], atol=0.05)


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "diabetes"])
def test_standardised_by_the_training_set_alone(name):
    d = getattr(data, name)(standardize=True)
    assert_allclose(d.x_train.mean(0), 0, atol=1e-12)
    varies = d.x_train.any(0)
    assert_allclose(d.x_train.std(0)[varies], 1, rtol=1e-12)
    assert varies.all() or name == "digits"                            # some pixels of the digits are always 0
    assert np.abs(d.x_test.mean(0)).max() > 1e-3                      # the test set played no part
    if name == "diabetes":
        assert d.y_train.mean() == pytest.approx(0, abs=1e-12) and d.y_train.std() == pytest.approx(1)


def test_seeds_and_shares():
    a, b, c = data.digits(seed=1), data.digits(seed=2), data.digits(test=0.5)
    assert not np.array_equal(a.x_train, b.x_train) and len(c.x_test) == pytest.approx(1797 / 2, abs=5)
    assert_array_equal(a.x_train, data.digits.__wrapped__(seed=1).x_train)


def test_mnist_is_balanced_and_its_digits_can_be_told_apart():
    d = data.mnist()
    assert_array_equal(np.bincount(d.y_train), [400] * 10)
    assert_array_equal(np.bincount(d.y_test), [100] * 10)
    assert d.x_train.min() == 0 and d.x_train.max() == 1
    assert len(np.unique(np.concatenate([d.x_train, d.x_test]), axis=0)) == 5000
    means = np.stack([d.x_train[d.y_train == c].mean(0) for c in range(10)])
    nearest = ((d.x_test[:, None] - means) ** 2).sum(-1).argmin(1)
    assert (nearest == d.y_test).mean() > 0.75                         # the published figure for all of MNIST is 0.82
    border = d.x_train.reshape(-1, *d.image)[:, 0]
    assert (border == 0).all()                                         # images, upright rows of 28


def test_sunspots_have_their_famous_maximum_and_period():
    s = data.sunspots()
    assert_array_equal(s.time, np.arange(1700, 2009))
    assert s.time[s.value.argmax()] == 1957 and s.value.max() == pytest.approx(190.2)
    power = np.abs(np.fft.rfft(s.value - s.value.mean())) ** 2
    assert 10 < 1 / np.fft.rfftfreq(len(s.value))[power.argmax()] < 12


def test_co2_rises_with_the_seasons_and_has_no_gaps():
    s = data.co2()
    assert len(s.value) == 2284 and np.isfinite(s.value).all()
    assert s.time[0] == pytest.approx(1958.24, abs=0.01) and s.time[-1] == pytest.approx(2001.99, abs=0.01)
    assert_allclose(np.diff(s.time), 7 / 365.2425, rtol=1e-6)
    assert s.value[0] == 316.1 and s.value[-1] == 371.5
    slope, *_ = np.polyfit(s.time, s.value, 1)
    assert 1.2 < slope < 1.5                                           # ppm per year
    rest = s.value - np.polyval(np.polyfit(s.time, s.value, 3), s.time)
    season = np.array([rest[(s.time % 1 * 12).astype(int) == month].mean() for month in range(12)])
    assert season.argmax() in (4, 5) and season.argmin() in (8, 9)     # May and September


def test_text_is_the_language_reference_without_markup():
    t = data.text()
    assert 330_000 < len(t) < 420_000 and len(set(t)) < 110
    for chapter in ("Introduction", "Lexical analysis", "Data model", "Execution model", "The import system",
                    "Expressions", "Simple statements", "Compound statements", "Top-level components"):
        assert f"\n{chapter}\n***" in t
    assert "``" not in t and ":ref:" not in t and ".. index" not in t


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_damaged_file_is_named_in_one_line(name, fresh, tmp_path, monkeypatch):
    original = (sets.FOLDER / name).read_bytes()
    monkeypatch.setattr(sets, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match=f"{name} is missing; restore it with: git checkout") as error:
        FILES[name]()
    assert "\n" not in str(error.value)
    for bad in (b"", original[:-1], original[:50] + b"?" + original[51:]):
        (tmp_path / name).write_bytes(bad)
        with pytest.raises(ValueError, match=f"{name} is damaged .* git checkout -- shared/data/{name}") as error:
            FILES[name]()
        assert "\n" not in str(error.value)
    (tmp_path / name).write_bytes(original)
    assert FILES[name]() is not None


def test_every_file_is_shipped_small_and_documented():
    sources = (sets.FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    assert set(sets.SHA256) == set(FILES) and all(f"`{name}`" in sources for name in FILES)
    assert sum((sets.FOLDER / name).stat().st_size for name in FILES) < 1_100_000


@pytest.mark.parametrize("call, message", [
    (lambda: data.digits(test=0), "test must be a share between 0 and 1, got 0"),
    (lambda: data.digits(test=1.5), r"test must be a share between 0 and 1, got 1\.5"),
    (lambda: data.diabetes(seed=-1), "seed must be an integer >= 0, got -1"),
    (lambda: data.breast_cancer(seed=0.5), r"seed must be an integer >= 0, got 0\.5"),
])
def test_bad_input_gives_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_scikit_learn_is_imported_only_for_its_own_sets():
    code = "import sys, shared.data as d; d.mnist(); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
