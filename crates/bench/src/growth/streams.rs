//! Streams of calls that go on from round to round. Each signs its next call when the last one is
//! answered: what is measured is the server's processor time, not the load's.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign::example::v1::CreateOrderRequest;
use countersign::introspection::v1::IntrospectTokenResponse;
use countersign::token::v1::{IssueTokenResponse, RotateTokenResponse};
use tokio::task::JoinSet;

use crate::BenchError;
use crate::call::{Call, Connection, Failed, Failures, decode};
use crate::rows::access_tokens::AccessTokens;
use crate::rows::floor::{self, CREATE};
use crate::rows::{ORDER_ANSWER_BYTES, ORDER_REQUEST_BYTES};
use crate::stand::{Callers, Own, check_issued};
use crate::world::Prover;

/// Streams at once: the number that goals are for.
pub(super) const STREAMS: usize = 64;

/// Whoever has no answer for so long gets none.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream of calls, one after the other.
pub(super) trait Stream: Send {
    /// The next call.
    fn next(&mut self) -> Result<Call, BenchError>;

    /// Checks its answer, and keeps what the one after it needs.
    fn answered(&mut self, message: Bytes) -> Result<(), Failed>;
}

/// The streams of one server.
pub(super) struct Streams {
    streams: Vec<Box<dyn Stream>>,
    connections: Vec<Connection>,
    /// How many calls each has made.
    made: usize,
}

impl Streams {
    pub(super) fn new(
        connections: Vec<Connection>,
        streams: impl IntoIterator<Item = Box<dyn Stream>>,
    ) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            connections,
            made: 0,
        }
    }

    /// Opens connections anew that were idle for so long, while other servers had their turn, that
    /// this one has closed them.
    pub(super) async fn reopen(&mut self) -> Result<(), BenchError> {
        for connection in &mut self.connections {
            connection.reopen().await?;
        }
        Ok(())
    }

    /// Each stream makes so many calls, every one on another connection, so that all connections
    /// have their turn. Gives back how many calls there were in all.
    pub(super) async fn run(
        &mut self,
        calls: usize,
        failures: &mut Failures,
    ) -> Result<usize, BenchError> {
        let mut at_work = JoinSet::new();
        for (number, stream) in self.streams.drain(..).enumerate() {
            let turn: Vec<Connection> = (self.made..self.made + calls)
                .map(|made| (number + made * STREAMS) % self.connections.len())
                .map(|at| self.connections[at].clone())
                .collect();
            at_work.spawn(run(stream, turn));
        }
        self.made += calls;
        let mut made = 0;
        while let Some(joined) = at_work.join_next().await {
            let done = joined.map_err(BenchError::preparing("a stream"))?;
            let (stream, failed) = done?;
            self.streams.push(stream);
            made += calls;
            for (reason, count) in failed {
                *failures.entry(reason).or_default() += count;
            }
        }
        Ok(made)
    }
}

async fn run(
    mut stream: Box<dyn Stream>,
    connections: Vec<Connection>,
) -> Result<(Box<dyn Stream>, Failures), BenchError> {
    let mut failures = Failures::new();
    for connection in connections {
        let call = stream.next()?;
        let answer = connection.call_within(PATIENCE, call).await;
        if let Err(failed) = answer.and_then(|message| stream.answered(message)) {
            *failures.entry(failed).or_default() += 1;
        }
    }
    Ok((stream, failures))
}

/// Rotates its own families in turn; nobody else rotates them.
pub(super) struct Rotating {
    pub(super) callers: Callers,
    /// Their newest refresh tokens.
    pub(super) families: Vec<String>,
    pub(super) at: usize,
}

impl Stream for Rotating {
    fn next(&mut self) -> Result<Call, BenchError> {
        self.at = (self.at + 1) % self.families.len();
        self.callers.rotate(self.families[self.at].clone())
    }

    fn answered(&mut self, message: Bytes) -> Result<(), Failed> {
        let answer: RotateTokenResponse = decode(message)?;
        let newest = &mut self.families[self.at];
        if answer.refresh_token.is_empty() || *newest == answer.refresh_token {
            return Err(Failed::Wrong("no successor"));
        }
        *newest = answer.refresh_token;
        Ok(())
    }
}

/// Asks what refresh tokens are worth, one after the other.
pub(super) struct Introspecting {
    pub(super) callers: Callers,
    pub(super) own: Arc<Own>,
    pub(super) tokens: Arc<[String]>,
    pub(super) nth: usize,
}

impl Stream for Introspecting {
    fn next(&mut self) -> Result<Call, BenchError> {
        self.nth += STREAMS;
        let token = self.tokens[self.nth % self.tokens.len()].clone();
        self.callers.introspect(self.nth, token, &self.own)
    }

    fn answered(&mut self, message: Bytes) -> Result<(), Failed> {
        match decode::<IntrospectTokenResponse>(message)?.active {
            true => Ok(()),
            false => Err(Failed::Wrong("not active")),
        }
    }
}

/// Asks for tokens in the name of one client after the other.
pub(super) struct Issuing {
    pub(super) callers: Callers,
    pub(super) nth: usize,
}

impl Stream for Issuing {
    fn next(&mut self) -> Result<Call, BenchError> {
        self.nth += STREAMS;
        let proof = self.callers.issue_proof(self.nth)?;
        self.callers.issue(self.nth, &proof)
    }

    fn answered(&mut self, message: Bytes) -> Result<(), Failed> {
        check_issued(&decode::<IssueTokenResponse>(message)?)
    }
}

/// Orders with a token.
pub(super) struct Ordering {
    pub(super) prover: Arc<Prover>,
    pub(super) tokens: Arc<AccessTokens>,
    pub(super) token: Token,
}

/// Whose token an order carries.
pub(super) enum Token {
    /// The same every time: after the first call it was seen before.
    Own(String),
    /// A new one every time.
    New(usize),
}

impl Stream for Ordering {
    fn next(&mut self) -> Result<Call, BenchError> {
        let new;
        let token = match &mut self.token {
            Token::Own(token) => &*token,
            Token::New(number) => {
                *number += STREAMS;
                new = self.tokens.token(*number)?;
                &new
            }
        };
        let order = CreateOrderRequest {
            item: "x".repeat(ORDER_REQUEST_BYTES),
        };
        let proof = self.prover.proof(CREATE, Some(token))?;
        Ok(Call::new(CREATE, &order).token(token).proof(&proof))
    }

    fn answered(&mut self, message: Bytes) -> Result<(), Failed> {
        floor::check(ORDER_ANSWER_BYTES)(decode(message)?)
    }
}
