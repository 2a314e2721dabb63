"""How the labels of samples are stored: columns of a shard, one row per sample.

target   class: index of the class, int32. classes: np.packbits of the classes. mask, change: index of the class of each
         pixel of the chip, row after row, uint8 with 255 for pixels that are not labelled and for padding; uint16 with
         65535 where there are more than 254 classes
split    train, val, test, or empty
sample   name in the labelled set
group    the place by which the labelled set was split
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Int16, Shaped
from torch import Tensor

from spectralgpt.data.layout import Layout

BYTE_CLASSES = 254
"""The most classes of a mask of bytes."""


@dataclass(frozen=True, slots=True)
class StoredTarget:
    """The labels of a sample before they are a row: the fields are the columns."""

    target: int | bytes
    split: str
    sample: str
    group: str


def target_columns(layout: Layout) -> dict[str, pa.DataType]:
    """The columns of a layout with a target and their types; none without a target."""
    if layout.target is None:
        return {}
    kinds = {"class": pa.int32(), "classes": pa.binary(-(-layout.classes // 8))}
    pixels = pa.binary(layout.side**2 * mask_dtype(layout.classes).itemsize)
    texts = dict.fromkeys(("split", "sample", "group"), pa.string())
    return {"target": kinds.get(layout.target, pixels), **texts}


def mask_dtype(classes: int) -> np.dtype[Any]:
    """The type in which masks of so many classes are stored; its largest number is that of pixels without a label."""
    return np.dtype(np.uint8 if classes <= BYTE_CLASSES else np.uint16)


def stored_labels(labels: Sequence[int], layout: Layout) -> int | bytes:
    """The column `target` of a sample with these classes."""
    if layout.target == "class":
        return labels[0]
    bits = np.zeros(layout.classes, bool)
    bits[list(labels)] = True
    return np.packbits(bits).tobytes()


def stored_mask_of(mask: Int16[np.ndarray, "row column"], layout: Layout) -> bytes:
    """The column `target` of a sample with this mask, which may be smaller than the chip; the rest is padding."""
    dtype = mask_dtype(layout.classes)
    unlabelled = np.iinfo(dtype).max
    stored = np.full((layout.side, layout.side), unlabelled, dtype)
    height, width = mask.shape
    stored[:height, :width] = np.where(mask < 0, unlabelled, mask)
    return stored.tobytes()


def mapped_targets(column: pa.Array, layout: Layout) -> Shaped[np.ndarray, "sample ..."]:
    """The column `target` of a record batch, read in place: indices, packed classes, or masks."""
    if layout.target == "class":
        return np.asarray(column.to_numpy())
    stored = np.frombuffer(column.buffers()[1], np.uint8)
    if layout.target == "classes":
        return stored.reshape(len(column), -1)
    return stored.view(mask_dtype(layout.classes)).reshape(len(column), layout.side, layout.side)


def as_target(stored: Shaped[np.ndarray, "sample ..."], layout: Layout) -> Tensor:
    """What the model is trained on. stored: rows of `mapped_targets`. Class: int64 (batch,); classes: bool (batch,
    class); masks: int16 (batch, row, column), -1 where not labelled."""
    if layout.target == "class":
        return torch.from_numpy(stored.astype(np.int64))
    if layout.target == "classes":
        return torch.from_numpy(np.unpackbits(stored, axis=1, count=layout.classes).view(bool))
    # the largest number plus 1 is 0: a pass of additions is several times as fast as looking for it
    indices = (stored + stored.dtype.type(1)).astype(np.int16)
    indices -= 1
    return torch.from_numpy(indices)
