# Base and starter images: pulled or made from packages, and rebuilt when their recipe changes.
# shellcheck shell=bash

BASE_TAG=ds01/base:bookworm
STARTER_TAG=${DS01_STARTER_TAG:-ds01/starter:latest}
STARTER_SERVER_TAG=${STARTER_TAG%:*}-server:${STARTER_TAG##*:}
PLAIN_TAG=ds01/plain:latest
HASH_LABEL=org.opencontainers.image.revision
BUILD_STAGE='org.opencontainers.image.title=DS01 build stage'
DEBIAN_MIRROR=${DS01_DEBIAN_MIRROR:-http://deb.debian.org/debian}

image_hash() { docker image inspect --format "{{index .Config.Labels \"$HASH_LABEL\"}}" "$1" 2>/dev/null; }

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# registry_answers: a quick question, because a pull through a closed firewall hangs for minutes.
registry_answers() {
    [ -n "$(docker info --format '{{range .RegistryConfig.Mirrors}}{{.}}{{end}}' 2>/dev/null)" ] ||
        curl --silent --output /dev/null --max-time 5 https://registry-1.docker.io/v2/
}

pull_base() { registry_answers && timeout 300 docker pull --quiet "$1" && docker tag "$1" "$BASE_TAG"; }

# make_base: what debian:bookworm-slim holds, from Debian's packages alone.
make_base() (
    set -e
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    root=$folder/root
    mkdir -p "$root/etc/dpkg/dpkg.cfg.d" "$root/etc/apt/apt.conf.d"
    printf 'path-exclude /usr/share/%s/*\n' doc info locale man >"$root/etc/dpkg/dpkg.cfg.d/slim"
    debootstrap --variant=minbase bookworm "$root" "$DEBIAN_MIRROR"
    printf 'Apt::AutoRemove::SuggestsImportant "false";\nDir::Cache { pkgcache ""; srcpkgcache ""; }\n' \
        >"$root/etc/apt/apt.conf.d/slim"
    {
        printf 'deb %s %s main\n' "$DEBIAN_MIRROR" bookworm "$DEBIAN_MIRROR" bookworm-updates
        printf 'deb %s bookworm-security main\n' "${DEBIAN_MIRROR%/debian}/debian-security"
    } >"$root/etc/apt/sources.list"
    rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/*.log \
        "$root"/usr/share/{doc,info,locale,man}/*
    tar -C "$root" -c . | docker import \
        --change 'CMD ["bash"]' \
        --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'LABEL org.opencontainers.image.title="Debian bookworm, minimal"' - "$BASE_TAG"
)

want_base_image() {
    if has_image "$BASE_TAG"; then
        there "Base image $BASE_TAG"
        return
    fi
    want_packages curl
    printf 'Asking the registry for debian:bookworm-slim ... '
    if pull_base debian:bookworm-slim >>"$LOG" 2>&1; then
        say "pulled, tagged $BASE_TAG"
        return
    fi
    say "no answer; making the same from Debian's packages"
    want_packages debootstrap
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || want_packages debian-archive-keyring
    step "Making $BASE_TAG with debootstrap" \
        "Check that $DEBIAN_MIRROR is reached, or name another mirror in DS01_DEBIAN_MIRROR." make_base
}

# host_settings FOLDER: the host's CA bundle and pip settings, for a build stage that is not kept.
host_settings() {
    local bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt} key value
    mkdir -p "$1"
    {
        printf '[global]\n'
        if [ -r "$bundle" ]; then
            cp "$bundle" "$1/ca.crt"
            printf 'cert = /run/host/ca.crt\n'
        fi
        # Files of the host do not exist in the build, so only settings that are addresses go along.
        "$ROOT/.venv/bin/pip" config list 2>/dev/null | while IFS='=' read -r key value; do
            value=$("$ROOT/.venv/bin/python" -c \
                'import ast, sys; print(*(w for w in ast.literal_eval(sys.argv[1]).split() if not w.startswith("file:")))' \
                "$value")
            case ${key##*.} in
                index-url | extra-index-url | trusted-host | proxy | timeout | default-timeout)
                    [ -z "$value" ] || printf '%s = %s\n' "${key##*.}" "$value"
                    ;;
            esac
        done | tac | awk '!seen[$1]++'
    } >"$1/pip.conf"
}

# has_clients RECIPE: whether the image has what notebooks and terminals use of this checkout.
has_clients() { grep -q '^COPY ds01/' "$ROOT/hub_config/images/$1/Dockerfile"; }

# build_image RECIPE TAG HASH BASE
build_image() (
    set -e
    context=$(mktemp -d)
    trap 'rm -rf "$context"' EXIT
    cp -R "$ROOT/hub_config/images/$1/." "$context"
    find "$context" -name __pycache__ -prune -exec rm -rf {} +
    host_settings "$context/host"
    ! has_clients "$1" ||
        "$ROOT/.venv/bin/pip" wheel --quiet --no-deps --wheel-dir "$context/ds01" "$ROOT"
    # What is copied into an image is for everybody, whatever umask this checkout was made with.
    chmod -R u=rwX,go=rX "$context"
    # Newer clients build with buildx or, where it is missing, only when told to use the classic
    # builder. The recipes need nothing that either lacks.
    if docker buildx version >/dev/null 2>&1; then
        export BUILDX_BUILDER=default
    else
        export DOCKER_BUILDKIT=0
    fi
    proxies=()
    for name in http_proxy https_proxy no_proxy; do
        [ -z "${!name:-}" ] || proxies+=(--build-arg "$name")
    done
    docker build --network host --force-rm "${proxies[@]}" --build-arg "BASE=$4" \
        --label "$HASH_LABEL=$3" --tag "$2" "$context"
    # The classic builder keeps the stage that saw the host's settings.
    docker image prune --force --filter "label=$BUILD_STAGE"
)

# recipe_hash RECIPE BASE: of the content, name and executable bit of each file, of the base, and of
# what is in the wheel where the image has one.
recipe_hash() {
    {
        ! has_clients "$1" || (
            cd "$ROOT" || exit
            find pyproject.toml README.md LICENSE ds01_spawner cli/ds01_cli widgets \
                -name __pycache__ -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        )
        (
            cd "$ROOT/hub_config/images/$1" || exit
            find . -name __pycache__ -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
            find . -name __pycache__ -prune -o -type f -perm /u+x -print | LC_ALL=C sort
        )
        docker image inspect --format '{{.Id}}' "$2"
    } | sha256sum | cut -c 1-16
}

# want_image RECIPE TAG [BASE]: built unless the recipe and the base are those it was built from.
want_image() {
    local hash base=${3:-$BASE_TAG}
    hash=$(recipe_hash "$1" "$base")
    if [ "$(image_hash "$2")" = "$hash" ]; then
        there "Image $2"
        return
    fi
    local previous
    previous=$(docker image inspect --format '{{.Id}}' "$2" 2>/dev/null || true)
    step "Building the image $2" \
        "Check that pip and apt reach their servers from a build: docs/images.md" \
        build_image "$1" "$2" "$hash" "$base"
    # Goes by itself unless a container still uses it. An id takes the image's last name with it.
    if [ "$(docker image inspect --format '{{len .RepoTags}}' "$previous" 2>/dev/null)" = 0 ]; then
        docker image rm "$previous" >>"$LOG" 2>&1 || true
    fi
}
