"""The benchmarks of the model run, and what they compare is the same function."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "name", ["encoder", *(pytest.param(name, marks=pytest.mark.long) for name in ("pretrain_step", "memory"))]
)
def test_runs_quickly_and_is_equal_to_the_textbook(name, root, tmp_path):
    command = [sys.executable, str(root / "benchmarks" / f"{name}.py"), "--quick", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert json.loads((tmp_path / f"{name}.json").read_text()) == result
    assert (tmp_path / f"{name}.png").stat().st_size > 0
    rows = result["rows"] if "rows" in result else next(iter(result["cases"].values()))["rows"]
    assert {"textbook", "ours fp32"} <= rows.keys()
    assert all(value > 0 for row in rows.values() for value in row.values())


@pytest.mark.long
def test_fine_tuning_steps_are_measured(root, tmp_path):
    command = [sys.executable, str(root / "benchmarks/finetune_step.py"), "--quick", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / "finetune_step.json").read_text())
    assert json.loads(run.stdout) == result
    assert {name.partition(",")[0] for name in result["cases"]} == {"class", "mask"}
    assert all(0.2 < case["bare_by_whole"] < 2 for case in result["cases"].values())
    assert set(result["heads"]["by_encoder"]) == {"encoder", "light", "dense", "pooled"}
    memory = result["memory_bytes"]
    assert 0 < memory["segmentation, light head, frozen"] < memory["segmentation, light head"]
    assert memory["segmentation, light head"] < memory["segmentation, dense head"]


@pytest.mark.long
def test_the_cost_of_checking_shards_is_measured(root, tmp_path):
    command = [sys.executable, str(root / "benchmarks/shard_checks.py"), "--quick", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / "shard_checks.json").read_text())
    assert len(result["rows"]) == 12
    assert all(row["with_s"] > 0 and row["without_s"] > 0 for row in result["rows"].values())


@pytest.mark.long
def test_the_memory_of_scenes_is_measured(root, tmp_path):
    command = [sys.executable, str(root / "benchmarks/memory.py"), "--scenes", "--quick", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / "scene_memory.json").read_text())
    assert len(result["rows"]) == 10
    assert all(1e8 < row["bytes"] < result["most_bytes"] for row in result["rows"].values())
