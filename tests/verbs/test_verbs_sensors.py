"""The known sensors, listed and shown."""

import pytest

import spectralgpt as sg
from spectralgpt import bands
from spectralgpt.errors import BandError


def test_all_are_listed(spectralgpt):
    ended = spectralgpt("sensors")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0].split() == ["sensor", "level", "bands", "what"]
    assert [line.split()[0] for line in lines[1:]] == [each.name for each in bands.sensors()]
    (row,) = (line for line in lines if line.startswith("s2-l2a "))
    assert row.split()[1:3] == ["L2A", "12"]
    assert row.endswith("Sentinel-2 MSI, Level-2A: surface reflectance")


@pytest.mark.parametrize("name", ["s2-l2a", "landsat8-c2l2", "naip", "worldview2"])
def test_one_is_shown(name, spectralgpt):
    known = bands.sensor(name)
    ended = spectralgpt("sensors", name, "--json")
    (found,) = ended.json["sensors"]
    assert [(each["name"], each["wavelength"], each["fwhm"], each["gsd"]) for each in found["bands"]] == [
        (band.name, band.wavelength, band.fwhm, band.gsd) for band in known.bands
    ]
    assert (found["scale"], found["offset"], found["source"]) == (known.scale, known.offset, known.source)
    for each in found["bands"]:
        assert all(known.band(alias).name == each["name"] for alias in each["aliases"])
    assert sum(len(each["aliases"]) for each in found["bands"]) == len(known.aliases)


def test_one_in_words(spectralgpt):
    text = spectralgpt("sensors", "S2-L2A").out
    assert "reflectance = stored x 0.0001 + 0; nodata 0" in text
    assert "B8A      864.7     20.5       20  nir08, narrownir, nirnarrow" in text
    assert "source: ESA" in text
    assert "reflectance = stored x 2.75e-05 - 0.2" in str(sg.sensors("landsat8-c2l2"))
    assert "scale and offset by the metadata of a product" in str(sg.sensors("naip"))


def test_a_file_with_the_keys_that_the_help_lists(tmp_path, spectralgpt):
    path = tmp_path / "mine.toml"
    band = '{ name = "B2", wavelength = 492.7, fwhm = 64.3, gsd = 10, aliases = ["blue"] }'
    path.write_text(
        f'title = "Mine"\nlevel = "SR"\nsource = "me"\nscale = 1e-4\noffset = -0.1\nnodata = 0\nbands = [{band}]\n'
    )
    (found,) = spectralgpt("sensors", path, "--json").json["sensors"]
    assert (found["name"], found["title"], found["offset"]) == ("mine", "Mine", -0.1)
    assert found["bands"] == [{"name": "B2", "wavelength": 492.7, "fwhm": 64.3, "gsd": 10.0, "aliases": ["blue"]}]
    shown = " ".join(spectralgpt("sensors", "--help").out.split())
    for key in ("name", "wavelength", "fwhm", "gsd", "aliases", "scale", "offset", "nodata", "bands_of"):
        assert key in shown


@pytest.mark.parametrize(
    ("name", "near"), [("s2-l2b", "s2-l2a"), ("landsat8-c2l3", "landsat8-c2l2"), ("naipp", "naip")]
)
def test_an_unknown_name_is_exit_2_with_the_nearest(name, near, spectralgpt):
    ended = spectralgpt("sensors", name, "--json")
    assert (ended.code, ended.json["kind"]) == (2, "BandError")
    assert f"Did you mean {near}?" in ended.err
    with pytest.raises(BandError):
        sg.sensors(name)


@pytest.mark.parametrize("verb", ["embed", "reconstruct", "inspect"])
def test_the_help_of_sources_and_bands(verb, spectralgpt):
    shown = " ".join(spectralgpt(verb, "--help").out.split())
    assert "PATH@2020-05-01 gives an image its date" in shown
    assert "spectralgpt sensors --help" in shown
    assert "--overwrite" in shown
