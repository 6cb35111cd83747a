//! The binary with TLS, and who is registered there.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_testkit::service::{Service, Terms};
use countersign_testkit::{Problem, service, setup};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::{Certificates, TELLER};
use crate::person::Person;

/// Where codes go. Nobody listens there: the browser is asked where it was sent.
pub(crate) const BACK: &str = "https://shop.example/back";

/// What else tokens can be for.
pub(crate) const ELSEWHERE: &str = "https://elsewhere.example";

/// Every proof is asked for a nonce, so that each library shows that it answers the challenge.
pub(crate) const CONFIGURATION: &str = "\
[http]
login_url = \"https://login.example/decide\"

[device]
interval_secs = 1
verification_uri = \"https://login.example/device\"

[proofs]
nonce = \"always\"
";

/// A token service, and a person who decides there.
pub(crate) struct Stand {
    service: Service,
    files: TempDir,
    /// What a program is told of those who are registered.
    pub(crate) registered: Value,
    pub(crate) person: Person,
}

impl Stand {
    pub(crate) fn start() -> Result<Self, Problem> {
        let files = tempfile::tempdir()?;
        let certificates = Certificates::make(files.path())?;
        // A listener of its own asks clients for certificates (RFC 8705).
        let asks = service::free_address()?;
        let service = Service::start(&Terms {
            configuration: format!(
                "{CONFIGURATION}\n[tls]\ncertificate_file = {:?}\nkey_file = {:?}\n\
                 client_authorities_file = {:?}\n\n\
                 [mtls]\naddress = \"{asks}\"\nurl = \"https://{asks}\"\n",
                certificates.certificate("tls"),
                certificates.key("tls"),
                certificates.certificate("clients"),
            ),
            ..Terms::default()
        })?;
        let issuer = format!("https://{}", service.address());
        setup::resource(&service)?;
        service.admin(&["resource", "add", ELSEWHERE, "--scope", "orders.read"])?;
        let clients = clients(&service, &issuer, files.path(), &certificates)?;
        let login = setup::client(
            &service,
            "login",
            &["--allow", &format!("{issuer}=authorizations.decide")],
        )?;
        let person = Person::new(&issuer, &certificates.certificate("ca"), login)?;
        let registered = json!({
            "issuer": issuer,
            "resource": setup::RESOURCE,
            "redirect_uri": BACK,
            "clients": clients,
        });
        Ok(Self {
            service,
            files,
            registered,
            person,
        })
    }

    pub(crate) fn issuer(&self) -> String {
        format!("https://{}", self.service.address())
    }

    /// The authority of the service's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.files.path().join("ca.pem")
    }

    /// An access token of `batch` for `resource`, bound to the key in the file.
    pub(crate) fn token(&self, resource: &str, key: &str) -> Result<String, Problem> {
        let secret = self.files.path().join("batch.secret");
        if !secret.exists() {
            let text = setup::text(&self.registered["clients"]["batch"], "secret")?;
            private(&secret, &text)?;
        }
        let out = self.files.path().join("token");
        let path = |path: &Path| path.display().to_string();
        service::countersign(&[
            "token",
            "issue",
            "--server",
            &self.issuer(),
            "--ca",
            &path(&self.ca()),
            "--client-id",
            "batch",
            "--client-secret-file",
            &path(&secret),
            "--resource",
            resource,
            "--scope",
            "orders.read",
            "--dpop-key",
            &path(&self.files.path().join(key)),
            "--access-token-file",
            &path(&out),
        ])?;
        Ok(fs::read_to_string(&out)?.trim().to_owned())
    }

    /// A proof by the key in the file, for a GET with the token.
    pub(crate) fn proof(&self, url: &str, token: &str, key: &str) -> Result<String, Problem> {
        let file = self.files.path().join("of-the-proof");
        private(&file, token)?;
        let proof = service::countersign(&[
            "proof",
            "--method",
            "GET",
            "--url",
            url,
            "--token-file",
            &file.display().to_string(),
            "--dpop-key",
            &self.files.path().join(key).display().to_string(),
        ])?;
        Ok(proof.trim().to_owned())
    }
}

/// Registers a client of each kind.
fn clients(
    service: &Service,
    issuer: &str,
    files: &Path,
    certificates: &Certificates,
) -> Result<Value, Problem> {
    let reads = format!("{}=orders.read", setup::RESOURCE);
    let writes = format!("{}=orders.read,orders.write", setup::RESOURCE);
    let elsewhere = format!("{ELSEWHERE}=orders.read");
    let introspects = format!("{issuer}=introspect");
    let known =
        |client: setup::Registered| json!({"id": client.client_id, "secret": client.secret});
    let batch = setup::client(
        service,
        "batch",
        &["--allow", &reads, "--allow", &elsewhere],
    )?;
    let shop = setup::client(
        service,
        "shop",
        &["--allow", &writes, "--redirect-uri", BACK],
    )?;
    let orders = setup::client(
        service,
        "orders",
        &["--serves", setup::RESOURCE, "--allow", &introspects],
    )?;
    let signer = signer(service, &reads, files)?;
    service.admin(&[
        "client",
        "add",
        "tv",
        "--auth",
        "none",
        "--grant",
        "device-code",
        "--allow",
        &reads,
    ])?;
    Ok(json!({
        "batch": known(batch),
        "shop": known(shop),
        "orders": known(orders),
        "signer": signer,
        "tv": {"id": "tv"},
        "teller": teller(service, &reads, certificates)?,
        "desk": desk(service, &writes, certificates)?,
    }))
}

/// A client that an authority vouches for; the program gets certificate and key.
fn teller(service: &Service, reads: &str, certificates: &Certificates) -> Result<Value, Problem> {
    let add = [
        "client",
        "add",
        "teller",
        "--tls-san-dns",
        TELLER,
        "--allow",
    ];
    service.admin(&[&add[..], &[reads]].concat())?;
    shown("teller", certificates)
}

/// A client whose certificate is registered; its tokens are bound to it.
fn desk(service: &Service, writes: &str, certificates: &Certificates) -> Result<Value, Problem> {
    let certificate = certificates.certificate("desk").display().to_string();
    service.admin(&[
        "client",
        "add",
        "desk",
        "--tls-certificate",
        &certificate,
        "--certificate-bound-tokens",
        "--redirect-uri",
        BACK,
        "--allow",
        writes,
    ])?;
    shown("desk", certificates)
}

fn shown(name: &str, certificates: &Certificates) -> Result<Value, Problem> {
    Ok(json!({
        "id": name,
        "certificate": fs::read_to_string(certificates.certificate(name))?,
        "key": fs::read_to_string(certificates.key(name))?,
    }))
}

/// A client that signs assertions; the program gets its key.
fn signer(service: &Service, reads: &str, files: &Path) -> Result<Value, Problem> {
    let path = |name: &str| files.join(name).display().to_string();
    let set = service::countersign(&["key", "generate", &path("signer.pem")])?;
    fs::write(files.join("signer.jwks"), &set)?;
    service.admin(&[
        "client",
        "add",
        "signer",
        "--jwks",
        &path("signer.jwks"),
        "--allow",
        reads,
    ])?;
    let set: Value = serde_json::from_str(&set)?;
    Ok(json!({
        "id": "signer",
        "key": fs::read_to_string(files.join("signer.pem"))?,
        "kid": set["keys"][0]["kid"],
    }))
}

pub(crate) fn private(path: &Path, text: &str) -> Result<(), Problem> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
