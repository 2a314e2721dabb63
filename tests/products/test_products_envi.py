"""ENVI images: wavelengths and reflectance from the header; another file's header is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import distinct
from real_rasters import real

from spectralgpt.days import iso_date
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster
from spectralgpt.products.formats.envi import fields_of, read, read_header_text
from spectralgpt.products.product import Product

CODES = {"uint8": 1, "int16": 2, "int32": 3, "float32": 4, "float64": 5, "uint16": 12, "uint32": 13}
# ENVI images without map info are images too
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

ORDERS = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}


def envi(path: Path, values: np.ndarray, *lines: str, interleave: str = "bsq", header: str = "") -> Path:
    """An ENVI image of [band, row, column] as plain bytes, with a header of our own."""
    values.transpose(ORDERS[interleave]).tofile(path)
    bands, height, width = values.shape
    text = [
        "ENVI",
        "; a remark",
        f"samples = {width}",
        f"lines   = {height}",
        f"bands   = {bands}",
        "header offset = 0",
        "file type = ENVI Standard",
        f"data type = {CODES[values.dtype.name]}",
        f"interleave = {interleave}",
        "byte order = 0",
        *lines,
    ]
    Path(header or path.with_suffix(".hdr")).write_text("\n".join(text) + "\n")
    return path


def opened(path: Path) -> Product:
    product = read(str(path), None)
    assert product is not None
    return product


def refused(path: Path, says: str) -> None:
    with pytest.raises(RasterError, match=says) as caught:
        read(str(path), None)
    assert str(path.parent) in str(caught.value)
    assert caught.value.expected or caught.value.do
    assert "\n" not in str(caught.value)


def reflectance(product: Product) -> np.ndarray:
    with rasterio.open(product.bands[0].path) as dataset:
        stored = dataset.read([band.index for band in product.bands])
    scales, offsets = (np.array([getattr(band, what) for band in product.bands]) for what in ("scale", "offset"))
    return (stored * scales[:, None, None] + offsets[:, None, None]).astype(np.float32)


@pytest.mark.parametrize("interleave", ORDERS)
@pytest.mark.parametrize("unit", ["Nanometers", "Micrometers", ""])
def test_jasper_ridge(tmp_path, interleave, unit):
    folder = real("hyperspectral_more/jasper_ridge")
    with rasterio.open(folder / "jasper_ridge.tif") as dataset:
        values = dataset.read()
    with open(folder / "wavelengths.csv") as file:
        rows = list(csv.reader(file))[1:]
    nanometres = [float(row[1]) for row in rows]
    factor = 1e-3 if unit == "Micrometers" or (not unit and interleave == "bil") else 1.0
    listed = ", ".join(
        f"{wavelength * factor:.8g}" + ("\n " if i % 7 == 6 else "") for i, wavelength in enumerate(nanometres)
    )
    path = envi(
        tmp_path / f"jasper ridge.{interleave}",
        values,
        "Reflectance Scale Factor = 10000.000",
        f"wavelength = {{\n {listed}}}",
        *([f"wavelength units = {unit}"] if unit else []),
        f"fwhm = {{{', '.join([str(10 * factor)] * len(values))}}}",
        "acquisition time = 1998-08-13T19:00:00.5Z",
        interleave=interleave,
    )
    for given in (path, path.with_suffix(".hdr")):
        product = opened(given)
        assert len(product.bands) == 198
        np.testing.assert_array_equal(reflectance(product), (values / 10000).astype(np.float32))
        # they step back where the next detector begins, and so they stay
        assert [band.wavelength for band in product.bands] == pytest.approx(nanometres)
        assert {round(band.fwhm or 0, 6) for band in product.bands} == {10}
        assert product.bands[0].name == f"{nanometres[0]:.10g} nm"
        assert iso_date(product.day) == "1998-08-13"
        assert product.warnings == ()


def test_radiance_is_not_taken_for_reflectance(tmp_path):
    """Indian Pines holds radiance; gains of a header give radiance too unless the key says reflectance."""
    with rasterio.open(real("hyperspectral/indian_pines/indian_pines.tif")) as dataset:
        values = dataset.read([1, 50, 100])
    gains = f"data gain values = {{{', '.join(['0.002'] * 3)}}}"
    product = opened(envi(tmp_path / "pines.dat", values, gains, "data offset values = {-2, -2, -2}"))
    assert {(band.scale, band.offset) for band in product.bands} == {(None, None)}
    assert any("radiance" in warning for warning in product.warnings)
    product = opened(envi(tmp_path / "titled.dat", values, "z plot titles = {Wavelength, Radiance}"))
    assert any("radiance" in warning for warning in product.warnings)
    refused(envi(tmp_path / "small.dat", (values * 1e-5).astype("float32"), "data units = Radiance"), "found radiance")
    product = opened(envi(tmp_path / "plain.dat", values))
    assert {(band.scale, band.offset) for band in product.bands} == {(None, None)}
    product = opened(
        envi(
            tmp_path / "reflecting.dat",
            values,
            gains,
            "data reflectance gain values = {0.001, 0.002, 0.003}",
            "data reflectance offset values = {0.1, 0, -0.1}",
        )
    )
    assert [(band.scale, band.offset) for band in product.bands] == [(0.001, 0.1), (0.002, 0), (0.003, -0.1)]
    assert product.warnings == ()


def test_bad_bands_are_left_out(tmp_path):
    values = distinct(4, 12, 9)
    path = envi(
        tmp_path / "x.img",
        values,
        "wavelength = {500, 600, 1400, 1600}",
        "bbl = {1, 1, 0, 1}",
        "reflectance scale factor = 10000",
        "data ignore value = 0",
    )
    product = opened(path)
    assert [(band.index, band.wavelength, band.nodata) for band in product.bands] == [
        (1, 500.0, 0.0),
        (2, 600.0, 0.0),
        (4, 1600.0, 0.0),
    ]
    np.testing.assert_array_equal(reflectance(product), (values[[0, 1, 3]] / 10000).astype(np.float32))
    assert "left out 1 bands" in product.warnings[0]
    assert "1400 nm" in product.warnings[0]


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["band names = {B02, B03}"], ["B02", "B03"]),
        (["band names = {", " Band 1,", " Band 2}"], ["Band 1", "Band 2"]),  # which only count: `identify` decides
        (["band names = {Band 1, Band 2}", "wavelength = {490, 560}"], ["490 nm", "560 nm"]),
        (["band names = {R, R}", "wavelength = {0.49, 0.56}"], ["490 nm", "560 nm"]),
        (["wavelength = {1, 2}", "wavelength units = Index"], [None, None]),
        (["wavelength = {50, 100}"], [None, None]),
        ([], [None, None]),
    ],
)
def test_names(tmp_path, lines, names):
    assert [band.name for band in opened(envi(tmp_path / "x", distinct(2, 5, 6), *lines)).bands] == names


def test_dtypes_offset_and_where_the_header_lies(tmp_path):
    for dtype in CODES:
        values = distinct(2, 7, 8, dtype)
        product = opened(envi(tmp_path / f"{dtype}.dat", values, "reflectance scale factor = 1000"))
        np.testing.assert_array_equal(reflectance(product), (values.astype(float) * (1 / 1000)).astype(np.float32))
    values = distinct(2, 7, 8)
    path = envi(tmp_path / "größe 1.img", values, header=str(tmp_path / "größe 1.img.hdr"))
    assert opened(path).bands[0].path == str(path)
    assert opened(Path(f"{path}.hdr")).bands[0].path == str(path)
    path.write_bytes(b"HEAD" * 4 + values.tobytes())
    header = Path(f"{path}.hdr")
    header.write_text(header.read_text().replace("header offset = 0", "header offset = 16"))
    with rasterio.open(opened(path).bands[1].path) as dataset:
        np.testing.assert_array_equal(dataset.read(2), values[1])


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
def test_a_file_that_is_cut_off(tmp_path, keep):
    """GDAL reads zeros beyond the end."""
    path = envi(tmp_path / "x.dat", distinct(3, 20, 30))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw))])
    refused(path, r"found \d+ bytes; expected 3600")


def test_a_file_that_is_longer_is_told(tmp_path):
    path = envi(tmp_path / "x.dat", distinct(3, 20, 30))
    path.write_bytes(path.read_bytes() + b"12")
    assert "2 bytes more" in opened(path).warnings[0]


def test_a_header_without_its_file(tmp_path):
    path = envi(tmp_path / "x.dat", distinct(3, 20, 30))
    path.unlink()
    refused(tmp_path / "x.hdr", "no data file beside it")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("samples = 6", "", "no 'samples'"),
        ("lines   = 5", "lines = many", "'many' for 'lines'"),
        ("bands   = 2", "bands = 0", "at least 1"),
        ("bands   = 2", "bands = 999999999999", "found 120 bytes; expected"),
        ("bands   = 2", "bands = 1\nbands = 2", "'bands' twice"),
        ("data type = 12", "data type = 7", "data type 7"),
        ("data type = 12", "data type = 6", "expected"),
        ("byte order = 0", "wavelength = {400, 500, 600}", "3 values of 'wavelength'.*each of 2 bands"),
        ("byte order = 0", "fwhm = {10}", "1 values of 'fwhm'.*each of 2 bands"),
        ("byte order = 0", "bbl = {1}", "1 values of 'bbl'.*each of 2 bands"),
        ("byte order = 0", "bbl = {0, 0}", "every band marked bad"),
        ("byte order = 0", "band names = {a, b, c}", "3 values of 'band names'"),
        ("byte order = 0", "wavelength = {red, green}", "expected numbers separated by commas"),
        ("byte order = 0", "wavelength = {400, 500", "no end of the list of 'wavelength'"),
        ("byte order = 0", "wavelength = {400, 500}\nwavelength units = Micrometers", "400 to 500 in Micrometers"),
        ("byte order = 0", "wavelength = {0.4, 0.5}\nwavelength units = nm", "0.4 to 0.5 in nm"),
        ("byte order = 0", "wavelength = {nan, 500}\nwavelength units = nm", "in nm"),
        ("byte order = 0", "reflectance scale factor = 0", "scale factor of 0"),
        ("byte order = 0", "reflectance scale factor = nan", "scale factor of nan"),
        (
            "byte order = 0",
            "reflectance scale factor = 100\ndata reflectance gain values = {1, 1}",
            "reflectance gains that differ",
        ),
        ("ENVI Standard", "ENVI Classification", "found an ENVI Classification"),
        ("ENVI Standard", "ENVI Spectral Library", "found an ENVI Spectral Library"),
        ("byte order = 0", "major frame offsets = {4, 4}", "frame offsets"),
        ("byte order = 0", "acquisition time = 2020-02-31", "2020-02-31"),
    ],
)
def test_headers_that_are_wrong(tmp_path, old, new, says):
    path = envi(tmp_path / "x.dat", distinct(2, 5, 6))
    header = tmp_path / "x.hdr"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new))
    refused(path, says)


def test_other_formats_are_left_to_others(tmp_path):
    """A header of another format, and one of ENVI's beside a GeoTIFF."""
    (tmp_path / "x.hdr").write_text("BYTEORDER I\nNROWS 3\n")
    (tmp_path / "x.bil").write_bytes(b"0" * 9)
    assert read(str(tmp_path / "x.hdr"), None) is None
    assert read(str(tmp_path / "x.bil"), None) is None
    envi(tmp_path / "y.tif", distinct(1, 4, 4))
    assert read(str(tmp_path / "y.tif"), None) is None
    assert read(str(tmp_path), None) is None
    assert read(str(tmp_path / "missing.img"), None) is None


def test_the_text_alone():
    text = "ENVI\n; made\nSamples = 2\nlines = 3\nbands=1\ndata  type = 4\ndescription = {a = b,\n c}\n"
    text += "Wavelength = { 0.5 }\n"
    fields = fields_of(text, "x.hdr")
    assert fields["description"] == "a = b,\n c"
    header = read_header_text(text, "x.hdr")
    assert (header.height, header.width, header.bands, header.dtype) == (3, 2, 1, "float32")
    assert header.wavelengths == (500.0,)


def test_an_ignored_value_that_cannot_occur(tmp_path):
    product = opened(envi(tmp_path / "x.dat", distinct(1, 4, 4), "data ignore value = -9999"))
    assert product.bands[0].nodata is None
    assert "-9999" in product.warnings[0]


def test_through_open_raster(tmp_path):
    values = distinct(4, 12, 9)
    path = envi(
        tmp_path / "x.img",
        values,
        "wavelength = {0.49, 0.56, 0.66, 1.6}",
        "wavelength units = Micrometers",
        "reflectance scale factor = 10000",
        "acquisition time = 2020-01-02",
    )
    with open_raster(path) as raster:
        pixels = raster.read()
    assert [band.wavelength for band in pixels.bands] == pytest.approx([490, 560, 660, 1600])
    np.testing.assert_array_equal(pixels.reflectance()[0], (values / 10000).astype(np.float32))
    assert iso_date(int(pixels.days[0])) == "2020-01-02"
    # without what tells how values become reflectance they are not taken for it
    envi(path, values, "wavelength = {490, 560, 660, 1600}", "data gain values = {1, 1, 1, 1}")
    with pytest.raises(RasterError, match="digital numbers"):
        open_raster(path)
