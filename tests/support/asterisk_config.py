"""Make a private run folder for an Asterisk out of the repository's own configuration.

The files of `asterisk_conf/` and `dialplans/asterisk/` are taken as they stand; only addresses, ports, folders
and the ARI password are set anew, so the tests run what an admin installs.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.asterisk_program import REPOSITORY, AsteriskProgram

CONFIGURATION = REPOSITORY / "asterisk_conf"
DIALPLANS = REPOSITORY / "dialplans" / "asterisk"
TEST_OVERLAY = Path(__file__).parent / "asterisk_conf"

_FIRST_BLOCK, _LAST_BLOCK, _BLOCK_SIZE = 20_000, 32_000, 600
"""Below the range from which the system takes ephemeral ports."""


@dataclass(frozen=True, slots=True)
class PortBlock:
    """A stretch of ports that one instance has for itself; the lock holds it against other processes."""

    first: int
    lock: socket.socket

    @property
    def http(self) -> int:
        """TCP, for ARI."""
        return self.first + 1

    @property
    def sip(self) -> int:
        """UDP."""
        return self.first + 2

    @property
    def carrier(self) -> int:
        """UDP: where calls to the outside go."""
        return self.first + 3

    @property
    def ami(self) -> int:
        """TCP."""
        return self.first + 4

    def agent(self, number: int) -> int:
        """Return the UDP port at which the desk phone `agent<number>` is expected."""
        return self.first + 10 + number

    @property
    def rtp(self) -> tuple[int, int]:
        """First and last UDP port for audio."""
        return self.first + 20, self.first + _BLOCK_SIZE - 1

    @classmethod
    def claim(cls) -> PortBlock:
        """Take a free block. Raises RuntimeError when all are in use."""
        for first in range(_FIRST_BLOCK, _LAST_BLOCK, _BLOCK_SIZE):
            lock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                lock.bind(("127.0.0.1", first))
                lock.listen(1)
                block = cls(first, lock)
                for port in (block.http, block.ami):
                    _check_free(socket.SOCK_STREAM, port)
                for port in (block.sip, block.carrier, block.agent(1), block.agent(2)):
                    _check_free(socket.SOCK_DGRAM, port)
            except OSError:
                lock.close()
            else:
                return block
        raise RuntimeError("every block of ports for a private Asterisk is in use")

    def release(self) -> None:
        """Give the block back. May be called twice."""
        self.lock.close()


def _check_free(kind: socket.SocketKind, port: int) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, kind)) as probe:
        probe.bind(("127.0.0.1", port))


class OptionMissing(LookupError):
    """The configuration file has no such option to set."""


def set_option(text: str, section: str, key: str, value: str) -> str:
    """Return the configuration text with `key` set anew wherever `[section]` has it.

    Comments at the line's end go. Raises OptionMissing when the section has no such key.
    """
    lines = text.splitlines()
    current, changed = "", False
    for number, line in enumerate(lines):
        heading = re.match(r"\[([^\]]+)\]", line)
        option = re.match(r"(\s*" + re.escape(key) + r"\s*=>?)", line)
        if heading:
            current = heading.group(1)
        elif option and current == section:
            lines[number], changed = f"{option.group(1)} {value}", True
    if not changed:
        raise OptionMissing(f"[{section}] {key}")
    return "\n".join(lines) + "\n"


Settings = Mapping[tuple[str, str, str], str]
"""(file, section, key) → value."""


def port_settings(ports: PortBlock) -> dict[tuple[str, str, str], str]:
    """Return the settings that put an instance on these ports."""
    return {
        ("http.conf", "general", "bindport"): str(ports.http),
        ("manager.conf", "general", "enabled"): "yes",
        ("manager.conf", "general", "port"): str(ports.ami),
        ("pjsip.conf", "transport-udp", "bind"): f"127.0.0.1:{ports.sip}",
        ("pjsip.conf", "trunk", "contact"): f"sip:127.0.0.1:{ports.carrier}",
        ("pjsip.conf", "agent1", "contact"): f"sip:agent1@127.0.0.1:{ports.agent(1)}",
        ("pjsip.conf", "agent2", "contact"): f"sip:agent2@127.0.0.1:{ports.agent(2)}",
        ("rtp.conf", "general", "rtpstart"): str(ports.rtp[0]),
        ("rtp.conf", "general", "rtpend"): str(ports.rtp[1]),
    }


def folder_settings(folder: Path, program: AsteriskProgram) -> dict[tuple[str, str, str], str]:
    """Return the settings that keep an instance inside its run folder."""
    folders = {
        "astetcdir": folder / "etc",
        "astmoddir": program.modules,
        "astvarlibdir": folder / "lib",
        "astdbdir": folder / "lib",
        "astkeydir": folder / "lib",
        "astdatadir": folder / "data",
        "astagidir": folder / "data" / "agi-bin",
        "astspooldir": folder / "spool",
        "astrundir": folder / "run",
        "astlogdir": folder / "log",
    }
    return {("asterisk.conf", "directories", key): str(path) for key, path in folders.items()}


def write_run_folder(
    folder: Path, program: AsteriskProgram, settings: Settings, overlays: Iterable[Path], additions: Mapping[str, str]
) -> None:
    """Fill the folder: configuration, data with links into the program's own, empty places for the rest.

    A file of an overlay, or a text of `additions`, is appended to the configuration file of the same name.
    """
    for name in ("etc", "lib/keys", "data/sounds", "data/agi-bin", "spool", "run", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, text in _merged(settings, overlays, additions):
        written = _without_absent_modules(text, program.modules) if name == "modules.conf" else text
        (folder / "etc" / name).write_text(written, encoding="utf-8")
    for name in ("documentation", "rest-api", "static-http", "moh"):
        _link(folder / "data" / name, program.shared_data / name)
    _link(folder / "data/sounds/en", _english_sounds(program.shared_data / "sounds"))


def _merged(settings: Settings, overlays: Iterable[Path], additions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    texts: dict[str, str] = {}
    for folder in (CONFIGURATION, DIALPLANS):
        for path in sorted(folder.glob("*.conf")):
            texts[path.name] = path.read_text(encoding="utf-8")
    for (name, section, key), value in settings.items():
        texts[name] = set_option(texts[name], section, key, value)
    for folder in overlays:
        for path in sorted(folder.glob("*.conf")):
            texts[path.name] = f"{texts.get(path.name, '')}\n{path.read_text(encoding='utf-8')}"
    for name, text in additions.items():
        texts[name] = f"{texts.get(name, '')}\n{text}\n"
    yield from texts.items()


def _without_absent_modules(text: str, modules: Path) -> str:
    """Leave out `load` lines for modules that this version of Asterisk does not have."""
    kept = []
    for line in text.splitlines():
        named = re.match(r"load\s*=>?\s*(\S+)", line)
        if named is None or (modules / named.group(1)).exists():
            kept.append(line)
    return "\n".join(kept) + "\n"


def _english_sounds(sounds: Path) -> Path:
    """Return the folder of English prompts; Debian's link `en` leads outside an unpacked tree."""
    spoken = sorted(folder for folder in sounds.glob("en*") if folder.is_dir())
    return spoken[0] if spoken else sounds / "en"


def _link(link: Path, target: Path) -> None:
    if target.is_dir() and not link.is_symlink():
        link.symlink_to(target)
