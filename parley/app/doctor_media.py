"""The doctor's look at the audio: the transport's modules in Asterisk, and tones both ways through it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ari_app.asterisk_info import AsteriskInfo
from parley.app.audio_probe import TONE_MS, RoundTrip
from parley.app.findings import Finding, ok, problem, warning
from parley.app.free_port import why_not_free
from parley.app.settings import Settings
from parley.app.settings_tables import MediaSettings
from parley.call_control import AudioCodec

TRANSPORT_MODULES = {
    "rtp": {"chan_rtp.so": "media legs (externalMedia over RTP)"},
    "websocket": {"chan_websocket.so": "media legs over WebSocket (media.transport)"},
    "audiosocket": {
        "res_audiosocket.so": "media legs over AudioSocket (media.transport)",
        "chan_audiosocket.so": "media legs over AudioSocket (media.transport)",
    },
}
FIRST_WITH_MEDIA_JSON = {20: 18, 22: 8, 23: 2}
"""Major → minor version whose WebSocket channel knows JSON and marks; 21 never did, from 24 on all do."""
FIRST_WITH_WIDE_AUDIOSOCKET = {20: 17, 21: 12, 22: 7, 23: 1}
"""Major → minor version that says over AudioSocket which rate it sends."""


def check_transport(info: AsteriskInfo, media: MediaSettings) -> Iterator[Finding]:
    """Tell when this Asterisk is too old for the transport, or for the codec over it.

    A version that cannot be read (a build from git) is left to the audio test.
    """
    if media.transport == "websocket" and not info.has(FIRST_WITH_MEDIA_JSON, unreadable=True):
        yield problem(
            "version",
            f"Asterisk {info.version} has no JSON on media WebSockets: 20.18, 22.8 or 23.2 is needed",
            'update Asterisk, or set transport = "rtp" in [media]',
        )
    wide = media.transport == "audiosocket" and AudioCodec.SLIN16 in map(media.codec_for, (False, True))
    if wide and not info.has(FIRST_WITH_WIDE_AUDIOSOCKET, unreadable=True):
        yield problem(
            "version",
            f"Asterisk {info.version} has no slin16 over AudioSocket: 20.17, 21.12, 22.7 or 23.1 is needed",
            'set codec = "slin" in [media], or update Asterisk',
        )


def check_audiosocket_port(settings: Settings) -> Finding | None:
    """Tell when the port that Asterisk is to connect to is taken; another one then has to do for the audio test."""
    host, port = settings.media.host, settings.media.audiosocket_port
    taken = why_not_free(host, port) if settings.uses_audiosocket_port else ""
    if not taken:
        return None
    return warning(
        "audio port",
        f"{host}:{port} cannot be bound ({taken}); fine if `parley serve` runs already",
        f"otherwise see `ss -ltnp 'sport = :{port}'`, or set [media] audiosocket_port",
    )


def check_round_trip(trip: RoundTrip, settings: Settings) -> Iterator[Finding]:
    """Tell what came of the tones."""
    media = settings.media
    if not trip.both_ways:
        there, back = trip.heard_ms
        yield problem(
            "audio", f"of {TONE_MS} ms of tone {there} and {back} ms came through", _way_of_the_audio(settings)
        )
        return
    codecs = " and ".join(trip.codecs)
    yield ok("audio", f"{codecs} round trip through Asterisk over {media.transport}, both directions")
    if not trip.tells_wideband and media.codec == "auto" and media.transport != "rtp":
        yield warning(
            "audio",
            "which callers have wideband audio cannot be seen: all get 8 kHz",
            "add CHANNEL(audionativeformat) to channelvars in ari.conf, then asterisk -rx 'module reload res_ari.so'",
        )


def _way_of_the_audio(settings: Settings) -> str:
    media, pbx = settings.media, urlsplit(settings.asterisk.url).hostname
    match media.transport:
        case "rtp":
            return (
                f"Asterisk must reach {media.host}:{media.first_port}-{media.last_port} (UDP) "
                f"and be reached at {pbx}: check firewall, [media] host and rtp.conf"
            )
        case "websocket":
            return "media/ must be passed on like ari/ by whatever stands before Asterisk's web server"
        case _:
            return f"Asterisk must reach {media.host}:{media.audiosocket_port} (TCP): check firewall and [media] host"
