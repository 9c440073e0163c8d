"""The documents for administrators and dialplan authors say what the program does."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

import grpc.aio
import pytest
from pydantic import BaseModel

from ari_app.transfers import HANDLING, HANDLING_NOTE, NOWHERE
from parley.app.call_results import ParleyStatus
from parley.app.doctor import AUDIOSOCKET_APP_MODULES, NEEDED_MODULES, SUBROUTINE_MODULES, USEFUL_MODULES
from parley.app.doctor_media import TRANSPORT_MODULES
from parley.app.init_asterisk import Choices, init_asterisk
from parley.app.metrics import Metrics
from parley.app.readiness import started_checks
from parley.app.settings import Settings, load_settings
from parley.app.settings_tables import AgentSettings
from parley.app.switchboard import Switchboard
from parley.conversation.record import EndReason
from parley.store import Database
from tests.support.asterisk import Asterisk, require_asterisk

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DIALPLANS = ROOT / "dialplans" / "asterisk"


def document(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """Return what stands under a heading, subsections included."""
    text = document(name)
    start = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert start, heading
    end = re.compile(rf"^#{{1,{len(start.group(1))}}} ", re.MULTILINE).search(text, start.end())
    return text[start.end() : end.start() if end else len(text)]


def first_cells(text: str) -> list[str]:
    """Return the code in the first cell of every row of the tables in a text."""
    return [code for row in re.findall(r"^\| (.*?) \|", text, re.MULTILINE) for code in re.findall(r"`([^`]+)`", row)]


def sentences(name: str) -> list[str]:
    """Return the sentences of a document's prose on one line each; code blocks and tables are left out."""
    prose = re.sub(r"^```.*?^```$|^\|[^\n]*", "", document(name), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(sentence.split()) for sentence in re.split(r"(?<=[.:])\s+|\n\n", prose)]


def doubled_rows(text: str) -> list[str]:
    """Return the first cells that two rows of one table share; empty ones go on with the row above."""
    doubled = []
    for table in re.findall(r"(?:^ *\|.*\n?)+", text, re.MULTILINE):
        cells = [re.split(r"(?<!\\)\|", row)[1].strip() for row in table.splitlines()]
        doubled += [cell for cell, count in Counter(cells).items() if cell and count > 1]
    return doubled


def examples(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document(name), re.MULTILINE | re.DOTALL)


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield every key of parley.toml with its default."""
    for name, field in model.model_fields.items():
        kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        table = next((kind for kind in kinds if issubclass(kind, BaseModel)), None)
        if name == "agents":
            yield from keys_of(AgentSettings, "agents.NAME.")
        elif table is not None:
            yield from keys_of(table, f"{prefix}{name}.")
        else:
            yield prefix + name, field.get_default(call_default_factory=True)


# --- operations.md ----------------------------------------------------------------------------------------


def test_operations_lists_every_setting_and_no_other() -> None:
    table = section("operations.md", "Settings").split("### Environment")[0]
    assert sorted(first_cells(table)) == sorted(key for key, _ in keys_of(Settings))


def test_operations_states_the_default_of_every_setting() -> None:
    stated = dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|", section("operations.md", "Settings"), re.MULTILINE))
    for key, default in keys_of(Settings):
        match default:
            case None:
                expected = "none"
            case bool():
                expected = f"`{str(default).lower()}`"
            case str() | Path():
                expected = f'`"{default}"`'
            case tuple():
                expected = f"`{json.dumps(default)}`"
            case int() | float() | dict():
                expected = f"`{default}`"
            case _:
                expected = "must be set"
        assert stated[key] == expected, key


def test_example_settings_of_operations_load(tmp_path: Path) -> None:
    [example] = examples("operations.md", "toml")
    (tmp_path / "parley.toml").write_text(example, encoding="utf-8")
    assert sorted(load_settings(tmp_path / "parley.toml").agents) == ["night", "reception"]


def test_operations_lists_every_metric_and_no_other() -> None:
    suffixes = {"counter": "_total", "info": "_info"}
    exposed = {metric.name + suffixes.get(metric.type, "") for metric in Metrics().registry.collect()}
    listed = [code for code in first_cells(section("operations.md", "Health and metrics")) if code != "/metrics"]
    assert sorted(listed) == sorted(exposed)


def test_something_counts_into_every_metric_that_operations_lists() -> None:
    """A metric that nobody feeds stays at 0, and an alert on it stays silent."""
    others = [path for path in sorted((ROOT / "parley").rglob("*.py")) if path.name != "metrics.py"]
    program = "\n".join(path.read_text(encoding="utf-8") for path in others)
    fed_by = [name for name, member in vars(Metrics).items() if callable(member) and not name.startswith("_")]
    assert len(fed_by) >= 8
    assert [name for name in fed_by if f"metrics.{name}" not in program] == []


def test_operations_names_every_reason_for_which_calls_end() -> None:
    named = section("operations.md", "Health and metrics").split("The reasons of")[1]
    assert {reason.value for reason in EndReason} <= set(re.findall(r"`(\w+)`", named))


def test_every_log_message_in_operations_is_one_that_the_program_writes() -> None:
    program = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("parley", "ari_app", "audio_fork", "media_core")
        for path in sorted((ROOT / package).rglob("*.py*"))
        if path.suffix in (".py", ".pyx")
    )
    messages = re.findall(r"^\| `([^`|]+)` \|", section("operations.md", "Logs"), re.MULTILINE)
    assert len(messages) >= 10
    assert [message for message in messages if f'"{message}' not in program] == []


def test_operations_names_every_check_of_ready() -> None:
    checks = started_checks(cast(Switchboard, None), cast(Database, None), cast(grpc.aio.Channel, None))
    [text] = re.findall(r"^- `/ready`: .*?(?=^- )", section("operations.md", "Health and metrics"), re.M | re.DOTALL)
    assert set(re.findall(r"`(\w+)`", text)) == set(checks)


@pytest.mark.parametrize("path", sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")]), ids=lambda path: path.name)
def test_no_table_has_two_rows_for_the_same_thing(path: Path) -> None:
    assert doubled_rows(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", sorted(path.name for path in DOCS.glob("*.md")))
def test_no_document_says_a_long_sentence_twice(name: str) -> None:
    counts = Counter(sentence for sentence in sentences(name) if len(sentence) > 60)
    assert [sentence for sentence, count in counts.items() if count > 1] == []


def test_rows_that_a_merge_has_doubled_are_seen() -> None:
    table = "| what | value |\n|---|---|\n| `a` | 1 |\n| `b` | 1 |\n| `a` | 2 |\n"
    assert doubled_rows(table) == ["`a`"]
    assert doubled_rows(f"{table.replace('| `a` | 2 |', '')}\n\n| `a` | 3 |\n|---|---|\n| | 4 |\n| | 5 |\n") == []


async def test_deleting_statements_of_operations_leave_nothing_of_the_calls_before_the_date(tmp_path: Path) -> None:
    file = tmp_path / "parley.db"
    database = await Database.open(f"sqlite+aiosqlite:///{file}")
    await database.aclose()
    [statements] = examples("operations.md", "sql")
    connection = sqlite3.connect(file)
    try:
        for number, call_id in ((1, "20261031-235959-00000000"), (2, "20261101-000000-00000000")):
            _insert_call(connection, number, call_id)
        connection.commit()
        connection.executescript(statements)
        kept = {table: _ids(connection, table) for table in ("call", "leg", "turn", "note", "outcome")}
    finally:
        connection.close()
    assert kept == {"call": [2], "leg": [2], "turn": [2], "note": [2], "outcome": [2]}


def _insert_call(connection: sqlite3.Connection, number: int, call_id: str) -> None:
    """Insert a call with one row in each table that hangs on it; texts empty, numbers 0."""
    for table in ("call", "leg", "turn", "note", "outcome"):
        columns = [(row[1], row[2]) for row in connection.execute(f"PRAGMA table_info({table})")]
        values: dict[str, object] = {
            name: 0 if kind.startswith(("INTEGER", "FLOAT", "BOOLEAN")) else "" for name, kind in columns
        }
        values |= {"id": number} if "id" in values else {}
        values |= {"call_id": call_id} if table == "call" else {"call": number}
        marks = ", ".join("?" for _ in values)
        connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", [*values.values()])


def _ids(connection: sqlite3.Connection, table: str) -> list[int]:
    column = "id" if table == "call" else "call"
    return [row[0] for row in connection.execute(f"SELECT {column} FROM {table}")]


# --- dialplan.md ------------------------------------------------------------------------------------------


def test_dialplan_lists_every_status_and_no_other() -> None:
    listed = first_cells(section("dialplan.md", "What to do with `PARLEY_STATUS`"))
    assert sorted(set(listed) & {status.value for status in ParleyStatus}) == sorted(ParleyStatus)
    rows = re.findall(r"^\| `([A-Z]+)` \|", section("dialplan.md", "What to do with `PARLEY_STATUS`"), re.MULTILINE)
    assert sorted(rows) == sorted(ParleyStatus)


def test_dialplan_lists_every_variable_that_parley_sets_and_no_other() -> None:
    sources = [
        (ROOT / "parley/app" / name).read_text(encoding="utf-8") for name in ("call_results.py", "call_runner.py")
    ]
    written = {name for text in sources for name in re.findall(r'"(PARLEY_[A-Z_]+)"', text)}
    table = section("dialplan.md", "Variables that Parley sets").split("### Calls")[0]
    listed = set(re.findall(r"^\| `(PARLEY_[A-Z_<>]+)` \|", table, re.MULTILINE))
    assert listed == written | {"PARLEY_SLOT_<NAME>"}


def test_dialplan_lists_every_global_that_the_subroutines_read_and_no_other() -> None:
    subroutines = (DIALPLANS / "extensions_parley.conf").read_text(encoding="utf-8")
    code = re.sub(r"^\s*;.*$", "", subroutines, flags=re.MULTILINE)
    read = set(re.findall(r"\$\{(PARLEY_[A-Z_]+)\}", code))
    set_here = set(re.findall(r"(?:Set|Read)\((?:__)?(PARLEY_[A-Z_]+)[=,]", code))
    by_parley = {"PARLEY_TRANSFER_TO", "PARLEY_TRANSFER_KIND", "PARLEY_SUMMARY", "PARLEY_INTENT", "PARLEY_OUTCOME"}
    by_parley |= {"PARLEY_TIMER", "PARLEY_NODE", "PARLEY_ARGUMENTS", "PARLEY_LINK", "PARLEY_TRANSFER_HANDLING"}
    assert set(first_cells(section("dialplan.md", "Globals"))) >= read - set_here - by_parley
    listed = re.findall(r"^\| `(PARLEY_[A-Z_]+)` \|", section("dialplan.md", "Globals"), re.MULTILINE)
    assert sorted(listed) == sorted(read - set_here - by_parley)


def test_every_place_that_takes_a_caller_from_a_dead_node_gives_transfers_back_to_asterisk() -> None:
    subroutines = (DIALPLANS / "extensions_parley.conf").read_text(encoding="utf-8")
    contexts = dict(re.findall(r"^\[([\w-]+)\]\n(.*?)(?=^\[|\Z)", subroutines, re.MULTILINE | re.DOTALL))
    for context in ("parley", "parley-moved"):
        behind = contexts[context].partition("exten => T,")[2]
        assert f'ExecIf($["${{{HANDLING_NOTE}}}" = "ari-only"]?Set({HANDLING}=core))' in behind
    condition = f'$["${{MASTER_CHANNEL({HANDLING_NOTE})}}" = "ari-only"]'
    assert f"ExecIf({condition}?Set(MASTER_CHANNEL({HANDLING})=core))" in contexts["parley-timer"]
    by_hand = section("dialplan.md", "Without the subroutine").partition("exten => T,")[2]
    assert f'ExecIf($["${{{HANDLING_NOTE}}}" = "ari-only"]?Set({HANDLING}=core))' in by_hand


def test_every_example_with_stasis_says_first_where_the_caller_may_transfer_the_agent_to() -> None:
    by_hand = [text for text in examples("dialplan.md", "asterisk") if "Stasis(" in text]
    assert by_hand
    assert [text for text in by_hand if f"Set(TRANSFER_CONTEXT={NOWHERE})" not in text.partition("Stasis(")[0]] == []


def test_dialplan_lists_every_subroutine() -> None:
    contexts = re.findall(
        r"^\[([\w-]+)\]", (DIALPLANS / "extensions_parley.conf").read_text(encoding="utf-8"), re.MULTILINE
    )
    text = section("dialplan.md", "Subroutines")
    assert [context for context in contexts if f"`{context}`" not in text and f"Gosub({context}," not in text] == []


@pytest.mark.e2e
async def test_every_dialplan_example_loads_without_complaint_and_names_what_exists() -> None:
    require_asterisk()
    texts = [*examples("dialplan.md", "asterisk"), f"[from-install]\n{examples('install-asterisk.md', 'asterisk')[0]}"]
    assert len(texts) >= 5
    for number, text in enumerate(texts):
        renamed = re.sub(r"^\[from-trunk\]", f"[from-doc-{number}]", text, flags=re.MULTILINE)
        added = re.sub(r"^\[globals\]", "[globals](+)", renamed, flags=re.MULTILINE)
        async with Asterisk(additions={"extensions.conf": added}) as pbx:
            shown = await pbx.cli("dialplan show")
            complaints = [line for line in pbx.complaints() if "pbx_config" in line or "config.c" in line]
        assert complaints == []
        for context in re.findall(r"^\[([\w-]+)\]", renamed, re.MULTILINE):
            assert context == "globals" or f"[ Context '{context}' created by" in shown
        for called in re.findall(r"Gosub\(([\w-]+),", text):
            assert f"[ Context '{called}' created by" in shown
        for jump in re.findall(r"\?(\w+)\)", text):
            assert f"[{jump}]" in shown


# --- install-asterisk.md ----------------------------------------------------------------------------------


def test_install_lists_every_module_that_the_doctor_looks_for() -> None:
    listed = first_cells(section("install-asterisk.md", "Asterisk's modules"))
    text = section("install-asterisk.md", "Asterisk's modules")
    by_default = {*NEEDED_MODULES, *TRANSPORT_MODULES["rtp"], *USEFUL_MODULES}
    assert set(listed) == by_default - set(SUBROUTINE_MODULES) | {"app_stack.so"}
    others = section("install-asterisk.md", "Other ways for the audio")
    assert all(
        f"`{module}`" in others for modules in TRANSPORT_MODULES.values() for module in modules if module not in listed
    )
    assert all(f"`{module}`" in text for module in SUBROUTINE_MODULES)


def test_install_lists_every_module_for_audiosocket_in_the_dialplan() -> None:
    assert set(AUDIOSOCKET_APP_MODULES) <= set(first_cells(section("install-asterisk.md", "AudioSocket() as a way in")))


def test_install_says_every_line_that_init_prints(tmp_path: Path) -> None:
    done = init_asterisk(tmp_path, Choices())
    text = document("install-asterisk.md")
    for step in done.steps:
        for line in step.lines.splitlines():
            assert line.strip().replace(str(tmp_path), "/var/lib/parley") in text, line


def test_install_s_findings_are_findings_of_the_doctor() -> None:
    doctor = "".join(
        (ROOT / "parley/app" / name).read_text(encoding="utf-8")
        for name in ("doctor.py", "doctor_ami.py", "doctor_media.py")
    )
    checks = re.findall(r"^\| `(?:problem|warning) ([\w-]+(?: \w+)?)`", document("install-asterisk.md"), re.MULTILINE)
    assert len(checks) >= 8
    assert [check for check in checks if f'"{check}' not in doctor] == []


# --- all --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_lead_to_files_that_exist(name: str) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document(name))
    assert [target for target in targets if not (DOCS / target).exists()] == []


@pytest.mark.parametrize("name", ["dialplan.md", "install-asterisk.md", "operations.md", "security.md"])
def test_files_that_are_named_as_evidence_exist(name: str) -> None:
    named = re.findall(r"`((?:tests|dialplans|asterisk_conf|parley)/[\w/.-]+)`", document(name))
    assert [path for path in named if not (ROOT / path).exists()] == []
