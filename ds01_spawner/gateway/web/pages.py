"""Every page there is. What is not here does not exist."""

from ds01_spawner.gateway.web.events import EVENTS
from ds01_spawner.gateway.web.gpus import GPUS
from ds01_spawner.gateway.web.health import HEALTH
from ds01_spawner.gateway.web.history import HISTORY
from ds01_spawner.gateway.web.me import ME
from ds01_spawner.gateway.web.page import Page
from ds01_spawner.gateway.web.people import PEOPLE
from ds01_spawner.gateway.web.policy import POLICY
from ds01_spawner.gateway.web.queue import QUEUE

PAGES: tuple[Page, ...] = (ME, GPUS, QUEUE, PEOPLE, HISTORY, HEALTH, EVENTS, POLICY)
