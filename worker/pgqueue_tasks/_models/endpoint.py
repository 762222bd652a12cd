"""Requests to the endpoint, through the `openai` client: bounded, closed on cancel, and silent.

Silent means that an error has the endpoint's answer without the key, should the answer repeat it,
and without the client's own exception, whose traceback would be stored. The client is imported on
first use, in a thread: it takes 0.5 s of CPU and 45 MB, which a worker without such tasks does not
pay.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pgqueue import Retry
from pgqueue.handlers.failure import clean
from pgqueue_tasks.errors import EngineFailed, InputRefused

from .settings import ModelSettings

if TYPE_CHECKING:
    import openai

__all__ = ["Busy", "Endpoint", "Model", "later"]

_MAX_SAID = 500
_AFTER_S = 10.0  # if it does not say how long
_MAX_AFTER_S = 3600.0
_BUSY = {429, 503, 529}
_REFUSED = {400, 404, 413, 422}


class Busy(Exception):
    """The endpoint is busy and asks to wait ``after_s`` seconds."""

    def __init__(self, message: str, after_s: float | None) -> None:
        super().__init__(message)
        self.after_s = _AFTER_S if after_s is None else after_s


def later(busy: Busy) -> Retry:
    """Return the outcome for a busy endpoint: the whole queue waits."""
    return Retry(after=busy.after_s, reason=str(busy), slow="queue")


@dataclass(frozen=True, slots=True)
class Model:
    """A client for the duration of a request, and the model that it asks."""

    client: openai.AsyncOpenAI
    name: str


class Endpoint:
    """The endpoint of the environment."""

    def __init__(self, settings: ModelSettings | None = None) -> None:
        self._settings = settings or ModelSettings()

    @property
    def settings(self) -> ModelSettings:
        """The settings of the endpoint."""
        return self._settings

    @asynccontextmanager
    async def model(self, name: str, *, default_from: str, max_bytes: int) -> AsyncIterator[Model]:
        """Return a model to ask within the block; its errors leave the block as errors of ours.

        ``default_from`` is the variable that names a model where the payload names none.

        ``Busy`` asks for a later attempt, ``InputRefused`` says that no attempt can succeed, and
        ``EngineFailed`` is anything else. At most ``max_bytes`` of an answer are read.
        """
        if not name:
            raise InputRefused(
                f"no model is named: set `model` in the payload, or {default_from} on the worker"
            )
        base_url = self._base_url()
        library = await asyncio.to_thread(_library)
        with self._errors(library):
            async with self._client(library, base_url, max_bytes) as client:
                yield Model(client, name)

    def _base_url(self) -> str:
        url = self._settings.openai_base_url
        if not url:
            raise InputRefused("this worker has no model endpoint (PGQUEUE_OPENAI_BASE_URL)")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise EngineFailed(
                "PGQUEUE_OPENAI_BASE_URL must be an http or https URL without a user"
            )
        return url

    def _client(self, library: Any, base_url: str, max_bytes: int) -> openai.AsyncOpenAI:
        bounded = import_module("pgqueue_tasks._models.bounded")
        client: openai.AsyncOpenAI = library.AsyncOpenAI(
            base_url=base_url,
            api_key=self._settings.openai_api_key.get_secret_value() or "none",
            max_retries=0,  # the task has its own attempts, which survive a crash
            http_client=bounded.bounding(max_bytes, self._settings.openai_stall_s),
            default_headers={"Accept-Encoding": "identity"},
        )
        return client

    @contextmanager
    def _errors(self, library: Any) -> Iterator[None]:
        found: Exception
        try:
            yield
        except (Busy, InputRefused, EngineFailed):
            raise
        except library.APIStatusError as error:
            found = self._answered(error)
        except library.APITimeoutError:
            silent = self._settings.openai_stall_s
            found = EngineFailed(f"the endpoint was silent for {silent:g} s")
        except library.APIConnectionError as error:
            cause = error.__cause__
            if isinstance(cause, EngineFailed):
                found = cause.with_traceback(None)
                found.__cause__ = None
            else:
                found = EngineFailed(f"no answer from the endpoint: {self._said(cause or error)}")
        except library.APIError as error:  # an error inside a stream
            found = EngineFailed(f"the endpoint failed: {self._said(error)}")
        except (
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
            RecursionError,
        ) as error:
            # the client checks nothing, so a malformed answer is found when it is used
            found = EngineFailed(
                f"the answer of the endpoint cannot be understood ({type(error).__name__})"
            )
        else:
            return
        raise found from None

    def _answered(self, error: openai.APIStatusError) -> Exception:
        status = error.status_code
        said = f"the endpoint answered {status}: {self._said(error)}"
        after_s = _retry_after(error.response.headers)
        if status in _BUSY or (after_s is not None and status not in _REFUSED):
            return Busy(said, after_s)
        return InputRefused(said) if status in _REFUSED else EngineFailed(said)

    def _said(self, error: BaseException) -> str:
        text = " ".join(str(error).split())
        key = self._settings.openai_api_key.get_secret_value()
        if key:
            text = text.replace(key, "***")
        # a part of a key is as little ours to repeat
        text = re.sub(r"\b(sk|key|Bearer)[-_ ][\w*.-]{6,}", r"\1-***", text)
        return clean(text)[:_MAX_SAID]


def _library() -> Any:
    return import_module("openai")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, an hour at most; a date counts by the clock of the answer."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (_date(text) - _date(headers.get("date", ""))).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), _MAX_AFTER_S) if math.isfinite(seconds) else None


def _date(text: str) -> datetime:
    at = parsedate_to_datetime(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
