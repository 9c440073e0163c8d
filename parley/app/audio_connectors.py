"""Our end of a call's audio, as `CallControl.attach_audio` wants it opened."""

from __future__ import annotations

from audio_fork.rtp_audio import RtpAudio
from parley.call_control import AudioPeer, ConnectAudio, PbxRefused, RtpPeer


def rtp_connector(audio: RtpAudio) -> ConnectAudio:
    """Return what starts RTP with the PBX's end as soon as that is known."""

    async def connect(peer: AudioPeer) -> None:
        if not isinstance(peer, RtpPeer):
            raise PbxRefused(f"the PBX was asked for RTP and names {type(peer).__name__}")
        audio.connect(peer.host, peer.port)

    return connect
