from ds01_spawner.recipes.project import Project, files_of
from ds01_spawner.recipes.recipe import Recipe
from ds01_spawner.recipes.starter import STARTER


def test_the_readme_says_where_packages_go_that_are_installed_by_hand() -> None:
    text = files_of(Project("leaves"), Recipe("cpu"), STARTER)["README.md"]
    assert "`~/.local`" in text
    assert "gone with it" not in text
