// The demo's data: genome and simulated reads of the lambda phage, from Debian's package bowtie2-examples.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';

const execute = promisify(execFile);
const package_ = 'bowtie2-examples';
const linesPerRead = 4;

/** Puts the genome and two sets of paired reads into `folder` unless they are there; answers whether there was something to do. */
export async function fetchData(folder: string): Promise<boolean> {
  if (existsSync(folder)) return false;
  const scratch = `${folder}.unfinished`;
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  await download(scratch);
  const archive = readdirSync(scratch).find(name => name.endsWith('.deb'))!;
  await execute('dpkg-deb', ['-x', archive, 'package'], { cwd: scratch });
  const examples = join(scratch, 'package/usr/share/doc/bowtie2/examples');

  writeFileSync(join(scratch, 'lambda_virus.fa'), gunzipSync(readFileSync(`${examples}/reference/lambda_virus.fa.gz`)));
  for (const end of ['1', '2']) {
    const lines = gunzipSync(readFileSync(`${examples}/reads/reads_${end}.fq.gz`))
      .toString('latin1')
      .split('\n');
    // As if they came from two lanes of a sequencer: both files of a pair are cut at the same read.
    const cut = Math.floor(lines.length / linesPerRead / 2) * linesPerRead;
    const lanes = [lines.slice(0, cut), lines.slice(cut).filter(line => line !== '')];
    lanes.forEach((lane, index) => {
      writeFileSync(join(scratch, `lane${index + 1}_${end}.fq.gz`), gzipSync(`${lane.join('\n')}\n`));
    });
  }
  rmSync(join(scratch, 'package'), { recursive: true });
  rmSync(join(scratch, archive));
  renameSync(scratch, folder);
  return true;
}

/** Any user may download a package; only root may refresh the machine's own lists, so others keep their own. */
async function download(folder: string): Promise<void> {
  const fetch = (...options: string[]) =>
    execute('apt-get', [...options, '-qq', 'download', package_], { cwd: folder });
  await fetch().catch(async () => {
    const lists = join(folder, 'apt-lists');
    mkdirSync(lists);
    const own = ['-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${lists}`];
    await execute('apt-get', [...own, '-qq', 'update'], { cwd: folder });
    await fetch(...own);
    rmSync(lists, { recursive: true });
  });
}
