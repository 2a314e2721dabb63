"""Opening any weights, and the model that a verb is to use."""

import os

from spectralgpt.arguments import checked
from spectralgpt.errors import WeightsError
from spectralgpt.weights.device import named_device
from spectralgpt.weights.models import class_of
from spectralgpt.weights.named import usual_weights
from spectralgpt.weights.pretrained import PretrainedModel, read_contents
from spectralgpt.weights.untrained import UNTRAINED, untrained


@checked
def open_weights(name: str | os.PathLike[str], task: str | None = None) -> PretrainedModel:
    """The model of any weights, in the class of their task and in evaluation mode.

    name: a folder, a released checkpoint (.pth), a name (`tiny` or `tiny-2`: in the package, if they come with it;
    `spectralgpt-base`, `spectralgpt-plus-base`: the authors' checkpoints, `spectralgpt-base@OWNER/NAME` from the hub),
    or a hub id. A path that exists counts before a name. task: for checkpoints that do not state theirs (two classes
    per pixel). Raises WeightsError, also for weights of another task.
    """
    contents = read_contents(name, task)
    return class_of(task or contents.task.name).from_contents(contents)


@checked
def load_model(
    weights: str | os.PathLike[str] | None, device: str = "auto", task: str | None = None
) -> PretrainedModel:
    """The model of these weights on a device, in evaluation mode; only of this task, if one is named.

    weights: as in `open_weights`, or `untrained` for a tiny network with random weights, `untrained:base` for another
    size. None: the newest `tiny` in the package.

    device: as in `named_device`. Raises WeightsError, also when no weights are given and none come with the package,
    and OptionError for a device that does not exist here.
    """
    if weights is None and (usual := usual_weights()) is not None:
        weights = usual.folder
    if weights is None:
        raise WeightsError(
            "no weights are given, and none come with this version",
            "a weights folder, a released checkpoint (.pth) or a model on the Hugging Face hub",
            "Install a version that comes with weights, or give some, like",
            ("weights", "weights/"),
        )
    place = named_device(device)  # first: reading weights takes longer
    name = os.fspath(weights)
    if name.partition(":")[0] == UNTRAINED and not os.path.exists(name):
        return _of_task(untrained(name), task).to(place)
    return open_weights(weights, task).to(place)


def _of_task(model: PretrainedModel, task: str | None) -> PretrainedModel:
    if task not in (None, model.task.name):
        raise WeightsError(f"{UNTRAINED}: is a network for {model.task.name}", f"weights for {task}")
    return model
