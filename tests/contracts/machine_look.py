"""What every `MachineLook` does, the fake and the real one."""

from ds01_spawner.ports.health import MachineLook


class MachineLookContract:
    """Give `look`, `folder` with a file `secret.env` of mode 0600, and `url`, where all is well."""

    def test_a_folders_disk_has_figures(self, look: MachineLook, folder: str) -> None:
        found = look.disk(folder)
        assert found is not None
        assert 0 < found.free_bytes <= found.size_bytes
        assert not found.read_only

    def test_a_files_mode_is_seen(self, look: MachineLook, folder: str) -> None:
        found = look.file(f"{folder}/secret.env")
        assert found is not None
        assert found.mode == 0o600
        assert list(look.matching(folder, "*.env")) == [f"{folder}/secret.env"]

    def test_what_is_not_there_is_not_there(self, look: MachineLook, folder: str) -> None:
        assert look.disk(f"{folder}/nowhere") is None
        assert look.file(f"{folder}/nowhere") is None
        assert list(look.matching(f"{folder}/nowhere", "*")) == []

    def test_a_machine_without_systemd_has_no_units(self, look: MachineLook) -> None:
        assert not look.runs_systemd()
        assert look.units(["docker.service"]) is None

    def test_an_address_answers_or_nobody_does(self, look: MachineLook, url: str) -> None:
        found = look.ask(url)
        assert found is not None
        assert (found.status, found.certificate_ends) == (200, None)
        assert look.ask("http://127.0.0.1:9/") is None
