"""Picks the sentences that say most: LexRank (Erkan and Radev, 2004), drawn to a question.

Not the package sumy: it needs setuptools at run time, two packages that are no longer kept, and
60 MB of languages and corpora, for these lines.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from importlib import import_module
from typing import Any

__all__ = ["pick", "sentences_of"]

_MOST = 400  # sentences: a matrix of 160,000 numbers
_LONGEST = 600  # characters of a sentence
_DRAWN = 0.5  # how far the question decides, against what the sentences say of each other
_SAME = 0.6  # sentences that are nearer than that say the same
_ROUNDS = 40
_COMMON = re.compile(
    r"(the|and|are|was|were|has|have|had|does|did|not|for|from|that|this|these|those|with|what|when|"
    r"where|which|who|why|how|its|can|will|would|into|than|then|they|their|there|all|any|but)"
)


def sentences_of(text: str) -> list[str]:
    """Split a text where a sentence or a line ends; long ones are cut."""
    parts = (" ".join(part.split()) for part in re.split(r"(?<=[.!?])\s+(?=[^a-z])|\n+", text))
    return [
        part[start : start + _LONGEST] for part in parts for start in range(0, len(part), _LONGEST)
    ]


def pick(question: str, passages: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """Give up to ``n`` sentences with the numbers of their sources, in the order of those."""
    np = import_module("numpy")
    candidates = _candidates(passages, n)
    near = _nearness(np, [*(c["text"] for c in candidates), question])
    between, asked = near[:-1, :-1], near[:-1, -1]
    drawn = asked / asked.sum() if asked.sum() else np.full(len(candidates), 1 / len(candidates))
    links = between / np.maximum(between.sum(axis=1, keepdims=True), 1e-9)
    rank = drawn
    for _ in range(_ROUNDS):
        rank = _DRAWN * drawn + (1 - _DRAWN) * (rank @ links)
    chosen: list[int] = []
    for index in np.argsort(-rank, kind="stable"):
        if len(chosen) < n and all(between[index, other] < _SAME for other in chosen):
            chosen.append(int(index))
    return [candidates[index] for index in sorted(chosen)]


def _candidates(passages: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for passage in passages:
        for sentence in sentences_of(passage["text"]):
            if len(re.findall(r"\w+", sentence)) >= 4:
                found.setdefault(sentence, {"text": sentence, "source": passage["source"]})
    whole = [{"text": p["text"][:_LONGEST], "source": p["source"]} for p in passages[:n]]
    return list(found.values())[:_MOST] or whole


def _nearness(np: Any, texts: list[str]) -> Any:
    """Give the cosine between each two texts, their words weighed by how rare they are."""
    bags = [Counter(_words(text)) for text in texts]
    known = {word: number for number, word in enumerate(sorted(set().union(*bags)))}
    documents = Counter(word for bag in bags for word in bag)
    weights = np.zeros((len(bags), max(1, len(known))))
    for row, bag in enumerate(bags):
        for word, times in bag.items():
            weights[row, known[word]] = times * (1 + math.log(len(bags) / documents[word]))
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    weights /= np.where(lengths == 0, 1, lengths)
    return weights @ weights.T


def _words(text: str) -> list[str]:
    words = [word for word in re.findall(r"\w{3,}", text.lower()) if not _COMMON.fullmatch(word)]
    return [word.rstrip("s") or word for word in words]
