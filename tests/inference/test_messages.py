"""Port values survive the wire."""

from __future__ import annotations

import pytest

from parley.conversation.ports import (
    ChatMessage,
    ChatRequest,
    ChatUsage,
    Hypothesis,
    RecognitionRequest,
    SpeechChunk,
    SpeechRequest,
    TextDelta,
    Tool,
    ToolCall,
    Word,
    WordTime,
)
from parley.inference import messages


def test_recognition_request_comes_out_as_it_went_in() -> None:
    request = RecognitionRequest("zh", 16000, engine="whisper", grammar="#JSGF V1.0; grammar g; public <g> = 是;")
    assert messages.recognition_request(messages.open_utterance(request).open) == request


@pytest.mark.parametrize(
    "hypothesis",
    [
        Hypothesis("", final=False),
        Hypothesis("yes plea", final=False, words=(Word("yes", 0, 200, 0.5),)),
        Hypothesis("yes please", final=True, confidence=0.75, words=(Word("yes", 10, 200, 1.0),)),
        Hypothesis("no", final=True, confidence=0.25, rejected=True),
    ],
)
def test_hypothesis_comes_out_as_it_went_in(hypothesis: Hypothesis) -> None:
    assert messages.hypothesis(messages.recognize_response(hypothesis)) == hypothesis


def test_speech_comes_out_as_it_went_in() -> None:
    request = SpeechRequest("您好", "zh", "cmn", 8000, engine="espeak-ng")
    assert messages.speech_request(messages.synthesize_request(request)) == request
    chunk = SpeechChunk(b"\x01\x02" * 80, (WordTime("您好", 0, 80),))
    assert messages.speech_chunk(messages.synthesize_response(chunk.pcm, chunk.alignment)) == chunk


def test_chat_request_comes_out_as_it_went_in() -> None:
    messages_so_far = (
        ChatMessage("user", "hello"),
        ChatMessage("assistant", "", (ToolCall("book", "{}", "c1"),)),
        ChatMessage("tool", "done", call_id="c1"),
    )
    tools = (Tool("book", "Books a day.", '{"type": "object"}'),)
    request = ChatRequest(messages_so_far, "llama", 16, 0.5, '{"type": "object"}', 'root ::= "a"', tools)
    assert messages.chat_request(messages.complete_request(request)) == request


@pytest.mark.parametrize("piece", [TextDelta("Good"), ToolCall("book", '{"day": 1}', "c1"), ChatUsage(12, 3)])
def test_reply_pieces_come_out_as_they_went_in(piece: TextDelta | ToolCall | ChatUsage) -> None:
    assert messages.chat_piece(messages.complete_response(piece)) == piece
