"""Measure speed: `python -m tools.bench [PART...]` runs tests/bench_*.py and prints ratios of one run.

Each file has `bench()`, which gives rows (what, our seconds, the alternative, its seconds, the ratio to reach or None)
and lines of text, which are printed as they are.

May import: nothing of the course; what it measures does.
"""
import importlib.util
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"


def load(path):
    """A module from its file, with the folders of tests importable as pytest has them."""
    sys.path[:0] = [str(TESTS), str(TESTS / "browser"), str(TESTS.parent)]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def short(seconds):
    scale, unit = (1, "s") if seconds >= 1 else (1e3, "ms") if seconds >= 1e-3 else (1e6, "µs")
    return f"{seconds * scale:.3g} {unit}"


def main(parts):
    """Print every row; true (an exit code of 1) if a ratio was not reached."""
    files = sorted(TESTS.rglob("bench_*.py"))
    known = [path.stem[len("bench_"):] for path in files]
    if unknown := set(parts) - set(known):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    missed = False
    for path, name in zip(files, known):
        if parts and name not in parts:
            continue
        for row in load(path).bench():
            if isinstance(row, str):
                print(row, flush=True)
                continue
            what, ours, other, theirs, least = row
            ratio = theirs / ours
            verdict = "" if least is None else f"at least {least:.2g}x: {'reached' if ratio >= least else 'MISSED'}"
            missed |= least is not None and bool(ratio < least)
            print(f"{what:50} {short(ours):>9}   {other:40} {short(theirs):>9} {ratio:9.1f}x  {verdict}", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
