from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ds01_spawner.domain.activity import CONNECTED_FOR, MIG_CPU_SHARE, MIG_MEMORY_STEP_BYTES
from ds01_spawner.domain.lifecycle import NEVER_STARTED, SHARES
from ds01_spawner.domain.limits import Limits
from ds01_spawner.policy.dialects import AGGREGATE_SPELLINGS, FILE_SPELLINGS, LIMIT_SPELLINGS
from ds01_spawner.policy.exemptions import ExemptionsFile, read_exemptions
from ds01_spawner.policy.layers import BUILT_IN_LAYER, KEYS
from ds01_spawner.policy.loading import load_policy
from ds01_spawner.policy.models import PoliciesSection
from ds01_spawner.policy.wording import in_words

GUIDE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
SPELLINGS = {**LIMIT_SPELLINGS, **AGGREGATE_SPELLINGS, **FILE_SPELLINGS}


@pytest.mark.parametrize("key", sorted({key.rpartition(".")[2] for key in KEYS}))
def test_the_guide_explains_every_key(key: str) -> None:
    assert f"`{key}`" in GUIDE


@pytest.mark.parametrize("old", [old for old in SPELLINGS if not old.endswith("_h")])
def test_the_guide_names_every_older_spelling(old: str) -> None:
    assert f"`{old}`" in GUIDE or f"`{old}:" in GUIDE


@pytest.mark.parametrize(
    "key", ["max_cpus", "memory", "shm_size", "max_image_size", "idle_timeout", "max_runtime"]
)
def test_the_guide_says_what_is_built_in(key: str) -> None:
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{key}`"))
    assert in_words(key, BUILT_IN_LAYER[key].value) in row.split("|")[3]


@pytest.mark.parametrize("key", sorted(PoliciesSection.model_fields))
def test_the_guide_says_what_is_built_in_of_the_lifecycle(key: str) -> None:
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{key}`"))
    said = load_policy(f"policies: {{{key}: {row.split('|')[3].strip()}}}", "guide").policy
    assert said.limits("ana").policies == Limits().policies
    assert said.setting("ana", (), f"policies.{key}").origin == "defaults"


def test_the_exemption_of_the_guide_is_one() -> None:
    example = GUIDE.split("```yaml\n")[2].split("```")[0]
    (exemption,) = read_exemptions(ExemptionsFile("guide", example, ZoneInfo("Europe/Berlin")))
    assert (exemption.user, exemption.container) == ("alice", "thesis-run")
    assert exemption.until == datetime(2026, 12, 31, 23, tzinfo=UTC)


def test_the_guide_gives_the_figures_of_the_code() -> None:
    text = " ".join(GUIDE.split())
    assert f"stays the same within {MIG_MEMORY_STEP_BYTES // 1024**2} MiB" in text
    assert MIG_CPU_SHARE == 0.25
    assert "less than a quarter of `cpu_idle_threshold`" in text
    assert f"in the last {CONNECTED_FOR // timedelta(minutes=1)} minutes" in text
    assert f"removed after {NEVER_STARTED // timedelta(minutes=1)} minutes" in text
    shares = " and at ".join(f"{share:.0%}".replace("%", " %") for share in SHARES.values())
    assert f"warned at {shares} of the time" in text


def test_the_example_of_the_guide_resolves_as_it_says() -> None:
    example = GUIDE.split("```yaml\n")[1].split("```")[0]
    alice = load_policy(example, "guide").policy.limits("alice")
    assert (alice.group, alice.memory_bytes) == ("student", 8 * 1024**3)
    assert (alice.idle_timeout, alice.max_gpu_slots) == (None, 1)
