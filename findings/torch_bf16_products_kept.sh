#!/bin/sh
# torch 2.13.0, numpy 2.4.6; a CPU with AVX-512 BF16 or AMX (elsewhere the script says so, and ends).
#
# On such a CPU, torch.nn.Linear in bfloat16 keeps about 0.6 MB for every number of rows that it has ever seen, up to
# 1,024 of them, for each layer size: 700 MB for one layer of 192 x 768. Two caches hold on to it. The documented one,
# ONEDNN_PRIMITIVE_CACHE_CAPACITY, frees a third when it is set to 64, which looks as if something else leaked;
# LRU_CACHE_CAPACITY, of PyTorch's layer around oneDNN, frees a tenth; both together free 90 %, and cost no time that can
# be seen here. Both are read at the first product of a process. In float32, where MKL multiplies, nothing is kept.
#
# Why it matters: models of images see many sizes, and masked ones many numbers of visible tokens, so that the memory of
# a service, or of a scene that is computed window by window, grows for hours like a leak. Pad to few sizes, or set both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PY'
import sys
import time
from pathlib import Path

import torch


def resident():
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1]) / 1e6


torch.set_num_threads(1)
layer, tokens = torch.nn.Linear(192, 768), torch.randn(2000, 192)
with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=sys.argv[1] == "bfloat16"):
    layer(tokens[:1])
    before, start = resident(), time.perf_counter()
    for rows in range(2, 1000):
        layer(tokens[:rows])
print(f"{resident() - before:.0f} {time.perf_counter() - start:.1f}")
PY
"$folder/venv/bin/python" -c 'import torch; print("torch", torch.__version__)'
if ! grep -qE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then
    echo "this CPU does not multiply bfloat16: nothing to see"
    exit 0
fi
measured() {
    name=$1
    type=$2
    shift 2
    found=$(env "$@" "$folder/venv/bin/python" show.py "$type")
    set -- $found
    echo "$name: $1 MB more after 998 numbers of rows, in $2 s"
    kept=$1
}
measured "float32" float32 A=1
plain=$kept
measured "bfloat16" bfloat16 A=1
all=$kept
measured "bfloat16, ONEDNN_PRIMITIVE_CACHE_CAPACITY=64" bfloat16 ONEDNN_PRIMITIVE_CACHE_CAPACITY=64
one=$kept
measured "bfloat16, LRU_CACHE_CAPACITY=64" bfloat16 LRU_CACHE_CAPACITY=64
other=$kept
measured "bfloat16, both" bfloat16 ONEDNN_PRIMITIVE_CACHE_CAPACITY=64 LRU_CACHE_CAPACITY=64
both=$kept
test "$plain" -lt 60
test "$all" -gt 400
test "$one" -gt $((all / 2))
test "$other" -gt $((all / 2))
test "$both" -lt $((all / 4))
