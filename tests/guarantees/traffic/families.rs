//! Families of refresh tokens: rotated one after the other, or begun and
//! revoked.

use std::mem;
use std::sync::Arc;

use countersign_client::{Issued, Secret, TokenError, TokenService};
use countersign_testkit::{Desk, Problem};
use parking_lot::Mutex;

use super::told::Told;
use super::{Acknowledged, Loop};
use crate::counts;

pub(super) struct Families {
    desk: Desk,
    acknowledged: Arc<Acknowledged>,
    rotated: Vec<tokio::sync::Mutex<Family>>,
    /// Those that the last round touched.
    begun: Mutex<Vec<Family>>,
    /// Those of earlier rounds.
    earlier: Mutex<Vec<Family>>,
}

/// What the client knows of a family.
#[derive(Clone)]
struct Family {
    /// The refresh tokens that were acknowledged, the newest last; three at
    /// most are kept.
    tokens: Vec<Secret>,
    /// A rotation of the newest was sent and not answered.
    asked: bool,
    revoked: Revoked,
    /// As the service calls it.
    id: String,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Revoked {
    No,
    /// Sent and not answered.
    Asked,
    Acknowledged,
}

impl Families {
    pub(super) async fn begin(
        desk: Desk,
        rotated: usize,
        acknowledged: Arc<Acknowledged>,
    ) -> Result<Self, Problem> {
        let mut families = Vec::new();
        for person in 0..rotated {
            let issued = desk.sign_in(&format!("rotated-{person}")).await?;
            families.push(tokio::sync::Mutex::new(Family::of(&issued)?));
        }
        Ok(Self {
            desk,
            acknowledged,
            rotated: families,
            begun: Mutex::default(),
            earlier: Mutex::default(),
        })
    }

    /// Rotates one family until there is no answer.
    pub(super) async fn rotate(&self, client: usize) -> Loop {
        let tokens = self.desk.desk.token_service();
        let mut family = self.rotated[client].lock().await;
        while self.step(&tokens, &mut family).await? {}
        Ok(())
    }

    /// Signs somebody in, rotates, and revokes every second one, until there is
    /// no answer.
    pub(super) async fn sign_in_and_revoke(&self) -> Loop {
        let tokens = self.desk.desk.token_service();
        for turn in 0_u32.. {
            let sent = Acknowledged::sending();
            // Nothing is known of a family whose first answer was lost.
            let Ok(issued) = self.desk.sign_in("somebody").await else {
                return Ok(());
            };
            self.acknowledged.add(sent);
            let mut family = Family::of(&issued)?;
            self.acknowledged
                .tells(Told::token("CODE_REDEEMED", &family.id, &issued)?);
            let mut goes_on = true;
            for _ in 0..2 {
                goes_on = goes_on && self.step(&tokens, &mut family).await?;
            }
            if goes_on && turn % 2 == 0 {
                goes_on = self.revoke(&tokens, &mut family).await?;
            }
            self.begun.lock().push(family);
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Rotates once. Returns whether there was an answer.
    async fn step(&self, tokens: &TokenService, family: &mut Family) -> Result<bool, Problem> {
        let sent = Acknowledged::sending();
        family.asked = true;
        match tokens.rotate(family.newest()?, &[], &[]).await {
            Ok(issued) => {
                self.acknowledged.add(sent);
                self.acknowledged
                    .tells(Told::token("REFRESH_ROTATED", &family.id, &issued)?);
                family.rotated(&issued)?;
                Ok(true)
            }
            Err(error) => gone(&error, "a rotation of the newest token").map(|()| false),
        }
    }

    async fn revoke(&self, tokens: &TokenService, family: &mut Family) -> Result<bool, Problem> {
        let sent = Acknowledged::sending();
        family.revoked = Revoked::Asked;
        match tokens.revoke(family.newest()?).await {
            Ok(()) => {
                self.acknowledged.add(sent);
                self.acknowledged
                    .tells(Told::of("FAMILY_REVOKED", &family.id));
                family.revoked = Revoked::Acknowledged;
                Ok(true)
            }
            Err(error) => gone(&error, "a revocation").map(|()| false),
        }
    }

    /// Everything since the beginning is looked at the next time.
    pub(super) fn recall_all(&self) {
        let earlier = mem::take(&mut *self.earlier.lock());
        self.begun.lock().extend(earlier);
    }

    /// Whether the families are as the clients know them.
    pub(super) async fn hold(&self) -> Result<(), Problem> {
        let tokens = self.desk.desk.token_service();
        for family in &self.rotated {
            holds(&tokens, &mut *family.lock().await).await?;
        }
        let mut begun = mem::take(&mut *self.begun.lock());
        for family in &mut begun {
            holds(&tokens, family).await?;
        }
        // One of those that live is given up for it: it does not survive.
        if let Some(family) = begun.iter_mut().find(|family| family.is_told_apart()) {
            dies_by_reuse(&tokens, family).await?;
        }
        counts::add(
            "families looked at after a crash",
            self.rotated.len() + begun.len(),
        );
        self.earlier.lock().extend(begun);
        Ok(())
    }
}

/// Whether a family is what was acknowledged, or that and what was asked for.
async fn holds(tokens: &TokenService, family: &mut Family) -> Result<(), Problem> {
    let answer = tokens.rotate(family.newest()?, &[], &[]).await;
    match (family.revoked, answer) {
        (Revoked::Acknowledged, Ok(_)) => Err("a revoked family is alive after a restart".into()),
        (Revoked::Acknowledged | Revoked::Asked, Err(error)) => {
            refused(error, "a revoked family")?;
            family.revoked = Revoked::Acknowledged;
            Ok(())
        }
        (Revoked::No, Err(error)) => {
            let asked = family.asked;
            Err(format!("the newest token is dead (asked {asked}): {error}").into())
        }
        (Revoked::No | Revoked::Asked, Ok(issued)) => {
            family.revoked = Revoked::No;
            // Asked again, since the answer could have been lost.
            let again = tokens.rotate(family.newest()?, &[], &[]).await?;
            let (one, two) = (token(&issued)?, token(&again)?);
            if one.expose() != two.expose() {
                return Err("one token has two distinct successors".into());
            }
            family.rotated(&issued)
        }
    }
}

/// The predecessor of the predecessor is reuse, and ends the family.
async fn dies_by_reuse(tokens: &TokenService, family: &mut Family) -> Result<(), Problem> {
    for (token, what) in [
        (family.tokens[0].clone(), "a token that was used long ago"),
        (family.newest()?.clone(), "a family whose token was reused"),
    ] {
        match tokens.rotate(&token, &[], &[]).await {
            Ok(_) => return Err(format!("{what} was accepted after a restart").into()),
            Err(error) => refused(error, what)?,
        }
    }
    family.revoked = Revoked::Acknowledged;
    counts::add("reuses refused after a crash", 1);
    Ok(())
}

impl Family {
    fn of(issued: &Issued) -> Result<Self, Problem> {
        Ok(Self {
            tokens: vec![token(issued)?],
            asked: false,
            revoked: Revoked::No,
            id: issued.family_id.clone().ok_or("no name of the family")?,
        })
    }

    fn newest(&self) -> Result<&Secret, Problem> {
        Ok(self.tokens.last().ok_or("a family without a token")?)
    }

    fn rotated(&mut self, issued: &Issued) -> Result<(), Problem> {
        self.asked = false;
        self.tokens.push(token(issued)?);
        if self.tokens.len() > 3 {
            self.tokens.remove(0);
        }
        Ok(())
    }

    /// Whether it lives and has a predecessor's predecessor.
    fn is_told_apart(&self) -> bool {
        self.revoked == Revoked::No && self.tokens.len() == 3
    }
}

pub(super) fn token(issued: &Issued) -> Result<Secret, Problem> {
    Ok(issued.refresh_token.clone().ok_or("no refresh token")?)
}

/// A refusal is a surprise; anything else means that the service has gone.
pub(super) fn gone(error: &TokenError, what: &str) -> Result<(), Problem> {
    match error {
        TokenError::Refused(..) => Err(format!("{what} was refused: {error}").into()),
        _ => Ok(()),
    }
}

/// The other way round.
fn refused(error: TokenError, what: &str) -> Result<(), Problem> {
    match error {
        TokenError::Refused(refused, _)
            if refused.oauth_error.as_deref() == Some("invalid_grant") =>
        {
            Ok(())
        }
        error => Err(format!("{what} was answered {error}").into()),
    }
}
