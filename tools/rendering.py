"""A chapter's cells as HTML: text, formulas for MathJax, code, stored outputs, baked explorers.

May import: tools.
"""

import html
import re
from itertools import groupby

from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from . import BuildError


def _math(wrap, delimiters):
    """A rule of the renderer: the formula as it stands, escaped, between what MathJax looks for."""
    return lambda self, tokens, i, options, env: (
        f'<{wrap} class="math">{delimiters[0]}{html.escape(tokens[i].content)}{delimiters[1]}</{wrap}>')


def _heading(self, tokens, i, options, env):
    """Headings get an id from their text, so that contents and search can point at them."""
    words = "".join(child.content for child in tokens[i + 1].children if child.type in ("text", "code_inline"))
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "section"
    seen = env.setdefault("slugs", {})
    seen[slug] = seen.get(slug, 0) + 1
    slug += f"-{seen[slug]}" if seen[slug] > 1 else ""
    level = int(tokens[i].tag[1])
    env.setdefault("headings", []).append((level, slug, tokens[i + 1].content))
    return f'<h{level} id="{slug}">'


def _renderer():
    md = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    md.use(dollarmath_plugin, allow_labels=False, allow_space=True, allow_digits=True, double_inline=True)
    md.use(amsmath_plugin)
    md.add_render_rule("math_inline", _math("span", (r"\(", r"\)")))
    md.add_render_rule("math_inline_double", _math("div", (r"\[", r"\]")))
    md.add_render_rule("math_block", _math("div", (r"\[", r"\]")))
    md.add_render_rule("amsmath", _math("div", (r"\[", r"\]")))
    md.add_render_rule("heading_open", _heading)
    md.add_render_rule("fence", lambda self, tokens, i, options, env: code(tokens[i].content, tokens[i].info or "text"))
    md.add_render_rule("table_open", lambda *_: '<div class="table" tabindex="0" role="group"><table>')
    md.add_render_rule("table_close", lambda *_: "</table></div>")
    return md


MARKDOWN = _renderer()


def markdown(text, env=None):
    """Markdown with LaTeX as HTML; `env` collects the headings of a whole chapter."""
    return MARKDOWN.render(text, {} if env is None else env)


def code(source, language="python"):
    """Highlighted source. `--columns` lets a slide choose a size at which the longest line fits."""
    source = source.strip("\n")
    try:
        inside = highlight(source, get_lexer_by_name(language.split()[0]), HtmlFormatter(nowrap=True)).rstrip("\n")
    except ClassNotFound:
        inside = html.escape(source)
    columns = max(map(len, source.splitlines() or [""]))
    return f'<pre class="code" tabindex="0" style="--columns:{max(columns, 40)}"><code>{inside}</code></pre>'


def outputs(cell):
    """What a cell shows: its baked explorer, or its stored outputs."""
    if cell.explorer:
        return f'<div class="explorer">{cell.explorer}</div>'
    return "\n".join(filter(None, (output(item, cell) for item in cell.outputs)))


def output(item, cell):
    if item["output_type"] == "stream":
        return printed(item["text"])
    if item["output_type"] == "error":
        raise BuildError(f"cell {cell.number} stopped with {item['ename']}: {item['evalue']}")
    data = item["data"]
    if "image/png" in data:
        about = item.get("metadata", {}).get("image/png", {})
        size = "".join(f' {side}="{about[side]}"' for side in ("width", "height") if side in about)
        alt = html.escape(about.get("alt") or data.get("text/plain", ""))
        png = data["image/png"].replace("\n", "")
        return f'<img class="figure" alt="{alt}"{size} src="data:image/png;base64,{png}">'
    if "text/markdown" in data:
        return markdown(data["text/markdown"])
    if "text/html" in data:
        return data["text/html"]
    if "text/latex" in data:
        return markdown(data["text/latex"])
    return printed(data.get("text/plain", ""))


def printed(text):
    """Printed text; claims ("✓ ...") stand out."""
    parts = []
    for is_claim, lines in groupby(text.rstrip("\n").split("\n"), lambda line: line.startswith("✓ ")):
        lines = list(lines)
        if is_claim:
            parts += [f'<p class="claim">{html.escape(line)}</p>' for line in lines]
        elif any(line.strip() for line in lines):
            columns = max(map(len, lines))
            parts.append(f'<pre class="printed" tabindex="0" style="--columns:{max(columns, 40)}">'
                         f"{html.escape(chr(10).join(lines))}</pre>")
    return "\n".join(parts)
