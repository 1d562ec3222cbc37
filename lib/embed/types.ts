/** What a program that embeds a gateway gives and gets. Types alone; of no framework, but made to fit its own. */
import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LibraryOptions } from '../config/index.js';
import type { OptionInputsOf } from '../options/index.js';
import type { listenerOptions, NodeRequest, NodeResponse } from '../server/index.js';
import type { Problem } from '../status.js';
import type { telemetryOptions } from '../telemetry/index.js';
import type { ErrorFormatter } from '../transcode/index.js';

/** Options of a port that is listened on; the application's server has its own. These hold in an application too. */
type HeldHere = 'idleTimeout' | 'writeTimeout' | 'drainTimeout' | 'maxConnectionRequests';
export type ListenerOnly = 'allowedHosts' | Exclude<keyof OptionInputsOf<typeof listenerOptions>, HeldHere>;

/** Options of the process; the application's own logs and metrics are its affair. */
export type ProcessOnly = keyof OptionInputsOf<typeof telemetryOptions>;

/**
 * What to serve, and every option of docs/options.md under its library name:
 * `{ proto: 'greeter.proto', upstreams: '127.0.0.1:50051', errorFormat: 'problem', defaultDeadline: '5s' }`.
 */
export interface GatewayInput extends Omit<LibraryOptions, ListenerOnly | ProcessOnly | 'errorFormat'> {
  /**
   * The shape of errors: a name of docs/options.md, or a function of yours: `(error, request) => ({ status, headers, body })`.
   * If it throws or returns something invalid, that is reported on `photongate:error`, and the client gets the default shape.
   */
  readonly errorFormat?: LibraryOptions['errorFormat'] | ErrorFormatter;
  /** `.proto` files or folders whose services are served. */
  readonly proto?: string | readonly string[];
  /** Where imports are looked for. */
  readonly protoPath?: string | readonly string[];
  /** Files of `protoc --descriptor_set_out`. */
  readonly descriptorSet?: string | readonly string[];
  /** Names, packages and wildcards of the services to serve. Default: all. */
  readonly services?: string | readonly string[];
  /** Service configs (YAML) whose rules replace annotations. */
  readonly rules?: string | readonly string[];
  /** gRPC servers: `127.0.0.1:50051`, or with what it serves `chainfire.v1=dns:///host:port`. */
  readonly upstreams?: string | readonly string[];
  /** Where relative paths start. Default: the process's. */
  readonly workingDirectory?: string;
}

/**
 * Answers a request of `node:http`, `node:https`, or of the compatibility API of `node:http2`. What no route takes goes to
 * `next`; without one it is answered 404 or 405.
 */
export type NodeHandler = (request: NodeRequest, response: NodeResponse, next?: (error?: unknown) => void) => void;

/** Takes what no route does. */
export type FetchNext = (request: Request) => Response | Promise<Response>;

/** What a `Request` does not say. */
export interface FetchOptions {
  /**
   * Who is at the other end of the connection, as the server knows it: an IP address, with or without its port, or `unix`
   * for a Unix socket. Services get it as `x-forwarded-for`, and `trustedProxies` is about it. Default: not known.
   */
  readonly clientAddress?: string | null | undefined;
  /** Default: what no route takes is answered 404 or 405. */
  readonly next?: FetchNext | undefined;
}

/**
 * Answers a request of the Fetch API; bodies stream both ways. What no route takes goes to `next`; without one it is
 * answered 404 or 405. Rejects only where an answer was broken off before its head, or `next` does.
 */
export type FetchHandler = (request: Request, nextOrOptions?: FetchNext | FetchOptions) => Promise<Response>;

/**
 * Takes an upgrade of `node:http` or `node:https`, as their event hands it over: a WebSocket of a streaming route. Anything
 * else goes to `next`; without one it is refused, and the connection closed.
 */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer, next?: () => void) => void;

/** A server of `node:http` or `node:https`, or one of `node:http2` with `allowHTTP1`. */
export type UpgradingServer = EventEmitter;

/** For `EmbeddedGateway.attach`. */
export interface AttachOptions {
  /** WebSockets below this path are looked at, and their paths read without it. Default: all. */
  readonly prefix?: string;
}

/** What `instance.register(gateway.fastify, …)` takes. */
export interface FastifyPluginOptions {
  /** Requests below this path are looked at, and their paths read without it. Default: all. */
  readonly prefix?: string;
}

/** What the plugin needs of Fastify. */
export interface FastifyInstanceLike {
  readonly server: UpgradingServer;
  addHook(name: 'onRequest', hook: (request: never, reply: never, done: () => void) => void): unknown;
}

/** A plugin for `app.register`. */
export type FastifyPlugin = (
  instance: FastifyInstanceLike,
  options: FastifyPluginOptions,
  done: (error?: Error) => void,
) => void;

/** A gateway inside an application. Its functions need no `this`. */
export interface EmbeddedGateway {
  /** What is odd about the configuration, but no reason to refuse it. */
  readonly warnings: readonly Problem[];
  /** For `createServer(gateway.node)` of `node:http`, `node:https` and `node:http2`. */
  readonly node: NodeHandler;
  /** For `app.use(gateway.express)`, with Express and Connect; in front of body parsers. */
  readonly express: NodeHandler;
  /** For `app.register(gateway.fastify)`. Goes before Fastify's own routes. */
  readonly fastify: FastifyPlugin;
  /** For servers and routers of `Request → Response`: `gateway.fetch(request, { clientAddress: '203.0.113.7' })`. */
  readonly fetch: FetchHandler;
  /** For `server.on('upgrade', gateway.upgrade)`, or from a listener of yours that tells upgrades apart. */
  readonly upgrade: UpgradeHandler;
  /**
   * Serves WebSockets of a server, besides `node` or `express`; the Fastify plugin does so by itself. Upgrades that are not
   * the gateway's are left to the server's other listeners; without any they are answered as the ordinary requests that
   * they are, too.
   */
  readonly attach: (server: UpgradingServer, options?: AttachOptions) => void;
  /**
   * Answers 503 from now on, waits for the answers under way (for `drainTimeout`, then they are broken off) and closes
   * the connections to the gRPC servers. Never rejects; the application's server is for the application to close.
   */
  close(): Promise<void>;
}
