# shellcheck shell=sh
# What each SSH session runs first: it takes up the container's environment, which sshd forgot, and
# goes on with what was asked for, or with a shell.
# Arguments: the file with the environment.
terminal=${TERM-}
# shellcheck source=/dev/null
. "$1"
[ -z "$terminal" ] || export TERM="$terminal"
unset terminal

# Debian's /etc/profile sets PATH anew; profile.d/ds01.sh of our images puts this one back.
export DS01_PATH="$PATH"

if [ ! -x "${SHELL-}" ]; then
    SHELL=/bin/sh
    [ ! -x /bin/bash ] || SHELL=/bin/bash
    export SHELL
fi

# Editors keep what they need at home; a container that has none gets one for its lifetime.
if [ ! -d "${HOME-}" ]; then
    HOME=/tmp/home-$(id -u)
    mkdir -m 700 "$HOME" 2>/dev/null
    export HOME
fi
cd "$HOME" 2>/dev/null || cd /

if [ -z "${SSH_ORIGINAL_COMMAND+asked}" ]; then
    exec "$SHELL" -l
fi
asked=$SSH_ORIGINAL_COMMAND
unset SSH_ORIGINAL_COMMAND
if [ "$asked" = internal-sftp ]; then
    for server in /usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh /usr/libexec; do
        [ ! -x "$server/sftp-server" ] || exec "$server/sftp-server"
    done
    echo 'ds01: The image of this container has no sftp-server. Use: scp -O.' >&2
    exit 127
fi
exec "$SHELL" -c "$asked"
