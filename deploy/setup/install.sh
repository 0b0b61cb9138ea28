# Read by install-edge.sh and install-cloud.sh, which say `program`, `account` and `settings` (the name of its file).
#
# A version has a folder of its own, complete or not used: /opt/vendlink/edge/VERSION-DIGEST, of which
# /opt/vendlink/edge/current is one. Changing over is one rename, so a power cut leaves the old version or the new one.
# The one before is kept.
umask 022
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
root="" wheels=""
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say() { echo "$@" >&2; }
fail() {
    say "$0: $*"
    exit 1
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --wheels | --root)
            [ $# -gt 1 ] && [ -n "$2" ] || fail "$1 needs a folder"
            [ -d "$2" ] || fail "$1 $2: there is no such folder"
            [ "$1" = --wheels ] && wheels=$(cd "$2" && pwd) || root=$(cd "$2" && pwd)
            shift 2
            ;;
        *)
            say "usage: [PYTHON=/path/to/python3] sh $0 [--wheels DIR] [--root DIR]"
            say "  --wheels DIR   what wheels.sh made; no network is needed then"
            say "  --root DIR     install into this folder as if it were /, such as a card's file system"
            exit 2
            ;;
        esac
    done
    [ "$root" != / ] || root=""
    home=$root/opt/vendlink/$program
}

check() {
    [ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "only root can install; say: sudo sh $0"
    command -v "$python" >/dev/null || fail "there is no $python: apt-get install python3 python3-venv"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" -V 2>&1) is too old; 3.11 or newer is needed: PYTHON=/path/to/python3.11 sh $0"
    "$python" -c 'import ensurepip' 2>/dev/null || fail "$python makes no venv: apt-get install python3-venv"
    command -v systemd-sysusers >/dev/null || fail "there is no systemd-sysusers: apt-get install systemd"
    if [ -z "$wheels" ]; then
        wheels=$scratch/wheels
        sh "$here/wheels.sh" "$program" "$wheels" || fail "no wheels; without a network say --wheels DIR (see wheels.sh)"
    fi
    [ -f "$wheels/$program.lock" ] && [ "$(ls "$wheels" | grep -c '^vendlink-.*\.whl$')" = 1 ] ||
        fail "$wheels is not what \`sh deploy/wheels.sh $program DIR\` makes"
    wheel=$(ls "$wheels"/vendlink-*.whl)
}

place_version() {
    digest=$( (cd "$wheels" && sha256sum -- *.whl "$program.lock" && "$python" -V) | sha256sum | cut -c 1-8)
    release=$(basename "$wheel" | cut -d - -f 2)-$digest
    folder=$home/$release
    if [ ! -e "$folder/.complete" ]; then
        say "placing version $release"
        rm -rf "$folder"
        mkdir -p "$home"
        "$python" -m venv "$folder"
        pip() { "$folder/bin/python" -m pip --quiet --disable-pip-version-check install --no-index --no-deps "$@"; }
        pip --find-links "$wheels" --require-hashes -r "$wheels/$program.lock" && pip "$wheel" ||
            fail "the packages do not fit; the reason stands above, and nothing was changed over"
        # Of a program that is started from another root than it was installed into.
        [ -z "$root" ] || sed -i "1s|^#!$root/|#!/|" "$folder/bin/vend-$program"
        "$folder/bin/python" "$folder/bin/vend-$program" --version >&2 || fail "version $release does not start"
        sync -f "$folder"
        touch "$folder/.complete"
    fi
}

make_users() {
    install -D -m 644 "$here/systemd/vendlink-$program.sysusers.conf" "$root/usr/lib/sysusers.d/vendlink-$program.conf"
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$root/etc"
        systemd-sysusers ${root:+"--root=$root"} "vendlink-$program.conf"
    else
        say "not root: systemd-sysusers makes the users at the first start from $root"
    fi
}

owned() { # USER:GROUP PATH, by the numbers that they have in the root
    [ "$(id -u)" = 0 ] || return 0
    user=$(sed -n "s/^${1%:*}:[^:]*:\([0-9]*\):.*/\1/p" "$root/etc/passwd")
    group=$(sed -n "s/^${1#*:}:[^:]*:\([0-9]*\):.*/\1/p" "$root/etc/group")
    chown "${user:-0}:${group:-0}" "$2"
}

place_settings() {
    is_new=""
    if [ ! -e "$root/etc/vendlink/$settings" ]; then
        is_new=1
        mkdir -p "$root/etc/vendlink"
        install -m 640 "$here/samples/$settings" "$root/etc/vendlink/.$settings.new"
        owned "root:$account" "$root/etc/vendlink/.$settings.new"
        mv "$root/etc/vendlink/.$settings.new" "$root/etc/vendlink/$settings"
    fi
}

place_units() {
    for unit in "$@"; do
        install -D -m 644 "$here/systemd/$unit" "$root/etc/systemd/system/$unit"
    done
}

change_over() {
    before=$(readlink "$home/current" || true)
    ln -sfn "$release" "$home/current.new"
    mv -T "$home/current.new" "$home/current"
    mkdir -p "$root/usr/local/bin"
    ln -sfn "/opt/vendlink/$program/current/bin/vend-$program" "$root/usr/local/bin/vend-$program"
    sync -f "$home"
    [ "$before" != "$release" ] || return 0
    for old in "$home"/*-????????; do
        case ${old##*/} in "$release" | "$before") ;; *) rm -rf "$old" ;; esac
    done
}
