"""HOME RECORDS_BEFORE: a training that logs when told to: `steady RATE SECS` or `seldom COUNT`. Answers with the
sequence of each record and the Unix time in milliseconds at which its log call had returned."""

from __future__ import annotations

import json
import math
import random
import sys
import time

from stepline import record


def main() -> None:
    home, before = sys.argv[1], int(sys.argv[2])
    logged: list[tuple[int, float]] = []
    with record("live", home=home, settings={"total_steps": 10**6}) as run:
        sequence = 1  # the record of the run's start is 0

        def log() -> None:
            nonlocal sequence
            number = sequence
            run.log(
                {
                    "loss": 3 * math.exp(-number / 1e4) + random.gauss(0, 0.1),
                    "grad_norm": random.gammavariate(3, 0.3),
                    "learning_rate": 5e-5 * (1 - number / 1e6),
                    "eval_loss": random.gauss(2, 0.1),
                    "samples_per_second": random.gauss(800, 20),
                },
                step=number,
            )
            logged.append((number, time.time() * 1000))
            sequence += 1

        for _ in range(before):
            log()
        print(json.dumps({"records": sequence}), flush=True)
        for line in sys.stdin:
            logged.clear()
            what, *numbers = line.split()
            if what == "steady":
                rate, secs = map(float, numbers)
                began = time.perf_counter()
                for each in range(int(rate * secs)):
                    time.sleep(max(0.0, began + each / rate - time.perf_counter()))
                    log()
            else:
                for _ in range(int(numbers[0])):
                    time.sleep(random.uniform(0.4, 1.0))
                    log()
            print(json.dumps(logged), flush=True)


if __name__ == "__main__":
    main()
