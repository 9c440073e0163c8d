"""The doctor's look at AMI: log in, what the user may do, whether events arrive. Only where the site has set it up.

Findings are warnings, because calls do not need AMI; unless callers come by AudioSocket(): those do. A password that
cannot be read is a problem always: the node does not start without it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from ari_app.ami import AmiClient, AmiEvent
from ari_app.rest import AriRest
from parley.app.findings import Finding, ok, problem, warning
from parley.app.settings_tables import AmiSettings, SettingsError
from parley.call_control import CallControlError, PbxUnavailable

CHECK = "AMI"
EVENT_S = 2.0
"""For an event to arrive."""
NEEDLESS = ("Command", "Originate", "UpdateConfig", "DBPut", "UserEvent")
"""Actions by which whoever gets our AMI password could do harm, of the classes in `write` that nothing needs."""
COMMANDS = ("Status", "Setvar", "Hangup", "Redirect")
"""What legs in AudioSocket() are commanded with: the class `call`."""


_FILTER = "in [{}] of manager.conf: the lines read and eventfilter of manager_parley.conf, then `manager reload`"
UNSEEN = "callers whom somebody hangs up are recorded as taken away, and holds (Hold, Unhold) are probably not seen"
"""What an `eventfilter` of before AudioSocket() does to its calls."""


class _Told:
    """Which events have come about which channel."""

    def __init__(self, ami: AmiClient, kinds: Sequence[str]) -> None:
        self._kinds = kinds
        self._seen: set[tuple[str, str]] = set()
        self._news = asyncio.Event()
        ami.listen(kinds, self._take)

    async def missing(self, channel_id: str) -> list[str]:
        """Wait until all kinds have come about the channel; return those that have not within EVENT_S."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EVENT_S):
                while self._missing(channel_id):
                    self._news.clear()
                    await self._news.wait()
        return self._missing(channel_id)

    def _missing(self, channel_id: str) -> list[str]:
        return [kind for kind in self._kinds if (kind, channel_id) not in self._seen]

    def _take(self, event: AmiEvent) -> None:
        self._seen.add((event.name, event.get("Uniqueid")))
        self._news.set()


async def check_ami(settings: AmiSettings, rest: AriRest, application: str, commands: bool) -> AsyncIterator[Finding]:
    """Yield what is found. application: of a probe that is connected now; a media leg of it makes the event.

    commands: whether Parley commands legs by AMI here, so that calls need it.
    """
    fault = problem if commands else warning
    try:
        ami = AmiClient(settings.host, settings.port, settings.username, settings.read_password())
    except SettingsError as err:
        yield problem(CHECK, str(err), "write the secret of the manager.conf user into that file")
        return
    wanted = ("SoftHangupRequest", "Hangup") if commands else ("Hangup",)
    told = _Told(ami, wanted)
    try:
        await ami.connect()
        yield ok(CHECK, f"{settings.username} at {settings.host}:{settings.port}")
        yield await _check_rights(ami, settings.username, commands)
        missing = await told.missing(await _short_call(rest, application))
        if "Hangup" in missing:
            yield fault("AMI events", f"a hang-up was not told within {EVENT_S:g} s", _FILTER.format(settings.username))
        elif missing:
            yield fault("AMI events", f"{', '.join(missing)} is not told: {UNSEEN}", _FILTER.format(settings.username))
        else:
            yield ok("AMI events", "hang-ups are told")
    except CallControlError as err:
        effect = "no caller gets in by AudioSocket()" if commands else "calls work all the same"
        yield fault(
            CHECK,
            f"{err}; {effect}, and what becomes of callers in queues is not known",
            "asterisk -rx 'manager show settings' and 'manager show users'"
            if isinstance(err, PbxUnavailable)
            else "copy manager_parley.conf to Asterisk again, then asterisk -rx 'manager reload'",
        )
    finally:
        await ami.aclose()


async def _check_rights(ami: AmiClient, username: str, commands: bool) -> Finding:
    """Ask which actions the user may do; Asterisk lists only those."""
    [allowed] = await ami.request("ListCommands")
    wanted = "write = call" if commands else "write ="
    fix = f"`{wanted}` in [{username}] of manager.conf, then asterisk -rx 'manager reload'"
    missing = [action for action in COMMANDS if commands and action not in allowed]
    needless = [action for action in (*NEEDLESS, *(() if commands else ("Redirect",))) if action in allowed]
    if missing:
        return problem("AMI rights", f"{username} may not do what AudioSocket() needs: {', '.join(missing)}", fix)
    if needless:
        return warning("AMI rights", f"{username} may do more than Parley needs: {', '.join(needless)}", fix)
    return ok("AMI rights", "may command calls" if commands else "may look, and command nothing")


async def _short_call(rest: AriRest, application: str) -> str:
    """Make a channel that calls nobody, of a kind that every Asterisk has, and end it; return its id."""
    channel_id = f"parley-doctor-{secrets.token_hex(6)}"
    await rest.create_channel(channel_id, application, f"Local/nobody@{application}")
    await rest.hangup(channel_id)
    return channel_id
