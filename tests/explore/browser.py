"""Chromium without a window, driven by its own protocol: as much as the tests need."""

import base64
import contextlib
import json
import pathlib
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No other machine: whoever is asked for, but this one, is not there.
_ALONE = "--host-resolver-rules=MAP * 0.0.0.0, EXCLUDE localhost, EXCLUDE 127.0.0.1"
_KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40, "Home": 36, "End": 35, "Tab": 9, "Enter": 13, " ": 32}


def found() -> str | None:
    """Where Chromium is; None where it is not installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """One tab. `faults`: what was said in its console as an error, and what it asked of other machines."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._last, self.faults = socket, 0, []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call the protocol and wait for its answer; events on the way are noted."""
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == self._last:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.faults.append(f"exception: {params['exceptionDetails']}")
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
                self.faults.append(f"console: {[value.get('value') for value in params['args']]}")
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.faults.append(f"log: {params['entry']['text']} {params['entry'].get('url')}")
            case "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")):
                    self.faults.append(f"asked for {url}")

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        phone = width < 500
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        self.send("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, key: str) -> None:
        look = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": _KEYS[key]}
        text = {"text": {"Enter": "\r", " ": " "}[key]} if key in ("Enter", " ") else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **look, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **look)

    def until(self, script: str, *, seconds: float = 60.0) -> Any:
        """Wait until an expression is true; its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(script):
                return value
            time.sleep(0.02)
        raise AssertionError(f"after {seconds:g} s still not: {script}; {self.faults}")

    def picture(self, path: pathlib.Path) -> None:
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def chromium(folder: pathlib.Path) -> Iterator[Callable[[], Tab]]:
    """A browser with its files in a folder; gives a function that opens a tab."""
    program = found()
    assert program is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", _ALONE]
    process = subprocess.Popen(
        [program, *flags, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(process.terminate)
        where = folder / "DevToolsActivePort"
        end = time.monotonic() + 60.0
        while not (where.exists() and where.read_text().strip()):
            assert time.monotonic() < end, "Chromium did not start"
            time.sleep(0.05)
        port = where.read_text().split()[0]

        def tab() -> Tab:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
            with urllib.request.urlopen(request, timeout=30) as answer:
                address = json.load(answer)["webSocketDebuggerUrl"]
            socket = stack.enter_context(connect(address, max_size=None))
            return Tab(socket)

        yield tab
