"""Which values of each control are baked: as many as fit, places of points as fractions of their axes."""

import numpy as np

from .controls import Point, Slider

# Kinds of control and how few values of each will do, from what is wished to what must be; then all is kept as it is.
FLOORS = [
    {"point": 5, "slider": 5, "choice": 8},
    {"point": 5, "slider": 3, "choice": 5},
    {"point": 1, "slider": 3, "choice": 3},
    {},
]


class Place(tuple):
    """A place as fractions of the axes."""

    def __new__(cls, u, v):
        return super().__new__(cls, (u, v))


HOME = Place(-1, -1)  # where the point is, or where `adjust` puts it


class Sampling:
    """The values of each control: those that a grid asks for, or as many as wanted with the present one among them.

    grid: {control: number of values, or a list of values}, for some controls; present: the values of all controls.
    """

    def __init__(self, controls, present, grid):
        unknown = set(grid) - set(controls)
        if unknown:
            has = ", ".join(controls)
            raise ValueError(f"grid names {', '.join(sorted(unknown))}: no such control; this figure has {has}")
        self.controls, self.present, self.grid = controls, present, grid

    def moves(self, name):
        """Whether a control only moves what is there (sliders and points); the others are the outer loops."""
        return isinstance(self.controls[name], Slider | Point)

    def values(self, name, count):
        """`count` values of a control; those of a point are a Place."""
        control, here = self.controls[name], self.present[name]
        asked = self.grid.get(name)
        if isinstance(asked, list | tuple):
            return [control.check(value) for value in asked]
        if count == 1:
            return [HOME] if isinstance(control, Point) else [here]
        if isinstance(control, Point):
            side = round((count - 1) ** 0.5)
            middles = ((np.arange(side) + 0.5) / side).tolist()
            return [HOME, *(Place(u, v) for u in middles for v in middles)]
        values = list(control.span(count))
        if isinstance(control, Slider):
            values[int(np.argmin([abs(np.log(v / here)) if control.log else abs(v - here) for v in values]))] = here
            return values
        return [here, *(v for v in values if v != here)][:count]

    def resolved(self, name, value, home):
        """A sampled value as a value of the control, where `home` are the values of all controls before it moves."""
        if value is HOME:
            return home[name]
        return self.controls[name].place(*value) if isinstance(value, Place) else value

    def counts(self, names, fits):
        """How many values of each control; `fits(frames, menu combinations)` says whether so many are possible.

        First points and sliders become coarser, then menus shorter, then controls are kept as they are.
        """
        counts = {}
        for name in names:
            control, asked = self.controls[name], self.grid.get(name)
            most = 17 if isinstance(control, Point) else 13 if isinstance(control, Slider) else 100
            counts[name] = asked if isinstance(asked, int) else len(asked or control.span(most))
        free = [name for name in names if name not in self.grid]
        product = lambda of: int(np.prod([counts[name] for name in of]))
        for floor in FLOORS:
            while not fits(product(names), product(name for name in names if not self.moves(name))):
                above = [n for n in free if counts[n] > floor.get(self.controls[n].kind, 2 if floor else 1)]
                if not above:
                    break
                name = max(above, key=counts.get)
                counts[name] -= 1
                if isinstance(self.controls[name], Point):  # 1 + a square number
                    side = int((counts[name] - 1) ** 0.5)
                    counts[name] = 1 + side**2 * (side > 1)
        return counts
