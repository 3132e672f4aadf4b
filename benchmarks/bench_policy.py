"""Loads a policy of 10,000 people and resolves each of them; exit 1 when a target is missed.

`python benchmarks/bench_policy.py`. The peer is PyYAML's fastest loader (libyaml) on the
same text, which checks nothing.
"""

import statistics
import sys
import time
from collections.abc import Callable

import yaml

from ds01_spawner.policy.loading import load_policy

PEOPLE = 10_000
ROUNDS = 7
LOAD_TARGET_SECONDS = 0.5
RESOLVE_TARGET_SECONDS = 50e-6


def policy_text(people: int) -> str:
    """A policy in which everybody is listed in one of 20 groups and has limits of their own."""
    lines = ["default_group: group-00", "defaults:", "  max_gpu_slots: 1", "groups:"]
    for group in range(20):
        lines += [f"  group-{group:02}:", f"    priority: {group * 5}", "    memory: 32g"]
        lines += ["    aggregate: {cpus: 32, memory: 96g}", "    members:"]
        lines += [f"      - person-{number:05}" for number in range(group, people, 20)]
    lines.append("users:")
    for number in range(people):
        lines += [
            f"  person-{number:05}:",
            f"    max_gpu_slots: {number % 4}",
            f"    idle_timeout: {number % 48 + 1}h",
            f'    reason: "ticket {number}"',
        ]
    return "\n".join(lines) + "\n"


def median_seconds(action: Callable[[], object]) -> float:
    """The middle of several runs."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    """Measure, print a table, and say whether the targets are met."""
    text = policy_text(PEOPLE)
    peer = median_seconds(lambda: yaml.load(text, Loader=yaml.CSafeLoader))
    load = median_seconds(lambda: load_policy(text, "resource-limits.yaml"))
    users = [f"person-{number:05}" for number in range(PEOPLE)]
    cold_policy = load_policy(text, "resource-limits.yaml").policy
    first = time.perf_counter()
    cold_policy.limits(users[0])
    first = time.perf_counter() - first
    resolve = median_seconds(lambda: [cold_policy.limits(user) for user in users]) / PEOPLE
    explain = median_seconds(lambda: [cold_policy.explain(user) for user in users[:500]]) / 500
    print(f"policy with {PEOPLE:,} people, {len(text) / 1e6:.1f} MB of YAML")
    print(f"  {'what':<28}{'measured':>12}{'target':>12}{'to PyYAML':>20}")
    rows = [
        ("load and check", load, LOAD_TARGET_SECONDS),
        ("resolve one person", resolve, RESOLVE_TARGET_SECONDS),
        ("resolve the first person", first, None),
        ("explain one person", explain, None),
        ("PyYAML, libyaml (peer)", peer, None),
    ]
    for name, seconds, target in rows:
        print(f"  {name:<28}{_figure(seconds):>12}{_figure(target):>12}{seconds / peer:>20.6f}")
    met = load < LOAD_TARGET_SECONDS and resolve < RESOLVE_TARGET_SECONDS
    print("  targets met" if met else "  TARGET MISSED")
    return 0 if met else 1


def _figure(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1e3:.0f} ms" if seconds > 1e-3 else f"{seconds * 1e6:.1f} us"


if __name__ == "__main__":
    sys.exit(main())
