"""Options that several verbs share: the name, type, default and help text of each, declared once.

A verb takes a group of them as `**options: Unpack[SceneOptions]`, which type checkers read as flat keywords.
`with_shared_options` makes the signature and the docstring flat at run time too, for `help()` and the command line.
A verb in which an option means something else documents it in its own docstring, and that text counts.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Literal,
    Protocol,
    TypedDict,
    TypeVar,
    runtime_checkable,
)

from spectralgpt.arguments import ListInPython
from spectralgpt.progress import Announce, Progress

FORMER_NAMES = {"date": "dates"}
"""Options by the name they had in the version before, which still works, with a warning."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Option:
    """What a shared option means, and its default."""

    help: str
    default: object = None


PathLike = str | os.PathLike[str]
PrecisionChoice = Literal["auto", "fp32", "bf16"]
Paths = PathLike | Sequence[PathLike]


@runtime_checkable
class ImageInPython(Protocol):
    """An image in Python, in place of paths: Pixels, or an open Raster (raster.Readable)."""

    @property
    def shape(self) -> tuple[int, int, int, int]: ...

    @property
    def bands(self) -> Any: ...

    def read(self, window: Any = None) -> Any: ...


SceneSources = Annotated[
    Paths | ImageInPython,
    Option(
        "An image, a product, or a folder of single-band files; several are dates of the same place. PATH@2020-05-01 "
        "gives an image its date."
    ),
]
SceneTarget = Annotated[PathLike, Option("The GeoTIFF to write (.tif).")]


@runtime_checkable
class LabelledObject(Protocol):
    """A labelled set in Python, like `spectralgpt.SampleSet`, in place of a path (data.labels.LabelledSet, which is not
    imported here, as it needs torch)."""

    @property
    def samples(self) -> Sequence[Any]: ...

    def read(self, index: int) -> Any: ...


LabelledData = Annotated[
    PathLike | LabelledObject,
    Option(
        "Labelled images: a folder of class folders, a table, images and masks, pairs and masks, or a known data set."
    ),
]
ShowProgress = Annotated[Progress, Option("Function that is called as progress(stage, done, total).")]
Announced = Annotated[Announce, Option("Function that is called with the report on the labels, before anything else.")]
Replacing = Annotated[
    Announce,
    Option(
        "Function that is called with what overwrite lets the result replace, before, and for a scene with an estimate "
        "of time."
    ),
]


class WeightsOption(TypedDict, total=False):
    """Which model is used."""

    weights: Annotated[
        PathLike | None,
        Option(
            "A weights folder, a released checkpoint (.pth), a model on the Hugging Face hub (owner/name), a name, or "
            "untrained, a small network with random weights. Names: tiny or tiny-2 of weights in the package, "
            "spectralgpt-base and spectralgpt-plus-base of the authors' checkpoints. Default: the newest tiny, if the "
            "package has one."
        ),
    ]


class ReadingOptions(TypedDict, total=False):
    """How an image is read."""

    bands: Annotated[
        str | ListInPython | None,
        Option(
            "Sensor of the bands (s2-l2a, or a TOML file of your own with the keys that `spectralgpt sensors --help` "
            "lists), list of bands (B02,B03 or landsat8-toa:B2,B3), or wavelengths in nm; default: as the file "
            "declares."
        ),
    ]
    gsd: Annotated[
        float | None,
        Option("Pixel size on the ground in metres (default: the image's own); a coarser size averages pixels."),
    ]
    clouds: Annotated[
        PathLike | ListInPython | None,
        Option(
            "Mask out clouds: auto, with the product's own layer; scl, qa or fmask, with that layer; or with a raster "
            "that is non-zero in clouds."
        ),
    ]
    nodata: Annotated[
        str | float | ListInPython | None,
        Option(
            "Stored value of pixels without data, in addition to what the file declares, or several (0,-9999); none: "
            "ignore what it declares."
        ),
    ]
    trust_input: Annotated[
        bool, Option("Continue even if the input check finds other bands or units than declared.", False)
    ]


class LabelOptions(ReadingOptions, total=False):
    """Which labels images have."""

    masks: Annotated[
        PathLike | None,
        Option("Folder of the masks of the images; default: a folder in DATA that is named like masks or labels."),
    ]
    after: Annotated[PathLike | None, Option("Folder of the later images, where DATA holds the earlier ones of pairs.")]
    label: Annotated[str | None, Option("Column of a table that holds the label; default: by its name.")]
    classes: Annotated[
        PathLike | ListInPython | None,
        Option(
            "TOML file with the names and colours of the classes, or names like water,forest; default: as the files "
            "say, else as they occur."
        ),
    ]
    ignore: Annotated[
        str | ListInPython | None,
        Option("Values of masks that mean no label, like 255 or 0,255; such pixels are never counted."),
    ]
    variant: Annotated[str | None, Option("Which classes of a known data set: 19 or 43 of BigEarthNet.")]


class ImageOptions(ReadingOptions, total=False):
    """How the dates of one place are read."""

    dates: Annotated[str | ListInPython | None, Option("Use only these dates, like 2020-05-01,2020-06-10.")]
    aoi: Annotated[PathLike | None, Option("GeoJSON file of the area of interest; the rest is left out.")]
    allow_remote: Annotated[
        bool, Option("Read images on other machines (https://, s3://), also those that a VRT names.", False)
    ]


class EncodingOptions(TypedDict, total=False):
    """How images are turned into features."""

    bands_as: Annotated[
        Literal["own"] | None,
        Option(
            "own: use all bands of the image, in groups of their own, instead of matching them to the model's bands."
        ),
    ]
    precision: Annotated[PrecisionChoice, Option("fp32, bf16, or auto (bf16 where the hardware supports it).", "auto")]


class ComputingOptions(EncodingOptions, total=False):
    """How a scene is computed, window by window."""

    overlap: Annotated[
        float | None,
        Option(
            "Overlap of neighbouring windows, as a fraction of their side, from 0 to below 1; default: 0.25, or more "
            "where that takes no more windows."
        ),
    ]
    batch: Annotated[
        int | None, Option("Number of windows computed at once; default: by the computer, its memory and the scene.")
    ]


class DeviceOption(TypedDict, total=False):
    """Where the model runs."""

    device: Annotated[str, Option("cpu, cuda, or auto (a GPU if there is one).", "auto")]


class ThreadsOption(TypedDict, total=False):
    """How a CPU computes."""

    threads: Annotated[
        int | None, Option("Number of threads on a CPU; default: as OMP_NUM_THREADS says, else one per core.")
    ]


class OverwriteOption(TypedDict, total=False):
    """What may be replaced."""

    overwrite: Annotated[
        bool,
        Option(
            "Replace a file that another command or program wrote; without it, only a result of this verb from the "
            "same sources is replaced. Sources are never replaced.",
            False,
        ),
    ]


class CourseOptions(TypedDict, total=False):
    """How a run that may be interrupted begins and ends."""

    restart: Annotated[
        bool,
        Option("Discard what an interrupted run finished and begin anew; without it, the same command goes on.", False),
    ]
    max_hours: Annotated[
        float | None,
        Option(
            "End after this number of hours, with exit code 2 and no result; what is finished is kept, and the same "
            "command goes on from there."
        ),
    ]


class SceneOptions(
    WeightsOption,
    ImageOptions,
    ComputingOptions,
    DeviceOption,
    ThreadsOption,
    OverwriteOption,
    CourseOptions,
    total=False,
):
    """Everything that a verb needs to map a scene."""


class SeedOption(TypedDict, total=False):
    """Where random choices start."""

    seed: Annotated[int, Option("Seed of all random choices.", 0)]


class ProbeOptions(WeightsOption, LabelOptions, EncodingOptions, SeedOption, DeviceOption, ThreadsOption, total=False):
    """Everything that a verb needs to judge labelled images."""

    apart: Annotated[float, Option("Images nearer than this, in km, count as one place.", 1.0)]


class JudgingOptions(ProbeOptions, OverwriteOption, total=False):
    """Everything that a verb needs to judge labelled images and to keep the report."""


class KindOption(TypedDict, total=False):
    """What a checkpoint is for that does not declare it."""

    kind: Annotated[
        Literal["segmentation", "change"] | None,
        Option(
            "Task of a checkpoint that gives each pixel a class; default: change if it has two classes, else "
            "segmentation."
        ),
    ]
