"""What a stored result depends on, and whether it is stale: one notion for notebooks and baked explorers.

A result depends on a text (the source of a chapter, the cells that were run) and on the modules of `shared` that its
kernel loaded. A package stands for itself and for every file of its folder that is not Python: scripts, styles, data.
Line ends do not count.

May import: run, tools, tools.source.
"""

import hashlib

import nbformat

from run import ROOT

from .source import differences, target


def dependencies(modules):
    """The files (relative to the root) on which a result depends that loaded these files of `shared`."""
    packages = [ROOT / module for module in modules if module.endswith("__init__.py")]
    shipped = {file.relative_to(ROOT).as_posix() for package in packages for file in data_files(package.parent)}
    return sorted({*modules, *shipped})


def data_files(folder):
    """The files below a package's folder that are not Python, without those of packages in it."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.startswith((".", "__")):
            continue
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path
        elif path.is_dir() and not (path / "__init__.py").exists():
            yield from data_files(path)


def fingerprint(text, modules):
    """A hash of a text (bytes) and of the files that these modules stand for; None if one is missing."""
    paths = [ROOT / file for file in dependencies(modules)]
    if not all(path.is_file() for path in paths):
        return None
    return hashlib.sha256(b"\0".join([text, *map(contents, paths)])).hexdigest()[:16]


def contents(path):
    """The bytes of a file; of a text, with the line ends of Unix whatever a checkout has made of them."""
    data = path.read_bytes()
    return data if b"\0" in data else data.replace(b"\r\n", b"\n")


def record(source, modules):
    """What a notebook says of its own build."""
    return {"hash": fingerprint(contents(source), modules), "shared": modules}


def is_current(source):
    """Whether a notebook was built from this source and this `shared`, whatever its text is now."""
    built = nbformat.read(target(source), as_version=4).metadata.get("built")
    return bool(built) and built == record(source, built["shared"])


def stale(source):
    """Why a notebook is not what its source and `shared` would make of it now: lines, none if it is."""
    lines = differences(source)
    if not lines and not is_current(source):
        lines = [f"{target(source).name}: its source or a file of shared has changed since it was executed"]
    return lines
