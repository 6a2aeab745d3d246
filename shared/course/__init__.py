"""What a notebook says and checks: `show`, `claim`, `check`; the exercises, and the course at a glance (`outline`).

May import: chance, data, descent, distributed, figures, frameworks, models, optimizers, problems, theory.
"""

from .claims import claim
from .exercises import check
from .notebook import show

__all__ = ["check", "claim", "show"]
