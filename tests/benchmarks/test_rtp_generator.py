"""The generator's accounts: what a server loses, repeats and answers is what the generator says."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.native_library import program

CALLS = 4
FRAMES = 40
SPEECH_FRAMES = 10
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


class Server(threading.Thread):
    """Sends back what comes, but nothing of every 10th packet of a call and every 10th + 5 twice."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        self.ending = False
        self.counts: dict[tuple[str, int], int] = {}
        self.dropped = self.doubled = 0

    def run(self) -> None:
        while not self.ending:
            try:
                packet, peer = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            number = self.counts.get(peer, 0)
            self.counts[peer] = number + 1
            # The first and the last are sent back: what lies outside of them cannot be missed.
            if number % 10 == 3:
                self.dropped += 1
                continue
            self.socket.sendto(packet, peer)
            if number % 10 == 5:
                self.doubled += 1
                self.socket.sendto(packet, peer)


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the server."""
    running = Server()
    running.start()
    yield running
    running.ending = True
    running.join()
    running.socket.close()


def generate(server: Server, speech: Path, words_ms: int) -> dict[str, float]:
    """Let the generator call the server and return its report."""
    words = ["-1", str(CALLS), str(FRAMES * 0.02), "0", str(speech), str(words_ms)]
    port = server.socket.getsockname()[1]
    done = subprocess.run(
        [str(program("rtp_generator")), *words],
        input=f"127.0.0.1 1 {port}\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    report: dict[str, float] = json.loads(done.stdout.splitlines()[1])
    return report


def test_generator_counts_every_packet_lost_and_every_one_repeated(server: Server, tmp_path: Path) -> None:
    speech = tmp_path / "speech.ulaw"
    speech.write_bytes(b"\x20" * 160 * SPEECH_FRAMES)
    report = generate(server, speech, 0)
    assert report["sent"] == CALLS * FRAMES
    assert sum(server.counts.values()) == CALLS * FRAMES
    assert report["lost"] == server.dropped == CALLS * FRAMES // 10
    assert report["duplicate"] == server.doubled == CALLS * FRAMES // 10
    assert report["received"] == CALLS * FRAMES
    assert report["reordered"] == report["strays"] == 0
