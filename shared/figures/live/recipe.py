"""The two functions of a live figure, each called with the controls that it names."""

import inspect


class Recipe:
    """compute(**controls) -> data, pure; draw(data, **controls) sets the artists."""

    def __init__(self, compute, draw, names):
        self._compute, self._draw = compute, draw
        self._takes = {function: _parameters(function, names) for function in (compute, draw)}
        self.data, self._inputs = None, None

    def _arguments(self, function, values):
        return {name: values[name] for name in self._takes[function]}

    def compute(self, values):
        """What compute returns at these values; nothing is kept."""
        return self._compute(**self._arguments(self._compute, values))

    def draw(self, values):
        """Set the artists; compute runs again only if one of the controls that it names changed."""
        inputs = self._arguments(self._compute, values)
        if self._inputs != inputs:
            self._inputs = None  # if compute raises, there is nothing to go on with
            self.data = self._compute(**inputs)
            self._inputs = inputs
        self._draw(self.data, **self._arguments(self._draw, values))


def _parameters(function, names):
    """Which of the names a function takes."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return list(names)
    return [p.name for p in parameters if p.name in names]
