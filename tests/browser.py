"""Chromium without a window, driven through its DevTools protocol, for the tests of a page as people see it."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120.0
"""Seconds until a browser that does not answer is given up."""


class Browser:
    """One tab. What it asks for, writes on its console and shows as dialogs is kept; each `open` starts anew."""

    def __init__(self) -> None:
        from websocket import create_connection

        assert CHROMIUM is not None
        self.home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"]
        options += ["--no-first-run", "--disable-extensions", "--force-color-profile=srgb", "--remote-debugging-port=0"]
        self.process = subprocess.Popen(
            [CHROMIUM, *options, f"--user-data-dir={self.home.name}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = self._port()
        with _opened(f"http://127.0.0.1:{port}/json/list") as answer:
            tab = next(one for one in json.load(answer) if one["type"] == "page")
        self.socket = create_connection(tab["webSocketDebuggerUrl"], timeout=PATIENCE, suppress_origin=True)
        self.count = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.send(f"{domain}.enable")

    def _port(self) -> str:
        file, end = Path(self.home.name) / "DevToolsActivePort", time.monotonic() + PATIENCE
        while time.monotonic() < end:
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) > 1:
                return lines[0]
            time.sleep(0.05)
        raise TimeoutError("Chromium did not start")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result; events on the way are kept."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            message = self._receive()
            if message.get("id") == self.count:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.socket.recv())
        if "method" in message:
            self.events.append(message)
            if message["method"] == "Page.javascriptDialogOpening":
                self.count += 1
                self.socket.send(
                    json.dumps({"id": self.count, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}})
                )
        return message

    def open(self, path: Path, width: int = 1200, height: int = 800, dark: bool = False, scripts: bool = True) -> None:
        """Open a file in a window of this size, and wait until it is shown. scripts: may those of the page run?"""
        self.size(width, height)
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.theme(dark)
        self.events.clear()
        self.send("Page.navigate", url=path.resolve().as_uri())
        while not self.of("Page.loadEventFired"):
            self._receive()
        if scripts:
            self.settle()

    def size(self, width: int, height: int = 800) -> None:
        """A window of this size in CSS pixels, smaller than a real window can be."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def theme(self, dark: bool) -> None:
        """What the system prefers."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.send("Emulation.setEmulatedMedia", features=[feature, still])

    def settle(self) -> None:
        """Wait until what was changed is laid out and painted."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => 1)")

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript, or of what it promises."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, as 'Tab' or 'Enter'."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **text)

    def middle(self, selector: str) -> tuple[float, float]:
        """Where the middle of the first element that fits is in the window; it is scrolled to it."""
        script = """((selector) => {
            const element = document.querySelector(selector);
            element.scrollIntoView({ block: "center" });
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        })"""
        x, y = self.run(f"{script}({json.dumps(selector)})")
        return x, y

    def point(self, selector: str) -> None:
        """Move the pointer to the middle of the first element that fits."""
        x, y = self.middle(selector)
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def click(self, selector: str) -> None:
        """Click on the middle of the first element that fits."""
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settle()

    def of(self, method: str) -> list[dict[str, Any]]:
        """The parameters of the events of this kind since the page was opened."""
        return [event["params"] for event in self.events if event["method"] == method]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened."""
        return [event["request"]["url"] for event in self.of("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """Errors and warnings on the console, exceptions and dialogs since the page was opened."""
        said = [event["entry"]["text"] for event in self.of("Log.entryAdded") if event["entry"]["level"] != "verbose"]
        said += [str(event["args"]) for event in self.of("Runtime.consoleAPICalled")]
        said += [event["exceptionDetails"]["text"] for event in self.of("Runtime.exceptionThrown")]
        return said + [event["message"] for event in self.of("Page.javascriptDialogOpening")]

    def picture(self, path: Path, whole: bool = False) -> None:
        """Save what is shown, or the whole page, as PNG."""
        clip = {}
        if whole:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "scale": 1, **_sides(size)}}
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png", **clip)["data"]))

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.home.cleanup()


def _sides(size: dict[str, Any]) -> dict[str, Any]:
    return {"width": size["width"], "height": size["height"]}


def _opened(address: str) -> Any:
    from urllib.request import urlopen

    return urlopen(address, timeout=PATIENCE)
