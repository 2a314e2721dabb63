"""What this computer offers, and what is slow or missing."""

import os
import platform
import shutil
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

EXTRAS = {"logs": ("tensorboard", "wandb")}
"""Packages of the optional parts."""

USUAL_SHAPES = ((8, 3, 1024, 64), (8, 12, 1024, 64), (8, 12, 57, 64), (4, 6, 1024, 32))
"""Batch, heads, tokens and width of attention that `doctor` measures where nothing is known yet: tiny and base in whole
windows, base where 90 % is hidden, and a decoder."""

LITTLE_DISK, LITTLE_MEMORY = 5 * 2**30, 4 * 2**30


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found. cores: that this process may use. advice: what is slow or missing here, and what to do.

    attention: kind of shape -> the way that was chosen. free_disk, free_memory: bytes, None where the system does not
    say.
    """

    cpu: str
    instructions: tuple[str, ...]
    cores: int
    threads: int
    waiting: str
    precision: str
    attention: Mapping[str, str]
    gpu: str
    versions: Mapping[str, str]
    free_disk: int | None
    free_memory: int | None
    packaged_weights: tuple[str, ...]
    extras: Mapping[str, bool]
    cache: str
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        ways: dict[str, list[str]] = {}
        for kind, way in self.attention.items():
            ways.setdefault(way, []).append(kind)
        lines = [
            ("CPU", self.cpu),
            ("instructions", ", ".join(self.instructions) or "unknown"),
            ("threads", f"{self.threads} on {self.cores} cores; waiting: {self.waiting}"),
            ("precision", self.precision),
            *(("attention", f"{way}: {'; '.join(kinds)}") for way, kinds in ways.items()),
            ("GPU", self.gpu),
            ("free", f"{_size(self.free_memory)} of memory, {_size(self.free_disk)} of disk for the cache"),
            ("cache", self.cache),
            ("weights", ", ".join(self.packaged_weights) or "none in the package"),
            ("extras", ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in self.extras.items())),
            ("versions", ", ".join(f"{name} {number}" for name, number in self.versions.items())),
        ]
        width = max(len(name) for name, _ in lines)
        advice = [f"- {line}" for line in self.advice] or ["nothing here is slow or missing"]
        return "\n".join([*(f"{name:<{width}}  {text}" for name, text in lines), *advice])


def doctor() -> Checkup:
    """Show what this computer offers, and what to do about what is slow or missing.

    The first call measures the ways to compute attention, which takes a few seconds; they are kept for all commands.

    Example:
        spectralgpt doctor --json
    """
    import rasterio
    import torch

    from spectralgpt.cores import available_cores, set_here
    from spectralgpt.disk import user_cache
    from spectralgpt.nn import resolved_precision
    from spectralgpt.nn.cpu import CPU_NAME, INSTRUCTIONS
    from spectralgpt.version import __version__

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cache = user_cache()
    found = Checkup(
        cpu=CPU_NAME,
        instructions=INSTRUCTIONS,
        cores=available_cores(),
        threads=torch.get_num_threads(),
        waiting=_waiting(os.environ, set_here),
        precision=f"auto is {resolved_precision('auto', device)}",
        attention=_attention(),
        gpu=_gpu(),
        versions={
            "spectralgpt": __version__,
            "Python": platform.python_version(),
            "torch": torch.__version__,
            "rasterio": rasterio.__version__,
            "GDAL": rasterio.__gdal_version__,
            "PROJ": rasterio.__proj_version__,
        },
        free_disk=_free_disk(cache),
        free_memory=_free_memory(),
        packaged_weights=_packaged_weights(),
        extras={name: all(map(_is_installed, packages)) for name, packages in EXTRAS.items()},
        cache="no folder for it" if cache is None else str(cache),
    )
    return replace(found, advice=_advice(found))


def _packaged_weights() -> tuple[str, ...]:
    """Each of the weights in the package: name, fingerprint, size."""
    from spectralgpt.errors import WeightsError
    from spectralgpt.weights import open_weights, packaged

    lines = []
    for each in packaged():
        try:
            found = f"fingerprint {open_weights(each.folder).fingerprint()[:16]}"
        except WeightsError as error:
            found = f"damaged: {error.found}"
        lines.append(f"{each} ({found}, {each.bytes / 1e6:.1f} MB)")
    return tuple(lines)


def _attention() -> dict[str, str]:
    """The ways that were chosen on this computer; those of the usual shapes first."""
    import torch

    from spectralgpt.nn import resolved_precision
    from spectralgpt.nn.measured_ways import chosen_way, kept_ways
    from spectralgpt.nn.ways import AttentionShape

    dtype: Literal["bfloat16", "float32"] = (
        "bfloat16" if resolved_precision("auto", torch.device("cpu")) == "bf16" else "float32"
    )
    shapes = [AttentionShape(dtype, *shape, False, training) for shape in USUAL_SHAPES for training in (False, True)]
    usual = {shape.kind: chosen_way(shape) for shape in shapes}
    return usual | {kind: each["way"] for kind, each in kept_ways().items()}


def _advice(found: Checkup) -> tuple[str, ...]:
    """What is slow or missing, with what to do about it."""
    lines = []
    if "active" in found.waiting:
        lines.append(
            "Where threads wait actively, a step takes several times as long beside other processes. Before Python "
            "starts: export OMP_WAIT_POLICY=passive"
        )
    if found.threads > found.cores:
        lines.append(
            f"{found.threads} threads share {found.cores} cores. Before Python starts: export OMP_NUM_THREADS="
            f"{found.cores}"
        )
    if found.threads < found.cores:
        lines.append(f"{found.threads} of {found.cores} cores are used, as OMP_NUM_THREADS says")
    if "bf16" not in found.precision:
        lines.append(
            "This CPU does not multiply bfloat16 (AMX or AVX-512 BF16): a model takes about three times as long as on "
            "one that does"
        )
    if found.gpu.startswith("none, although"):
        lines.append("Install the PyTorch build for your GPU: https://pytorch.org/get-started/locally/")
    if found.free_disk is not None and found.free_disk < LITTLE_DISK:
        lines.append(f"Little room for the cache: {_size(found.free_disk)}. Name another folder in SPECTRALGPT_CACHE")
    if found.cache.startswith("no folder"):
        lines.append("Features and measured ways are not kept. Name a folder in SPECTRALGPT_CACHE")
    if found.free_memory is not None and found.free_memory < LITTLE_MEMORY:
        lines.append(f"Little free memory: {_size(found.free_memory)}. Use a smaller --batch")
    lines += [
        f"The extra `{name}` ({', '.join(EXTRAS[name])}) is not installed: pip install 'spectralgpt[{name}]'"
        for name, there in found.extras.items()
        if not there
    ]
    return tuple(lines)


def _waiting(environment: Mapping[str, str], set_here: Collection[str]) -> str:
    """How idle OpenMP threads wait. GOMP_SPINCOUNT counts for GNU's OpenMP, KMP_BLOCKTIME for LLVM's and Intel's."""
    policy = environment.get("OMP_WAIT_POLICY", "").strip().lower()
    spins, blocks = environment.get("GOMP_SPINCOUNT", ""), environment.get("KMP_BLOCKTIME", "")
    if policy == "passive" and "OMP_WAIT_POLICY" in set_here:
        return "passive in commands, active in Python"
    if policy == "passive" or spins == "0" or blocks == "0":
        return "passive"
    return "active" if policy != "active" else "active, as OMP_WAIT_POLICY says"


def _gpu() -> str:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return ", ".join(names)
    if Path("/proc/driver/nvidia").exists():
        return f"none, although the system has one: torch {torch.__version__} does not find it"
    return "none"


def _free_disk(folder: Path | None) -> int | None:
    for each in () if folder is None else (folder, *folder.parents):
        if each.is_dir():
            return shutil.disk_usage(each).free
    return None


def _free_memory() -> int | None:
    """Bytes that a process can still take, by Linux."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return package in sys.modules
    return True


def _size(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 2**30:.1f} GiB"
