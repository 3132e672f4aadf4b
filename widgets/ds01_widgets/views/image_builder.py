"""An image in four phases: what is chosen, what it comes to, and its build."""

from html import escape

from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.image_builder import ImageBuilderModel
from ds01_widgets.running import Background
from ds01_widgets.views import parts
from ds01_widgets.views.image_build import BuildBox
from ds01_widgets.views.image_dockerfile import DockerfileBox
from ds01_widgets.views.image_phases import PhasesBox
from ds01_widgets.views.own_images import OwnImagesBox
from ds01_widgets.views.view import View


class ImageBuilder(View[ImageBuilderModel]):
    """Make an image with the packages you need, and look after those you have.

    Args:
        open_client: Opens a client of the API.
        model: What is shown; of the API by default.
    """

    def __init__(
        self, open_client: Connect = connect, model: ImageBuilderModel | None = None
    ) -> None:
        super().__init__(
            model or ImageBuilderModel(open_client, Background()),
            "Make an image",
            ("image", "dockerfile"),
        )
        self.doing = parts.ProgressBox()
        self.own = OwnImagesBox(self.model)
        self.what = parts.html()
        self.phases = PhasesBox(self.model)
        self.outlook = parts.html()
        self.dockerfile = DockerfileBox(self.model)
        self.build = BuildBox(self.model)
        self.told = parts.html()
        self.again = parts.button("Look again", self.model.load, hint="Ask the server anew")
        self._boxes = (self.own, self.phases, self.dockerfile, self.build)
        self.fill(
            self.doing,
            self.own,
            self.what,
            self.phases,
            self.outlook,
            self.dockerfile,
            self.build,
            self.told,
            parts.actions(self.again),
        )

    def draw(self) -> None:
        """See `View`."""
        model, draft = self.model, self.model.draft
        self.doing.show(model.doing)
        for each in self._boxes:
            each.draw()
            parts.show(each, when=draft is not None)
        self.again.disabled = model.busy
        self._tell()
        if draft is None:
            return
        title = f"Change {draft.name}" if draft.changing else "A new image"
        self.what.value = f"<h4>{escape(title)}</h4>"
        estimate = parts.paragraphs([draft.estimate] if draft.estimate else [])
        notes = parts.paragraphs((*draft.hints, *draft.notes), "note")
        self.outlook.value = f'<div role="status">{estimate}{notes}</div>'

    def _tell(self) -> None:
        model = self.model
        self.told.value = parts.paragraphs(model.told, "good")
        if model.told and model.hub_url:
            link = escape(f"{model.hub_url.rstrip('/')}/hub/home", quote=True)
            self.told.value += f'<p><a href="{link}" target="_blank">Open the hub</a></p>'
