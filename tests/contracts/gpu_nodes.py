"""What every `GpuNodes` does, the fake and the real one."""

from ds01_spawner.ports.bare_metal import GpuNodes

ALICE, BOB = 61001, 61002


class GpuNodesContract:
    """Give `nodes`: two that a group may open, and one that is root's."""

    def test_what_is_roots_is_no_node(self, nodes: GpuNodes) -> None:
        assert [path.rpartition("/")[2] for path in nodes.paths()] == ["nvidia0", "nvidiactl"]

    def test_who_is_given_them_has_them_until_they_are_taken_back(self, nodes: GpuNodes) -> None:
        every = nodes.paths()
        assert nodes.give(ALICE) == every
        assert nodes.give(ALICE) == ()
        assert nodes.give(BOB) == every
        assert nodes.given() == {ALICE: every, BOB: every}

        assert nodes.take_back(ALICE) == every
        assert nodes.take_back(ALICE) == ()
        assert nodes.given() == {BOB: every}
        nodes.take_back(BOB)
        assert nodes.given() == {}

    def test_nodes_of_a_group_are_not_everybodys(self, nodes: GpuNodes) -> None:
        assert nodes.open_to_all() == ()

    def test_nobody_holds_what_nobody_opened(self, nodes: GpuNodes) -> None:
        assert nodes.holders(ALICE) == ()
