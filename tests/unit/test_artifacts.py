"""What a file of a task may be called, and what its type may be."""

import pytest

from pgqueue.errors import UsageError
from pgqueue.handlers.artifacts import check_file


@pytest.mark.parametrize(
    "kind",
    [
        *("application/pdf", "image/svg+xml", "application/vnd.apache.parquet", "x/y"),
        *("text/csv; charset=utf-8", "text/csv;header=absent", 'a/b; c="d e"; f=g'),
    ],
)
def test_a_media_type_is_one(kind: str) -> None:
    check_file("a", kind)


@pytest.mark.parametrize(
    "kind",
    [
        *("", "pdf", "/", "a/", "/b", "a/b/c", "a b/c", "a/b; c", "a/b; c=", "é/b", "a/b; c=é"),
        *("text/html\r\nset-cookie: a=b", "text/plain\n", "a/b\0", 'a/b; c="d', "a/" + "b" * 300),
    ],
)
def test_what_is_no_media_type_is_refused_before_it_is_stored(kind: str) -> None:
    with pytest.raises(UsageError, match="media type"):
        check_file("a", kind)


@pytest.mark.parametrize("name", ["", ".a", "a/b", 'a"b', "a\nb", "é", "a" * 101, "a b"])
def test_what_no_file_can_be_called_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="called"):
        check_file(name, "a/b")
