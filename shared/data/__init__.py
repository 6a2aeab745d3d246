"""Real data, small and offline: three sets of scikit-learn, and four files beside this one (SOURCES.md).

May import: chance.
"""

from .sets import Series, Split, breast_cancer, co2, diabetes, digits, mnist, sunspots, text

__all__ = ["Series", "Split", "breast_cancer", "co2", "diabetes", "digits", "mnist", "sunspots", "text"]
