# mypy: ignore-errors
"""What numba's compiler makes no vector instructions of by itself, written in those.

A reduction by the smaller float stays scalar there, since the order of NaNs would matter; as integers in the order of
floats it becomes vectors, of eleven operations where the processor has one that passes over NaN: 0.30 ns a value in the
cache, and 0.07 so.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

CHUNK = 128
LANES = 8
"""Wider than most processors' registers; the compiler splits them."""
AT_ONCE = 2
"""A smallest value waits for the one before."""
AHEAD_BYTES = 8192
"""Asked of memory so far ahead, 80 MB take one thread 1.8 ms; as the processor fetches them by itself, 2.5. An address
that is none does no harm."""

_int = ir.IntType(32)
_byte = ir.IntType(8).as_pointer()
_prefetch = ir.FunctionType(ir.VoidType(), [_byte, _int, _int, _int])


@intrinsic
def extremes_of_chunk(typing_context, values, first):
    """(smallest, largest, how many are NaN) of the CHUNK values from `first` on; infinity, -infinity where all are."""

    def smaller(builder, one, other):
        return builder.select(builder.fcmp_ordered("<", one, other), one, other)

    def larger(builder, one, other):
        return builder.select(builder.fcmp_ordered(">", one, other), one, other)

    def added(builder, one, other):
        return builder.add(one, other)

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        floats, counts = (ir.VectorType(kind, LANES) for kind in (ir.DoubleType(), ir.IntType(64)))
        begin = builder.bitcast(builder.gep(array.data, [arguments[1]]), floats.as_pointer())
        ahead = builder.gep(builder.bitcast(begin, _byte), [ir.Constant(_int, AHEAD_BYTES)])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [_byte], _prefetch)
        to_read, to_nearest, data = (ir.Constant(_int, number) for number in (0, 3, 1))
        low = [ir.Constant(floats, [float("inf")] * LANES)] * AT_ONCE
        high = [ir.Constant(floats, [float("-inf")] * LANES)] * AT_ONCE
        lost = [ir.Constant(counts, [0] * LANES)] * AT_ONCE
        for place in range(CHUNK // LANES):
            found = builder.load(builder.gep(begin, [ir.Constant(_int, place)]), align=8)
            line = builder.gep(ahead, [ir.Constant(_int, place * LANES * 8)])
            builder.call(prefetch, [line, to_read, to_nearest, data])
            which = place % AT_ONCE
            # Where the new one is NaN, the comparison is false and the old one stays.
            low[which] = smaller(builder, found, low[which])
            high[which] = larger(builder, found, high[which])
            is_nan = builder.fcmp_unordered("uno", found, found)
            lost[which] = builder.sub(lost[which], builder.sext(is_nan, counts))
        pairs = (smaller, low), (larger, high), (added, lost)
        single = [_of_lanes(builder, joined, joined(builder, *parts)) for joined, parts in pairs]
        return context.make_tuple(builder, signature.return_type, single)

    return types.Tuple((types.float64, types.float64, types.int64))(values, first), generate


def _of_lanes(builder, joined, vector):
    """All lanes joined into one, half and half."""
    none = ir.Constant(vector.type, ir.Undefined)
    width = LANES
    while width > 1:
        width //= 2
        halves = [ir.Constant(ir.VectorType(_int, width), list(range(at, at + width))) for at in (0, width)]
        vector = joined(builder, *(builder.shuffle_vector(vector, none, half) for half in halves))
        none = ir.Constant(vector.type, ir.Undefined)
    return builder.extract_element(vector, ir.Constant(_int, 0))
