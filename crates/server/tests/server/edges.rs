//! Attacks that are sent by both protocols: one row, and the same refusal, whichever carries it.

mod assertion;
mod codes;
mod crowd;
mod devices;
mod floods;
mod introspection;
mod proofs;
mod refresh;
mod reply;
mod sent;

use tonic::transport::Channel;

use crate::flow::{approved, pkce};
use crate::harness::{CALLBACK, Client, ISSUE, ORDERS, PUSH, REVOKE, ROTATE, Service};
use crate::http::web::{self, Ask, Web};
use crate::introspection::{gateway, introspect};
use crate::proof::{Draft, Key};
pub(crate) use reply::{Given, Reply, Told};

/// Which protocol a service is asked by.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Grpc,
    Http,
}

impl Edge {
    pub(crate) const BOTH: [Self; 2] = [Self::Grpc, Self::Http];
}

/// What is asked for, in the words of neither protocol.
#[derive(Copy, Clone)]
pub(crate) enum Wish<'a> {
    /// A token in the client's own name, with these scopes.
    Own(&'a [&'a str]),
    Code {
        code: &'a str,
        verifier: &'a str,
        redirect_uri: &'a str,
        scopes: &'a [&'a str],
    },
    Refresh {
        token: &'a str,
        scopes: &'a [&'a str],
    },
    Device {
        code: &'a str,
        scopes: &'a [&'a str],
    },
    /// A request for a code with this challenge is lodged.
    Push(&'a str),
    Revoke {
        token: &'a str,
        hint: &'a str,
    },
}

/// How the client says who it is.
#[derive(Copy, Clone)]
pub(crate) enum By<'a> {
    /// By its secret, or by its name where it has none.
    Client(&'a Client),
    /// By name and assertion.
    Assertion(&'a str, &'a str),
}

/// Asks a service by one of the protocols.
pub(crate) struct Asker<'a> {
    pub(crate) edge: Edge,
    pub(crate) service: &'a Service,
    channel: Channel,
    web: Web,
}

impl<'a> Asker<'a> {
    pub(crate) async fn of(service: &'a Service, edge: Edge) -> Self {
        Self {
            edge,
            service,
            channel: service.public().await,
            web: Web::of(service),
        }
    }

    /// Where this wish is sent to.
    pub(crate) fn path(&self, wish: Wish<'_>) -> &'static str {
        match (self.edge, wish) {
            (Edge::Grpc, Wish::Own(_) | Wish::Code { .. } | Wish::Device { .. }) => ISSUE,
            (Edge::Grpc, Wish::Refresh { .. }) => ROTATE,
            (Edge::Grpc, Wish::Push(_)) => PUSH,
            (Edge::Grpc, Wish::Revoke { .. }) => REVOKE,
            (Edge::Http, Wish::Push(_)) => web::PAR,
            (Edge::Http, Wish::Revoke { .. }) => web::REVOKE,
            (Edge::Http, _) => web::TOKEN,
        }
    }

    /// A right proof for it, as of now.
    pub(crate) fn proof(&self, key: &Key, wish: Wish<'_>) -> String {
        self.service.proof(key, self.path(wish))
    }

    /// A proof for it, to be changed.
    pub(crate) fn draft(&self, key: &Key, wish: Wish<'_>) -> Draft {
        self.service.draft(key, self.path(wish))
    }

    /// Asks with a right proof of `key`.
    pub(crate) async fn ask(&self, by: By<'_>, wish: Wish<'_>, key: &Key) -> Reply {
        self.send(by, wish, &[&self.proof(key, wish)]).await
    }

    /// Asks with these proofs, whatever they are.
    pub(crate) async fn send(&self, by: By<'_>, wish: Wish<'_>, proofs: &[&str]) -> Reply {
        match self.edge {
            Edge::Grpc => Reply::Grpc(self.by_grpc(by, wish, proofs).await),
            Edge::Http => Reply::Http(self.by_http(by, wish, proofs).await),
        }
    }

    /// A request for a code is lodged, ann approves it, and the code is redeemed.
    pub(crate) async fn signed_in(&self, login: &Client, client: &Client, key: &Key) -> Given {
        let (verifier, code) = self.code(login, client).await;
        let wish = code_of(&code, &verifier);
        self.ask(By::Client(client), wish, key).await.given()
    }

    /// The same up to the code: its verifier, and the code.
    pub(crate) async fn code(&self, login: &Client, client: &Client) -> (String, String) {
        let (verifier, challenge) = pkce();
        let lodged = self
            .send(By::Client(client), Wish::Push(&challenge), &[])
            .await
            .given();
        let code = approved(self.service, login, &lodged.request_uri).await;
        (verifier, code)
    }

    pub(crate) async fn told(&self, caller: &Client, token: &str, hint: &str) -> Told {
        match self.edge {
            Edge::Grpc => {
                let told = introspect(self.service, caller, token, hint).await;
                Told::by_grpc(&told.expect("introspected"))
            }
            Edge::Http => {
                let parameters = [("token", token), ("token_type_hint", hint)];
                let ask = Ask::post(web::INTROSPECT, &parameters).basic(caller);
                Told::by_http(&self.web.send(ask).await)
            }
        }
    }

    /// Whether the token is worth anything to who serves the resource.
    pub(crate) async fn is_active(&self, token: &str) -> bool {
        let caller = gateway(self.service, "", &[ORDERS]).await;
        self.told(&caller, token, "").await.says["active"] == true
    }
}

/// A code, redeemed as it was asked for.
pub(crate) fn code_of<'a>(code: &'a str, verifier: &'a str) -> Wish<'a> {
    Wish::Code {
        code,
        verifier,
        redirect_uri: CALLBACK,
        scopes: &[],
    }
}

/// A refresh token, for all that it is good for.
pub(crate) fn refresh_of(token: &str) -> Wish<'_> {
    Wish::Refresh { token, scopes: &[] }
}

/// A device code, for all that it is good for.
pub(crate) fn device_of(code: &str) -> Wish<'_> {
    Wish::Device { code, scopes: &[] }
}
