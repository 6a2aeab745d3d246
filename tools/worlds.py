"""In how many worlds is each claim true: `python -m tools.worlds [CHAPTER...] [--n 10] [--save]`.

A world is another seed for every draw (COURSE_SEED), another instruction set (ATEN_CPU_CAPABILITY for torch,
OPENBLAS_CORETYPE for NumPy and SciPy), another number of threads, or a machine that is busy with something else. The
chapters are executed from their sources in every world, two at a time; claims are logged and do not stop a chapter.
What has been run is kept in `.worlds/` under the hash of the chapter and of `shared`, so that an interrupted run goes
on where it stopped. `--save` writes the table to docs/worlds.json, which the site and `claim` read.

May import: run, shared.course.claims; tools, tools.caches, tools.execution, tools.source.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import jupytext

from run import ROOT
from shared.course.claims import TABLE, calls, key

from . import BuildError
from .caches import contents, fingerprint
from .execution import execute
from .source import read, sources

KEPT = ROOT / ".worlds"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ISA = ("default", "avx2", "avx512")                   # of torch, from the least
BLAS = {"avx512": "SkylakeX", "avx2": "Haswell", "default": "Nehalem"}


def worlds(seeds):
    """The worlds this machine can show, name -> environment; "0" is the course as printed."""
    one = dict.fromkeys(THREADS, "1")
    found = {"0": one} | {f"seed {s}": one | {"COURSE_SEED": str(s)} for s in range(1, seeds + 1)}
    for isa in ISA[: ISA.index(capability()) + 1]:
        found[isa] = one | {"ATEN_CPU_CAPABILITY": isa, "OPENBLAS_CORETYPE": BLAS[isa]}
    return found | {"2 threads": dict.fromkeys(THREADS, "2"), "busy": one | {"BUSY": "2"}}


def capability():
    """The best instruction set that torch has here."""
    ask = "import torch; print(torch.backends.cpu.get_cpu_capability().lower())"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout.strip()
    return said if said in ISA else "default"


@contextmanager
def busy(processes):
    """So many processes that compute without end beside what runs here."""
    burn = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in burn:
            process.kill()
            process.wait()


def run_here(source):
    """Execute one chapter in this process's world; prints what came of it as JSON."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as log, busy(int(os.environ.get("BUSY", "0"))):
        os.environ |= {"CLAIMS": "mark", "CLAIMS_LOG": log.name}
        stopped, begun = None, time.perf_counter()
        try:
            execute(read(source), source.stem, source.parents[1])
        except BuildError as error:
            stopped = str(error).splitlines()[0]
        rows = [json.loads(line) for line in Path(log.name).read_text(encoding="utf-8").splitlines()]
    return {"claims": rows, "stopped": stopped, "seconds": round(time.perf_counter() - begun, 1)}


def run(source, world, environment):
    """The result of a chapter in a world, from `.worlds/` if it is there."""
    everything = [path.relative_to(ROOT).as_posix() for path in (ROOT / "shared").rglob("*.py")]
    mark = fingerprint(contents(source), everything)
    place = KEPT / f"{source.stem[:2]}-{mark}-{world.replace(' ', '-')}.json"
    if not place.exists():
        command = [sys.executable, "-m", "tools.worlds", "--here", str(source)]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"{source.stem} in world {world}: {done.stderr.strip().splitlines()[-1:]}")
        KEPT.mkdir(exist_ok=True)
        place.write_text(done.stdout.splitlines()[-1], encoding="utf-8")
    return json.loads(place.read_text(encoding="utf-8"))


def written(source):
    """The claims that stand in a chapter: key -> its code, in order of appearance."""
    cells = [cell.source for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == "code"]
    found = {}
    for cell in cells:
        for call in calls(cell):
            found[key(call)] = " ".join(line.strip() for line in cell.splitlines()[call.lineno - 1 : call.end_lineno])
    return found


def tally(source, results):
    """One row per claim of a chapter: in how many of the worlds (name -> result) it held, and with what room."""
    rows = []
    for name, code in written(source).items():
        by_world = {world: [c for c in result["claims"] if c["key"] == name] for world, result in results.items()}
        held = {world: bool(found) and all(c["holds"] for c in found) for world, found in by_world.items()}
        rooms = [c["room"] for found in by_world.values() for c in found if c["room"] is not None]
        said = next((c["sentence"] for found in by_world.values() for c in found), code)
        rows.append({
            "key": name, "chapter": source.stem[:2], "sentence": said, "tried": len(held), "held": sum(held.values()),
            "failed": [world for world, ok in held.items() if not ok],
            "room": round(min(rooms), 3) if rooms else None, "usual": round(median(rooms), 3) if rooms else None,
        })  # fmt: skip
    return rows


def print_table(rows, most=25):
    """The claims that failed somewhere, then those with the least room."""
    rows = sorted(rows, key=lambda row: (row["held"] / row["tried"], 9 if row["room"] is None else row["room"]))
    for row in [row for row in rows if row["failed"]] + [row for row in rows if not row["failed"]][:most]:
        room = "" if row["room"] is None else f"room {row['room']:+.2f}"
        where = f"  not in: {', '.join(row['failed'])}" if row["failed"] else ""
        print(f"{row['chapter']}  {row['held']:3} of {row['tried']:<3} {room:11} {row['sentence'][:150]}{where}")
    failed = sum(bool(row["failed"]) for row in rows)
    print(f"{len(rows)} claims, {failed} of them not true in every world", flush=True)


def save(rows, names):
    """Write the table; rows of chapters that were not run now stay as they are."""
    old = json.loads(TABLE.read_text(encoding="utf-8"))["claims"] if TABLE.exists() else []
    now = {row["chapter"] for row in rows}
    kept = sorted([row for row in old if row["chapter"] not in now] + rows, key=lambda row: row["chapter"])
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in kept)
    TABLE.write_text(f'{{"worlds": {json.dumps(names)},\n"claims": [\n{lines}\n]}}\n', encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="run.py worlds", description="In how many worlds is each claim true?")
    parser.add_argument("chapters", nargs="*", help="number, name or path; none for all")
    parser.add_argument("--n", type=int, default=10, help="how many other seeds (default 10)")
    parser.add_argument("--only", action="append", metavar="WORLD", help='only this world: 0, "seed 3", avx2, busy ...')
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default 2)")
    parser.add_argument("--save", action="store_true", help="write docs/worlds.json")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.here:
        print(json.dumps(run_here(Path(options.here))))
        return False
    chosen, every = sources(options.chapters), worlds(options.n)
    if unknown := set(options.only or ()) - set(every):
        sys.exit(f"no world {', '.join(sorted(unknown))}; there are: {', '.join(every)}")
    names = options.only or list(every)
    results, begun = {source: {} for source in chosen}, time.perf_counter()
    with ThreadPoolExecutor(options.jobs) as pool:
        tasks = {pool.submit(run, source, world, every[world]): (source, world) for world in names for source in chosen}
        for count, task in enumerate(as_completed(tasks), 1):
            (source, world), result = tasks[task], task.result()
            results[source][world] = result
            failed = sum(not c["holds"] for c in result["claims"])
            said = result["stopped"] or f"{len(result['claims'])} claims, {failed} do not hold"
            spent = time.perf_counter() - begun
            print(f"[{count}/{len(tasks)}, {spent:.0f} s] {source.stem[:2]} {world}: {said}", flush=True)
    rows = [row for source in chosen for row in tally(source, results[source])]
    print_table(rows)
    if options.save:
        save(rows, names)
    return any(row["failed"] for row in rows)


if __name__ == "__main__":
    sys.exit(main())
