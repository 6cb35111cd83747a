//! A backup that is made under load, and what is dead after it was restored.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_client::Secret;
use countersign_testkit::service::{Service, Terms, countersign};
use countersign_testkit::work::in_a_runtime;
use countersign_testkit::{Desk, Problem};
use futures_util::future::try_join_all;
use serde_json::Value;

use crate::{counts, scale};

/// People who rotate while the backup is made.
const PEOPLE: usize = 8;

/// While everybody rotates, the store is copied; after it was restored, every refresh token from
/// before is dead, those that had been rotated after the backup and those that had not, while what
/// was registered is there and works.
pub(crate) fn an_older_refresh_token_does_not_come_back_with_a_backup() -> Result<(), String> {
    let mut service = Service::start(&Terms::default())?;
    in_a_runtime(async {
        let desk = Desk::open(&service).await?;
        let mut held = Vec::new();
        for person in 0..PEOPLE {
            held.push(token(desk.sign_in(&format!("person-{person}")).await?)?);
        }
        let (backups, rotations) = under_load(&service, &desk, &mut held).await?;
        counts::add("backups under load", backups.len());
        counts::add("rotations while backups were made", rotations);

        for file in &backups {
            verify(file)?;
        }
        let last = backups.last().ok_or("no backup was made")?;
        restore(&mut service, last)?;

        for token in held.iter().flatten() {
            if desk
                .desk
                .token_service()
                .rotate(token, &[], &[])
                .await
                .is_ok()
            {
                return Err("a refresh token from before the backup was accepted".into());
            }
        }
        let anew = token(desk.sign_in("somebody").await?)?;
        desk.desk.token_service().rotate(&anew[0], &[], &[]).await?;
        Ok(())
    })
}

/// Everybody rotates until the backups are made. Each keeps the tokens that it had.
async fn under_load(
    service: &Service,
    desk: &Desk,
    held: &mut [Vec<Secret>],
) -> Result<(Vec<String>, usize), Problem> {
    let made = AtomicBool::new(false);
    let rotate = |tokens: &mut Vec<Secret>| {
        let tokens_service = desk.desk.token_service();
        let first = tokens.last().cloned();
        let made = &made;
        async move {
            let mut newest = first.ok_or("no refresh token")?;
            let mut rotated = Vec::new();
            // One more after the last backup, so that its store knows an older one as the newest.
            loop {
                let last = made.load(Ordering::SeqCst);
                let next = tokens_service.rotate(&newest, &[], &[]).await?;
                newest = next.refresh_token.ok_or("no refresh token")?;
                rotated.push(newest.clone());
                if last {
                    return Ok::<_, Problem>(rotated);
                }
            }
        }
    };
    let rotating = try_join_all(held.iter_mut().map(rotate));
    let backing_up = async {
        let mut files = Vec::new();
        for number in 0..scale::of(3, 30) {
            let file = service.folder().join(format!("{number}.backup"));
            let file = file.display().to_string();
            let socket = service.folder().join("admin.sock").display().to_string();
            let named = file.clone();
            let command =
                move || countersign(&["store", "backup", &named, "--socket", &socket, "--json"]);
            tokio::task::spawn_blocking(command).await??;
            files.push(file);
        }
        made.store(true, Ordering::SeqCst);
        Ok::<_, Problem>(files)
    };
    let (rotated, files) = tokio::try_join!(rotating, backing_up)?;
    let count = rotated.iter().map(Vec::len).sum();
    for (held, more) in held.iter_mut().zip(rotated) {
        held.extend(more);
    }
    Ok((files, count))
}

fn token(issued: countersign_client::Issued) -> Result<Vec<Secret>, Problem> {
    Ok(vec![issued.refresh_token.ok_or("no refresh token")?])
}

fn verify(file: &str) -> Result<(), Problem> {
    let said = countersign(&["store", "verify", file, "--json"])?;
    let said: Value = serde_json::from_str(&said)?;
    match said["sound"].as_bool() {
        Some(true) => Ok(()),
        _ => Err(format!("{file}: {said}").into()),
    }
}

/// As an operator would: stop, move away, restore, start.
fn restore(service: &mut Service, file: &str) -> Result<(), Problem> {
    service.kill()?;
    let data = service.folder().join("data");
    fs::rename(&data, service.folder().join("data.before"))?;
    let data = data.display().to_string();
    countersign(&["store", "restore", file, "--data", &data, "--yes"])?;
    service.restart(&Terms::default())?;
    Ok(())
}
