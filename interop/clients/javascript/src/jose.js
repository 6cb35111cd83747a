// `jose` as a resource server uses it: our access tokens against our keys (RFC 9068).

import { createRemoteJWKSet, jwtVerify } from 'jose'
import { tampered, refused } from './dialogue.js'

export async function run({ issuer, resource, tokens }, person) {
  const metadata = await fetch(`${issuer}/.well-known/oauth-authorization-server`)
  const keys = createRemoteJWKSet(new URL((await metadata.json()).jwks_uri))
  const rules = { issuer, audience: resource, typ: 'at+jwt', requiredClaims: ['jti', 'client_id'] }

  const { payload, protectedHeader } = await jwtVerify(tokens.right, keys, rules)
  person.say('right', `${protectedHeader.alg} ${payload.sub} ${payload.scope}`)
  person.say('tampered', await refused(jwtVerify(tampered(tokens.right), keys, rules)))
  const [header, claims] = tokens.right.split('.')
  const other = { ...JSON.parse(Buffer.from(header, 'base64url')), alg: 'none' }
  const unsigned = `${Buffer.from(JSON.stringify(other)).toString('base64url')}.${claims}.`
  person.say('unsigned', await refused(jwtVerify(unsigned, keys, rules)))
  person.say('for another resource', await refused(jwtVerify(tokens.elsewhere, keys, rules)))
  const theirs = { ...rules, issuer: 'https://tokens.example.com' }
  person.say('of another issuer', await refused(jwtVerify(tokens.right, keys, theirs)))
}
