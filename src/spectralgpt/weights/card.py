"""The model card: what weights are, in words, for people and for the hub."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectralgpt.weights.pretrained import Pretrained

CARD = "README.md"
MARK = "<!-- written by spectralgpt: remove this line to keep your own text when weights are saved again -->"


def model_card(model: "Pretrained", fingerprint: str) -> str:
    """Markdown."""
    return f"{MARK}\n{fingerprint}\n"
