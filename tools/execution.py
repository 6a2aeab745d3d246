"""Cells run in a fresh kernel, in the folder of the chapters, and of their outputs what may be stored.

Stored outputs keep their PNG and plain text and lose live widget views, which no page can open without a kernel. An
error, anything written to stderr, a memory address or a path of this machine in an output stops the build.

May import: run, tools, tools.source.
"""

import asyncio
import json
import os
import re
import tempfile
import textwrap
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from run import CHAPTERS, QUIET, ROOT

from . import BuildError
from .source import LANGUAGE

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
PRIVATE = re.compile("|".join(re.escape(f"{folder}{os.sep}") for folder in (ROOT, Path.home(), tempfile.gettempdir())))
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
PROBE = """
import json as _json, sys as _sys
try:
    import resource as _resource
    _peak = _resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss * (1 if _sys.platform == "darwin" else 1024)
except ImportError:
    _peak = 0
_files = [getattr(m, "__file__", None) for n, m in list(_sys.modules.items()) if n.split(".")[0] == "shared"]
print(_json.dumps({"peak": _peak, "files": [f for f in _files if f]}))
"""


class Run(NamedTuple):
    """What running cells took: the kernel's peak memory in bytes, the modules of `shared` that it loaded."""

    peak: int
    modules: list


async def run(nb, name, cwd=CHAPTERS, **environment):
    """Run the cells, which get their outputs; what that took. BuildError names a cell that fails.

    A cell is named by its place, or by the number in its metadata where it stands for a cell of another notebook.
    """
    nb.cells.append(nbformat.v4.new_code_cell(PROBE))
    terse = ["--IPKernelApp.log_level=40"]            # no warning that the kernel talks over TCP
    limit = None if os.environ.get("COURSE_TABLES") else 600        # seconds per cell; tables take what they need
    client = NotebookClient(nb, timeout=limit, record_timing=False, extra_arguments=terse,
                            resources={"metadata": {"path": str(cwd)}})  # fmt: skip
    environment = {"CLAIMS": "strict", **os.environ, **QUIET, **environment}
    try:
        await client.async_execute(env=environment)
    except CellExecutionError as error:
        failed = [any(o.output_type == "error" for o in cell.get("outputs", [])) for cell in nb.cells].index(True)
        cell = nb.cells[failed]
        number = cell.metadata.get("number", failed + 1)
        lines = textwrap.indent(cell.source, "    ")
        raise BuildError(f"{name}, cell {number}: {error.ename}: {error.evalue}\n{lines}") from None
    probe = nb.cells.pop()
    found = json.loads("".join(output.text for output in probe.outputs if output.get("name") == "stdout"))
    files = {Path(file) for file in found["files"]}
    return Run(found["peak"], sorted(file.relative_to(ROOT).as_posix() for file in files if file.is_relative_to(ROOT)))


def execute(nb, name, cwd=CHAPTERS):
    """Run a notebook whose outputs will be stored."""
    result = asyncio.run(run(nb, name, cwd))          # Ctrl-C ends the kernel too
    for number, cell in enumerate(nb.cells, 1):
        if cell.cell_type == "code":
            cell.outputs = clean(cell.outputs, f"{name}, cell {number}")
    nb.metadata.pop("widgets", None)
    nb.metadata["language_info"] = LANGUAGE
    return result


def clean(outputs, where):
    """Outputs as they are stored: streams joined, no widget view; BuildError if one must not be stored."""
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                raise BuildError(f"{where} writes to stderr: {output.text.strip()}")
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        elif "data" in output and output.data.pop(WIDGET_VIEW, None) and set(output.data) <= {"text/plain"}:
            raise BuildError(f"{where} shows a widget without a picture: nothing would be left of it on a page")
        kept.append(output)
    for output in kept:
        for text in [output.text] if output.output_type == "stream" else output.data.values():
            if isinstance(text, str) and (private := ADDRESS.search(text) or PRIVATE.search(text)):
                raise BuildError(f"{where}: its output holds a memory address or a path of this machine: {private[0]}")
    return kept
