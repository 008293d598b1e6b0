"""The Linux desktop, over D-Bus: notifications, progress and badge in the task bar, staying awake.

    org.freedesktop.Notifications        nearly every desktop has it
    com.canonical.Unity.LauncherEntry    a signal to which KDE's and Ubuntu's task bars and several docks listen
    org.freedesktop.login1               keeps the machine from sleeping; where it is not or may not, the session's own

What is not there is left out, and the log says so once. Two connections, both used by one thread alone.
"""

from __future__ import annotations

import contextlib
import html
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jeepney import DBusAddress, DBusErrorResponse, MatchRule, Message, message_bus, new_method_call, new_signal
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import unwrap_msg

from stepline_desktop.desktop import DESKTOP_FILE

log = logging.getLogger(__name__)

ANSWER_SECS = 3.0
AGAIN_SECS = 60.0
"""How long a bus that did not answer is left alone."""
FAULTS = (OSError, DBusErrorResponse, RuntimeError, LookupError, ValueError)
"""What a call becomes on a bus that is not there, goes away, or lacks the service."""

NOTIFICATIONS = DBusAddress(
    "/org/freedesktop/Notifications", "org.freedesktop.Notifications", "org.freedesktop.Notifications"
)
LAUNCHER = DBusAddress("/org/stepline/Stepline", interface="com.canonical.Unity.LauncherEntry")
LOGIN = DBusAddress("/org/freedesktop/login1", "org.freedesktop.login1", "org.freedesktop.login1.Manager")
KEEP_FROM_SUSPENDING = 4
"""The flag of GNOME's session manager."""


class Inhibitor(NamedTuple):
    """A service of the session that keeps the machine awake from one call to the other."""

    address: DBusAddress
    ending: str
    signature: str
    words: Callable[[str], tuple[Any, ...]]


def _service(name: str, path: str) -> DBusAddress:
    return DBusAddress(path, name, name)


INHIBITORS = (
    Inhibitor(
        _service("org.gnome.SessionManager", "/org/gnome/SessionManager"),
        "Uninhibit",
        "susu",
        lambda why: ("Stepline", 0, why, KEEP_FROM_SUSPENDING),
    ),
    Inhibitor(
        _service("org.freedesktop.PowerManagement.Inhibit", "/org/freedesktop/PowerManagement/Inhibit"),
        "UnInhibit",
        "ss",
        lambda why: ("Stepline", why),
    ),
    # The last: it keeps the screen on as well.
    Inhibitor(
        _service("org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"),
        "UnInhibit",
        "ss",
        lambda why: ("Stepline", why),
    ),
)


class Freedesktop:
    """See `stepline_desktop.desktop.Desktop`."""

    def __init__(self, icon: str | None) -> None:
        self._icon = icon or "stepline"
        self._session: Any = None
        self._retry = 0.0
        self._signals: deque[Message] = deque(maxlen=16)
        self._abilities: Sequence[str] | None = None
        self._shown: dict[str, int] = {}
        self._missed: set[str] = set()
        self._release: Callable[[], Any] | None = None

    def notify(self, key: str, title: str, text: str) -> None:
        def show(session: Any) -> None:
            if self._abilities is None:
                (self._abilities,) = _call(session, NOTIFICATIONS, "GetCapabilities")
            body = html.escape(text, quote=False) if "body-markup" in self._abilities else text
            actions = ["default", "Stepline"] if "actions" in self._abilities else []
            hints = {"desktop-entry": ("s", DESKTOP_FILE), "urgency": ("y", 1)}
            told = ("Stepline", self._shown.get(key, 0), self._icon, title, body, actions, hints, -1)
            (self._shown[key],) = _call(session, NOTIFICATIONS, "Notify", "susssasa{sv}i", told)

        self._try("notifications", show)

    def clicked(self) -> list[str]:
        keys = {number: key for key, number in self._shown.items()}
        numbers = [self._signals.popleft().body[0] for _ in range(len(self._signals))]
        return [keys[number] for number in numbers if number in keys]

    def show_progress(self, part: float | None, count: int) -> None:
        told = {
            "progress": ("d", part or 0.0),
            "progress-visible": ("b", part is not None),
            "count": ("x", count),
            "count-visible": ("b", count > 0),
        }
        signal = new_signal(LAUNCHER, "Update", "sa{sv}", (f"application://{DESKTOP_FILE}.desktop", told))
        self._try("the task bar", lambda session: session.send(signal))

    def keep_awake(self, wanted: bool, why: str) -> None:
        if wanted and self._release is None:
            self._release = self._inhibit(why)
        elif not wanted and self._release is not None:
            with contextlib.suppress(*FAULTS):
                self._release()
            self._release = None

    def wait(self, secs: float) -> None:
        ends = time.monotonic() + secs
        while self._session is not None and (left := ends - time.monotonic()) > 0:
            try:
                self._session.recv_messages(timeout=left)
            except TimeoutError:
                return
            except FAULTS as error:
                self._miss("the session bus", error)
                self._forget_session()
        time.sleep(max(0.0, ends - time.monotonic()))

    def close(self) -> None:
        self.keep_awake(False, "")
        self._forget_session()

    def _inhibit(self, why: str) -> Callable[[], Any]:
        """Keep the machine awake by the first service that does it; what ends that."""
        try:
            bus = open_dbus_connection("SYSTEM", enable_fds=True)
            try:
                # Neither where a person closes the lid, which is logind's to decide, nor with a password asked for.
                (held,) = _call(bus, LOGIN, "Inhibit", "ssss", ("sleep:idle", "Stepline", why, "block"))
            finally:
                bus.close()
            return held.close  # type: ignore[no-any-return]
        except FAULTS as error:
            log.debug("logind keeps nobody awake here: %s", error)

        def inhibit(session: Any) -> Callable[[], Any]:
            refusal: Exception | None = None
            for each in INHIBITORS:
                try:
                    (cookie,) = _call(session, each.address, "Inhibit", each.signature, each.words(why))
                except DBusErrorResponse as error:
                    refusal = error
                    continue
                ending = each
                return lambda: _call(session, ending.address, ending.ending, "u", (cookie,))
            raise LookupError(refusal)

        return self._try("staying awake", inhibit) or (lambda: None)

    def _try(self, what: str, work: Callable[[Any], Any]) -> Any:
        """What `work` makes of the session's bus; None, and noted once, where that or the service is not there."""
        try:
            return work(self._connected())
        except (DBusErrorResponse, LookupError) as error:
            self._miss(what, error)
        except FAULTS as error:
            self._miss(what, error)
            self._forget_session()
        return None

    def _connected(self) -> Any:
        if self._session is None:
            if time.monotonic() < self._retry:
                raise ConnectionError("the session bus did not answer a moment ago")
            self._retry = time.monotonic() + AGAIN_SECS
            self._session = open_dbus_connection(_session_address())
            rule = MatchRule(type="signal", interface=NOTIFICATIONS.interface, member="ActionInvoked")
            self._session.filter(rule, queue=self._signals)
            unwrap_msg(self._session.send_and_get_reply(message_bus.AddMatch(rule), timeout=ANSWER_SECS))
        return self._session

    def _forget_session(self) -> None:
        session, self._session = self._session, None
        self._abilities = None
        self._shown.clear()
        if session is not None:
            session.close()

    def _miss(self, what: str, error: Exception) -> None:
        if what not in self._missed:
            self._missed.add(what)
            log.info("This desktop does without %s: %s", what, error)


def _session_address() -> str:
    """As the desktop tells it, else where systemd puts it."""
    told = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    if told:
        return told
    path = os.path.join(os.environ["XDG_RUNTIME_DIR"], "bus")
    return f"unix:path={path}"


def _call(bus: Any, address: DBusAddress, method: str, signature: str = "", words: tuple[Any, ...] = ()) -> Any:
    """What the service answers. Raises one of FAULTS."""
    asked = new_method_call(address, method, signature or None, words)
    return unwrap_msg(bus.send_and_get_reply(asked, timeout=ANSWER_SECS))
