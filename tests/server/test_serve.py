"""A server as a user starts it, with a real model: callers who go away, sleep, or see it end."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import pytest
from openai import OpenAI

from support.served import SECONDS, Served, serving, settled

ENDLESS: dict[str, Any] = {"prompt": "Once upon a time", "max_tokens": 3000, "ignore_eos": True, "temperature": 1}
ENDLESS["repetition_policy"] = "off"


@contextmanager
def streaming(served: Served, **facts: Any) -> Iterator[Iterator[str]]:
    """The lines of an endless answer, of which the first is there."""
    body = ENDLESS | {"stream": True} | facts
    with httpx2.stream("POST", f"{served.url}/v1/completions", json=body, timeout=SECONDS) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        next(lines)
        yield lines


def is_idle(served: Served) -> bool:
    figures = served.figures()
    return figures["mistralet_answers_running"] == 0 and figures["mistralet_kv_cache_usage_ratio"] == 0


@pytest.fixture
def client(served: Served) -> OpenAI:
    return OpenAI(api_key="none", base_url=f"{served.url}/v1", max_retries=0, timeout=SECONDS)


def test_it_answers(client: OpenAI) -> None:
    (choice,) = client.completions.create(
        model="", prompt="The capital of France is", max_tokens=3, temperature=0
    ).choices
    assert choice.text == " Paris.\n"
    stream = client.chat.completions.create(
        model="", messages=[{"role": "user", "content": "Say hi"}], max_tokens=20, seed=1, stream=True
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    again = client.chat.completions.create(
        model="", messages=[{"role": "user", "content": "Say hi"}], max_tokens=20, seed=1
    )
    assert text
    assert again.choices[0].message.content == text


def test_an_answer_fits_what_it_must(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="",
        messages=[{"role": "user", "content": "Yes or no?"}],
        extra_body={"structured_outputs": {"choice": ["perhaps", "certainly"]}},
    )
    assert answer.choices[0].message.content in ("perhaps", "certainly")
    with pytest.raises(openai.BadRequestError, match="The regex cannot be read"):
        client.completions.create(model="", prompt="a", stream=True, extra_body={"guided_regex": "(("})


def test_texts_become_vectors(client: OpenAI) -> None:
    vectors = [each.embedding for each in client.embeddings.create(model="", input=["a cat", "a dog", "a cat"]).data]
    assert len(vectors[0]) == 576
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-6)

    def likeness(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert likeness(vectors[0], vectors[0]) == pytest.approx(1, abs=1e-5)
    assert likeness(vectors[0], vectors[1]) < 0.999


def test_a_caller_who_goes_away_leaves_nothing_behind(served: Served) -> None:
    with streaming(served):
        assert served.figures()["mistralet_answers_running"] == 1
    settled(lambda: is_idle(served))
    # A stream writes, and so would notice; who waits for the whole is noticed, too.
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{served.url}/v1/completions", json=ENDLESS, timeout=httpx2.Timeout(SECONDS, read=0.3))
    settled(lambda: is_idle(served))
    assert [line["status"] for line in served.lines()[-2:]] == [200, 499]


def test_a_caller_who_does_not_read_holds_nobody(served: Served, client: OpenAI) -> None:
    place = urlsplit(served.url)
    assert place.hostname
    assert place.port
    with socket.create_connection((place.hostname, place.port)) as sleeper:
        body = b'{"prompt": "a", "max_tokens": 2000, "ignore_eos": true, "stream": true, "n": 4, "temperature": 1}'
        head = f"POST /v1/completions HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
        sleeper.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        settled(lambda: served.figures()["mistralet_answers_running"] == 4)
        for _ in range(3):
            assert client.completions.create(model="", prompt="b", max_tokens=2).usage
    settled(lambda: is_idle(served))


def test_a_worker_that_is_killed_is_replaced(served: Served, client: OpenAI) -> None:
    with streaming(served) as lines:
        served.worker.kill()
        assert any("was killed" in line for line in lines)
    assert client.completions.create(model="", prompt="b", max_tokens=2).choices[0].text
    assert served.figures()["mistralet_engine_restarts"] == 1
    assert httpx2.get(f"{served.url}/ready").json()["status"] == "ready"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    name = "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    command = [openssl, *kind.split(), *name.split(), "-out", files[0], "-keyout", files[1]]
    subprocess.run(command, check=True, capture_output=True)
    return files


def test_told_to_end_it_lets_short_answers_end(tiny_path: Path, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    keys = tmp_path / "keys"
    keys.write_text("secret\n")
    settings = tmp_path / "settings.toml"
    settings.write_text(f'grace_seconds = 1.5\napi_key_file = "{keys}"\nserved_name = "mine"\n')
    arguments = (tiny_path, "--kv-tokens", 8192, "--config", settings)
    tls = ("--tls-certificate", certificate[0], "--tls-key", certificate[1])
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with serving(tmp_path / "log", *arguments, *tls) as served, ThreadPoolExecutor() as pool:
        assert served.url.startswith("https://")
        http = httpx2.Client(verify=context, timeout=SECONDS, headers={"Authorization": "Bearer secret"})
        assert http.get(f"{served.url}/v1/models").json()["data"][0]["id"] == "mine"
        begun = threading.Barrier(3)

        def read(max_tokens: int) -> list[str]:
            body = ENDLESS | {"stream": True, "max_tokens": max_tokens}
            with http.stream("POST", f"{served.url}/v1/completions", json=body) as answer:
                lines = answer.iter_lines()
                told = [next(lines)]
                begun.wait()
                return told + list(lines)

        short, long = pool.submit(read, 12), pool.submit(read, 6000)
        begun.wait()
        served.process.terminate()
        told = [line for line in short.result() if line]
        assert '"finish_reason":"length"' in told[-2]
        assert told[-1] == "data: [DONE]"
        assert "The engine was closed" in "".join(long.result())
        assert served.process.wait(SECONDS) == 0
        with pytest.raises(httpx2.ConnectError):
            http.get(f"{served.url}/health")


def test_the_documentations_example_runs(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "server.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    exec(compile(code.replace("http://127.0.0.1:8000", served.url), "server.md", "exec"), {})
    assert len(capsys.readouterr().out.split()) > 1
