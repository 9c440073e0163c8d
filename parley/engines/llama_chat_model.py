"""A language model inside the worker, by llama.cpp: for one or a few calls at once, without a server of its own.

Every context has a thread, for llama.cpp's contexts belong to one. A chat goes to the free context that has read most
of it before: that of the same call, as a rule.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from parley.conversation.errors import EngineError, EngineMissing, EngineUnavailable
from parley.conversation.ports import ChatMessage, ChatRequest, ChatUsage, TextDelta, ToolCall
from parley.engines.breakable import run_breakable
from parley.engines.extras import how_to_install
from parley.engines.llama_prompt import plain_messages, read_tool_reply, tools_schema

if TYPE_CHECKING:  # the package behind it is an extra
    from parley.engines.llama_context import Context, Wanted


class LlamaChatModel:
    """ChatModel with llama-cpp-python."""

    def __init__(
        self,
        model: Path,
        *,
        context_tokens: int = 4096,
        contexts: int = 1,
        threads: int = 2,
        waiting: int = 4,
        gpu_layers: int = 0,
    ) -> None:
        """Prepare; the model is loaded with the first replies or by `warm_up()`.

        model: a GGUF file with a chat template.   contexts: replies at the same time.   threads: of one reply.
        waiting: replies that wait for a context; further ones are refused.   Raises EngineMissing.
        """
        if not model.is_file():
            raise EngineMissing(
                f"engines.llama.model = {str(model)!r} is not there: put a GGUF file of a chat model there"
            )
        self._make = partial(_library(), model, context_tokens=context_tokens, threads=threads, gpu_layers=gpu_layers)
        self._idle = [_Lane(index) for index in range(contexts)]
        self._lanes = tuple(self._idle)
        self._room = asyncio.Semaphore(contexts)
        self._waiting_at_most = waiting
        self._waiting = 0
        self.open = 0
        """Replies that hold a context."""

    async def complete(self, request: ChatRequest) -> AsyncGenerator[TextDelta | ToolCall | ChatUsage]:
        """Yield text as it comes, and usage. Raises EngineError. Closing or cancelling stops the model at once.

        Where tools are offered the reply comes as a whole: it is known only at its end whether it is a tool call.
        """
        if request.tools and (request.json_schema or request.grammar):
            raise EngineError("llama.cpp inside the worker takes tools, a JSON schema or a grammar: one of them")
        async with self._lane(request) as lane:
            text, usage = "", ChatUsage(0, 0)
            async with aclosing(self._pieces(lane, request)) as pieces:
                async for piece in pieces:
                    if not request.tools:
                        yield piece
                    elif isinstance(piece, TextDelta):
                        text += piece.text
                    else:
                        usage = piece
        if request.tools:
            yield read_tool_reply(text)
            yield usage

    async def warm_up(self) -> None:
        """Load the model into every context. Raises EngineError."""
        for lane in self._lanes:
            await lane.loaded(self._make)

    async def aclose(self) -> None:
        """Free the model and end the threads; replies must be over. May be called twice."""
        for lane in self._lanes:
            await lane.aclose()

    @asynccontextmanager
    async def _lane(self, request: ChatRequest) -> AsyncGenerator[_Lane]:
        """Give a context for one reply. Raises EngineUnavailable where too many wait."""
        if self._room.locked() and self._waiting >= self._waiting_at_most:
            raise EngineUnavailable("too many replies wait for the language model (engines.llama.waiting)")
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1
        lane = max(self._idle, key=lambda idle: idle.in_common(request.messages))
        self._idle.remove(lane)
        self.open += 1
        try:
            lane.read = request.messages
            yield lane
        finally:
            self.open -= 1
            self._idle.append(lane)
            self._room.release()

    async def _pieces(self, lane: _Lane, request: ChatRequest) -> AsyncGenerator[TextDelta | ChatUsage]:
        from parley.engines.llama_context import Breaker  # noqa: PLC0415 (an extra)

        context, breaker = await lane.loaded(self._make), Breaker()
        wanted = _wanted(request, context)
        pieces = context.reply(wanted, breaker)
        step = partial(next, pieces, None)
        try:
            while piece := await run_breakable(lane.pool, step, breaker.stop):
                yield piece
        finally:
            breaker.stop()
            await lane.run(pieces.close)


class _Lane:
    """A thread and its context."""

    def __init__(self, index: int) -> None:
        self.pool = ThreadPoolExecutor(1, thread_name_prefix=f"llama-{index}")
        self.read: Sequence[ChatMessage] = ()
        """The chat that it has read last."""
        self._loading: asyncio.Future[Context] | None = None

    def in_common(self, messages: Sequence[ChatMessage]) -> int:
        """Return how many messages it need not read again."""
        pairs = enumerate(zip(self.read, messages, strict=False))
        return next((index for index, (one, other) in pairs if one != other), min(len(self.read), len(messages)))

    async def loaded(self, make: Callable[[], Context]) -> Context:
        """Return the context, made at the first use. Raises EngineMissing. Cancelling: it is made all the same."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(self.pool, make)
        try:
            return await asyncio.shield(self._loading)
        except Exception:
            self._loading = None
            raise

    async def run(self, work: Callable[[], object]) -> None:
        """Run something short in the thread, to its end."""
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self.pool, work))

    async def aclose(self) -> None:
        """Free the context and end the thread. May be called twice."""
        loading, self._loading = self._loading, None
        if loading is not None:
            await self.run((await loading).close)
        self.pool.shutdown()


def _library() -> type[Context]:
    """Load llama.cpp. Raises EngineMissing."""
    try:
        from parley.engines.llama_context import Context  # noqa: PLC0415 (an extra)
    except (ImportError, OSError, RuntimeError) as err:  # the latter two where its library does not load
        raise EngineMissing(
            "the package llama-cpp-python is not there, or its library does not load here: "
            f"{how_to_install('llama')} (it compiles)"
        ) from err
    return Context


def _wanted(request: ChatRequest, context: Context) -> Wanted:
    from parley.engines.llama_context import Wanted, schema_grammar  # noqa: PLC0415 (an extra)

    schema = tools_schema(request.tools) if request.tools else request.json_schema
    return Wanted(
        plain_messages(request, context.neutralizer),
        request.max_tokens,
        request.temperature,
        schema_grammar(schema) if schema else request.grammar,
    )
