#!/bin/sh
# torch 2.13.0, numpy 2.4.6.
#
# A model that is built under torch.device("meta") has no values, so building it should cost next to nothing; it is the
# usual way to load weights. Yet the first torch.eye, torch.cat, torch.nn.init.normal_ or torch.nn.Embedding there
# imports the whole compiler, torch._dynamo with torch._inductor and sympy, and with them pandas and scikit-learn where
# they are installed: 820 modules, a second or two, and tens of MB that stay. Tensor.repeat imports sympy alone.
# torch.nn.Linear, torch.zeros, Tensor.fill_diagonal_ and torch.nn.init.xavier_uniform_ import none of it, and on the
# CPU nothing does.
#
# Why it matters: a command line tool that reads small weights starts several times slower, and takes more memory, than
# it would with the same model built on the CPU. Make the identity from zeros, and skip normal_ for tensors on meta.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PY'
import sys
import time

import torch


def diagonal():
    made = torch.zeros(4, 4)
    made.fill_diagonal_(1.0)


WAYS = {
    "eye": lambda: torch.eye(4),
    "cat": lambda: torch.cat([torch.ones(2), torch.ones(2)]),
    "repeat": lambda: torch.zeros(4, 4).repeat(3, 1, 1),
    "normal_": lambda: torch.nn.init.normal_(torch.empty(4, 4)),
    "Embedding": lambda: torch.nn.Embedding(4, 4),
    "Linear": lambda: torch.nn.Linear(4, 4),
    "xavier_uniform_": lambda: torch.nn.init.xavier_uniform_(torch.empty(4, 4)),
    "fill_diagonal_": diagonal,
}
before, start = len(sys.modules), time.perf_counter()
with torch.device(sys.argv[2]):
    WAYS[sys.argv[1]]()
seconds, new = time.perf_counter() - start, len(sys.modules) - before
found = [name for name in ("sympy", "torch._dynamo") if name in sys.modules]
print(f"{sys.argv[1]} on {sys.argv[2]}: {new} new modules, {seconds:.2f} s, imports {', '.join(found) or 'neither'}")
whole = ["sympy", "torch._dynamo"]
expected = {"repeat": ["sympy"], **dict.fromkeys(("eye", "cat", "normal_", "Embedding"), whole)}
assert found == (expected.get(sys.argv[1], []) if sys.argv[2] == "meta" else [])
PY
"$folder/venv/bin/python" -c 'import torch; print("torch", torch.__version__)'
for way in eye cat repeat normal_ Embedding Linear xavier_uniform_ fill_diagonal_; do
    "$folder/venv/bin/python" show.py $way meta
    "$folder/venv/bin/python" show.py $way cpu
done
