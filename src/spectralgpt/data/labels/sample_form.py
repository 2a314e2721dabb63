"""The form of TorchGeo's samples: image, label and mask of one mapping."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int64

from spectralgpt.data.labels.codes import StoredMask
from spectralgpt.data.labels.pairs import paired_pixels
from spectralgpt.errors import DataError
from spectralgpt.products import as_pixels
from spectralgpt.products.arrays.description import as_numpy
from spectralgpt.products.arrays.pixels import Bands
from spectralgpt.raster import Pixels
from spectralgpt.tasks import TargetKind


def target_of(sample: Any, name: str) -> TargetKind:
    """What the label of a sample is. DataError for a sample without an image or a label."""
    keys = set(sample) if isinstance(sample, Mapping) else set()
    if not keys & {"image", "image1"} or not keys & {"label", "mask"}:
        raise DataError(
            f"sample {name}: found {', '.join(sorted(map(str, keys))) or type(sample).__name__}",
            "a mapping with `image`, or `image1` and `image2`, and with `label` or `mask`",
        )
    if "mask" in keys:
        dated = "image1" in keys or (as_numpy(sample["image"]).ndim == 4 and len(sample["image"]) == 2)
        return "change" if dated else "mask"
    return "classes" if as_numpy(sample["label"]).size > 1 else "class"


def pixels_of(sample: Mapping[str, Any], bands: Bands | None, gsd: float | int | None) -> Pixels:
    """The image of a sample; of a pair with two dates, in the order given. Its set checks it, once for all samples."""
    if "image1" in sample:
        placed = {key: value for key, value in sample.items() if key in ("crs", "transform", "bbox", "bounds")}
        before, after = (
            as_pixels({**placed, "image": sample[key]}, bands=bands, gsd=gsd, trust_input=True)
            for key in ("image1", "image2")
        )
        return paired_pixels(before, after)  # fmt: skip
    return as_pixels(sample, bands=bands, gsd=gsd, trust_input=True)


def labels_of(sample: Mapping[str, Any], target: TargetKind) -> tuple[int, ...]:
    """The indices of a sample's classes: its number, or the places of the ones among zeros. DataError for others."""
    label = as_numpy(sample["label"])
    if target == "class":
        if label.size != 1:
            raise DataError(f"found {label.size} labels", "one number")
        return (_whole(label.reshape(1), "label")[0].item(),)
    numbers = _whole(label.ravel(), "label")
    if not np.isin(numbers, (0, 1)).all():
        raise DataError(f"found the labels {numbers[:6].tolist()}", "0 or 1 for each class")
    return tuple(np.flatnonzero(numbers).tolist())


def stored_mask(sample: Mapping[str, Any], target: TargetKind) -> StoredMask | None:
    """The mask of a sample; None for targets without one."""
    if target not in ("mask", "change"):
        return None
    values = as_numpy(sample["mask"])
    flat = values[0] if values.ndim == 3 and len(values) == 1 else values
    if flat.ndim != 2:
        raise DataError(f"found a mask of shape {values.shape}", "(row, column)")
    return StoredMask.in_memory(_whole(flat.ravel(), "mask").reshape(flat.shape))


def _whole(values: np.ndarray, what: str) -> Int64[np.ndarray, " value"]:
    """Values as whole numbers. DataError where they are none."""
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.round(values)).all()):
        raise DataError(f"found a {what} with {values[values != np.round(values)][:1].tolist()}", "whole numbers")
    if values.dtype.kind not in "iufb":
        raise DataError(f"found a {what} of {values.dtype}", "whole numbers")
    return np.asarray(values.astype(np.int64))
