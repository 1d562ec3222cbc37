/** `local_reply_config`: what becomes of answers that the proxy makes itself. */
import { honoured, list, message, noEffect, refused, required } from '../describe.js';
import { enumOf, string, uint32 } from '../kinds.js';
import { logFormat } from './access-log.js';
import { dataSource, headerMatcher, headersToAdd } from './common.js';

const otherFilter = refused('write status_code_filter or header_filter');

const filter = message({
  status_code_filter: honoured(
    message({
      comparison: required(
        message({
          op: honoured(enumOf('EQ', 'GE', 'LE', ['NE', refused('write GE and LE in two mappers')])),
          value: honoured(
            message({ default_value: honoured(uint32), runtime_key: noEffect(string, 'there is no runtime') }),
          ),
        }),
        'write comparison: { op: EQ, value: { default_value: 404 } }',
      ),
    }),
  ),
  header_filter: honoured(message({ header: required(headerMatcher, 'write header: { name: … }') })),
  duration_filter: otherFilter,
  not_health_check_filter: otherFilter,
  traceable_filter: otherFilter,
  runtime_filter: otherFilter,
  and_filter: otherFilter,
  or_filter: otherFilter,
  response_flag_filter: otherFilter,
  grpc_status_filter: otherFilter,
  extension_filter: otherFilter,
  metadata_filter: otherFilter,
  log_type_filter: otherFilter,
});

const mapper = message({
  filter: required(filter, 'write filter: { status_code_filter: … }'),
  status_code: honoured(uint32),
  body: honoured(dataSource),
  body_format_override: honoured(logFormat),
  headers_to_add: honoured(headersToAdd),
});

export const localReplyConfig = message({
  mappers: honoured(list(mapper), 'the first that matches counts'),
  body_format: honoured(logFormat),
});
