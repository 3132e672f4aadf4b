"""Every metric that the exporter has: what it is called, what its labels are, what it says.

Dashboards and alerts are checked against this. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Part(StrEnum):
    """What is read, and may fail, by itself."""

    SLOTS = "slots"
    CARDS = "cards"
    CONTAINERS = "containers"
    PEOPLE = "people"
    STORAGE = "storage"
    QUEUE = "queue"
    ATTRIBUTION = "attribution"
    EVENTS = "events"
    POLICY = "policy"
    LEDGER = "ledger"
    SERVICES = "services"
    KERNEL_LOG = "kernel_log"


class Kind(StrEnum):
    """As Prometheus calls it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric.

    Attributes:
        name: As it is scraped, `_total` included.
        kind: Gauge, counter or histogram.
        labels: Names.
        help: What it says.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


PREFIX = "ds01_"


def _gauge(name: str, text: str, *labels: str) -> Definition:
    return Definition(PREFIX + name, Kind.GAUGE, labels, text)


def _counter(name: str, text: str, *labels: str) -> Definition:
    return Definition(f"{PREFIX}{name}_total", Kind.COUNTER, labels, text)


def _histogram(name: str, text: str, *labels: str) -> Definition:
    return Definition(PREFIX + name, Kind.HISTOGRAM, labels, text)


def _exporter() -> Iterator[Definition]:
    yield _gauge("build_info", "The release that runs; always 1.", "version")
    yield _gauge(
        "collector_up", "1 where everything of a part could be read in the last scrape.", "part"
    )
    yield _gauge(
        "collector_seconds", "How long a part took in the last scrape, or has been taking.", "part"
    )
    yield _gauge(
        "collector_last_good_timestamp_seconds",
        "When everything of a part could last be read, in seconds since 1970.",
        "part",
    )
    yield _gauge(
        "series_folded",
        "People whose rows are summed in user other, because there are too many.",
        "metric",
    )


def _slots() -> Iterator[Definition]:
    yield _gauge(
        "gpu_slot_info",
        "What a slot is; always 1.",
        *("slot", "card", "uuid", "profile", "model"),
    )
    yield _gauge("gpu_slot_state", "1 for the state that a slot is in.", "slot", "state")
    yield _gauge("gpu_slot_equivalents", "What a slot counts of a whole GPU.", "slot")
    yield _gauge(
        "gpu_slot_allocation",
        "Who has a slot; always 1.",
        *("slot", "user", "group", "interface", "profile"),
    )
    yield _gauge("gpu_slot_allocated_seconds", "How long somebody has had a slot.", "slot", "user")
    yield _gauge("gpu_slot_conflict", "Containers on a slot beyond the first.", "slot")
    yield _gauge("gpu_equivalents", "Whole GPUs that there are for interactive work.")
    yield _gauge(
        "gpu_equivalents_allocated",
        "Of the whole GPUs, what somebody has: in use, reserved, or kept after a stop.",
        "group",
    )
    yield _gauge(
        "gpu_utilization_ratio",
        "Share of the time in which a slot computed; absent where the driver does not say.",
        "slot",
    )
    yield _gauge("gpu_memory_used_bytes", "Memory of a slot in use.", "slot")
    yield _gauge("gpu_memory_total_bytes", "Memory of a slot.", "slot")


def _cards() -> Iterator[Definition]:
    yield _gauge("gpu_simulated", "1 where the GPUs are simulated, 0 where there is a driver.")
    yield _gauge("gpu_up", "1 for a card that can be read.", "card")
    yield _gauge("gpu_temperature_celsius", "Temperature of a card's processor.", "card")
    yield _gauge(
        "gpu_temperature_slowdown_celsius", "Temperature from which a card runs slower.", "card"
    )
    yield _gauge("gpu_power_watts", "Power that a card takes.", "card")
    yield _gauge("gpu_power_limit_watts", "Power beyond which a card does not go.", "card")
    yield _counter(
        "gpu_energy_joules", "Energy that a card took since its driver was loaded.", "card"
    )
    yield _gauge(
        "gpu_clock_hertz", "Clock of a card's multiprocessors, of its memory.", "card", "clock"
    )
    yield _gauge(
        "gpu_clock_throttled", "1 where a card runs slower than it could.", "card", "reason"
    )
    yield _counter(
        "gpu_ecc_errors",
        "Errors of a card's memory that ECC found, in all of its life.",
        "card",
        "type",
    )
    yield _gauge(
        "gpu_retired_pages", "Pages of a card's memory that are no longer used.", "card", "cause"
    )
    yield _gauge(
        "gpu_remapped_rows", "Rows of a card's memory that others stand for.", "card", "cause"
    )
    yield _gauge(
        "gpu_row_remap_failed", "1 where a row of a card's memory could not be replaced.", "card"
    )
    yield _gauge(
        "gpu_row_remap_pending", "1 where a row of memory waits for a reset of the card.", "card"
    )
    yield _counter(
        "gpu_xid_errors",
        "Errors that the driver wrote into the kernel log, also before the exporter began.",
        "card",
        "xid",
    )
    yield _gauge(
        "gpu_xid_last_timestamp_seconds",
        "When the last such error was, in seconds since 1970.",
        "card",
        "xid",
    )


def _attribution() -> Iterator[Definition]:
    yield _gauge("gpu_processes", "Processes on a slot.", "slot", "kind", "user")
    yield _gauge(
        "gpu_process_memory_bytes",
        "Memory of a slot that processes have, as far as the driver says.",
        *("slot", "kind", "user"),
    )
    yield _gauge("gpu_unattributed_processes", "Processes that nobody is known to own.")
    yield _gauge("attribution_fresh", "1 where the picture of processes is of this moment.")
    yield _gauge("attribution_timestamp_seconds", "The moment that the picture of processes is of.")
    yield _gauge("workloads", "What runs, by how it came to be.", "kind")


def _people() -> Iterator[Definition]:
    of = ("user", "group")
    yield _gauge("user_gpu_slots", "Slots that somebody has.", *of)
    yield _gauge("user_gpu_slots_limit", "Slots that somebody may have.", *of)
    yield _gauge("user_gpu_equivalents", "Whole GPUs that somebody's slots come to.", *of)
    yield _gauge("user_gpu_equivalents_limit", "Whole GPUs that somebody's slots may come to.", *of)
    yield _gauge("user_containers", "Containers of somebody that run, or are about to.", *of)
    yield _gauge("user_containers_limit", "Containers of somebody that may run.", *of)
    yield _counter(
        "user_cpu_seconds", "CPU time of somebody's containers since the exporter began.", *of
    )
    yield _gauge("user_cpu_cores_limit", "CPUs for all of somebody's containers.", *of)
    yield _gauge("user_memory_bytes", "Memory of all of somebody's containers.", *of)
    yield _gauge(
        "user_memory_bytes_limit", "Memory that all of somebody's containers may have.", *of
    )
    yield _gauge("user_storage_bytes", "Somebody's home when last measured.", *of)
    yield _gauge("user_storage_bytes_limit", "What somebody's home may take.", *of)
    yield _gauge(
        "user_storage_measured_timestamp_seconds", "When somebody's home was last measured.", *of
    )
    yield _counter("user_gpu_energy_joules", "Energy of slots while somebody had them.", *of)
    yield _counter(
        "user_gpu_seconds",
        "Time of slots: held, as shares of whole GPUs (equivalent), measured and busy.",
        *(*of, "kind"),
    )
    yield _counter(
        "user_gpu_measured_energy_joules",
        "Energy of slots of sizes that tell how busy they are, while somebody had them.",
        *of,
    )
    yield _counter(
        "user_gpu_co2e_grams",
        "What the energy of slots emitted while somebody had them, by carbon.yaml.",
        *of,
    )
    yield _gauge("bare_metal_grants", "People with access to the GPUs outside of containers.")
    yield _gauge(
        "bare_metal_grant_expires_timestamp_seconds", "When somebody's access ends.", "user"
    )


def _work() -> Iterator[Definition]:
    yield _gauge("containers", "Containers of this machine.", "state", "interface")
    yield _gauge(
        "containers_unread",
        "Running containers whose CPU time and memory could not be read: they are in no figure.",
    )
    yield _gauge("queue_length", "People who wait for a GPU.", "group")
    yield _gauge(
        "queue_oldest_age_seconds", "How long the one who waits longest for a GPU has waited."
    )
    yield _histogram(
        "queue_wait_seconds", "How long people waited for a GPU, of waits that are over.", "outcome"
    )


def _events() -> Iterator[Definition]:
    yield _counter("events", "Lines of the event log since the exporter began.", "action")
    yield _counter(
        "lifecycle_actions", "What the lifecycle service did, by rule.", "action", "reason"
    )
    yield _counter("spawns", "Starts of containers, by how they ended.", "outcome", "reason")
    yield _histogram(
        "spawn_phase_seconds", "How long steps of starts of hub servers took.", "phase"
    )
    yield _histogram("admission_seconds", "How long decisions about GPUs took.", "outcome")
    yield _gauge("event_log_bytes", "Size of the event log's present file.")
    yield _gauge(
        "event_log_last_event_timestamp_seconds", "When the last line of the event log was written."
    )
    yield _counter(
        "event_log_unreadable_lines",
        "Lines of the event log that were no event, since the exporter began.",
    )
    yield _gauge("event_log_writable", "1 where the next line of the event log can be written.")


def _housekeeping() -> Iterator[Definition]:
    yield _gauge("policy_valid", "1 where the policy in force is what the files say.")
    yield _gauge("policy_loaded_timestamp_seconds", "When the policy in force was read.")
    yield _gauge(
        "ledger_bytes",
        "Size of all files of the ledger: its own, its write-ahead log, the index of that.",
    )
    yield _gauge("ledger_rows", "Rows of each table of the ledger.", "table")
    yield _gauge("service_up", "1 for a service that answers.", "service")
    yield _gauge(
        "service_last_good_pass_timestamp_seconds",
        "When a service last did what it is there for; 0 of one that never did.",
        "service",
    )
    yield _gauge("storage_free_bytes", "Free on the disk of a place.", "place")
    yield _gauge("storage_size_bytes", "Size of the disk of a place.", "place")


CATALOGUE = MappingProxyType(
    {
        each.name: each
        for part in (
            *(_exporter(), _slots(), _cards(), _attribution(), _people(), _work(), _events()),
            _housekeeping(),
        )
        for each in part
    }
)
"""By name, in the order in which they are scraped."""
