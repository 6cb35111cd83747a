//! The login application in a process of its own: its certificate is replaced while it runs.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::program::{Service, wait};

/// Only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(120);

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        Self { issuer, own }
    }

    /// Puts another certificate for this machine, and its key, into the folder.
    fn put(&self, folder: &Path) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(folder.join("tls.crt"), signed.pem()).unwrap();
        fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
        signed.der().to_vec()
    }

    /// The certificate that a browser is greeted with there.
    fn greeted(&self, address: &str) -> Vec<u8> {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).unwrap();
        let terms = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let tls = ClientConnection::new(Arc::new(terms), name).unwrap();
        let mut stream = StreamOwned::new(tls, TcpStream::connect(address).unwrap());
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    }
}

/// It runs, until a test is over.
struct LoginApp(Child);

impl Drop for LoginApp {
    fn drop(&mut self) {
        // Gone already where a test stopped it.
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

impl LoginApp {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.0.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn its_certificate_is_replaced_while_it_runs_and_sighup_does_not_end_it() {
    let service = Service::start();
    let issuer = &service.url;
    let add = format!("client add clerk --allow {issuer}=authorizations.decide");
    let added = service.run(&format!("{add} --secret-file clerk.secret"));
    assert_eq!(added.code, 0, "{added:?}");
    let folder = service.file(".");
    let authority = Authority::new();
    let first = authority.put(&folder);
    let mut child = service
        .command()
        .args("login-app --json --client-id clerk --client-secret-file clerk.secret".split(' '))
        .args("--listen 127.0.0.1:0 --data apart".split(' '))
        .args("--tls-certificate tls.crt --tls-key tls.key".split(' '))
        .stdout(Stdio::piped())
        .stderr(File::create(service.file("apart.log")).unwrap())
        .spawn()
        .unwrap();
    let log = || fs::read_to_string(service.file("apart.log")).unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut app = LoginApp(child);
    let mut text = String::new();
    let facts = loop {
        assert_ne!(said.read_line(&mut text).unwrap(), 0, "{text}{}", log());
        if let Ok(facts) = serde_json::from_str::<Value>(&text) {
            break facts;
        }
    };
    let address = facts["listen_address"].as_str().unwrap();
    assert_eq!(authority.greeted(address), first);

    // By itself.
    let second = authority.put(&folder);
    until("the second is used", || {
        authority.greeted(address) == second
    });
    // What is bad is said, and not used.
    fs::write(service.file("tls.key"), "no key").unwrap();
    app.signal("HUP");
    until("it is said", || {
        log().contains("the last good certificate stays")
    });
    assert_eq!(authority.greeted(address), second);
    let third = authority.put(&folder);
    app.signal("HUP");
    until("the third is used", || authority.greeted(address) == third);
    app.signal("TERM");
    assert!(wait(&mut app.0).success());
}
