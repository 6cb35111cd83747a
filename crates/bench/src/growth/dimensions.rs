//! What there is more and more of. For each size a server of its own is up at the same time, and
//! they are called in turns: whatever else the machine does falls on all sizes alike.

use std::sync::Arc;

use super::Run;
use super::curve::counted;
use super::plan::Plan;
use super::streams::{Introspecting, Issuing, Ordering, Rotating, STREAMS, Stream, Streams, Token};
use crate::call::Connection;
use crate::child::{Guarded, ORIGIN, Spec};
use crate::rows::ORDER_ANSWER_BYTES;
use crate::rows::batch::AccessTokens;
use crate::stand::{Population, Stand};
use crate::world::{Prover, Setting};
use crate::{BenchError, Process};

/// Nobody is limited by who they are: what is measured is what a call costs.
pub(super) const OVERRIDES: [(&str, &str); 2] = [
    ("limits.client_calls_per_sec", "0"),
    ("proofs.remembered_max", "80000000"),
];

/// Calls of a stream before tokens are issued anew.
const PASSING: usize = 1_000;

/// What is measured at one size.
pub(super) struct Site<'a> {
    pub(super) size: u64,
    pub(super) server: &'a mut Process,
    pub(super) streams: Streams,
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
    for (size, stand) in &mut stands {
        let connections = Connection::open_many(stand.url(), 1).await?;
        let callers = stand.callers();
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
        sites.push(Site {
            size: *size,
            streams: Streams::new(connections, streams),
            server: stand.process(),
        });
    }
    run.curve("introspect, by families", plan, sites).await?;

    let mut sites = Vec::new();
    for (size, stand) in &mut stands {
        let callers = stand.callers();
        let (rotated, _) = shares(callers.refresh_tokens());
        if rotated.len() < STREAMS {
            continue;
        }
        let streams = (0..STREAMS).map(|nth| -> Box<dyn Stream> {
            let own = rotated.iter().skip(nth).step_by(STREAMS);
            Box::new(Rotating {
                callers: callers.clone(),
                families: own.cloned().collect(),
                at: 0,
            })
        });
        let connections = Connection::open_many(stand.url(), 1).await?;
        sites.push(Site {
            size: *size,
            streams: Streams::new(connections, streams),
            server: stand.process(),
        });
    }
    run.curve("rotate, by families", plan, sites).await?;
    Ok(stands.pop().map(|(size, stand)| (stand, size)))
}

/// Those that are rotated, and those that are asked about: a rotated one is worth nothing.
fn shares(tokens: &[String]) -> (&[String], &[String]) {
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
    for (size, stand) in &mut stands {
        let connections = Connection::open_many(stand.url(), 1).await?;
        sites.push(issuers(*size, stand, connections));
    }
    run.curve("issue, by clients", plan, sites).await
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
    for (size, stand) in &mut stands {
        run.begins(format!("{} connections", counted(*size)));
        let connections = used(stand, *size as usize).await?;
        sites.push(issuers(*size, stand, connections));
    }
    run.curve("issue, by connections", plan, sites).await
}

/// Connections that have had a call: those without one are soon closed.
async fn used(stand: &Stand, count: usize) -> Result<Vec<Connection>, BenchError> {
    let callers = stand.callers();
    let mut connections = Vec::with_capacity(count);
    for nth in 0..count {
        let connection = Connection::open(stand.url()).await?;
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

fn issuers(size: u64, stand: &mut Stand, connections: Vec<Connection>) -> Site<'_> {
    let callers = stand.callers();
    let streams = (0..STREAMS).map(|nth| -> Box<dyn Stream> {
        Box::new(Issuing {
            callers: callers.clone(),
            nth,
        })
    });
    Site {
        size,
        streams: Streams::new(connections, streams),
        server: stand.process(),
    }
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
    let mut sites = Vec::new();
    for (size, server) in &mut servers {
        sites.push(orders(*size, server).await?);
    }
    run.curve("guard, by spent proofs", plan, sites).await
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
    let mut sites = Vec::new();
    for (size, server) in &mut servers {
        sites.push(orders(*size, server).await?);
    }
    run.curve("guard, by tokens seen", plan, sites).await
}

fn guarded(setting: &Setting, spent: u64) -> Result<Process, BenchError> {
    let spec = Spec::Guarded(Guarded {
        answer_bytes: ORDER_ANSWER_BYTES,
        spent,
        ..Guarded::default()
    });
    Process::start(&setting.executable, &spec, setting.cores)
}

async fn orders(size: u64, server: &mut Process) -> Result<Site<'_>, BenchError> {
    let connections = Connection::open_many(&server.facts().url, 1).await?;
    let own = |tokens: &AccessTokens, nth| Ok(Token::Own(tokens.token(nth + 1)?));
    Ok(Site {
        size,
        streams: ordering(connections, own)?,
        server,
    })
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
