import json
from pathlib import Path

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.client.streams import STDOUT
from ds01_spawner.domain.errors import Conflict, InvalidRequest, NotFound
from ds01_spawner.home.builds import BuildFailed
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.recipe import Recipe, dumped
from fakes.api_app import Asked, FakeApi, build
from fakes.program import invoke, said, told

FLAGS = ("thesis", "--framework", "cpu", "--pip", "polars")
FILES = "--with-dockerfile"
MARK = "--ds01--\n"


def image(name: str = "thesis", *, own: bool = True, **facts: object) -> m.ImageDetail:
    usual: dict[str, object] = {
        "reference": f"ds01-alice/{name}:latest" if own else f"ds01/{name}:latest",
        "key": None if own else name,
        "title": f"{name}:latest" if own else name.title(),
        "own": own,
        "present": True,
        "size_bytes": 1024**3,
        "layers": [{"created_by": "RUN pip", "size_bytes": 5 * 1024**2, "created_at": None}],
        "recipe": dumped(Recipe("cpu", pip=("polars",))),
        "labels": {},
        "used_by": (),
    }
    return m.ImageDetail.model_validate(usual | facts)


def have(api: FakeApi, *details: m.ImageDetail) -> None:
    for each in details:
        api.details[each.title.removesuffix(":latest").lower()] = each
        fields = m.Image.model_fields.keys()
        api.images.append(m.Image.model_validate(each.model_dump(include=set(fields))))


@pytest.fixture
def dockerfile(api: FakeApi, home: Path) -> Path:
    """Of an image that was made."""
    said("image create", *FLAGS)
    have(api, image())
    api.asked.clear()
    return home / "ds01-images" / "thesis" / "Dockerfile"


def test_lists_the_catalogue_and_ones_own_with_who_uses_them(api: FakeApi) -> None:
    have(api, image("starter", own=False, present=False, size_bytes=None), image())
    api.has("run", image="ds01-alice/thesis:latest")
    printed = said("image list", width=160)
    assert "everybody's  not here yet" in printed
    assert "run" in next(line for line in printed.splitlines() if line.startswith("thesis"))
    assert said("image list", "--own", "--format", "simple").startswith("thesis\tyours\t1 GB")
    assert told("image list")["images"][1]["used_by"] == ["run"]


def test_shows_what_an_image_is_made_of(api: FakeApi, dockerfile: Path) -> None:
    printed = said("image show", "thesis")
    assert "CPU only, Jupyter, data science, 1 package of your own: polars" in printed
    assert "5 MB" in printed
    assert "changed by hand" not in printed
    dockerfile.write_text(dockerfile.read_text() + "RUN true\n")
    assert "changed by hand" in said("image show", "thesis")
    assert said("image show", "thesis", "--dockerfile") == dockerfile.read_text()
    assert told("image show", "thesis")["used_by"] == []
    assert api.operations()


def test_adds_and_removes_packages(api: FakeApi, dockerfile: Path) -> None:
    said("image update", "thesis", "--add", "numpy<3", "--remove", "polars", "--apt", "ffmpeg")
    recipe = Recipe("cpu", pip=("numpy<3",), apt=("ffmpeg",))
    assert kept(dockerfile.read_text()).recipe == recipe
    assert api.body("startBuild").dockerfile == dockerfile.read_text()
    assert not api.body("startBuild").no_cache


def test_another_framework_and_use_case(api: FakeApi, dockerfile: Path) -> None:
    said("image update", "thesis", "--framework", "jax-cpu", "--use-case", "ts")
    assert kept(dockerfile.read_text()).recipe == Recipe("jax-cpu", "ts", pip=("polars",))
    assert api.operations().count("startBuild") == 1


def test_without_a_change_nothing_is_built_but_when_asked(api: FakeApi, dockerfile: Path) -> None:
    assert "--rebuild" in said("image update", "thesis")
    assert "startBuild" not in api.operations()
    said("image update", "thesis", "--rebuild")
    assert api.body("startBuild").no_cache
    assert api.body("startBuild").dockerfile == dockerfile.read_text()


def test_a_change_by_hand_is_built_and_not_written_over(api: FakeApi, dockerfile: Path) -> None:
    changed = dockerfile.read_text() + "COPY extra.txt /\n"
    dockerfile.write_text(changed)
    (dockerfile.parent / "extra.txt").write_text("hello")
    with pytest.raises(Conflict, match="--overwrite"):
        invoke("image update", "thesis", "--add", "numpy")
    said("image update", "thesis", "--rebuild")
    assert api.body("startBuild").dockerfile == changed
    assert api.body("startBuild").files == {"extra.txt": "hello"}
    said("image update", "thesis", "--add", "numpy", "--overwrite")
    assert "extra.txt" not in dockerfile.read_text()


def test_a_failure_leaves_the_dockerfile_as_it_was(api: FakeApi, dockerfile: Path) -> None:
    before = dockerfile.read_text()
    api.build_end = build("thesis", state="failed", failure="no")
    with pytest.raises(BuildFailed):
        invoke("image update", "thesis", "--add", "numpy")
    assert dockerfile.read_text() == before


def test_a_lost_dockerfile_is_made_anew_of_what_the_image_says(
    api: FakeApi, dockerfile: Path
) -> None:
    dockerfile.unlink()
    said("image update", "thesis", "--add", "numpy")
    assert kept(dockerfile.read_text()).recipe == Recipe("cpu", pip=("polars", "numpy"))
    api.details["other"] = image("other", recipe=None)
    with pytest.raises(NotFound, match="ds01 image create other"):
        invoke("image update", "other", "--add", "numpy")


def test_what_cannot_be_removed_is_told(dockerfile: Path) -> None:
    assert dockerfile.exists()
    with pytest.raises(InvalidRequest, match=r"pandas is not among .* \(polars\)"):
        invoke("image update", "thesis", "--remove", "pandas")


def test_an_image_in_use_is_not_deleted(api: FakeApi) -> None:
    have(api, image(used_by=("run", "other")))
    with pytest.raises(Conflict, match="in use by run, other") as refused:
        invoke("image delete", "thesis", "--yes")
    assert "ds01 container retire run" in refused.value.next_step
    assert "deleteImage" not in api.operations()


def test_everybodys_image_is_not_deleted(api: FakeApi) -> None:
    have(api, image("starter", own=False))
    with pytest.raises(Conflict, match="everybody's"):
        invoke("image delete", "starter", "--yes")


def test_deleting_asks_and_keeps_the_dockerfile(api: FakeApi, dockerfile: Path) -> None:
    assert invoke("image delete", "thesis").exit_code == 2
    assert "deleteImage" not in api.operations()
    shown = "~/ds01-images/thesis/Dockerfile"
    assert f"Still there: {shown}" in said("image delete", "thesis", "--yes")
    assert dockerfile.exists()
    assert f"Deleted with it: {shown}" in said("image delete", "thesis", "--yes", FILES)
    assert not dockerfile.parent.exists()


def test_files_of_ones_own_beside_the_dockerfile_stay(api: FakeApi, dockerfile: Path) -> None:
    assert api.details
    notes = dockerfile.with_name("notes.txt")
    notes.write_text("mine")
    dockerfile.with_name("requirements.from-environment.txt").write_text("numpy")
    told_of = told("image delete", "thesis:latest", "--yes", FILES)
    assert told_of["deleted"] == ["thesis"]
    gone = [Path(each).name for each in told_of["files_deleted"]]
    assert gone == ["Dockerfile", "requirements.from-environment.txt"]
    assert told_of["files_left"] == [str(notes)]
    assert notes.exists()


def test_a_no_deletes_nothing(api: FakeApi, terminal: None) -> None:
    del terminal
    have(api, image())
    result = invoke("image delete", "thesis", stdin="n\n")
    assert "Nothing was deleted." in result.output
    result = invoke("image delete", "thesis", "--json", stdin="n\n")
    assert json.loads(result.stdout) == {"deleted": [], "files_deleted": [], "files_left": []}
    assert "Nothing was deleted." in result.stderr
    assert "deleteImage" not in api.operations()


def test_a_no_prunes_nothing(api: FakeApi, terminal: None) -> None:
    del terminal

    def pruned(asked: Asked) -> m.Pruned:
        return m.Pruned(dry_run=asked.query.dry_run, images=("abc",), freed_bytes=1024**3)

    api.answers["pruneImages"] = pruned
    result = invoke("image prune", "--json", stdin="n\n")
    assert json.loads(result.stdout)["dry_run"] is True
    assert "abc: 1 GB in all." in result.stderr
    assert [each.query.dry_run for each in api.asked] == [True]


def test_pruning_shows_first_and_then_deletes(api: FakeApi) -> None:
    def pruned(asked: Asked) -> m.Pruned:
        return m.Pruned(dry_run=asked.query.dry_run, images=("abc",), freed_bytes=1024**3)

    api.answers["pruneImages"] = pruned
    assert "abc: 1 GB in all." in said("image prune", "--dry-run")
    assert [each.query.dry_run for each in api.asked] == [True]
    assert "1 GB are free again" in said("image prune", "--yes", "--unused")
    assert [each.query.unused for each in api.asked[1:]] == [True, True]


def test_nothing_to_prune_is_told(api: FakeApi) -> None:
    assert "nothing to delete" in said("image prune")
    assert api.operations() == ["pruneImages"]


def installed(api: FakeApi, now: str) -> None:
    text = MARK.join(("numpy==1.0\n", now, now))
    api.has("run", image="ds01-alice/thesis:latest")
    api.outputs["sh"] = (((STDOUT, text.encode()),), 0)


def test_what_was_installed_by_hand_goes_into_the_image(api: FakeApi, dockerfile: Path) -> None:
    installed(api, "numpy==2.0\nrich==14.0\n")
    printed = said("image save-from", "run", "--yes")
    assert "rich==14.0" in printed
    recipe = kept(dockerfile.read_text()).recipe
    assert recipe is not None
    assert recipe.pip == ("polars", "numpy==2.0", "rich==14.0")
    assert "startBuild" in api.operations()


def test_only_what_was_named_is_saved(api: FakeApi, dockerfile: Path) -> None:
    installed(api, "numpy==2.0\nrich==14.0\n")
    said("image save-from", "run", "--yes", "--only", "Rich")
    recipe = kept(dockerfile.read_text()).recipe
    assert recipe is not None
    assert recipe.pip == ("polars", "rich==14.0")
    with pytest.raises(InvalidRequest, match="These were: numpy, rich"):
        invoke("image save-from", "run", "--yes", "--only", "pandas")


def test_a_dry_run_of_saving_only_tells(api: FakeApi) -> None:
    installed(api, "numpy==2.0\n")
    found = told("image save-from", "run", "--dry-run")
    assert found == {"packages": [{"package": "numpy==2.0", "before": "1.0"}]}
    assert "startBuild" not in api.operations()


def test_nothing_installed_by_hand_is_told(api: FakeApi) -> None:
    installed(api, "numpy==1.0\n")
    assert "Nothing was installed in run by hand." in said("image save-from", "run")


def test_everybodys_image_is_not_saved_to(api: FakeApi) -> None:
    installed(api, "numpy==2.0\n")
    api.has("run", image="ds01/starter:latest")
    with pytest.raises(Conflict, match="--image NAME"):
        invoke("image save-from", "run", "--yes")
