// Programs of every sort in a Debian root file system, on each engine, unchanged. Takes minutes: Debian is set up first.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Engine } from '#engine/sandbox.ts';
import { planFeatures } from '#engine/self-test.ts';
import { makeEngines } from '#helper/self-test.ts';
import { findUser, isRoot, needPackages } from '../support/machine.ts';
import { makePlace, type Place } from '../support/sandbox.ts';

const packages = 'python3,perl,git,gcc,libc6-dev,make,procps,gawk,openjdk-17-jre-headless,golang-go,strace';
const reason = isRoot ? false : 'only root can set up a Debian of its own';
let place: Place;
let engines: Engine[];
let rootfs: string;

before(
  async () => {
    if (reason) return;
    needPackages('mmdebstrap');
    place = makePlace(findUser());
    // DEBIAN_ROOTFS: one that is there already.
    rootfs = process.env.DEBIAN_ROOTFS ?? join(place.folder, 'debian');
    if (!process.env.DEBIAN_ROOTFS) {
      const made = spawnSync(
        'mmdebstrap',
        ['--quiet', '--variant=minbase', `--include=${packages}`, 'bookworm', rootfs],
        { encoding: 'utf8' },
      );
      assert.equal(made.status, 0, made.stderr);
    }
    const query = planFeatures(place.tools.launcher);
    const features = query.parse({ ...(await place.run(query)), exit: { code: 0, signal: null } });
    engines = makeEngines(place.tools, features).filter(engine => engine.name !== 'proot-new-order');
  },
  { timeout: 900_000 },
);
after(() => place?.remove());

/** Scripts for bash, and what each prints. */
const programs: Record<string, [script: string, output: string]> = {
  'pipelines and substitutions': [
    'seq 5 | sort -r | tee >(wc -l >lines) | paste -sd, ; sleep 0.3; cat < <(cat lines)',
    '5,4,3,2,1\n5\n',
  ],
  'here documents and globs': ['touch "a b" c; for i in *; do echo "<$i>"; done; cat <<<here', '<a b>\n<c>\nhere\n'],
  // In a file, as the runner has it: what Node makes is a socket, which cannot be opened by name.
  'output through /dev': [
    '{ echo out >/dev/stdout; echo fd >>/dev/fd/1; echo none >/dev/null; echo err >>/dev/stderr; } >o 2>>o; cat o',
    'out\nfd\nerr\n',
  ],
  'links and renames': [
    'mkdir d e; echo x >d/f; ln d/f e/g; ln -s ../d/f e/h; mv d/f e/f; cat e/g; readlink e/h; stat -c %h e/f',
    'x\n../d/f\n2\n',
  ],
  'Python with processes': [
    'python3 -c "import multiprocessing as m,os,tempfile; p=m.Pool(3); print(sum(p.map(abs,range(-9,1)))); print(os.getcwd(), tempfile.gettempdir())"',
    '45\n/w /t\n',
  ],
  'Python with threads and sockets': [
    "python3 -c \"import socket,threading as t; s=socket.create_server(('127.0.0.1',0)); t.Thread(target=lambda:s.accept()[0].sendall(b'ok')).start(); print(socket.create_connection(s.getsockname()).recv(2))\"",
    "b'ok'\n",
  ],
  Perl: ['perl -e \'use Cwd; print getcwd, "\\n"; open(F, "-|", "echo piped"); print <F>\'', '/w\npiped\n'],
  'compiling and running': [
    'printf \'#include <stdio.h>\\nint main(){puts("compiled");}\' >p.c; gcc -O2 p.c -o p && ./p; gcc -static p.c -o s && ./s',
    'compiled\ncompiled\n',
  ],
  make: ["printf 'all: a b\\na b:\\n\\t@sleep 0.1; echo $@ >$@\\n' >Makefile; make -s -j2; cat a b", 'a\nb\n'],
  git: [
    'git init -q r; cd r; git config user.email a@b; git config user.name n; echo 1 >f; git add f; git commit -qm m; git log --format=%s; git status -s',
    'm\n',
  ],
  Java: ['java -XX:TieredStopAtLevel=1 -version 2>&1 | grep -c Runtime', '1\n'],
  'Go, a static program with its own system calls': [
    'printf \'package main\\nimport ("fmt";"os";"os/exec")\\nfunc main(){ d,_:=os.Getwd(); o,_:=exec.Command("echo","child").Output(); fmt.Printf("%%s %%s",d,o) }\' >g.go; HOME=/t GOFLAGS=-mod=mod CGO_ENABLED=0 go run g.go',
    '/w child\n',
  ],
  'process list': ['ps -e -o comm= | grep -c sleep; sleep 5 & sleep 0.1; ps -e -o comm= | grep -c sleep', '0\n1\n'],
  'threads and their names': [
    "python3 -c \"import threading; print(len(open('/proc/self/maps').readlines()) > 5, open('/proc/thread-self/comm').read().strip()[:6])\"",
    'True python\n',
  ],
  'awk with pipes': ['gawk \'BEGIN { "date +%Y" | getline y; print (y > 2000) }\'', '1\n'],
};

for (const name of ['userns', 'proot', 'proot-slow']) {
  for (const [title, [script, output]] of Object.entries(programs)) {
    test(`${name}: ${title}`, { skip: reason, timeout: 240_000 }, async () => {
      const engine = engines.find(each => each.name === name) as Engine;
      const id = `${name}-${title.replaceAll(/\W+/g, '-')}`;
      const work = place.makeFolder(`w-${id}`);
      const temporary = place.makeFolder(`t-${id}`);
      if (isRoot) chownSync(work, place.user.uid, place.user.gid);
      const sandbox = {
        rootfs,
        binds: [
          { host: work, guest: '/w', writable: true },
          { host: temporary, guest: '/t', writable: true },
          { host: temporary, guest: '/tmp', writable: true },
        ],
        cwd: '/w',
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/w', TMPDIR: '/t' },
        network: false,
        argv: ['/bin/bash', '-c', script],
      };
      const { code, stdout, stderr } = await place.run(
        engine.planCommand(sandbox, place.makeFolder(`e-${id}`)),
        200_000,
      );
      assert.equal(stdout, output, stderr);
      assert.equal(code, 0, stderr);
    });
  }
}
