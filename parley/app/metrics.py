"""Prometheus metrics of one node; the call runner and the wiring tell them what happened, health serves them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ari_app import EventCounts
from audio_fork.media_engine import MediaEngine
from audio_fork.stats import AudioStats
from parley import __version__
from parley.conversation.record import CallEnd, CallStart, EndReason, Turn
from parley.store import StoreError

RESPONSE_BUCKETS_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)
STAGE_BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)
BARGE_IN_BUCKETS_S = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
VERDICT_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.5)
GREETING_BUCKETS_S = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)

QUEUES = ("happenings", "facts", "recordings", "queue_notes", "speech_cache", "log_lines", "voice")
"""Bounded queues whose losses no other metric counts (docs/architecture.md, "Queues")."""
STAGES = ("endpoint", "asr", "llm", "tts", "playout")
"""Stages of a response, in order; each is a field `<stage>_ms` of TurnTimings."""
QUEUE_EVENT_LABELS = ("joined", "offered", "declined", "answered", "talk_ended", "abandoned", "unserved")
"""What queues do with callers whom we have sent on."""
REFUSED_REQUESTS = ("stranger", "too_long", "no_channel")
"""Why the dialplan's door does not answer (`dialplan_door`)."""
REFUSALS = ("overload", "starting", "draining", "arguments", "audio", "ami", "channel", "stopping", *REFUSED_REQUESTS)
"""Why calls are not taken up; from `ami` on by AudioSocket() only."""
ENGINE_COUNTS = (
    *("sessions", "ticks", "late_ticks", "received", "strangers"),
    *("dropped_by_kernel", "unsent", "dropped_events", "cpu_s"),
)
"""Of EngineStats."""
VOICE_COUNTS = ("bursts", "runs", "chunks", "voices", "doubts", "lost")
"""Of the neural voice detector."""
TICK_SHARES = (0.5, 0.99, 0.999)


class Metrics:
    """Everything that a node counts and times, in a registry of its own. Labels never hold personal data."""

    def __init__(self) -> None:
        """Make every series at zero, so that alerts on rates work from the first call on."""
        self.registry = CollectorRegistry()
        Info("parley", "What runs here.", registry=self.registry).info({"version": __version__})
        self._define_calls()
        self._define_turns()
        self._define_machinery()

    def _define_calls(self) -> None:
        self._started = Counter("parley_calls_started", "Calls taken up.", ["agent"], registry=self.registry)
        self._resumed = Counter(
            "parley_calls_resumed", "Calls of a node that had died, taken up again.", registry=self.registry
        )
        self._ended = Counter("parley_calls_ended", "Calls over, by reason.", ["reason"], registry=self.registry)
        self._refused = Counter("parley_calls_refused", "Calls not taken up, by why.", ["why"], registry=self.registry)
        self._active = Gauge("parley_calls_active", "Calls going on now.", registry=self.registry)
        self._queue_events = Counter(
            "parley_queue_events", "What queues did with callers sent on.", ["event"], registry=self.registry
        )
        for event in QUEUE_EVENT_LABELS:
            self._queue_events.labels(event)
        for reason in EndReason:
            self._ended.labels(reason.value)
        for why in REFUSALS:
            self._refused.labels(why)

    def _define_turns(self) -> None:
        self._response = Histogram(
            "parley_turn_response_seconds",
            "Caller's last speech sample to the agent's first sample handed to the PBX.",
            buckets=RESPONSE_BUCKETS_S,
            registry=self.registry,
        )
        self._stage = Histogram(
            "parley_turn_stage_seconds",
            "Stages of the response; they add up to it.",
            ["stage"],
            buckets=STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self._response_p95 = Gauge(
            "parley_turn_response_p95_seconds",
            "95th percentile of the latest 100 turns' responses; 0 before there are 20.",
            registry=self.registry,
        )
        self._barge_in = Histogram(
            "parley_barge_in_seconds",
            "Caller's first speech sample to the agent's audio cleared.",
            buckets=BARGE_IN_BUCKETS_S,
            registry=self.registry,
        )
        self._greeting = Histogram(
            "parley_greeting_seconds",
            "Call answered to the first sample of the greeting handed to the PBX.",
            buckets=GREETING_BUCKETS_S,
            registry=self.registry,
        )
        self._rejected = Counter("parley_turns_rejected", "Turns not understood.", registry=self.registry)
        for stage in STAGES:
            self._stage.labels(stage)

    def _define_machinery(self) -> None:
        self._engine_errors = Counter(
            "parley_engine_errors", "Failed uses of an engine.", ["port", "code"], registry=self.registry
        )
        self._restarts = Counter("parley_worker_restarts", "Inference workers started again.", registry=self.registry)
        self._record_errors = Counter(
            "parley_record_errors", "Facts that could not be recorded.", ["code"], registry=self.registry
        )
        self._media = Counter(
            "parley_media_events", "Counts of ended audio connections.", ["kind"], registry=self.registry
        )
        self._engines: Sequence[MediaEngine] = ()
        self._engine_counts = Gauge(
            "parley_media_engine", "Counts of the media engines since the start.", ["kind"], registry=self.registry
        )
        self._engine_lateness = Gauge(
            "parley_media_engine_lateness_seconds",
            "How late this share of the media engines' ticks began at most; of the latest engine.",
            ["share"],
            registry=self.registry,
        )
        for kind in ENGINE_COUNTS:
            self._engine_counts.labels(kind)
        self._strangers = Counter(
            "parley_audiosocket_refused",
            "Connections to the AudioSocket port refused, by why.",
            ["why"],
            registry=self.registry,
        )
        self._pbx_events = _PbxEvents()
        self.registry.register(self._pbx_events)
        self._pbx = Gauge("parley_pbx_connected", "1 while the PBX is connected.", registry=self.registry)
        self._ami = Gauge("parley_ami_connected", "1 while AMI is connected.", registry=self.registry)
        self._ready = Gauge("parley_ready", "1 while this check of /ready passes.", ["check"], registry=self.registry)
        tasks = Gauge(
            "parley_tasks", "Tasks of the event loop; what calls leave behind shows here.", registry=self.registry
        )
        tasks.set_function(_tasks)
        self._speech_cache = Gauge(
            "parley_speech_cache_bytes", "Speech that the node keeps in memory.", registry=self.registry
        )
        self._verdict = Histogram(
            "parley_voice_verdict_seconds",
            "A burst's newest audio given to the neural voice detector to its verdict.",
            buckets=VERDICT_BUCKETS_S,
            registry=self.registry,
        )
        self._voice_counts = Gauge(
            "parley_voice_detector", "What the neural voice detector has done.", ["kind"], registry=self.registry
        )
        for kind in VOICE_COUNTS:
            self._voice_counts.labels(kind)
        ProcessCollector(registry=self.registry)
        for kind in AudioStats.__dataclass_fields__:
            self._media.labels(kind)
        self._dropped = _Dropped()
        self.registry.register(self._dropped)

    def watch_pbx_events(self, counts: Callable[[], EventCounts]) -> None:
        """Show these counts from now on."""
        self._pbx_events.counts = counts

    def call_started(self, start: CallStart) -> None:
        """Count a call that an agent has taken up."""
        self._started.labels(start.agent).inc()

    def calls_active(self, count: int) -> None:
        """Tell how many calls go on."""
        self._active.set(count)

    def call_resumed(self) -> None:
        """Count a call that another process had begun."""
        self._resumed.inc()

    def call_refused(self, why: str) -> None:
        """Count a call that went straight on in the dialplan; why: one of REFUSALS."""
        self._refused.labels(why).inc()

    def turn_ended(self, turn: Turn) -> None:
        """Time the turn's stages; the greeting (turn 0) counts from the answer and stands apart."""
        timings = turn.timings
        if turn.number == 0:
            _observe(self._greeting, timings.response_ms)
            return
        _observe(self._response, timings.response_ms)
        _observe(self._barge_in, timings.barge_in_ms)
        for stage in STAGES:
            _observe(self._stage.labels(stage), getattr(timings, f"{stage}_ms"))
        if turn.rejected:
            self._rejected.inc()

    def response_p95(self, duration_ms: int) -> None:
        """Tell what 95 % of the latest responses did not exceed."""
        self._response_p95.set(duration_ms / 1000)

    def call_ended(self, end: CallEnd) -> None:
        """Count the end of a call that was started; one whose record was given up before its end is not told."""
        self._ended.labels(end.reason.value).inc()

    def queue_event(self, event: str) -> None:
        """Count what a queue did with a caller whom we have sent on; event: one of QUEUE_EVENT_LABELS."""
        self._queue_events.labels(event).inc()

    def engine_failed(self, port: str, code: str) -> None:
        """Count a failed use of an engine; port: `recognizer`, `synthesizer` or `chat`; code: of the EngineError."""
        self._engine_errors.labels(port, code).inc()

    def worker_restarted(self) -> None:
        """Count a new start of the inference worker."""
        self._restarts.inc()

    def record_failed(self, error: StoreError) -> None:
        """Count a fact that could not be recorded."""
        self._record_errors.labels(error.code).inc()

    def audio_ended(self, stats: AudioStats) -> None:
        """Add what a call's audio connection has counted; tell each connection once, when it has ended."""
        for kind, count in asdict(stats).items():
            self._media.labels(kind).inc(count)

    def watch_engines(self, engines: Sequence[MediaEngine]) -> None:
        """Ask these media engines for their counts whenever somebody asks for metrics; none: no longer."""
        self._ask_engines()
        self._engines = engines

    def audiosocket_refused(self, why: str) -> None:
        """Count a connection to the AudioSocket port that was refused; why: a stable word such as `unknown_id`."""
        self._strangers.labels(why).inc()

    def dropped(self, queue: str, count: int) -> None:
        """Add what a full queue has not taken; queue: one of QUEUES."""
        self._dropped.counts[queue] += count

    def watch_dropped(self, queue: str, count: Callable[[], int]) -> None:
        """Show from now on what a queue itself counts; queue: one of QUEUES."""
        self._dropped.watched[queue] = count

    def watch_speech_cache(self, used_bytes: Callable[[], int]) -> None:
        """Show from now on how much speech is kept in memory."""
        self._speech_cache.set_function(used_bytes)

    def watch_voice_detector(self, count: Callable[[str], int]) -> None:
        """Show from now on what the neural voice detector counts, asked by one of VOICE_COUNTS."""
        for kind in VOICE_COUNTS:
            self._voice_counts.labels(kind).set_function(partial(count, kind))
        self.watch_dropped("voice", partial(count, "lost"))

    def voice_judged(self, seconds: float) -> None:
        """Time a verdict of the neural voice detector."""
        self._verdict.observe(seconds)

    def pbx_connected(self, connected: bool) -> None:
        """Tell whether the PBX is connected."""
        self._pbx.set(connected)

    def ami_connected(self, connected: bool) -> None:
        """Tell whether AMI is connected."""
        self._ami.set(connected)

    def checked(self, check: str, passes: bool) -> None:
        """Tell the result of one check of /ready."""
        self._ready.labels(check).set(passes)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics and their content type: OpenMetrics if `accept` asks for it, else Prometheus text."""
        self._ask_engines()
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _ask_engines(self) -> None:
        if not self._engines:
            return
        stats = [engine.stats() for engine in self._engines]
        for kind in ENGINE_COUNTS:
            self._engine_counts.labels(kind).set(sum(getattr(one, kind) for one in stats))
        for share in TICK_SHARES:
            self._engine_lateness.labels(share).set(max(engine.lateness_s(share) for engine in self._engines))


class _Dropped(Collector):
    """Losses by queue: those that were told, and those that the queues count themselves."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(QUEUES, 0)
        self.watched: dict[str, Callable[[], int]] = {}

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily("parley_dropped", "What full queues have not taken.", labels=["queue"])
        for queue, count in self.counts.items():
            family.add_metric([queue], count + (self.watched[queue]() if queue in self.watched else 0))
        yield family


def _tasks() -> int:
    """Count the running loop's tasks; 0 where no loop runs."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0


class _PbxEvents(Collector):
    """The PBX adapter's own counts."""

    def __init__(self) -> None:
        self.counts: Callable[[], EventCounts] = lambda: EventCounts(0, 0, 0)

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily("parley_pbx_events", "Events of the PBX, by what became of them.", labels=["kind"])
        for kind, count in asdict(self.counts()).items():
            family.add_metric([kind], count)
        yield family


def _observe(histogram: Histogram, duration_ms: int | None) -> None:
    if duration_ms is not None:
        histogram.observe(duration_ms / 1000)
