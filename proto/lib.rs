//! The contracts of Countersign: messages, client and server stubs, and the
//! `.proto` files themselves.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`token`] | issue, rotate and revoke tokens |
//! | [`introspection`] | ask what a token is worth |
//! | [`keys`] | the keys that verify access tokens |
//! | [`revocation`] | what was revoked, as it is |
//! | [`authorization`] | a person's approval |
//! | [`admin`] | register clients and resources; see what happened |
//! | [`policy`] | the option that states who may call a method |
//! | [`error`](mod@error) | why a call was refused |
//! | [`storage`] | what the token service writes to its store |
//! | [`example`] | a small service to guard |
//!
//! # Rules in your own protos
//!
//! To state who may call your methods, import `countersign/policy/v1/rule.proto`
//! and add [`PROTO_DIR`] to the include path of your own `build.rs`:
//!
//! ```
//! assert!(std::path::Path::new(countersign::PROTO_DIR)
//!     .join("countersign/policy/v1/rule.proto")
//!     .exists());
//! ```
#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "the modules hold generated code; every element is documented in its .proto"
)]

mod redact;

/// The README's examples, compiled with the other documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;

/// The folder that holds the `.proto` files, for the include path of a
/// protobuf compiler.
pub const PROTO_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");

/// All files of this crate and what they import, as an encoded
/// `google.protobuf.FileDescriptorSet` with extension options intact.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/countersign.binpb"));

/// The full name of the method option that holds a [`policy::v1::Rule`].
pub const RULE_OPTION: &str = "countersign.policy.v1.rule";

/// Registration of clients and resources, and what happened.
pub mod admin {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.admin.v1");
    }
}

/// A person's approval.
pub mod authorization {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.authorization.v1");
    }
}

/// Why a call was refused.
pub mod error {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.error.v1");
    }
}

/// A small service to guard.
pub mod example {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.example.v1");
    }
}

/// What a token is worth.
pub mod introspection {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.introspection.v1");
    }
}

/// The keys that verify access tokens.
pub mod keys {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.keys.v1");
    }
}

/// Who may call a method.
pub mod policy {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.policy.v1");
    }
}

/// What was revoked.
pub mod revocation {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.revocation.v1");
    }
}

/// Records of the store.
pub mod storage {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.storage.v1");
    }
}

/// Tokens: issue, rotate, revoke.
pub mod token {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("countersign.token.v1");
    }
}
