//! Why a service did not start, or went down by itself, as an exit code and what
//! to do next.

use countersign_server::{ConfigError, KeyFileError, KeyProgramError, StartError, Stopped};
use countersign_store::embedded::OpenError;

use crate::exit::{Failure, Kind};

/// A configuration that is wrong.
pub(in crate::command) fn configuration(cause: &ConfigError) -> Failure {
    Failure::configuration(cause.to_string())
        .next("docs/configuration.md has every key; `countersign serve --check` tries a change")
}

/// It did not start.
pub(in crate::command) fn start(cause: &StartError) -> Failure {
    let what = cause.to_string();
    match cause {
        StartError::Config(cause) => configuration(cause),
        StartError::Tls(_) => Failure::configuration(what)
            .next("tls.certificate_file and tls.key_file must be PEM files that belong together"),
        StartError::KeyFile(cause) => key_file(cause),
        StartError::KeyProgram(cause) => key_program(cause),
        StartError::AlreadyUnder { .. } => Failure::new(Kind::Data, what)
            .next("nothing was changed; name that one in the configuration, and start the service"),
        StartError::Open(cause) => Failure::new(Kind::Data, what).next(open(cause)),
        StartError::Directory { .. } => Failure::new(Kind::Data, what)
            .next("name a directory that this account may write to with --data"),
        StartError::Store(_) => Failure::new(Kind::Data, what).next("look at the disk"),
        StartError::NewerRecords { .. } => {
            Failure::new(Kind::Data, what).next("start the release that wrote it, or a later one")
        }
        StartError::DamagedRecords { .. } => Failure::new(Kind::Data, what)
            .next("move the directory away, and `countersign store restore` a backup"),
        StartError::SetBackNote { .. } => Failure::new(Kind::Data, what)
            .next("it was left by `countersign store restore` or `recover`: make it this account's own, or give that command again"),
        StartError::AddressInUse(_) => Failure::configuration(what)
            .next("stop what listens there, or name another address with --listen"),
        StartError::Listen { .. } => {
            Failure::configuration(what).next("name an address of this machine with --listen")
        }
        StartError::Login(_) => Failure::configuration(what),
        StartError::Workers(_) => Failure::internal(what)
            .next("the system gives this account no more threads: set listen.workers to fewer"),
        StartError::AdminSocket { .. } => Failure::configuration(what)
            .next("name a path in a folder of this account's own with --socket"),
        StartError::Guard(_) => Failure::internal(what),
    }
}

/// The key file is not where or what it must be.
pub(super) fn key_file(cause: &KeyFileError) -> Failure {
    let failure = Failure::new(Kind::Data, cause.to_string());
    match cause {
        KeyFileError::InsideData { .. } => {
            failure.next("name a file elsewhere with --key-file, on another disk if there is one")
        }
        KeyFileError::InForce { .. } => {
            failure.next("nothing was changed; name a file that is not there, and it is made")
        }
        KeyFileError::NoStore { .. } => {
            failure.next("a service that was never started has no keys; it makes them at its first start")
        }
        KeyFileError::NoCredentials | KeyFileError::CredentialMissing { .. } => failure
            .next("see LoadCredential= in deploy/countersign.service, and store.key_credential in docs/configuration.md"),
        KeyFileError::OfProgram { .. } => failure,
        KeyFileError::Missing { .. } | KeyFileError::DoesNotFit { .. } => failure.next(
            "give back the key file that belongs to the data directory; without it the keys in there are lost",
        ),
        KeyFileError::Exposed { .. } => {
            failure.next("if others may have read it, the keys in the store are no longer secret")
        }
        KeyFileError::Unreadable { .. } => {
            failure.next("make it this account's own, or name another file with --key-file")
        }
        KeyFileError::NotAFile { .. } | KeyFileError::NotAKey { .. } => failure
            .next("name the right file with --key-file; where there is none, the service makes it"),
    }
}

/// The program that has the key-encryption key is of no use.
fn key_program(cause: &KeyProgramError) -> Failure {
    let failure = Failure::new(Kind::Data, cause.to_string());
    match cause {
        KeyProgramError::Start { .. } => {
            failure.next("store.key_command names the program and its arguments; this account must be allowed to run it")
        }
        KeyProgramError::TimedOut { .. }
        | KeyProgramError::Failed { .. }
        | KeyProgramError::Refused { .. } => failure.next(
            "see whether what the program asks can be reached and lets it in; without the key that it has, the keys in the store are lost",
        ),
        KeyProgramError::InForce { .. } => {
            failure.next("nothing was changed. Where a program had the key before, to ask this one from now on, name it in store.key_command, and nothing else; for another key, name another program or other arguments; --anew, if its key service has a new version of the key, or a file had the same one")
        }
        KeyProgramError::Answer { .. } => {
            failure.next("docs/keys-at-rest.md says what such a program reads and writes")
        }
        KeyProgramError::DoesNotFit { .. } => failure.next(
            "give the program the key that belongs to the data directory; without it the keys in there are lost",
        ),
        KeyProgramError::OfFile { .. } => failure,
    }
}

/// Log and traces cannot be set up as they are configured.
pub(in crate::command) fn telemetry(cause: &countersign_telemetry::StartError) -> Failure {
    Failure::configuration(cause.to_string()).next(
        "telemetry.log_filter is like info or info,countersign_server=debug; docs/configuration.md has every key",
    )
}

/// It went down by itself.
pub(super) fn stopped(reason: &Stopped) -> Failure {
    match reason {
        Stopped::StoreFailed(_) => Failure::new(Kind::Data, reason.to_string()).next(
            "nothing was acknowledged after the failure; look at the disk, then start it again",
        ),
        Stopped::ListenerFailed(_) => Failure::internal(reason.to_string()),
    }
}

/// What to do about a directory that is not opened.
pub(in crate::command) fn open(cause: &OpenError) -> &'static str {
    match cause {
        OpenError::Locked { .. } => "stop the other service, or name another directory with --data",
        OpenError::NotOurs { .. } => {
            "name an empty directory, or one that this service made, with --data"
        }
        OpenError::Unreadable { .. } => {
            "make it this account's own, or name another directory with --data"
        }
        OpenError::Newer { .. } => "start the release that wrote it, or a later one",
        OpenError::Damaged { .. } => "move it away, and `countersign store restore` a backup",
        OpenError::LostTail { .. } | OpenError::NoMark { .. } => {
            "`countersign store recover` explains what is lost and what can be done"
        }
    }
}
