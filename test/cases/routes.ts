/**
 * Routing as data: a table of rules, a request, and the rule that takes it with the raw text of its variables, or the
 * `Allow` list of a 405, or 404. Run against the matcher alone and against the live proxy.
 */

export interface RouteCase {
  readonly name: string;
  /** `METHOD template`; `*` is kind `*`. */
  readonly rules: readonly string[];
  /** `METHOD path`, the path as sent. */
  readonly request: string;
  readonly expect: RouteMatch | MethodNotAllowed | NotFound;
  readonly strictSlash?: boolean;
}

export interface RouteMatch {
  readonly rule: string;
  /** Raw text of each variable, in the template's order. */
  readonly captures?: readonly string[];
}

export interface MethodNotAllowed {
  readonly status: 405;
  readonly allow: string;
}

export interface NotFound {
  readonly status: 404;
}

interface Group {
  readonly name: string;
  readonly rules: readonly string[];
  readonly strictSlash?: boolean;
  /** `[request, rule, …captures]`, `[request, 405, allow]` or `[request, 404]`. */
  readonly requests: readonly (readonly [string, string | number, ...string[]])[];
}

const groups: readonly Group[] = [
  {
    name: 'literals and one-segment variables',
    rules: ['GET /v1/shelves', 'GET /v1/shelves/{shelf}', 'DELETE /v1/shelves/{shelf}/books/{book}'],
    requests: [
      ['GET /v1/shelves', 'GET /v1/shelves'],
      ['GET /v1/shelves/7', 'GET /v1/shelves/{shelf}', '7'],
      ['DELETE /v1/shelves/7/books/9', 'DELETE /v1/shelves/{shelf}/books/{book}', '7', '9'],
      ['GET /v1/shelves/a%2Fb', 'GET /v1/shelves/{shelf}', 'a%2Fb'],
      ['GET /v1/shelves/%zz', 'GET /v1/shelves/{shelf}', '%zz'],
      ['GET /v1/shelves/..', 'GET /v1/shelves/{shelf}', '..'],
      ['GET /v1/shelves/*', 'GET /v1/shelves/{shelf}', '*'],
      ['GET /v1/shelves/é', 'GET /v1/shelves/{shelf}', 'é'],
      ['GET /v1', 404],
      ['GET /v1/Shelves', 404],
      ['GET /v1/shelves/7/books', 404],
      ['GET /v1//shelves', 404],
      ['GET //v1/shelves', 404],
      ['GET /', 404],
      ['GET //', 404],
      ['GET /__proto__', 404],
      ['GET /v1/constructor', 404],
    ],
  },
  {
    name: 'the root',
    rules: ['GET /'],
    requests: [
      ['GET /', 'GET /'],
      ['HEAD /', 'GET /'],
      ['GET /a', 404],
      ['GET //', 404],
      ['POST /', 405, 'GET, HEAD, OPTIONS'],
    ],
  },
  {
    name: 'the root and a final ** beside it',
    rules: ['GET /', 'GET /{path=**}'],
    requests: [
      ['GET /', 'GET /'],
      ['GET //', 'GET /{path=**}', '/'],
      ['GET *', 404],
      ['GET a', 404],
      ['GET /a', 'GET /{path=**}', 'a'],
      ['GET /a/', 'GET /{path=**}', 'a/'],
      ['GET ///', 'GET /{path=**}', '//'],
    ],
  },
  {
    name: 'literal before * before end before **, left to right',
    rules: ['GET /a/b/{z}', 'GET /a/{y}/c', 'GET /{x}/b/c', 'GET /a/{rest=**}', 'GET /a', 'GET /{all=**}'],
    requests: [
      ['GET /a/b/c', 'GET /a/b/{z}', 'c'],
      ['GET /a/x/c', 'GET /a/{y}/c', 'x'],
      ['GET /x/b/c', 'GET /{x}/b/c', 'x'],
      ['GET /a/b/d', 'GET /a/b/{z}', 'd'],
      ['GET /a/x/d', 'GET /a/{rest=**}', 'x/d'],
      ['GET /a', 'GET /a'],
      ['GET /a/', 'GET /a/{rest=**}', ''],
      ['GET /b/b/d', 'GET /{all=**}', 'b/b/d'],
    ],
  },
  {
    name: 'backtracking over segments',
    rules: ['GET /a/b/c/d', 'GET /a/{x}/c/e', 'GET /{y}/b/c/f', 'GET /a/b/{z=**}'],
    requests: [
      ['GET /a/b/c/d', 'GET /a/b/c/d'],
      ['GET /a/b/c/e', 'GET /a/b/{z=**}', 'c/e'],
      ['GET /a/q/c/e', 'GET /a/{x}/c/e', 'q'],
      ['GET /q/b/c/f', 'GET /{y}/b/c/f', 'q'],
      ['GET /q/b/c/e', 404],
    ],
  },
  {
    name: 'backtracking over the HTTP method',
    rules: ['POST /a/b', 'GET /a/{x}', '* /{y}/b', 'PURGE /a/{x=**}'],
    requests: [
      ['POST /a/b', 'POST /a/b'],
      ['GET /a/b', 'GET /a/{x}', 'b'],
      ['DELETE /a/b', '* /{y}/b', 'a'],
      ['PURGE /a/b', 'PURGE /a/{x=**}', 'b'],
      ['BREW /a/b', '* /{y}/b', 'a'],
      ['OPTIONS /a/b', 405, 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PURGE, PUT'],
      ['OPTIONS /z/b', 405, 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT'],
      ['PUT /a/c', 405, 'GET, HEAD, OPTIONS, PURGE'],
    ],
  },
  {
    name: 'exact method before kind *, but the path before both',
    rules: ['* /a/{x}', 'GET /a/{y}', '* /a/b', 'OPTIONS /o', 'get /lower'],
    requests: [
      ['GET /a/c', 'GET /a/{y}', 'c'],
      ['POST /a/c', '* /a/{x}', 'c'],
      ['GET /a/b', '* /a/b'],
      ['HEAD /a/b', '* /a/b'],
      ['OPTIONS /a/b', 405, 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT'],
      ['OPTIONS /o', 'OPTIONS /o'],
      ['GET /o', 405, 'OPTIONS'],
      ['GET /lower', 405, 'OPTIONS, get'],
      ['get /lower', 'get /lower'],
      ['Get /a/c', '* /a/{x}', 'c'],
    ],
  },
  {
    name: 'HEAD comes from GET unless a rule says HEAD',
    rules: ['GET /a/{x}', 'HEAD /h/{x}', 'GET /h/{y}', 'GET /h/b', '* /s/{x}', 'POST /p'],
    requests: [
      ['HEAD /a/1', 'GET /a/{x}', '1'],
      ['HEAD /h/1', 'HEAD /h/{x}', '1'],
      ['HEAD /h/b', 'GET /h/b'],
      ['HEAD /s/1', '* /s/{x}', '1'],
      ['HEAD /p', 405, 'OPTIONS, POST'],
      ['POST /h/1', 405, 'GET, HEAD, OPTIONS'],
    ],
  },
  {
    name: 'verbs',
    rules: ['GET /users/{id}', 'POST /users/{id}:cancel', 'GET /users/{id}:go', 'POST /users:import', 'POST /users'],
    requests: [
      ['POST /users/x:cancel', 'POST /users/{id}:cancel', 'x'],
      ['GET /users/x:cancel', 'GET /users/{id}', 'x:cancel'],
      ['GET /users/x:go', 'GET /users/{id}:go', 'x'],
      ['HEAD /users/x:go', 'GET /users/{id}:go', 'x'],
      ['GET /users/urn:x:1', 'GET /users/{id}', 'urn:x:1'],
      ['GET /users/urn:x:go', 'GET /users/{id}:go', 'urn:x'],
      ['GET /users/x%3Ago', 'GET /users/{id}', 'x%3Ago'],
      ['GET /users/x:%67o', 'GET /users/{id}:go', 'x'],
      ['GET /users/x:', 'GET /users/{id}', 'x:'],
      ['GET /users/:go', 'GET /users/{id}', ':go'],
      ['GET /users/x::go', 'GET /users/{id}:go', 'x:'],
      ['GET /users/x:GO', 'GET /users/{id}', 'x:GO'],
      ['POST /users:import', 'POST /users:import'],
      ['POST /users:export', 404],
      ['POST /users/x', 405, 'GET, HEAD, OPTIONS'],
      ['PUT /users/x:cancel', 405, 'GET, HEAD, OPTIONS, POST'],
      ['GET /users/x:go/', 'GET /users/{id}:go', 'x'],
      ['GET /users/x:go//', 404],
      ['GET /users/x:go/y', 404],
    ],
  },
  {
    name: 'a matching verb comes before a more specific path',
    rules: ['GET /a/b:v', 'GET /a/{x}', 'GET /a/{x}:w', 'GET /{y=**}:v', '* /a/b:w'],
    requests: [
      ['GET /a/b:v', 'GET /a/b:v'],
      ['GET /a/c:v', 'GET /{y=**}:v', 'a/c'],
      ['GET /a/c:u', 'GET /a/{x}', 'c:u'],
      ['GET /a/b:w', '* /a/b:w'],
      ['GET /:v', 'GET /{y=**}:v', ''],
      ['GET /a/:v', 'GET /{y=**}:v', 'a/'],
      ['GET :v', 404],
    ],
  },
  {
    name: 'a colon in a literal',
    rules: ['GET /urn:isbn/{id}', 'GET /a:b:c', 'GET /a:b', 'GET /{n=x:y/*}'],
    requests: [
      ['GET /urn:isbn/1', 'GET /urn:isbn/{id}', '1'],
      ['GET /a:b:c', 'GET /a:b:c'],
      ['GET /a:b', 'GET /a:b'],
      ['GET /a%3Ab:c', 404],
      ['GET /a%3Ab', 404],
      ['GET /x:y/z', 'GET /{n=x:y/*}', 'x:y/z'],
    ],
  },
  {
    name: 'empty segments and the trailing slash',
    rules: ['GET /s', 'GET /s/{x}', 'GET /s/{x}/t', 'POST /s/{x=**}'],
    requests: [
      ['GET /s/', 'GET /s'],
      ['GET /s//', 405, 'OPTIONS, POST'],
      ['GET /s/1/', 'GET /s/{x}', '1'],
      ['GET /s/1//', 405, 'OPTIONS, POST'],
      ['GET /s//t', 405, 'OPTIONS, POST'],
      ['GET /s/1/t/', 'GET /s/{x}/t', '1'],
      ['POST /s/', 'POST /s/{x=**}', ''],
      ['POST /s', 'POST /s/{x=**}', ''],
      ['PUT /s/', 405, 'GET, HEAD, OPTIONS, POST'],
      ['PUT /s//t', 405, 'OPTIONS, POST'],
    ],
  },
  {
    name: 'strict_slash',
    strictSlash: true,
    rules: ['GET /s', 'GET /s/{x}', 'POST /p/{x=**}', 'GET /'],
    requests: [
      ['GET /s', 'GET /s'],
      ['GET /s/', 404],
      ['GET /s/1/', 404],
      ['POST /p/1/', 'POST /p/{x=**}', '1/'],
      ['GET /', 'GET /'],
    ],
  },
  {
    name: 'a final ** takes all that is left',
    rules: ['GET /f/{name=**}', 'GET /g/{name=objects/**}', 'PUT /f/{name=**}:put', 'GET /h/{a}/{b=**}'],
    requests: [
      ['GET /f', 'GET /f/{name=**}', ''],
      ['GET /f/', 'GET /f/{name=**}', ''],
      ['GET /f//', 'GET /f/{name=**}', '/'],
      ['GET /f/a//b/', 'GET /f/{name=**}', 'a//b/'],
      ['GET /f/a%2Fb', 'GET /f/{name=**}', 'a%2Fb'],
      ['GET /f/a:put', 'GET /f/{name=**}', 'a:put'],
      ['PUT /f/a/b:put', 'PUT /f/{name=**}:put', 'a/b'],
      ['PUT /f/a:put/', 'PUT /f/{name=**}:put', 'a'],
      ['PUT /f/a/b', 405, 'GET, HEAD, OPTIONS'],
      ['PUT /f:put', 'PUT /f/{name=**}:put', ''],
      ['GET /g/objects', 'GET /g/{name=objects/**}', 'objects'],
      ['GET /g/objects/', 'GET /g/{name=objects/**}', 'objects/'],
      ['GET /g/objects/a/b', 'GET /g/{name=objects/**}', 'objects/a/b'],
      ['GET /g', 404],
      ['GET /h/1', 'GET /h/{a}/{b=**}', '1', ''],
      ['GET /h/1/2/3', 'GET /h/{a}/{b=**}', '1', '2/3'],
      ['GET /h//2', 404],
      ['GET /ff', 404],
    ],
  },
  {
    name: 'a ** in the middle takes zero or more non-empty segments',
    rules: ['GET /a/{x=**}/b', 'GET /c/{x=**}/{y}/d', 'GET /{p=v1/**/docs}/{id}', 'GET /e/{x=f/**}/{y=*/g}:v'],
    requests: [
      ['GET /a/b', 'GET /a/{x=**}/b', ''],
      ['GET /a/1/b', 'GET /a/{x=**}/b', '1'],
      ['GET /a/1/b/b', 'GET /a/{x=**}/b', '1/b'],
      ['GET /a/1/2/b/', 'GET /a/{x=**}/b', '1/2'],
      ['GET /a//b', 404],
      ['GET /a/1//b', 404],
      ['GET /a/1/b//', 404],
      ['GET /a', 404],
      ['GET /c/1/d', 'GET /c/{x=**}/{y}/d', '', '1'],
      ['GET /c/1/2/3/d', 'GET /c/{x=**}/{y}/d', '1/2', '3'],
      ['GET /v1/docs/7', 'GET /{p=v1/**/docs}/{id}', 'v1/docs', '7'],
      ['GET /v1/a/b/docs/7', 'GET /{p=v1/**/docs}/{id}', 'v1/a/b/docs', '7'],
      ['GET /e/f/1/g:v', 'GET /e/{x=f/**}/{y=*/g}:v', 'f', '1/g'],
      ['GET /e/f/0/1/g:v', 'GET /e/{x=f/**}/{y=*/g}:v', 'f/0', '1/g'],
      ['GET /e/f/1/g', 404],
    ],
  },
  {
    name: 'after equal **, the longer template, then segment by segment',
    rules: ['GET /{a=**}', 'GET /{a=**}/x', 'GET /{a=**}/y/x', 'GET /{a=**}/{b}/x', 'GET /{a=**}/{b}/{c}/z'],
    requests: [
      ['GET /q/r/x', 'GET /{a=**}/{b}/x', 'q', 'r'],
      ['GET /q/y/x', 'GET /{a=**}/y/x', 'q'],
      ['GET /x', 'GET /{a=**}/x', ''],
      ['GET /q/x', 'GET /{a=**}/{b}/x', '', 'q'],
      ['GET /1/2/3/z', 'GET /{a=**}/{b}/{c}/z', '1', '2', '3'],
      ['GET /3/z', 'GET /{a=**}', '3/z'],
      ['GET /q//x', 'GET /{a=**}', 'q//x'],
    ],
  },
  {
    name: 'a wildcard without variable captures nothing',
    rules: ['GET /v1/*/{x}/**', 'GET /v2/**'],
    requests: [
      ['GET /v1/a/b/c', 'GET /v1/*/{x}/**', 'b'],
      ['GET /v2/a/b', 'GET /v2/**'],
      ['GET /v1//b/c', 404],
    ],
  },
  {
    name: 'literals are compared after normalising',
    rules: ['GET /%7Eme/{x}', 'GET /a%2fb', 'GET /é', 'GET /q|r', "GET /OData('x')", 'GET /$metadata'],
    requests: [
      ['GET /~me/1', 'GET /%7Eme/{x}', '1'],
      ['GET /%7eme/1', 'GET /%7Eme/{x}', '1'],
      ['GET /%7E%6D%65/1', 'GET /%7Eme/{x}', '1'],
      ['GET /a%2Fb', 'GET /a%2fb'],
      ['GET /a/b', 404],
      ['GET /%C3%A9', 'GET /é'],
      ['GET /%c3%a9', 'GET /é'],
      ['GET /é', 'GET /é'],
      ['GET /q%7Cr', 'GET /q|r'],
      ['GET /q|r', 'GET /q|r'],
      ["GET /OData('x')", "GET /OData('x')"],
      ['GET /OData(%27x%27)', 404],
      ['GET /$metadata', 'GET /$metadata'],
      ['GET /%24metadata', 404],
    ],
  },
  {
    name: 'hostile paths',
    rules: ['GET /a/{x=**}/b', 'GET /{x}/{y}/{z}', 'GET /p/{x}'],
    requests: [
      [`GET ${'/'.repeat(16384)}`, 404],
      [`GET /a/${'x/'.repeat(8000)}b`, 'GET /a/{x=**}/b', 'x/'.repeat(8000).slice(0, -1)],
      [`GET /p/${'y'.repeat(65536)}`, 'GET /p/{x}', 'y'.repeat(65536)],
      [`GET /p/${'%41'.repeat(20000)}`, 'GET /p/{x}', '%41'.repeat(20000)],
      [`GET /${':'.repeat(16384)}`, 404],
      ['GET relative', 404],
      ['GET *', 404],
    ],
  },
];

/** Every row of the groups, named for its group and request. */
export const routeCases: readonly RouteCase[] = groups.flatMap(({ name, rules, strictSlash, requests }) =>
  requests.map(([request, outcome, ...rest]) => ({
    name: `${name}: ${request.length > 60 ? `${request.slice(0, 60)}…` : request}`,
    rules,
    request,
    expect: expectation(outcome, rest),
    ...(strictSlash && { strictSlash }),
  })),
);

function expectation(outcome: string | number, rest: readonly string[]): RouteCase['expect'] {
  if (typeof outcome === 'string') return { rule: outcome, captures: rest };
  return outcome === 405 ? { status: 405, allow: rest[0]! } : { status: 404 };
}
