"""Offer and answer of one call's audio (RFC 3264): which codec, where to, in which directions."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.support.phone_codec import CODECS, PhoneCodec
from tests.support.phone_media import EVENT_TYPE, MediaStream
from tests.support.sip_message import AudioDescription

_MIRRORED = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive", "sendrecv": "sendrecv"}


class AudioNegotiation:
    """Describes the phone's audio to the far side and sets the stream by what the far side describes."""

    def __init__(self, host: str, media: MediaStream, codecs: Sequence[PhoneCodec]) -> None:
        self.codecs = tuple(codecs)
        """Offered, in order of preference."""
        self.direction = "sendrecv"
        """Offered; `sendonly` puts the far side on hold."""
        self._host = host
        self._media = media
        self._session, self._version = random.getrandbits(30), 0

    def describe(self, offer: AudioDescription | None = None) -> str:
        """Return the SDP body of an offer, or of the answer to the far side's offer."""
        kinds = [codec.payload_type for codec in self.codecs]
        event_type, direction = EVENT_TYPE, self.direction
        if offer is not None:
            kinds = [kind for kind in offer.payload_types if kind in kinds] or kinds
            event_type = offer.event_type or EVENT_TYPE
            direction = _MIRRORED[offer.direction]
        maps = {kind: f"{CODECS[kind].name}/8000" for kind in kinds} | {event_type: "telephone-event/8000"}
        self._version += 1
        description = AudioDescription(self._host, self._media.port, (*kinds, event_type), event_type, direction, maps)
        return description.encode(self._session, self._version)

    def use(self, description: AudioDescription | None) -> None:
        """Send to where the far side listens, in its first codec that we have; None changes nothing."""
        if description is None:
            return
        own = {codec.payload_type for codec in self.codecs}
        media = self._media
        media.peer = (description.host, description.port)
        media.codec = next((CODECS[kind] for kind in description.payload_types if kind in own), media.codec)
        media.event_type = description.event_type or EVENT_TYPE
        media.sending = description.direction in ("sendrecv", "recvonly")
