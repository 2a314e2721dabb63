"""The roles of an xarray object's dimensions: date, band, row or column."""

from typing import Any

DATE_AXIS, BAND_AXIS, ROW_AXIS, COLUMN_AXIS = AXES = ("date", "band", "row", "column")

DIMENSIONS = {
    DATE_AXIS: ("time", "t", "date"),
    BAND_AXIS: ("band", "bands", "variable", "wavelength", "channel"),
    ROW_AXIS: ("y", "latitude", "lat", "row", "northing"),
    COLUMN_AXIS: ("x", "longitude", "lon", "column", "easting"),
}
"""Names of dimensions, in lower case, by role."""

CF_AXES = {"T": DATE_AXIS, "Y": ROW_AXIS, "X": COLUMN_AXIS}


def roles_of(array: Any) -> dict[str, Any]:
    """The dimension of each role that the array has: by CF's attribute `axis`, else by the dimension's name."""
    found: dict[str, Any] = {}
    for dim in array.dims:
        axis = array.coords[dim].attrs.get("axis") if dim in array.coords else None
        by_name = next((role for role, names in DIMENSIONS.items() if str(dim).lower() in names), None)
        role = CF_AXES.get(axis, by_name) if isinstance(axis, str) else by_name
        if role is not None:
            found.setdefault(role, dim)
    return found
