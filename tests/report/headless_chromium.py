"""A headless Chromium for pages on disk: run a script in one and get its answer, print one, photograph one.

No driver library: the script is put into a copy of the page, its answer is written into the document, and Chromium
dumps the document. Scripts dispatch real DOM events.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND")
ANSWER = """
(() => {
  let answer;
  try { answer = (() => { %s })(); } catch (error) { answer = { error: String(error), stack: error.stack }; }
  const text = document.createElement("pre");
  text.textContent = "ANSWER" + btoa(unescape(encodeURIComponent(JSON.stringify(answer)))) + "END";
  document.documentElement.replaceChildren(text);
})();
"""


def find_chromium() -> str | None:
    """Return the program, from $CHROMIUM or the path."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """Chromium with a profile of its own.

    Parameters
    ----------
    program
        Path of the program.
    folder
        For the profile and for copies of pages.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder

    def ask(self, page: Path, script: str, width: int = 1300) -> Any:
        """Return what the body of a function ``script`` returns in a page."""
        code = ANSWER % script
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        html = page.read_text(encoding="utf-8")
        assert html.count("script-src '") == 1 and html.count("</body>") == 1
        html = html.replace("script-src '", f"script-src 'sha256-{digest}' '")
        copy = self.folder / f"copy-{len(list(self.folder.iterdir()))}.html"
        copy.write_text(html.replace("</body>", f"<script>{code}</script></body>"), encoding="utf-8")
        shown = self._run(copy, "--dump-dom", "--virtual-time-budget=3000", f"--window-size={width},900")
        assert "ANSWER" in shown, f"the page never answered: {shown[:500]}"
        coded = shown.split("ANSWER")[1].split("END")[0]
        return json.loads(base64.b64decode(coded).decode())

    def print_pdf(self, page: Path) -> bytes:
        """Return the printed page."""
        path = self.folder / "page.pdf"
        self._run(page, f"--print-to-pdf={path}", "--no-pdf-header-footer", "--virtual-time-budget=3000")
        return path.read_bytes()

    def photograph(self, page: Path, picture: Path, width: int, height: int) -> None:
        """Write a picture of the top of the page as PNG."""
        size = f"--window-size={width},{height}"
        self._run(page, f"--screenshot={picture}", size, "--virtual-time-budget=3000")

    def _run(self, page: Path, *flags: str) -> str:
        words = [self.program, *FLAGS, f"--user-data-dir={self.folder / 'profile'}", *flags, page.as_uri()]
        done = subprocess.run(words, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
        return done.stdout.decode()


def browser_or_skip(folder: Path) -> Browser:
    """Return a browser, or skip the test and say what is missing."""
    program = find_chromium()
    if program is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on the path and $CHROMIUM is not set ('make browser')")
    return Browser(program, folder)
