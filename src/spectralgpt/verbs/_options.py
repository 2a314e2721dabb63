"""Options that several verbs share: the name, type, default and help text of each, declared once.

A verb takes a group of them as `**options: Unpack[SceneOptions]`, which type checkers read as flat keywords.
`with_shared_options` makes the signature and the docstring flat at run time too, for `help()` and the command line.
A verb in which an option means something else documents it in its own docstring, and that text counts.
"""

import inspect
import os
import textwrap
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import (
    Annotated,
    Any,
    Literal,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from spectralgpt.arguments import ListInPython, taken
from spectralgpt.errors import InputError, OptionError, check_choice, did_you_mean
from spectralgpt.progress import Announce, Progress
from spectralgpt.verbs._computing import computing

FORMER_NAMES = {"date": "dates"}
"""Options by the name they had in the version before, which still works, with a warning."""

DOCUMENTATION_WIDTH = 112
"""Columns of a line of documentation."""

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
            "untrained, a small network with random weights. Names: tiny or tiny-1 of weights in the package, "
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


def with_shared_options(verb: Function) -> Function:
    """The verb with flat keywords: its `**options` receive every shared option, given or by default.

    An option by its former name works with a DeprecationWarning. TypeError for an unknown one, with the nearest name;
    OptionError for a value of another type, or that is none of an option's choices.
    """
    signature = _flat_signature(verb)
    keywords = {one.name: one for one in signature.parameters.values() if one.kind is one.KEYWORD_ONLY}
    own = inspect.signature(verb).parameters
    defaults = {name: one.default for name, one in keywords.items() if name not in own}
    choices = {name: found for name, one in keywords.items() if (found := _choices(one.annotation))}

    @wraps(verb)
    def call(*arguments: Any, **given: Any) -> Any:
        given = _by_current_names(verb.__name__, given, signature.parameters)
        for name in given:
            if name not in signature.parameters:
                near = did_you_mean(name, signature.parameters)
                raise TypeError(f"{verb.__name__}() got an unexpected keyword argument {name!r}. {near}".rstrip())
            if name in choices and isinstance(given[name], str):
                check_choice(name, given[name], choices[name])
        values = [_taken(*each) for each in zip(signature.parameters.values(), arguments, strict=False)]
        values += arguments[len(values) :]
        given = {name: _taken(signature.parameters[name], value) for name, value in given.items()}
        try:
            with computing(given, signature.parameters):
                return verb(*values, **{**defaults, **given})
        except InputError as error:
            own = error.within(signature.parameters)
            if own is error:
                raise
            raise own from None

    plain = [one.replace(annotation=_plain(one.annotation)) for one in signature.parameters.values()]
    call.__signature__ = signature.replace(parameters=plain)  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in plain} | {"return": signature.return_annotation}
    call.__doc__ = _flat_docstring(verb.__doc__ or "", signature)
    return cast(Function, call)


def _taken(one: inspect.Parameter, value: Any) -> Any:
    """A value as the verb takes it. OptionError for another type; for an array in place of an image, it names
    as_pixels."""
    if ImageInPython not in get_args(_plain(one.annotation)):
        return taken(one.name, value, one.annotation)
    try:
        return taken(one.name, value, one.annotation)
    except OptionError as error:
        do = "Make Pixels of an array with spectralgpt.as_pixels(array, bands=...)"
        if isinstance(value, list | tuple) and any(isinstance(each, ImageInPython) for each in value):
            do = "Give one at a time; dates of one place in one array become one image with spectralgpt.as_pixels"
        raise OptionError(error.found, "paths, Pixels or a Raster", do) from None


def _flat_signature(verb: Callable[..., Any]) -> inspect.Signature:
    """The signature with an entry for each shared option, `progress` last; annotations with their Option."""
    hints = get_type_hints(verb, include_extras=True)
    signature = inspect.signature(verb)
    flat = []
    for one in signature.parameters.values():
        if one.kind is not one.VAR_KEYWORD:
            flat.append(one.replace(annotation=hints[one.name]))
            continue
        (group,) = get_args(hints[one.name])
        flat += [
            inspect.Parameter(name, one.KEYWORD_ONLY, default=_option(annotation).default, annotation=annotation)
            for name, annotation in get_type_hints(group, include_extras=True).items()
        ]
    flat.sort(key=lambda one: one.name in ("announce", "progress"))
    return signature.replace(parameters=flat, return_annotation=hints["return"])


def _flat_docstring(text: str, signature: inspect.Signature) -> str:
    """The docstring with an entry in Args for each parameter that it leaves to its Option.

    Args comes before Example, which is last.
    """
    body, _, example = inspect.cleandoc(text).partition("\n\nExample:\n")
    body, _, own = body.partition("\n\nArgs:\n")
    entries = _entries(own)
    for one in signature.parameters.values():
        if one.name not in entries and get_origin(one.annotation) is Annotated:
            line = f"{one.name}: {_option(one.annotation).help}"
            indents = {"initial_indent": " " * 4, "subsequent_indent": " " * 8}
            entries[one.name] = textwrap.wrap(line, DOCUMENTATION_WIDTH, break_on_hyphens=False, **indents)  # type: ignore[arg-type]
    args = [line for name in signature.parameters for line in entries.get(name, ())]
    return "\n".join([body, "", "Args:", *args, *(["", "Example:", example] if example else [])])


def _entries(args: str) -> dict[str, list[str]]:
    """The lines of a section Args by the name that each entry begins with, at four spaces."""
    entries: dict[str, list[str]] = {}
    name = ""
    for line in args.splitlines():
        if line[:4].isspace() and not line[4:5].isspace():
            name = line.strip().partition(":")[0]
        entries.setdefault(name, []).append(line)
    return entries


def _by_current_names(verb: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    renamed = dict(given)
    for old, new in FORMER_NAMES.items():
        if old not in renamed or old in known or new not in known:
            continue
        if new in renamed:
            raise TypeError(f"{verb}() got both {new!r} and {old!r}, its former name")
        warnings.warn(f"{verb}({old}=...) is called {new} now", DeprecationWarning, stacklevel=3)
        renamed[new] = renamed.pop(old)
    return renamed


def _option(annotation: Any) -> Option:
    (option,) = (each for each in annotation.__metadata__ if isinstance(each, Option))
    return option


def _plain(annotation: Any) -> Any:
    """The annotation without its Option."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _choices(annotation: Any) -> tuple[object, ...]:
    """The values that an annotation allows, empty where it allows any."""
    annotation = _plain(annotation)
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    literals = [each for each in members if get_origin(each) is Literal]
    if len(literals) < sum(each is not type(None) for each in members):
        return ()
    return (*(choice for each in literals for choice in get_args(each)), *([None] if type(None) in members else []))
