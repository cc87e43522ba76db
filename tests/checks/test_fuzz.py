"""A short campaign of each kind, and that it would see what it looks for."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from checks.fuzz import mutate
from checks.fuzz.campaign import KINDS
from checks.fuzz.outcome import ACCEPTED, FAULT, REFUSED, Outcome, Tally, attempt
from ganref.spec import UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", KINDS)
def test_three_hundred_of_each_kind(kind: str, tmp_path: Path) -> None:
    """In processes of their own: a campaign changes what it runs in."""
    command = [sys.executable, "-m", "checks.fuzz", kind, "--count", "300", "--jobs", "1"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    kept = json.loads((tmp_path / "fuzz.json").read_text())[kind]
    counts = kept["tally"]["counts"]
    assert kept["done"] == 300 == sum(counts.values())
    assert counts[ACCEPTED] > 0 and counts[REFUSED] > 0  # neither is a case that never comes


def _fails(error: BaseException) -> object:
    raise error


@pytest.mark.parametrize(
    "error, kind",
    [
        (UserError("in one line"), REFUSED),
        (UserError("in\ntwo"), FAULT),
        (UserError(""), FAULT),
        (SystemExit(0), ACCEPTED),
        (SystemExit(2), FAULT),  # without a line
        (SystemExit(1), FAULT),
        (RecursionError(), FAULT),
        (MemoryError(), FAULT),
    ],
)
def test_an_outcome_is_what_a_person_would_see(error: BaseException, kind: str) -> None:
    assert attempt(lambda: _fails(error))[0].kind == kind


def test_a_tally_keeps_what_went_wrong() -> None:
    tally, other = Tally(), Tally()
    tally.run(7, lambda: Outcome(FAULT, "broken"))
    other.run(8, lambda: Outcome(ACCEPTED))
    assert other.right
    other.merge(tally)
    assert not other.right and other.wrong == [[7, FAULT, "broken"]]
    assert other.counts[FAULT] == other.counts[ACCEPTED] == 1


def test_a_case_is_the_same_in_every_campaign() -> None:
    blob, content = bytes(range(200)), {"a": [1, 2, {"b": 3}], "c": "d"}
    for seed in range(200):
        one, two = random.Random(seed), random.Random(seed)
        assert mutate.bytes_(one, blob) == mutate.bytes_(two, blob)
        assert repr(mutate.json_(one, content)) == repr(mutate.json_(two, content))
        assert mutate.lines(one, b"a,b\n1,2\n3,4\n") == mutate.lines(two, b"a,b\n1,2\n3,4\n")
    assert content == {"a": [1, 2, {"b": 3}], "c": "d"}
