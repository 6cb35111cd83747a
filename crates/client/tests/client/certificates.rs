//! Certificates in files that are no good. That good ones are shown, and what becomes of those that are
//! replaced, the token service's tests show.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use countersign_client::{Builder, CertificateFiles, ConnectError, Credential};
use rcgen::CertifiedKey;

const URL: &str = "https://127.0.0.1:1";

#[tokio::test]
async fn a_certificate_that_is_bad_from_the_beginning_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("own.crt"), folder.path().join("own.key"));
    let make = || rcgen::generate_simple_self_signed(vec!["checkout".to_owned()]).unwrap();
    let put = |own: &CertifiedKey<rcgen::KeyPair>, of: &CertifiedKey<rcgen::KeyPair>, mode| {
        fs::write(&certificate, own.cert.pem()).unwrap();
        // A file that is there keeps its mode.
        let _ = fs::remove_file(&key);
        fs::write(&key, of.signing_key.serialize_pem()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    };
    let files = || CertificateFiles::new(&certificate, &key);
    let refused = async |says: &str, names: &str| {
        let by_it = Builder::new(URL).client("checkout", Credential::Certificate(files()));
        let bound = Builder::new(URL)
            .client("checkout", Credential::Public)
            .certificate(files());
        for builder in [by_it, bound] {
            let error = match builder.connect().await {
                Err(ConnectError::Credential(error)) => error.to_string(),
                other => panic!("{says}: {:?}", other.map(drop)),
            };
            assert!(error.contains(says) && error.contains(names), "{error}");
            assert!(!error.contains("PRIVATE"), "{error}");
        }
    };
    let (own, other) = (make(), make());
    refused("cannot be read", "own.crt").await;
    put(&own, &own, 0o644);
    refused("chmod 600", "own.key").await;
    put(&own, &other, 0o600);
    refused("that fits the certificate", "own.key").await;
    put(&own, &own, 0o600);
    fs::write(&key, "no key").unwrap();
    refused("no private key in PEM", "own.key").await;
    fs::write(&certificate, "no certificate").unwrap();
    refused("no certificate in PEM", "own.crt").await;
    put(&own, &own, 0o600);
    let good = Builder::new(URL).client("checkout", Credential::Certificate(files()));
    good.connect().await.unwrap();

    let plain = Builder::new("http://127.0.0.1:1");
    let plain = plain.client("checkout", Credential::Certificate(files()));
    let refused = plain.connect().await.map(drop).unwrap_err();
    let unencrypted = matches!(refused, ConnectError::CertificateUnencrypted { .. });
    assert!(unencrypted, "{refused:?}");
}
