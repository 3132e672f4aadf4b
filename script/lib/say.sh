# How the scripts speak: plain sentences, the time of each step, and errors with a next step.
# shellcheck shell=bash

# A command that nobody expected to fail ends the script; it should not do so in silence.
set -E
# shellcheck disable=SC2016 # it is said when that happens
ON_ERROR='printf "\nerror: %s stopped at line %d of %s: %s\n" "$0" "$LINENO" "${BASH_SOURCE[0]}" "$BASH_COMMAND" >&2'
# shellcheck disable=SC2064 # the text, as it stands there
trap "$ON_ERROR" ERR

say() { printf '%s\n' "$*"; }

# fail WHAT WHY NEXT: says all three and ends the script.
fail() {
    printf '\nerror: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf '  why:  %s\n' "$2" >&2
    [ -z "${3:-}" ] || printf '  next: %s\n' "$3" >&2
    exit 1
}

# step SENTENCE NEXT COMMAND...: runs the command with its output in $LOG and says how long it
# took. When it fails, the end of that output and NEXT are shown.
step() {
    local sentence=$1 next=$2 begin=$SECONDS mark rc
    shift 2
    printf '%s ... ' "$sentence"
    mkdir -p "$(dirname "$LOG")"
    touch "$LOG"
    mark=$(wc -c <"$LOG")
    printf '\n--- %s: %s\n' "$(date '+%F %T')" "$sentence" >>"$LOG"
    # Not `"$@" || rc=$?`: bash would ignore errors inside of it, even below a `set -e` there.
    set +e
    trap - ERR
    "$@" >>"$LOG" 2>&1 </dev/null
    rc=$?
    # shellcheck disable=SC2064
    trap "$ON_ERROR" ERR
    set -e
    if [ "$rc" -ne 0 ]; then
        printf 'failed after %d s\n' $((SECONDS - begin))
        tail -c "+$((mark + 1))" "$LOG" | tail -n 25 | sed 's/^/    /' >&2
        fail "$sentence did not work (exit status $rc)." "the lines above, from $LOG" "$next"
    fi
    printf '%d s\n' $((SECONDS - begin))
}

# there SENTENCE: says that something needs no work.
there() { printf '%s ... already there\n' "$1"; }

need_root() {
    [ "$(id -u)" -eq 0 ] || fail \
        "$1 needs root." \
        "It installs packages and talks to the container engine; you are $(id -un)." \
        "sudo $1"
}

is_ci() { [ "${CI:-}" = true ]; }
