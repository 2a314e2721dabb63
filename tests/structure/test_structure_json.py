"""A damaged JSON file is reported as damaged however it is damaged: deep nesting is a RecursionError, no ValueError."""

import ast

import pytest

from spectralgpt.errors import DataError
from spectralgpt.products.own_result import parsed
from spectralgpt.training import read_log
from spectralgpt.training.hashing import _stored
from spectralgpt.training.run_folder import run_recipe

DEEP = "[" * 100_000


def test_whoever_expects_damaged_json_expects_deep_nesting(root):
    late = []
    for path in sorted((root / "src").rglob("*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if "json.loads(" in text else ():
            if isinstance(node, ast.Try) and any("json.loads(" in ast.unparse(each) for each in node.body):
                caught = " ".join(ast.unparse(each.type) for each in node.handlers if each.type is not None)
                if "ValueError" in caught and "RecursionError" not in caught:
                    late.append(f"{path.name}:{node.lineno}")
    assert late == []


def test_deep_nesting_is_damage(tmp_path):
    (tmp_path / "config.json").write_text(DEEP)
    (tmp_path / "log.jsonl").write_text(DEEP + "\n{}\n")
    assert parsed(DEEP, list) is None
    assert _stored(tmp_path / "config.json", "shards") is None
    with pytest.raises(DataError):
        run_recipe(tmp_path / "config.json")
    with pytest.raises(DataError):
        read_log(tmp_path / "log.jsonl")
