"""The model card: a description of weights for people and for the hub."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import ModelCardData

import spectralgpt
from spectralgpt.bands import Band
from spectralgpt.errors import counted
from spectralgpt.nn import SIZES, BandStatistics, ModelConfig, Normalization
from spectralgpt.tasks import Task, find
from spectralgpt.weights.described import DescribedModel
from spectralgpt.weights.store import MARK
from spectralgpt.weights.trained_domain import TRAINED, TrainedDomain
from spectralgpt.weights.trained_images import CHIPS, IMAGES, LABELLED_IMAGES, TrainedImages


@dataclass(frozen=True, slots=True)
class Description:
    """A description of weights. `str` is the text for a person.

    kind: name of the task; purpose: what such models do. size: its name, or WIDTH x DEPTH. decoder: in words, None
    without one. image: side of the images in training, patch: side of a patch, both in pixels. groups: names of the
    bands that share a token. classes: their number, head: in words, both None without a head; class_names: empty where
    unknown; thresholds: from which probability on they are answered, empty without. normalization: in words;
    statistics: its numbers per band. positions: the encoder's tables, in words. licence, data: None where not stated.
    provenance: all other statements about the origin, one line each.
    """

    kind: str
    purpose: str
    size: str
    width: int
    depth: int
    heads: int
    decoder: str | None
    image: int
    patch: int
    bands: tuple[Band, ...]
    groups: tuple[tuple[str, ...], ...]
    classes: int | None
    class_names: tuple[str, ...]
    thresholds: tuple[float, ...]
    head: str | None
    normalization: str
    statistics: tuple[BandStatistics, ...]
    positions: tuple[str, ...]
    parameters: int
    encoder_parameters: int
    read_out: str
    fingerprint: str
    data: str | None
    licence: str | None
    converted_from: str | None
    provenance: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The facts, each with its label."""
        rest = "head" if self.head is not None else "decoder" if self.decoder is not None else "read-out"
        sensors = ", ".join(dict.fromkeys(band.sensor for band in self.bands))
        groups = " | ".join(", ".join(group) for group in self.groups)
        named = f"{self.classes}: {', '.join(self.class_names)}" if self.class_names else str(self.classes)
        answers = [] if self.head is None else [("head", self.head)]
        answers += [] if self.classes is None else [("classes", named)]
        answers += [("thresholds", thresholds_in_words(self.thresholds, self.class_names))] if self.thresholds else []
        return [
            ("kind", f"{self.kind}: {self.purpose}"),
            ("size", f"{self.size} (width {self.width}, {self.depth} blocks, {self.heads} heads)"),
            *([] if self.decoder is None else [("decoder", self.decoder)]),
            ("images", f"{self.image} x {self.image} pixels in patches of {self.patch} x {self.patch}"),
            ("bands", f"{len(self.bands)} of {sensors} in {len(self.groups)} groups: {groups}"),
            *answers,
            ("normalization", self.normalization),
            ("position tables", "; ".join(self.positions)),
            ("embedding", self.read_out),
            (
                "parameters",
                f"{self.parameters:,} (encoder {self.encoder_parameters:,}, "
                f"{rest} {self.parameters - self.encoder_parameters:,})",
            ),
            ("fingerprint", self.fingerprint),
            ("data", self.data or "not declared"),
            ("licence", self.terms),
            *((label.strip(), text.strip()) for label, _, text in (line.partition(":") for line in self.provenance)),
        ]

    @property
    def terms(self) -> str:
        """The licence in words, also where there is none."""
        authors = f"converted from {self.converted_from}, its authors' terms apply" if self.converted_from else ""
        return "; ".join(part for part in (self.licence or "not declared", authors) if part)

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self.rows) + 2
        return "\n".join(f"{label + ':':<{width}}{text}" for label, text in self.rows)


def thresholds_in_words(thresholds: Sequence[float], names: Sequence[str]) -> str:
    """Each with its class; a single one is that of the second."""
    of = names[1:2] if len(thresholds) == 1 else names
    return ", ".join(f"{name} {one:.3g}" for name, one in zip(of or range(len(thresholds)), thresholds, strict=True))


def describe(model: DescribedModel, fingerprint: str | None = None) -> Description:
    """The description of a model's weights. fingerprint: the model's, if already known, as computing it takes time."""
    config, size, provenance = model.config, model.config.size, model.provenance
    domain = TrainedDomain.of(provenance)
    left = (IMAGES, LABELLED_IMAGES, CHIPS, *(() if domain is None else (TRAINED,)))
    stated = {key: _words(value) for key, value in provenance.items() if key not in left}
    if domain is not None:
        stated["domain"] = str(domain)
    images = TrainedImages.of(provenance)
    if images.hashes:
        stated["trained on"] = str(images)
    data, licence = stated.pop("data", None), stated.pop("license", None)
    head, decoder = model.head_config, hasattr(model, "decoder")
    return Description(
        kind=model.task.name,
        purpose=model.task.purpose,
        size=_size_name(config, decoder),
        width=size.dim,
        depth=size.depth,
        heads=size.heads,
        decoder=f"width {size.decoder_dim}, {size.decoder_depth} blocks, {size.decoder_heads} heads"
        if decoder
        else None,
        image=config.image,
        patch=config.patch,
        bands=config.bands.bands,
        groups=tuple(tuple(band.name for band in group.bands) for group in config.bands.groups),
        classes=getattr(head, "classes", None),
        class_names=tuple(each.name for each in model.classes),
        thresholds=model.thresholds,
        head=None if head is None else head.words(size.depth),
        normalization=_normalization(model.normalization),
        statistics=model.normalization.statistics,
        positions=_positions(model),
        parameters=sum(each.numel() for each in model.parameters()),
        encoder_parameters=sum(each.numel() for each in model.encoder.parameters()),
        read_out=_read_out(model),
        fingerprint=fingerprint or model.fingerprint(),
        data=data or None,
        licence=licence or None,
        converted_from=stated.get("converted_from"),
        provenance=tuple(f"{key.replace('_', ' ')}: {text}" for key, text in stated.items()),
    )


def model_card(description: Description) -> str:
    """Markdown with front matter for the hub; the same for the same weights, whenever and wherever it is written."""
    task = find(description.kind)
    name = f"SpectralGPT {description.size}, {description.kind}"
    return "\n".join(
        [
            "---",
            _front_matter(description, task),
            "---",
            # after the front matter: the hub accepts that on the first line only
            MARK,
            "",
            f"# {name}",
            "",
            f"Weights for spectral images: {task.purpose}. Made with the Python package spectralgpt.",
            "",
            *_table(("", ""), [(label, _cell(text)) for label, text in description.rows]),
            "",
            "## Use",
            "",
            *_use(description, task),
            "",
            "## Bands",
            "",
            "Matched by name, sensor and wavelength, never by position.",
            "",
            *_bands(description.bands),
            "",
            "## Normalization",
            "",
            "The input is reflectance (stored value x scale + offset), normalized by the method",
            f"{description.normalization}.",
            "",
            *_statistics(description),
            "",
            "## Licence",
            "",
            *_licence(description),
            "",
        ]
    )


def _bands(bands: Sequence[Band]) -> list[str]:
    return _table(
        ("band", "sensor", "wavelength (nm)", "FWHM (nm)", "pixel (m)"),
        [
            (_cell(band.name), _cell(band.sensor), f"{band.wavelength:g}", f"{band.fwhm:g}", f"{band.gsd:g}")
            for band in bands
        ],
    )


def _statistics(description: Description) -> list[str]:
    """Those of the sensors that the bands are of; those of others, which the model takes as well, are folded up."""
    own = {band.sensor for band in description.bands}
    shown = [each for each in description.statistics if each.band.sensor in own]
    others = [each for each in description.statistics if each.band.sensor not in own]
    if not others:
        return _statistics_table(shown)
    sensors = len({each.band.sensor for each in others})
    summary = f"{counted(len(others), 'band')} of {counted(sensors, 'other sensor')}"
    folded = ["<details>", f"<summary>{summary}</summary>", "", *_statistics_table(others), "", "</details>"]
    return [*_statistics_table(shown), "", *folded] if shown else folded


def _statistics_table(statistics: Sequence[BandStatistics]) -> list[str]:
    return _table(
        ("band", "sensor", "mean", "standard deviation"),
        [(_cell(each.band.name), _cell(each.band.sensor), f"{each.mean:.6g}", f"{each.sd:.6g}") for each in statistics],
    )


def _front_matter(description: Description, task: Task) -> str:
    tags = ["remote-sensing", "multispectral"]
    if all(band.sensor.startswith("s2-") for band in description.bands):
        tags.append("sentinel-2")
    tags += task.tags
    licence = (description.licence or "unknown").lower()
    # the hub's own identifiers have no spaces; any other licence is given as a name
    known = re.fullmatch(r"[a-z0-9][a-z0-9.-]*", licence) is not None
    return ModelCardData(
        library_name="spectralgpt",
        license=licence if known else "other",
        license_name=None if known else re.sub(r"[^a-z0-9.]+", "-", licence).strip("-") or None,
        pipeline_tag=task.pipeline,
        tags=tags,
    ).to_yaml(line_break="\n")


def _use(description: Description, task: Task) -> list[str]:
    """Python that runs in the folder of the weights and a scene."""
    side = description.image
    sources = ", ".join(f'"{source}"' for source in task.sources)
    opened = [
        f"from spectralgpt import {task.class_name}, Window, open_raster",
        f'model = {task.class_name}.from_pretrained(".")  # this folder, or its name on the Hugging Face hub',
    ]
    if task.class_name not in spectralgpt.__all__:
        opened = [
            "from spectralgpt import Window, open_raster",
            "from spectralgpt.weights import open_weights",
            'model = open_weights(".")  # this folder, or its name on the Hugging Face hub',
        ]
    return [
        "```python",
        *opened,
        f"with open_raster({sources if len(task.sources) == 1 else f'[{sources}]'}) as scene:",
        f"    cube = model.cube(scene.read(Window(0, 0, {side}, {side})))",
        task.example,
        "```",
    ]


def _licence(description: Description) -> list[str]:
    lines = [f"Licence: {_cell(description.licence)}." if description.licence else "These weights declare no licence."]
    if description.converted_from:
        source = _cell(description.converted_from)
        lines.append(f"They were converted from `{source}`; its authors' terms apply.")
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _cell(text: str) -> str:
    """The text escaped, so that it stays in its cell and is not read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _words(value: Any) -> str:
    """A value of the provenance, on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_words(each) for each in value)
    return " ".join(str(value).split())


def _size_name(config: ModelConfig, decoder: bool) -> str:
    size = config.size
    for name, each in SIZES.items():
        # without a decoder, its size in the configuration does not count
        if size == each or (not decoder and (size.dim, size.depth, size.heads) == (each.dim, each.depth, each.heads)):
            return name
    return f"{size.dim} x {size.depth}"


def _normalization(normalization: Normalization) -> str:
    sensors = ", ".join(dict.fromkeys(each.band.sensor for each in normalization.statistics))
    if normalization.kind == "standard":
        return (
            "standard: asinh(reflectance / 0.02), minus its mean, divided by its standard deviation; "
            f"statistics of {sensors}"
        )
    eight_bit = " in 8 bits" if normalization.eight_bit else ""
    return (
        "min_max: each band of an image scaled from its own extremes to [0, 1]; for large images and reconstruction, "
        f"from mean +- 2 standard deviations to [0, 1]{eight_bit}; statistics of {sensors}"
    )


def _positions(model: DescribedModel) -> tuple[str, ...]:
    # all zero: the table adds nothing, like those for dates and scale in converted weights
    return tuple(
        f"{name} {' x '.join(map(str, table.shape[:-1]))}{'' if bool(table.any()) else ' (all zero)'}"
        for name, table in model.encoder.positions.named_parameters()
    )


def _read_out(model: DescribedModel) -> str:
    """How features become the embedding of a place and of an image, in words."""
    if model.read_out is None:
        return f"block {model.config.size.depth}, final norm, mean over present tokens"
    config = model.read_out.config
    place, image = (", ".join(map(str, blocks)) for blocks in (config.place, config.image))
    return f"measured: {config.values} values from blocks {place}; for an image, from blocks {image}"
