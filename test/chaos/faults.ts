/** What goes wrong with servers, and how it ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode } from '../../lib/http2/error.js';
import { FrameType } from '../../lib/http2/frame.js';
import type { Random } from '../support/random.js';
import { frame, goAway, number } from '../support/http2-peer.js';
import { manners, wrongFrames } from './link.js';
import type { Site } from './site.js';

export interface Fault {
  readonly name: string;
  /** Ends when the servers are well again. */
  run(sites: readonly Site[], random: Random): Promise<void>;
}

const each = (sites: readonly Site[], step: (site: Site) => Promise<unknown>): Promise<unknown> =>
  Promise.all(sites.map(step));

/** For how long a fault lasts, in milliseconds. */
const hold = (random: Random): Promise<void> => sleep(100 + random.below(1200));

/** A GOAWAY that leaves out no stream. */
const LAST_STREAM_ID = 2 ** 31 - 1;

const DAMAGED_FRAMES = ['0900000001ff', '00ffffffff00', '0100000001ff'];

const resetCodes = [
  ErrorCode.NO_ERROR,
  ErrorCode.PROTOCOL_ERROR,
  ErrorCode.INTERNAL_ERROR,
  ErrorCode.CANCEL,
  ErrorCode.ENHANCE_YOUR_CALM,
];

export const faults: readonly Fault[] = [
  {
    name: 'killed',
    async run(sites, random) {
      await each(sites, (site) => site.kill());
      await hold(random);
      await each(sites, (site) => site.start());
    },
  },
  {
    name: 'killed and down for long',
    async run(sites, random) {
      await each(sites, (site) => site.kill());
      await sleep(3000 + random.below(2000));
      await each(sites, (site) => site.start());
    },
  },
  {
    name: 'restarted in order',
    async run(sites) {
      await each(sites, async (site) => {
        site.signal('SIGTERM');
        await site.ended();
        await site.start();
      });
    },
  },
  {
    name: 'paused',
    async run(sites, random) {
      for (const site of sites) site.signal('SIGSTOP');
      await hold(random);
      if (random.one(2)) await sleep(2000);
      for (const site of sites) site.signal('SIGCONT');
    },
  },
  {
    name: 'delayed',
    async run(sites, random) {
      for (const { link } of sites) link.latencyMs = 20 + random.below(400);
      await hold(random);
      for (const { link } of sites) link.latencyMs = 0;
    },
  },
  {
    name: 'stalled on the way',
    async run(sites, random) {
      for (const { link } of sites) link.stall(true);
      await hold(random);
      for (const { link } of sites) link.stall(false);
    },
  },
  {
    name: 'cut again and again',
    async run(sites, random) {
      for (let times = 1 + random.below(8); times > 0; times--) {
        for (const { link } of sites) link.cut();
        await sleep(random.below(120));
      }
    },
  },
  {
    name: 'cut in the middle of a frame',
    async run(sites, random) {
      for (let times = 1 + random.below(4); times > 0; times--) {
        for (const { link } of sites) for (const pair of link.pairs) pair.cutHalfWay();
        await sleep(random.below(120));
      }
    },
  },
  {
    name: 'wrong frames of HTTP/2',
    async run(sites, random) {
      for (let times = 1 + random.below(4); times > 0; times--) {
        const bytes = wrongFrames[random.pick(Object.keys(wrongFrames))]!;
        for (const { link } of sites) for (const pair of link.pairs) pair.inject(bytes);
        await sleep(random.below(150));
      }
    },
  },
  {
    name: 'wrong frames of gRPC',
    async run(sites, random) {
      for (let times = 1 + random.below(4); times > 0; times--) {
        for (const { link } of sites) {
          for (const pair of link.pairs) {
            for (const id of pair.streams) pair.inject(frame(FrameType.DATA, 0, id, random.pick(DAMAGED_FRAMES)));
          }
        }
        await sleep(random.below(150));
      }
    },
  },
  {
    name: 'RST_STREAM',
    async run(sites, random) {
      for (let times = 1 + random.below(6); times > 0; times--) {
        for (const { link } of sites) {
          for (const pair of link.pairs) {
            for (const id of pair.streams) pair.inject(number(FrameType.RST_STREAM, id, random.pick(resetCodes)));
          }
        }
        await sleep(random.below(100));
      }
    },
  },
  {
    name: 'GOAWAY again and again',
    async run(sites, random) {
      for (let times = 5 + random.below(40); times > 0; times--) {
        for (const { link } of sites) for (const pair of link.pairs) pair.inject(goAway(LAST_STREAM_ID));
        await sleep(random.below(20));
      }
    },
  },
  ...manners.map((manner) => ({
    name: `a server that takes nothing: ${manner}`,
    async run(sites: readonly Site[], random: Random) {
      for (const { link } of sites) link.behave(manner);
      await hold(random);
      for (const { link } of sites) link.behave('pass');
    },
  })),
];
