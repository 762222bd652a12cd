"""The mutants of `make mutants` keep up with the code: what they replace, and who notices."""

from pathlib import Path

import pytest

from tests.mutants.eight import EIGHT
from tests.mutants.more import MORE
from tests.mutants.mutant import Change, NoLongerThereError, find
from tests.mutants.trees import ROOT


@pytest.mark.parametrize("mutant", [*EIGHT, *MORE], ids=lambda mutant: mutant.name)
def test_a_mutant_finds_what_it_changes_and_who_notices(mutant) -> None:
    assert mutant.variants
    for variant in mutant.variants:
        assert variant.tests
        for change in variant.changes:
            assert change.check(ROOT) != (ROOT / change.file).read_text()
        for test in variant.tests:
            assert find(ROOT, test).startswith("tests/")


def test_there_are_eight_seeded_mutants_and_no_two_have_one_name() -> None:
    assert len(EIGHT) == 8
    assert len({mutant.name for mutant in (*EIGHT, *MORE)}) == len(EIGHT) + len(MORE)


def test_a_text_that_is_not_there_as_often_as_said_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a a")
    Change("f", "a", "b", times=2).apply(tmp_path)
    assert (tmp_path / "f").read_text() == "b b"
    for change in (Change("f", "b", "c"), Change("f", "x", "y"), Change("g", "b", "c")):
        with pytest.raises(NoLongerThereError):
            change.apply(tmp_path)


def test_a_test_that_is_not_there_is_refused() -> None:
    with pytest.raises(NoLongerThereError):
        find(ROOT, "test_that_nobody_wrote")
