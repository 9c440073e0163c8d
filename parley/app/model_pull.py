"""Bring a model into its folder: fetched or copied, resumed, checked, and put in place at once.

What has come lies in `.NAME.part` beside the models until all of it is right.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from parley.app.model_catalogue import FolderModel
from parley.app.model_files import (
    CHUNK_BYTES,
    MANIFEST,
    ModelError,
    ModelState,
    ModelUnavailable,
    examine,
    is_plain,
    read_manifest,
    sum_of,
    write_manifest,
)
from parley.app.model_sources import Source

Progress = Callable[[str, int, int], None]
"""Told a file's name, how much of it is here, and its size or 0."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def pull(
    model: FolderModel,
    folder: Path,
    source: Source,
    sums: Mapping[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> Path:
    """Bring a model into its folder below `folder`, and return that; does nothing where the same is ready there.

    sums: sha256 of each file, from the user; else the catalogue's, else those that the source states.
    Raises ModelError; what has come is kept for the next time, but for a file whose sum is wrong.
    """
    place = folder / model.name
    wanted = _wanted(model, source, sums or {})
    if _is_ready(model, folder, wanted):
        return place
    work = folder / f".{model.name}.part"
    try:
        work.mkdir(parents=True, exist_ok=True)
        with _alone(work, model):
            for name, sha256 in wanted.items():
                _bring(source, name, sha256, work, progress)
            for stale in set(os.listdir(work)) - set(wanted):
                (work / stale).unlink()
            write_manifest(work / MANIFEST, wanted)
            _put_in_place(work, place)
    except OSError as err:
        if err.errno in _FULL:
            raise ModelUnavailable(f"{folder}: the disk is full; what has come is kept: make room, try again") from err
        raise ModelError(f"{err.filename or folder} cannot be written ({err.strerror})") from err
    return place


def _wanted(model: FolderModel, source: Source, given: Mapping[str, str]) -> dict[str, str]:
    """Return the sum of each file that belongs to the model. Raises ModelError where one is not known."""
    known = {file.name: file.sha256 for file in model.files if file.sha256}
    wanted = known if model.sums_known else {**(given or source.sums() or {}), **known}
    unknown = [name for name in given if model.sums_known and name not in known]
    if unknown:
        raise ModelError(f"--sha256 of {', '.join(unknown)}: {model.name} has no such file; it has: {', '.join(known)}")
    wrong = [name for name, sha256 in given.items() if known.get(name, sha256) != sha256]
    if wrong:
        raise ModelError(f"--sha256 of {', '.join(wrong)} is not the one that the publisher states")
    lacking = [file.name for file in model.files if file.name not in wanted]
    if lacking:
        raise ModelError(
            f"{model.name}: the sha256 of {', '.join(lacking)} is not known. Put a file {MANIFEST} beside the model's "
            f"files, made where you trust them (`sha256sum * > {MANIFEST}`), or give --sha256 FILE=SUM for each"
        )
    strange = [name for name in wanted if not is_plain(name)]
    if strange:
        raise ModelError(f"{strange[0]!r} is no name for a file of a model")
    return wanted


def _is_ready(model: FolderModel, folder: Path, wanted: Mapping[str, str]) -> bool:
    """Tell whether these files are in the model's place already. Files beside them do no harm."""
    if examine(model, folder).state is not ModelState.READY:
        return False
    return wanted.items() <= read_manifest(folder / model.name / MANIFEST).items()


@contextmanager
def _alone(work: Path, model: FolderModel) -> Iterator[None]:
    """Keep other pulls of the same model out. Raises ModelUnavailable when one is at work."""
    descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise ModelUnavailable(f"another `parley models pull {model.name}` is at work") from err
        yield
    finally:
        os.close(descriptor)


def _bring(source: Source, name: str, sha256: str, work: Path, progress: Progress) -> None:
    """Fetch one file, going on where an earlier pull stopped."""
    whole, part = work / name, work / f"{name}.part"
    if whole.is_file() and sum_of(whole) == sha256:
        return
    came = sum_of(part) if part.is_file() else ""
    if came != sha256:
        came = _append(source, name, part, progress)
    if came != sha256:
        part.unlink()
        raise ModelError(
            f"{name}: what came is not the file that is wanted (sha256 {came}, not {sha256}); it was deleted. "
            "Try again; if it stays so, the source has another file"
        )
    os.replace(part, whole)


def _append(source: Source, name: str, part: Path, progress: Progress) -> str:
    """Fetch what is missing of a file, and return the sha256 of the whole."""
    have = part.stat().st_size if part.exists() else 0
    with source.open(name, have) as opened, part.open("r+b" if have else "wb") as out:
        if opened.offset > have:
            raise ModelUnavailable(f"{name}: the server sends another part than it was asked for: try again")
        _see_room(part, opened.size - opened.offset)
        digest = hashlib.sha256()
        done = 0
        while done < opened.offset:
            kept = out.read(min(CHUNK_BYTES, opened.offset - done))
            if not kept:
                raise ModelUnavailable(f"{name}: what had come is no longer there: try again")
            digest.update(kept)
            done += len(kept)
        out.truncate()
        progress(name, done, opened.size)
        while chunk := opened.stream.read(CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
            done += len(chunk)
            progress(name, done, opened.size)
        if done < opened.size:
            raise ModelUnavailable(f"{name}: the source broke off; what has come is kept: try again")
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _see_room(part: Path, needed: int) -> None:
    """Raise ModelUnavailable where the disk has no room for so many bytes more."""
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise ModelUnavailable(
            f"{part.parent.parent}: {needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free: make room, or name "
            "another folder with --folder"
        )


def _put_in_place(work: Path, place: Path) -> None:
    """Let the finished folder take the model's name; whatever had it before is removed."""
    old = place.with_name(f".{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.replace(place, old)
    os.replace(work, place)
    shutil.rmtree(old, ignore_errors=True)
