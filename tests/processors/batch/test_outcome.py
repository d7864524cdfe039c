from batch_bench import outcome

from processors.batch.outcome import COLUMNS, Said


def test_a_row_of_the_table() -> None:
    said = [Said("user", "Hello ", 0, 1), Said("model", "Hi.", 1, 2), Said("user", "Bye.", 3, 4)]
    done = outcome(
        transcript=said,
        turns=2,
        latencies={"response": [float(n) for n in range(1, 101)]},
        tokens={"TEXT": 3, "AUDIO": 4},
        dropped={"a: late": 2},
    )
    row = dict(zip(COLUMNS, done.row(), strict=True))
    assert row["user"] == "Hello Bye."
    assert row["model"] == "Hi."
    assert (row["response_p50_ms"], row["response_p95_ms"]) == (50, 95)
    assert (row["tokens"], row["dropped"], row["turns"]) == (7, 2, 2)


def test_what_was_not_measured_is_empty() -> None:
    row = dict(zip(COLUMNS, outcome().row(), strict=True))
    assert row["response_p50_ms"] == row["response_p95_ms"] == ""
