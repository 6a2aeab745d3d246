"""Figures as PNG files of a few colours: small enough to be committed."""

from .live import raster
from .theme import DPI


def png(fig, scale=1.0):
    """The figure as PNG bytes at `scale` times the screen's resolution, reduced to a palette."""
    return raster.png(fig, DPI * scale)
