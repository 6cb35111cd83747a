//! The methods that there are, as metrics name them.

use std::collections::HashSet;
use std::sync::LazyLock;

use countersign::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::{ACCOUNTS, ADMIN, PUBLIC};

/// What is served beside what the contracts describe.
const REFLECTION: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// All of them, for as long as the process lives: a metric borrows its words.
static ALL: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let served = |service: &str| {
        [&PUBLIC[..], &ADMIN[..], &ACCOUNTS[..]]
            .iter()
            .any(|edge| edge.contains(&service))
    };
    let mut all = HashSet::from(REFLECTION);
    for set in [FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET] {
        let set = FileDescriptorSet::decode(set).expect("written by the build");
        for file in set.file {
            for service in &file.service {
                let full = format!("{}.{}", file.package(), service.name());
                if served(&full) {
                    let methods = service.method.iter();
                    all.extend(methods.map(|method| &*format!("{full}/{}", method.name()).leak()));
                }
            }
        }
    }
    all
});

/// The name of the method that has this path.
pub(super) fn name(path: &str) -> Option<&'static str> {
    ALL.get(path.strip_prefix('/')?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_has_its_name_and_nothing_else_has_one() {
        for path in [
            "/countersign.token.v1.TokenService/IssueToken",
            "/countersign.admin.v1.StoreService/GetStoreStats",
            "/grpc.health.v1.Health/Watch",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ] {
            assert_eq!(name(path), path.strip_prefix('/'));
        }
        for path in [
            "/",
            "",
            "countersign.token.v1.TokenService/IssueToken",
            "//countersign.token.v1.TokenService/IssueToken",
            "/countersign.token.v1.TokenService/IssueTokenX",
            "/countersign.example.v1.OrderService/GetOrder",
            "/some.Other/Method",
        ] {
            assert_eq!(name(path), None, "{path}");
        }
        for service in PUBLIC.iter().chain(&ADMIN).chain(&ACCOUNTS) {
            let of = |method: &&&str| method.starts_with(&format!("{service}/"));
            assert!(ALL.iter().find(of).is_some(), "{service} has no methods");
        }
    }
}
