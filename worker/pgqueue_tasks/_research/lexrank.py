"""Rates sentences by how many others say something similar: LexRank.

G. Erkan, D. R. Radev: LexRank: Graph-based Lexical Centrality as Salience in Text Summarization.
Journal of Artificial Intelligence Research 22 (2004), 457-479, https://doi.org/10.1613/jair.1523.
This is its section 3.2: a graph of sentences, with an edge where the idf-modified cosine of two is
above a threshold, and the eigenvector of a random walk over it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

__all__ = ["lexrank"]

_THRESHOLD = 0.1  # of the paper, as the next
_DAMPING = 0.15  # how often the walk jumps to any sentence
_TOLERANCE = 1e-6
_MAX_STEPS = 200  # the error of each is at most 0.85 of the last one's: 1e-6 after 85


def lexrank(sentences: Sequence[Sequence[str]]) -> list[float]:
    """Return the centrality of each sentence, given by its words; together they are 1.

    Time and memory grow with the square of the number of sentences.
    """
    n = len(sentences)
    if n == 0:
        return []
    similar = _cosines(sentences) > _THRESHOLD
    np.fill_diagonal(similar, val=True)  # a sentence without words is similar to itself only
    walk = similar / similar.sum(axis=1, keepdims=True)
    rating = np.full(n, 1 / n)
    for _ in range(_MAX_STEPS):
        last = rating
        rating = _DAMPING / n + (1 - _DAMPING) * (last @ walk)
        if np.abs(rating - last).sum() < _TOLERANCE:
            break
    return [float(value) for value in rating]


def _cosines(sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the idf-modified cosine of each two sentences.

    The idf of a word is log(1 + N / n): in the paper's log(N / n) a word that all of a few
    sentences have, such as the subject of a question, would count nothing.
    """
    counts = [Counter(words) for words in sentences]
    spread = Counter(word for count in counts for word in count)
    place = {word: at for at, word in enumerate(spread)}
    weights = np.zeros((len(sentences), max(1, len(place))))
    for row, count in enumerate(counts):
        for word, times in count.items():
            weights[row, place[word]] = times * np.log1p(len(sentences) / spread[word])
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    weights /= np.where(lengths > 0, lengths, 1)
    return weights @ weights.T
