"""`.devcontainer/devcontainer.json`: a project, opened by VS Code against the gateway. Pure.

https://containers.dev/implementors/json_reference/
"""

import json

from ds01_spawner.recipes.project import Project

PATH = ".devcontainer/devcontainer.json"
_NO_GPU = "none"


def devcontainer(project: Project) -> str:
    """The file.

    Containers run as whoever starts them, so no user is created or changed. A start waits for a GPU
    as long as VS Code waits.

    Args:
        project: What is opened.
    """
    arguments = ["--label", f"ds01.project={project.name}"]
    if project.gpu != _NO_GPU and project.gpus:
        arguments += ["--gpus", str(project.gpus)]
        if project.gpu:
            arguments += ["--label", f"ds01.gpu={project.gpu}"]
    described = {
        "name": project.name,
        "build": {"dockerfile": "../Dockerfile", "context": ".."},
        "workspaceFolder": "/workspace",
        "workspaceMount": "source=${localWorkspaceFolder},target=/workspace,type=bind",
        "runArgs": arguments,
        "overrideCommand": True,
        "updateRemoteUserUID": False,
        "customizations": {
            "vscode": {"extensions": ["ms-python.python", "ms-toolsai.jupyter"]},
        },
    }
    return f"{json.dumps(described, indent=2)}\n"
