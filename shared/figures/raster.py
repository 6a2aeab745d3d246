"""Figures as PNG files of a few colours: small enough to be committed."""

from io import BytesIO

from .theme import DPI


def reduced(image):
    """A PIL image in 64 colours of its own: a third of the bytes, and no colour moves by more than a few levels of 255.

    The largest coverage keeps a rare colour, such as a legend's line, which the median cut turns grey; one pass of
    k-means then puts the palette where the pixels are.
    """
    from PIL import Image

    keep = Image.Quantize.MAXCOVERAGE
    return image.convert("RGB").quantize(64, method=keep, kmeans=1, dither=Image.Dither.NONE)


def png(fig, scale=1.0):
    """The figure as PNG bytes at `scale` times the screen's resolution, reduced to a palette."""
    from PIL import Image

    raw, small = BytesIO(), BytesIO()
    fig.savefig(raw, format="png", dpi=DPI * scale, metadata={"Software": None})
    reduced(Image.open(raw)).save(small, "png", optimize=True)
    return small.getvalue()
