//! The contracts of a service with rules of its own: stubs, and the descriptor set
//! that the guard reads them from.
#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "the module holds generated code"
)]

/// A library that lends books.
pub mod library {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("library.v1");
    }
}

/// For `countersign_guard::Builder::descriptors`: all files and what they import,
/// encoded, with the rules in it.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/library.binpb"));
