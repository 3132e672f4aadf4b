"""What is checked and made ready each time a container of a person's starts."""

from ds01_spawner.domain.closed_places import check_working_dir
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.limits import Limits
from ds01_spawner.operations.containers.binds import Binds
from ds01_spawner.ports import Accounts, ContainerRoots, VolumeFolders


class Readiness:
    """Makes ready what a container was made with. Safe to use from many threads."""

    def __init__(
        self, accounts: Accounts, roots: ContainerRoots, binds: Binds, volumes: VolumeFolders
    ) -> None:
        self._accounts = accounts
        self._roots = roots
        self._binds = binds
        self._volumes = volumes

    def make(self, container: Container, user: str, limits: Limits) -> None:
        """Stage its owner's folders anew, and give them its volumes.

        Args:
            container: One that does not run.
            user: Its owner.
            limits: Theirs, now.

        Raises:
            Forbidden: It begins in a folder of the kernel's, runs as somebody whom its owner may
                not be any more, or has folders that they may not read any more.
            InvalidRequest: A folder does not exist any more.
            Unavailable: Something needed does not answer.
        """
        if container.working_dir:
            led = self._roots.leads_to(container.id, [container.working_dir])
            check_working_dir(led.get(container.working_dir, ""))
        account = self._accounts.lookup(user)
        if account is None:
            if container.binds_key:
                raise Forbidden(
                    "This container has folders of the server, and its owner has no account there."
                )
            return
        check_image_user(runs_as=container.uid, own=account.uid, limits=limits)
        self._binds.restage(account, container)
        self._volumes.hand_over(account, container)


def check_image_user(*, runs_as: int | None, own: int, limits: Limits) -> None:
    """Return when the person may run something as this user.

    Args:
        runs_as: Whom a container runs as; `None` where its image says a name.
        own: The person's uid.
        limits: Theirs, now.

    Raises:
        Forbidden: It is the image's user, which they may not be (any more).
    """
    if runs_as != own and not limits.allow_image_user:
        raise Forbidden(
            "This container runs as its image's user, which your limits do not allow any more.",
            "Copy what matters out of it with docker cp, and make it anew with docker run.",
        )
