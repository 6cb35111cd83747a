//! TLS with an authority that nobody else knows.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::program::{Service, finish};

#[test]
fn a_private_authority_is_named_with_ca() {
    let service = Service::with(|folder| {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let authority = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        for (name, pem) in [
            ("ca.pem", authority_certificate.pem()),
            ("tls.pem", certificate.pem()),
            ("tls.key", key.serialize_pem()),
        ] {
            fs::write(folder.join(name), pem).unwrap();
        }
        let file = |name| folder.join(name).display().to_string();
        vec![
            "--tls-certificate".to_owned(),
            file("tls.pem"),
            "--tls-key".to_owned(),
            file("tls.key"),
        ]
    });
    assert!(service.url.starts_with("https://"));

    let keys = service.run("key list --json --ca ca.pem").json();
    assert_eq!(keys["issuer"], service.url);

    // Everything else works alike: here a token.
    for line in [
        "resource add https://o.internal --scope o.read",
        "client add c --allow https://o.internal=o.read --secret-file c.secret",
        "token issue --client-id c --client-secret-file c.secret --ca ca.pem",
    ] {
        let ran = service.run(line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }

    let stranger = service.run("key list");
    assert_eq!(stranger.code, 5, "{stranger:?}");
    assert!(stranger.err.contains("--ca"), "{stranger:?}");
    let wrong = finish(service.command().args(["key", "list", "--ca", "tls.key"]));
    assert_eq!(wrong.code, 3, "{wrong:?}");
    assert!(wrong.err.contains("holds no certificate"), "{wrong:?}");
}
