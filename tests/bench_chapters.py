"""Run time and peak memory of every chapter, executed one after the other in a fresh kernel."""

import time

from tools.execution import execute
from tools.source import read, sources, target

SECONDS, MEMORY = 90, 1.5                             # what each may take; GB


def bench():
    """Rows (what, seconds, the limit, its seconds, 1), and for the memory a line."""
    for source in sources([]):
        number = int(source.stem[:2])
        begun = time.perf_counter()
        peak = execute(read(source), source.stem, target(source).parent).peak / 1e9
        yield f"chapter {number}", time.perf_counter() - begun, f"the limit of {SECONDS} s", SECONDS, 1
        verdict = "reached" if peak <= MEMORY else "ABOVE"
        yield f"{'':11}peak memory {peak:.2f} GB, at most {MEMORY} GB: {verdict}"
