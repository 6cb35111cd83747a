//! What holds for a family in whatever order things happen.
//!
//! - There are never two distinct successors of a generation.
//! - After a reuse nothing of the family is honoured.
//! - Scope never grows.
//! - A refusal other than reuse changes nothing.

use std::collections::HashMap;

use countersign_issuer::{Issued, Refusal};
use countersign_jose::Thumbprint;
use proptest::prelude::*;

use crate::world::{KEY_A, KEY_B, World, outcome, refresh_token};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody presents one of the refresh tokens that were handed out.
    Present(Presentation),
    /// Two do so at the same time: both are decided on the same record.
    Race(Presentation, Presentation),
    /// Time passes, or the clock is set back.
    Pass { secs: i32 },
}

#[derive(Clone, Debug)]
struct Presentation {
    /// Which token, counted from the newest.
    back: usize,
    key: Thumbprint,
    by_owner: bool,
    scopes: &'static [&'static str],
}

fn presentation() -> impl Strategy<Value = Presentation> {
    let scopes: [&'static [&'static str]; 5] = [
        &[],
        &[],
        &["orders.read"],
        &["orders.write"],
        &["orders.read", "bills.read"],
    ];
    (
        prop_oneof![4 => Just(0_usize), 3 => Just(1), 1 => 2..6_usize],
        prop_oneof![5 => Just(KEY_A), 1 => Just(KEY_B)],
        prop_oneof![9 => Just(true), 1 => Just(false)],
        prop::sample::select(scopes.to_vec()),
    )
        .prop_map(|(back, key, by_owner, scopes)| Presentation {
            back,
            key,
            by_owner,
            scopes,
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => presentation().prop_map(Step::Present),
        2 => (presentation(), presentation()).prop_map(|(one, two)| Step::Race(one, two)),
        3 => prop_oneof![4 => 0..8_i32, 2 => 8..20_i32, 1 => -20..0_i32, 1 => 0..400_000_i32]
            .prop_map(|secs| Step::Pass { secs }),
    ]
}

/// A family in its world, and what was seen of it.
struct Seen {
    world: World,
    owner: &'static str,
    first: Issued,
    tokens: Vec<String>,
    accesses: Vec<String>,
    successors: HashMap<String, String>,
    reused: bool,
}

impl Seen {
    fn new(owner: &'static str) -> Self {
        let mut world = World::new();
        let first = world.grant(owner);
        let (token, access) = (refresh_token(&first), world.sign(&first));
        Self {
            world,
            owner,
            first,
            tokens: vec![token],
            accesses: vec![access],
            successors: HashMap::new(),
            reused: false,
        }
    }

    fn happen(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Pass { secs } => {
                let by = std::time::Duration::from_secs(u64::from(secs.unsigned_abs()));
                self.world.now = if *secs < 0 {
                    self.world.now.minus(by)
                } else {
                    self.world.now.plus(by)
                };
                Ok(())
            }
            Step::Present(presentation) => self.present(presentation),
            Step::Race(one, two) => {
                // An answer that writes nothing holds as of when its record was read.
                let reused = self.reused;
                let (first, second) = (self.decide(one), self.decide(two));
                for ((token, decision), presentation) in [(first, one), (second, two)] {
                    match self.world.commit(&decision.change) {
                        Ok(()) => self.answered(&token, decision.answer, reused)?,
                        Err(_) => self.present(presentation)?,
                    }
                }
                Ok(())
            }
        }
    }

    fn decide(
        &mut self,
        presentation: &Presentation,
    ) -> (String, countersign_issuer::Decision<Issued>) {
        let at = self.tokens.len().saturating_sub(1 + presentation.back);
        let token = self.tokens[at].clone();
        let who = if presentation.by_owner {
            self.owner
        } else {
            "other"
        };
        let decided = self
            .world
            .rotation(who, &token, presentation.scopes, presentation.key);
        (token, decided.expect("the tokens are ours"))
    }

    fn present(&mut self, presentation: &Presentation) -> Result<(), TestCaseError> {
        let before = self.world.family_of(&self.first).clone();
        let (token, decision) = self.decide(presentation);
        let label = decision.answer.as_ref().err().map(Refusal::label);
        prop_assert!(self.world.commit(&decision.change).is_ok());
        if label.is_some_and(|label| label != "grant_reused") {
            prop_assert_eq!(self.world.family_of(&self.first), &before, "{:?}", label);
        }
        self.answered(&token, decision.answer, self.reused)
    }

    fn answered(
        &mut self,
        token: &str,
        answer: Result<Issued, Refusal>,
        reused: bool,
    ) -> Result<(), TestCaseError> {
        match answer {
            Ok(issued) => {
                prop_assert!(!reused, "honoured after reuse");
                let granted = self.world.family_of(&self.first).permissions.scopes();
                prop_assert!(issued.claims.scopes.is_within(&granted));
                let successor = refresh_token(&issued);
                let earlier = self
                    .successors
                    .entry(token.to_owned())
                    .or_insert_with(|| successor.clone());
                prop_assert_eq!(&*earlier, &successor, "two distinct successors");
                if !self.tokens.contains(&successor) {
                    self.tokens.push(successor);
                }
                self.accesses.push(self.world.sign(&issued));
            }
            Err(refusal) if refusal.label() == "grant_reused" => self.reused = true,
            Err(_) => {}
        }
        Ok(())
    }

    fn holds(&self) -> Result<(), TestCaseError> {
        let family = self.world.family_of(&self.first);
        prop_assert_eq!(family.revoked.is_some(), self.reused);
        prop_assert_eq!(
            usize::try_from(family.generation.number()).unwrap() + 1,
            self.tokens.len(),
            "one token for every generation"
        );
        if self.reused {
            for access in &self.accesses {
                prop_assert!(!self.world.is_active(access, "guard"));
            }
            for token in &self.tokens {
                prop_assert!(!self.world.is_active(token, self.owner));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_whatever_happens(
        owner in prop::sample::select(vec!["checkout", "roaming", "spa"]),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut seen = Seen::new(owner);
        for step in &steps {
            seen.happen(step)?;
            seen.holds()?;
        }
        if seen.reused {
            for token in seen.tokens.clone() {
                let answer = seen.world.rotate(owner, &token, &[], KEY_A);
                prop_assert!(outcome(answer).is_some());
            }
        }
    }
}
