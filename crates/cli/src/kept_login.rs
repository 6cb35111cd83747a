//! A login that is kept: who may do what at which token service, in a file that its owner alone may
//! read. The key that its tokens are bound to stays in the file of the proof key, where every other
//! command finds it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_client::{Builder, Countersign, Credential, Secret};
use countersign_jose::SigningKey;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::command::certificate::{CertificateArgs, Shown};
use crate::command::connection;
use crate::exit::Failure;
use crate::key_file;

/// The variable that names the file.
pub(crate) const LOGIN_FILE_VARIABLE: &str = "COUNTERSIGN_LOGIN_FILE";

/// Where a login is kept.
#[derive(Args, Debug)]
pub(crate) struct LoginArgs {
    /// The file that keeps the login, mode 0600; one for each login that is kept at a time
    /// [default: login.json in the user's state folder]
    #[arg(long, value_name = "FILE", env = LOGIN_FILE_VARIABLE)]
    login_file: Option<PathBuf>,
}

impl LoginArgs {
    /// The file, held until the answer is dropped: two commands that rotate the same refresh token
    /// would end its family.
    ///
    /// # Errors
    /// There is no place for it, or its folder cannot be written.
    pub(crate) fn hold(&self) -> Result<LoginFile, Failure> {
        let path = match &self.login_file {
            Some(path) => path.clone(),
            None => key_file::in_state_folder("login.json").ok_or_else(|| {
                Failure::configuration("there is no place to keep a login: HOME is not set")
                    .next("name a file with --login-file")
            })?,
        };
        LoginFile::hold(path)
    }
}

/// The file of a login, held.
pub(crate) struct LoginFile {
    path: PathBuf,
    _held: File,
}

impl LoginFile {
    fn hold(path: PathBuf) -> Result<Self, Failure> {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(|cause| cannot(folder, "be made", &cause))?;
        }
        // Beside it: the file itself is replaced whole.
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let beside = PathBuf::from(beside);
        let held = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&beside)
            .map_err(|cause| cannot(&beside, "be written", &cause))?;
        held.lock()
            .map_err(|cause| cannot(&beside, "be locked", &cause))?;
        Ok(Self { path, _held: held })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The login that is kept, if one is.
    pub(crate) fn find(&self) -> Result<Option<Login>, Failure> {
        if !self.path.exists() {
            return Ok(None);
        }
        let text = key_file::read_private(&self.path)?;
        Login::parse(&text).map(Some).ok_or_else(|| {
            Failure::configuration(format!("{}: holds no login", self.path.display()))
                .next("remove it, and log in with `countersign login`")
        })
    }

    /// The login that is kept.
    ///
    /// # Errors
    /// None is.
    pub(crate) fn read(&self) -> Result<Login, Failure> {
        self.find()?.ok_or_else(|| {
            Failure::configuration(format!(
                "nobody is logged in: {} is not there",
                self.path.display()
            ))
            .next("log in with `countersign login --client-id ID`")
        })
    }

    /// Keeps this one.
    pub(crate) fn write(&self, login: &Login) -> Result<(), Failure> {
        key_file::replace_private(&self.path, &login.text())
    }

    /// Keeps none.
    pub(crate) fn remove(&self) -> Result<(), Failure> {
        fs::remove_file(&self.path).map_err(|cause| cannot(&self.path, "be removed", &cause))
    }
}

fn cannot(path: &Path, what: &str, cause: &io::Error) -> Failure {
    Failure::configuration(format!("{}: cannot {what}: {cause}", path.display()))
}

/// A login.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) server: String,
    /// Certificates to trust instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) family_id: String,
    pub(crate) key_file: PathBuf,
    /// The thumbprint of the key that was there when the person logged in.
    pub(crate) jkt: String,
    /// What its connections show of the client.
    pub(crate) certificate: Option<Shown>,
    pub(crate) refresh_token: Secret,
}

impl Login {
    /// The same, which shows this certificate from now on, if one is named.
    pub(crate) fn showing(mut self, certificate: &CertificateArgs) -> Self {
        if let Some(shown) = certificate.shown() {
            self.certificate = Some(shown.absolute());
        }
        self
    }

    /// A client that goes on where this left off.
    ///
    /// # Errors
    /// The key is not there any more, or is another; or the certificate is not good any more.
    pub(crate) async fn client(&self) -> Result<Countersign, Failure> {
        if !self.key_file.exists() {
            return Err(Failure::configuration(format!(
                "{}: the key of the login is not there any more",
                self.key_file.display()
            ))
            .next(
                "bring the key back; without it the login is of use to nobody: remove its file, \
                 and log in anew with `countersign login`",
            ));
        }
        let key = key_file::read(&self.key_file)
            .map_err(|failure| failure.during("the key of the login"))?;
        if key_file::kid(&key) != self.jkt {
            return Err(Failure::configuration(format!(
                "{}: is another key than the login is bound to",
                self.key_file.display()
            ))
            .next("bring the key back, or log in anew with `countersign login`"));
        }
        client(
            &self.server,
            self.ca.as_deref(),
            &self.issuer,
            &self.client_id,
            key,
            self.certificate.as_ref(),
        )
        .await
        .map_err(|failure| failure.during("the login that is kept"))
    }

    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let scopes = value.get("scopes")?.as_array()?.iter();
        let certificate = match (text("certificate"), text("certificate_key")) {
            (Some(certificate), Some(key)) => Some(Shown {
                certificate: certificate.into(),
                key: key.into(),
            }),
            (None, None) => None,
            _ => return None,
        };
        Some(Self {
            server: text("server")?,
            ca: text("ca").map(PathBuf::from),
            issuer: text("issuer")?,
            client_id: text("client_id")?,
            scopes: scopes
                .map(|scope| scope.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
            family_id: text("family_id")?,
            key_file: text("key_file").map(PathBuf::from)?,
            jkt: text("jkt")?,
            certificate,
            refresh_token: text("refresh_token")?.into(),
        })
    }

    fn text(&self) -> Zeroizing<String> {
        let value = json!({
            "server": self.server,
            "ca": self.ca,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "scopes": self.scopes,
            "family_id": self.family_id,
            "key_file": self.key_file,
            "jkt": self.jkt,
            "certificate": self.certificate.as_ref().map(|shown| &shown.certificate),
            "certificate_key": self.certificate.as_ref().map(|shown| &shown.key),
            "refresh_token": self.refresh_token.expose(),
        });
        Zeroizing::new(format!("{value:#}\n"))
    }
}

/// A client of the token service at `server` that has this key, and no credential but a certificate.
pub(crate) async fn client(
    server: &str,
    ca: Option<&Path>,
    issuer: &str,
    client_id: &str,
    key: SigningKey,
    certificate: Option<&Shown>,
) -> Result<Countersign, Failure> {
    let builder = Builder::new(server)
        .issuer(issuer)
        .client(client_id, Credential::Public)
        .proof_key(key);
    let builder = match certificate {
        Some(shown) => {
            // Says what is wrong with the files, and what to do.
            shown.identity()?;
            builder.certificate(shown.files())
        }
        None => builder,
    };
    let builder = match ca {
        Some(ca) => builder.trust_ca(connection::certificates(ca)?),
        None => builder,
    };
    builder
        .connect()
        .await
        .map_err(|cause| Failure::configuration(cause.to_string()))
}
