"""Cores that a process may use: cgroups of both versions, in made folders."""

import os
import subprocess
import sys

import pytest

from spectralgpt.cores import available_cores, cgroup_limit, memory_limit, usual_threads, wait_passively

VERSION_1 = (("quota", 4000), ("period", 1000))


def written(folder, files: dict[str, str]):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("process", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        # the lowest of a cgroup and those above it
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000", "cpu.max": "800000 100000"}, 2.0),
        ("0::/a/b\n", {"a/b/cpu.max": "50000 100000", "a/cpu.max": "200000 100000"}, 0.5),
        # the path of the host, which a container does not have
        ("0::/docker/1234\n", {"cpu.max": "300000 100000"}, 3.0),
        ("3:cpuset:/\n4:cpu,cpuacct:/a\n0::/\n", {f"cpu/a/cpu.cfs_{n}_us": f"{v}00" for n, v in VERSION_1}, 4.0),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("0::/\n", {"cpu.max": "damaged"}, None),
        ("0::/\n", {"cpu.max": "100 0"}, None),
        ("damaged", {}, None),
        ("", {}, None),
    ],
)  # fmt: skip
def test_limits_of_cgroups(tmp_path, process, files, cores):
    root = written(tmp_path / "cgroup", files)
    root.mkdir(exist_ok=True)
    (tmp_path / "process").write_text(process)
    assert cgroup_limit(root, tmp_path / "process") == cores


@pytest.mark.parametrize(
    ("process", "files", "limit"),
    [
        ("0::/\n", {"memory.max": "536870912\n"}, 2**29),
        ("0::/\n", {"memory.max": "max\n"}, None),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "2000", "memory.max": "8000"}, 2000),
        ("0::/docker/1234\n", {"memory.max": "4096"}, 4096),
        ("4:memory:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": "1073741824\n"}, 2**30),
        ("4:memory:/host/path\n", {"memory/memory.limit_in_bytes": "12288"}, 12288),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("4:cpu:/\n", {"memory/memory.limit_in_bytes": "4096"}, None),
        ("0::/\n", {"memory.max": "damaged"}, None),
        ("damaged", {}, None),
    ],
)
def test_limits_of_memory(tmp_path, process, files, limit):
    root = written(tmp_path / "cgroup", files)
    root.mkdir(exist_ok=True)
    (tmp_path / "process").write_text(process)
    assert memory_limit(root, tmp_path / "process") == limit


@pytest.mark.parametrize(("granted", "cores"), [(None, 4), (0.3, 1), (1.5, 2), (64.0, 4)])
def test_cores_are_those_bound_to_and_granted(monkeypatch, granted, cores):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 2, 4, 6}, raising=False)
    monkeypatch.setattr("spectralgpt.cores.cgroup_limit", lambda: granted)
    assert available_cores() == cores


@pytest.mark.parametrize(
    ("asked", "threads"), [(None, 4), ("1", 1), ("3,2", 3), ("64", 4), ("0", 4), ("many", 4), ("", 4)]
)
def test_threads_are_those_that_openmp_starts(monkeypatch, asked, threads):
    monkeypatch.setattr("spectralgpt.cores.available_cores", lambda: 4)
    assert usual_threads({} if asked is None else {"OMP_NUM_THREADS": asked}) == threads


def test_what_the_user_has_set_stays():
    environment = {"OMP_WAIT_POLICY": "active", "OMP_NUM_THREADS": "7"}
    wait_passively(environment)
    assert environment == {"OMP_WAIT_POLICY": "active", "OMP_NUM_THREADS": "7"}
    environment = {}
    wait_passively(environment)
    waiting = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
    assert environment == {**waiting, "OMP_NUM_THREADS": str(available_cores())}
    environment = {"GOMP_SPINCOUNT": "7", "OMP_NUM_THREADS": "1"}
    wait_passively(environment)
    assert environment == {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "7", "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("how", [["-m", "spectralgpt"], ["-c", "from spectralgpt.cli import main; main()"]])
def test_the_command_line_waits_passively(how):
    """Seen in OpenMP's own report, which it writes when it is loaded, with torch."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, *how, "doctor"]
    found = subprocess.run(command, env=environment | {"OMP_DISPLAY_ENV": "verbose"}, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    if "GOMP_SPINCOUNT" not in found.stderr:
        pytest.skip("this PyTorch computes with another OpenMP than GNU's")
    assert "GOMP_SPINCOUNT = '1000'" in found.stderr
    assert f"OMP_NUM_THREADS = '{available_cores()}'" in found.stderr


def test_python_changes_no_variable_of_openmp():
    code = "import os; before = dict(os.environ); import spectralgpt, spectralgpt.nn; spectralgpt.embed"
    code += "; changed = {name for name in os.environ if os.environ[name] != before.get(name)}"
    code += "; assert not any('OMP' in name or 'MKL' in name for name in changed), changed"
    subprocess.run([sys.executable, "-c", code], check=True)
