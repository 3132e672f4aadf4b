# Interactive shells. A uid without a passwd entry has no \u, so the prompt takes the hub's name.
[ -z "$PS1" ] && return
shopt -s checkwinsize
PS1='${JUPYTERHUB_USER:-\u}@\h:\w\$ '
case ":$PATH:" in
    *":$HOME/.local/bin:"*) ;;
    *) PATH="$HOME/.local/bin:$PATH" ;;
esac
