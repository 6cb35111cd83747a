// com.nimbusds:oauth2-oidc-sdk, as it is, against a token service.
//
// The first line on standard input is what was registered; what the program says on standard
// output is what came of it, or what it asks of a person (see ../README.md).

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.util.X509CertUtils;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.as.ReadOnlyAuthorizationServerEndpointMetadata;
import com.nimbusds.oauth2.sdk.auth.*;
import com.nimbusds.oauth2.sdk.device.*;
import com.nimbusds.oauth2.sdk.dpop.*;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.*;
import com.nimbusds.oauth2.sdk.pkce.*;
import com.nimbusds.oauth2.sdk.token.*;
import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import com.nimbusds.openid.connect.sdk.Nonce;
import net.minidev.json.JSONObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;

public final class Main {
    private static final BufferedReader INPUT = new BufferedReader(new InputStreamReader(System.in));
    private static final Scope SCOPE = new Scope("orders.read");

    private static AuthorizationServerMetadata server;
    /** Where clients authenticate by their certificate (RFC 8705 §5). */
    private static ReadOnlyAuthorizationServerEndpointMetadata aliases;

    public static void main(String[] arguments) throws Exception {
        JSONObject registered = JSONObjectUtils.parse(INPUT.readLine());
        Issuer issuer = new Issuer(text(registered, "issuer"));
        URI resource = URI.create(text(registered, "resource"));
        URI back = URI.create(text(registered, "redirect_uri"));
        // RFC 8414, with the issuer compared.
        server = AuthorizationServerMetadata.resolve(issuer);
        aliases = server.getReadOnlyMtlsEndpointAliases();

        JSONObject batch = client(registered, "batch");
        JSONObject signer = client(registered, "signer");
        Prover prover = new Prover();
        for (ClientAuthentication by : List.of(basic(batch), post(batch), assertion(signer, issuer))) {
            Tokens tokens = token(by, prover, new ClientCredentialsGrant(), SCOPE, resource).getTokens();
            say(by.getMethod().getValue(), shown(tokens.getAccessToken()));
        }
        ClientAuthentication wrong =
                new ClientSecretBasic(new ClientID("batch"), new Secret("not-the-secret-that-was-made"));
        refused("another secret", () -> token(wrong, prover, new ClientCredentialsGrant(), SCOPE, resource));

        JSONObject teller = client(registered, "teller");
        JSONObject desk = client(registered, "desk");
        ClientAuthentication own = issuedTo(teller, teller);
        Tokens tellers = token(own, prover, new ClientCredentialsGrant(), SCOPE, resource).getTokens();
        say(own.getMethod().getValue(), shown(tellers.getAccessToken()));
        ClientAuthentication other = issuedTo(teller, desk);
        refused(
                "with the certificate of another",
                () -> token(other, prover, new ClientCredentialsGrant(), SCOPE, resource));

        ClientAuthentication shop = basic(client(registered, "shop"));
        Visit visit = new Visit(shop, prover, back, resource);
        AuthorizationResponse answer = visit.answer("browse");
        say("answer", answer.getState().equals(visit.state) + " " + answer.getIssuer().equals(issuer));
        AuthorizationGrant grant = visit.grant(answer);
        refused("code by another key", () -> token(shop, new Prover(), grant, null, null));
        Tokens first = token(shop, prover, grant, null, null).getTokens();
        say("code", shown(first.getAccessToken()));
        AuthorizationResponse declined = new Visit(shop, prover, back, resource).answer("decline");
        say("declined", declined.toErrorResponse().getErrorObject().getCode());
        Tokens second =
                token(shop, prover, new RefreshTokenGrant(first.getRefreshToken()), SCOPE, null).getTokens();
        say("refresh", shown(second.getAccessToken()));

        ClientAuthentication orders = basic(client(registered, "orders"));
        TokenIntrospectionSuccessResponse alive = introspect(orders, second.getAccessToken());
        boolean bound = alive.getJWKThumbprintConfirmation().equals(prover.thumbprint());
        say("introspection", alive.isActive() + " " + alive.getSubject() + " " + alive.getScope() + " bound " + bound);

        // A certificate that is registered itself; tokens are bound to it, and to the proof key.
        ClientAuthentication counter =
                new SelfSignedTLSClientAuthentication(new ClientID(text(desk, "id")), showing(desk));
        Visit visited = new Visit(counter, prover, back, resource);
        Tokens served =
                token(counter, prover, visited.grant(visited.answer("browse")), null, null).getTokens();
        say(counter.getMethod().getValue(), shown(served.getAccessToken()));
        TokenIntrospectionSuccessResponse both = introspect(orders, served.getAccessToken());
        boolean key = both.getJWKThumbprintConfirmation().equals(prover.thumbprint());
        boolean certificate =
                both.getX509CertificateConfirmation().equals(X509CertificateConfirmation.of(certificate(desk)));
        say("bound", "key " + key + " certificate " + certificate);

        HTTPResponse revoked =
                new TokenRevocationRequest(server.getRevocationEndpointURI(), shop, second.getRefreshToken())
                        .toHTTPRequest()
                        .send();
        say("revocation", String.valueOf(revoked.indicatesSuccess()));
        say("revoked", String.valueOf(introspect(orders, second.getAccessToken()).isActive()));

        device(new ClientID("tv"), prover);
    }

    private static void device(ClientID tv, Prover prover) throws Exception {
        DeviceAuthorizationSuccessResponse waits = waiting(tv);
        String complete = waits.getVerificationURIComplete().toString();
        say("device", String.valueOf(complete.endsWith(waits.getUserCode().getValue())));
        DeviceCodeGrant grant = new DeviceCodeGrant(waits.getDeviceCode());
        refused("device asks", () -> token(tv, prover, grant));
        refused("device asks at once", () -> token(tv, prover, grant));
        ask("let-in", waits.getUserCode());
        say("device let in", shown(token(tv, prover, grant).getTokens().getAccessToken()));
        DeviceAuthorizationSuccessResponse kept = waiting(tv);
        ask("keep-out", kept.getUserCode());
        refused("device kept out", () -> token(tv, prover, new DeviceCodeGrant(kept.getDeviceCode())));
    }

    /** A request for a code: PAR with PKCE, the key's thumbprint and a proof. */
    private static final class Visit {
        final State state = new State();
        private final CodeVerifier verifier = new CodeVerifier();
        private final URI back;
        private final URI address;

        Visit(ClientAuthentication by, Prover prover, URI back, URI resource) throws Exception {
            this.back = back;
            AuthorizationRequest asked =
                    new AuthorizationRequest.Builder(ResponseType.CODE, by.getClientID())
                            .redirectionURI(back)
                            .scope(new Scope("orders.read", "orders.write"))
                            .resource(resource)
                            .state(state)
                            .codeChallenge(verifier, CodeChallengeMethod.S256)
                            .dPoPJWKThumbprintConfirmation(prover.thumbprint())
                            .build();
            address =
                    new AuthorizationRequest.Builder(push(by, prover, asked), by.getClientID())
                            .endpointURI(server.getAuthorizationEndpointURI())
                            .build()
                            .toURI();
        }

        AuthorizationResponse answer(String deed) throws Exception {
            return AuthorizationResponse.parse(URI.create(ask(deed, address)));
        }

        AuthorizationGrant grant(AuthorizationResponse answer) {
            return new AuthorizationCodeGrant(
                    answer.toSuccessResponse().getAuthorizationCode(), back, verifier);
        }
    }

    /** Makes proofs with one key, and keeps the nonce of the last challenge. */
    private static final class Prover {
        private final ECKey key;
        private final DPoPProofFactory factory;
        private Nonce nonce;

        Prover() throws JOSEException {
            key = new ECKeyGenerator(Curve.P_256).generate();
            factory = new DefaultDPoPProofFactory(key, JWSAlgorithm.ES256);
        }

        JWKThumbprintConfirmation thumbprint() throws JOSEException {
            return JWKThumbprintConfirmation.of(key);
        }

        SignedJWT proof(URI url) throws JOSEException {
            return factory.createDPoPJWT("POST", url, nonce);
        }
    }

    private interface Attempt {
        void make() throws Exception;
    }

    private static final class Refused extends Exception {
        final ErrorObject error;

        Refused(ErrorObject error) {
            this.error = error;
        }
    }

    private static AccessTokenResponse token(
            ClientAuthentication by, Prover prover, AuthorizationGrant grant, Scope scope, URI resource)
            throws Exception {
        TokenRequest.Builder request = new TokenRequest.Builder(endpoints(by).getTokenEndpointURI(), by, grant);
        if (scope != null) {
            request = request.scope(scope);
        }
        if (resource != null) {
            request = request.resource(resource);
        }
        return token(request.build(), prover);
    }

    private static AccessTokenResponse token(ClientID by, Prover prover, AuthorizationGrant grant)
            throws Exception {
        return token(new TokenRequest.Builder(server.getTokenEndpointURI(), by, grant).build(), prover);
    }

    private static AccessTokenResponse token(TokenRequest request, Prover prover) throws Exception {
        // RFC 9449 §8: the library leaves the second attempt to its user.
        for (int attempt = 0; ; attempt += 1) {
            HTTPRequest http = request.toHTTPRequest();
            http.setDPoP(prover.proof(http.getURI()));
            HTTPResponse response = http.send();
            TokenResponse parsed = TokenResponse.parse(response);
            if (parsed.indicatesSuccess()) {
                return parsed.toSuccessResponse();
            }
            ErrorObject error = parsed.toErrorResponse().getErrorObject();
            if (attempt > 0 || !OAuth2Error.USE_DPOP_NONCE.equals(error)) {
                throw new Refused(error);
            }
            prover.nonce = response.getDPoPNonce();
        }
    }

    private static URI push(ClientAuthentication by, Prover prover, AuthorizationRequest asked)
            throws Exception {
        URI endpoint = endpoints(by).getPushedAuthorizationRequestEndpointURI();
        for (int attempt = 0; ; attempt += 1) {
            HTTPRequest http = new PushedAuthorizationRequest(endpoint, by, asked).toHTTPRequest();
            http.setDPoP(prover.proof(http.getURI()));
            HTTPResponse response = http.send();
            PushedAuthorizationResponse parsed = PushedAuthorizationResponse.parse(response);
            if (parsed.indicatesSuccess()) {
                return parsed.toSuccessResponse().getRequestURI();
            }
            ErrorObject error = parsed.toErrorResponse().getErrorObject();
            if (attempt > 0 || !OAuth2Error.USE_DPOP_NONCE.equals(error)) {
                throw new Refused(error);
            }
            prover.nonce = response.getDPoPNonce();
        }
    }

    private static ReadOnlyAuthorizationServerEndpointMetadata endpoints(ClientAuthentication by) {
        return by instanceof TLSClientAuthentication ? aliases : server;
    }

    private static TokenIntrospectionSuccessResponse introspect(ClientAuthentication by, AccessToken token)
            throws Exception {
        HTTPRequest request =
                new TokenIntrospectionRequest(server.getIntrospectionEndpointURI(), by, token).toHTTPRequest();
        return TokenIntrospectionResponse.parse(request.send()).toSuccessResponse();
    }

    private static DeviceAuthorizationSuccessResponse waiting(ClientID tv) throws Exception {
        HTTPRequest request =
                new DeviceAuthorizationRequest.Builder(tv)
                        .endpointURI(server.getDeviceAuthorizationEndpointURI())
                        .scope(SCOPE)
                        .build()
                        .toHTTPRequest();
        return DeviceAuthorizationResponse.parse(request.send()).toSuccessResponse();
    }

    private static ClientAuthentication basic(JSONObject client) throws ParseException {
        return new ClientSecretBasic(new ClientID(text(client, "id")), new Secret(text(client, "secret")));
    }

    private static ClientAuthentication post(JSONObject client) throws ParseException {
        return new ClientSecretPost(new ClientID(text(client, "id")), new Secret(text(client, "secret")));
    }

    private static ClientAuthentication assertion(JSONObject client, Issuer issuer) throws Exception {
        return new PrivateKeyJWT(
                new JWTAuthenticationClaimsSet(new ClientID(text(client, "id")), new Audience(issuer)),
                JWSAlgorithm.ES256,
                key(client),
                text(client, "kid"),
                null);
    }

    private static ClientAuthentication issuedTo(JSONObject client, JSONObject shown) throws Exception {
        return new PKITLSClientAuthentication(new ClientID(text(client, "id")), showing(shown));
    }

    /** Connections that show the certificate, and trust whom all trust. */
    private static SSLSocketFactory showing(JSONObject client) throws Exception {
        char[] password = "in-memory".toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("client", key(client), password, new Certificate[] {certificate(client)});
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, password);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        return context.getSocketFactory();
    }

    private static X509Certificate certificate(JSONObject client) throws ParseException {
        return X509CertUtils.parse(text(client, "certificate"));
    }

    private static ECPrivateKey key(JSONObject client) throws Exception {
        String pem = text(client, "key").replaceAll("-----[A-Z ]+-----|\\s", "");
        PKCS8EncodedKeySpec der = new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem));
        return (ECPrivateKey) KeyFactory.getInstance("EC").generatePrivate(der);
    }

    private static JSONObject client(JSONObject registered, String name) throws ParseException {
        return JSONObjectUtils.getJSONObject(JSONObjectUtils.getJSONObject(registered, "clients"), name);
    }

    private static String text(JSONObject object, String name) throws ParseException {
        return JSONObjectUtils.getString(object, name);
    }

    private static String shown(AccessToken token) {
        return token.getType() + " " + token.getScope();
    }

    private static void refused(String what, Attempt attempt) throws Exception {
        try {
            attempt.make();
            say(what, "NOT REFUSED");
        } catch (Refused refused) {
            say(what, refused.error.getCode());
        }
    }

    private static void say(String what, String outcome) {
        System.out.println(what + ": " + outcome);
    }

    private static String ask(String deed, Object what) throws Exception {
        System.out.println(deed + " " + what);
        return INPUT.readLine();
    }
}
