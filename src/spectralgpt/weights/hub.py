"""Downloads from the Hugging Face hub, or from the cache of its client."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

HUB_ERRORS: tuple[type[BaseException], ...] = (
    HfHubHTTPError,
    HfHubHTTPError.__bases__[0],
    EntryNotFoundError,
    OSError,
    ValueError,
)
"""What the hub's client raises. A base of its HTTP error belongs to the HTTP library of its version (requests, httpx):
a broken connection raises an error of that library."""

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""A name on the hub: owner/name."""


def hub_folder(name: str, files: list[str], hub: Mapping[str, Any]) -> Path:
    """The folder with these files of a model. hub: options of its client. Raises HUB_ERRORS."""
    return Path(snapshot_download(name, allow_patterns=files, **hub))


def hub_file(name: str, file: str, hub: Mapping[str, Any]) -> Path:
    """A file of a model. hub: options of its client. Raises HUB_ERRORS."""
    return Path(hf_hub_download(name, file, **hub))


def hub_reason(error: BaseException) -> str:
    """The first line of what the hub's client says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
