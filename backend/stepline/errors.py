"""The tree of errors a person can meet. Each says what failed, why, what to do, and what was lost.

    SteplineError
    ├── UsageError            wrong words on the command line or in a request
    ├── HomeError             the home folder cannot be used
    ├── StoreError            the database cannot be used
    │   ├── DatabaseNewer     written by a later Stepline; left untouched
    │   └── DatabaseDamaged   not a database, or damaged; left untouched
    ├── JournalError          a journal cannot be taken in
    │   └── JournalNewer      its format's major version is later than ours
    ├── TaskNotFound          no task of that name or id
    ├── TaskAmbiguous         several tasks bear that name
    ├── TaskIsLive            what was asked has to wait until the task no longer trains
    ├── SeriesNotFound        the task has no such metric
    ├── AddressInUse          the port is taken
    ├── ImportFailed          a file or folder holds no training history that can be taken
    ├── Refused               a request without the token, or from a foreign page or host
    └── Unavailable           something this needs is not installed or not there

`code` is stable and is what programs compare; the sentences are for people and may change.
"""

from __future__ import annotations


class SteplineError(Exception):
    """What failed, why, what to do about it, and what was lost (None: nothing)."""

    code = "error"
    http_status = 500
    exit_code = 1

    def __init__(self, what: str, *, why: str = "", action: str = "", lost: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.action = action
        self.lost = lost

    def __str__(self) -> str:
        parts = [self.what, self.why, self.action, self.lost or ""]
        return " ".join(part if part.endswith((".", "?")) else part + "." for part in parts if part)


class UsageError(SteplineError):
    code = "usage"
    http_status = 400
    exit_code = 2


class HomeError(SteplineError):
    code = "home"


class StoreError(SteplineError):
    code = "store"


class DatabaseNewer(StoreError):
    code = "database_newer"


class DatabaseDamaged(StoreError):
    code = "database_damaged"


class JournalError(SteplineError):
    code = "journal"
    http_status = 422


class JournalNewer(JournalError):
    code = "journal_newer"


class TaskNotFound(SteplineError):
    code = "task_not_found"
    http_status = 404


class TaskAmbiguous(SteplineError):
    code = "task_ambiguous"
    http_status = 409


class TaskIsLive(SteplineError):
    code = "task_is_live"
    http_status = 409


class SeriesNotFound(SteplineError):
    code = "series_not_found"
    http_status = 404


class AddressInUse(SteplineError):
    code = "address_in_use"


class Refused(SteplineError):
    code = "refused"
    http_status = 403


class Unavailable(SteplineError):
    code = "unavailable"
    http_status = 503


class ImportFailed(SteplineError):
    code = "import"
    http_status = 422


def error_of(code: str) -> type[SteplineError]:
    """The type that bears `code`; SteplineError for one that this version does not know."""
    found = [SteplineError]
    for kind in found:
        if kind.code == code:
            return kind
        found += kind.__subclasses__()
    return SteplineError
