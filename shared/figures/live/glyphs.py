"""Letters as outlines, numbered: a text looks the same in every browser, formulas included."""

from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from .svg import path_data

EM = text_to_path.FONT_SCALE  # the units of an em in which letters are placed


class Glyphs:
    """The outlines of the letters met so far."""

    def __init__(self):
        self.numbers, self.outlines, self.paths = {}, [], None

    def number(self, name, vertices, codes):
        """The number of an outline."""
        if name not in self.numbers:
            self.numbers[name] = len(self.outlines)
            self.outlines.append(path_data(Path(vertices, codes)) if len(vertices) else "")
        return self.numbers[name]

    def layout(self, text, prop, ismath=False):
        """The letters of one line as [number, x, y, scale, ...] in units of 1/100 em, and its rules [x, y, w, h]."""
        if ismath:
            placed, self.paths, rules = text_to_path.get_glyphs_mathtext(prop, text, self.paths)
        else:
            font = text_to_path._get_font(prop)
            placed, self.paths, rules = text_to_path.get_glyphs_with_font(font, text, self.paths)
        letters = []
        for name, x, y, scale in placed:
            letters += self.number(name, *self.paths[name]), round(x, 1), round(y, 1), round(scale, 3)
        corners = [(*corner[0], *corner[2]) for corner, _ in rules]
        return letters, [[round(float(v), 1) for v in (x0, y0, x1 - x0, y1 - y0)] for x0, y0, x1, y1 in corners]

    def letter(self, char, prop):
        """One letter and how far it moves the pen, in 1/100 em: for texts that change with the step."""
        letters, _ = self.layout(char, prop)
        size = EM / prop.get_size_in_points()
        width = lambda text: text_to_path.get_text_width_height_descent(text, prop, False)[0]
        return (letters[0] if letters else -1), round((width(f".{char}.") - width("..")) * size, 2)


GLYPHS = Glyphs()


def letters_of(mark):
    """The numbers of the letters that a mark uses."""
    if mark["kind"] == "captions":
        return {number for number, _ in mark["alphabet"].values() if number >= 0}
    return set(mark.get("letters", ())[::4])


def renumbered(mark, numbers):
    """The mark with letters numbered by `numbers` (GLYPHS' number -> the new one), which takes up those it lacks.

    GLYPHS counts what a process has met: what is stored must not depend on that.
    """
    new = lambda number: numbers.setdefault(number, len(numbers)) if number >= 0 else number
    if mark["kind"] == "captions":
        return mark | {"alphabet": {c: (new(number), width) for c, (number, width) in mark["alphabet"].items()}}
    letters = mark.get("letters")
    return mark | {"letters": [v if i % 4 else new(v) for i, v in enumerate(letters)]} if letters else mark
