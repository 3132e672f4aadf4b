from typing import cast

import pytest

from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.gateway.docker.not_offered import CLOSED, Closed, refused_endpoints
from ds01_spawner.gateway.wire.call import Call, Reply


def test_every_closed_endpoint_has_its_sentence_and_no_other_has_one() -> None:
    assert set(CLOSED) == refused_endpoints()


@pytest.mark.parametrize("endpoint", sorted(refused_endpoints()))
async def test_says_what_is_refused_and_what_to_do_instead(endpoint: str) -> None:
    handler = Closed().handlers()[endpoint]
    with pytest.raises(Forbidden) as caught:
        await handler(cast(Call, None), cast(Reply, None))
    assert caught.value.message.endswith(".")
    assert caught.value.next_step.endswith(".")


def test_buildkit_is_refused_with_the_way_to_the_classic_builder() -> None:
    for endpoint in ("POST /session", "POST /grpc"):
        assert "DOCKER_BUILDKIT=0" in " ".join(CLOSED[endpoint])
