# mypy: ignore-errors
"""What numba's compiler makes no vector instructions of by itself, written in those.

A reduction by the smaller float stays scalar there, since the order of NaNs would matter; as integers in the order of
floats it becomes vectors, of eleven operations where the processor has one that passes over NaN: 0.30 ns a value in the
cache, and 0.09 so. A recurrence stays scalar too: an exponential average took 0.50 ns a value as four stretches of
scalars, and 0.34 as vectors of eight.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

CHUNK = 128
FEW = 16
LANES = 8
"""Wider than most processors' registers; the compiler splits them."""
BLOCK = LANES * LANES
AT_ONCE = 2
"""A smallest value waits for the one before."""
AHEAD_BYTES = 8192
"""Asked of memory so far ahead, 80 MB take one thread 1.8 ms; as the processor fetches them by itself, 2.5. An address
that is none does no harm."""

SMALLEST = 1e-290
"""A mean that decays below this is 0: denormal numbers are 15 times slower."""

_int = ir.IntType(32)
_floats = ir.VectorType(ir.DoubleType(), LANES)
_byte = ir.IntType(8).as_pointer()
_prefetch = ir.FunctionType(ir.VoidType(), [_byte, _int, _int, _int])


def _extremes_of(length, ahead_bytes):
    """(smallest, largest, how many are NaN) of `length` values from `first` on; infinity, -infinity where all are.

    ahead_bytes: memory so far behind them is asked for; none where it is 0.
    """

    @intrinsic
    def extremes(typing_context, values, first):
        def smaller(builder, one, other):
            return builder.select(builder.fcmp_ordered("<", one, other), one, other)

        def larger(builder, one, other):
            return builder.select(builder.fcmp_ordered(">", one, other), one, other)

        def together(builder, one, other):
            return builder.add(one, other)

        def generate(context, builder, signature, arguments):
            counts = ir.VectorType(ir.IntType(64), LANES)
            begin = _vectors(context, builder, signature.args[0], arguments[0], arguments[1])
            low = [ir.Constant(_floats, [float("inf")] * LANES)] * AT_ONCE
            high = [ir.Constant(_floats, [float("-inf")] * LANES)] * AT_ONCE
            lost = [ir.Constant(counts, [0] * LANES)] * AT_ONCE
            for place in range(length // LANES):
                found = builder.load(builder.gep(begin, [ir.Constant(_int, place)]), align=8)
                if ahead_bytes:
                    _ask(builder, begin, ahead_bytes + place * LANES * 8)
                which = place % AT_ONCE
                # Where the new one is NaN, the comparison is false and the old one stays.
                low[which] = smaller(builder, found, low[which])
                high[which] = larger(builder, found, high[which])
                is_nan = builder.fcmp_unordered("uno", found, found)
                lost[which] = builder.sub(lost[which], builder.sext(is_nan, counts))
            pairs = (smaller, low), (larger, high), (together, lost)
            single = [_of_lanes(builder, joined, joined(builder, *parts)) for joined, parts in pairs]
            return context.make_tuple(builder, signature.return_type, single)

        return types.Tuple((types.float64, types.float64, types.int64))(values, first), generate

    return extremes


extremes_of_chunk = _extremes_of(CHUNK, AHEAD_BYTES)
extremes_of_few = _extremes_of(FEW, 0)


@intrinsic
def averaged(typing_context, values, begin, stretch, blocks, alpha, origin, scale, means, lost, out):
    """Exponential averages of LANES stretches of `stretch` points at once, of each the first `blocks` times LANES.

    means: where each lane's mean stands, before and after; lost: how many of its points are not finite. A block is
    LANES points of LANES stretches: read as they lie, turned over, worked on a point of all stretches at a time.
    """

    def generate(context, builder, signature, arguments):
        kinds = signature.args

        def constant(number):
            return ir.Constant(_floats, [number] * LANES)

        def row(place, index):
            return _vectors(context, builder, kinds[place], arguments[place], index)

        long = ir.IntType(64)
        none = ir.Constant(long, 0)
        counts = ir.VectorType(long, LANES)
        alphas, origins, scales = (_spread(builder, arguments[place]) for place in (4, 5, 6))
        decay = builder.fsub(constant(1.0), alphas)
        first_mean = row(7, none)
        first_lost = builder.bitcast(row(8, none), counts.as_pointer())
        mean, missing = cgutils.alloca_once(builder, _floats), cgutils.alloca_once(builder, counts)
        builder.store(builder.load(first_mean, align=8), mean)
        builder.store(ir.Constant(counts, [0] * LANES), missing)
        with cgutils.for_range(builder, arguments[3]) as loop:
            at = builder.add(arguments[1], builder.mul(loop.index, ir.Constant(long, LANES)))
            places = [builder.add(at, builder.mul(arguments[2], ir.Constant(long, lane))) for lane in range(LANES)]
            rows = _turned(builder, [builder.load(row(0, place), align=8) for place in places])
            now, gone = builder.load(mean), builder.load(missing)
            small = builder.and_(
                builder.fcmp_ordered("<", now, constant(SMALLEST)), builder.fcmp_ordered(">", now, constant(-SMALLEST))
            )
            now = builder.select(small, constant(0.0), now)
            for number, found in enumerate(rows):
                nothing = builder.fsub(found, found)
                finite = builder.fcmp_ordered("ord", nothing, nothing)
                part = builder.fmul(alphas, builder.fsub(found, origins))
                now = builder.select(finite, builder.fadd(builder.fmul(decay, now), part), now)
                rows[number] = builder.select(
                    finite, builder.fadd(origins, builder.fmul(now, scales)), constant(float("nan"))
                )
                gone = builder.add(gone, builder.sext(builder.not_(finite), counts))
            builder.store(now, mean)
            builder.store(gone, missing)
            for place, found in zip(places, _turned(builder, rows), strict=True):
                builder.store(found, row(9, place), align=8)
        builder.store(builder.load(mean), first_mean, align=8)
        builder.store(builder.neg(builder.load(missing)), first_lost, align=8)
        return context.get_dummy_value()

    arguments = values, begin, stretch, blocks, alpha, origin, scale, means, lost, out
    return types.void(*arguments), generate


@intrinsic
def added(typing_context, values, at, weights, factor, out):
    """Where LANES values from `at` on are all finite, adds `factor` times each lane's weight to `out` there.

    Whether they were.
    """

    def generate(context, builder, signature, arguments):
        found, weight, end = (
            _vectors(context, builder, signature.args[number], arguments[number], index)
            for number, index in ((0, arguments[1]), (2, ir.Constant(ir.IntType(64), 0)), (4, arguments[1]))
        )
        value = builder.load(found, align=8)
        nothing = builder.fsub(value, value)
        finite = builder.bitcast(builder.fcmp_ordered("ord", nothing, nothing), ir.IntType(LANES))
        all_of_them = builder.icmp_unsigned("==", finite, ir.Constant(finite.type, 2**LANES - 1))
        with builder.if_then(all_of_them, likely=True):
            part = builder.fmul(builder.load(weight, align=8), _spread(builder, arguments[3]))
            builder.store(builder.fadd(builder.load(end, align=8), part), end, align=8)
        return all_of_them

    return types.boolean(values, at, weights, factor, out), generate


def _spread(builder, number):
    """The number in all lanes."""
    none = ir.Constant(_floats, ir.Undefined)
    first = builder.insert_element(none, number, ir.Constant(_int, 0))
    return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(_int, LANES), [0] * LANES))


def _turned(builder, rows):
    """LANES vectors with rows and columns changed."""
    rows = list(rows)
    for bit in (1, 2, 4):
        for one in range(LANES):
            if one & bit:
                continue
            other = one | bit
            upper = [lane if not lane & bit else LANES + (lane ^ bit) for lane in range(LANES)]
            lower = [lane ^ bit if not lane & bit else LANES + lane for lane in range(LANES)]
            rows[one], rows[other] = (
                builder.shuffle_vector(rows[one], rows[other], ir.Constant(ir.VectorType(_int, LANES), mask))
                for mask in (upper, lower)
            )
    return rows


def _ask(builder, vectors, offset_bytes):
    """Has memory bring what lies there."""
    prefetch = builder.module.declare_intrinsic("llvm.prefetch", [_byte], _prefetch)
    line = builder.gep(builder.bitcast(vectors, _byte), [ir.Constant(_int, offset_bytes)])
    to_read, to_nearest, data = (ir.Constant(_int, number) for number in (0, 3, 1))
    builder.call(prefetch, [line, to_read, to_nearest, data])


def _vectors(context, builder, kind, array, first):
    """A pointer to the values of an array from `first` on, as vectors."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [first]), _floats.as_pointer())


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
