"""`ds01 container deploy`: makes a container, waits for its GPU, starts it, says how to get in."""

import typer

from ds01_cli.container import options, plan
from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Json


def deploy(  # noqa: PLR0913 - the flags of the command
    name: options.NewName = None,
    command: options.Command = None,
    *,
    contents: options.Contents,
    beginning: options.Beginning,
    dry_run: options.DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a container, wait for its GPU, and start it.

    Without a name you are asked for what it needs.
    """
    from ds01_cli.container import choosing, making, ways  # noqa: PLC0415 - help does without pydantic

    beginning.check(as_json=as_json)
    flags = choosing.Flags(**vars(contents), name=name, wait=beginning.waits, command=command or ())
    with session.connect() as client:
        wanted = choosing.wanted(client, flags)
        if dry_run:
            plan.show(client, wanted, as_json=as_json)
            return
        guide.tell("make")
        made = making.made(client, wanted)
        if as_json:
            printing.print_json(made)
            return
        try:
            hub_url = ways.hub_of(client)
        except KeyboardInterrupt:
            hub_url = None  # it is there already: who is not told so leaves it behind
        guide.tell("enter")
        ways.tell(made, hub_url)
        if beginning.open_shell:
            from ds01_cli.container import entering  # noqa: PLC0415 - only where one is opened

            raise typer.Exit(entering.shell(client, made.name))
