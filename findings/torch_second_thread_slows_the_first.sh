#!/bin/sh
# torch 2.13.0 (CPU build for Linux, GNU's OpenMP), numpy 2.4.6; needs two cores or more.
#
# torch computes one operation with several threads by OpenMP, and each thread of a program that calls torch gets helpers
# of its own. As soon as a second thread has computed anything in this way, the first thread's operations take longer,
# even while the second one does nothing: with more helpers than cores, GNU's OpenMP no longer lets them look for the
# next piece of work for a moment, but sends them to sleep after each operation. This ends with the second thread.
# torch.set_num_threads is no remedy, as it counts for the whole process; omp_set_num_threads of the library, called in
# the second thread, is one.
#
# Why it matters: reading and preparing the next batch in a thread beside the model is a usual way to save time. One
# small torch operation in that thread, such as a conversion, can cost the model more than the thread saves.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PY'
import ctypes
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import torch

cores = len(os.sched_getaffinity(0))
print("torch", torch.__version__, "cores", cores)
assert cores > 1, "one core: nothing to see"
torch.set_num_threads(cores)
values = torch.ones(200_000)


def microseconds() -> float:
    """Of an operation that is divided among the threads: the median of many."""
    taken = []
    for _ in range(3000):
        start = time.perf_counter()
        values.add(1.0)
        taken.append(time.perf_counter() - start)
    return 1e6 * statistics.median(taken)


def alone() -> None:
    torch.get_num_threads()
    ctypes.CDLL(None).omp_set_num_threads(1)
    values.add(1.0)


microseconds()
found = {"one thread": microseconds()}
with ThreadPoolExecutor(1) as second:
    second.submit(alone).result()
    found["beside a second one that computes without helpers"] = microseconds()
with ThreadPoolExecutor(1) as second:
    second.submit(values.add, 1.0).result()
    found["beside a second one that computed once and waits"] = microseconds()
found["after it ended"] = microseconds()
for when, taken in found.items():
    print(f"{when}: {taken:.0f} us")
first, without, beside, after = found.values()
assert beside > 1.3 * max(first, without, after)
PY
for name in OMP_NUM_THREADS OMP_WAIT_POLICY GOMP_SPINCOUNT; do unset $name; done
"$folder/venv/bin/python" show.py
