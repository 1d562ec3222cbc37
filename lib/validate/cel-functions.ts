/** The functions that protovalidate adds to CEL. */
import type { CelFunc } from '@bufbuild/cel';
import type { CelPackages } from '../packages.js';
import { type IpVersion, isEmail, isHostAndPort, isHostname, isIp, isIpPrefix, isUri, isUriRef } from './formats.js';

/** All of them, with `this` as the value in front of the dot. */
export function celFunctions({ cel, reflect, protobuf, wellKnown }: CelPackages): CelFunc[] {
  const { celMethod, celFunc, CelScalar, listType } = cel;
  const { STRING, BOOL, INT, UINT, DOUBLE, BYTES, DYN } = CelScalar;
  const ofText = (name: string, test: (text: string) => boolean): CelFunc =>
    celMethod(name, STRING, [], BOOL, function () {
      return test(this);
    });
  return [
    ofText('isHostname', isHostname),
    ofText('isEmail', isEmail),
    ofText('isUri', isUri),
    ofText('isUriRef', isUriRef),
    ofText('isIp', (text) => isIp(text)),
    ofText('isIpPrefix', (text) => isIpPrefix(text)),
    celMethod('isIp', STRING, [INT], BOOL, function (version) {
      return isVersion(version) && isIp(this, versionOf(version));
    }),
    celMethod('isIpPrefix', STRING, [INT], BOOL, function (version) {
      return isVersion(version) && isIpPrefix(this, versionOf(version));
    }),
    celMethod('isIpPrefix', STRING, [BOOL], BOOL, function (strict) {
      return isIpPrefix(this, 0, strict);
    }),
    celMethod('isIpPrefix', STRING, [INT, BOOL], BOOL, function (version, strict) {
      return isVersion(version) && isIpPrefix(this, versionOf(version), strict);
    }),
    celMethod('isHostAndPort', STRING, [BOOL], BOOL, function (portRequired) {
      return isHostAndPort(this, portRequired);
    }),
    celMethod('isNan', DOUBLE, [], BOOL, function () {
      return Number.isNaN(this);
    }),
    celMethod('isInf', DOUBLE, [], BOOL, function () {
      return isInfinite(this, 0n);
    }),
    celMethod('isInf', DOUBLE, [INT], BOOL, function (sign) {
      return isInfinite(this, sign);
    }),
    ...[UINT, INT, STRING, BOOL, DOUBLE, BYTES].map((element) =>
      celMethod('unique', listType(element), [], BOOL, function () {
        return areUnique(Array.from(this, (value: unknown) => (cel.isCelUint(value) ? value.value : value)));
      }),
    ),
    celMethod('contains', BYTES, [BYTES], BOOL, function (part) {
      return Buffer.from(this).includes(Buffer.from(part));
    }),
    celMethod('startsWith', BYTES, [BYTES], BOOL, function (part) {
      return Buffer.from(this.subarray(0, part.length)).equals(part);
    }),
    celMethod('endsWith', BYTES, [BYTES], BOOL, function (part) {
      return this.length >= part.length && Buffer.from(this.subarray(this.length - part.length)).equals(part);
    }),
    // A field by its name, which may be a reserved word.
    celFunc('getField', [DYN, STRING], DYN, (message, name) => {
      const field = reflect.isReflectMessage(message) && message.fields.find((field) => field.name === name);
      if (!reflect.isReflectMessage(message) || !field) throw new Error(`there is no field ${name}`);
      switch (field.fieldKind) {
        case 'list':
        case 'map':
          return message.get(field);
        case 'enum':
          return BigInt(message.get(field));
        case 'scalar':
          return cel.celFromScalar(field.scalar, message.get(field));
        case 'message':
          if (message.isSet(field)) return message.get(field);
          return wellKnown.isWrapperDesc(field.message) ? null : protobuf.create(field.message);
      }
    }),
  ];
}

function isVersion(version: bigint): boolean {
  return version === 0n || version === 4n || version === 6n;
}

function versionOf(version: bigint): IpVersion {
  return version === 4n ? 4 : version === 6n ? 6 : 0;
}

function isInfinite(value: number, sign: bigint): boolean {
  return (sign >= 0n && value === Infinity) || (sign <= 0n && value === -Infinity);
}

/** True if all values differ. NaN differs from itself. */
export function areUnique(values: Iterable<unknown>): boolean {
  const seen = new Set<unknown>();
  for (const value of values) {
    const key = value instanceof Uint8Array ? `b${Buffer.from(value).toString('latin1')}` : value;
    if (Number.isNaN(key)) continue;
    if (seen.has(key)) return false;
    seen.add(key);
  }
  return true;
}
