"""xarray objects, by the conventions of CF, rioxarray and odc-stac."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int32, Shaped

from spectralgpt.bands import canonical, is_alias
from spectralgpt.days import UNKNOWN, day_of
from spectralgpt.errors import RasterError, argument
from spectralgpt.products.added import Added, added_in_tags, notes_on_unusable
from spectralgpt.products.arrays.description import DescribedArray, Packing, as_numpy, listed, numbers_of
from spectralgpt.products.arrays.dimensions import AXES, BAND_AXIS, COLUMN_AXIS, DATE_AXIS, ROW_AXIS, roles_of
from spectralgpt.products.arrays.places import grid_of
from spectralgpt.products.formats.stac.offset import APPLIED, BASELINES

NANOMETRES_IN_UNIT = {"nm": 1.0, "um": 1000.0, "µm": 1000.0, "m": 1e9}
"""Nanometres in the units of wavelengths."""


def of_dataset(dataset: Any) -> DescribedArray:
    """The variables with rows and columns as bands; a single one may itself have a band dimension."""
    spatial = {
        str(name): each for name, each in dataset.data_vars.items() if {ROW_AXIS, COLUMN_AXIS} <= set(roles_of(each))
    }
    if not spatial:
        raise RasterError(
            f"found a Dataset of {listed(dataset.data_vars)}, none with rows and columns",
            "variables with the dimensions y and x, or latitude and longitude",
        )
    others = {str(name): each for name, each in dataset.data_vars.items() if str(name) not in spatial}
    names, first = [*spatial], next(iter(spatial.values()))
    if len(spatial) == 1 and BAND_AXIS in roles_of(first):
        return of_data_array(first, others | dict(dataset.coords), dict(dataset.attrs))
    labels = others | dict(dataset.coords)

    def load(indices: Sequence[int]) -> Shaped[np.ndarray, "date band row column"]:
        chosen = [names[index] for index in indices]
        part = dataset[chosen].compute()
        roles = roles_of(part[chosen[0]])
        for name in chosen:
            if roles_of(part[name]) != roles or BAND_AXIS in roles:
                raise RasterError(
                    f"found variables of the dimensions {listed(part[chosen[0]].dims)} and, as {name}, "
                    f"{listed(part[name].dims)}",
                    "the same dimensions for all bands",
                    "Choose some of them with the argument bands",
                )
        dims = [roles[role] for role in AXES if role in roles]
        return _stacked([as_numpy(part[name].transpose(*dims).values) for name in chosen])

    return DescribedArray(
        load=load,
        names=tuple(_variable_name(name, each) for name, each in spatial.items()),
        packings=tuple(_packing(each, 0, 1) for each in spatial.values()),
        grid=lambda: grid_of(first, labels, dict(dataset.attrs)),
        days=lambda: _days(first, labels),
        of_products=True,
        dtype=str(first.dtype),
        added=_added([dict(dataset.attrs), *(each.attrs for each in spatial.values())], labels),
        notes=_unusable([dict(dataset.attrs), *(each.attrs for each in spatial.values())], labels),
    )


def of_data_array(array: Any, labels: Mapping[Any, Any], more: Mapping[Any, Any] | None = None) -> DescribedArray:
    """A DataArray as it describes itself. labels: coordinates, and variables that may describe the grid. more: the
    Dataset's attributes."""
    roles = roles_of(array)
    unknown = [dim for dim in array.dims if dim not in roles.values()]
    if unknown or not {ROW_AXIS, COLUMN_AXIS} <= set(roles):
        raise RasterError(
            f"found an array of the dimensions {listed(array.dims)}",
            "y and x (or latitude and longitude) and, where there are several, time and band",
        )
    dims = [roles[role] for role in AXES if role in roles]
    count = int(array.sizes[roles[BAND_AXIS]]) if BAND_AXIS in roles else 1

    def load(indices: Sequence[int]) -> Shaped[np.ndarray, "date band row column"]:
        whole = BAND_AXIS not in roles or [*indices] == [*range(count)]
        part = (array if whole else array.isel({roles[BAND_AXIS]: list(indices)})).compute()
        values = as_numpy(part.transpose(*dims).values)
        return _stacked([values]) if BAND_AXIS not in roles else _checked(values)

    return DescribedArray(
        load=load,
        names=_names(array, labels, roles.get(BAND_AXIS), count),
        packings=tuple(_packing(array, band, count) for band in range(count)),
        grid=lambda: grid_of(array, labels, more or {}),
        days=lambda: _days(array, labels),
        wavelengths=_wavelengths(labels, roles.get(BAND_AXIS)),
        of_products=True,
        dtype=str(array.dtype),
        added=_added([array.attrs, more or {}], labels),
        notes=_unusable([array.attrs, more or {}], labels),
    )


def _stacked(bands: Sequence[Shaped[np.ndarray, "..."]]) -> Shaped[np.ndarray, "date band row column"]:
    return _checked(np.stack(bands, axis=-3))


def _checked(values: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "date band row column"]:
    if 0 in values.shape or values.dtype.kind not in "iuf":
        raise RasterError(f"found {values.dtype} of shape {values.shape}", "real numbers, and no empty dimension")
    return values if values.ndim == 4 else values[None]


def _variable_name(name: str, variable: Any) -> str | None:
    """A variable has its band's name; for `band_1`, rioxarray's count of a file's bands, the name is in long_name."""
    if not name.lower().startswith("band_"):
        return name
    described = variable.attrs.get("long_name")
    return described if isinstance(described, str) else None


def _names(array: Any, labels: Mapping[Any, Any], dim: Any, count: int) -> tuple[str | None, ...]:
    """The band coordinate, where it holds words, else long_name, where rioxarray puts a file's descriptions."""
    label = labels.get(dim if dim is not None else BAND_AXIS)
    if label is not None and label.dtype.kind in "UO":
        return tuple(str(each) for each in np.atleast_1d(label.values))
    described = array.attrs.get("long_name")
    if isinstance(described, tuple | list) and len(described) == count:
        return tuple(str(name) if name else None for name in described)
    alone = [name for name in (described, array.name) if isinstance(name, str) and is_alias(canonical(name))]
    return (alone[0],) if dim is None and alone else (None,) * count


def _wavelengths(labels: Mapping[Any, Any], dim: Any) -> tuple[float, ...]:
    """In nm, where a coordinate along the bands holds them; empty without one."""
    label = next((labels[name] for name in ("wavelength", "wavelengths") if name in labels), None)
    if dim is None or label is None or tuple(label.dims) != (dim,) or label.dtype.kind not in "iuf":
        return ()
    unit = str(label.attrs.get("units", "nm")).lower()
    named = {"nanometers": "nm", "nanometer": "nm", "micrometers": "um", "micrometer": "um", "microns": "um"}
    if named.get(unit, unit) not in NANOMETRES_IN_UNIT:
        raise RasterError(f"found wavelengths in {unit!r}", f"one of: {', '.join(NANOMETRES_IN_UNIT)}")
    return tuple(float(each) * NANOMETRES_IN_UNIT[named.get(unit, unit)] for each in label.values)


def _packing(array: Any, band: int, count: int) -> Packing:
    """Attributes state what is still to be applied; encoding, what xarray applied when it decoded a file to floats."""
    whole = array.dtype.kind in "iu"
    scaling, done = _scaling(array.attrs, band, count), _scaling(array.encoding, band, count)
    sources = (array.attrs, array.encoding) if whole else (array.attrs,)
    nodata = [
        value
        for source in sources
        for key in ("_FillValue", "missing_value", "nodata", "nodatavals")
        for value in numbers_of(source, key, band if key == "nodatavals" else None)
    ]
    limits = [*numbers_of(array.attrs, "valid_range"), math.nan, math.nan][:2]
    lowest = [*numbers_of(array.attrs, "valid_min"), limits[0]][0]
    highest = [*numbers_of(array.attrs, "valid_max"), limits[1]][0]
    if done is not None and scaling is None and not whole:
        # limits stay in the units of the file
        scaling = (1.0, 0.0)
        lowest, highest = sorted((lowest * done[0] + done[1], highest * done[0] + done[1]))
    return Packing(
        scaling=scaling,
        undone=done if whole and scaling is None else None,
        nodata=tuple(nodata),
        lowest=-math.inf if math.isnan(lowest) else lowest,
        highest=math.inf if math.isnan(highest) else highest,
    )


def _scaling(stated: Mapping[Any, Any], band: int, count: int) -> tuple[float, float] | None:
    """Scale and offset; None for 1 and 0, which rioxarray writes where a file states none."""
    scales = [*numbers_of(stated, "scale_factor"), *numbers_of(stated, "scales", band if count > 1 else None), 1.0]
    offsets = [*numbers_of(stated, "add_offset"), *numbers_of(stated, "offsets", band if count > 1 else None), 0.0]
    scale, offset = scales[0], offsets[0]
    if not (math.isfinite(scale) and math.isfinite(offset)) or scale == 0:
        raise RasterError(f"found a scale of {scale:g} and an offset of {offset:g}", "a scale other than 0")
    return None if (scale, offset) == (1, 0) else (scale, offset)


def _added(attributes: Sequence[Mapping[Any, Any]], labels: Mapping[Any, Any]) -> Added | None:
    """From attributes, which have a file's tags, or coordinates, which have an item's properties; None where dates or
    bands differ."""
    stated = {}
    for tags in (*map(_as_tags, attributes), *_one_by_one(labels)):
        found = added_in_tags(tags, {}, None)
        if found is not None:
            stated[found.number] = found
    applied = [key for key in APPLIED if _single(labels, key) == "True"]
    return Added(0.0, f"the coordinate {applied[0]}") if applied else stated.popitem()[1] if len(stated) == 1 else None


def _unusable(attributes: Sequence[Mapping[Any, Any]], labels: Mapping[Any, Any]) -> tuple[str, ...]:
    """Notes on an offset or a baseline that cannot be used."""
    do = f"give {argument('offset', -0.1)}, or 0 if nothing was added"
    every = [*map(_as_tags, attributes), *_one_by_one(labels)]
    return tuple(dict.fromkeys(note for tags in every for note in notes_on_unusable("the array", tags, [], do)))


def _as_tags(attributes: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in attributes.items()}


def _one_by_one(labels: Mapping[Any, Any]) -> list[dict[str, str]]:
    """The baselines that coordinates state, each as a tag; none where dates or bands differ."""
    values = {key: _single(labels, key) for key in BASELINES[:2]}
    return [{key: text} for key, text in values.items() if text is not None]


def _single(labels: Mapping[Any, Any], key: str) -> str | None:
    """The value of a coordinate, None where it is missing or has several."""
    texts = set(map(str, np.ravel(labels[key].values))) if key in labels else set()
    return texts.pop() if len(texts) == 1 else None


def _days(array: Any, labels: Mapping[Any, Any]) -> Int32[np.ndarray, " date"] | None:
    """The days of the time coordinate, one per date or a single one; None without such a coordinate."""
    dim = roles_of(array).get(DATE_AXIS)
    label = labels.get(dim if dim is not None else "time")
    if label is None or (dim is None and label.dims):
        return None
    values = np.atleast_1d(label.values)
    if values.dtype.kind == "M":
        days = values.astype("datetime64[D]")
        return np.where(np.isnat(days), UNKNOWN, days.astype(np.int64)).astype(np.int32)
    if values.dtype.kind not in "UO":
        raise RasterError(
            f"found times as numbers ({listed(values[:3])}, units {label.attrs.get('units')!r})",
            "dates",
            "Decode them with xarray.decode_cf, or give the argument dates",
        )
    return np.array([day_of(str(each)[:10], "time") for each in values], np.int32)
