"""The reference of `shared` as a page of the site: each public name, its signature and docstring, read, not run.

May import: run.
"""

import ast
import html

from run import ROOT

SHARED = ROOT / "shared"
LEFT_OUT = {"bank"}                          # the answers


def modules():
    """The public modules of `shared` as (dotted name, syntax tree), packages first."""
    paths = sorted(path for path in SHARED.rglob("*.py") if not LEFT_OUT & set(path.relative_to(SHARED).parts))
    for path in paths:
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not path.stem.startswith("_") or path.stem == "__init__":
            yield dotted, ast.parse(path.read_text(encoding="utf-8"))


def public(tree):
    """The public classes and functions of a module or a class, in order."""
    return [node for node in tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")]


def signature(node):
    """`name(arguments)`; of a dataclass, its fields."""
    if isinstance(node, ast.FunctionDef):
        return f"{node.name}({ast.unparse(node.args)})"
    fields = [part.target.id + (f"={default(part.value)}" if part.value else "")
              for part in node.body if isinstance(part, ast.AnnAssign)]
    bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
    decorated = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    return f"class {node.name}({', '.join(fields)})" if decorated and fields else f"class {node.name}{bases}"


def default(value):
    """A field's default; of `hyper(default, ...)` and `field(default=...)` the default itself."""
    if isinstance(value, ast.Call) and value.args:
        value = value.args[0]
    return ast.unparse(value)


def body():
    """(HTML of the page, [(level, id, heading), ...])."""
    parts, headings = ["<h1>Reference of the code</h1>", "<p>Every public name of <code>shared</code>, from its own "
                       "docstring. Arrays are NumPy arrays of shape (..., d) unless another shape is given.</p>"], []
    for dotted, tree in modules():
        names = public(tree)
        if not names:
            continue
        headings.append((2, dotted, dotted))
        parts.append(f'<h2 id="{dotted}">{dotted}</h2>{_said(tree)}')
        for node in names:
            slug = f"{dotted}.{node.name}"
            headings.append((3, slug, node.name))
            parts.append(f'<h3 id="{slug}"><code>{html.escape(signature(node))}</code></h3>{_said(node)}')
            for method in public(node) if isinstance(node, ast.ClassDef) else ():
                if ast.get_docstring(method):
                    parts.append(f"<h4><code>{html.escape(signature(method))}</code></h4>{_said(method)}")
    return "\n".join(parts), headings


def _said(node):
    """The docstring as it is written: its boxes are aligned."""
    said = ast.get_docstring(node)
    return f'<pre class="printed" tabindex="0">{html.escape(said)}</pre>' if said else ""
