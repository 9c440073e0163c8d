"""One context of llama.cpp: a model, and what it has read so far. Imported only where the extra `llama` is there."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
from jinja2 import TemplateError
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from llama_cpp.llama_grammar import LlamaGrammar, json_schema_to_gbnf

from parley.conversation.errors import EngineError, EngineMissing
from parley.conversation.ports import ChatUsage, TextDelta
from parley.engines.control_marks import Neutralizer
from parley.engines.openai_protocol import Json

TEMPLATE = "tokenizer.chat_template"
LIKE_A_MARK = re.compile(r"<[^\s<>]+>|\[[^\s\[\]]+\]")
"""Others may be runs of spaces, which people's words need."""
SILENT = logging.CRITICAL + 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reply to be made."""

    messages: list[Json]
    max_tokens: int
    temperature: float
    grammar: str
    """GBNF; empty: free text."""


class Breaker:
    """Breaks a reply off, while its prompt is read as well."""

    def __init__(self) -> None:
        self.stopped = False

    def stop(self) -> None:
        """Let the work end at once. From any thread."""
        self.stopped = True


class Context:
    """Made, used and closed by one and the same thread: llama.cpp ends the process otherwise."""

    def __init__(self, model: Path, *, context_tokens: int, threads: int, gpu_layers: int) -> None:
        """Load the model. Raises EngineMissing for a file that is not a chat model."""
        try:
            self._llama: Any = llama_cpp.Llama(
                str(model),
                n_ctx=context_tokens,
                n_threads=threads,
                n_threads_batch=threads,
                n_gpu_layers=gpu_layers,
                verbose=False,
            )
        except (ValueError, RuntimeError, OSError) as err:
            raise EngineMissing(
                f"engines.llama.model = {str(model)!r} cannot be loaded: is it a whole GGUF file?"
            ) from err
        # It writes past all logging, a line for each reply that is broken off.
        logging.getLogger("llama-cpp-python").setLevel(SILENT)
        if TEMPLATE not in self._llama.metadata:
            raise EngineMissing(f"engines.llama.model = {str(model)!r} has no chat template: take an instruct model")
        self._vocabulary = vocabulary = llama_cpp.llama_model_get_vocab(self._llama.model)
        self.neutralizer = Neutralizer(_marks(vocabulary, self._llama.n_vocab()))
        eos, bos = (
            llama_cpp.llama_vocab_get_text(vocabulary, token).decode(errors="replace") if token >= 0 else ""
            for token in (self._llama.token_eos(), self._llama.token_bos())
        )
        try:
            self._template = Jinja2ChatFormatter(self._llama.metadata[TEMPLATE], eos_token=eos, bos_token=bos)
        except TemplateError as err:
            raise EngineMissing(
                f"engines.llama.model = {str(model)!r} has a chat template that cannot be read ({err})"
            ) from err
        self._breaker = Breaker()
        # Kept here: llama.cpp has only its address.
        self._abort = llama_cpp.ggml_abort_callback(lambda _: self._breaker.stopped)
        llama_cpp.llama_set_abort_callback(self._llama.ctx, self._abort, None)

    def reply(self, wanted: Wanted, breaker: Breaker) -> Generator[TextDelta | ChatUsage]:
        """Yield the reply's text, then its usage; nothing more after `breaker.stop()`. Raises EngineError.

        What the prompt has in common with what was read last is not read again.
        """
        if breaker.stopped:
            return
        self._breaker = breaker
        llama = self._llama
        tokens = llama.tokenize(self._prompt(wanted.messages).encode(), add_bos=False, special=True)
        if len(tokens) + wanted.max_tokens > llama.n_ctx():
            raise EngineError(
                f"a chat of {len(tokens)} tokens and {wanted.max_tokens} of reply do not fit into "
                f"engines.llama.context_tokens = {llama.n_ctx()}"
            )
        grammar = self._grammar(wanted.grammar) if wanted.grammar else None
        cut_off = False
        try:
            chunks = llama.create_completion(
                tokens, max_tokens=wanted.max_tokens, temperature=wanted.temperature, grammar=grammar, stream=True
            )
            for chunk in chunks:
                if breaker.stopped:
                    return
                [choice] = chunk["choices"]
                cut_off = choice["finish_reason"] == "length"
                if choice["text"]:
                    yield TextDelta(choice["text"])
        except (ValueError, RuntimeError) as err:
            llama.reset()  # nobody knows what it has read
            if breaker.stopped:
                return
            raise EngineError(f"llama.cpp failed ({type(err).__name__})") from err
        if cut_off and grammar is not None:
            raise EngineError(f"the reply does not fit into max_tokens = {wanted.max_tokens}")
        yield ChatUsage(len(tokens), llama.n_tokens - len(tokens))

    def _grammar(self, gbnf: str) -> LlamaGrammar:
        """Return a grammar that is whole: llama-cpp-python ends the process with any other. Raises EngineError."""
        sampler = llama_cpp.llama_sampler_init_grammar(self._vocabulary, gbnf.encode(), b"root")
        if not sampler:
            raise EngineError("llama.cpp cannot read the grammar; it begins with the rule `root`")
        llama_cpp.llama_sampler_free(sampler)
        return LlamaGrammar.from_string(gbnf, verbose=False)

    def _prompt(self, messages: list[Json]) -> str:
        """Return a chat as the model reads it. Raises EngineError where its template refuses it."""
        chat: Any = messages
        try:
            return str(self._template(messages=chat).prompt)
        except (TemplateError, ValueError, TypeError, RuntimeError) as err:
            raise EngineError("the model's chat template refuses the messages") from err

    def close(self) -> None:
        """Free the model."""
        self._llama.close()


def _marks(vocabulary: Any, size: int) -> Iterator[str]:
    """Yield the texts that the tokenizer takes for marks; of what a model's makers have added only what looks so."""
    for token in range(size):
        kind = llama_cpp.llama_vocab_get_attr(vocabulary, token)
        if kind & (llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED):
            text = llama_cpp.llama_vocab_get_text(vocabulary, token).decode(errors="replace")
            if kind & llama_cpp.LLAMA_TOKEN_ATTR_CONTROL or LIKE_A_MARK.fullmatch(text):
                yield text


def schema_grammar(schema: str) -> str:
    """Return the GBNF of a JSON schema. Raises EngineError for what llama.cpp cannot express."""
    try:
        return str(json_schema_to_gbnf(schema))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as err:
        raise EngineError("llama.cpp has no grammar for this JSON schema") from err
