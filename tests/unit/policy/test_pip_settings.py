import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.policy.pip_settings import PipSettings, pip_settings


def of(**variables: str) -> PipSettings:
    return pip_settings((), {f"PIP_{name.upper()}": text for name, text in variables.items()})


@pytest.mark.parametrize(
    "address",
    [
        "https://pypi.example.org/simple",
        "http://pypi.example.org:8081/repository/pypi-all/simple/",
        "https://[fd00::1]:8443/simple",
        "proxy.example.org:3128",
        "socks5://proxy:1080",
    ],
)
def test_a_plain_address_goes_along(address: str) -> None:
    assert of(index_url=address) == PipSettings({"index-url": address})
    assert of(proxy=address) == PipSettings({"proxy": address})


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("https://lab:hush@pypi.example.org/simple", "https://pypi.example.org/simple"),
        ("https://hush@pypi.example.org/simple", "https://pypi.example.org/simple"),
        ("https://lab:h@u@sh@pypi.example.org/simple", "https://pypi.example.org/simple"),
        ("lab:hush@proxy:3128", "proxy:3128"),
        ("https://pypi.example.org/simple?token=hush", None),
        ("https://pypi.example.org/simple#hush", None),
        ("https://lab:hu/sh@pypi.example.org/simple", None),
        ("https://lab:hu\\sh@pypi.example.org\\hush/simple", None),
        ("https://lab:hush@@", None),
        ("https://a://lab:hush@pypi.example.org", None),
        ("${HUSH}", None),
    ],
)
def test_what_may_be_a_password_does_not(address: str, left: str | None) -> None:
    for name in ("index_url", "proxy"):
        found = of(**{name: address})
        assert found.settings.get(name.replace("_", "-")) == left
        assert found.withheld == (name.replace("_", "-"),)


def test_of_several_addresses_those_without_a_password_stay_as_they_are() -> None:
    found = of(extra_index_url="https://a.example.org/x https://u:hush@b.example.org file:///opt")
    assert found.settings == {"extra-index-url": "https://a.example.org/x https://b.example.org"}
    assert found.withheld == ("extra-index-url",)


def test_hosts_and_seconds_are_no_place_for_a_password() -> None:
    assert of(trusted_host="a.example.org b:8443").withheld == ()
    found = of(trusted_host="lab:hush@pypi.example.org b:8443", timeout="hush")
    assert found == PipSettings({}, ("trusted-host", "timeout"))


def test_a_space_in_a_password_makes_no_host_of_it() -> None:
    for name in ("index_url", "extra_index_url", "proxy"):
        assert of(**{name: "https://hush:12 34@host/simple"}).settings == {}


def test_the_stronger_file_and_variables_win() -> None:
    files = ("[global]\nindex-url = https://a\ntimeout = 1\n", "[global]\nindex-url = https://b\n")
    assert pip_settings(files, {}).settings == {"index-url": "https://b", "timeout": "1"}
    assert pip_settings(files, {"PIP_TIMEOUT": "9"}).settings["timeout"] == "9"
    assert pip_settings(("no section",), {}) == PipSettings({})


@given(st.text("ab0:/@?#%\\\n []", max_size=40))
def test_nothing_before_an_at_sign_ever_goes_along(text: str) -> None:
    for name in ("index_url", "extra_index_url", "proxy", "trusted_host"):
        value = " ".join(of(**{name: f"https://hush:{text}@host/simple"}).settings.values())
        assert "@" not in value
        assert "hush" not in value
