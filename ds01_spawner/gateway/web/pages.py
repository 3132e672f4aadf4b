"""Every page there is. What is not here does not exist; usage, history and energy come here."""

from ds01_spawner.gateway.web.me import ME
from ds01_spawner.gateway.web.page import Page

PAGES: tuple[Page, ...] = (ME,)
