// Reading Dockerfiles, their words, and rules of what is left out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBuildArguments } from '#helper/build-options.ts';
import { findBaseImages } from '#image/build-globals.ts';
import { parseDockerfile, parseExecForm } from '#image/dockerfile.ts';
import { expandWord, splitPairs } from '#image/dockerfile-words.ts';
import { parseIgnoreRules, parsePathPattern } from '#image/path-pattern.ts';

const variables: Record<string, string> = { x: 'one two', empty: '', path: '/a/b/c.tar.gz' };

function expand(text: string, isRaw = false): string {
  return expandWord(text, { lookup: name => variables[name], escapeMark: '\\', isRaw });
}

test('every form of a variable, quotes and escapes', () => {
  const expected = {
    $x: 'one two',
    'a${x}b': 'aone twob',
    '${y:-d}${y-e}${empty:-f}${empty-g}': 'def',
    '${y:+d}${x:+e}${empty:+f}${empty+g}': 'eg',
    '${y:-${x}-$x}': 'one two-one two',
    '\\$x \\${x}': '$x ${x}',
    '\'$x\' "$x" "\\$x\\""': '$x one two $x"',
    '${path#*/}|${path##*/}|${path%.*}|${path%%.*}': 'a/b/c.tar.gz|c.tar.gz|/a/b/c.tar|/a/b/c',
    '${path/b/X}${path//a/Y}': '/a/X/c.tar.gz/Y/b/c.tYr.gz',
    'cost $ 5$': 'cost $ 5$',
  };
  for (const [text, value] of Object.entries(expected)) assert.equal(expand(text), value, text);
  assert.equal(expand('"$x" \'$x\' \\$x \\n', true), '"one two" \'one two\' $x \\n');
  for (const wrong of ['${x', '${y:?none}', '"open', '${!x}'])
    assert.throws(() => expand(wrong), { code: 'image/invalid-dockerfile' });
});

test('pairs of names and values, in both ways to write them', () => {
  assert.deepEqual(splitPairs('a=1 b="x y" c=x\\ y', '\\'), [
    ['a', '1'],
    ['b', '"x y"'],
    ['c', 'x\\ y'],
  ]);
  assert.deepEqual(splitPairs('a x  y=z', '\\'), [['a', 'x  y=z']]);
  assert.throws(() => splitPairs('a', '\\'));
});

test('continued lines, comments, heredocs, flags, stages and the escape directive', () => {
  const file = parseDockerfile(
    '# escape=`\n\n# x\nARG V=1\nfrom --platform=$BUILDPLATFORM a:$V as One\r\nRUN a `  \n\n  # gone\n && b\nrun <<A cat <<-"B"\none\n# kept\nA\n\tend\n\tB\nFROM one\nRUN echo "<<<x" $((1<<2))\n',
  );
  assert.equal(file.escapeMark, '`');
  assert.deepEqual(
    file.stages.map(stage => [stage.name, stage.base]),
    [
      ['one', 'a:$V'],
      [undefined, 'one'],
    ],
  );
  const [run, heredoc] = file.stages[0]!.instructions;
  assert.deepEqual([run!.text, run!.line], ['a  && b', 6]);
  assert.deepEqual(heredoc!.heredocs, [
    { name: 'A', text: 'one\n# kept\n', isExpanded: true },
    { name: 'B', text: 'end\n', isExpanded: false },
  ]);
  assert.deepEqual(file.stages[0]!.from.flags, [{ name: 'platform', value: '$BUILDPLATFORM' }]);
  assert.deepEqual(parseExecForm('["a", "b c"]'), ['a', 'b c']);
  assert.equal(parseExecForm('[ -e x ]'), undefined);
});

test('what makes no sense is told with its line', () => {
  for (const [text, message] of [
    ['', /no FROM/],
    ['RUN x\nFROM a', /Dockerfile:1: RUN comes before the first FROM/],
    ['FROM a b', /Dockerfile:1: FROM needs IMAGE/],
    ['FROM a\nCPOY x y', /Dockerfile:2: there is no instruction CPOY/],
    ['FROM a\nCOPY <<E /x\ntext\n', /Dockerfile:2: the text that begins with <<E has no end/],
  ] as const) {
    assert.throws(() => parseDockerfile(text), { code: 'image/invalid-dockerfile', message }, text);
  }
});

test('base images are those that are no stages', () => {
  assert.deepEqual(findBaseImages('ARG T=9\nFROM debian:$T AS a\nFROM scratch\nFROM A\nFROM b'), ['debian:9', 'b']);
  const copies = 'FROM a AS b\nCOPY --from=c:1 /x /y\nFROM b\nCOPY --from=b /x /y\nCOPY --from=0 /x /y\n';
  const mounts = 'RUN --mount=type=bind,from=d,target=/d true\nRUN --mount=type=cache,target=/e true\nFROM a\n';
  assert.deepEqual(findBaseImages(copies + mounts), ['a', 'c:1', 'd']);
});

test('.dockerignore: the last rule that matches decides, also for what is below', () => {
  const rules = parseIgnoreRules('# c\n/a/\n!a/b\n**/*.log\n!/keep.log\n*/c?[x-z]\n');
  const ignored = ['a', 'a/x', 'x.log', 'd/e/x.log', 'q/cax', 'q/cax/below'];
  const kept = ['a/b', 'a/b/c', 'keep.log', 'b/a', 'q/cab', 'q/r/cax'];
  assert.deepEqual([...ignored, ...kept].filter(rules.isIgnored), ignored);
  assert.ok(parsePathPattern('a/**/b').test('a/b') && parsePathPattern('a/**/b').test('a/x/y/b'));
  assert.ok(!parsePathPattern('a*').test('a/b') && !parsePathPattern('a[^b]').test('ab'));
});

test('the command line of a build', () => {
  const options = parseBuildArguments([
    '-t',
    'n',
    '--pull',
    '--build-arg=A=b=c',
    '--secret',
    'id=k,src=/f',
    '--no-cache',
    '.',
  ]);
  assert.deepEqual([options.names, options.policy, options.isCached, options.context], [['n'], 'always', false, '.']);
  assert.deepEqual(
    [...options.args, ...options.secrets],
    [
      ['A', 'b=c'],
      ['k', { file: '/f' }],
    ],
  );
  assert.equal(parseBuildArguments(['--pull', 'never', '.']).policy, 'never');
  for (const wrong of [[], ['a', 'b'], ['--squash', '.'], ['-t'], ['-f', 'x', '-'], ['--pull=often', '.']]) {
    assert.throws(() => parseBuildArguments(wrong), { code: 'helper/usage' }, wrong.join(' '));
  }
});
