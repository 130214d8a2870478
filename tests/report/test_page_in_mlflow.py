"""The page where MLflow shows it: in a sandbox that runs scripts and lets them keep nothing.

MLflow's frame has `sandbox="allow-scripts"`. A server that sends the same as a header puts the page under its rules.
"""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from browser import CHROMIUM, Browser
from pages import html_of

from ablation.evidence.study import Study

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: no page was opened"),
]


@pytest.fixture
def address(complete):
    content = html_of(Study(complete), ("effects",)).encode()

    class Sandbox(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Security-Policy", "sandbox allow-scripts")
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Sandbox) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/report.html"
        server.shutdown()


def test_the_page_works_where_it_may_keep_nothing(address):
    browser = Browser()
    try:
        browser.theme(dark=False)
        browser.size(720, 700)
        browser.events.clear()
        browser.send("Page.navigate", url=address)
        while not browser.of("Page.loadEventFired"):
            browser._receive()
        browser.settle()
        assert browser.run("origin") == "null"
        assert browser.run("(() => { try { return typeof localStorage } catch (error) { return error.name } })()") == (
            "SecurityError"
        )
        ink = "getComputedStyle(document.body).color"
        light = browser.run(ink)
        browser.click(".theme")
        assert browser.run(ink) != light
        assert browser.run("document.querySelectorAll('button.sort').length") > 0
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        assert browser.requests() == [address]
        assert browser.complaints() == []
    finally:
        browser.close()
