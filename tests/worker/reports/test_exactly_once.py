"""A handler's work that is cut at its commit has one effect; tests/chaos kills it at any point."""

from tests.worker.conftest import Bench, eventually


def test_a_commit_whose_answer_is_lost_leaves_exactly_one_effect(bench: Bench) -> None:
    bench.rows("create table effect (task_id uuid, attempt int)")
    bench.start("--app", "tests.worker.killed:app")
    task = bench.enqueue("killed", {"point": "the answer is lost"})
    assert bench.ended(task)["result"] == 1
    eventually(lambda: '"lease_lost"' in bench.logs(), "the end that the worker sends is refused")
    assert [a["outcome"] for a in bench.attempts(task)] == ["completed"]
    assert bench.rows("select attempt from effect") == [{"attempt": 1}]


def test_a_session_that_is_cut_before_the_commit_leaves_no_effect_of_it(bench: Bench) -> None:
    bench.rows("create table effect (task_id uuid, attempt int)")
    bench.start("--app", "tests.worker.remembering:app")
    task = bench.enqueue("write", {"gate": "cut"})
    bench.passed("cut-in-1")
    cut = bench.value(
        "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity"
        " where application_name = 'pgqueue worker transaction' and datname = current_database()"
    )
    assert cut == 1
    bench.open("cut-out")
    assert bench.ended(task)["result"] == {"attempt": 2}
    assert bench.attempts(task)[0]["error"]["type"] == "AnswerLost"
    assert bench.rows("select attempt from effect") == [{"attempt": 2}]
