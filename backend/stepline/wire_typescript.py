"""Writes web/src/wire.ts from wire.py, so that page and server cannot drift apart.

    python -m stepline.wire_typescript            writes the file
    python -m stepline.wire_typescript --check    exit code 1 where the file is not what would be written

wire.py is read as source (ast), because the words under a field are lost once Python has run it. It understands what
wire.py uses: TypedDict classes, aliases, Literal, unions, list, dict with string keys, tuple and the plain types.
Anything else is an error here rather than an `any` in the page.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("wire.py")
TARGET = Path(__file__).parents[2] / "web" / "src" / "wire.ts"
PLAIN = {"str": "string", "int": "number", "float": "number", "bool": "boolean", "object": "unknown", "None": "null"}


def typescript(source: str) -> str:
    """The TypeScript for the Python source of wire types. Raises TypeError for a type it cannot say."""
    module = ast.parse(source)
    body = module.body
    parts = ["// Generated from backend/stepline/wire.py by `python -m stepline.wire_typescript`. Do not edit.\n"]
    if intro := ast.get_docstring(module):
        parts.append(_comment(intro))
    for node in body:
        if isinstance(node, ast.ClassDef):
            parts.append(_interface(node))
        elif isinstance(node, ast.Assign):
            [target] = node.targets
            assert isinstance(target, ast.Name)
            alias = f"export type {target.id} = {_type(node.value)}\n"
            parts.append(alias if len(alias) <= 121 else _wrapped(target.id, node.value))
    return "\n".join(parts)


def _wrapped(name: str, value: ast.expr) -> str:
    return f"export type {name} =" + "".join(f"\n  | {member}" for member in _type(value).split(" | ")) + "\n"


def _interface(node: ast.ClassDef) -> str:
    partial = any(keyword.arg == "total" for keyword in node.keywords)
    lines = [_comment(doc)] if (doc := ast.get_docstring(node)) else []
    lines.append(f"export interface {node.name} {{\n")
    for place, item in enumerate(node.body):
        if not isinstance(item, ast.AnnAssign):
            continue
        assert isinstance(item.target, ast.Name)
        following = node.body[place + 1] if place + 1 < len(node.body) else None
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            lines.append(_comment(str(following.value.value), indent="  "))
        lines.append(f"  {item.target.id}{'?' if partial else ''}: {_type(item.annotation)}\n")
    return "".join(lines) + "}\n"


def _comment(text: str, indent: str = "") -> str:
    rows = [row.strip() for row in text.strip().splitlines()]
    if len(rows) == 1:
        return f"{indent}/** {rows[0]} */\n"
    return f"{indent}/**\n" + "".join(f"{indent} * {row}".rstrip() + "\n" for row in rows) + f"{indent} */\n"


def _type(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=None):
            return "null"
        case ast.Name(id=name):
            return PLAIN.get(name, name)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{_type(left)} | {_type(right)}"
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return " | ".join(_literal(choice) for choice in _elements(choices))
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            inner = _type(item)
            return f"({inner})[]" if " | " in inner else f"{inner}[]"
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[ast.Name(id="str"), value])):
            return f"Record<string, {_type(value)}>"
        case ast.Subscript(value=ast.Name(id="tuple"), slice=items):
            return "[" + ", ".join(_type(item) for item in _elements(items)) + "]"
    raise TypeError(f"wire.py line {node.lineno}: no TypeScript for `{ast.unparse(node)}`")


def _elements(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return f"'{node.value}'"
    raise TypeError(f"wire.py line {node.lineno}: only texts are understood in Literal")


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the page's wire types from the server's.")
    parser.add_argument("--check", action="store_true", help="only say whether the file is up to date")
    check: bool = parser.parse_args(words).check
    wanted = typescript(SOURCE.read_text(encoding="utf-8"))
    found = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if check:
        if found != wanted:
            print("web/src/wire.ts is not what wire.py says: run python -m stepline.wire_typescript", file=sys.stderr)
        return int(found != wanted)
    if found != wanted:
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
