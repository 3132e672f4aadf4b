"""`ds01 logout`: forget the login on this computer."""

from ds01_cli.frame import guide, printing
from ds01_spawner.client.logins import forget_login, read_login
from ds01_spawner.domain.errors import Unavailable


def logout() -> None:
    """Forget the login on this computer."""
    try:
        kept = read_login()
    except Unavailable:  # what is damaged is to go as well
        kept = None
    guide.tell("forget")
    if not forget_login():
        printing.say("You are not logged in: there is nothing to forget.")
    elif kept is None:
        printing.say("The login is forgotten.")
    else:
        printing.say(f"You are logged out of {kept.url}; the token is gone from this computer.")
        printing.say(f"The hub still accepts it until you revoke it there: {kept.url}hub/token")
