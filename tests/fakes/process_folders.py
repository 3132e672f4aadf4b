"""/proc as folders of files, with what DS01 reads of single processes."""

from pathlib import Path

from ds01_spawner.adapters.activity.kernel_text import TICKS_PER_SECOND


class ProcessFolders:
    """Files below `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def put(  # noqa: PLR0917 - the parts of a process
        self,
        pid: int,
        uid: int = 1000,
        cgroup: str = "0::/user.slice\n",
        name: str = "python",
        started: float = 100.0,
        state: str = "S",
        threads: int = 1,
    ) -> Path:
        """Let a process run; its folder."""
        folder = self.path / str(pid)
        folder.mkdir(exist_ok=True)
        ticks = int(started * TICKS_PER_SECOND)
        between = f"{'0 ' * 15}{threads} 0"
        (folder / "stat").write_text(f"{pid} ({name}) {state} 1 {between} {ticks} 0 0\n")
        (folder / "status").write_text(f"Name:\t{name}\nUid:\t{uid}\t1\t2\t3\nGid:\t5\n")
        (folder / "cgroup").write_text(cgroup)
        return folder
