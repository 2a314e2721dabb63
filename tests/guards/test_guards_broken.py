"""Each guard of docs/reliability.md is broken in a copy of the package, and its test must fail: a test that cannot fail
guards nothing."""

import os
import resource
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from made_guards_of_input import OF_INPUT
from made_guards_of_targets import OF_TARGETS

GUARDS = (*OF_TARGETS, *OF_INPUT)

LONGEST = 600
"""Seconds of a test; other tests may have the machine."""

MOST_MEMORY = 24 * 2**30
"""Bytes of addresses of a test: some guards keep memory from being taken."""

OF_THE_EDIT = ("SyntaxError", "NameError", "UnboundLocalError", "ImportError", "ModuleNotFoundError")
"""Errors that show that the edit broke more than the guard."""


@pytest.fixture(scope="module")
def package(root, tmp_path_factory) -> Path:
    """A folder with a copy of the package in it."""
    copy = tmp_path_factory.mktemp("broken") / "spectralgpt"
    shutil.copytree(root / "src" / "spectralgpt", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy.parent


def outcomes_with(package: Path, root: Path, tests: list[str]) -> tuple[dict[str, str], str]:
    """The outcome of each test with the copy of the package, by its name as it is given; and what pytest says."""
    report = package / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-m", "long or not long", "-p", "no:cacheprovider", "-n", "0"]
    command += ["--show-capture=no", f"--junit-xml={report}", *(f"tests/{each}" for each in tests)]
    done = subprocess.run(
        command,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST * len(tests),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY)),
    )
    found = {}
    for case in ElementTree.parse(report).iter("testcase") if report.exists() else ():
        file = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        found[f"{file}::{case.get('name')}"] = next(iter(kinds), "passed")
    return found, done.stdout


def of_test(outcomes: dict[str, str], test: str) -> Counter[str]:
    """How often the cases of a test came out how: of one without [...], all cases."""
    return Counter(how for name, how in outcomes.items() if name == test or name.startswith(f"{test}["))


def test_each_line_stands_where_the_table_says(root):
    """So that the table does not outlive the code: in seconds, in `make test`."""
    for guard in GUARDS:
        text = (root / "src" / "spectralgpt" / guard.file).read_text()
        assert text.count(guard.line) == 1, (guard.name, guard.file)
        compile(text.replace(guard.line, guard.broken), guard.file, "exec")
        file, _, name = guard.test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (root / "tests" / file).read_text(), guard.test
        assert name, guard.test
    assert max(Counter(guard.name for guard in GUARDS).values()) == 1


@pytest.fixture(scope="module")
def unbroken(package, root, request) -> dict[str, str]:
    """The outcomes of the tests of all guards that are broken here, with the copy as it is."""
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    guards = [each.params["guard"] for each in parameters if each is not None and "guard" in each.params]
    found, said = outcomes_with(package, root, sorted({guard.test for guard in guards}))
    for guard in guards:
        outcomes = of_test(found, guard.test)
        assert outcomes, f"{guard.test}: was not run\n{said[-3000:]}"
        assert not outcomes["failure"] + outcomes["error"], f"{guard.test}: fails with the guard\n{said[-3000:]}"
    return found


@pytest.mark.long
@pytest.mark.parametrize("guard", GUARDS, ids=[guard.name for guard in GUARDS])
def test_without_the_guard_its_test_fails(guard, package, unbroken, root):
    if not of_test(unbroken, guard.test)["passed"]:
        pytest.skip("its test is skipped here, as for a small disk that cannot be mounted")
    file = package / "spectralgpt" / guard.file
    kept = file.with_suffix(".kept")
    os.rename(file, kept)
    try:
        file.write_text(kept.read_text().replace(guard.line, guard.broken))
        # another time than that of the file before it: Python takes compiled code by time and size
        os.utime(file, (GUARDS.index(guard), GUARDS.index(guard)))
        found, said = outcomes_with(package, root, [guard.test])
    finally:
        os.replace(kept, file)
    outcomes = of_test(found, guard.test)
    assert outcomes["failure"], f"its test passes without it\n{said[-3000:]}"
    assert not outcomes["error"], said[-3000:]
    lines = [line for line in said.splitlines() if line.startswith("E  ")]
    assert not any(f"{error}:" in line for error in OF_THE_EDIT for line in lines), said[-3000:]
