"""Build the notebooks: `python -m tools.build [CHAPTER...] [--force] [--check]`, and back: `--sync NOTEBOOK`.

`chapters/source/NN_name.py` is the only form that is edited (its marks: tools/source.py); `chapters/NN_name.ipynb` is
what people open: built from it, executed, committed with its outputs. A chapter is named by number, name or path; none
means all. It is executed again only if it is stale: its source, or a file of `shared` that its kernel loaded, has
changed (`--force`: always; `--check`: say so, and do nothing). Two builds are equal but for measured times.

May import: tools, tools.source, tools.execution, tools.caches.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import nbformat

from . import BuildError
from .caches import is_current, record, stale
from .execution import execute
from .source import command, read, sources, sync, target

LIMIT_MB = 2


def build(source, force=False):
    """Build one chapter; returns a line that says what was done."""
    path = target(source)
    if path.exists() and not force:
        if not (lines := stale(source)):
            return f"{source.stem}: up to date"
        if is_current(source):                        # nobody's work is lost without a word
            raise BuildError(f"{lines[0]}: was it edited? python3 run.py sync chapters/{path.name} keeps that, "
                             f"{command(source)} --force does not")
    nb, start = read(source), time.perf_counter()
    result = execute(nb, source.stem, path.parent)
    nb.metadata["built"] = record(source, result.modules)
    nbformat.validate(nb)
    text = nbformat.writes(nb) + "\n"
    size = len(text.encode()) / 1e6
    if size > LIMIT_MB:
        largest = max(range(len(nb.cells)), key=lambda i: len(json.dumps(nb.cells[i])))
        raise BuildError(f"{source.stem}: {size:.1f} MB, at most {LIMIT_MB} MB; the largest cell is {largest + 1}")
    path.write_text(text, encoding="utf-8")
    seconds = time.perf_counter() - start
    return f"{source.stem}: {len(nb.cells)} cells, {seconds:.0f} s, peak {result.peak / 1e9:.2f} GB, {size:.2f} MB"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="run.py build", description="Build the notebooks from chapters/source.")
    parser.add_argument("chapters", nargs="*", help="number, name or path; none for all")
    parser.add_argument("--force", action="store_true", help="execute even if nothing changed")
    parser.add_argument("--check", action="store_true", help="only say which notebooks are stale, and why")
    parser.add_argument("--sync", metavar="NOTEBOOK", type=Path, help="bring an edited notebook back to its source")
    options = parser.parse_args(arguments)
    failed = False
    try:
        if options.sync:
            notes = sync(options.sync.resolve())
            print("\n".join([*notes, f"{options.sync.stem}: source written; now build it"]))
            return bool(notes)
        for source in sources(options.chapters):
            try:
                lines = stale(source) if options.check else [build(source, options.force)]
                failed |= options.check and bool(lines)
            except BuildError as error:
                failed, lines = True, [f"FAILED {error}"]
            print("\n".join(lines or [f"{source.stem}: in step"]), flush=True)
    except BuildError as error:
        print(error)
        return True
    return failed


if __name__ == "__main__":
    sys.exit(main())
