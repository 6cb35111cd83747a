import * as client from 'openid-client'
import { importPKCS8 } from 'jose'
import { showing, thumbprint } from './certificate.js'
import { refused } from './dialogue.js'

export async function run({ issuer, resource, redirect_uri, clients }, person) {
  // RFC 8414, with the issuer compared.
  const as = (registered, authentication) =>
    client.discovery(new URL(issuer), registered.id, undefined, authentication, {
      algorithm: 'oauth2',
    })
  const { batch, signer, shop, tv, orders, teller, desk } = clients
  const scope = 'orders.read'
  const own = async (config) => {
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    return shown(await client.clientCredentialsGrant(config, { scope, resource }, { DPoP }))
  }

  const key = await importPKCS8(signer.key, 'ES256')
  for (const [method, registered, authentication] of [
    ['client_secret_basic', batch, client.ClientSecretBasic(batch.secret)],
    ['client_secret_post', batch, client.ClientSecretPost(batch.secret)],
    ['private_key_jwt', signer, client.PrivateKeyJwt({ key, kid: signer.kid })],
  ]) {
    person.say(method, await own(await as(registered, authentication)))
  }
  const wrong = await as(batch, client.ClientSecretBasic('not-the-secret'))
  person.say('another secret', await refused(own(wrong)))

  // RFC 8705: the certificate of the connection, at the aliases of the endpoints.
  const mutual = async (registered, certificate) => {
    const metadata = { use_mtls_endpoint_aliases: true }
    const options = { algorithm: 'oauth2', [client.customFetch]: showing(certificate) }
    return client.discovery(
      new URL(issuer), registered.id, metadata, client.TlsClientAuth(), options,
    )
  }
  person.say('tls_client_auth', await own(await mutual(teller, teller)))
  person.say('with the certificate of another', await refused(own(await mutual(teller, desk))))
  person.say('without a certificate', await refused(own(await mutual(teller))))

  // Code, PKCE, PAR, DPoP with the pushed request too, iss and state compared.
  const config = await as(shop, client.ClientSecretBasic(shop.secret))
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('Ed25519'))
  const begin = async (config, DPoP) => {
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
  const { url, checks } = await begin(config, DPoP)
  person.say('pushed', [...url.searchParams.keys()].sort().join(' '))
  const back = new URL(await person.ask('browse', url))
  const first = await client.authorizationCodeGrant(config, back, checks, undefined, { DPoP })
  person.say('code', shown(first))

  const declined = await begin(config, DPoP)
  const away = new URL(await person.ask('decline', declined.url))
  const denied = client.authorizationCodeGrant(config, away, declined.checks, undefined, { DPoP })
  person.say('declined', await refused(denied))

  const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
  const stolen = client.refreshTokenGrant(config, first.refresh_token, undefined, { DPoP: other })
  person.say('refresh by another key', await refused(stolen))
  const second = await client.refreshTokenGrant(config, first.refresh_token, { scope }, { DPoP })
  person.say('refresh', shown(second))

  const guard = await as(orders, client.ClientSecretBasic(orders.secret))
  const alive = await client.tokenIntrospection(guard, second.access_token)
  const bound = alive.cnf.jkt === (await DPoP.calculateThumbprint())
  person.say('introspection', `${alive.active} ${alive.sub} ${alive.scope} bound ${bound}`)

  // A certificate that is registered itself; tokens are bound to it, and to the proof key.
  const counter = await mutual(desk, desk)
  const keys = client.getDPoPHandle(counter, await client.randomDPoPKeyPair('ES256'))
  const visit = await begin(counter, keys)
  const visited = new URL(await person.ask('browse', visit.url))
  const by = { DPoP: keys }
  const served = await client.authorizationCodeGrant(counter, visited, visit.checks, undefined, by)
  person.say('self_signed_tls_client_auth', shown(served))
  const renewed = await client.refreshTokenGrant(counter, served.refresh_token, undefined, by)
  const { cnf } = await client.tokenIntrospection(guard, renewed.access_token)
  const both = cnf.jkt === (await keys.calculateThumbprint())
  person.say('bound', `key ${both} certificate ${cnf['x5t#S256'] === thumbprint(desk)}`)
  const bare = await mutual(desk)
  const taken = client.refreshTokenGrant(bare, renewed.refresh_token, undefined, by)
  person.say('refresh without the certificate', await refused(taken))

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
  person.say('device let in', `${shown(tokens)} pending ${asked}`)
}

function shown({ token_type, scope }) {
  return `${token_type} ${scope}`
}
