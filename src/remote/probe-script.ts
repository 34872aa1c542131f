import { quoteShell } from '#base/command.ts';
import type { Kit } from '#base/kit.ts';
import { type FolderTemplate, parseFolder } from './folder-template.ts';

/** Oldest Node that runs the helper: the first with zstd (nodejs.org/api/zlib.html). */
export const oldestNode = [22, 15] as const;

/** Places that clusters name in their environment; asked about only to suggest one where the home is too small. */
const suggestions = ['$SCRATCH', '$WORK', '$WORKDIR', '$PROJECT', '/scratch/$USER', '/work/$USER'];

/**
 * A script for `/bin/sh` that looks at the host and prints `key=value` lines. Where one of the kits is there and whole
 * it says so and stops: that is all a second connection needs.
 */
export function planProbe(folder: FolderTemplate, kits: readonly Kit[]): string {
  return [
    prelude,
    ...folder.variables.map(name => `[ -n "$${name}" ] || from_login ${name}`),
    ...folder.variables.map(name => `[ -n "$${name}" ] || { say unset ${name}; exit 0; }`),
    `folder=${folder.word}`,
    'say chosen "$folder"',
    'case $platform in',
    ...kits.map(
      kit => `${kit.platform}) digest=${kit.digest}; set -- ${sizes(kit)}; expected=$*; set -- ${paths(kit)};;`,
    ),
    '*) digest=;;',
    'esac',
    checkInstalled,
    survey,
    ...suggestions.map(text => {
      const { variables, word } = parseFolder(text);
      return `${variables.map(name => `[ -n "$${name}" ] && `).join('')}[ -d ${word} ] && report ${word}`;
    }),
    'exit 0',
  ].join('\n');
}

/** Pieces whose presence tells that a kit is whole: all but the archive, which is gone once it is unpacked. */
function lasting(kit: Kit): Kit['pieces'] {
  return kit.pieces.filter(piece => piece.path !== kit.runtime.archive);
}

function sizes(kit: Kit): string {
  return lasting(kit)
    .map(piece => piece.size)
    .join(' ');
}

function paths(kit: Kit): string {
  return lasting(kit)
    .map(piece => quoteShell(piece.path))
    .join(' ');
}

/** `from_login`: variables that only login shells set, and a time limit in case their start-up files hang. */
const prelude = String.raw`
LC_ALL=C; export LC_ALL
say() { printf '%s=%s\n' "$1" "$2"; }
limit() { if command -v timeout >/dev/null 2>&1; then timeout "$@" </dev/null; else shift; "$@" </dev/null; fi; }
from_login() {
  value=$(limit 10 "$SHELL" -lc "echo cwl-value; printenv $1" 2>/dev/null | sed -n '/^cwl-value$/{n;p;q;}')
  eval "$1=\$value"; export "$1"
}
set -- $(uname -srm)
say system "$*"
case $1-$3 in
Linux-x86_64|Linux-amd64) platform=linux-x64;;
Linux-aarch64|Linux-arm64) platform=linux-arm64;;
*) platform=;;
esac
say platform "$platform"
[ -n "$USER" ] || USER=$(id -un)
say user "$USER"
say hostname "$(uname -n)"
`;

const checkInstalled = `
kit="$folder/kit/$digest"
if [ -n "$digest" ] && [ -f "$kit/kit.txt" ]; then
  node=$(cat "$folder/kit/node-$platform" 2>/dev/null)
  actual=$(cd "$kit" && stat -c %s "$@" 2>/dev/null)
  if [ "$(echo $actual)" = "$expected" ] && [ -x "$node" ]; then
    say node "$node"
    say digest "$digest"
    exit 0
  fi
fi
`;

/** `report`: `folder=writable executable device free-kilobytes path`, then `quota=device used limit` for each line of quota(1). */
const survey = String.raw`
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null)
[ -n "$libc" ] || libc=$(ldd --version 2>&1 | sed -n '1{/musl/s/.*/musl/p;/musl/!s/.* /glibc /p;}')
say libc "$libc"
command -v sha256sum >/dev/null 2>&1 || command -v openssl >/dev/null 2>&1 || say without sha256
try_node() {
  [ -x "$1" ] || return 1
  version=$(limit 10 "$1" -p 'process.platform==="linux"?process.arch+" "+process.versions.node:""' 2>/dev/null)
  [ -n "$version" ] && say found "$version $1"
}
for each in "$(command -v node 2>/dev/null)" "$HOME"/.nvm/versions/node/*/bin/node "$HOME"/.local/bin/node /usr/local/bin/node /usr/bin/node; do
  case $tried in *" $each "*) continue;; esac
  tried="$tried $each "
  try_node "$each"
done
report() {
  below=$1
  while [ ! -d "$below" ] && [ "$below" != / ]; do below=$(dirname "$below"); done
  writable=no; executable=no
  [ -w "$below" ] && [ -x "$below" ] && writable=yes
  if [ "$1" = "$folder" ] && [ $writable = yes ]; then
    made=
    [ -d "$folder" ] || { mkdir -p "$folder" 2>/dev/null && made=1; }
    probe="$folder/.probe-$$"
    { printf '#!/bin/sh\nexit 0\n' >"$probe"; } 2>/dev/null || writable=no
    chmod 700 "$probe" 2>/dev/null && "$probe" 2>/dev/null && executable=yes
    rm -f "$probe"
    [ -z "$made" ] || rmdir "$folder" 2>/dev/null
  fi
  set -- "$1" $(limit 5 df -Pk "$below" 2>/dev/null | sed -n 2p)
  say folder "$writable $executable $2 $5 $1"
}
limit 5 quota -w 2>/dev/null | sed -n 's/^[[:space:]]*\([^[:space:]]*\)[[:space:]]*\([0-9]*\)\*\{0,1\}[[:space:]]*\([0-9]*\)[[:space:]]*\([0-9]\{1,\}\)[[:space:]].*/quota=\1 \2 \3 \4/p'
report "$folder"
`;
