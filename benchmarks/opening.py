"""How long a page takes to open in Chromium, without network, until all in it is loaded and its scripts have run.

`python -m benchmarks.opening FILE [ROUNDS]`. A report on a thousand classes is left in the folder `pages` by
`python -m pytest tests/stages/test_report_in_browser.py -k thousand --basetemp pages`.
"""

import shutil
import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright


def main(file: Path, rounds: int) -> None:
    """Open the page so many times, each in a browser of its own."""
    seconds = []
    for _ in range(rounds):
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True).new_page()
            start = time.perf_counter()
            page.goto(file.absolute().as_uri(), wait_until="load")
            # A picture of what is on the screen cannot be taken before it is laid out and painted.
            page.screenshot()
            seconds.append(time.perf_counter() - start)
            browser.close()
    spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
    print(f"{file.name}, {file.stat().st_size / 1e6:.1f} MB: opened in {statistics.median(seconds):.2f} s ({spread})")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
