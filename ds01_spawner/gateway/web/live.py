"""The live parts of a page: its sections, sent again when they have changed."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic

from tornado.iostream import StreamClosedError

from ds01_spawner.client.problems import Unauthenticated
from ds01_spawner.gateway.api.handler import Authenticate, still_asks
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.web.handler import WebHandler, check_role
from ds01_spawner.gateway.web.page import Page
from ds01_spawner.gateway.web.rendering import section_html
from ds01_spawner.gateway.web.site import Site
from ds01_spawner.operations.allocation.observe import AT_ONCE

EVERY_SECONDS = 3.0
LASTS_SECONDS = 60.0
"""Then the browser comes again: no connection is held for ever."""

SHARED_FOR = timedelta(seconds=2)
"""Many who look share what is read within this time."""

_AGAIN_MILLISECONDS = 3000


class LiveHandler(WebHandler):
    """Sends a page's live sections: all of them first, then those that have changed."""

    def initialize(  # type: ignore[override]
        self,
        site: Site,
        authenticate: Authenticate,
        page: Page,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        """Take what the application was made with."""
        super().initialize(site, authenticate)
        self._page = page
        self._every = every_seconds
        self._sent: dict[str, str] = {}

    async def get(self) -> None:
        """Send until nobody looks, or it is time to ask again who does."""
        requester = await self.requester()
        if requester is None:
            raise Unauthenticated("You are not logged in.", "Load the page again.")
        check_role(requester, self._page)
        with self.site.served.listeners.one_more(requester.user):
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("X-Accel-Buffering", "no")
            self.write(f"retry: {_AGAIN_MILLISECONDS}\n\n")
            until = monotonic() + LASTS_SECONDS
            try:
                while not self.gone.is_set() and monotonic() < until:
                    await self._send({} if self.gone.is_set() else await self._changed(requester))
                    await self._pause()
                    if not await still_asks(self._authenticate, self, requester):
                        return
            except StreamClosedError:
                return

    async def _changed(self, requester: Requester) -> Mapping[str, str]:
        """By id, what is not as it was sent."""
        # The first time as the page itself: it may come right after something was done.
        visit = self.visit(requester, SHARED_FOR if self._sent else AT_ONCE)
        found = {
            each.id: await section_html(self.site, self._page, each, visit, self.form_token())
            for each in self._page.sections
            if each.live
        }
        changed = {id_: html for id_, html in found.items() if self._sent.get(id_) != html}
        self._sent.update(changed)
        return changed

    async def _send(self, sections: Mapping[str, str]) -> None:
        for id_, html in sections.items():
            self.write(f"event: section\ndata: {json.dumps({'id': id_, 'html': html})}\n\n")
        now = self.site.served.api.platform.clock.now()
        self.write(f"event: fresh\ndata: {now.isoformat()}\n\n")
        await self.flush()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self.gone.wait(), self._every)
        except TimeoutError:
            return
