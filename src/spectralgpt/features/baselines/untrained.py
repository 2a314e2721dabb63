"""The same network untrained."""

import torch

from spectralgpt.weights import PretrainedModel, new_weights


def untrained(model: PretrainedModel, seed: int) -> PretrainedModel:
    """The model with newly drawn weights: the same task, bands, sizes, head and normalization, in evaluation mode on
    the model's device.

    Weights depend on the seed alone; PyTorch's random state is left as it is. A measured read-out is not taken over:
    its numbers were measured on features that this network does not have.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        new = new_weights(
            model.task.name, model.config, model.head_config, model.normalization, {"untrained": f"seed {seed}"}
        )
    new.classes = model.classes
    return new.to(model.encoder.embedding.bias).eval()
