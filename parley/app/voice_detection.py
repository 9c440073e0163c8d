"""The neural voice detector of a node, where the settings ask for one and its parts are there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from parley.app.metrics import Metrics
from parley.app.model_catalogue import SILERO
from parley.app.settings import Settings
from parley.conversation.errors import EngineMissing
from parley.conversation.ports import VoiceDetector

logger = logging.getLogger(__name__)


@contextmanager
def voice_detector(settings: Settings, metrics: Metrics) -> Iterator[VoiceDetector | None]:
    """Run the detector; None where there is none, and calls go on by energy alone. Needs a running event loop.

    The worker process, where the other engines are, would be a round trip too far: an interruption cannot wait for it.
    """
    if settings.vad.engine == "energy":
        yield None
        return
    if problem := why_missing(settings):
        logger.warning("no neural voice detection; energy decides alone", extra={"problem": problem})
        yield None
        return
    from parley.engines.silero_model import SileroModel
    from parley.engines.silero_voice_detector import SileroVoiceDetector

    try:
        model = SileroModel(SILERO.path(settings.models_dir))
    except EngineMissing as err:
        logger.warning("no neural voice detection; energy decides alone", extra={"problem": str(err)})
        yield None
        return
    detector = SileroVoiceDetector(model, threshold=settings.vad.threshold, observe=metrics.voice_judged)
    metrics.watch_voice_detector(lambda kind: int(getattr(detector.counts, kind)))
    try:
        yield detector
    finally:
        detector.close()


def why_missing(settings: Settings) -> str:
    """Return what the neural voice detector lacks and how to get it; empty where nothing is missing."""
    try:
        import onnxruntime  # noqa: F401 - whether it can be imported is the question
    except ImportError:
        from parley.engines.extras import how_to_install

        return f"the package onnxruntime is not installed: {how_to_install('vad')}"
    path = SILERO.path(settings.models_dir)
    return "" if path.is_file() else f"{path} is not there: `parley models pull silero` fetches it"
