"""The three problems on which every rule is compared with the libraries."""

import numpy as np

from shared.problems import Logistic, quadratic, rosenbrock


def _logistic():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 7)) * np.logspace(0, -1.5, 7)
    return Logistic(X, np.where(X @ rng.standard_normal(7) + 0.3 * rng.standard_normal(60) > 0, 1.0, -1.0), l2=1e-2)


QUADRATIC, ROSENBROCK, LOGISTIC = quadratic(kappa=20, angle=0.5), rosenbrock(d=3), _logistic()
PROBLEMS = {  # the problem, and a start from which all rules stay bounded at the rates used in the tests
    "quadratic": (QUADRATIC, np.array([1.3, -0.7])),
    "rosenbrock": (ROSENBROCK, np.array([-0.5, 0.6, 0.2])),
    "logistic": (LOGISTIC, np.linspace(3, 5, 7)),  # far from the minimum, where sign-like steps bounce chaotically
}
