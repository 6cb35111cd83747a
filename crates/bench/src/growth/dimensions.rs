//! What there is more and more of. For each size a server of its own is up at the same time, and
//! they are called in turns: whatever else the machine does falls on all sizes alike.

use std::sync::Arc;

use super::curve::{Axis, counted};
use super::plan::Plan;
use super::streams::{Introspecting, Issuing, Ordering, Rotating, STREAMS, Stream, Streams, Token};
use super::{Rested, Run, Site};
use crate::call::Connection;
use crate::child::{Guarded, ORIGIN, Spec};
use crate::rows::ORDER_ANSWER_BYTES;
use crate::rows::access_tokens::AccessTokens;
use crate::stand::{Callers, Population, Stand};
use crate::world::{Prover, Setting};
use crate::{BenchError, Process};

/// Nobody is limited by who they are, but everybody is asked: what is measured is what a call costs.
pub(super) const OVERRIDES: [(&str, &str); 2] = [
    ("limits.client_calls_per_sec", "1000000"),
    ("proofs.remembered_max", "80000000"),
];

/// Calls of a stream before tokens are issued anew.
const PASSING: usize = 1_000;

const INTROSPECT: Axis = plain("introspect, by families");
const ROTATE: Axis = Axis {
    name: "rotate, by families",
    // One for each stream.
    judged_from: STREAMS as u64,
    note: Some("fewer than 64: fewer at once, not judged"),
};
const CLIENTS: Axis = plain("issue, by clients");
const SPENT: Axis = plain("guard, by spent proofs");
const TOKENS: Axis = Axis {
    note: Some("at most 32,768 of them are remembered"),
    ..plain("guard, by tokens seen")
};
const CONNECTIONS: Axis = Axis {
    name: "issue, by connections",
    judged_from: STREAMS as u64,
    note: Some("fewer than 64 share packets: not judged"),
};

const fn plain(name: &'static str) -> Axis {
    Axis {
        name,
        judged_from: 0,
        note: None,
    }
}

/// The servers of all stands, once they have come to rest.
async fn all_rested<'s>(
    axis: Axis,
    stands: &'s mut [(u64, Stand)],
    run: &mut Run<'_>,
) -> Result<Vec<(Callers, Rested<'s>)>, BenchError> {
    let mut rested = Vec::with_capacity(stands.len());
    for (size, stand) in stands {
        let callers = stand.callers();
        let server = run.rested(axis, *size, stand.process()).await?;
        rested.push((callers, server));
    }
    Ok(rested)
}

/// Rotation and introspection, by families. Gives back the stand with the most, and how many
/// families it has.
pub(super) async fn families(
    setting: &Setting,
    plan: &Plan,
    run: &mut Run<'_>,
) -> Result<Option<(Stand, u64)>, BenchError> {
    let mut stands = Vec::new();
    for &families in &plan.families {
        run.begins(format!("a store with {} families", counted(families)));
        let population = Population {
            clients: 1,
            families: families as usize,
            expired: 0,
        };
        stands.push((
            families,
            Stand::start(setting, &population, &OVERRIDES).await?,
        ));
    }

    let mut sites = Vec::new();
    for (callers, server) in all_rested(INTROSPECT, &mut stands, run).await? {
        let connections = server.connect(1).await?;
        let own = Arc::new(callers.own_tokens(&connections[0]).await?);
        let (_, asked) = shares(callers.refresh_tokens());
        let tokens: Arc<[String]> = asked.into();
        let streams = (0..STREAMS).map(|nth| -> Box<dyn Stream> {
            Box::new(Introspecting {
                callers: callers.clone(),
                own: Arc::clone(&own),
                tokens: Arc::clone(&tokens),
                nth,
            })
        });
        sites.push(server.site(Streams::new(connections, streams)));
    }
    run.curve(INTROSPECT, plan, sites).await?;

    let mut sites = Vec::new();
    for (callers, server) in all_rested(ROTATE, &mut stands, run).await? {
        let rotated = match shares(callers.refresh_tokens()) {
            // Nobody asks about them any more.
            ([], asked) => asked,
            (rotated, _) => rotated,
        };
        let streams = (0..STREAMS.min(rotated.len())).map(|nth| -> Box<dyn Stream> {
            let own = rotated.iter().skip(nth).step_by(STREAMS);
            Box::new(Rotating {
                callers: callers.clone(),
                families: own.cloned().collect(),
                at: 0,
            })
        });
        let connections = server.connect(1).await?;
        sites.push(server.site(Streams::new(connections, streams)));
    }
    run.curve(ROTATE, plan, sites).await?;
    Ok(stands.pop().map(|(size, stand)| (stand, size)))
}

/// Those that are rotated, and those that are asked about: a rotated one is worth nothing.
pub(super) fn shares(tokens: &[String]) -> (&[String], &[String]) {
    let rotated = match tokens.len() {
        few if few <= STREAMS => 0,
        some => STREAMS.max(some / 2),
    };
    tokens.split_at(rotated)
}

/// Tokens by secret, by clients.
pub(super) async fn clients(
    setting: &Setting,
    plan: &Plan,
    run: &mut Run<'_>,
) -> Result<(), BenchError> {
    let mut stands = Vec::new();
    for &clients in &plan.clients {
        run.begins(format!("a store with {} clients", counted(clients)));
        stands.push((clients, issuing(setting, clients).await?));
    }
    let mut sites = Vec::new();
    for (callers, server) in all_rested(CLIENTS, &mut stands, run).await? {
        let connections = server.connect(1).await?;
        sites.push(server.site(issuers(&callers, connections)));
    }
    run.curve(CLIENTS, plan, sites).await
}

/// Tokens by secret, by connections.
pub(super) async fn connections(
    setting: &Setting,
    plan: &Plan,
    run: &mut Run<'_>,
) -> Result<(), BenchError> {
    let mut stands = Vec::new();
    for &connections in &plan.connections {
        stands.push((connections, issuing(setting, STREAMS as u64).await?));
    }
    let mut sites = Vec::new();
    for (callers, server) in all_rested(CONNECTIONS, &mut stands, run).await? {
        run.begins(format!("{} connections", counted(server.size)));
        let connections = used(&callers, &server).await?;
        sites.push(server.site(issuers(&callers, connections)));
    }
    run.curve(CONNECTIONS, plan, sites).await
}

/// Connections that have had a call: those without one are soon closed.
async fn used(callers: &Callers, server: &Rested<'_>) -> Result<Vec<Connection>, BenchError> {
    let mut connections = Vec::with_capacity(server.size as usize);
    for nth in 0..server.size as usize {
        let connection = Connection::open(server.url()).await?;
        let call = callers.issue(nth, &callers.issue_proof(nth)?)?;
        connection
            .call(call)
            .await
            .map_err(BenchError::preparing("a connection that has had a call"))?;
        connections.push(connection);
    }
    Ok(connections)
}

async fn issuing(setting: &Setting, clients: u64) -> Result<Stand, BenchError> {
    let population = Population {
        clients: clients as usize,
        ..Population::default()
    };
    Stand::start(setting, &population, &OVERRIDES).await
}

fn issuers(callers: &Callers, connections: Vec<Connection>) -> Streams {
    let streams = (0..STREAMS).map(|nth| -> Box<dyn Stream> {
        Box::new(Issuing {
            callers: callers.clone(),
            nth,
        })
    });
    Streams::new(connections, streams)
}

/// Guarded calls, by spent proofs.
pub(super) async fn spent(
    setting: &Setting,
    plan: &Plan,
    run: &mut Run<'_>,
) -> Result<(), BenchError> {
    let mut servers = Vec::new();
    for &spent in &plan.spent {
        run.begins(format!("a ledger with {} spent proofs", counted(spent)));
        servers.push((spent, guarded(setting, spent)?));
    }
    let mut rested = Vec::new();
    for (size, server) in &mut servers {
        rested.push(run.rested(SPENT, *size, server).await?);
    }
    let mut sites = Vec::new();
    for server in rested {
        sites.push(orders(server, STREAMS).await?);
    }
    run.curve(SPENT, plan, sites).await
}

/// Guarded calls, by tokens that were seen: each was used once, but those of the callers.
pub(super) async fn tokens(
    setting: &Setting,
    plan: &Plan,
    run: &mut Run<'_>,
) -> Result<(), BenchError> {
    let mut servers = Vec::new();
    for &tokens in &plan.tokens {
        run.begins(format!("a guard that has seen {} tokens", counted(tokens)));
        let server = guarded(setting, 0)?;
        let mut each = (tokens as usize).saturating_sub(STREAMS) / STREAMS;
        let new = |_: &AccessTokens, nth| Ok(Token::New(nth));
        while each > 0 {
            // A token lives for ten minutes: a million of them are not all from the beginning.
            let some = each.min(PASSING);
            let connections = Connection::open_many(&server.facts().url, 1).await?;
            let mut passing = ordering(connections, new)?;
            passing.run(some, &mut run.failures).await?;
            each -= some;
        }
        servers.push((tokens, server));
    }
    let mut rested = Vec::new();
    for (size, server) in &mut servers {
        rested.push(run.rested(TOKENS, *size, server).await?);
    }
    let mut sites = Vec::new();
    for server in rested {
        // As few as were seen.
        let tokens = STREAMS.min(server.size as usize);
        sites.push(orders(server, tokens).await?);
    }
    run.curve(TOKENS, plan, sites).await
}

fn guarded(setting: &Setting, spent: u64) -> Result<Process, BenchError> {
    let spec = Spec::Guarded(Guarded {
        answer_bytes: ORDER_ANSWER_BYTES,
        spent,
        ..Guarded::default()
    });
    Process::start(&setting.executable, &spec, setting.cores)
}

/// Orders with so many tokens.
async fn orders(server: Rested<'_>, tokens: usize) -> Result<Site<'_>, BenchError> {
    let connections = server.connect(1).await?;
    let own = |all: &AccessTokens, nth| Ok(Token::Own(all.token(nth % tokens + 1)?));
    Ok(server.site(ordering(connections, own)?))
}

fn ordering(
    connections: Vec<Connection>,
    token: impl Fn(&AccessTokens, usize) -> Result<Token, BenchError>,
) -> Result<Streams, BenchError> {
    let prover = Arc::new(Prover::new(ORIGIN)?);
    let tokens = Arc::new(AccessTokens::new(&prover)?);
    let mut streams: Vec<Box<dyn Stream>> = Vec::with_capacity(STREAMS);
    for nth in 0..STREAMS {
        streams.push(Box::new(Ordering {
            prover: Arc::clone(&prover),
            tokens: Arc::clone(&tokens),
            token: token(&tokens, nth)?,
        }));
    }
    Ok(Streams::new(connections, streams))
}

#[cfg(test)]
mod tests {
    use super::super::plan::REMEMBERED_MAX;
    use super::*;

    #[test]
    fn a_guard_remembers_as_many_tokens_as_the_note_says() {
        let guard = include_str!("../../../guard/src/authority/seen.rs");
        let number = |name: &str| -> u64 {
            let (_, after) = guard
                .split_once(&format!("const {name}: usize = "))
                .expect(name);
            let (number, _) = after.split_once(';').expect("an end");
            number.parse().expect("a number")
        };
        assert_eq!(number("SHARDS") * 2 * number("HALF_MAX"), REMEMBERED_MAX);
        let note = TOKENS.note.expect("there is one");
        assert!(note.contains(&counted(REMEMBERED_MAX)), "{note}");
        assert!(Plan::full().tokens.contains(&REMEMBERED_MAX));
    }
}
