"""A headless Chromium over its debugging pipe: JSON messages that end in a zero byte."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --remote-debugging-pipe "
    "--disable-background-networking --disable-component-update --disable-sync --hide-scrollbars "
    "--window-size=1200,900"
)


class Page:
    """One tab. `requests` are the addresses it asked for, `problems` what its console said."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._rest, self._count = to, back, b"", 0
        self.requests: list[str] = []
        self.problems: list[str] = []
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    _session: str | None = None

    def call(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters or {}}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            self._note(answer)

    def open(self, path: Path | str) -> None:
        url = path.as_uri() if isinstance(path, Path) else path
        self.call("Page.navigate", {"url": url})
        while self._note(self._read()) != "Page.loadEventFired":
            pass

    def js(self, expression: str) -> Any:
        found = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, **more: int) -> None:
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "text": text if kind == "keyDown" else "", **more}
            if key == "Tab":
                event["windowsVirtualKeyCode"] = 9
            self.call("Input.dispatchKeyEvent", event)

    def mouse(self, kind: str, x: float, y: float, **more: float) -> None:
        event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1, **more}
        self.call("Input.dispatchMouseEvent", event)

    def click(self, selector: str) -> None:
        box = self.js(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
            f"(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        self.mouse("mousePressed", *box)
        self.mouse("mouseReleased", *box)

    def dark(self, wanted: bool) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}
        self.call("Emulation.setEmulatedMedia", {"features": [feature]})

    def _note(self, event: dict[str, Any]) -> str:
        method = str(event.get("method"))
        if method == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        if method in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            self.problems.append(json.dumps(event["params"]))
        return method

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._back, 1 << 16)
            assert part, "Chromium went away"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(line))


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """Starts Chromium with an empty profile, and ends it."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    command = f"exec {CHROMIUM} {_FLAGS} --user-data-dir={profile} 3<&{theirs_in} 4>&{theirs_out}"
    process = subprocess.Popen(
        ["/bin/bash", "-c", command],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Page(ours_out, ours_in)
    finally:
        process.terminate()
        process.wait(timeout=20)
        os.close(ours_out)
        os.close(ours_in)
