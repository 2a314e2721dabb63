"""Sentinel-2 products for tests: metadata as given, images in lossless JPEG 2000, in ESA's folders and names."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from made_rasters import UTM, distinct
from rasterio.errors import NotGeoreferencedWarning

METRES = {
    **dict.fromkeys(("B2", "B3", "B4", "B8"), 10),
    **dict.fromkeys(("B5", "B6", "B7", "B8A", "B11", "B12", "SCL"), 20),
    **dict.fromkeys(("B1", "B9", "B10"), 60),
}
"""What each image was measured at, as the Sentinel-2 user handbook says."""

NEVER = (("B8", 20), ("B8", 60))
"""B8A stands for it in Level-2A's coarser images."""

BAND_ID = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")


@dataclass(frozen=True)
class Image:
    """Stored values [row, column] and where they lie."""

    values: np.ndarray
    crs: str
    transform: Affine

    def at(self, factor: float) -> "Image":
        """With pixels longer by this factor: means where coarser, repeated where finer; what does not fill one is left
        out."""
        if factor < 1:
            often = round(1 / factor)
            values = self.values.repeat(often, 0).repeat(often, 1)
        else:
            step = round(factor)
            rows, columns = (side // step for side in self.values.shape)
            blocks = self.values[: rows * step, : columns * step].reshape(rows, step, columns, step)
            values = self.values if step == 1 else blocks.mean((1, 3)).astype(self.values.dtype)
        return Image(values, self.crs, scaled(self.transform, factor))


def scaled(transform: Affine, factor: float) -> Affine:
    """The same corner, pixels longer by this factor. Written out, as affine 2 says `*` for it and affine 3 `@`."""
    a, b, c, d, e, f = transform[:6]
    return Affine(a * factor, b * factor, c, d * factor, e * factor, f)


def made_images(rows: int = 36, columns: int = 48) -> dict[str, Image]:
    """Every band at its native resolution, all different; rows, columns: of those at 10 m, multiples of 6."""
    values = distinct(len(BAND_ID), rows, columns)
    place = Affine(10.0, 0.0, 399960.0, 0.0, -10.0, 4200000.0)
    images = {}
    for band, plane in zip(BAND_ID, values, strict=True):
        step = METRES[band] // 10
        images[band] = Image(plane[::step, ::step], UTM, scaled(place, step))
    return images


def made_scene(rows: int = 36, columns: int = 48) -> Image:
    """Scene classes 0 to 11 at 20 m."""
    place = Affine(20.0, 0.0, 399960.0, 0.0, -20.0, 4200000.0)
    values = np.arange(rows // 2 * (columns // 2)).reshape(rows // 2, columns // 2) % 12
    return Image(values.astype(np.uint8), UTM, place)


def real_images(files: Mapping[str, Path]) -> dict[str, Image]:
    """Bands of a real scene, as they are stored."""
    images = {}
    for band, path in files.items():
        with rasterio.open(path) as dataset:
            images[band] = Image(dataset.read(1), dataset.crs.to_wkt(), dataset.transform)
    return images


def product_text(
    level: str = "L1C",
    *,
    baseline: str = "05.09",
    offsets: Mapping[int, float] | None = None,
    quantification: str = "10000",
    tiles: tuple[str, ...] = ("T32TQR",),
    special: Mapping[str, str] | None = None,
) -> str:
    """Made-up metadata of a product, short, with the elements of the real ones where these have them."""
    kind, number = ("RADIO", "1C") if level == "L1C" else ("BOA", "2A")
    files = []
    for tile in tiles:
        images = f"GRANULE/{level}_{tile}_A019029_20230821T192646/IMG_DATA"
        for band in (band for band in (*BAND_ID, "SCL") if (level, band) not in (("L1C", "SCL"), ("L2A", "B10"))):
            name = band if band == "SCL" else f"B{band[1:].zfill(2)}"
            sizes = [size for size in (10, 20, 60) if size >= METRES[band] and (band, size) not in NEVER]
            if level == "L1C":
                files.append(f"{images}/{tile}_20230821T101559_{name}")
            else:
                files += [f"{images}/R{size}m/{tile}_20230821T101559_{name}_{size}m" for size in sizes]
    added = "".join(
        f'<{kind}_ADD_OFFSET band_id="{at}">{value:g}</{kind}_ADD_OFFSET>' for at, value in (offsets or {}).items()
    )
    values = "".join(
        f"<Special_Values><SPECIAL_VALUE_TEXT>{name}</SPECIAL_VALUE_TEXT>"
        f"<SPECIAL_VALUE_INDEX>{value}</SPECIAL_VALUE_INDEX></Special_Values>"
        for name, value in (special or {"NODATA": "0", "SATURATED": "65535"}).items()
    )
    tag = "QUANTIFICATION_VALUE" if level == "L1C" else "BOA_QUANTIFICATION_VALUE"
    uri = f"S2B_MSI{level}_20230821T101559_N{baseline.replace('.', '')}_R065_{tiles[0]}_20230821T124520.SAFE"
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{number}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{number}.xsd">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>2023-08-21T10:15:59.024Z</PRODUCT_START_TIME>
<PRODUCT_URI>{uri}</PRODUCT_URI>
<PROCESSING_LEVEL>Level-{number}</PROCESSING_LEVEL><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
<Datatake><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME>
<DATATAKE_SENSING_START>2023-08-21T10:15:59.024Z</DATATAKE_SENSING_START></Datatake>
<Product_Organisation><Granule_List><Granule>{"".join(f"<IMAGE_FILE>{file}</IMAGE_FILE>" for file in files)}
</Granule></Granule_List></Product_Organisation></Product_Info>
<Product_Image_Characteristics>{values}<{tag} unit="none">{quantification}</{tag}>
<Offset_List>{added}</Offset_List></Product_Image_Characteristics></n1:General_Info>
</n1:Level-{number}_User_Product>
"""


def make_safe(folder: Path, text: str, images: Mapping[str, Image], scene: Image | None = None) -> Path:
    """The .SAFE of a product: every image that its metadata list and that there are bands for.

    In Level-2A also at other resolutions than the native. Beside them what must not be taken for a band: true colour,
    and a mask a band in QI_DATA, which is named alike.
    """
    uri = re.search(r"<PRODUCT_URI>(.*?)</PRODUCT_URI>", text)
    level = re.search(r"Level-(1C|2A)_User_Product", text)
    assert uri is not None
    assert level is not None
    safe = folder / uri[1]
    safe.mkdir(parents=True)
    (safe / f"MTD_MSIL{level[1]}.xml").write_text(text, encoding="utf-8")
    (safe / "manifest.safe").write_text("<xfdu/>")
    for file in re.findall(r"<IMAGE_FILE>(.*?)</IMAGE_FILE>", text):
        name = re.search(r"_(B\w\w|SCL|TCI)(?:_(\d\d)m)?$", file)
        path = safe / f"{file}.jp2"
        path.parent.mkdir(parents=True, exist_ok=True)
        if name is None or name[1] == "TCI":
            write_jp2(path, Image(np.full((6, 8), 77, np.uint8), UTM, Affine(60, 0, 399960, 0, -60, 4200000)))
            continue
        band = re.sub("^B0", "B", name[1])
        image = scene if band == "SCL" else images.get(band)
        if image is not None:
            write_jp2(path, image.at(int(name[2] or METRES[band]) / METRES[band]))
    for granule in (safe / "GRANULE").iterdir():
        (granule / "MTD_TL.xml").write_text("<not_read/>")
        (granule / "QI_DATA").mkdir()
        for band in ("B01", "B02", "B8A"):
            write_jp2(
                granule / "QI_DATA" / f"MSK_QUALIT_{band}.jp2",
                Image(np.full((6, 8), 3, np.uint8), UTM, Affine(60, 0, 399960, 0, -60, 4200000)),
            )
    return safe


def write_jp2(path: Path, image: Image) -> None:
    """One band in JPEG 2000, without loss."""
    rows, columns = image.values.shape
    how = {"QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path,
            "w",
            driver="JP2OpenJPEG",
            count=1,
            height=rows,
            width=columns,
            dtype=image.values.dtype,
            crs=image.crs,
            transform=image.transform,
            **how,
        ) as dataset:
            dataset.write(image.values, 1)


def zipped(safe: Path, to: Path) -> Path:
    """The product in a zip, as data hubs give it."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(safe.rglob("*")):
            packed.write(path, f"{safe.name}/{path.relative_to(safe)}")
    return to
