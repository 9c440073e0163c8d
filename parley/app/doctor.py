"""`parley doctor`: look at everything a call needs, in the order in which it would fail, and name each fix.

Looks only: it changes nothing on the PBX and disturbs no call.
"""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from ari_app import moves, taken_legs
from ari_app.rest import AriRest
from audio_fork.errors import AudioForkError
from media_core.errors import EngineStartError
from parley.app.audio_lines import audio_lines
from parley.app.audio_probe import probe_audio
from parley.app.doctor_ami import check_ami
from parley.app.doctor_media import (
    TRANSPORT_MODULES,
    check_audiosocket_port,
    check_round_trip,
    check_transport,
)
from parley.app.doctor_version import check_transfers, check_version
from parley.app.findings import Finding, ok, problem, warning
from parley.app.flows import load_agent_flow
from parley.app.free_port import why_not_free
from parley.app.open_files import most_open_files, open_files_needed
from parley.app.settings import Settings
from parley.app.settings_tables import SettingsError
from parley.app.voice_detection import why_missing
from parley.call_control import CallControlError, PbxUnavailable
from parley.conversation.errors import FlowError
from parley.store import StoreError

PROBE_APPLICATION = "parley-doctor"

NEEDED_MODULES = {
    "res_stasis.so": "calls are handed to Parley with Stasis()",
    "app_stasis.so": "the dialplan application Stasis()",
    "res_ari_channels.so": "ARI's channel requests",
    "res_ari_bridges.so": "ARI's bridge requests",
    "res_ari_events.so": "ARI's event WebSocket",
    "res_ari_applications.so": "finding our calls again after a reconnect",
    "bridge_simple.so": "bridges of two",
    "bridge_softmix.so": "bridges of three, while calls are handed over",
}
SUBROUTINE_MODULES = (
    *("app_stack.so", "app_exec.so", "app_read.so", "app_dial.so", "app_playback.so", "func_strings.so", "func_cut.so"),
    *("func_env.so", "func_logic.so", "func_timeout.so", "func_channel.so"),
)
NEEDED_MODULES |= dict.fromkeys(SUBROUTINE_MODULES, "Parley's subroutines in the dialplan use it")
USEFUL_MODULES = {
    "app_queue.so": "handing callers to a queue",
    "res_musiconhold.so": "music while callers wait",
    "format_wav.so": "playing the whispered summary to queue agents",
    "func_dialplan.so": "letting this checker see the dialplan",
}


AUDIOSOCKET_APP_MODULES = {
    "app_audiosocket.so": "the dialplan application AudioSocket() (it brings res_audiosocket.so)",
    "func_curl.so": "the dialplan asks Parley for tickets (it needs res_curl.so)",
    "func_uri.so": "what the dialplan asks with",
}
"""Where callers come by AudioSocket()."""


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Yield findings until one makes the rest pointless."""
    for finding in (*check_agents(settings), *check_machine(settings)):
        yield finding
    try:
        password = settings.asterisk.read_password()
    except SettingsError as err:
        yield problem("ARI password", str(err), "write the password of the ari.conf user into that file")
        return
    try:
        tls = settings.asterisk.read_tls()
    except SettingsError as err:
        yield problem("ARI certificate", str(err), "correct asterisk.ca_file")
        return
    rest = AriRest(settings.asterisk.url, settings.asterisk.username, password, tls=tls)
    try:
        async for finding in _examine_asterisk(rest, settings, tls):
            yield finding
    finally:
        await rest.aclose()


def check_agents(settings: Settings) -> Iterator[Finding]:
    """Load every agent's flow."""
    for name, agent in settings.agents.items():
        try:
            flow = load_agent_flow(settings, agent)
        except FlowError as err:
            yield problem(
                f"agent {name}",
                str(err),
                "correct the call script (`parley flow` checks it), or put its folder into one of flow_folders",
            )
            continue
        yield ok(f"agent {name}", f"flow {flow.name}, languages {', '.join(flow.languages)}")
        for text in flow.warnings:
            yield warning(f"agent {name}", text, f"`parley flow {agent.flow}` shows it again")
        if not agent.fallback_queue:
            yield warning(
                f"agent {name}",
                "no fallback_queue: callers whom it cannot serve go where the dialplan's PARLEY_QUEUE says",
                f'fallback_queue = "support" in [agents.{name}]',
            )


def check_machine(settings: Settings) -> Iterator[Finding]:
    """Look at this machine: programs, folders, limits, ports."""
    for program in ("flite", "espeak-ng"):
        path = shutil.which(program)
        if path:
            yield ok(program, path)
        else:
            yield warning(program, "not found: its voices cannot be used", f"apt-get install {program}")
    if settings.vad.engine == "silero":
        yield _check_voice_detector(settings)
    yield _check_data_dir(settings)
    yield check_open_files(settings)
    yield from check_record(settings.record_file)
    yield _check_port("health port", settings.http.host, settings.http.port, "[http] port")
    yield from check_standby_ports(settings)


def check_standby_ports(settings: Settings) -> Iterator[Finding]:
    """Look at the ports of an upgrade's second node: without them it does not start, and the upgrade is given up."""
    yield _check_port("health standby", settings.http.host, settings.standby_http_port, "[http] standby_port")
    if settings.uses_audiosocket_port:
        yield _check_port(
            "audio standby",
            settings.media.host,
            settings.standby_audiosocket_port,
            "[media] audiosocket_standby_port",
        )


def _check_data_dir(settings: Settings) -> Finding:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        return problem(
            "data folder", f"{folder}: {err.strerror}", "choose another data_dir, or create it for this user"
        )
    if not os.access(folder, os.W_OK):
        return problem("data folder", f"{folder} is not writable", f"chown it to the user {os.getuid()}")
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    if free_mb < 500:
        return warning("data folder", f"{folder}: {free_mb} MB free", "make room: recordings and the record live here")
    return ok("data folder", f"{folder}, {free_mb} MB free")


def _check_voice_detector(settings: Settings) -> Finding:
    missing = why_missing(settings)
    if missing:
        what, _, fix = missing.partition(": ")
        return warning("voice detector", f"{what}; the energy of a sound decides alone", fix)
    return ok("voice detector", "silero")


def check_open_files(settings: Settings) -> Finding:
    """Look whether the system lets this user have open what the calls need; a node raises its own limit so far."""
    most, needed, calls = most_open_files(), open_files_needed(settings), settings.limits.max_calls
    if most < needed:
        return warning(
            "open files",
            f"{most} files and sockets may be open, limits.max_calls = {calls} may need {needed}",
            f"LimitNOFILE={needed} or more in the unit (by hand: ulimit -Hn), or a smaller max_calls",
        )
    return ok("open files", f"enough are allowed for limits.max_calls = {calls}")


def check_record(file: Path) -> Iterator[Finding]:
    """Look whether a node could use the record; before the first start there is none."""
    if not file.exists():
        return
    # Alembic is slow to load, and where there is no record nothing of it is needed.
    from parley.store.file_check import check_file  # noqa: PLC0415

    try:
        revision = check_file(file)
    except StoreError as err:
        yield problem("record", str(err), "docs/operations.md, `Data, backup, deletion`, says how a backup is restored")
        return
    yield ok("record", f"{file}, schema {revision or 'none yet'}")


def _check_port(check: str, host: str, port: int, setting: str) -> Finding:
    taken = why_not_free(host, port)
    if taken:
        return warning(
            check,
            f"{host}:{port} cannot be bound ({taken}); fine if a node of Parley runs there already",
            f"otherwise see `ss -ltnp 'sport = :{port}'`, or set {setting}",
        )
    return ok(check, f"{host}:{port} is free")


async def _examine_asterisk(rest: AriRest, settings: Settings, tls: ssl.SSLContext | None) -> AsyncIterator[Finding]:
    try:
        info = await rest.asterisk_info()
    except CallControlError as err:
        where = "Asterisk" if isinstance(err, PbxUnavailable) else "ARI login"
        yield problem(where, str(err), "the steps for http.conf and ari.conf in asterisk-parley/STEPS.txt")
        return
    yield ok("ARI login", f"{settings.asterisk.username} at {settings.asterisk.url}")
    for finding in (
        *check_version(info.version, info.major),
        *check_transfers(info, settings.asterisk.transfers_by_us),
    ):
        yield finding
    for finding in check_transport(info, settings.media):
        yield finding
    missing = False
    async for finding in _check_modules(rest, settings):
        missing = missing or finding.fix != ""
        yield finding
    if not missing:
        yield ok("modules", "all that Parley uses are running")
    try:
        events = await rest.connect_events(PROBE_APPLICATION)
    except CallControlError as err:
        yield problem("ARI events", str(err), "load res_http_websocket.so and res_ari_events.so")
        return
    try:
        async for finding in _check_audio_and_dialplan(rest, settings, tls):
            yield finding
        if settings.asterisk.ami.enabled:
            commands = settings.asterisk.audiosocket_app.enabled
            async for finding in check_ami(settings.asterisk.ami, rest, PROBE_APPLICATION, commands):
                yield finding
    finally:
        await events.close()
    yield await _check_application(rest, settings)


async def _check_modules(rest: AriRest, settings: Settings) -> AsyncIterator[Finding]:
    running = {module.name for module in await rest.modules() if module.status == "Running"}
    needed = NEEDED_MODULES | TRANSPORT_MODULES[settings.media.transport]
    if settings.asterisk.audiosocket_app.enabled:
        needed |= AUDIOSOCKET_APP_MODULES
    for wanted, make in ((needed, problem), (USEFUL_MODULES, warning)):
        for name, purpose in wanted.items():
            if name not in running:
                yield make(
                    "module",
                    f"{name} is not running: {purpose}",
                    f"asterisk -rx 'module load {name}', and `load = {name}` in modules.conf (no `noload` line)",
                )


def dialplan_places(settings: Settings) -> list[tuple[str, str]]:
    """Return the contexts and extensions of the dialplan that calls to Parley, or from it, go through."""
    places = [
        ("parley", "s"),
        ("parley-transfer", "s"),
        (moves.CONTEXT, "s"),
        (taken_legs.CONTEXT, taken_legs.EXTENSION),
    ]
    if settings.asterisk.audiosocket_app.enabled:
        places.append(("parley-audiosocket", "s"))
    return places


async def _check_audio_and_dialplan(
    rest: AriRest, settings: Settings, tls: ssl.SSLContext | None
) -> AsyncIterator[Finding]:
    queues = sorted({agent.fallback_queue for agent in settings.agents.values() if agent.fallback_queue})
    places = {context: f"DIALPLAN_EXISTS({context},{extension},1)" for context, extension in dialplan_places(settings)}
    functions = (
        *places.values(),
        *(f"QUEUE_EXISTS({queue})" for queue in queues),
    )
    media = settings.media
    if (taken := check_audiosocket_port(settings)) is not None:
        yield taken
        media = media.model_copy(update={"audiosocket_port": 0})
    try:
        async with audio_lines(media, tls) as lines:
            trip = await probe_audio(rest, PROBE_APPLICATION, lines, functions)
    except (CallControlError, AudioForkError, EngineStartError) as err:
        yield problem("audio", str(err), "media legs must work before any call can")
        return
    except TimeoutError:
        yield problem("audio", "a media leg never entered Stasis", "look at Asterisk's own log; is it overloaded?")
        return
    for finding in check_round_trip(trip, settings):
        yield finding
    for context, function in places.items():
        yield _check_context(context, trip.answers[function])
    for queue in queues:
        yield _check_queue(queue, trip.answers[f"QUEUE_EXISTS({queue})"])


def _check_context(context: str, exists: str) -> Finding:
    if exists == "1":
        return ok("dialplan", f"[{context}] is there")
    if exists == "":
        return warning(
            "dialplan", f"whether [{context}] is there cannot be seen", "load func_dialplan.so and run the doctor again"
        )
    return problem(
        "dialplan",
        f"[{context}] is not in the dialplan",
        "`#include extensions_parley.conf` in extensions.conf, then asterisk -rx 'dialplan reload'",
    )


def _check_queue(queue: str, exists: str) -> Finding:
    if exists == "1":
        return ok("queue", f"{queue} is there")
    if exists == "":
        return warning(
            "queue", f"whether {queue} is there cannot be seen", "load app_queue.so and run the doctor again"
        )
    return problem("queue", f"no queue {queue}", f"add [{queue}] to queues.conf, or correct fallback_queue")


async def _check_application(rest: AriRest, settings: Settings) -> Finding:
    for name in settings.application_names:
        try:
            await rest.application_channels(name)
        except CallControlError:
            continue
        return ok("application", f"a node serves {name} now")
    return ok("application", f"{settings.asterisk.application} is free: start `parley serve`")
