"""`doctor`: every line of advice when its reason is there, and none without."""

import errno
import os
from dataclasses import replace

import pytest
import torch

import spectralgpt
from spectralgpt.nn import measured_ways
from spectralgpt.nn.cpu import MULTIPLIES_BF16
from spectralgpt.nn.measured_ways import chosen_way
from spectralgpt.nn.ways import WAYS, AttentionShape
from spectralgpt.verbs import doctor as verb
from spectralgpt.verbs.doctor import Checkup, _advice, _free_memory, _ignored, _room, _size, _waiting, _why


def healthy() -> Checkup:
    return Checkup(
        cpu="made",
        instructions=("avx2",),
        cores=4,
        computer_cores=4,
        threads=4,
        asked_threads=None,
        waiting="passive in commands",
        ignored={},
        precision="auto is bf16",
        attention={"tiny, bf16, forward": "flash (measured)"},
        attention_setting="measured",
        gpu="none",
        versions={"torch": torch.__version__},
        free_disk=10**11,
        free_memory=10**11,
        packaged_weights=(),
        extras={"tensorboard": True, "wandb": True},
        cache="somewhere",
        cache_writable=True,
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"waiting": "active"}, "export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=1000"),
        ({"waiting": "active, as OMP_WAIT_POLICY says"}, "export OMP_WAIT_POLICY=passive"),
        ({"ignored": {"OMP_NUM_THREADS": "abc"}}, "OMP_NUM_THREADS is 'abc', which is not a number from 1"),
        ({"ignored": {"OMP_WAIT_POLICY": ""}}, "OMP_WAIT_POLICY is '', which is not passive or active"),
        ({"threads": 8}, "8 threads share 4 cores. Before Python starts: export OMP_NUM_THREADS=4"),
        ({"threads": 8, "cores": 1, "computer_cores": 1}, "8 threads share 1 core."),
        ({"threads": 1, "asked_threads": 1}, "1 of 4 cores is used, as OMP_NUM_THREADS says; unset it to use all"),
        ({"threads": 3, "asked_threads": 3}, "3 of 4 cores are used"),
        ({"attention_setting": "usual"}, "SPECTRALGPT_ATTENTION is 'usual', so nothing is measured"),
        ({"attention_setting": "plain"}, "SPECTRALGPT_ATTENTION is 'plain', so nothing is measured"),
        ({"precision": "auto is fp32"}, "does not multiply bfloat16"),
        ({"gpu": "none, although the system has one: torch does not find it"}, "pytorch.org"),
        ({"free_disk": 10**9}, "Little room for the cache: 954 MiB"),
        ({"free_disk": 0, "cache_writable": False}, "Little room for the cache: 0 MiB"),
        ({"free_disk": None, "cache_writable": False}, "The cache folder somewhere cannot be written, so ways are not"),
        ({"cache_writable": False}, "The cache folder somewhere cannot be written, so ways are not measured"),
        ({"cache": "no folder for it", "cache_writable": False}, "Name a folder in SPECTRALGPT_CACHE"),
        ({"free_memory": 10**9}, "--batch"),
        ({"extras": {"tensorboard": True, "wandb": False}}, "`logs`: wandb. pip install 'spectralgpt[logs]'"),
        ({"extras": {"tensorboard": False, "wandb": False}}, "`logs`: tensorboard, wandb. pip install"),
    ],
)
def test_each_reason_has_its_advice(changed, words):
    assert _advice(healthy()) == ()
    (line,) = _advice(replace(healthy(), **changed))
    assert words in line
    assert f"- {line}" in str(replace(healthy(), **changed, advice=(line,)))


def test_a_healthy_computer_has_no_advice():
    assert str(healthy()).splitlines()[-1] == "nothing here is slow or missing"


@pytest.mark.parametrize(
    ("environment", "set_here", "how"),
    [
        ({}, set(), "active"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, set(), "passive"),
        ({"OMP_WAIT_POLICY": "active"}, set(), "active, as OMP_WAIT_POLICY says"),
        ({"GOMP_SPINCOUNT": "0"}, set(), "passive"),
        ({"KMP_BLOCKTIME": "0"}, set(), "passive"),
        ({"OMP_WAIT_POLICY": "passive"}, {"OMP_WAIT_POLICY"}, "passive in commands"),
        ({"OMP_WAIT_POLICY": "nonsense"}, set(), "active"),
    ],
)
def test_how_threads_wait(environment, set_here, how):
    assert _waiting(environment, set_here) == how
    assert how in verb.IDLE_THREADS


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, []),
        ({"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": " Passive "}, []),
        ({"OMP_NUM_THREADS": "4,2", "OMP_WAIT_POLICY": "ACTIVE"}, []),
        ({"OMP_NUM_THREADS": "abc"}, ["OMP_NUM_THREADS"]),
        ({"OMP_NUM_THREADS": "0"}, ["OMP_NUM_THREADS"]),
        ({"OMP_NUM_THREADS": ""}, ["OMP_NUM_THREADS"]),
        ({"OMP_NUM_THREADS": "-1", "OMP_WAIT_POLICY": "lazy"}, ["OMP_NUM_THREADS", "OMP_WAIT_POLICY"]),
        ({"OMP_WAIT_POLICY": ""}, ["OMP_WAIT_POLICY"]),
    ],
)
def test_values_that_openmp_ignores(environment, names):
    assert list(_ignored(environment)) == names


@pytest.mark.parametrize(
    ("threads", "cores", "computer", "text"),
    [
        (1, 1, 1, "1 thread on 1 core"),
        (4, 4, 4, "4 threads on 4 cores"),
        (2, 2, 64, "2 threads; this process may use 2 of the computer's 64 cores"),
        (1, 1, 2, "1 thread; this process may use 1 of the computer's 2 cores"),
    ],
)
def test_threads_and_cores_in_words(threads, cores, computer, text):
    found = replace(healthy(), threads=threads, cores=cores, computer_cores=computer)
    assert f"threads       {text}" in str(found).splitlines()


@pytest.mark.parametrize(
    ("way", "asked", "kept", "why"),
    [
        ("flash", "measured", True, "measured"),
        ("flash", "measured", False, "by the rule"),
        ("flash", "usual", True, "by the rule"),
        ("flash", "flash", True, "as SPECTRALGPT_ATTENTION says"),
        ("flash", "plain", False, "by the rule, as plain is not for this"),
    ],
)
def test_why_a_way_is_taken(way, asked, kept, why):
    assert _why(way, asked, kept=kept) == why


@pytest.mark.parametrize(("size", "text"), [(None, "unknown"), (300 * 2**20, "300 MiB"), (3 * 2**29, "1.5 GiB")])
def test_sizes(size, text):
    assert _size(size) == text


@pytest.mark.parametrize(("limit", "free"), [(None, 8192 * 1024), (2**20, 2**20), (2**40, 8192 * 1024), (12288, 12288)])
def test_memory_is_at_most_what_a_container_grants(tmp_path, monkeypatch, limit, free):
    (tmp_path / "meminfo").write_text("MemTotal: 16384 kB\nMemAvailable: 8192 kB\n")
    monkeypatch.setattr("spectralgpt.cores.memory_limit", lambda: limit)
    assert _free_memory(tmp_path / "meminfo") == free
    assert _free_memory(tmp_path / "none") is None


def test_room_for_the_cache(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert _room(None) == (None, False)
    assert _room(tmp_path / "file") == (None, False)
    assert _room(tmp_path / "file" / "below") == (None, False)
    free, writable = _room(tmp_path / "new")
    assert free is not None
    assert writable
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr("spectralgpt.disk.write_refusal", lambda folder: full)
    free, writable = _room(tmp_path / "new")
    assert free is not None
    assert not writable


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Shapes that are measured at once, and nothing known of them."""
    monkeypatch.setattr(verb, "SHAPES_SHOWN", {"tiny": (1, 2, 16, 8), "base": (1, 4, 16, 8)})
    monkeypatch.setattr(measured_ways, "_chosen", {})
    monkeypatch.setenv("SPECTRALGPT_ATTENTION", "measured")
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))


def test_this_computer(small):
    found = spectralgpt.doctor()
    assert found.threads == torch.get_num_threads()
    assert found.versions["torch"] == torch.__version__
    assert found.computer_cores >= found.cores >= 1
    assert found.cache_writable
    assert {f"{size}, fp32, {kind}" for size in ("tiny", "base") for kind in ("forward", "training")} <= set(
        found.attention
    )
    precision = "bf16" if MULTIPLIES_BF16 else "fp32"
    measured = {way for what, way in found.attention.items() if precision in what}
    assert measured <= {f"{way} (measured)" for way in WAYS}
    assert {way for what, way in found.attention.items() if precision not in what} <= {"measured at its first use"}
    chosen_way(AttentionShape("float32", *verb.SHAPES_SHOWN["tiny"], False, False))
    assert spectralgpt.doctor().attention["tiny, fp32, forward"] in {f"{way} (measured)" for way in WAYS}
    lines = str(found).splitlines()
    assert {"CPU", "threads", "attention", "versions"} <= {line.split()[0] for line in lines}
    assert sum(line.startswith("attention") for line in lines) == len(found.attention)


@pytest.mark.parametrize("cache", ["a file", "/proc/nothere"])
def test_a_cache_that_cannot_be_written(small, tmp_path, monkeypatch, cache):
    (tmp_path / "a file").touch()
    folder = tmp_path / cache  # an absolute path replaces the first
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(folder))
    found = spectralgpt.doctor()
    assert set(found.attention.values()) <= {f"{way} (by the rule)" for way in WAYS}
    (line,) = (line for line in found.advice if "SPECTRALGPT_CACHE" in line)
    assert line.startswith(f"The cache folder {folder} cannot be written")
    assert f"{folder} (cannot be written)" in str(found)


@pytest.mark.parametrize("way", ["usual", "plain", "flash, blocked backward"])
def test_the_way_that_the_environment_asks_for_is_shown(small, monkeypatch, way):
    """Not those that were measured before."""
    spectralgpt.doctor()
    monkeypatch.setenv("SPECTRALGPT_ATTENTION", way)
    found = spectralgpt.doctor()
    training = [shown for what, shown in found.attention.items() if what.endswith("training")]
    wanted = "(by the rule)" if way == "usual" else f"{way} (as SPECTRALGPT_ATTENTION says)"
    assert training
    assert all(shown.endswith(wanted) for shown in training)
    assert any(f"SPECTRALGPT_ATTENTION is {way!r}, so nothing is measured" in line for line in found.advice)
