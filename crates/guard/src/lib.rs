//! Protect a tonic service: DPoP-bound tokens and per-method rules.
