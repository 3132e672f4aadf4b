# What comes from apt, PyPI and npm.
# shellcheck shell=bash

SERVICE_POLICY=/usr/sbin/policy-rc.d
APT_NEXT="Check that apt works by hand: apt-get update"

is_installed() {
    dpkg-query --show --showformat '${Status}\n' "$1" 2>/dev/null |
        grep -q '^install ok installed'
}

# want_packages NAME...: installs those that dpkg does not know as installed.
want_packages() {
    local name missing=()
    for name in "$@"; do
        is_installed "$name" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail \
        "The packages ${missing[*]} are missing." \
        "This machine has no apt-get; the scripts know Debian and Ubuntu." \
        "Install them your way and run the script again."
    if [ -z "${APT_UPDATED:-}" ]; then
        step "Fetching the package lists" "$APT_NEXT" apt-get update
        APT_UPDATED=1
    fi
    DEBIAN_FRONTEND=noninteractive step "Installing ${missing[*]} with apt" "$APT_NEXT" \
        apt-get install --yes --no-install-recommends "${missing[@]}"
}

# want_programs NAME...: as want_packages, for the programs in them: services of those that were
# missing are neither started nor enabled. One that somebody installed before is left as it is.
want_programs() {
    local name missing=()
    for name in "$@"; do
        is_installed "$name" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Installing ${missing[*]} for their programs: their services stay off."
    # https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
    if [ ! -e "$SERVICE_POLICY" ]; then
        trap 'rm -f "$SERVICE_POLICY"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$SERVICE_POLICY"
        chmod 755 "$SERVICE_POLICY"
        want_packages "${missing[@]}"
        rm -f "$SERVICE_POLICY"
        trap - EXIT
    else
        want_packages "${missing[@]}"
    fi
    ! runs_systemd || systemctl disable --now --quiet "${missing[@]}"
}

# want_browser: Chromium for the browser tests; Debian has it without the windows that nobody sees
# there, which spares a third of the work. Ubuntu has it as a snap only.
want_browser() {
    if ! grep -q '^ID=ubuntu' /etc/os-release; then
        want_packages chromium-headless-shell
    elif command -v chromium >/dev/null; then
        return
    elif apt-cache show chromium >/dev/null 2>&1; then
        want_packages chromium
    else
        say "Chromium is not installed and Ubuntu has no package of it: snap install chromium"
    fi
}

# want_axe: axe-core, with which the browser tests look at pages.
want_axe() {
    if "$ROOT/script/vendor" --test --check >/dev/null 2>&1; then
        there "axe-core"
        return
    fi
    step "Fetching axe-core with npm" \
        "Check that npm reaches its registry: npm view axe-core version" \
        "$ROOT/script/vendor" --test
}

# The newest interpreter from 3.11 on that can make a virtual environment.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
            >/dev/null 2>&1 && command -v "$name" && return 0
    done
    return 1
}

want_python() {
    PYTHON=$(find_python) && return
    local version
    version=$(python3 -c 'import sys; print("%d%02d" % sys.version_info[:2])' 2>/dev/null || echo 311)
    if [ "$version" -ge 311 ] || grep -q '^VERSION_CODENAME=bookworm' /etc/os-release; then
        want_packages python3 python3-venv
    else
        want_packages python3.11 python3.11-venv
    fi
    PYTHON=$(find_python) || fail \
        "No Python from 3.11 on with its venv module was found." \
        "The distribution's python3 is older." \
        "Install Python 3.11 or newer and run the script again."
}

# want_environment EXTRAS: .venv with this checkout. `dev` has all that others have, and stays.
want_environment() {
    local stamp=$ROOT/.venv/.ds01-installed extras=$1 hash had
    hash=$(sha256sum "$ROOT/pyproject.toml" | cut -d ' ' -f 1)
    had=$(cat "$stamp" 2>/dev/null || true)
    [ "${had#* }" != dev ] || extras=dev
    if [ "$had" = "$hash $extras" ] && \
        "$ROOT/.venv/bin/python" -c "import ds01_spawner, jupyterhub" 2>/dev/null; then
        there "Python environment .venv"
        return
    fi
    if ! "$ROOT/.venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
        want_python
        step "Making the Python environment .venv with $PYTHON" \
            "Remove .venv and run the script again." "$PYTHON" -m venv --clear "$ROOT/.venv"
    fi
    step "Installing this checkout into .venv, with its extras $extras" \
        "Check that pip reaches its index: .venv/bin/pip download --no-deps -d /tmp jupyterhub" \
        "$ROOT/.venv/bin/python" -m pip install --quiet --editable "${ROOT}[$extras]"
    printf '%s %s\n' "$hash" "$extras" >"$stamp"
}

# want_proxy: JupyterHub's proxy, from npm, inside .venv so that nothing global is touched.
want_proxy() {
    local prefix=$ROOT/.venv/lib/node program major wanted
    program=$prefix/node_modules/.bin/configurable-http-proxy
    if "$program" --version >/dev/null 2>&1; then
        there "configurable-http-proxy"
    else
        command -v node >/dev/null || want_packages nodejs
        command -v npm >/dev/null || want_packages npm
        major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
        # The releases' own `engines` fields.
        if [ "$major" -ge 20 ]; then
            wanted=^5.3
        elif [ "$major" -ge 18 ]; then
            wanted=~5.1
        else
            wanted=^4.6
        fi
        mkdir -p "$prefix"
        step "Installing configurable-http-proxy $wanted with npm" \
            "Check that npm reaches its registry: npm view configurable-http-proxy version" \
            npm install --prefix "$prefix" --no-audit --no-fund --no-package-lock \
            "configurable-http-proxy@$wanted"
    fi
    ln -sfn ../lib/node/node_modules/.bin/configurable-http-proxy \
        "$ROOT/.venv/bin/configurable-http-proxy"
}
