"""The build of notebooks, end to end on a chapter made up here, and every source in step with its notebook."""
import shutil
from pathlib import Path

import nbformat
import pytest

from run import CHAPTERS, ROOT
from tools import BuildError, build, caches, exercises
from tools.execution import WIDGET_VIEW, clean
from tools.source import differences, sources, sync, target

CHAPTER = '''\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # A title

# %% tags=["setup"]
from shared.course import check

# %% [markdown]
# Exercise.

# %% tags=["exercise"]
def rate(kappa):
    """The best rate."""
    total = kappa + 1
    ### BEGIN SOLUTION
    return (kappa - 1) / total
    ### END SOLUTION

# %% slideshow={"slide_type": "skip"}
print("printed"); print(rate(3))

# %% [markdown] tags=["hints"]
# - A question?
# - Nearly
#   there.
#
# Solution: why.
'''


@pytest.fixture
def chapter(tmp_path):
    """A function that writes a source and returns its path; the notebook will lie two folders up."""
    (tmp_path / "chapters" / "source").mkdir(parents=True)
    path = tmp_path / "chapters" / "source" / "01_made_up.py"

    def write(text=CHAPTER):
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_chapter_is_built_once_and_the_same_twice(chapter):
    source = chapter()
    assert caches.stale(source) == ["01_made_up.ipynb is missing"]
    assert build.build(source).startswith("01_made_up: 6 cells")
    first = target(source).read_bytes()
    assert caches.stale(source) == []
    assert build.build(source) == "01_made_up: up to date"
    build.build(source, force=True)
    assert target(source).read_bytes() == first

    notebook = nbformat.reads(first.decode(), as_version=4)
    nbformat.validate(notebook)
    loaded = notebook.metadata.built.shared
    assert "shared/course/exercises.py" in loaded and not [file for file in loaded if "explorers" in file]
    title, _, _, exercise, printed, hints = notebook.cells
    assert title.metadata == {"slideshow": {"slide_type": "slide"}}
    assert exercise.source.endswith("    total = kappa + 1\n    return ...  # your code here")
    assert [output.text for output in printed.outputs] == ["printed\nEllipsis\n"]
    assert hints.source.startswith("<details><summary>Hint 1</summary>\n\nA question?\n\n</details>")
    assert "Hint 2</summary>\n\nNearly\nthere.\n" in hints.source
    assert "Solution</summary>\n\nwhy.\n\n```python\ndef rate(kappa):" in hints.source
    assert "return (kappa - 1) / total\n```" in hints.source and "SOLUTION" not in hints.source


def test_a_change_is_noticed(chapter):
    source = chapter()
    build.build(source)
    chapter(CHAPTER.replace("A title", "Another title"))
    assert caches.stale(source) == ["01_made_up.ipynb, cell 1: not as in the source"]
    assert "6 cells" in build.build(source)


def test_an_edited_notebook_is_not_built_over(chapter):
    source = chapter()
    build.build(source)
    notebook = nbformat.read(target(source), as_version=4)
    notebook.cells[0].metadata["jupyter"] = {"source_hidden": True}  # how a reader looks at it is no edit
    nbformat.write(notebook, target(source))
    assert build.build(source) == "01_made_up: up to date"
    notebook.cells[0].source = "# Mine"
    nbformat.write(notebook, target(source))
    with pytest.raises(BuildError, match="cell 1: not as in the source: was it edited.*run.py sync.*build 01 --force"):
        build.build(source)
    assert target(source).read_text().count("# Mine") == 1
    assert "6 cells" in build.build(source, force=True)


@pytest.mark.parametrize(
    "block, stubs",
    [
        ("return a", ["return ..."]),
        ("if a:\n    return 1\nreturn 2", ["return ..."]),
        ("b = 2\nc = a + b", ["c = ..."]),
        ("given = 2\nc = a + given", ["given = ...", "c = ..."]),
        ("m, v = 1, 2", ["m = ...", "v = ..."]),
        ("for k in a:\n    yield k", ["yield ..."]),
        ("c = [k for k in a]", ["c = ..."]),
        ("c = lambda x: (y := x)", ["c = ..."]),
    ],
)
def test_stub(block, stubs):
    assert exercises.placeholder(block, "print(given)", "here") == [line + exercises.TODO for line in stubs]


def marked(solution):
    return f'# %% tags=["exercise"]\n{exercises.BEGIN}\n{solution}\n{exercises.END}\n'


HINTS = '\n# %% [markdown] tags=["hints"]\n# - hint\n'


@pytest.mark.parametrize(
    "text, message",
    [
        ("# %%\n1 / 0\n", "cell 1: ZeroDivisionError"),
        ("# %%\nimport warnings\n\n# %%\nwarnings.warn('careful')\n", "cell 2 writes to stderr: .*careful"),
        ("# %%\nprint('a' * 2_100_000)\n", "2.1 MB, at most 2 MB; the largest cell is 1"),
        (marked("a = 1"), "the last exercise has no hints cell"),
        (marked("a = 1") + "\n" + marked("b = 1"), "cell 2: the exercise before it has no hints cell"),
        (marked("print(1)") + HINTS, "cell 1: the solution must return, yield or assign"),
        (marked("def f(x):\n    return x") + HINTS, "must return, yield or assign"),
        (marked("a = ") + HINTS, "cell 1: the solution does not parse"),
        (f'# %% tags=["exercise"]\n{exercises.BEGIN}\na = 1\n', "cell 1: an exercise needs"),
        (f"# %%\n{exercises.BEGIN}\na = 1\n{exercises.END}\n", "cell 1: solution marks, but not the tag exercise"),
        (HINTS.lstrip(), "cell 1: hints without an exercise above"),
        (marked("a = 1") + HINTS.replace("- hint", "hint"), "cell 2: a hints cell needs at least one line"),
    ],
)
def test_what_stops_a_build(chapter, text, message):
    source = chapter(text)
    with pytest.raises(BuildError, match=f"01_made_up.*{message}"):
        build.build(source)
    assert not target(source).exists()


def output(**data):
    return nbformat.v4.new_output("display_data", data={key.replace("_", "/", 1): value for key, value in data.items()})


@pytest.mark.parametrize(
    "text",
    [repr(object()), f"file {ROOT}/x.py", f"{Path.home()}/x"],
    ids=["address", "project", "home"],
)
def test_an_output_that_must_not_be_stored(text):
    for kept in (nbformat.v4.new_output("stream", name="stdout", text=text), output(text_plain=text)):
        with pytest.raises(BuildError, match="here: its output holds a memory address or a path of this machine: "):
            clean([kept], "here")


def test_a_widget_keeps_its_picture_only():
    view = {WIDGET_VIEW: {"model_id": "x"}}
    still = output(text_plain="Figure", image_png="AA==")
    still.data.update(view)
    assert set(clean([still], "here")[0].data) == {"text/plain", "image/png"}
    live_only = output(text_plain="IntSlider()")
    live_only.data.update(view)
    with pytest.raises(BuildError, match="here shows a widget without a picture"):
        clean([live_only], "here")


def test_sync_brings_an_edited_notebook_back(chapter):
    source = chapter()
    build.build(source)
    path = target(source)
    notebook = nbformat.read(path, as_version=4)
    assert sync(path) == []
    assert source.read_text(encoding="utf-8").replace("\n\n\n", "\n\n") == CHAPTER  # nothing edited

    notebook.cells[0].source = "# A better title"
    notebook.cells[2].metadata = {"slideshow": {"slide_type": "subslide"}}
    notebook.cells.insert(3, nbformat.v4.new_code_cell("extra = 1"))
    nbformat.write(notebook, path)
    assert sync(path) == []
    text = source.read_text(encoding="utf-8")
    assert text.startswith(CHAPTER[: CHAPTER.index("# %%")])
    assert "# # A better title" in text and "# %%\nextra = 1" in text
    assert '# %% [markdown] slideshow={"slide_type": "subslide"}\n# Exercise.' in text
    assert "return (kappa - 1) / total" in text and "# - A question?" in text
    assert "6 cells" not in build.build(source) and differences(source) == []

    notebook = nbformat.read(path, as_version=4)
    notebook.cells[4].source += " and more"
    nbformat.write(notebook, path)
    assert sync(path) == ["01_made_up.ipynb, cell 5: an exercise was edited; change 01_made_up.py by hand"]
    assert "return (kappa - 1) / total" in source.read_text(encoding="utf-8")


@pytest.mark.parametrize("source", sources([]), ids=lambda source: source.stem)
def test_a_chapter_nobody_edited_comes_back_as_it_was(tmp_path, source):
    """To the byte: an instructor's difference shows what the instructor changed, and nothing else."""
    (tmp_path / "source").mkdir()
    shutil.copy(source, tmp_path / "source")
    shutil.copy(target(source), tmp_path)
    assert sync(tmp_path / target(source).name) == []
    assert (tmp_path / "source" / source.name).read_bytes() == source.read_bytes()


def test_chapters_are_named_by_number_name_or_path(chapter, capsys, monkeypatch):
    source = chapter()
    assert [sources([name], source.parent) for name in ("1", "01", "01_made_up", str(source))] == [[source]] * 4
    assert build.main(["no_such"])
    assert "no chapter 'no_such'; there are: " in capsys.readouterr().out
    assert build.main(["--sync", str(source.parent / "other.ipynb")])
    assert "save the notebook under its chapter's name" in capsys.readouterr().out


@pytest.mark.parametrize("source", sources([]), ids=lambda path: path.stem)
def test_notebook_is_what_its_source_says(source):
    assert caches.stale(source) == []


def test_no_notebook_without_a_source():
    assert {path.stem for path in CHAPTERS.glob("*.ipynb")} <= {path.stem for path in sources([])}
