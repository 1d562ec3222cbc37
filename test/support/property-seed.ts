/**
 * Loaded before each test file of `npm test`: properties are tried with the same random values each time, so that a failure
 * is that of the change at hand. Another PROPERTY_SEED, or a file run by itself, searches further.
 */
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env['PROPERTY_SEED'] ?? 1) });
