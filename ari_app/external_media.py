"""What Asterisk's externalMedia wants for each transport, and where it says its own end is.

`media_legs` asks; no I/O here but the one question to Asterisk that it hands in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from parley.call_control import (
    AudioPeer,
    AudioSocketPeer,
    AudioSocketTarget,
    AudioTarget,
    PbxRefused,
    RtpPeer,
    RtpTarget,
    WebSocketPeer,
    WebSocketTarget,
)


def connection_of(target: AudioTarget) -> dict[str, str]:
    """Return the parameters of the request, beyond the codec, that make Asterisk connect with a checked target."""
    match target:
        case RtpTarget():
            return {"external_host": _address_of(target)}
        case AudioSocketTarget():
            return {
                "external_host": _address_of(target),
                "encapsulation": "audiosocket",
                "transport": "tcp",
                "data": target.connection_id,
            }
        case WebSocketTarget():
            return {
                "external_host": "INCOMING",
                "encapsulation": "none",
                "transport": "websocket",
                "connection_type": "server",
                # Always exactly this: a value that Asterisk 22.10 does not know ends the whole PBX (SIGSEGV).
                "transport_data": "f(json)",
            }


async def peer_of(
    target: AudioTarget, variable: Callable[[str], Awaitable[str]], media_url: Callable[[str], str]
) -> AudioPeer:
    """Return where Asterisk's end is.

    variable: reads one of the media leg's channel variables. media_url: turns a connection id into an address.
    Raises PbxRefused when Asterisk does not say, and what `variable` raises.
    """
    match target:
        case RtpTarget(codec=codec):
            host, port = await variable("UNICASTRTP_LOCAL_ADDRESS"), await variable("UNICASTRTP_LOCAL_PORT")
            if not host or not port.isdecimal():
                raise PbxRefused("Asterisk does not say where its end of the audio is (UNICASTRTP_LOCAL_PORT)")
            return RtpPeer(host, int(port), codec)
        case AudioSocketTarget(connection_id=connection_id, codec=codec):
            return AudioSocketPeer(connection_id, codec)
        case WebSocketTarget(codec=codec):
            connection_id = await variable("MEDIA_WEBSOCKET_CONNECTION_ID")
            if not connection_id:
                raise PbxRefused("Asterisk does not say where it waits (MEDIA_WEBSOCKET_CONNECTION_ID)")
            return WebSocketPeer(media_url(connection_id), codec)


def refusal_of(target: AudioTarget, status: int) -> PbxRefused:
    """Return the error for a media leg that Asterisk does not make; `status` is the HTTP status of its answer."""
    codec = target.codec.value
    match target:
        case RtpTarget():
            return PbxRefused(
                f"Asterisk makes no RTP media leg for {codec} (HTTP {status}): load chan_rtp.so and "
                f"the codec's module (codec_{codec}.so), and check the audio address"
            )
        case AudioSocketTarget(host=host, port=port):
            return PbxRefused(
                f"Asterisk makes no AudioSocket media leg (HTTP {status}): load res_audiosocket.so and "
                f"chan_audiosocket.so, and check that it can connect to {host}:{port} (TCP)"
            )
        case WebSocketTarget():
            return PbxRefused(
                f"Asterisk makes no WebSocket media leg for {codec} (HTTP {status}): load chan_websocket.so "
                "(Asterisk 20.18, 22.8, 23.2 or later)"
            )


def _address_of(target: RtpTarget | AudioSocketTarget) -> str:
    """Return `host:port` as externalMedia wants it (IPv6 in brackets)."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}"
