"""Writes like a corpus, one sentence after another: runs in a process of its own."""

from __future__ import annotations

import hashlib
import random
import re
from importlib import import_module, resources
from typing import Any

from pgqueue import Context
from pgqueue_tasks.errors import InputRefused

_TRIES = 20
_MAX_TEXT = 60_000  # characters: 240 kB of a result that may have 256 KiB


def write(ctx: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Write up to ``max_tokens`` words, and stream each piece at once."""
    markovify = import_module("markovify")
    corpus = request["corpus"] or (
        resources.files("pgqueue_tasks._text").joinpath("corpus.txt").read_text("utf-8")
    )
    max_words, stops = request["max_tokens"], request["stop"]
    # this process runs one call, so it may seed the library's only generator
    seed = request["seed"]
    random.seed(hashlib.sha256(request["prompt"].encode()).digest() if seed is None else seed)
    # the library's own splitter takes quadratic time on a long word
    sentences = [re.split(r"\s+", part.strip()) for part in re.split(r"(?<=[.!?])\s|\n", corpus)]
    runs = [words for words in sentences if words != [""]]
    if not runs:
        raise InputRefused("the corpus has no sentence to learn from")
    chain = markovify.Text(None, state_size=2, parsed_sentences=runs)
    text, words, reason = "", 0, "length"
    while words < max_words and len(text) < _MAX_TEXT and reason != "stop":
        sentence = _sentence(chain, request["prompt"] if not text else "")
        left = sentence.split()[: max_words - words]
        words += len(left)
        piece = ((" " if text else "") + " ".join(left))[: _MAX_TEXT - len(text)]
        whole = text + piece
        at = min((place for stop in stops if (place := whole.find(stop)) >= 0), default=-1)
        if at >= 0:
            piece, reason = whole[len(text) : at], "stop"
            whole = whole[: max(at, 0)]
        ctx.stream(piece)
        ctx.progress(min(99.0, words / max_words * 100), "writing")
        text = whole
    return {"text": text, "words": words, "reason": reason}


def _sentence(chain: Any, prompt: str) -> str:
    """Return a sentence that begins with the prompt's last word that can begin one, if any can."""
    for word in reversed(re.findall(r"\w+", prompt)[-50:]):
        for form in (word, word.capitalize()):
            try:
                found = chain.make_sentence_with_start(form, tries=_TRIES, test_output=False)
            except (KeyError, IndexError, ValueError):
                continue
            except Exception as error:
                if type(error).__name__ != "ParamError":
                    raise
                continue
            if found:
                return str(found)
    made = chain.make_sentence(tries=_TRIES) or chain.make_sentence(test_output=False)
    if not made:
        raise InputRefused("the corpus has no sentence to learn from")
    return str(made)
