//! `countersign bench`: that it measures, and what it leaves behind. Figures of a
//! debug build on a busy machine say nothing, so none is looked at.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use countersign_bench::cores::Cores;
use countersign_bench::plan::{Cell, Shape};
use countersign_bench::report::count;
use countersign_bench::world::Setting;
use countersign_bench::{Row, Side, World, run};
use serde_json::Value;

use crate::program::{finish, program, wait};

/// Longer than any end takes on a busy machine; only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(120);

const ROWS: [&str; 15] = [
    "echo",
    "guard_cached",
    "guard_uncached",
    "guard_http",
    "issue_secret",
    "issue_private_key_jwt",
    "redeem",
    "rotate",
    "introspect",
    "introspect_jwt",
    "revoke",
    "list_keys",
    "token_http2",
    "token_http1",
    "client_layer",
];

#[test]
fn every_row_is_measured_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let ran = finish(bench(folder.path()).args([
        "--streams",
        "2",
        "--calls",
        "6",
        "--repeats",
        "2",
        "--json",
    ]));
    let figures = ran.json();
    let figures = figures.as_array().unwrap();
    let names: Vec<&str> = figures
        .iter()
        .map(|figure| figure["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ROWS);
    for figure in figures {
        for field in [
            "streams",
            "connections",
            "floor_us",
            "ours_us",
            "ratio",
            "ratio_min",
            "ratio_max",
            "calls_per_sec",
            "p50_us",
            "p99_us",
            "p999_us",
            "rss_mib",
        ] {
            let value = figure[field].as_f64();
            assert!(value.is_some_and(|value| value > 0.0), "{field}: {figure}");
        }
        assert_eq!(figure["failures"], 0, "{figure}");
        // Two streams are too few for a goal.
        assert_eq!(figure["ratio_goal"], Value::Null, "{figure}");
        assert_eq!(figure["added_us_goal"], Value::Null, "{figure}");
        assert!(figure["added_us"].is_number(), "{figure}");
        for field in ["request_bytes", "answer_bytes"] {
            let [ours, floor] = [field.to_owned(), format!("floor_{field}")]
                .map(|field| figure[field].as_f64().unwrap());
            // Some bytes are in the names of fields; a form is another text than a message.
            let is_form = figure["name"].as_str().unwrap().starts_with("token_http");
            assert!(is_form || (ours - floor).abs() <= 16.0, "{field}: {figure}");
        }
        let flat = figure.as_object().unwrap().values();
        assert!(flat.into_iter().all(|value| !value.is_object()));
    }
    assert!(ran.err.contains("[15/15] client_layer"), "{}", ran.err);
    assert_eq!(left_in(folder.path()), 0, "{ran:?}");
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let folder = tempfile::tempdir().unwrap();
    let ran = finish(bench(folder.path()).args([
        "--rows",
        "list_keys",
        "--rate",
        "40",
        "--secs",
        "0.5",
        "--json",
    ]));
    let figure = &ran.json()[0];
    assert_eq!(figure["name"], "list_keys");
    assert_eq!(figure["rate_per_sec"], 40.0);
    assert_eq!(figure["failures"], 0, "{figure}");
    assert!(figure["late_p99_us"].is_number(), "{figure}");
    // The last of 20 calls is due after 475 ms, and no call is made early.
    let achieved = figure["achieved_per_sec"].as_f64().unwrap();
    assert!(achieved > 0.0 && achieved <= 20.0 / 0.475, "{figure}");
}

#[test]
fn what_tracing_costs_is_measured_with_spans_that_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let ran = finish(bench(folder.path()).args([
        "--rows",
        "guard_cached,list_keys",
        "--trace",
        "1",
        "--calls",
        "60",
        "--repeats",
        "1",
        "--json",
    ]));
    // It fails without a span, where more than 100 are due.
    let figures = ran.json();
    let names = [&figures[0]["name"], &figures[1]["name"]];
    assert_eq!(names, ["guard_cached_traced", "list_keys_traced"]);
    assert_eq!(figures[0]["failures"], 0, "{figures}");
}

#[test]
fn a_server_ends_with_whoever_started_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = bench(folder.path())
        .args(["--rows", "rotate", "--calls", "100000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("a server has its folder", || left_in(folder.path()) > 0);
    // Without a chance to tidy up.
    child.kill().unwrap();
    child.wait().unwrap();
    until("its folder is gone", || left_in(folder.path()) == 0);
}

/// While a store is filled, there is no server yet that could remove it.
#[test]
fn a_folder_goes_when_whoever_fills_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = growing(folder.path());
    until("it is being filled", || being_filled(folder.path()));
    child.kill().unwrap();
    child.wait().unwrap();
    until("its folder is gone", || left_in(folder.path()) == 0);
}

#[test]
fn an_interrupted_measurement_leaves_nothing() {
    for (signal, arguments) in [
        ("INT", &["--growth", "--quick"][..]),
        ("TERM", &["--overload", "--quick"]),
        ("INT", &["--rows", "rotate", "--calls", "100000"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = bench(folder.path())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("it is being filled", || being_filled(folder.path()));
        let sent = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        // At its end, and not some time after it.
        assert_eq!(wait(&mut child).code(), Some(130), "{arguments:?}");
        assert_eq!(left_in(folder.path()), 0, "{arguments:?}");
    }
}

#[test]
fn a_token_that_was_not_revoked_after_all_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting {
        executable: env!("CARGO_BIN_EXE_countersign").into(),
        data: folder.path().to_owned(),
        cores: Cores::Shared,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut world = World::new(setting);
        let shape = Shape {
            streams: 1,
            connections: 1,
        };
        let cell = Cell {
            row: Row::Revoke,
            shape,
            calls: 3,
        };
        let done = run::round(&mut world, cell, Side::Ours).await.unwrap();
        assert_eq!(count(&done.measurement.failures), 0);
        // Calls that are ready, and that nobody makes.
        let batch = Row::Revoke.batch(Side::Ours, &mut world, 3).await.unwrap();
        assert_eq!(batch.len(), 3);
        let noticed = Row::Revoke.aftermath(Side::Ours, &mut world).await.unwrap();
        assert_eq!(count(&noticed), 3);
    });
}

#[test]
fn a_server_says_where_it_is_and_ends_with_its_standard_input() {
    let mut child = program()
        .args(["bench-server", r#"{"kind":"guarded","answer_bytes":9}"#])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let out = child.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut said).unwrap();
    let facts: Value = serde_json::from_str(&said).unwrap();
    assert!(
        facts["url"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let check = |arguments: &[&str], code: i32, says: &str| {
        let ran = finish(program().arg("bench").args(arguments));
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.err.contains(says), "{ran:?}");
    };
    check(&["--rows", "rotates"], 2, "not one of echo");
    check(&["--streams", "0"], 2, "from 1 on");
    check(&["--rate", "100"], 2, "--rows");
    check(&["--rows", "echo", "--rate=-1"], 3, "no rate");
    check(&["--rows", "guard_http", "--rate", "9"], 3, "guard_cached");
    check(&["--rows", "rotate", "--data", "/nowhere"], 1, "/nowhere");
    let rate = ["--rows", "rotate", "--rate", "10"];
    for secs in ["--secs=51", "--secs=0", "--secs=NaN", "--secs=-1"] {
        check(&[&rate[..], &[secs]].concat(), 2, "at most 50");
    }
    for ratio in ["5", "NaN", "-0.1"] {
        check(&[&format!("--trace={ratio}")], 2, "from 0 to 1");
    }
    check(&["--trace", "0.01", "--rows", "echo"], 3, "--rows: echo");
    check(
        &["--trace", "0.01", "--rows", "rotate,client_layer"],
        3,
        "--rows: client_layer",
    );
}

fn bench(data: &Path) -> Command {
    let mut command = program();
    command.arg("bench").arg("--data").arg(data);
    command
}

/// One that fills a store for a while.
fn growing(data: &Path) -> Child {
    bench(data)
        .arg("--growth")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Whether a folder in there has something in it.
fn being_filled(folder: &Path) -> bool {
    let mut folders = fs::read_dir(folder).unwrap().flatten();
    folders.any(|inner| fs::read_dir(inner.path()).is_ok_and(|all| all.count() > 0))
}

fn left_in(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let due = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < due, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}
