"""What runs in the browser, as one script: for the widget, for baked HTML, and for pages that hold many figures."""

import json
import re
from functools import cache
from pathlib import Path

PARTS = ["dom", "marks", "player", "controls", "point", "hand", "figure", "table"]  # each uses only earlier ones


@cache
def script():
    """All of JavaScript and CSS as the text of one module.

    Its default export is the widget; within the module, `awaken()` brings every baked figure of the page to life.
    """
    folder = Path(__file__).parent
    style = (folder / "live.css").read_text(encoding="utf-8")
    parts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in PARTS]
    joined = re.sub(r"^import .*\n|^export (?!default)", "", "\n".join(parts), flags=re.MULTILINE)
    return f"const STYLE = {json.dumps(style)};\n{joined}"
