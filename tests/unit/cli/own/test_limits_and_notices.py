import pytest

from ds01_spawner.client.limit_words import amount, place_of, sentences
from ds01_spawner.client.models import LimitValue, Usage
from ds01_spawner.domain.errors import NotFound
from fakes.api_house import House
from fakes.calls import ROOT
from fakes.program import invoke, said, told

GB = 1024**3


@pytest.mark.parametrize(
    ("usage", "shown"),
    [
        (Usage(limit="max_gpu_slots", used=1, allowed=2), "1 of 2"),
        (Usage(limit="max_gpu_equivalents", used=0.4286, allowed=1), "0.43 of 1"),
        (Usage(limit="storage", used=12 * GB, allowed=100 * GB), "12 GB of 100 GB"),
        (Usage(limit="storage", used=None, allowed=100 * GB), "100 GB allowed; in use: not known"),
        (Usage(limit="aggregate.pids", used=12, allowed=None), "12 (no limit)"),
    ],
)
def test_an_amount_is_said_in_its_unit(usage: Usage, shown: str) -> None:
    assert amount(usage) == shown


@pytest.mark.parametrize(
    ("origin", "source", "shown"),
    [
        (
            "group:student",
            "/etc/ds01/resource-limits.yaml:31",
            "group student, resource-limits.yaml line 31",
        ),
        ("user", "C:\\x\\limits.yaml:7", "your own entry, limits.yaml line 7"),
        ("defaults", "limits.yaml:2", "the defaults, limits.yaml line 2"),
        ("builtin", None, "built in"),
    ],
)
def test_the_place_of_a_limit_is_said_with_its_line(
    origin: str, source: str | None, shown: str
) -> None:
    value = LimitValue(value=1, words="1", origin=origin, source=source)
    assert place_of(value) == shown


def limit(value: int | bool | None, words: str) -> LimitValue:
    return LimitValue(value=value, words=words, origin="builtin", source=None)


def test_without_time_limits_containers_run_until_they_are_stopped() -> None:
    never = {"idle_timeout": limit(None, "never"), "max_runtime": limit(None, "never")}
    assert list(sentences(never)) == ["Containers run until you stop them."]


def test_one_container_and_its_end_are_told_in_sentences() -> None:
    said = list(
        sentences(
            {
                "max_cpus": limit(8, "8"),
                "max_gpu_slots_per_container": limit(1, "1"),
                "pids_limit": limit(1, "1"),
                "memory": limit(None, "unlimited"),
                "max_image_size": limit(40 * GB, "40g"),
                "allow_full_gpu": limit(value=False, words="false"),
                "idle_timeout": limit(7200, "2h"),
                "max_runtime": limit(86400, "24h"),
            }
        )
    )
    assert said == [
        "One container has at most: 1 GPU slot, 8 CPUs, 1 process.",
        "An image that you build has at most 40g.",
        "Whole GPUs are not for you; parts of one (MIG) are.",
        "A container that nobody uses stops after 2h.",
        "Every container stops 24h after its first start.",
    ]


def test_limits_are_shown_with_what_is_used(house: House) -> None:
    house.lab.run("alice", "mig")
    text = said("check-limits")
    assert text.startswith("alice, in group student\n")
    assert "GPU slots" in text
    assert "1 of 2" in text
    assert "check-limits -v" in text
    assert "#" not in text


def test_every_limit_is_shown_with_where_it_is_set(house: House) -> None:
    assert house.api
    text = said("check-limits", "-v", width=120)
    assert "LIMIT" in text
    assert any(
        line.split()[:2] == ["max_gpu_slots", "2"] and "resource-limits.yaml line" in line
        for line in text.splitlines()
    )


def test_limits_as_json_have_the_keys_of_the_api(house: House) -> None:
    assert house.api
    found = told("check-limits")
    assert set(found) == {"user", "usage", "explanation", "notes"}
    assert found["explanation"]["limits"]["max_gpu_slots"]["value"] == 2


def test_an_administrator_without_limits_is_told_so(house: House) -> None:
    house.asks(ROOT)
    with pytest.raises(NotFound, match="without limits"):
        invoke("check-limits")


def test_nothing_was_told_yet(house: House) -> None:
    assert house.api
    assert said("notices") == "Nothing has been told yet.\n"
    assert told("notices") == {"notices": []}
