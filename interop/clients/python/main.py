"""requests-oauth2client, as it is, against a token service.

The first line on standard input is what was registered; what the program says on standard
output is what came of it, or what it asks of a person (see ../README.md).
"""

import json
import sys
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwskate import Jwk
from requests_oauth2client import (
    AuthorizationResponseError,
    ClientSecretBasic,
    ClientSecretPost,
    DeviceAuthorizationPollingJob,
    DPoPKey,
    OAuth2Client,
    PrivateKeyJwt,
    PublicApp,
    oauth2_discovery_document_url,
)
from requests_oauth2client.exceptions import OAuth2Error

SCOPE = "orders.read"


def main() -> None:
    registered = json.loads(sys.stdin.readline())
    issuer, resource = registered["issuer"], registered["resource"]
    batch, signer, shop, tv, orders = (
        registered["clients"][name] for name in ("batch", "signer", "shop", "tv", "orders")
    )

    def of(authentication, **more) -> OAuth2Client:
        return OAuth2Client.from_discovery_endpoint(
            url=oauth2_discovery_document_url(issuer),
            issuer=issuer,
            auth=authentication,
            dpop_bound_access_tokens=True,
            **more,
        )

    key = Jwk(load_pem_private_key(signer["key"].encode(), None)).to_dict()
    key |= {"kid": signer["kid"], "alg": "ES256"}
    for method, authentication in (
        ("client_secret_basic", ClientSecretBasic(batch["id"], batch["secret"])),
        ("client_secret_post", ClientSecretPost(batch["id"], batch["secret"])),
        # It names the endpoint where nothing else is said.
        ("private_key_jwt", PrivateKeyJwt(signer["id"], key, aud=issuer)),
        ("private_key_jwt for the endpoint", PrivateKeyJwt(signer["id"], key)),
        ("another secret", ClientSecretBasic(batch["id"], "not-the-secret")),
    ):
        say(method, lambda: of(authentication).client_credentials(SCOPE, resource=resource))

    client = of(ClientSecretBasic(shop["id"], shop["secret"]), redirect_uri=registered["redirect_uri"])
    request = client.authorization_request(scope="orders.read orders.write", resource=resource)
    pushed = client.pushed_authorization_request(request)
    print("pushed:", " ".join(sorted(parse_qs(urlsplit(pushed.uri).query))))
    # State and iss (RFC 9207) are compared.
    answer = request.validate_callback(ask("browse", pushed.uri))
    first = None

    def redeem():
        nonlocal first
        first = client.authorization_code(answer)
        return first

    say("code", redeem)
    other = DPoPKey.generate("ES256")
    say(
        "refresh by another key",
        lambda: client.token_request(
            {"grant_type": "refresh_token", "refresh_token": first.refresh_token}, dpop_key=other
        ),
    )
    second = client.refresh_token(first)
    print("refresh:", second.token_type, second.scope)

    declined = client.authorization_request(scope=SCOPE, resource=resource)
    away = ask("decline", client.pushed_authorization_request(declined).uri)
    try:
        declined.validate_callback(away)
    except AuthorizationResponseError as error:
        print("declined:", error.error)

    guard = of(ClientSecretBasic(orders["id"], orders["secret"]))
    alive = guard.introspect_token(second.access_token)
    bound = alive["cnf"]["jkt"] == second.dpop_key.dpop_jkt
    print("introspection:", alive["active"], alive["sub"], alive["scope"], "bound", bound)
    print("revocation:", client.revoke_refresh_token(second.refresh_token))
    print("revoked:", guard.introspect_token(second.access_token))

    # The library does not read this endpoint from the metadata.
    endpoint = f"{issuer}/device_authorization"
    device = of(PublicApp(tv["id"]), device_authorization_endpoint=endpoint)
    waits = device.authorize_device(scope=SCOPE, resource=resource)
    print("device:", waits.verification_uri_complete.endswith(waits.user_code))
    job = DeviceAuthorizationPollingJob(device, waits, dpop_key=DPoPKey.generate("ES256"))
    print("device asks:", job())
    ask("let-in", waits.user_code)
    say("device let in", job)
    kept = device.authorize_device(scope=SCOPE, resource=resource)
    ask("keep-out", kept.user_code)
    say("device kept out", DeviceAuthorizationPollingJob(device, kept, dpop=True))


def say(what, attempt) -> None:
    """Says what came of it: the token, or the error code."""
    try:
        token = attempt()
    except OAuth2Error as error:
        print(f"{what}:", error.error)
    else:
        print(f"{what}:", token.token_type, token.scope)


def ask(deed: str, what: str) -> str:
    print(deed, what)
    return sys.stdin.readline().strip()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    main()
