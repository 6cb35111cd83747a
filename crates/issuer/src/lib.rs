//! What may be issued, rotated, introspected and revoked: pure decisions.
