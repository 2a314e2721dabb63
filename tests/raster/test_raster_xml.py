"""Hostile XML is refused before it fills the memory; other XML is read."""

import pytest

from spectralgpt.errors import RasterError
from spectralgpt.raster.xml import parse_xml

BOMB = '<!DOCTYPE a [<!ENTITY b "bb">' + "".join(f'<!ENTITY b{i} "{"&b;" * 10}">' for i in range(9)) + "]><a>&b8;</a>"


@pytest.mark.parametrize(
    "content", [BOMB, BOMB.encode(), BOMB.encode("utf-16"), '<!DOCTYPE a SYSTEM "https://example.com/a.dtd"><a/>']
)
def test_document_types_are_refused(content):
    with pytest.raises(RasterError, match=r"^here\.xml: found XML with a DOCTYPE or entities; expected plain XML"):
        parse_xml(content, "here.xml")


@pytest.mark.parametrize(
    "content",
    ["", "<a", "<a>&b;</a>", "no XML", b"\x00\x00", "<a>\ud800</a>", b'<?xml version="1.0" encoding="klingon"?><a/>'],
)
def test_what_is_not_xml_is_refused(content):
    with pytest.raises(RasterError, match=r"^here\.xml: is not valid XML"):
        parse_xml(content, "here.xml")


@pytest.mark.parametrize("content", ["<a>é</a>", '<?xml version="1.0" encoding="UTF-8"?><a>é</a>'.encode()])
def test_plain_xml_is_read(content):
    assert parse_xml(content, "here.xml").text == "é"
