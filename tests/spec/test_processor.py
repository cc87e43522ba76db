"""What is read of the processor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ganref.spec import processor


@pytest.fixture(autouse=True)
def _read_again() -> Iterator[None]:
    processor.fields.cache_clear()
    yield
    processor.fields.cache_clear()


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("flags\t\t: fpu avx2 avx512_bf16\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("Features\t: fp asimd bf16\n", True),
        ("flags\t\t: fpu avx2\nbugs\t\t: bf16\n", False),
        ("", False),
    ],
)
def test_bfloat16_is_found_by_any_of_its_names(
    monkeypatch: pytest.MonkeyPatch, text: str, there: bool
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self: text)
    assert processor.has_bfloat16() == there


def test_no_processor_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path) -> str:
        raise PermissionError(self)

    monkeypatch.setattr(Path, "read_text", refused)
    assert not processor.fields() and not processor.instructions()
