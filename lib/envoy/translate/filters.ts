/** Filters that are options of ours: `buffer`, `compressor`. */
import type { Plain } from '../../options/index.js';
import { cannot, type EnvoyReader, type MessageOf } from '../describe.js';
import type { bufferKeys, compressorKeys } from '../keys/filters.js';

type Buffers = MessageOf<typeof bufferKeys>;
type Compressor = MessageOf<typeof compressorKeys>;
type PlainMap = Record<string, Plain>;

/** All of them count: the least limit. */
export function translateBuffers(filters: readonly Buffers[]): PlainMap {
  const limits = filters.flatMap(({ max_request_bytes: limit }) => limit ?? []);
  return limits.length === 0 ? {} : { max_request_bytes: Math.max(1, Math.min(...limits)) };
}

const codings = {
  'envoy.extensions.compression.gzip.compressor.v3.Gzip': 'gzip',
  'envoy.extensions.compression.brotli.compressor.v3.Brotli': 'br',
  'envoy.extensions.compression.zstd.compressor.v3.Zstd': 'zstd',
} as const;

const DEFAULT_MIN_BYTES = 30;

/** One filter for each coding; they encode the same answers. */
export function translateCompressors(filters: readonly Compressor[], reader: EnvoyReader): PlainMap {
  const translated = filters.flatMap((filter) => {
    const common = filter.response_direction_config?.common_config;
    const isOn = (common?.enabled ?? filter.runtime_enabled)?.default_value ?? true;
    const config = filter.compressor_library?.typed_config;
    if (!isOn || config === undefined) return [];
    const minBytes = common?.min_content_length ?? filter.content_length ?? DEFAULT_MIN_BYTES;
    const types = common?.content_type ?? filter.content_type ?? [];
    return [{ filter, coding: codings[config.type], what: JSON.stringify([minBytes, types]), minBytes, types }];
  });
  const [first] = translated;
  if (first === undefined) return {};
  for (const { filter, what } of translated) {
    if (what === first.what) continue;
    const message = 'all compressors of a listener encode the same answers here';
    cannot(reader, filter.at, message, 'write the same min_content_length and content_type');
  }
  return {
    compression: [...new Set(translated.map(({ coding }) => coding))],
    compression_min_bytes: first.minBytes,
    ...(first.types.length > 0 && { compression_types: first.types.map((type) => type.toLowerCase()) }),
  };
}
