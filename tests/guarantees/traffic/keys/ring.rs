//! The keys of one purpose, as whoever changes them knows them, and whether what
//! is listed agrees with that.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::admin::v1::{
    RevokeSigningKeyResponse, RotateSigningKeyResponse, SigningKey, SigningKeyPurpose,
    SigningKeyState,
};
use countersign_testkit::Problem;

use super::super::CALL_SECS_MAX;
use super::super::told::AuditLog;
use crate::counts;

/// Next keys that are revoked, one after the other, before one is left alone: it
/// becomes ready only after more than a minute.
const REVOKED_MAX: usize = 40;

/// A next key that is ready sooner may be active by the time that its revocation
/// arrives, and would take along what others hold.
const FAR: Duration = CALL_SECS_MAX.saturating_mul(2);

pub(super) struct Ring {
    purpose: SigningKeyPurpose,
    /// All that there ever were, by their names.
    keys: BTreeMap<String, Key>,
    /// What was sent and not answered.
    asked: Option<Step>,
    /// Next keys that were revoked since the active key was replaced.
    revoked: usize,
    /// Whether the next replacement is asked for before the next key is ready. It
    /// changes with each replacement.
    early: bool,
}

#[derive(Copy, Clone)]
struct Key {
    state: State,
    /// Its replacement was asked for, and remembered.
    rotation_asked: bool,
    /// It was active from the beginning.
    first: bool,
}

/// What a key does. It never goes back to what it did before.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum State {
    Next,
    Active,
    Retiring,
    Revoked,
}

/// What is done with the keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Rotate,
    Revoke(String),
}

impl Ring {
    pub(super) fn new(purpose: SigningKeyPurpose, early: bool) -> Self {
        Self {
            purpose,
            keys: BTreeMap::new(),
            asked: None,
            revoked: 0,
            early,
        }
    }

    pub(super) fn purpose(&self) -> SigningKeyPurpose {
        self.purpose
    }

    /// What to do next. While nothing is, the next key comes closer to its time.
    pub(super) fn due(&self, listed: &[SigningKey], now_secs: u64) -> Option<Step> {
        let active = self.listed(listed, SigningKeyState::Active).next()?;
        let next = self.listed(listed, SigningKeyState::Next).next()?;
        // While it is not published, it is more than a minute away.
        let ready_secs = next.activate_time.as_ref().map_or(u64::MAX, |ready| {
            u64::try_from(ready.seconds).unwrap_or_default()
        });
        let is_far = ready_secs > now_secs + FAR.as_secs();
        let is_ready = ready_secs <= now_secs;
        if !active.rotation_asked && (is_ready || self.early) {
            return Some(Step::Rotate);
        }
        (is_far && self.revoked < REVOKED_MAX).then(|| Step::Revoke(next.kid.clone()))
    }

    /// It is about to be sent.
    pub(super) fn ask(&mut self, step: Step) {
        self.asked = Some(step);
    }

    /// A replacement was acknowledged: it was made, or will be.
    pub(super) fn rotated(&mut self, answer: &RotateSigningKeyResponse) -> Result<(), Problem> {
        let active = answer.active_key.as_ref().ok_or("no active key")?;
        let before = self.active()?;
        if active.kid != before {
            self.replaced(&before, &active.kid)?;
        } else if answer.rotate_time.is_none() {
            return Err(format!("{before} was replaced, and is active").into());
        }
        if answer.rotate_time.is_some() {
            self.key(&active.kid)?.rotation_asked = true;
        }
        if let Some(next) = &answer.next_key {
            let made = Key::new(State::Next);
            self.keys.entry(next.kid.clone()).or_insert(made);
        }
        self.asked = None;
        Ok(())
    }

    /// The revocation of a next key was acknowledged.
    pub(super) fn revoked(
        &mut self,
        kid: &str,
        answer: &RevokeSigningKeyResponse,
    ) -> Result<(), Problem> {
        let active = answer.active_key.as_ref().ok_or("no active key")?;
        if active.kid != self.active()? {
            return Err(format!("the next key {kid} was revoked, and another is active").into());
        }
        self.key(kid)?.state = State::Revoked;
        self.revoked += 1;
        self.asked = None;
        Ok(())
    }

    /// Whether what is listed is what was acknowledged, or that and the step that
    /// was asked for. It is what is known from now on.
    pub(super) fn read(&mut self, listed: &[SigningKey]) -> Result<(), Problem> {
        let active: Vec<_> = self.listed(listed, SigningKeyState::Active).collect();
        let [active] = active[..] else {
            return Err(format!("{} keys for {} are active", active.len(), self.named()).into());
        };
        let known: Vec<String> = self.keys.keys().cloned().collect();
        if known.is_empty() {
            for key in self.of_purpose(listed) {
                let mut found = Key::new(State::of(key)?);
                found.first = found.state == State::Active;
                found.rotation_asked = key.rotation_asked;
                self.keys.insert(key.kid.clone(), found);
            }
            return Ok(());
        }
        self.passes_to(&active.kid)?;
        let listed: BTreeMap<&str, &SigningKey> = self
            .of_purpose(listed)
            .map(|key| (key.kid.as_str(), key))
            .collect();
        for kid in &known {
            self.fits(kid, listed.get(kid.as_str()).copied())?;
        }
        for (kid, key) in listed {
            let found = State::of(key)?;
            if !self.keys.contains_key(kid) {
                if found != State::Next {
                    return Err(format!("{kid} is {found:?}, and nobody knew it").into());
                }
                self.keys.insert(kid.to_owned(), Key::new(found));
            }
        }
        Ok(())
    }

    /// The same after a restart: what was not answered happened by now, or never
    /// will.
    pub(super) fn settled(&mut self, listed: &[SigningKey]) -> Result<(), Problem> {
        self.read(listed)?;
        self.asked = None;
        Ok(())
    }

    /// Whether there is one key to go on with.
    pub(super) fn goes_on(&self, listed: &[SigningKey]) -> Result<(), Problem> {
        match self.listed(listed, SigningKeyState::Next).count() {
            1 => Ok(()),
            next => Err(format!("{next} keys for {} are next", self.named()).into()),
        }
    }

    /// How many there ever were.
    pub(super) fn count(&self) -> usize {
        self.keys.len()
    }

    /// What the log must tell of each key at least.
    pub(super) fn events(&self) -> BTreeMap<String, Vec<&'static str>> {
        let events = |(kid, key): (&String, &Key)| (kid.clone(), key.events());
        self.keys.iter().map(events).collect()
    }

    /// Whether the log tells of what was done to the keys, of nothing else, and in
    /// that order. `least` is what was known before the log was read; the service
    /// may have replaced a key since.
    pub(super) fn is_told(
        &self,
        least: &BTreeMap<String, Vec<&'static str>>,
        log: &AuditLog,
    ) -> Result<(), Problem> {
        for (kid, key) in &self.keys {
            let asked = |event: &&String| *event == ASKED;
            let told: Vec<_> = log
                .about(kid)
                .iter()
                .filter(|event| !asked(event))
                .collect();
            let least = least.get(kid).map_or(&[][..], Vec::as_slice);
            let most = key.events();
            let is_told = told.len() >= least.len()
                && told.len() <= most.len()
                && told.iter().zip(&most).all(|(told, most)| told == most);
            if !is_told {
                let was = format!("between {least:?} and {most:?}");
                return Err(format!("{kid} is {was}, and told of is {told:?}").into());
            }
            let asked = log.about(kid).iter().filter(asked).count();
            if asked > 1 || asked < usize::from(key.rotation_asked) {
                return Err(format!("{kid} was to be replaced: told {asked} times").into());
            }
        }
        Ok(())
    }

    /// Whether it is one of these.
    pub(super) fn has(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    fn fits(&mut self, kid: &str, listed: Option<&SigningKey>) -> Result<(), Problem> {
        let known = *self.key(kid)?;
        let Some(listed) = listed else {
            if known.state != State::Revoked && self.asked != Some(Step::Revoke(kid.to_owned())) {
                return Err(format!("{kid} was {:?}, and is gone", known.state).into());
            }
            self.key(kid)?.state = State::Revoked;
            return Ok(());
        };
        let found = State::of(listed)?;
        if found < known.state {
            return Err(format!("{kid} was {:?}, and is {found:?}", known.state).into());
        }
        if found == State::Active && known.rotation_asked && !listed.rotation_asked {
            return Err(format!("that {kid} is to be replaced is forgotten").into());
        }
        let key = self.key(kid)?;
        key.state = found;
        key.rotation_asked |= listed.rotation_asked;
        Ok(())
    }

    /// The key that is active now: the same, or another because somebody asked.
    fn passes_to(&mut self, active: &str) -> Result<(), Problem> {
        let before = self.active()?;
        if before == active {
            return Ok(());
        }
        if !self.key(&before)?.rotation_asked && self.asked != Some(Step::Rotate) {
            return Err(format!("{active} is active, and nobody asked for it").into());
        }
        self.replaced(&before, active)
    }

    fn replaced(&mut self, before: &str, by: &str) -> Result<(), Problem> {
        self.key(before)?.state = State::Retiring;
        let by = self.key(by)?;
        if by.state != State::Next {
            return Err(format!("a key that was {:?} is active", by.state).into());
        }
        by.state = State::Active;
        self.revoked = 0;
        self.early = !self.early;
        counts::add("keys of the service replaced", 1);
        Ok(())
    }

    fn active(&self) -> Result<String, Problem> {
        let active = self.keys.iter().find(|(_, key)| key.state == State::Active);
        Ok(active.ok_or("no key is known to be active")?.0.clone())
    }

    fn key(&mut self, kid: &str) -> Result<&mut Key, Problem> {
        let key = self.keys.get_mut(kid);
        key.ok_or_else(|| format!("nobody knew the key {kid}").into())
    }

    fn listed<'l>(
        &self,
        listed: &'l [SigningKey],
        state: SigningKeyState,
    ) -> impl Iterator<Item = &'l SigningKey> {
        self.of_purpose(listed)
            .filter(move |key| key.state() == state)
    }

    fn of_purpose<'l>(
        &self,
        listed: &'l [SigningKey],
    ) -> impl Iterator<Item = &'l SigningKey> + use<'l> {
        let purpose = self.purpose;
        listed.iter().filter(move |key| key.purpose() == purpose)
    }

    fn named(&self) -> &'static str {
        self.purpose.as_str_name()
    }
}

const ASKED: &str = "KEY_ROTATION_ASKED";

impl Key {
    fn new(state: State) -> Self {
        Self {
            state,
            rotation_asked: false,
            first: false,
        }
    }

    /// What was done to it, without whether its replacement was asked for.
    fn events(&self) -> Vec<&'static str> {
        let activated = (!self.first).then_some("KEY_ACTIVATED");
        let more = match self.state {
            State::Next => [None, None],
            State::Active => [activated, None],
            State::Retiring => [activated, Some("KEY_RETIRED")],
            State::Revoked => [Some("KEY_REVOKED"), None],
        };
        let created = ["KEY_CREATED"];
        created
            .into_iter()
            .chain(more.into_iter().flatten())
            .collect()
    }
}

impl State {
    fn of(key: &SigningKey) -> Result<Self, Problem> {
        match key.state() {
            SigningKeyState::Next => Ok(Self::Next),
            SigningKeyState::Active => Ok(Self::Active),
            SigningKeyState::Retiring => Ok(Self::Retiring),
            SigningKeyState::Unspecified => Err(format!("{} has no state", key.kid).into()),
        }
    }
}
