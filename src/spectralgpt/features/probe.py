"""A probe: a read-out on the frozen features of a model, saved, loaded, and asked about images."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int16

from spectralgpt.data.labels import LabelledImage, LabelledSample
from spectralgpt.errors import OptionError, WeightsError
from spectralgpt.evaluation import Chosen, DenseFeatures, Fitted, answers, methods
from spectralgpt.evaluation.pixels import strips
from spectralgpt.features.beside import BesideName, makers_beside, title_with
from spectralgpt.features.cache import Cache
from spectralgpt.features.encoder import EncoderImages, EncoderPlaces, ReadOutName, name_of
from spectralgpt.features.makers import ImageMaker
from spectralgpt.features.pixels import PixelFeatures
from spectralgpt.features.probe_files import (
    PROBE_FORMAT,
    PROBE_VERSION,
    ProbeDescription,
    read_probe,
    write_probe,
)
from spectralgpt.nn import Precision, resolved_precision
from spectralgpt.raster import Readable
from spectralgpt.tasks import Class, TargetKind
from spectralgpt.version import RULES
from spectralgpt.weights import PretrainedModel, TrainedDomain, load_model


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A read-out on the frozen features of a model.

    description: target, classes, method, thresholds, and how features are made. model: makes the features.
    """

    description: ProbeDescription
    model: PretrainedModel
    fitted: Fitted

    @classmethod
    def of(
        cls,
        model: PretrainedModel,
        chosen: Chosen,
        target: TargetKind,
        classes: Sequence[Class],
        *,
        weights: str,
        read_out: ReadOutName = "auto",
        own: bool = False,
        precision: Precision = "auto",
        beside: BesideName | None = None,
        images: Iterable[str] = (),
        side: int | None = None,
        reading: Mapping[str, str] | None = None,
        fitted_on: TrainedDomain | None = None,
        made: Mapping[str, str] | None = None,
    ) -> "Probe":
        """A probe of what was chosen. weights: the path or name of the model's; beside: the descriptors behind its
        vectors; images: hashes of those that it was fitted to or chosen by; side: their usual length in pixels;
        reading: options by which they were read; fitted_on: their kinds; made: data, seeds and scores, as texts."""
        description = ProbeDescription(
            format=PROBE_FORMAT,
            version=PROBE_VERSION,
            target=target,
            classes=tuple(classes),
            method=chosen.method,
            settings={name: str(value) for name, value in chosen.settings.items()},
            thresholds=() if chosen.thresholds is None else tuple(map(float, chosen.thresholds)),
            weights=weights,
            fingerprint=model.fingerprint(),
            read_out=read_out,
            bands_as="own" if own else None,
            precision=resolved_precision(precision, model.device),
            rules=RULES,
            checksum="",
            beside=beside,
            images=tuple(sorted(set(images))),
            side=side,
            reading=dict(reading or {}),
            fitted_on=fitted_on,
            made=dict(made or {}),
        )
        return cls(description, model, chosen.fitted)

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str], *, weights: str | os.PathLike[str] | None = None, device: str = "auto"
    ) -> "Probe":
        """The probe that `probe` wrote into a folder, with its model.

        weights: where the model's weights are now, if they have moved. Raises WeightsError for a damaged probe, for
        other weights than those it was fitted with, and for features made by other rules.
        """
        path = Path(folder)
        description, numbers = read_probe(path)
        if description.rules != RULES:
            raise WeightsError(
                f"{path}: was fitted to features made by rules {description.rules}",
                f"rules {RULES} of this version",
                "Run `probe` again",
            )
        try:
            model = load_model(weights or description.weights, device)
        except WeightsError as error:
            if weights:
                raise
            found = f"{path}: was fitted to features of weights that cannot be opened now ({error.found})"
            raise WeightsError(found, "", "If they have moved, give", ("encoder", "WEIGHTS")) from None
        if model.fingerprint() != description.fingerprint:
            raise WeightsError(
                f"{weights or description.weights}: found the weights {model.fingerprint()[:16]}",
                f"{description.fingerprint[:16]}, which {path} was fitted with",
                "Give their folder as",
                ("encoder", "WEIGHTS"),
            )
        try:
            fitted = methods.find(description.method).restored(numbers)
        except (OptionError, KeyError) as error:
            raise WeightsError(f"{path}: its read-out cannot be restored ({error})", do="Run `probe` again") from None
        return cls(description, model, fitted)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write probe.json and probe.safetensors into the folder, which is made if missing. TargetError when the disk
        refuses."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_probe(Path(folder), self.description, self.fitted.arrays())

    @property
    def classes(self) -> tuple[Class, ...]:
        """What is answered, in the order of the probabilities."""
        return self.description.classes

    @property
    def thresholds(self) -> np.ndarray | None:
        """From which probability on a class is the answer; None: the likeliest is."""
        return np.array(self.description.thresholds) if self.description.thresholds else None

    def image_maker(self) -> EncoderImages:
        """Makes the vectors of images that the probe reads: those of the model."""
        return EncoderImages(self.model, self.own, self.description.precision, self.description.read_out)

    def makers_beside(self) -> tuple[ImageMaker, ...]:
        """Make the vectors that the probe reads behind those of the model."""
        return makers_beside(self.description.beside)

    def probabilities(self, image: Readable) -> Float32[np.ndarray, "*axes class"]:
        """Of each class: of an image (class,), or of its pixels (row, column, class), NaN where nothing is valid.

        image: opened with `open_raster`, or Pixels; of a pair, the two dates before and after. Raises BandError where
        the model recognizes none of its bands.
        """
        if self.description.target in ("class", "classes"):
            pixels = [image.read()]
            vectors = [maker.of(pixels) for maker in (self.image_maker(), *self.makers_beside())]
            (found,) = self.fitted.probabilities(np.concatenate(vectors, axis=1))
            return np.asarray(found, np.float32)
        dense = self.dense(image)
        rows = []
        for window in strips(*dense.shape(0)):
            valid = dense.valid(0, window)
            likely = np.full((*valid.shape, len(self.classes)), np.nan, np.float32)
            likely[valid] = self.fitted.probabilities(dense.features(0, window)[valid])
            rows.append(likely)
        return np.concatenate(rows)

    def predict(self, image: Readable) -> Bool[np.ndarray, " class"] | Int16[np.ndarray, "row column"]:
        """The answer: for an image, true for each of its classes; for pixels, indices of classes, -1 where nothing is
        valid."""
        likely = self.probabilities(image)
        if self.description.target in ("class", "classes"):
            return answers(likely, self.thresholds)
        known = np.isfinite(likely).all(axis=-1)
        found = answers(np.nan_to_num(likely), self.thresholds).argmax(axis=-1)
        return np.where(known, found, -1).astype(np.int16)

    def dense(self, image: Readable) -> DenseFeatures:
        """The features of an image's pixels."""
        maker = EncoderPlaces(self.model, self.own, self.description.precision)
        alone = _OneImage(self.description.target, self.classes, LabelledImage(image))
        return PixelFeatures(alone, maker, self.model.config.bands, own=self.own, cache=Cache(None))

    @property
    def name(self) -> str:
        """In words."""
        features = title_with(name_of(self.model), self.description.beside)
        return f"{self.description.method} on {features}"

    @property
    def own(self) -> bool:
        """Whether the file's bands are in groups of their own."""
        return self.description.bands_as == "own"


@dataclass(frozen=True, slots=True, eq=False)
class _OneImage:
    """A labelled set of one image without labels."""

    target: TargetKind
    classes: tuple[Class, ...]
    image: LabelledImage
    source: str = "the image"
    samples: tuple[LabelledSample, ...] = (LabelledSample("the image"),)
    notes: tuple[str, ...] = ()

    def read(self, index: int) -> LabelledImage:
        return self.image
