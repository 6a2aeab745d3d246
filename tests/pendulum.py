"""A figure of another course: it knows the live figure's package and nothing else of this project."""

import numpy as np
from matplotlib.figure import Figure

from shared.figures.live import Choices, LiveFigure, Play, Point, Slider, Toggle, head, trail

TIME = np.linspace(0, 10, 101)


def pendulum():
    """A pendulum that is dragged to where it starts; its angle, exactly and as the textbook's formula has it."""
    fig = Figure(figsize=(8, 4), layout="constrained")
    swing, plane = fig.subplots(1, 2)
    swing.set(xlim=(0, 10), ylim=(-3.2, 3.2), xlabel="seconds", ylabel="angle")
    plane.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    curves = {name: swing.plot([], [], label=name)[0] for name in ("exact", "small angles")}
    rod, = plane.plot([], [], lw=2)
    bob, = plane.plot([], [], "o", ms=14)

    def compute(length, damping, bob, linear):
        angle, speed, h = np.arctan2(bob[0], -bob[1]), 0.0, TIME[1] / 20
        first, angles = angle, []
        for _ in TIME:
            angles.append(angle)
            for _ in range(20):
                speed -= h * (9.81 / length * (angle if linear else np.sin(angle)) + damping * speed)
                angle += h * speed
        return {"exact": np.array(angles), "small angles": first * np.cos(np.sqrt(9.81 / length) * TIME)}

    def draw(data, shown):
        for name, line in curves.items():
            line.set_data(TIME, data[name] if name in shown else np.full_like(TIME, np.nan))
        bob.set_data(np.sin(data["exact"]), -np.cos(data["exact"]))
        rod.set_data(np.stack([0 * TIME, np.sin(data["exact"])], 1).ravel(),
                     np.stack([0 * TIME, -np.cos(data["exact"])], 1).ravel())
        swing.set_title(f"largest angle {np.abs(data['exact']).max():.2f}")

    return LiveFigure(fig, [*map(trail, curves.values()), head(rod, each=2), head(bob)], compute=compute, draw=draw,
        controls=[Slider("length", 0.2, 3.0, 1.0), Slider("damping", 0.0, 1.0, 0.1), Toggle("linear"),
                  Choices("shown", list(curves), list(curves), colors={"exact": "#aa3377"}),
                  Point("bob", (0.6, -0.8), plane), Play("step", 100)],
        alt="A pendulum, and its angle against time.")
