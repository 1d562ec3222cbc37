/** `local_reply_config` → `local_replies`. */
import type { Plain } from '../../options/index.js';
import { type EnvoyReader, placed, type ValueOf, missing } from '../describe.js';
import type { logFormat } from '../keys/access-log.js';
import type { localReplyConfig } from '../keys/local-reply.js';
import { formatOf } from './access-log.js';
import { changesOf, headerTest } from './routes.js';
import { textOf } from './source.js';

type Config = ValueOf<typeof localReplyConfig>;
type Mapper = NonNullable<Config['mappers']>[number];
type PlainMap = Record<string, Plain>;

export function translateLocalReplies(config: Config, reader: EnvoyReader): PlainMap {
  const rules = (config.mappers ?? []).map((mapper) => translateMapper(mapper, reader));
  const replies = { ...formOf(config.body_format, reader), ...(rules.length > 0 && { rules: rules as Plain[] }) };
  return placed(replies, config.at, reader);
}

function translateMapper(mapper: Mapper, reader: EnvoyReader): PlainMap {
  const { filter, status_code: status, body, body_format_override: format, headers_to_add: added = [], at } = mapper;
  const changes = changesOf({ response_headers_to_add: added }, 'response', reader);
  const text = body === undefined ? undefined : textOf(body, reader);
  const rule = {
    ...(filter !== undefined && translateFilter(filter, reader)),
    ...(status !== undefined && { status }),
    ...(text !== undefined && { body: text }),
    ...formOf(format, reader),
    ...(changes.length > 0 && { set_headers: changes as Plain[] }),
  };
  return placed(rule, at, reader);
}

function translateFilter(filter: NonNullable<Mapper['filter']>, reader: EnvoyReader): PlainMap {
  const { status_code_filter: byStatus, header_filter: byHeader, at } = filter;
  if (byStatus === undefined && byHeader === undefined) {
    missing(reader, at, 'it has no filter', 'write status_code_filter or header_filter');
  }
  const { op = 'EQ', value } = byStatus?.comparison ?? {};
  const status = value?.default_value ?? 0;
  return {
    ...(byStatus !== undefined && op !== 'LE' && { from_status: status }),
    ...(byStatus !== undefined && op !== 'GE' && { to_status: status }),
    ...(byHeader?.header !== undefined && { headers: [headerTest(byHeader.header, reader)] }),
  };
}

function formOf(format: ValueOf<typeof logFormat> | undefined, reader: EnvoyReader): PlainMap {
  if (format === undefined) return {};
  const line = formatOf(format, reader);
  const { content_type: type } = format;
  return {
    ...(line !== undefined && { format: line }),
    ...(type !== undefined && type !== '' && { content_type: type }),
  };
}
