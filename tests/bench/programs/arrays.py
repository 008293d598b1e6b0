"""PATH: a peer's way with one array of float64. Answers `nanm4 POINTS`, `ewm SPAN` and `rolling SPAN` with the
milliseconds that it took, or with null where that library is not installed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import numpy as np

from tests.bench.timing import ms_of


def main() -> None:
    values = np.load(sys.argv[1])
    calls: dict[str, Callable[[int], object]] = {}
    try:
        from tsdownsample import NaNM4Downsampler

        sampler = NaNM4Downsampler()
        calls["nanm4"] = lambda points: sampler.downsample(values, n_out=points, parallel=True)
    except ImportError:
        pass
    try:
        import pandas

        series = pandas.Series(values)
        calls["ewm"] = lambda span: series.ewm(span=span, ignore_na=True).mean()
        calls["rolling"] = lambda span: series.rolling(span, min_periods=1).mean()
    except ImportError:
        pass
    print(json.dumps(sorted(calls)), flush=True)
    for line in sys.stdin:
        name, number = line.split()
        call = calls[name]
        print(json.dumps([ms_of(lambda call=call, number=number: call(int(number)))]), flush=True)


if __name__ == "__main__":
    main()
