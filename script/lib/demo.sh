# The demo's state folder, its hub, its gateway, and how everything of it goes away again.
# shellcheck shell=bash
# STATE and PORT are set by script/demo.

HEALTH_SECONDS=90
GATEWAY_SECONDS=30
EXPORTER_SECONDS=30

demo_url() { printf 'http://127.0.0.1:%s\n' "$(cat "$STATE/port")"; }

# demo_run: where the gateway's socket is. Not in the state folder, which is closed to people.
demo_run() {
    local port
    port=$(demo_port) || return 1
    printf '/run/ds01-demo-%s\n' "$port"
}

demo_socket() { printf '%s/docker.sock\n' "$(demo_run)"; }

# processes_with VARIABLE=PATTERN: those that carry it in their environment.
processes_with() {
    local file pid
    for file in /proc/[0-9]*/environ; do
        if tr '\0' '\n' 2>/dev/null <"$file" | grep -qx "$1"; then
            pid=${file#/proc/}
            printf '%s\n' "${pid%/environ}"
        fi
    done 2>/dev/null
}

# demo_processes [FOLDER]: everything of the demo in that state folder, or of any demo.
# They carry the folder in a variable that nothing else sets.
demo_processes() { processes_with "DS01_DEMO=${1:-.*}"; }

exporter_processes() { processes_with "DS01_DEMO_EXPORTER=$STATE"; }

gateway_processes() { processes_with "DS01_DEMO_GATEWAY=$STATE"; }

# hub_processes: hub, proxy and the hub's services.
hub_processes() {
    demo_processes "$STATE" | grep -vxF "$(gateway_processes && exporter_processes)" || true
}

# demo_pid: the hub's process id.
demo_pid() {
    local pid
    pid=$(cat "$STATE/hub.pid" 2>/dev/null) && demo_processes "$STATE" | grep -x "$pid"
}

# hub_runs: this demo's hub, and it answers. One from before there were gateways does not count.
hub_runs() { [ -e "$STATE/gateway-token" ] && demo_pid >/dev/null && demo_answers; }

gateway_answers() {
    curl --silent --fail --output /dev/null --max-time 5 --unix-socket "$(demo_socket)" http://docker/_ping
}

is_healthy() { curl --silent --fail --output /dev/null --max-time 5 "$1/hub/health"; }

demo_answers() { is_healthy "$(demo_url)"; }

metrics_url() { printf 'http://127.0.0.1:%s/metrics\n' "$(cat "$STATE/ports/exporter")"; }

exporter_answers() {
    [ -e "$STATE/ports/exporter" ] &&
        curl --silent --fail --output /dev/null --max-time 5 "$(metrics_url | sed 's#metrics$#-/healthy#')"
}

api_answers() {
    curl --silent --fail --output /dev/null --max-time 5 "$(demo_url)/services/ds01/api/openapi.json"
}

free_port() {
    "$ROOT/.venv/bin/python" -c \
        'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'
}

# port_is_free PORT [ADDRESS]: 127.0.0.1 unless told otherwise; '' is every address.
port_is_free() {
    "$ROOT/.venv/bin/python" -c '
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[2], int(sys.argv[1])))' "$1" "${2-127.0.0.1}" 2>/dev/null
}

# lab_state: a file that is there when the machine has an installation of its own.
lab_state() { printf '/var/lib/ds01/instance-id\n'; }

# engine_knows NAME: somebody of this name has, or had, containers of some installation.
engine_knows() {
    docker volume inspect "ds01-home-$1" >/dev/null 2>&1 || docker network inspect "ds01-$1" >/dev/null 2>&1
}

# demo_name NAME: with the port behind it where the plain name is, or may become, somebody else: a
# demo never works in the home of a real account, nor with what people of another installation have.
demo_name() {
    if [ -n "$SECOND_DEMO" ] || [ -e "$(lab_state)" ] || getent passwd "$1" >/dev/null || engine_knows "$1"; then
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
    [ -e "$STATE/gateway-token" ] ||
        (umask 077 && "$ROOT/.venv/bin/python" -c 'import secrets; print(secrets.token_hex(32))' >"$STATE/gateway-token")
    [ -e "$STATE/before" ] || engine_things >"$STATE/before"
}

# prepare_ports: of hub, proxy, gateway and exporter among themselves. They stay the same, so that what
# outlives one of them finds its successor, unless somebody else took them meanwhile.
prepare_ports() {
    local name port
    mkdir -p "$STATE/ports"
    for name in hub proxy gateway exporter; do
        port=$(cat "$STATE/ports/$name" 2>/dev/null || true)
        if [ "$name" = gateway ] && [ -n "$port" ] && gateway_answers; then continue; fi
        if [ "$name" = exporter ] && exporter_answers; then continue; fi
        { [ -n "$port" ] && port_is_free "$port" ""; } || free_port >"$STATE/ports/$name"
    done
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
    api_port=$(cat "$STATE/ports/hub")
    DS01_DEMO=$STATE DS01_STATE_DIR=$STATE DS01_CONFIG_DIR=$STATE/config DS01_DEMO_PORT=$PORT \
        DS01_RUN_DIR=$(demo_run) \
        DS01_DEMO_HUB_ADDRESS=$address DS01_DEMO_HUB_PORT=$api_port \
        DS01_DEMO_PROXY_PORT=$(cat "$STATE/ports/proxy") PATH=$ROOT/.venv/bin:$PATH \
        GATEWAY_TOKEN=$(cat "$STATE/gateway-token") GATEWAY_URL=$(gateway_url "$address") \
        setsid env --default-signal=INT,QUIT "$ROOT/.venv/bin/jupyterhub" --config "$ROOT/hub_config/demo_config.py" \
        >>"$STATE/hub.log" 2>&1 </dev/null 9>&- &
    pid=$!
    printf '%s\n' "$pid" >"$STATE/hub.pid"
    # Past the proxy first: it logs every question that the hub cannot answer yet.
    until is_healthy "http://$address:$api_port" && demo_answers && api_answers; do
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
    for pid in $(hub_processes); do kill "$pid" 2>/dev/null || true; done
}

# gateway_url ADDRESS: of the API, where people's servers reach it as they reach the hub.
gateway_url() { printf 'http://%s:%s\n' "$1" "$(cat "$STATE/ports/gateway")"; }

# keep_gateway: the gateway, started again whenever it ends, as a service manager does it. Beside
# the hub and not as its child: a hub that is killed would leave it behind, and start another.
keep_gateway() {
    while true; do
        "$ROOT/.venv/bin/python" -m ds01_spawner.gateway || true
        sleep 1
    done
}

# launch_gateway: in a session of its own; returns when it answers. Done when it runs already, for
# the same hub.
launch_gateway() {
    local deadline=$((SECONDS + GATEWAY_SECONDS)) address hub
    address=$(engine_address) || return 1
    hub=http://$address:$(cat "$STATE/ports/hub")/hub/api
    if gateway_answers && [ "$(cat "$STATE/gateway.hub" 2>/dev/null)" = "$hub" ]; then return; fi
    stop_gateway
    printf '%s\n' "$hub" >"$STATE/gateway.hub"
    install --directory --mode=755 "$(demo_run)"
    DS01_DEMO=$STATE DS01_DEMO_GATEWAY=$STATE DS01_STATE_DIR=$STATE DS01_CONFIG_DIR=$STATE/config \
        DS01_RUN_DIR=$(demo_run) DS01_GATEWAY_SOCKET=$(demo_socket) JUPYTERHUB_API_URL=$hub \
        DS01_EXPORTER_URL=http://127.0.0.1:$(cat "$STATE/ports/exporter")/-/healthy \
        JUPYTERHUB_API_TOKEN=$(cat "$STATE/gateway-token") JUPYTERHUB_SERVICE_URL=$(gateway_url "$address") \
        ROOT=$ROOT setsid bash -c "$(declare -f keep_gateway); keep_gateway" \
        >>"$STATE/gateway.log" 2>&1 </dev/null 9>&- &
    printf '%s\n' "$!" >"$STATE/gateway.pid"
    until gateway_answers; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 20 "$STATE/gateway.log"
            stop_gateway
            return 1
        fi
        sleep 0.2
    done
}

# stop_gateway: first what starts it again; SIGKILL when that takes 10 s.
stop_gateway() {
    local pid waited=0
    pid=$(cat "$STATE/gateway.pid" 2>/dev/null) && gateway_processes | grep -qx "$pid" && kill "$pid"
    for pid in $(gateway_processes); do kill "$pid" 2>/dev/null || true; done
    while [ -n "$(gateway_processes)" ]; do
        if [ "$waited" -eq 100 ]; then
            for pid in $(gateway_processes); do kill -KILL "$pid" 2>/dev/null || true; done
        fi
        sleep 0.1
        waited=$((waited + 1))
    done
}

# launch_exporter: figures for Prometheus, on a loopback port; returns when it answers.
launch_exporter() {
    local deadline=$((SECONDS + EXPORTER_SECONDS)) address pid
    stop_exporter
    [ -e "$STATE/ports/exporter" ] || free_port >"$STATE/ports/exporter"  # a demo of an older release
    address=$(engine_address) || return 1
    DS01_DEMO=$STATE DS01_DEMO_EXPORTER=$STATE DS01_STATE_DIR=$STATE DS01_CONFIG_DIR=$STATE/config DS01_RUN_DIR=$(demo_run) \
        DS01_EXPORTER_PORT=$(cat "$STATE/ports/exporter") DS01_EXPORTER_OPEN=yes \
        JUPYTERHUB_API_URL=http://$address:$(cat "$STATE/ports/hub")/hub/api \
        setsid "$ROOT/.venv/bin/python" -m ds01_spawner.exporter >>"$STATE/exporter.log" 2>&1 </dev/null 9>&- &
    pid=$!
    until exporter_answers; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 20 "$STATE/exporter.log"
            stop_exporter
            return 1
        fi
        sleep 0.2
    done
}

# stop_exporter: SIGKILL when it takes 5 s.
stop_exporter() {
    local pid waited=0
    for pid in $(exporter_processes); do kill "$pid" 2>/dev/null || true; done
    while [ -n "$(exporter_processes)" ]; do
        if [ "$waited" -eq 50 ]; then
            for pid in $(exporter_processes); do kill -KILL "$pid" 2>/dev/null || true; done
        fi
        sleep 0.1
        waited=$((waited + 1))
    done
}

# remove_run: the rules for packets, what people mounted, and the socket's folder once nothing is
# mounted in it any more.
remove_run() {
    local run
    run=$(demo_run) || return 1
    [ -e "$STATE/instance-id" ] && [ -d "$run" ] || return 0
    "$ROOT/.venv/bin/python" - <<'PYTHON' || return 1
from ds01_spawner.adapters.staged_binds import KernelBindStage
from ds01_spawner.composition import open_platform

platform = open_platform(actor="demo")
platform.isolation.take_down()
stage = KernelBindStage(platform.directories.run)
for key in stage.keys():
    stage.clear(key)
PYTHON
    remove_folder "$run"
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

# made_things: volumes and networks of people with a Unix account, who came through the socket.
made_things() {
    local kind instance
    instance=$(cat "$STATE/instance-id" 2>/dev/null) || return 0
    for kind in volume network; do
        docker "$kind" ls --filter "label=ds01.instance=$instance" --format "$kind {{.Name}}"
    done
}

# remove_things: what was not there before the demo, unless somebody uses it.
remove_things() {
    local kind name
    { engine_things && made_things; } | sort --unique | grep -vxFf "$STATE/before" | while read -r kind name; do
        docker "$kind" rm "$name" || printf '%s %s is in use and stays\n' "$kind" "$name"
    done
    "$ROOT/.venv/bin/python" - <<'PYTHON' || printf 'cgroups of people stay: they are empty\n'
from ds01_spawner.composition import open_platform

raise SystemExit(not open_platform(actor="demo").cgroups.take_down())
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
    nothing_mounted "$STATE" || fail "$STATE is still there." "the lines above" "umount what they name; then script/demo --stop"
    if [ ! -e "$STATE/config" ] || diff -r "$STATE/config.first" "$STATE/config" >/dev/null 2>&1; then
        remove_folder "$STATE"
        say "Removed $STATE."
        return
    fi
    find "$STATE" -mindepth 1 -maxdepth 1 ! -name config ! -name config.first ! -name people \
        ! -name .ds01-demo -exec rm -rf --one-file-system {} +
    say "Emptied $STATE but for config/, which you have edited: a next demo there uses it."
}
