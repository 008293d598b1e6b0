"""The page's types are the server's types."""

from __future__ import annotations

import pytest

from stepline import wire_typescript
from stepline.wire_typescript import typescript


def test_the_page_has_the_types_of_the_server():
    source = wire_typescript.SOURCE.read_text(encoding="utf-8")
    assert wire_typescript.TARGET.read_text(encoding="utf-8") == typescript(source)
    assert wire_typescript.main(["--check"]) == 0


def test_every_shape_has_its_typescript():
    source = '''"""Intro."""
Status = Literal["on", "off"]
class A(TypedDict):
    """What A is."""
    id: str
    count: int | None
    """How many."""
    pairs: list[str | None]
    values: dict[str, Number]
    span: tuple[float, float] | None
    status: Status
class B(TypedDict, total=False):
    flag: bool
'''
    written = typescript(source)
    assert "export type Status = 'on' | 'off'\n" in written
    assert (
        "/** What A is. */\nexport interface A {\n  id: string\n  /** How many. */\n  count: number | null\n" in written
    )
    assert "  pairs: (string | null)[]\n  values: Record<string, Number>\n  span: [number, number] | null\n" in written
    assert "export interface B {\n  flag?: boolean\n}" in written


@pytest.mark.parametrize("annotation", ["bytes[3]", "Literal[3]", "dict[int, str]", "x()"])
def test_a_type_without_typescript_is_an_error(annotation: str):
    with pytest.raises(TypeError, match="line 2"):
        typescript(f"class A(TypedDict):\n    x: {annotation}\n")
