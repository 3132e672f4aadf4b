"""Students of a class, simulated: a browser that is logged in, and a notebook with its wizards."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import quote

import httpx

from ds01_spawner.client import Client, places
from ds01_spawner.domain.errors import DS01Error
from ds01_widgets.models.extend_server import ExtendServerModel
from ds01_widgets.models.gpu_status import GpuStatusModel
from ds01_widgets.models.image_builder import ImageBuilderModel
from ds01_widgets.models.launch_server import LaunchServerModel
from ds01_widgets.models.my_limits import MyLimitsModel
from ds01_widgets.models.onboarding import OnboardingModel
from ds01_widgets.models.project_init import ProjectInitModel
from ds01_widgets.models.wizard import Wizard

LAB = "/services/ds01/"
WELCOME: tuple[type[Wizard], ...] = (OnboardingModel, MyLimitsModel)
"""The wizards of `00-welcome`."""

OTHERS: tuple[type[Wizard], ...] = (
    GpuStatusModel,
    LaunchServerModel,
    ExtendServerModel,
    ImageBuilderModel,
    ProjectInitModel,
)
"""Those of the notebooks after it."""

PATIENCE_SECONDS = 60.0
_BEGAN = "began"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        what: Method and path, without anybody's name.
        status: Of the answer; 0 where there was none.
        seconds: Until all of the answer was there; of a stream, until it began.
    """

    what: str
    status: int
    seconds: float


@dataclass
class Student:
    """One of the class.

    Attributes:
        url: Where the hub is.
        name: As the hub knows them.
        password: In the browser.
        token: Of their notebook.
        asked: Every request so far.
        failures: What went wrong, in words.
        heard: Lines of streams.
        told: Every other answer.
    """

    url: str
    name: str
    password: str
    token: str
    asked: list[Asked] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._browser = httpx.Client(
            base_url=self.url,
            follow_redirects=True,
            timeout=PATIENCE_SECONDS,
            trust_env=False,
            headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"},
        )
        _timed(self._browser, self)
        self._leaving = threading.Event()
        self._listening: list[threading.Thread] = []

    @property
    def api(self) -> str:
        """Where their notebook asks."""
        return f"{self.url}{LAB}api/"

    # In the browser

    def sign_in(self) -> None:
        """Log in at the hub."""
        self._browser.get("/hub/login")
        form = {"username": self.name, "password": self.password, "_xsrf": self._xsrf("/hub/")}
        answer = self._browser.post("/hub/login?next=%2Fhub%2Fhome", data=form)
        self._expect(answer.status_code == httpx.codes.OK, f"log-in: {answer.status_code}")

    def see(self, path: str, words: str = "") -> str:
        """A page that says `words`."""
        answer = self._browser.get(path)
        ok = answer.status_code == httpx.codes.OK and words in answer.text
        self._expect(ok, f"{path}: {answer.status_code}")
        return answer.text

    def see_lab(self) -> None:
        """The first page of the lab, by the hub's log-in, which stays open with its live parts."""
        html = self.see(LAB, "<h1>My lab</h1>")
        found = re.search(r'data-live="([^"]+)"', html)
        if found is not None:
            address = found[1].replace("&amp;", "&")
            self._listen(lambda: self._live(address))

    def follow_queue(self) -> None:
        """Their places in the queue, as a wizard shows them while somebody waits."""
        self._listen(self._queue)

    def see_form(self) -> None:
        """The form for a new server."""
        self.see("/hub/spawn", self.name)

    def see_home(self) -> None:
        """The hub's own page: what ours is compared with."""
        self.see("/hub/home", self.name)

    def ask_hub(self) -> None:
        """The hub's own answer to who somebody is: what ours is compared with."""
        with self._notebook() as client:
            answer = client._http.get(f"{self.url}/hub/api/user")
            self._expect(answer.status_code == httpx.codes.OK, f"hub: {answer.status_code}")

    # In the notebook

    def open_welcome(self) -> None:
        """All wizards of the first notebook, from top to bottom."""
        self._open(WELCOME)

    def open_others(self) -> None:
        """All wizards of the notebooks after it."""
        self._open(OTHERS)

    def _open(self, wizards: Iterable[type[Wizard]]) -> None:
        for kind in wizards:
            with self._notebook() as client:
                wizard = kind(lambda client=client: client)  # type: ignore[misc]
                wizard.load()
                self._expect(wizard.problem is None, f"{kind.__name__}: {wizard.problem}")

    def leave(self) -> None:
        """Close everything."""
        self._leaving.set()
        for each in self._listening:
            each.join(PATIENCE_SECONDS)
        self._browser.close()

    @contextmanager
    def _notebook(self) -> Iterator[Client]:
        place = places.hub_place(self.url, self.token)
        with places.opened(place, agent="classroom") as client:
            _timed(client._http, self)
            yield client

    def _xsrf(self, path: str) -> str:
        return next(
            each.value or ""
            for each in self._browser.cookies.jar
            if each.name == "_xsrf" and each.path == path
        )

    def _expect(self, is_so: bool, failure: str) -> None:
        if not is_so:
            self.failures.append(f"{self.name}: {failure}")

    # Streams

    def _listen(self, deed: Callable[[], None]) -> None:
        began = len(self.heard)
        thread = threading.Thread(target=self._safely, args=(deed,), daemon=True)
        self._listening.append(thread)
        thread.start()
        for _ in range(int(PATIENCE_SECONDS / 0.02)):
            if len(self.heard) > began or not thread.is_alive():
                return
            threading.Event().wait(0.02)
        self._expect(is_so=False, failure="a stream does not begin")

    def _safely(self, deed: Callable[[], None]) -> None:
        try:
            deed()
        except (httpx.HTTPError, DS01Error) as exc:
            self._expect(self._leaving.is_set(), f"stream: {exc!r}")

    def _live(self, address: str) -> None:
        """As a browser does: when the server ends the stream, it comes again."""
        headers = {"Accept": "text/event-stream", "Sec-Fetch-Mode": "cors"}
        while not self._leaving.is_set():
            with self._browser.stream("GET", address, headers=headers) as answer:
                if answer.status_code != httpx.codes.OK:
                    self._expect(is_so=False, failure=f"live: {answer.status_code}")
                    return
                for line in answer.iter_lines():
                    self.heard.append(line)
                    if self._leaving.is_set():
                        return

    def _queue(self) -> None:
        with self._notebook() as client:
            threading.Thread(target=self._cut, args=(client,), daemon=True).start()
            for each in client.follow_queue():
                self.heard.append(each.model_dump_json())

    def _cut(self, client: Client) -> None:
        self._leaving.wait()
        with suppress(RuntimeError):
            client.break_off()


def _timed(http: httpx.Client, student: Student) -> None:
    """Have every request of `http` noted."""

    def begin(request: httpx.Request) -> None:
        request.extensions[_BEGAN] = perf_counter()

    def end(answer: httpx.Response) -> None:
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            answer.read()
            student.told.append(answer.text)
        request = answer.request
        seconds = perf_counter() - request.extensions[_BEGAN]
        path = request.url.path.replace(quote(student.name), "NAME")
        what = f"{request.method} {path.removeprefix(LAB) if 'api/' in path else path}"
        student.asked.append(Asked(what, answer.status_code, seconds))

    http.event_hooks = {"request": [begin], "response": [end]}
