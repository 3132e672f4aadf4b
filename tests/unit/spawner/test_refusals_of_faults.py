from ds01_spawner.domain.errors import PlatformFault
from ds01_spawner.spawner.refusals import as_spawn_exception


def test_a_start_that_meets_a_fault_of_the_platform_tells_no_paths() -> None:
    found = as_spawn_exception(PlatformFault("The ledger /x/ledger.sqlite is damaged.", "Move it."))
    for text in (str(found), found.jupyterhub_message, found.jupyterhub_html_message):
        assert "/x/" not in text
        assert "ledger" not in text
    assert found.status_code == 503


def test_an_administrator_reads_what_is_wrong() -> None:
    fault = PlatformFault("The ledger /x/ledger.sqlite is damaged.", "Move it.")
    found = as_spawn_exception(fault, administrator=True)
    for text in (str(found), found.jupyterhub_message, found.jupyterhub_html_message):
        assert "The ledger /x/ledger.sqlite is damaged" in text
