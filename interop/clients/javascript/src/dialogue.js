// Lines to and from the test. A line that begins with one of these words asks a person to do
// something, and is answered by a line:
//
//   browse URL     open it in a browser and approve; the answer is where the browser came out
//   decline URL    the same, and decline
//   let-in CODE    type the user code of a device, and approve
//   keep-out CODE  the same, and decline
//
// Every other line is what came of a request.

import { createInterface } from 'node:readline'

export class Dialogue {
  #interface = createInterface({ input: process.stdin })
  #lines = this.#interface[Symbol.asyncIterator]()

  async registered() {
    return JSON.parse(await this.#line())
  }

  async ask(deed, what) {
    console.log(`${deed} ${what}`)
    return this.#line()
  }

  say(what, outcome) {
    console.log(`${what}: ${outcome}`)
  }

  close() {
    this.#interface.close()
  }

  async #line() {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('nobody answers')
    return value
  }
}

/** The error code of what must not succeed. */
export async function refused(attempt) {
  try {
    await attempt
  } catch (error) {
    // An answer with WWW-Authenticate: the library shows the challenge, not the body.
    if (error.code === 'OAUTH_WWW_AUTHENTICATE_CHALLENGE') {
      return `${error.status} ${error.cause.map(({ scheme }) => scheme)}`
    }
    if (process.env.SHOW) console.error(error.message)
    return error.error ?? error.cause?.error ?? error.code ?? String(error)
  }
  return 'NOT REFUSED'
}

/** The same token with another claim, under the same signature. */
export function tampered(jwt) {
  const [header, payload, signature] = jwt.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url'))
  claims.sub = 'mallory'
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
}
