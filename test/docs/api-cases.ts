/**
 * The curl lines of docs/api: for each service one for each of its RPCs, in an order in which they work one after the
 * other. `@/` stands for the service's URL; `$NAME` is what an earlier line kept. `npm run docs` runs them and writes the
 * pages, `test/docs/api.test.ts` runs them and compares.
 */

export interface ApiCase {
  readonly rpc: string;
  /** A line for a POSIX shell. */
  readonly line: string;
  /** The status that it has to answer. Default 200. */
  readonly status?: number;
  /** Variables for later lines, and where in `data` they stand. */
  readonly keep?: Readonly<Record<string, string>>;
  /** Sent again until the answer matches, for what takes a moment. */
  readonly until?: RegExp;
}

type More = Omit<ApiCase, 'rpc' | 'line'>;

const row = (rpc: string, line: string, more: More = {}): ApiCase => ({ rpc, line, ...more });
const created = (keep?: string): More => ({ status: 201, ...(keep === undefined ? {} : { keep: { [keep]: 'id' } }) });

/** Lines of a kind of resource of FiberLB, as all of them are alike. */
function kind(
  name: string,
  list: string,
  variable: string,
  body: string,
  change: string,
  plural = `${name}s`,
): ApiCase[] {
  return [
    row(`Create${name}`, `curl @/api/v1/${list} -d '${body}'`, created(variable)),
    row(`List${plural}`, `curl @/api/v1/${list}`),
    row(`Get${name}`, `curl @/api/v1/${list}/$${variable}`),
    row(`Update${name}`, `curl -X PATCH @/api/v1/${list}/$${variable} -d '${change}'`),
  ];
}

const pem = `CERTIFICATE=$(awk '{printf "%s\\\\n", $0}' server.pem)
KEY=$(awk '{printf "%s\\\\n", $0}' server-key.pem)
`;

export const apiCases: Readonly<Record<string, readonly ApiCase[]>> = {
  chainfire: [
    row('Put', `curl -X PUT @/api/v1/kv/app/config/url -d '{"value":"https://example.com"}'`),
    row('Put', `curl @/api/v1/kv/greeting/put -d '{"value":"hello","expected_version":0}'`),
    row('Put', `curl -X PUT @/api/v1/kv/greeting -d '{"value":"again","expected_version":0}'`, { status: 409 }),
    row('Get', 'curl @/api/v1/kv/greeting'),
    row('Get', 'curl @/api/v1/kv/app%2Fconfig%2Furl'),
    row('Get', 'curl @/api/v1/kv/nothing', { status: 404 }),
    row('List', "curl '@/api/v1/kv?prefix=app/&page_size=10'"),
    row('Watch', "curl -N --max-time 1 '@/api/v1/watch?prefix=app/&start_revision=1'"),
    row('Delete', 'curl -X DELETE @/api/v1/kv/greeting'),
    row('Delete', 'curl -X POST @/api/v1/kv/greeting/delete'),
    row('GetClusterStatus', 'curl @/api/v1/cluster/status'),
    row(
      'AddMember',
      `curl @/api/v1/cluster/members -d '{"name":"node-2","peer_addr":"192.0.2.2:2380"}'`,
      created('MEMBER'),
    ),
    row('ListMembers', 'curl @/api/v1/cluster/members'),
    row('RemoveMember', 'curl -X DELETE @/api/v1/cluster/members/$MEMBER'),
  ],
  flaredb: [
    row(
      'ExecuteSql',
      `curl @/api/v1/sql -d '{"query":"CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT NOT NULL)"}'`,
    ),
    row(
      'ExecuteSql',
      `curl @/api/v1/sql -d '{"query":"INSERT INTO books VALUES (?, ?)","params":[1,"Computing Machinery"]}'`,
    ),
    row('ExecuteSql', `curl @/api/v1/sql -d '{"query":"SELECT * FROM books WHERE id = ?","params":[1]}'`),
    row('ExecuteSql', `curl @/api/v1/sql -d '{"query":"SELEC 1"}'`, { status: 400 }),
    row('ListTables', 'curl @/api/v1/tables'),
    row('Put', `curl -X PUT @/api/v1/kv/app/color -d '{"value":"blue"}'`),
    row('Get', 'curl @/api/v1/kv/app/color'),
    row('Scan', "curl '@/api/v1/scan?start=app/&end=app0'"),
    row('Delete', 'curl -X DELETE @/api/v1/kv/app/color'),
  ],
  iam: [
    row(
      'CreateUser',
      `curl @/api/v1/users -d '{"username":"ada","password":"analytical-engine","email":"ada@example.com","org_id":"acme"}'`,
      created('ADA'),
    ),
    row('ListUsers', 'curl @/api/v1/users'),
    row('GetUser', 'curl @/api/v1/users/$ADA'),
    row('UpdateUser', `curl -X PATCH @/api/v1/users/$ADA -d '{"email":"ada@example.org"}'`),
    row('CreateToken', `curl @/api/v1/auth/token -d '{"username":"ada","password":"analytical-engine"}'`, {
      keep: { TOKEN: 'token' },
    }),
    row('CreateToken', `curl @/api/v1/auth/token -d '{"username":"ada","password":"wrong"}'`, { status: 401 }),
    row('VerifyToken', `curl @/api/v1/auth/verify -d '{"token":"'$TOKEN'"}'`),
    row('VerifyToken', `curl @/api/v1/auth/verify -d '{"token":"made-up"}'`),
    row('GetJwks', 'curl @/.well-known/jwks.json'),
    row('CreateProject', `curl @/api/v1/projects -d '{"name":"demo","org_id":"acme"}'`, created('PROJECT')),
    row('ListProjects', 'curl @/api/v1/projects'),
    row('GetProject', 'curl @/api/v1/projects/$PROJECT'),
    row('UpdateProject', `curl -X PATCH @/api/v1/projects/$PROJECT -d '{"description":"To try things."}'`),
    row('SetMember', `curl -X PUT @/api/v1/projects/$PROJECT/members/$ADA -d '{"role":"owner"}'`),
    row('ListMembers', 'curl @/api/v1/projects/$PROJECT/members'),
    row('RemoveMember', 'curl -X DELETE @/api/v1/projects/$PROJECT/members/$ADA'),
    row('DeleteProject', 'curl -X DELETE @/api/v1/projects/$PROJECT'),
    row('DeleteUser', 'curl -X DELETE @/api/v1/users/$ADA'),
  ],
  plasmavmc: [
    row(
      'CreateVm',
      `curl @/api/v1/vms -d '{"name":"web-1","org_id":"acme","project_id":"demo","vcpus":2,"memory_mib":2048,"hypervisor":"KVM"}'`,
      created('VM'),
    ),
    row('GetVm', 'curl @/api/v1/vms/$VM'),
    row('StartVm', 'curl -X POST @/api/v1/vms/$VM/start'),
    row('ListVms', "curl '@/api/v1/vms?state=RUNNING'", { until: /web-1/ }),
    row('StartVm', 'curl -X POST @/api/v1/vms/$VM/start', { status: 400 }),
    row('WatchVmEvents', 'curl -N --max-time 1 @/api/v1/vms/$VM/events'),
    row('StopVm', `curl @/api/v1/vms/$VM/stop -d '{"force":true}'`),
    row('DeleteVm', 'curl -X DELETE @/api/v1/vms/$VM'),
    row('GetVm', 'curl @/api/v1/vms/$VM', { status: 404 }),
  ],
  k8shost: [
    row(
      'CreatePod',
      `curl @/api/v1/pods -d '{"name":"web","namespace":"default","image":"nginx","labels":{"app":"web"}}'`,
      created(),
    ),
    row('GetPod', 'curl @/api/v1/pods/default/web', { until: /RUNNING/ }),
    row('ListPods', "curl '@/api/v1/pods?namespace=default'"),
    row('StreamPodLogs', 'curl -N @/api/v1/pods/default/web/logs | head -n 4'),
    row(
      'CreateService',
      `curl @/api/v1/services -d '{"name":"web","namespace":"default","service_type":"CLUSTER_IP","port":80,"target_port":8080,"selector":{"app":"web"}}'`,
      created(),
    ),
    row('GetService', 'curl @/api/v1/services/default/web'),
    row('ListServices', 'curl @/api/v1/services'),
    row('ListNodes', 'curl @/api/v1/nodes'),
    row('DeleteService', 'curl -X DELETE @/api/v1/services/default/web'),
    row('DeletePod', 'curl -X DELETE @/api/v1/pods/default/web'),
  ],
  creditservice: [
    row(
      'CreateWallet',
      `curl @/api/v1/wallets -d '{"project_id":"demo","org_id":"acme","initial_balance":100}'`,
      created(),
    ),
    row(
      'TopUpWallet',
      `curl @/api/v1/wallets/demo/topup -d '{"amount":50,"description":"a gift","request_id":"gift-1"}'`,
    ),
    row('GetWallet', 'curl @/api/v1/wallets/demo'),
    row('ListWallets', "curl '@/api/v1/wallets?org_id=acme'"),
    row(
      'CreateReservation',
      `curl @/api/v1/reservations -d '{"project_id":"demo","amount":30,"resource_type":"vm","ttl_seconds":600}'`,
      created('RESERVATION'),
    ),
    row('CreateReservation', `curl @/api/v1/reservations -d '{"project_id":"demo","amount":1000}'`, { status: 400 }),
    row('GetReservation', 'curl @/api/v1/reservations/$RESERVATION'),
    row(
      'CommitReservation',
      `curl @/api/v1/reservations/$RESERVATION/commit -d '{"actual_amount":25,"resource_id":"vm-1"}'`,
    ),
    row('CreateReservation', `curl @/api/v1/reservations -d '{"project_id":"demo","amount":40}'`, created('OTHER')),
    row('ReleaseReservation', `curl @/api/v1/reservations/$OTHER/release -d '{"reason":"not needed"}'`),
    row('ListReservations', "curl '@/api/v1/reservations?project_id=demo'"),
    row('ListTransactions', 'curl @/api/v1/wallets/demo/transactions'),
  ],
  prismnet: [
    row(
      'CreateVpc',
      `curl @/api/v1/vpcs -d '{"name":"main","org_id":"acme","project_id":"demo","cidr_block":"10.0.0.0/16"}'`,
      created('VPC'),
    ),
    row('GetVpc', 'curl @/api/v1/vpcs/$VPC'),
    row('ListVpcs', "curl '@/api/v1/vpcs?project_id=demo'"),
    row('UpdateVpc', `curl -X PATCH @/api/v1/vpcs/$VPC -d '{"description":"All of it."}'`),
    row(
      'CreateSubnet',
      `curl @/api/v1/subnets -d '{"name":"web","vpc_id":"'$VPC'","cidr_block":"10.0.1.0/24"}'`,
      created('SUBNET'),
    ),
    row('CreateSubnet', `curl @/api/v1/subnets -d '{"name":"far","vpc_id":"'$VPC'","cidr_block":"192.168.0.0/24"}'`, {
      status: 400,
    }),
    row('GetSubnet', 'curl @/api/v1/subnets/$SUBNET'),
    row('ListSubnets', 'curl "@/api/v1/subnets?vpc_id=$VPC"'),
    row('UpdateSubnet', `curl -X PATCH @/api/v1/subnets/$SUBNET -d '{"name":"front"}'`),
    row('DeleteVpc', 'curl -X DELETE @/api/v1/vpcs/$VPC', { status: 400 }),
    row('DeleteSubnet', 'curl -X DELETE @/api/v1/subnets/$SUBNET'),
    row('DeleteVpc', 'curl -X DELETE @/api/v1/vpcs/$VPC'),
  ],
  nightlight: [
    row(
      'Write',
      `curl @/api/v1/write -d '{"series":[{"labels":{"__name__":"requests","method":"GET"},"samples":[{"timestamp":"1767182400","value":0},{"timestamp":"1767182460","value":30},{"timestamp":"1767182520","value":90}]}]}'`,
    ),
    row('Query', `curl -G @/api/v1/query --data-urlencode 'query=requests{method="GET"}' -d time=1767182520`),
    row(
      'Query',
      `curl -G @/api/v1/query --data-urlencode 'query=sum(rate(requests[2m])) by (method)' -d time=1767182520`,
    ),
    row('QueryRange', "curl '@/api/v1/query_range?query=requests&start=1767182400&end=1767182520&step=1m'"),
    row('ListSeries', "curl '@/api/v1/series?match=requests'"),
    row('ListLabels', 'curl @/api/v1/labels'),
    row('ListLabelValues', 'curl @/api/v1/label/method/values'),
  ],
  lightningstor: [
    row('CreateBucket', 'curl -X PUT @/api/v1/buckets/photos'),
    row('GetBucket', 'curl @/api/v1/buckets/photos'),
    row('ListBuckets', 'curl @/api/v1/buckets'),
    row('PutObject', 'curl -T hello.txt @/api/v1/buckets/photos/objects/2026/hello.txt'),
    row('GetObject', 'curl @/api/v1/buckets/photos/objects/2026/hello.txt'),
    row('GetObject', 'curl -r 0-4 @/api/v1/buckets/photos/objects/2026/hello.txt', { status: 206 }),
    row('GetObject', 'curl -r 99- @/api/v1/buckets/photos/objects/2026/hello.txt', { status: 416 }),
    row('ListObjects', "curl '@/api/v1/buckets/photos/objects?prefix=2026/'"),
    row('DeleteBucket', 'curl -X DELETE @/api/v1/buckets/photos', { status: 400 }),
    row('DeleteObject', 'curl -X DELETE @/api/v1/buckets/photos/objects/2026/hello.txt'),
    row('DeleteBucket', 'curl -X DELETE @/api/v1/buckets/photos'),
  ],
  fiberlb: [
    ...kind(
      'LoadBalancer',
      'loadbalancers',
      'LB',
      '{"name":"front","org_id":"acme","project_id":"demo","vip":"192.0.2.80"}',
      '{"vip":"192.0.2.81"}',
    ),
    ...kind(
      'Pool',
      'pools',
      'POOL',
      `{"name":"web","loadbalancer_id":"'$LB'","algorithm":"ROUND_ROBIN"}`,
      '{"algorithm":"LEAST_CONNECTIONS"}',
    ),
    ...kind(
      'Backend',
      'pools/$POOL/backends',
      'BACKEND',
      '{"name":"web-1","address":"10.0.1.10","port":8080,"weight":1}',
      '{"weight":0}',
    ),
    ...kind(
      'HealthCheck',
      'healthchecks',
      'CHECK',
      `{"name":"alive","pool_id":"'$POOL'","type":"HTTP","path":"/health","interval_seconds":5,"healthy_threshold":2,"unhealthy_threshold":3}`,
      '{"interval_seconds":10}',
    ),
    row(
      'CreateCertificate',
      `${pem}curl @/api/v1/certificates -d '{"name":"shop","certificate":"'"$CERTIFICATE"'","private_key":"'"$KEY"'"}'`,
      created('CERT'),
    ),
    row('ListCertificates', 'curl @/api/v1/certificates'),
    row('GetCertificate', 'curl @/api/v1/certificates/$CERT'),
    row('UpdateCertificate', `curl -X PATCH @/api/v1/certificates/$CERT -d '{"name":"store"}'`),
    ...kind(
      'Listener',
      'listeners',
      'LISTENER',
      `{"name":"http","loadbalancer_id":"'$LB'","protocol":"HTTP","port":80,"default_pool_id":"'$POOL'"}`,
      '{"port":8080}',
    ),
    ...kind(
      'L7Policy',
      'l7policies',
      'POLICY',
      `{"name":"old","listener_id":"'$LISTENER'","action":"REDIRECT","redirect_url":"https://example.com/","position":1}`,
      '{"redirect_url":"https://example.org/"}',
      'L7Policies',
    ),
    ...kind(
      'L7Rule',
      'l7policies/$POLICY/l7rules',
      'RULE',
      '{"type":"PATH","compare":"STARTS_WITH","value":"/old/"}',
      '{"value":"/older/"}',
    ),
    row(
      'EvaluateListener',
      `curl @/api/v1/listeners/$LISTENER/evaluate -d '{"method":"GET","host":"example.net","path":"/older/page","headers":{}}'`,
    ),
    row('DeleteL7Rule', 'curl -X DELETE @/api/v1/l7policies/$POLICY/l7rules/$RULE'),
    row('DeleteL7Policy', 'curl -X DELETE @/api/v1/l7policies/$POLICY'),
    row('DeleteListener', 'curl -X DELETE @/api/v1/listeners/$LISTENER'),
    row('DeleteCertificate', 'curl -X DELETE @/api/v1/certificates/$CERT'),
    row('DeleteHealthCheck', 'curl -X DELETE @/api/v1/healthchecks/$CHECK'),
    row('DeleteBackend', 'curl -X DELETE @/api/v1/pools/$POOL/backends/$BACKEND'),
    row('DeletePool', 'curl -X DELETE @/api/v1/pools/$POOL'),
    row('DeleteLoadBalancer', 'curl -X DELETE @/api/v1/loadbalancers/$LB'),
  ],
  deployer: [
    row(
      'PhoneHome',
      `curl @/api/v1/machines/rack1-node1/phone_home -d '{"hostname":"node1","addresses":["192.0.2.11"],"hardware":{"cpus":16,"memory_mib":65536,"disks":["nvme0n1"]}}'`,
    ),
    row('PhoneHome', `curl @/api/v1/machines/rack1-node2:phoneHome -d '{"hostname":"node2"}'`),
    row('UpdateMachine', `curl -X PATCH @/api/v1/machines/rack1-node1 -d '{"role":"worker","labels":{"rack":"1"}}'`),
    row('GetMachine', 'curl @/api/v1/machines/rack1-node1'),
    row('ListMachines', 'curl @/api/v1/machines'),
    row(
      'CreateRollout',
      `curl '@/api/v1/rollouts?fields=id,name,image,total,created_at' -d '{"name":"november","machine_ids":["rack1-node1","rack1-node2"],"image":"photonos:2026.11","max_unavailable":1}'`,
      created('ROLLOUT'),
    ),
    row('PauseRollout', 'curl -X POST "@/api/v1/rollouts/$ROLLOUT/pause?fields=name,state"'),
    row('ResumeRollout', 'curl -X POST "@/api/v1/rollouts/$ROLLOUT/resume?fields=name,state"'),
    row('WatchRollout', 'curl -N @/api/v1/rollouts/$ROLLOUT/watch | tail -n 1', { until: /SUCCEEDED/ }),
    row('GetRollout', 'curl @/api/v1/rollouts/$ROLLOUT'),
    row('ListRollouts', 'curl @/api/v1/rollouts'),
    row('CancelRollout', 'curl -X POST @/api/v1/rollouts/$ROLLOUT/cancel', { status: 400 }),
    row('DeleteMachine', 'curl -X DELETE @/api/v1/machines/rack1-node2'),
  ],
};
