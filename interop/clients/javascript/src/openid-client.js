import * as client from 'openid-client'
import { importPKCS8 } from 'jose'
import { refused } from './dialogue.js'

export async function run({ issuer, resource, redirect_uri, clients }, person) {
  // RFC 8414, with the issuer compared.
  const as = (registered, authentication) =>
    client.discovery(new URL(issuer), registered.id, undefined, authentication, {
      algorithm: 'oauth2',
    })
  const { batch, signer, shop, tv, orders } = clients
  const scope = 'orders.read'

  const key = await importPKCS8(signer.key, 'ES256')
  for (const [method, registered, authentication] of [
    ['client_secret_basic', batch, client.ClientSecretBasic(batch.secret)],
    ['client_secret_post', batch, client.ClientSecretPost(batch.secret)],
    ['private_key_jwt', signer, client.PrivateKeyJwt({ key, kid: signer.kid })],
  ]) {
    const config = await as(registered, authentication)
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    const tokens = await client.clientCredentialsGrant(config, { scope, resource }, { DPoP })
    person.say(method, `${tokens.token_type} ${tokens.scope}`)
  }
  const wrong = await as(batch, client.ClientSecretBasic('not-the-secret'))
  const attempt = client.clientCredentialsGrant(wrong, { scope, resource }, {
    DPoP: client.getDPoPHandle(wrong, await client.randomDPoPKeyPair('ES256')),
  })
  person.say('another secret', await refused(attempt))

  // Code, PKCE, PAR, DPoP with the pushed request too, iss and state compared.
  const config = await as(shop, client.ClientSecretBasic(shop.secret))
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('Ed25519'))
  const begin = async () => {
    const pkceCodeVerifier = client.randomPKCECodeVerifier()
    const expectedState = client.randomState()
    const parameters = {
      redirect_uri,
      scope: 'orders.read orders.write',
      resource,
      state: expectedState,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    }
    const url = await client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
    return { url, checks: { pkceCodeVerifier, expectedState } }
  }
  const { url, checks } = await begin()
  person.say('pushed', [...url.searchParams.keys()].sort().join(' '))
  const back = new URL(await person.ask('browse', url))
  const first = await client.authorizationCodeGrant(config, back, checks, undefined, { DPoP })
  person.say('code', `${first.token_type} ${first.scope}`)

  const declined = await begin()
  const away = new URL(await person.ask('decline', declined.url))
  const denied = client.authorizationCodeGrant(config, away, declined.checks, undefined, { DPoP })
  person.say('declined', await refused(denied))

  const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
  const stolen = client.refreshTokenGrant(config, first.refresh_token, undefined, { DPoP: other })
  person.say('refresh by another key', await refused(stolen))
  const second = await client.refreshTokenGrant(config, first.refresh_token, { scope }, { DPoP })
  person.say('refresh', `${second.token_type} ${second.scope}`)

  const guard = await as(orders, client.ClientSecretBasic(orders.secret))
  const alive = await client.tokenIntrospection(guard, second.access_token)
  const bound = alive.cnf.jkt === (await DPoP.calculateThumbprint())
  person.say('introspection', `${alive.active} ${alive.sub} ${alive.scope} bound ${bound}`)
  await client.tokenRevocation(config, second.refresh_token)
  const dead = await client.tokenIntrospection(guard, second.access_token)
  person.say('revoked', `${dead.active} ${Object.keys(dead).length}`)

  const device = await as(tv, client.None())
  const waits = await client.initiateDeviceAuthorization(device, { scope, resource })
  const page = new URL(waits.verification_uri_complete)
  person.say('device', `${page.searchParams.get('user_code') === waits.user_code}`)
  // The person takes as long as one question of the device.
  let asked = 0
  device[client.customFetch] = async (...request) => {
    const response = await fetch(...request)
    const pending = (await response.clone().json()).error === 'authorization_pending'
    if (pending && ++asked === 1) await person.ask('let-in', waits.user_code)
    return response
  }
  const tvKeys = client.getDPoPHandle(device, await client.randomDPoPKeyPair('ES256'))
  const tokens = await client.pollDeviceAuthorizationGrant(device, waits, undefined, {
    DPoP: tvKeys,
  })
  person.say('device let in', `${tokens.token_type} ${tokens.scope} pending ${asked}`)
}
