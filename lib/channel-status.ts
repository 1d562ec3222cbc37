/** What is known of channels and their servers. Types only. */

/** What operators are told of the connections of a channel, in the words of gRPC. */
export type Connectivity = 'IDLE' | 'CONNECTING' | 'READY' | 'TRANSIENT_FAILURE' | 'SHUTDOWN';

/** What operators are told of a server of a cluster. */
export interface ClusterHostStatus {
  readonly cluster: string;
  readonly weight: number;
  /** 0 comes first. */
  readonly priority: number;
  /** What active checks say; undefined: there are none. */
  readonly health?: 'unchecked' | 'healthy' | 'unhealthy' | undefined;
  /** Whether it is left out for its failures; undefined: nothing is here. */
  readonly ejected?: boolean | undefined;
  /** Why it gets no calls. */
  readonly problem?: string | undefined;
}

/** What a channel has open, for operators. What its client library does not tell is undefined. */
export interface ChannelStatus {
  readonly target: string;
  readonly state: Connectivity;
  /** Connections that stand. */
  readonly connections?: number | undefined;
  /** Calls on them; with grpc-js those that wait for one, too. */
  readonly calls: number;
  /** Calls that wait for a connection. */
  readonly waiting?: number | undefined;
  /** Calls that were sent again, since the channel was opened. */
  readonly retries?: number | undefined;
  /** Why the last attempt to connect failed; undefined if it did not. */
  readonly problem?: string | undefined;
  /** The clusters of which it is a server. */
  readonly hosts?: readonly ClusterHostStatus[] | undefined;
}

/** `ready`: a connection stands. `down`: none does, the last attempt failed, and calls fail at once. */
export type ChannelState = 'ready' | 'idle' | 'down';
