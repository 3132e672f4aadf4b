from dataclasses import replace

from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.operations.allocation.admission import Grant
from fakes.lab import Lab


def test_what_is_promised_for_a_container_follows_its_new_name() -> None:
    lab = Lab()
    request = LaunchRequest("alice", "a_web", Interface.DOCKER, "image", GpuRequest.parse("mig"))
    grant = lab.admission.admit(request)
    assert isinstance(grant, Grant)
    container_id = lab.engine.create(grant.spec)
    container = lab.engine.container(container_id)
    assert container is not None

    lab.admission.renamed(container, "web._.alice")

    (use,) = lab.admission.current().occupancy.of("alice")
    assert use.container == "web._.alice"
    lab.admission.forget(replace(container, name="web._.alice"))
    assert lab.admission.current().occupancy.of("alice") == ()
