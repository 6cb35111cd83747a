//! The Unix socket: mode 0600, and only accounts of the allow-list.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tracing::warn;

use super::{Listener, has_gone};

/// How many connections may wait to be accepted: operators are few.
const BACKLOG: u32 = 16;

/// The longest path that `sockaddr_un` holds on every system we know, with its end.
const PATH_BYTES_MAX: usize = 103;

/// Why the admin socket cannot be opened.
#[derive(Debug, Error)]
pub enum SocketProblem {
    /// Someone answers there.
    #[error("another process listens there")]
    InUse,
    /// The path leads to something else.
    #[error("is there already, and is not a socket")]
    NotASocket,
    /// The path is longer than a socket's may be.
    #[error(
        "the path is longer than the {PATH_BYTES_MAX} bytes that a socket's may have; set admin.socket"
    )]
    PathTooLong,
    /// The system refused.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// A bound Unix socket. Its file goes when this is dropped.
pub(crate) struct Unix {
    listener: UnixListener,
    allowed: Vec<u32>,
    file: SocketFile,
}

/// The file of a socket that we bound.
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Unix {
    /// Binds `path`. An empty `allowed` means root and the account that we run as.
    pub(crate) async fn bind(path: &Path, allowed: &[u32]) -> Result<Self, SocketProblem> {
        if path.as_os_str().len() > PATH_BYTES_MAX {
            return Err(SocketProblem::PathTooLong);
        }
        remove_stale(path).await?;
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        // Nobody can connect before `listen`, so nobody slips through before the mode is set.
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let about = fs::metadata(path)?;
        let file = SocketFile {
            path: path.to_owned(),
            inode: about.ino(),
        };
        let allowed = if allowed.is_empty() {
            vec![0, about.uid()]
        } else {
            allowed.to_vec()
        };
        Ok(Self {
            listener: socket.listen(BACKLOG)?,
            allowed,
            file,
        })
    }
}

impl Listener for Unix {
    type Accepted = std::os::unix::net::UnixStream;
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<Option<std::os::unix::net::UnixStream>> {
        let stream = match self.listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if has_gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        admitted(stream, &self.allowed)
    }

    fn waiting(self) -> impl Iterator<Item = std::os::unix::net::UnixStream> {
        let Self {
            listener,
            allowed,
            file,
        } = self;
        let listener = listener.into_std().ok();
        std::iter::from_fn(move || {
            // Its file goes with the listener.
            let _ = &file;
            loop {
                let stream = match listener.as_ref()?.accept() {
                    Ok((stream, _)) => stream,
                    Err(error) if has_gone(&error) => continue,
                    Err(_) => return None,
                };
                let stream = stream
                    .set_nonblocking(true)
                    .and_then(|()| UnixStream::from_std(stream))
                    .and_then(|stream| admitted(stream, &allowed));
                if let Ok(Some(stream)) = stream {
                    return Some(stream);
                }
            }
        })
    }

    fn open(accepted: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        UnixStream::from_std(accepted)
    }
}

/// The connection, if its account may use the socket.
fn admitted(
    stream: UnixStream,
    allowed: &[u32],
) -> io::Result<Option<std::os::unix::net::UnixStream>> {
    let uid = stream.peer_cred()?.uid();
    if allowed.contains(&uid) {
        return stream.into_std().map(Some);
    }
    warn!(
        uid,
        "turned away an account that is not allowed on the admin socket"
    );
    Ok(None)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Only our own: a successor may have replaced it already.
        if fs::metadata(&self.path).is_ok_and(|about| about.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the socket that a process left behind which is gone now.
async fn remove_stale(path: &Path) -> Result<(), SocketProblem> {
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !about.file_type().is_socket() {
        return Err(SocketProblem::NotASocket);
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(SocketProblem::InUse),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        Err(error) => Err(error.into()),
    }
}
