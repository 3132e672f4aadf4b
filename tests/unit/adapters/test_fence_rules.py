import pytest

from contracts.packet_filter import FENCE
from ds01_spawner.adapters.isolation.rules import Family, Saved, fence_rules, removal_text

REJECT = "-j REJECT --reject-with icmp-admin-prohibited"


def test_the_order_of_the_rules_is_that_of_the_promises() -> None:
    rules = fence_rules(FENCE, Family.V4, bridged=True)

    assert rules["DS01-OUT-abc"] == [
        "-m physdev --physdev-is-bridged -j RETURN",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        f"-o ds01-abc+ {REJECT}",
        f"-o br-0123456789ab {REJECT}",
        "-d 192.0.2.53/32 -p udp -m udp --dport 53 -j RETURN",
        "-d 192.0.2.53/32 -p tcp -m tcp --dport 53 -j RETURN",
        "-d 169.254.7.0/24 -j RETURN",
        f"-d 169.254.0.0/16 {REJECT}",
    ]
    assert rules["DS01-HOST-abc"] == [
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-d 192.0.2.53/32 -p udp -m udp --dport 53 -j RETURN",
        "-d 192.0.2.53/32 -p tcp -m tcp --dport 53 -j RETURN",
        "-p tcp -m tcp --dport 8081 -j RETURN",
        "-p udp -m udp --dport 53 -j RETURN",
        REJECT,
    ]
    for chain, decides in (("DS01-FORWARD-abc", "OUT"), ("DS01-INPUT-abc", "HOST")):
        assert [(rule.split()[1], rule.split()[-1]) for rule in rules[chain]] == [
            ("ds01-abc+", f"DS01-{decides}-abc"),
            ("br-0123456789ab", f"DS01-{decides}-abc"),
        ]


def test_nothing_passes_by_ipv6() -> None:
    rules = fence_rules(FENCE, Family.V6, bridged=False)

    assert rules["DS01-OUT-abc"] == rules["DS01-HOST-abc"] == ["-j DROP"]


def test_chains_have_names_that_the_kernel_takes() -> None:
    assert all(len(chain) <= 28 for chain in fence_rules(FENCE, Family.V4, bridged=True))


@pytest.mark.parametrize(
    ("rules", "hook"),
    [
        (["-j DOCKER-USER", "-j ACCEPT"], "DOCKER-USER"),
        (["-j DS01-FORWARD-xyz", "-j DOCKER-USER"], "DOCKER-USER"),
        (["-i virbr0 -j ACCEPT", "-j DOCKER-USER"], "FORWARD"),
        (["-i eth0 -j DOCKER-USER"], "FORWARD"),
        ([], "FORWARD"),
    ],
    ids=["first", "after-ours", "after-others", "for-some", "none"],
)
def test_the_engines_chain_is_the_hook_where_everything_comes_by(
    rules: list[str], hook: str
) -> None:
    assert Saved({"FORWARD": rules, "DOCKER-USER": []}).forward_hook() == hook


def test_the_engines_chain_without_a_body_is_no_hook() -> None:
    assert Saved({"FORWARD": ["-j DOCKER-USER"]}).forward_hook() == "FORWARD"


def test_there_is_nothing_to_remove_without_chains() -> None:
    assert removal_text(Saved({"FORWARD": []}), "abc") == ""
