"""Which troubles end a command for good, and after which it may be tried again."""

import errno
from pathlib import Path

import grpc.aio
import pytest

from audio_fork.errors import NoFreePort
from media_core.errors import EngineStartError, MediaError
from parley.app.cli import user_errors
from parley.app.data_lock import data_lock
from parley.app.exit_status import CANNOT_WORK, TRY_AGAIN, exit_status
from parley.app.own_worker import check_engines
from parley.app.settings import Settings
from parley.app.settings_tables import AgentSettings, NotYet, SettingsError
from parley.call_control import PbxRefused, PbxUnavailable
from parley.conversation.errors import FlowError
from parley.store import SchemaTooNew, StoreDamaged, StoreUnavailable


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("parley.db is locked by another program"),
        PbxUnavailable("nothing listens at 127.0.0.1:8088"),
        NoFreePort("127.0.0.1:9092 is taken"),
        NotYet("another process serves this name"),
        OSError(errno.EADDRINUSE, "Address already in use"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_what_passes_by_itself_is_to_be_tried_again(error: Exception) -> None:
    assert isinstance(error, user_errors())
    assert exit_status(error) == TRY_AGAIN == 75


@pytest.mark.parametrize(
    "error",
    [
        SettingsError("parley.toml: not found"),
        FlowError("appointment: no node is named bye"),
        PbxRefused("wrong password"),
        SchemaTooNew("a newer Parley has written parley.db"),
        StoreDamaged("parley.db is not a database"),
        PermissionError(errno.EACCES, "Permission denied"),
        OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"),
    ],
)
def test_what_only_a_person_can_change_is_not(error: Exception) -> None:
    assert isinstance(error, user_errors())
    assert exit_status(error) == CANNOT_WORK == 2


def test_errors_of_the_audio_port_are_the_users() -> None:
    assert not issubclass(MediaError, user_errors())
    assert issubclass(EngineStartError, user_errors())
    assert issubclass(NoFreePort, user_errors())


def test_name_that_another_process_still_has_may_be_free_later(tmp_path: Path) -> None:
    with data_lock(tmp_path, "parley"), pytest.raises(NotYet, match="another process"), data_lock(tmp_path, "parley"):
        pass


def test_folder_that_cannot_be_made_stays_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError) as caught, data_lock(tmp_path / "file" / "data", "parley"):
        pass
    assert exit_status(caught.value) == CANNOT_WORK


async def test_worker_that_does_not_answer_is_not_taken_for_one_without_the_engine(tmp_path: Path) -> None:
    settings = Settings(agents={"reception": AgentSettings(flow="appointment", language="en")})
    async with grpc.aio.insecure_channel(f"unix:{tmp_path / 'nobody.sock'}") as channel:
        with pytest.raises(NotYet, match="does not answer"):
            await check_engines(settings, {}, channel)
