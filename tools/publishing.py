"""The command line that `run.py slides` and `run.py site` share: which chapters, and none that is stale.

May import: run, tools, tools.caches, tools.chapter, tools.source.
"""

import argparse
import time
from pathlib import Path

from . import BuildError
from .caches import stale
from .chapter import load
from .source import command, sources, target


def main(arguments, name, about, things, folder, build):
    """Publish chapters with `build(chapters, folder)`; whether anything was left out or went wrong."""
    parser = argparse.ArgumentParser(prog=f"run.py {name}", description=about)
    parser.add_argument("chapters", nargs="*", help="number, name or path; none for all")
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=folder, help=f"where (default {folder.name}/)")
    parser.add_argument("--stale", action="store_true", help="take stale notebooks as they are")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        chosen = sources(options.chapters)
        fresh = [source for source in chosen if options.stale or not refused(source)]
        written = build([load(target(source)) for source in fresh], options.to) if fresh else []
    except BuildError as error:
        print(error)
        return True
    except OSError as error:
        print(f"cannot write to {options.to}: {error.strerror or error}")
        return True
    print(f"{things} written to {options.to}: {len(written)}, after {time.perf_counter() - start:.0f} s")
    return len(fresh) < len(chosen)


def refused(source):
    """Whether nothing is published of a chapter because its notebook is stale; says so."""
    lines = stale(source)
    if lines:
        print(f"{source.stem} is stale, nothing is written of it ({lines[0]}): {command(source)}", flush=True)
    return bool(lines)
