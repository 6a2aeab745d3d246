"""An exercise as the student gets it: the cell with a stub for its solution, the help folded below it.

May import: tools.
"""

import ast
import re
import textwrap

from . import BuildError

BEGIN, END, TODO = "### BEGIN SOLUTION", "### END SOLUTION", "  # your code here"
SCOPES = ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp


def solved(source):
    """An exercise cell as its solution: the marks left out."""
    return "\n".join(line for line in source.splitlines() if line.strip() not in (BEGIN, END))


def stub(source, where="exercise"):
    """An exercise cell as the student gets it: every solution block replaced by one line per thing to find."""
    blocks = list(re.finditer(rf"^([ \t]*){BEGIN}[ \t]*\n(.*?)^[ \t]*{END}[ \t]*$", source, re.M | re.S))
    if not blocks or len(blocks) != source.count(BEGIN) or len(blocks) != source.count(END):
        raise BuildError(f"{where}: an exercise needs {BEGIN!r} ... {END!r}, each on a line of its own")
    rest = source
    for block in blocks:
        rest = rest.replace(block.group(), "")
    for block in blocks:
        lines = "\n".join(block.group(1) + line for line in placeholder(block.group(2), rest, where))
        source = source.replace(block.group(), lines)
    return source


def placeholder(block, rest, where):
    """The lines that stand for a solution block: `return ...`, `yield ...` or `name = ...`."""
    body = textwrap.dedent(block)
    try:
        tree = ast.parse(f"def _():\n{textwrap.indent(body, '    ')}").body[0]
    except SyntaxError as error:
        raise BuildError(f"{where}: the solution does not parse: {error.msg}") from None
    nodes = list(walk(tree))
    if any(isinstance(node, ast.Return) and node.value for node in nodes):
        return ["return ..." + TODO]
    if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in nodes):
        return ["yield ..." + TODO]
    assigned, last = (
        [node.id for node in found if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        for found in (nodes, walk(ast.Module(tree.body[-1:])))
    )
    names = [name for name in dict.fromkeys(assigned) if name in last or re.search(rf"\b{name}\b", rest)]
    if not names:
        raise BuildError(f"{where}: the solution must return, yield or assign (a def line goes outside the marks)")
    return [f"{name} = ..." + TODO for name in names]


def walk(tree):
    """ast.walk in order of appearance, without entering scopes inside `tree`."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, SCOPES):
            yield from walk(node)


def folded(hints, solution, where):
    """The staged help: each bullet and the solution folded in <details>."""
    text, *why = re.split(r"^Solution:", hints, maxsplit=1, flags=re.M)
    bullets = [textwrap.dedent("  " + bullet).strip() for bullet in re.split(r"^- ", text, flags=re.M)[1:]]
    if not bullets:
        raise BuildError(f"{where}: a hints cell needs at least one line that begins with '- '")
    parts = [(f"Hint {number}", bullet) for number, bullet in enumerate(bullets, 1)]
    why = why[0].strip() + "\n\n" if why else ""
    parts.append(("Solution", f"{why}```python\n{solution}\n```"))
    return "\n\n".join(f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" for title, body in parts)
