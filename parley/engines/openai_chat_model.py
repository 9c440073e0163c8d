"""A language model behind any server that streams OpenAI's chat protocol: llama-server, vLLM, Ollama.

The way to many calls: such a server batches replies. Closing the stream is how it learns that nobody listens any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import aiohttp

from parley.conversation.errors import EngineError, EngineMissing, EngineTimeout, EngineUnavailable
from parley.conversation.ports import ChatRequest, ChatUsage, TextDelta, ToolCall
from parley.engines.openai_protocol import Json, ReplyReader, body

CONNECT_S = 2.0
BETWEEN_S = 10.0
"""From one piece of a reply to the next."""
GOODBYE_S = 1.0
"""From the end of a reply to the end of the stream, where usage comes."""
OVERLOADED = (429, 502, 503, 504)
KEY_REFUSED = (401, 403)


class OpenaiChatModel:
    """ChatModel on a server."""

    def __init__(
        self, url: str, *, model: str = "", api_key: str = "", first_text_s: float = 4.0, at_once: int = 16
    ) -> None:
        """Prepare; nothing is sent yet.

        url: up to and with the version, `http://127.0.0.1:8080/v1`.   model: as the server calls it.   api_key: it
        goes into one header and nowhere else.   first_text_s: from a request to the first piece.   at_once: replies at
        the same time; further ones are refused.   Raises EngineMissing for a key that cannot be sent.
        """
        if not (api_key.isascii() and api_key.isprintable()):
            raise EngineMissing("the language model's key has characters that HTTP does not carry")
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._first_text_s = first_text_s
        self._at_once = at_once
        self._http: aiohttp.ClientSession | None = None
        self.open = 0
        """Replies that are being made."""

    async def complete(self, request: ChatRequest) -> AsyncGenerator[TextDelta | ToolCall | ChatUsage]:
        """Yield text as it comes, then tool calls and usage. Raises EngineError.

        Closing or cancelling closes the connection, which stops the model.
        """
        fields = body(request, self._model)
        if self.open >= self._at_once:
            raise EngineUnavailable(f"all {self._at_once} places for replies are taken (engines.openai.at_once)")
        self.open += 1
        try:
            reader = ReplyReader()
            async with aclosing(self._stream(fields, reader)) as stream:
                async for octets in stream:
                    for delta in reader.feed(octets):
                        yield delta
        finally:
            self.open -= 1
        if not reader.ended:
            raise EngineUnavailable("the language model's server broke the reply off")
        if reader.cut_off and (request.json_schema or request.grammar):
            raise EngineError(f"the reply does not fit into max_tokens = {request.max_tokens}")
        for piece in reader.finish():
            yield piece

    async def aclose(self) -> None:
        """Release the client. May be called twice."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _stream(self, fields: Json, reader: ReplyReader) -> AsyncGenerator[bytes]:
        """Yield the octets of the server's answer, within the deadlines that follow from what `reader` has seen."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._first_text_s
        try:
            async with asyncio.timeout_at(until):
                response = await self._session().post(
                    self._url, json=fields, headers=self._headers, allow_redirects=False
                )
            try:
                self._check(response.status)
                while octets := await self._octets(response, until, reader):
                    yield octets
                    if reader.begun or reader.ended:
                        until = loop.time() + (GOODBYE_S if reader.ended else BETWEEN_S)
            finally:
                response.close()
        except aiohttp.ClientError as err:
            raise EngineUnavailable(
                f"no language model answers at {self._url} ({type(err).__name__}): is its server running?"
            ) from err
        except TimeoutError as err:
            what = "gone on" if reader.begun else f"begun its reply within {self._first_text_s:g} s"
            raise EngineTimeout(f"the language model has not {what}") from err

    async def _octets(self, response: aiohttp.ClientResponse, until: float, reader: ReplyReader) -> bytes:
        """Return what comes next, nothing at the end: that of the stream, or of a reply whose stream stays open."""
        try:
            async with asyncio.timeout_at(until):
                return await response.content.readany()
        except TimeoutError:
            if reader.ended:
                return b""
            raise

    def _check(self, status: int) -> None:
        """Raise EngineError for a status that is not 200. What the server writes beside it may quote the caller."""
        if status in KEY_REFUSED:
            raise EngineMissing(
                f"the language model's server refuses the key (status {status}): set engines.openai.api_key_file or "
                "PARLEY_ENGINES__OPENAI__API_KEY"
            )
        if status == 404:
            raise EngineMissing(
                f"{self._url} or the model {self._model!r} is not there: correct engines.openai.url or .model"
            )
        if status in OVERLOADED:
            raise EngineUnavailable(f"the language model's server is overloaded or still loading (status {status})")
        if status != 200:
            raise EngineError(
                f"the language model's server refuses the request (status {status}); its own log says why"
            )

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
            # llama-server drops kept connections just when the next request comes, which is then lost.
            connector = aiohttp.TCPConnector(limit=self._at_once, force_close=True)
            self._http = aiohttp.ClientSession(timeout=timeout, connector=connector)
        return self._http
