"""Extracts, ranks and picks, on text that anyone may have written: runs in a process of its own."""

from __future__ import annotations

import os
import re
from importlib import import_module
from typing import Any

from pgqueue import Context
from pgqueue_tasks.errors import InputRefused

from .picking import pick, sentences_of
from .ranking import nearest

_MAX_TEXT = 40_000  # characters of a page, so that a step can store them
_WORDS = 90  # of a passage
_CHARACTERS = 1_200  # of a passage, for scripts without spaces: a step stores the best passages
_MAX_PASSAGES = 4_000

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # each thread reserves memory, and that has a limit


def read_plain(_ctx: Context, data: bytes) -> dict[str, str]:
    """Return a plain text, which has no title."""
    return {"title": "", "text": _clean(data.decode(errors="replace"))}


def read_page(_ctx: Context, data: bytes) -> dict[str, str]:
    """Return the title and the main text of a page."""
    trafilatura = import_module("trafilatura")
    found = trafilatura.bare_extraction(data, include_comments=False, with_metadata=True)
    text = _clean((found and found.text) or "")
    if not text:
        raise InputRefused("there is no text on the page")
    return {"title": _clean(found.title or "")[:200], "text": text}


def rank(
    _ctx: Context, question: str, sources: list[dict[str, Any]], keep: int
) -> dict[str, list[dict[str, Any]]]:
    """Return the passages nearest to the question, best first."""
    passages = [
        {"source": source["number"], "text": passage}
        for source in sources
        for passage in _passages(source["text"])
    ][:_MAX_PASSAGES]
    best = [
        passages[place] | {"score": round(score, 4)}
        for place, score in nearest(question, [passage["text"] for passage in passages], keep)
    ]
    return {"passages": best or passages[:keep]}


def choose(
    _ctx: Context, question: str, passages: list[dict[str, Any]], sentences: int
) -> list[dict[str, Any]]:
    """Return the most significant sentences, with the numbers of their sources."""
    return pick(question, passages, sentences)


def _passages(text: str) -> list[str]:
    passages: list[str] = []
    words = 0
    for sentence in sentences_of(text):
        if not passages or words >= _WORDS or len(passages[-1]) >= _CHARACTERS:
            passages.append(sentence)
            words = 0
        else:
            passages[-1] += " " + sentence
        words += sentence.count(" ") + 1
    return passages


def _clean(text: str) -> str:
    printable = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", " ", text)
    return printable[:_MAX_TEXT].strip()
