"""How much a source may ask of the machine. A file beyond a limit is read up to it, or refused with the reason."""

from __future__ import annotations

LINE_BYTES = 64 * 2**20
"""One line. ms-swift's last line repeats a whole log history, some megabytes at most."""

DOCUMENT_BYTES = 1 * 2**30
"""One JSON document, which is held in memory. A trainer_state.json of 100,000 entries has about 20 MB."""

EXPANSION = 300
"""How many times longer than the file a decompressed stream may be, once it is past EXPANSION_FREE_BYTES. Training
logs shrink 5 to 40 times; gzip's own limit, reached by a bomb of zeros, is about 1,030."""

EXPANSION_FREE_BYTES = 256 * 2**20

COLUMNS = 20_000
"""Different metric names of one source; further ones are left out and told."""

FOLDER_FILES = 200_000
FOLDER_DEPTH = 12
"""What is looked at below one folder."""

ARCHIVE_FILES = 20_000
ARCHIVE_BYTES = 8 * 2**30
"""What one zip archive may unpack to."""

EVENT_BYTES = 2**29
"""One record of an event file; images and graphs can be large, a length beyond this is damage."""

RUNS = 10_000
"""Runs that one file can hold."""
