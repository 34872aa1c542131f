// A whole run by the kit alone: an image that is loaded or pulled, a step in it under PRoot, and its outputs, in a root
// without any libc; and again with the system calls refused that are newer than an old kernel.
import assert from 'node:assert/strict';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busyboxImage, writeLayout } from '../support/images.ts';
import { type Jail, kernels, makeJail, noJail } from '../support/jail.ts';
import { needPackages, run } from '../support/machine.ts';
import { noRegistry, pushImage, type Registry, startRegistry } from '../support/registry.ts';
import { Layer } from '../support/tar.ts';

let jail: Jail;
let registry: Registry | undefined;

/** Debian's own shell, with the loader and the libc that it needs: these ask for a kernel's version. */
function dynamicShell(): Layer {
  needPackages('dash');
  const layer = new Layer();
  const libraries = [...run('ldd', ['/bin/dash']).matchAll(/(\/\S+) \(0x/g)].map(match => match[1]!);
  const folders = new Set(
    libraries.flatMap(path =>
      path
        .split('/')
        .slice(1, -1)
        .map((_, i, all) => all.slice(0, i + 1).join('/')),
    ),
  );
  for (const folder of folders) layer.directory(folder);
  for (const path of libraries) layer.file(path.slice(1), readFileSync(realpathSync(path)), 0o755);
  return layer.file('bin/dash', readFileSync('/bin/dash'), 0o755);
}

/** A workflow: a dynamic program in a pipeline with static ones, then a scatter over what it made. */
const workflow = (image: string) => `
cwlVersion: v1.2
class: Workflow
requirements: { ScatterFeatureRequirement: {}, InlineJavascriptRequirement: {}, StepInputExpressionRequirement: {} }
hints: { DockerRequirement: { dockerPull: "${image}" } }
inputs: { text: File, words: "string[]" }
outputs:
  sorted: { type: File, outputSource: sort/sorted }
  counts: { type: "string[]", outputSource: count/count }
steps:
  sort:
    in: { text: text }
    out: [sorted]
    run:
      class: CommandLineTool
      inputs: { text: File }
      outputs: { sorted: stdout }
      stdout: sorted.txt
      baseCommand: [dash, -c]
      arguments: ['test "$PWD" = "$HOME" && sort <"$0" | tee copy && cmp copy copy', $(inputs.text.path)]
  count:
    scatter: word
    in: { text: sort/sorted, word: words }
    out: [count]
    run:
      class: CommandLineTool
      requirements: { ShellCommandRequirement: {} }
      inputs: { text: File, word: string }
      outputs:
        count: { type: string, outputBinding: { glob: n, loadContents: true, outputEval: '$(inputs.word + ":" + self[0].contents.trim())' } }
      arguments: [{ shellQuote: false, valueFrom: 'grep -c $(inputs.word) $(inputs.text.path) >n || true' }]
`;

before(async () => {
  if (noJail) return;
  jail = makeJail();
  const image = busyboxImage({ layers: [dynamicShell()] });
  const layout = join(jail.path, 'layout');
  writeLayout(layout, { 'lab/tools:1': image });
  run('tar', ['cf', join(jail.path, 'image.tar'), '-C', layout, '.']);
  jail.write('loaded.cwl', workflow('lab/tools:1'));
  jail.write('text', 'pear\napple\npeach\n');
  jail.write('inputs.json', JSON.stringify({ text: { class: 'File', path: 'text' }, words: ['pea', 'apple', 'plum'] }));
  if (noRegistry) return;
  registry = await startRegistry();
  await pushImage(registry, 'lab/tools:1', image);
  jail.write('pulled.cwl', workflow(`${registry.host}/lab/tools:1`));
});
after(async () => {
  jail?.remove();
  await registry?.stop();
});

for (const [index, [name, lastCall]] of kernels.entries()) {
  const skip = noJail || (lastCall !== undefined && process.arch !== 'x64' ? 'the numbers are those of x86_64' : false);

  const runWorkflow = (document: string, ...options: string[]) => {
    const folder = `/tmp/${document}-${index}`;
    const args = ['run', '--engine', 'proot', ...options, '--outdir', folder, `/${document}.cwl`, '/inputs.json'];
    const { stdout, stderr } = jail.helper(args, lastCall);
    const { sorted, counts } = JSON.parse(stdout || '{}') as {
      sorted?: { location: string; size: number };
      counts?: string[];
    };
    assert.deepEqual(counts, ['pea:2', 'apple:1', 'plum:0'], stderr);
    assert.equal(sorted?.location, `file://${folder}/sorted.txt`);
    assert.equal(readFileSync(join(jail.path, folder, 'sorted.txt'), 'utf8'), 'apple\npeach\npear\n');
  };

  test(`an image is loaded and a workflow runs in it with nothing but the kit and ${name}`, { skip }, () => {
    const store = `/home/images-${index}`;
    const loaded = jail.helper(
      ['image', 'load', '--image-store', store, '--name', 'lab/tools:1', '/image.tar'],
      lastCall,
    );
    assert.equal(loaded.status, 0, loaded.stderr);
    runWorkflow('loaded', '--image-store', store, '--pull', 'never');
  });

  test(`an image is pulled and a workflow runs in it with nothing but the kit and ${name}`, {
    skip: skip || noRegistry,
  }, () => {
    runWorkflow('pulled', '--image-store', `/home/pulled-${index}`);
  });
}
