"""The tables of `parley.toml`: their keys, defaults and rules; `settings` reads them."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from parley.call_control import AUDIOSOCKET_CODECS, RTP_CODECS, WEBSOCKET_CODECS, AudioCodec

CARRIED = {"rtp": RTP_CODECS, "websocket": WEBSOCKET_CODECS, "audiosocket": AUDIOSOCKET_CODECS}
"""Codecs by transport."""
Port = Annotated[int, Field(ge=1, le=65535)]
PortOrNone = Annotated[int, Field(ge=0, le=65535)]


class SettingsError(Exception):
    """The settings cannot be used. One line per problem: which key, what is wrong, what to write."""

    code = "settings"
    """Stable name for logs."""
    retryable = False
    """Whether the same settings may do later."""


class NotYet(SettingsError):
    """What the settings name is not there yet, or is still taken: a port, a name, the worker."""

    code = "not_yet"
    retryable = True


class Section(BaseModel):
    """A table of parley.toml; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AmiSettings(Section):
    """Asterisk's manager interface: what becomes of callers in queues. Off unless `username` is set."""

    host: str = "127.0.0.1"
    port: Port = 5038
    username: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    password: SecretStr | None = None
    """From PARLEY_ASTERISK__AMI__PASSWORD; in parley.toml use password_file."""
    password_file: Path | None = None

    @property
    def enabled(self) -> bool:
        """Whether Parley connects to AMI."""
        return self.username != ""

    def read_password(self) -> str:
        """Return the AMI password; raises SettingsError when there is none."""
        return _read_password(self.password, self.password_file, "asterisk.ami", f"manager.conf user [{self.username}]")


class AudioSocketAppSettings(Section):
    """Callers may also come by the dialplan application AudioSocket(), which needs AMI."""

    enabled: bool = False
    peers: tuple[str, ...] = ("127.0.0.1",)
    """IP addresses from which the dialplan may ask for tickets, at `http.host`:`http.port`."""

    @field_validator("peers")
    @classmethod
    def _are_addresses(cls, peers: tuple[str, ...]) -> tuple[str, ...]:
        for peer in peers:
            try:
                ip_address(peer)
            except ValueError as err:
                raise ValueError(f"{peer!r} is not an IP address; write for instance 127.0.0.1") from err
        return peers


class AsteriskSettings(Section):
    """Where the PBX is and how to log in."""

    url: str = "http://127.0.0.1:8088/ari"
    username: str = "parley"
    password: SecretStr | None = None
    """From PARLEY_ASTERISK__PASSWORD; in parley.toml use password_file."""
    password_file: Path | None = None
    application: str = Field(default="parley", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    standby_application: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$")
    """Takes turns with `application` when `parley supervise` is told to upgrade; empty: its name with `-b`."""
    ami: AmiSettings = AmiSettings()
    audiosocket_app: AudioSocketAppSettings = AudioSocketAppSettings()
    transfers: Literal["auto", "parley", "asterisk"] = "auto"
    """Who carries out what callers' phones ask for by REFER; auto: Parley where no caller can crash Asterisk by it."""
    ca_file: Path | None = None
    """Certificates (PEM) that may sign Asterisk's, instead of the system's; for an `https` address."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://, for instance http://127.0.0.1:8088/ari")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _has_ami_for_audiosocket_app(self) -> Self:
        if self.audiosocket_app.enabled and not self.ami.enabled:
            raise ValueError("audiosocket_app needs AMI: set username and password_file in [asterisk.ami]")
        return self

    @model_validator(mode="after")
    def _has_tls_for_ca_file(self) -> Self:
        if self.ca_file is not None and not self.url.startswith("https://"):
            raise ValueError("ca_file is for an https:// address in url: correct the address, or leave ca_file out")
        return self

    @property
    def transfers_by_us(self) -> bool | None:
        """Tell who carries out transfers; None where Asterisk's version decides."""
        return {"auto": None, "parley": True, "asterisk": False}[self.transfers]

    def read_tls(self) -> ssl.SSLContext | None:
        """Return how to check Asterisk's certificate, None for the system's way.

        Raises SettingsError when ca_file cannot be used.
        """
        if self.ca_file is None:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as err:
            raise SettingsError(
                f"asterisk.ca_file = {str(self.ca_file)!r} cannot be used ({err}): "
                "name a PEM file with the certificate of the authority that signed Asterisk's"
            ) from err

    def read_password(self) -> str:
        """Return the ARI password; raises SettingsError when there is none."""
        return _read_password(self.password, self.password_file, "asterisk", f"ari.conf user [{self.username}]")


class MediaSettings(Section):
    """The audio between the PBX and us."""

    transport: Literal["rtp", "websocket", "audiosocket"] = "rtp"
    codec: Literal["auto", "ulaw", "alaw", "slin", "slin16", "g722"] = "auto"
    """`auto`: ulaw over RTP; otherwise slin16 for callers whose own audio is wideband, slin for the others."""
    host: str = "127.0.0.1"
    """Our address as the PBX reaches it; also the one we bind (RTP, AudioSocket)."""
    first_port: Port = 21000
    """Of RTP: each media engine takes one of the range, and each call where port_per_call is set."""
    last_port: Port = 21998
    port_per_call: bool = False
    """Give each call a UDP port of its own, where the PBX's legs cannot be told apart by their addresses."""
    engines: int = Field(default=1, ge=1, le=64)
    """Threads that carry the audio."""
    cores: tuple[int, ...] = ()
    """Processors for the media engines, in turn; empty: the system chooses."""
    thread: bool = True
    """Carry the audio on threads. Without, the event loop does it: slower, and late whenever the loop is busy."""
    audiosocket_port: Port = 9092
    """TCP."""
    audiosocket_standby_port: PortOrNone = 0
    """Of the node that is the standby application; 0: the port behind `audiosocket_port`."""

    def codec_for(self, wideband: bool) -> AudioCodec:
        """Return the codec of a call; wideband: the party's own audio reaches beyond 4 kHz."""
        if self.codec != "auto":
            return AudioCodec(self.codec)
        if self.transport == "rtp":
            return AudioCodec.ULAW
        return AudioCodec.SLIN16 if wideband else AudioCodec.SLIN

    @property
    def ports(self) -> range:
        """Those that RTP may use."""
        return range(self.first_port, self.last_port + 1)

    @property
    def rates_hz(self) -> tuple[int, ...]:
        """Rates that calls may have, the likelier one first."""
        return tuple(dict.fromkeys(self.codec_for(wideband).rate_hz for wideband in (False, True)))

    @field_validator("host")
    @classmethod
    def _is_one_address(cls, host: str) -> str:
        """The PBX is told this address: a name or a wildcard would not do."""
        try:
            address = ip_address(host)
        except ValueError as err:
            raise ValueError("must be an IP address of this machine, for instance 127.0.0.1") from err
        if address.is_unspecified:
            raise ValueError("must be one address of this machine as the PBX reaches it, not all of them")
        return host

    @model_validator(mode="after")
    def _carries_the_codec(self) -> Self:
        carried = sorted(CARRIED[self.transport])
        if self.codec != "auto" and self.codec not in carried:
            raise ValueError(
                f"codec = {self.codec!r} does not travel over {self.transport} in both directions; "
                f"use one of auto, {', '.join(carried)}"
            )
        return self

    @model_validator(mode="after")
    def _has_ports(self) -> Self:
        if self.first_port > self.last_port:
            raise ValueError(f"first_port = {self.first_port} must not be above last_port = {self.last_port}")
        return self


class VadSettings(Section):
    """What tells the caller's voice over the agent's from other sounds."""

    engine: Literal["energy", "silero"] = "energy"
    """silero: what is loud enough must also sound like a voice; needs the extra `vad` and its model."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """How sure silero must be of a voice."""


class WorkerSettings(Section):
    """The inference worker."""

    address: str = ""
    """gRPC address of a worker that runs elsewhere (`host:port`); empty: we start our own."""


class HttpSettings(Section):
    """Metrics and health."""

    host: str = "127.0.0.1"
    port: Port = 8089
    standby_port: PortOrNone = 0
    """Of the node that is the standby application; 0: the port behind `port`."""


class RecordingSettings(Section):
    """Stereo recordings: caller left, agent right."""

    enabled: bool = False


class LogSettings(Section):
    """Structured logs on stderr."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    json_lines: bool = False
    personal_data: bool = False
    """Keep numbers and transcripts (`pii_*`) in the log; off by default."""


class LatencySettings(Section):
    """How long callers may wait."""

    p95_ms: int = Field(default=2000, ge=0)
    """What 95 % of the responses are not to exceed, last speech sample to first agent sample; 0: no warning."""


class LimitSettings(Section):
    """Admission and patience."""

    max_calls: int = Field(default=20, ge=1)
    """More callers than this go straight on in the dialplan with PARLEY_STATUS=BUSY."""
    drain_s: float = Field(default=30.0, ge=0)
    """After SIGTERM, how long calls may go on before they are handed to their fallback queue."""
    max_hold_s: float = Field(default=300.0, gt=0)
    """How long a caller may have the agent on hold before the call goes to the fallback queue."""
    retire_s: float = Field(default=3600.0, ge=0)
    """After SIGUSR1 (an upgrade), how long calls may go on before the same happens as after SIGTERM."""


class AgentSettings(Section):
    """One AI agent."""

    flow: str
    language: str = ""
    """Overrides the flow's own; the call's `language=` argument overrides both."""
    voices: dict[str, str] = Field(default_factory=dict)
    """Voice per language, in the engine's own word: { en = "slt" }. The others get the engine's default."""
    recognizer: str = "pocketsphinx"
    synthesizer: str = ""
    """Empty: flite for English, espeak-ng for everything else."""
    fallback_queue: str = ""
    """Where callers go when the agent cannot go on."""


def _read_password(password: SecretStr | None, file: Path | None, table: str, whose: str) -> str:
    """Return a password of a table from the environment or its file; whose: the user on Asterisk's side."""
    if password is not None:
        return password.get_secret_value()
    if file is None:
        variable = f"PARLEY_{table.upper().replace('.', '__')}__PASSWORD"
        raise SettingsError(
            f"{table}.password_file is not set: name a file that holds the password of the {whose}, "
            f"or set {variable}; `parley init asterisk` writes both sides"
        )
    try:
        read = file.read_text(encoding="utf-8").strip()
    except OSError as err:
        conf = whose.partition(" ")[0]
        raise SettingsError(
            f"{table}.password_file = {str(file)!r} cannot be read ({err.strerror}): "
            f"create it with the {conf} password in it, readable by Parley's user only"
        ) from err
    if not read:
        raise SettingsError(f"{table}.password_file = {str(file)!r} is empty")
    return read
