import { quoteShell } from '#base/command.ts';
import type { Kit, KitPiece } from '#base/kit.ts';

/** One piece of the kit as the script is told of it. */
export interface PlannedPiece extends KitPiece {
  /** Of cksum(1); 0 where the host has a program for SHA-256. */
  crc: number;
}

export interface InstallPlan {
  /** Absolute folder on the cluster. */
  home: string;
  kit: Kit;
  /** Those that are wanted there: without the runtime's archive where the cluster has a Node. */
  pieces: readonly PlannedPiece[];
  /** The cluster's own Node; undefined: the kit's is unpacked. */
  node: string | undefined;
  /** Names unfinished uploads between connections; another for another machine. */
  client: string;
  /** Names what this installation alone writes to. */
  nonce: string;
}

/**
 * A script for `/bin/sh` that installs a kit in one conversation: it prints which bytes of which piece it lacks
 * (`have=INDEX BYTES`, then `go=BYTES`), reads exactly those from its standard input, verifies, unpacks, proves that
 * Node starts, and publishes by rename. Nothing is locked. It ends with `done=NODE` or `fail=CODE TEXT`, or in silence
 * when its input breaks off; what had arrived by then stays for the next time.
 *
 * On disk: `pieces/SHA256` (hard links of what is below), `runtime-SHA/` (shared by all kits with this runtime),
 * `node-PLATFORM` (path of the Node to use) and `DIGEST/`.
 */
export function planInstall(plan: InstallPlan): string {
  const { kit, pieces } = plan;
  const archive = kit.pieces.find(piece => piece.path === kit.runtime.archive) as KitPiece;
  const lasting = kit.pieces.filter(piece => piece !== archive);
  const folders = new Set(lasting.map(piece => piece.path.split('/').slice(0, -1).join('/')));
  const runtime = `runtime-${archive.sha256.slice(0, 16)}`;
  return [
    `folder=${quoteShell(plan.home)}; client=${quoteShell(plan.client)}; nonce=${quoteShell(plan.nonce)}`,
    functions,
    ...pieces.map((piece, index) => `plan ${index} ${piece.sha256} ${piece.size}`),
    `preflight ${plan.node === undefined ? kit.runtime.unpackedSize : 0}`,
    ...pieces.map((piece, index) => `receive ${index} ${piece.sha256} ${piece.crc} ${piece.size}`),
    'new="$kits/.new-$nonce"; mkdir "$new" || fail not-writable "$new could not be made"',
    ...[...folders].filter(Boolean).map(each => `mkdir -p "$new/"${quoteShell(each)}`),
    ...lasting.map(({ sha256, mode, path }) => `place ${sha256} ${mode.toString(8)} ${quoteShell(path)}`),
    ...lasting.map(({ sha256, path }) => `printf '%s\\n' ${quoteShell(`${sha256} ${path}`)}`).map(toManifest),
    `ln -s ../${runtime}/runtime "$new/runtime"`,
    plan.node === undefined ? unpackRuntime(kit, archive) : `node=${quoteShell(plan.node)}`,
    proveNode,
    `publish "$new" "$kits/${kit.digest}" ${lasting.map(piece => quoteShell(piece.path)).join(' ')}`,
    `printf '%s\\n' "$node" >"$kits/.node-$nonce" && mv -f "$kits/.node-$nonce" "$kits/node-${kit.platform}"`,
    'say done "$node"',
  ].join('\n');
}

function toManifest(command: string, index: number): string {
  return `${command} ${index === 0 ? '>' : '>>'}"$new/kit.txt"`;
}

function unpackRuntime(kit: Kit, archive: KitPiece): string {
  const { nodePath, loader, interpreterOffset } = kit.runtime;
  return `
runtime="$kits/runtime-${archive.sha256.slice(0, 16)}"
node="$runtime/"${quoteShell(nodePath)}
if [ ! -x "$node" ]; then
  say unpack "$runtime"
  mkdir "$new-runtime" || fail not-writable "$new-runtime could not be made"
  if ! error=$(gzip -dc <"$pieces/${archive.sha256}" | (cd "$new-runtime" && tar xf - 2>&1)); then rm -rf "$new-runtime"; fail_write unpack "$error"; fi
  printf '%s\\0' "$runtime/"${quoteShell(loader)} | dd of="$new-runtime/"${quoteShell(nodePath)} bs=1 seek=${interpreterOffset} conv=notrunc 2>/dev/null || fail unpack 'the path of the loader could not be written'
  publish "$new-runtime" "$runtime" ${quoteShell(nodePath)}
fi
rm -f "$pieces/${archive.sha256}"`;
}

const functions = String.raw`
LC_ALL=C; export LC_ALL
kits="$folder/kit"; pieces="$kits/pieces"
say() { printf '%s=%s\n' "$1" "$2"; }
clean() { [ -z "$new" ] || rm -rf "$new" "$new-runtime"; }
# An unfinished upload belongs to whoever renamed it; it is given back for the next time.
give_back() {
  for each in "$pieces"/.*".$nonce"; do
    [ -f "$each" ] && mv -f "$each" "$pieces/$(basename "$each" ".$nonce").$client"
  done
}
fail() { say fail "$1 $2"; clean; give_back; exit 0; }
trap 'clean; give_back; exit 0' HUP INT PIPE TERM
fail_write() {
  case $2 in
  *'o space left'*|*'uota exceeded'*) fail no-space "$2";;
  *) fail "$1" "$2";;
  esac
}
size() { if [ -f "$1" ]; then stat -c %s "$1"; else echo 0; fi; }
is_right() {
  if command -v sha256sum >/dev/null 2>&1; then set -- "$1" "$2" "$3" $(sha256sum <"$1"); [ "$4" = "$2" ]
  elif command -v openssl >/dev/null 2>&1; then set -- "$1" "$2" "$3" $(openssl dgst -sha256 -r <"$1"); [ "$4" = "$2" ]
  else set -- "$1" "$2" "$3" $(cksum <"$1"); [ "$4" = "$3" ]
  fi
}
error=$(mkdir -p "$pieces" 2>&1) || fail_write not-writable "$error"
find "$kits" -maxdepth 2 -name '.*' -mtime +7 -exec rm -rf {} + </dev/null 2>/dev/null
total=0
plan() {
  part="$pieces/.$2.$nonce"
  if [ -f "$pieces/$2" ]; then at=$3
  else
    mv -f "$pieces/.$2.$client" "$part" 2>/dev/null
    at=$(size "$part")
  fi
  if [ "$at" -gt "$3" ]; then rm -f "$part"; at=0; fi
  eval "at_$1=$at"
  total=$((total + $3 - at))
  say have "$1 $at"
}
preflight() {
  set -- "$1" $(df -Pk "$kits" 2>/dev/null </dev/null | sed -n 2p)
  need=$(((total + $1) / 1024))
  if [ -n "$5" ] && [ "$5" -lt "$need" ]; then fail no-space "$6: $need kB are needed and $5 kB are free in $folder"; fi
  say go "$total"
}
receive() {
  part="$pieces/.$2.$nonce"
  eval "rest=\$(($4 - at_$1))"
  [ "$rest" = 0 ] && [ -f "$pieces/$2" ] && return
  error=$( { head -c "$rest" >>"$part"; } 2>&1 ) || { rm -f "$part"; fail_write upload "$error"; }
  if [ "$(size "$part")" -lt "$4" ]; then give_back; exit 0; fi
  if ! is_right "$part" "$2" "$3"; then rm -f "$part"; fail damaged "$2"; fi
  mv -f "$part" "$pieces/$2" || fail upload "$pieces/$2 could not be named"
  say got "$1"
}
place() {
  ln "$pieces/$1" "$new/$3" 2>/dev/null || error=$(cp "$pieces/$1" "$new/$3" 2>&1) || fail_write upload "$error"
  chmod "$2" "$new/$3"
}
# publish NEW FINAL FILE...
publish() {
  mv -T "$1" "$2" 2>/dev/null && return
  from=$1; to=$2; shift 2
  # Somebody else was first with the same content, or a damaged one is in the way.
  if [ -d "$to" ] && [ "$(cd "$from" && stat -c %s "$@")" = "$(cd "$to" && stat -c %s "$@" 2>/dev/null)" ]; then rm -rf "$from"; return; fi
  if [ -d "$to" ] && mv -T "$to" "$from-old" 2>/dev/null; then mv -T "$from" "$to"; rm -rf "$from-old"; fi
  [ -d "$to" ] || fail not-writable "$to could not be made"
}
`;

const proveNode = `
if ! error=$("$node" --version 2>&1 </dev/null); then
  [ -z "$runtime" ] || rm -rf "$runtime"
  fail runtime "$error"
fi`;
