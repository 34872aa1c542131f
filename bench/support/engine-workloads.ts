// What the engines' benchmark runs: a Debian with a compiler and an aligner, and work for them that is the same each time.
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareRootfs } from '#image/prepare-rootfs.ts';
import { RootfsWriter } from '#image/rootfs-writer.ts';
import { run } from '../../test/support/machine.ts';
import type { Place } from '../../test/support/sandbox.ts';
import { Layer } from '../../test/support/tar.ts';

const root = join(import.meta.dirname, '../..');
const keep = join(root, 'build/bench');
const packages = ['gcc', 'libc6-dev', 'bwa', 'libtalloc-dev', 'uthash-dev'];

export interface Workload {
  name: string;
  what: string;
  argv: string[];
  /** Makes what the program works on, once. */
  make(work: string, rootfs: string): void;
  /** Removes what it made, before each run. */
  clear?(work: string): void;
}

/** A Debian of these packages as the user has images, with the directory `/w`; its archive is kept for the next time. */
export function openRootfs(place: Place): string {
  const archive = join(keep, 'engines.tar');
  if (!existsSync(archive)) {
    mkdirSync(keep, { recursive: true });
    const options = ['--quiet', '--variant=minbase', `--include=${packages.join(',')}`];
    run('mmdebstrap', [...options, 'bookworm', `${archive}.part.tar`]);
    renameSync(`${archive}.part.tar`, archive);
  }
  const image = place.makeFolder('image');
  const rootfs = join(image, 'root');
  mkdirSync(rootfs);
  chmodSync(rootfs, 0o755);
  run('tar', ['xf', archive, '-C', rootfs, '--exclude=./usr/share/doc', '--exclude=./usr/share/locale']);
  prepareRootfs(new RootfsWriter(rootfs), 'bench');
  run('gcc', ['-O1', '-o', join(rootfs, 'usr/bin/bench'), join(root, 'test/engine/programs/bench.c')]);
  run('chown', ['-R', `${place.user.uid}:${place.user.gid}`, image]);
  return rootfs;
}

export const workloads: Workload[] = [
  {
    name: 'untar',
    what: 'tar unpacks 20,000 files',
    argv: ['tar', 'xf', '/w/files.tar', '-C', '/w/files'],
    make(work) {
      const layer = new Layer();
      for (let folder = 0; folder < 200; folder++) {
        layer.directory(`d${folder}`);
        for (let file = 0; file < 100; file++) layer.file(`d${folder}/f${file}`, 'x'.repeat((file * 97) % 4096));
      }
      writeFileSync(join(work, 'files.tar'), layer.toBuffer());
    },
    clear(work) {
      rmSync(join(work, 'files'), { recursive: true, force: true });
      mkdirSync(join(work, 'files'), { mode: 0o777 });
      chmodSync(join(work, 'files'), 0o777);
    },
  },
  {
    name: 'compile',
    what: 'gcc -O2 compiles the 40 files of PRoot, one after the other',
    argv: ['sh', '/w/compile.sh'],
    make(work) {
      run('tar', ['xzf', join(root, 'native/proot/proot_5.4.0.orig.tar.gz'), '-C', work]);
      const settings = ['VERSION "5.4.0"', 'HAVE_PROCESS_VM', 'HAVE_SECCOMP_FILTER'];
      const source = join(work, 'proot-5.4.0/src');
      writeFileSync(join(source, 'build.h'), settings.map(each => `#define ${each}\n`).join(''));
      const flags = '-O2 -w -c -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I.';
      const skipped = 'cli/care|extension/(care|python)|loader/|mipsel';
      writeFileSync(
        join(work, 'compile.sh'),
        `set -e\ncd /w/proot-5.4.0/src\nfor f in $(find . -name '*.c' | grep -Ev '${skipped}' | sort); do\n  gcc ${flags} -o "\${f%.c}.o" "$f"\ndone\n`,
      );
    },
  },
  {
    name: 'align',
    what: 'bwa mem aligns 20,000 reads of 150 bases to a genome of a million',
    argv: ['sh', '-c', 'exec bwa mem -v 1 -t 1 /w/genome.fa /w/reads.fq >/w/aligned.sam'],
    make(work, rootfs) {
      const next = makeNumbers();
      const bases = (count: number) => Array.from({ length: count }, () => 'ACGT'[next() % 4]).join('');
      const genome = bases(1_000_000);
      writeFileSync(join(work, 'genome.fa'), `>genome\n${genome.replaceAll(/.{60}/g, '$&\n')}\n`);
      const reads = Array.from({ length: 20_000 }, (_, number) => {
        const at = next() % (genome.length - 150);
        // One base in fifty is read wrong.
        const read = genome
          .slice(at, at + 150)
          .replaceAll(/./g, base => (next() % 50 === 0 ? 'ACGT'[next() % 4]! : base));
        return `@read${number}\n${read}\n+\n${'I'.repeat(150)}\n`;
      });
      writeFileSync(join(work, 'reads.fq'), reads.join(''));
      run(join(rootfs, 'usr/bin/bwa'), ['index', join(work, 'genome.fa')]);
    },
  },
];

/** The same numbers each time (xorshift32). */
function makeNumbers(): () => number {
  let state = 2463534242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
