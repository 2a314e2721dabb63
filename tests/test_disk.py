"""Atomic writes and locks, also when a process is killed."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spectralgpt.disk import atomic_write, locked, release_and_remove, write_refusal

HOLD = """
import sys, time
from pathlib import Path
from spectralgpt.disk import locked
lock = locked(Path(sys.argv[1]))
print("held" if lock else "refused", flush=True)
time.sleep(60 if lock else 0)
"""


@pytest.fixture
def another(root, tmp_path):
    """Starts another process that takes the lock, and returns it with what it said."""
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], str]:
        environment = {**os.environ, "PYTHONPATH": str(root / "src")}
        command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_lock_is_refused_to_others_until_its_process_is_killed(tmp_path, another):
    process, said = another()
    assert said == "held"
    assert locked(tmp_path / "lock") is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    lock = locked(tmp_path / "lock")  # the file is still there
    assert lock is not None
    assert another()[1] == "refused"
    assert locked(tmp_path / "lock") is None, "the same process took the lock twice"
    lock.release()
    assert another()[1] == "held"


def test_another_thread_can_release_a_lock(tmp_path):
    lock = locked(tmp_path / "lock")
    assert lock is not None
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    again = locked(tmp_path / "lock")
    assert again is not None
    release_and_remove(again)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_neither_holds_nor_releases_a_lock(tmp_path, root):
    # a process of its own, as torch's threads may run in this one
    code = f"""
import os, time
from pathlib import Path
from spectralgpt.disk import locked
path = Path({str(tmp_path / "lock")!r})
lock = locked(path)
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    lock.release()
    os.write(writing, b"x")
    time.sleep(60)
    os._exit(0)
os.read(reading, 1)
assert locked(path) is None, "the child released it"
lock.release()
again = locked(path)
assert again is not None, "the child holds it"
os.kill(child, 9)
os.waitpid(child, 0)
"""
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_that_outlives_its_parent_does_not_hold_its_lock(tmp_path, root):
    code = f"""
import os, time
from pathlib import Path
from spectralgpt.disk import locked
lock = locked(Path({str(tmp_path / "lock")!r}))
parent = os.getpid()
if os.fork() == 0:
    print(os.getpid(), flush=True)  # the child runs, and has let go of what it inherited
    os.kill(parent, 9)
    time.sleep(60)
    os._exit(0)
time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        assert process.wait() == -signal.SIGKILL
        lock = locked(tmp_path / "lock")
        assert lock is not None
        lock.release()
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()


def test_an_old_lock_file_does_no_harm(tmp_path):
    (tmp_path / "lock").touch()
    lock = locked(tmp_path / "lock")
    assert lock is not None
    lock.release()


@pytest.mark.parametrize("durable", [True, False])
def test_an_atomic_write_that_fails_leaves_the_old_file(tmp_path, durable):
    path = tmp_path / "a.json"
    with atomic_write(path, durable=durable) as file:
        file.write(b"old")
    with pytest.raises(TypeError), atomic_write(path, durable=durable) as file:
        file.writelines([b"ne", "w"])
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("what", ["a file", "below a file", "/proc/nothere"])
def test_folders_that_take_no_file(tmp_path, what):
    (tmp_path / "file").touch()
    folder = {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "deep" / "er"}.get(what, Path(what))
    assert isinstance(write_refusal(folder), OSError)


def test_a_folder_that_takes_files_is_made_and_stays_empty(tmp_path):
    assert write_refusal(tmp_path / "a" / "b") is None
    assert list((tmp_path / "a" / "b").iterdir()) == []
