//! What was acknowledged is on the disk, and stays.

use std::fs;
use std::path::Path;

use countersign_testkit::Desk;

use crate::service::{Service, Terms};
use crate::work::in_a_runtime;

/// The answer of a rotation leaves after `fdatasync` on the database.
pub(crate) fn a_rotation_is_synced_before_its_answer(strace: &Path) -> Result<(), String> {
    let log = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let terms = Terms {
        under: [
            &strace.display().to_string(),
            // Every thread; descriptors with their paths; the calls that write
            // to the disk and to sockets.
            "-f",
            "-y",
            "-e",
            "trace=fdatasync,sync_file_range,write,writev,sendto,sendmsg",
            "-o",
            &log.path().display().to_string(),
        ]
        .map(str::to_owned)
        .into(),
        ..Terms::default()
    };
    let service = Service::start(&terms)?;
    let synced = |text: &str| text.lines().filter(|line| database_sync(line)).count();
    let read = || fs::read_to_string(log.path()).map_err(|error| error.to_string());

    in_a_runtime(async {
        let desk = Desk::open(&service).await?;
        let signed_in = desk.sign_in("ada").await?;
        let token = signed_in.refresh_token.ok_or("no refresh token")?;
        let before = synced(&read()?);
        let seen = read()?.lines().count();
        let tokens = desk.desk.token_service();
        tokens.rotate(&token, &[], &[]).await?;
        // The client has the answer: whatever the service wrote to the socket
        // stands in the log by now, and the sync must stand before it.
        let all = read()?;
        if synced(&all) == before {
            return Err("the rotation was answered without fdatasync on the database".into());
        }
        let during: Vec<&str> = all.lines().skip(seen).collect();
        let sync = during.iter().position(|line| database_sync(line));
        let answer = during
            .iter()
            .rposition(|line| line.contains("TCP:") || line.contains("socket:"));
        match (sync, answer) {
            (Some(sync), Some(answer)) if sync < answer => Ok(()),
            _ => Err(format!("no fdatasync before the answer:\n{}", during.join("\n")).into()),
        }
    })
}

/// The service is killed the moment a rotation is acknowledged, over and over:
/// the newest refresh token works after every restart, and the one before the
/// last never again. And each rotation has its event, as it has its commit.
pub(crate) fn an_acknowledged_rotation_survives_kill() -> Result<(), String> {
    const ROUNDS: u32 = 4;
    let mut service = Service::start(&Terms::default())?;
    in_a_runtime(async {
        let desk = Desk::open(&service).await?;
        let tokens = desk.desk.token_service();
        let signed_in = desk.sign_in("ada").await?;
        let first = signed_in.refresh_token.ok_or("no refresh token")?;
        let mut newest = first.clone();
        for _ in 0..ROUNDS {
            let next = tokens.rotate(&newest, &[], &[]).await?;
            newest = next.refresh_token.ok_or("no refresh token")?;
            service.kill_and_restart()?;
        }
        tokens.rotate(&newest, &[], &[]).await?;
        if tokens.rotate(&first, &[], &[]).await.is_ok() {
            return Err("a refresh token of long ago was accepted after restarts".into());
        }
        service.kill_and_restart()?;
        for (event, expected) in [("REFRESH_ROTATED", ROUNDS + 1), ("REFRESH_REUSED", 1)] {
            let listed = service.admin(&["audit", "list", "--event", event])?;
            let found = listed["events"].as_array().map_or(0, Vec::len);
            if found != expected as usize {
                return Err(format!("{found} events {event}, not {expected}").into());
            }
        }
        service.admin(&["audit", "verify"])?;
        Ok(())
    })
}

fn database_sync(line: &str) -> bool {
    line.contains("fdatasync(") && line.contains("/db>")
}
