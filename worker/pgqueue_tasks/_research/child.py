"""`python -m …_research.child`: extracts, ranks and picks, on text that anyone may have written."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from pgqueue_tasks._child import serve
from pgqueue_tasks.errors import InputRefused

from .picking import pick, sentences_of
from .ranking import nearest

_MAX_TEXT = 40_000  # characters of a page, so that a step can remember them
_WORDS = 90  # of a passage
_MOST_PASSAGES = 4_000

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # each thread reserves memory, and that has a limit


def work(request: Any, _tell: Callable[[float, str], None]) -> tuple[Any, bytes]:
    """Do one of the steps."""
    return _DO[request["do"]](request), b""


def _extract(request: Any) -> Any:
    """Give the title and the text of a page, without what stands around it."""
    data = base64.b64decode(request["data"])
    if request["plain"]:
        return {"title": "", "text": _clean(data.decode(errors="replace"))}
    trafilatura = import_module("trafilatura")
    found = trafilatura.bare_extraction(data, include_comments=False, with_metadata=True)
    text = _clean((found and found.text) or "")
    if not text:
        raise InputRefused("there is no text on the page")
    return {"title": _clean(found.title or "")[:200], "text": text}


def _rank(request: Any) -> Any:
    """Give the passages nearest to the question, best first."""
    passages = [
        {"source": source["number"], "text": passage}
        for source in request["sources"]
        for passage in _passages(source["text"])
    ][:_MOST_PASSAGES]
    best = [
        passages[place] | {"score": round(score, 4)}
        for place, score in nearest(
            request["question"], [passage["text"] for passage in passages], request["keep"]
        )
    ]
    return {"passages": best or passages[: request["keep"]]}


def _pick(request: Any) -> Any:
    return {"sentences": pick(request["question"], request["passages"], request["sentences"])}


def _passages(text: str) -> list[str]:
    passages: list[str] = []
    words = 0
    for sentence in sentences_of(text):
        if not passages or words >= _WORDS:
            passages.append(sentence)
            words = 0
        else:
            passages[-1] += " " + sentence
        words += sentence.count(" ") + 1
    return passages


def _clean(text: str) -> str:
    printable = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", " ", text)
    return printable[:_MAX_TEXT].strip()


_DO = {"extract": _extract, "rank": _rank, "pick": _pick}


if __name__ == "__main__":
    serve(work)
