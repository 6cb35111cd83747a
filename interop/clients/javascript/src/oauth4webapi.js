import * as oauth from 'oauth4webapi'
import { importPKCS8 } from 'jose'
import { refused, tampered } from './dialogue.js'

export async function run({ issuer, resource, redirect_uri, clients }, person) {
  const url = new URL(issuer)
  const answer = await oauth.discoveryRequest(url, { algorithm: 'oauth2' })
  const as = await oauth.processDiscoveryResponse(url, answer)
  person.say('metadata', as.issuer === issuer)

  const { batch, signer, shop, tv, orders } = clients
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

  const key = await importPKCS8(signer.key, 'ES256')
  let own
  for (const [method, registered, authentication] of [
    ['client_secret_basic', batch, oauth.ClientSecretBasic(batch.secret)],
    ['client_secret_post', batch, oauth.ClientSecretPost(batch.secret)],
    ['private_key_jwt', signer, oauth.PrivateKeyJwt({ key, kid: signer.kid })],
  ]) {
    const client = { client_id: registered.id }
    const DPoP = await prover(client)
    challenges = 0
    const tokens = await answered(
      () =>
        oauth.clientCredentialsGrantRequest(as, client, authentication, { scope, resource }, { DPoP }),
      (response) => oauth.processClientCredentialsResponse(as, client, response),
    )
    own = { tokens, DPoP }
    person.say(method, `${tokens.token_type} ${tokens.scope} challenges ${challenges}`)
  }

  // A code, with the key named in the pushed request.
  const client = { client_id: shop.id }
  const authentication = oauth.ClientSecretBasic(shop.secret)
  const DPoP = await prover(client)
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
    () => oauth.pushedAuthorizationRequest(as, client, authentication, parameters, { DPoP }),
    (response) => oauth.processPushedAuthorizationResponse(as, client, response),
  )
  person.say('pushed', `challenges ${challenges}`)
  const to = new URL(as.authorization_endpoint)
  to.searchParams.set('client_id', shop.id)
  to.searchParams.set('request_uri', pushed.request_uri)
  const back = new URL(await person.ask('browse', to))
  // State and iss (RFC 9207) are compared.
  const callback = oauth.validateAuthResponse(as, client, back, state)
  const redeem = (by) => () =>
    oauth.authorizationCodeGrantRequest(
      as, client, authentication, callback, redirect_uri, verifier, { DPoP: by },
    )
  const redeemed = (response) => oauth.processAuthorizationCodeResponse(as, client, response)
  const thief = await prover(client)
  person.say('code by another key', await refused(answered(redeem(thief), redeemed)))
  const first = await answered(redeem(DPoP), redeemed)
  person.say('code', `${first.token_type} ${first.scope}`)

  const refreshed = await answered(
    () => oauth.refreshTokenGrantRequest(as, client, authentication, first.refresh_token, { DPoP }),
    (response) => oauth.processRefreshTokenResponse(as, client, response),
  )
  person.say('refresh', `${refreshed.token_type} ${refreshed.scope}`)

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
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, client, authentication, refreshed.access_token),
  )
  person.say('revoked', (await introspect(refreshed.access_token)).active)

  // A device: too early, too often, declined; then let in.
  const device = { client_id: tv.id }
  const by = await prover(device)
  const waiting = () =>
    answered(
      () => oauth.deviceAuthorizationRequest(as, device, oauth.None(), { scope, resource }, { DPoP: by }),
      (response) => oauth.processDeviceAuthorizationResponse(as, device, response),
    )
  const poll = (waits) =>
    answered(
      () => oauth.deviceCodeGrantRequest(as, device, oauth.None(), waits.device_code, { DPoP: by }),
      (response) => oauth.processDeviceCodeResponse(as, device, response),
    )
  const waits = await waiting()
  person.say('device asks', await refused(poll(waits)))
  person.say('device asks at once', await refused(poll(waits)))
  await person.ask('let-in', waits.user_code)
  const tokens = await poll(waits)
  person.say('device let in', `${tokens.token_type} ${tokens.scope}`)
  const kept = await waiting()
  await person.ask('keep-out', kept.user_code)
  person.say('device kept out', await refused(poll(kept)))
}
