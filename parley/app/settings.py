"""Settings: `parley.toml` and `PARLEY_*` environment variables, checked at start.

The CLI loads them once and hands them to the wiring; nobody reads the environment elsewhere.
"""

from __future__ import annotations

import difflib
import os
import re
import ssl
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from parley.call_control import AUDIOSOCKET_CODECS, RTP_CODECS, WEBSOCKET_CODECS, AudioCodec

DEFAULT_FILE = Path("parley.toml")
CARRIED = {"rtp": RTP_CODECS, "websocket": WEBSOCKET_CODECS, "audiosocket": AUDIOSOCKET_CODECS}
"""Codecs by transport."""
_PLAIN_PATH = re.compile(r"[0-9A-Za-z_./-]+")
APPLICATION_VARIABLE = "PARLEY_ASTERISK__APPLICATION"
"""In a node's environment: its name."""
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


PasswordSection = TypeVar("PasswordSection", AmiSettings, AsteriskSettings)


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
    """Threads that carry RTP."""
    cores: tuple[int, ...] = ()
    """Processors for the media engines, in turn; empty: the system chooses."""
    thread: bool = True
    """Carry RTP on threads. Without, the event loop does it: slower, and late whenever the loop is busy."""
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


class Settings(BaseSettings):
    """All settings. Relative paths count from the folder of parley.toml."""

    model_config = SettingsConfigDict(
        env_prefix="PARLEY_", env_nested_delimiter="__", extra="forbid", frozen=True, case_sensitive=False
    )

    data_dir: Path = Path("parley-data")
    flow_folders: tuple[Path, ...] = ()
    """Searched before the flows that come with Parley."""
    asterisk: AsteriskSettings = AsteriskSettings()
    media: MediaSettings = MediaSettings()
    worker: WorkerSettings = WorkerSettings()
    http: HttpSettings = HttpSettings()
    recording: RecordingSettings = RecordingSettings()
    log: LogSettings = LogSettings()
    limits: LimitSettings = LimitSettings()
    agents: dict[str, AgentSettings] = Field(default_factory=dict)

    @field_validator("data_dir")
    @classmethod
    def _is_plain(cls, folder: Path) -> Path:
        """The dialplan lets only these characters through to Asterisk's playback of whispered summaries."""
        if not _PLAIN_PATH.fullmatch(str(folder)):
            raise ValueError("may hold letters, digits and ./_- only: Asterisk must find the summaries in it")
        return folder

    @model_validator(mode="after")
    def _has_ports_enough(self) -> Self:
        media = self.media
        needed = media.engines + (self.limits.max_calls if media.port_per_call else 0)
        if media.transport == "rtp" and len(media.ports) < needed:
            raise ValueError(
                f"[media] has {len(media.ports)} ports, {needed} are needed (one per engine, and one per call where "
                "port_per_call is set): widen first_port to last_port"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return (EnvSettingsSource(settings_cls), init_settings)

    @property
    def application_names(self) -> tuple[str, str]:
        """The node's application, and the one that takes turns with it in upgrades."""
        name = self.asterisk.application
        return name, self.asterisk.standby_application or f"{name}-b"

    @property
    def uses_audiosocket_port(self) -> bool:
        """Whether Asterisk connects to `media.audiosocket_port`: with the audio of all calls, or by AudioSocket()."""
        return self.media.transport == "audiosocket" or self.asterisk.audiosocket_app.enabled

    def node_environment(self, application: str) -> dict[str, str]:
        """Return what is a node's own, for its environment: its name, and the ports that it listens on.

        application: one of `application_names`.
        """
        port, audiosocket_port = self.http.port, self.media.audiosocket_port
        if application != self.asterisk.application:
            port = self.http.standby_port or port + 1
            audiosocket_port = self.media.audiosocket_standby_port or audiosocket_port + 1
        own = {APPLICATION_VARIABLE: application, "PARLEY_HTTP__PORT": str(port)}
        if self.uses_audiosocket_port:
            own["PARLEY_MEDIA__AUDIOSOCKET_PORT"] = str(audiosocket_port)
        return own

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the record."""
        return f"sqlite+aiosqlite:///{self.data_dir / 'parley.db'}"

    @property
    def recordings_dir(self) -> Path:
        """Where recordings lie, by year, month and day."""
        return self.data_dir / "recordings"

    @property
    def whispers_dir(self) -> Path:
        """Where summaries for queue agents lie until they have been heard."""
        return self.data_dir / "whispers"

    @property
    def speech_cache_dir(self) -> Path:
        """Where synthesised prompts are kept."""
        return self.data_dir / "speech-cache"


def load_settings(file: Path | None = None) -> Settings:
    """Read the settings from `file`, from $PARLEY_CONFIG, or from ./parley.toml.

    Raises SettingsError naming every wrong key and its fix.
    """
    path = file or Path(os.environ.get("PARLEY_CONFIG", DEFAULT_FILE))
    tables = _read_toml(path)
    _refuse_secrets(path, tables)
    try:
        settings = Settings(**tables)
    except ValidationError as err:
        raise SettingsError("\n".join(_explain(path, problem) for problem in err.errors())) from err
    if not settings.agents:
        raise SettingsError(f'{path}: no agent: add a table such as [agents.reception] with flow = "appointment"')
    return _anchored(settings, path.resolve().parent)


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


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as err:
        raise SettingsError(
            f"{path}: not found: `parley init asterisk` writes one, --config or PARLEY_CONFIG names another"
        ) from err
    except OSError as err:
        raise SettingsError(f"{path}: cannot be read ({err.strerror})") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise SettingsError(f"{path}: not valid TOML: {err}") from err


def _refuse_secrets(path: Path, tables: dict[str, Any]) -> None:
    """Raise SettingsError when the file holds a password."""
    asterisk = tables.get("asterisk")
    ami = asterisk.get("ami") if isinstance(asterisk, dict) else None
    for table, content in (("asterisk", asterisk), ("asterisk.ami", ami)):
        if isinstance(content, dict) and "password" in content:
            variable = f"PARLEY_{table.upper().replace('.', '__')}__PASSWORD"
            raise SettingsError(
                f"{path}: {table}.password: secrets do not belong in this file; use {table}.password_file or {variable}"
            )


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Return the settings with relative paths made absolute from the file's folder."""
    asterisk = settings.asterisk
    asterisk = _with_password_from(folder, asterisk).model_copy(
        update={"ami": _with_password_from(folder, asterisk.ami)}
    )
    if asterisk.ca_file is not None:
        asterisk = asterisk.model_copy(update={"ca_file": folder / asterisk.ca_file})
    return settings.model_copy(
        update={
            "data_dir": folder / settings.data_dir,
            "flow_folders": tuple(folder / path for path in settings.flow_folders),
            "asterisk": asterisk,
            "agents": {name: _with_flow_from(folder, agent) for name, agent in settings.agents.items()},
        }
    )


def _with_password_from(folder: Path, section: PasswordSection) -> PasswordSection:
    if section.password_file is None:
        return section
    return section.model_copy(update={"password_file": folder / section.password_file})


def _with_flow_from(folder: Path, agent: AgentSettings) -> AgentSettings:
    """Anchor a flow that is given as a path; a name stays a name."""
    if "/" not in agent.flow and Path(agent.flow).suffix not in (".yaml", ".yml"):
        return agent
    return agent.model_copy(update={"flow": str(folder / agent.flow)})


def _explain(path: Path, problem: Any) -> str:
    """Turn one pydantic problem into a line with key and fix."""
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        close = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys here: {', '.join(sorted(known))}"
        return f"{path}: {key}: unknown key; {hint}"
    if problem["type"] == "missing":
        return f"{path}: {key}: missing; it must be set"
    what = problem["msg"].removeprefix("Value error, ")
    # A rule about several keys has the whole table as its input.
    shown = "" if isinstance(problem.get("input"), dict) else f" = {_plain(problem.get('input'))!r}"
    return f"{path}: {key}{shown}: {what}" if key else f"{path}: {what}"


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _known_keys(location: list[str]) -> list[str]:
    """Return the keys that a table may have."""
    model: type[BaseModel] = Settings
    for part in location:
        if part not in model.model_fields:
            return list(AgentSettings.model_fields)
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return list(AgentSettings.model_fields)
        model = annotation
    return list(model.model_fields)
