import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.endpoints import ENDPOINTS, Endpoint
from ds01_spawner.gateway.wire.request import MOST_PARAMETERS, flat, parse_target, quoted_query

CONTROL_OR_SLASH = re.compile("[\x00-\x1f\x7f-\x9f/\ud800-\udfff]")


def name_of(method: str, target: str) -> str | None:
    endpoint = parse_target(method, target).endpoint
    return None if endpoint is None else endpoint.name


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_row_of_the_table_is_found(endpoint: Endpoint) -> None:
    path = endpoint.path.replace("{id}", "thesis").replace("{ref}", "ds01-alice/net:1")

    assert name_of(endpoint.method, path) == endpoint.name
    assert name_of(endpoint.method, f"/v1.41{path}") == endpoint.name


@pytest.mark.parametrize(
    ("method", "target", "name", "parts"),
    [
        ("GET", "/containers/json", "GET /containers/json", {}),
        ("GET", "/containers/json/json", "GET /containers/{id}/json", {"id": "json"}),
        ("GET", "/%63ontainers/web/json", "GET /containers/{id}/json", {"id": "web"}),
        ("GET", "/containers/w%65b/json", "GET /containers/{id}/json", {"id": "web"}),
        ("GET", "/containers/w%2565b/json", "GET /containers/{id}/json", {"id": "w%65b"}),
        ("GET", "/containers//web/json", "GET /containers/{id}/json", {"id": "web"}),
        ("DELETE", "/v1.41/containers//web", "DELETE /containers/{id}", {"id": "web"}),
        ("GET", "/images/json", "GET /images/json", {}),
        ("GET", "/images/a/b/c:1/json", "GET /images/{ref}/json", {"ref": "a/b/c:1"}),
        ("GET", "/images/a%2Fb/json", "GET /images/{ref}/json", {"ref": "a/b"}),
        ("GET", "/images/a/json/json", "GET /images/{ref}/json", {"ref": "a/json"}),
        ("DELETE", "/images/a/json", "DELETE /images/{ref}", {"ref": "a/json"}),
        ("GET", "/images/host:5000/a@sha256:00/json", "GET /images/{ref}/json",
         {"ref": "host:5000/a@sha256:00"}),
    ],
)  # fmt: skip
def test_a_path_is_matched_after_one_decoding(
    method: str, target: str, name: str, parts: dict[str, str]
) -> None:
    found = parse_target(method, target)

    assert found.endpoint is not None
    assert (found.endpoint.name, dict(found.parts)) == (name, parts)


@pytest.mark.parametrize(
    "target",
    [
        "/containers/../images/json",
        "/containers/%2e%2e/json",
        "/containers/./json",
        "/containers/a/../../info",
        "//containers/json",
        "/containers/json//",
        "/containers///json",
        "/containers//web//json",
        "/containers//json",
        "/images//json",
        "/images/a//b/json",
        "/images/a%2F%2Fb/json",
        "/images/a%2F..%2Fb/json",
        "/containers/a%00b/json",
        "/containers/a%0ab/json",
        "/containers/a%7fb/json",
        "/containers/a%c2%85b/json",
        "/containers/%ff/json",
        "/containers/%zz/json",
        "/containers/%4/json",
        "/containers/a%2Fjson",
        "/containers/a%2Fb/json",
        "/v1.23/info",
        "/v1.999/info",
        "/v1.041/info",
        "/v1./info",
        "containers/json",
        "http://docker/info",
        "/info#x",
        "/info?a=%0g",
        "/info?a=%00",
        "/info?a=%ff",
        "/info?" + "&".join("a=1" for _ in range(MOST_PARAMETERS + 1)),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(target: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_target("GET", target)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/containers/create"),
        ("GET", "/Containers/json"),
        ("GET", "/containers/web"),
        ("GET", "/v2.0/info"),
        ("GET", "/v1.41/v1.41/info"),
        ("GET", "/debug/pprof"),
        ("HEAD", "/containers/json"),
        ("PATCH", "/containers/web"),
    ],
)
def test_what_is_not_in_the_table_has_no_endpoint(method: str, target: str) -> None:
    assert name_of(method, target) is None


def test_a_version_that_is_too_old_is_refused_in_docker_s_words() -> None:
    with pytest.raises(InvalidRequest, match=r"client version 1\.12 is too old"):
        parse_target("GET", "/v1.12/containers/json")


def test_only_declared_parameters_are_kept_in_order_and_blank_ones_too() -> None:
    found = parse_target("GET", "/containers/json?all=1&x=2&filters=%7B%7D&all=&limit&Size=1&a;b=1")

    assert found.query == {"all": ["1", ""], "filters": ["{}"], "limit": [""]}
    assert ("x", "2") in found.pairs


def test_a_plus_is_a_space_in_parameters_only() -> None:
    found = parse_target("GET", "/containers/a+b/top?ps_args=-e+-f%2B")

    assert found.parts == {"id": "a+b"}
    assert found.query == {"ps_args": ["-e -f+"]}


segments = st.text(min_size=1, max_size=12).filter(
    lambda text: text not in {".", ".."} and not CONTROL_OR_SLASH.search(text)
)
values = st.text(max_size=20).filter(lambda text: "\x00" not in text)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Endpoint, str, str]:
    """An endpoint, a version and a target that asks for it."""
    endpoint = draw(st.sampled_from(ENDPOINTS))
    version = draw(st.sampled_from(["", "1.24", "1.41", "1.99"]))
    ref = draw(st.lists(segments, min_size=1, max_size=4))
    path = endpoint.path.replace("{id}", quote(draw(segments), safe=""))
    path = path.replace("{ref}", "/".join(quote(part, safe="") for part in ref))
    pairs = [(name, draw(values)) for name in endpoint.query.split()[:3]]
    more = draw(st.lists(st.tuples(values, values), max_size=4))
    return endpoint, version, f"{path}{quoted_query([*pairs, *more])}"


@given(requests())
def test_what_is_emitted_is_read_as_the_same(asked: tuple[Endpoint, str, str]) -> None:
    endpoint, version, target = asked
    prefix = f"/v{version}" if version else ""

    found = parse_target(endpoint.method, prefix + target)
    again = parse_target(endpoint.method, prefix + found.path + quoted_query(flat(found.query)))

    assert found.version == version
    assert again.endpoint == found.endpoint
    assert (again.parts, again.path, again.query) == (found.parts, found.path, found.query)


@given(method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]), target=st.text(max_size=60))
def test_any_target_is_read_or_refused_and_never_again_differently(
    method: str, target: str
) -> None:
    try:
        found = parse_target(method, f"/{target}")
    except InvalidRequest:
        return
    version = f"/v{found.version}" if found.version else ""

    again = parse_target(method, f"{version}{found.path}{quoted_query(found.pairs)}")

    assert again == found
