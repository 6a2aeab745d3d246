"""The interactive figures: one file each, with a pure `compute(**values)` and an `explorer(...)` that draws it.

May import: chance, data, descent, distributed, figures, figures.live, frameworks, models, optimizers, problems, theory.
"""
