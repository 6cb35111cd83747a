//! The Countersign token service: edges, engine, signer, janitor, configuration.
