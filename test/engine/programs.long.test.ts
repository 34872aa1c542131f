// Programs of every sort in a Debian root file system, on each engine, unchanged. Takes minutes: Debian is set up first.
import assert from 'node:assert/strict';
import { chownSync, copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Engine } from '#engine/sandbox.ts';
import { planFeatures } from '#engine/self-test.ts';
import { makeEngines } from '#helper/self-test.ts';
import { findUser, isRoot, needPackages, run } from '../support/machine.ts';
import { makePlace, type Place } from '../support/sandbox.ts';

const suites = ['bookworm', 'trixie'];
const packages =
  'python3,perl,git,gcc,libc6-dev,make,procps,gawk,default-jre-headless,golang-go,strace,rsync,sqlite3,busybox-static,nodejs,bwa,samtools,xz-utils,bzip2,r-base-core,file';
const reason = isRoot ? false : 'only root can set up a Debian of its own';
let place: Place;
let engines: Engine[];
/** By suite. */
const roots = new Map<string, string>();

before(
  async () => {
    if (reason) return;
    needPackages('mmdebstrap');
    place = makePlace(findUser());
    // DEBIAN_ROOTS: a folder in which there are some already, by suite.
    const given = process.env.DEBIAN_ROOTS;
    for (const suite of suites) {
      const path = given && existsSync(join(given, suite)) ? join(given, suite) : join(place.folder, suite);
      if (!existsSync(path)) run('mmdebstrap', ['--quiet', '--variant=minbase', `--include=${packages}`, suite, path]);
      roots.set(suite, path);
    }
    const query = planFeatures(place.tools.launcher);
    const features = query.parse({ ...(await place.run(query)), exit: { code: 0, signal: null } });
    engines = makeEngines(place.tools, features).filter(engine => engine.name !== 'proot-new-order');
  },
  { timeout: 1_800_000 },
);
after(() => place?.remove());

/** Debian's base with two packages that are fetched and not installed: dbus has a user and a setuid program of its own. */
function makeSmallRoot(suite: string): string {
  const path = join(place.folder, `${suite}-small`);
  if (existsSync(path)) return path;
  const fetch = 'chroot "$1" apt-get -qq install -y --download-only ed dbus';
  run('mmdebstrap', ['--quiet', '--variant=minbase', '--skip=cleanup/apt', `--customize-hook=${fetch}`, suite, path]);
  return path;
}

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
  'each way to start a program': [
    'gcc -O1 -o children children.c && ./children /bin/true | tee one && gcc -O1 -static -o static children.c && ./static /bin/true >two; cmp one two',
    'fork 0\nvfork 0\nspawn 0\nclone 0\nthread 0\nfexecve 0\nzombie 0\nended 0\n',
  ],
  'a static program that is position-independent': [
    'printf \'#include <stdio.h>\\nint main(int n,char**a){FILE*f=fopen("/etc/debian_version","r");char t[9];puts(fgets(t,9,f)?"read":"no");puts(a[0]);}\' >p.c; gcc -static-pie p.c -o p && ./p',
    'read\n./p\n',
  ],
  'busybox, static': [
    'busybox sh -c "busybox seq 3 | busybox tac | busybox tr -d \\\\\\\\n; busybox ls /bin/bash"',
    '321/bin/bash\n',
  ],
  'git with copies and packs': [
    'git init -q r; cd r; git config user.email a@b; git config user.name n; for i in 1 2 3; do echo $i >f$i; git add .; git commit -qm $i; done; git gc -q; cd ..; git clone -q r c; git clone -q --no-hardlinks --depth 1 file:///w/r d; git -C c log --format=%s | paste -sd,; git -C d log --oneline | wc -l; git -C c fsck --strict 2>/dev/null | wc -l',
    '3,2,1\n1\n0\n',
  ],
  'archives keep modes, times and links': [
    'mkdir -p a/b; echo x >a/b/f; ln a/b/f a/h; ln -s b/f a/s; chmod 750 a/b; touch -d 2001-02-03 a/b/f; for z in z j J; do tar -c$z -f a.tar a; rm -rf o; mkdir o; tar xf a.tar -C o; stat -c "%a %Y %h" o/a/b o/a/b/f | paste -sd" "; readlink o/a/s; done | sort -u | sed "s/ [0-9]* 2/ T 2/"',
    '750 T 2 644 981158400 2\nb/f\n',
  ],
  rsync: [
    'mkdir -p a/b; echo x >a/b/f; chmod 640 a/b/f; touch -d 2001-02-03 a/b/f; rsync -a a/ c/; echo y >>c/b/f; rsync -ai --checksum a/ c/ | cut -c1-2 | paste -sd,; stat -c "%a %Y" c/b/f; cmp a/b/f c/b/f',
    '>f\n640 981158400\n',
  ],
  'databases and their locks': [
    "sqlite3 d \"pragma journal_mode=wal; create table t(x); insert into t values (1),(2);\" && python3 -c \"import sqlite3 as s; c=s.connect('d'); c.execute('insert into t values (3)'); c.commit(); print(c.execute('select sum(x) from t').fetchone()[0])\"",
    'wal\n6\n',
  ],
  'Python with shared memory and forks': [
    "python3 -c \"\nimport multiprocessing as m\nfrom multiprocessing import shared_memory as s\ndef f(n, l):\n  with l: b = s.SharedMemory(n); b.buf[0] += 1; b.close()\nif __name__ == '__main__':\n  b = s.SharedMemory(create=True, size=9); l = m.Lock()\n  p = [m.get_context(c).Process(target=f, args=(b.name, l)) for c in ('fork',) * 3]\n  [x.start() for x in p]; [x.join() for x in p]; print(b.buf[0]); b.close(); b.unlink()\n\"",
    '3\n',
  ],
  'signals, groups and time limits': [
    'sleep 50 & p=$!; kill -0 $p && kill $p; wait $p; echo $?; timeout 0.2 sleep 50; echo $?; bash -c "trap \'echo caught\' TERM; kill -TERM \\$\\$; echo on"; setsid bash -c "sleep 50 & kill 0" ; echo $?; perl -e \'local $SIG{ALRM}=sub{print "alarm\\n";exit}; alarm 1; sleep 9\'',
    '143\n124\ncaught\non\n143\nalarm\n',
  ],
  'sockets with names': [
    "python3 -c \"\nimport socket as s, os\nfor k in (s.SOCK_STREAM, s.SOCK_DGRAM):\n  for n in ('/w/s%d' % k, '\\\\0own%d' % k):\n    a = s.socket(s.AF_UNIX, k); a.bind(n); b = s.socket(s.AF_UNIX, k)\n    if k == s.SOCK_STREAM: a.listen(); b.connect(n); b.sendall(b'x'); print(a.accept()[0].recv(1))\n    else: b.sendto(b'y', n); print(a.recv(1))\n\"",
    "b'x'\nb'x'\nb'y'\nb'y'\n",
  ],
  'strace, a tracer of its own': [
    'strace -f -e trace=execve -o t sh -c "true; /bin/true"; grep -c "execve(.*= 0" t',
    '2\n',
  ],
  'Node with workers, children and files': [
    "node -e \"const {Worker}=require('worker_threads'),c=require('child_process'),f=require('fs');f.writeFileSync('n','n');new Worker('require(\\\"worker_threads\\\").parentPort.postMessage(1)',{eval:true}).on('message',m=>console.log(m,c.execFileSync('cat',['n'])+'',f.readdirSync('.')+''))\"",
    '1 n n\n',
  ],
  'bwa and samtools in a pipeline': [
    "python3 -c \"import random; random.seed(1); print('>r'); print(''.join(random.choice('ACGT') for _ in range(5000)))\" >r.fa; bwa index r.fa 2>/dev/null; python3 -c \"s=open('r.fa').read().split()[1]; [print('@%d\\n%s\\n+\\n%s' % (i, s[i*40:i*40+100], 'I'*100)) for i in range(100)]\" >q.fq; bwa mem -t2 r.fa q.fq 2>/dev/null | samtools sort -@2 -o o.bam - 2>/dev/null; samtools index o.bam; samtools view -c -F4 o.bam; samtools view -c o.bam r:1-2000",
    '100\n50\n',
  ],
  R: [
    'Rscript -e \'x <- parallel::mclapply(1:4, function(i) i^2, mc.cores=2); cat(sum(unlist(x)), getwd(), "\\n")\'',
    '30 /w \n',
  ],
  file: ['file -b --mime-type /bin/true; file -bL /etc/os-release', 'application/x-pie-executable\nASCII text\n'],
  'awk with pipes': ['gawk \'BEGIN { "date +%Y" | getline y; print (y > 2000) }\'', '1\n'],
};

for (const suite of suites) {
  for (const name of ['proot', 'proot-slow']) {
    test(`${suite}, ${name}: packages are installed by root who is none`, {
      skip: reason,
      timeout: 400_000,
    }, async () => {
      const engine = engines.find(each => each.name === name) as Engine;
      // As builds have it: all files are the user's.
      const rootfs = join(place.folder, `${suite}-${name}`);
      run('cp', ['-a', makeSmallRoot(suite), rootfs]);
      run('chown', ['-Rh', `${place.user.uid}:${place.user.gid}`, rootfs]);
      const script = [
        'apt-get -qq -o APT::Sandbox::User=root install -y --no-download ed dbus >log 2>&1 || cat log',
        'getent passwd messagebus | cut -d: -f1; dbus-daemon --version | head -1 | cut -d" " -f1-3; dpkg --audit',
        'dpkg -s ed dbus | grep -c "install ok installed"; apt-get -qq purge -y ed >log 2>&1 || cat log; command -v ed',
      ];
      const command = engine.planCommand(
        {
          rootfs,
          isRootfsWritable: true,
          binds: [],
          cwd: '/root',
          env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', DEBIAN_FRONTEND: 'noninteractive' },
          network: false,
          user: { uid: 0, gid: 0 },
          argv: ['/bin/sh', '-c', script.join('\n')],
        },
        place.makeFolder(`e-${suite}-${name}-install`),
      );
      const { stdout, stderr } = await place.run(command, 300_000);
      assert.equal(stdout, 'messagebus\nD-Bus Message Bus\n2\n', stderr);
      assert.equal(stderr, '');
    });
  }

  for (const name of ['userns', 'proot', 'proot-slow']) {
    for (const [title, [script, output]] of Object.entries(programs)) {
      test(`${suite}, ${name}: ${title}`, { skip: reason, timeout: 240_000 }, async () => {
        const engine = engines.find(each => each.name === name) as Engine;
        const id = `${suite}-${name}-${title.replaceAll(/\W+/g, '-')}`;
        const work = place.makeFolder(`w-${id}`);
        const temporary = place.makeFolder(`t-${id}`);
        if (title === 'each way to start a program') {
          copyFileSync(join(import.meta.dirname, 'programs/children.c'), join(work, 'children.c'));
        }
        if (isRoot) chownSync(work, place.user.uid, place.user.gid);
        const sandbox = {
          rootfs: roots.get(suite),
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
}
