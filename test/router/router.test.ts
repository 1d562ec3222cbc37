import assert from 'node:assert/strict';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { PathMatcherBuilder, type PathMatcher, type RouterOptions } from '../../lib/router/index.js';
import { PathSegments } from '../../lib/router/segments.js';
import { captureLayout, TrieNode } from '../../lib/router/trie.js';
import type { RuleOrigin } from '../../lib/rule/origin.js';
import { parseTemplate } from '../../lib/rule/template.js';
import { ProblemList } from '../../lib/status.js';
import { routeCases, type RouteCase } from '../cases/routes.js';
import { referenceMatch } from './reference.js';

function originOf(declaration: number, origin: Partial<RuleOrigin> = {}): RuleOrigin {
  return {
    rpc: `p.S.M${declaration}`,
    place: { file: 'a.proto', line: declaration + 1 },
    fileOrder: 0,
    declaration,
    ...origin,
  };
}

function builderOf(rules: readonly string[], options: RouterOptions = {}): PathMatcherBuilder<string> {
  const builder = new PathMatcherBuilder<string>(options);
  rules.forEach((rule, index) => {
    const [httpMethod, template] = rule.split(' ') as [string, string];
    builder.add({ httpMethod, template: parseTemplate(template), origin: originOf(index) }, rule);
  });
  return builder;
}

function matcherOf(rules: readonly string[], options: RouterOptions = {}): PathMatcher<string> {
  const problems = new ProblemList();
  const matcher = builderOf(rules, options).build(problems);
  problems.throwIfAny();
  return matcher;
}

function outcome(matcher: PathMatcher<string>, request: string): RouteCase['expect'] {
  const space = request.indexOf(' ');
  const [method, path] = [request.slice(0, space), request.slice(space + 1)];
  const match = matcher.match(method, path);
  if (match !== undefined) return { rule: match.value, captures: textsOf(path, match.captures) };
  const allow = matcher.allowed(path);
  return allow.length === 0 ? { status: 404 } : { status: 405, allow: allow.join(', ') };
}

function textsOf(path: string, captures: readonly number[]): string[] {
  return Array.from({ length: captures.length / 2 }, (_, index) =>
    path.slice(captures[2 * index], captures[2 * index + 1]),
  );
}

void t.test('what the text after the last colon is', (t) => {
  const rules = ['GET /s/*', 'GET /d/**', 'POST /s/*:touch', 'PUT /t/*:tidy'];
  const cases: readonly (readonly [RouterOptions['customVerbs'], string, string | undefined])[] = [
    ['of_route', 'GET /s/a:touch', 'GET /s/*'],
    ['of_route', 'GET /s/a:tidy', 'GET /s/*'],
    ['of_any_route', 'GET /s/a:touch', undefined],
    ['of_any_route', 'GET /s/a:tidy', undefined],
    ['of_any_route', 'GET /d/a/b:tidy', undefined],
    ['of_any_route', 'GET /s/a:other', 'GET /s/*'],
    ['of_any_route', 'GET /s/a:touch/', 'GET /s/*'],
    ['of_any_route', 'GET /s/a%3Atouch', 'GET /s/*'],
    ['of_any_route', 'POST /s/a:b:touch', 'POST /s/*:touch'],
    ['of_any_route', 'POST /s/a:touch/', undefined],
    ['of_any_route', 'GET /s/a///', 'GET /s/*'],
    ['every_colon', 'GET /s/a:other', undefined],
    ['every_colon', 'GET /s/a', 'GET /s/*'],
    ['every_colon', 'POST /s/a:touch', 'POST /s/*:touch'],
  ];
  for (const [customVerbs = 'of_route', request, rule] of cases) {
    const found = outcome(matcherOf(rules, { customVerbs }), request);
    t.equal('rule' in found ? found.rule : undefined, rule, `${customVerbs}: ${request}`);
  }
  const strict = matcherOf(rules, { customVerbs: 'of_any_route', strictSlash: true });
  t.same(outcome(strict, 'GET /s/a/'), { status: 404 });
  t.same(outcome(matcherOf(rules, { customVerbs: 'of_any_route' }), 'GET /d/a//'), {
    rule: 'GET /d/**',
    captures: [],
  });
  t.end();
});

void t.test('the table of cases', (t) => {
  for (const { name, rules, request, expect, strictSlash = false } of routeCases) {
    t.strictSame(outcome(matcherOf(rules, { strictSlash }), request), expect, name);
    t.strictSame(outcome(matcherOf(rules.toReversed(), { strictSlash }), request), expect, `${name}, added backwards`);
  }
  t.end();
});

void t.test('one matcher serves request after request', (t) => {
  const matchers = new Map<string, PathMatcher<string>>();
  const matcherFor = ({ rules, strictSlash = false }: RouteCase) => {
    const key = `${strictSlash} ${rules.join(' ')}`;
    if (!matchers.has(key)) matchers.set(key, matcherOf(rules, { strictSlash }));
    return matchers.get(key)!;
  };
  for (const row of [...routeCases, ...routeCases.toReversed()]) {
    t.strictSame(outcome(matcherFor(row), row.request), row.expect, row.name);
  }
  t.end();
});

const requestMethods = ['GET', 'POST', 'HEAD', 'OPTIONS', 'PURGE', 'BREW'];
const ruleMethods = ['GET', 'POST', '*', 'HEAD', 'OPTIONS', 'PURGE'];
const segment = fc.constantFrom('a', 'b', 'c', '*', '*', '%7e');
const bareTemplate = fc
  .record({
    front: fc.array(segment, { maxLength: 3 }),
    deep: fc.boolean(),
    back: fc.array(segment, { maxLength: 2 }),
    verb: fc.constantFrom('', '', '', ':v', ':w'),
  })
  .map(({ front, deep, back, verb }) => {
    const segments = deep ? [...front, '**', ...back] : front;
    return `/${segments.join('/')}${segments.length > 0 ? verb : ''}`;
  });
const rule = fc
  .tuple(fc.constantFrom(...ruleMethods), bareTemplate)
  .map(([method, template]) => `${method} ${template}`);
const ruleSet = fc.uniqueArray(rule, { maxLength: 12, selector: (text) => shapeKey(text) });
const rawPath = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'c', 'd', '', '~', '%7E', '%2F', 'a:v', 'x:y'), { maxLength: 6 }),
    fc.constantFrom('', '', '', ':v', ':w', ':z', '/', '//', ':v/', '%3Av', ':%76', ':'),
  )
  .map(([segments, end]) => `/${segments.join('/')}${end}`);

function shapeKey(text: string): string {
  const [method, template] = text.split(' ') as [string, string];
  return `${method} ${parseTemplate(template).shape}`;
}

function holds<T>(t: Test, property: fc.IProperty<T>, numRuns: number): void {
  t.doesNotThrow(() => fc.assert(property, { numRuns }));
  t.end();
}

void t.test('the trie agrees with templates tried one by one', (t) => {
  const property = fc.property(ruleSet, fc.array(rawPath, { minLength: 1, maxLength: 8 }), (rules, paths) => {
    const matcher = matcherOf(rules);
    for (const path of paths) {
      for (const method of requestMethods) {
        assert.equal(matcher.match(method, path)?.value, referenceMatch(rules, method, path), `${method} ${path}`);
      }
    }
  });
  holds(t, property, 2000);
});

void t.test('Allow lists what match takes', (t) => {
  const property = fc.property(ruleSet, rawPath, (rules, path) => {
    const matcher = matcherOf(rules);
    const allowed = matcher.allowed(path);
    for (const method of ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT']) {
      assert.equal(allowed.includes(method), referenceMatch(rules, method, path) !== undefined, method);
    }
    const purge = referenceMatch(rules, 'PURGE', path)?.startsWith('PURGE ') ?? false;
    assert.equal(allowed.includes('PURGE'), purge);
    assert.equal(
      allowed.includes('OPTIONS'),
      allowed.length > 0 || referenceMatch(rules, 'OPTIONS', path) !== undefined,
    );
    assert.deepEqual(allowed, allowed.toSorted());
  });
  holds(t, property, 500);
});

/** A segment of a template with the text that a request has in its place; undefined: nothing, as `**` may. */
interface Filled {
  readonly pattern: string;
  readonly text: string | undefined;
}

const filledText = fc.constantFrom('a', 'x:y', '%2F', '.', 'é', ':', '*', '{v}');
const filledSegment = fc.oneof(
  fc.constantFrom<Filled>({ pattern: 'a', text: 'a' }, { pattern: '~', text: '%7e' }),
  filledText.map((text): Filled => ({ pattern: '*', text })),
);
const filledMiddle = fc.array(filledText, { maxLength: 3 }).map((texts): Filled => {
  return { pattern: '**', text: texts.length === 0 ? undefined : texts.join('/') };
});
const filledEnd = fc.constantFrom(undefined, '', '/', 'a//', 'a/b').map((text): Filled => ({ pattern: '**', text }));
const filledTemplate = fc.oneof(
  fc.array(filledSegment, { minLength: 1, maxLength: 5 }),
  fc.tuple(fc.array(filledSegment, { maxLength: 3 }), filledEnd).map(([front, end]) => [...front, end]),
  fc
    .tuple(
      fc.array(filledSegment, { maxLength: 3 }),
      filledMiddle,
      fc.array(filledSegment, { minLength: 1, maxLength: 3 }),
    )
    .map(([front, middle, back]) => [...front, middle, ...back]),
);

function joined(filled: readonly Filled[]): string {
  return filled
    .map(({ text }) => text)
    .filter((text) => text !== undefined)
    .join('/');
}

void t.test('captures are the text that fills the variables', (t) => {
  const lengths = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 5, maxLength: 5 });
  const property = fc.property(
    filledTemplate,
    lengths,
    fc.constantFrom('', ':v'),
    fc.boolean(),
    (filled, sizes, verb, slash) => {
      const groups: Filled[][] = [];
      for (let at = 0; at < filled.length; at += groups.at(-1)!.length)
        groups.push(filled.slice(at, at + sizes[groups.length % 5]!));
      const variables = groups.map((group, index) => `{v${index}=${group.map(({ pattern }) => pattern).join('/')}}`);
      const takesSlash = verb === '' && filled.at(-1)!.pattern === '**';
      const path = `/${joined(filled)}${verb}${slash && !takesSlash ? '/' : ''}`;
      const match = matcherOf([`GET /${variables.join('/')}${verb}`]).match('GET', path);
      assert.ok(match, path);
      assert.deepEqual(textsOf(path, match.captures), groups.map(joined), path);
    },
  );
  holds(t, property, 2000);
});

void t.test('captures are offsets, an empty one too', (t) => {
  const cases: readonly (readonly [string, string, readonly number[]])[] = [
    ['/{a}/{b}', '/xy/z', [1, 3, 4, 5]],
    ['/{a=**}', '/', [1, 1]],
    ['/a/{b=**}', '/a', [2, 2]],
    ['/a/{b=**}', '/a/', [3, 3]],
    ['/a/{b=**}/c', '/a/c', [3, 3]],
    ['/{a=**}/{b}:v', '/x:v/', [1, 1, 1, 2]],
    ['/a/{b=**}:v', '/a:v', [2, 2]],
    ['/{a=**}:v', '/:v', [1, 1]],
  ];
  for (const [template, path, captures] of cases) {
    t.strictSame(matcherOf([`GET ${template}`]).match('GET', path)?.captures, captures, `${template} ${path}`);
  }
  t.end();
});

void t.test('paths of any number of segments', (t) => {
  const matcher = matcherOf(['GET /{front=**}/{last}']);
  for (let count = 1; count <= 300; count++) {
    const front = Array.from({ length: count - 1 }, (_, index) => `s${index}`).join('/');
    const path = front === '' ? '/end' : `/${front}/end`;
    t.strictSame(textsOf(path, matcher.match('GET', path)!.captures), [front, 'end'], `${count} segments`);
  }
  t.end();
});

void t.test('only what is not plain is normalised', (t) => {
  const isPlain = (path: string) => {
    const segments = new PathSegments();
    segments.cut(path);
    return segments.plain;
  };
  for (const path of ['/', '/v1/shelves', "/-._~!$&'()*+,;=:@/A9"]) t.ok(isPlain(path), path);
  for (const path of ['/%41', '/a/%', '/é', '/\x7f', '/a"', '/a|b/c', '/{x}']) t.notOk(isPlain(path), path);
  t.end();
});

void t.test('a search is bounded by the table, whatever the path', (t) => {
  const letters = ['a', 'b'];
  const fronts = Array.from({ length: 5 }, (_, length) => product(letters.concat('*'), length)).flat();
  const templates = fronts.flatMap((front) => [
    [...front, '**', 'x'],
    [...front, '**', '*', 'x'],
    [...front, '**', '*', '*', '*', 'x'],
    [...front, 'x'],
  ]);
  const root = new TrieNode<string>();
  for (const segments of templates) {
    const template = parseTemplate(`/${segments.join('/')}`);
    root.add({ template, httpMethod: 'GET', value: '', captures: captureLayout(template) });
  }
  const nodes = templates.reduce((sum, segments) => sum + segments.length + 1, 1);
  const paths = [
    '/'.repeat(16384),
    `/${'a/'.repeat(8191)}`,
    `/${'a/'.repeat(8191)}y`,
    '/a/b/a/b/a/b/y',
    `/${'a'.repeat(16383)}`,
  ];
  for (const path of paths) {
    const segments = new PathSegments();
    segments.cut(path);
    t.equal(root.find(segments, 0), undefined);
    t.ok(segments.visits <= nodes, `${segments.visits} of ${nodes} nodes for ${path.slice(0, 20)}`);
  }
  t.end();
});

function product(letters: readonly string[], length: number): string[][] {
  if (length === 0) return [[]];
  return product(letters, length - 1).flatMap((front) => letters.map((letter) => [...front, letter]));
}

void t.test('a plain table costs one visit a segment', (t) => {
  const root = new TrieNode<string>();
  for (let index = 0; index < 1000; index++) {
    const template = parseTemplate(`/v1/service${index}/{name}/items/{item}`);
    root.add({ template, httpMethod: 'GET', value: `${index}`, captures: captureLayout(template) });
  }
  const segments = new PathSegments();
  segments.cut('/v1/service777/x/items/y');
  t.equal(root.find(segments, 0)?.value, '777');
  t.equal(segments.visits, 6);
  t.end();
});

void t.test('64k slashes overflow no stack', (t) => {
  const matcher = matcherOf(['GET /{x=**}/b', 'GET /a/{x=**}', 'GET /{x}/{y}']);
  t.equal(matcher.match('GET', '/'.repeat(65536)), undefined);
  t.equal(matcher.match('GET', `/a${'/'.repeat(65536)}`)?.value, 'GET /a/{x=**}');
  t.equal(matcher.match('GET', `${'/c'.repeat(32768)}/b`)?.value, 'GET /{x=**}/b');
  t.end();
});

void t.test('duplicates', (t) => {
  const add = (builder: PathMatcherBuilder<string>, template: string, origin: Partial<RuleOrigin>) =>
    builder.add({ httpMethod: 'GET', template: parseTemplate(template), origin: originOf(0, origin) }, origin.rpc!);
  const twins = (options: RouterOptions) => {
    const builder = new PathMatcherBuilder<string>(options);
    add(builder, '/a/{late=*}', { rpc: 'p.S.Late', place: { file: 'a.proto', line: 3 }, fileOrder: 1 });
    add(builder, '/%61/{early}', { rpc: 'p.S.Early', place: { file: 'b.proto', line: 9 }, fileOrder: 0 });
    return builder;
  };

  void t.test('are an error that names both', (t) => {
    const problems = new ProblemList();
    twins({}).build(problems);
    t.strictSame(problems.errors, [
      {
        code: 'duplicate-route',
        message:
          'GET /a/{late=*} of p.S.Late (a.proto:3) matches the same requests as GET /%61/{early} of p.S.Early (b.proto:9)',
        place: { file: 'a.proto', line: 3 },
        rpc: 'p.S.Late',
        template: '/a/{late=*}',
        hint: 'change one of the two templates (variable names make no difference), or keep one with on_duplicate: first, or last',
      },
    ]);
    t.end();
  });

  void t.test('the first asked-for file wins by option, whatever the order of adding', (t) => {
    const problems = new ProblemList();
    const matcher = twins({ onDuplicate: 'first' }).build(problems);
    t.equal(matcher.match('GET', '/a/1')?.value, 'p.S.Early');
    t.strictSame(problems.errors, []);
    t.match(problems.warnings, [
      {
        code: 'duplicate-route',
        message:
          'GET /a/{late=*} of p.S.Late (a.proto:3) is left out: GET /%61/{early} of p.S.Early (b.proto:9) matches the same requests and comes first',
      },
    ]);
    t.end();
  });

  void t.test('the last wins by option', (t) => {
    const problems = new ProblemList();
    const matcher = twins({ onDuplicate: 'last' }).build(problems);
    t.equal(matcher.match('GET', '/a/1')?.value, 'p.S.Late');
    t.strictSame(matcher.values, ['p.S.Late']);
    t.strictSame(problems.errors, []);
    t.match(problems.warnings, [
      {
        code: 'duplicate-route',
        message:
          'GET /%61/{early} of p.S.Early (b.proto:9) is left out: GET /a/{late=*} of p.S.Late (a.proto:3) matches the same requests and comes last',
        rpc: 'p.S.Early',
      },
    ]);
    t.end();
  });

  void t.test('then the file name, then the declaration', (t) => {
    const place = (file: string) => ({ file });
    const order: Partial<RuleOrigin>[] = [
      { rpc: 'third', place: place('b.proto'), fileOrder: 2, declaration: 0 },
      { rpc: 'fifth', place: place('a.proto'), fileOrder: undefined, declaration: 0 },
      { rpc: 'first', place: place('a.proto'), fileOrder: 2, declaration: 5 },
      { rpc: 'second', place: place('a.proto'), fileOrder: 2, declaration: 6 },
    ];
    const rows = [
      ['first', 'first', ['second', 'third', 'fifth']],
      ['last', 'fifth', ['third', 'second', 'first']],
    ] as const;
    for (const [onDuplicate, kept, leftOut] of rows) {
      const builder = new PathMatcherBuilder<string>({ onDuplicate });
      for (const origin of order) add(builder, '/x', origin);
      const problems = new ProblemList();
      t.equal(builder.build(problems).match('GET', '/x')?.value, kept);
      t.strictSame(
        problems.warnings.map(({ rpc }) => rpc),
        leftOut,
      );
    }
    t.end();
  });

  void t.test('method, verb and shape tell rules apart', (t) => {
    const problems = new ProblemList();
    builderOf(['GET /a', '* /a', 'HEAD /a', 'GET /a:v', 'GET /{x}', 'GET /{x=**}', 'GET /A', 'get /a']).build(problems);
    t.strictSame(problems.errors, []);
    builderOf(['GET /a:v', 'GET /{x=a}:v', '* /b', '* /b', 'GET /é', 'GET /%c3%a9']).build(problems);
    t.equal(problems.errors.length, 3);
    t.end();
  });
  t.end();
});

void t.test('shadowed rules', (t) => {
  const shadowedIn = (...rules: readonly string[]) => {
    const problems = new ProblemList();
    builderOf(rules).reportShadowed(problems);
    return problems.warnings.map(({ message }) => message);
  };

  void t.test('are found', (t) => {
    t.strictSame(shadowedIn('GET /{a=**}/x/y', 'GET /*/{b=**}'), [
      'no request can reach GET /{a=**}/x/y: GET /*/{b=**} of p.S.M1 (a.proto:2) always comes first',
    ]);
    const pairs = [
      ['POST /{a=**}/x/y', '* /*/{b=**}'],
      ['* /{a=**}/x', '* /*/{b=**}'],
      ['HEAD /{a=**}/x/y', 'GET /*/{b=**}'],
      ['GET /{a=**}/x/y:v', 'GET /*/{b=**}:%76'],
      ['GET /p/{a=**}/q/x/y', 'GET /%70/*/{b=**}/y'],
      ['GET /*/{a=**}/x/y', 'GET /*/*/{b=**}'],
      ['GET /{a=**}/w/x/y', 'GET /*/{b=**}/*/y'],
      ['GET /{a=**}/x/y', 'GET /*/*/{b=**}'],
      ['GET /{a=**}/x', 'GET /*/{b=**}'],
    ] as const;
    for (const pair of pairs) t.equal(shadowedIn(...pair).length, 1, pair.join(' by '));
    t.end();
  });

  void t.test('outrun by a longer rule', (t) => {
    t.strictSame(shadowedIn('GET /{a=d/*/**}', 'GET /{b=d/*/**}/{c}'), [
      'only a path where its ** is empty or has an empty segment reaches GET /{a=d/*/**}: GET /{b=d/*/**}/{c} of p.S.M1 (a.proto:2) comes first for all others',
    ]);
    t.equal(shadowedIn('GET /{a=**}:v', '* /{b=**}/*:v').length, 1);
    const sets = [
      ['GET /{a=**}', 'GET /{b=**}/x'],
      ['GET /{a=**}', 'GET /{b=**}/*/*'],
      ['GET /{a=**}', 'POST /{b=**}/*'],
      ['GET /{a=**}', 'GET /{b=**}/*:v'],
      ['GET /p/{a=**}', 'GET /q/{b=**}/*'],
      ['GET /{a=**}/x', 'GET /{b=**}/x/*'],
    ] as const;
    for (const set of sets) t.strictSame(shadowedIn(...set), [], set.join(', '));
    t.end();
  });

  void t.test('are not guessed', (t) => {
    const sets = [
      ['GET /{a=**}/x', 'GET /*/{b=**}/x'],
      ['GET /{a=**}/x/y', 'POST /*/{b=**}'],
      ['* /{a=**}/x/y', 'GET /*/{b=**}'],
      ['GET /{a=**}/x/y', 'HEAD /*/{b=**}'],
      ['OPTIONS /{a=**}/x/y', '* /*/{b=**}'],
      ['GET /{a=**}/x/y:v', 'GET /*/{b=**}'],
      ['GET /{a=**}/x/y:v', 'GET /*/{b=**}:w'],
      ['GET /{a=**}/x/y', 'GET /p/{b=**}'],
      ['GET /{a=**}/x/y', 'GET /*/{b=**}/z'],
      ['GET /{a=**}/x/y', 'GET /*/p/{b=**}'],
      ['GET /p/{a=**}/x/y', 'GET /q/*/{b=**}'],
      ['GET /p/{a=**}/x/y', 'GET /*/*/{b=**}'],
      ['GET /*/{a=**}/x/y', 'GET /p/*/{b=**}'],
      ['GET /{a=**}/*/y', 'GET /*/{b=**}/x/y'],
      ['GET /{a=**}/y', 'GET /{b=**}/x/y', 'GET /{c=**}/*/y'],
      ['GET /{a=**}/x/y', 'GET /{b=**}/*/*', 'GET /*/*'],
      ['GET /{a=**}', 'GET /*/{b=**}', 'GET /x', 'GET /{y}'],
      ['GET /x', 'GET /{y}', 'GET /*/{b=**}', 'GET /x/y'],
    ] as const;
    for (const set of sets) t.strictSame(shadowedIn(...set), [], set.join(', '));
    t.end();
  });

  void t.test('are never reached', (t) => {
    const property = fc.property(ruleSet, rawPath, (rules, path) => {
      const problems = new ProblemList();
      builderOf(rules).reportShadowed(problems);
      const hidden = problems.warnings.map(({ rpc }) => rules[Number(rpc!.slice('p.S.M'.length))]);
      for (const method of requestMethods) {
        const winner = referenceMatch(rules, method, path);
        if (winner === undefined || !hidden.includes(winner)) continue;
        const outrun = problems.warnings.some(
          ({ rpc, message }) =>
            rules[Number(rpc!.slice('p.S.M'.length))] === winner && message.startsWith('only a path'),
        );
        const depth = winner.slice(winner.indexOf('/')).split('/').length - 2;
        const verb = /:[^/{}]*$/.exec(winner)?.[0] ?? '';
        const rest = (path.endsWith(verb) ? path.slice(0, path.length - verb.length) : path)
          .split('/')
          .slice(1 + depth);
        assert.ok(outrun && (rest.length === 0 || rest.includes('')), `${method} ${path}`);
      }
    });
    holds(t, property, 2000);
  });
  t.end();
});

void t.test('methods lists what is answered', (t) => {
  t.strictSame(matcherOf(['GET /a', 'PURGE /b']).methods, ['GET', 'HEAD', 'PURGE']);
  t.strictSame(matcherOf(['* /a', 'BREW /b']).methods, [
    'BREW',
    'DELETE',
    'GET',
    'HEAD',
    'OPTIONS',
    'PATCH',
    'POST',
    'PUT',
  ]);
  t.strictSame(matcherOf([]).methods, []);
  t.end();
});
