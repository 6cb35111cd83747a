//! DPoP (RFC 9449) without I/O: mint a proof, verify a proof, nonces, targets.
