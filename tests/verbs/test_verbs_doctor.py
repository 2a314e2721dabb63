"""`doctor`: every line of advice when its reason is there, and none without."""

from dataclasses import replace

import pytest
import torch

import spectralgpt
from spectralgpt.verbs import doctor as verb
from spectralgpt.verbs.doctor import Checkup, _advice, _waiting


def healthy() -> Checkup:
    return Checkup(
        cpu="made",
        instructions=("avx2",),
        cores=4,
        threads=4,
        waiting="passive",
        precision="auto is bf16",
        attention={"float32 forward, 8 heads, 64 tokens of 32": "flash"},
        gpu="none",
        versions={"torch": torch.__version__},
        free_disk=10**11,
        free_memory=10**11,
        packaged_weights=(),
        extras={"logs": True},
        cache="somewhere",
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"waiting": "active"}, "export OMP_WAIT_POLICY=passive"),
        ({"waiting": "passive in commands, active in Python"}, "export OMP_WAIT_POLICY=passive"),
        ({"threads": 8}, "export OMP_NUM_THREADS=4"),
        ({"threads": 1}, "1 of 4 cores"),
        ({"precision": "auto is fp32"}, "does not multiply bfloat16"),
        ({"gpu": "none, although the system has one: torch does not find it"}, "pytorch.org"),
        ({"free_disk": 10**9}, "SPECTRALGPT_CACHE"),
        ({"cache": "no folder for it"}, "SPECTRALGPT_CACHE"),
        ({"free_memory": 10**9}, "--batch"),
        ({"extras": {"logs": False}}, "pip install 'spectralgpt[logs]'"),
    ],
)
def test_each_reason_has_its_advice(changed, words):
    assert _advice(healthy()) == ()
    (line,) = _advice(replace(healthy(), **changed))
    assert words in line
    assert f"- {line}" in str(replace(healthy(), advice=(line,)))


@pytest.mark.parametrize(
    ("environment", "set_here", "how"),
    [
        ({}, set(), "active"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, set(), "passive"),
        ({"OMP_WAIT_POLICY": "active"}, set(), "active, as OMP_WAIT_POLICY says"),
        ({"GOMP_SPINCOUNT": "0"}, set(), "passive"),
        ({"KMP_BLOCKTIME": "0"}, set(), "passive"),
        ({"OMP_WAIT_POLICY": "passive"}, {"OMP_WAIT_POLICY"}, "passive in commands, active in Python"),
    ],
)
def test_how_threads_wait(environment, set_here, how):
    assert _waiting(environment, set_here) == how


def test_this_computer(monkeypatch):
    monkeypatch.setattr(verb, "USUAL_SHAPES", ((1, 2, 16, 8),))
    found = spectralgpt.doctor()
    assert found.threads == torch.get_num_threads()
    assert found.versions["torch"] == torch.__version__
    assert found.cores >= 1
    assert set(found.attention.values()) <= {"flash", "plain", "blocked", "flash, blocked backward", "float32"}
    assert {"CPU", "threads", "attention", "versions"} <= {line.split()[0] for line in str(found).splitlines()}
