"""`run_python` runs code, and the code can reach nothing else."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistralet.agents.builtin import python, sandbox, scratch
from mistralet.errors import ToolError

pytestmark = pytest.mark.skipif(
    sandbox.landlock_version() < sandbox.LEAST_LANDLOCK, reason="needs Linux 6.2 with Landlock"
)


def run(code: str) -> str:
    return asyncio.run(python.run_python(code))


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("print('é')\n1 + 1", "é\n2"),
        ("None", "[Nothing was printed.]"),
        ("", "[Nothing was printed.]"),
        ("import sys; print('a'); print('b', file=sys.stderr)", "a\nb"),
        ("import sys; sys.exit(3)", "[It ended with status 3.]"),
        ("open('a', 'w').write('x'); import os; os.listdir('.')", "['a']"),
        ("import threading; t = threading.Thread(target=lambda: print(1)); t.start(); t.join()", "1"),
        ("import asyncio; asyncio.run(asyncio.sleep(0, 5))", "5"),
        ("import sqlite3; sqlite3.connect('a.db').execute('create table t(a)').fetchall()", "[]"),
        (
            "import os; sorted(os.environ.keys() - {'HOME', 'TMPDIR', 'LC_CTYPE'})",
            "['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS']",
        ),
        ("input()", "EOFError: EOF when reading a line\n[It ended with status 1.]"),
        ("__name__", "'__main__'"),
    ],
)
def test_code_runs(code: str, printed: str) -> None:
    assert run(code).endswith(printed)


def test_an_error_shows_the_code_and_nothing_of_the_sandbox() -> None:
    told = run("def f():\n    return 1 / 0\nf()")
    assert 'File "<code>", line 2, in f' in told
    assert "return 1 / 0" in told
    assert "sandbox.py" not in told
    assert "SyntaxError" in run("def f(:")


ESCAPES = {
    "read a file": "open('/etc/passwd').read()",
    "read a file of the user": "open({secret!r}).read()",
    "list a folder": "import os; os.listdir({folder!r})",
    "write a file": "open({folder!r} + '/new', 'w')",
    "write over a file": "open({secret!r}, 'w')",
    "cut a file": "import os; os.truncate({secret!r}, 0)",
    "cut a file that may be read": "import os; os.open(os.__file__, os.O_RDONLY | os.O_TRUNC)",
    "remove a file": "import os; os.remove({secret!r})",
    "move a file here": "import os; os.rename({secret!r}, 'mine')",
    "link to a file": "import os; os.link({secret!r}, 'mine')",
    "read through a link": "import os; os.symlink({secret!r}, 'mine'); open('mine').read()",
    "climb out": "open('../' * 20 + 'etc/passwd').read()",
    "read memory": "open('/proc/self/mem', 'rb')",
    "see processes": "import os; os.listdir('/proc')",
    "see another's environment": "import os; open(f'/proc/{{os.getppid()}}/environ').read()",
    "change permissions": "import os; os.chmod({secret!r}, 0o777)",
    "change times": "import os; os.utime({secret!r}, (0, 0))",
    "set an attribute": "import os; os.setxattr({secret!r}, 'user.a', b'1')",
    "make a device": "import os, stat; os.mknod('d', stat.S_IFCHR | 0o600, os.makedev(1, 1))",
    "mount": "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); "
    "r = c.mount(b'none', b'.', b'tmpfs', 0, None); r and (_ for _ in ()).throw(PermissionError(ctypes.get_errno()))",
    "open a connection": "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
    "open a datagram socket": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "reach a local service": "import socket; socket.socket(socket.AF_UNIX)",
    "look at the network": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "start a program": "import subprocess; subprocess.run(['/bin/ls'])",
    "replace itself": "import os; os.execv('/bin/ls', ['ls'])",
    "fork": "import os; os.fork()",
    "start a worker": "import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
    "kill the program": "import os; os.kill(os.getppid(), 9)",
    "kill all": "import os; os.kill(-1, 9)",
    "outlive the program": "import ctypes; c = ctypes.CDLL(None, use_errno=True); "
    "r = c.prctl(1, 0, 0, 0, 0); r and (_ for _ in ()).throw(PermissionError(ctypes.get_errno()))",
    "raise a limit": "import resource as r; r.setrlimit(r.RLIMIT_CPU, (1000, 1000))",
    "change another's limits": "import os, resource as r; r.prlimit(os.getppid(), r.RLIMIT_NOFILE, (0, 0))",
    "read another's limits": "import os, resource as r; r.prlimit(os.getppid(), r.RLIMIT_NOFILE)",
    "change priorities": "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "choose processors": "import os; os.sched_setaffinity(os.getppid(), [0])",
    "become another": "import os; os.setuid(12345)" if os.geteuid() == 0 else "import os; os.setuid(0)",
    "take much memory": "'a' * (4 << 30)",
    "write a large file": "f = open('a', 'wb')\nwhile True: f.write(bytes(1 << 20)); f.flush()",
    "open many files": "f = [open('/dev/null') for _ in range(100)]",
}


@pytest.mark.parametrize("code", ESCAPES.values(), ids=list(ESCAPES))
def test_it_cannot(code: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = run(code.format(secret=str(secret), folder=str(tmp_path), port=server.getsockname()[1]))
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "[It ended with status 1.]" in told, told
    assert told.splitlines()[-2].startswith(("PermissionError", "OSError", "ValueError", "MemoryError")), told
    assert "the secret" not in told
    assert "root:" not in told
    assert secret.read_text() == "the secret"
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]
    assert secret.stat().st_mtime > 1


def test_raw_system_calls_are_refused_too() -> None:
    """Among them those that came to Linux later, and those of x86_64's other numbering."""
    numbers = [435, 463, 466, 469, 1000, 0x40000000 + 41, *({41, 57, 425} if sys.byteorder == "little" else ())]
    if os.uname().machine != "x86_64":
        pytest.skip("numbers of x86_64")
    code = f"import ctypes; c = ctypes.CDLL(None)\n[c.syscall(n, 0, 0, 0, 0, 0, 0) for n in {numbers}]"
    assert run(code) == str([-1] * len(numbers))


def test_it_is_stopped_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "_SECONDS", 0.5)
    assert run("print('begun', flush=True)\nimport time; time.sleep(60)") == (
        "begun\n[Stopped: it runs for more than 0.5 seconds.]"
    )


def test_it_is_stopped_when_it_computes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(python._LIMITS, "CPU", 1)
    assert run("import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass") == (
        "[Stopped: it computes for too long.]"
    )


def test_it_is_stopped_when_it_fills_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "_MOST_WRITTEN", 1_000_000)
    monkeypatch.setattr(python, "_LOOK_EVERY", 0.02)
    code = "import time\nfor n in range(3): open(f'{n}', 'wb').write(bytes(500_000))\ntime.sleep(60)"
    assert run(code) == "[Stopped: it writes more than 1,000,000 bytes or 10,000 files and folders.]"


MANY = {
    "files": "for n in range(200): open(f'{n}', 'w').close()",
    "folders": "import os\nfor n in range(200): os.mkdir(f'{n}')",
    "folders in folders": "import os\nfor n in range(2100): os.mkdir('a'); os.chdir('a')",
    "a folder that cannot be listed": "import os\nos.mkdir('a', 0)\nfor n in range(101): os.mkdir(f'{n}')",
}


@pytest.mark.parametrize("code", MANY.values(), ids=list(MANY))
def test_it_is_stopped_when_it_makes_many_files_or_folders(
    code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(python, "_MOST_ENTRIES", 100)
    monkeypatch.setattr(python, "_LOOK_EVERY", 0.02)
    assert run(f"{code}\nimport time; time.sleep(60)").endswith("or 100 files and folders.]")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", MANY.values(), ids=list(MANY))
def test_what_a_program_leaves_is_removed(code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path))
    run(code)
    assert list(tmp_path.iterdir()) == []


def test_much_output_keeps_its_beginning_and_end() -> None:
    told = run("print('first'); print('x' * 1_000_000); print('last')")
    assert told.startswith("first\nxxx")
    assert told.endswith("xxx\nlast")
    assert "bytes are left out" in told
    assert len(told) < 17_000


def test_binary_output_is_text() -> None:
    assert run("import sys; sys.stdout.buffer.write(bytes([0xff, 0xfe, 65]))").startswith("\ufffd\ufffdA")


def test_a_call_that_is_given_up_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path))

    async def give_up() -> None:
        task = asyncio.create_task(python.run_python("open('here', 'w'); import time; time.sleep(60)"))
        until = time.monotonic() + 20
        while not list(tmp_path.glob("*/here")) and time.monotonic() < until:
            await asyncio.sleep(0.01)
        assert list(tmp_path.glob("*/here"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_the_program_and_the_next_run_removes_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import os, time; print(os.getpid(), file=open('part', 'w')); os.rename('part', 'here'); time.sleep(60)"
    program = (
        "import asyncio, sys\nfrom mistralet.agents.builtin import python\nasyncio.run(python.run_python(sys.argv[1]))"
    )
    started = subprocess.Popen([sys.executable, "-c", program, code], env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        [here] = wait_until(lambda: list(tmp_path.glob("*/here")))
    finally:
        started.kill()
        started.wait()
    status = Path(f"/proc/{here.read_text().strip()}/stat")
    assert wait_until(lambda: not status.exists() or status.read_text().split()[2] == "Z")

    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path))
    run("")
    assert here.exists()  # it could be one that was just made
    os.utime(here.parent, (0, 0))
    run("")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_run_that_goes_on_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path))

    async def two() -> None:
        async with scratch.scratch_folder() as first:
            os.utime(first, (0, 0))
            async with scratch.scratch_folder() as second:
                assert sorted(tmp_path.iterdir()) == sorted([first, second])

    asyncio.run(two())
    assert list(tmp_path.iterdir()) == []


def wait_until(found: Callable[[], Any]) -> Any:
    until = time.monotonic() + 20
    while not (value := found()) and time.monotonic() < until:
        time.sleep(0.01)
    return value


def test_code_that_is_too_long_is_not_run() -> None:
    with pytest.raises(ToolError, match="at most 100,000"):
        run("1\n" * 60_000)


def test_where_it_cannot_be_held_in_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "landlock_version", lambda: 2)
    with pytest.raises(ToolError, match=r"needs Linux 6\.2"):
        python.python_tools("")
