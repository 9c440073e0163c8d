"""`parley init asterisk`: write Parley's settings and exactly what the PBX needs, and say where each part goes.

Nothing of the PBX is touched: the admin copies the files and adds the lines.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from parley.app.resources import shipped

SNIPPET_FOLDER = "asterisk-parley"
DATA_FOLDER = "parley-data"
PASSWORD_FILE = "ari.password"  # noqa: S105 (a file's name)
AMI_PASSWORD_FILE = "ami.password"  # noqa: S105 (a file's name)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class InitError(Exception):
    """Nothing was written; the message says what is in the way."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the admin decides; the rest has defaults that work."""

    agent: str = "reception"
    flow: str = "appointment"
    queue: str = "support"
    ari_url: str = "http://127.0.0.1:8088/ari"
    ari_username: str = "parley"
    ami_username: str = "parley"


@dataclass(frozen=True, slots=True)
class InstallStep:
    """One thing for the admin to do on the PBX."""

    where: str
    """The file or place, as the admin knows it."""
    what: str
    """What to do there, one sentence."""
    lines: str = ""
    """Text to add there, verbatim."""


@dataclass(frozen=True, slots=True)
class Initialised:
    """What was written, and what remains to be done."""

    settings_file: Path
    password_file: Path
    snippet_folder: Path
    steps: tuple[InstallStep, ...]


def init_asterisk(folder: Path, choices: Choices, *, force: bool = False) -> Initialised:
    """Write parley.toml, the ARI password and the PBX files into `folder`.

    An existing password is kept, so that both sides go on matching. Raises InitError when parley.toml exists
    and `force` is off.
    """
    settings_file = folder / "parley.toml"
    _check_choices(choices)
    if settings_file.exists() and not force:
        raise InitError(f"{settings_file} exists already: --force writes it anew, --folder chooses another place")
    snippets = folder / SNIPPET_FOLDER
    snippets.mkdir(parents=True, exist_ok=True)
    password_file = folder / PASSWORD_FILE
    password = _kept_or_new_password(password_file)
    _write(settings_file, _settings_text(choices), mode=0o640)
    ami_password = _kept_or_new_password(folder / AMI_PASSWORD_FILE)
    _write(snippets / "ari_parley.conf", _ari_user_text(choices, password), mode=0o640)
    _write(snippets / "manager_parley.conf", _ami_user_text(choices, ami_password), mode=0o640)
    subroutines = shipped("dialplans") / "asterisk" / "extensions_parley.conf"
    _write(snippets / "extensions_parley.conf", subroutines.read_text(encoding="utf-8"), mode=0o644)
    steps = _install_steps(snippets, folder / DATA_FOLDER, choices)
    _write(snippets / "STEPS.txt", _steps_text(steps), mode=0o644)
    return Initialised(settings_file, password_file, snippets, steps)


def _check_choices(choices: Choices) -> None:
    """Raise InitError for a name that a settings or configuration file could not hold."""
    names = (
        ("agent", choices.agent),
        ("flow", choices.flow),
        ("queue", choices.queue),
        ("user", choices.ari_username),
        ("user", choices.ami_username),
    )
    for what, name in names:
        if not _NAME.fullmatch(name):
            raise InitError(f"{what} {name!r}: use letters, digits, - and _ only")
    try:
        URL(choices.ari_url)
    except ValueError as err:
        raise InitError(f"ARI address {choices.ari_url!r}: write it as http://127.0.0.1:8088/ari") from err


def _kept_or_new_password(file: Path) -> str:
    if file.exists() and (kept := file.read_text(encoding="utf-8").strip()):
        return kept
    password = secrets.token_urlsafe(24)
    _write(file, password + "\n", mode=0o600)
    return password


def _write(file: Path, text: str, mode: int) -> None:
    """Write the file with this mode from its first byte on (a secret is never readable in between)."""
    file.unlink(missing_ok=True)
    file.touch(mode=mode)
    file.write_text(text, encoding="utf-8")


def _settings_text(choices: Choices) -> str:
    return f"""\
# Parley's settings. Relative paths count from this folder; docs/operations.md lists every key.
data_dir = "{DATA_FOLDER}"
# Your own call scripts: flows/pizza/flow.yaml is then `flow = "pizza"`.
# flow_folders = ["flows"]

[asterisk]
url = "{choices.ari_url}"
username = "{choices.ari_username}"
password_file = "{PASSWORD_FILE}"

# Who takes callers out of your queue, and after how long: needs the steps for manager.conf.
# [asterisk.ami]
# username = "{choices.ami_username}"
# password_file = "{AMI_PASSWORD_FILE}"

# The audio comes as RTP. For an Asterisk on another machine, behind NAT or TLS: docs/install-asterisk.md, "Other ways
# for the audio".
# [media]
# transport = "websocket"

# An agent is a voice that serves calls: the dialplan names it, `Gosub(parley,s,1(agent={choices.agent}))`.
[agents.{choices.agent}]
flow = "{choices.flow}"
fallback_queue = "{choices.queue}"

[recording]
enabled = false
"""


def _ari_user_text(choices: Choices, password: str) -> str:
    return f"""\
; Parley's ARI user. The same password lies in Parley's {PASSWORD_FILE}.
[{choices.ari_username}]
type = user
read_only = no
password_format = plain
password = {password}
"""


def _ami_user_text(choices: Choices, password: str) -> str:
    """Return the user of asterisk_conf/manager.conf, with a password: it sees queues, and may command nothing."""
    shipped_file = (shipped("asterisk_conf") / "manager.conf").read_text(encoding="utf-8")
    rights = [line for line in shipped_file.splitlines() if line.startswith(("read =", "write =", "eventfilter ="))]
    return f"""\
; Parley's AMI user. The same password lies in Parley's {AMI_PASSWORD_FILE}.
[{choices.ami_username}]
secret = {password}
""" + "".join(f"{line}\n" for line in rights)


def _install_steps(snippets: Path, data_dir: Path, choices: Choices) -> tuple[InstallStep, ...]:
    config = "/etc/asterisk"
    install = "install -o root -g asterisk -m 640"
    return (
        InstallStep(
            "the shell",
            "Copy Parley's two files to Asterisk; nobody else may read them (`asterisk`: the group that it runs in):",
            f"{install} {snippets / 'ari_parley.conf'} {config}/\n"
            f"{install} {snippets / 'extensions_parley.conf'} {config}/",
        ),
        InstallStep(
            f"{config}/http.conf",
            "ARI needs Asterisk's web server, on loopback. In [general] there must be:",
            f"enabled = yes\nbindaddr = 127.0.0.1\nbindport = {URL(choices.ari_url).port}",
        ),
        InstallStep(
            f"{config}/ari.conf, [general]",
            "Switch ARI on, and let it tell Parley which call a leg belongs to, which number was dialled, and whether "
            "the caller's own audio is wideband:",
            "enabled = yes\nchannelvars = CHANNEL(linkedid),CALLERID(dnid),CHANNEL(audionativeformat)",
        ),
        InstallStep(f"{config}/ari.conf", "Add at the end:", "#include ari_parley.conf"),
        InstallStep(f"{config}/extensions.conf", "Add at the end:", "#include extensions_parley.conf"),
        InstallStep(
            f"{config}/extensions.conf, [globals]",
            "Name the queue that takes a caller whenever Parley cannot, and the seconds after which it cannot:",
            f"PARLEY_NODES = parley&parley-b\nPARLEY_QUEUE = {choices.queue}\nPARLEY_TAKE_WITHIN = 10",
        ),
        InstallStep(
            f"{config}/extensions.conf, where your number arrives",
            "Route it to the agent; what follows the first line is your own fallback:",
            f"exten => 700,1,Gosub(parley,s,1(agent={choices.agent}))\n"
            ' same => n,GotoIf($["${PARLEY_STATUS}" = "SERVED"]?done)\n'
            " same => n,Gosub(parley-transfer,s,1)\n"
            " same => n(done),Hangup()",
        ),
        InstallStep(
            f"{config}/queues.conf, [{choices.queue}]",
            "Optional, so that queue agents hear Parley's whispered summary while the caller hears music: "
            "instead of `member => PJSIP/agent1` write",
            "member => Local/agent1@parley-queue-agent/n,0,Agent One,PJSIP/agent1",
        ),
        InstallStep(
            "the shell",
            "For the same purpose, let Asterisk read the summaries (`parley`: the user that Parley runs as):",
            f"install -d -o parley -g parley -m 711 {data_dir}\n"
            f"install -d -o parley -g asterisk -m 2750 {data_dir / 'whispers'}",
        ),
        *_ami_steps(snippets, config, install, choices),
        InstallStep(
            "the shell",
            "Load it (no call is disturbed):",
            "asterisk -rx 'module reload http'\n"
            "asterisk -rx 'module reload res_ari.so'\n"
            "asterisk -rx 'dialplan reload'\n"
            "asterisk -rx 'queue reload all'\n"
            "asterisk -rx 'manager reload'",
        ),
    )


def _ami_steps(snippets: Path, config: str, install: str, choices: Choices) -> tuple[InstallStep, ...]:
    return (
        InstallStep(
            "the shell",
            "Optional, so that `parley calls show` tells who took a caller out of the queue. Copy a third file:",
            f"{install} {snippets / 'manager_parley.conf'} {config}/",
        ),
        InstallStep(
            f"{config}/manager.conf",
            "For the same purpose, switch AMI on, on loopback. In [general] there must be the first three lines; add "
            "the last one at the end of the file:",
            "enabled = yes\nbindaddr = 127.0.0.1\nport = 5038\n#include manager_parley.conf",
        ),
        InstallStep(
            "parley.toml",
            "For the same purpose, take the `#` away from these lines:",
            f'[asterisk.ami]\nusername = "{choices.ami_username}"\npassword_file = "{AMI_PASSWORD_FILE}"',
        ),
    )


def _steps_text(steps: tuple[InstallStep, ...]) -> str:
    parts = [f"{number}. {step.where}\n   {step.what}\n" for number, step in enumerate(steps, 1)]
    for index, step in enumerate(steps):
        parts[index] += "".join(f"\n       {line}" for line in step.lines.splitlines()) + "\n"
    return "What Asterisk needs for Parley\n\n" + "\n".join(parts) + "\nThen: parley doctor, and parley serve.\n"
