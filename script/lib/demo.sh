# The demo's state folder, its hub, and how everything of it goes away again.
# shellcheck shell=bash
# STATE and PORT are set by script/demo.

HEALTH_SECONDS=90

demo_url() { printf 'http://127.0.0.1:%s\n' "$(cat "$STATE/port")"; }

# demo_processes [FOLDER]: hub, proxy and services of the demo in that state folder, or of any demo.
# They carry the folder in a variable that nothing else sets.
demo_processes() {
    local file pid
    for file in /proc/[0-9]*/environ; do
        if tr '\0' '\n' 2>/dev/null <"$file" | grep -qx "DS01_DEMO=${1:-.*}"; then
            pid=${file#/proc/}
            printf '%s\n' "${pid%/environ}"
        fi
    done 2>/dev/null
}

# demo_pid: the hub's process id.
demo_pid() {
    local pid
    pid=$(cat "$STATE/hub.pid" 2>/dev/null) && demo_processes "$STATE" | grep -x "$pid"
}

is_healthy() { curl --silent --fail --output /dev/null --max-time 5 "$1/hub/health"; }

demo_answers() { is_healthy "$(demo_url)"; }

free_port() {
    "$ROOT/.venv/bin/python" -c \
        'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'
}

port_is_free() {
    "$ROOT/.venv/bin/python" -c '
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))' "$1" 2>/dev/null
}

# demo_name NAME: with the port behind it where the plain name is somebody else: a demo never works
# in the home of a real account, nor with the containers of another demo.
demo_name() {
    if [ -n "$SECOND_DEMO" ] || getent passwd "$1" >/dev/null; then
        printf '%s-%s\n' "$1" "$PORT"
    else
        printf '%s\n' "$1"
    fi
}

# prepare_state: the state folder with its own copy of config/, password and people.
prepare_state() {
    local group name
    touch "$STATE/.ds01-demo"
    printf '%s\n' "$PORT" >"$STATE/port"
    if [ ! -d "$STATE/config" ]; then
        SECOND_DEMO=$(demo_processes)
        cp -R "$ROOT/config" "$STATE/config"
        for name in student:alice student:bob researcher:carol admin:admin; do
            group=${name%:*}
            name=$(demo_name "${name#*:}")
            printf '%s\n' "$name" >>"$STATE/config/groups/$group.members"
            printf '%s\n' "$name" >>"$STATE/people"
        done
        cp -R "$STATE/config" "$STATE/config.first"
    fi
    [ -e "$STATE/password" ] ||
        (umask 077 && "$ROOT/.venv/bin/python" -c 'import secrets; print(secrets.token_urlsafe(9))' >"$STATE/password")
    [ -e "$STATE/before" ] || engine_things >"$STATE/before"
}

# engine_things: homes and networks of the demo's people that exist.
engine_things() {
    "$ROOT/.venv/bin/python" -c '
import sys
from ds01_spawner.domain.names import home_volume, network_name
for person in sys.stdin.read().split():
    print("volume", home_volume(person))
    print("network", network_name(person))' <"$STATE/people" | while read -r kind name; do
        if docker "$kind" inspect "$name" >/dev/null 2>&1; then printf '%s %s\n' "$kind" "$name"; fi
    done
}

# launch_hub: in a session of its own; returns when it answers. A shell's background commands
# ignore SIGINT, which the hub sends to its services to end them.
launch_hub() {
    local deadline=$((SECONDS + HEALTH_SECONDS)) pid address api_port
    address=$(engine_address) || return 1
    api_port=$(free_port)
    DS01_DEMO=$STATE DS01_STATE_DIR=$STATE DS01_CONFIG_DIR=$STATE/config DS01_DEMO_PORT=$PORT \
        DS01_DEMO_HUB_ADDRESS=$address DS01_DEMO_HUB_PORT=$api_port \
        DS01_DEMO_PROXY_PORT=$(free_port) PATH=$ROOT/.venv/bin:$PATH \
        setsid env --default-signal=INT,QUIT "$ROOT/.venv/bin/jupyterhub" --config "$ROOT/hub_config/demo_config.py" \
        >>"$STATE/hub.log" 2>&1 </dev/null 9>&- &
    pid=$!
    printf '%s\n' "$pid" >"$STATE/hub.pid"
    # Past the proxy first: it logs every question that the hub cannot answer yet.
    until is_healthy "http://$address:$api_port" && demo_answers; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            grep -v ConfigProxy "$STATE/hub.log" | tail -n 20
            stop_hub
            return 1
        fi
        sleep 0.2
    done
}

# stop_hub: SIGTERM, which also ends its proxy and services; SIGKILL when that takes 30 s.
stop_hub() {
    local pid waited=0
    if pid=$(demo_pid); then
        kill "$pid"
        while kill -0 "$pid" 2>/dev/null; do
            [ "$waited" -ne 300 ] || kill -KILL "$pid"
            sleep 0.1
            waited=$((waited + 1))
        done
    fi
    # Proxy and services that outlived their hub.
    for pid in $(demo_processes "$STATE"); do kill "$pid" 2>/dev/null || true; done
}

# remove_containers: those of this installation, one at a time: Docker 20.10 can deadlock when
# many leave their network at once.
remove_containers() {
    local instance container
    instance=$(cat "$STATE/instance-id" 2>/dev/null) || return 0
    for container in $(docker ps --all --quiet --filter "label=ds01.instance=$instance"); do
        docker rm --force --volumes "$container" || return 1
    done
}

# remove_things: what was not there before the demo, unless somebody uses it.
remove_things() {
    local kind name
    engine_things | grep -vxFf "$STATE/before" | while read -r kind name; do
        docker "$kind" rm "$name" || printf '%s %s is in use and stays\n' "$kind" "$name"
    done
    "$ROOT/.venv/bin/python" - <<'PYTHON' || printf 'cgroups of people stay: they are empty\n'
from ds01_spawner.composition import open_platform

cgroups = open_platform(actor="demo").cgroups
for group, person in cgroups.people():
    cgroups.remove(group, person)
PYTHON
}

# stop_own_engine: only the one that this demo started, and only when nothing else runs in it.
stop_own_engine() {
    local pid
    pid=$(cat "$STATE/engine.pid" 2>/dev/null) || return 0
    [ "$(engine_pid)" = "$pid" ] || return 0
    if engine_is_empty; then
        step "Stopping dockerd, which the demo had started" "Read $ENGINE_LOG" stop_engine
    else
        say "dockerd keeps running: containers that are not the demo's run in it."
    fi
}

remove_state() {
    if diff -r "$STATE/config.first" "$STATE/config" >/dev/null 2>&1; then
        rm -rf "$STATE"
        say "Removed $STATE."
        return
    fi
    find "$STATE" -mindepth 1 -maxdepth 1 ! -name config ! -name config.first ! -name people \
        ! -name .ds01-demo -exec rm -rf {} +
    say "Emptied $STATE but for config/, which you have edited: a next demo there uses it."
}
