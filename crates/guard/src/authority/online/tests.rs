//! How often is asked, and how many wait.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use countersign_client::source::BoxFuture;
use countersign_jose::{Thumbprint, UnixTime};
use tokio::task::yield_now;

use super::places::{KEY_KNOWN_MAX, KEY_STRANGE_MAX, WAITING_MAX, WAITING_STRANGE_MAX};
use super::*;

const NOW: u64 = 1_760_000_000;

/// Moved by hand.
struct HandClock(AtomicU64);

impl Clock for HandClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Answers when it is let, and counts.
struct Gated {
    gate: Semaphore,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    most: AtomicUsize,
    active: AtomicBool,
}

impl Introspector for Gated {
    fn introspect<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<Introspected>, IntrospectionUnavailable>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let _let = self.gate.acquire().await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            Ok(self.active.load(Ordering::SeqCst).then(|| said(token)))
        })
    }
}

fn said(token: &str) -> Introspected {
    Introspected {
        issuer: "i".to_owned(),
        subject: "s".to_owned(),
        client_id: "c".to_owned(),
        audience: vec!["a".to_owned()],
        scopes: Vec::new(),
        token_id: token.to_owned(),
        family: None,
        issued_at: UnixTime::from_secs(NOW),
        expires_at: UnixTime::from_secs(NOW + 300),
        jkt: Some(key(token[4..].parse().unwrap())),
        certificate: None,
        auth_time: None,
        acr: None,
        authorization_details: String::new(),
    }
}

struct Stand {
    online: Online,
    gated: Arc<Gated>,
    clock: Arc<HandClock>,
    watch_is_live: Arc<AtomicBool>,
}

impl Stand {
    /// With a gate that lets so many through.
    fn new(lets: usize) -> Self {
        let gated = Arc::new(Gated {
            gate: Semaphore::new(lets),
            asked: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            active: AtomicBool::new(true),
        });
        let clock = Arc::new(HandClock(AtomicU64::new(NOW * 1_000)));
        let watch_is_live = Arc::<AtomicBool>::default();
        let live = Arc::clone(&watch_is_live);
        let online = Online::new(
            Arc::clone(&gated) as Arc<dyn Introspector>,
            "i",
            Arc::clone(&clock) as Arc<dyn Clock>,
            Box::new(move || live.load(Ordering::Acquire)),
        );
        Self {
            online,
            gated,
            clock,
            watch_is_live,
        }
    }

    /// Each token by a key of its own.
    fn ask(&self, nth: u16) -> Result<Asking, Refusal> {
        self.ask_by(nth, key(nth))
    }

    fn ask_by(&self, nth: u16, key: Thumbprint) -> Result<Asking, Refusal> {
        self.online.ask(&token(nth), hash(nth), key)
    }

    /// These tokens, each by its own key, are known to be good, and what was said of them is not
    /// gone by any more.
    async fn once_good(&self, tokens: Range<u16>) {
        self.gated.gate.add_permits(tokens.len());
        for nth in tokens.clone() {
            self.ask(nth).unwrap().answer().await.unwrap();
        }
        self.gated.gate.forget_permits(tokens.len());
        self.pass(KEPT);
    }

    fn asked(&self) -> usize {
        self.gated.asked.load(Ordering::SeqCst)
    }

    fn pass(&self, by: Duration) {
        self.clock
            .0
            .fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

fn token(nth: u16) -> String {
    format!("csa_{nth:075}")
}

/// The key that the token of this number is bound to.
fn key(nth: u16) -> Thumbprint {
    Thumbprint::from_bytes(hash(nth))
}

fn hash(nth: u16) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..2].copy_from_slice(&nth.to_be_bytes());
    hash
}

/// Lets everybody come as far as they can.
async fn settle() {
    for _ in 0..10_000 {
        yield_now().await;
    }
}

#[tokio::test]
async fn all_who_show_a_token_at_once_share_one_question() {
    let stand = Stand::new(0);
    let waiting: Vec<_> = (0..50).map(|_| stand.ask(1).unwrap()).collect();
    settle().await;
    assert_eq!(stand.asked(), 1);
    // Whoever goes takes nothing along.
    let mut waiting = waiting.into_iter();
    drop(waiting.next());
    stand.gated.gate.add_permits(1);
    for waits in waiting {
        assert_eq!(&*waits.answer().await.unwrap().token_id, token(1));
    }
    // Who comes after that is answered from what was said.
    assert!(stand.ask(1).unwrap().answer().await.is_ok());
    assert_eq!(stand.asked(), 1);
    assert!(stand.online.0.places.lock().is_empty());
}

/// Paused: the time that an answer may take does not pass while somebody works.
#[tokio::test(start_paused = true)]
async fn only_so_many_are_asked_about_at_once_and_only_so_many_wait() {
    let stand = Stand::new(0);
    let known = (WAITING_MAX - WAITING_STRANGE_MAX) as u16;
    stand.once_good(0..known).await;
    let before = stand.asked();
    let strange = known..WAITING_MAX as u16;
    let mut waiting: Vec<_> = strange.map(|nth| stand.ask(nth).unwrap()).collect();
    settle().await;
    assert_eq!(stand.asked() - before, AT_ONCE_STRANGE);
    let full = |nth| stand.ask(nth).err() == Some(Refusal::IntrospectionsFull);
    assert!(full(u16::MAX), "a stranger");
    assert!(stand.ask(known).is_ok(), "which is asked about already");

    // Whoever was good before finds room, and a turn.
    waiting.extend((0..known).map(|nth| stand.ask(nth).unwrap()));
    settle().await;
    assert_eq!(stand.asked() - before, AT_ONCE);
    stand
        .online
        .0
        .keys
        .remember(hash(u16::MAX), stand.clock.steady());
    assert!(full(u16::MAX), "a key that was good before");
    stand.gated.gate.add_permits(Semaphore::MAX_PERMITS);
    for waits in waiting {
        assert!(waits.answer().await.is_ok());
    }
    assert_eq!(stand.gated.most.load(Ordering::SeqCst), AT_ONCE);
    assert!(stand.ask(u16::MAX).unwrap().answer().await.is_ok());
    settle().await;
    assert!(stand.online.0.places.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_has_a_share_and_a_larger_one_once_it_was_good() {
    let stand = Stand::new(0);
    let me = key(0);
    for (share, tokens) in [(KEY_STRANGE_MAX, 100..), (KEY_KNOWN_MAX, 1_000..)] {
        let mut tokens = tokens;
        let waiting: Vec<_> = tokens
            .by_ref()
            .take(share)
            .map(|nth| stand.ask_by(nth, me).unwrap())
            .collect();
        let more = tokens.next().unwrap();
        let refused = stand.ask_by(more, me).err();
        assert_eq!(refused, Some(Refusal::IntrospectionsKeyFull), "{share}");
        assert!(stand.ask_by(more, key(more)).is_ok(), "of another key");
        for waits in waiting {
            assert!(waits.answer().await.is_err());
        }
        stand.once_good(0..1).await;
    }
    // Not for ever.
    stand.pass(KEY_KNOWN_FOR);
    let standing = |nth| stand.online.0.standing(&hash(nth), &me);
    assert_eq!(standing(5), Standing::Stranger);
    assert_eq!(standing(0), Standing::Known, "by the token");
}

/// Its key would be known for a while; others that show it are not.
#[tokio::test]
async fn a_token_that_is_dead_makes_nobody_known() {
    let stand = Stand::new(0);
    stand.once_good(0..1).await;
    let standing = || stand.online.0.standing(&hash(0), &key(9));
    assert_eq!(standing(), Standing::Known);
    stand.gated.active.store(false, Ordering::SeqCst);
    stand.gated.gate.add_permits(1);
    assert!(stand.ask(0).unwrap().answer().await.is_err());
    assert_eq!(standing(), Standing::Stranger);
}

/// What is spawned on a runtime that ends is dropped at once: its place is given back, and nobody
/// waits for a lock that he holds himself.
#[test]
fn a_runtime_that_ends_takes_the_questions_along() {
    let stand = Stand::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let ended = runtime.handle().clone();
    drop(runtime);
    let _in_it = ended.enter();
    assert!(stand.ask(1).is_ok());
    assert!(stand.online.0.places.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_is_not_answered_waits_for_no_longer_than_five_seconds() {
    let stand = Stand::new(0);
    let begun = tokio::time::Instant::now();
    let answer = stand.ask(1).unwrap().answer().await;
    assert_eq!(answer.err(), Some(Refusal::IntrospectionUnreachable));
    assert_eq!(begun.elapsed(), WITHIN);
    stand.gated.gate.add_permits(1);
    assert!(stand.ask(1).unwrap().answer().await.is_ok(), "asked again");
}

#[tokio::test]
async fn what_was_said_is_gone_by_for_five_seconds_or_with_a_live_watch_for_a_minute() {
    let stand = Stand::new(Semaphore::MAX_PERMITS);
    stand.ask(1).unwrap().answer().await.unwrap();
    let remembered = || stand.online.remembered(&hash(1)).is_some();
    stand.pass(KEPT - Duration::from_millis(1));
    assert!(remembered());
    stand.pass(Duration::from_millis(1));
    assert!(!remembered());
    stand.watch_is_live.store(true, Ordering::Release);
    assert!(remembered());
    stand.watch_is_live.store(false, Ordering::Release);
    assert!(!remembered());
    // A watch does not tell everything.
    stand.watch_is_live.store(true, Ordering::Release);
    stand.pass(KEPT_WATCHED - KEPT - Duration::from_millis(1));
    assert!(remembered());
    stand.pass(Duration::from_millis(1));
    assert!(!remembered());
}

/// Its age is counted from the question: what is on its way may be overtaken by a revocation.
#[tokio::test]
async fn an_answer_is_as_old_as_its_question() {
    let stand = Stand::new(0);
    let asking = stand.ask(1).unwrap();
    settle().await;
    stand.pass(KEPT);
    stand.gated.gate.add_permits(1);
    asking.answer().await.unwrap();
    assert!(stand.online.remembered(&hash(1)).is_none());
}

#[tokio::test]
async fn a_token_that_was_said_to_be_dead_is_not_remembered_as_alive() {
    let stand = Stand::new(Semaphore::MAX_PERMITS);
    stand.gated.active.store(false, Ordering::SeqCst);
    for asked in 1..3 {
        let answer = stand.ask(1).unwrap().answer().await;
        assert_eq!(answer.err(), Some(TokenRefusal::NotActive.into()));
        assert_eq!(stand.asked(), asked, "a refusal is not kept");
    }
    stand.gated.active.store(true, Ordering::SeqCst);
    stand.ask(1).unwrap().answer().await.unwrap();
    stand.gated.active.store(false, Ordering::SeqCst);
    stand.pass(KEPT);
    let answer = stand.ask(1).unwrap().answer().await;
    assert_eq!(answer.err(), Some(TokenRefusal::Revoked.into()));
    // Whatever says later that it tells of revocations did not tell of this one.
    stand.watch_is_live.store(true, Ordering::Release);
    assert!(stand.online.remembered(&hash(1)).is_none());
    stand.pass(Duration::from_secs(300));
    let answer = stand.ask(1).unwrap().answer().await;
    assert_eq!(answer.err(), Some(TokenRefusal::Expired.into()));
}
