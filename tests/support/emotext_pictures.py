"""The picture of docs/emotext.md, made from the running page: all effects at three moments.

`python -m tests.support.emotext_pictures` writes it to `docs/images/emotext.webp`: look at it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from tests.browser.conftest import FLAGS
from tests.support.chromium import find_chromium
from tests.support.server import ServerProcess

PICTURE = Path(__file__).resolve().parent.parent.parent / "docs/images/emotext.webp"
MOMENTS = (250, 900, 1700)
QUALITY = 82
# One stage for each effect and moment; all stand at their moment at once.
STAGES = """async (moments) => {
  const { put } = await import(document.querySelector("script[src]").src.replace("emotextgallery", "emotextplayer"));
  const list = document.querySelector("#gallery");
  const effects = [...list.querySelectorAll("li")].map((li) => [li.dataset.id, li.querySelector("button").textContent]);
  list.style.cssText = "grid-template-columns: repeat(3, 1fr); gap: 4px; max-width: none; margin: 0";
  document.querySelector(".gallery-page").replaceChildren(list);
  list.replaceChildren();
  for (const [id, name] of effects) {
    for (const t of moments) {
      const still = Object.assign(document.createElement("p"), { textContent: `${name}!` });
      const place = Object.assign(document.createElement("div"), { className: "emo-stage emo-loose" });
      place.style.cssText = "min-height: 0; height: 4.2rem; padding: 0";
      place.append(still);
      list.append(place);
      const stage = await put(still, { id: "", emotext: [id] }, true);
      stage.again();
      stage.freeze(t);
      // Another may move in its place; this picture of it stays.
      const kept = still.cloneNode(true);
      const pieces = still.querySelectorAll(".emo-over *");
      kept.querySelectorAll(".emo-over *").forEach((each, n) => {
        const { transform, opacity, filter, color } = getComputedStyle(pieces[n]);
        Object.assign(each.style, { transform, opacity, filter, color });
      });
      kept.querySelector(".emo-key").remove();
      stage.leave();
      still.replaceWith(kept);
    }
  }
}"""


def main() -> None:
    """Draw it."""
    from playwright.sync_api import sync_playwright

    with ServerProcess({}) as server, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page: Any = browser.new_context(
            locale="ja-JP", viewport={"width": 660, "height": 800}, device_scale_factor=1.25
        ).new_page()
        page.goto(f"{server.url}/emotext")
        page.locator("#gallery li").nth(12).wait_for()
        page.evaluate(STAGES, list(MOMENTS))
        shot = Image.open(io.BytesIO(page.locator("#gallery").screenshot()))
        shot.convert("RGB").save(PICTURE, quality=QUALITY, method=6)
        browser.close()


if __name__ == "__main__":
    main()
