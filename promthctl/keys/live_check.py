"""Whether keys work: one tiny request with each to the API it is for, several at a time, within a time limit.

An OpenAI-compatible chat completion of one token: https://platform.openai.com/docs/api-reference/chat/create. A key
without a model of its own is tried on the list of models, which costs nothing. The API's answer is never shown: it can
quote a part of the key.
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
_LARGEST_ANSWER = 64 * 1024  # bytes; a completion of one token has about 600


@dataclass(frozen=True)
class LiveOptions:
    """jobs: requests at a time. seconds: the time limit of each. hosts: see LiveRequest, for all keys."""

    jobs: int
    seconds: float
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LiveRequest:
    """base_url: the API's root. model: the one that is asked; None asks for the list of models.

    hosts: where the key may be sent, each HOST or HOST:PORT. Whoever can write a row chooses its base_url.
    """

    base_url: str
    model: str | None
    key: str = field(repr=False)
    hosts: frozenset[str] = frozenset()


def host_and_port(url: str) -> str | None:
    """HOST:PORT of an http or https URL, None for any other text."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return f"{parts.hostname}:{port}" if parts.hostname else None


@dataclass(frozen=True)
class LiveAnswer:
    """fault: what is wrong, in words, None when the key works. milliseconds: from the request to the whole answer."""

    milliseconds: int
    fault: str | None = None


def try_keys(requests: Sequence[LiveRequest], options: LiveOptions) -> list[LiveAnswer]:
    """Send the requests; an answer for each, in their order. An API that exceeds the time limit is a fault."""
    return asyncio.run(_try_all(requests, options))


async def _try_all(requests: Sequence[LiveRequest], options: LiveOptions) -> list[LiveAnswer]:
    import httpx

    slots, seconds = asyncio.Semaphore(options.jobs), options.seconds
    mounts = {f"all://{host}": None for host in _LOOPBACK}  # a proxy cannot reach this machine's loopback address
    async with httpx.AsyncClient(follow_redirects=False, timeout=seconds, mounts=mounts) as client:

        async def try_one(request: LiveRequest) -> LiveAnswer:
            async with slots:
                start = time.monotonic()
                fault = await _fault(client, request, options)
                return LiveAnswer(round((time.monotonic() - start) * 1000), fault)

        return list(await asyncio.gather(*map(try_one, requests)))


async def _fault(client: httpx.AsyncClient, request: LiveRequest, options: LiveOptions) -> str | None:
    import httpx

    seconds = options.seconds
    if unsafe := _unsafe(request, options.hosts):
        return unsafe
    try:
        async with asyncio.timeout(seconds):
            status, body = await _send(client, request)
    except TimeoutError:
        return f"no answer within {seconds:g} seconds"
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        return _connection_fault(error)
    return _answer_fault(status, body, request)


def _unsafe(request: LiveRequest, hosts: frozenset[str]) -> str | None:
    """Why the key must not be sent there, None when it may."""
    address = host_and_port(request.base_url)
    if address is None:
        return "its base_url is not a URL; nothing was sent"
    host = address.rpartition(":")[0]
    if not request.base_url.lower().startswith("https:") and host not in ("127.0.0.1", "localhost", "::1"):
        return "its base_url is not https, which would show the key to the network; nothing was sent"
    if not {host, address} & (request.hosts | hosts):
        return f"its base_url leads to {host}, not to its provider; nothing was sent (--allow-host {address} allows it)"
    if not re.fullmatch("[!-~]+", request.key):
        return "the key has a character that no HTTP header can carry; nothing was sent"
    return None


async def _send(client: httpx.AsyncClient, request: LiveRequest) -> tuple[int, bytes]:
    root = request.base_url.rstrip("/")
    headers = {"Authorization": f"Bearer {request.key}"}
    if request.model is None:
        headers |= {"x-api-key": request.key, "anthropic-version": "2023-06-01"}  # all that Anthropic's list accepts
        built = client.build_request("GET", f"{root}/models", headers=headers)
    else:
        message = {"role": "user", "content": "ping"}
        body = {"model": request.model, "messages": [message], "max_tokens": 1}
        built = client.build_request("POST", f"{root}/chat/completions", json=body, headers=headers)
    response = await client.send(built, stream=True)
    try:
        answer = b""
        async for chunk in response.aiter_bytes():
            answer += chunk
            if len(answer) > _LARGEST_ANSWER:
                break
        return response.status_code, answer
    finally:
        await response.aclose()


def _connection_fault(error: Exception) -> str:
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


def _answer_fault(status: int, body: bytes, request: LiveRequest) -> str | None:
    """What an answer means, by its status; of its text only whether it mentions the model."""
    content = _json_object(body)
    if status == 200:
        wanted = "choices" if request.model is not None else "data"
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


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
