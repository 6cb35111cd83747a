//! The part of JOSE that Countersign uses: public keys, thumbprints, compact JWS.
