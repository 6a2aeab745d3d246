"""What `run.py` does for those who make the course: notebooks, decks, pages, the reference, speeds, worlds.

Each command is a module with a `main`: build, slides, site, worlds, bench; and labsettings, for `run.py lab`. The
parts that they share, from the lowest:

    source        chapters/source/*.py: which there are, read, compared with their notebooks, written back
    exercises     an exercise cell as a stub, its help folded
    execution     cells run in a kernel, outputs that may be stored
    caches        what a result depends on, and whether it is stale
    chapter       a built notebook, as decks and pages read it
    assets        the files that go into decks and pages
    rendering     cells as HTML
    baked         explorers that answer without a kernel
    publishing    the command line of slides and site
    api           the reference of `shared`, read, not run

Each names in its docstring what it may import of `run`, `shared` and `tools`. Nothing in `shared` imports from here.
"""


class BuildError(Exception):
    """What stops a command; its first line names the chapter and the cell."""
