#!/bin/bash
# Builds native/bin anew for both machines: see build.sh for what it needs.
set -euo pipefail
cd "$(dirname "$0")"
for machine in x64 arm64; do ./build.sh "$machine" "bin/linux-$machine"; done
(cd bin && sha256sum linux-*/* >SHA256SUMS)
