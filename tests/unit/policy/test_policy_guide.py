from pathlib import Path

import pytest

from ds01_spawner.policy.dialects import AGGREGATE_SPELLINGS, FILE_SPELLINGS, LIMIT_SPELLINGS
from ds01_spawner.policy.layers import BUILT_IN_LAYER, KEYS
from ds01_spawner.policy.loading import load_policy
from ds01_spawner.policy.wording import in_words

GUIDE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
SPELLINGS = {**LIMIT_SPELLINGS, **AGGREGATE_SPELLINGS, **FILE_SPELLINGS}


@pytest.mark.parametrize("key", sorted({key.rpartition(".")[2] for key in KEYS}))
def test_the_guide_explains_every_key(key: str) -> None:
    assert f"`{key}`" in GUIDE


@pytest.mark.parametrize("old", [old for old in SPELLINGS if not old.endswith("_h")])
def test_the_guide_names_every_older_spelling(old: str) -> None:
    assert f"`{old}`" in GUIDE or f"`{old}:" in GUIDE


@pytest.mark.parametrize("key", ["max_cpus", "memory", "shm_size", "idle_timeout", "max_runtime"])
def test_the_guide_says_what_is_built_in(key: str) -> None:
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{key}`"))
    assert in_words(key, BUILT_IN_LAYER[key].value) in row.split("|")[3]


def test_the_example_of_the_guide_resolves_as_it_says() -> None:
    example = GUIDE.split("```yaml\n")[1].split("```")[0]
    alice = load_policy(example, "guide").policy.limits("alice")
    assert (alice.group, alice.memory_bytes) == ("student", 8 * 1024**3)
    assert (alice.idle_timeout, alice.max_gpu_slots) == (None, 1)
