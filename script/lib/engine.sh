# The Docker engine: found, started, and given a stand-in for NVIDIA's hook where tests need it.
# shellcheck shell=bash

export DOCKER_HOST=unix:///var/run/docker.sock
ENGINE_LOG=/var/log/ds01/dockerd.log
# Outside the checkout: the engine looks the hook up again at every start of a container.
STUB_DIR=/var/lib/ds01/stubs
STUB_DROP_IN=/etc/systemd/system/docker.service.d/ds01-test-stub.conf
HOOK=nvidia-container-runtime-hook

engine_answers() { timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

runs_systemd() { [ -d /run/systemd/system ]; }

# engine_pid: the process id of dockerd, or nothing when it does not run.
engine_pid() {
    local pid
    pid=$(cat /var/run/docker.pid 2>/dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] && printf '%s\n' "$pid"
}

# engine_variable NAME: a variable of the running dockerd's environment.
engine_variable() {
    local pid
    pid=$(engine_pid) || return 1
    tr '\0' '\n' <"/proc/$pid/environ" | sed -n "s/^$1=//p"
}

started_by_script() { [ "$(engine_variable DS01_ENGINE)" = script ]; }

# engine_has_gpu_driver: dockerd registers it when the hook is on its PATH.
engine_has_gpu_driver() {
    local path=
    path=$(engine_variable PATH) || return 1
    PATH=$path command -v "$HOOK" >/dev/null
}

engine_is_empty() { [ -z "$(docker ps --quiet)" ]; }

# engine_address: this machine as containers see it. The engine's own bridge has the first address
# of its subnet unless it says otherwise, which Docker 20.10 does not always do.
engine_address() {
    docker network inspect bridge \
        --format '{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}}{{"\n"}}{{end}}' |
        "$ROOT/.venv/bin/python" -c '
import ipaddress, sys
subnet, *gateway = next(line for line in sys.stdin if ":" not in line).split()
print(*gateway or [next(ipaddress.ip_network(subnet).hosts())])'
}

# launch_engine PATH: dockerd in a session of its own, so that it outlives this script.
launch_engine() {
    local launched waited=0
    mkdir -p "$(dirname "$ENGINE_LOG")"
    if ! grep -q ' cgroup2\? ' /proc/mounts; then
        mkdir -p /sys/fs/cgroup
        cgroupfs-mount
    fi
    PATH=$1 DS01_ENGINE=script setsid dockerd >>"$ENGINE_LOG" 2>&1 </dev/null &
    launched=$!
    until engine_answers; do
        if ! kill -0 "$launched" 2>/dev/null || [ "$waited" -ge 120 ]; then
            tail -n 15 "$ENGINE_LOG"
            return 1
        fi
        sleep 0.5
        waited=$((waited + 1))
    done
}

start_engine() {
    local path=$PATH
    if runs_systemd; then
        step "Starting the Docker service" "systemctl status docker" systemctl enable --now docker
        return
    fi
    [ -z "${1:-}" ] || path=$1:$PATH
    grep -q ' cgroup2\? ' /proc/mounts || want_packages cgroupfs-mount
    step "Starting dockerd (no service manager runs it); its log is $ENGINE_LOG" \
        "Read $ENGINE_LOG; in a container, dockerd needs --privileged." launch_engine "$path"
}

stop_engine() {
    local pid waited=0
    pid=$(engine_pid) || return 0
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        [ "$waited" -lt 300 ] || return 1
        sleep 0.1
        waited=$((waited + 1))
    done
}

# want_engine: an engine that answers. Sets ENGINE_STARTED when this call started it.
want_engine() {
    if engine_answers; then
        there "Docker engine $(docker version --format '{{.Server.Version}}')"
        return
    fi
    command -v dockerd >/dev/null || want_packages docker.io iptables
    if engine_pid >/dev/null; then
        fail "The Docker engine runs (process $(engine_pid)) and does not answer." \
            "It did not say its version within 10 seconds." "Restart it and run the script again."
    fi
    engine_answers || start_engine "${1:-}"
    # Read by script/demo, which stops what it started.
    # shellcheck disable=SC2034
    ENGINE_STARTED=1
}

# want_engine_for_tests: an engine with a GPU driver, so that device requests take the real path.
want_engine_for_tests() {
    if command -v "$HOOK" >/dev/null; then
        want_engine
        return
    fi
    mkdir -p "$STUB_DIR"
    cp "$ROOT/tests/stubs/$HOOK" "$STUB_DIR/$HOOK"
    want_engine "$STUB_DIR"
    if engine_has_gpu_driver; then
        there "A GPU driver in the engine, real or stubbed"
        return
    fi
    local reason="Tests request GPUs by UUID and the engine has no GPU driver."
    engine_is_empty || fail "The Docker engine must be restarted for tests, and containers run." \
        "$reason" "Stop the containers (docker ps) and run the script again."
    if runs_systemd; then
        say "Tests need a stand-in for NVIDIA's hook on the engine's PATH."
        say "Adding $STUB_DROP_IN; to undo: rm it, systemctl daemon-reload, restart docker."
        mkdir -p "$(dirname "$STUB_DROP_IN")"
        printf '[Service]\nEnvironment=PATH=%s:%s\n' "$STUB_DIR" \
            /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin >"$STUB_DROP_IN"
        step "Restarting the Docker service" "systemctl status docker" \
            sh -c 'systemctl daemon-reload && systemctl restart docker'
    elif started_by_script; then
        step "Stopping dockerd, which runs without the stand-in for NVIDIA's hook" \
            "Read $ENGINE_LOG" stop_engine
        start_engine "$STUB_DIR"
    else
        fail "The Docker engine must be restarted for tests, and not by this script." \
            "$reason It was started by hand, so its options are not known here." \
            "Stop it and run the script again, or restart it with $STUB_DIR first on its PATH."
    fi
}
