"""Run time and peak memory of every chapter, executed one after the other in a fresh kernel."""

import time

from tools.build import execute, read, sources, target

SECONDS = {8: 120, 9: 120}  # these start processes and import four libraries
MEMORY = {9: 2.0}  # GB


def bench():
    """Rows (what, seconds, the limit, its seconds, 1), and for the memory a line."""
    for source in sources([]):
        number = int(source.stem[:2])
        begun = time.perf_counter()
        peak = execute(read(source), source.stem, target(source).parent)["peak"] / 1e9
        limit = SECONDS.get(number, 90)
        yield f"chapter {number}", time.perf_counter() - begun, f"the limit of {limit} s", limit, 1
        most = MEMORY.get(number, 1.5)
        yield f"{'':11}peak memory {peak:.2f} GB, at most {most:g} GB: {'reached' if peak <= most else 'ABOVE'}"
