"""What the theorems predict: rates, stability limits and noise floors, to be drawn over what is measured.

μ ≤ λ ≤ L are eigenvalues of the Hessian, κ = L/μ the condition number, η the learning rate, k or T a number of steps.

May import: nothing.
"""

import numpy as np


def stability_limit(L, momentum=0.0, nesterov=False):
    """The rate beyond which a quadratic diverges: 2/L; heavy ball 2 (1 + β)/L; Nesterov 2 (1 + β)/(1 + 2β)/L."""
    β = np.asarray(momentum, dtype=float)
    return 2.0 * (1 + β) / (1 + 2 * β if nesterov else 1) / np.asarray(L, dtype=float)


def contraction(lr, eigenvalues):
    """max |1 − η λ|: the factor by which one step of gradient descent shrinks the error on a quadratic.

    lr (...) and eigenvalues (d,) -> (...).
    """
    return np.abs(1 - np.asarray(lr, dtype=float)[..., None] * np.asarray(eigenvalues, dtype=float)).max(-1)


def best_lr(mu, L):
    """The fixed rate with the smallest worst contraction, η = 2/(μ + L)."""
    return 2.0 / (mu + L)


def best_contraction(kappa):
    """The contraction at `best_lr`: (κ − 1)/(κ + 1)."""
    return (kappa - 1) / (kappa + 1)


def convex_bound(L, distance, k):
    """f(x_k) − f* ≤ L ‖x₀ − x*‖² / (2 k): gradient descent with η = 1/L on a convex, L-smooth f.

    Nesterov, Introductory Lectures on Convex Optimization (2004), theorem 2.1.14 up to its constant; this constant as
    in Beck, First-Order Methods in Optimization (2017), theorem 10.21. A bound, not a rate that every problem shows.
    """
    return L * distance**2 / (2 * np.maximum(k, 1e-300))


def power_slope(p):
    """The log-log slope of the loss against the step for gradient descent on |x|^p, p > 2: −p/(p − 2).

    From the gradient flow ẋ = −p x^(p−1), whose solution falls like x ~ t^(−1/(p−2)).
    """
    return -p / (p - 2)


def noise_floor(lr, eigenvalues, noise_variance, momentum=0.0):
    """The expected excess loss at which SGD with a fixed rate settles on a quadratic: Σ η cᵢ / (2 (2 − η λᵢ)).

    Along eigenvector i: x ← (1 − η λ) x − η ξ with variance c has stationary variance η c / (λ (2 − η λ)).
    For small η the sum is η tr(C)/4. The heavy ball's variance is η c (1 + β) / (λ (1 − β) (2 (1 + β) − η λ)), so for
    small η its floor is that of the rate η/(1 − β). lr (...), momentum (...), eigenvalues (d,), noise_variance scalar
    or (d,) -> (...).
    """
    η, β = (np.asarray(v, dtype=float)[..., None] for v in (lr, momentum))
    λ = np.asarray(eigenvalues, dtype=float)
    return (η * noise_variance * (1 + β) / (2 * (1 - β) * (2 * (1 + β) - η * λ))).sum(-1)


def batch_variance(single, batch_size, n=None):
    """The variance of a mini-batch gradient: single/B, times (n − B)/(n − 1) when drawn without replacement from n."""
    B = np.asarray(batch_size, dtype=float)
    return single / B * (1.0 if n is None else (n - B) / (n - 1))


# ---- Momentum (chapter 4) ----------------------------------------------------------------------------------------


def momentum_matrix(lr, momentum, eigenvalue, nesterov=False):
    """One step along an eigenvector, (x_t, x_{t−1}) -> (x_{t+1}, x_t): array (..., 2, 2).

    Heavy ball: x_{t+1} = (1 + β − η λ) x_t − β x_{t−1}; Nesterov: x_{t+1} = (1 − η λ) ((1 + β) x_t − β x_{t−1}).
    """
    η, β, λ = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (lr, momentum, eigenvalue)))
    shrink = 1 - η * λ if nesterov else 1.0
    first = (1 + β) * shrink if nesterov else 1 + β - η * λ
    return np.stack([np.stack([first, -β * shrink], -1), np.stack([np.ones_like(η), np.zeros_like(η)], -1)], -2)


def spectral_radius(lr, momentum, eigenvalues, nesterov=False):
    """The factor by which the error shrinks per step in the long run: the largest |root| of z² − T z + D over all λ.

    T and D are trace and determinant of `momentum_matrix`. Complex roots (T² < 4 D) have modulus √D: the error
    oscillates. lr (...), momentum (...), eigenvalues (d,) -> (...).
    """
    M = momentum_matrix(np.asarray(lr)[..., None], np.asarray(momentum)[..., None], eigenvalues, nesterov)
    T, D = M[..., 0, 0], -M[..., 0, 1]
    gap = T * T - 4 * D
    return np.where(gap < 0, np.sqrt(np.abs(D)), (np.abs(T) + np.sqrt(np.maximum(gap, 0))) / 2).max(-1)


def best_heavy_ball(mu, L):
    """(η, β, rate) of the fastest heavy ball: 4/(√L + √μ)², r² and r = (√κ − 1)/(√κ + 1) (Polyak 1964)."""
    r = (np.sqrt(L / mu) - 1) / (np.sqrt(L / mu) + 1)
    return 4 / (np.sqrt(L) + np.sqrt(mu)) ** 2, r**2, r


def nesterov_setting(mu, L):
    """(η, β, rate) of Nesterov's method for strongly convex f: 1/L, (√κ − 1)/(√κ + 1) and, on a quadratic, 1 − 1/√κ.

    Nesterov (2004), section 2.2, proves √(1 − 1/√κ) per step for the distance; on a quadratic the slow mode has
    the double root 1 − 1/√κ, so the bound is not tight.
    """
    q = np.sqrt(L / mu)
    return 1 / L, (q - 1) / (q + 1), 1 - 1 / q


def best_nesterov(mu, L):
    """(η, β, rate) of the fastest Nesterov on a quadratic: 4/(3L + μ), (q − 2)/(q + 2), 1 − 2/q with q = √(3κ + 1).

    Lessard, Recht & Packard (2016), proposition 1.
    """
    q = np.sqrt(3 * L / mu + 1)
    return 4 / (3 * L + mu), (q - 2) / (q + 2), 1 - 2 / q


def accelerated_bound(L, distance, k):
    """f(x_k) − f* ≤ 2 L ‖x₀ − x*‖² / (k + 1)²: Nesterov's method with η = 1/L and β → 1 on a convex, L-smooth f.

    For β = (k − 1)/(k + 2) Su, Boyd & Candès (2016); for Nesterov's own sequence Beck & Teboulle (2009), theorem 4.4.
    """
    return 2 * L * distance**2 / (np.asarray(k, dtype=float) + 1) ** 2


def noise_ball(lr, H, C):
    """The covariance (d, d) of SGD's iterates around the minimiser of a quadratic, once settled; None if unstable.

    x ← (1 − η H) x − η ξ with cov ξ = C settles where Σ = (1 − ηH) Σ (1 − ηH) + η² C. In H's eigenvectors:
    Σᵢⱼ = η Cᵢⱼ / (λᵢ + λⱼ − η λᵢ λⱼ). The excess loss is tr(H Σ)/2: `noise_floor`, with cᵢ = Cᵢᵢ.
    """
    λ, Q = np.linalg.eigh(H)
    if not 0 < lr * λ[-1] < 2 or λ[0] <= 0:
        return None
    return Q @ (lr * (Q.T @ C @ Q) / (λ[:, None] + λ - lr * np.outer(λ, λ))) @ Q.T


def critical_batch(batches, steps):
    """Fit steps = S (1 + B*/B) to the steps needed at every batch size: (S, B*), fewest steps and critical batch size.

    McCandlish et al. (2018), section 2: at B* twice the fewest steps are needed, and twice the fewest examples.
    Least squares on relative errors, so that every batch size counts the same.
    """
    B, s = np.asarray(batches, dtype=float), np.asarray(steps, dtype=float)
    fewest, slope = np.linalg.lstsq(np.stack([1 / s, 1 / (s * B)], -1), np.ones_like(s))[0]
    return float(fewest), float(slope / fewest)


def noise_scale(grads):
    """tr(C) / ‖g‖² of per-example gradients (n, d): the batch size at which noise and gradient weigh the same.

    The simple noise scale of McCandlish et al. (2018).
    """
    g = grads.mean(0)
    return float(((grads - g) ** 2).sum(-1).mean() / (g @ g))


# ---- Signals in deep networks (chapter 6) --------------------------------------------------------------------------

_Z = (np.arange(400) + 0.5) / 25 - 8  # midpoints: no node on the kink of ReLU
_NORMAL = np.exp(-_Z * _Z / 2) / np.exp(-_Z * _Z / 2).sum()
_SIGMOID = lambda z: (1 + np.tanh(z / 2)) / 2
NONLINEARITIES = {  # name -> (φ, φ')
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "sigmoid": (_SIGMOID, lambda z: _SIGMOID(z) * _SIGMOID(-z)),
    "linear": (lambda z: z, lambda z: np.ones_like(z)),
}


def mean_field(activation, gain, depth, q1, bias=0.0):
    """(q, χ) per layer of a wide random network, weights of variance gain²/fan-in, biases of variance bias².

        q_{l+1} = gain² E[φ(√q_l z)²] + bias²          mean square of the pre-activations, z standard normal
        χ_l     = gain² E[φ'(√q_l z)²]                 what a layer multiplies the mean square of the deltas by

    q1 is that of the first layer, gain² times the mean square of the inputs (+ bias²). gain (...) -> two arrays
    (..., depth). Poole et al. (2016) equation 3; Schoenholz et al. (2017), section 2 and 4. Exact for infinite width.
    """
    if activation not in NONLINEARITIES:
        raise ValueError(f"mean_field: unknown activation {activation!r}; choose from {', '.join(NONLINEARITIES)}")
    φ, dφ = NONLINEARITIES[activation]
    s2 = np.asarray(gain, dtype=float) ** 2
    q, qs, χs = np.broadcast_to(np.asarray(q1, dtype=float), s2.shape), [], []
    for _ in range(depth):
        z = np.sqrt(q)[..., None] * _Z
        qs.append(q)
        χs.append(s2 * (dφ(z) ** 2 @ _NORMAL))
        q = s2 * (φ(z) ** 2 @ _NORMAL) + bias**2
    return np.stack(qs, -1), np.stack(χs, -1)


def critical_gain(activation):
    """The gain at which χ = 1 deep in the network, so that gradients neither vanish nor explode (biases 0).

    1 for tanh and linear, √2 for ReLU (He et al. 2015), 10.1 for the sigmoid. A fixed point q of `mean_field` belongs
    to gain² = q / E[φ²] and has χ = q E[φ'²] / E[φ²]: the smallest q with χ ≥ 1 is sought.
    """
    φ, dφ = NONLINEARITIES[activation]
    q = np.geomspace(1e-6, 1e3, 2000)
    z = np.sqrt(q)[:, None] * _Z
    square, slope = φ(z) ** 2 @ _NORMAL, dφ(z) ** 2 @ _NORMAL
    gain, χ = np.sqrt(q / square), q * slope / square
    i = int((χ >= 1 - 1e-6).argmax())
    return float(gain[0] if i == 0 else np.interp(1.0, χ[i - 1 : i + 1], gain[i - 1 : i + 1]))


def batch_norm_factor(activation):
    """By what a layer with batch norm multiplies the root mean square of the deltas: √(E[φ'(u)²] / Var φ(u)) ≥ 1.

    u is standard normal, the network wide, the batch large. √(π/(π − 1)) = 1.21 for ReLU whatever the weights' variance
    (Yang et al. 2019); at least 1 for every φ by the Gaussian Poincaré inequality.
    """
    φ, dφ = NONLINEARITIES[activation]
    return float(np.sqrt(dφ(_Z) ** 2 @ _NORMAL / (φ(_Z) ** 2 @ _NORMAL - (φ(_Z) @ _NORMAL) ** 2)))
