"""Settings that JupyterLab needs for this course, for `run.py` and the browser tests.

May import: nothing but the standard library.
"""

import json
import sys
from pathlib import Path

OVERRIDES = {
    # Widgets answer on the kernel's main thread: on another one, inline matplotlib corrupts figures that a cell draws.
    "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"},
    # In the status bar: in the toolbar its two changes per message lay out the page again, 5 ms of a slider's answer.
    "@jupyterlab/notebook-extension:tracker": {"kernelStatus": {"showOnStatusBar": True, "showProgress": True}},
    # No question about news at the first start, and no request to a host.
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}


def write_overrides(folder):
    """Write overrides.json into an app settings folder (`--LabApp.app_settings_dir`, read at start); its path."""
    path = Path(folder) / "overrides.json"
    text = json.dumps(OVERRIDES, indent=2) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:     # a read-only one may be right already
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    try:
        write_overrides(sys.argv[1])
    except OSError as error:                          # a read-only installation: the course opens all the same
        print(f"JupyterLab's own settings stay as they are: cannot write to {sys.argv[1]} ({error.strerror})")
