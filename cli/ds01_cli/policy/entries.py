"""Commands below `ds01 policy`."""

from ds01_cli.frame.table import Command, Group

POLICY = Group(
    "Check, explain and migrate the limits of everybody.",
    {
        "check": Command(
            "ds01_cli.policy.check", "check", "Say whether the configuration files are valid."
        ),
        "explain": Command(
            "ds01_cli.policy.explain", "explain", "Show what somebody may use, and what says so."
        ),
        "migrate": Command(
            "ds01_cli.policy.migrate", "migrate", "Rewrite a policy file in today's spelling."
        ),
        "schema": Command(
            "ds01_cli.policy.schema", "schema", "Print a configuration file's JSON Schema."
        ),
    },
)
