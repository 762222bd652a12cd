"""What `make mutants` takes out is still there, and so are the tests that must notice."""

import pytest

from tests.mutants.eight import EIGHT
from tests.mutants.more import MORE
from tests.mutants.mutant import Change, NoLongerThereError, Variant, find
from tests.mutants.trees import ROOT

VARIANTS = [
    pytest.param(variant, id=f"{mutant.name}: {variant.where}")
    for mutant in (*EIGHT, *MORE)
    for variant in mutant.variants
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_mutant_can_be_made_and_names_tests_that_exist(variant: Variant) -> None:
    assert variant.tests
    for change in variant.changes:
        assert change.check(ROOT) != (ROOT / change.file).read_text()
    for test in variant.tests:
        assert "::test_" in find(ROOT, test)


def test_a_mutant_of_code_that_is_gone_says_so() -> None:
    with pytest.raises(NoLongerThereError, match=r"rescue\.sql has this 0 times instead of 1"):
        Change("sql/functions/claims/rescue.sql", "no such protection", "").check(ROOT)
    with pytest.raises(NoLongerThereError, match="0 tests instead of one"):
        find(ROOT, "test_" + "that_nobody_wrote")
