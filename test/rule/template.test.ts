import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { maxTemplateLength, parseTemplate, TemplateError, type PathTemplate } from '../../lib/rule/template.js';
import { routeCases } from '../cases/routes.js';
import { templateCases, templateErrorCases } from '../cases/templates.js';

function variablesOf(template: PathTemplate): string[] {
  return template.variables.map(({ fieldPath, first, last, multi }) => {
    return `${fieldPath} ${first}-${last}${multi ? ' multi' : ''}`;
  });
}

void t.test('templates', (t) => {
  for (const { template, shape, printed = template, variables = [] } of templateCases) {
    const parsed = parseTemplate(template);
    t.equal(parsed.shape, shape, `shape of ${template}`);
    t.equal(parsed.toString(), printed, `text of ${template}`);
    t.strictSame(variablesOf(parsed), variables, `variables of ${template}`);
    t.equal(parsed.source, template);
    t.equal(parsed.deepIndex, shape.split(/[/:]/).indexOf('**') - (shape.includes('**') ? 1 : 0), `** of ${template}`);
  }
  t.end();
});

void t.test('errors say what, where and what instead', (t) => {
  for (const { template, message, offset, hint } of templateErrorCases) {
    const name = JSON.stringify(template.slice(0, 40));
    const error = errorOf(template);
    t.strictSame(
      error && { message: error.message, offset: error.offset, hint: error.hint },
      { message, offset, hint },
      name,
    );
  }
  t.end();
});

function errorOf(text: string): TemplateError | undefined {
  try {
    parseTemplate(text);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof TemplateError, String(error));
    return error;
  }
}

void t.test('literals are kept as written and normalised', (t) => {
  const { segments, verb } = parseTemplate('/%7eA/%c3%a9:%67o');
  t.strictSame(segments, [
    { kind: 'literal', text: '%7eA', normal: '~A' },
    { kind: 'literal', text: '%c3%a9', normal: '%C3%A9' },
  ]);
  t.strictSame(verb, { kind: 'literal', text: '%67o', normal: 'go' });
  t.end();
});

void t.test('variables know where they stand in the text', (t) => {
  t.strictSame(
    parseTemplate('/v1/{a}/{b.c=x/**}').variables.map(({ offset }) => offset),
    [4, 8],
  );
  t.end();
});

void t.test('the longest template has no depth to overflow', (t) => {
  const text = '/a'.repeat(maxTemplateLength / 2);
  t.equal(parseTemplate(text).segments.length, maxTemplateLength / 2);
  const one = `/{x=${'*/'.repeat(2000)}*}`;
  t.equal(parseTemplate(one).variables[0]!.last, 2000);
  t.end();
});

void t.test('printing and parsing again changes nothing', (t) => {
  const templates = [
    ...templateCases.map(({ template }) => template),
    ...routeCases.flatMap(({ rules }) => rules.map(pathOf)),
  ];
  for (const template of new Set(templates)) {
    const parsed = parseTemplate(template);
    const again = parseTemplate(parsed.toString());
    t.equal(again.shape, parsed.shape);
    t.strictSame(variablesOf(again), variablesOf(parsed));
    t.equal(again.toString(), parsed.toString());
  }
  t.end();
});

function pathOf(rule: string): string {
  return rule.slice(rule.indexOf(' ') + 1);
}

void t.test('any text parses or fails within itself', (t) => {
  const piece = fc.constantFrom(
    '/',
    '{',
    '}',
    '=',
    '*',
    '**',
    ':',
    '.',
    'a',
    'x_1',
    '%41',
    '%',
    ' ',
    '?',
    'é',
    '\ud800',
    '{a}',
    '/b',
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);
  const property = fc.property(text, (template) => {
    const error = errorOf(template);
    if (error !== undefined) {
      assert.ok(error.offset >= 0 && error.offset <= template.length, `${template}: ${error.offset}`);
      assert.ok(error.hint !== '' && !error.message.endsWith('.'));
      return;
    }
    const parsed = parseTemplate(template);
    assert.equal(parseTemplate(parsed.toString()).shape, parsed.shape);
    assert.ok(parsed.segments.filter(({ kind }) => kind === '**').length <= 1);
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 3000 }));
  t.end();
});
