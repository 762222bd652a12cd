"""Picks the most significant of the sentences nearest to a question (LexRank)."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from .lexrank import lexrank
from .ranking import nearest

__all__ = ["pick", "sentences_of"]

_MAX = 150  # the time grows with their square
_LONGEST = 600  # characters of a sentence


def sentences_of(text: str) -> list[str]:
    """Split a text where a sentence or a line ends; long ones are cut."""
    parts = (" ".join(part.split()) for part in re.split(r"(?<=[.!?])\s+(?=[^a-z])|\n+", text))
    return [
        part[start : start + _LONGEST] for part in parts for start in range(0, len(part), _LONGEST)
    ]


def pick(question: str, passages: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """Return up to ``n`` sentences with the numbers of their sources, in the order of those.

    Sentences that share no word with the question are left out if enough others do.
    """
    candidates = _candidates(passages, n)
    near = nearest(question, [candidate["text"] for candidate in candidates], _MAX)
    if len(near) >= n:
        candidates = [candidates[place] for place in sorted(place for place, _ in near)]
    candidates = candidates[:_MAX]
    stop_words = frozenset(import_module("bm25s.stopwords").STOPWORDS_EN)
    ratings = lexrank(
        [[word for word in _words(one["text"]) if word not in stop_words] for one in candidates]
    )
    best = sorted(range(len(candidates)), key=lambda place: -ratings[place])[:n]
    return [candidates[place] for place in sorted(best)]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _candidates(passages: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """Return each sentence of four words or more once, whatever its case and punctuation."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for passage in passages:
        for sentence in sentences_of(passage["text"]):
            words = tuple(_words(sentence))
            if len(words) >= 4:
                found.setdefault(words, {"text": sentence, "source": passage["source"]})
    whole = [{"text": p["text"][:_LONGEST], "source": p["source"]} for p in passages[:n]]
    return [*found.values()] or whole
