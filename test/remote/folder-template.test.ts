import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '#base/failure.ts';
import { parseFolder } from '#remote/folder-template.ts';

test('variables stand for themselves, all else is literal', () => {
  const cases: [string, string, string[]][] = [
    ['~', '"$HOME"', ['HOME']],
    ['~/.cwl/', '"$HOME"/.cwl', ['HOME']],
    ['$SCRATCH/$USER/cwl', '"$SCRATCH"/"$USER"/cwl', ['SCRATCH', 'USER']],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the cluster's shell.
    ['/lab/${GROUP}x/$(rm -rf ~)', `/lab/"$GROUP"'x/$(rm -rf ~)'`, ['GROUP']],
    ["/a b/it's`x`", `'/a b/it'\\''s\`x\`'`, []],
  ];
  for (const [text, word, variables] of cases) assert.deepEqual(parseFolder(text), { word, variables }, text);
});

test('what is not absolute is refused', () => {
  for (const text of ['', 'cwl', './cwl', '~bob/cwl', '/a/../b', '/a\nb', '$(id)/x']) {
    assert.throws(
      () => parseFolder(text),
      error => isFailure(error, 'remote/folder'),
      text,
    );
  }
});
