"""Convolution and pooling by hand against torch's autograd in float64, and their structure against linear algebra."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from shared.models import convolution as C

TIGHT = dict(rtol=0, atol=1e-10)


def grads(function, *arrays):
    """torch's output for arrays, its random δ, and the gradients of Σ δ·output."""
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = function(*leaves)
    δ = np.random.default_rng(1).standard_normal(tuple(y.shape))
    y.backward(torch.tensor(δ))
    return y.detach().numpy(), δ, [leaf.grad.numpy() for leaf in leaves]


@pytest.mark.parametrize("method", C.METHODS)
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 2), (4, 5)])
def test_convolution_is_autograds(method, kernel, stride, padding):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 9, 11)), rng.standard_normal((4, 3, *kernel))
    y, δ, (dx, dw) = grads(lambda x, w: F.conv2d(x, w, stride=stride, padding=padding), x, w)
    forward, backward = C.METHODS[method]
    np.testing.assert_allclose(forward(x, w, stride, padding), y, **TIGHT)
    ours = backward(x, w, δ, stride, padding)
    np.testing.assert_allclose(ours[0], dx, **TIGHT)
    np.testing.assert_allclose(ours[1], dw, **TIGHT)


@pytest.mark.parametrize("pool, theirs", [("max", F.max_pool2d), ("average", F.avg_pool2d)])
@pytest.mark.parametrize("k, stride", [(2, None), (3, 2), (2, 1), (3, 4)])
def test_pooling_is_autograds(pool, theirs, k, stride):
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 10))
    y, δ, (dx,) = grads(lambda x: theirs(x, k, stride), x)
    forward, backward = C.POOLS[pool]
    np.testing.assert_allclose(forward(x, k, stride), y, **TIGHT)
    np.testing.assert_allclose(backward(x, δ, k, stride), dx, **TIGHT)


def test_equal_pixels_send_the_gradient_to_the_first_as_torch_does():
    x = np.zeros((1, 1, 4, 4))
    _, δ, (dx,) = grads(lambda x: F.max_pool2d(x, 2), x)
    np.testing.assert_allclose(C.max_pool_backward(x, δ), dx, **TIGHT)


@pytest.mark.parametrize("size", [8, 9])
def test_a_stride_keeps_every_other_pixel(size):
    x = np.random.default_rng(0).standard_normal((2, 3, size, size))
    y, δ, (dx,) = grads(lambda x: x[:, :, ::2, ::2], x)
    np.testing.assert_allclose(C.subsample(x), y, **TIGHT)
    np.testing.assert_allclose(C.subsample_backward(x, δ), dx, **TIGHT)


@pytest.mark.parametrize("padding", [0, 1])
def test_the_matrix_convolves_and_its_transpose_goes_back(padding):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 1, 6, 7)), rng.standard_normal((3, 3))
    y = C.direct(x, w[None, None], 1, padding)
    M = C.matrix(w, (6, 7), padding)
    np.testing.assert_allclose(M @ x.ravel(), y.ravel(), **TIGHT)
    np.testing.assert_allclose(M.T @ y.ravel(), C.direct_backward(x, w[None, None], y, 1, padding)[0].ravel(), **TIGHT)


@pytest.mark.parametrize("k", [3, 5])
def test_the_transfer_function_holds_the_singular_values_of_the_periodic_matrix(k):
    w = np.random.default_rng(0).standard_normal((k, k))
    n, r = 8, k // 2
    wrapped = np.pad(np.eye(n * n).reshape(-1, 1, n, n), [(0, 0), (0, 0), (r, r), (r, r)], mode="wrap")
    M = C.direct(wrapped, w[None, None]).reshape(n * n, -1).T
    np.testing.assert_allclose(np.linalg.svd(M, compute_uv=False), np.sort(np.abs(C.transfer(w, (n, n))).ravel())[::-1],
                               **TIGHT)  # fmt: skip
    x = np.random.default_rng(1).standard_normal((n, n))
    by_frequency = np.fft.ifft2(C.transfer(w, (n, n)) * np.fft.fft2(x)).real
    np.testing.assert_allclose(M @ x.ravel(), by_frequency.ravel(), **TIGHT)


@pytest.mark.parametrize("arguments, said", [
    (dict(size=3, k=5), "kernel of 5 does not fit into 3"),
    (dict(size=3, k=1, stride=0), "stride=0"),
    (dict(size=3, k=1, padding=-1), "padding=-1"),
])  # fmt: skip
def test_impossible_sizes_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        C.out_size(**arguments)


def test_channels_must_agree():
    with pytest.raises(ValueError, match="one c"):
        C.direct(np.zeros((1, 2, 5, 5)), np.zeros((1, 3, 3, 3)))
