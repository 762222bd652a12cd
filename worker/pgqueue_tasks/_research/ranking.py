"""Ranks texts by how near they are to a question (BM25)."""

from __future__ import annotations

from importlib import import_module

__all__ = ["nearest"]


def nearest(question: str, texts: list[str], keep: int) -> list[tuple[int, float]]:
    """Return the positions and scores of up to ``keep`` texts, best first; none without a match."""
    bm25s = import_module("bm25s")
    words = bm25s.tokenize(texts, stopwords="en", show_progress=False)
    asked = bm25s.tokenize([question], stopwords="en", show_progress=False)
    if not words.vocab or not asked.vocab:
        return []
    ranking = bm25s.BM25()
    ranking.index(words, show_progress=False)
    places, scores = ranking.retrieve(asked, k=min(keep, len(texts)), show_progress=False)
    return [
        (int(place), float(score))
        for place, score in zip(places[0], scores[0], strict=True)
        if score > 0
    ]
