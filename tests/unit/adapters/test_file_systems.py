import pytest

from ds01_spawner.adapters.file_systems import FileSystem, parse_mount_table


def test_exports_of_one_server_are_one_file_system() -> None:
    table = parse_mount_table(
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        "40 27 0:50 / /home/alice rw,relatime shared:9 - nfs4 nas:/export/alice rw,hard\n"
        "41 27 0:51 / /home/bob rw - nfs4 nas:/export/bob rw,hard\n"
        "42 27 0:52 / /srv/two\\040words rw - cifs //files/share rw\n"
        "43 27 0:53 / /scratch rw - lustre 10.0.0.1@tcp:/scratch rw\n"
        "broken\n"
    )
    assert table == {
        "/": FileSystem("254:0"),
        "/home/alice": FileSystem("nas", is_shared=True),
        "/home/bob": FileSystem("nas", is_shared=True),
        "/srv/two words": FileSystem("files", is_shared=True),
        "/scratch": FileSystem("10.0.0.1@tcp", is_shared=True),
    }


@pytest.mark.parametrize("kind", ["fuse", "fuse.sshfs", "fuse.nfs", "fuse.ceph", "fuseblk"])
def test_whoever_mounts_with_fuse_names_no_server(kind: str) -> None:
    line = "43 27 0:53 / /home/bob/x rw - {} nas:/x rw,user_id={},group_id=0,allow_other"
    assert parse_mount_table(line.format(kind, 1000)) == {"/home/bob/x": FileSystem("0:53")}
    found = parse_mount_table(line.format(kind, 0))["/home/bob/x"]
    assert found == FileSystem("0:53", is_shared=kind != "fuseblk")
