#!/bin/sh
# jaxtyping 0.3.11, beartype 0.23.1, numpy 2.4.6.
#
# With jaxtyping's annotations checked by beartype, a named axis has one size within a call. beartype checks one random
# item of a list, not all, and jaxtyping asks it more than once per call. Together: a function of a list of arrays that
# differ in length, annotated with a named axis, is refused in about half of all calls and accepted in the others, with
# the same argument; likewise with two such lists.
#
# Why it matters: tests that run under these checks (a recommended setting) fail now and then on correct code, and the
# annotation looks like a promise that nobody checks. The axis name `_` says that sizes may differ.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jaxtyping==0.3.11 beartype==0.23.1 numpy==2.4.6
cd "$folder"
cat > show.py <<'PY'
from importlib.metadata import version

import numpy as np
from beartype import beartype
from jaxtyping import Float64, TypeCheckError, jaxtyped

print({name: version(name) for name in ("jaxtyping", "beartype", "numpy")})


@jaxtyped(typechecker=beartype)
def named(one: list[Float64[np.ndarray, " n"]], other: list[Float64[np.ndarray, " n"]]) -> None: ...


@jaxtyped(typechecker=beartype)
def single(one: list[Float64[np.ndarray, " n"]]) -> None: ...


@jaxtyped(typechecker=beartype)
def free(one: list[Float64[np.ndarray, "_"]], other: list[Float64[np.ndarray, "_"]]) -> None: ...


ARRAYS = [np.zeros(2), np.zeros(3)]


def refused(call):
    count = 0
    for _ in range(400):
        try:
            call()
        except TypeCheckError:
            count += 1
    return count


found = {
    "two lists with a named axis": refused(lambda: named(ARRAYS, ARRAYS)),
    "one list with a named axis": refused(lambda: single(ARRAYS)),
    "two lists with the axis _": refused(lambda: free(ARRAYS, ARRAYS)),
}
for what, count in found.items():
    print(f"{what}: refused in {count} of 400 equal calls")
assert 100 < found["two lists with a named axis"] < 300, "behaviour changed: not at random"
assert 100 < found["one list with a named axis"] < 300, "behaviour changed: not at random"
assert found["two lists with the axis _"] == 0, "behaviour changed: _ is refused"
print("as described")
PY
"$folder/venv/bin/python" show.py
