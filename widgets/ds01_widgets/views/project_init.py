"""A new project: what it is, what is made, and its image."""

from html import escape
from typing import Any

import ipywidgets as w

from ds01_widgets.concepts import step
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.project_init import DESCRIPTION, FRAMEWORK, NAME, ProjectInitModel
from ds01_widgets.running import Background
from ds01_widgets.views import parts
from ds01_widgets.views.build_progress import BuildProgress
from ds01_widgets.views.view import View

_COMMAND = "project init"


class ProjectInit(View[ProjectInitModel]):
    """Begin a project: its folders, its Dockerfile, a git repository, and its image.

    Args:
        open_client: Opens a client of the API.
        model: What is shown; of the API by default.
    """

    def __init__(
        self, open_client: Connect = connect, model: ProjectInitModel | None = None
    ) -> None:
        super().__init__(
            model or ProjectInitModel(open_client, Background()),
            "Begin a project",
            ("project", "workspace"),
        )
        self.doing = parts.ProgressBox()
        self.name = parts.labelled(w.Text(placeholder="leaf-segmentation"), "Name")
        self.description = parts.labelled(w.Text(placeholder="one line"), "About")
        self.kind = parts.labelled(w.Dropdown(options=()), "Type")
        self.about_kind = parts.html()
        self.framework = parts.labelled(w.Dropdown(options=()), "Framework")
        self.about_framework = parts.html()
        self.gpu = parts.labelled(w.Dropdown(options=()), "GPU")
        self.git = w.Checkbox(description="Make it a git repository", indent=False)
        self.devcontainer = w.Checkbox(
            description="With settings for VS Code's Dev Containers",
            indent=False,
            layout=w.Layout(width=parts.FULL_WIDTH),
        )
        self.faults = {name: parts.html() for name in (NAME, DESCRIPTION, FRAMEWORK)}
        self.files = parts.html()
        self.make = parts.button("Make the project", self.model.make, style="primary")
        self.told = parts.html()
        self.build = parts.button("Build its image", self.model.build, style="primary")
        self.progress = BuildProgress(self.model.cancel)
        self.again = parts.button("Look again", self.model.load, hint="Ask the server anew")
        self.form = w.VBox(self._form())
        self._listen()
        self.fill(
            self.form,
            self.doing,
            self.told,
            parts.actions(self.build),
            self.progress,
            parts.actions(self.again),
        )

    def draw(self) -> None:
        """See `View`."""
        model, wishes = self.model, self.model.wishes
        self.doing.show(model.doing)
        parts.show(self.form, when=model.is_ready)
        parts.keep(self.name, value=wishes.name)
        parts.keep(self.description, value=wishes.description)
        parts.keep(self.git, value=wishes.git)
        parts.keep(self.devcontainer, value=wishes.devcontainer)
        parts.offer(self.kind, ((each.title, each.key) for each in model.kinds), wishes.kind)
        frameworks = ((each.title, each.key) for each in model.frameworks)
        parts.offer(self.framework, frameworks, wishes.framework)
        parts.offer(self.gpu, model.gpus, wishes.gpu)
        self.about_kind.value = _about(model.kinds, wishes.kind)
        self.about_framework.value = _about(model.frameworks, wishes.framework)
        self._draw_faults()
        self.make.disabled = not model.can_make
        self.told.value = parts.paragraphs(model.told, "good")
        parts.show(self.build, when=model.made is not None and not model.is_building)
        self.build.disabled = model.busy
        if model.made is not None:
            self.build.description = f"Build the image of {model.made.project.name}"
        self.progress.draw(model.building, runs=model.is_building)
        self.again.disabled = model.busy

    def _draw_faults(self) -> None:
        model = self.model
        faults = model.faults if model.is_ready else {}
        for name, box in self.faults.items():
            untouched = name == NAME and not model.wishes.name
            box.value = "" if untouched else parts.fault(faults.get(name, ""))
        files = "".join(f"<li>{escape(each)}</li>" for each in model.files)
        self.files.value = (
            f"<details><summary>{len(model.files)} files are made in "
            f"{escape(str(model.folder))}</summary><ul>{files}</ul></details>"
            if files
            else ""
        )

    def _form(self) -> list[w.Widget]:
        return [
            _step("Name", "name"),
            self.name,
            self.faults[NAME],
            self.description,
            self.faults[DESCRIPTION],
            _step("What it is about", "type"),
            self.kind,
            self.about_kind,
            _step("Framework", "framework"),
            self.framework,
            self.about_framework,
            self.faults[FRAMEWORK],
            self.gpu,
            _step("Files", "files"),
            self.git,
            self.devcontainer,
            self.files,
            parts.actions(self.make),
        ]

    def _listen(self) -> None:
        choose = self.model.choose
        self.listen(self.name, lambda value: choose(name=value.strip()))
        self.listen(self.description, lambda value: choose(description=value))
        self.listen(self.kind, lambda value: choose(kind=value))
        self.listen(self.framework, lambda value: choose(framework=value))
        self.listen(self.gpu, lambda value: choose(gpu=value))
        self.listen(self.git, lambda value: choose(git=value))
        self.listen(self.devcontainer, lambda value: choose(devcontainer=value))


def _step(title: str, name: str) -> w.Widget:
    return parts.Why(text=step(_COMMAND, name), title=title)


def _about(entries: Any, key: str) -> str:
    found = next((each for each in entries if each.key == key), None)
    words = "" if found is None else found.description
    return f'<p class="ds01-quiet">{escape(words)}</p>' if words else ""
