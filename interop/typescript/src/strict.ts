// Strict reading, section 2 of the page: base64url, JSON, and the three segments of a proof.

const DEPTH_MAX = 16;
const PROOF_BYTES_MAX = 4096;

/** A proof that breaks a rule. `reason` is a label of the page's table of checks. */
export class Refused extends Error {
  constructor(readonly reason: string) {
    super(reason);
  }
}

export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = Map<string, Json>;

/** Canonical base64url without padding. */
export function decode(text: string): Uint8Array {
  const decoded = Buffer.from(text, "base64url");
  // Node decodes what it can and drops the rest; what it encodes is canonical.
  if (decoded.toString("base64url") !== text) throw new Error("not canonical base64url");
  return new Uint8Array(decoded);
}

export function encode(data: Uint8Array): string {
  return Buffer.from(data).toString("base64url");
}

/** A JSON object that no two readers can read differently. */
export function jsonObject(data: Uint8Array): JsonObject {
  // A byte order mark is kept, and so refused as a character that begins no value.
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  const value = new Reader(text).whole();
  if (!(value instanceof Map)) throw new Error("not an object");
  return value;
}

/** JSON.parse keeps the last of two members of a name, so it is of no use here. */
class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  whole(): Json {
    const value = this.value(DEPTH_MAX);
    this.space();
    if (this.at < this.text.length) throw new Error("something after the value");
    return value;
  }

  private value(depthLeft: number): Json {
    this.space();
    switch (this.text[this.at]) {
      case "{":
        return this.members(deeper(depthLeft));
      case "[":
        return this.items(deeper(depthLeft));
      case '"':
        return this.string();
    }
    const [word] = this.match(/(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/y);
    const value = JSON.parse(word) as null | boolean | number;
    if (typeof value === "number" && !Number.isFinite(value)) throw new Error("beyond a double");
    return value;
  }

  private members(depthLeft: number): JsonObject {
    const members: JsonObject = new Map();
    this.list("}", () => {
      const name = this.string();
      this.space();
      this.match(/:/y);
      if (members.has(name)) throw new Error("a member twice");
      members.set(name, this.value(depthLeft));
    });
    return members;
  }

  private items(depthLeft: number): Json[] {
    const items: Json[] = [];
    this.list("]", () => items.push(this.value(depthLeft)));
    return items;
  }

  private list(end: string, item: () => void): void {
    this.at++;
    this.space();
    if (this.text[this.at] === end) {
      this.at++;
      return;
    }
    for (;;) {
      this.space();
      item();
      this.space();
      const [separator] = this.match(/[,\]}]/y);
      if (separator === end) return;
      if (separator !== ",") throw new Error("a bracket of another kind");
    }
  }

  private string(): string {
    const [literal] = this.match(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    const text = JSON.parse(literal) as string;
    if (text.includes("\0")) throw new Error("U+0000");
    if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)) {
      throw new Error("half of a surrogate pair");
    }
    return text;
  }

  private space(): void {
    this.match(/[ \t\r\n]*/y);
  }

  private match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) throw new Error("not JSON");
    this.at = pattern.lastIndex;
    return found;
  }
}

function deeper(depthLeft: number): number {
  if (depthLeft === 0) throw new Error("nested too deeply");
  return depthLeft - 1;
}

/** A compact JWS whose form is good. Nothing in it is to be believed yet. */
export interface Jws {
  text: string;
  header: JsonObject;
  payload: JsonObject;
}

export function parseJws(text: string): Jws {
  if (Buffer.byteLength(text) > PROOF_BYTES_MAX) throw new Refused("too_large");
  const segments = text.split(".");
  if (segments.length !== 3) throw new Refused("not_compact");
  const [headerBytes, payloadBytes] = segments.map((segment) =>
    otherwise("not_base64url", () => decode(segment)),
  ) as [Uint8Array, Uint8Array, Uint8Array];
  const header = otherwise("not_json", () => jsonObject(headerBytes));
  if (header.has("crit") || (header.has("b64") && header.get("b64") !== true)) {
    throw new Refused("extension");
  }
  if (header.has("kid") && typeof header.get("kid") !== "string") {
    throw new Refused("header_malformed");
  }
  return { text, header, payload: otherwise("not_json", () => jsonObject(payloadBytes)) };
}

/** What `make` returns; where it throws, a refusal for that reason. */
export function otherwise<T>(reason: string, make: () => T): T {
  try {
    return make();
  } catch {
    throw new Refused(reason);
  }
}
