"""A desktop's services on a message bus of our own: what they were asked for, and what a person clicks there."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NOTIFICATIONS = "org.freedesktop.Notifications"
LOGIN = "org.freedesktop.login1"
SESSION_MANAGER = "org.gnome.SessionManager"
LAUNCHER = "com.canonical.Unity.LauncherEntry"
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir={folder}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"""


@dataclass
class Desk:
    """The services that it was made with; `environment` leads a program to them. It lives on the test's own thread."""

    environment: dict[str, str]
    services: tuple[str, ...]
    notified: list[tuple[str, str]] = field(default_factory=list)
    """Title and text, in their order."""
    replaced: list[int] = field(default_factory=list)
    progress: list[dict[str, Any]] = field(default_factory=list)
    inhibited: list[tuple[Any, ...]] = field(default_factory=list)
    """What each call of `Inhibit` said."""
    released: list[int] = field(default_factory=list)
    """Cookies that were given back to the session manager."""
    _held: list[int] = field(default_factory=list)
    _bus: Any = None
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_held(self) -> bool:
        """Whether logind's handle is still open: a pipe whose other end has gone reads as ended."""
        return any(not _ended(each) for each in self._held)

    def click(self, number: int) -> None:
        """As a person does on the notification of that number, 1 for the first."""
        from jeepney import DBusAddress, new_signal

        place = DBusAddress("/org/freedesktop/Notifications", interface=NOTIFICATIONS)
        self._send(new_signal(place, "ActionInvoked", "us", (number, "default")))

    def _send(self, message: Any) -> None:
        with self._writing:
            self._bus.send(message)

    def _answer(self, message: Any) -> None:
        from jeepney import HeaderFields, new_method_return

        fields = message.header.fields
        service, member = fields.get(HeaderFields.interface), fields.get(HeaderFields.member)
        if service == LAUNCHER:
            told = message.body[1]
            self.progress.append({name: value for name, (_, value) in told.items()})
        elif member == "GetCapabilities":
            self._send(new_method_return(message, "as", (["body", "body-markup", "actions"],)))
        elif member == "Notify":
            self.notified.append((message.body[3], message.body[4]))
            self.replaced.append(message.body[1])
            self._send(new_method_return(message, "u", (message.body[1] or len(self.notified),)))
        elif member == "Inhibit" and service == LOGIN + ".Manager":
            self.inhibited.append(message.body)
            reading, writing = os.pipe()
            os.set_blocking(reading, False)
            self._held.append(reading)
            self._send(new_method_return(message, "h", (writing,)))
            os.close(writing)
        elif member == "Inhibit":
            self.inhibited.append(message.body)
            self._send(new_method_return(message, "u", (71,)))
        elif member == "Uninhibit":
            self.released.append(message.body[0])
            self._send(new_method_return(message))

    def _serve(self) -> None:
        while True:
            try:
                message = self._bus.receive()
            except Exception:  # however the connection ends
                return
            self._answer(message)


def _ended(reading: int) -> bool:
    try:
        return os.read(reading, 1) == b""
    except BlockingIOError:
        return False


@contextmanager
def desk(folder: Path, *services: str) -> Iterator[Desk]:
    """A bus that stands for the session's and the system's, with these services. Skips where D-Bus is missing."""
    pytest.importorskip("jeepney", reason="jeepney is missing: make setup")
    if shutil.which("dbus-daemon") is None:
        pytest.skip("a message bus is missing: apt-get install dbus-daemon")
    from jeepney import MatchRule, message_bus
    from jeepney.io.threading import open_dbus_connection

    config = folder / "bus.conf"
    config.write_text(BUS.format(folder=folder))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert daemon.stdout is not None
        address = daemon.stdout.readline().strip()
        made = Desk({"DBUS_SESSION_BUS_ADDRESS": address, "DBUS_SYSTEM_BUS_ADDRESS": address}, services)
        made._bus = open_dbus_connection(address, enable_fds=True)
        for service in services:
            made._bus.send(message_bus.RequestName(service))
        made._bus.send(message_bus.AddMatch(MatchRule(type="signal", interface=LAUNCHER)))
        serving = threading.Thread(target=made._serve, daemon=True)
        serving.start()
        yield made
        made._bus.close()
        serving.join()
        for each in made._held:
            os.close(each)
    finally:
        daemon.terminate()
        daemon.wait()
        assert daemon.stdout is not None
        daemon.stdout.close()
