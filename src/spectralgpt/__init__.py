"""SpectralGPT for any spectral image: open a scene, hide and rebuild parts of it, turn it into embeddings.

Everything here is imported when it is first used, so that `import spectralgpt` needs neither torch nor rasterio.
The verbs of the command line are functions of the same name: `spectralgpt embed SCENE OUT` is `embed(scene, out)`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from spectralgpt import verbs
from spectralgpt.version import __version__

if TYPE_CHECKING:
    from spectralgpt.bands import Band, BandSet
    from spectralgpt.data.labels import LabelledSet, SampleSet, open_labels
    from spectralgpt.errors import InputError
    from spectralgpt.features import Probe
    from spectralgpt.products import as_pixels, open_raster
    from spectralgpt.raster import Grid, Pixels, Raster, Window
    from spectralgpt.weights import ChangeDetector, Classifier, Segmenter, SpectralGPT

if TYPE_CHECKING:  # the verbs, written by `make docs`
    from spectralgpt.verbs.change import change as change
    from spectralgpt.verbs.convert import convert as convert
    from spectralgpt.verbs.demo import demo as demo
    from spectralgpt.verbs.doctor import doctor as doctor
    from spectralgpt.verbs.embed import embed as embed
    from spectralgpt.verbs.evaluate import evaluate as evaluate
    from spectralgpt.verbs.finetune import finetune as finetune
    from spectralgpt.verbs.inspect import inspect as inspect
    from spectralgpt.verbs.predict import predict as predict
    from spectralgpt.verbs.pretrain import pretrain as pretrain
    from spectralgpt.verbs.probe import probe as probe
    from spectralgpt.verbs.reconstruct import reconstruct as reconstruct
    from spectralgpt.verbs.sensors import sensors as sensors
    from spectralgpt.verbs.shard import shard as shard

__all__ = [
    "Band",
    "BandSet",
    "ChangeDetector",
    "Classifier",
    "Grid",
    "InputError",
    "LabelledSet",
    "Pixels",
    "Probe",
    "Raster",
    "SampleSet",
    "Segmenter",
    "SpectralGPT",
    "Window",
    "__version__",
    "as_pixels",
    "open_labels",
    "open_raster",
]
__all__ += verbs.names()

_ROOMS = {
    "Band": "bands",
    "BandSet": "bands",
    "ChangeDetector": "weights",
    "Classifier": "weights",
    "Grid": "raster",
    "InputError": "errors",
    "LabelledSet": "data.labels",
    "Pixels": "raster",
    "Probe": "features",
    "Raster": "raster",
    "SampleSet": "data.labels",
    "Segmenter": "weights",
    "SpectralGPT": "weights",
    "Window": "raster",
    "as_pixels": "products",
    "open_labels": "data.labels",
    "open_raster": "products",
}


if not TYPE_CHECKING:  # type checkers know every name from the imports above, and that there are no others

    def __getattr__(name: str) -> Any:
        """The public object `name`, imported now (PEP 562)."""
        if name in _ROOMS:
            value = getattr(importlib.import_module(f"spectralgpt.{_ROOMS[name]}"), name)
        elif name in __all__:
            value = verbs.find(name)
        else:
            raise AttributeError(f"module 'spectralgpt' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
