// The walls between the rooms of src/, as ARCHITECTURE.md draws them, kept by a machine.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

/** Room → rooms it may import, packages it may import, and whether it may use Node. */
const walls: Record<string, { rooms: string; packages: string; node: boolean }> = {
  extension: { rooms: 'remote protocol base', packages: 'vscode vscode-languageclient', node: true },
  language: {
    rooms: 'cwl protocol base',
    packages: 'vscode-languageserver vscode-languageserver-textdocument',
    node: false,
  },
  remote: { rooms: 'ssh registry protocol base', packages: 'vscode-jsonrpc', node: true },
  ssh: { rooms: 'base', packages: 'ssh2 ssh-config', node: true },
  protocol: { rooms: 'base', packages: 'vscode-jsonrpc', node: false },
  helper: {
    rooms: 'runner scheduler image registry engine locks cwl protocol base',
    packages: 'vscode-jsonrpc quickjs-emscripten-core @jitl/quickjs-wasmfile-release-sync',
    node: true,
  },
  runner: { rooms: 'scheduler image engine locks cwl base', packages: '', node: true },
  scheduler: { rooms: 'base', packages: '', node: false },
  image: { rooms: 'registry base', packages: 'dockerfile-ast', node: true },
  registry: { rooms: 'base', packages: '', node: true },
  engine: { rooms: 'base', packages: '', node: false },
  locks: { rooms: 'base', packages: '', node: false },
  cwl: { rooms: 'base', packages: 'yaml', node: false },
  base: { rooms: '', packages: '', node: false },
};
const specifiers = /^\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;

for (const [room, wall] of Object.entries(walls)) {
  test(`${room} imports only what its wall lets through`, () => {
    for (const file of globSync(`src/${room}/**/*.ts`)) {
      for (const match of readFileSync(file, 'utf8').matchAll(specifiers)) {
        const name = (match[1] ?? match[2]) as string;
        assert.ok(isAllowed(name, wall), `${file} imports ${name}`);
      }
    }
  });
}

function isAllowed(name: string, wall: (typeof walls)[string]): boolean {
  if (name.startsWith('#')) return wall.rooms.split(' ').includes(name.slice(1).split('/')[0] as string);
  if (name.startsWith('.')) return name.startsWith('./') && !name.includes('..') && name.endsWith('.ts');
  if (name.startsWith('node:')) return wall.node;
  const parts = name.split('/');
  const packageName = parts.slice(0, name.startsWith('@') ? 2 : 1).join('/');
  return wall.packages.split(' ').includes(packageName);
}

test('every folder of src has a wall', () => {
  for (const file of globSync('src/**/*.ts')) assert.ok(file.split('/')[1]! in walls, file);
});
