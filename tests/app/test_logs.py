import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from parley.app.logs import bind_call, configure_logging
from parley.conversation.errors import EngineTimeout

logger = logging.getLogger("tests.app.logs")

NUMBER = "+15551234567"


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def configured(out: io.StringIO, *, json_lines: bool = True, level: str = "INFO", personal_data: bool = False) -> None:
    configure_logging(json_lines, level, personal_data, stream=out)


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def fail_on(number: str) -> None:
    caller_name = "Mallory " + number
    raise ValueError(f"cannot dial {number} for {caller_name}")


def test_a_line_is_one_json_object_with_time_level_logger_and_fields(out: io.StringIO) -> None:
    configured(out)
    logger.info("call answered", extra={"after_ms": 120, "agent": "前台"})
    [line] = lines(out)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "call answered",
        "level": "info",
        "logger": "tests.app.logs",
        "after_ms": 120,
        "agent": "前台",
    }


def test_lines_below_the_level_are_left_out(out: io.StringIO) -> None:
    configured(out, level="WARNING")
    logger.info("call answered")
    logger.warning("engine slow")
    assert [line["event"] for line in lines(out)] == ["engine slow"]


def test_configuring_again_does_not_double_the_lines(out: io.StringIO) -> None:
    configured(out)
    configured(out)
    logger.info("call answered")
    assert len(lines(out)) == 1


async def test_every_line_of_a_call_carries_its_ids_and_no_other_calls(out: io.StringIO) -> None:
    configured(out)

    async def talk(call_id: str) -> None:
        with bind_call(call_id, f"leg-{call_id}"):
            await asyncio.sleep(0)
            logger.info("turn ended")

    await asyncio.gather(talk("a"), talk("b"))
    logger.info("idle")

    first, second, idle = lines(out)
    assert (first["call_id"], first["leg_id"]) == ("a", "leg-a")
    assert (second["call_id"], second["leg_id"]) == ("b", "leg-b")
    assert "call_id" not in idle


def test_personal_data_is_dropped_wherever_it_stands(out: io.StringIO) -> None:
    configured(out)
    logger.info("offered", extra={"pii_ani": "+15551234567", "leg": {"pii_name": "Mallory", "state": "offered"}})
    logger.info("legs", extra={"legs": [{"pii_ani": "+15551234567"}]})
    offered, legs = lines(out)
    assert offered["pii_ani"] == "[not logged]"
    assert offered["leg"] == {"pii_name": "[not logged]", "state": "offered"}
    assert legs["legs"] == [{"pii_ani": "[not logged]"}]
    assert "5551234567" not in out.getvalue()


def test_personal_data_is_kept_where_the_site_asks_for_it(out: io.StringIO) -> None:
    configured(out, personal_data=True)
    logger.info("offered", extra={"pii_ani": "+15551234567"})
    assert lines(out)[0]["pii_ani"] == "+15551234567"


@pytest.mark.parametrize("json_lines", [True, False])
@pytest.mark.parametrize("personal_data", [True, False])
def test_secrets_are_never_written(out: io.StringIO, json_lines: bool, personal_data: bool) -> None:
    configured(out, json_lines=json_lines, personal_data=personal_data)
    logger.info("connecting to %s", "ws://pbx/ari/events?api_key=parley:hunter2&app=parley")
    logger.info(
        "connecting", extra={"password": "hunter2", "ari_password": "hunter2", "headers": {"Authorization": "hunter2"}}
    )
    logger.info("connecting", extra={"url": "postgresql://parley:hunter2@db/parley"})
    try:
        raise ConnectionError("GET http://pbx/ari?api_key=parley:hunter2 refused")
    except ConnectionError:
        logger.exception("lost")
    assert "hunter2" not in out.getvalue()
    assert "refused" in out.getvalue()


def test_counts_of_tokens_are_no_secrets(out: io.StringIO) -> None:
    configured(out)
    logger.info("completed", extra={"prompt_tokens": 7})
    assert lines(out)[0]["prompt_tokens"] == 7


@pytest.mark.parametrize("json_lines", [True, False])
def test_exceptions_show_frames_but_neither_locals_nor_quoted_values(out: io.StringIO, json_lines: bool) -> None:
    configured(out, json_lines=json_lines)
    try:
        fail_on(NUMBER)
    except ValueError:
        logger.exception("call failed")
    text = out.getvalue()
    assert "in fail_on" in text
    assert "ValueError: [not logged]" in text
    assert "5551234567" not in text
    assert "Mallory +" not in text


def test_texts_of_our_own_errors_and_of_the_systems_are_shown(out: io.StringIO) -> None:
    configured(out)
    try:
        try:
            raise OSError(98, "Address already in use")
        except OSError as err:
            raise EngineTimeout("no final transcript within 3 s") from err
    except EngineTimeout:
        logger.exception("turn failed")
    exception = str(lines(out)[0]["exception"])
    assert "Address already in use" in exception
    assert "direct cause" in exception
    assert exception.endswith("parley.conversation.errors.EngineTimeout: no final transcript within 3 s")


def test_every_part_of_an_exception_group_is_shown(out: io.StringIO) -> None:
    configured(out)
    try:
        raise BaseExceptionGroup("two tasks failed", [EngineTimeout("slow"), ValueError("+15551234567")])
    except BaseExceptionGroup:
        logger.exception("call failed")
    exception = str(lines(out)[0]["exception"])
    assert "two tasks failed" in exception
    assert "EngineTimeout: slow" in exception
    assert "ValueError: [not logged]" in exception


def test_personal_data_setting_shows_the_texts_of_foreign_errors(out: io.StringIO) -> None:
    configured(out, personal_data=True)
    try:
        fail_on(NUMBER)
    except ValueError:
        logger.exception("call failed")
    assert "ValueError: cannot dial +15551234567" in out.getvalue()


@pytest.mark.parametrize("json_lines", [True, False])
def test_control_characters_of_a_caller_cannot_forge_lines_or_move_the_cursor(
    out: io.StringIO, json_lines: bool
) -> None:
    configured(out, json_lines=json_lines, personal_data=True)
    logger.info("offered", extra={"pii_name": "x\n2026-11-22 [error] forged\x1b[2J\u202e"})
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()
    assert "\u202e" not in out.getvalue()


def test_undecodable_text_is_written(out: io.StringIO) -> None:
    configured(out, personal_data=True)
    logger.info("offered", extra={"pii_name": "caf\udce9"})
    assert lines(out)[0]["pii_name"] == "caf\\udce9"


def test_console_layout_is_for_people(out: io.StringIO) -> None:
    configured(out, json_lines=False)
    with bind_call("1700.1", "leg-1"):
        logger.warning("engine slow", extra={"engine": "pocketsphinx"})
    line = out.getvalue()
    assert "[warning  ] engine slow" in line
    assert "call_id=1700.1" in line
    assert "engine=pocketsphinx" in line


def test_structlogs_own_loggers_write_the_same_lines(out: io.StringIO) -> None:
    configured(out)
    try:
        fail_on(NUMBER)
    except ValueError:
        structlog.get_logger("tests.app.other").exception("call failed", pii_ani="+15551234567")
    [line] = lines(out)
    assert (line["event"], line["level"], line["pii_ani"]) == ("call failed", "error", "[not logged]")
    assert str(line["exception"]).endswith("ValueError: [not logged]")


def test_statements_of_the_database_driver_are_not_logged_even_at_debug(out: io.StringIO) -> None:
    configured(out, level="DEBUG")
    logging.getLogger("aiosqlite").debug("executing INSERT %s", "+15551234567")
    logging.getLogger("sqlalchemy.engine").info("INSERT %s", "+15551234567")
    assert out.getvalue() == ""


def test_warnings_of_the_interpreter_become_lines(out: io.StringIO) -> None:
    configured(out)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old call", DeprecationWarning, stacklevel=1)
    [line] = lines(out)
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
