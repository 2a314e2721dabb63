"""Samples as image, label and prediction."""

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Integer, UInt8
from matplotlib.image import imsave

from spectralgpt.report.evaluation.colours import class_colours, coloured_mask
from spectralgpt.report.evaluation.contents import ClassRow, Composite, IndexMask, SampleCard, SampleGallery
from spectralgpt.report.evaluation.markup import Markup, element, joined, swatch
from spectralgpt.report.evaluation.numbers import decimal
from spectralgpt.report.pictures import coloured, natural, stretch_of

LARGEST_SIDE = 192
"""Pixels of a picture on the page; larger ones are reduced."""

PICTURE_BYTES = 2_200_000
"""Size of all pictures on a page, which stays below 3 MB; samples beyond it are shown without."""

JPEG_QUALITY = 88

SIGNS = {"right": "✓", "wrong": "✗"}


def composites(
    dates: Float32[np.ndarray, "date band row column"], wavelengths: Sequence[float]
) -> Float32[np.ndarray, "date row column 3"]:
    """Images of one place in true colour, or the nearest bands, all with one stretch, so that dates compare.

    dates: reflectance, nan where not valid. wavelengths: nm.
    """
    colours = dates[:, natural(wavelengths)]
    stretch = stretch_of(np.concatenate(list(colours), axis=1))
    return np.stack([coloured(each, stretch) for each in colours])


def gallery_parts(galleries: Sequence[SampleGallery], classes: Sequence[ClassRow]) -> Markup:
    """All galleries, after a legend where they have masks."""
    colours = class_colours([each.colour for each in classes])
    samples = [sample for gallery in galleries for sample in gallery.samples]
    masks = [mask for sample in samples for mask in (sample.truth_mask, sample.predicted_mask) if mask is not None]
    parts = [_legend(masks, classes, colours)] if masks else []
    for gallery in galleries:
        parts.append(element("h3", gallery.title))
        if gallery.note:
            parts.append(element("p", gallery.note, class_="note"))
        left = PICTURE_BYTES // len(galleries)
        cards = []
        for sample in gallery.samples:
            pictures = _pictures(sample, colours)
            left -= len(pictures)
            cards.append(_card(sample, gallery.score, pictures if left >= 0 else Markup("")))
        parts.append(element("div", *cards, class_="cards"))
        if left < 0:
            parts.append(element("p", "Some are shown without pictures, to keep the page small.", class_="note"))
    return joined(parts)


def _legend(masks: Sequence[Integer[np.ndarray, "_ _"]], classes: Sequence[ClassRow], colours: Sequence[str]) -> Markup:
    """The classes that are in the masks."""
    present = sorted({index for mask in masks for index in np.unique(mask).tolist()})
    entries = [element("li", swatch(colours[index]), classes[index].name) for index in present if index >= 0]
    if present and present[0] < 0:
        entries.append(element("li", element("span", class_="swatch ignored"), "not labelled"))
    return element("ul", *entries, class_="legend")


def _pictures(sample: SampleCard, colours: Sequence[str]) -> Markup:
    """Image, label and prediction in a row."""
    pictures = [_picture(title, _jpeg(shown), f"{title}: {sample.name}") for title, shown in sample.pictures]
    for title, mask in (("label", sample.truth_mask), ("prediction", sample.predicted_mask)):
        if mask is not None:
            pictures.append(_picture(title, _png(mask, colours), f"{title}: {sample.name}"))
    return element("div", *pictures, class_="pictures")


def _card(sample: SampleCard, score: str, pictures: Markup) -> Markup:
    words = [element("p", sample.name, class_="name")]
    if math.isfinite(sample.score):
        words.append(element("p", f"{score or 'score'} {decimal(sample.score)}"))
    if sample.truth or sample.predicted:
        words.append(_labels(sample))
    if sample.note:
        words.append(element("p", sample.note, class_="note"))
    return element("div", pictures, *words, class_="card")


def _picture(title: str, source: str, description: str) -> Markup:
    return element(
        "figure", element("img", src=source, alt=description), element("figcaption", title) if title else Markup("")
    )


def _labels(sample: SampleCard) -> Markup:
    """Labels and predictions, each marked as right, wrong or missed: also by a sign, as colours alone are not seen by
    everybody."""
    truth, predicted = set(sample.truth), set(sample.predicted)
    labelled = [element("dd", name, class_="" if name in predicted else "missed") for name in sample.truth]
    answered = [_marked(name, "right" if name in truth else "wrong") for name in sample.predicted]
    none = element("dd", "none")
    return element(
        "dl", element("dt", "label"), *(labelled or [none]), element("dt", "prediction"), *(answered or [none])
    )


def _marked(name: str, verdict: str) -> Markup:
    return element("dd", f"{SIGNS[verdict]} {name}", class_=verdict)


def _jpeg(picture: Composite) -> str:
    """The picture for an `img`. JPEG, as noisy images take a tenth of their size as PNG."""
    small = np.ascontiguousarray(np.rint(255 * np.clip(_reduced(picture), 0, 1)).astype(np.uint8))
    file = io.BytesIO()
    imsave(file, small, format="jpeg", pil_kwargs={"quality": JPEG_QUALITY, "subsampling": 0})
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _png(mask: IndexMask, colours: Sequence[str]) -> str:
    """The mask for an `img`, in the colours of its classes; each pixel is one of the mask's, never a mixture."""
    step = _step(mask)
    picture: UInt8[np.ndarray, "row column 4"] = np.ascontiguousarray(
        coloured_mask(mask[step // 2 :: step, step // 2 :: step], colours)
    )
    file = io.BytesIO()
    imsave(file, picture, format="png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _step(picture: np.ndarray) -> int:
    """Pixels that become one, along rows and columns."""
    side: int = max(picture.shape[:2])
    return max(1, -(-side // LARGEST_SIDE))


def _reduced(picture: Composite) -> Float32[np.ndarray, "block_row block_column 3"]:
    """Means over squares of pixels; what is left over at the right and lower edge takes the edge's values."""
    step = _step(picture)
    rows, columns = (-(-side // step) for side in picture.shape[:2])
    rest = [(0, rows * step - picture.shape[0]), (0, columns * step - picture.shape[1]), (0, 0)]
    blocks = np.pad(picture, rest, mode="edge").reshape(rows, step, columns, step, 3)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))
