#!/usr/bin/env bash
# Installs what the tests need and a bare Debian lacks. Quick where everything is there already.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo_deny=0.20.2 cargo_machete=0.9.2

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
[ -x /bin/kill ] || missing+=(procps)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
command -v chromium >/dev/null || missing+=(chromium)
command -v npm >/dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" != 0 ]; then
        as_root=(sudo)
        command -v sudo >/dev/null || { echo "install these first: ${missing[*]}" >&2; exit 1; }
    fi
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

# The copy inside says what is installed.
pins=tests/support/requirements.txt venv=target/test-venv
if ! cmp -s "$pins" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$pins"
    cp "$pins" "$venv/requirements.txt"
fi

# The MCP Inspector, with the Node.js it wants: a Debian's own is too old. No package's scripts run.
pins=tests/support/npm npm=target/test-npm
if ! cmp -s "$pins/package-lock.json" "$npm/package-lock.json"; then
    rm -rf "$npm"
    mkdir -p "$npm"
    cp "$pins/package.json" "$npm"
    cp "$pins/package-lock.json" "$npm/npm-shrinkwrap.json"
    npm --prefix "$npm" ci --ignore-scripts --no-audit --no-fund --loglevel=error
    cp "$pins/package-lock.json" "$npm"
fi

# Unoptimised: they build in half the time and run for a second.
install() {
    local name=$1 version=$2
    shift 2
    [ -e "target/tools/$name-$version" ] && return
    cargo install --quiet --locked --debug --root target/tools "$name@$version" "$@"
    touch "target/tools/$name-$version"
}
install cargo-deny $cargo_deny --no-default-features
install cargo-machete $cargo_machete
