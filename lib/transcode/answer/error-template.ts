/** Errors as `error_template` writes them. */
import { wallClock } from '../../clock.js';
import { compileError, type ErrorTemplate } from '../../commands.js';
import { codeText } from '../../status.js';
import type { ErrorShape } from './error-shape.js';
import type { TranscodeOptions } from '../options.js';

/** The shape of a template. */
export function templateShape(template: ErrorTemplate, { errorContentType }: TranscodeOptions): ErrorShape {
  const write = compileError(template);
  return {
    contentType: errorContentType,
    write({ error, status, printed, head }) {
      const { method, path = '', headers = [], requestId, caller, httpVersion = '1.1' } = head;
      const details = printed.map((text) => JSON.parse(text) as object);
      return write({
        request: headers,
        pseudo: { ':method': method, ':path': path, 'x-request-id': requestId },
        protocol: `HTTP/${httpVersion}`,
        remoteAddress: caller?.address ?? '',
        remotePort: 0,
        cluster: '',
        response: { status, headers: [] },
        failed: {
          startedAt: wallClock(),
          code: codeText(error.code),
          codeNumber: error.code,
          requestId,
          message: error.message.toWellFormed(),
          details,
          violations: details.flatMap(violationsOf),
        },
      });
    },
  };
}

/** Those of a google.rpc.BadRequest: the proxy's own or the service's. */
function violationsOf(detail: object): readonly object[] {
  const { '@type': type, fieldViolations, field_violations: named = fieldViolations } = detail as BadRequestJson;
  if (type !== 'type.googleapis.com/google.rpc.BadRequest' || !Array.isArray(named)) return [];
  return (named as readonly BadRequestJson[]).map(({ field, description }) => ({ field, description }));
}

type BadRequestJson = Readonly<Record<string, unknown>>;
