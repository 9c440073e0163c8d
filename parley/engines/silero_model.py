"""Silero VAD by ONNX Runtime: how likely each of many streams is speech, 32 ms at a time, all in one run.

Used by the voice detector alone, in the call process; ONNX Runtime is imported nowhere else there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from parley.conversation.errors import EngineError, EngineMissing

CHUNK_SAMPLES = {8000: 256, 16000: 512}
"""Of one run, by rate: 32 ms."""
CONTEXT_SAMPLES = {8000: 32, 16000: 64}
"""Of the chunk before, which the model wants to see again."""
_STATE = (2, 128)
_FAILURES = (
    *(failures.Fail, failures.EPFail, failures.InvalidArgument, failures.InvalidGraph, failures.InvalidProtobuf),
    *(failures.NoSuchFile, failures.NotImplemented, failures.RuntimeException),
)

Floats = NDArray[np.float32]


@dataclass(slots=True)
class StreamMemory:
    """What the model remembers of one stream."""

    context: Floats
    state: Floats

    @classmethod
    def empty(cls, rate_hz: int) -> StreamMemory:
        """Return the memory of a stream that begins."""
        return cls(np.zeros(CONTEXT_SAMPLES[rate_hz], np.float32), np.zeros(_STATE, np.float32))


class SileroModel:
    """The model, on one thread of one core. Not to be used by two threads at once."""

    def __init__(self, path: Path) -> None:
        """Load it and run it once for each rate: the first run is slow.

        path: silero_vad.onnx, the one that takes both rates and any number of streams.   Raises EngineMissing.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            for rate_hz, samples in CHUNK_SAMPLES.items():
                self.judge(rate_hz, [bytes(2 * samples)], [StreamMemory.empty(rate_hz)])
        except (*_FAILURES, EngineError) as err:
            raise EngineMissing(f"{path} is not the Silero model: `parley models pull silero` fetches it") from err

    def judge(self, rate_hz: int, chunks: Sequence[bytes], memories: Sequence[StreamMemory]) -> list[float]:
        """Return for each stream how likely its next chunk is speech, 0 to 1; its memory changes.

        chunks: CHUNK_SAMPLES[rate_hz] samples of PCM each (int16 little-endian mono).   Raises EngineError.
        """
        pcm = np.frombuffer(b"".join(chunks), "<i2").reshape(len(chunks), -1).astype(np.float32) / 32768
        audio = np.concatenate([np.stack([memory.context for memory in memories]), pcm], axis=1)
        state = np.stack([memory.state for memory in memories], axis=1)
        try:
            likely, state = self._session.run(
                ["output", "stateN"], {"input": audio, "state": state, "sr": np.array(rate_hz, np.int64)}
            )
        except (*_FAILURES, ValueError) as err:
            raise EngineError("ONNX Runtime cannot run the Silero model") from err
        for stream, memory in enumerate(memories):
            memory.context = audio[stream, -CONTEXT_SAMPLES[rate_hz] :]
            memory.state = state[:, stream]
        return [float(probability) for probability in likely[:, 0]]
