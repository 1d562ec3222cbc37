/**
 * A text value cannot be read as its field's type. The message says what was found, what was expected and what to write,
 * without the name of the parameter: `"12x" is not a decimal integer from 0 to 4294967295`.
 */
export class ValueError extends Error {}
