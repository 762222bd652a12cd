"""What LexRank finds central, against the equation of the paper."""

import math
from collections import Counter

import pytest
from pgqueue_tasks._research.lexrank import lexrank

SENTENCES = [
    text.split()
    for text in (
        "the moon pulls the sea",
        "the moon moves the tide of the sea",
        "the tide of the sea rises twice a day",
        "bread needs flour",
        "",
    )
]


def expected(sentences, threshold=0.1, damping=0.15):
    """Equations 4 and 17 of Erkan and Radev, word for word and slow."""
    n = len(sentences)
    counts = [Counter(words) for words in sentences]
    idf = {w: math.log(1 + n / sum(w in c for c in counts)) for c in counts for w in c}

    def length(c):
        return math.sqrt(sum((times * idf[w]) ** 2 for w, times in c.items()))

    def cosine(x, y):
        shared = sum(x[w] * y[w] * idf[w] ** 2 for w in x if w in y)
        return shared / (length(x) * length(y)) if shared else 0

    beside = [
        [v for v in range(n) if u == v or cosine(counts[u], counts[v]) > threshold]
        for u in range(n)
    ]
    p = [1 / n] * n
    for _ in range(500):
        p = [
            damping / n + (1 - damping) * sum(p[v] / len(beside[v]) for v in beside[u])
            for u in range(n)
        ]
    return p


def test_ratings_are_those_of_the_equations_in_the_paper():
    assert lexrank(SENTENCES) == pytest.approx(expected(SENTENCES), abs=1e-5)
    assert sum(lexrank(SENTENCES)) == pytest.approx(1)


def test_the_sentence_that_most_others_resemble_is_the_most_central():
    near, apart = ["a", "b", "c", "d", "e", "f"], ["u", "v", "w", "x", "y", "z"]
    ratings = lexrank([near[:2], near[2:4], near[4:], near, apart])
    assert max(range(5), key=ratings.__getitem__) == 3
    assert ratings[4] == pytest.approx(1 / 5)  # from a sentence alone the walk goes nowhere


@pytest.mark.parametrize("sentences", [[], [[]], [[], []], [["one"]], [["one"], ["one"]]])
def test_a_text_without_words_or_with_one_sentence_is_rated_evenly(sentences):
    assert lexrank(sentences) == pytest.approx([1 / len(sentences) for _ in sentences])
