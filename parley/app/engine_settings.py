"""The tables `[engines.*]` of parley.toml: engines that must be told where their models are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from parley.app.file_settings import FileSettings
from parley.app.settings_tables import Section, SettingsError

MODELS_FOLDER = "models"
"""Below the data folder: where `parley models pull` puts models, each in a folder of its name."""


class FasterWhisperSettings(Section):
    """The recogniser `faster-whisper`; needs the extra of that name."""

    model: str = Field(min_length=1)
    """A model of `parley models`, or the path of a folder with one."""
    slots: int = Field(default=0, ge=0, le=64)
    """Decodings at once; 0: one for each processor but one."""
    threads: int = Field(default=1, ge=1, le=64)
    """Processor threads of one decoding."""
    partial_ms: int = Field(default=1000, ge=0)
    """While a caller speaks, decode anew after so much more audio; 0: only when he pauses."""
    device: Literal["cpu", "cuda"] = "cpu"
    compute: Literal["int8", "int8_float16", "float16", "float32"] = "int8"


class OpenaiWhisperSettings(Section):
    """The recogniser `openai-whisper`; needs the extra of that name."""

    model: str = Field(min_length=1)
    """A model of `parley models`, or the path of a checkpoint or of a folder with one."""
    threads: int = Field(default=1, ge=1, le=64)
    """Processor threads of a decoding; there is one at a time."""
    device: Literal["cpu", "cuda"] = "cpu"


class PiperSettings(Section):
    """Neural voices; needs the extra `piper`."""

    folder: Path
    """Of voices: NAME.onnx and NAME.onnx.json each; all of them are loaded at start."""
    threads: int = Field(default=1, ge=1, le=64)
    """Of one sentence."""
    at_once: int = Field(default=2, ge=1, le=64)
    """Sentences at the same time; further ones wait."""


class OpenaiSettings(Section):
    """A language model behind an HTTP server that speaks OpenAI's chat protocol: llama-server, vLLM, Ollama."""

    url: str = Field(pattern=r"^https?://[^\s?#@]+$")
    """Up to and with the version: http://127.0.0.1:8080/v1"""
    model: str = Field(default="", max_length=200)
    """As the server calls it; a server with one model does not look at it."""
    api_key: SecretStr | None = None
    """From PARLEY_ENGINES__OPENAI__API_KEY; in parley.toml use api_key_file."""
    api_key_file: Path | None = None
    first_text_s: float = Field(default=4.0, gt=0)
    """From a request to the first piece of the reply."""
    at_once: int = Field(default=16, ge=1, le=1024)
    """Replies at the same time; further ones are refused: as many as the server has slots."""

    def read_api_key(self) -> str:
        """Return the key, an empty string where none is set. Raises SettingsError for a file without one."""
        if self.api_key is not None:
            return self.api_key.get_secret_value()
        if self.api_key_file is None:
            return ""
        try:
            key = self.api_key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as err:
            raise SettingsError(f"engines.openai.api_key_file = {str(self.api_key_file)!r} cannot be read") from err
        if not key:
            raise SettingsError(f"engines.openai.api_key_file = {str(self.api_key_file)!r} is empty")
        return key


class LlamaSettings(Section):
    """A language model inside the worker; needs the extra `llama`."""

    model: str = Field(min_length=1)
    """A GGUF file: its name in the folder of `parley models`, or its path."""
    context_tokens: int = Field(default=4096, ge=256)
    """Of one chat: what is longer is refused."""
    contexts: int = Field(default=1, ge=1, le=16)
    """Replies at the same time, a copy of the model's state each."""
    threads: int = Field(default=2, ge=1, le=256)
    """Of one reply."""
    waiting: int = Field(default=4, ge=0, le=64)
    """Replies that may wait for a context; further ones are refused."""
    gpu_layers: int = Field(default=0, ge=-1)
    """How many layers the graphics card takes; -1: all."""


class EngineSettings(Section):
    """Engines that are off unless they have a table."""

    faster_whisper: FasterWhisperSettings | None = None
    openai_whisper: OpenaiWhisperSettings | None = None
    piper: PiperSettings | None = None
    openai: OpenaiSettings | None = None
    llama: LlamaSettings | None = None

    @model_validator(mode="after")
    def _one_place_for_a_key(self) -> Self:
        if self.openai and self.openai.api_key is not None and self.openai.api_key_file is not None:
            raise ValueError("openai.api_key_file and PARLEY_ENGINES__OPENAI__API_KEY are both set: take one away")
        return self

    def anchored(self, folder: Path, data_dir: Path) -> EngineSettings:
        """Return the settings with relative paths made absolute.

        folder: of parley.toml, from which paths count.   data_dir: where models of `parley models` lie.
        """
        placed: dict[str, Section | None] = {}
        modelled = (
            ("faster_whisper", self.faster_whisper),
            ("openai_whisper", self.openai_whisper),
            ("llama", self.llama),
        )
        for name, table in modelled:
            if table is not None:
                place = model_place(table.model, folder, data_dir)
                placed[name] = table.model_copy(update={"model": place})
        piper, openai = self.piper, self.openai
        if piper is not None:
            piper = piper.model_copy(update={"folder": folder / piper.folder})
        if openai is not None and openai.api_key_file is not None:
            openai = openai.model_copy(update={"api_key_file": folder / openai.api_key_file})
        return self.model_copy(update={**placed, "piper": piper, "openai": openai})

    def for_worker(self) -> str:
        """Return the settings as JSON for a worker's command line: without the key, which its environment has."""
        return self.model_dump_json(exclude={"openai": {"api_key"}}, exclude_none=True)


def model_place(model: str, folder: Path, data_dir: Path) -> str:
    """Return where a model lies: a word without a slash is a name."""
    return str(folder / model if "/" in model else data_dir / MODELS_FOLDER / model)


class WorkerEngines(FileSettings):
    """What a worker of its own reads in parley.toml; the environment wins."""

    model_config = SettingsConfigDict(extra="ignore")

    data_dir: Path = Path("parley-data")
    engines: EngineSettings = EngineSettings()


class ToldEngines(WorkerEngines):
    """What a node's worker is told by `for_worker()`; the environment adds the key, and no path twice."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let what we are told win."""
        return (init_settings, EnvSettingsSource(settings_cls))
