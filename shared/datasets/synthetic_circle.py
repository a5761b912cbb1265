"""A circle in the place of a mask, where all that is known of a picture is that there is a tumour in it.

It is placed by brightness and has no expert's knowledge in it: good for trying out a training, not for medicine.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from shared.masks.components import components

_SIDE, _LEAST_SIDE = 256, 16  # the place is looked for in a small copy
_RIM = 0.15  # of the head's radius: scalp, skull and fluid, which are bright and not brain
_RADIUS, _LEAST_RADIUS = 0.22, 0.12  # of the brain's radius
_LONE_RADIUS = 0.08  # of the shorter side, where no brain was found
_LEAST_HEAD = 0.04  # of the picture: less is a label or an arrow
# Shares of Otsu's threshold, which parts bright tissue from dark tissue as well as from air: tried in this order
# until the piece that they leave is round enough.
_DARK, _ROUND, _BOX = (0.6, 0.35, 0.2), 0.94, 0.93
_BOX_PENALTY, _FRAME = 0.5, 0.03  # of the longer side
_WHITE, _MUCH_WHITE = 0.75, 0.15  # of the brightest, and of the edges: paper around the head


@dataclass(frozen=True)
class Circle:
    """Centre and radius in pixels of the picture; `in_brain`: a brain was found, and all of the circle is inside it."""

    y: float
    x: float
    radius: float
    in_brain: bool

    def paint(self, height: int, width: int) -> np.ndarray:
        """bool (H, W); the pixel at the centre is always in it."""
        mask_HW = np.zeros((height, width), bool)
        top, left = max(0, math.floor(self.y - self.radius)), max(0, math.floor(self.x - self.radius))
        bottom, right = math.ceil(self.y + self.radius) + 1, math.ceil(self.x + self.radius) + 1
        ys, xs = np.ogrid[top : min(height, bottom), left : min(width, right)]
        near_hw = (ys - self.y) ** 2 + (xs - self.x) ** 2 <= self.radius**2
        mask_HW[top : top + len(ys), left : left + xs.shape[1]] = near_hw
        mask_HW[min(height - 1, round(self.y)), min(width - 1, round(self.x))] = True
        return mask_HW


def place_circle(grey_HW: np.ndarray) -> Circle:
    """Over the brightest place of the smoothed brain; uint8 or uint16 (H, W). The same picture has the same circle."""
    small_hw = _small(grey_HW)
    brain_hw = brain_mask(small_hw) if small_hw.min() < small_hw.max() else None
    if brain_hw is None:
        return _alone(small_hw, grey_HW.shape)
    # the picture's edge is the brain's edge too
    depth_hw = cv2.distanceTransform(np.pad(brain_hw, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    brain_radius = math.sqrt(brain_hw.sum() / math.pi)
    smooth_hw = _smooth(small_hw, brain_hw, brain_radius * _RADIUS / 2)
    room = min(_LEAST_RADIUS * brain_radius + 1, float(depth_hw.max()))
    y, x = np.unravel_index(np.where(depth_hw >= room, smooth_hw, -1.0).argmax(), small_hw.shape)
    # a pixel less: the outermost may stand out of the brain once they are enlarged
    radius = max(0.5, min(_RADIUS * brain_radius, float(depth_hw[y, x]) - 1))
    return _enlarged(float(y), float(x), radius, small_hw.shape, grey_HW.shape, True)


def brain_mask(grey_HW: np.ndarray) -> np.ndarray | None:
    """The largest bright piece, holes filled and its rim taken away, bool (H, W); None where there is none.

    Where that is a box, the picture has a frame: then its margins are left out.
    """
    found_HW, roundness = _roundest(grey_HW)
    margin = math.ceil(_FRAME * max(grey_HW.shape))
    if found_HW is None or roundness > _BOX_PENALTY or min(grey_HW.shape) <= 4 * margin:
        return found_HW
    inner_hw, inner_roundness = _roundest(np.ascontiguousarray(grey_HW[margin:-margin, margin:-margin]))
    return found_HW if inner_hw is None or inner_roundness <= roundness else np.pad(inner_hw, margin)


def _roundest(grey_HW: np.ndarray) -> tuple[np.ndarray | None, float]:
    """The best that the thresholds leave, and how round it is."""
    values_HW = _without_paper(grey_HW.astype(np.float32))
    best_HW, roundest = None, 0.0
    top = float(np.percentile(values_HW, 99.5))
    if top <= 0:
        return best_HW, roundest
    levels_HW = np.rint(np.clip(values_HW / top, 0, 1) * 255).astype(np.uint8)
    otsu, _ = cv2.threshold(levels_HW, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    for share in _DARK:
        found_HW = _inside(levels_HW > max(8.0, share * otsu))
        if found_HW is not None and (roundness := _roundness(found_HW)) > roundest:
            best_HW, roundest = found_HW, roundness
        if roundest >= _ROUND:
            break
    return best_HW, roundest


def _inside(bright_HW: np.ndarray) -> np.ndarray | None:
    """The largest piece of what is bright, filled, without its rim: bool (H, W); None where it is no head."""
    side = max(bright_HW.shape)
    opened_HW = cv2.morphologyEx(bright_HW.astype(np.uint8), cv2.MORPH_OPEN, _disc(1))
    head_HW = _filled(_largest(cv2.morphologyEx(opened_HW, cv2.MORPH_CLOSE, _disc(side // 40))))
    area = int(head_HW.sum())
    if area < _LEAST_HEAD * head_HW.size:
        return None
    # padded: where the head leaves the picture, its rim is at the edge
    inner_HW = cv2.erode(np.pad(head_HW, 1), _disc(round(_RIM * math.sqrt(area / math.pi))))[1:-1, 1:-1]
    brain_HW = _largest(inner_HW)
    return brain_HW.astype(bool) if brain_HW.any() else None


def _roundness(piece_HW: np.ndarray) -> float:
    """0 to 1: how much of its convex hull the piece fills; less for a box, which is a frame and no head."""
    outline = np.concatenate(
        cv2.findContours(piece_HW.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    )
    hull = np.zeros(piece_HW.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(outline), 1)
    _, _, width, height = cv2.boundingRect(outline)
    area = int(np.count_nonzero(piece_HW))
    return area / int(hull.sum()) * (_BOX_PENALTY if area > _BOX * width * height else 1.0)


def _small(grey_HW: np.ndarray) -> np.ndarray:
    height, width = grey_HW.shape
    scale = min(1.0, max(_SIDE / max(height, width), _LEAST_SIDE / min(height, width)))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(grey_HW, size, interpolation=cv2.INTER_AREA)


def _without_paper(values_HW: np.ndarray) -> np.ndarray:
    """White that reaches in from the edges, as paper and frames around a picture do, becomes black."""
    white = _WHITE * float(values_HW.max())
    if white <= 0 or np.mean(_edge(values_HW) >= white) < _MUCH_WHITE:
        return values_HW
    _, labels_HW = cv2.connectedComponents((values_HW >= white).astype(np.uint8), connectivity=8)
    touching = np.unique(_edge(labels_HW))
    return np.where(np.isin(labels_HW, touching[touching > 0]), np.float32(0), values_HW)


def _edge(array_HW: np.ndarray) -> np.ndarray:
    return np.concatenate([array_HW[0], array_HW[-1], array_HW[:, 0], array_HW[:, -1]])


def _largest(mask_HW: np.ndarray) -> np.ndarray:
    """The largest piece alone, uint8 0 and 1."""
    found = components(mask_HW.astype(bool), connectivity=8)
    piece_HW = np.zeros(mask_HW.shape, np.uint8)
    if order := found.by_area():
        height, width = found.labels_hw.shape
        piece_HW[found.y : found.y + height, found.x : found.x + width] = found.labels_hw == order[0]
    return piece_HW


def _filled(mask_HW: np.ndarray) -> np.ndarray:
    """With everything that the outside does not reach, uint8 0 and 1."""
    outside_HW = np.pad(mask_HW, 1)
    cv2.floodFill(outside_HW, None, (0, 0), 2)
    return (outside_HW[1:-1, 1:-1] != 2).astype(np.uint8)


def _disc(radius: int) -> np.ndarray:
    side = 2 * max(1, radius) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _smooth(grey_HW: np.ndarray, inside_HW: np.ndarray, sigma: float) -> np.ndarray:
    """Mean brightness around each pixel of what is inside alone, weighted by distance."""
    weight_HW = inside_HW.astype(np.float32)
    sums_HW = cv2.GaussianBlur(grey_HW.astype(np.float32) * weight_HW, (0, 0), max(0.5, sigma))
    weights_HW = cv2.GaussianBlur(weight_HW, (0, 0), max(0.5, sigma))
    return np.where(inside_HW, sums_HW / np.maximum(weights_HW, 1e-6), -1.0)


def _alone(small_hw: np.ndarray, shape: tuple[int, ...]) -> Circle:
    """A small circle over the brightest place that is far enough from the edges; in an even picture the middle."""
    height, width = small_hw.shape
    radius = max(1.0, _LONE_RADIUS * min(height, width))
    margin = min(math.ceil(radius), (min(height, width) - 1) // 2)
    smooth_hw = cv2.GaussianBlur(small_hw.astype(np.float32), (0, 0), radius)
    inner_hw = smooth_hw[margin : height - margin, margin : width - margin]
    if float(np.ptp(inner_hw)) <= 1e-3 * float(inner_hw.max()):
        y, x = (height - 1) / 2, (width - 1) / 2
    else:
        place = np.unravel_index(inner_hw.argmax(), inner_hw.shape)
        y, x = float(place[0]) + margin, float(place[1]) + margin
    return _enlarged(y, x, radius, small_hw.shape, shape, False)


def _enlarged(
    y: float, x: float, radius: float, small: tuple[int, ...], shape: tuple[int, ...], in_brain: bool
) -> Circle:
    """From the small copy to the picture."""
    down, across = shape[0] / small[0], shape[1] / small[1]
    return Circle((y + 0.5) * down - 0.5, (x + 0.5) * across - 0.5, radius * min(down, across), in_brain)
