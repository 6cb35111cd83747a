//! `countersign store backup`: a copy of the whole store, while the service runs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use countersign::admin::v1::BackupStoreRequest;
use countersign::admin::v1::store_service_client::StoreServiceClient;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tonic::Streaming;

use crate::command::connection::AdminArgs;
use crate::exit::{Failure, Kind};
use crate::output::Output;

pub(super) const EXAMPLES: &str = "\
The file is of exactly the state after one commit, and has mode 0600. It holds what
the data directory holds: registrations, families, the audit log, and the service's
keys, encrypted. Without the key-encryption key it starts no service: back that up,
too, and elsewhere.

Examples:
  countersign store backup /backups/countersign-$(date +%F).backup
  countersign store verify /backups/countersign-2026-11-27.backup";

/// Where the copy goes.
#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// The file to write; must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    admin: AdminArgs,
}

impl Backup {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let wrong = |cause: io::Error| refused(&self.file, &cause);
        if fs::symlink_metadata(&self.file).is_ok() {
            let what = format!("{}: is there already", self.file.display());
            return Err(Failure::new(Kind::Data, what)
                .next("name a file that is not there yet: a backup replaces nothing"));
        }
        let mut service = StoreServiceClient::new(self.admin.connect().await?);
        let partial = Partial::create(&self.file).map_err(wrong)?;
        let chunks = service
            .backup_store(BackupStoreRequest {})
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        let bytes = receive(&partial, chunks).await?;
        partial.keep(&self.file).map_err(wrong)?;
        let facts = serde_json::json!({"file": self.file, "bytes": bytes});
        output.value(&facts, || {
            format!(
                "{}: {bytes} bytes\n\nnext: countersign store verify {}",
                self.file.display(),
                self.file.display()
            )
        })
    }
}

async fn receive(
    partial: &Partial,
    mut chunks: Streaming<countersign::admin::v1::BackupStoreResponse>,
) -> Result<u64, Failure> {
    let mut bytes = 0;
    while let Some(piece) = chunks
        .message()
        .await
        .map_err(|status| Failure::answered(&status).during("the backup broke off"))?
    {
        let mut file = &partial.file;
        file.write_all(&piece.chunk)
            .map_err(|cause| refused(&partial.path, &cause))?;
        bytes += piece.chunk.len() as u64;
    }
    Ok(bytes)
}

/// A file under another name, until it is whole.
struct Partial {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Partial {
    fn create(whole: &Path) -> io::Result<Self> {
        let mut name = whole.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        // Left by a command that was killed; it is worth nothing.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self {
            path,
            file,
            kept: false,
        })
    }

    /// On the disk, under its name, and never in the place of another.
    fn keep(mut self, whole: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        match renameat_with(CWD, &self.path, CWD, whole, RenameFlags::NOREPLACE) {
            // A file system that cannot promise it; that nothing is there was seen before.
            Err(Errno::INVAL | Errno::NOSYS) => fs::rename(&self.path, whole)?,
            renamed => renamed?,
        }
        self.kept = true;
        let folder = whole
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            // It is worth nothing; nobody is left to tell that it could not be removed.
            let _removed = fs::remove_file(&self.path);
        }
    }
}

fn refused(path: &Path, cause: &io::Error) -> Failure {
    Failure::new(Kind::Data, format!("{}: {cause}", path.display())).next(
        "name a file in a folder that is there, that this account may write to, and with room",
    )
}
