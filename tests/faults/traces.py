"""What calls leave behind: channels and bridges in Asterisk, sockets, files, tasks, processes and memory of the node.

Counted before and after every fault; only what has grown counts.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.support.asterisk import Asterisk
from tests.support.parley_process import ParleyProcess

MEMORY_GROWTH_MB = 16
"""Of the node, from before a fault to after it: caches fill, allocators keep what they had."""
MORE_DATABASE_FILES = 4
"""Connections that were cancelled while somebody held the lock: SQLite keeps a closed one's descriptor for the next
connection, as closing it would give up the process's locks on the file (POSIX)."""
_LISTENING = "0A"
"""A TCP socket's state in /proc (include/net/tcp_states.h)."""
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


ALLOWED = {"memory_mb": MEMORY_GROWTH_MB, "database_files": MORE_DATABASE_FILES}


@dataclass(frozen=True, slots=True)
class Traces:
    """Counts at one moment. Connections to ARI are left out: a bounded pool keeps them for the next request."""

    channels: int
    bridges: int
    pbx_audio_sockets: int
    """UDP, of Asterisk."""
    tasks: int
    """Of the node's event loop."""
    sockets: int
    files: int
    """Descriptors that are neither sockets nor the database's."""
    database_files: int
    processes: int
    """The node's children."""
    memory_mb: int


async def traces_of(pbx: Asterisk, node: ParleyProcess | None) -> Traces:
    """Count now. node: None while it does not run, then its counts are 0."""
    concise = await pbx.cli("core show channels concise")
    bridges = await pbx.bridges()
    pbx_targets, pbx_udp = _targets(pbx.pid), _inodes(pbx.pid, "udp")
    pid = node.pid if node is not None else 0
    targets = _targets(pid) if pid else []
    pooled = _inodes(pid, "tcp", to_port=pbx.ports.http) if pid else set()
    sockets = [target for target in targets if target.startswith("socket:") and target not in pooled]
    return Traces(
        channels=sum("!" in line for line in concise.splitlines()),
        bridges=len(bridges),
        pbx_audio_sockets=sum(target in pbx_udp for target in pbx_targets),
        tasks=int(await metric_of(node, "parley_tasks")) if node is not None else 0,
        sockets=len(sockets),
        files=sum(not target.startswith("socket:") and not _is_database(target) for target in targets),
        database_files=sum(map(_is_database, targets)),
        processes=len(children_of(pid)) if pid else 0,
        memory_mb=round(memory_mb(pid)) if pid else 0,
    )


def left_behind(before: Traces, after: Traces) -> list[str]:
    """Return what has grown, in words."""
    grown = []
    for field in fields(Traces):
        allowed = ALLOWED.get(field.name, 0)
        earlier, later = getattr(before, field.name), getattr(after, field.name)
        if later > earlier + allowed:
            grown.append(f"{field.name.replace('_', ' ')}: {earlier} before, {later} after")
    return grown


def _is_database(target: str) -> bool:
    return "/parley.db" in target


def memory_mb(pid: int) -> float:
    """Return a process's resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MB


def udp_ports_of(pid: int) -> list[int]:
    """Return the local ports of a process's UDP sockets."""
    own = set(_targets(pid))
    rows = [line.split() for line in _table(pid, "udp")]
    return sorted(int(row[1].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in own)


def listening_ports_of(pid: int) -> list[int]:
    """Return the TCP ports at which a process listens."""
    own = set(_targets(pid))
    rows = [line.split() for line in _table(pid, "tcp")]
    listening = [row for row in rows if row[3] == _LISTENING and f"socket:[{row[9]}]" in own]
    return sorted({int(row[1].rpartition(":")[2], 16) for row in listening})


async def metric_of(node: ParleyProcess, name: str, **labels: str) -> float:
    """Ask a node for one of its metrics. Raises KeyError when it has none of this name and these labels."""
    url = f"http://{node.http_host}:{node.http_port}/metrics"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        text = await answer.text()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    raise KeyError(name)


def children_of(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            children += [int(child) for child in (task / "children").read_text().split()]
    return children


def _targets(pid: int) -> list[str]:
    targets = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        # It may have been closed since it was listed.
        with suppress(FileNotFoundError):
            targets.append(os.readlink(descriptor))
    return targets


def _inodes(pid: int, protocol: str, to_port: int | None = None) -> set[str]:
    rows = [line.split() for line in _table(pid, protocol)]
    return {f"socket:[{row[9]}]" for row in rows if to_port is None or int(row[2].rpartition(":")[2], 16) == to_port}


def _table(pid: int, protocol: str) -> list[str]:
    """Return the rows of the sockets in the network of a process, IPv6 ones included."""
    return [
        line
        for name in (protocol, f"{protocol}6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
