//! Which calls are bounded together.

use crate::http;
use crate::login;
use crate::protocol::Protocol;

/// Calls that take each other's places, and no others'.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// What balancers ask: an answer decides whether anything comes here at all.
    Health,
    /// What every guard needs to go on: keys, and what was revoked.
    Keys,
    /// What guards that ask about every token need to go on.
    Introspection,
    /// Everything else, paths that nobody serves too.
    Ordinary,
}

impl Lane {
    pub(super) const ALL: [Self; 4] = [
        Self::Health,
        Self::Keys,
        Self::Introspection,
        Self::Ordinary,
    ];

    pub(super) fn of(protocol: Protocol, path: &str) -> Self {
        match protocol {
            Protocol::Grpc => Self::of_method(path),
            Protocol::Http => Self::of_endpoint(path),
        }
    }

    fn of_endpoint(path: &str) -> Self {
        match http::route(path) {
            Some(http::HEALTH) => Self::Health,
            Some(http::KEYS | http::METADATA) => Self::Keys,
            Some(http::INTROSPECT) => Self::Introspection,
            _ => Self::Ordinary,
        }
    }

    fn of_method(path: &str) -> Self {
        match path.split_at_checked(1).and_then(|(slash, rest)| {
            let (service, _) = rest.split_once('/')?;
            (slash == "/").then_some(service)
        }) {
            Some("grpc.health.v1.Health") => Self::Health,
            Some(
                "countersign.keys.v1.KeyService" | "countersign.revocation.v1.RevocationService",
            ) => Self::Keys,
            Some("countersign.introspection.v1.IntrospectionService") => Self::Introspection,
            _ => Self::Ordinary,
        }
    }
}

/// The methods and endpoints that can be limited: all on the TCP address but health, which a
/// balancer must not be refused, and reflection, which is nobody's work; and of the pages of the
/// login application the one where passwords are given, since each is hashed.
const LIMITABLE: [&str; 23] = [
    "/countersign.token.v1.TokenService/IssueToken",
    "/countersign.token.v1.TokenService/RotateToken",
    "/countersign.token.v1.TokenService/RevokeToken",
    "/countersign.authorization.v1.AuthorizationService/PushAuthorization",
    "/countersign.authorization.v1.AuthorizationService/AuthorizeDevice",
    "/countersign.authorization.v1.AuthorizationService/FindAuthorization",
    "/countersign.authorization.v1.AuthorizationService/GetAuthorization",
    "/countersign.authorization.v1.AuthorizationService/ApproveAuthorization",
    "/countersign.authorization.v1.AuthorizationService/DenyAuthorization",
    "/countersign.introspection.v1.IntrospectionService/IntrospectToken",
    "/countersign.introspection.v1.IntrospectionService/BatchIntrospectTokens",
    "/countersign.keys.v1.KeyService/ListKeys",
    "/countersign.keys.v1.KeyService/WatchKeys",
    "/countersign.revocation.v1.RevocationService/WatchRevocations",
    http::TOKEN,
    http::AUTHORIZE,
    http::INTROSPECT,
    http::REVOKE,
    http::PAR,
    http::DEVICE,
    http::KEYS,
    http::METADATA,
    login::PASSWORD,
];

/// The path of a method or endpoint that can be limited, by its name without what stands before.
pub(super) fn path_of(name: &str) -> Option<&'static str> {
    LIMITABLE
        .into_iter()
        .find(|path| path.rsplit_once('/').is_some_and(|(_, last)| last == name))
}

/// Whether calls of a method of this name can be limited.
pub(crate) fn is_limitable(name: &str) -> bool {
    path_of(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack;

    #[test]
    fn each_call_has_its_lane() {
        for (path, lane) in [
            ("/grpc.health.v1.Health/Check", Lane::Health),
            ("/countersign.keys.v1.KeyService/ListKeys", Lane::Keys),
            (
                "/countersign.revocation.v1.RevocationService/WatchRevocations",
                Lane::Keys,
            ),
            (
                "/countersign.introspection.v1.IntrospectionService/IntrospectToken",
                Lane::Introspection,
            ),
            (
                "/countersign.token.v1.TokenService/IssueToken",
                Lane::Ordinary,
            ),
            ("/grpc.health.v1.HealthX/Check", Lane::Ordinary),
            ("grpc.health.v1.Health/Check", Lane::Ordinary),
            ("/grpc.health.v1.Health", Lane::Ordinary),
            ("é", Lane::Ordinary),
            ("*", Lane::Ordinary),
            ("", Lane::Ordinary),
        ] {
            assert_eq!(Lane::of(Protocol::Grpc, path), lane, "{path}");
        }
    }

    #[test]
    fn each_endpoint_has_its_lane() {
        for (path, lane) in [
            ("/health", Lane::Health),
            ("/jwks", Lane::Keys),
            ("/.well-known/oauth-authorization-server", Lane::Keys),
            ("/introspect", Lane::Introspection),
            ("/token", Lane::Ordinary),
            ("/health/", Lane::Ordinary),
            ("/grpc.health.v1.Health/Check", Lane::Ordinary),
            ("", Lane::Ordinary),
        ] {
            assert_eq!(Lane::of(Protocol::Http, path), lane, "{path}");
        }
        assert_eq!(Lane::of(Protocol::Grpc, "/health"), Lane::Ordinary);
    }

    #[test]
    fn what_can_be_limited_is_served() {
        for path in LIMITABLE {
            let (service, name) = path.rsplit_once('/').expect("a path");
            let is_method = stack::PUBLIC.contains(&service.trim_start_matches('/'));
            let is_page = path == login::PASSWORD;
            let is_endpoint = http::route(path) == Some(path);
            assert!(is_method || is_endpoint || is_page, "{path}");
            assert_eq!(path_of(name), Some(path), "one method of each name");
        }
        assert!(!is_limitable("Check"));
    }
}
