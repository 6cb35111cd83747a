//! Passwords: argon2id, a few at a time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use countersign_client::random;
use thiserror::Error;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// OWASP's password storage cheat sheet: argon2id with 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How many more may wait than are hashed at once. Each takes some tens of milliseconds; a person
/// waits no longer than a few seconds.
const WAITING_TIMES: usize = 32;

/// The hash of a password, as a PHC string.
#[derive(Clone)]
pub(crate) struct Hash(Arc<str>);

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

impl Hash {
    /// A hash that was written to a record.
    pub(crate) fn stored(text: &str) -> Self {
        Self(text.into())
    }

    /// For the record.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Why a password was not looked at.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum NotHashed {
    /// So many wait already that this one would wait too long.
    #[error("too many passwords are being checked")]
    Busy,
    /// The library, the system's generator or the runtime failed.
    #[error("passwords cannot be checked")]
    Fault,
}

/// Hashes passwords. However many are asked for, so many are worked on at once and take memory;
/// so many wait; the rest is refused.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    at_once: Arc<Semaphore>,
    inside: AtomicUsize,
    inside_max: usize,
    /// What an account that does not exist is checked against: the same work.
    nobodys: Hash,
}

impl Passwords {
    /// At most `at_once` at the same time; each takes 19 MiB and one processor.
    ///
    /// # Errors
    /// [`NotHashed::Fault`] where the library or the system fails.
    pub fn new(at_once: usize) -> Result<Self, NotHashed> {
        let at_once = at_once.max(1);
        let unknown = random::bytes::<32>().map_err(|_| NotHashed::Fault)?;
        Ok(Self(Arc::new(Inner {
            at_once: Arc::new(Semaphore::new(at_once)),
            inside: AtomicUsize::new(0),
            inside_max: at_once * (1 + WAITING_TIMES),
            nobodys: hash(&unknown, salt()?)?,
        })))
    }

    /// Hashes a password that is to be kept.
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<Hash, NotHashed> {
        let salt = salt()?;
        self.work(move || hash(password.as_bytes(), salt)).await?
    }

    /// Whether it is the password. Without a hash, for an account that does not exist, it never
    /// is; the work is the same.
    pub(crate) async fn verify(
        &self,
        password: Zeroizing<String>,
        against: Option<Hash>,
    ) -> Result<bool, NotHashed> {
        let exists = against.is_some();
        let against = against.unwrap_or_else(|| self.0.nobodys.clone());
        let right = self
            .work(move || verify(password.as_bytes(), &against))
            .await??;
        Ok(right && exists)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotHashed> {
        let inside = Inside::enter(&self.0)?;
        let place = Arc::clone(&self.0.at_once).acquire_owned().await;
        let place = place.map_err(|_| NotHashed::Fault)?;
        // The place is kept to the end of the work, also where the one who asked has left.
        let done = tokio::task::spawn_blocking(move || {
            let _kept = (inside, place);
            work()
        });
        done.await.map_err(|_| NotHashed::Fault)
    }
}

/// One that is worked on or waits.
struct Inside(Arc<Inner>);

impl Inside {
    fn enter(inner: &Arc<Inner>) -> Result<Self, NotHashed> {
        let before = inner.inside.fetch_add(1, Ordering::Relaxed);
        let inside = Self(Arc::clone(inner));
        if before >= inner.inside_max {
            return Err(NotHashed::Busy);
        }
        Ok(inside)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

fn argon2() -> Result<Argon2<'static>, NotHashed> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| NotHashed::Fault)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn salt() -> Result<[u8; 16], NotHashed> {
    random::bytes().map_err(|_| NotHashed::Fault)
}

fn hash(password: &[u8], salt: [u8; 16]) -> Result<Hash, NotHashed> {
    let hashed: PasswordHash = argon2()?
        .hash_password_with_salt(password, &salt)
        .map_err(|_| NotHashed::Fault)?;
    Ok(Hash(hashed.to_string().into()))
}

fn verify(password: &[u8], against: &Hash) -> Result<bool, NotHashed> {
    let against = PasswordHash::new(&against.0).map_err(|_| NotHashed::Fault)?;
    match argon2()?.verify_password(password, &against) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(NotHashed::Fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn the_hash_is_argon2id_with_the_parameters_of_owasp_and_a_salt_of_its_own() {
        let passwords = Passwords::new(1).unwrap();
        let first = passwords.hash(text("correct horse battery")).await.unwrap();
        let second = passwords.hash(text("correct horse battery")).await.unwrap();
        assert!(
            first
                .reveal()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            first.reveal()
        );
        assert_ne!(first.reveal(), second.reveal());
        assert!(!format!("{first:?}").contains("argon2"));
    }

    #[tokio::test]
    async fn only_the_password_is_right_and_nobody_has_none() {
        let passwords = Passwords::new(2).unwrap();
        let hash = passwords.hash(text("correct horse battery")).await.unwrap();
        let verify = |typed: &str, hash: Option<Hash>| passwords.verify(text(typed), hash);
        assert!(
            verify("correct horse battery", Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(!verify("correct horse batterz", Some(hash)).await.unwrap());
        assert!(!verify("correct horse battery", None).await.unwrap());
        let damaged = Hash::stored("$argon2id$v=19$m=19456,t=2,p=1$");
        assert!(verify("x", Some(damaged)).await.is_err());
    }

    #[tokio::test]
    async fn a_flood_is_refused_and_leaves_nothing_behind() {
        let passwords = Passwords::new(1).unwrap();
        let inside_max = passwords.0.inside_max;
        // Nobody is worked on while the only place is taken.
        let place = passwords.0.at_once.acquire().await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..inside_max {
            let passwords = passwords.clone();
            waiting.push(tokio::spawn(async move { passwords.work(|| ()).await }));
        }
        while passwords.0.inside.load(Ordering::Relaxed) < inside_max {
            tokio::task::yield_now().await;
        }
        assert_eq!(passwords.work(|| ()).await, Err(NotHashed::Busy));
        drop(place);
        for waiter in waiting {
            assert_eq!(waiter.await.unwrap(), Ok(()));
        }
        assert_eq!(passwords.0.inside.load(Ordering::Relaxed), 0);
        assert_eq!(passwords.work(|| ()).await, Ok(()));
    }

    /// Browsers that ask and leave at once would otherwise have any number hashed together.
    #[tokio::test]
    async fn work_keeps_its_place_also_when_nobody_waits_for_it_any_more() {
        let passwords = Passwords::new(1).unwrap();
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let asking = tokio::spawn({
            let passwords = passwords.clone();
            async move {
                let work = move || {
                    begun.send(()).unwrap();
                    let _ = ends.recv();
                };
                passwords.work(work).await
            }
        });
        has_begun.recv().await.unwrap();
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        assert_eq!(passwords.0.at_once.available_permits(), 0);
        assert_eq!(passwords.0.inside.load(Ordering::Relaxed), 1);
        drop(end);
        assert_eq!(passwords.work(|| ()).await, Ok(()));
        assert_eq!(passwords.0.inside.load(Ordering::Relaxed), 0);
    }
}
