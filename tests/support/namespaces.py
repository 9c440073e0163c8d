"""Linux namespaces of the tests' own: a network whose links can be cut, a folder whose disk can be filled.

A namespace lives as long as a process of ours that sleeps in it: nothing is left behind, however a test ends. Root is
needed; where there is none, `require_namespaces` leaves the calling test out.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_PROGRAMS = ("unshare", "nsenter", "setpriv", "ip", "mount")
_KINDS = {"net": "--net", "mnt": "--mount"}
_START_TIMEOUT_S = 5.0


class NamespaceFailed(RuntimeError):
    """A command in a namespace failed; the message holds what it said."""


def require_namespaces() -> None:
    """Skip the calling test where namespaces cannot be made, saying why."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"network namespaces: {', '.join(missing)} missing (util-linux, iproute2)")
    made = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no namespaces of our own (root is needed): {made.stderr.strip()}")


class Namespace:
    """A network namespace (`net`) or mount namespace (`mnt`): `async with Namespace("net") as place`."""

    def __init__(self, kind: str, life_s: int = 900) -> None:
        """life_s: after which it ends by itself."""
        self._kind = kind
        self._life_s = life_s
        self._holder: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Of the process that holds it. Raises NamespaceFailed when there is none."""
        if self._holder is None or self._holder.returncode is not None:
            raise NamespaceFailed("the namespace is not open")
        return self._holder.pid

    @property
    def prefix(self) -> tuple[str, ...]:
        """The beginning of a command line that runs the rest of it inside."""
        return ("nsenter", "--target", str(self.pid), _KINDS[self._kind])

    def path(self, inside: Path) -> Path:
        """Return where a file of the namespace is seen from outside."""
        return Path(f"/proc/{self.pid}/root") / inside.relative_to("/")

    async def __aenter__(self) -> Self:
        self._holder = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL", "unshare", _KINDS[self._kind], "sleep", str(self._life_s)),
            stdin=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(_START_TIMEOUT_S):
            while _identity(self.pid, self._kind) == _identity(os.getpid(), self._kind):
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        holder, self._holder = self._holder, None
        if holder is not None:
            with suppress(ProcessLookupError):
                holder.kill()
            await holder.wait()

    async def run(self, *command: str) -> None:
        """Run a command inside. Raises NamespaceFailed."""
        process = await asyncio.create_subprocess_exec(
            *self.prefix, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise NamespaceFailed(f"{' '.join(command)}: {output.decode(errors='replace').strip()}")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread, and what it starts, live inside; sockets that it has stay where they were opened."""
        with open(f"/proc/self/ns/{self._kind}") as home, open(f"/proc/{self.pid}/ns/{self._kind}") as inside:
            _move(inside.fileno())
            try:
                yield
            finally:
                _move(home.fileno())


@dataclass(frozen=True, slots=True)
class Link:
    """A wire of its own between the PBX's network and the node's."""

    name: str
    number: int

    @property
    def pbx_host(self) -> str:
        """Address of its end at the PBX."""
        return f"10.77.{self.number}.1"

    @property
    def node_host(self) -> str:
        """Address of its end at the node."""
        return f"10.77.{self.number}.2"

    def station(self, end: int) -> str:
        """Return the Ethernet address of end 1 (PBX) or 2 (node); end 255 is nobody's."""
        return f"02:00:00:77:{self.number:02x}:{end:02x}"


class Network:
    """Two network namespaces, the PBX's and the node's, with a link for each purpose; `open_network` makes it."""

    def __init__(self, pbx: Namespace, node: Namespace, links: Mapping[str, Link]) -> None:
        self.pbx = pbx
        self.node = node
        self.links = links

    async def cut(self, name: str) -> None:
        """Lose everything on a link, both ways and without a word to either end, as a fault in a switch does.

        Each end sends to a station that is not there. `ip link set down` would tell the programs at once.
        """
        await self._point(self.links[name], pbx_to=255, node_to=255)

    async def mend(self, name: str) -> None:
        """Let a link carry again. A link that was not cut stays as it is."""
        await self._point(self.links[name], pbx_to=2, node_to=1)

    async def lay(self, link: Link) -> None:
        """Put a link into its place."""
        peer = ("peer", "name", link.name, "netns", str(self.node.pid))
        await self.pbx.run("ip", "link", "add", link.name, "type", "veth", *peer)
        for place, end, host in ((self.pbx, 1, link.pbx_host), (self.node, 2, link.node_host)):
            await place.run("ip", "address", "add", f"{host}/30", "dev", link.name)
            await place.run("ip", "link", "set", link.name, "address", link.station(end), "up")
        await self.mend(link.name)

    async def _point(self, link: Link, *, pbx_to: int, node_to: int) -> None:
        for place, host, end in ((self.pbx, link.node_host, pbx_to), (self.node, link.pbx_host, node_to)):
            station = ("lladdr", link.station(end), "dev", link.name, "nud", "permanent")
            await place.run("ip", "neighbour", "replace", host, *station)


@asynccontextmanager
async def open_network(*names: str) -> AsyncIterator[Network]:
    """Make a network with links of these names; nothing of it outlives the block, or this process."""
    links = {name: Link(name, number) for number, name in enumerate(names, 1)}
    async with Namespace("net") as pbx, Namespace("net") as node:
        network = Network(pbx, node, links)
        for place in (pbx, node):
            await place.run("ip", "link", "set", "lo", "up")
        for link in links.values():
            await network.lay(link)
        yield network


def _identity(pid: int, kind: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def _move(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0) != 0:
        number = ctypes.get_errno()
        raise NamespaceFailed(f"setns: {os.strerror(number)}")
