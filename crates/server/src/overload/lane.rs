//! Which calls are bounded together.

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

    pub(super) fn of(path: &str) -> Self {
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

/// The methods that can be limited: all on the TCP address but health, which a balancer must not
/// be refused, and reflection, which is nobody's work.
const LIMITABLE: [&str; 12] = [
    "/countersign.token.v1.TokenService/IssueToken",
    "/countersign.token.v1.TokenService/RotateToken",
    "/countersign.token.v1.TokenService/RevokeToken",
    "/countersign.authorization.v1.AuthorizationService/PushAuthorization",
    "/countersign.authorization.v1.AuthorizationService/GetAuthorization",
    "/countersign.authorization.v1.AuthorizationService/ApproveAuthorization",
    "/countersign.authorization.v1.AuthorizationService/DenyAuthorization",
    "/countersign.introspection.v1.IntrospectionService/IntrospectToken",
    "/countersign.introspection.v1.IntrospectionService/BatchIntrospectTokens",
    "/countersign.keys.v1.KeyService/ListKeys",
    "/countersign.keys.v1.KeyService/WatchKeys",
    "/countersign.revocation.v1.RevocationService/WatchRevocations",
];

/// The path of a method that can be limited, by its name without the service.
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
            assert_eq!(Lane::of(path), lane, "{path}");
        }
    }

    #[test]
    fn what_can_be_limited_is_served() {
        for path in LIMITABLE {
            let (service, name) = path[1..].split_once('/').expect("a path");
            assert!(stack::PUBLIC.contains(&service), "{path}");
            assert_eq!(path_of(name), Some(path), "one method of each name");
        }
        assert!(!is_limitable("Check"));
    }
}
