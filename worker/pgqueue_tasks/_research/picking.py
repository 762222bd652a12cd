"""Picks the most significant of the sentences nearest to a question: LexRank, by sumy."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from .ranking import nearest

__all__ = ["pick", "sentences_of"]

_MAX = 150  # the time grows with their square: 0.3 s
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
    dom = import_module("sumy.models.dom")
    lexrank = import_module("sumy.summarizers.lex_rank").LexRankSummarizer()
    lexrank.stop_words = import_module("sumy.utils").get_stop_words("english")
    sources = {
        dom.Sentence(candidate["text"], _Words): candidate for candidate in candidates[:_MAX]
    }
    chosen = lexrank(dom.ObjectDocumentModel([dom.Paragraph(sources)]), n)
    return [sources[sentence] for sentence in chosen]


class _Words:
    """Splits sentences for sumy, whose own splitter needs corpora that must be downloaded."""

    @staticmethod
    def to_words(sentence: str) -> tuple[str, ...]:
        return tuple(re.findall(r"\w+", sentence))


def _candidates(passages: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """Return each sentence of four words or more once, whatever its case and punctuation."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for passage in passages:
        for sentence in sentences_of(passage["text"]):
            words = tuple(word.lower() for word in _Words.to_words(sentence))
            if len(words) >= 4:
                found.setdefault(words, {"text": sentence, "source": passage["source"]})
    whole = [{"text": p["text"][:_LONGEST], "source": p["source"]} for p in passages[:n]]
    return [*found.values()] or whole
