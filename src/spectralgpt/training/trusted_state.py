"""Training states of somebody else: read with the classes that a state is made of, and nothing else.

torch.distributed.checkpoint unpickles a state's `.metadata`, and every value that is no tensor, with whatever classes
and functions these name, so that a state could run code. Here both are read with a list.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner import ReadItem

from spectralgpt.errors import DataError

METADATA_FILE = ".metadata"

OF_STATES = {
    *{
        ("torch.distributed.checkpoint.metadata", name)
        for name in (
            *("Metadata", "MetadataIndex", "StorageMeta", "TensorProperties", "_MEM_FORMAT_ENCODING"),
            *("TensorStorageMetadata", "ChunkStorageMetadata", "BytesStorageMetadata"),
        )
    },
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("torch.serialization", "_get_layout"),
    ("torch", "Size"),
    *((module, name) for module in ("pathlib", "pathlib._local") for name in ("PosixPath", "WindowsPath")),
    *(("torch", name) for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype)),
}
"""Module and name of what the metadata of a state are made of. pathlib: the folder that it was written to."""


class _ListedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in OF_STATES:
            raise _StrangerError(f"{module}.{name}")
        return super().find_class(module, name)


class _StrangerError(Exception):
    """A class or function that no state needs; its name."""


class TrustedReader(FileSystemReader):
    """Reads a state on disk. DataError, before anything is run, where its metadata name other classes or functions than
    those of a state, or files outside it."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        path = Path(self.path)
        try:
            found = _ListedUnpickler(io.BytesIO((path / METADATA_FILE).read_bytes())).load()
        except _StrangerError as error:
            raise would_run_code(path, str(error)) from None
        files = {str(info.relative_path) for info in (found.storage_data or {}).values()}
        if strangers := sorted(name for name in files if Path(name).name != name):
            raise DataError(f"{path}: found values in {strangers[0]}", "files of the state itself", "Do not use it")
        return super().read_metadata(*args, **kwargs)


class TrustedPlanner(DefaultLoadPlanner):
    """Fills a state. DataError, before anything is run, for a value that is neither a tensor nor plain."""

    def __init__(self, path: Path):
        super().__init__()
        self._path = path

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        try:
            content = torch.load(value, weights_only=True)
        except pickle.UnpicklingError as error:
            if "GLOBAL" not in str(error):
                raise
            raise would_run_code(self._path, read_item.storage_index.fqn) from None
        plain = io.BytesIO()  # torch reads it once more, with whatever classes it names: now none
        torch.save(content, plain)
        plain.seek(0)
        super().load_bytes(read_item, plain)


def would_run_code(path: Path, name: str) -> DataError:
    """The error for a state with an object that runs code when read."""
    return DataError(
        f"{path}: found {name}, which would run code when read",
        "tensors and plain values, as this package writes them",
        "Nothing was run. Do not use this state",
    )
