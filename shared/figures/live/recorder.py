"""A matplotlib backend that notes what is drawn on it as marks: how any artist, however unusual, may be live."""

import numpy as np
from matplotlib.backend_bases import RendererBase

from .glyphs import EM, GLYPHS
from .svg import FLIP, hexadecimal, path_data


class Recorder(RendererBase):
    """A matplotlib backend that notes what an artist draws as marks, in pixels from the top left corner."""

    def __init__(self, width, height, dpi):
        super().__init__()
        self.width, self.height, self.dpi, self.marks = width, height, dpi, []

    def get_canvas_width_height(self):
        return self.width, self.height

    def points_to_pixels(self, points):
        return points * self.dpi / 72

    def _note(self, gc, kind, xy, **mark):
        box = gc.get_clip_rectangle()
        self.marks.append({"kind": kind, "xy": xy, "clip": self.flip(box) if box is not None else None} | mark)

    def flip(self, box):
        return [round(float(v), 2) for v in (box.x0, self.height - box.y1, box.x1, self.height - box.y0)]

    def _stroke(self, gc):
        width = self.points_to_pixels(gc.get_linewidth())
        dash = gc.get_dashes()[1]
        return {
            "stroke": hexadecimal(tuple(gc.get_rgb())) if width else None,
            "width": round(width, 2),
            "cap": gc.get_capstyle(),
            "dash": [round(self.points_to_pixels(d), 2) for d in dash] if dash is not None else [],
        }

    def _face(self, gc, face):
        if face is None:
            return None
        alpha = face[3] if len(face) == 4 and not gc.get_forced_alpha() else gc.get_alpha()
        return hexadecimal((*map(float, face[:3]), float(alpha)))

    def draw_path(self, gc, path, transform, rgbFace=None):
        polygons = [p for p in path.to_polygons(transform, closed_only=False) if len(p)]
        if polygons:
            xy = np.concatenate(polygons) * [1, -1] + [0, self.height]
            self._note(gc, "poly", xy, n=[len(p) for p in polygons], fill=self._face(gc, rgbFace), **self._stroke(gc))

    def draw_markers(self, gc, marker_path, marker_trans, path, trans, rgbFace=None):
        xy = trans.transform(path.vertices) * [1, -1] + [0, self.height]
        self._note(gc, "dots", xy, path=path_data(marker_path, marker_trans + FLIP), size=1,
                   fill=self._face(gc, rgbFace), **self._stroke(gc))  # fmt: skip

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        letters, rules = GLYPHS.layout(s, prop, ismath)
        size = self.points_to_pixels(prop.get_size_in_points()) / EM
        self._note(gc, "text", None, at=[round(float(v), 2) for v in (x, y)], angle=angle, size=round(size, 5),
                   letters=letters, rules=rules, fill=hexadecimal(tuple(gc.get_rgb())))  # fmt: skip

    def draw_image(self, gc, x, y, im, transform=None):
        h, w = im.shape[:2]
        self._note(gc, "image", None, box=[float(x), float(self.height - y - h), w, h], shape=[w, h],
                   rgba=np.ascontiguousarray(im[::-1]).tobytes(), smooth=False)  # fmt: skip
