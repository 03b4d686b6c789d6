"""Does a key work? One tiny request for each to the API it is for, side by side, within a time limit.

An OpenAI-compatible chat completion of one token: https://platform.openai.com/docs/api-reference/chat/create. A key
without a model of its own is tried on the list of models, which costs nothing. What the API answers is never shown:
it can quote a piece of the key.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ANSWER = 64 * 1024  # bytes; a completion of one token has about 600


@dataclass(frozen=True)
class Question:
    """base_url: the API's root. model: what is asked; None asks for the list of models."""

    base_url: str
    model: str | None
    key: str = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """fault: what is wrong, in words, None when the key works. milliseconds: from the question to the whole answer."""

    milliseconds: int
    fault: str | None = None


def ask(questions: Sequence[Question], jobs: int, seconds: float) -> list[Answer]:
    """Put the questions, at most `jobs` at a time; an answer for each, in order, none later than `seconds` after it."""
    return asyncio.run(_ask(questions, jobs, seconds))


async def _ask(questions: Sequence[Question], jobs: int, seconds: float) -> list[Answer]:
    import httpx

    slots = asyncio.Semaphore(jobs)
    mounts = {f"all://{host}": None for host in _LOOPBACK}  # a proxy cannot reach this machine's loopback address
    async with httpx.AsyncClient(follow_redirects=False, timeout=seconds, mounts=mounts) as client:

        async def one(question: Question) -> Answer:
            async with slots:
                start = time.monotonic()
                fault = await _fault(client, question, seconds)
                return Answer(round((time.monotonic() - start) * 1000), fault)

        return list(await asyncio.gather(*map(one, questions)))


async def _fault(client: httpx.AsyncClient, question: Question, seconds: float) -> str | None:
    import httpx

    if refused := _unsafe(question):
        return refused
    try:
        async with asyncio.timeout(seconds):
            status, body = await _send(client, question)
    except TimeoutError:
        return f"no answer within {seconds:g} seconds"
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        return _unreached(error)
    return _refused(status, body, question)


def _unsafe(question: Question) -> str | None:
    """Why the key must not be sent there."""
    try:
        parts = urlsplit(question.base_url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        return "its base_url is not a URL; nothing was sent"
    if parts.scheme != "https" and host not in ("127.0.0.1", "localhost", "::1"):
        return "its base_url is not https, which would show the key to the network; nothing was sent"
    if not re.fullmatch("[!-~]+", question.key):
        return "the key has a character that no HTTP header can carry; nothing was sent"
    return None


async def _send(client: httpx.AsyncClient, question: Question) -> tuple[int, bytes]:
    root = question.base_url.rstrip("/")
    headers = {"Authorization": f"Bearer {question.key}"}
    if question.model is None:
        also = {"x-api-key": question.key, "anthropic-version": "2023-06-01"}  # Anthropic's list takes no other
        request = client.build_request("GET", f"{root}/models", headers=headers | also)
    else:
        message = {"role": "user", "content": "ping"}
        body = {"model": question.model, "messages": [message], "max_tokens": 1}
        request = client.build_request("POST", f"{root}/chat/completions", json=body, headers=headers)
    response = await client.send(request, stream=True)
    try:
        answer = b""
        async for chunk in response.aiter_bytes():
            answer += chunk
            if len(answer) > _ANSWER:
                break
        return response.status_code, answer
    finally:
        await response.aclose()


def _unreached(error: Exception) -> str:
    import httpx

    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "TLS: the server's certificate or protocol is not accepted; no key was sent"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "DNS: the host's name cannot be resolved"
    if isinstance(error, httpx.InvalidURL):
        return "its base_url is not a URL; nothing was sent"
    return "nothing answers there" if isinstance(error, httpx.ConnectError) else "the connection broke"


def _refused(status: int, body: bytes, question: Question) -> str | None:
    """What an answer means, by its status; of its text only whether it speaks of the model."""
    content = _json(body)
    if status == 200:
        wanted = "choices" if question.model is not None else "data"
        return None if isinstance(content.get(wanted), list) else "the answer is not that of an OpenAI-compatible API"
    if 300 <= status < 400:
        return f"it redirects elsewhere, where the key was not sent (HTTP {status})"
    if status in (401, 403):
        return f"the key is refused (HTTP {status})"
    if status == 402:
        return "the account has no credit (HTTP 402)"
    if status == 429:
        return "too many requests, or the quota is used up (HTTP 429)"
    if status == 404 or (status in (400, 422) and "model" in str(content.get("error", "")).lower()):
        return f"it does not know the model, or the base_url is wrong (HTTP {status})"
    return f"the API failed (HTTP {status})" if status >= 500 else f"the API refused the request (HTTP {status})"


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
