"""Settings: `parley.toml` and `PARLEY_*` environment variables, checked at start.

The CLI loads them once and hands them to the wiring; nobody reads the environment elsewhere.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from parley.app.engine_settings import MODELS_FOLDER, EngineSettings, WorkerEngines
from parley.app.file_settings import FileSettings
from parley.app.settings_tables import (
    AgentSettings,
    AmiSettings,
    AsteriskSettings,
    HttpSettings,
    LatencySettings,
    LimitSettings,
    LogSettings,
    MediaSettings,
    RecordingSettings,
    SettingsError,
    VadSettings,
    WorkerSettings,
)

DEFAULT_FILE = Path("parley.toml")
_PLAIN_PATH = re.compile(r"[0-9A-Za-z_./-]+")
MODELLED_RECOGNIZERS = {"faster-whisper": "faster_whisper", "openai-whisper": "openai_whisper"}
"""Recognisers that need a model, and the tables of `[engines]` that name it."""
VOICED_SYNTHESIZERS = {"piper": "piper"}
"""Synthesisers that need voices, and the tables that name their folder."""
APPLICATION_VARIABLE = "PARLEY_ASTERISK__APPLICATION"
"""In a node's environment: its name."""


PasswordSection = TypeVar("PasswordSection", AmiSettings, AsteriskSettings)


class Settings(FileSettings):
    """All settings. Relative paths count from the folder of parley.toml."""

    model_config = SettingsConfigDict(extra="forbid")

    data_dir: Path = Path("parley-data")
    flow_folders: tuple[Path, ...] = ()
    """Searched before the flows that come with Parley."""
    asterisk: AsteriskSettings = AsteriskSettings()
    media: MediaSettings = MediaSettings()
    vad: VadSettings = VadSettings()
    worker: WorkerSettings = WorkerSettings()
    engines: EngineSettings = EngineSettings()
    http: HttpSettings = HttpSettings()
    recording: RecordingSettings = RecordingSettings()
    log: LogSettings = LogSettings()
    latency: LatencySettings = LatencySettings()
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

    @model_validator(mode="after")
    def _has_engines_for_its_agents(self) -> Self:
        """A worker elsewhere has engines of its own."""
        for agent in self.agents.values():
            table = MODELLED_RECOGNIZERS.get(agent.recognizer)
            if table and getattr(self.engines, table) is None and not self.worker.address:
                raise ValueError(
                    f"an agent's recognizer is {agent.recognizer}, which has no model: add [engines.{table}] with "
                    "model; `parley models list` shows some"
                )
            table = VOICED_SYNTHESIZERS.get(agent.synthesizer)
            if table and getattr(self.engines, table) is None and not self.worker.address:
                raise ValueError(
                    f"an agent's synthesizer is {agent.synthesizer}, which has no voices: add [engines.{table}] with "
                    "folder; docs/engines.md says what belongs there"
                )
        return self

    @property
    def application_names(self) -> tuple[str, str]:
        """The node's application, and the one that takes turns with it in upgrades."""
        name = self.asterisk.application
        return name, self.asterisk.standby_application or f"{name}-b"

    @property
    def uses_audiosocket_port(self) -> bool:
        """Whether Asterisk connects to `media.audiosocket_port`: with the audio of all calls, or by AudioSocket()."""
        return self.media.transport == "audiosocket" or self.asterisk.audiosocket_app.enabled

    @property
    def standby_http_port(self) -> int:
        """Where the second node of an upgrade serves HTTP."""
        return self.http.standby_port or self.http.port + 1

    @property
    def standby_audiosocket_port(self) -> int:
        """Where the second node of an upgrade takes AudioSocket connections."""
        return self.media.audiosocket_standby_port or self.media.audiosocket_port + 1

    def node_environment(self, application: str) -> dict[str, str]:
        """Return what is a node's own, for its environment: its name, and the ports that it listens on.

        application: one of `application_names`.
        """
        port, audiosocket_port = self.http.port, self.media.audiosocket_port
        if application != self.asterisk.application:
            port, audiosocket_port = self.standby_http_port, self.standby_audiosocket_port
        own = {APPLICATION_VARIABLE: application, "PARLEY_HTTP__PORT": str(port)}
        if self.uses_audiosocket_port:
            own["PARLEY_MEDIA__AUDIOSOCKET_PORT"] = str(audiosocket_port)
        return own

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the record."""
        return f"sqlite+aiosqlite:///{self.record_file}"

    @property
    def record_file(self) -> Path:
        """The record's SQLite file."""
        return self.data_dir / "parley.db"

    @property
    def recordings_dir(self) -> Path:
        """Where recordings lie, by year, month and day."""
        return self.data_dir / "recordings"

    @property
    def whispers_dir(self) -> Path:
        """Where summaries for queue agents lie until they have been heard."""
        return self.data_dir / "whispers"

    @property
    def models_dir(self) -> Path:
        """Where `parley models pull` puts models."""
        return self.data_dir / MODELS_FOLDER

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


def load_settings_if_any(file: Path | None = None) -> Settings | None:
    """Read the settings as `load_settings()` does, None where no file is named and there is none here."""
    if file is None and "PARLEY_CONFIG" not in os.environ and not DEFAULT_FILE.exists():
        return None
    return load_settings(file)


def load_engines(file: Path) -> EngineSettings:
    """Read the tables `[engines.*]` alone, for a worker without a node. Raises SettingsError."""
    tables = _read_toml(file)
    _refuse_secrets(file, tables)
    try:
        read = WorkerEngines(**{key: tables[key] for key in ("data_dir", "engines") if key in tables})
    except ValidationError as err:
        raise SettingsError("\n".join(_explain(file, problem) for problem in err.errors())) from err
    folder = file.resolve().parent
    return read.engines.anchored(folder, folder / read.data_dir)


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
    """Raise SettingsError when the file holds a password or a key."""
    for location in (("asterisk", "password"), ("asterisk", "ami", "password"), ("engines", "openai", "api_key")):
        content: Any = tables
        for part in location:
            content = content.get(part) if isinstance(content, dict) else None
        if content is not None:
            key = ".".join(location)
            variable = f"PARLEY_{key.upper().replace('.', '__')}"
            raise SettingsError(f"{path}: {key}: secrets do not belong in this file; use {key}_file or {variable}")


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
            "engines": settings.engines.anchored(folder, folder / settings.data_dir),
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
        # An engine's table is optional: it is one of the types that the field may have.
        tables = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        table = next((kind for kind in tables if issubclass(kind, BaseModel)), None)
        if table is None:
            return list(AgentSettings.model_fields)
        model = table
    return list(model.model_fields)
