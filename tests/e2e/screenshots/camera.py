"""Takes pictures of a page: for the documentation, and in every look to look at."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import FloatRect, Page, expect

Scheme = Literal["light", "dark"]
LOOKS: dict[str, tuple[Scheme, int]] = {
    "light": ("light", 1280),
    "dark": ("dark", 1280),
    "zoomed": ("light", 1024),  # 1280 pixels at 125 %
    "narrow": ("light", 360),
    "narrow-dark": ("dark", 360),
}
DOCS_WIDTH = 1100
LONGEST = 1250
"""Pixels: what is below is not in the documentation."""

COLOURS = 256
"""As many as a palette has: a picture is a third as large, and nobody sees it."""


@dataclass
class Camera:
    """Where pictures go.

    Attributes:
        docs: Those of the documentation.
        looks: Those in every look; `None`: none.
    """

    docs: Path
    looks: Path | None

    def take(
        self,
        page: Page,
        name: str,
        *,
        keep: bool = False,
        dark: bool = False,
        longest: int = LONGEST,
    ) -> None:
        """One page as it stands: `keep` it for the documentation, there in `dark`."""
        # Not over what is above it, as in a window.
        page.evaluate(
            "document.querySelectorAll('.ds01-start').forEach(at => at.style.position = 'static')"
        )
        if self.looks is not None:
            for look, (scheme, width) in LOOKS.items():
                self._set(page, scheme, width)
                page.screenshot(path=self.looks / f"{name}-{look}.png", full_page=True)
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if wide > 0:
                    print(f"{name}-{look}: {wide} pixels too wide")  # noqa: T201 - for who looks
        if keep:
            self._set(page, "dark" if dark else "light", DOCS_WIDTH)
            height = page.evaluate("document.body.scrollHeight")
            self._keep(page, name, 0, min(height, longest))
        self._set(page, "light", 1280)

    def take_part(self, page: Page, selector: str, name: str) -> None:
        """A part of a page, for the documentation."""
        self._set(page, "light", DOCS_WIDTH)
        box = page.locator(selector).bounding_box()
        assert box is not None
        above = page.evaluate("scrollY") - 20
        self._keep(page, name, box["y"] + above, box["height"] + 40)

    def _keep(self, page: Page, name: str, top: float, height: float) -> None:
        part = FloatRect(x=0, y=top, width=DOCS_WIDTH, height=height)
        with Image.open(BytesIO(page.screenshot(full_page=True, clip=part))) as picture:
            few = picture.convert("RGB").quantize(
                COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
            )
        few.save(self.docs / f"{name}.png", optimize=True)

    def _set(self, page: Page, scheme: Scheme, width: int) -> None:
        page.set_viewport_size({"width": width, "height": 720})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
