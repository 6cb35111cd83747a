//! What tokens are worth, to those they are for (RFC 7662).

use countersign_issuer::introspect::{Introspection, Recognised, introspect, recognise};
use countersign_issuer::model::ClientId;
use countersign_issuer::{Issuer, IssuerName};
use countersign_jose::UnixTime;
use countersign_telemetry::spans;
use tokio::task::yield_now;
use tracing::Instrument as _;

use super::{Along, Answered, Desk, ProofIs};
use crate::operation::Caller;
use crate::operation::introspect::{Admit, Findings, find};
use crate::refused::Refused;

/// Signatures that are checked in a row before other calls of the worker have their turn: about as
/// long as one call that issues a token takes.
const CHECKED_IN_A_ROW: usize = 8;

/// Tokens that were looked at, all as of one time.
pub(crate) struct Looked {
    recognised: Vec<Recognised>,
    found: Findings,
    issuer: std::sync::Arc<Issuer>,
    at: UnixTime,
}

impl Looked {
    /// What each is worth, in their order.
    pub(crate) fn worth(&self) -> impl Iterator<Item = Introspection<'_>> {
        let client = self.found.caller.as_deref();
        let tokens = self.recognised.iter().zip(&self.found.standings);
        tokens.map(move |(recognised, standing)| {
            introspect(recognised, standing, client, &self.issuer, self.at)
        })
    }

    /// Who says so.
    pub(crate) fn issuer(&self) -> &IssuerName {
        &self.issuer.name
    }
}

impl Desk {
    /// Looks at a token for a client that authenticates with the request. One that is let in by an
    /// access token of its own goes to [`look`](Self::look) at once.
    pub(crate) async fn introspect<'a>(
        &self,
        caller: Caller<'a>,
        token: &str,
        along: Along<'a>,
    ) -> Result<Answered<Looked>, Refused> {
        let caller = caller.over(along.called.certificate());
        let share = &self.overload.introspections;
        let optional = ProofIs::Optional;
        let (visit, proof) = Self::receive(share, &self.engine, &caller, along, optional)?;
        let looked = async {
            let admit = Admit { caller };
            let decided = self.engine.decide_for(Some(&visit), &admit, proof.as_ref());
            decided.await?;
            self.look(&admit.caller.id, &[token]).await
        };
        let looked = looked.instrument(spans::introspect()).await?;
        Ok(self.answered(looked, proof.as_ref()))
    }

    /// Looks at tokens for `caller`, who has been let in.
    pub(crate) async fn look(
        &self,
        caller: &ClientId,
        tokens: &[impl AsRef<str>],
    ) -> Result<Looked, Refused> {
        let issuer = self.engine.issuer.load_full();
        let mut recognised = Vec::with_capacity(tokens.len());
        for some in tokens.chunks(CHECKED_IN_A_ROW) {
            if !recognised.is_empty() {
                yield_now().await;
            }
            let keys = self.keys.in_use();
            let read = |token: &_| recognise(AsRef::as_ref(token), keys.published(), &issuer);
            recognised.extend(some.iter().map(read));
        }
        let found = find(&self.engine.records, &recognised, caller).await?;
        Ok(Looked {
            recognised,
            found,
            issuer,
            at: self.engine.now(),
        })
    }
}
