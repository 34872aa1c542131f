import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FileValue, mapPaths, setPath, splitName, toBasename } from '#cwl/file-value.ts';
import { addTriples, checkFormat } from '#cwl/format.ts';
import { toGlobExpression } from '#cwl/glob.ts';
import { evaluateWorkDir } from '#cwl/initial-work-dir.ts';
import { mergeLinks } from '#cwl/links.ts';
import type { Requirement, Step, Type, Value } from '#cwl/model.ts';
import { parseRdfXml } from '#cwl/rdf-xml.ts';
import { findRequirement, inherit, noRequirements } from '#cwl/requirements.ts';
import { evaluateResources } from '#cwl/resources.ts';
import { gather, planScatter } from '#cwl/scatter.ts';
import { applyPattern, planSecondaryFiles } from '#cwl/secondary-files.ts';
import { evaluateNetworkAccess, evaluateReuse, evaluateTimeLimit } from '#cwl/single-values.ts';
import { parseTurtle } from '#cwl/turtle.ts';
import { checkValue } from '#cwl/value-check.ts';
import { makeContext, place, primitive } from './support-execution.ts';

test('nameroot and nameext (CWL v1.2, File)', () => {
  const cases: [string, string, string][] = [
    ['a.tar.gz', 'a.tar', '.gz'],
    ['.cshrc', '.cshrc', ''],
    ['..rc.x', '..rc', '.x'],
    ['plain', 'plain', ''],
    ['end.', 'end', '.'],
  ];
  for (const [name, nameroot, nameext] of cases) assert.deepEqual(splitName(name), { nameroot, nameext });
  assert.equal(toBasename('file:///d/item%20%231.txt'), 'item #1.txt');
  const file: FileValue = { class: 'File' };
  setPath(file, '/in/0/a.b');
  assert.deepEqual(file, {
    class: 'File',
    path: '/in/0/a.b',
    basename: 'a.b',
    dirname: '/in/0',
    nameroot: 'a',
    nameext: '.b',
  });
});

test('mapPaths changes outermost Files only', () => {
  const inner = { class: 'File', basename: 'i' };
  const value = { list: [{ class: 'File', secondaryFiles: [inner] }], n: 1 } as Value;
  let count = 0;
  mapPaths(value, path => {
    count++;
    return path;
  });
  assert.equal(count, 1);
});

test('values are checked against types', () => {
  const record: Type = {
    kind: 'record',
    fields: [
      {
        name: 'a',
        type: primitive('int'),
        place,
        secondaryFiles: [],
        format: [],
        streamable: false,
        loadContents: false,
      },
    ],
  };
  const good: [Value, Type][] = [
    [3, primitive('int')],
    [2 ** 31 - 1, primitive('int')],
    [-(2 ** 31), primitive('int')],
    [2 ** 40, primitive('long')],
    [1.5, primitive('float')],
    ['x', { kind: 'enum', name: 'file:///d#e', symbols: ['x'] }],
    ['file:///d#e/x', { kind: 'enum', name: 'file:///d#e', symbols: ['x'] }],
    [{ a: 1, more: 2 }, record],
    [null, { kind: 'union', members: [primitive('null'), primitive('int')] }],
    [{ class: 'File' }, primitive('Any')],
    [[], { kind: 'array', items: primitive('File') }],
  ];
  for (const [value, type] of good) assert.equal(checkValue(value, type), undefined);
  const bad: [Value, Type, RegExp][] = [
    [1.5, primitive('int'), /expected int, got the number 1\.5/],
    [2 ** 31, primitive('int'), /int/],
    [1e21, primitive('long'), /long/],
    ['3', primitive('int'), /got the string "3"/],
    [null, primitive('Any'), /expected Any, got nothing/],
    ['y', { kind: 'enum', symbols: ['x'] }, /one of "x"/],
    [{ a: 'z' }, record, /field a: expected int/],
    [
      [1, 'b'],
      { kind: 'union', members: [primitive('string'), { kind: 'array', items: primitive('int') }] },
      /item 2: expected int/,
    ],
    [{ class: 'Directory' }, primitive('File'), /got a Directory/],
  ];
  for (const [value, type, expected] of bad) assert.match(checkValue(value, type) ?? '', expected);
});

test('secondary file patterns (CWL v1.2, secondaryFiles)', () => {
  assert.equal(applyPattern('a.b.bam', '.bai'), 'a.b.bam.bai');
  assert.equal(applyPattern('a.b.bam', '^.bai'), 'a.b.bai');
  assert.equal(applyPattern('a.b.bam', '^^.dict'), 'a.dict');
  assert.equal(applyPattern('plain', '^^.x'), 'plain.x');
  const context = makeContext({ need: null, name: 'other.txt' });
  const rules = [
    { pattern: '.a' },
    { pattern: '$(inputs.name)', required: false },
    { pattern: '.b', required: '$(inputs.need)' },
  ];
  const plan = planSecondaryFiles({ class: 'File', basename: 'p' }, rules, context, { requiredByDefault: true, place });
  assert.deepEqual(plan, [
    { wanted: ['p.a'], required: true },
    { wanted: ['other.txt'], required: false },
    { wanted: ['p.b'], required: false },
  ]);
});

test('the innermost requirement counts, and a requirement goes before a hint (CWL v1.2, Requirements and hints)', () => {
  const env = (value: string): Requirement => ({
    class: 'EnvVarRequirement',
    envDef: [{ envName: 'X', envValue: value }],
    place,
  });
  const outer = inherit(noRequirements, { requirements: [env('workflow')], hints: [] });
  const value = (requirements: typeof outer) => findRequirement(requirements, 'EnvVarRequirement')?.envDef[0]?.envValue;
  assert.equal(value(inherit(outer, { requirements: [], hints: [env('hint')] })), 'workflow');
  assert.equal(value(inherit(outer, { requirements: [env('tool')], hints: [] })), 'tool');
  const hinted = inherit(noRequirements, { requirements: [], hints: [env('far')] });
  assert.equal(value(inherit(hinted, { requirements: [], hints: [env('near')] })), 'near');
});

test('resources: one bound gives the other, defaults, and faults (CWL v1.2, ResourceRequirement)', () => {
  const ask = (amounts: Record<string, number | string>, version: 'v1.0' | 'v1.2' = 'v1.2') =>
    evaluateResources(
      inherit(noRequirements, { requirements: [{ class: 'ResourceRequirement', amounts, place }], hints: [] }),
      makeContext({ n: 3 }, { version }),
    );
  assert.deepEqual(ask({ coresMin: '$(inputs.n)' }).cores, { min: 3, max: 3 });
  assert.deepEqual(ask({ ramMax: 100 }).ram, { min: 100, max: 100 });
  assert.deepEqual(ask({ coresMin: 1, coresMax: 4 }).cores, { min: 1, max: 4 });
  assert.deepEqual(ask({}).ram, { min: 256, max: 256 });
  assert.deepEqual(ask({}, 'v1.0').ram, { min: 1024, max: 1024 });
  assert.throws(() => ask({ coresMin: 4, coresMax: 2 }), /coresMax \(2\) is below coresMin \(4\)/);
  assert.throws(() => ask({ ramMin: -1 }), /negative/);
});

test('network, reuse and time limit: literals, expressions, defaults and faults', () => {
  const holding = (...requirements: Requirement[]) => inherit(noRequirements, { requirements, hints: [] });
  const context = makeContext({ yes: true, seconds: 5, text: 'no' });
  assert.equal(evaluateNetworkAccess(noRequirements, context), false);
  assert.equal(evaluateNetworkAccess(noRequirements, { ...context, version: 'v1.0' }), true);
  const network = (networkAccess: boolean | string) =>
    evaluateNetworkAccess(holding({ class: 'NetworkAccess', networkAccess, place }), context);
  assert.equal(network(false), false);
  assert.equal(network('$(inputs.yes)'), true);
  assert.throws(() => network('$(inputs.text)'), /tool\.cwl:3:5: networkAccess must be true or false, not "no"/);
  const reuse = (enableReuse: boolean | string) =>
    evaluateReuse(holding({ class: 'WorkReuse', enableReuse, place }), context);
  assert.equal(evaluateReuse(noRequirements, context), true);
  assert.equal(reuse(false), false);
  assert.throws(() => reuse('$(inputs.seconds)'), /enableReuse must be true or false, not 5/);
  const limit = (timelimit: number | string) =>
    evaluateTimeLimit(holding({ class: 'ToolTimeLimit', timelimit, place }), context);
  assert.equal(evaluateTimeLimit(noRequirements, context), undefined);
  assert.equal(limit(0), undefined);
  assert.equal(limit('$(inputs.seconds)'), 5);
  assert.throws(() => limit('$(inputs.text)'), /timelimit must be a number of seconds that is not negative, not "no"/);
});

test('links: merged and picked (CWL v1.2, WorkflowStepInput)', () => {
  const sink = { source: ['a', 'b'], sourceIsList: true, place };
  assert.deepEqual(mergeLinks(sink, [[1], 2]), [[1], 2]);
  assert.deepEqual(mergeLinks({ ...sink, linkMerge: 'merge_flattened' }, [[1], 2]), [1, 2]);
  assert.equal(mergeLinks({ ...sink, source: ['a'] }, [5]), 5);
  assert.deepEqual(mergeLinks({ ...sink, linkMerge: 'merge_nested' }, [5]), [5]);
  assert.equal(mergeLinks({ ...sink, pickValue: 'first_non_null' }, [null, 0, 1]), 0);
  assert.deepEqual(mergeLinks({ ...sink, pickValue: 'first_non_null' }, [null, [null]]), [null]);
  assert.deepEqual(mergeLinks({ ...sink, pickValue: 'all_non_null' }, [null, 1]), [1]);
  assert.deepEqual(mergeLinks({ ...sink, pickValue: 'all_non_null' }, [null, null]), []);
  assert.throws(() => mergeLinks({ ...sink, pickValue: 'the_only_non_null' }, [1, 2]), /2 of a, b are not null/);
  assert.throws(() => mergeLinks({ ...sink, pickValue: 'first_non_null' }, [null, null]), /all of a, b are null/);
});

test('scatter: its jobs and the lists of its outputs (CWL v1.2, WorkflowStep)', () => {
  const plan = (scatter: string[], scatterMethod: Step['scatterMethod'], inputs: Record<string, Value>) => {
    const { jobs, shape } = planScatter({ id: 's', scatter, scatterMethod, place } as Step, inputs);
    return gather(
      shape,
      jobs.map(job => Object.values(job.values).join('')),
    );
  };
  assert.deepEqual(plan(['a'], undefined, { a: [1, 2] }), ['1', '2']);
  assert.deepEqual(plan(['a', 'b'], 'dotproduct', { a: [1, 2], b: ['x', 'y'] }), ['1x', '2y']);
  assert.deepEqual(plan(['a', 'b'], 'nested_crossproduct', { a: [1, 2], b: ['x', 'y'] }), [
    ['1x', '1y'],
    ['2x', '2y'],
  ]);
  assert.deepEqual(plan(['a', 'b'], 'flat_crossproduct', { a: [1, 2], b: ['x', 'y'] }), ['1x', '1y', '2x', '2y']);
  assert.deepEqual(plan(['a', 'b'], 'nested_crossproduct', { a: [1, 2], b: [] }), [[], []]);
  assert.deepEqual(plan(['a', 'b'], 'nested_crossproduct', { a: [], b: [1] }), []);
  assert.deepEqual(plan(['a', 'b'], 'flat_crossproduct', { a: [1], b: [] }), []);
  assert.throws(() => plan(['a', 'b'], 'dotproduct', { a: [1], b: [] }), /a has 1 items and b has 0/);
  assert.throws(() => plan(['a'], undefined, { a: 'x' }), /must be an array/);
});

test('InitialWorkDirRequirement in its forms (CWL v1.2, Dirent)', () => {
  const file = { class: 'File', location: 'file:///d/f', basename: 'f' };
  const context = makeContext({ f: file, list: [1, 2], files: [file, file], none: null });
  const read = (listing: Extract<Requirement, { class: 'InitialWorkDirRequirement' }>['listing']) =>
    evaluateWorkDir({ class: 'InitialWorkDirRequirement', listing, place }, context).map(
      ({ place: _, ...entry }) => entry,
    );
  const dirent = (entry: string, entryname?: string) =>
    read([{ kind: 'dirent', entry, entryname, writable: false, place }]);
  assert.deepEqual(dirent('x\n', 'a.txt'), [{ kind: 'text', name: 'a.txt', text: 'x\n', writable: false }]);
  assert.deepEqual(dirent('$(inputs.list)', 'l'), [{ kind: 'text', name: 'l', text: '[1, 2]', writable: false }]);
  assert.deepEqual(dirent('$(inputs.f)', 'g'), [{ kind: 'path', name: 'g', value: file, writable: false }]);
  assert.equal((dirent('$(inputs.f)\n', 'g')[0] as { kind: string }).kind, 'text');
  assert.deepEqual(dirent('$(inputs.none)', 'g'), []);
  assert.equal(dirent('$(inputs.files)').length, 2);
  assert.throws(() => dirent('$(inputs.files)', 'g'), /can't name 2 Files/);
  assert.throws(() => dirent('text'), /needs an entryname/);
  assert.deepEqual(read('$(inputs.f)'), [{ kind: 'path', name: undefined, value: file, writable: false }]);
  assert.throws(() => read('$(inputs.list)'), /takes Files, Directories and Dirents/);
});

test('glob(3) components', () => {
  const matches = (pattern: string, name: string) => toGlobExpression(pattern)?.test(name);
  assert.equal(toGlobExpression('plain.txt'), undefined);
  assert.ok(matches('*.txt', 'a.txt'));
  assert.ok(!matches('*.txt', '.a.txt'));
  assert.ok(matches('.*', '.a'));
  assert.ok(matches('a?c', 'a[c'));
  assert.ok(matches('[ab]*', 'bcd'));
  assert.ok(!matches('[!ab]*', 'bcd'));
  assert.ok(matches('[]x]', ']'));
  assert.ok(matches('x[', 'x['));
  assert.ok(matches('a\\*', 'a*'));
  assert.ok(!matches('a\\*', 'ab'));
  assert.ok(matches('[a-c]{1}', 'b{1}'));
});

test('formats follow subclasses and equivalents of an ontology, in RDF/XML and Turtle (CWL v1.2, File.format)', () => {
  const ontology = new Map<string, Set<string>>();
  const xml = `<?xml version="1.0"?>
    <!DOCTYPE rdf:RDF [<!ENTITY e "http://e.org/">]>
    <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
             xmlns:owl="http://www.w3.org/2002/07/owl#" xml:base="http://e.org/">
      <!-- <owl:Class rdf:about="&e;no"> -->
      <owl:Class rdf:about="&e;fasta">
        <rdfs:label>a &lt;b></rdfs:label>
        <rdfs:subClassOf rdf:resource="&e;text"/>
      </owl:Class>
      <owl:Class rdf:about="text"><rdfs:subClassOf><owl:Class rdf:about="&e;data"/></rdfs:subClassOf></owl:Class>
    </rdf:RDF>`;
  addTriples(ontology, parseRdfXml(xml));
  const turtle = `@prefix g: <http://g.org/> . # a comment
    @prefix owl: <http://www.w3.org/2002/07/owl#> .
    g:fa a owl:Class ; owl:equivalentClass <http://e.org/fasta> , g:other .`;
  addTriples(ontology, parseTurtle(turtle));
  assert.equal(checkFormat('http://g.org/fa', ['http://e.org/data'], ontology), undefined);
  assert.equal(checkFormat('http://e.org/fasta', ['http://g.org/fa'], ontology), undefined);
  assert.match(
    checkFormat('http://e.org/data', ['http://e.org/fasta'], ontology) ?? '',
    /is not http:\/\/e\.org\/fasta/,
  );
  assert.equal(checkFormat(undefined, ['http://e.org/fasta'], ontology), undefined);
});
