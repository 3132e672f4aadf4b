"""`ds01-exporter`: figures for Prometheus, as systemd starts it, or once."""

import argparse
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ds01_spawner.composition import Directories, open_platform
from ds01_spawner.exporter.collector import Exporter
from ds01_spawner.exporter.composing import reading_of
from ds01_spawner.exporter.entry import TOKEN_FILE, Admission, Entry, TokenEntry, open_to_all
from ds01_spawner.exporter.job_mapping import JobMapping
from ds01_spawner.exporter.service import METRICS, Service

HOST_VARIABLE = "DS01_EXPORTER_HOST"
PORT_VARIABLE = "DS01_EXPORTER_PORT"
MAPPING_VARIABLE = "DS01_EXPORTER_JOB_MAPPING_DIR"
TOKEN_VARIABLE = "DS01_EXPORTER_TOKEN_FILE"  # noqa: S105 - a variable's name
OPEN_VARIABLE = "DS01_EXPORTER_OPEN"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 484
"""Below 1024: nobody but root takes its place, and with it Prometheus' token."""

MAPPING_SECONDS = 15.0
"""How old the files for dcgm-exporter get, when nobody scrapes."""

_LAST_PORT = 65535
_YES = {"1", "true", "yes"}

_log = logging.getLogger("ds01.exporter")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until the process is ended, or print everything once."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s"
    )
    asked = _asked(arguments, os.environ)
    directories = Directories.from_environment()
    platform = open_platform(directories, actor="exporter")
    mapping = JobMapping(asked.job_mapping_dir) if asked.job_mapping_dir else None
    exporter = Exporter(
        reading_of(platform), after=mapping.write if mapping is not None else lambda _view: None
    )
    if asked.once:
        sys.stdout.write(exporter.text())
        return
    for ending in (signal.SIGTERM, signal.SIGINT):  # the latter may have come ignored
        signal.signal(ending, signal.default_int_handler)
    try:
        entry = _entry(asked, directories.config / TOKEN_FILE)
        service = Service(exporter, entry, asked.host, asked.port)
    except OSError as exc:
        sys.exit(
            f"ds01-exporter: {asked.host}:{asked.port} cannot be listened on: {exc.strerror}. "
            f"Another port: {PORT_VARIABLE}."
        )
    every = MAPPING_SECONDS if mapping is not None else None
    threading.Thread(target=_read, args=(exporter, every), name="read", daemon=True).start()
    with suppress(KeyboardInterrupt):
        service.run(
            lambda: _log.info("http://%s:%d%s", asked.host, service.port, METRICS),
        )


def _read(exporter: Exporter, every_seconds: float | None) -> None:
    """Read once, so that what happens from now on counts; or again and again, scraped or not."""
    exporter.scrape()
    set_apart()
    while every_seconds is not None:
        time.sleep(every_seconds)
        exporter.scrape()


def set_apart() -> None:
    """Spare the collector of garbage what is there to stay: programs and tables, not figures.

    To go through all of it again and again took 2 ms of each scrape.
    """
    gc.collect()
    gc.freeze()


def _entry(asked: argparse.Namespace, built_in: Path) -> Entry:
    if asked.open:
        return open_to_all
    path = asked.token_file or built_in
    entry = TokenEntry(path)
    if entry("") is Admission.CLOSED:
        _log.warning("Nobody is given the figures: there is no token in %s", path)
    return entry


def _asked(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ds01-exporter", description="Figures of DS01 for Prometheus."
    )
    parser.add_argument(
        "--host",
        default=environment.get(HOST_VARIABLE) or DEFAULT_HOST,
        help=f"address to listen on ({HOST_VARIABLE}; {DEFAULT_HOST})",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=environment.get(PORT_VARIABLE) or str(DEFAULT_PORT),
        help=f"port ({PORT_VARIABLE}; {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--hpc-job-mapping-dir",
        dest="job_mapping_dir",
        type=Path,
        default=environment.get(MAPPING_VARIABLE) or None,
        metavar="FOLDER",
        help=f"write who has which GPU for dcgm-exporter ({MAPPING_VARIABLE}; not written)",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        default=environment.get(TOKEN_VARIABLE) or None,
        metavar="FILE",
        help=f"what Prometheus has to know ({TOKEN_VARIABLE}; {TOKEN_FILE} beside the policy)",
    )
    parser.add_argument(
        "--open",
        action="store_true",
        default=environment.get(OPEN_VARIABLE, "").lower() in _YES,
        help=f"give the figures to everybody who asks ({OPEN_VARIABLE}=yes)",
    )
    parser.add_argument("--once", action="store_true", help="print everything once, and end")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 0 to {_LAST_PORT}")
    return int(text)


if __name__ == "__main__":
    main()
