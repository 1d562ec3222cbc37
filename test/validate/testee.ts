/**
 * The executor of protovalidate's conformance suite: a TestConformanceRequest on stdin, a TestConformanceResponse on stdout.
 *
 *     protovalidate-conformance --strict_message node --import tsx test/validate/testee.ts
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diskFiles, loadSchema, type Schema } from '../../lib/schema/index.js';
import { ConfigError, messageOf, ProblemList } from '../../lib/status.js';
import { RuleFault, Validator, violationsBytes } from '../../lib/validate/index.js';
import { bytes, defineMessage, list, text } from '../../lib/wire/index.js';
import { annotationsRoot } from '../support/schema.js';

const AnyMessage = defineMessage({ typeUrl: [1, text], value: [2, bytes] });
const Request = defineMessage({
  fdset: [2, bytes],
  cases: [3, list(defineMessage({ name: [1, text], value: [2, AnyMessage] }))],
});
/** The members of TestResult, of which one is set. */
const results = {
  violations: defineMessage({ violations: [2, bytes] }),
  compilation: defineMessage({ error: [3, text] }),
  runtime: defineMessage({ error: [4, text] }),
  unexpected: defineMessage({ error: [5, text] }),
};
const Response = defineMessage({ results: [1, list(defineMessage({ name: [1, text], result: [2, bytes] }))] });
/** `success: true`. */
const SUCCESS = Buffer.from([0x08, 0x01]);

function load(set: Buffer): Schema {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-validate-'));
  try {
    const file = join(folder, 'cases.binpb');
    writeFileSync(file, set);
    const problems = new ProblemList();
    const source = { protos: [], protoPaths: [], descriptorSets: [file], workingDirectory: folder, annotationsRoot };
    const schema = loadSchema(source, problems, diskFiles);
    problems.throwIfAny();
    return schema;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function resultOf(schema: Schema, validator: Validator, typeUrl: string, value: Buffer): Buffer {
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  const type = schema.message(name);
  if (type === undefined) return results.unexpected.encode({ error: `${name} is not in the schema` });
  try {
    const violations = validator.checkOf(type)?.(value) ?? [];
    return violations.length === 0 ? SUCCESS : results.violations.encode({ violations: violationsBytes(violations) });
  } catch (error) {
    if (error instanceof ConfigError) return results.compilation.encode({ error: messageOf(error) });
    if (error instanceof RuleFault) return results.runtime.encode({ error: messageOf(error) });
    return results.unexpected.encode({
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
}

const request = Request.decode(readFileSync(0));
const schema = load(request.fdset);
const validator = new Validator(schema, Infinity);
const answers = request.cases.map(({ name, value }) => ({
  name,
  result: resultOf(schema, validator, value.typeUrl, value.value),
}));
process.stdout.write(Response.encode({ results: answers }));
