/**
 * google-proto-files, all that has rules, behind one gateway: loaded as the command does it, with a channel that keeps
 * what it is given instead of sending it. For the checks of this folder, which `.ci/run` runs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CallRequest, Channel } from '../../lib/exchange.js';
import { buildGateway, type BuiltGateway, defaultGatewayOptions } from '../../lib/gateway/index.js';
import { RuleFiles } from '../../lib/rule/index.js';
import { loadSchema, type Schema } from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';
import { annotationsRoot } from '../support/schema.js';

/** What the service got last. */
export interface KeptCall {
  readonly request: CallRequest;
  readonly message: Buffer;
}

export interface Google extends BuiltGateway {
  readonly schema: Schema;
  /** Takes the call that was made since the last time; undefined where there was none. */
  taken(): KeptCall | undefined;
  /** A gateway for some packages or services alone. */
  build(services: readonly string[]): BuiltGateway;
}

/** The `.proto` files below a folder that have rules, as import names, sorted. */
export function ruleFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.proto') && !name.includes('node_modules'))
    .filter((name) => readFileSync(join(root, name), 'utf8').includes('(google.api.http)'))
    .sort();
}

/** Answers each call with an empty message. */
export function loadGoogle(root: string): Google {
  let kept: KeptCall | undefined;
  const channel: Channel = {
    target: 'memory',
    start(request, listener) {
      return {
        send({ payload }) {
          kept = { request, message: Buffer.from(payload) };
          return true;
        },
        halfClose() {
          queueMicrotask(() => {
            listener.onHeaders([]);
            listener.onMessage({ compressed: false, payload: Buffer.alloc(0) });
            listener.onEnd({ code: 0, message: '', trailers: [] });
          });
        },
        pause() {},
        resume() {},
        cancel() {},
      };
    },
    connect: () => Promise.resolve(true),
    close() {},
  };
  const problems = new ProblemList();
  const protos = ruleFiles(root);
  const schema = loadSchema(
    { protos, protoPaths: [root], descriptorSets: [], workingDirectory: root, annotationsRoot },
    problems,
  );
  const build = (services?: readonly string[]): BuiltGateway =>
    buildGateway(
      {
        schema,
        rules: new RuleFiles(schema, root, problems).ruleSet([]),
        types: schema,
        channelFor: () => channel,
        listenHost: '127.0.0.1',
        prefix: '',
        thorough: false,
      },
      { ...defaultGatewayOptions, onDuplicate: 'first', services },
      problems,
    );
  const built = build();
  problems.throwIfAny();
  return {
    ...built,
    schema,
    build,
    taken() {
      const call = kept;
      kept = undefined;
      return call;
    },
  };
}
