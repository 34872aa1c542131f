// The whole path as the demo takes it: an unprivileged user's host over SSH, images from a registry, real tools.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCluster } from '#remote/cluster.ts';
import { loadKits } from '#remote/local-kit.ts';
import { noPrompts } from '#ssh/prompts.ts';
import { fetchOutputs, lookInside, runWorkflow } from '../../scripts/demo/remote-run.ts';
import { openStage, root } from '../../scripts/demo/stage.ts';
import { isRoot } from '../support/machine.ts';

const skip = isRoot && existsSync('/usr/bin/apt-get') ? false : 'the demo needs root and Debian packages';

test('reads of the lambda phage become variants and a plot', { skip, timeout: 850_000 }, async t => {
  const stage = await openStage(what => t.diagnostic(what));
  const out = mkdtempSync(join(tmpdir(), 'cwl-demo-out-'));
  const settings = {
    host: 'cluster',
    configFile: stage.sshd!.config,
    folder: `$HOME/.cwl-on-clusters-demo-test-${process.pid}`,
  };
  const kits = await loadKits(join(root, 'dist/kit'));
  const cluster = await openCluster(settings, noPrompts, { kits });
  t.after(async () => {
    await cluster.connection.exec(`chmod -R u+rwX ${settings.folder}; rm -rf ${settings.folder}`);
    cluster.close();
    await stage.close();
    rmSync(out, { recursive: true });
  });

  const run = await runWorkflow(cluster, { mirror: stage.registry.url, engine: 'proot' });
  assert.equal(run.state, 'success', run.message);
  assert.equal(run.taskList.filter(task => task.step === 'align').length, 2);
  assert.deepEqual([...new Set(run.taskList.map(task => task.engine))], ['proot']);
  await fetchOutputs(cluster, run, out);

  const variants = readFileSync(join(out, 'lambda.vcf'), 'utf8').split('\n');
  const calls = variants.filter(line => line !== '' && !line.startsWith('#'));
  assert.equal(calls.length, run.outputs?.variant_count);
  // The reads were simulated with mutations all along the genome.
  assert.ok(calls.length > 50, `${calls.length} variants`);
  assert.ok(calls.every(line => line.startsWith('gi|9626243|ref|NC_001416.1|\t')));

  const picture = readFileSync(join(out, 'lambda.coverage.png'));
  assert.equal(picture.toString('latin1', 0, 8), '\x89PNG\r\n\x1a\n');
  assert.equal(picture.readUInt32BE(16), 1200);

  const seen = await lookInside(cluster, run.id, 'align[0]', 'bowtie2 --version | head -1; pwd; env; ls /home\n');
  assert.match(seen, /bowtie2-align-s version 2\.5\.0$/m);
  assert.match(seen, /^HOME=\/w$/m);
  assert.doesNotMatch(seen, /SSH_CONNECTION|cwl-test/);
  // Its input is an output of the workflow and lies elsewhere by now.
  assert.match(await lookInside(cluster, run.id, 'call', 'head -c 2 /in/1/lambda.bam | od -An -tx1\n'), /1f 8b/);
});
