//! What a rule asks of a token that is good: its scopes, and how and when the
//! person behind it proved who they are.

use std::time::Duration;

use countersign_jose::UnixTime;

use crate::authority::Claims;
use crate::refusal::{Refusal, StepUp};
use crate::routes::Needs;

/// How far the issuer's clock may be ahead of ours. Who proved who they are
/// later than that has not done so yet.
const SKEW: Duration = Duration::from_secs(10);

/// Whether a token with these claims has what a method needs. Allocates only to
/// say what is missing.
///
/// Scopes come first: nobody is sent to log in again for what they may not do.
///
/// How old a login is goes by the `latest` time that was seen: a clock that is
/// set back makes none recent again.
pub(super) fn sufficient(
    claims: &Claims,
    needs: &Needs,
    now: UnixTime,
    latest: UnixTime,
) -> Result<(), Refusal> {
    scopes(claims, needs)?;
    step_up(claims, needs, now, latest)
}

fn scopes(claims: &Claims, needs: &Needs) -> Result<(), Refusal> {
    let holds = |scope: &str| claims.has_scope(scope);
    let missing: Vec<String> = needs
        .scopes()
        .filter(|scope| !holds(scope))
        .map(str::to_owned)
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::ScopeInsufficient(missing));
    }
    if needs.any_scopes.is_empty() || needs.any_scopes().any(holds) {
        return Ok(());
    }
    // Any one of them would do; RFC 6750 §3 has no word for that.
    let any = needs.any_scopes().map(str::to_owned).collect();
    Err(Refusal::ScopeInsufficient(any))
}

/// RFC 9470 §4 and §5.
fn step_up(claims: &Claims, needs: &Needs, now: UnixTime, latest: UnixTime) -> Result<(), Refusal> {
    let strong = needs.acr_values.is_empty()
        || claims
            .acr
            .as_deref()
            .is_some_and(|acr| needs.acr_values().any(|value| value == acr));
    let recent = needs.max_age.is_none_or(|max_age| {
        claims
            .auth_time
            .is_some_and(|at| at <= now.plus(SKEW) && latest <= at.plus(max_age))
    });
    if strong && recent {
        return Ok(());
    }
    Err(Refusal::StepUpRequired(Box::new(StepUp {
        acr_values: needs.acr_values().map(str::to_owned).collect(),
        max_age: needs.max_age,
    })))
}
