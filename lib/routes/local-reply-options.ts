/** The options of `local_replies`. */
import { type LogFormat, logFormatOf } from '../commands.js';
import { field, integerValue, type KindValue, leaf, lineValue, listOf, OptionError, record } from '../options/index.js';
import { anyText, headerTest } from './match-options.js';
import { headerChange } from './options.js';

const format = leaf<LogFormat>({
  description: 'a text with commands such as %LOCAL_REPLY_BODY%, or a map of such texts',
  code: 'config-type',
  jsonSchema: { type: ['string', 'object'] },
  unit: '',
  print: (value) => value,
  convert: (raw) => logFormatOf(raw),
});

const form = {
  format: field(
    format,
    'the body, with the commands of access logs; %LOCAL_REPLY_BODY% is what it would be otherwise. A map is JSON',
  ),
  content_type: field(lineValue('', 'config-type'), 'its type. Default text/plain, or application/json of a map'),
};

const rule = record({
  fields: {
    from_status: field(integerValue(100, 599), 'the least status that it takes'),
    to_status: field(integerValue(100, 599), 'the greatest status that it takes'),
    headers: field(
      listOf(headerTest, '"headers" is a list of matchers'),
      'headers of the request, all of which must match',
    ),
    status: field(integerValue(200, 599), 'another status'),
    body: field(anyText, 'another %LOCAL_REPLY_BODY%'),
    set_headers: field(listOf(headerChange(), '"set_headers" is a list'), 'changes of headers, in order'),
    ...form,
  },
  about: 'a rule of local_replies',
  expected: 'a rule of local_replies is a map such as { from_status: 500, body: try again }',
  check({ fromStatus = 100, toStatus = 599 }) {
    if (fromStatus > toStatus) throw new OptionError('from_status is greater than to_status', 'config-type');
  },
});

/** The kind of `local_replies`. */
export const localRepliesKind = record({
  fields: { ...form, rules: field(listOf(rule, '"rules" is a list'), 'the first that takes an answer changes it') },
  about: '"local_replies"',
  expected: '"local_replies" is a map such as { format: { code: "%RESPONSE_CODE%", message: "%LOCAL_REPLY_BODY%" } }',
});

export type LocalRepliesSettings = KindValue<typeof localRepliesKind>;
export type LocalReplyRuleSettings = KindValue<typeof rule>;
