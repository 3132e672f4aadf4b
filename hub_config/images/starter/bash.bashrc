# Interactive shells. A uid without a passwd entry has no \u, so the prompt takes the hub's name.
[ -z "$PS1" ] && return
shopt -s checkwinsize
PS1='${JUPYTERHUB_USER:-\u}@\h:\w\$ '
case ":$PATH:" in
    *":$HOME/.local/bin:"*) ;;
    *) PATH="$HOME/.local/bin:$PATH" ;;
esac

# What DS01 has to tell, such as that this server is stopped soon. No more than 4 KiB, and of the
# control characters only line end and tab. No other program is started for it.
ds01_banner() {
    local LC_ALL=C file="/run/ds01/$DS01_CONTAINER.txt" text=
    [ -s "$file" ] && [ -r "$file" ] || return 0
    IFS= read -r -d '' -n 4096 text <"$file"
    text=${text//[$'\x01'-$'\x08'$'\x0b'-$'\x1f'$'\x7f']/}
    # Terminals take the bytes C2 80 to C2 9F for control characters, too.
    text=${text//$'\xc2'[$'\x80'-$'\x9f']/?}
    [ -z "${text//[[:space:]]/}" ] || printf '\n%s\n\n' "${text%$'\n'}"
}
[ -z "$DS01_CONTAINER" ] || ds01_banner 2>/dev/null
unset -f ds01_banner
