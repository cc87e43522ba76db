"""The download path, through a server on this machine: whole and verified, or not at all."""

import hashlib
import os
import re
import shutil
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ganref.data import download
from ganref.data.download import File, fetch
from ganref.spec.errors import UserError

CONTENT = np.random.default_rng(0).bytes(300_000)
CHECKSUM = "sha1:" + hashlib.sha1(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `CONTENT` at any path; the path's first word says how badly.

    `/cut-N/…` breaks off after N bytes unless asked to go on, `/cutting/…` always after 10,000,
    `/norange/…` knows no ranges, `/other/…` serves other bytes, `/missing/…` nothing.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{behaviour}/data.bin"

    @property
    def ranges(self) -> list[str | None]:
        return [given for _, given in self.requests]


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None: ...

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        behaviour = self.path.split("/")[1]
        given = self.headers.get("Range")
        self.server.requests.append((behaviour, given))
        if behaviour == "missing":
            self.send_error(404)
            return
        body = CONTENT[::-1] if behaviour == "other" else CONTENT
        start = 0
        if given and behaviour != "norange":
            start = int(re.fullmatch(r"bytes=(\d+)-", given).group(1))  # type: ignore[union-attr]
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        stop = len(body)
        if behaviour == "cutting":
            stop = start + 10_000
        elif behaviour.startswith("cut-") and not start:
            stop = int(behaviour[4:])
        self.wfile.write(body[start:stop])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def file(server: Server, *behaviours: str) -> File:
    return File("data.bin", CHECKSUM, tuple(server.url(b) for b in behaviours))


def left(folder: Path) -> set[str]:
    """What lies in the cache, but for the empty lock."""
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_good_download_is_placed_once(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        path = fetch(file(server, "good"), tmp_path)
        assert path.read_bytes() == CONTENT
    assert left(tmp_path) == {"data.bin"}
    assert len(server.requests) == 1


def test_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wrong checksum") as caught:
        fetch(file(server, "other"), tmp_path)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == set()


@pytest.mark.parametrize("bad", ["other", "missing", "cutting"])
def test_mirror_is_tried(server: Server, tmp_path: Path, bad: str) -> None:
    assert fetch(file(server, bad, "good"), tmp_path).read_bytes() == CONTENT
    assert [b for b, _ in server.requests if b == "good"]
    assert left(tmp_path) == {"data.bin"}


def test_cut_download_is_resumed(server: Server, tmp_path: Path) -> None:
    assert fetch(file(server, "cut-123456"), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=123456-"]


def test_cut_download_is_resumed_by_the_next_run(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cut off"):
        fetch(file(server, "cutting"), tmp_path)
    assert left(tmp_path) == {"data.bin.part"}
    got = 10_000 * download.TRIES
    assert (tmp_path / "data.bin.part").read_bytes() == CONTENT[:got]
    assert fetch(file(server, "good"), tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={got}-"


def test_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(file(server, "norange"), tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 1


@pytest.mark.parametrize("size", [1000, len(CONTENT), len(CONTENT) + 5])
def test_part_of_another_file_is_not_trusted(server: Server, tmp_path: Path, size: int) -> None:
    (tmp_path / "data.bin.part").write_bytes(bytes(size))
    assert fetch(file(server, "good"), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={size}-", None]


def test_whole_part_needs_no_second_download(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    assert fetch(file(server, "good"), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_interrupted_download_leaves_no_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting:
        def update(self, n: int) -> None:
            raise KeyboardInterrupt

        def close(self) -> None: ...

    with monkeypatch.context() as patch:
        patch.setattr(download, "progress_bar", lambda *args: Interrupting())
        with pytest.raises(KeyboardInterrupt):
            fetch(file(server, "good"), tmp_path)
    assert left(tmp_path) == {"data.bin.part"}
    assert fetch(file(server, "good"), tmp_path).read_bytes() == CONTENT


def test_tampered_file_in_the_cache_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(CONTENT[:-1] + b"x")
    assert fetch(file(server, "good"), tmp_path).read_bytes() == CONTENT


def test_all_mirrors_dead(server: Server, tmp_path: Path) -> None:
    with Server() as closed:
        nowhere = closed.url("good")
    dead = File("data.bin", CHECKSUM, (server.url("missing"), nowhere, "http://"))
    with pytest.raises(UserError) as caught:
        fetch(dead, tmp_path)
    message = str(caught.value)
    assert "404 Not Found" in message and f"{nowhere}: no answer" in message
    assert "\n" not in message and str(tmp_path) in message
    assert left(tmp_path) == set()


def test_only_one_of_two_at_a_time_downloads(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    threads = [
        threading.Thread(target=fetch, args=(file(server, "good"), tmp_path, False))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="set GANREF_DATA"):
        fetch(file(server, "good"), tmp_path / "file" / "mnist")


# What is wrong with the way there is said


def certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) that nobody has signed but itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@pytest.fixture
def secure(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Path]]:
    """(the address of a server with a certificate of its own, the certificate)."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with Server() as behind:
        behind.socket = context.wrap_socket(behind.socket, server_side=True)
        thread = threading.Thread(target=behind.serve_forever, args=(0.01,))
        thread.start()
        yield behind.url("good").replace("http:", "https:"), cert
        behind.shutdown()
        thread.join()


def reason(url: str, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        fetch(File("data.bin", CHECKSUM, (url,)), folder, progress=False)
    assert "\n" not in str(caught.value) and left(folder) == set()
    return str(caught.value)


def test_certificate_that_nobody_signed(
    secure: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, cert = secure
    said = reason(url, tmp_path / "cache")
    assert "self-signed certificate" in said and "REQUESTS_CA_BUNDLE" in said
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert))
    assert fetch(File("data.bin", CHECKSUM, (url,)), tmp_path / "cache").read_bytes() == CONTENT


@pytest.mark.parametrize("exists", [True, False])
def test_certificates_that_cannot_be_read(
    secure: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    bundle = tmp_path / "bundle.pem"
    if exists:
        bundle.write_text("no certificate")
    for name in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(bundle))
        said = reason(secure[0], tmp_path / "cache")
        assert f"no certificates can be read from {bundle}; correct or unset {name}" in said


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_is_not_there(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with Server() as closed:
        port = closed.server_address[1]
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://me:secret@127.0.0.1:{port}")
    monkeypatch.setenv(f"{scheme}_proxy", f"http://me:secret@127.0.0.1:{port}")
    said = reason(f"{scheme}://data.example/data.bin", tmp_path)
    assert f"no answer through the proxy 127.0.0.1:{port}" in said and "secret" not in said


@pytest.mark.parametrize("proxy", ["nonsense://x", "http://[", "socks5://127.0.0.1:1"])
def test_proxy_that_is_no_address(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    assert "wrong checksum" not in reason("http://data.example/data.bin", tmp_path)


# What is left behind


@pytest.mark.parametrize("begun", [b"", CONTENT[:1000], b"x" * 1000, CONTENT + b"x"])
def test_part_that_can_never_become_the_file_is_removed(
    server: Server, tmp_path: Path, begun: bytes
) -> None:
    if begun:
        (tmp_path / "data.bin.part").write_bytes(begun)
    with pytest.raises(UserError, match="wrong checksum"):
        fetch(file(server, "other"), tmp_path)
    assert left(tmp_path) == set()


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_downloads_have_the_mode_that_the_umask_gives(
    server: Server, tmp_path: Path, mask: int
) -> None:
    before = os.umask(mask)
    try:
        path = fetch(file(server, "good"), tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
