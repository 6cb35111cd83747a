import * as oauth from 'oauth4webapi'
import { importPKCS8 } from 'jose'
import { showing, thumbprint } from './certificate.js'
import { refused, tampered } from './dialogue.js'

export async function run({ issuer, resource, redirect_uri, clients }, person) {
  const url = new URL(issuer)
  const answer = await oauth.discoveryRequest(url, { algorithm: 'oauth2' })
  const as = await oauth.processDiscoveryResponse(url, answer)
  person.say('metadata', as.issuer === issuer)

  const { batch, signer, shop, tv, orders, teller, desk } = clients
  const scope = 'orders.read'
  const prover = async (client) => oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  // RFC 9449 §8: the library keeps the nonce of the answer; the same again has it.
  let challenges = 0
  const answered = async (request, process) => {
    try {
      return await process(await request())
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error
      challenges += 1
      return process(await request())
    }
  }

  const credentials = async (client, authentication, more) => {
    const DPoP = await prover(client)
    challenges = 0
    const tokens = await answered(
      () =>
        oauth.clientCredentialsGrantRequest(as, client, authentication, { scope, resource }, { DPoP, ...more }),
      (response) => oauth.processClientCredentialsResponse(as, client, response),
    )
    return { tokens, DPoP, shown: `${shown(tokens)} challenges ${challenges}` }
  }

  const key = await importPKCS8(signer.key, 'ES256')
  let own
  for (const [method, registered, authentication] of [
    ['client_secret_basic', batch, oauth.ClientSecretBasic(batch.secret)],
    ['client_secret_post', batch, oauth.ClientSecretPost(batch.secret)],
    ['private_key_jwt', signer, oauth.PrivateKeyJwt({ key, kid: signer.kid })],
  ]) {
    own = await credentials({ client_id: registered.id }, authentication)
    person.say(method, own.shown)
  }
  // RFC 8705: the certificate of the connection, at the aliases of the endpoints.
  const mutual = ({ id }) => ({ client_id: id, use_mtls_endpoint_aliases: true })
  const by = (certificate) => ({ [oauth.customFetch]: showing(certificate) })
  const attempt = (certificate) => credentials(mutual(teller), oauth.TlsClientAuth(), by(certificate))
  person.say('tls_client_auth', (await attempt(teller)).shown)
  person.say('with the certificate of another', await refused(attempt(desk)))

  // A code, with the key named in the pushed request.
  const begin = async (client, authentication, DPoP, more) => {
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const parameters = {
      redirect_uri,
      response_type: 'code',
      scope,
      resource,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      dpop_jkt: await DPoP.calculateThumbprint(),
    }
    challenges = 0
    const pushed = await answered(
      () => oauth.pushedAuthorizationRequest(as, client, authentication, parameters, { DPoP, ...more }),
      (response) => oauth.processPushedAuthorizationResponse(as, client, response),
    )
    const to = new URL(as.authorization_endpoint)
    to.searchParams.set('client_id', client.client_id)
    to.searchParams.set('request_uri', pushed.request_uri)
    return {
      // State and iss (RFC 9207) are compared.
      came: async (back) => oauth.validateAuthResponse(as, client, new URL(back), state),
      redeem: (callback, DPoP) =>
        answered(
          () =>
            oauth.authorizationCodeGrantRequest(
              as, client, authentication, callback, redirect_uri, verifier, { DPoP, ...more },
            ),
          (response) => oauth.processAuthorizationCodeResponse(as, client, response),
        ),
      to,
    }
  }
  const client = { client_id: shop.id }
  const authentication = oauth.ClientSecretBasic(shop.secret)
  const DPoP = await prover(client)
  const visit = await begin(client, authentication, DPoP)
  person.say('pushed', `challenges ${challenges}`)
  const callback = await visit.came(await person.ask('browse', visit.to))
  const thief = await prover(client)
  person.say('code by another key', await refused(visit.redeem(callback, thief)))
  const first = await visit.redeem(callback, DPoP)
  person.say('code', shown(first))
  const declined = await begin(client, authentication, DPoP)
  const away = await person.ask('decline', declined.to)
  person.say('declined', await refused(declined.came(away)))

  const refreshed = await answered(
    () => oauth.refreshTokenGrantRequest(as, client, authentication, first.refresh_token, { DPoP }),
    (response) => oauth.processRefreshTokenResponse(as, client, response),
  )
  person.say('refresh', shown(refreshed))

  // The same with a certificate that is registered itself; tokens are bound to it, too.
  const keys = await prover(mutual(desk))
  const counter = await begin(mutual(desk), oauth.TlsClientAuth(), keys, by(desk))
  const arrived = await counter.came(await person.ask('browse', counter.to))
  const served = await counter.redeem(arrived, keys)
  person.say('self_signed_tls_client_auth', shown(served))

  // The same library at a resource server: token, proof, key and their match.
  const asked = async (token, by, change = (request) => request) => {
    let request
    await oauth.protectedResourceRequest(token, 'GET', new URL(`${resource}/orders`), undefined, undefined, {
      DPoP: by,
      [oauth.customFetch]: async (url, { headers, method }) => {
        request = change(new Request(url, { headers, method }))
        return new Response()
      },
    })
    return oauth.validateJwtAccessToken(as, request, resource)
  }
  const permit = await asked(refreshed.access_token, DPoP)
  person.say('resource server', `${permit.sub} ${permit.client_id} ${permit.scope}`)
  person.say('tampered', await refused(asked(tampered(refreshed.access_token), DPoP)))
  person.say('stolen', await refused(asked(refreshed.access_token, thief)))
  const bearer = (request) => {
    request.headers.set('authorization', `Bearer ${refreshed.access_token}`)
    request.headers.delete('dpop')
    return request
  }
  person.say('as a bearer token', await refused(asked(refreshed.access_token, DPoP, bearer)))
  const permitted = await asked(own.tokens.access_token, own.DPoP)
  person.say('resource server, for a client', permitted.sub)

  const guard = { client_id: orders.id }
  const introspect = async (token) =>
    oauth.processIntrospectionResponse(
      as, guard,
      await oauth.introspectionRequest(as, guard, oauth.ClientSecretPost(orders.secret), token),
    )
  const alive = await introspect(refreshed.access_token)
  person.say('introspection', `${alive.active} ${alive.sub} ${alive.token_type}`)
  const { cnf } = await introspect(served.access_token)
  const bound = cnf.jkt === (await keys.calculateThumbprint())
  person.say('bound', `key ${bound} certificate ${cnf['x5t#S256'] === thumbprint(desk)}`)
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, client, authentication, refreshed.access_token),
  )
  person.say('revoked', (await introspect(refreshed.access_token)).active)

  // A device: too early, too often, declined; then let in.
  const device = { client_id: tv.id }
  const tvKeys = await prover(device)
  const waiting = () =>
    answered(
      () => oauth.deviceAuthorizationRequest(as, device, oauth.None(), { scope, resource }, { DPoP: tvKeys }),
      (response) => oauth.processDeviceAuthorizationResponse(as, device, response),
    )
  const poll = (waits) =>
    answered(
      () => oauth.deviceCodeGrantRequest(as, device, oauth.None(), waits.device_code, { DPoP: tvKeys }),
      (response) => oauth.processDeviceCodeResponse(as, device, response),
    )
  const waits = await waiting()
  person.say('device asks', await refused(poll(waits)))
  person.say('device asks at once', await refused(poll(waits)))
  await person.ask('let-in', waits.user_code)
  const tokens = await poll(waits)
  person.say('device let in', shown(tokens))
  const kept = await waiting()
  await person.ask('keep-out', kept.user_code)
  person.say('device kept out', await refused(poll(kept)))
}

function shown({ token_type, scope }) {
  return `${token_type} ${scope}`
}
