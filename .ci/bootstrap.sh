# shellcheck shell=sh
# Makes the checkout's own virtual environment, once. Sourced by ./run and ./test, which set $root before.
#
# What always holds: the stamp is written last, so a set-up that was cut short is never believed; one set-up
# at a time works on an environment; when everything is in place, no Python and no pip is started.

# Raised when this file makes environments differently, so that older ones are made anew.
bootstrap_format=1

say() {
    printf 'tsudoi: %s\n' "$*" >&2
}

fail() {
    status=$1
    shift
    say "$*"
    exit "$status"
}

# ensure_environment NAME LOCK SECONDS: on return, $root/NAME holds exactly the packages of $root/LOCK.
ensure_environment() {
    environment=$root/$1
    lock=$root/$2
    # Another project's packages must not stand before our own.
    unset PYTHONPATH PYTHONHOME
    is_ready && return 0
    choose_python
    mkdir -p "$root/.cache" || fail 1 "cannot write to $root, so nothing can be set up there"
    hold_lock "$root/.cache/$1.lock"
    if ! is_ready; then
        say "Setting up (once, about $3 s) …"
        set_up
    fi
    release_lock
}

# True if the stamp tells of this place, this interpreter and this very lock.
is_ready() {
    [ -x "$environment/bin/python" ] && [ -r "$environment/.stamp" ] || return 1
    {
        IFS= read -r stamp_format
        IFS= read -r stamp_root
        IFS= read -r stamp_python
        IFS= read -r stamp_wish
    } <"$environment/.stamp" || return 1
    [ "$stamp_format" = "$bootstrap_format" ] || return 1
    [ "$stamp_root" = "$root" ] || return 1
    [ "$stamp_python" = "$(readlink -f "$environment/bin/python")" ] || return 1
    [ "${TSUDOI_PYTHON:-$stamp_wish}" = "$stamp_wish" ] || return 1
    cmp -s "$lock" "$environment/.lock"
}

# Sets $python to the first interpreter that is new enough and has a pip that can install elsewhere.
choose_python() {
    probe='
import sys
if sys.version_info < (3, 11):
    print("old %d.%d" % sys.version_info[:2])
    sys.exit()
try:
    import pip, venv
    able = tuple(int(part) for part in pip.__version__.split(".")[:2]) >= (22, 3)
except (ImportError, ValueError):
    able = False
print("fit" if able else "pip")
'
    without_pip='' too_old=''
    set -- python3.14 python3.13 python3.12 python3.11 python3
    [ -z "${TSUDOI_PYTHON:-}" ] || set -- "$TSUDOI_PYTHON"
    for python in "$@"; do
        # A shim may be on PATH for a version that is not installed: what does not answer, does not count.
        case $("$python" -c "$probe" 2>/dev/null) in
            fit) return 0 ;;
            pip) without_pip=${without_pip:-$python} ;;
            old*) too_old=${too_old:-$python} ;;
        esac
    done
    if [ -n "$without_pip" ]; then
        fail 2 "$without_pip has no usable pip (22.3 or newer); install it, on Debian: apt install python3-pip"
    elif [ -n "$too_old" ]; then
        fail 2 "$too_old is older than Python 3.11; install a newer one, or name it in TSUDOI_PYTHON"
    elif [ -n "${TSUDOI_PYTHON:-}" ]; then
        fail 2 "TSUDOI_PYTHON is $TSUDOI_PYTHON, but no Python answers there; install Python 3.11 or newer"
    fi
    fail 2 "Python 3.11 or newer is missing; install it, on Debian: apt install python3 python3-pip"
}

# Builds the environment in place (its scripts hold its path) and believes in it only at the end.
set_up() {
    # The stamp goes first: half an environment must not look like a whole one.
    rm -f "$environment/.stamp"
    rm -rf "$environment" || fail 1 "cannot replace $environment"
    "$python" -m venv --without-pip "$environment" || fail 1 "cannot make $environment with $python"
    if ! (only_our_pip_settings && install_packages); then
        fail 1 "the set-up did not finish; run the same command again to start it anew"
    fi
    for packages in "$environment"/lib/python3.*/site-packages; do
        printf '%s\n' "$root" >"$packages/tsudoi.pth"
    done
    cat >"$environment/bin/tsudoi" <<'LAUNCHER'
#!/bin/sh
self=$(readlink -f -- "$0") || exit 1
exec "${self%/*}/python" -P -m gateway.cli "$@"
LAUNCHER
    chmod +x "$environment/bin/tsudoi"
    cp "$lock" "$environment/.lock"
    printf '%s\n' "$bootstrap_format" "$root" "$(readlink -f "$environment/bin/python")" \
        "${TSUDOI_PYTHON:-}" >"$environment/.stamp.new"
    mv "$environment/.stamp.new" "$environment/.stamp"
}

install_packages() {
    set -- install --quiet --no-input --disable-pip-version-check --no-warn-script-location \
        --require-hashes --only-binary :all: -r "$lock"
    [ -z "${WHEELHOUSE:-}" ] || set -- "$@" --no-index --find-links "$WHEELHOUSE"
    "$python" -m pip --python "$environment/bin/python" "$@"
}

# Keeps of pip's variables and files only what says where packages are and how to get there. Anything else
# (a target, a constraint, "user = true") could put packages where this environment does not look.
only_our_pip_settings() {
    settings=$("$python" -m pip config list 2>/dev/null) || settings=''
    for name in $(env | sed -n 's/^\(PIP_[A-Z0-9_]*\)=.*/\1/p'); do
        unset "$name"
    done
    # Variables come last, because they win over files.
    settings=$(
        printf '%s\n' "$settings" | sed '/^:env:/d'
        printf '%s\n' "$settings" | sed -n '/^:env:/p'
    )
    while IFS='=' read -r key value; do
        key=${key##*.}
        case $key in
            index-url | extra-index-url | find-links | no-index | trusted-host | cert | client-cert | proxy) ;;
            timeout | default-timeout | retries | cache-dir | no-cache-dir | keyring-provider) ;;
            *) continue ;;
        esac
        # The values come as Python literals; several of them stand on lines of their own.
        value=$(printf '%s\n' "$value" | sed -e 's/^.//' -e 's/.$//' -e 's/\\n/ /g')
        export "PIP_$(printf '%s' "$key" | tr 'a-z-' 'A-Z_')=$value"
    done <<SETTINGS
$settings
SETTINGS
    export PIP_CONFIG_FILE=/dev/null
}

# Waits for the lock FILE. A killed holder leaves nothing behind: flock's lock dies with its processes, and
# without flock a directory stands for the lock, which is taken over once its process is gone.
hold_lock() {
    lock_file=$1
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$lock_file"
        flock -n 9 && return 0
        say "Another set-up is under way; waiting for it …"
        flock 9 || fail 1 "cannot lock $lock_file"
        return 0
    fi
    waited_s=0
    until mkdir "$lock_file.d" 2>/dev/null; do
        take_over && break
        [ "$waited_s" -ne 0 ] || say "Another set-up is under way; waiting for it ($lock_file.d) …"
        sleep 1
        waited_s=$((waited_s + 1))
    done
    echo $$ >"$lock_file.d/pid"
}

# True if the lock directory's process is gone and nobody else was quicker to inherit.
take_over() {
    holder=$(cat "$lock_file.d/pid" 2>/dev/null) || holder=''
    if [ -z "$holder" ]; then
        # Its maker is about to write the number, or died before it could.
        [ "$waited_s" -gt 10 ] || return 1
    elif kill -0 "$holder" 2>/dev/null || [ -d "/proc/$holder" ]; then
        return 1
    fi
    mkdir "$lock_file.d/after-${holder:-nobody}" 2>/dev/null
}

release_lock() {
    if [ -d "$lock_file.d" ]; then
        rm -rf "$lock_file.d"
    else
        # The server must not inherit the lock.
        exec 9>&-
    fi
}
