"""Lines of journals, whole and damaged, for hypothesis; and entries as one compares them."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from stepline.recording.journal import (
    Heartbeat,
    Record,
    Update,
)

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


values = st.one_of(
    st.integers(-(2**64), 2**64),
    st.floats(),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "nan", "é", 10**400]),
    plain_json,
)


field_values = {
    "kind": st.sampled_from(["step", "evaluation", "train_end", "message", "checkpoint", "train_start"]) | plain_json,
    "time": st.floats(0, 4e9) | st.integers(0, 10**10) | plain_json,
    "step": st.integers(-(2**65), 2**65) | st.floats() | st.just(10.0) | plain_json,
    "epoch": st.floats() | st.integers() | plain_json,
    "metrics": st.dictionaries(st.text(max_size=4), values, max_size=4) | plain_json,
    "message": st.text() | plain_json,
    "details": st.just({}) | plain_json,
    "unknown": plain_json,
    "heartbeat": st.fixed_dictionaries({"time": st.floats(0, 9), "step": st.integers(0, 9)}) | plain_json,
    "update": plain_json,
}


ordinary = {name: each for name, each in field_values.items() if name not in ("kind", "time")}


lines = st.fixed_dictionaries(
    {"kind": st.sampled_from(["step", "evaluation", "message"]), "time": st.floats(0, 4e9)}, optional=ordinary
) | st.fixed_dictionaries({}, optional=field_values)


encoded = st.builds(
    lambda fields, ascii_, spaces: json.dumps(
        fields, ensure_ascii=ascii_, separators=(", ", ": ") if spaces else (",", ":")
    ).encode("utf-8", "surrogatepass"),
    lines,
    st.booleans(),
    st.booleans(),
)


@st.composite
def damaged(draw):
    """A line with some bytes changed, cut out or put in."""
    line = bytearray(draw(encoded))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(line)))
        line[place : place + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=2) | st.sampled_from([b"\\u0041", b"\\ud800", b'"', b"}"])
        )
    return bytes(line)


def entries_of(entries):
    """Comparable, NaN included: repr tells every float apart."""
    found = []
    for each in entries:
        if isinstance(each, Heartbeat | Update):
            found.append(repr(each))
        else:
            found.append(
                repr(Record(each.kind, each.time, each.step, each.epoch, each.metrics, each.message, each.details))
            )
    return found
