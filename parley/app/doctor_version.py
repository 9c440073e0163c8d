"""What the doctor says about Asterisk's version: which are supported, what an older one lacks, or is endangered by.

`doctor` asks once it knows the version.
"""

from __future__ import annotations

from collections.abc import Iterator

from ari_app.asterisk_info import AsteriskInfo
from ari_app.transfers import SAFE_FROM, is_safe
from parley.app.findings import Finding, ok, problem, warning

OLDEST_MAJOR = 18
TESTED_MAJOR = 22

ABSENT_BEFORE_18 = (
    ("audio over WebSocket and AudioSocket: RTP is the only way", ""),
    ("linear audio over RTP: a call that wants it is refused", 'codec = "ulaw", "alaw" or "g722" in [media]'),
    ("hang-up causes other than busy, no answer and congestion: the phone sees a normal end", ""),
    ("word of transfers that the caller's own phone asks for: Asterisk carries them out alone", ""),
    ("quick commands: each takes up to 200 ms on a channel outside a bridge, so callers hear ringing for longer", ""),
)
"""(what is absent, what to do about it if anything), measured with 16.28."""


def check_version(version: str, major: int) -> Iterator[Finding]:
    """Yield one finding for a supported version; for an older one, one more for each thing that it lacks.

    major: 0 where the version does not begin with a number.
    """
    if not major or major >= OLDEST_MAJOR:
        yield ok("version", f"Asterisk {version}")
        return
    yield warning(
        "version",
        f"Asterisk {version}: older than {OLDEST_MAJOR}, best effort",
        f"{TESTED_MAJOR} is what Parley is tested with",
    )
    for absent, fix in ABSENT_BEFORE_18:
        yield warning("absent", absent, fix)


def check_transfers(info: AsteriskInfo, transfers_by_us: bool | None) -> Iterator[Finding]:
    """Yield a problem where the settings have Parley carry out transfers, and Asterisk is not known to survive it."""
    if transfers_by_us and not is_safe(info):
        releases = ", ".join(f"{major}.{minor}" for major, minor in SAFE_FROM.items())
        yield problem(
            "transfers",
            f'asterisk.transfers = "parley", and callers can end Asterisk {info.version} by asking for one',
            f'transfers = "auto" in [asterisk], or a release with the correction: {releases}',
        )
