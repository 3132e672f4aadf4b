# Which folders root may work in, and how they go: nothing in them is somebody else's, or mounted.
# shellcheck shell=bash
# STATE and ROOT are set by script/demo.

NEXT_STATE="Name a folder that only root can change: script/demo --state /var/lib/ds01-demo"

# check_state: fails unless nobody but root can change the state folder, or what is on the way to
# it: whose that is could put links where the demo writes, and name folders that it removes. Whoever
# has the checkout can change this script anyway, so of that only what is in it counts.
check_state() {
    local each=$STATE owner keeper
    keeper=$(stat --format=%u "$ROOT")
    while [ "$each" != / ] && [ "$each" != "$ROOT" ]; do
        if [ -e "$each" ]; then
            owner=$(stat --format=%u "$each")
            [ "$owner" -eq 0 ] || { [ "$each" != "$STATE" ] && [ "$owner" -eq "$keeper" ]; } || fail \
                "$STATE cannot be the demo's state folder." \
                "$each belongs to $(stat --format=%U "$each"), who could change what root does there." "$NEXT_STATE"
            ! others_write "$each" || fail "$STATE cannot be the demo's state folder." \
                "Others may write to $each." "$NEXT_STATE"
        fi
        each=$(dirname "$each")
    done
    [ ! -e "$STATE" ] || [ -d "$STATE" ] || fail "$STATE is not a folder." "" "$NEXT_STATE"
    [ -z "$(links_in_state)" ] || fail "$STATE cannot be the demo's state folder." \
        "A link is in it: $(links_in_state)" "$NEXT_STATE"
    demo_port >/dev/null || fail "$STATE cannot be the demo's state folder." \
        "Its file port holds no number." "$NEXT_STATE"
}

# others_write FOLDER: and may put things there in the place of root's. Of a folder such as /tmp
# people remove their own things alone; the state folder itself is nobody's to write to.
others_write() {
    local mode group
    mode=$((8#$(stat --format=%a "$1")))
    group=$(stat --format=%g "$1")
    if [ "$1" != "$STATE" ] && [ $((mode & 8#1000)) -ne 0 ]; then return 1; fi
    [ $((mode & 8#002)) -ne 0 ] || { [ $((mode & 8#020)) -ne 0 ] && [ "$group" -ne 0 ]; }
}

links_in_state() {
    [ ! -d "$STATE" ] || find "$STATE" -mindepth 1 -maxdepth 1 -type l -print -quit
}

# demo_port: what the folders of this demo outside the state folder are called after.
demo_port() {
    local port=none
    [ ! -e "$STATE/port" ] || port=$(cat "$STATE/port")
    case $port in
        none) ;;
        '' | *[!0-9]*) return 1 ;;
    esac
    printf '%s\n' "$port"
}

# nothing_mounted FOLDER: what is mounted in a folder may be somebody's home, and goes with it. That
# rm has --one-file-system is no help: a home may be on the same one.
nothing_mounted() {
    local mounted
    mounted=$(awk -v folder="$1" '$5 == folder || index($5, folder "/") == 1 { print $5 }' /proc/self/mountinfo)
    [ -z "$mounted" ] || {
        printf 'Nothing of %s was removed. Still mounted in it:\n%s\n' "$1" "$mounted"
        return 1
    }
}

remove_folder() { nothing_mounted "$1" && rm --recursive --force --one-file-system -- "$1"; }
