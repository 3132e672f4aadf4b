# shellcheck shell=sh
# Starts the SSH server of one connection, as whoever owns the container. SSH is on standard input
# and output; a line on standard error before it begins says why there is none.
# Arguments: the name that the person logs in with.
login=$1
folder=/run/ds01/ssh

refuse() {
    printf 'ds01: %s\n' "$1" >&2
    exit 1
}

uid=$(id -u)
[ "$uid" != 0 ] || refuse 'This container runs as root, and an SSH server that runs as root is not offered. Use: ds01 container attach.'

for sshd in /usr/sbin/sshd /usr/local/sbin/sshd /sbin/sshd ''; do
    [ ! -x "$sshd" ] || break
done
[ -n "$sshd" ] || refuse 'The image of this container has no SSH server. It needs the packages openssh-server and libnss-extrausers: see ds01 ssh --info.'

entry=$(getent passwd "$login" 2>/dev/null)
entry=${entry#*:*:}
[ "${entry%%:*}" = "$uid" ] || refuse "The image of this container does not know $login (uid $uid). It needs the package libnss-extrausers: see ds01 ssh --info."

# sshd forgets the environment; session.sh takes it up again. In memory, and for this uid alone:
# there may be tokens in it. All sessions of a container have the same.
kept=/dev/shm/ds01-ssh-$uid-${DS01_CONTAINER:-$(hostname)}
umask 077
[ -d "$kept" ] || mkdir "$kept" 2>/dev/null
# shellcheck disable=SC3067 # dash, bash and busybox all know -O
[ -d "$kept" ] && [ -O "$kept" ] && [ ! -L "$kept" ] || refuse "$kept is not yours, or cannot be made: is /dev/shm full?"
if [ ! -f "$kept/environment" ]; then
    if ! export -p >"$kept/$$" || ! mv -f "$kept/$$" "$kept/environment"; then
        rm -f "$kept/$$"
        refuse "The environment cannot be kept in $kept: is /dev/shm full?"
    fi
fi
umask 022

# Not exec: sshd -i closes its standard input, so that the platform would take it for a health check.
"$sshd" -i -e -f "$folder/sshd_config" \
    -o "ForceCommand=/bin/sh $folder/session.sh $kept/environment"
exit "$?"
