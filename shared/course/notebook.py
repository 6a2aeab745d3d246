"""What a notebook says: `show` a figure or the source of an algorithm, and `claim` what was measured."""

import inspect
import textwrap

from .claims import claim  # noqa: F401  (chapters import it from here)


def show(thing, alt=None):
    """Show a figure (with its alt text), or the source of a rule, class or function as it runs.

    A figure is displayed as a PNG of theme.DPI with the alt text beside it, so that a page read aloud loses nothing.
    Raises ValueError for a figure without alt text.
    """
    from IPython.display import Markdown, display

    if not hasattr(thing, "savefig"):
        source = textwrap.dedent(inspect.getsource(thing))
        display(Markdown(f"```python\n{source.rstrip()}\n```"))
        return
    if not alt:
        raise ValueError("show(figure): say in alt what the figure shows")
    from shared.figures import raster, theme

    data = {"image/png": raster.png(thing, scale=1.6), "text/plain": f"Figure: {alt}"}
    width, height = (round(side * theme.DPI) for side in thing.get_size_inches())
    display(data, raw=True, metadata={"image/png": {"alt": alt, "width": width, "height": height}})
