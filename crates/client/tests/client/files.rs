//! Credentials in files that are replaced while the client runs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use countersign::token::v1::client_authentication::Credential as Shown;
use countersign_client::{Builder, ConnectError, Credential, KeyFile};
use countersign_jose::{Algorithms, CompactJws, SigningKey};
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::stand::Stand;

/// What was logged by this process, whichever test it was.
static LOG: OnceLock<Log> = OnceLock::new();

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin() -> &'static Self {
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            // Files are read on threads of their own: a thread's subscriber would not see them.
            tracing_subscriber::fmt()
                .with_writer(move || writer.clone())
                .init();
            log
        })
    }

    /// The lines that name this file.
    fn of(&self, path: &Path) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        let name = path.to_str().unwrap();
        let lines = text.lines().filter(|line| line.contains(name));
        lines.map(str::to_owned).collect()
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("credential")
    }

    /// As an operator would: written beside, and moved.
    fn put(&self, content: &[u8], mode: u32) {
        let beside = self.0.path().join("new");
        fs::write(&beside, content).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(beside, self.file()).unwrap();
    }
}

fn key() -> (String, SigningKey) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = pair.serialize_pem();
    let key = SigningKey::from_pkcs8_pem(&pem).unwrap();
    (pem, key)
}

/// What the token service is shown when it is asked the next time.
async fn shown(stand: &Stand) -> Shown {
    // The token in hand has ended.
    stand.clock.advance(300);
    stand.create().await.unwrap();
    let asked = stand.tokens.issue.lock().pop().unwrap();
    asked.client.unwrap().credential.unwrap()
}

async fn secret(stand: &Stand) -> String {
    match shown(stand).await {
        Shown::ClientSecret(secret) => secret,
        Shown::ClientAssertion(_) => panic!("it has a secret"),
    }
}

/// The key that made the assertion.
async fn kid(stand: &Stand, keys: &[&SigningKey]) -> String {
    let Shown::ClientAssertion(assertion) = shown(stand).await else {
        panic!("it has a key")
    };
    let jws = CompactJws::parse(&assertion, 4096).unwrap();
    let kid = jws.header().kid.clone().unwrap();
    let named = keys
        .iter()
        .find(|key| key.public().thumbprint().to_string() == kid)
        .expect("it names its key");
    assert!(jws.verify(named.public(), Algorithms::DEFAULT).is_ok());
    kid
}

#[tokio::test]
async fn a_secret_that_is_replaced_is_used_and_a_bad_one_is_not() {
    let log = Log::begin();
    let folder = Folder::new();
    folder.put(b"s3cret-of-yesterday\n", 0o600);
    let stand = Stand::of(Credential::SecretFile(folder.file())).await;
    assert_eq!(secret(&stand).await, "s3cret-of-yesterday");
    folder.put(b"s3cret-of-today", 0o400);
    assert_eq!(secret(&stand).await, "s3cret-of-today");
    assert!(log.of(&folder.file()).is_empty());

    let bad: [(&[u8], u32, &str); 6] = [
        (b"s3cret-for-all\n", 0o644, "chmod 600"),
        (b"s3cret-for-a-group\n", 0o640, "chmod 600"),
        (b"", 0o600, "no secret"),
        (b"s3cret\nof two lines\n", 0o600, "no secret"),
        (b"s3cret\xff\n", 0o600, "cannot be read"),
        (&[b's'; 20_000], 0o600, "larger"),
    ];
    for (nth, (content, mode, says)) in bad.into_iter().enumerate() {
        folder.put(content, mode);
        assert_eq!(secret(&stand).await, "s3cret-of-today", "{says}");
        let lines = log.of(&folder.file());
        assert_eq!(lines.len(), nth + 1, "{lines:?}");
        assert!(lines[nth].contains("last good"), "{lines:?}");
        assert!(lines[nth].contains(says), "{lines:?}");
        assert!(!lines[nth].contains("s3cret"), "{lines:?}");
    }
    fs::remove_file(folder.file()).unwrap();
    assert_eq!(secret(&stand).await, "s3cret-of-today");
    fs::create_dir(folder.file()).unwrap();
    assert_eq!(secret(&stand).await, "s3cret-of-today");
    fs::remove_dir(folder.file()).unwrap();
    folder.put(b"s3cret-of-tomorrow", 0o600);
    assert_eq!(secret(&stand).await, "s3cret-of-tomorrow");
}

#[tokio::test]
async fn a_key_that_is_replaced_signs_under_its_own_name() {
    let log = Log::begin();
    let folder = Folder::new();
    let ((old_pem, old), (new_pem, new)) = (key(), key());
    folder.put(old_pem.as_bytes(), 0o600);
    let file = KeyFile::new(folder.file());
    let stand = Stand::of(Credential::KeyFile(file)).await;
    let keys = [&old, &new];
    let first = kid(&stand, &keys).await;
    folder.put(new_pem.as_bytes(), 0o600);
    let second = kid(&stand, &keys).await;
    assert_ne!(first, second);
    for bad in [
        &b"-----BEGIN PRIVATE KEY-----"[..],
        b"{}",
        &new_pem.as_bytes()[..80],
    ] {
        folder.put(bad, 0o600);
        assert_eq!(kid(&stand, &keys).await, second);
    }
    folder.put(old_pem.as_bytes(), 0o644);
    assert_eq!(kid(&stand, &keys).await, second);
    let lines = log.of(&folder.file());
    assert_eq!(lines.len(), 4, "{lines:?}");
    let inside = new_pem.lines().nth(1).unwrap();
    assert!(lines.iter().all(|line| !line.contains(&inside[..20])));
}

#[tokio::test]
async fn a_file_that_is_bad_from_the_beginning_is_refused() {
    let folder = Folder::new();
    let refused = async |credential| {
        let builder = Builder::new("http://127.0.0.1:1").client("checkout", credential);
        match builder.connect().await {
            Err(ConnectError::Credential(error)) => error.to_string(),
            other => panic!("{:?}", other.map(drop)),
        }
    };
    let check = async |says: &str| {
        for credential in [
            Credential::SecretFile(folder.file()),
            Credential::KeyFile(KeyFile::new(folder.file())),
        ] {
            let error = refused(credential).await;
            assert!(error.contains(says), "{error}");
            assert!(error.contains("credential\""), "it names the file: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    };
    check("cannot be read").await;
    folder.put(b"s3cret", 0o604);
    check("chmod 600").await;
    folder.put(b"s3cret two", 0o600);
    check("holds no").await;
}
