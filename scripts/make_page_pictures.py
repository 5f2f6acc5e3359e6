"""Make the pictures of the chat page in docs/images: `python scripts/make_page_pictures.py [FOLDER]`, from the root.

The page talks with a scripted server, so that the pictures show the page and not how well a small model writes.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.browsers import find_chromium, launch  # noqa: E402
from support.scripted_server import ChatServer, Reply, call, serve  # noqa: E402

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

ANSWER = """The cache holds a key and a value for each token, layer and head, so that it grows with the text:

| tokens | 16 bits | 8 bits | 4 bits |
| ---: | ---: | ---: | ---: |
| 8,192 | 1.25 GiB | 640 MiB | 320 MiB |
| 32,768 | 5 GiB | 2.5 GiB | 1.25 GiB |
| 131,072 | 20 GiB | 10 GiB | 5 GiB |

This counts the numbers themselves; their **scales** come on top. One token takes:

```python
def cache_bytes(layers=40, kv_heads=8, head_dim=128, bits=16):
    \"\"\"Bytes of the KV cache for one token.\"\"\"
    return 2 * layers * kv_heads * head_dim * bits // 8  # a key and a value
```

With the defaults that is `163840`: a page of 500 tokens takes 78 MiB.
"""
SENTENCE = "The wind comes down the valley of the Rhône, and takes the clouds with it."
TOOLS = """[
  {
    "name": "find_trains",
    "description": "Trains between two stations on a day.",
    "parameters": {
      "type": "object",
      "properties": {
        "from": { "type": "string" },
        "to": { "type": "string" },
        "date": { "type": "string", "format": "date" }
      },
      "required": ["from", "to"]
    }
  }
]"""


def main() -> None:
    folder = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with serve() as server, sync_playwright() as playwright:
        server.models, server.context_length = ("mistral-small-3.2",), 131072
        browser = launch(playwright, find_chromium())
        for theme in ("light", "dark"):
            page = _open(browser, server, DESKTOP, theme)
            if theme == "light":
                _save(page, folder / "chat-start.webp")
            _talk(server, page)
            _save(page, folder / f"chat-{theme}.webp")
            page.context.close()
        scenes = {"image": _image, "tool-call": _tool_call, "settings": _settings, "failure": _failure}
        for name, scene in scenes.items():
            page = _open(browser, server, DESKTOP, "dark" if name == "tool-call" else "light")
            scene(server, page)
            _save(page, folder / f"chat-{name}.webp")
            page.context.close()
        for theme in ("light", "dark"):
            page = _open(browser, server, PHONE, theme)
            if theme == "dark":
                _talk(server, page)
            _save(page, folder / f"chat-phone-{theme}.webp")
            page.context.close()
        browser.close()


def _open(browser: Browser, server: ChatServer, size: dict[str, int], theme: str) -> Page:
    phone = size is PHONE
    context = browser.new_context(
        viewport=size, color_scheme=theme, device_scale_factor=2 if phone else 1.5, is_mobile=phone, has_touch=phone
    )
    page = context.new_page()
    page.goto(server.url)
    page.get_by_label("Message", exact=True).wait_for()
    return page


def _ask(page: Page, server: ChatServer, question: str, answer: str, delay: float = 0.01) -> None:
    pieces = [word + " " for word in answer.split(" ")]
    server.replies.append(Reply(pieces, prompt_tokens=1840, completion_tokens=len(pieces), delay=delay))
    page.get_by_label("Message", exact=True).fill(question)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Regenerate").last.wait_for()


def _talk(server: ChatServer, page: Page) -> None:
    _ask(page, server, "Why is the sky so clear when the mistral blows?", "It is dry air.", 0)
    page.keyboard.press("Control+Shift+O")
    _ask(page, server, "Plan three days in Arles, by train", "Three days.", 0)
    page.keyboard.press("Control+Shift+O")
    _ask(page, server, "How much memory does the 24B's KV cache take?", ANSWER, 0.02)


def _image(server: ChatServer, page: Page) -> None:
    picture = base64.b64encode(_landscape()).decode()
    page.evaluate(
        """(data) => {
            const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "ventoux.png", { type: "image/png" }));
            document.querySelector("#message").dispatchEvent(
                new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
        }""",
        picture,
    )
    page.get_by_alt_text("ventoux.png").wait_for()
    _ask(
        page,
        server,
        "What do you see?",
        "A mountain range in the evening: three ridges, each paler than the one before it, and a low sun to the right. "
        "The nearest ridge is dark green; haze lies **between** the ridges, as if they were cut out of paper.",
        0.02,
    )
    page.keyboard.type("And in which season?")


def _tool_call(server: ChatServer, page: Page) -> None:
    page.keyboard.press("Control+,")
    page.get_by_label("Tools").fill(TOOLS)
    page.get_by_role("button", name="Close settings").click()
    arguments = '{"from": "Paris Gare de Lyon", "to": "Arles", "date": "2026-05-14"}'
    pieces = ["I shall look for a train. ", *call("find_trains", arguments)]
    server.replies.append(Reply(pieces, "tool_calls", 412, 38, 0.1))
    question = "I must be in Arles on the 14th of May before noon. When does a train leave Paris?"
    page.get_by_label("Message", exact=True).fill(question)
    page.keyboard.press("Enter")
    page.get_by_label("Result").fill('[{"departs": "06:20", "arrives": "10:15", "changes": 1}]')


def _settings(server: ChatServer, page: Page) -> None:
    _ask(page, server, "Say it in one sentence.", SENTENCE, 0.02)
    page.keyboard.press("Control+,")
    page.get_by_label("System prompt").fill("You are a patient teacher. Answer briefly, and say what you do not know.")
    page.get_by_label("Temperature").fill("0.15")
    page.get_by_label("Seed").fill("7")


def _failure(server: ChatServer, page: Page) -> None:
    _ask(page, server, "Say it in one sentence.", SENTENCE, 0.02)
    full = "32 requests are waiting, which is as many as may."
    server.replies.append(Reply(status=429, error=full, headers={"Retry-After": "30"}))
    page.get_by_label("Message", exact=True).fill("And in verse?")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()


def _landscape() -> bytes:
    picture = Image.new("RGB", (960, 600))
    draw = ImageDraw.Draw(picture)
    for y in range(600):
        draw.line([(0, y), (960, y)], fill=(250 - y // 8, 205 - y // 12, 150 + y // 12))
    draw.ellipse([690, 120, 780, 210], fill=(255, 240, 205))
    ridges = [((150, 160, 190), 330, 90), ((95, 120, 150), 410, 70), ((38, 70, 76), 500, 55)]
    for index, (colour, base, height) in enumerate(ridges):
        slopes = {x: height * abs(((x / 240 + index * 0.37) % 2) - 1) + x * 37 % 13 for x in range(0, 1000, 40)}
        peaks = [(x, base - slope) for x, slope in slopes.items()]
        draw.polygon([(0, 600), *peaks, (960, 600)], fill=colour)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _save(page: Page, path: Path) -> None:
    page.wait_for_timeout(700)  # motion comes to rest
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=86, method=6)


if __name__ == "__main__":
    main()
