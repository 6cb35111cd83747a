// The target of a call, section 4 of the page.

import { isIPv6 } from "node:net";

const UNRESERVED = "A-Za-z0-9\\-._~";
const SUB_DELIMS = "!$&'()*+,;=";
const isUnreserved = only(UNRESERVED);
const isName = only(UNRESERVED + SUB_DELIMS);
const isPath = only(`${UNRESERVED}${SUB_DELIMS}:@/`);
const isEncoded = only(`${UNRESERVED}${SUB_DELIMS}:@/%`);
const isUri = only(`${UNRESERVED}${SUB_DELIMS}:@/%?#\\[\\]`);
const DEFAULT_PORTS: Record<string, string> = { https: "443", http: "80" };

function only(characters: string): (text: string) => boolean {
  const pattern = new RegExp(`^[${characters}]*$`);
  return (text) => pattern.test(text);
}

/** The URI in its normal form, without query and fragment. `URL` would repair what is refused here. */
export function normalTarget(uri: string): string {
  const [, scheme = "", rest = ""] = /^([^:/?#]*):\/\/([^?#]*)/s.exec(uri) ?? [];
  const name = scheme.toLowerCase();
  const port = DEFAULT_PORTS[name];
  if (!isUri(uri) || port === undefined) throw new Error("not an absolute http or https URI");
  const slash = rest.includes("/") ? rest.indexOf("/") : rest.length;
  return `${name}://${normalAuthority(rest.slice(0, slash), port)}${normalPath(rest.slice(slash))}`;
}

/** A configured origin, ready to have a call's path behind it. */
export function originOf(uri: string): string {
  if (/[?#]/.test(uri)) throw new Error("an origin has no query and no fragment");
  return normalTarget(uri).replace(/\/$/, "");
}

/** The target of a call of `path`, as received. */
export function targetOf(origin: string, path: string): string {
  const segments = path.split("/");
  if (!path.startsWith("/") || !isPath(path) || segments.includes(".") || segments.includes("..")) {
    throw new Error("the path is not plain");
  }
  return originOf(origin) + path;
}

function normalAuthority(authority: string, defaultPort: string): string {
  if (authority.includes("@")) throw new Error("user information");
  const [, host = "", port = ""] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(authority) ?? [];
  const normal = host.startsWith("[") ? normalAddress(host.slice(1, -1)) : normalName(host);
  if (port === "" || port === defaultPort) return normal;
  if (!/^[1-9][0-9]{0,4}$/.test(port) || Number(port) > 65535) throw new Error("not a port");
  return `${normal}:${port}`;
}

function normalAddress(address: string): string {
  if (!isIPv6(address) || address.includes("%")) throw new Error("not an address");
  // The one thing that a URL parser is good for here: the form of RFC 5952.
  return new URL(`http://[${address}]/`).hostname;
}

function normalName(name: string): string {
  const decoded = decodeUnreserved(name);
  if (decoded === "" || !isName(decoded)) throw new Error("not a host");
  return decoded.toLowerCase();
}

function normalPath(path: string): string {
  const text = decodeUnreserved(path);
  if (!isEncoded(text)) throw new Error("not a path");
  const segments = text.split("/").slice(1);
  const kept: string[] = [];
  for (const segment of segments) {
    if (segment === "..") kept.pop();
    else if (segment !== ".") kept.push(segment);
  }
  const last = segments.at(-1);
  if (kept.length === 0 || last === "." || last === "..") kept.push("");
  return `/${kept.join("/")}`;
}

/** Encodings of unreserved characters decoded, others in upper case. */
function decodeUnreserved(text: string): string {
  return text.replace(/%(.{0,2})/gs, (encoded, digits: string) => {
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) throw new Error("half of a percent-encoding");
    const letter = String.fromCharCode(parseInt(digits, 16));
    return isUnreserved(letter) ? letter : encoded.toUpperCase();
  });
}
