/**
 * Calls of Google's published clients: what is called, and what the service answers. Each is made twice, by gRPC straight to the
 * service and by REST through photongate, so no row says what must come.
 */
import type { Reply } from './service.js';

/** One client of a package. */
export interface ClientSpec {
  /** Its npm package. */
  readonly package: string;
  /** Where its class is in the package: `v1.SecretManagerServiceClient`. */
  readonly export: string;
  /** Below the folder of its protos: what photongate serves. */
  readonly protos: readonly string[];
  /** http.rules for its mixins, as its service config has them. */
  readonly rules?: readonly object[];
  /** A client that has no gRPC: what its service sees is compared with the request as it was given. */
  readonly restOnly?: boolean;
  readonly calls: readonly Call[];
}

export interface Call {
  readonly method: string;
  readonly request: object;
  /** Full names of rpcs → what they answer. */
  readonly script: Readonly<Record<string, readonly Reply[]>>;
  /** How the result is collected; default `unary`. */
  readonly kind?: 'unary' | 'stream' | 'iterate' | 'operation';
  /** The stream fails after messages: by REST the client hears of a failure, but not of which. */
  readonly breaks?: boolean;
}

const one = (message: object): readonly Reply[] => [{ messages: [message] }];

const SECRETS = 'google.cloud.secretmanager.v1.SecretManagerService';
const secret = {
  name: 'projects/p/secrets/s',
  replication: { userManaged: { replicas: [{ location: 'eu', customerManagedEncryption: { kmsKeyName: 'k' } }] } },
  createTime: { seconds: '1700000000', nanos: 123456789 },
  labels: { a: 'b', ключ: 'é "q"', '': 'empty' },
  topics: [{ name: 't1' }, { name: 't2' }],
  etag: '"e/+="',
  ttl: { seconds: '3600', nanos: 5000000 },
  versionAliases: { v: '9007199254740993' },
  annotations: { __proto_: 'x' },
};

const secretManager: ClientSpec = {
  package: '@google-cloud/secret-manager',
  export: 'v1.SecretManagerServiceClient',
  protos: ['google/cloud/secretmanager/v1/service.proto', 'google/cloud/location/locations.proto'],
  calls: [
    {
      method: 'getSecret',
      request: { name: 'projects/p/secrets/s' },
      script: { [`${SECRETS}.GetSecret`]: one(secret) },
    },
    {
      method: 'getSecret',
      request: { name: 'projects/p/locations/europe-west1/secrets/ä b%2F' },
      script: { [`${SECRETS}.GetSecret`]: one({ name: 'additional binding' }) },
    },
    {
      method: 'createSecret',
      request: { parent: 'projects/p', secretId: 'a&b=c+d', secret: { ...secret, replication: { automatic: {} } } },
      script: { [`${SECRETS}.CreateSecret`]: one({ replication: { automatic: {} }, expireTime: { seconds: '-1' } }) },
    },
    {
      method: 'updateSecret',
      request: { secret, updateMask: { paths: ['labels', 'version_aliases'] } },
      script: { [`${SECRETS}.UpdateSecret`]: one(secret) },
    },
    {
      method: 'addSecretVersion',
      request: {
        parent: 'projects/p/secrets/s',
        payload: { data: Buffer.from([0xff, 0xfe, 0, 1]), dataCrc32c: '-9223372036854775808' },
      },
      script: { [`${SECRETS}.AddSecretVersion`]: one({ state: 'DESTROYED', clientSpecifiedPayloadChecksum: true }) },
    },
    {
      method: 'accessSecretVersion',
      request: { name: 'projects/p/secrets/s/versions/latest' },
      script: {
        [`${SECRETS}.AccessSecretVersion`]: one({
          name: 'n',
          payload: { data: Buffer.from('+/+/\0\xff', 'latin1').toString('base64'), dataCrc32c: '9223372036854775807' },
        }),
      },
    },
    {
      method: 'destroySecretVersion',
      request: { name: 'projects/p/secrets/s/versions/1', etag: '"x"' },
      script: { [`${SECRETS}.DestroySecretVersion`]: one({ state: 77 }) },
    },
    {
      method: 'deleteSecret',
      request: { name: 'projects/p/secrets/s', etag: '"x y"' },
      script: { [`${SECRETS}.DeleteSecret`]: one({}) },
    },
    {
      method: 'listSecretsAsync',
      kind: 'iterate',
      request: { parent: 'projects/p', pageSize: 2, filter: 'labels.a:"b c" AND x=é' },
      script: {
        [`${SECRETS}.ListSecrets`]: [
          { messages: [{ secrets: [{ name: '1' }, { name: '2' }], nextPageToken: 'p/+=&2', totalSize: 3 }] },
          { messages: [{ secrets: [{ name: '3' }] }] },
        ],
      },
    },
    {
      method: 'setIamPolicy',
      request: {
        resource: 'projects/p/secrets/s',
        policy: {
          version: 3,
          etag: Buffer.from([1, 2, 255]),
          bindings: [{ role: 'r', members: ['user:a@b'], condition: { expression: 'true' } }],
        },
        updateMask: { paths: ['bindings', 'etag'] },
      },
      script: { [`${SECRETS}.SetIamPolicy`]: one({ version: 1, etag: 'AQL/', bindings: [{ role: 'r' }] }) },
    },
    {
      method: 'getIamPolicy',
      request: { resource: 'projects/p/secrets/s', options: { requestedPolicyVersion: 3 } },
      script: { [`${SECRETS}.GetIamPolicy`]: one({ version: 3 }) },
    },
    {
      method: 'testIamPermissions',
      request: { resource: 'projects/p/secrets/s', permissions: ['a.b', 'c/d'] },
      script: { [`${SECRETS}.TestIamPermissions`]: one({ permissions: ['a.b'] }) },
    },
    {
      method: 'listLocationsAsync',
      kind: 'iterate',
      request: { name: 'projects/p', filter: 'a' },
      script: {
        'google.cloud.location.Locations.ListLocations': [
          { messages: [{ locations: [{ name: '1', labels: { a: 'b' } }], nextPageToken: 'x' }] },
          { messages: [{ locations: [{ name: '2', displayName: 'Two' }] }] },
        ],
      },
    },
    {
      method: 'getSecret',
      request: { name: 'projects/p/secrets/none' },
      script: {
        [`${SECRETS}.GetSecret`]: [
          {
            error: {
              code: 'NOT_FOUND',
              message: 'no secret "none" ☺',
              details: [
                ['google.rpc.ErrorInfo', { reason: 'GONE', domain: 'secrets.example', metadata: { id: 'none' } }],
                ['google.rpc.Help', { links: [{ description: 'see', url: 'https://example.com' }] }],
                ['google.rpc.LocalizedMessage', { locale: 'de', message: 'nicht da' }],
              ],
            },
          },
        ],
      },
    },
    ...(
      [
        'CANCELLED',
        'UNKNOWN',
        'INVALID_ARGUMENT',
        'ALREADY_EXISTS',
        'PERMISSION_DENIED',
        'FAILED_PRECONDITION',
        'ABORTED',
        'OUT_OF_RANGE',
        'UNIMPLEMENTED',
        'INTERNAL',
        'DATA_LOSS',
        'UNAUTHENTICATED',
      ] as const
    ).map((code): Call => ({
      method: 'deleteSecret',
      request: { name: 'projects/p/secrets/s' },
      script: { [`${SECRETS}.DeleteSecret`]: [{ error: { code, message: `as ${code}` } }] },
    })),
  ],
};

const TASKS = 'google.cloud.tasks.v2.CloudTasks';
const tasks: ClientSpec = {
  package: '@google-cloud/tasks',
  export: 'v2.CloudTasksClient',
  protos: ['google/cloud/tasks/v2/cloudtasks.proto'],
  calls: [
    {
      method: 'createTask',
      request: {
        parent: 'projects/p/locations/l/queues/q',
        task: {
          scheduleTime: { seconds: '1700000000' },
          httpRequest: {
            url: 'https://e.example/?a=b&c',
            httpMethod: 'PATCH',
            headers: { 'X-A': 'b' },
            body: Buffer.from([0, 255]),
          },
        },
        responseView: 'FULL',
      },
      script: {
        [`${TASKS}.CreateTask`]: one({
          name: 't',
          view: 'FULL',
          dispatchCount: 3,
          firstAttempt: { responseStatus: { code: 5, message: 'm' } },
          appEngineHttpRequest: { httpMethod: 'DELETE', body: 'AP8=' },
        }),
      },
    },
    {
      method: 'updateQueue',
      request: {
        queue: {
          name: 'projects/p/locations/l/queues/q',
          rateLimits: { maxDispatchesPerSecond: 0.1 },
          state: 'PAUSED',
        },
        updateMask: { paths: ['rate_limits.max_dispatches_per_second'] },
      },
      script: { [`${TASKS}.UpdateQueue`]: one({ state: 'DISABLED', rateLimits: { maxDispatchesPerSecond: 1e300 } }) },
    },
    {
      method: 'listTasks',
      request: { parent: 'projects/p/locations/l/queues/q', responseView: 'BASIC', pageSize: 7 },
      script: { [`${TASKS}.ListTasks`]: one({ tasks: [{ name: 'a' }, { name: 'b', view: 'BASIC' }] }) },
    },
    {
      method: 'purgeQueue',
      request: { name: 'projects/p/locations/l/queues/q' },
      script: { [`${TASKS}.PurgeQueue`]: one({ purgeTime: { seconds: '-62135596800' } }) },
    },
  ],
};

const KMS = 'google.cloud.kms.v1.KeyManagementService';
const key = 'projects/p/locations/l/keyRings/r/cryptoKeys/k';
const kms: ClientSpec = {
  package: '@google-cloud/kms',
  export: 'v1.KeyManagementServiceClient',
  protos: ['google/cloud/kms/v1/service.proto', 'google/iam/v1/iam_policy.proto'],
  calls: [
    {
      method: 'encrypt',
      request: {
        name: `${key}/cryptoKeyVersions/1`,
        plaintext: Buffer.from([251, 255, 191]),
        plaintextCrc32c: { value: '4294967295' },
        additionalAuthenticatedData: Buffer.from('aad'),
      },
      script: {
        [`${KMS}.Encrypt`]: one({ ciphertext: '+/+/', ciphertextCrc32c: { value: '0' }, protectionLevel: 'HSM' }),
      },
    },
    {
      method: 'createCryptoKey',
      request: {
        parent: 'projects/p/locations/l/keyRings/r',
        cryptoKeyId: 'k',
        skipInitialVersionCreation: true,
        cryptoKey: {
          purpose: 'ASYMMETRIC_SIGN',
          versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256', protectionLevel: 'HSM' },
          rotationPeriod: { seconds: '86400' },
          labels: { x: 'y' },
        },
      },
      script: {
        [`${KMS}.CreateCryptoKey`]: one({
          purpose: 'MAC',
          primary: { state: 'DESTROY_SCHEDULED', algorithm: 'HMAC_SHA256' },
        }),
      },
    },
    {
      method: 'updateCryptoKeyPrimaryVersion',
      request: { name: key, cryptoKeyVersionId: '2' },
      script: { [`${KMS}.UpdateCryptoKeyPrimaryVersion`]: one({ name: key }) },
    },
    {
      method: 'asymmetricSign',
      request: { name: `${key}/cryptoKeyVersions/1`, digest: { sha256: Buffer.alloc(32, 7) } },
      script: { [`${KMS}.AsymmetricSign`]: one({ signature: 'AAECAw==', verifiedDigestCrc32c: true }) },
    },
    {
      method: 'listCryptoKeyVersionsAsync',
      kind: 'iterate',
      request: { parent: key, view: 'FULL', filter: 'state=ENABLED', orderBy: 'name desc' },
      script: {
        [`${KMS}.ListCryptoKeyVersions`]: [
          { messages: [{ cryptoKeyVersions: [{ name: '1', state: 'ENABLED' }], nextPageToken: 'n' }] },
          { messages: [{ cryptoKeyVersions: [{ name: '2', attestation: { content: '/w==' } }] }] },
        ],
      },
    },
    {
      method: 'getIamPolicy',
      request: { resource: key, options: { requestedPolicyVersion: 1 } },
      script: { 'google.iam.v1.IAMPolicy.GetIamPolicy': one({ etag: 'AQ==', bindings: [{ members: ['a', 'b'] }] }) },
    },
  ],
};

const SPEECH = 'google.cloud.speech.v1.Speech';
const OPERATIONS = 'google.longrunning.Operations';
const recognized = [
  'google.cloud.speech.v1.LongRunningRecognizeResponse',
  { totalBilledTime: { seconds: '9' }, results: [{ languageCode: 'de' }] },
];
const progress = ['google.cloud.speech.v1.LongRunningRecognizeMetadata', { progressPercent: 50, uri: 'gs://b/o' }];
const speech: ClientSpec = {
  package: '@google-cloud/speech',
  export: 'v1.SpeechClient',
  protos: ['google/cloud/speech/v1/cloud_speech.proto', 'google/longrunning/operations.proto'],
  rules: [
    { selector: `${OPERATIONS}.GetOperation`, get: '/v1/operations/{name=**}' },
    { selector: `${OPERATIONS}.ListOperations`, get: '/v1/operations' },
  ],
  calls: [
    {
      method: 'recognize',
      request: {
        config: {
          encoding: 'FLAC',
          sampleRateHertz: 16000,
          languageCode: 'de',
          speechContexts: [{ phrases: ['a'], boost: 0.1 }],
        },
        audio: { content: Buffer.from([1, 2, 3]) },
      },
      script: {
        [`${SPEECH}.Recognize`]: one({
          results: [
            { alternatives: [{ transcript: 'ä', confidence: 0.5, words: [{ startTime: { nanos: 100000000 } }] }] },
          ],
          requestId: '-9007199254740993',
        }),
      },
    },
    {
      method: 'longRunningRecognize',
      kind: 'operation',
      request: { config: { languageCode: 'de' }, audio: { uri: 'gs://b/o' } },
      script: {
        [`${SPEECH}.LongRunningRecognize`]: one({ name: 'a/b/1', metadata: progress }),
        [`${OPERATIONS}.GetOperation`]: [
          { messages: [{ name: 'a/b/1', metadata: progress }] },
          { messages: [{ name: 'a/b/1', metadata: progress, done: true, response: recognized }] },
        ],
      },
    },
    {
      method: 'longRunningRecognize',
      kind: 'operation',
      request: { config: { languageCode: 'de' }, audio: { uri: 'gs://b/o' } },
      script: {
        [`${SPEECH}.LongRunningRecognize`]: one({ name: '1' }),
        [`${OPERATIONS}.GetOperation`]: one({ name: '1', done: true, error: { code: 9, message: 'cannot' } }),
      },
    },
  ],
};

const GENERATE = 'google.ai.generativelanguage.v1beta.GenerativeService';
const candidate = (text: string): object => ({
  candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP' }],
});
const generative: ClientSpec = {
  package: '@google-ai/generativelanguage',
  export: 'v1beta.GenerativeServiceClient',
  protos: ['google/ai/generativelanguage/v1beta/generative_service.proto'],
  calls: [
    {
      method: 'streamGenerateContent',
      kind: 'stream',
      request: {
        model: 'models/m',
        contents: [
          {
            role: 'user',
            parts: [{ text: 'say "]}"' }, { inlineData: { mimeType: 'a/b', data: Buffer.from([255]) } }],
          },
        ],
      },
      script: {
        [`${GENERATE}.StreamGenerateContent`]: [
          { messages: ['a "quoted \\ ]" }', '☺'.repeat(100_000), '', '{[', 'last'].map(candidate) },
        ],
      },
    },
    {
      method: 'streamGenerateContent',
      kind: 'stream',
      request: { model: 'tunedModels/m' },
      script: { [`${GENERATE}.StreamGenerateContent`]: [{ messages: [] }] },
    },
    {
      method: 'streamGenerateContent',
      kind: 'stream',
      request: { model: 'models/m' },
      script: {
        [`${GENERATE}.StreamGenerateContent`]: [
          {
            error: {
              code: 'PERMISSION_DENIED',
              message: 'before the first',
              details: [['google.rpc.ErrorInfo', { reason: 'NO', domain: 'd' }]],
            },
          },
        ],
      },
    },
    {
      method: 'streamGenerateContent',
      kind: 'stream',
      breaks: true,
      request: { model: 'models/m' },
      script: {
        [`${GENERATE}.StreamGenerateContent`]: [
          { messages: ['a', 'b'].map(candidate), error: { code: 'DATA_LOSS', message: 'later' } },
        ],
      },
    },
    {
      method: 'generateContent',
      request: {
        model: 'models/m',
        tools: [
          {
            functionDeclarations: [
              { name: 'f', parameters: { type: 'OBJECT', properties: { a: { type: 'STRING', nullable: true } } } },
            ],
          },
        ],
        generationConfig: { temperature: 0.1, stopSequences: ['a', 'b'], topP: 1e-7 },
        safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }],
      },
      script: {
        [`${GENERATE}.GenerateContent`]: one({
          candidates: [
            {
              content: {
                parts: [
                  {
                    functionCall: {
                      name: 'f',
                      args: {
                        fields: {
                          n: { nullValue: 0 },
                          l: { listValue: { values: [{ numberValue: 1.5 }, { boolValue: true }] } },
                          s: { stringValue: '' },
                        },
                      },
                    },
                  },
                ],
              },
            },
          ],
        }),
      },
    },
  ],
};

const FIRESTORE = 'google.firestore.v1.Firestore';
const database = 'projects/p/databases/(default)';
const documentName = `${database}/documents/users/ä b/posts/1`;
const values = {
  n: { nullValue: 'NULL_VALUE' },
  i: { integerValue: '-9223372036854775808' },
  d: { doubleValue: 0.1 },
  nan: { doubleValue: NaN },
  inf: { doubleValue: -Infinity },
  t: { timestampValue: { seconds: '1', nanos: 1000 } },
  b: { bytesValue: '/+8=' },
  g: { geoPointValue: { latitude: -1.5, longitude: 0 } },
  a: { arrayValue: { values: [{ stringValue: '' }, { mapValue: { fields: { x: { booleanValue: false } } } }] } },
  r: { referenceValue: documentName },
};
const firestore: ClientSpec = {
  package: '@google-cloud/firestore',
  export: 'v1.FirestoreClient',
  protos: ['google/firestore/v1/firestore.proto'],
  // As they stand, the templates of the two do not tell documents from collections: every name of one fits the other too.
  rules: [
    {
      selector: `${FIRESTORE}.GetDocument`,
      get: '/v1/{name=projects/*/databases/*/documents/*/*}',
      additional_bindings: [{ get: '/v1/{name=projects/*/databases/*/documents/*/*/*/*}' }],
    },
    {
      selector: `${FIRESTORE}.ListDocuments`,
      get: '/v1/{parent=projects/*/databases/*/documents}/{collection_id}',
      additional_bindings: [{ get: '/v1/{parent=projects/*/databases/*/documents/*/*}/{collection_id}' }],
    },
  ],
  calls: [
    {
      method: 'getDocument',
      request: { name: documentName, mask: { fieldPaths: ['a.b', '`x-y`'] }, transaction: Buffer.from([255, 1]) },
      script: {
        [`${FIRESTORE}.GetDocument`]: one({ name: documentName, fields: values, updateTime: { seconds: '5' } }),
      },
    },
    {
      method: 'createDocument',
      request: {
        parent: `${database}/documents/users/u`,
        collectionId: 'posts',
        documentId: '1',
        document: { fields: values },
      },
      script: { [`${FIRESTORE}.CreateDocument`]: one({ name: 'n' }) },
    },
    {
      method: 'updateDocument',
      request: {
        document: { name: documentName, fields: values },
        updateMask: { fieldPaths: ['a', 'b'] },
        currentDocument: { exists: true },
      },
      script: { [`${FIRESTORE}.UpdateDocument`]: one({ fields: values }) },
    },
    {
      method: 'batchGetDocuments',
      kind: 'stream',
      request: { database, documents: [documentName, 'x'] },
      script: {
        [`${FIRESTORE}.BatchGetDocuments`]: [
          {
            messages: [
              { found: { name: documentName, fields: values }, readTime: { seconds: '1' } },
              { missing: 'x', transaction: 'AQ==' },
            ],
          },
        ],
      },
    },
    {
      method: 'runQuery',
      kind: 'stream',
      request: {
        parent: `${database}/documents`,
        structuredQuery: {
          from: [{ collectionId: 'users', allDescendants: true }],
          where: { fieldFilter: { field: { fieldPath: 'a' }, op: 'GREATER_THAN', value: { integerValue: '3' } } },
          limit: { value: 0 },
        },
      },
      script: {
        [`${FIRESTORE}.RunQuery`]: [
          { messages: [{ document: { name: 'd', fields: values } }, { skippedResults: 3, done: true }] },
        ],
      },
    },
    {
      method: 'commit',
      request: {
        database,
        writes: [
          {
            update: { name: documentName, fields: values },
            updateTransforms: [{ fieldPath: 'c', increment: { integerValue: '1' } }],
          },
          { delete: documentName, currentDocument: { updateTime: { seconds: '7', nanos: 1 } } },
        ],
      },
      script: {
        [`${FIRESTORE}.Commit`]: one({
          writeResults: [{ transformResults: [{ doubleValue: 2 }] }],
          commitTime: { nanos: 1 },
        }),
      },
    },
    {
      method: 'listDocumentsAsync',
      kind: 'iterate',
      request: { parent: `${database}/documents/users/u`, collectionId: 'posts', pageSize: 1, showMissing: true },
      script: {
        [`${FIRESTORE}.ListDocuments`]: [
          { messages: [{ documents: [{ name: '1' }], nextPageToken: 'AQ==' }] },
          { messages: [{ documents: [{ name: '2' }] }] },
        ],
      },
    },
  ],
};

const INSTANCES = 'google.cloud.compute.v1.Instances';
const compute: ClientSpec = {
  package: '@google-cloud/compute',
  export: 'v1.InstancesClient',
  protos: ['google/cloud/compute/v1/compute.proto'],
  restOnly: true,
  calls: [
    {
      method: 'get',
      request: { project: 'example.com:p', zone: 'z', instance: 'i' },
      script: {
        [`${INSTANCES}.Get`]: one({
          id: '18446744073709551615',
          name: 'i',
          status: 'RUNNING',
          disks: [{ index: 0, boot: false, diskSizeGb: '10' }],
          labels: { a: 'b' },
        }),
      },
    },
    {
      method: 'listAsync',
      kind: 'iterate',
      request: {
        project: 'p',
        zone: 'z',
        filter: '(status = "RUNNING") AND x',
        maxResults: 2,
        returnPartialSuccess: false,
      },
      script: {
        [`${INSTANCES}.List`]: [
          { messages: [{ items: [{ name: '1' }, { name: '2' }], nextPageToken: 'x' }] },
          { messages: [{ items: [{ name: '3' }], warning: { code: 'NO_RESULTS_ON_PAGE' } }] },
        ],
      },
    },
    {
      method: 'aggregatedListAsync',
      kind: 'iterate',
      request: { project: 'p', includeAllScopes: true },
      script: {
        [`${INSTANCES}.AggregatedList`]: one({ items: { 'zones/a': { instances: [{ name: '1' }] }, 'zones/b': {} } }),
      },
    },
    {
      method: 'setLabels',
      request: {
        project: 'p',
        zone: 'z',
        instance: 'i',
        requestId: 'r',
        instancesSetLabelsRequestResource: { labelFingerprint: 'a+/=', labels: { k: 'v' } },
      },
      script: { [`${INSTANCES}.SetLabels`]: one({ name: 'op', status: 'DONE' }) },
    },
    {
      method: 'delete',
      request: { project: 'p', zone: 'z', instance: 'none' },
      script: {
        [`${INSTANCES}.Delete`]: [
          {
            error: {
              code: 'NOT_FOUND',
              message: 'none',
              details: [['google.rpc.ErrorInfo', { reason: 'R', domain: 'D' }]],
            },
          },
        ],
      },
    },
  ],
};

export const clients: readonly ClientSpec[] = [secretManager, tasks, kms, speech, generative, firestore, compute];
