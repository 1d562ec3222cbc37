/**
 * Pages of docs/api that tell of more than one call: `npm run docs` runs their blocks and writes the pages,
 * `test/docs/guide.test.ts` runs them and compares. A page is Markdown and blocks for a POSIX shell, which all run in
 * one shell, so that a variable of one block is there in the next.
 */
import { Code, codeName, codeOfHttpStatus, httpStatusOf } from '../../lib/status.js';

/** Lines to type. */
export interface Block {
  readonly lines: string;
  /** What each curl in it has to answer, and `ok` or `failed` for each wget; at the end `…`: once or more. */
  readonly outcomes: readonly string[];
  /** Its output is not shown. */
  readonly quiet?: boolean;
}

/** One page. */
export interface GuidePage {
  /** Of the file, without `.md`. */
  readonly name: string;
  readonly title: string;
  readonly parts: readonly (string | Block)[];
  /** What the page sets, to be shown as `$NAME` in answers. */
  readonly variables?: readonly string[];
  /** Its blocks call wget, so that they run where that is. */
  readonly needsWget?: boolean;
}

const ok = ['200'];
const created = ['201'];

function block(lines: string, outcomes: readonly string[] = ok): Block {
  return { lines, outcomes };
}

function quiet(lines: string, outcomes: readonly string[] = ok): Block {
  return { lines, outcomes, quiet: true };
}

const waits = ['200', '…'];

const executed =
  'Every block was run when this page was made, from the first to the last in one shell. Answers are shown without their `meta`, see [the conventions](README.md). `fields` picks a field of an answer, `alt=text` prints it bare: no `jq` is needed. In a script of your own write `curl -fsS`, so that a failure ends it and no error gets into a variable.';

const machine: GuidePage = {
  name: 'virtual-machine',
  title: 'A virtual machine, from an empty project to a running system',
  variables: ['VPC', 'SUBNET', 'HOLD', 'VM'],
  parts: [
    `A network to put it in, credit to pay for it, then the machine itself. With \`npm start\` running. ${executed}`,
    '## A network',
    'A VPC with a block of addresses, and a subnet that takes a part of them:',
    quiet(
      `VPC=$(curl 'http://127.0.0.1:8087/api/v1/vpcs?fields=id&alt=text' -d '{"name":"lab","org_id":"acme","project_id":"lab","cidr_block":"10.20.0.0/16"}')`,
      created,
    ),
    block(
      `SUBNET=$(curl 'http://127.0.0.1:8087/api/v1/subnets?fields=id&alt=text' -d '{"name":"web","vpc_id":"'$VPC'","cidr_block":"10.20.1.0/24"}')
curl "http://127.0.0.1:8087/api/v1/subnets/$SUBNET?fields=cidr_block,gateway_ip"`,
      ['201', '200'],
    ),
    'A subnet that overlaps another, or lies outside of the VPC, is refused with the reason:',
    block(
      `curl http://127.0.0.1:8087/api/v1/subnets -d '{"name":"db","vpc_id":"'$VPC'","cidr_block":"10.20.1.128/25"}'`,
      ['400'],
    ),
    '## Credit',
    'A wallet for the project. Amounts are 64-bit integers, which JSON carries as strings. `request_id` makes the line safe to repeat: `curl --retry` does not pay twice.',
    block(
      `curl 'http://127.0.0.1:8086/api/v1/wallets?fields=balance,available' -d '{"project_id":"lab","org_id":"acme","initial_balance":100}'`,
      created,
    ),
    block(
      `curl --retry 3 'http://127.0.0.1:8086/api/v1/wallets/lab/topup?fields=balance,available' -d '{"amount":50,"description":"voucher","request_id":"voucher-1"}'`,
    ),
    'What the machine will cost is held first, so that it cannot be spent elsewhere:',
    block(
      `HOLD=$(curl 'http://127.0.0.1:8086/api/v1/reservations?fields=id&alt=text' -d '{"project_id":"lab","amount":30,"description":"web-1","resource_type":"vm","ttl_seconds":3600}')
curl 'http://127.0.0.1:8086/api/v1/wallets/lab?fields=balance,reserved,available'`,
      ['201', '200'],
    ),
    '## The machine',
    block(
      `VM=$(curl 'http://127.0.0.1:8084/api/v1/vms?fields=id&alt=text' -d '{"name":"web-1","org_id":"acme","project_id":"lab","vcpus":2,"memory_mib":2048,"hypervisor":"KVM"}')
curl -X POST "http://127.0.0.1:8084/api/v1/vms/$VM/start"`,
      ['201', '200'],
    ),
    'It boots for a moment. A shell can wait for it:',
    block(
      `until [ "$(curl "http://127.0.0.1:8084/api/v1/vms/$VM?fields=state&alt=text")" = RUNNING ]; do sleep 1; done
curl "http://127.0.0.1:8084/api/v1/vms?project_id=lab&state=RUNNING&fields=vms.name,vms.state"`,
      waits,
    ),
    'What happened to it so far; without `--max-time` the stream goes on:',
    block(`curl -N --max-time 1 "http://127.0.0.1:8084/api/v1/vms/$VM/events?fields=state,reason"`),
    '## What it cost',
    'Less than was held, so the rest is given back:',
    block(
      `curl "http://127.0.0.1:8086/api/v1/reservations/$HOLD/commit?fields=status" -d '{"actual_amount":25,"resource_id":"'$VM'"}'
echo
curl 'http://127.0.0.1:8086/api/v1/wallets/lab/transactions?fields=transactions.amount,transactions.balance_after,transactions.description'`,
      ['200', '200'],
    ),
    '## And away',
    'What others depend on goes last; the VPC is refused as long as it has a subnet.',
    block(
      `curl -X POST "http://127.0.0.1:8084/api/v1/vms/$VM/stop?fields=state" -d '{"force":true}'
echo
curl -X DELETE "http://127.0.0.1:8084/api/v1/vms/$VM"
echo
curl -X DELETE "http://127.0.0.1:8087/api/v1/subnets/$SUBNET"
echo
curl -X DELETE "http://127.0.0.1:8087/api/v1/vpcs/$VPC"`,
      ['200', '200', '200', '200'],
    ),
  ],
};

const pod: GuidePage = {
  name: 'pod-and-service',
  title: 'A pod, and a service in front of it',
  parts: [
    `On k8shost, things are known by namespace and name. With \`npm start\` running. ${executed}`,
    block(
      `curl 'http://127.0.0.1:8085/api/v1/pods?fields=phase,node_name' -d '{"name":"shop","namespace":"demo","image":"nginx:1.27","labels":{"app":"shop"}}'`,
      created,
    ),
    'A name that is taken is 409, so a script can tell "it is there" from other failures:',
    block(`curl http://127.0.0.1:8085/api/v1/pods -d '{"name":"shop","namespace":"demo","image":"nginx:1.27"}'`, [
      '409',
    ]),
    'Its image is fetched, then it runs:',
    block(
      `until [ "$(curl 'http://127.0.0.1:8085/api/v1/pods/demo/shop?fields=phase&alt=text')" = RUNNING ]; do sleep 1; done
curl 'http://127.0.0.1:8085/api/v1/pods/demo/shop?fields=phase,labels'`,
      waits,
    ),
    'The service finds its pods by their labels. An address of the cluster is its own:',
    block(
      `curl 'http://127.0.0.1:8085/api/v1/services?fields=service_type,port,target_port,selector' -d '{"name":"shop","namespace":"demo","service_type":"ClusterIP","port":80,"target_port":8080,"selector":{"app":"shop"}}'`,
      created,
    ),
    'The log, a JSON line for each line of it; `follow=true` waits for more, `tail_lines` begins near the end:',
    block(`curl 'http://127.0.0.1:8085/api/v1/pods/demo/shop/logs?tail_lines=2&fields=line'`),
    'The same as events for a browser or for `EventSource`:',
    block(
      `curl 'http://127.0.0.1:8085/api/v1/pods/demo/shop/logs?tail_lines=1&fields=line' -H 'Accept: text/event-stream'`,
    ),
    'And away:',
    block(
      `curl -X DELETE http://127.0.0.1:8085/api/v1/services/demo/shop
echo
curl -X DELETE http://127.0.0.1:8085/api/v1/pods/demo/shop`,
      ['200', '200'],
    ),
  ],
};

const tokens: GuidePage = {
  name: 'users-and-tokens',
  title: 'A user, a token, and what to do with it',
  variables: ['GRACE', 'PROJECT', 'TOKEN', 'HEAD'],
  parts: [
    `With \`npm start\` running. ${executed}`,
    'A user, who never sees the password again:',
    block(
      `GRACE=$(curl 'http://127.0.0.1:8083/api/v1/users?fields=id&alt=text' -d '{"username":"grace","password":"nanosecond","org_id":"acme"}')
curl "http://127.0.0.1:8083/api/v1/users/$GRACE?fields=username,email,org_id"`,
      ['201', '200'],
    ),
    'Member of a project:',
    block(
      `PROJECT=$(curl 'http://127.0.0.1:8083/api/v1/projects?fields=id&alt=text' -d '{"name":"compilers","org_id":"acme"}')
curl -X PUT "http://127.0.0.1:8083/api/v1/projects/$PROJECT/members/$GRACE?fields=username,role" -d '{"role":"owner"}'`,
      ['201', '200'],
    ),
    'A token for an hour. A wrong password is 401, and the answer does not tell whether the user is there.',
    quiet(
      `TOKEN=$(curl 'http://127.0.0.1:8083/api/v1/auth/token?fields=token&alt=text' -d '{"username":"grace","password":"nanosecond","ttl_seconds":3600}')`,
    ),
    block(`curl http://127.0.0.1:8083/api/v1/auth/token -d '{"username":"grace","password":"wrong"}'`, ['401']),
    'Whose it is, and whether it is good. A bad one is `valid: false` with the reason, and no error, so that a script asks one question:',
    block(
      `curl 'http://127.0.0.1:8083/api/v1/auth/verify?fields=valid,username,project_ids' -d '{"token":"'$TOKEN'"}'`,
    ),
    block(`curl 'http://127.0.0.1:8083/api/v1/auth/verify?fields=valid,reason' -d '{"token":"made-up"}'`),
    'It goes to every service as `Authorization`, which photongate passes on to the service as metadata; it can also ask for one itself and refuse who has none ([authentication](../authentication.md)):',
    block(`curl 'http://127.0.0.1:8084/api/v1/vms?fields=vms.name' -H "Authorization: Bearer $TOKEN"`),
    'Whoever has the public keys can check a token without asking IAM; it is a JWT signed with Ed25519:',
    block(`curl http://127.0.0.1:8083/.well-known/jwks.json`),
    'A new password makes the tokens invalid that were issued before:',
    block(
      `curl -X PATCH "http://127.0.0.1:8083/api/v1/users/$GRACE?fields=username" -d '{"password":"microsecond"}'
echo
curl 'http://127.0.0.1:8083/api/v1/auth/verify?fields=valid,reason' -d '{"token":"'$TOKEN'"}'`,
      ['200', '200'],
    ),
    'And away; memberships go with the user:',
    block(
      `curl -X DELETE "http://127.0.0.1:8083/api/v1/users/$GRACE"
echo
curl -X DELETE "http://127.0.0.1:8083/api/v1/projects/$PROJECT"`,
      ['200', '200'],
    ),
  ],
};

const done = ['ok'];

const busybox: GuidePage = {
  name: 'busybox',
  title: 'With BusyBox wget, and in scripts without jq',
  needsWget: true,
  variables: ['VM'],
  parts: [
    'On routers and in small images there is often no curl, but the `wget` of BusyBox. It knows GET and POST and nothing else, and shows no body of an error. Every block was run when this page was made, with `npm start` running.',
    '## Read and write',
    '`-O-` prints, `-q` is quiet. Another method than GET and POST stands in a header:',
    block(
      `wget -qO- http://127.0.0.1:8081/api/v1/kv/motd --header 'X-HTTP-Method-Override: PUT' --post-data '{"value":"hello"}'`,
      done,
    ),
    block(`wget -qO- 'http://127.0.0.1:8081/api/v1/kv/motd?fields=value&alt=text'`, done),
    block(
      `wget -qO- http://127.0.0.1:8081/api/v1/kv/motd --header 'X-HTTP-Method-Override: DELETE' --post-data ''`,
      done,
    ),
    'Some calls have a second way by POST, so that no header is needed: `/api/v1/kv/{key}/put` and `/delete`.',
    '## A value into a variable',
    '`alt=text` prints a single value bare, with no quotes and no line break; `fields` says which. That makes `jq` unnecessary:',
    block(
      `VM=$(wget -qO- 'http://127.0.0.1:8084/api/v1/vms?fields=id&alt=text' --post-data '{"name":"edge","org_id":"acme","project_id":"edge","vcpus":1,"memory_mib":512,"hypervisor":"FIRECRACKER"}')
wget -qO- "http://127.0.0.1:8084/api/v1/vms/$VM?fields=state&alt=text"`,
      ['ok', 'ok'],
    ),
    'Inside a message, its name leads there: `fields=spec.memory.size_mib`.',
    block(`wget -qO- "http://127.0.0.1:8084/api/v1/vms/$VM?fields=spec.memory.size_mib&alt=text"`, done),
    '## Errors',
    'wget ends with a code other than 0, and prints the reason, as photongate writes it into the status line (`reason_phrase`):',
    block(`wget -qO- http://127.0.0.1:8084/api/v1/vms/nothing || echo "that failed"`, ['failed']),
    'So a script reads as it should:',
    block(
      `if wget -qO- "http://127.0.0.1:8084/api/v1/vms/$VM/start" --post-data '' >/dev/null; then echo "it starts"; fi`,
      done,
    ),
    '## Streams',
    'A JSON line for each message, as nothing else was asked for: `while read` takes one at a time.',
    block(
      `wget -qO- http://127.0.0.1:8081/api/v1/kv/one/put --post-data '{"value":"1"}' >/dev/null
wget -qO- http://127.0.0.1:8081/api/v1/kv/two/put --post-data '{"value":"2"}' >/dev/null
wget -qO- 'http://127.0.0.1:8081/api/v1/kv?fields=items.key' | tr ',' '\\n' | sed -n 's/.*"key":"\\([^"]*\\)".*/key \\1/p'`,
      ['ok', 'ok', 'ok'],
    ),
    '`http://127.0.0.1:8081/api/v1/watch?fields=type,item.key` is the same as a stream that goes on: `wget -qO- … | while read -r line; do …; done`.',
    '## Is everything well?',
    '[examples/photoncloud/health.sh](../../examples/photoncloud/health.sh) asks all eleven services, by curl or by wget, whichever is there, and ends with 1 if one does not serve:',
    '```sh\nsh examples/photoncloud/health.sh http://127.0.0.1:8080\n```',
  ],
};

const migration: GuidePage = {
  name: 'from-grpc',
  title: 'From gRPC to REST',
  parts: [
    'Whoever knows the gRPC API of a service knows its REST API: the annotation of each RPC says where it is. gRPC itself stays where it was, on the port of the service, and is served on the REST port too ([protocols](../protocols.md)).',
    '| gRPC | REST |\n| --- | --- |\n| RPC | a method and a path, from `option (google.api.http)`; `curl HOST/` lists them, `/docs` shows them |\n| field of the request | in the path where the template has `{field}`; else in the JSON body (POST, PUT, PATCH) or a query parameter (GET, DELETE) |\n| field names | those of the proto (`project_id`); `projectId` is understood as well |\n| message inside a message | an object; in a query `spec.cpu.vcpus=2` |\n| `repeated` | an array; in a query the parameter several times |\n| `map` | an object; in a query `selector.app=web` or `selector[app]=web` |\n| enum | its name (`"RUNNING"`); the number is understood as well |\n| `int64`, `uint64` | a string (`"9007199254740993"`), as many JSON readers round numbers; both are understood |\n| `bytes` | base64 |\n| `Timestamp`, `Duration` | `"2026-01-31T12:00:00Z"`, `"1.5s"` |\n| `google.api.HttpBody` | the bytes themselves, with their content type |\n| `FieldMask update_mask` | not to be sent: `PATCH` fills it from the keys of the body |\n| field at its default | printed all the same (`"deleted": false`) |\n| server stream | a JSON line for each message; an array with `Accept: application/json`, events with `text/event-stream`; or a WebSocket |\n| client stream | lines or an array as the body (objects of LightningSTOR: the raw bytes) |\n| status | an HTTP status, and the name of the code in `error.code` ([error codes](error-codes.md)) |\n| status details | `error.details` |\n| deadline | header `x-request-timeout: 1.5s` (or `grpc-timeout`) |\n| metadata | headers, both ways; names ending in `-bin` are base64 |\n| trailers | HTTP trailers with `TE: trailers`, else headers |\n| reflection | `GET /openapi.json` |\n| `grpc.health.v1` | `GET /health` |',
    '## The same call both ways',
    'A write. What grpcurl takes as one message is divided among path and body:',
    '```sh\ngrpcurl -plaintext -d \'{"key":"color","value":"blue"}\' 127.0.0.1:50051 chainfire.v1.ChainFireService/Put\n```',
    block(`curl -X PUT 'http://127.0.0.1:8081/api/v1/kv/color?fields=key,version' -d '{"value":"blue"}'`),
    'A list. Scalars are query parameters:',
    '```sh\ngrpcurl -plaintext -d \'{"prefix":"co","page_size":10}\' 127.0.0.1:50051 chainfire.v1.ChainFireService/List\n```',
    block(`curl 'http://127.0.0.1:8081/api/v1/kv?prefix=co&page_size=10&fields=items.key,items.value'`),
    'A change. The mask follows from what is sent:',
    '```sh\ngrpcurl -plaintext -d \'{"vpc":{"id":"…","description":"all of it"},"update_mask":"description"}\' 127.0.0.1:50057 prismnet.v1.PrismNetService/UpdateVpc\n```',
    block(
      `VPC=$(curl 'http://127.0.0.1:8087/api/v1/vpcs?fields=id&alt=text' -d '{"name":"moved","org_id":"acme","project_id":"moved","cidr_block":"10.30.0.0/16"}')
curl -X PATCH "http://127.0.0.1:8087/api/v1/vpcs/$VPC?fields=name,description" -d '{"description":"all of it"}'`,
      ['201', '200'],
    ),
    'A stream, cut off after a second here:',
    '```sh\ngrpcurl -plaintext -d \'{"prefix":"co","start_revision":1}\' 127.0.0.1:50051 chainfire.v1.ChainFireService/Watch\n```',
    block(`curl -N --max-time 1 'http://127.0.0.1:8081/api/v1/watch?prefix=co&start_revision=1&fields=type,item.key'`),
    'A deadline and metadata:',
    '```sh\ngrpcurl -plaintext -max-time 2 -H \'x-request-id: try-1\' -d \'{"key":"color"}\' 127.0.0.1:50051 chainfire.v1.ChainFireService/Get\n```',
    block(
      `curl 'http://127.0.0.1:8081/api/v1/kv/color?fields=value' -H 'x-request-timeout: 2s' -H 'x-request-id: try-1'`,
    ),
    'A failure. grpcurl prints the code and ends with an exit code; curl answers a status, and with `-f` ends with 22:',
    '```sh\ngrpcurl -plaintext -d \'{"key":"nothing"}\' 127.0.0.1:50051 chainfire.v1.ChainFireService/Get\n```',
    block(`curl http://127.0.0.1:8081/api/v1/kv/nothing`, ['404']),
  ],
  variables: ['VPC'],
};

/** What a caller does about each code. */
const advice: Readonly<Record<Exclude<keyof typeof Code, 'OK'>, string>> = {
  CANCELLED: 'the caller went away before the answer; nothing to do',
  UNKNOWN: 'the service failed without saying how; look at its log, by the request id',
  INVALID_ARGUMENT:
    'mend the request; `details` names each field and what is expected. Sent again unchanged it fails again',
  DEADLINE_EXCEEDED:
    'it took too long, and may still have happened: repeat with the same `request_id`, or ask for more time (`x-request-timeout`)',
  NOT_FOUND: 'there is none of that id or key, or no such route; `message` says which',
  ALREADY_EXISTS: 'the name is taken; take another, or go on with what is there',
  PERMISSION_DENIED: 'this caller may not; another token may. From a web page: its origin is not allowed',
  RESOURCE_EXHAUSTED: 'too much or too many: make the request smaller, or wait (`retry-after` where it is sent)',
  FAILED_PRECONDITION:
    'not in this state: a VM that runs, a bucket that is not empty, too little credit. Change that first',
  ABORTED: 'somebody else was faster (`expected_version`); read again, then try again',
  OUT_OF_RANGE: 'beyond the end; ask for less. LightningSTOR answers 416 to a range that an object does not have',
  UNIMPLEMENTED: 'the service has no such method',
  INTERNAL: 'a fault of the service; look at its log, by the request id',
  UNAVAILABLE: 'the service is not there just now; try again in a moment',
  DATA_LOSS: 'data of the service is damaged; tell its operator',
  UNAUTHENTICATED: 'no token, or one that is not good; get a new one at `/api/v1/auth/token`',
};

/** Failures that the proxy itself answers, by status. */
const ours: readonly (readonly [status: number, meaning: string])[] = [
  [400, 'the request cannot be read: JSON, a query parameter, a header; the message has line and column, or the name'],
  [401, 'no token, or one that is not good, where `policies.jwt` asks for one; `www-authenticate` says why'],
  [
    403,
    'a web page of another origin, a `Host` that a listener on this machine does not answer to, or a token without what the call needs',
  ],
  [404, 'no route has this path; `GET /` lists what is served'],
  [405, 'the path is there, but not with this method; `Allow` lists those that are'],
  [408, 'the head or the body did not come in time'],
  [413, 'the body is over the limit (`max_body_bytes`)'],
  [414, 'the URL is over the limit (`max_url_bytes`)'],
  [415, 'the content type or coding is none of those that the message lists'],
  [417, 'an `Expect` other than `100-continue`'],
  [431, 'the headers are over the limit (`max_header_bytes`)'],
  [503, 'too many requests at once (`max_concurrent_requests`), or no connection to the service'],
];

const codeRows = Object.entries(advice).map(([name, what]) => {
  const code = Code[name as keyof typeof Code];
  return `| ${code} | \`${name}\` | ${httpStatusOf(code)} | ${what} |`;
});

const ourRows = ours.map(
  ([status, meaning]) => `| ${status} | \`${codeName(codeOfHttpStatus(status))}\` | ${meaning} |`,
);

const errorCodes: GuidePage = {
  name: 'error-codes',
  title: 'Error codes',
  parts: [
    'An error has an HTTP status, which curl and wget act on, and in its body `error.code`, the name of the gRPC code, which tells more: several codes share a status. `error.message` is for people, `error.details` for programs, there only where the failure has any.',
    block(`curl http://127.0.0.1:8087/api/v1/vpcs -d '{"name":"x"}'`, ['400']),
    '## By code',
    `| number | code | HTTP | what to do |\n| --- | --- | --- | --- |\n${codeRows.join('\n')}`,
    'The statuses can be changed: `status_map` ([options](../options.md)).',
    '## What photongate itself answers',
    'Before any service is called:',
    `| HTTP | code | what it means |\n| --- | --- | --- |\n${ourRows.join('\n')}`,
    '## In a script',
    '`-f` makes curl end with 22 where the status is 400 or more, `--fail-with-body` prints the body all the same. `-w` shows the status:',
    block(`curl -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:8081/api/v1/kv/nothing`, []),
    'To try again is safe for GET, PUT and DELETE, and for POST with a `request_id`: `curl --retry 5` does it for 408, 429, 500, 502, 503 and 504, and heeds `retry-after`.',
    'Every answer has its request id, in the header `x-request-id` and in `meta.request_id`, and the service got the same one: it is what to look for in logs.',
  ],
};

export const guidePages: readonly GuidePage[] = [machine, pod, tokens, busybox, migration, errorCodes];
