/** Decoders of JSON that came from outside: a value is turned into its type once, at the border, or refused. */

/** Turns an unknown value into a `T`, or throws a DecodeError that names the place. */
export type Decoder<T> = (value: unknown, path: string) => T;

export type Infer<D> = D extends Decoder<infer T> ? T : never;

export class DecodeError extends Error {
  readonly path: string;

  constructor(path: string, wanted: string) {
    super(`${path || "value"} must be ${wanted}`);
    this.name = "DecodeError";
    this.path = path;
  }
}

export const string = primitive("a string", (value): value is string => typeof value === "string");
export const boolean = primitive("a boolean", (value): value is boolean => typeof value === "boolean");
export const number = primitive(
  "a finite number",
  (value): value is number => typeof value === "number" && Number.isFinite(value),
);
export const integer = primitive("an integer", (value): value is number => Number.isSafeInteger(value));
export const anything: Decoder<unknown> = (value) => value;

export function literal<const T extends string>(...allowed: readonly T[]): Decoder<T> {
  return primitive(allowed.join(" or "), (value): value is T => (allowed as readonly unknown[]).includes(value));
}

export function nullable<T>(decode: Decoder<T>): Decoder<T | null> {
  return (value, path) => (value === null || value === undefined ? null : decode(value, path));
}

/** Absent or null becomes `fallback`. */
export function withDefault<T>(decode: Decoder<T>, fallback: T): Decoder<T> {
  return (value, path) => (value === null || value === undefined ? fallback : decode(value, path));
}

export function array<T>(decode: Decoder<T>): Decoder<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new DecodeError(path, "a list");
    return value.map((item, index) => decode(item, `${path}[${index}]`));
  };
}

export function record<T>(decode: Decoder<T>): Decoder<Readonly<Record<string, T>>> {
  return (value, path) =>
    Object.fromEntries(
      Object.entries(asObject(value, path)).map(([key, item]) => [key, decode(item, join(path, key))]),
    );
}

/** Fields that are not named are left out: the protocol lets servers add some. */
export function object<const F extends Readonly<Record<string, Decoder<unknown>>>>(
  fields: F,
): Decoder<{ readonly [K in keyof F]: Infer<F[K]> }> {
  const entries = Object.entries(fields);
  return (value, path) => {
    const source = asObject(value, path);
    return Object.fromEntries(
      entries.map(([key, decode]) => [key, decode(source[key], join(path, key))]),
    ) as { readonly [K in keyof F]: Infer<F[K]> };
  };
}

function primitive<T>(wanted: string, is: (value: unknown) => value is T): Decoder<T> {
  return (value, path) => {
    if (!is(value)) throw new DecodeError(path, wanted);
    return value;
  };
}

function asObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DecodeError(path, "an object");
  }
  return value as Readonly<Record<string, unknown>>;
}

function join(path: string, key: string): string {
  return path ? `${path}.${key}` : key;
}
