# Sourced by the scripts beside it: makes the virtual environment and goes to the checkout's root.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=.venv/bin/python

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then printf '%s' "$*"; else printf 'sudo %s' "$*"; fi
}

require_python() {
    command -v python3 >/dev/null ||
        fail "Python 3.11 or newer is missing. This brings it:" "  $(as_root apt-get install -y python3-venv)"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or newer is needed; python3 is $(python3 --version)."
    python3 -c 'import venv, ensurepip' 2>/dev/null ||
        fail "Python's venv module is missing. This brings it:" "  $(as_root apt-get install -y python3-venv)"
}

# The environment is complete when the marker holds the hash of what was installed.
install_requirements() {
    local wanted marker=.venv/.requirements-dev.sha256
    wanted=$(cat requirements-dev.txt <(python3 --version) | sha256sum | cut -d ' ' -f 1)
    [ "$(cat "$marker" 2>/dev/null)" = "$wanted" ] && return
    echo "Installing the pinned requirements into .venv ..." >&2
    [ -x "$PYTHON" ] || python3 -m venv .venv
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt ||
        fail "The requirements could not be installed: see above."
    echo "$wanted" >"$marker"
}

prepare() {
    [ -x "$PYTHON" ] || require_python
    mkdir -p var
    # Two scripts that start at once on a new checkout take turns.
    exec 9>var/environment.lock
    flock 9
    install_requirements
    exec 9>&-
}
