//! Reflection, v1 and v1alpha, of exactly the services that an edge has.

use countersign::FILE_DESCRIPTOR_SET;
use tonic_reflection::server::{Builder, v1, v1alpha};

/// The two reflection services for an edge that has `services` (full names).
pub(crate) struct Reflection<V1, V1Alpha> {
    pub(crate) v1: V1,
    pub(crate) v1alpha: V1Alpha,
}

/// Builds both from the encoded descriptor set: tonic-reflection hands out its files byte for
/// byte, so that extension options (the rules of methods) stay in.
pub(crate) fn of(
    services: &[&str],
) -> Reflection<
    v1::ServerReflectionServer<impl v1::ServerReflection>,
    v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>,
> {
    let sound = "both descriptor sets were written by the build";
    Reflection {
        v1: builder(services, "grpc.reflection.v1.ServerReflection")
            .build_v1()
            .expect(sound),
        v1alpha: builder(services, "grpc.reflection.v1alpha.ServerReflection")
            .build_v1alpha()
            .expect(sound),
    }
}

fn builder(services: &[&str], own: &str) -> Builder<'static> {
    let mut builder = Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // The details of refusals: a generic client can print them.
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(own);
    for service in services {
        builder = builder.with_service_name(*service);
    }
    builder
}
