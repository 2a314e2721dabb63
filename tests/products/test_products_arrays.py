"""Pixels from xarray's arrays, tensors and samples; without xarray, from stand-ins with its attributes."""

import importlib.util
import subprocess
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from affine import Affine
from made_rasters import PLACE, UTM, distinct
from rasterio.crs import CRS

from spectralgpt.bands import sensor
from spectralgpt.errors import BandError, RasterError
from spectralgpt.products import as_pixels
from spectralgpt.raster import Grid

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""

ROWS, COLUMNS = 4, 5
CENTRES = {"x": 435735.0 + 10 * np.arange(COLUMNS), "y": 4179455.0 - 10 * np.arange(ROWS)}
GRID = Grid(CRS.from_user_input(UTM).to_wkt(), PLACE, ROWS, COLUMNS)


@dataclass(frozen=True)
class Array:
    """The part of xarray.DataArray that is used. computed: how often it was computed."""

    values: np.ndarray
    dims: tuple[str, ...] = ()
    coords: dict[str, Any] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)
    encoding: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    computed: list[int] = field(default_factory=list)

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    @property
    def sizes(self) -> dict[str, int]:
        return dict(zip(self.dims, self.values.shape, strict=True))

    def compute(self) -> "Array":
        self.computed.append(1)
        return self

    def transpose(self, *dims: str) -> "Array":
        assert set(dims) == set(self.dims)
        return replace(self, values=self.values.transpose([self.dims.index(dim) for dim in dims]), dims=dims)

    def isel(self, indices: dict[str, list[int]]) -> "Array":
        ((dim, chosen),) = indices.items()
        return replace(self, values=self.values.take(chosen, self.dims.index(dim)))


@dataclass(frozen=True)
class Dataset:
    data_vars: dict[str, Array]
    attrs: dict[str, Any] = field(default_factory=dict)
    computed: list[list[str]] = field(default_factory=list)

    @property
    def coords(self) -> dict[str, Any]:
        return {name: label for each in self.data_vars.values() for name, label in each.coords.items()}

    def __getitem__(self, names: Any) -> Any:
        if isinstance(names, list):
            return replace(self, data_vars={name: self.data_vars[name] for name in names})
        return self.data_vars[names]

    def compute(self) -> "Dataset":
        self.computed.append([*self.data_vars])
        return self


@pytest.fixture(params=["fake", "xarray"] if importlib.util.find_spec("xarray") else ["fake"])
def library(request):
    """Makes arrays and data sets from the same arguments, with xarray where it is installed."""
    if request.param == "fake":

        def array(values, dims, coords, attrs=None, encoding=None, name=None):
            labels = {key: Array(np.asarray(values), at, {}, about) for key, (at, values, about) in coords.items()}
            return Array(values, dims, labels, attrs or {}, encoding or {}, name)

        return SimpleNamespace(array=array, dataset=Dataset)
    import xarray

    def made(values, dims, coords, attrs=None, encoding=None, name=None):
        result = xarray.DataArray(values, dims=dims, coords=coords, attrs=attrs, name=name)
        result.encoding = encoding or {}
        return result

    return SimpleNamespace(array=made, dataset=lambda arrays, attrs=None: xarray.Dataset(arrays, attrs=attrs))


def labels(crs: bool = True, **more: Any) -> dict[str, Any]:
    """Coordinates as rioxarray and odc-stac write them."""
    mapping = {"crs_wkt": GRID.crs, "GeoTransform": "435730 10 0 4179460 0 -10"}
    places = {"x": (("x",), CENTRES["x"], {"units": "metre"}), "y": (("y",), CENTRES["y"], {"units": "metre"})}
    return places | ({"spatial_ref": ((), 0, mapping)} if crs else {}) | more


TIMES = {"time": (("time",), np.array(["2020-05-01T10:11:12", "NaT"], "datetime64[ns]"), {})}


def two_dates() -> np.ndarray:
    return np.stack([distinct(3, ROWS, COLUMNS), distinct(3, ROWS, COLUMNS) + 500])


def odc(library: SimpleNamespace, **how: Any) -> Any:
    """Like odc-stac: one variable per band, dates along time, spatial_ref an EPSG code."""
    coords = labels(False) | TIMES | {"spatial_ref": ((), 32618, {"grid_mapping_name": "transverse_mercator"})}
    attrs = {"nodata": 0, "units": "1", "grid_mapping": "spatial_ref"} | how
    values = two_dates()
    values[0, 1, 2, 3] = 0
    return library.dataset(
        {
            name: library.array(values[:, band], ("time", "y", "x"), coords, attrs)
            for band, name in enumerate(("B02", "B03", "B04"))
        }
    )


def rio(library: SimpleNamespace, values: np.ndarray | None = None, **how: Any) -> Any:
    """Like rioxarray: bands numbered, named by long_name, scale, offset and nodata in attributes."""
    coords = labels(band=(("band",), [1, 2, 3], {}))
    attrs = {"AREA_OR_POINT": "Area", "scale_factor": 1.0, "add_offset": 0.0, "long_name": ("B02", "B03", "B04")}
    values = distinct(3, ROWS, COLUMNS) if values is None else values
    return library.array(values, ("band", "y", "x"), coords, attrs | how.pop("attrs", {}), **how)


def test_odc_stac_s_dataset_tells_everything(library):
    pixels = made_pixels(odc(library))
    expected = two_dates()
    assert pixels.bands == tuple(sensor("s2-l2a").band(name) for name in ("B2", "B3", "B4"))
    assert pixels.valid.sum() == expected.size - 1
    assert not pixels.valid[0, 1, 2, 3]
    assert np.array_equal(pixels.values[pixels.valid], expected[pixels.valid])
    assert pixels.days.tolist() == [18383, -1]
    assert pixels.grid.coincides(GRID)
    assert pixels.gsd == pytest.approx(10, rel=1e-3)
    assert (set(pixels.scale), set(pixels.offset)) == ({1e-4}, {0.0})


def test_only_the_chosen_bands_are_computed_and_at_once():
    made = odc(SimpleNamespace(array=lambda v, d, c, a: Array(v, d, {k: Array(np.asarray(t), at, {}, o)
               for k, (at, t, o) in c.items()}, a), dataset=Dataset))  # fmt: skip
    pixels = made_pixels(made, bands="B04,B02")
    assert made.computed == [["B04", "B02"]]
    assert [band.name for band in pixels.bands] == ["B4", "B2"]
    assert np.array_equal(pixels.values, two_dates()[:, [2, 0]])


def test_rioxarray_s_array_tells_everything(library):
    pixels = made_pixels(rio(library))
    assert [band.identity for band in pixels.bands] == [("s2-l2a", "B2"), ("s2-l2a", "B3"), ("s2-l2a", "B4")]
    assert np.array_equal(pixels.values[0], distinct(3, ROWS, COLUMNS))
    assert set(pixels.scale) == {1e-4}, "1 and 0 is what rioxarray writes of a file that does not tell"
    assert pixels.grid.coincides(GRID)


@pytest.mark.parametrize("dims", [("y", "x", "band", "time"), ("x", "y", "time", "band"), ("band", "time", "x", "y")])
def test_dimensions_come_in_any_order(library, dims):
    coords = labels(band=(("band",), ["B02", "B03", "B04"], {})) | TIMES
    order = [("time", "band", "y", "x").index(dim) for dim in dims]
    pixels = made_pixels(library.array(two_dates().transpose(order), dims, coords))
    assert np.array_equal(pixels.values, two_dates())
    assert pixels.days.tolist() == [18383, -1]
    assert pixels.grid.coincides(GRID)


def test_rows_that_run_north_stay_so_and_lie_right(library):
    coords = labels() | {"y": (("y",), CENTRES["y"][::-1], {})}
    values = distinct(1, ROWS, COLUMNS)
    array = library.array(values[0, ::-1], ("y", "x"), coords, name="B02")
    pixels = made_pixels(array)
    assert pixels.grid.transform == Affine(10, 0, 435730, 0, 10, 4179420)
    assert np.array_equal(pixels.values[0], values[:, ::-1])


def test_latitudes_and_longitudes_are_wgs_84(library):
    coords = {
        "latitude": (("latitude",), 40 - 1e-3 * np.arange(ROWS), {}),
        "longitude": (("longitude",), 10 + 1e-3 * np.arange(COLUMNS), {}),
        "time": ((), np.datetime64("2020-05-01", "ns"), {}),
    }
    pixels = made_pixels(library.array(distinct(1, ROWS, COLUMNS)[0], ("latitude", "longitude"), coords), bands="B02")
    assert CRS.from_wkt(pixels.grid.crs).to_epsg() == 4326
    assert pixels.grid.transform.almost_equals(Affine(1e-3, 0, 9.9995, 0, -1e-3, 40.0005), 1e-9)
    assert pixels.days.tolist() == [18383]


def test_the_axis_attribute_tells_what_a_dimension_is(library):
    coords = {
        "up": (("up",), CENTRES["y"], {"axis": "Y"}),
        "along": (("along",), CENTRES["x"], {"axis": "X"}),
        "when": (("when",), np.array(["2020-05-01", "2020-05-02"], "datetime64[ns]"), {"axis": "T"}),
    }
    values = two_dates()[:, 0].transpose(2, 1, 0)
    pixels = made_pixels(library.array(values, ("along", "up", "when"), coords, {"crs": UTM}), bands="B02")
    assert np.array_equal(pixels.values[:, 0], two_dates()[:, 0])
    assert pixels.days.tolist() == [18383, 18384]
    assert pixels.grid.coincides(GRID)


@pytest.mark.parametrize(
    ("mapping", "attrs"),
    [
        ((0, {"spatial_ref": GRID.crs}), {}),
        ((0, {"epsg": 32618}), {}),
        ((32618, {}), {}),
        ((0, {}), {"crs": "epsg:32618"}),
        ((0, {}), {"crs": CRS.from_epsg(32618)}),
    ],
)
def test_where_the_crs_may_stand(library, mapping, attrs):
    coords = labels(False, spatial_ref=((), *mapping))
    assert made_pixels(library.array(distinct(1, 4, 5)[0], ("y", "x"), coords, attrs), bands="B02").grid.coincides(GRID)


def test_the_grid_mapping_may_have_another_name_and_stand_in_the_encoding(library):
    coords = labels(False, utm=((), 0, {"crs_wkt": GRID.crs}))
    array = library.array(distinct(1, 4, 5)[0], ("y", "x"), coords, {}, {"grid_mapping": "utm: x y"})
    assert made_pixels(array, bands="B02").grid.coincides(GRID)


def test_corners_for_coordinates_are_known_by_the_transform(library):
    """As stackstac gives them."""
    coords = labels(False) | {"x": (("x",), CENTRES["x"] - 5, {}), "y": (("y",), CENTRES["y"] + 5, {})}
    attrs = {"crs": UTM, "transform": tuple(PLACE)[:6]}
    made = library.array(distinct(1, 4, 5)[0], ("y", "x"), coords | {"epsg": ((), 32618, {})}, attrs)
    assert made_pixels(made, bands="B02").grid.coincides(GRID)


def test_a_cut_out_lies_where_its_coordinates_say(library):
    """GeoTransform still describes the whole image."""
    coords = labels() | {"x": (("x",), CENTRES["x"][2:3], {}), "y": (("y",), CENTRES["y"][1:3], {})}
    pixels = made_pixels(library.array(distinct(1, 2, 1)[0], ("y", "x"), coords), bands="B02")
    assert pixels.grid.transform == Affine(10, 0, 435750, 0, -10, 4179450)


def test_one_pixel_has_the_resolution_that_is_told(library):
    coords = {
        "x": (("x",), CENTRES["x"][:1], {"resolution": 10.0, "crs": UTM}),
        "y": (("y",), CENTRES["y"][:1], {"resolution": -10.0, "crs": UTM}),
    }
    pixels = made_pixels(library.array(distinct(1, 1, 1)[0], ("y", "x"), coords), bands="B02")
    assert pixels.grid == replace(GRID, height=1, width=1)


def test_without_coordinates_the_geotransform_counts(library):
    mapping = {"spatial_ref": ((), 0, {"crs_wkt": GRID.crs, "GeoTransform": "435730 8 6 4179460 6 -8"})}
    array = library.array(distinct(1, 4, 5)[0], ("y", "x"), mapping)
    assert made_pixels(array, bands="B02").grid.transform == Affine(8, 6, 435730, 6, -8, 4179460)
    array = library.array(distinct(1, 4, 5)[0], ("y", "x"), {})
    assert not made_pixels(array, bands="B02").grid.is_placed


def test_northings_in_single_precision_are_regular(library):
    coords = labels() | {"y": (("y",), (4179456.3 - 10 * np.arange(400)).astype("float32"), {})}
    pixels = made_pixels(library.array(distinct(1, 400, COLUMNS)[0], ("y", "x"), coords), bands="B02")
    assert pixels.grid.transform.e == pytest.approx(-10, abs=1e-3)


PACKED = {"scale_factor": 2e-5, "add_offset": -0.2}


def test_attributes_are_what_is_still_to_be_done(library):
    pixels = made_pixels(rio(library, attrs=PACKED))
    assert (set(pixels.scale), set(pixels.offset)) == ({2e-5}, {-0.2})
    assert pixels.reflectance()[0] == pytest.approx(distinct(3, ROWS, COLUMNS) * 2e-5 - 0.2, abs=1e-6)


def test_encoding_is_what_xarray_has_done(library):
    values = distinct(3, ROWS, COLUMNS) * 2e-5 - 0.2
    values[0, 0, 0] = np.nan
    made = rio(library, values, encoding=PACKED | {"_FillValue": 0, "dtype": "uint16"})
    pixels = made_pixels(made)
    assert (set(pixels.scale), set(pixels.offset)) == ({1.0}, {0.0})
    assert (~pixels.valid).sum() == 1


def test_each_band_has_its_own_scale(library):
    made = rio(
        library,
        attrs={"scales": (1e-4, 2e-4, 1e-4), "offsets": (0.0, 0.0, -0.1), "add_offset": None, "scale_factor": None},
    )
    pixels = made_pixels(made, bands="B04,B03")
    assert (pixels.scale.tolist(), pixels.offset.tolist()) == ([1e-4, 2e-4], [-0.1, 0.0])


def test_numbers_masked_but_not_scaled_are_still_to_be_scaled(library):
    """As rioxarray's masked=True gives them."""
    values = distinct(3, ROWS, COLUMNS, "uint16").astype("float32")
    values[1, 0, 0] = np.nan
    pixels = made_pixels(rio(library, values, attrs=PACKED, encoding={"_FillValue": 0.0}))
    assert (set(pixels.scale), set(pixels.offset)) == ({2e-5}, {-0.2})


def test_reflectance_is_not_scaled_twice(library):
    made = rio(library, distinct(3, ROWS, COLUMNS, "float32"), attrs={"scale_factor": 1e-4})
    with pytest.raises(RasterError, match=r"floats that are reflectance.*scale and offset for them.*scale=1, offset=0"):
        made_pixels(made)
    assert set(made_pixels(made, scale=1, offset=0).scale) == {1}


def test_whole_numbers_with_a_scale_in_the_encoding_are_unclear(library):
    made = rio(library, encoding=PACKED)
    with pytest.raises(RasterError, match=r"integers with a scale of 2e-05 and an offset of -0\.2 in their encoding"):
        made_pixels(made)
    assert set(made_pixels(made, scale=1e-4).scale) == {1e-4}
    assert set(made_pixels(rio(library, attrs=PACKED, encoding=PACKED)).scale) == {2e-5}


@pytest.mark.parametrize(
    ("attrs", "excluded"),
    [
        ({"_FillValue": 1000}, [1000]),
        ({"missing_value": np.array([1000, 1003])}, [1000, 1003]),
        ({"nodata": "1003"}, [1003]),
        ({"nodatavals": (1000.0, 2000.0, 3000.0)}, [1000, 2000, 3000]),
        ({"nodata": float("nan")}, []),
        ({"valid_range": [1001, 60000]}, [1000]),
        ({"valid_min": 1003}, [1000]),
        ({"valid_max": 3000}, range(3001, 4000)),
    ],
)
def test_what_was_not_measured(library, attrs, excluded):
    values = distinct(3, ROWS, COLUMNS)
    expected = ~np.isin(values, list(excluded))
    assert (~expected).any() == bool(len(excluded))
    pixels = made_pixels(rio(library, attrs=attrs))
    assert np.array_equal(np.ones(values.shape, bool) if pixels.valid is None else pixels.valid[0], expected)


def test_a_valid_range_is_in_the_file_s_units_though_values_are_decoded(library):
    values = np.full((3, ROWS, COLUMNS), 0.3, "float32")
    values[:, 0, 0], values[:, 0, 1] = 1.7, -0.15
    pixels = made_pixels(rio(library, values, attrs={"valid_range": [10000, 65000]}, encoding=PACKED))
    assert pixels.valid[0, :, 0, :3].tolist() == [[False, False, True]] * 3


def test_without_nodata_the_sensor_s_counts_in_whole_numbers(library):
    values = distinct(3, ROWS, COLUMNS)
    values[1, 2, 3] = 0
    assert (~made_pixels(rio(library, values)).valid).sum() == 1
    assert made_pixels(rio(library, values), nodata=7).valid is None, "what is said wins"
    assert made_pixels(values, bands="B02,B03,B04").valid is None, "a bare array is no product"


def test_what_is_given_wins(library):
    made = rio(library, attrs=PACKED | {"_FillValue": 1000})
    grid = Grid(None, Affine.scale(3), ROWS, COLUMNS)
    valid = np.ones((ROWS, COLUMNS), bool)
    valid[1, 1] = False
    pixels = made_pixels(
        made, bands="s2-l1c", gsd=7, valid=valid, scale=1e-4, offset=-0.1, dates=["2021-01-01"], nodata=-1, grid=grid
    )
    assert pixels.bands[0].sensor == "s2-l1c"
    assert (pixels.gsd, pixels.grid, pixels.days.tolist()) == (7, grid, [18628])
    assert (set(pixels.scale), set(pixels.offset)) == ({1e-4}, {-0.1})
    assert np.array_equal(pixels.valid, np.broadcast_to(valid, pixels.shape))


def test_bands_themselves_are_found_by_their_names(library):
    bands = tuple(sensor("s2-l1c").band(name) for name in ("B4", "B2"))
    pixels = made_pixels(rio(library), bands=bands)
    assert pixels.bands == bands
    assert np.array_equal(pixels.values[0], distinct(3, ROWS, COLUMNS)[[2, 0]])
    with pytest.raises(BandError, match="found no B8 among"):
        made_pixels(rio(library), bands=[sensor("s2-l1c").band("B8")])


def test_numbered_variables_have_no_names_but_long_ones(library):
    coords, values = labels(), distinct(2, ROWS, COLUMNS)

    def made(*names: str | None) -> Any:
        attributes = [{"long_name": name} if name else {} for name in names]
        arrays = [library.array(values[i], ("y", "x"), coords, attributes[i]) for i in range(2)]
        return library.dataset({"band_1": arrays[0], "band_2": arrays[1]})

    assert [band.name for band in made_pixels(made("B08", "B02")).bands] == ["B8", "B2"]
    with pytest.raises(BandError, match="2 bands without names"):
        made_pixels(made(None, None))


def test_a_dataset_of_one_variable_may_hold_all_bands(library):
    pixels = made_pixels(library.dataset({"band_data": rio(library)}))
    assert [band.name for band in pixels.bands] == ["B2", "B3", "B4"]
    assert pixels.grid.coincides(GRID)


def test_a_grid_mapping_may_be_a_variable(library):
    crs = library.array(np.int64(0), (), {}, {"crs_wkt": GRID.crs})
    one = library.array(distinct(1, 4, 5)[0], ("y", "x"), labels(False), {"grid_mapping": "utm"})
    assert made_pixels(library.dataset({"utm": crs, "B02": one})).grid.coincides(GRID)


def test_wavelengths_along_the_bands_are_enough(library):
    coords = labels(wavelength=(("band",), [0.49, 0.56, 0.665], {"units": "micrometers"}))
    values = distinct(3, ROWS, COLUMNS, "float32")
    pixels = made_pixels(library.array(values, ("band", "y", "x"), coords))
    assert [band.wavelength for band in pixels.bands] == pytest.approx([490, 560, 665])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": (("x",), [0.0, 1.0, 2.0, 4.0, 5.0], {})}, "irregular coordinates x, 1 to 2 apart"),
        ({"x": (("x",), [3.0] * 5, {})}, "irregular coordinates x"),
        ({"y": (("y",), [1.0, 2.0, np.nan, 4.0], {})}, "irregular coordinates y"),
        ({"spatial_ref": ((), 0, {"crs_wkt": "junk"})}, "the CRS 'junk' cannot be read"),
        ({"spatial_ref": ((), 999999, {})}, "the CRS '999999'"),
        ({"time": ((), np.float64(18000), {"units": "days since 1970-01-01"})}, "times as numbers .*days since 1970"),
        ({"time": ((), "last May", {})}, "found 'last May' for a date"),
    ],
)
def test_coordinates_that_cannot_be_are_said(library, change, says):
    made = library.array(distinct(1, ROWS, COLUMNS)[0], ("y", "x"), labels() | change, name="B02")
    with pytest.raises(RasterError, match=says):
        made_pixels(made)
    assert made_pixels(made, grid=GRID, dates=[None]).grid is GRID, "not asked where the user says"


@pytest.mark.parametrize(
    ("attrs", "says"),
    [
        ({"_FillValue": "none"}, "found 'none' for the attribute _FillValue; expected a number"),
        ({"scale_factor": 0.0}, "a scale of 0 and an offset of 0; expected a scale other than 0"),
        ({"scale_factor": "fine"}, "'fine' for the attribute scale_factor"),
        ({"transform": (1, 2)}, "found the transform 1, 2"),
    ],
)
def test_attributes_that_cannot_be_are_said(library, attrs, says):
    with pytest.raises(RasterError, match=says):
        made_pixels(rio(library, attrs=attrs))


def test_dimensions_that_are_unknown_are_said(library):
    with pytest.raises(RasterError, match="dimensions height, y, x; expected y and x"):
        made_pixels(library.array(distinct(2, 4, 5), ("height", "y", "x"), labels()), bands="B02,B03")
    with pytest.raises(RasterError, match="dimensions band, y; expected"):
        made_pixels(library.array(distinct(1, 2, 4)[0], ("band", "y"), {}), bands="B02,B03")
    with pytest.raises(RasterError, match="Dataset of a, none with rows and columns"):
        made_pixels(library.dataset({"a": library.array(np.zeros(4), ("y",), {})}))


def test_variables_of_other_dimensions_are_said(library):
    coords = labels()
    made = {
        "B02": library.array(distinct(1, 4, 5), ("time", "y", "x"), coords),
        "B03": library.array(distinct(1, 4, 5)[0], ("y", "x"), coords),
    }
    with pytest.raises(RasterError, match="variables of the dimensions time, y, x and, as B03, y, x"):
        made_pixels(library.dataset(made))
    assert made_pixels(library.dataset(made), bands="B03").shape == (1, 1, 4, 5)


def test_values_that_are_no_numbers_are_said(library):
    with pytest.raises(RasterError, match="complex64"):
        made_pixels(rio(library, np.zeros((3, ROWS, COLUMNS), np.complex64)))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float16", "bfloat16", "float32", "float64"])
def test_tensors(dtype):
    values = torch.arange(3 * 4 * 5).reshape(3, 4, 5).to(getattr(torch, dtype)).clamp(max=100)
    pixels = made_pixels(values, bands="s2-l2a:B2,B3,B4", scale=1e-4)
    assert pixels.values.dtype == ("float32" if dtype == "bfloat16" else dtype)
    assert pixels.values[0].tolist() == values.tolist()


def test_tensors_may_need_gradients_and_have_dates():
    values = torch.rand(2, 3, 4, 5, requires_grad=True)
    pixels = made_pixels(values * 1, bands="B02,B03,B04", dates=["2020-01-01", None])
    assert pixels.shape == (2, 3, 4, 5)
    assert set(pixels.scale) == {1.0}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_tensors_of_a_gpu():
    values = torch.rand(3, 4, 5, device="cuda")
    assert np.array_equal(made_pixels(values, bands="B02,B03,B04").values[0], values.cpu().numpy())


@pytest.mark.parametrize(
    "values", [torch.zeros(3, 4, 5).to_sparse(), torch.zeros(3, 4, 5, dtype=torch.complex64), "text"]
)
def test_what_is_no_array_of_numbers_is_said(values):
    with pytest.raises(RasterError, match="found"):
        made_pixels(values, bands="B02,B03,B04")


def test_a_masked_array_s_mask_counts():
    values = np.ma.masked_equal(distinct(3, 4, 5), 1003)
    pixels = made_pixels(values, bands="B02,B03,B04")
    assert (~pixels.valid).sum() == (distinct(3, 4, 5) == 1003).sum() > 0
    assert not isinstance(pixels.values, np.ma.MaskedArray)
    assert np.array_equal(made_pixels(values, bands="s2-l2a:B2,B3,B4").valid[0], ~np.ma.getmaskarray(values))


IMAGE = torch.from_numpy(distinct(3, ROWS, COLUMNS).astype("float32"))
BOX = SimpleNamespace(minx=435730.0, maxx=435780.0, miny=4179420.0, maxy=4179460.0)


@pytest.mark.parametrize(
    "placing",
    [
        {"crs": CRS.from_user_input(UTM), "bbox": BOX},
        {"crs": CRS.from_user_input(UTM), "bounds": BOX},
        {"crs": UTM, "bounds": (slice(435730.0, 435780.0, 10), slice(4179420.0, 4179460.0, 10), slice(None))},
        {"crs": 32618, "transform": torch.tensor(tuple(PLACE)[:6], dtype=torch.float64)},
    ],
)
def test_torchgeo_s_samples(placing):
    pixels = made_pixels({"image": IMAGE, "mask": torch.zeros(4, 5), "label": 3} | placing, bands="B02,B03,B04")
    assert np.array_equal(pixels.values[0], IMAGE.numpy())
    assert pixels.grid.coincides(GRID)
    assert set(pixels.scale) == {1e-4}


def test_a_sample_that_does_not_tell_where_it_is():
    pixels = made_pixels({"image": IMAGE.expand(2, 3, 4, 5)}, bands="B02,B03,B04")
    assert pixels.shape == (2, 3, 4, 5)
    assert not pixels.grid.is_placed
    assert not made_pixels(
        {"image": IMAGE, "bbox": SimpleNamespace(**vars(BOX) | {"maxx": 0.0})}, bands="B02,B03,B04"
    ).grid.is_placed


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ({"mask": 1}, "a mapping of mask; expected a sample with `image`"),
        ({}, "a mapping of nothing"),
        ({"image": IMAGE[None], "crs": [UTM]}, "a batch of samples; expected one"),
        ({"image": IMAGE[None], "transform": torch.zeros(1, 6)}, "a batch of samples"),
        ({"image": IMAGE, "transform": torch.zeros(4)}, "expected six numbers"),
        ({"image": IMAGE, "crs": "nowhere", "bbox": BOX}, "the CRS 'nowhere'"),
        ({"image": IMAGE[0]}, r"shape \(4, 5\)"),
    ],
)
def test_samples_that_do_not_fit_are_said(sample, says):
    with pytest.raises(RasterError, match=says):
        made_pixels(sample, bands="B02,B03,B04")


def test_numbers_that_are_no_reflectance_need_a_scale():
    values = distinct(7, 4, 5)
    with pytest.raises(RasterError, match=r"digital numbers .uint16. of landsat5-l1.*scale and offset"):
        made_pixels(values, bands="landsat5-l1")
    with pytest.raises(RasterError, match="digital numbers .uint16. of landsat5-l1"):
        made_pixels(values[:1], bands=sensor("landsat5-l1").bands[:1])
    assert set(made_pixels(values, bands="landsat5-l1", scale=1e-3).scale) == {1e-3}
    assert set(made_pixels(distinct(7, 4, 5, "float32"), bands="landsat5-l1").scale) == {1.0}


def test_neither_xarray_nor_torch_is_imported():
    code = """if True:
        import sys
        from numpy import ones
        from spectralgpt import as_pixels
        as_pixels(ones((1, 2, 2)), bands="B02")
        print([name for name in ("torch", "xarray", "dask") if name in sys.modules])"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.filterwarnings("ignore")  # rioxarray's own
@pytest.mark.skipif(importlib.util.find_spec("rioxarray") is None, reason="rioxarray is not installed")
@pytest.mark.parametrize("how", [{}, {"masked": True}, {"mask_and_scale": True}, {"band_as_variable": True}])
def test_a_file_through_rioxarray_is_as_through_us(tmp_path, how):
    import rioxarray
    from made_rasters import write

    from spectralgpt.products import open_raster

    values = distinct(3, ROWS, COLUMNS)
    values[0, 1, 1] = 0
    path = write(
        tmp_path / "s.tif",
        values,
        names=("B02", "B03", "B04"),
        nodata=0,
        scales=[1e-4, 2e-4, 1e-4],
        offsets=[0, -0.1, 0],
    )
    ours, theirs = open_raster(path).read(), made_pixels(rioxarray.open_rasterio(path, **how))
    assert ours.bands == theirs.bands
    assert np.array_equal(ours.valid, theirs.valid)
    assert theirs.grid.coincides(ours.grid)
    assert ours.reflectance()[ours.valid] == pytest.approx(theirs.reflectance()[ours.valid], abs=1e-6)
