// RFC 8705: requests over connections with a client certificate, as the libraries' pages show it.

import { createHash, X509Certificate } from 'node:crypto'
import { Agent, fetch } from 'undici'

/** A `fetch` that shows the certificate; without one, as ever. */
export function showing(shown) {
  const dispatcher = new Agent({ connect: { cert: shown?.certificate, key: shown?.key } })
  return (url, options) => fetch(url, { ...options, dispatcher })
}

/** Its SHA-256, as in `x5t#S256`. */
export function thumbprint({ certificate }) {
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest('base64url')
}
