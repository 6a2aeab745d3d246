"""The README says what is there: chapters, files, commands."""

import re
from pathlib import Path

from shared.course.outline import CHAPTERS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_chapter_stands_with_its_question():
    for c in CHAPTERS:
        assert f"| {c.number} {c.title} | {c.question} |" in README


def test_every_path_it_names_exists():
    made = {"slides/", "site/"}  # written by run.py
    named = re.findall(r"`((?:chapters|shared|tests|tools|docs|slides|site)/[\w./]*)`|\((docs/[\w.]+)\)", README)
    named = {a or b for a, b in named} - made
    assert named
    for path in named:
        assert (ROOT / path).exists(), path


def test_it_opens_with_the_two_commands():
    assert re.search(r"^# .+\n\n```\npython3 run.py .+\npython3 run.py test .+\n```", README)
