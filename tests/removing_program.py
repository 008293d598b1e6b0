"""Takes a home's journals in until it is killed: `python removing_program.py HOME`. See test_removal."""

from __future__ import annotations

import sys
import time

from stepline.home import Home
from stepline.ingest import Ingest
from stepline.store import Store


def main(path: str) -> None:
    home = Home.open(path)
    Ingest(home, Store.open(home.database, writable=True)).start()
    print("watching", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1])
