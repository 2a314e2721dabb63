"""The sensors' files: conformance of each, and facts of those that we have."""

import re

import pytest

from spectralgpt.bands import sensor, sensors
from spectralgpt.errors import BandError


@pytest.mark.parametrize("each", sensors(), ids=lambda each: each.name)
def test_a_sensor_is_complete(each):
    assert each.name == each.name.lower()
    assert each.title
    assert each.source
    assert each.level
    assert len(set(each.names)) == len(each.names) > 0
    assert all(300 < band.wavelength < 15000 and 0 < band.fwhm < 2000 and band.gsd > 0 for band in each.bands)
    assert all(each.band(band.name) is band for band in each.bands)
    assert 0 < each.scale <= 1
    # a file order is of another sensor's bands, a sensor of its own
    assert {band.sensor == each.name for band in each.bands} == {each.names_files}
    assert sensor(each.name.upper()) is each


def test_sentinel_2_has_the_bands_of_the_product_metadata():
    l1c = sensor("s2-l1c")
    assert l1c.names == ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
    assert [band.wavelength for band in l1c.bands] == [
        442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1373.5, 1613.7, 2202.4,
    ]  # fmt: skip
    assert [band.gsd for band in l1c.bands] == [60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20]
    assert (l1c.scale, l1c.offset, l1c.nodata, l1c.level) == (1e-4, 0, 0, "L1C")


def test_the_wavelengths_are_those_of_a_real_product(shared):
    file = next((shared / "data" / "metadata_fixtures" / "sentinel2").glob("S2A_MSIL1C*.SAFE")) / "MTD_MSIL1C.xml"
    entry = r'<Spectral_Information bandId="\d+" physicalBand="(\w+)">.*?<CENTRAL unit="nm">([\d.]+)</CENTRAL>'
    found = re.findall(entry, file.read_text(), re.DOTALL)
    assert {name: float(centre) for name, centre in found} == {b.name: b.wavelength for b in sensor("s2-l1c").bands}


def test_level_2a_lacks_the_cirrus_band_only():
    def facts(name):
        return [(b.name, b.wavelength, b.fwhm, b.gsd) for b in sensor(name).bands if b.name != "B10"]

    assert facts("s2-l2a") == facts("s2-l1c")
    assert len(sensor("s2-l2a").bands) == 12
    assert {band.sensor for band in sensor("s2-l2a").bands} == {"s2-l2a"}


def test_file_orders_are_of_level_1c():
    eurosat, released = sensor("eurosat"), sensor("spectralgpt-12")
    assert eurosat.names[-4:] == ("B10", "B11", "B12", "B8A")
    assert set(eurosat.bands) == set(sensor("s2-l1c").bands)
    assert released.bands == tuple(band for band in sensor("s2-l1c").bands if band.name != "B10")


def test_an_unknown_name_comes_with_the_nearest():
    with pytest.raises(BandError, match=r"found sensor name 's2-l1d'; expected one of .*Did you mean s2-l1c"):
        sensor("s2-l1d")
    with pytest.raises(BandError, match=r"'B8B', which s2-l1c does not have.*Did you mean B8"):
        sensor("s2-l1c").band("B8B")
