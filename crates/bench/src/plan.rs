//! What is measured, and how often.

use crate::BenchError;
use crate::rows::Row;

/// A few tenths of a second a round: a machine that is shared changes its pace within seconds, and
/// the two sides are to meet it alike. Many short turns spread the median far less than few long
/// ones.
const CALLS: usize = 1_280;

/// For rows whose every call needs a family or a code made beforehand.
const CALLS_WITH_FAMILIES: usize = 640;

/// A single stream makes a quarter of the calls in the same time.
const ONE_STREAM: usize = 4;

/// What `--quick` divides by.
const QUICK: usize = 2;

const STREAMS: usize = 64;
const REPEATS: usize = 29;
const REPEATS_QUICK: usize = 5;

/// Every row is measured with few streams and with many connections as well, for half as long: all
/// of it is done within ten minutes.
const MORE: usize = 2;

/// What tracing costs is asked of these, unless others are named.
const TRACED: [Row; 4] = [
    Row::GuardCached,
    Row::IssueSecret,
    Row::Rotate,
    Row::Introspect,
];
const MORE_SHAPES: [Shape; 3] = [Shape::of(1, 1), Shape::of(16, 1), Shape::of(STREAMS, 16)];

/// How calls come: so many at once, over so many connections.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Calls under way at once, over all connections.
    pub streams: usize,
    /// Connections.
    pub connections: usize,
}

/// A row in a shape: one line of the table.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// The row.
    pub row: Row,
    /// The shape.
    pub shape: Shape,
    /// Calls a round.
    pub calls: usize,
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// These rows. Empty: all of them.
    pub rows: Vec<Row>,
    /// These numbers of streams. Empty: 64, and a smaller matrix beside it.
    pub streams: Vec<usize>,
    /// These numbers of connections.
    pub connections: Vec<usize>,
    /// How often each cell is measured.
    pub repeats: Option<usize>,
    /// Calls a round, for every cell.
    pub calls: Option<usize>,
    /// Within a minute, at the price of a greater spread.
    pub quick: bool,
}

/// What is measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The cells, in the order of the table.
    pub cells: Vec<Cell>,
    /// How often each is measured.
    pub repeats: usize,
}

impl Shape {
    const fn of(streams: usize, connections: usize) -> Self {
        Self {
            streams,
            connections,
        }
    }
}

impl Plan {
    /// What comes of what was asked for.
    pub fn of(asked: &Asked) -> Self {
        let shapes = shapes(asked);
        let rows = match asked.rows.is_empty() {
            true => &Row::ALL[..],
            false => &asked.rows[..],
        };
        let cell = |row, shape| Cell {
            row,
            shape,
            calls: calls(asked, row, shape),
        };
        let mut cells: Vec<Cell> = shapes
            .iter()
            .flat_map(|&shape| rows.iter().map(move |&row| cell(row, shape)))
            .collect();
        if asked.rows.is_empty() && asked.shapeless() && !asked.quick {
            let more = MORE_SHAPES
                .into_iter()
                .flat_map(|shape| Row::ALL.map(|row| cell(row, shape)));
            cells.extend(more.map(|cell| Cell {
                calls: asked.calls.unwrap_or(cell.calls / MORE),
                ..cell
            }));
        }
        let repeats = match asked.quick {
            true => REPEATS_QUICK,
            false => REPEATS,
        };
        Self {
            cells,
            repeats: asked.repeats.unwrap_or(repeats).max(1),
        }
    }
}

impl Plan {
    /// The same for what tracing costs: by default a few rows.
    ///
    /// # Errors
    /// [`BenchError::Asked`] for rows that have no spans.
    pub fn traced(asked: &Asked) -> Result<Self, BenchError> {
        let mut asked = asked.clone();
        if asked.rows.is_empty() {
            asked.rows = TRACED.to_vec();
        }
        match asked.rows.iter().find(|row| !row.is_traced()) {
            Some(row) => Err(BenchError::Asked(format!(
                "--rows: {row} does not run on a server that has spans, so --trace cannot say \
                 what they cost there"
            ))),
            None => Ok(Self::of(&asked)),
        }
    }
}

impl Asked {
    fn shapeless(&self) -> bool {
        self.streams.is_empty() && self.connections.is_empty()
    }
}

fn shapes(asked: &Asked) -> Vec<Shape> {
    let or = |given: &[usize], usual| match given.is_empty() {
        true => vec![usual],
        false => given.to_vec(),
    };
    let connections = or(&asked.connections, 1);
    or(&asked.streams, STREAMS)
        .into_iter()
        .flat_map(|streams| {
            connections
                .iter()
                .map(move |&connections| Shape::of(streams, connections))
        })
        .collect()
}

fn calls(asked: &Asked, row: Row, shape: Shape) -> usize {
    if let Some(calls) = asked.calls {
        return calls.max(1);
    }
    let usual = match row {
        Row::Redeem | Row::Rotate | Row::Revoke => CALLS_WITH_FAMILIES,
        _ => CALLS,
    };
    let fewer = match shape.streams {
        1 => ONE_STREAM,
        _ => 1,
    };
    let quick = match asked.quick {
        true => QUICK,
        false => 1,
    };
    usual / fewer / quick
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_with_64_streams_and_a_smaller_matrix() {
        let plan = Plan::of(&Asked::default());
        let (first, more) = plan.cells.split_at(Row::ALL.len());
        assert!(first.iter().all(|cell| cell.shape == Shape::of(64, 1)));
        assert_eq!(more.len(), MORE_SHAPES.len() * Row::ALL.len());
        assert_eq!(plan.repeats, 29);
    }

    #[test]
    fn what_is_asked_for_and_nothing_else() {
        let plan = Plan::of(&Asked {
            rows: vec![Row::Rotate],
            streams: vec![1, 16],
            connections: vec![4],
            repeats: Some(2),
            calls: Some(10),
            quick: false,
        });
        let cell = |streams| Cell {
            row: Row::Rotate,
            shape: Shape::of(streams, 4),
            calls: 10,
        };
        assert_eq!(plan.cells, [cell(1), cell(16)]);
        assert_eq!(plan.repeats, 2);
    }

    #[test]
    fn tracing_is_not_asked_of_rows_without_spans() {
        let traced = |rows: &[Row]| {
            Plan::traced(&Asked {
                rows: rows.to_vec(),
                ..Asked::default()
            })
        };
        for row in [Row::Echo, Row::ClientLayer] {
            let refused = traced(&[Row::Rotate, row]).expect_err("it has no spans");
            assert!(refused.to_string().contains(row.name()), "{refused}");
        }
        let plan = traced(&[Row::Rotate, Row::ListKeys]).expect("both have spans");
        let rows: Vec<Row> = plan.cells.iter().map(|cell| cell.row).collect();
        assert_eq!(rows, [Row::Rotate, Row::ListKeys]);
        assert_eq!(traced(&[]).expect("some").cells.len(), TRACED.len());
    }

    #[test]
    fn quick_is_every_row_once() {
        let plan = Plan::of(&Asked {
            quick: true,
            ..Asked::default()
        });
        assert_eq!(plan.cells.len(), Row::ALL.len());
        assert!(plan.cells.iter().all(|cell| cell.calls <= CALLS / QUICK));
    }
}
