"""What of an image is compared with what weights were trained on."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectralgpt.raster import Readable
    from spectralgpt.weights import PretrainedModel
    from spectralgpt.weights.trained_domain import ImageKind


def kind_of_image(image: "Readable", model: "PretrainedModel") -> "ImageKind":
    """The sensor of an image, which says its level, its GSD (nan unknown), and its bands that the model takes."""
    from spectralgpt.bands.align import fed
    from spectralgpt.weights.trained_domain import ImageKind

    rows = fed(image.bands, model.config.bands.bands)
    known = tuple(band.name for band, row in zip(image.bands, rows, strict=True) if row is not None)
    return ImageKind(image.bands[0].sensor, float(image.gsd), known)
