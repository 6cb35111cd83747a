//! A program that holds the key-encryption key: one line in, one line out, in the manner of the
//! KMS plugins of Kubernetes.
//!
//! | it reads | it answers |
//! | --- | --- |
//! | `wrap` label data-key | `ok` wrapped |
//! | `unwrap` label wrapped | `ok` data-key |
//! | either | `error` text |
//!
//! Everything but the first word and the text is base64url without padding. It is started for each
//! line, and must end with exit code 0. What it writes to standard error goes to the log.

mod says;

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use countersign_jose::base64url;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::wrap::{DataKey, Label};

/// A key service far away answers in a second or two; whoever waits for a start wants to know after
/// ten.
const ANSWER_DUE: Duration = Duration::from_secs(10);

/// The longest answer. A wrapped key of any service that there is has well below 1 KiB.
const ANSWER_BYTES_MAX: u64 = 8 * 1024;

/// How much of standard error is read for the log.
const ERROR_BYTES_MAX: u64 = 4 * 1024;

/// Why a program that holds the key-encryption key was of no use.
#[derive(Debug, Error)]
pub enum KeyProgramError {
    /// It cannot be started.
    #[error("store.key_command: {program} cannot be started: {cause}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Encrypting the keys anew would change nothing.
    #[error(
        "{program} has no new key: it opens what the keys are encrypted under already, and what it \
         encrypts is opened by what had the key before"
    )]
    InForce {
        /// The program.
        program: String,
    },
    /// It did not answer in time.
    #[error("store.key_command: {program} did not answer within {} s", ANSWER_DUE.as_secs())]
    TimedOut {
        /// The program.
        program: String,
    },
    /// It ended with another exit code than 0, or by a signal.
    #[error("store.key_command: {program} failed ({status}); what it said is in the log")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It answered something else than what it should.
    #[error(
        "store.key_command: {program} did not answer with one line `ok` and base64url, or `error` \
         and a text"
    )]
    Answer {
        /// The program.
        program: String,
    },
    /// It said why it cannot do it.
    #[error("store.key_command: {program} says: {text}")]
    Refused {
        /// The program.
        program: String,
        /// Its own words.
        text: String,
    },
    /// What it gave back opens nothing.
    #[error(
        "store.key_command: {program} does not open the keys in the store (key {key_id}); it has \
         the key of another store, or the record is damaged"
    )]
    DoesNotFit {
        /// The program.
        program: String,
        /// The key that it does not open.
        key_id: String,
    },
    /// The store's keys were encrypted under a key file.
    #[error(
        "the keys in the store (key {key_id}) were encrypted under a key file, and store.key_command \
         names {program}; name the file in store.key_file again, or change over with `countersign \
         key rekey`"
    )]
    OfFile {
        /// The program.
        program: String,
        /// A key of the store.
        key_id: String,
    },
}

/// A program that holds the key-encryption key.
pub(crate) struct Program {
    /// The program and its arguments; at least the program.
    command: Vec<String>,
}

/// What came of asking.
struct Told {
    out: Zeroizing<Vec<u8>>,
    err: Zeroizing<Vec<u8>>,
    status: ExitStatus,
}

impl Program {
    pub(crate) fn new(command: Vec<String>) -> Self {
        Self { command }
    }

    /// The program, without its arguments: they may hold what nobody should read.
    pub(crate) fn name(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// Encrypts a data key.
    pub(crate) async fn wrap(
        &self,
        label: Label<'_>,
        data_key: &DataKey,
    ) -> Result<Vec<u8>, KeyProgramError> {
        let wrapped = self.ask("wrap", label, data_key.expose()).await?;
        // A program that hands the key back has not encrypted it.
        if wrapped.is_empty() || bool::from(wrapped.as_slice().ct_eq(data_key.expose())) {
            return Err(self.answer());
        }
        Ok(wrapped.to_vec())
    }

    /// Decrypts what [`Self::wrap`] brought for the same label.
    pub(crate) async fn unwrap(
        &self,
        label: Label<'_>,
        wrapped: &[u8],
    ) -> Result<DataKey, KeyProgramError> {
        let data_key = self.ask("unwrap", label, wrapped).await?;
        DataKey::from_bytes(&data_key).map_err(|_| self.answer())
    }

    async fn ask(
        &self,
        verb: &str,
        label: Label<'_>,
        bytes: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyProgramError> {
        let asked = Zeroizing::new(base64url::encode(bytes));
        let label = base64url::encode(label.additional_data());
        let line = Zeroizing::new(format!("{verb} {label} {}\n", *asked));
        let child = self.start()?;
        let told = timeout(ANSWER_DUE, converse(child, &line))
            .await
            .map_err(|_| KeyProgramError::TimedOut {
                program: self.name().to_owned(),
            })?
            .map_err(|cause| self.not_started(cause))?;
        says::log(self.name(), &told.err);
        if told.out.len() as u64 > ANSWER_BYTES_MAX {
            return Err(self.answer());
        }
        if !told.status.success() {
            return Err(KeyProgramError::Failed {
                program: self.name().to_owned(),
                status: told.status,
            });
        }
        self.read(&told.out)
    }

    fn start(&self) -> Result<Child, KeyProgramError> {
        let [program, arguments @ ..] = self.command.as_slice() else {
            return Err(self.not_started(io::ErrorKind::InvalidInput.into()));
        };
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // One that is too slow is not waited for, and not left behind.
            .kill_on_drop(true)
            .spawn()
            .map_err(|cause| self.not_started(cause))
    }

    fn read(&self, out: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyProgramError> {
        let line = std::str::from_utf8(out).map_err(|_| self.answer())?;
        let line = line.strip_suffix('\n').unwrap_or(line);
        if line.contains('\n') {
            return Err(self.answer());
        }
        match line.split_once(' ') {
            Some(("ok", encoded)) => base64url::decode(encoded)
                .map(Zeroizing::new)
                .map_err(|_| self.answer()),
            Some(("error", text)) => Err(KeyProgramError::Refused {
                program: self.name().to_owned(),
                text: says::safe(text),
            }),
            _ => Err(self.answer()),
        }
    }

    fn answer(&self) -> KeyProgramError {
        KeyProgramError::Answer {
            program: self.name().to_owned(),
        }
    }

    fn not_started(&self, cause: io::Error) -> KeyProgramError {
        KeyProgramError::Start {
            program: self.name().to_owned(),
            cause,
        }
    }
}

/// Says the line, and hears what comes of it. All at once: a program that writes before it reads
/// must not wait for us while we wait for it.
async fn converse(mut child: Child, line: &str) -> io::Result<Told> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let say = async {
        if let Some(mut stdin) = stdin {
            // One that does not listen says so by how it ends.
            let _heard = stdin.write_all(line.as_bytes()).await;
            let _heard = stdin.shutdown().await;
        }
    };
    let ((), out, err) = tokio::join!(
        say,
        hear(stdout, ANSWER_BYTES_MAX, Rest::Stop),
        hear(stderr, ERROR_BYTES_MAX, Rest::Drop)
    );
    Ok(Told {
        out: out?,
        err: err?,
        status: child.wait().await?,
    })
}

/// What becomes of what is too much.
enum Rest {
    /// Nobody listens any more, which ends whoever talks on: it is no answer anyway.
    Stop,
    /// It is read and dropped: whoever has much to complain about must not be stuck with it.
    Drop,
}

/// Up to `bytes_max` and one more, which tells that there was more.
async fn hear(
    from: Option<impl AsyncRead + Unpin>,
    bytes_max: u64,
    rest: Rest,
) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it from the beginning: a buffer that grows leaves its old content behind.
    let room = usize::try_from(bytes_max).unwrap_or_default() + 64;
    let mut heard = Zeroizing::new(Vec::with_capacity(room));
    if let Some(mut from) = from {
        (&mut from)
            .take(bytes_max + 1)
            .read_to_end(&mut heard)
            .await?;
        if let Rest::Drop = rest {
            tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
        }
    }
    Ok(heard)
}
