# `ds01` for the demo's people: they may not read a checkout below /root, nor run a Python from there.
# shellcheck shell=bash
# STATE and ROOT are set by script/demo.

# program_folder: where it is installed, with what only clients need. Everybody may read it.
program_folder() {
    local port
    port=$(demo_port) || return 1
    printf '/usr/local/lib/ds01-demo-%s\n' "$port"
}

PROGRAM_LINK=/usr/local/bin/ds01

# program: what people type.
program() {
    if [ "$(readlink "$PROGRAM_LINK")" = "$(program_folder)/ds01" ]; then
        printf 'ds01\n'
    else
        printf '%s/ds01\n' "$(program_folder)"
    fi
}

# python_for_all: the newest enough interpreter that everybody may run.
python_for_all() {
    local name
    for name in /usr/bin/python3 /usr/local/bin/python3 /usr/bin/python3.{13,12,11}; do
        setpriv --reuid=65534 --regid=65534 --clear-groups \
            "$name" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
            printf '%s\n' "$name" && return
    done
    return 1
}

want_program() {
    if "$(program_folder)/ds01" --version >/dev/null 2>&1; then
        program_script >"$(program_folder)/ds01" # that of an older release knows less of the demo
    elif ! python_for_all >/dev/null; then
        say "There is no Python from 3.11 on that everybody may run, so people have no ds01 here."
    else
        step "Installing ds01 for this machine's people" \
            "Check that pip reaches its index: .venv/bin/pip download --no-deps -d /tmp rich" \
            install_program
    fi
}

# install_program: an environment of its own, and a script that knows this demo's socket. Called
# ds01 for everybody, unless the machine has an installation or a program of that name.
install_program() (
    set -e
    umask 022
    folder=$(program_folder)
    remove_folder "$folder"
    "$(python_for_all)" -m venv --without-pip "$folder"
    "$ROOT/.venv/bin/python" -m pip --python "$folder" install --quiet "${ROOT}[cli]"
    program_script >"$folder/ds01"
    chmod 755 "$folder/ds01"
    [ -e "$(lab_state)" ] || [ -e "$PROGRAM_LINK" ] || ln -sfn "$folder/ds01" "$PROGRAM_LINK"
)

# program_script: for whom the demo's files are open, the whole program instead, on those files and
# beside this demo's gateway, hub and exporter. Secrets stay in the demo's files.
program_script() {
    cat <<PYTHON
#!$(program_folder)/bin/python
# Written by script/demo; script/demo --stop removes it.
import os
import sys

STATE = "$STATE"
WHOLE = "$ROOT/.venv"


def said(name):
    try:
        with open(f"{STATE}/{name}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def beside():
    exporter, port = said("ports/exporter"), said("port")
    return {
        name: value
        for name, value, known in (
            ("DS01_EXPORTER_URL", f"http://127.0.0.1:{exporter}/-/healthy", exporter),
            ("JUPYTERHUB_PUBLIC_URL", f"http://127.0.0.1:{port}", port),
            ("JUPYTERHUB_API_URL", said("gateway.hub"), said("gateway.hub")),
            ("JUPYTERHUB_API_TOKEN", said("gateway-token"), said("gateway-token")),
        )
        if known
    }


if not {"DS01_API_URL", "DS01_URL"} & set(os.environ):
    os.environ.setdefault("DS01_GATEWAY_SOCKET", "$(demo_socket)")
if os.access(STATE, os.R_OK | os.X_OK):
    os.environ.setdefault("DS01_STATE_DIR", STATE)
    os.environ.setdefault("DS01_CONFIG_DIR", f"{STATE}/config")
    if os.environ["DS01_STATE_DIR"] == STATE:
        os.environ.setdefault("DS01_RUN_DIR", "$(demo_run)")
        os.environ.update(beside())
    if sys.prefix != WHOLE:
        os.execv(f"{WHOLE}/bin/python", [f"{WHOLE}/bin/python", *sys.argv])
from ds01_cli.main import main

main()
PYTHON
}

remove_program() {
    local folder
    folder=$(program_folder) || return 1
    [ "$(program)" != ds01 ] || rm -f "$PROGRAM_LINK"
    remove_folder "$folder"
}
