"""What this computer offers, and what is slow or missing."""

import errno
import os
import platform
import shutil
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from spectralgpt.errors import counted

EXTRAS = {"logs": ("tensorboard", "wandb")}
"""Packages of the optional parts."""

SHAPES_SHOWN = {"tiny": (8, 3, 1024, 64), "base": (8, 12, 1024, 64)}
"""Batch, heads, tokens and width of attention in whole windows, by size of the model: `doctor` shows their ways, and
measures them, in the usual precision, where nothing is known yet."""

LITTLE_DISK, LITTLE_MEMORY = 5 * 2**30, 4 * 2**30

IDLE_THREADS = {
    "passive in commands": (
        "idle threads sleep in commands; in your own Python programs only after: export OMP_WAIT_POLICY=passive "
        "GOMP_SPINCOUNT=1000"
    ),
    "passive": "idle threads sleep",
    "active": "idle threads keep their cores busy",
    "active, as OMP_WAIT_POLICY says": "idle threads keep their cores busy, as OMP_WAIT_POLICY says",
}
"""How idle threads wait, in words."""

FORMS = {"OMP_NUM_THREADS": "a number from 1", "OMP_WAIT_POLICY": "passive or active"}
"""Environment variables of OpenMP, which ignores other values."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found. advice: what is slow or missing here, and what to do.

    cores: that this process may use, of all that the computer has. threads: that compute; asked_threads: as
    OMP_NUM_THREADS says, None where it says nothing. ignored: variables of OpenMP with values that it ignores.
    attention: size, precision and pass -> the way for windows of 128 px, and whether it was measured; it is asked for
    in attention_setting (the variable SPECTRALGPT_ATTENTION, by default `measured`). free_disk, free_memory: bytes,
    None where the system does not say. extras: optional packages, and whether they are installed.
    """

    cpu: str
    instructions: tuple[str, ...]
    cores: int
    computer_cores: int
    threads: int
    asked_threads: int | None
    waiting: str
    ignored: Mapping[str, str]
    precision: str
    attention: Mapping[str, str]
    attention_setting: str
    gpu: str
    versions: Mapping[str, str]
    free_disk: int | None
    free_memory: int | None
    packaged_weights: tuple[str, ...]
    extras: Mapping[str, bool]
    cache: str
    cache_writable: bool
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        extras = (f"{name} is {'' if there else 'not '}installed" for name, there in self.extras.items())
        disk = "" if self.free_disk is None else f", {_size(self.free_disk)} of disk for the cache"
        lines = [
            ("CPU", self.cpu),
            ("instructions", ", ".join(self.instructions) or "unknown"),
            ("threads", self._threads),
            ("", IDLE_THREADS[self.waiting]),
            ("precision", self.precision),
            *(("attention", f"{what}: {way}") for what, way in self.attention.items()),
            ("GPU", self.gpu),
            ("free", f"{_size(self.free_memory)} of memory{disk}"),
            ("cache", self.cache if self.cache_writable else f"{self.cache} (cannot be written)"),
            ("weights", ", ".join(self.packaged_weights) or "none come with the package"),
            ("extras", ", ".join(extras)),
            ("versions", ", ".join(f"{name} {number}" for name, number in self.versions.items())),
        ]
        width = max(len(name) for name, _ in lines)
        advice = [f"- {line}" for line in self.advice] or ["nothing here is slow or missing"]
        return "\n".join([*(f"{name:<{width}}  {text}" for name, text in lines), *advice])

    @property
    def _threads(self) -> str:
        threads = counted(self.threads, "thread")
        if self.cores >= self.computer_cores:
            return f"{threads} on {counted(self.cores, 'core')}"
        return f"{threads}; this process may use {self.cores} of the computer's {self.computer_cores} cores"


def doctor() -> Checkup:
    """Show what this computer offers, and what to do about what is slow or missing.

    The first call measures the ways to compute attention, which takes a few seconds; they are kept for all commands.
    The environment variable SPECTRALGPT_ATTENTION sets the way: measured (the default), usual (by a rule, nothing is
    measured), or always one of flash, float32, plain, blocked and 'flash, blocked backward'.

    Example:
        spectralgpt doctor --json
    """
    import rasterio
    import torch

    from spectralgpt.cores import asked_threads, available_cores, set_here
    from spectralgpt.disk import user_cache
    from spectralgpt.nn import resolved_precision
    from spectralgpt.nn.cpu import CPU_NAME, INSTRUCTIONS
    from spectralgpt.nn.ways import asked_way
    from spectralgpt.version import __version__

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cache, cores = user_cache(), available_cores()
    free_disk, cache_writable = _room(cache)
    found = Checkup(
        cpu=CPU_NAME,
        instructions=INSTRUCTIONS,
        cores=cores,
        computer_cores=max(cores, os.cpu_count() or 1),
        threads=torch.get_num_threads(),
        asked_threads=asked_threads(os.environ),
        waiting=_waiting(os.environ, set_here),
        ignored=_ignored(os.environ),
        precision=f"auto is {resolved_precision('auto', device)}",
        attention=_attention(cache_writable),
        attention_setting=asked_way(),
        gpu=_gpu(),
        versions={
            "spectralgpt": __version__,
            "Python": platform.python_version(),
            "torch": torch.__version__,
            "rasterio": rasterio.__version__,
            "GDAL": rasterio.__gdal_version__,
            "PROJ": rasterio.__proj_version__,
        },
        free_disk=free_disk,
        free_memory=_free_memory(),
        packaged_weights=_packaged_weights(),
        extras={package: _is_installed(package) for packages in EXTRAS.values() for package in packages},
        cache="no folder for it" if cache is None else str(cache),
        cache_writable=cache_writable,
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


def _attention(writable: bool) -> dict[str, str]:
    """The ways for the shapes that are shown, and why these; only those in the usual precision are measured here.
    writable: whether what is measured can be kept."""
    from spectralgpt.nn.cpu import MULTIPLIES_BF16
    from spectralgpt.nn.measured_ways import chosen_way, kept_ways
    from spectralgpt.nn.ways import AttentionShape, asked_way

    dtypes: dict[str, Literal["bfloat16", "float32"]] = {"bf16": "bfloat16", "fp32": "float32"}
    if not MULTIPLIES_BF16:
        del dtypes["bf16"]
    found, asked, usual = {}, asked_way(), next(iter(dtypes))
    for size, sides in SHAPES_SHOWN.items():
        for precision, dtype in dtypes.items():
            for training in (False, True):
                shape = AttentionShape(dtype, *sides, False, training)
                what = f"{size}, {precision}, {'training' if training else 'forward'}"
                if asked == "measured" and precision != usual and writable and shape.kind not in kept_ways():
                    found[what] = "measured at its first use"
                    continue
                way = chosen_way(shape)
                found[what] = f"{way} ({_why(way, asked, kept=shape.kind in kept_ways())})"
    return found


def _why(way: str, asked: str, *, kept: bool) -> str:
    """Why a way is taken. asked: in the environment."""
    if asked == "measured":
        return "measured" if kept else "by the rule"
    if asked == "usual":
        return "by the rule"
    return "as SPECTRALGPT_ATTENTION says" if way == asked else f"by the rule, as {asked} is not for this"


def _advice(found: Checkup) -> tuple[str, ...]:
    """What is slow or missing, with what to do about it."""
    return (*_advice_on_speed(found), *_advice_on_room(found), *_advice_on_extras(found))


def _advice_on_speed(found: Checkup) -> list[str]:
    lines = [
        f"{name} is {value!r}, which is not {FORMS[name]} and is ignored: unset it or correct it"
        for name, value in found.ignored.items()
    ]
    if found.waiting.startswith("active"):
        lines.append(
            "Where threads wait actively, a step takes several times as long beside other processes. Before Python "
            "starts: export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=1000"
        )
    if found.threads > found.cores:
        lines.append(
            f"{found.threads} threads share {counted(found.cores, 'core')}. Before Python starts: "
            f"export OMP_NUM_THREADS={found.cores}"
        )
    if found.asked_threads is not None and found.threads < found.cores:
        used = f"{found.threads} of {found.cores} cores {'is' if found.threads == 1 else 'are'} used"
        lines.append(f"{used}, as OMP_NUM_THREADS says; unset it to use all")
    if found.attention_setting != "measured":
        lines.append(
            f"SPECTRALGPT_ATTENTION is {found.attention_setting!r}, so nothing is measured: unset it to use the "
            "fastest way"
        )
    if "bf16" not in found.precision:
        lines.append(
            "This CPU does not multiply bfloat16 (AMX or AVX-512 BF16): a model takes about three times as long as on "
            "one that does"
        )
    if found.gpu.startswith("none, although"):
        lines.append("Install the PyTorch build for your GPU: https://pytorch.org/get-started/locally/")
    return lines


def _advice_on_room(found: Checkup) -> list[str]:
    lines = []
    if found.cache.startswith("no folder"):
        lines.append("Features and measured ways are not kept. Name a folder in SPECTRALGPT_CACHE")
    elif found.free_disk is not None and found.free_disk < LITTLE_DISK:
        lines.append(f"Little room for the cache: {_size(found.free_disk)}. Name another folder in SPECTRALGPT_CACHE")
    elif not found.cache_writable:
        lines.append(
            f"The cache folder {found.cache} cannot be written, so ways are not measured and features are not kept: "
            "name another folder in SPECTRALGPT_CACHE"
        )
    if found.free_memory is not None and found.free_memory < LITTLE_MEMORY:
        lines.append(f"Little free memory: {_size(found.free_memory)}. Use a smaller --batch")
    return lines


def _advice_on_extras(found: Checkup) -> list[str]:
    lines = []
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if not found.extras[name]]
        if missing:
            lines.append(
                f"Not installed, of the extra `{extra}`: {', '.join(missing)}. pip install 'spectralgpt[{extra}]'"
            )
    return lines


def _waiting(environment: Mapping[str, str], set_here: Collection[str]) -> str:
    """How idle OpenMP threads wait. GOMP_SPINCOUNT counts for GNU's OpenMP, KMP_BLOCKTIME for LLVM's and Intel's."""
    policy = environment.get("OMP_WAIT_POLICY", "").strip().lower()
    spins, blocks = environment.get("GOMP_SPINCOUNT", ""), environment.get("KMP_BLOCKTIME", "")
    if policy == "passive" and "OMP_WAIT_POLICY" in set_here:
        return "passive in commands"
    if policy == "passive" or spins == "0" or blocks == "0":
        return "passive"
    return "active" if policy != "active" else "active, as OMP_WAIT_POLICY says"


def _ignored(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables with values that OpenMP ignores."""
    from spectralgpt.cores import asked_threads

    is_right = {
        "OMP_NUM_THREADS": asked_threads(environment) is not None,
        "OMP_WAIT_POLICY": environment.get("OMP_WAIT_POLICY", "").strip().lower() in ("active", "passive"),
    }
    return {name: environment[name] for name in FORMS if name in environment and not is_right[name]}


def _gpu() -> str:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return ", ".join(names)
    if Path("/proc/driver/nvidia").exists():
        return f"none, although the system has one: torch {torch.__version__} does not find it"
    return "none"


def _room(cache: Path | None) -> tuple[int | None, bool]:
    """Free bytes of disk for the cache, and whether it can be written; None where bytes are not what it takes."""
    from spectralgpt.disk import write_refusal

    if cache is None:
        return None, False
    refusal = write_refusal(cache)
    if refusal is not None and refusal.errno != errno.ENOSPC:
        return None, False
    for each in (cache, *cache.parents):
        if each.is_dir():
            return shutil.disk_usage(each).free, refusal is None
    return None, False


def _free_memory(about: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that a process can still take, by Linux; at most what its container grants."""
    from spectralgpt.cores import memory_limit

    try:
        lines = about.read_text().splitlines()
    except OSError:
        return None
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    limit = memory_limit()
    return min([*free, *([] if limit is None else [limit])], default=None)


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return package in sys.modules
    return True


def _size(count: int | None) -> str:
    if count is None:
        return "unknown"
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
