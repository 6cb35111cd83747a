//! Call a server guarded by Countersign: tokens and proofs attached to every call.
