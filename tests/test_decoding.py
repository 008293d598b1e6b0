"""The fast decoder of journals gives what the slow one gives."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from stepline.ingest.decoding import decode_lines
from stepline.recording.journal import (
    Heartbeat,
    Record,
    Update,
    encode_heartbeat,
    encode_record,
    encode_update,
    parse_lines,
)
from tests.lines import damaged, entries_of


@settings(max_examples=400, deadline=None)
@given(
    st.lists(damaged() | st.sampled_from([b"", b" ", b"\r", b"\x0c", b"null", b"[]"]), max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_the_fast_decoder_gives_what_the_slow_one_gives(pieces, unended, ended):
    data = b"\n".join(pieces) + (b"" if unended else b"\n")
    slow, fast = parse_lines(data, ended=ended), decode_lines(data, ended=ended)
    assert (fast.consumed, fast.damaged) == (slow.consumed, slow.damaged)
    assert entries_of(fast.entries) == entries_of(slow.entries)


def test_what_the_recorder_writes_is_decoded_alike():
    written = [
        Record("step", 1764000000.25, 10, 0.5, {"loss": 2.1, "grad_norm": math.nan, "big": 1e308, "n": 3, "t": "文"}),
        Record("step", 1764000001.0, 0, None, {"a": math.inf, "b": -math.inf, "c": -0.0, "d": 5e-324}),
        Record("train_end", 1764000002.0, 40, 2.0, {"train_loss": 1.0}, "it ended", {"status": "completed"}),
        Record("message", 1764000003.0, message='quotes " and \\ and \u2028 and \x00'),
    ]
    data = b"".join(map(encode_record, written))
    data += encode_heartbeat(Heartbeat(1.0, 2, "save")) + encode_update(Update(5, {"a": 1}, "name"))
    slow, fast = parse_lines(data), decode_lines(data)
    assert fast.damaged == slow.damaged == 0
    assert len(fast.entries) == 6
    assert entries_of(fast.entries) == entries_of(slow.entries)
