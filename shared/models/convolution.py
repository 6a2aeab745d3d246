"""Convolution and pooling by hand, forward and backward, in NumPy (chapter 7).

Images x are (n, c, h, w), kernels w are (o, c, k, k), outputs y and their gradients δ = ∂f/∂y are (n, o, h', w'). As in
every deep-learning library, "convolution" does not flip its kernel (signal processing calls that correlation):

    y[o, i, j] = Σ_{c,a,b} w[o, c, a, b] · x[c, s·i + a, s·j + b]      with stride s, x padded with zeros

Three ways to compute it and its two gradients, equal to rounding: METHODS. Each is a pair (forward, backward);
forward(x, w, stride, padding) -> y and backward(x, w, δ, stride, padding) -> (∂f/∂x, ∂f/∂w).
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def out_size(size, k, stride=1, padding=0):
    """How many positions a window of k has along a side of `size` pixels. Raises ValueError if there is none."""
    if stride < 1 or padding < 0 or k < 1:
        raise ValueError(f"convolution: stride and kernel must be at least 1 and padding at least 0, "
                         f"got stride={stride}, kernel={k}, padding={padding}")  # fmt: skip
    if size + 2 * padding < k:
        raise ValueError(f"convolution: a kernel of {k} does not fit into {size} pixels with padding {padding}")
    return (size + 2 * padding - k) // stride + 1


def pad(x, p):
    """A frame of p zeros around every image."""
    return np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)])


def crop(x, p):
    """Take the frame off again: the transpose of `pad`."""
    return x[..., p : x.shape[-2] - p, p : x.shape[-1] - p]


def seen_by(x, a, b, shape, stride):
    """The pixels that kernel element (a, b) meets, one for each of the (h', w') positions of the window: a view."""
    return x[..., a : a + stride * shape[0] : stride, b : b + stride * shape[1] : stride][..., : shape[0], : shape[1]]


def _prepare(x, w, stride, padding):
    """The padded images and the output's (h', w')."""
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[1]:
        raise ValueError(f"convolution: images are (n, c, h, w), kernels (o, c, k, k) with one c; "
                         f"got {x.shape} and {w.shape}")  # fmt: skip
    return pad(x, padding), tuple(out_size(x.shape[2 + i], w.shape[2 + i], stride, padding) for i in (0, 1))


# ---- Direct: every kernel element meets a shifted image ----------------------------------------------------------


def direct(x, w, stride=1, padding=0):
    """One product per kernel element: element (a, b) times the image shifted by (a, b), all added up."""
    x, shape = _prepare(x, w, stride, padding)
    return sum(np.einsum("oc,nchw->nohw", w[:, :, a, b], seen_by(x, a, b, shape, stride))
               for a, b in np.ndindex(w.shape[2:]))  # fmt: skip


def direct_backward(x, w, δ, stride=1, padding=0):
    """Weight (a, b) was used at every position, so its gradient is a sum over all of them.

        ∂f/∂w[a, b] = Σᵢⱼ δ[i, j] x[s·i + a, s·j + b]          ∂f/∂x[s·i + a, s·j + b] += w[a, b] δ[i, j]
    """
    x, shape = _prepare(x, w, stride, padding)
    dx, dw = np.zeros_like(x), np.empty_like(w)
    for a, b in np.ndindex(w.shape[2:]):
        dw[:, :, a, b] = np.einsum("nohw,nchw->oc", δ, seen_by(x, a, b, shape, stride))
        seen_by(dx, a, b, shape, stride)[...] += np.einsum("oc,nohw->nchw", w[:, :, a, b], δ)
    return crop(dx, padding), dw


# ---- im2col: one matrix product ----------------------------------------------------------------------------------


def im2col(x, k, stride=1, padding=0):
    """Every window as a column: (n, c·k·k, h'·w')."""
    windows = sliding_window_view(pad(x, padding), k, axis=(2, 3))[:, :, ::stride, ::stride]  # (n, c, h', w', k, k)
    n, c, *shape = windows.shape[:4]
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, c * k[0] * k[1], shape[0] * shape[1])


def col2im(columns, like, k, stride=1, padding=0):
    """The transpose of im2col: every column is added where its window was. `like` has the images' shape."""
    x = pad(np.zeros(like.shape), padding)
    shape = tuple(out_size(like.shape[2 + i], k[i], stride, padding) for i in (0, 1))
    columns = columns.reshape(*like.shape[:2], *k, *shape)
    for a, b in np.ndindex(*k):
        seen_by(x, a, b, shape, stride)[...] += columns[:, :, a, b]
    return crop(x, padding)


def by_im2col(x, w, stride=1, padding=0):
    """W X with the kernels as rows of W and the windows as columns of X."""
    _, shape = _prepare(x, w, stride, padding)
    return (w.reshape(len(w), -1) @ im2col(x, w.shape[2:], stride, padding)).reshape(len(x), len(w), *shape)


def by_im2col_backward(x, w, δ, stride=1, padding=0):
    """Those of a matrix product: ∂f/∂W = δ Xᵀ, ∂f/∂X = Wᵀ δ; then every column goes back to its window."""
    X, W, δ = im2col(x, w.shape[2:], stride, padding), w.reshape(len(w), -1), δ.reshape(*δ.shape[:2], -1)
    dw = np.tensordot(δ, X, ((0, 2), (0, 2))).reshape(w.shape)
    return col2im(W.T @ δ, x, w.shape[2:], stride, padding), dw


# ---- FFT: a product per frequency --------------------------------------------------------------------------------


def by_fft(x, w, stride=1, padding=0):
    """ŷ = conj(ŵ) x̂ at every frequency, and then every s-th output: its cost does not depend on the kernel's size.

    The transform is periodic; a window that fits into the padded image never wraps around.
    """
    x, shape = _prepare(x, w, stride, padding)
    size = x.shape[2:]
    y = np.fft.irfft2(np.einsum("ochw,nchw->nohw", np.fft.rfft2(w, size).conj(), np.fft.rfft2(x)), size)
    return seen_by(y, 0, 0, shape, stride)


def by_fft_backward(x, w, δ, stride=1, padding=0):
    """∂f/∂x̂ = ŵ δ̂ and ∂f/∂ŵ = conj(δ̂) x̂, with zeros between the elements of δ where the stride skipped outputs."""
    x, shape = _prepare(x, w, stride, padding)
    size = x.shape[2:]
    spread = np.zeros((*δ.shape[:2], *size))
    seen_by(spread, 0, 0, shape, stride)[...] = δ
    x̂, ŵ, δ̂ = np.fft.rfft2(x), np.fft.rfft2(w, size), np.fft.rfft2(spread)
    dx = np.fft.irfft2(np.einsum("ochw,nohw->nchw", ŵ, δ̂), size)
    dw = np.fft.irfft2(np.einsum("nohw,nchw->ochw", δ̂.conj(), x̂), size)
    return crop(dx, padding), dw[:, :, : w.shape[2], : w.shape[3]]


METHODS = {
    "direct": (direct, direct_backward),
    "im2col": (by_im2col, by_im2col_backward),
    "FFT": (by_fft, by_fft_backward),
}


# ---- A convolution is a matrix -----------------------------------------------------------------------------------


def matrix(w, shape, padding=0):
    """The matrix (h'·w', h·w) with which one kernel w (k, k) multiplies an image of `shape`, as a vector."""
    basis = np.eye(shape[0] * shape[1]).reshape(-1, 1, *shape)  # column j: what becomes of pixel j alone
    return direct(basis, w[None, None], 1, padding).reshape(len(basis), -1).T


def transfer(w, shape):
    """ŵ, complex (h, w): what a kernel centred on its pixel does to every frequency of a periodic image.

    The periodic convolution is diagonal in the Fourier basis: |ŵ| are the singular values of its matrix.
    """
    centred = np.zeros(shape)
    centred[: w.shape[0], : w.shape[1]] = w
    return np.fft.fft2(np.roll(centred, (-(w.shape[0] // 2), -(w.shape[1] // 2)), (0, 1))).conj()


# ---- Pooling -----------------------------------------------------------------------------------------------------


def _windows(x, k, stride):
    """The windows of k x k, flattened: (n, c, h', w', k²)."""
    for size in x.shape[2:]:
        out_size(size, k, stride)
    windows = sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::stride, ::stride]
    return windows.reshape(*windows.shape[:4], k * k)


def _route(share, like, k, stride):
    """Add to every pixel what its windows send it: share (n, c, h', w', k²)."""
    dx = np.zeros(like.shape)
    for e in range(k * k):
        seen_by(dx, e // k, e % k, share.shape[2:4], stride)[...] += share[..., e]
    return dx


def max_pool(x, k=2, stride=None):
    """The largest pixel of each window."""
    return _windows(x, k, stride or k).max(-1)


def max_pool_backward(x, δ, k=2, stride=None):
    """All of δ goes to the pixel that won (the first of equals), nothing to the others."""
    stride = stride or k
    won = _windows(x, k, stride).argmax(-1)[..., None] == np.arange(k * k)
    return _route(won * δ[..., None], x, k, stride)


def average_pool(x, k=2, stride=None):
    """The mean of each window."""
    return _windows(x, k, stride or k).mean(-1)


def average_pool_backward(x, δ, k=2, stride=None):
    """Everyone in the window receives the same share, δ/k²."""
    return _route(np.repeat(δ[..., None] / k**2, k * k, -1), x, k, stride or k)


def subsample(x, k=2):
    """The top left pixel of each window: what a stride keeps."""
    return x[:, :, ::k, ::k]


def subsample_backward(x, δ, k=2):
    """The pixel that was kept receives δ, the others were never seen."""
    dx = np.zeros(x.shape)
    dx[:, :, ::k, ::k] = δ
    return dx


POOLS = {
    "max": (max_pool, max_pool_backward),
    "average": (average_pool, average_pool_backward),
    "stride": (subsample, subsample_backward),
}
