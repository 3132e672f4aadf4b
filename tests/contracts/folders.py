"""What every `PersonalPaths` and `BindStage` does, the fakes and the real ones."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import PurePath

import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.ports import BindStage, PathKind, PersonalPaths

KEY, OTHER_KEY = "a" * 32, "b" * 32


class PersonalPathsContract:
    """Inherit; fixtures `paths`, `account`, `folder` (theirs), `closed` (another's), `bare`."""

    def test_a_folder_of_ones_own_is_opened_and_writable(
        self, paths: PersonalPaths, account: UnixAccount, folder: str
    ) -> None:
        with paths.open(account, folder) as opened:
            assert (opened.real_path, opened.kind) == (folder, PathKind.FOLDER)
            assert opened.writable

    def test_what_one_may_not_read_is_refused(
        self, paths: PersonalPaths, account: UnixAccount, closed: str
    ) -> None:
        with pytest.raises(Forbidden, match="You may not use"):
            paths.open(account, closed)

    def test_what_one_may_only_read_is_not_writable(
        self, paths: PersonalPaths, account: UnixAccount, bare: str
    ) -> None:
        with paths.open(account, bare) as opened:
            assert not opened.writable

    def test_what_is_missing_is_made_only_on_request(
        self, paths: PersonalPaths, account: UnixAccount, folder: str
    ) -> None:
        with pytest.raises(InvalidRequest, match="bind source path does not exist"):
            paths.open(account, f"{folder}/new")
        paths.open(account, f"{folder}/new", create_missing=True).close()
        with paths.open(account, f"{folder}/new") as opened:
            assert opened.kind is PathKind.FOLDER

    @pytest.mark.parametrize("path", ["", "relative", "/a\0b", "/" + "x" * 5000])
    def test_what_is_no_path_is_refused(
        self, paths: PersonalPaths, account: UnixAccount, path: str
    ) -> None:
        with pytest.raises(InvalidRequest):
            paths.open(account, path)

    def test_a_mount_point_is_made_where_one_may(
        self, paths: PersonalPaths, account: UnixAccount, folder: str, bare: str
    ) -> None:
        with paths.open(account, folder) as opened:
            paths.make_mount_point(account, opened, "/below/it")
            paths.make_mount_point(account, opened, "below/it")
        with paths.open(account, bare) as opened, pytest.raises(Forbidden):
            paths.make_mount_point(account, opened, "never-there")


class BindStageContract:
    """Inherit; fixtures `stage`, `paths`, `account`, `folder`, `mounted` (whether a path is)."""

    def test_what_is_put_stays_until_its_key_is_cleared(
        self,
        stage: BindStage,
        paths: PersonalPaths,
        account: UnixAccount,
        folder: str,
        mounted: Callable[[str], bool],
    ) -> None:
        with paths.open(account, folder) as opened:
            first = stage.put(KEY, 0, opened, read_only=False)
            second = stage.put(KEY, 1, opened, read_only=True)
            other = stage.put(OTHER_KEY, 0, opened, read_only=True)
        assert len({first, second, other}) == 3
        assert PurePath(first).parts[-3:] == ("binds", KEY, "0")
        assert all(map(mounted, (first, second, other)))
        assert set(stage.keys()) == {KEY, OTHER_KEY}
        assert set(stage.keys(timedelta(hours=1))) <= {KEY, OTHER_KEY}
        stage.clear(KEY)
        assert [mounted(each) for each in (first, second, other)] == [False, False, True]
        stage.clear(KEY)
        stage.clear(OTHER_KEY)
        assert not set(stage.keys())

    def test_putting_again_replaces(
        self,
        stage: BindStage,
        paths: PersonalPaths,
        account: UnixAccount,
        folder: str,
        mounted: Callable[[str], bool],
    ) -> None:
        with paths.open(account, folder) as opened:
            first = stage.put(KEY, 0, opened, read_only=False)
            assert stage.put(KEY, 0, opened, read_only=False) == first
        stage.clear(KEY)
        assert not mounted(first)

    @pytest.mark.parametrize("key", ["", "..", "a" * 31, "../" + "a" * 29, "A" * 32])
    def test_only_a_key_names_a_stage(
        self,
        stage: BindStage,
        paths: PersonalPaths,
        account: UnixAccount,
        folder: str,
        key: str,
    ) -> None:
        with paths.open(account, folder) as opened, pytest.raises(InvalidRequest):
            stage.put(key, 0, opened, read_only=False)
        with pytest.raises(InvalidRequest):
            stage.clear(key)
