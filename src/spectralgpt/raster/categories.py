"""Names of a raster's values, where GDAL keeps them: in a sidecar, NAME.aux.xml, as a GeoTIFF has no place for them."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree  # writes; what is read was written by GDAL in this process


def name_categories(sidecar: Path, names: Sequence[str]) -> None:
    """Write what the values 0, 1, ... of the first band are into the sidecar, beside what it holds already."""
    root = ElementTree.parse(sidecar).getroot() if sidecar.exists() else ElementTree.Element("PAMDataset")
    band = next((each for each in root.iter("PAMRasterBand") if each.get("band") == "1"), None)
    if band is None:
        band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    categories = ElementTree.SubElement(band, "CategoryNames")
    for name in names:
        ElementTree.SubElement(categories, "Category").text = name
    sidecar.write_bytes(ElementTree.tostring(root, encoding="utf-8"))
