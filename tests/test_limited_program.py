"""A program that reads what a stranger sent comes to its end in time, or is ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from mistralet.limited_program import LimitedProgram, ProgramError, run_limited


def run(tmp_path: Path, code: str, data: bytes = b"", seconds: float = 5.0) -> bytes:
    program = tmp_path / "program.py"
    program.write_text(f"import sys\n{code}\n")
    return asyncio.run(run_limited(str(program), data, seconds))


def test_what_it_writes_is_given_back(tmp_path: Path) -> None:
    code = "assert __name__ == '__main__'\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"
    assert run(tmp_path, code, bytes(1 << 20) + b"\xff") == b"\xff" + bytes(1 << 20)


@pytest.mark.parametrize("code", ["sys.exit(3)", "raise ValueError", "import os; os.abort()"])
def test_one_that_fails_is_told(tmp_path: Path, code: str) -> None:
    with pytest.raises(ProgramError):
        run(tmp_path, code)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
def test_one_that_takes_too_much_memory_fails(tmp_path: Path) -> None:
    with pytest.raises(ProgramError):
        run(tmp_path, "bytearray(3 << 30)")


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        run(tmp_path, "import time; time.sleep(60)", seconds=0.2)


def test_one_that_nobody_waits_for_any_more_is_ended(tmp_path: Path) -> None:
    program, told = tmp_path / "program.py", tmp_path / "pid"
    program.write_text(
        f"import os, pathlib, time\npathlib.Path({str(told)!r}).write_text(str(os.getpid()))\ntime.sleep(60)\n"
    )

    async def leave() -> None:
        task = asyncio.create_task(run_limited(str(program), b"", 30.0))
        while not told.is_file() or not told.read_text():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(leave())
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


class TestOneThatStays:
    ANSWERING = (
        "from mistralet.limited_program import answer_with\nheard = []\n"
        "def answer(question):\n    print('not an answer')\n    heard.append(question)\n    return b'|'.join(heard)\n"
    )

    def program(self, tmp_path: Path, code: str) -> LimitedProgram:
        path = tmp_path / "program.py"
        path.write_text(code)
        return LimitedProgram(str(path))

    def test_answers_one_question_after_the_other(self, tmp_path: Path) -> None:
        program = self.program(tmp_path, f"{self.ANSWERING}answer_with(answer)\n")
        with closing(program):
            assert [program.ask(question, 5) for question in (b"a", b"", b"c\n")] == [b"a", b"a|", b"a||c\n"]
            large = bytes(3 << 20)
            assert program.ask(large, 5) == b"a||c\n|" + large

    def test_has_its_seconds_for_each_question(self, tmp_path: Path) -> None:
        code = "import time\nfrom mistralet.limited_program import answer_with\n"
        code += "def answer(question):\n    time.sleep(float(question))\n    return b'ok'\nanswer_with(answer)\n"
        program = self.program(tmp_path, code)
        with closing(program):
            assert program.ask(b"0", 5) == b"ok"
            with pytest.raises(TimeoutError):
                program.ask(b"60", 0.2)
            with pytest.raises(ProgramError):  # it was ended
                program.ask(b"0", 5)

    @pytest.mark.parametrize("code", ["", "raise ValueError", "import os; os.abort()"])
    def test_one_that_fails_is_told(self, tmp_path: Path, code: str) -> None:
        with closing(self.program(tmp_path, code)) as program, pytest.raises(ProgramError):
            program.ask(b"", 5)

    def test_a_key_that_interrupts_the_caller_does_not_end_it(self, tmp_path: Path) -> None:
        code = "import os\nfrom mistralet.limited_program import answer_with\n"
        code += "answer_with(lambda _: str(os.getpid()).encode())\n"
        with closing(self.program(tmp_path, code)) as program:
            pid = program.ask(b"", 5)
            os.kill(int(pid), signal.SIGINT)  # a terminal sends it to both
            assert program.ask(b"", 5) == pid

    def test_one_whose_answer_nobody_waited_for_is_ended(self, tmp_path: Path) -> None:
        told = tmp_path / "pid"
        code = "import os, pathlib, time\nfrom mistralet.limited_program import answer_with\n"
        code += f"def answer(_):\n    pathlib.Path({str(told)!r}).write_text(str(os.getpid()))\n    time.sleep(60)\n"
        program = self.program(tmp_path, f"{code}answer_with(answer)\n")

        def interrupt() -> None:
            while not told.is_file() or not told.read_text():
                time.sleep(0.01)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        with closing(program):
            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                program.ask(b"", 30)
            thread.join()
            with pytest.raises(ProcessLookupError):
                os.kill(int(told.read_text()), 0)
            with pytest.raises(ProgramError):  # the next question gets no answer to this one
                program.ask(b"", 5)

    def test_one_of_several_threads_has_the_time_of_all(self, tmp_path: Path) -> None:
        code = "import resource\nfrom mistralet.limited_program import answer_with\n"
        code += "answer_with(lambda _: str(resource.getrlimit(resource.RLIMIT_CPU)[0]).encode(), threads=8)\n"
        with closing(self.program(tmp_path, code)) as program:
            assert 80 <= int(program.ask(b"", 10)) <= 90
