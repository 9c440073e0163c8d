"""Models come whole and right, or not at all; what has come is not fetched twice."""

from __future__ import annotations

import errno
import hashlib
import shutil
import ssl
import subprocess
import urllib.request
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parley.app.model_catalogue import FolderModel, ModelFile
from parley.app.model_files import MANIFEST, ModelError, ModelState, ModelUnavailable, examine
from parley.app.model_pull import pull
from parley.app.model_sources import FolderSource, Opened, WebSource
from tests.app.model_server import ModelServer, serving_models

FILES = {"config.json": b"{}", "model.bin": bytes(range(256)) * 5000}
EXTRA = {"vocabulary.txt": b"a\nb\n"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


SUMS = {name: digest(content) for name, content in FILES.items()}
MANIFEST_TEXT = "".join(f"{digest(content)}  {name}\n" for name, content in {**FILES, **EXTRA}.items()).encode()


def model(*, known: bool = True, url: str = "") -> FolderModel:
    files = tuple(ModelFile(name, SUMS[name] if known else "", f"{url}/{name}" if url else "") for name in FILES)
    return FolderModel("tiny", "an-engine", "tests", "MIT", files, "nobody")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving_models(dict(FILES)) as served:
        yield served


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST}


def break_off(server: ModelServer, models: Path) -> None:
    """Let a pull end in the middle of model.bin."""
    server.breaks_after = 700_000
    with pytest.raises(ModelUnavailable, match=r"broke off|broken off"):
        pull(model(), models, WebSource(server.url))
    server.breaks_after = None
    assert not (models / "tiny").exists()
    server.asked.clear()


class TestFromTheWeb:
    """Where the publisher states the sums."""

    def test_model_is_fetched_checked_and_ready(self, server: ModelServer, models: Path) -> None:
        seen: list[tuple[str, int, int]] = []
        place = pull(
            model(url=server.url),
            models,
            WebSource(urls={name: f"{server.url}/{name}" for name in FILES}),
            progress=lambda *step: seen.append(step),
        )
        assert contents(place) == FILES
        assert examine(model(), models).state is ModelState.READY
        assert seen[-1] == ("model.bin", len(FILES["model.bin"]), len(FILES["model.bin"]))
        assert [path.name for path in models.iterdir()] == ["tiny"]

    def test_model_that_is_ready_is_not_fetched_again(self, server: ModelServer, models: Path) -> None:
        pull(model(), models, WebSource(server.url))
        server.asked.clear()
        pull(model(), models, WebSource(server.url))
        assert server.asked == []

    def test_pull_goes_on_where_it_broke_off(self, server: ModelServer, models: Path) -> None:
        break_off(server, models)
        assert contents(pull(model(), models, WebSource(server.url))) == FILES
        assert server.asked == [("/models/model.bin", "bytes=700000-")]

    def test_server_that_cannot_go_on_begins_anew(self, server: ModelServer, models: Path) -> None:
        break_off(server, models)
        server.ranges = False
        assert contents(pull(model(), models, WebSource(server.url))) == FILES

    @pytest.mark.parametrize("begun", [False, True])
    @pytest.mark.parametrize(
        "says",
        [
            {"Content-Range": "bytes 900000-1279999/1280000"},
            {"Content-Range": "bytes ²-5/6"},
            {"Content-Range": "of it"},
            {"Content-Range": "bytes 0-5/1280000", "Content-Length": "many"},
        ],
    )
    def test_server_that_sends_another_part_than_was_asked_for_is_given_up(
        self, server: ModelServer, models: Path, begun: bool, says: dict[str, str]
    ) -> None:
        if begun:
            break_off(server, models)
        server.says = says
        with pytest.raises(ModelUnavailable, match=r"part|long"):
            pull(model(), models, WebSource(server.url))
        server.says = {}
        assert contents(pull(model(), models, WebSource(server.url))) == FILES

    def test_server_that_sends_the_file_in_parts_is_asked_again_by_the_next_pull(
        self, server: ModelServer, models: Path
    ) -> None:
        break_off(server, models)
        server.breaks_after = 100_000
        server.says = {"Content-Length": "100000", "Content-Range": "bytes 700000-799999/1280000"}
        with pytest.raises(ModelUnavailable, match="the source broke off; what has come is kept"):
            pull(model(), models, WebSource(server.url))
        server.breaks_after, server.says = None, {}
        server.asked.clear()
        assert contents(pull(model(), models, WebSource(server.url))) == FILES
        assert server.asked == [("/models/model.bin", "bytes=800000-")]

    def test_part_that_loses_its_end_meanwhile_is_told(self, models: Path) -> None:
        class Losing(FolderSource):
            @contextmanager
            def open(self, name: str, offset: int) -> Iterator[Opened]:
                with super().open(name, offset) as opened:
                    if offset:
                        (models / ".tiny.part" / f"{name}.part").write_bytes(b"")
                    yield opened

        source = models.parent / "carried"
        source.mkdir()
        for name, content in FILES.items():
            (source / name).write_bytes(content)
        (models / ".tiny.part").mkdir(parents=True)
        (models / ".tiny.part" / "model.bin.part").write_bytes(FILES["model.bin"][:1000])
        with pytest.raises(ModelUnavailable, match=r"model\.bin: what had come is no longer there: try again"):
            pull(model(), models, Losing(source))

    def test_part_of_a_longer_file_is_begun_anew(self, server: ModelServer, models: Path) -> None:
        work = models / ".tiny.part"
        work.mkdir(parents=True)
        (work / "model.bin.part").write_bytes(bytes(2_000_000))
        assert contents(pull(model(), models, WebSource(server.url))) == FILES

    def test_what_does_not_belong_to_the_model_is_not_put_in_place(self, server: ModelServer, models: Path) -> None:
        work = models / ".tiny.part"
        work.mkdir(parents=True)
        (work / "of-yesterday.bin").write_bytes(b"x")
        assert contents(pull(model(), models, WebSource(server.url))) == FILES

    def test_wrong_file_is_deleted_and_nothing_is_in_place(self, server: ModelServer, models: Path) -> None:
        server.files["model.bin"] = bytes(reversed(FILES["model.bin"]))
        with pytest.raises(ModelError, match=r"model.bin: what came is not the file that is wanted"):
            pull(model(), models, WebSource(server.url))
        assert not (models / "tiny").exists()
        assert not (models / ".tiny.part" / "model.bin.part").exists()
        server.files["model.bin"] = FILES["model.bin"]
        assert contents(pull(model(), models, WebSource(server.url))) == FILES

    def test_damaged_model_is_replaced(self, server: ModelServer, models: Path) -> None:
        place = pull(model(), models, WebSource(server.url))
        (place / "model.bin").write_bytes(b"damaged")
        assert contents(pull(model(), models, WebSource(server.url))) == FILES
        assert [path.name for path in models.iterdir()] == ["tiny"]

    def test_server_that_lacks_the_file_or_fails_is_named(self, server: ModelServer, models: Path) -> None:
        del server.files["model.bin"]
        with pytest.raises(ModelError, match=r"models/model.bin: the server has no such file"):
            pull(model(), models, WebSource(server.url))
        server.status = 503
        with pytest.raises(ModelUnavailable, match="the server answers 503"):
            pull(model(), models, WebSource(server.url))

    def test_no_network_is_told_with_the_way_out(self, server: ModelServer, models: Path) -> None:
        refused = server.url.replace("127.0.0.1", "127.0.0.2")
        with pytest.raises(ModelUnavailable, match=r"127.0.0.2 cannot be reached.*use --from FOLDER"):
            pull(model(), models, WebSource(refused))

    def test_too_little_room_is_told_before_anything_is_fetched(
        self, server: ModelServer, models: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 500_000, 500_000))
        with pytest.raises(ModelUnavailable, match=r"1 MB are needed, 0 MB are free.*--folder"):
            pull(model(), models, WebSource(server.url))
        assert (models / ".tiny.part" / "model.bin.part").stat().st_size == 0

    def test_disk_that_fills_up_meanwhile_keeps_what_has_come(self, server: ModelServer, models: Path) -> None:
        def full(name: str, done: int, _: int) -> None:
            if name == "model.bin" and done > 500_000:
                raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(ModelUnavailable, match=r"the disk is full; what has come is kept"):
            pull(model(), models, WebSource(server.url), progress=full)
        assert (models / ".tiny.part" / "model.bin.part").stat().st_size > 500_000

    def test_second_pull_at_the_same_time_is_refused(self, server: ModelServer, models: Path) -> None:
        def second(*_: object) -> None:
            pull(model(), models, WebSource(server.url))

        with pytest.raises(ModelUnavailable, match="another `parley models pull tiny` is at work"):
            pull(model(), models, WebSource(server.url), progress=second)


class TestFromAFolder:
    """For sites without internet."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "carried here"
        folder.mkdir()
        for name, content in {**FILES, **EXTRA}.items():
            (folder / name).write_bytes(content)
        return folder

    def test_files_are_copied_and_checked(self, folder: Path, models: Path) -> None:
        assert contents(pull(model(), models, FolderSource(folder))) == FILES

    def test_files_without_a_publishers_sums_need_a_manifest_and_come_with_all_that_it_lists(
        self, folder: Path, models: Path
    ) -> None:
        with pytest.raises(ModelError, match=r"sha256 of config.json, model.bin is not known.*SHA256SUMS.*--sha256"):
            pull(model(known=False), models, FolderSource(folder))
        (folder / MANIFEST).write_bytes(MANIFEST_TEXT)
        assert contents(pull(model(known=False), models, FolderSource(folder))) == {**FILES, **EXTRA}
        assert examine(model(known=False), models).state is ModelState.READY

    def test_sums_given_by_the_user_do_instead(self, folder: Path, models: Path) -> None:
        assert contents(pull(model(known=False), models, FolderSource(folder), SUMS)) == FILES

    def test_sum_that_contradicts_the_publisher_is_refused(self, folder: Path, models: Path) -> None:
        with pytest.raises(ModelError, match="not the one that the publisher states"):
            pull(model(), models, FolderSource(folder), {"model.bin": digest(b"other")})

    def test_model_that_is_ready_is_replaced_where_other_sums_are_given(self, folder: Path, models: Path) -> None:
        pull(model(known=False), models, FolderSource(folder), SUMS)
        (folder / "model.bin").write_bytes(b"of today")
        given = {**SUMS, "model.bin": digest(b"of today")}
        assert contents(pull(model(known=False), models, FolderSource(folder), given))["model.bin"] == b"of today"

    def test_model_that_is_ready_is_replaced_where_the_source_has_another(self, folder: Path, models: Path) -> None:
        (folder / MANIFEST).write_bytes(MANIFEST_TEXT)
        pull(model(known=False), models, FolderSource(folder))
        (folder / "model.bin").write_bytes(b"of today")
        today = MANIFEST_TEXT.decode().replace(SUMS["model.bin"], digest(b"of today"))
        (folder / MANIFEST).write_text(today)
        assert contents(pull(model(known=False), models, FolderSource(folder)))["model.bin"] == b"of today"

    def test_model_that_is_ready_stays_where_other_sums_are_given_for_what_is_not_there(
        self, folder: Path, models: Path
    ) -> None:
        place = pull(model(known=False), models, FolderSource(folder), SUMS)
        with pytest.raises(ModelError, match=r"model\.bin: what came is not the file that is wanted"):
            pull(model(known=False), models, FolderSource(folder), {**SUMS, "model.bin": digest(b"of today")})
        assert contents(place) == FILES

    def test_model_that_is_ready_stays_whole_where_it_is_more_than_what_sums_are_given_for(
        self, folder: Path, models: Path
    ) -> None:
        (folder / MANIFEST).write_bytes(MANIFEST_TEXT)
        pull(model(known=False), models, FolderSource(folder))
        assert contents(pull(model(known=False), models, FolderSource(folder), SUMS)) == {**FILES, **EXTRA}

    @pytest.mark.parametrize("ready", [False, True])
    def test_sum_of_a_file_that_the_model_has_not_is_refused(self, folder: Path, models: Path, ready: bool) -> None:
        if ready:
            pull(model(), models, FolderSource(folder))
        with pytest.raises(ModelError, match=r"--sha256 of modle\.bin: tiny has no such file; it has: config\.json, m"):
            pull(model(), models, FolderSource(folder), {"modle.bin": SUMS["model.bin"]})

    @pytest.mark.parametrize("name", ["../evil", "/etc/evil", ".hidden", "a b", "sub/evil"])
    def test_manifest_that_names_something_outside_the_folder_is_refused(
        self, folder: Path, models: Path, name: str
    ) -> None:
        (folder / MANIFEST).write_text(f"{digest(b'x')}  {name}\n")
        with pytest.raises(ModelError, match="line 1: not a line of `sha256sum`"):
            pull(model(known=False), models, FolderSource(folder))

    def test_file_that_is_not_there_is_named(self, folder: Path, models: Path) -> None:
        (folder / "model.bin").unlink()
        with pytest.raises(ModelError, match=r"carried here/model.bin cannot be read \(No such file"):
            pull(model(), models, FolderSource(folder))

    def test_folder_that_is_none_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="is no folder"):
            FolderSource(tmp_path / "absent")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate of a private authority for 127.0.0.1; the file holds the key as well."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(file), "-out", str(file.with_suffix(".crt")), "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    file.write_bytes(file.read_bytes() + file.with_suffix(".crt").read_bytes())
    return file


@pytest.fixture
def secure_server(certificate: Path) -> Iterator[ModelServer]:
    """A server that this process trusts."""
    trusting = ssl.create_default_context(cafile=certificate.with_suffix(".crt"))
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusting)))
    with serving_models({**FILES, **EXTRA}, certificate) as served:
        yield served
    urllib.request.install_opener(None)  # the default one again


class TestManifestOnTheWeb:
    """Where the publisher states no sums."""

    def test_manifest_over_https_counts(self, secure_server: ModelServer, models: Path) -> None:
        with pytest.raises(ModelError, match="is not known"):
            pull(model(known=False), models, WebSource(secure_server.url))
        secure_server.files[MANIFEST] = MANIFEST_TEXT
        assert contents(pull(model(known=False), models, WebSource(secure_server.url))) == {**FILES, **EXTRA}

    def test_manifest_over_http_is_refused_for_whoever_changes_the_files_changes_it_too(
        self, server: ModelServer, models: Path
    ) -> None:
        server.files[MANIFEST] = MANIFEST_TEXT
        with pytest.raises(ModelError, match=r"over http:// .*--sha256 FILE=SUM"):
            pull(model(known=False), models, WebSource(server.url))
        assert server.asked == []

    def test_files_over_http_come_where_their_sums_are_given(self, server: ModelServer, models: Path) -> None:
        assert contents(pull(model(known=False), models, WebSource(server.url), SUMS)) == FILES

    def test_manifest_over_https_that_leads_to_http_is_refused(
        self, secure_server: ModelServer, server: ModelServer, models: Path
    ) -> None:
        server.files[MANIFEST] = MANIFEST_TEXT
        secure_server.moved_to = server.url
        with pytest.raises(ModelError, match=r"SHA256SUMS: leads to http:// "):
            pull(model(known=False), models, WebSource(secure_server.url))
        assert not (models / "tiny").exists()


def remove(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("name", "damage", "problem"),
    [
        ("model.bin", remove, "model.bin is missing"),
        ("model.bin", cut, "model.bin is not what it was"),
        (MANIFEST, remove, "SHA256SUMS cannot be read"),
    ],
)
def test_check_names_what_is_wrong(
    server: ModelServer, models: Path, name: str, damage: Callable[[Path], None], problem: str
) -> None:
    assert examine(model(), models).state is ModelState.MISSING
    place = pull(model(), models, WebSource(server.url))
    damage(place / name)
    found = examine(model(), models)
    assert found.state is ModelState.DIFFERENT
    assert problem in found.problem
