import ds01_spawner


def test_version_is_a_release_number() -> None:
    assert ds01_spawner.__version__.count(".") == 2
