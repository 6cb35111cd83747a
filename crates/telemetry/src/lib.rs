//! OpenTelemetry for Countersign: set-up, propagation over gRPC metadata, every name.
