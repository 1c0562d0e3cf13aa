"""A page's picture, in the size that its task asks for."""

from __future__ import annotations

import base64
import io

import numpy as np
import PIL.Image
from playwright.sync_api import Page

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def take_screenshot(page: Page, shape: tuple[int, int, int]) -> Pixels:
    """Take a picture of what a window of the page's size would show.

    It is that of BrowserGym's own `extract_screenshot` (lines may be smoothed otherwise), which enlarges the
    page by emulating another device and back again. That moves what is under the mouse pointer for a moment,
    and leaves the page's root wider than its window. Here the picture alone is enlarged.

    Args:
        page: A page with a viewport.
        shape: Height, width and channels; the page's size times its scale.
    """
    size = page.viewport_size
    assert size is not None
    cdp = page.context.new_cdp_session(page)
    window = cdp.send("Page.getLayoutMetrics")["cssVisualViewport"]
    clip = {"x": window["pageX"], "y": window["pageY"], **size, "scale": shape[1] / size["width"]}
    png = cdp.send("Page.captureScreenshot", {"format": "png", "clip": clip})["data"]
    cdp.detach()
    image = PIL.Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    # Browsers may round half a pixel up; what the schema says counts.
    return np.asarray(image.crop((0, 0, shape[1], shape[0])))
