"""What cards look like: memory, slices, and which MIG layouts fit on them.

Figures are those that NVIDIA's drivers report; placements are from "Supported MIG Profiles" in
https://docs.nvidia.com/datacenter/tesla/mig-user-guide/.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ds01_spawner.domain.gpu import MigProfile


@dataclass(frozen=True, slots=True)
class MigShape:
    """How an instance of a profile lies on a card.

    Attributes:
        memory_mib: Framebuffer of the instance.
        starts: Memory slices at which it may begin.
        width: Memory slices it covers.
        at_most: Instances of this profile on one card, beyond what fits.
    """

    memory_mib: int
    starts: tuple[int, ...]
    width: int
    at_most: int = 8


@dataclass(frozen=True, slots=True)
class CardModel:
    """A kind of card.

    Attributes:
        product: The name that the driver reports.
        memory_mib: Framebuffer.
        compute_slices: Slices for MIG; 0 without MIG.
        shapes: MIG profiles by name; empty without MIG.
    """

    product: str
    memory_mib: int
    compute_slices: int
    shapes: Mapping[str, MigShape]

    def layout_fault(self, layout: Sequence[str]) -> str | None:
        """Why these instances cannot be on one card together, or `None` when they can."""
        for name in layout:
            if name not in self.shapes:
                offered = ", ".join(self.shapes) or "none: this GPU has no MIG"
                return f"{self.product} has no profile {name}; it has {offered}"
            if layout.count(name) > self.shapes[name].at_most:
                return f"{self.product} can hold {name} only {self.shapes[name].at_most} time(s)"
        wanted = sum(_slices(name) for name in layout)
        if wanted > self.compute_slices:
            return (
                f"{wanted} compute slices are wanted and {self.product} has {self.compute_slices}"
            )
        widest_first = sorted(
            (self.shapes[name] for name in layout), key=lambda shape: -shape.width
        )
        if not _place(widest_first, frozenset()):
            return f"no placement of {', '.join(layout)} fits into the memory of {self.product}"
        return None


def _slices(profile: str) -> int:
    parsed = MigProfile.parse(profile)
    return 0 if parsed is None else parsed.compute_slices


def _place(shapes: Sequence[MigShape], taken: frozenset[int]) -> bool:
    if not shapes:
        return True
    shape = shapes[0]
    for start in shape.starts:
        covered = frozenset(range(start, start + shape.width))
        if taken.isdisjoint(covered) and _place(shapes[1:], taken | covered):
            return True
    return False


def _seven_slices(product: str, memory_mib: int, sizes: Mapping[str, int]) -> CardModel:
    """A card of seven compute and eight memory slices.

    `sizes` gives MiB by profile: 1g, 1g+me, 1g of double memory, 2g, 3g, 4g, 7g in this order.
    """
    ways = (
        (tuple(range(7)), 1, 7),
        (tuple(range(7)), 1, 1),
        ((0, 2, 4, 6), 2, 4),
        ((0, 2, 4), 2, 3),
        ((0, 4), 4, 2),
        ((0,), 4, 1),
        ((0,), 8, 1),
    )
    shapes = {
        name: MigShape(mib, starts, width, at_most)
        for (name, mib), (starts, width, at_most) in zip(sizes.items(), ways, strict=True)
    }
    return CardModel(product, memory_mib, 7, MappingProxyType(shapes))


CARD_MODELS: Mapping[str, CardModel] = MappingProxyType(
    {
        "A100-40GB": _seven_slices(
            "NVIDIA A100-SXM4-40GB",
            40960,
            {
                "1g.5gb": 4864,
                "1g.5gb+me": 4864,
                "1g.10gb": 9984,
                "2g.10gb": 9984,
                "3g.20gb": 20096,
                "4g.20gb": 20096,
                "7g.40gb": 40448,
            },
        ),
        "A100-80GB": _seven_slices(
            "NVIDIA A100-SXM4-80GB",
            81920,
            {
                "1g.10gb": 9728,
                "1g.10gb+me": 9728,
                "1g.20gb": 19968,
                "2g.20gb": 19968,
                "3g.40gb": 40448,
                "4g.40gb": 40448,
                "7g.80gb": 81152,
            },
        ),
        "H100-80GB": _seven_slices(
            "NVIDIA H100 80GB HBM3",
            81559,
            {
                "1g.10gb": 9856,
                "1g.10gb+me": 9856,
                "1g.20gb": 20096,
                "2g.20gb": 20096,
                "3g.40gb": 40448,
                "4g.40gb": 40448,
                "7g.80gb": 81024,
            },
        ),
        "H200-141GB": _seven_slices(
            "NVIDIA H200",
            143771,
            {
                "1g.18gb": 16384,
                "1g.18gb+me": 16384,
                "1g.35gb": 33280,
                "2g.35gb": 33280,
                "3g.71gb": 71168,
                "4g.71gb": 71168,
                "7g.141gb": 142848,
            },
        ),
        "A30-24GB": CardModel(
            "NVIDIA A30",
            24576,
            4,
            MappingProxyType(
                {
                    "1g.6gb": MigShape(5952, (0, 1, 2, 3), 1),
                    "1g.6gb+me": MigShape(5952, (0, 1, 2, 3), 1, at_most=1),
                    "2g.12gb": MigShape(11968, (0, 2), 2),
                    "2g.12gb+me": MigShape(11968, (0, 2), 2, at_most=1),
                    "4g.24gb": MigShape(24000, (0,), 4),
                }
            ),
        ),
        "RTX-A6000": CardModel("NVIDIA RTX A6000", 49140, 0, MappingProxyType({})),
    }
)
"""The cards that can be simulated, by the name that gpu-config.yaml uses."""
