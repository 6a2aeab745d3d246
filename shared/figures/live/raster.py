"""Pictures as PNG bytes in few colours: what a notebook, a page or a screen without JavaScript shows."""

from io import BytesIO

from PIL import Image


def reduced(image):
    """A PIL image in 64 colours of its own: a third of the bytes, and no colour moves by more than a few levels of 255.

    The largest coverage keeps a rare colour, such as a legend's line, which the median cut turns grey; one pass of
    k-means then puts the palette where the pixels are.
    """
    keep = Image.Quantize.MAXCOVERAGE
    return image.convert("RGB").quantize(64, method=keep, kmeans=1, dither=Image.Dither.NONE)


def png(fig, dpi):
    """A matplotlib figure as PNG bytes, reduced to a palette."""
    raw, small = BytesIO(), BytesIO()
    fig.savefig(raw, format="png", dpi=dpi, metadata={"Software": None})
    reduced(Image.open(raw)).save(small, "png", optimize=True)
    return small.getvalue()
