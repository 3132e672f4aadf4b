from ds01_spawner.exporter.catalogue import CATALOGUE, Kind
from fakes.exporter_lab import lively_lab


def test_a_lively_lab_has_a_row_of_every_metric() -> None:
    scraped = lively_lab().scrape()
    assert scraped.down() == set()
    bare = {
        name if each.kind is not Kind.HISTOGRAM else f"{name}_bucket"
        for name, each in CATALOGUE.items()
    }
    assert {name for name in bare if not scraped.rows(name)} == set()
