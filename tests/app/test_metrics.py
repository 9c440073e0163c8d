import asyncio
from dataclasses import fields

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from audio_fork.rtp_audio import RtpAudio
from audio_fork.rtp_engine import RtpEngine
from audio_fork.stats import AudioStats
from parley.app.metrics import REFUSALS, Metrics
from parley.conversation.errors import EngineMissing, EngineTimeout
from parley.conversation.record import CallEnd, CallStart, EndReason, Turn, TurnTimings
from parley.store import StoreUnavailable

START = CallStart(
    call_id="1",
    leg_id="1",
    agent="reception",
    flow="appointment",
    language="en",
    direction="inbound",
    ani="+15551234567",
    dnis="100",
    started_at=0.0,
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def turn(number: int = 1, *, rejected: bool = False, timings: TurnTimings | None = None) -> Turn:
    return Turn(number=number, node="ask", at_ms=0, rejected=rejected, timings=timings or TurnTimings())


def test_calls_are_counted_by_agent_and_reason(metrics: Metrics) -> None:
    metrics.call_started(START)
    metrics.call_started(START)
    metrics.call_ended(CallEnd(ended_at=1.0, reason=EndReason.TRANSFERRED))
    assert value(metrics, "parley_calls_started_total", agent="reception") == 2
    assert value(metrics, "parley_calls_ended_total", reason="transferred") == 1


def test_refused_calls_are_counted_by_why_and_never_active(metrics: Metrics) -> None:
    metrics.call_refused("overload")
    assert value(metrics, "parley_calls_refused_total", why="overload") == 1
    assert value(metrics, "parley_calls_active") == 0


def test_refusals_stand_at_zero_before_the_first_so_that_an_alert_sees_it_come(metrics: Metrics) -> None:
    for why in REFUSALS:
        assert value(metrics, "parley_calls_refused_total", why=why) == 0


def test_a_turn_is_timed_in_seconds_as_a_whole_and_by_stage(metrics: Metrics) -> None:
    timings = TurnTimings(endpoint_ms=400, asr_ms=80, tts_ms=15, playout_ms=20, response_ms=515, barge_in_ms=190)
    metrics.turn_ended(turn(timings=timings))
    assert value(metrics, "parley_turn_response_seconds_sum") == 0.515
    assert value(metrics, "parley_turn_response_seconds_bucket", le="0.5") == 0
    assert value(metrics, "parley_turn_response_seconds_bucket", le="0.6") == 1
    assert value(metrics, "parley_turn_stage_seconds_sum", stage="endpoint") == 0.4
    assert value(metrics, "parley_turn_stage_seconds_count", stage="llm") == 0
    assert value(metrics, "parley_barge_in_seconds_bucket", le="0.2") == 1
    assert value(metrics, "parley_barge_in_seconds_bucket", le="0.15") == 0


def test_a_turn_without_a_response_is_not_timed(metrics: Metrics) -> None:
    metrics.turn_ended(turn(rejected=True))
    assert value(metrics, "parley_turn_response_seconds_count") == 0
    assert value(metrics, "parley_turns_rejected_total") == 1


def test_the_greeting_is_timed_apart_from_the_responses(metrics: Metrics) -> None:
    metrics.turn_ended(turn(0, timings=TurnTimings(tts_ms=60, playout_ms=20, response_ms=80)))
    assert value(metrics, "parley_greeting_seconds_bucket", le="0.1") == 1
    assert value(metrics, "parley_turn_response_seconds_count") == 0
    assert value(metrics, "parley_turn_stage_seconds_count", stage="tts") == 0


def test_faults_are_counted_by_their_stable_codes(metrics: Metrics) -> None:
    metrics.engine_failed("recognizer", EngineTimeout.code)
    metrics.engine_failed("synthesizer", EngineMissing.code)
    metrics.record_failed(StoreUnavailable("disk"))
    metrics.worker_restarted()
    assert value(metrics, "parley_engine_errors_total", port="recognizer", code="engine_timeout") == 1
    assert value(metrics, "parley_engine_errors_total", port="synthesizer", code="engine_missing") == 1
    assert value(metrics, "parley_record_errors_total", code="store_unavailable") == 1
    assert value(metrics, "parley_worker_restarts_total") == 1


def test_counts_of_audio_connections_add_up(metrics: Metrics) -> None:
    names = [field.name for field in fields(AudioStats)]
    stats = AudioStats(**{name: number for number, name in enumerate(names)})
    metrics.audio_ended(stats)
    metrics.audio_ended(stats)
    counted = {name: value(metrics, "parley_media_events_total", kind=name) for name in names}
    assert counted == {name: 2 * number for number, name in enumerate(names)}
    assert {"late_beats", "lost", "concealed", "strangers", "dropped_blocks"} <= counted.keys()


def test_the_pbx_gauge_follows_the_connection(metrics: Metrics) -> None:
    assert value(metrics, "parley_pbx_connected") == 0
    metrics.pbx_connected(True)
    assert value(metrics, "parley_pbx_connected") == 1
    metrics.pbx_connected(False)
    assert value(metrics, "parley_pbx_connected") == 0


def test_series_that_alerts_watch_exist_before_the_first_call(metrics: Metrics) -> None:
    assert value(metrics, "parley_calls_ended_total", reason="engine_failed") == 0
    assert value(metrics, "parley_media_events_total", kind="lost") == 0
    assert value(metrics, "parley_turn_stage_seconds_count", stage="asr") == 0


def test_exposition_is_openmetrics_for_a_scraper_that_asks_for_it(metrics: Metrics) -> None:
    body, content_type = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    text = body.decode()
    assert "# TYPE parley_calls_started counter\n" in text
    assert text.endswith("# EOF\n")


def test_exposition_is_prometheus_text_for_everybody_else(metrics: Metrics) -> None:
    body, content_type = metrics.exposition("")
    assert content_type.startswith("text/plain")
    assert "parley_calls_active" in {family.name for family in parse_text(body.decode())}


def test_losses_are_counted_whether_they_are_told_or_watched(metrics: Metrics) -> None:
    counted = [3]
    metrics.watch_dropped("log_lines", lambda: counted[0])
    metrics.dropped("facts", 2)
    metrics.dropped("facts", 1)
    assert value(metrics, "parley_dropped_total", queue="facts") == 3
    assert value(metrics, "parley_dropped_total", queue="log_lines") == 3
    counted[0] = 5
    assert value(metrics, "parley_dropped_total", queue="log_lines") == 5
    assert value(metrics, "parley_dropped_total", queue="happenings") == 0


def test_speech_in_memory_is_measured_when_asked_for(metrics: Metrics) -> None:
    assert value(metrics, "parley_speech_cache_bytes") == 0
    used = [100]
    metrics.watch_speech_cache(lambda: used[0])
    used[0] = 300
    assert value(metrics, "parley_speech_cache_bytes") == 300


def test_two_nodes_in_one_process_do_not_share_their_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.call_started(START)
    assert value(second, "parley_calls_active") == 0


async def test_tasks_of_the_loop_are_counted_when_asked_for(metrics: Metrics) -> None:
    before = value(metrics, "parley_tasks")
    assert before is not None
    waiting = [asyncio.create_task(asyncio.Event().wait()) for _ in range(3)]
    assert value(metrics, "parley_tasks") == before + 3
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert value(metrics, "parley_tasks") == before


def test_open_files_and_memory_of_the_process_are_told(metrics: Metrics) -> None:
    before = value(metrics, "process_open_fds")
    assert before is not None
    with open("/dev/null"):
        assert value(metrics, "process_open_fds") == before + 1
    assert (value(metrics, "process_resident_memory_bytes") or 0.0) > 1e6


async def test_media_engines_are_asked_whenever_metrics_are_until_they_stop(metrics: Metrics) -> None:
    engine = RtpEngine.open()
    metrics.watch_engines([engine])
    metrics.exposition("")
    assert value(metrics, "parley_media_engine", kind="sessions") == 0
    audio = RtpAudio(engine, "ulaw")
    metrics.exposition("")
    assert value(metrics, "parley_media_engine", kind="sessions") == 1
    assert value(metrics, "parley_media_engine_lateness_seconds", share="0.99") is not None
    metrics.watch_engines([])
    await audio.aclose()
    engine.close()
    metrics.exposition("")
    assert value(metrics, "parley_media_engine", kind="sessions") == 1
